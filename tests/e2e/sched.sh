#!/bin/bash
# When threads ran: what the kernel's switches say, added up, is what each thread found in its own schedstat; threads,
# children and programs that replace others are all covered; and where perf is refused, the trace says so and has
# schedstats instead.
. "$(dirname "$0")/lib.sh"
schedcheck=$HT_BUILD/tests/e2e/schedcheck
hogs=$programs/hogs

# What a host takes from a virtual machine is inside a slice, and no running time for the kernel.
stolen_so_far() {
	awk -v hz="$(getconf CLK_TCK)" '/^cpu / { printf "%d", $9 * 1000000000 / hz }' /proc/stat
}
# watched TRACE EVENTS HOGS-ARGUMENT...: records; leaves what the program says in `said`, the sums in `sums`.
watched() {
	local trace=$1 events=$2 before
	shift 2
	before=$(stolen_so_far)
	record "$trace" --events="$events" -- "$hogs" "$@" >said
	same "hogs $*: status" 0 "$status"
	stolen=$(($(stolen_so_far) - before))
	[ $stolen = 0 ] || stolen=$((stolen + 1000000000 / $(getconf CLK_TCK)))
	"$schedcheck" "$trace" >sums
}

# agree OUT SUMS: every thread that the program names ran in the trace as long as the kernel told it (within 1 %, 1 ms and
# what the switches themselves take), in about as many slices: all but those before the recording began, and the last
# one's end.
agree() {
	jq -rn --slurpfile said "$1" --slurpfile sums "$2" --argjson stolen "$stolen" '
		[$said[] | .pid as $pid | .threads[] | . + {pid: $pid}] as $want | $sums[0].threads as $got |
		$want[] | . as $w | [$got[] | select(.tid == $w.tid and .pid == $w.pid)] |
		if length != 1 then "\($w.tid): \(length) threads in the trace"
		else .[0] | (.running_ns - $w.running_ns | fabs) as $off |
			if .unmatched > 0 then "\(.tid): \(.unmatched) switches that do not follow on the one before"
			elif $off > $stolen + 1000000 + $w.running_ns / 100 + $w.slices * 6000
			then "\(.tid): ran \(.running_ns) ns in the trace, \($w.running_ns) in truth"
			elif (.slices - $w.slices | fabs) > 4 + $w.slices / 50
			then "\(.tid): \(.slices) slices in the trace, \($w.slices) in truth"
			else empty end
		end' >off
	[ ! -s off ] || fail "$2: $(head -5 off)"
}

# Fallback first: it must work everywhere. A thread's last schedstat is at most what it ran in the end.
refused() { # ERRNO WORDS
	status_of "$programs/noperf" -e "$1" \
		"$heaptide" record -q --force -o n.tide --events=+sched,+fault -- "$hogs" -m 200 >said
	same "noperf: status" 0 "$status"
	sound n.tide
	same "the source" "schedstat every 10 ms (perf: $2), no page faults" "$(info n.tide .sources.sched)"
	"$schedcheck" n.tide >sums
	same "switches without perf" "0 0" "$(jq -r '"\(.switches) \(.faults)"' sums)"
	jq -rn --slurpfile said said --slurpfile sums sums '
		$said[0].threads[] | . as $w | [$sums[0].threads[] | select(.tid == $w.tid)] |
		if length != 1 then "\($w.tid): \(length) threads"
		elif .[0].stats < 3 then "\($w.tid): \(.[0].stats) schedstats"
		elif .[0].stat_running_ns > $w.running_ns + 10000000 or .[0].stat_running_ns < $w.running_ns / 4
		then "\($w.tid): \(.[0].stat_running_ns) ns polled, \($w.running_ns) in truth" else empty end' >off
	[ ! -s off ] || fail "polled: $(head -5 off)"
}
refused 13 "permission denied"
refused 38 "not in this kernel"

# Nothing is asked for, nothing is there.
record none.tide --events=-sched -- "$hogs" -m 20 >said
sound none.tide
same "-sched: source" null "$(info none.tide .sources.sched)"
same "-sched: records" "0 0" "$("$schedcheck" none.tide | jq -r '"\(.switches) \(.stats)"')"

watched t.tide +sched -t 4 -m 300
sound t.tide
case $(info t.tide .sources.sched) in
"perf, per CPU") ;;
"schedstat every 10 ms (perf: "*)
	echo "perf is refused here: $(info t.tide .sources.sched); only the fallback was tested"
	exit 0 ;;
*) fail "the source of switches: $(info t.tide .sources.sched)" ;;
esac

# Four threads that want two processors.
agree said sums
[ "$(info t.tide .events.sched)" -gt 0 ] || fail "info shows no switches"
same "switches, of info and of the trace" "$(jq .switches sums)" "$(info t.tide .events.sched)"
[ "$(jq '[.threads[].stats] | add' sums)" -ge 5 ] || fail "no schedstats: $(cat sums)"
# The main thread's last schedstat was read when it was a zombie: it ran no more.
jq -e '[.threads[] | select(.tid == .pid)] |
	length == 1 and (.[0].stat_slices - .[0].slices | . >= 0 and . < 100)' sums >/dev/null ||
	fail "the main thread's schedstat: $(jq -c '.threads[] | select(.tid == .pid)' sums)"

