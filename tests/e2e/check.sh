#!/bin/bash
# check: twenty budgets and more, each passing or failing as it says; mistakes are named with file, line and column.
. "$(dirname "$0")/lib.sh"
source=$HT_SOURCE/testdata/programs/compare/shop.c
sed 's|n->name = dup_name(s);|&\n\tkeep = malloc(9); free(keep);|' "$source" >planted.c
mkdir old new
gcc -g -O2 -o old/shop "$source"
gcc -g -O2 -o new/shop planted.c
record old.tide -- old/shop 100 >/dev/null
record new.tide -- new/shop 100 >/dev/null
sound old.tide 1000
sound new.tide 1000
cases=0

# budget STATUS TRACE LINE [OPTION...]: one rule in a file.
budget() {
	local wanted=$1 trace=$2
	printf '# a comment\n\n%s\n' "$3" >budget
	shift 3
	status_of "$heaptide" check --budget budget "$@" "$trace" >out 2>err
	same "$(tail -1 budget) $*: status ($(cat out err))" "$wanted" "$status"
	cases=$((cases + 1))
}
# rule STATUS OPTION...: on the command line, for the new build.
rule() {
	local wanted=$1
	shift
	status_of "$heaptide" check "$@" new.tide >out 2>err
	same "$*: status ($(cat out err))" "$wanted" "$status"
	cases=$((cases + 1))
}

# The old build: 5,000 nodes, 7,000 names, 100 indexes, 400 reports, 100 words, 1 that stays, and stdio's buffer.
budget 0 old.tide 'total allocs 12700'
budget 1 old.tide 'total allocs 12000'
budget 0 old.tide 'make_node allocs 10000	# nodes and their names'
budget 1 old.tide 'make_node allocs 9999'
budget 0 old.tide 'dup_* allocs 7000'
budget 1 old.tide 'dup_* allocs 6999'
budget 0 old.tide 'no_such_function allocs 0'
budget 0 old.tide 'total peak 64K'
budget 1 old.tide 'total peak 1K'
budget 0 old.tide 'total leaked 8K'
budget 1 old.tide 'main leaked 776'
budget 0 old.tide 'main leaked 6K'
budget 0 old.tide 'read_line temporary 100'
budget 1 old.tide 'read_line temporary 99'
budget 1 new.tide 'total allocs +2%' --baseline old.tide
budget 0 new.tide 'total allocs +40%' --baseline old.tide
budget 1 new.tide 'make_node allocs +4999' --baseline old.tide
budget 0 new.tide 'make_node allocs +5000' --baseline old.tide
budget 0 new.tide 'index_names bytes +0' --baseline old.tide
budget 0 old.tide '[a-d]*_name allocs 7000'
rule 0 --max-allocs=20000 --max-peak=1M --max-leaked=8K --max-temporary=20000
rule 1 --max-allocs='^make_=1000'
rule 0 --max-allocs='^make_=15000'
rule 1 --baseline=old.tide
rule 0 --baseline=old.tide --tolerance=800
rule 1 --baseline=old.tide --tolerance=2%
rule 1 --max-peak='no_such|^main$=100'
[ "$cases" -ge 20 ] || fail "only $cases cases"

# What broke it, and by how much.
status_of "$heaptide" check --baseline old.tide --tolerance=2 new.tide >out
same "a broken rule: status" 1 "$status"
grep -q '^FAILED  total allocs +2%: 17,602, baseline 12,602, at most 12,854: 4,748 too many$' out || fail "the verdict: $(cat out)"
grep -q 'most of it: +5,000 by make_node ← parse_items ← one_round ← main' out || fail "the stack: $(cat out)"
status_of "$heaptide" check --json --baseline old.tide --tolerance=2 new.tide >json
same "a broken rule: status" 1 "$status"
same "JSON" '["total allocs +2%",true,12602,17602]' "$(jq -c '.rows[0] | [.rule, .broken, .old, .new]' json)"
status_of "$heaptide" check --markdown --junit junit.xml --baseline old.tide --tolerance=2 new.tide >md
same "a broken rule: status" 1 "$status"
grep -q '^| failed | `total allocs +2%` |' md || fail "Markdown: $(cat md)"
python3 - junit.xml <<'END'
import sys, xml.etree.ElementTree as tree
known = {"testsuites": set(), "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
         "testcase": {"classname", "name", "time"}, "failure": {"type", "message"}}
root = tree.parse(sys.argv[1]).getroot()
assert root.tag == "testsuites", root.tag
for e in root.iter():
    assert e.tag in known and set(e.attrib) <= known[e.tag], (e.tag, e.attrib)
suite = root[0]
cases = suite.findall("testcase")
failed = [c for c in cases if c.find("failure") is not None]
assert int(suite.get("tests")) == len(cases) == 5, suite.attrib
assert int(suite.get("failures")) == len(failed) > 0, suite.attrib
assert "make_node" in failed[0].find("failure").text
END

# Mistakes.
# mistake WHERE WORDS LINE
mistake() {
	printf '# first\n%s\n' "$3" >budget
	status_of "$heaptide" check --budget budget new.tide >out 2>err
	same "$3: status" 2 "$status"
	grep -q "^heaptide: budget:$1: .*$2" err || fail "'$3': $(cat err)"
}
mistake 2:7 "unknown metric 'alocs' (did you mean 'allocs'?)" 'total alocs 5'
mistake 2:14 "'many' is no number" 'total allocs many'
mistake 2:13 'a rule is PATTERN METRIC LIMIT' 'total allocs'
mistake 2:16 'nothing may follow the limit' 'total allocs 5 6'
mistake 2:14 'a share is of the baseline: +5%' 'total allocs 5%'
mistake 2 'growth wants --baseline' 'total allocs +5%'
status_of "$heaptide" check --budget no-such-file new.tide 2>err
same "no such budget: status" 3 "$status"
status_of "$heaptide" check new.tide 2>err
same "no rule: status" 2 "$status"
status_of "$heaptide" check --max-allocs='(=5' new.tide 2>err
same "no regular expression: status" 2 "$status"
printf 'total allocs 5\0 6\n' >budget
status_of "$heaptide" check --budget budget new.tide 2>err
same "a zero byte: status" 2 "$status"
grep -q '^heaptide: budget:1:15: a zero byte' err || fail "a zero byte: $(cat err)"
cp old.tide kept.tide
status_of "$heaptide" check --baseline old.tide --junit old.tide new.tide >/dev/null 2>err
same "--junit over the baseline: status" 2 "$status"
cmp old.tide kept.tide
record s.tide --sample=512 -- old/shop 100 >/dev/null
status_of "$heaptide" check --max-temporary=5 s.tide >out 2>err
same "what samples do not tell: status" 2 "$status"
status_of "$heaptide" check --baseline s.tide s.tide >out 2>err
same "a sampled trace against itself: status" 0 "$status"
grep -q 'are estimates' err || fail "estimates are not said: $(cat err)"
status_of "$heaptide" check --tolerance=5 new.tide 2>err
same "tolerance alone: status" 2 "$status"
echo "check: $cases budgets judged"
