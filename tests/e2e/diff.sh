#!/bin/bash
# diff: builds that differ in nothing but how they were made show nothing; what was planted is the first row, exactly; what was
# renamed, split or folded is paired and said to be; several runs tell news from noise.
. "$(dirname "$0")/lib.sh"
source=$HT_SOURCE/testdata/programs/compare/shop.c

# build NAME SOURCE FLAG...: NAME/shop, recorded into NAME.tide.
build() {
	local name=$1 from=$2
	shift 2
	mkdir -p "$name"
	"${CC:-gcc}" -g "$@" -o "$name/shop" "$from"
	record "$name.tide" -- "$name/shop" 100 >"$name.out"
	same "$name: output" 1 "$(cat "$name.out")"
	sound "$name.tide" 1000
}
# rows METRIC BY OLD NEW: rows that are not the same.
rows() {
	"$heaptide" diff --json --metric="$1" --by="$2" "$3.tide" "$4.tide" | jq -c '.rows[] | select(.status != "same") | [.status, .function]'
}

# Functions in reverse order, fifty blank lines above them, comments within.
awk '/^\/\/==$/ { n++; next } { part[n + 0] = part[n + 0] $0 "\n" }
END { printf "%s", part[0]; for (i = 0; i < 50; i++) print ""; for (i = n; i; i--) printf "%s\n\n/* moved */\n\n", part[i] }' "$source" >reordered.c
build base "$source" -O2
build moved reordered.c -O2
build other reordered.c -O3 -fno-omit-frame-pointer
build none "$source" -O0
CC=clang build clang "$source" -O2
for new in moved other none clang; do
	for metric in allocs bytes peak leaked temporary; do
		for by in function line file stack; do
			# clang lays out its libc calls alike; another file name is another row
			[ "$by" = file ] && [ "$new" != none ] && [ "$new" != clang ] && continue
			same "$new, $metric by $by" "" "$(rows "$metric" "$by" base "$new")"
		done
	done
done
"$heaptide" diff base.tide moved.tide >text
grep -q 'no change' text || fail "no change is not said: $(cat text)"
grep -q 'cannot tell news from noise' text || fail "one run a side: noise is not said to be unknown"

# C++: templates, lambdas, an anonymous namespace, recursion. What another compiler or level inlines or tail-calls is paired.
for made in g++-2 g++-3 g++-0 clang++-2; do
	mkdir -p "$made"
	${made%-*} -g -O"${made#*-}" -o "$made/shapes" "$HT_SOURCE/testdata/programs/compare/shapes.cc"
	record "$made.tide" -- "$made/shapes" >/dev/null
	sound "$made.tide" 1000
	for by in function line stack; do
		same "shapes, $made by $by: neither new nor gone, no number changed" "" \
			"$("$heaptide" diff --json --by=$by g++-2.tide "$made.tide" | jq -c '.rows[] | select(.delta.allocs != 0 or .delta.bytes != 0 or (.status | IN("same", "renamed") | not))')"
	done
done

# Planted: one more allocation for each node: 5,000, temporary ones of 9 bytes.
sed 's|n->name = dup_name(s);|&\n\tkeep = malloc(9); free(keep);|' "$source" >planted.c
build planted planted.c -O2
same "planted" '["grew","make_node",5000,10000,5000,45000]' \
	"$("$heaptide" diff --json base.tide planted.tide | jq -c '.rows[0] | [.status, .function, .old.allocs, .new.allocs, .delta.allocs, .delta.bytes]')"
same "planted: rows that changed" 1 "$(rows allocs function base planted | wc -l)"
line=$(grep -n 'keep = malloc(9)' planted.c | cut -d: -f1)
for n in 1 3; do # more lines above, within the function: none of them takes another's place
	sed "s|^\tstruct node \*n = malloc(sizeof(\*n));|$(printf '\\n%.0s' $(seq $n))&|" planted.c >shifted.c
	build shifted shifted.c -O2
	same "planted by line, $n lines above" "[\"new\",\"make_node\",$((line + n)),5000]" \
		"$("$heaptide" diff --json --by=line base.tide shifted.tide | jq -c '.rows[] | select(.status != "same") | [.status, .function, .line, .delta.allocs]')"
