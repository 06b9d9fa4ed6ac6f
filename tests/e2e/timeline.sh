#!/bin/bash
# Timelines of a recording of testdata/programs/requests, which knows its tasks and regions; held against what info says and what the
# program saw, and every Perfetto file against the rules of tests/timeline/check_pftrace.py.
. "$(dirname "$0")/lib.sh"

check_pftrace=$HT_SOURCE/tests/timeline/check_pftrace.py

# sound_pftrace FILE
sound_pftrace() {
	[ -s "$1" ] || fail "$1 is empty"
	python3 "$check_pftrace" "$1" >pftrace.out 2>&1 || fail "$1: $(head -5 pftrace.out)"
}

# narrow FILE: no line is wider than 100 columns, and nothing of it moves a terminal's cursor.
narrow() {
	[ "$(LC_ALL=C.UTF-8 wc -L <"$1")" -le 100 ] || fail "$1: a line is wider than 100 columns"
	! grep -q $'\033' "$1" || fail "$1: colour without a terminal"
}

# of FILE.json JQ: of its events
of() {
	jq -r ".traceEvents | $2" "$1"
}

# refused PATTERN COMMAND...: status 2 and a message
refused() {
	local pattern=$1
	shift
	status_of "$@" >refused.out 2>refused.err
	same "status of $*" 2 "$status"
	one_line refused.err "$pattern"
}

record t.tide --events=+sync,+io,+sched,+stall -- "$programs/requests" 4 200 truth.json
same status 0 "$status"
sound t.tide 100000
waits=$(info t.tide '.events.sync + .events.io')
switches=$(info t.tide .events.sched)
[ "$waits" -gt 0 ] || fail "no wait was recorded"

