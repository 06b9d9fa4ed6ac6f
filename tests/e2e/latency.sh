#!/bin/bash
# Where time went: the views' contract, and what they say against programs that know. With perf refused, too.
. "$(dirname "$0")/lib.sh"
events=+sync,+io,+sched

# whole TRACE: sound, but that switches may be lost: of many threads on a busy machine they may be more than the kernel's
# buffers hold. Nothing else may.
whole() {
	[ "$(info "$1" '.allocations + .frees')" -gt 0 ] || fail "$1 holds no events: was the hook loaded?"
	same "$1: lost" 0 "$(info "$1" '[.lost_events | del(.sched)[]] | add')"
	"$heaptide" verify "$1" >verify.out 2>&1 || fail "verify $1: $(head -5 verify.out)"
}

# What a host takes from a virtual machine is inside a run, and no running time for the kernel.
stolen_so_far() {
	awk -v hz="$(getconf CLK_TCK)" '/^cpu / { printf "%d", $9 * 1000000000 / hz }' /proc/stat
}
before=$(stolen_so_far)

# agrees TRACE [TRUTH]
agrees() {
	export STOLEN=$(($(stolen_so_far) - before))
	[ $STOLEN = 0 ] || STOLEN=$((STOLEN + 1000000000 / $(getconf CLK_TCK)))
	before=$(stolen_so_far)
	python3 "$e2e/latency_truth.py" "$heaptide" "$@" >figures || fail "$1: $(cat figures)"
	echo "$1: $(cat figures)"
}

# --- against what programs saw ----------------------------------------------------------------
record handoffs.tide --events=$events -- "$programs/handoffs" truth.json 100000
same "handoffs: status" 0 "$status"
whole handoffs.tide
agrees handoffs.tide truth.json
record t.tide --events=+sync,-io,-sched -- "$programs/handoffs" truth.json 20000
sound t.tide
agrees t.tide truth.json
for program in "convoy" "producer 1000" "starve" "connections" "pingpong 5000" "sleeper" "echo"; do
	read -ra words <<<"$program"
	record "${words[0]}.tide" --events=$events -- "$programs/${words[0]}" truth.json "${words[@]:1}"
	same "$program: status" 0 "$status"
	whole "${words[0]}.tide"
	agrees "${words[0]}.tide" truth.json
done
record hogs.tide --events=$events -- "$programs/hogs" -t 4 -m 200 >truth.json
whole hogs.tide
agrees hogs.tide truth.json

# --- perf refused -----------------------------------------------------------------------------
status_of "$programs/noperf" "$heaptide" record -q --force -o n.tide --events=$events -- "$programs/convoy" truth.json
sound n.tide
agrees n.tide truth.json
"$heaptide" latency n.tide >out
grep -q 'no context switches: from waits and schedstat every 10 ms (perf: permission denied)' out || fail "the source: $(head -1 out)"
same "resolution" true "$("$heaptide" latency --json n.tide | jq '.resolution_ns > 1000000')"

# --- what is allocated under a lock -------------------------------------------------------------
record u.tide --events=$events -- "$programs/underlock" >said
whole u.tide
"$heaptide" latency --json --view=locks u.tide >locks.json
jq -e --slurpfile said said '.rows[0] | .name == "registry_lock" and .kind == "mutex" and .holds > 0 and
	.holds <= $said[0].rounds and .allocs_held >= 9.5 * .holds and .allocs_held <= 10.5 * .holds and
	.bytes_allocated_held == 1000 * .allocs_held and (.hold_stack | map(.function) | index("register_one")) and
	(.wait_stack | map(.function) | index("register_one")) and .hold_ns >= 100000 * .holds' locks.json >/dev/null ||
	fail "underlock: $(jq -c '.rows[0] | del(.wait_stack, .hold_stack, .waiters, .holders)' locks.json), said $(cat said)"

