#!/bin/bash
# heaptide built by clang passes its unit tests and records correctly. tests/check builds it and names it in HT_CLANG_BUILD.
. "$(dirname "$0")/lib.sh"
[ -n "${HT_CLANG_BUILD:-}" ] || skip "HT_CLANG_BUILD is not set: no build by clang to test"
clang=$HT_CLANG_BUILD
ctest --test-dir "$clang" -L 'unit|hook' -j 2 --timeout 200 --output-on-failure >ctest.out 2>&1 || fail "$(tail -40 ctest.out)"
grep -q '100% tests passed' ctest.out || fail "no unit tests ran: $(tail -5 ctest.out)"

"$clang/cmd/heaptide/heaptide" record -q -o t.tide -- "$programs/htload" -s 31 -t 4 -n 60000 -c 3 ledger
sound t.tide 30000
"$tracecheck" ledger t.tide ledger >check.out || fail "$(cat check.out)"
"$clang/cmd/heaptide/heaptide" record -q --self-check -o s.tide -- "$programs/stress" -n 200 -p "$programs/stress_plugin.so"
sound s.tide 10000
same "self-check's differences" 0 "$(info s.tide .self_check.differences)"
