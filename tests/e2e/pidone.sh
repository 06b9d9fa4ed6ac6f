#!/bin/bash
# record as process 1 of a name space: it reaps what it inherits, and ends with the target's status.
. "$(dirname "$0")/lib.sh"

if unshare -pf --mount-proc true 2>/dev/null; then
	space=(unshare -pf --mount-proc)
elif unshare -Upfr --mount-proc true 2>/dev/null; then
	space=(unshare -Upfr --mount-proc)
else
	skip "unshare is not permitted here: $(unshare -pf true 2>&1 | head -1)"
fi

status_of timeout 60 "${space[@]}" "$heaptide" record -q -o "$work/t.tide" -- "$programs/signals" exit 9
same "status as process 1" 9 "$status"
sound t.tide 1000

# Orphans become children of process 1: they are reaped, and record still returns the target's status.
status_of timeout 60 "${space[@]}" "$heaptide" record -q -o "$work/o.tide" --wait=command -- \
	bash -c '(sleep 0.2 & sleep 0.1 & true) ; for i in 1 2 3 4 5; do (true &); done; sleep 0.5; ps -eo stat= | grep -c Z >zombies; exit 8'
same "status with orphans" 8 "$status"
same "zombies under process 1" 0 "$(cat zombies)"
sound o.tide

status_of timeout 60 "${space[@]}" "$heaptide" record -q -o "$work/k.tide" -- "$programs/signals" die 15
same "a target's death by signal under process 1" 143 "$status"
sound k.tide 1000
