#!/bin/bash
# The exports, in the tools that they are for: every report and option of go tool pprof that people use, with
# the numbers that the program (testdata/programs/inlined.cc) is known for; google-pprof; ms_print; and the
# files that browsers read, as far as this goes without one (tests/browser goes further).
. "$(dirname "$0")/lib.sh"
web=
clean_up() {
	[ -z "$web" ] || kill "$web"
	remove_work
}
export HOME=$work PPROF_TMPDIR=$work PPROF_BINARY_PATH=$work GOFLAGS=-mod=mod

record t.tide -- "$programs/inlined" >out
same "status" 0 "$status"
sound t.tide 40000
record twice.tide -- "$programs/inlined" more >out
for profile in heap allocs peak leaked temporary; do
	"$heaptide" export --profile=$profile -o $profile.pb.gz t.tide
done
"$heaptide" export --labels=thread,process,size -o labels.pb.gz t.tide
"$heaptide" export --profile=allocs -o twice.pb.gz twice.tide
record twice.tide -- "$programs/inlined" more >out
"$heaptide" export --profile=allocs -o again.pb.gz twice.tide

# pprof OPTION... FILE
pprof() {
	go tool pprof "$@" >pprof.out 2>pprof.err || fail "go tool pprof $*: $(tail -3 pprof.err)"
}
# shows PATTERN OPTION... FILE: the report has such a line.
shows() {
	pprof "${@:2}"
	grep -Eq -- "$1" pprof.out || fail "go tool pprof ${*:2}: no '$1' in: $(head -40 pprof.out)"
}
hides() {
	pprof "${@:2}"
	sed -Ei '/^ *[a-z_]+=/d' pprof.out # the options, as it repeats them
	! grep -Eq -- "$1" pprof.out || fail "go tool pprof ${*:2}: '$1' is in: $(grep -E -- "$1" pprof.out)"
}

# --- one file per profile, each with its own types ---------------------------------------------
types() {
	pprof -raw "$1"
	sed -n '/^Samples:/{n;p;}' pprof.out
}
same "heap's types" "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes[dflt]" "$(types heap.pb.gz)"
same "allocs' types" "alloc_objects/count alloc_space/bytes[dflt] inuse_objects/count inuse_space/bytes" "$(types allocs.pb.gz)"
same "peak's types" "peak_objects/count peak_space/bytes[dflt]" "$(types peak.pb.gz)"
same "leaked's types" "leaked_objects/count leaked_space/bytes[dflt]" "$(types leaked.pb.gz)"
same "temporary's types" "temporary_objects/count temporary_space/bytes[dflt]" "$(types temporary.pb.gz)"
shows '^PeriodType: space bytes' -raw heap.pb.gz
shows '^Period: 1$' -raw heap.pb.gz
shows ' 2048000B +[0-9.]+% +make_table$' -top -cum -unit=B peak.pb.gz
shows ' 320000B +[0-9.]+% +store_name$' -top -cum -unit=B leaked.pb.gz
shows ' 20000 +[0-9.]+% +parse_line$' -top -cum -sample_index=temporary_objects temporary.pb.gz

# --- the mapping: link-time addresses, the program first, its build-id --------------------------
build_id=$(readelf -n "$programs/inlined" | sed -n 's/.*Build ID: //p')
shows "^1: 0x[0-9a-f]+/0x[0-9a-f]+/0x[0-9a-f]+ $programs/inlined $build_id" -raw heap.pb.gz
shows "$(nm "$programs/inlined" | awk '/ parse_line$/ { sub("^0*", "", $1); print "0x" substr($1, 1, length($1) - 2) }')[0-9a-f]+ M=1 take_bytes" -raw heap.pb.gz
shows '^ *make_table .*inlined.cc:[0-9]+' -raw heap.pb.gz

mkdir -p elsewhere/programs
cp "$HT_SOURCE/testdata/programs/inlined.cc" elsewhere/programs/
"$heaptide" export --source-root=elsewhere -o moved.pb.gz t.tide
shows 'make_table elsewhere/programs/inlined.cc:[0-9]+' -raw moved.pb.gz

