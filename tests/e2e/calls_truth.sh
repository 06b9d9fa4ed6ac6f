#!/bin/bash
# What the trace says of waits in calls against what programs saw themselves: how long, of what kind, and who woke whom.
. "$(dirname "$0")/lib.sh"

# told NAME PROGRAM ARGS...: records it and compares.
told() {
	local name=$1 program=$2
	shift 2
	record "$name.tide" --events=+io -- "$programs/$program" "$name.json" "$@"
	same "$name: status" 0 "$status"
	seen "$name.tide" 4
	same "$name: verdict" ok "$(info "$name.tide" .verdict)"
	"$HT_BUILD/tests/e2e/timedump" "$name.tide" >"$name.dump" || fail "$name: a record that cannot be right"
	python3 "$e2e/calls_truth.py" "$name.json" "$name.dump" >said || fail "$name: $(cat said)"
	echo "$name: $(paste -sd ' ' said)"
}

told sleeper sleeper
told echo echo 4 1000
told pipes pingpong 20000
told pair pingpong 20000 socketpair

# Limits of waits, as the program gave them: 1 ms each, 1.5 ms at most for the absolute one, 700 us for usleep.
limits() {
	jq -n -c --arg call "$1" '[inputs | select(.wait and .call == $call) | .detail] | [min, max]' sleeper.dump
}
same "nanosleep's limits" '[1000001,1000001]' "$(limits nanosleep)"
same "usleep's limits" '[700001,700001]' "$(limits usleep)"
same "poll's limits" '[1000001,1000001]' "$(limits poll)"
same "select's limits" '[1000001,1000001]' "$(limits select)"
same "epoll_wait's limits" '[1000001,1000001]' "$(limits epoll_wait)"
same "clock_nanosleep's longest limit" true "$(limits clock_nanosleep | jq '.[1] <= 1500001 and .[0] > 500000')"
same "polls that did not time out" 0 \
	"$(jq -s '[.[] | select(.wait == "poll" and .outcome != "timeout")] | length' sleeper.dump)"

# Off: nothing of it, by any name.
record off.tide --events=alloc,map,thread -- "$programs/sleeper" off.json 2
seen off.tide 4
"$HT_BUILD/tests/e2e/timedump" off.tide >off.dump || fail "off.tide: a record that cannot be right"
same "without io: waits" 0 "$(jq -s '[.[] | select(.wait)] | length' off.dump)"
# Alone: waits, and no blocks.
record alone.tide --events=io -- "$programs/sleeper" alone.json 2
same "io alone: blocks" 0 "$(info alone.tide '.allocations + .frees')"
"$HT_BUILD/tests/e2e/timedump" alone.tide >alone.dump
python3 "$e2e/calls_truth.py" alone.json alone.dump >said || fail "io alone: $(cat said)"

# Numbers of descriptors that become one thing after another: what is sent through them wakes whom it wakes, and nobody
# else.
record numbers.tide --events=+io -- "$programs/fd_numbers" >said
same "fd_numbers: status" 0 "$status"
"$HT_BUILD/tests/e2e/timedump" numbers.tide >numbers.dump || fail "fd_numbers: a record that cannot be right"
jq -s -c '[.[] | select(.wake)] | sort_by(.time)[] | {call, kind: .wake, object}' numbers.dump >seen.wakes
diff said seen.wakes >differ || fail "fd_numbers: $(head -5 differ)"
echo "fd_numbers: $(grep -c . said) wakes"
