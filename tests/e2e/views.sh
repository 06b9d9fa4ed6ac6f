#!/bin/bash
# The views of report, and their selections, on a program whose numbers are known (testdata/programs/known.c):
# as JSON to the byte, as CSV in shape, as text in what people look for.
. "$(dirname "$0")/lib.sh"

record t.tide --timestamps=each -- "$programs/known"
same "status" 0 "$status"
sound t.tide 8000
source=$HT_SOURCE/testdata/programs/known.c

# json [OPTION...] JQ-EXPRESSION
json() {
	"$heaptide" report --json -n 0 "${@:1:$#-1}" t.tide | jq -r "${@: -1}"
}
line_of() {
	grep -n "$1's line" "$source" | cut -d: -f1
}

# --- sites, modules, threads, sizes ---------------------------------------------------------
same "sites" "burn 3000 144000 0|hold_all 1000 1024000 0|keep_large 4 400000 4|wait_short 50 10000 0" \
	"$(json --view=sites '[.rows[] | select((.file // "" | endswith("known.c")) and .allocs > 0) |
		"\(.function) \(.allocs) \(.bytes) \(.leaked_objects)"] | sort | join("|")')"
same "peak of hold_all" 1024000 "$(json --view=sites '.rows[] | select(.function == "hold_all" and .allocs > 0) | .peak_bytes')"
same "temporary" 3000 "$(json --view=sites '.rows[] | select(.function == "burn" and .allocs > 0) | .temporary')"
same "known's own module" 4054 "$(json --view=modules '[.rows[] | select(.module // "" | endswith("/known")) | .allocs] | add')"
same "the worker's blocks" 4000 "$(json --view=threads '[.rows[] | select(.name == "worker") | .allocs] | add')"
same "blocks of 32 to 63" 3000 "$(json --view=sizes '.rows[] | select(.min == 32) | .allocs')"
[ "$(json --view=sizes '.rows[] | select(.min == 65536) | .peak_bytes')" = 400000 ] || fail "sizes: the peak of 100,000"

# --- selections -------------------------------------------------------------------------------
same "--thread" 4000 "$(json --thread=worker '.totals.allocations')"
same "--min-size" 1004 "$(json --view=sites --min-size=1000 --focus='keep_large|hold_all' '[.rows[].allocs] | add')"
same "--max-size" 3050 "$(json --view=sites --max-size=200 --focus='burn|wait_short' '[.rows[].allocs] | add')"
same "--ignore" 0 "$(json --view=sites --ignore='^burn$' '[.rows[] | select(.function == "burn")] | length')"
same "--hide" 3000 "$(json --view=sites --hide='^burn$' '.rows[] | select(.function == "work" and .temporary > 0) | .allocs')"
same "--module" 4054 "$(json --view=sites --module=/known$ '[.rows[].allocs] | add')"
peak=$(json '.totals.peak_time_ns')
same "--at=peak" 1000 "$(json --at=peak '.rows[] | select(.function == "hold_all" and .allocs > 0) | .live_objects')"
same "--at=T" 1000 "$(json --at="$peak"ns '.rows[] | select(.function == "hold_all" and .allocs > 0) | .live_objects')"
same "--from" 0 "$(json --from="$peak"ns '[.rows[] | select(.function == "burn")] | length')"
same "--to" 3000 "$(json --to="$peak"ns '.rows[] | select(.function == "burn" and .allocs > 0) | .allocs')"
same "--process" "$(json '.totals.allocations')" "$(json --process="$(info t.tide '.images[0].pid')" '.totals.allocations')"

# --- list ----------------------------------------------------------------------------------------
for function in keep_large hold_all burn wait_short; do
	line=$(line_of $function)
	same "list: $function" "$line $(json '.rows[] | select(.function == "'$function'" and .allocs > 0) | "\(.allocs) \(.bytes) \(.peak_bytes)"')" \
		"$(json --list="^$function\$" '.rows[] | select(.self.allocs > 0) | "\(.line) \(.self.allocs) \(.self.bytes) \(.self.peak_bytes)"')"
	same "list: source of $function" "$(sed -n "${line}p" "$source")" \
		"$(json --list="^$function\$" '.rows[] | select(.self.allocs > 0) | .source')"
done
same "list: what a line calls" 3000 "$(json --list='^work$' '[.rows[] | select(.source | contains("burn()")) | .total.allocs] | add')"
"$heaptide" report --list='^(work|burn)$' t.tide >list.txt
grep -Eq "^ +3,000 +141 KB +[0-9]+ B +0 B +$(line_of burn) +void \*volatile p = malloc\(48\)" list.txt || fail "list as text: $(cat list.txt)"
grep -Eq '^ +3,000 +141 KB .*→ +[0-9]+ +burn\(\);' list.txt || fail "list does not mark what a line calls: $(cat list.txt)"
# Sources elsewhere, and nowhere: said once.
mkdir -p elsewhere/programs
cp "$source" elsewhere/programs/
sed -i 's/malloc(48)/malloc(48) + 0/' elsewhere/programs/known.c
grep -q 'malloc(48) + 0' <("$heaptide" report --list='^burn$' --source-root=elsewhere t.tide) || fail "--source-root is not looked at first"
grep -q 'changed since the recording' <("$heaptide" report --list='^burn$' --source-root=elsewhere t.tide) || fail "a changed source is not said"
status_of "$heaptide" report --list='nothing_of_that_name' t.tide >none.txt
same "list of nothing: status" 0 "$status"
same "list of nothing: rows" 0 "$(json --list=nothing_of_that_name '.rows | length')"
status_of "$heaptide" report --list='(' t.tide >out 2>err
same "list of no expression: status" 2 "$status"
one_line err '--list'

