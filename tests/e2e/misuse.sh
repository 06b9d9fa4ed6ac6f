#!/bin/bash
# Locks and waits in careless hands (testdata/programs/misuse*.c): what they answer, to the byte, is the same with the
# hook as without, and the hook was there: it saw each kind of wait, those that were cancelled, too.
. "$(dirname "$0")/lib.sh"
timedump=$HT_BUILD/tests/e2e/timedump

# count JQ-CONDITION: records of times.jsonl of which it holds.
count() {
	jq -s "map(select($1)) | length" times.jsonl
}
# at_least N JQ-CONDITION
at_least() {
	[ "$(count "$2")" -ge "$1" ] || fail "$program, $options: $(count "$2") records with $2, wanted $1"
}

for program in misuse_{locks,waits,ends}{,-clang}; do
	"$programs/$program" >wanted
	for options in --events=+sync,+io "--events=+sync --self-check" "--events=-thread,+sync --stack-depth=4" \
		--events=-sync,+io; do
		# shellcheck disable=SC2086
		record t.tide $options -- "$programs/$program" >got
		same "$program: status" 0 "$status"
		diff wanted got >difference || fail "$program, $options: $(head -5 difference)"
		sound t.tide
		"$timedump" t.tide >times.jsonl || fail "$program, $options: timedump"
		if [[ $options != *+sync* ]]; then
			same "waits without sync" 0 "$(count '.wait | IN("mutex", "cond", "sem")')"
			continue
		fi
		[[ $options != *self-check* ]] ||
			same "differing stacks" 0 "$(info t.tide '.self_check.differences // 0')"
		if [[ $program == misuse_locks* ]]; then
			at_least 20 '.wait == "mutex" and .outcome == "timeout" and .detail > 0'
			at_least 4 '.wait == "mutex" and .outcome == "ok"'
			at_least 3 '.wait == "mutex" and .outcome == "owner_dead"'
			at_least 10 '.wait == "rwlock" and .outcome == "timeout"'
			at_least 3 '.wake == "mutex" and .call == "pthread_mutex_unlock"'
		elif [[ $program == misuse_waits* ]]; then
			at_least 8 '.wait and .outcome == "unknown"'
			at_least 8 '.wait == "cond" and .outcome == "timeout"'
			at_least 2 '.wait == "sem" and .outcome == "interrupted"'
			at_least 100 '.wait == "sem" and .outcome == "ok"'
			at_least 100 '.wake == "sem"'
			at_least 5 '.wait == "join" and .outcome == "ok"'
		else
			at_least 2 '.wait == "join" and .outcome == "timeout" and .detail > 0'
			at_least 1 '.wait == "once"'
			at_least 200 '.wake == "barrier"'
			[[ $options == *-thread* ]] || at_least 15 '.wake == "join" and .call == "pthread_exit"'
		fi
		echo "$program, $options: $(count .wait) waits, $(count .wake) wakes"
	done
done