done
"$heaptide" diff --by=line base.tide shifted.tide | grep -q "^new .*make_node.*shifted.c:$((line + 3))\$" || fail "the line is not shown"
same "the total" 5000 "$("$heaptide" diff --json base.tide planted.tide | jq '.delta.allocs')"
same "rows add up" 5000 "$("$heaptide" diff --json base.tide planted.tide | jq '[.rows[].delta.allocs] | add')"
same "and back" '["shrank",-5000]' "$("$heaptide" diff --json planted.tide base.tide | jq -c '.rows[0] | [.status, .delta.allocs]')"

# Renamed functions are neither lost nor gained.
sed 's/dup_name/copy_string/g; s/index_names/build_index/g' "$source" >renamed.c
build renamed renamed.c -O2
same "renamed" '["renamed","build_index"] ["renamed","copy_string"] ' "$(rows allocs function base renamed | sort | tr '\n' ' ')"
same "was" '"index_names" "dup_name" ' "$("$heaptide" diff --json base.tide renamed.tide |
	jq -c '.rows[] | select(.status == "renamed") | .renamed_from' | sort -r | tr '\n' ' ')"
for by in line stack; do
	same "renamed by $by: neither new nor gone" "" "$(rows allocs $by base renamed | grep -v renamed || true)"
done

"$heaptide" diff base.tide renamed.tide | grep -q '^build_index was index_names: callers agree to 100 %' || fail "the evidence is not shown"

# A helper split out of a function, and the other way: a function that vanished into its caller.
sed 's|^__attribute__((noinline)) struct node \*make_node|__attribute__((noinline)) struct node *new_node(void);\n__attribute__((noinline)) struct node *new_node(void)\n{\n\tstruct node *n = malloc(sizeof(*n));\n\tn->name = NULL;\n\treturn n;\n}\n&|; s|struct node \*n = malloc(sizeof(\*n));$|struct node *n = new_node();|' "$source" >split.c
build split split.c -O2
for pair in "base split" "split base"; do
	# shellcheck disable=SC2086 # two words
	same "split ($pair): neither new nor gone" "" "$(rows allocs function $pair | grep -E '"(new|gone)"' || true)"
	# shellcheck disable=SC2086
	same "split ($pair): some row says so" 1 "$(rows allocs function $pair | grep -c renamed)"
done

# --fail-on, --threshold, --limit, Markdown, exports.
status_of "$heaptide" diff --fail-on 'allocs>2%' base.tide planted.tide >out
same "--fail-on allocs: status" 1 "$status"
grep -q '^FAILED  allocs>2%: +5,000' out || fail "--fail-on does not say what failed: $(cat out)"
status_of "$heaptide" diff --fail-on 'make_*:bytes>0' --fail-on 'parse_*:bytes>0' --json base.tide planted.tide >json
same "--fail-on with patterns: status" 1 "$status"
same "which" '["make_*:bytes>0"]' "$(jq -c '[.failed[].rule]' json)"
status_of "$heaptide" diff --fail-on 'allocs>50%' --fail-on 'leaked>0' base.tide planted.tide >/dev/null
same "--fail-on that holds: status" 0 "$status"
for wrong in 'alocs>2%' 'allocs' 'allocs>x' ':allocs>1'; do
	status_of "$heaptide" diff --fail-on "$wrong" base.tide planted.tide >/dev/null 2>err
	same "--fail-on $wrong: status" 2 "$status"
	grep -q '^heaptide: --fail-on: ' err || fail "--fail-on $wrong: $(cat err)"
done
grep -q "did you mean 'allocs'" <("$heaptide" diff --fail-on 'alocs>2%' base.tide planted.tide 2>&1 || true) || fail "no near word"
"$heaptide" diff --threshold 200 base.tide planted.tide | grep -q 'below 200 %: 1 function, +5,000' || fail "--threshold"
"$heaptide" diff --markdown base.tide planted.tide >md
grep -q '^\*\*+5,000 allocations\*\*' md && grep -q '^| grew | 5,000 | 10,000 | +5,000 | +100.0 % | `make_node' md || fail "Markdown: $(cat md)"
"$heaptide" diff --pprof d.pb.gz --folded d.folded base.tide planted.tide >/dev/null
same "pprof: the difference" 5000 "$(go tool pprof -raw d.pb.gz 2>/dev/null | awk '/^ +-?[0-9]+ / { sum += $1 } END { print sum }')"
same "folded: old and new" "12602 17602" "$(awk '{ old += $(NF - 1); new += $NF } END { print old, new }' d.folded)"

