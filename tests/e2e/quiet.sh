#!/bin/bash
# Processes that tell nothing are known all the same: a child without an event is waited for or named, a program that
# could not be recorded is counted, a hook that turned itself off says why; and each makes `complete` false.
. "$(dirname "$0")/lib.sh"

# A child that never allocates, by fork() and past it: the parent's end is record's, and the child is named.
for how in child raw; do
	status_of timeout 60 "$heaptide" record --force -o t.tide -- "$programs/quiet" $how 1.5 2>err
	same "$how: status" 6 "$status"
	pid=$(pgrep -n -x quiet)
	grep -q "still running, no longer recorded: $pid " err || fail "$how: $pid is not named: $(cat err)"
	grep -q '^  incomplete' err || fail "$how: called complete: $(cat err)"
	kill "$pid"
done
status_of timeout 60 "$heaptide" record -q --force -o t.tide -- "$programs/quiet" child 1
sound t.tide 200
same "a child that runs on: images" 2 "$(info t.tide '.images | length')"
same "a child that runs on: complete" false "$(info t.tide .complete)"

# --wait=all waits for it. It had no event, so it is no image of the trace.
for how in child raw; do
	begin=$(date +%s%N)
	status_of timeout 60 "$heaptide" record -q --wait=all --events=alloc,map,thread --force -o t.tide -- "$programs/quiet" $how 0.6
	same "$how, --wait=all: status" 6 "$status"
	[ $((($(date +%s%N) - begin) / 1000000)) -ge 600 ] || fail "$how: --wait=all did not wait"
	sound t.tide 200
	same "$how, --wait=all: images" 1 "$(info t.tide '.images | length')"
	same "$how, --wait=all: complete" true "$(info t.tide .complete)"
done

# Many at once, each child's fork and first event racing its parent's end.
for i in $(seq 16); do
	"$heaptide" record -q --wait=all -o "many.$i.tide" -- "$programs/signals" daemon 0.03 "$work/finished.$i" &
done
wait
for i in $(seq 16); do
	sound "many.$i.tide" 1000
	same "daemon $i: images" 2 "$(info "many.$i.tide" '.images | length')"
	same "daemon $i: complete" true "$(info "many.$i.tide" .complete)"
done

# Programs that cannot be recorded: one that outlives the command, one that is waited for.
status_of timeout 60 "$heaptide" record --force -o t.tide -- bash -c '"$0" wait 1.2 >/dev/null & exit 3' \
	"$programs/signals-static" 2>err
same "a static program: status" 3 "$status"
grep -q "still running, no longer recorded: $(pgrep -n -x signals-static)" err || fail "not named: $(cat err)"
same "a static program: complete" false "$(info t.tide .complete)"
pkill -x signals-static
status_of timeout 60 "$heaptide" record -q --wait=all --force -o t.tide -- bash -c '"$0" wait 2.5 >/dev/null & exit 3' \
	"$programs/signals-static"
same "a static program, waited for: not attached" 1 "$(info t.tide .exec_not_attached)"
same "a static program, waited for: complete" false "$(info t.tide .complete)"
"$heaptide" info t.tide | grep -q '1 program not attached' || fail "info does not say it: $("$heaptide" info t.tide)"

# The hook turns itself off before strict seccomp.
status_of "$heaptide" record --force -o t.tide -- "$programs/quiet" strict 2>err
same "strict seccomp: status" 0 "$status"
sound t.tide 2200
same "strict seccomp: hook_off" "strict seccomp" "$(info t.tide .hook_off)"
same "strict seccomp: complete" false "$(info t.tide .complete)"
grep -q 'incomplete.*the hook turned itself off: strict seccomp' err || fail "the summary does not say why: $(cat err)"
"$heaptide" info t.tide | grep -q 'the hook turned itself off: strict seccomp' || fail "info does not say why"
