#!/bin/bash
# cmd/demo, as a newcomer runs it: builds, records, prints the report, returns the command's status; the second run
# does none of the set-up again.
. "$(dirname "$0")/lib.sh"
demo=$HT_SOURCE/cmd/demo

status_of "$demo" -- "$programs/signals" exit 5 >out 2>err </dev/null
same "status" 5 "$status"
grep -q '^\$ heaptide report' out || fail "no report: $(tail -5 out err)"
[ "$(sed '1,/^\$ heaptide report/d' out | grep -c .)" -ge 10 ] || fail "an empty report: $(cat out)"
sound "$HT_SOURCE/out/demo/demo.tide" 2000

started=$(date +%s%N)
status_of "$demo" >out 2>err </dev/null
took=$((($(date +%s%N) - started) / 1000000))
same "status of the compiler" 0 "$status"
sound "$HT_SOURCE/out/demo/demo.tide" 10000
[ "$took" -le 20000 ] || fail "the second run took $took ms"
! grep -q 'Building' out || fail "the second run built something"
status_of "$demo" bad words >out 2>err
same "status of a wrong usage" 2 "$status"
