#!/bin/bash
# An allocator whose operator new does not call malloc (jemalloc, preloaded): every form of new and delete is
# in the trace all the same; and without it, through libstdc++, exactly once.
. "$(dirname "$0")/lib.sh"
jemalloc=$(ldconfig -p | awk '/libjemalloc\.so\.2 / && !n++ { print $NF }')
[ -n "$jemalloc" ] || fail "no libjemalloc.so.2"
rounds=2000

# forms WHAT: rounds births of each form, and one block of each form left.
forms() {
	local size
	sound t.tide $((rounds * 5))
	for size in 1111 2222 3333 4352 5632; do
		same "$1: blocks of $size bytes" "$rounds $((rounds - 1))" "$("$tracecheck" size t.tide $size)"
	done
}

for program in newload newload-clang; do
	record t.tide -- "$programs/$program" $rounds >out
	same "$program: output" "$rounds rounds" "$(cat out)"
	forms "$program on libstdc++"
	LD_PRELOAD=$jemalloc record t.tide -- "$programs/$program" $rounds >out
	same "$program with jemalloc: output" "$rounds rounds" "$(cat out)"
	forms "$program with jemalloc"
done

# Started by something else, that allocator is not met in time. It is said, once, of a program that uses new; of one that does
# not there is nothing to say; and -q says nothing.
for q in "" -q; do
	"$heaptide" record $q --force -o t.tide -- bash -c 'LD_PRELOAD=$LD_PRELOAD:$1 "$0" 100' "$programs/newload" "$jemalloc" \
		>out 2>err
	same "under bash${q:+ with -q}: warnings" $((${#q} == 0)) "$(grep -c 'newload: its operator new does not pass through malloc' err || true)"
	[ -z "$q" ] || [ ! -s err ] || fail "-q said: $(cat err)"
done
"$heaptide" record --force -o t.tide -- bash -c 'LD_PRELOAD=$LD_PRELOAD:$1 "$0" exit 0' "$programs/signals" "$jemalloc" 2>err
! grep -q 'operator new' err || fail "a C program was warned of: $(cat err)"