# --- the contract -------------------------------------------------------------------------------
site=function,file,line,module,inlined
parts=$(printf 'blocked_ns.%s,' mutex cond sem rwlock join barrier net disk pipe poll sleep other)
cat >tables <<-END
	threads|tid,name,total_ns,running_ns,runnable_ns,${parts}allocator_ns,unknown_ns,switches.voluntary,switches.involuntary,kernel.running_ns,kernel.runnable_ns,kernel.time_ns
	blocking|$site,stack,kind,count,wait_ns,max_ns,p50_ns,p99_ns,wakers
	locks|lock,kind,name,waits,wait_ns,wait_max_ns,holds,hold_ns,holds_unknown,wait_stack,hold_stack,bytes_allocated_held,waiters,convoys,futile_wakes
	io|$site,kind,count,wait_ns,max_ns,bytes
	scheduler|tid,name,wakeups,latency_ns.p50,latency_ns.p90,latency_ns.p99,latency_ns.max,wakers,unknown_wakers,preemptions.count,preemptions.ns
END
while IFS='|' read -r name keys; do
	"$heaptide" latency --json --view="$name" convoy.tide >one.json
	"$heaptide" latency --json --view="$name" convoy.tide | cmp -s - one.json || fail "$name: not the same twice"
	same "$name: keys that no row has" "" "$(jq -r --arg keys "$keys" '.rows[0] as $v | $keys | split(",")[] | . as $key |
		select([$v | paths | map(tostring) | join(".")] | index($key) | not)' one.json)"
	same "$name: schema" "heaptide.latency/1 true" "$(jq -r '"\(.schema) \(has("truncated_rows"))"' one.json)"
	all=$(jq '.rows | length' one.json)
	same "$name -n 1" "1 $((all - 1))" "$("$heaptide" latency --json --view="$name" -n 1 convoy.tide | jq -r '"\(.rows | length) \(.truncated_rows)"')"
	"$heaptide" latency --csv --view="$name" convoy.tide >rows.csv
	same "$name: rows of the CSV" $((all + 1)) "$(wc -l <rows.csv)"
	"$heaptide" latency --view="$name" convoy.tide >out
	same "$name: widest line" "" "$(awk '{ n = gensub(/[\x80-\xbf]/, "", "g"); if (length(n) > 100) print }' out)"
	grep -Eq '^next: heaptide latency --view=[a-z]+ convoy.tide$' <(tail -1 out) || fail "$name does not end with what is next"
	grep -q 'clock error ≤' out || grep -q 'no context switches' out || fail "$name does not name its source"
done <tables
read -r begin end < <("$heaptide" latency --json -n 0 convoy.tide | jq -r '.rows[] | select(.name == "queue-1") | "\(.start_ns) \(.end_ns)"')
"$heaptide" latency --json --from=$(((2 * begin + end) / 3))ns --to=$(((begin + 2 * end) / 3))ns --thread=queue-1 convoy.tide >part.json
same "a window of a thread" "1 true" "$(jq -r '"\(.rows | length) \(.rows[0] | .total_ns > 0 and .start_ns >= $from and .end_ns <= $to)"' \
	--argjson from "$(jq .from_ns part.json)" --argjson to "$(jq .to_ns part.json)" part.json)"
same "a waker" "queue" "$("$heaptide" latency --json --view=scheduler convoy.tide |
	jq -r '[.rows[] | select(.name == "slow-0") | .wakers[0].stack[].function] | map(select(. == "queue"))[0]')"
same "the lock's name" mutex "$("$heaptide" latency --json --view=locks convoy.tide | jq -r '.rows[0].name')"

record none.tide --events=-sync,-io,-sched -- "$programs/known"
sound none.tide 8000
for view in threads blocking locks io scheduler; do
	same "$view of a trace without times" "[]" "$("$heaptide" latency --json --view=$view none.tide | jq -c .rows)"
	"$heaptide" latency --csv --view=$view none.tide >rows.csv
	same "$view: CSV without times" 1 "$(wc -l <rows.csv)"
	"$heaptide" latency --view=$view none.tide >out
	same "$view: lines without times" 1 "$(wc -l <out)"
	grep -q 'record with --events=' out || fail "$view does not say how to record it: $(cat out)"
done
status_of "$heaptide" latency --region=x convoy.tide 2>err
same "--region of threads" 2 "$status"
one_line err '--view=regions'
