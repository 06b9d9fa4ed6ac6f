#!/bin/bash
# Tasks and regions, against a program that knows how long each took and why; and the profiles of waiting that Go's tool reads.
. "$(dirname "$0")/lib.sh"
export HOME=$work PPROF_TMPDIR=$work PPROF_BINARY_PATH=$work GOFLAGS=-mod=mod
prog=$programs/requests
requests=400

record r.tide --events=+sync,+io,+sched,+fault -- "$prog" 3 $requests truth.json
same "status" 0 "$status"
sound r.tide 100000
view() {
	"$heaptide" latency --json -n 0 --view="$1" "${@:2}" r.tide
}
view tasks >tasks.json
view regions >regions.json

# near WHAT WANTED GOT ALLOWED: got lies within wanted - slack and wanted + slack.
near() {
	awk -v w="$2" -v g="$3" -v a="$4" 'BEGIN { d = g - w; exit !(d <= a && -d <= a) }' ||
		fail "$1: wanted $2 within $4, got $3"
}

# --- counts are exact -------------------------------------------------------------------------
truth() {
	jq -r "$1" truth.json
}
task() {
	jq -r ".rows[] | select(.name == \"request\") | $1" tasks.json
}
region() {
	jq -r ".rows[] | select(.name == \"$1\") | $2" regions.json
}
same "types of tasks" 1 "$(jq '.rows | length' tasks.json)"
same "tasks" $requests "$(task .count)"
same "tasks cut" 0 "$(task .cut)"
same "allocations for tasks" "$(truth .tasks.allocs)" "$(task .allocs)"
same "bytes for tasks" "$(truth .tasks.bytes)" "$(task .bytes)"
for name in parse work lookup reply; do
	same "regions $name" "$(truth ".regions.$name.count")" "$(region $name .count)"
	same "allocations in $name" "$(truth ".regions.$name.allocs")" "$(region $name .allocs)"
	same "bytes in $name" "$(truth ".regions.$name.bytes")" "$(region $name .bytes)"
done
same "the region that is never ended" "1 1" "$(region serve '"\(.count) \(.cut)"')"

# --- durations within 2 % or 50 us, and what the program itself cannot tell ---------------------
# Quantiles: the same ranks of what the program measured; each time may be longer by its slack, and is in whole microseconds.
for q in 500 900 990 999 1000; do
	key=$(jq -rn --arg q $q '{"500": "p50", "900": "p90", "990": "p99", "999": "p999", "1000": "max"}[$q]')
	wanted=$(truth ".tasks.duration_ns | sort | .[((length * $q / 1000) | ceil) - 1]")
	allowed=$(truth "(.tasks.slack_ns | max) + ([$wanted * 0.02, 50000] | max) + 1000")
	near "duration $key of tasks" "$wanted" "$(task ".duration_ns.$key")" "$allowed"
done
near "time of all tasks" "$(truth '.tasks.duration_ns | add')" "$(task .total_ns)" \
	"$(truth "(.tasks.slack_ns | add) + ([(.tasks.duration_ns | add) * 0.02, 50000] | max) + 1000 * $requests")"
for name in parse work lookup reply; do
	near "time in $name" "$(truth ".regions.$name.total_ns")" "$(region $name .total_ns)" \
		"$(truth ".regions.$name | .slack_ns + ([.total_ns * 0.02, 50000] | max) + 1000 * .count")"
done

# --- where it went: parts add up, and the reasons of the slow ones are found --------------------
sum='.breakdown_ns | .running_ns + .runnable_ns + .allocator_ns + .unknown_ns + (.waiting_ns // 0) + ([.blocked_ns[]] | add)'
for name in parse work lookup reply serve; do
	same "parts of $name" "$(region $name .total_ns)" "$(region $name "$sum")"
done
same "parts of tasks" "$(task .total_ns)" "$(task "$sum")"
same "their sum" "$(task .total_ns)" "$(task .breakdown_ns.total_ns)"
same "histogram of tasks" $requests "$(task '[.histogram[].count] | add')"
same "the slowest" "5 $(task .duration_ns.max)" \
	"$(jq -r '[.slowest[] | select(.name == "request")] | "\(length) \(.[0].duration_ns)"' tasks.json)"
# A sleep of 9 ms is not shorter; what it took was measured.
sleep_ns=$(region work .breakdown_ns.blocked_ns.sleep)
least=$(truth '.slow.sleep * 9000000 * 0.98')
most=$(truth '.delay_ns.sleep * 1.02 + 50000')
awk -v s="$sleep_ns" -v a="$least" -v b="$most" 'BEGIN { exit !(s >= a && s <= b) }' ||
	fail "slept $sleep_ns in work, wanted $least to $most"