# Many short threads: each one is there, with at least the slice that it began with and the one after its sleep.
watched s.tide +sched -s 200
sound s.tide
agree said sums
same "short threads in the trace" 201 "$(jq '.threads | length' sums)"

# A forked child, and the program that it becomes: two images under one number. The kernel counts on, so the second
# says the sum.
family() { # EVENTS
	watched f.tide "$1" -f -m 100
	same "a family: verdict and lost" "ok 0" "$(info f.tide '"\(.verdict) \([.lost_events[]] | add)"')"
	same "a family by $1: images" 3 "$(info f.tide '.images | length')"
	jq -s '.[0].threads[0] as $before |
		.[1].threads[0] |= (.running_ns -= $before.running_ns | .slices -= $before.slices) |
		.[0], .[1] | .threads[0]' said | jq -s -r --slurpfile sums sums --argjson stolen "$stolen" '
		[$sums[0].threads[] | select(.tid == .pid) | select(.image > 0)] as $got | range(2) as $i | .[$i] as $w |
		($got[$i].running_ns - $w.running_ns | fabs) as $off |
		if $off > $stolen + 2000000 + $w.running_ns / 100 + $w.slices * 6000
		then "child \($i): \($got[$i].running_ns) ns in the trace, \($w.running_ns) in truth" else empty end' >off
	[ ! -s off ] || fail "$(cat off)"
}
family +sched
family sched # where no event of the hook tells of the child

# Threads of which neither library nor hook knows: they are in the trace all the same, and ran.
watched c.tide +sched -c 3 -m 100
sound c.tide
jq -rn --slurpfile said said --slurpfile sums sums '
	$said[0].threads[] | . as $w | [$sums[0].threads[] | select(.tid == $w.tid)] |
	if length == 1 and .[0].running_ns > 1000000 and .[0].unmatched == 0 then empty else "\($w.tid): \(.)" end' >off
[ ! -s off ] || fail "threads by clone: $(head -3 off)"

# Only switches: nothing of the allocator, every thread.
watched only.tide sched -t 3 -m 50
same "--events=sched: verdict" ok "$(info only.tide .verdict)"
same "--events=sched: lost" 0 "$(info only.tide '[.lost_events[]] | add')"
agree said sums

# The end of a wait lies behind the switch-in that ended it: both clocks are one, within a microsecond.
record w.tide --events=+sched,+sync,+io -- "$hogs" -p 20000 >said
"$schedcheck" --wakes w.tide >wakes
if [ "$(jq .matched wakes)" -gt 1000 ]; then
	jq -e '.median_ns > -1000 and .median_ns < 20000' wakes >/dev/null || fail "clocks: $(cat wakes)"
fi

# Faults: each fresh page costs one, at an address in it; where it came is the program.
record a.tide --events=alloc,map,thread,fault -- "$hogs" -a 3000 >said
sound a.tide
same "faults alone: source" "" "$(info a.tide '.sources.sched // ""')"
"$schedcheck" --faults a.tide | awk -v from="$(jq -r .address said)" -v bytes="$(jq -r .bytes said)" '
	function number(hex, i, n) {
		n = 0
		for (i = 3; i <= length(hex); i++)
			n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
		return n
	}
	number($2) >= number(from) && number($2) < number(from) + bytes { all++; its += $3 ~ /hogs$/ }
	END { print all + 0, its + 0 }' >pages
same "faults in the fresh pages, and those at the program's code" "3000 3000" "$(cat pages)"
# Code that never allocates has a module, too, and each module is there once.
nameless=$("$schedcheck" --faults a.tide | awk '$3 == "?"' | grep -c '' || true)
[ "$nameless" -le 5 ] || fail "$nameless faults have no module: $("$schedcheck" --faults a.tide | grep -m 3 ' ? ')"
same "build-ids that two modules have" "" "$(info a.tide '.modules[].build_id' | sort | uniq -d)"

# A storm of faults while the collector stands still: the program goes on, and what is lost is counted.
mkfifo line said.pipe
"$heaptide" record -q --force -o storm.tide --events=+sched,+fault -- "$hogs" -r -a 60000 <line >said.pipe &
record_pid=$!
exec 8>line 9<said.pipe
read -r ready <&9
same "hogs" ready "$ready"
for child in $(ps -o pid= --ppid "$record_pid"); do
	[ "$(readlink "/proc/$child/exe")" = "$(readlink -f "$hogs")" ] || collector=$child
done
kill -STOP "$collector"
echo go >&8
read -r touched <&9
same "pages touched while nobody collects" 60000 "$(jq '.bytes / '"$(getconf PAGESIZE)"'' <<<"$touched")"
kill -CONT "$collector"
status_of wait "$record_pid"
same "storm: status" 0 "$status"
lost=$(info storm.tide .lost_events.sched)
faults=$("$schedcheck" storm.tide | jq .faults)
[ "$lost" -gt 1000 ] || fail "the storm lost nothing: $lost lost, $faults told"
[ $((lost + faults)) -ge 60000 ] || fail "the storm: $lost lost and $faults told are fewer than 60000"
"$heaptide" verify storm.tide >verify.out 2>&1 || fail "verify storm.tide: $(head -5 verify.out)"
