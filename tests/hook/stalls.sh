#!/bin/bash
# Calls of the allocator that take long, behind the hook, where only the allocator knows: each is noted, with its kind,
# its bytes and at least the time that it took; and without --events=+stall those of many milliseconds.
. "$(dirname "$0")/../e2e/lib.sh"
timedump=$HT_BUILD/tests/e2e/timedump

# run TRACE OPTIONS... -- ARGS...: truth.json has the allocator's word, dump the trace's.
run() {
	local trace=$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	status_of "$heaptide" record -q --force -o "$trace" "${options[@]}" -- "$HT_BUILD/tests/hook/stalled" "$@" >truth.json
	same "status of stalled $*" 0 "$status"
	"$timedump" "$trace" >dump || fail "$trace: a record that cannot be right"
	"$heaptide" verify "$trace" >verify.out || fail "$(head -3 verify.out)"
}

slow='.malloc + .calloc + .aligned + .realloc + .free' # calls, in truth.json

# Op numbers of the trace: malloc 1, calloc 2, aligned 3, realloc 5, free 8.
ops='{"1":"malloc","2":"calloc","3":"aligned","5":"realloc","8":"free"}'
# missing FACTOR: kinds of which fewer than FACTOR of the slow calls are in the trace, each for at least NS.
missing() {
	jq -n -c --argjson ops "$ops" --argjson ns "$2" --argjson factor "$1" --slurpfile truth truth.json '
		reduce (inputs | select(.stall and .end - .begin >= $ns * 0.99)) as $s ({}; .[$ops[$s.stall | tostring]] += 1)
		| . as $seen | [$truth[0] | del(.ns) | to_entries[] | select(.value * $factor > ($seen[.key] // 0))
			| "\(.key): \($seen[.key] // 0) of \(.value)"]' dump
}

for how in "" --sample=2000 --free-stacks=off --events=+stall,-alloc; do
	# shellcheck disable=SC2086
	run t.tide --events=+stall $how -- 4000 7 60000
	[ "$(jq "$slow" truth.json)" -ge 4000 ] || fail "the allocator was not there: $(cat truth.json)"
	[ "$how" = --events=+stall,-alloc ] || sound t.tide 100
	same "$how: stalls that are missing" '[]' "$(missing 1 60000)"
	same "$how: bounds instead of times" 0 "$(grep -c '"stall".*"bound":true' dump || true)"
	same "$how: bytes" '[0,7001,7003,7021,7040,9001]' \
		"$(jq -s -c '[.[] | select(.stall and .end - .begin >= 60000) | .size] | unique' dump)"
	same "$how: stalls without a stack" 0 "$(jq -s '[.[] | select(.stall and .depth < 2)] | length' dump)"
	took=$(jq -n 'reduce (inputs | select(.stall and .end - .begin >= 59000)) as $s (0; . + $s.end - $s.begin)' dump)
	[ "$took" -ge "$(jq '.ns * 0.99 | floor' truth.json)" ] ||
		fail "$how: $took ns of stalls; the allocator took $(cat truth.json)"
done

# By the tick: 12 ms each, of which a starved collector may miss some.
run t.tide -- 300 45 12000000 sleeps
sound t.tide 2000
[ "$(jq -s '[.[] | select(.stall)] | length * 2' dump)" -ge "$(jq "$slow" truth.json)" ] ||
	fail "by the tick: $(jq -s -c '[.[] | select(.stall)] | length' dump) of $(cat truth.json)"
# Where so little happens that the collector sleeps.
run t.tide -- 2 1 60000000 sleeps
[ "$(jq -s '[.[] | select(.stall)] | length * 2' dump)" -ge "$(jq "$slow" truth.json)" ] ||
	fail "by the clock: $(jq -s -c '[.[] | select(.stall)] | length' dump) of $(cat truth.json)"
# And none where none was: but for a thread that was preempted in the allocator, for long.
run t.tide -- 20000 100 0
[ "$(grep -c '"stall"' dump || true)" -le 5 ] || fail "stalls that were none: $(head -3 dump)"
