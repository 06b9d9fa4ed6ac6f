#!/bin/bash
# Signal handlers that allocate arrive at any instruction of the hook, and some of them jump out of it: every call
# that the program counted is in the trace, and what was thrown out is counted as lost.
. "$(dirname "$0")/../e2e/lib.sh"

allocator=$HT_BUILD/tests/hook/libreentrant_alloc.so
run() { # TRACE ARGS...
	local trace=$1
	shift
	status_of env LD_PRELOAD="$allocator" "$heaptide" record -q --force -o "$trace" "${options[@]}" -- \
		"$HT_BUILD/tests/hook/nested" "$@" 2>counts
	same "status of nested $*" 0 "$status"
}

for options_text in "--free-stacks=on" "--free-stacks=off" "--self-check"; do
	read -ra options <<<"$options_text"
	run plain.tide 1
	read -r mallocs frees handlers <counts
	[ "$handlers" -gt 100 ] || fail "only $handlers signals arrived"
	"$heaptide" verify plain.tide >verify.out || fail "$(head -3 verify.out)"
	# A handler may not wait for room: on a busy machine some of its events are lost, and each is counted. The
	# program's own stdio buffer and the like come on top.
	made=$(info plain.tide .allocations) gone=$(info plain.tide .frees) lost=$(info plain.tide '[.lost_events[]] | add')
	over=$((made + gone + lost - mallocs - frees))
	[ "$over" -ge 0 ] && [ "$over" -le 8 ] ||
		fail "$options_text: $mallocs mallocs and $frees frees; in the trace $made and $gone, and $lost lost"
	[ "$lost" -le $((2 * handlers)) ] || fail "$options_text: $lost lost, of $handlers handlers"
	same "$options_text: differing stacks" 0 "$(info plain.tide '.self_check.differences // 0')"

	for how in -j -t; do
		run jumps.tide "$how" 1
		"$heaptide" verify jumps.tide >verify.out || fail "$(head -3 verify.out)"
		read -r mallocs frees handlers <counts
		made=$(info jumps.tide .allocations) gone=$(info jumps.tide .frees)
		abandoned=$(info jumps.tide .lost_events.abandoned) lost=$(info jumps.tide '[.lost_events[]] | add')
		[ "$lost" -le $((2 * handlers)) ] || fail "$options_text with jumps ($how): lost $(info jumps.tide '.lost_events | tostring'), of $handlers handlers"
		# a jump may leave between the call and the program's own count, both ways
		for pair in "$mallocs $made" "$frees $gone"; do
			read -r counted seen <<<"$pair"
			[ "$seen" -ge $((counted - lost)) ] && [ "$seen" -le $((counted + abandoned + handlers / 50 + 4)) ] ||
				fail "$options_text with jumps ($how): the program counted $counted, the trace $seen; lost $lost, hook off: $(info jumps.tide .hook_off)"
		done
	done
	echo "$options_text: $handlers handlers, $abandoned notes abandoned"
done
