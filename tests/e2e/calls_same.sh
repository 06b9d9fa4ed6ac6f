#!/bin/bash
# A table of calls that may block, and of everything that may end them: results, errors, cancellations, signals and
# bytes are the same with all that can be recorded of them, and the hook was there.
. "$(dirname "$0")/lib.sh"

for program in calls_table calls_table-plain; do
	status_of timeout 60 "$programs/$program" >plain.out 2>plain.err
	same "$program: status" 0 "$status"
	[ "$(grep -c . plain.out)" -ge 370 ] || fail "$program printed $(grep -c . plain.out) lines"
	for events in +io +sync,+io,+stall io,sync; do
		record t.tide --events=$events -- timeout 100 "$programs/$program" >hooked.out 2>hooked.err
		same "$program, $events: status" 0 "$status"
		cmp -s plain.out hooked.out || fail "$program, $events: $(diff plain.out hooked.out | head -4)"
		cmp -s plain.err hooked.err || fail "$program, $events: $(diff plain.err hooked.err | head -4)"
		same "$program, $events: verdict" ok "$(info t.tide .verdict)"
		same "$program, $events: lost" 0 "$(info t.tide '[.lost_events[]] | add')"
		"$HT_BUILD/tests/e2e/timedump" t.tide >dump || fail "$program, $events: a record that cannot be right"
		for call in read write readv recvmsg accept connect open close poll select epoll_wait nanosleep usleep \
			sigwait waitpid flock; do
			grep -q "\"call\":\"$call\"" dump || fail "$program, $events: no wait in $call: was the hook there?"
		done
		# Of those that a signal interrupts, once each of 43 calls.
		[ "$(grep -c '"outcome":"interrupted"' dump)" -ge 40 ] || fail "$program, $events: few waits were interrupted"
	done
done
# The same while nothing of it is recorded.
record t.tide --events=alloc -- timeout 100 "$programs/calls_table" >hooked.out 2>hooked.err
sound t.tide 100
"$programs/calls_table" >plain.out 2>plain.err
cmp -s plain.out hooked.out || fail "not recorded: $(diff plain.out hooked.out | head -4)"
cmp -s plain.err hooked.err || fail "not recorded: $(diff plain.err hooked.err | head -4)"