mutex_ns=$(region work .breakdown_ns.blocked_ns.mutex)
awk -v s="$mutex_ns" -v b="$(truth '.delay_ns.lock * 1.02 + 50000')" 'BEGIN { exit !(s > 0 && s <= b) }' ||
	fail "waited $mutex_ns for mutexes in work"
slow() {
	jq -r "[.slow_vs_fast[] | select(.name == \"work\" and .part == \"$1\")][0] | $2" regions.json
}
same "what the lock's waiters waited for" "mutex read_table" "$(slow mutex '"\(.kind) \(.function)"')"
[ "$(slow mutex .lock)" != null ] || fail "the lock has no address"
same "who held it" "holder hold_lock" "$(slow mutex '"\(.ended_by.name) \(.ended_by.function)"')"
[ "$(slow mutex .delta_ns)" -gt 0 ] || fail "no difference by mutex"
same "what slept" "sleep pause_us" "$(slow sleep '"\(.kind) \(.function)"')"

# --- selecting ----------------------------------------------------------------------------------
same "one region" "lookup" "$(view regions --region=lookup | jq -r '[.rows[].name] | join(" ")')"
same "no such region" 0 "$(view regions --region=nothing | jq '.rows | length')"
same "regions of workers" $requests \
	"$(for i in 0 1 2; do view regions --thread=worker-$i --region=parse | jq '[.rows[].count] | add // 0'; done | awk '{ n += $1 } END { print n }')"
half=$(view tasks --from=50% | jq '.rows[0].count')
rest=$(view tasks --to=50% | jq '.rows[0].count')
same "both halves" $requests $((half + rest))
view tasks --csv 2>/dev/null && fail "--json and --csv together"
"$heaptide" latency --view=tasks --csv r.tide >tasks.csv
same "CSV" "$(view tasks | jq -r '.rows[] | "\(.name) \(.count)"')" "$(awk -F, 'NR > 1 { print $1, $2 }' tasks.csv)"
"$heaptide" latency --view=tasks r.tide >tasks.txt
"$heaptide" latency --view=regions r.tide >regions.txt
grep -q 'held by holder in hold_lock' regions.txt || fail "the text does not name who held the lock: $(cat regions.txt)"

# --- faults: all of them, and the blocks that the program filled ---------------------------------
view faults >faults.json
view faults --by=code >code.json
same "faults" "$(info r.tide .events.fault)" "$(jq '[.rows[].faults] | add // 0' faults.json)"
same "faults by code" "$(info r.tide .events.fault)" "$(jq '[.rows[].faults] | add // 0' code.json)"
if [ "$(info r.tide .events.fault)" -gt 0 ]; then
	# 20,000 blocks of 300 bytes are 1,460 pages, touched at least once each where the heap grows.
	touched=$(jq '[.rows[] | select(.function == "take") | .faults] | add // 0' faults.json)
	[ "$touched" -ge 1000 ] || fail "$touched faults are of the blocks that take() got: $(jq -c '.rows[:5]' faults.json)"
fi

