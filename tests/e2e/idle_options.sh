#!/bin/bash
# An option that would change nothing in what is shown is refused in one line; what is not refused has its effect.
. "$(dirname "$0")/lib.sh"
record t.tide --events=+fault -- "$programs/annotate" 2 100 >/dev/null
sound t.tide 100
cp t.tide other.tide

# idle OPTION WHAT COMMAND...: alone it works, with the option it is refused, and nothing is shown or written.
idle() {
	local option=$1 what=$2
	shift 2
	"$heaptide" "$@" t.tide >out 2>err || fail "$*: status $?: $(cat err)"
	rm -f written
	status_of "$heaptide" "$@" "$option" t.tide >out 2>err
	same "$* $option: status" 2 "$status"
	one_line err 'no effect'
	same "$* $option: what is said" "heaptide: ${option%%=*}: no effect on $what" "$(head -1 err)"
	[ ! -s out ] && [ ! -e written ] || fail "$* $option: something was shown or written"
	cases=$((cases + 1))
}
cases=0

# Waits have no moment, no size, and belong to no region.
for profile in mutex block io sched stall fault; do
	for option in --at=peak --temporary=5 --min-size=100 --max-size=100 --region=round --task=request; do
		idle $option --profile=$profile export --format=folded -o written --profile=$profile
	done
done
for profile in peak leaked temporary; do
	idle --at=50% --profile=$profile export --format=pprof -o written --profile=$profile
done
idle --at=50% --profile=allocs export --format=folded -o written --profile=allocs
for profile in heap allocs peak leaked; do
	idle --temporary=5 --profile=$profile export --format=folded -o written --profile=$profile
done
for format in dhat massif; do
	idle --at=50% "a $format file" export --format=$format -o written
	idle --temporary=5 "a $format file" export --format=$format -o written
done
idle --temporary=5 "a gperftools file" export --format=gperftools -o written
idle --any-size "a folded file" export --format=folded -o written
for option in --temporary=5 --focus=run --ignore=run --module=annotate --min-size=5 --max-size=5; do
	idle $option "a chrome file" export --format=chrome -o written
done
idle --temporary=5 "a perfetto file" export --format=perfetto -o written

# Rows that are threads have no functions; and of times, no sizes.
for view in threads scheduler tasks regions; do
	for option in --focus=run --ignore=run --module=annotate --allocators=run --min-size=5 --max-size=5; do
		idle $option --view=$view latency --view=$view
	done
done
for view in blocking io locks; do
	idle --allocators=run --view=$view latency --view=$view
done
for view in blocking io stalls faults; do
	idle --min-size=5 --view=$view latency --view=$view
	idle --max-size=5 --view=$view latency --view=$view
done
for view in threads blocking locks io scheduler stalls faults tasks; do
	idle --region=round --view=$view latency --view=$view
	[ $view = tasks ] || idle --task=request --view=$view latency --view=$view
done
idle --task=request --view=regions latency --view=regions
idle --by=code "--view=tasks, but on --view=faults" latency --view=tasks

for view in sizes threads; do
	for option in --focus=run --ignore=run --hide=run --module=annotate --allocators=run --min-size=5 --max-size=5 --region=round --task=request; do
		idle $option --view=$view report --view=$view
	done
done
idle --at=50% --metric=bytes report --metric=bytes
idle --at=50% --view=summary report --view=summary
idle --temporary=5 --metric=peak report --view=sites
idle --metric=bytes "--view=sizes but with peak or live" report --view=sizes
idle --limit=5 --list escape --list=run
idle --at=50% "diff: no metric is of one moment" diff other.tide
idle --temporary=5 "what is compared: --metric=temporary" diff other.tide
idle --at=50% "check: no metric is of one moment" check --max-allocs=1M
idle --temporary=5 "these rules: none is of temporary allocations" check --max-allocs=1M
status_of "$heaptide" timeline --any-size t.tide >out 2>err
same "timeline --any-size: status" 2 "$status"
one_line err 'no effect without --output'
status_of "$heaptide" dump --symbols t.tide >out 2>err
same "dump --symbols: status" 2 "$status"
one_line err 'no effect without --stacks'

# Where they do have an effect they are taken. In text, a moment shows what was live then; data has it beside the rest.
"$heaptide" report --at=peak t.tide >at
"$heaptide" report --at=peak --metric=live --view=sites t.tide >live
cmp at live || fail "report --at: $(head -3 at)"
grep -q '^ *callsite .* live ' at || fail "report --at shows nothing of a moment: $(head -3 at)"
"$heaptide" report --view=sizes --at=peak t.tide | head -1 | grep -q ' live ' || fail "sizes show nothing of a moment"
same "sizes at the peak" true "$("$heaptide" report --view=sizes --at=peak --json t.tide | jq '[.rows[] | .live_bytes == .peak_bytes] | all')"
same "data has all numbers" '"peak"' "$("$heaptide" report --at=peak --json t.tide | jq .metric)"
"$heaptide" report --json --temporary=5 t.tide >/dev/null
"$heaptide" diff --metric=temporary --temporary=5 t.tide other.tide >/dev/null
"$heaptide" diff --json --temporary=5 t.tide other.tide >/dev/null
"$heaptide" check --max-temporary=1M --temporary=5 t.tide >/dev/null
"$heaptide" check --baseline other.tide --temporary=5 t.tide >/dev/null
"$heaptide" export --format=csv --at=peak --temporary=5 -o written t.tide
# chosen PROFILE FUNCTION TRACE: filters by functions choose among waits and faults.
chosen() {
	"$heaptide" export --format=folded --profile="$1" --focus="^$2\$" -o focus.folded "$3"
	"$heaptide" export --format=folded --profile="$1" --ignore="^$2\$" -o ignore.folded "$3" 2>err
	[ -s focus.folded ] || fail "$1 --focus=$2: nothing"
	! grep -Ev "(^|;)$2(;| )" focus.folded || fail "$1 --focus=$2: other stacks"
	! grep -E "(^|;)$2(;| )" ignore.folded || fail "$1 --ignore=$2: its stacks"
}
chosen block run t.tide
record storm.tide --events=+fault -- "$programs/fault_storm" storm.json 20 >/dev/null
chosen fault main storm.tide
[ "$cases" -ge 130 ] || fail "only $cases cases"
echo "idle_options: $cases options without effect were refused"
