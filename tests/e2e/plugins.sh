#!/bin/bash
# C hosts that open C++ plugins with RTLD_LOCAL behave as without the hook: plugins on libstdc++ and with an operator
# new of their own, by g++ and by clang++, bad_alloc and nothrow included. And caught exceptions leave no trace
# in the recorder: what is allocated after them is recorded as before.
. "$(dirname "$0")/lib.sh"

# compare NAME LEAST COMMAND...
compare() {
	local name=$1 least=$2 plain
	shift 2
	status_of "$@" >plain.out 2>&1
	plain=$status
	record t.tide -- "$@" >hooked.out 2>&1
	same "$name: status" "$plain" "$status"
	cmp -s plain.out hooked.out || fail "$name: another output: $(diff plain.out hooked.out)"
	sound t.tide "$least"
}

for suffix in "" -clang; do
	compare "plugin_std$suffix" 2000 "$programs/plugin_host" "$programs/plugin_std$suffix.so"
	grep -q 'exhaust 3$' plain.out || fail "the plugin by itself is not right: $(cat plain.out)"
	compare "plugin_own$suffix" 2000 "$programs/plugin_host" "$programs/plugin_own$suffix.so"
	grep -q 'work 0, exhaust 2$' plain.out || fail "the plugin by itself is not right: $(cat plain.out)"
done
compare "all plugins" 8000 "$programs/plugin_host" "$programs/plugin_std.so" "$programs/plugin_std-clang.so" \
	"$programs/plugin_own.so" "$programs/plugin_own-clang.so"

for program in badalloc badalloc-clang; do
	compare "$program" 20000 "$programs/$program" 1000 10000
	same "$program: output" "1000 caught, then 10000 blocks" "$(cat hooked.out)"
	same "$program: blocks after the exceptions" "10000 10000" "$("$tracecheck" size t.tide 4242)"
	# Each of them with the stack of the function that made it, not as a call inside another.
	"$heaptide" report --json --by=function --metric=allocs -n 0 t.tide >report.json
	same "$program: blocks of ordinary_work" 10000 \
		"$(jq '[.rows[] | select((.function // "") | test("ordinary_work")) | (.total.allocs // .allocs)] | add // 0' report.json)"
	same "$program: failed calls" 1000 "$(info t.tide .failed_calls)"
done