# A program that counts its faults itself: by the block that it touched, and by the function that did.
record storm.tide --events=+fault -- "$programs/fault_storm" storm.json
same "status" 0 "$status"
if [ "$(info storm.tide .events.fault)" -gt 0 ]; then
	counted=$(jq '[.faults[].count] | add' storm.json)
	of_blocks=$("$heaptide" latency --json --view=faults storm.tide |
		jq '[.rows[] | select(.memory == "block" and (.file // "" | endswith("fault_storm.c"))) | .faults] | add')
	near "faults of blocks" "$counted" "$of_blocks" "$((counted / 50 + 64))"
	"$heaptide" latency --json --view=faults --by=code storm.tide >code.json
	while read -r site count; do
		near "faults in $site" "$count" "$(jq "[.rows[] | select(.function == \"$site\") | .faults] | add // 0" code.json)" \
			$((count / 50 + 64))
	done < <(jq -r '.faults[] | "\(.site) \(.count)"' storm.json)
fi

# --- stalls: each nanosecond has one cause; with switches, waiting is told from running --------------
record arena.tide --events=+sync,+sched,+stall,+fault -- "$programs/arena_fight" arena.json 4 20000
same "status" 0 "$status"
"$heaptide" latency --json --view=stalls arena.tide >stalls.json
same "stalls" "$(info arena.tide .events.stall)" "$(jq '.stalls + .explained_by_waits' stalls.json)"
same "calls of all rows" "$(jq .stalls stalls.json)" "$(jq '[.rows[].count] | add // 0' stalls.json)"
same "rows whose causes do not add up" 0 "$(jq '[.rows[] | select(([.cause[]] | add) != .stall_ns)] | length' stalls.json)"
if [ "$(info arena.tide .events.sched)" -gt 0 ] && [ "$(jq .stalls stalls.json)" -gt 20 ]; then
	jq -e '[.rows[].cause | .lock + .preempted] | add > 0' stalls.json >/dev/null ||
		fail "four threads fight for one arena, and none waits: $(jq -c '.rows[:3][] | del(.stack)' stalls.json)"
fi
"$heaptide" export --profile=stall --format=folded -o stall.folded arena.tide
same "delay in the profile of stalls" "$(jq .stall_ns stalls.json)" "$(awk '{ n += $NF } END { printf "%d", n }' stall.folded)"

# --- profiles: what Go's tool reads adds up to what the trace says -------------------------------
# total SAMPLE_TYPE UNIT FILE: as go tool pprof counts it
total() {
	go tool pprof -top -unit="$2" -nodecount=1000 -sample_index="$1" "$3" >top.out 2>pprof.err || fail "pprof $3: $(tail -3 pprof.err)"
	sed -nE 's/.* of ([0-9]+)[a-zA-Z]* total.*/\1/p' top.out
}
# folded FILE: the sum of the last words
folded() {
	awk '{ n += $NF } END { printf "%d", n }' "$1"
}
for kind in mutex block io sched; do
	"$heaptide" export --profile=$kind --format=pprof -o $kind.pb.gz r.tide
	"$heaptide" export --profile=$kind --format=folded -o $kind.folded r.tide
	near "$kind: delay" "$(folded $kind.folded)" "$(total delay ns $kind.pb.gz)" 0
	[ "$(total contentions count $kind.pb.gz)" -gt 0 ] || fail "$kind: nothing in the profile"
done
"$heaptide" export --profile=fault --format=pprof -o fault.pb.gz r.tide 2>fault.err
[ "$(info r.tide .events.fault)" = 0 ] || same "faults in the profile" "$(info r.tide .events.fault)" "$(total faults count fault.pb.gz)"
go tool pprof -top -cum -unit=ns -nodefraction=0 mutex.pb.gz >top.out 2>pprof.err || fail "pprof: $(tail -3 pprof.err)"
charged=$(awk '$6 == "hold_lock" { sub("ns$", "", $4); print $4; n = 1; exit } END { if (!n) print 0 }' top.out)
[ "$charged" -gt 0 ] || fail "hold_lock is charged with nothing: $(cat top.out)"
"$heaptide" export --profile=block --labels=thread,lock,kind --format=pprof -o labels.pb.gz r.tide
go tool pprof -tags labels.pb.gz >tags.out 2>pprof.err || fail "pprof -tags: $(tail -3 pprof.err)"
for key in thread lock kind; do
	grep -q "^ *$key: " tags.out || fail "no label $key: $(cat tags.out)"
done
near "labels keep the total" "$(total delay ns block.pb.gz)" "$(total delay ns labels.pb.gz)" 0

# --- a trace without times still has regions and tasks; profiles of it are empty, and say why ----
record plain.tide --events=-sync,-io,-sched -- "$prog" 2 50 plain.json
same "status" 0 "$status"
sound plain.tide 100
"$heaptide" latency --json --view=tasks plain.tide >plain.tasks
same "tasks without times" 50 "$(jq '.rows[0].count' plain.tasks)"
same "all is unknown, or nobody worked for it" "$(jq '.rows[0].total_ns' plain.tasks)" \
	"$(jq '.rows[0].breakdown_ns | .unknown_ns + .waiting_ns' plain.tasks)"
"$heaptide" export --profile=mutex --format=pprof -o empty.pb.gz plain.tide 2>empty.err
one_line empty.err 'waits for locks were not recorded'
go tool pprof -top empty.pb.gz >top.out 2>pprof.err || fail "pprof of an empty profile: $(tail -3 pprof.err)"
# A sample says how far off its estimates may be.
record sampled.tide --sample=64K -- "$prog" 3 $requests sampled.json
seen sampled.tide
"$heaptide" latency --json --view=tasks sampled.tide >sampled.tasks
same "the rate" 65536 "$(jq .sampled.rate sampled.tasks)"
near "estimated allocations" "$(jq .tasks.allocs sampled.json)" "$(jq '.rows[0].allocs' sampled.tasks)" \
	"$(jq '6 * .rows[0].allocs_stderr' sampled.tasks)"
near "estimated bytes" "$(jq .tasks.bytes sampled.json)" "$(jq '.rows[0].bytes' sampled.tasks)" \
	"$(jq '6 * .rows[0].bytes_stderr' sampled.tasks)"

status_of "$heaptide" export --profile=mutex --labels=size --format=pprof -o no.pb.gz r.tide 2>no.err
same "labels of the heap for a profile of waiting" 2 "$status"
status_of "$heaptide" export --profile=mutex --format=dhat -o no.dhat r.tide 2>no.err
same "a format that carries all" 2 "$status"
echo "$(task .count) tasks, p99 $(task .duration_ns.p99) ns; slow by mutex $(slow mutex .delta_ns), sleep $(slow sleep .delta_ns) ns"