# --- reports --------------------------------------------------------------------------------------
a=(-sample_index=alloc_space -unit=B)
n=(-sample_index=alloc_objects)
shows '1920000B .* parse_line' -top -cum "${a[@]}" heap.pb.gz
shows '1920000B .* parse_line' -text -cum "${a[@]}" heap.pb.gz
shows '20000 .*\| +take_bytes' -tree "${n[@]}" heap.pb.gz
shows '20000 +83.33% .*\| +parse_line' -peek=take_bytes "${n[@]}" heap.pb.gz
shows '\. +1920000B +[0-9]+:[[:space:]]+void \*volatile p = take_bytes\(96\);' -list='^parse_line$' "${a[@]}" heap.pb.gz
pprof -weblist='^parse_line$' -output=weblist.html "${a[@]}" heap.pb.gz
grep -q 'take_bytes(96)' weblist.html || fail "-weblist shows no source"
shows '1920000B +1920000B +[0-9a-f]+: CALL' -disasm=parse_line "${a[@]}" heap.pb.gz
shows '^ +1920000B +take_bytes' -traces "${a[@]}" heap.pb.gz
shows '^ *bytes: Total 4932096.0B' -tags "${a[@]}" labels.pb.gz
shows '1920000.0B .*: 96B' -tags "${a[@]}" labels.pb.gz
shows '^ *thread: Total' -tags "${a[@]}" labels.pb.gz
shows 'Mappings' -raw heap.pb.gz
shows '^complete: no event lost, 0 truncated stacks$' -comments heap.pb.gz
shows "^command: $programs/inlined$" -comments heap.pb.gz
shows '^made by: heaptide' -comments heap.pb.gz
shows "^#base $programs/inlined=0x" -comments heap.pb.gz
shows 'digraph' -dot "${a[@]}" heap.pb.gz
shows '^fn=.*take_bytes' -callgrind "${a[@]}" heap.pb.gz
pprof -proto -output=merged.pb.gz heap.pb.gz heap.pb.gz
shows '3840000B .* parse_line' -top -cum "${a[@]}" merged.pb.gz
pprof -topproto -output=top.pb.gz "${a[@]}" heap.pb.gz
if command -v dot >/dev/null; then
	for format in svg png pdf; do
		pprof -$format -output=graph.$format "${a[@]}" heap.pb.gz
		[ -s graph.$format ] || fail "-$format wrote nothing"
	done
fi

# --- options --------------------------------------------------------------------------------------
shows '4928000B .*take_bytes' -top -flat "${a[@]}" heap.pb.gz
shows '1920000B .* parse_line .*inlined.cc' -top -cum -filefunctions "${a[@]}" heap.pb.gz
shows '^ *4928000B .*inlined.cc( |$)' -top -files "${a[@]}" heap.pb.gz
shows '1920000B .* parse_line .*inlined.cc:[0-9]+' -top -cum -lines "${a[@]}" heap.pb.gz
shows '1920000B .* [0-9a-f]+ parse_line .*inlined.cc:[0-9]+' -top -cum -addresses "${a[@]}" heap.pb.gz
shows '^ *1920000B .* parse_line$' -top -noinlines "${a[@]}" heap.pb.gz
hides 'take_bytes' -top -noinlines "${a[@]}" heap.pb.gz
hides 'store_name' -top -focus=parse_line "${a[@]}" heap.pb.gz
hides 'parse_line' -top -ignore=parse_line "${a[@]}" heap.pb.gz
hides 'take_bytes' -top -hide=take_bytes "${a[@]}" heap.pb.gz
hides 'main$' -top -show=parse_line "${a[@]}" heap.pb.gz
hides ' main$' -top -cum -show_from=parse_line "${a[@]}" heap.pb.gz
shows '^ *1920000B .* parse_line$' -top -prune_from='^parse_line$' "${a[@]}" heap.pb.gz
shows 'of 1920000B total|1920000B .*take_bytes' -top -tagfocus=bytes=60b:120b "${a[@]}" labels.pb.gz
hides 'parse_line' -top -tagignore=bytes=60b:120b "${a[@]}" labels.pb.gz
hides '^ *process' -tags -tagshow=bytes "${a[@]}" labels.pb.gz
hides '^ *bytes:' -tags -taghide=bytes "${a[@]}" labels.pb.gz
shows ' inlined$' -top -cum -tagroot=thread "${a[@]}" labels.pb.gz
shows '1920000B .* 96B?$' -top -tagleaf=bytes "${a[@]}" labels.pb.gz
shows '1.83MB .* parse_line' -top -cum -sample_index=alloc_space -unit=MB heap.pb.gz
shows '96B .* parse_line' -top -cum -mean "${a[@]}" heap.pb.gz
shows '192000B .* parse_line' -top -cum -divide_by=10 "${a[@]}" heap.pb.gz
shows '1920000B 100% .* parse_line|100% .*take_bytes' -top -focus=parse_line -relative_percentages "${a[@]}" heap.pb.gz
shows 'Showing top 1 nodes|top 1 nodes' -top -nodecount=1 "${a[@]}" heap.pb.gz
hides 'store_name' -top -cum -nodefraction=0.3 "${a[@]}" heap.pb.gz
pprof -dot -edgefraction=0.3 "${a[@]}" heap.pb.gz
pprof -dot -trim=false "${a[@]}" heap.pb.gz
pprof -dot -call_tree "${a[@]}" heap.pb.gz

