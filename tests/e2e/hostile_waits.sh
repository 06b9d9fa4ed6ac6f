#!/bin/bash
# Programs that are hard on the hooks of waits: sets that are shorter than select was told, system calls that kill who
# makes them, other preloaded libraries that want to see each call, and a storm of threads, cancellations, signals and
# forks.
. "$(dirname "$0")/lib.sh"
timedump=$HT_BUILD/tests/e2e/timedump

# unchanged PROGRAM ARGUMENT...: recorded, it says and answers what it does without; t.tide is sound, and has waits.
unchanged() {
	status_of timeout 60 "$programs/$1" "${@:2}" >plain.out 2>plain.err
	local plain=$status waits
	[ "$plain" != 77 ] || return 77
	same "$*: status without the hook" 0 "$plain"
	record t.tide -- timeout 100 "$programs/$1" "${@:2}" >hooked.out 2>hooked.err
	same "$*: status" "$plain" "$status"
	cmp -s plain.out hooked.out || fail "$*: $(diff plain.out hooked.out | head -4)"
	same "$*: verdict" ok "$(info t.tide .verdict)"
	"$heaptide" verify t.tide >verify.out 2>&1 || fail "$*: $(head -5 verify.out)"
	"$timedump" t.tide >times.jsonl || fail "$*: a record that cannot be right"
	waits=$(grep -c '"wait":' times.jsonl) || true
	[ "$waits" -ge 1 ] || fail "$*: $waits waits: was the hook there?"
	echo "$*: $waits waits"
}

unchanged hostile_select
sound t.tide
unchanged hostile_ends
sound t.tide 300
for wakes in pipe:150 other:50; do # the second: an eventfd
	count=$(grep -c "\"wake\":\"${wakes%:*}\"" times.jsonl) || true
	[ "$count" -ge "${wakes#*:}" ] || fail "hostile_ends: $count wakes of kind ${wakes%:*}, wanted ${wakes#*:}"
done
for how in prctl seccomp syscall bare; do
	status_of unchanged hostile_filter "$how"
	[ "$status" = 0 ] || { [ "$status" = 77 ] && echo "hostile_filter $how: not allowed here"; }
done

# Both orders: a neighbour sees what it sees without us, and we see the waits.
neighbour=$programs/neighbour.so
NEIGHBOUR_TELLS=1 LD_PRELOAD=$neighbour "$programs/neighbourly" 2>wanted >/dev/null
grep -q 'lock 1002 unlock 1002 rdlock 1000 sem_wait 1000 .* read 1000 write 1000' wanted || fail "$(cat wanted)"
for order in "$neighbour $hook" "$hook $neighbour"; do
	rm -f t.tide
	status_of env NEIGHBOUR_TELLS=1 "$heaptide" record -q -o t.tide -- \
		env LD_PRELOAD="${order/ /:}" "$programs/neighbourly" 2>told >/dev/null
	same "$order: status" 0 "$status"
	tail -1 told >got
	cmp -s wanted got || fail "$order: $(diff wanted got)"
	sound t.tide
	"$timedump" t.tide >times.jsonl
	grep '"wake":"pipe"' times.jsonl | grep -c . >count || true
	[ "$(cat count)" -ge 500 ] || fail "$order: $(cat count) wakes at the pipe: was the hook there?"
	echo "$order: as without"
done

for program in hostile_storm hostile_storm-clang; do
	for arguments in 1500 "1500 forks"; do
		# shellcheck disable=SC2086
		unchanged "$program" $arguments
		grep -q '^ok$' hooked.out || fail "$program $arguments: $(cat hooked.out hooked.err)"
		echo "$program $arguments: $(cat hooked.err)"
	done
done