# --- Chrome's format: numbers that are known
"$heaptide" timeline -o t.json t.tide 2>t.err
same "tasks" "$(jq .tasks.count truth.json)" "$(of t.json '[.[] | select(.ph == "b" and .cat == "task")] | length')"
for region in parse work lookup reply; do
	same "regions $region" "$(jq ".regions.$region.count" truth.json)" \
		"$(of t.json "[.[] | select(.cat == \"region\" and .name == \"$region\")] | length")"
	same "allocations in $region" "$(jq ".regions.$region.allocs" truth.json)" \
		"$(of t.json "[.[] | select(.cat == \"region\" and .name == \"$region\") | .args.objects // 0] | add")"
done
same "allocations in bursts" "$(info t.tide .allocations)" "$(of t.json '[.[] | select(.cat == "allocations") | .args.objects // 0] | add')"
same "bytes in bursts" "$(info t.tide .allocated_bytes)" "$(of t.json '[.[] | select(.cat == "allocations") | .args.bytes // 0] | add')"
same "highest live bytes" "$(info t.tide .peak_live_bytes)" "$(of t.json '[.[] | select(.ph == "C" and .name == "live bytes") | .args.bytes] | max')"
same "waits" "$waits" "$(of t.json '[.[] | select(.cat == "wait")] | length')"
same "threads" "$(info t.tide .threads)" "$(of t.json '[.[] | select(.name == "thread_name")] | length')"
# Slices of a thread nest.
of t.json '[.[] | select(.ph == "X") | [.tid, .ts, .ts + .dur]] | sort_by(.[0], .[1], -.[2]) | .[] | @tsv' | awk '
	$1 != tid { tid = $1; n = 0 }
	{ while (n && end[n] <= $2 + 0.0005) n--
	  if (n && $3 > end[n] + 0.0015) { print "crosses:", $0; bad = 1 }
	  end[++n] = $3 }
	END { exit bad }' >nest.out || fail "slices do not nest: $(head -3 nest.out)"

# --- Perfetto's: sound, the same each time and by either command
"$heaptide" timeline -o t.pftrace t.tide 2>t.err
sound_pftrace t.pftrace
"$heaptide" export --format=perfetto -o again t.tide 2>t.err
cmp t.pftrace again || fail "export writes another file than timeline"
"$heaptide" export -o e.json --format=chrome t.tide 2>t.err
cmp t.json e.json || fail "export writes another JSON than timeline"

# --- text
"$heaptide" timeline t.tide >text 2>text.err
narrow text
for name in requests holder worker-0 worker-1 worker-2 worker-3; do
	grep -q "^$name  *[0-9]* " text || fail "no lane of $name: $(cat text)"
done
grep -q "^live bytes max " text || fail "no memory: $(cat text)"
grep -q "work─" text || fail "no regions: $(cat text)"
grep -q "^tasks " text || fail "no tasks: $(cat text)"
grep -q "^Longest waits" text || fail "no waits: $(cat text)"
if [ "$switches" -gt 0 ]; then
	grep -q "█ running" text || fail "no legend: $(cat text)"
	[ ! -s text.err ] || fail "all was recorded, but it says: $(cat text.err)"
fi

# --- parts
duration=$(info t.tide .duration_ns)
"$heaptide" timeline --from=40% --to=60% -o part.pftrace t.tide 2>t.err
sound_pftrace part.pftrace
[ "$(stat -c %s part.pftrace)" -lt "$(stat -c %s t.pftrace)" ] || fail "a part is no smaller than the whole"
from=$((duration * 2 / 5))ns
"$heaptide" timeline --from="$from" --to=60% -o part.json t.tide 2>t.err
same "events out of the part" 0 \
	"$(of part.json "[.[] | select(.ts != null and (.ts < 0 or .ts + (.dur // 0) > $duration / 1000))] | length")"
"$heaptide" timeline --from=40% --to=60% t.tide >text 2>text.err
narrow text
grep -q " from .* on · " text || fail "a part does not say where it begins: $(head -1 text)"

"$heaptide" timeline --thread=worker-1 t.tide >text 2>t.err
grep -q "^worker-1 " text || fail "no lane of worker-1: $(cat text)"
! grep -q "^worker-2 " text || fail "--thread=worker-1 shows worker-2"
"$heaptide" timeline --thread=worker-1 -o one.pftrace t.tide 2>t.err
sound_pftrace one.pftrace

"$heaptide" timeline --task=request -o tasks.pftrace t.tide 2>t.err
sound_pftrace tasks.pftrace
task=$(of t.json '[.[] | select(.ph == "b" and .cat == "task") | .args.task] | .[100]')
"$heaptide" timeline --task="$task" -o task.pftrace t.tide 2>t.err
sound_pftrace task.pftrace
"$heaptide" timeline --task="$task" t.tide >text 2>t.err
narrow text
refused 'no task' "$heaptide" timeline --task=nothing t.tide
refused 'must end in' "$heaptide" timeline -o t.txt t.tide
refused 'is the trace itself' "$heaptide" export --format=chrome -o t.tide t.tide
refused 'timeline' "$heaptide" export --format=perfetto --profile=peak -o x t.tide
refused '--at' "$heaptide" export --format=perfetto --at=peak -o x t.tide

# --- on a terminal: as wide as that, and in colour unless it is not wanted
# on_terminal NO_COLOR: the page
on_terminal() {
	script -qec "stty cols 130 rows 50; TERM=xterm NO_COLOR=$1 \"$heaptide\" timeline t.tide" /dev/null </dev/null | tr -d '\r'
}
on_terminal "" >screen
grep -q $'\033\[32m█' screen || [ "$switches" = 0 ] || fail "no colour on a terminal: $(head -8 screen)"
sed -i 's/\x1b\[[0-9;]*m//g' screen
width=$(LC_ALL=C.UTF-8 wc -L <screen)
[ "$width" -gt 100 ] && [ "$width" -le 130 ] || fail "a page for 130 columns is $width wide"
on_terminal 1 >screen
! grep -q $'\033' screen || fail "colour in spite of NO_COLOR"

# --- recorded without any time of threads: regions, allocations and memory, and a line that says what is missing
record bare.tide --events=alloc,thread -- "$programs/requests" 3 60 truth.json
sound bare.tide 1000
"$heaptide" timeline bare.tide >text 2>text.err
one_line text.err '--events='
narrow text
grep -q "^live bytes max " text || fail "no memory: $(cat text)"
grep -q "^tasks " text || fail "no tasks: $(cat text)"
"$heaptide" timeline -o bare.pftrace bare.tide 2>t.err
sound_pftrace bare.pftrace
"$heaptide" timeline -o bare.json bare.tide 2>t.err
same "highest live bytes" "$(info bare.tide .peak_live_bytes)" "$(of bare.json '[.[] | select(.ph == "C" and .name == "live bytes") | .args.bytes] | max')"

# --- several processes, each with its own counters
record many.tide --events=+sync,+io,+sched -- sh -c 'for i in 1 2 3; do "$0" a b >/dev/null; done; ls / >/dev/null' "$programs/known"
"$heaptide" timeline many.tide >text 2>text.err
narrow text
"$heaptide" timeline -o many.pftrace many.tide 2>t.err
sound_pftrace many.pftrace
same "processes" "$(info many.tide '[.images[].pid] | unique | length')" \
	"$("$heaptide" export --format=chrome many.tide 2>/dev/null | jq '[.traceEvents[] | select(.name == "process_name")] | length')"

# --- what would be too large is not written, but says how to choose a part
record large.tide --events=+sync,+io,+sched -- "$programs/pingpong" pingpong.json 150000
"$heaptide" timeline --any-size -o large.json large.tide 2>t.err
if [ "$(stat -c %s large.json)" -gt $((100 << 20)) ]; then
	refused 'all of it would be' "$heaptide" timeline -o refused.json large.tide
	[ ! -e refused.json ] || fail "a file was written that was too large"
	grep -q -- '--from=.* --to=' refused.err || fail "no hint: $(cat refused.err)"
fi
"$heaptide" timeline --from=50% --to=52% -o part.pftrace large.tide 2>t.err
sound_pftrace part.pftrace