# --- the same in a browser -------------------------------------------------------------------------
if command -v curl >/dev/null && command -v dot >/dev/null; then
	port=$((20000 + $(random 30000)))
	"$(go env GOTOOLDIR)/pprof" -no_browser -http="localhost:$port" heap.pb.gz >web.out 2>&1 &
	web=$!
	for _ in $(seq 100); do
		curl -s -o /dev/null "http://localhost:$port/ui/top" && break
		sleep 0.1
	done
	for page in '' top flamegraph 'peek?f=take_bytes' 'source?f=parse_line&si=alloc_space' 'disasm?f=parse_line&si=alloc_space' '?si=alloc_space'; do
		same "pprof -http: /$page" 200 "$(curl -s -o page.html -w '%{http_code}' "http://localhost:$port/ui/$page")"
	done
	curl -s -o page.html "http://localhost:$port/ui/source?f=parse_line&si=alloc_space"
	grep -q 'take_bytes(96)' page.html || fail "pprof -http: no source"
	kill "$web"
	wait "$web" 2>/dev/null || true
	web=
fi

# --- differences: only parse_line allocates more when there is an argument -----------------------
shows '^ *1920000B .*take_bytes' -top -diff_base=allocs.pb.gz "${a[@]}" twice.pb.gz
shows '1920000B .* parse_line' -top -cum -base=allocs.pb.gz "${a[@]}" twice.pb.gz
pprof -top -cum -normalize -diff_base=allocs.pb.gz "${a[@]}" twice.pb.gz
pprof -top -cum -drop_negative -diff_base=twice.pb.gz "${a[@]}" allocs.pb.gz
# Two runs of one build are the same profile, whatever their load addresses.
hides '[1-9][0-9]*B .* (parse_line|make_table|store_name|take_bytes)' -top -addresses -base=twice.pb.gz "${a[@]}" again.pb.gz

# --- google-pprof ----------------------------------------------------------------------------------
"$heaptide" export -o t.heap t.tide
if command -v google-pprof >/dev/null; then
	google-pprof --text --alloc_space --show_bytes t.heap >google.out 2>google.err || fail "google-pprof: $(cat google.err)"
	grep -Eq '^Total: 4932096 B' google.out || fail "google-pprof's total: $(head -3 google.out)"
	grep -Eq '^ 4928000 +99.9% .* take_bytes' google.out || fail "google-pprof does not know take_bytes: $(cat google.out)"
	google-pprof --text --cum --inuse_objects t.heap >google.out 2>google.err
	grep -Eq ' 1000 +50.0% make_table' google.out || fail "google-pprof's blocks in use: $(cat google.out)"
fi

