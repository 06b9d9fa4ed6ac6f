#!/bin/bash
# Traces without allocations: what counts allocations says so, as an exit status where a question was asked, and to programs.
. "$(dirname "$0")/lib.sh"
record with.tide -- "$programs/known" >/dev/null
sound with.tide 1
record without.tide --events=sched,sync -- "$programs/known" >/dev/null
[ "$(info without.tide '.events | .sync + .sched')" -gt 0 ] || fail "nothing recorded: was the hook loaded?"
same "no allocations in it" "0 0" "$(info without.tide '"\(.events.alloc) \(.allocations)"')"
cp without.tide other.tide

# refused WHAT COMMAND...: one line, exit status 2, nothing on standard output.
refused() {
	local what=$1
	shift
	status_of "$heaptide" "$@" >out 2>err
	same "$*: status" 2 "$status"
	same "$*: what is said" "heaptide: $what (record with --events=+alloc)" "$(cat err)"
	[ ! -s out ] || fail "$*: numbers are shown: $(head -3 out)"
}
# data JQ WANTED COMMAND...: the same status and line, but JSON that tells.
data() {
	local what=$1 wanted=$2
	shift 2
	status_of "$heaptide" "$@" --json >json 2>err
	same "$*: status" 2 "$status"
	one_line err 'allocations were not recorded'
	same "$*: $what" "$wanted" "$(jq -c "$what" json)"
}

compared='allocations were not recorded: nothing can be compared'
refused "without.tide: $compared" diff without.tide with.tide
refused "without.tide: $compared" diff with.tide without.tide
refused "without.tide and 1 more: $compared" diff without.tide other.tide
refused "other.tide: $compared" diff --old with.tide other.tide --new with.tide
refused "without.tide: $compared" diff --markdown --pprof d.pb.gz --folded d.folded with.tide without.tide
[ ! -e d.pb.gz ] && [ ! -e d.folded ] || fail "differences were exported"
refused "without.tide and 1 more: $compared" diff --per=nowhere without.tide other.tide # not that this is not in it
refused "without.tide: $compared" diff --fail-on 'allocs>0' with.tide without.tide
allocs=$("$heaptide" diff --json with.tide with.tide | jq .old.allocs)
data '[.old.not_recorded, .old.allocs, .new.not_recorded, .new.allocs, .delta, .rows, .failed]' \
	"[[\"alloc\"],null,[],$allocs,null,[],[]]" diff --fail-on 'allocs>0' without.tide with.tide
data '[.old.not_recorded, .old.peak_bytes, .new.not_recorded, .new.peak_bytes]' '[["alloc"],null,["alloc"],null]' diff without.tide other.tide
same "two that have them" '[[],[]]' "$("$heaptide" diff --json with.tide with.tide | jq -c '[.old.not_recorded, .new.not_recorded]')"

judged='allocations were not recorded: no rule can be judged'
refused "without.tide: $judged" check --max-allocs=1000000 without.tide
refused "without.tide: $judged" check --max-leaked=0 --markdown --junit j.xml without.tide
[ ! -e j.xml ] || fail "a report for continuous integration tells of rules that nobody judged"
refused "without.tide: $judged" check --baseline with.tide --tolerance=2 without.tide
refused "without.tide: $judged" check --baseline without.tide --tolerance=2 with.tide
refused "without.tide and 1 more: $judged" check --baseline without.tide other.tide
data '[.held, .broken, .not_recorded, .rows[0].broken, .rows[0].new, .rows[0].allowed]' '[null,null,["alloc"],null,null,0]' \
	check --max-allocs=0 without.tide
data '[.not_recorded, .baseline_not_recorded] + (.rows[0] | [.broken, .old, .new, .allowed])' "[[],[\"alloc\"],null,null,$allocs,null]" \
	check --baseline without.tide with.tide
same "one that has them" '[1,0,[]]' "$("$heaptide" check --json --max-allocs=1M with.tide | jq -c '[.held, .broken, .not_recorded]')"

# Views are no questions: they say it in the place of their rows.
for option in --view=verdicts --view=growth --view=churn --view=sizes --view=lifetimes --list=main; do
	same "escape $option" "allocations were not recorded (record with --events=+alloc)" "$("$heaptide" escape "$option" without.tide)"
	same "escape $option, JSON" '[["alloc"],[]]' "$("$heaptide" escape "$option" --json without.tide | jq -c '[.not_recorded, .rows]')"
done
same "escape of others" '[]' "$("$heaptide" escape --json with.tide | jq -c .not_recorded)"
for format in folded csv dhat massif gperftools speedscope; do
	"$heaptide" export --format=$format -o exported without.tide 2>err
	same "export --format=$format" "heaptide: the profile is empty: allocations were not recorded" "$(head -1 err)"
	"$heaptide" export --format=$format -o exported with.tide 2>err
	[ ! -s err ] || fail "export --format=$format: $(cat err)"
done
"$heaptide" record --force -o quiet.tide --events=sched,sync -- "$programs/known" 2>err >/dev/null
grep -q '^  allocations were not recorded' err || fail "the summary of record: $(cat err)"
! grep -q 'frees' err || fail "the summary of record counts what it was not asked for: $(cat err)"

# An older trace does not say what it was asked for: nothing is claimed.
cp "$HT_SOURCE/testdata/corpus/trace/trace_file/v2-one" old.tide
"$heaptide" diff old.tide old.tide >/dev/null 2>err || fail "an older trace: status $?"
! grep -q 'not recorded' err || fail "an older trace: $(cat err)"
same "an older trace" null "$("$heaptide" diff --json old.tide old.tide | jq .old.not_recorded)"
echo "unrecorded: what was not recorded is neither compared, judged nor counted"
