#!/bin/bash
# The exported profile, as Go's own tool reads it: the same totals and the same top functions as heaptide's report,
# under all four sample types, on a position-independent C++ program with inlined functions.
. "$(dirname "$0")/lib.sh"
export HOME=$work PPROF_TMPDIR=$work PPROF_BINARY_PATH=$work GOFLAGS=-mod=mod

record t.tide -- "$programs/inlined" >out
same "status" 0 "$status"
sound t.tide 40000
record bigger.tide -- "$programs/inlined" twice >out
"$heaptide" export t.tide --format=pprof -o t.pb.gz
"$heaptide" export bigger.tide --format=pprof -o bigger.pb.gz

pprof() {
	go tool pprof "$@" t.pb.gz 2>pprof.err || fail "go tool pprof $*: $(tail -3 pprof.err)"
}

# What the program does is known; make_table, parse_line, store_name make 1000, 20000 and 3000 blocks.
"$heaptide" report --json --by=function -n 0 t.tide >report.json
row() {
	jq "[.rows[] | select(.function == \"$1\") | (.total // .)$2] | add // 0" report.json
}
same "allocs of parse_line" 20000 "$(row parse_line .allocs)"
same "bytes of make_table" 2048000 "$(row make_table .bytes)"
same "blocks that store_name leaves" 1000 "$(row store_name .live_objects)"

# total SAMPLE_TYPE KEY
total() {
	local shown
	pprof -top -unit=B -nodecount=100 -sample_index="$1" >top.out
	shown=$(sed -nE 's/.* of ([0-9]+)B? total.*/\1/p' top.out)
	same "$1: total" "$(info t.tide "$2")" "$shown"
}
total alloc_space .allocated_bytes
total alloc_objects .allocations
total inuse_space .end_live_bytes
total inuse_objects .end_live_objects

# cumulative SAMPLE_TYPE FUNCTION VALUE: in pprof's table
cumulative() {
	pprof -top -cum -unit=B -nodefraction=0 -nodecount=500 -sample_index="$1" >top.out
	# What has nothing of this kind is not in the table.
	same "$1 of $2" "$3" "$(awk -v f="$2" '$6 == f { sub("B$", "", $4); print $4; n = 1; exit } END { if (!n) print 0 }' top.out)"
}
for function in make_table parse_line store_name; do
	cumulative alloc_space $function "$(row $function .bytes)"
	cumulative alloc_objects $function "$(row $function .allocs)"
	cumulative inuse_objects $function "$(row $function .live_objects)"
	cumulative inuse_space $function "$(row $function .live_bytes)"
done

# The inlined function is a frame of its own, in both.
pprof -top -nodecount=100 -sample_index=alloc_space >top.out
grep -q '(inline)' top.out || fail "no inlined frame in pprof's view: $(cat top.out)"
grep -q 'take_bytes' top.out || fail "take_bytes is missing in pprof's view: $(cat top.out)"

# The other views work and name the source.
pprof -list=store_name -sample_index=alloc_space >list.out
grep -q 'take_bytes(320)' list.out || fail "-list shows no source: $(head -20 list.out)"
pprof -tree -sample_index=alloc_space >tree.out
grep -q parse_line tree.out || fail "-tree: $(head tree.out)"
pprof -peek=parse_line -sample_index=alloc_objects >peek.out
grep -q 'main' peek.out || fail "-peek knows no caller: $(head peek.out)"
pprof -traces -sample_index=alloc_objects >traces.out
[ "$(grep -c -- '-----------+' traces.out)" -ge 4 ] || fail "-traces: $(head traces.out)"
go tool pprof -top -unit=B -sample_index=alloc_objects -diff_base=t.pb.gz bigger.pb.gz >diff.out 2>pprof.err ||
	fail "-diff_base: $(cat pprof.err)"
grep -q 'parse_line' diff.out || fail "-diff_base shows no growth of parse_line: $(cat diff.out)"
go tool pprof -raw t.pb.gz >raw.out 2>pprof.err || fail "-raw: $(cat pprof.err)"