# --- ms_print, and Massif's text -------------------------------------------------------------------
"$heaptide" export -o t.massif t.tide
same "massif: one peak" 1 "$(grep -c 'heap_tree=peak' t.massif)"
same "massif: the peak" "mem_heap_B=$(info t.tide .peak_live_bytes)" "$(grep -B4 'heap_tree=peak' t.massif | grep mem_heap_B=)"
same "massif: the end" "mem_heap_B=$(info t.tide .end_live_bytes)" "$(grep mem_heap_B= t.massif | tail -1)"
ms_print t.massif >ms.out 2>ms.err || fail "ms_print: $(cat ms.err)"
[ ! -s ms.err ] || fail "ms_print complains: $(head -3 ms.err)"
grep -Eq '^->86.[0-9]+% \(2,048,000B\) 0x[0-9A-F]+: take_bytes \(inlined.cc:[0-9]+\)' ms.out || fail "ms_print: $(grep -- '->' ms.out)"
grep -Eq -- '->86.[0-9]+% \(2,048,000B\) 0x[0-9A-F]+: make_table' ms.out || fail "ms_print knows no caller: $(grep -- '->' ms.out)"
grep -Eq 'left out by the selection' <("$heaptide" export --format=massif --focus=make_table t.tide) || fail "massif does not say what was left out"

# --- DHAT, speedscope, folded, CSV -----------------------------------------------------------------
"$heaptide" export -o t.dhat.json t.tide
same "dhat: totals" "24001 4932096 $(info t.tide .peak_live_bytes) $(info t.tide .end_live_bytes)" \
	"$(jq -r '[.pps[] | [.tbk, .tb, .gb, .eb]] | transpose | map(add) | map(tostring) | join(" ")' t.dhat.json)"
jq -e '.dhatFileVersion == 2 and .mode == "heap" and .bklt and (.bkacc | not) and .te >= .tg and .ftbl[0] == "[root]" and
	(.ftbl | length) as $n | (all(.pps[]; all(.fs[]; . > 0 and . < $n) and .mb >= .gb and .mbk <= .tbk))' t.dhat.json >/dev/null ||
	fail "dhat: $(head -c 300 t.dhat.json)"
same "dhat: no stack twice" 0 "$(jq '(.pps | length) - ([.pps[].fs] | unique | length)' t.dhat.json)"
"$heaptide" export -o t.speedscope.json t.tide
hottest() {
	jq -r '.shared.frames as $f | .profiles[] | select(.name == "'"$1"'") |
		[.samples, .weights] | transpose | group_by(.[0][-1]) | max_by(map(.[1]) | add) | $f[.[0][0][-1]].name' t.speedscope.json
}
for pair in inuse_space:live alloc_space:bytes alloc_objects:allocs; do
	same "speedscope: hottest by ${pair#*:}" "$("$heaptide" report --json --by=function --metric=${pair#*:} t.tide | jq -r '.rows[0].function')" "$(hottest ${pair%:*})"
done
jq -e 'all(.profiles[]; .endValue == (.weights | add) and (.samples | length) == (.weights | length))' t.speedscope.json >/dev/null || fail "speedscope: weights"
"$heaptide" export --profile=allocs -o t.folded t.tide
same "folded: bytes" 4932096 "$(awk '{ n += $NF } END { print n }' t.folded)"
grep -Eq ';main;parse_line;take_bytes 1920000$' t.folded || fail "folded: $(cat t.folded)"
"$heaptide" export -o t.csv t.tide
same "csv: allocations" 24001 "$(/usr/bin/python3 -c 'import csv; print(sum(int(r["alloc_objects"]) for r in csv.DictReader(open("t.csv"))))')"

# --- what cannot be --------------------------------------------------------------------------------
refused() {
	status_of "$heaptide" export "${@:2}" t.tide >out 2>err
	same "export ${*:2}: status" 2 "$status"
	one_line err "$1"
}
refused 'carries all numbers' --format=dhat --profile=peak -o x
refused 'has no labels' --format=folded --labels=thread -o x
refused 'unknown label' --labels=colour -o x.pb.gz
refused 'needs --format' -o x.unknown