# Several runs: a row that differs between the sides though it never varied is news; one that varies is noise.
mkdir -p runs
for i in 1 2 3 4 5; do
	record "runs/old$i.tide" -- base/shop $((100 + i)) >/dev/null
	record "runs/new$i.tide" -- base/shop $((101 + (i * 7) % 6)) >/dev/null
	record "runs/much$i.tide" -- base/shop $((200 + i)) >/dev/null
done
"$heaptide" diff --json --old runs/old?.tide --new runs/new?.tide >json
same "noise is known" true "$(jq .noise_known json)"
same "within noise" 0 "$(jq '[.rows[] | select(.noise == false)] | length' json)"
"$heaptide" diff --old runs/old?.tide --new runs/new?.tide | grep -q '^within noise: ' || fail "rows within noise are not folded"
"$heaptide" diff --json --old runs/old?.tide --new runs/much?.tide >json
same "news" 5 "$(jq '[.rows[] | select(.noise == false)] | length' json)"
same "p" true "$(jq '[.rows[] | select(.noise == false) | .p < 0.05 and .ci.low > 0.8 and .ci.high < 1.2] | all' json)"
status_of "$heaptide" diff --fail-on 'allocs>0' --old runs/old?.tide --new runs/new?.tide >/dev/null
same "--fail-on within noise: status" 0 "$status"

status_of "$heaptide" diff --fail-on 'bytes>0' --fail-on 'dup_*:temporary>0' --old runs/old?.tide --new runs/new?.tide >/dev/null
same "--fail-on within noise, of other metrics: status" 0 "$status"
status_of "$heaptide" diff --fail-on 'bytes>50%' --old runs/old?.tide --new runs/much?.tide >/dev/null
same "--fail-on beyond noise, of another metric: status" 1 "$status"

# Per second, per region.
record r1.tide -- "$programs/annotate" 2 100 >/dev/null
record r2.tide -- "$programs/annotate" 2 150 >/dev/null
same "per region" "3 3" "$("$heaptide" diff --json --per=round r1.tide r2.tide | jq -r '"\(.old.allocs) \(.new.allocs)"')"
same "per inner region" "2 2" "$("$heaptide" diff --json --per=inner r1.tide r2.tide | jq -r '"\(.old.allocs) \(.new.allocs)"')"
same "per task" "1 1" "$("$heaptide" diff --json --per=request r1.tide r2.tide | jq -r '"\(.old.allocs) \(.new.allocs)"')"
status_of "$heaptide" diff --per=nothing r1.tide r2.tide 2>err
same "a region that is not there: status" 2 "$status"
grep -q 'no nothing in it' err || fail "a region that is not there: $(cat err)"

# What cannot be compared as it is, is said before the numbers.
"$heaptide" diff base.tide r1.tide 2>err >/dev/null
grep -q 'different programs: shop in base.tide, annotate in r1.tide' err || fail "different programs: $(cat err)"
record s.tide --sample=4K -- base/shop 100 >/dev/null
"$heaptide" diff base.tide s.tide 2>err >/dev/null
grep -q 's.tide is sampled, base.tide is exact' err || fail "sampled against exact: $(cat err)"
same "temporary of samples" null "$("$heaptide" diff --json s.tide s.tide | jq .old.temporary)"
status_of "$heaptide" diff --metric=temporary base.tide s.tide 2>err
same "temporary of samples, asked for: status" 2 "$status"
cp planted.tide kept.tide
for option in -o --pprof --folded; do
	status_of "$heaptide" diff $option planted.tide base.tide planted.tide >/dev/null 2>err
	same "$option over a trace: status" 2 "$status"
	cmp planted.tide kept.tide
done
status_of "$heaptide" diff base.tide planted.tide >/dev/full 2>err
same "a full disk: status" 3 "$status"
head -c 4000 planted.tide >cut.tide
status_of "$heaptide" diff base.tide cut.tide 2>err >/dev/null
same "truncated: status" 4 "$status"
grep -q 'truncated' err || fail "truncated: $(cat err)"
echo "diff: builds, plants, renames, splits, runs and regions are told apart"