# --- lifetimes -----------------------------------------------------------------------------------
same "lifetimes: wait_short" 50 "$(json --view=lifetimes '.rows[] | select(.function == "wait_short" and .allocs > 0) | .seen_to_die')"
json --view=lifetimes '.rows[] | select(.function == "wait_short" and .allocs > 0) | .lifetime_ns.p50 >= 4200000 and .lifetime_ns.p99 < 2000000000' | grep -q true ||
	fail "wait_short's blocks live 5 ms: $(json --view=lifetimes '.rows[] | select(.function == "wait_short" and .allocs > 0) | .lifetime_ns')"
json --view=lifetimes '.rows[] | select(.function == "burn" and .allocs > 0) | .lifetime_ns.p50 < 100000' | grep -q true || fail "burn's blocks die at once"
same "lifetimes: histogram" 50 "$(json --view=lifetimes '.rows[] | select(.function == "wait_short" and .allocs > 0) | .histogram | add')"
same "lifetimes: bounds" true "$(json --view=lifetimes '(.histogram_from_ns | length) == (.rows[0].histogram | length)')"
same "lifetimes: kept ones have none" null "$(json --view=lifetimes '.rows[] | select(.function == "keep_large") | .lifetime_ns.p50')"
same "lifetimes: all" "$(json '.totals.frees')" "$(json --view=lifetimes '[.classes[].frees] | add')"

# --- tree, callers -------------------------------------------------------------------------------
same "tree: work's total" 4000 "$(json --view=tree '[.rows[] | select(.function == "work") | .total.allocs] | add')"
same "callers: burn's caller" work "$(json --view=callers '. as $r | .rows[] | select(.function == "burn" and .parent == null) | .row as $row |
	$r.rows[] | select(.parent == $row) | .function')"

# --- all views in all shapes ---------------------------------------------------------------------
for view in summary sites tree callers list sizes lifetimes threads modules; do
	"$heaptide" report --view=$view t.tide >text || fail "$view as text"
	awk 'length($0) > 0 { n++ } END { exit !n }' text || fail "$view as text is empty"
	# File names of any length stand in two places, and may be wider than a screen.
	/usr/bin/python3 - <<-'END' || fail "$view is too wide"
		lines = open("text", encoding="utf-8").read().splitlines()
		wide = [l for l in lines if len(l) > 100 and "heaptide " not in l and "known" not in l]
		raise SystemExit("\n".join(wide) if wide else 0)
	END
	"$heaptide" report --view=$view --json t.tide | jq -e '.schema == "heaptide.report/1" and (.rows | length > 0)' >/dev/null || fail "$view as JSON"
	"$heaptide" report --view=$view --csv -o rows.csv t.tide
	/usr/bin/python3 -c 'import csv, sys; r = list(csv.reader(open(sys.argv[1]))); assert len(r) > 1 and len({len(x) for x in r}) == 1, r[:3]' rows.csv ||
		fail "$view as CSV"
done
"$heaptide" info --csv t.tide | head -1 | grep -q '^pid,argv0,start_ns' || fail "info as CSV"
"$heaptide" report t.tide | grep -q 'RSS  [▁▂▃▄▅▆▇█]' || fail "no curve of RSS in the summary"

# --- what contradicts itself, and what nothing matches --------------------------------------------------
refused() {
	status_of "$heaptide" report "${@:1:$#-1}" t.tide >out 2>said
	same "report ${*:1:$#-1}" 2 "$status"
	one_line said "${@: -1}"
}
refused --min-size=10 --max-size=5 'min-size.*max-size'
refused --from=40% --to=10% 'from.*to'
refused --view=sizes --by=line 'by.*sizes'
refused --view=tree --list=x 'list.*tree'
refused --focus='(' 'focus'
"$heaptide" report --region=nosuch t.tide 2>&1 >/dev/null | grep -q 'nothing in this trace matches' || fail "no word of a region that is not there"
"$heaptide" report --focus=burn t.tide | grep -q '^--focus choose' || fail "the summary does not say that its rows are filtered"
"$heaptide" report --view=tree --focus=nosuch t.tide | grep -q 'nothing matches' || fail "an empty tree"
same "sizes -n 2" 2 "$("$heaptide" report --json --view=sizes -n 2 t.tide | jq '.rows | length')"
same "sizes: cut" "$(json --view=sizes '(.rows | length) - 2')" "$("$heaptide" report --json --view=sizes -n 2 t.tide | jq .truncated_rows)"
for view in summary sites tree callers list sizes lifetimes threads modules; do
	for shape in --json --csv --limit=3; do
		"$heaptide" report $shape --view=$view --thread=nosuch t.tide >out 2>said || fail "$view of nothing: status $?"
		one_line said 'nothing in this trace matches'
		[ $shape != --json ] || same "$view of nothing" 0 "$(jq '.rows | length' out)"
	done
done
for format in pprof folded speedscope dhat massif gperftools csv; do
	"$heaptide" export --format=$format --thread=nosuch -o out t.tide 2>said || fail "$format of nothing: status $?"
done

# --- data has all rows, text has a screenful ------------------------------------------------------------
record many.tide -- bash -c 'for i in {1..50}; do (:); done'
seen many.tide 1000
threads=$(info many.tide .threads)
[ "$threads" -ge 50 ] || fail "only $threads threads were seen"
same "threads in JSON" "$threads" "$("$heaptide" report --json --view=threads many.tide | jq '.rows | length')"
same "threads in CSV" $((threads + 1)) "$("$heaptide" report --csv --view=threads many.tide | wc -l)"
"$heaptide" report --view=threads many.tide | grep -q "^and $((threads - 40)) more threads" || fail "threads in text: $("$heaptide" report --view=threads many.tide | tail -1)"
