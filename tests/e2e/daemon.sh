#!/bin/bash
# A target that leaves a daemon behind: record returns with the target's status when the target ends, names who
# still runs, and the daemon goes on to its own end, no longer recorded; --wait=all waits for it.
. "$(dirname "$0")/lib.sh"

runs_on=1
status_of timeout 60 "$heaptide" record -o t.tide -- "$programs/signals" daemon 1.5 "$work/finished" 2>err
same "status" 6 "$status"
[ ! -e finished ] || fail "record waited for the daemon"
grep -q "$(pgrep -n -x signals)" err || fail "the process that still runs is not named: $(cat err)"
seen t.tide 100
for _ in $(seq 200); do
	[ ! -s finished ] || break
	sleep 0.02
done
same "the daemon" finished "$(cat finished)"
ended t.tide
sound t.tide 1500
same "images" 2 "$(info t.tide '.images | length')"
runs_on=

rm -f finished
status_of timeout 60 "$heaptide" record -q --wait=all -o all.tide -- "$programs/signals" daemon 0.8 "$work/finished"
same "status with --wait=all" 6 "$status"
same "the daemon with --wait=all" finished "$(cat finished)"
sound all.tide 1500

# A process that stays in the group is the same case.
status_of timeout 60 "$heaptide" record -q --wait=all -o orphan.tide -- "$programs/signals" orphan 0.5
same "status with an orphan" 7 "$status"
sound orphan.tide 1200
