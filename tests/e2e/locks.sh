#!/bin/bash
# Programs that know what they waited for (testdata/programs/time_truth.h): the trace says the same of each thread, each
# object and, where the program knows, of who ended each wait.
. "$(dirname "$0")/lib.sh"

# check PROGRAM ARG...
check() {
	local program=$1
	shift
	# A recorder that is kept from the processors may rightly say that it lost something: once more, then.
	for _ in 1 2 3; do
		record t.tide --events=+sync -- "$programs/$program" truth.json "$@"
		same "$program: status" 0 "$status"
		[ "$(info t.tide '[.lost_events[]] | add')" != 0 ] || break
	done
	sound t.tide
	"$HT_BUILD/tests/e2e/timedump" t.tide >times.jsonl || fail "$program: timedump"
	# The innermost frame of each is the program's call, none of the hook's.
	"$heaptide" dump --stacks --op=wait --op=wake t.tide |
		awk '/^[0-9]/ { due = /stack=/; next } due { due = 0; print }' >leaves
	! grep -v "$program" leaves || fail "$program: waits that the program did not call"
	python3 "$e2e/locks_truth.py" truth.json times.jsonl || fail "$program $*: the trace differs from what the program saw"
}
check convoy
check convoy 3 2000 5
check producer
check producer 2000 3 1
check starve
check connections
check handoffs
