#!/bin/bash
# The judges are judged: a forged trace that agrees with the ledger passes, and each single fault is found.
. "$(dirname "$0")/lib.sh"

GLIBC_TUNABLES=glibc.malloc.tcache_count=7 "$programs/htload" -s 3 -n 20000 -c 2 ledger
forge() {
	"$HT_BUILD/tests/e2e/traceforge" ledger t.tide "$1"
}
# found COMMAND FAULT: tracecheck COMMAND ends with 1 and says something.
found() {
	forge "$2"
	status_of "$tracecheck" "$1" t.tide ${3:+"$3"} >check.out
	same "$1 of a trace with the fault '$2'" 1 "$status"
	grep -Eq '^(thread|birth|death|checkpoint|a realloc)|missing=[1-9]' check.out || fail "$1, $2: it does not say what: $(cat check.out)"
}

forge none
"$tracecheck" ledger t.tide ledger >check.out || fail "$(cat check.out)"
"$tracecheck" order t.tide >check.out || fail "$(cat check.out)"
for fault in birth death size address late implied undo; do
	found ledger "$fault" ledger
done
found order late
