#!/bin/bash
# Names may hold anything: quotes, separators, control characters, bytes that are no text, wide characters, kilobytes of
# template arguments, a formula. Every view and export stays what it is, and a terminal gets none of it.
. "$(dirname "$0")/lib.sh"
export HOME=$work PPROF_TMPDIR=$work

cat >odd.cc <<'END'
#include <cstdlib>
#define NAMED(f) extern "C" __attribute__((noinline)) void *f(unsigned n) { void *volatile p = malloc(n); return p; }
NAMED(odd_quote) NAMED(odd_wide) NAMED(odd_control) NAMED(odd_formula)
template <class A, class B> struct Pair {};
template <int N> struct Nest { typedef Pair<typename Nest<N - 1>::type, Pair<int[N], typename Nest<N - 1>::type>> type; };
template <> struct Nest<0> { typedef long type; };
template <class T> __attribute__((noinline)) void *nested() { void *volatile p = malloc(90); return p; }
int main()
{
	for (int i = 0; i < 100; i++)
		odd_quote(50), odd_wide(60), odd_control(70), odd_formula(80), nested<Nest<8>::type>();
}
END
g++ -O1 -c -o odd.o odd.cc
objcopy --redefine-sym 'odd_quote=na"me,with;odd\x '"'s" --redefine-sym 'odd_wide=名前関数の長い名前関数の長い名前関数の長い名前関数の長い' \
	--redefine-sym $'odd_control=ctl\033[31mred\007\xff\n' --redefine-sym 'odd_formula==cmd()|x' odd.o renamed.o
folder=$'fol"d\t,名'
mkdir "$folder"
g++ -o "$folder/pr'og" renamed.o
record t.tide -- "$folder/pr'og" $'argument\n\033[1m\xff'
same "status" 0 "$status"
sound t.tide 500

# text FILE: UTF-8 without control characters but line ends and, in CSV's and folded's shape, nothing else
text() {
	iconv -f utf-8 -t utf-8 "$1" >/dev/null || fail "$1 is no UTF-8"
	! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$1" || fail "$1 holds control characters"
}
for view in summary sites tree callers list sizes lifetimes threads modules; do
	for by in "" --demangle=full --demangle=none; do
		"$heaptide" report $by --view=$view t.tide >out.text
		"$heaptide" report $by --json --view=$view t.tide >out.json
		"$heaptide" report $by --csv --view=$view t.tide >out.csv
		text out.text
		text out.json
		text out.csv
		jq -e '.rows | length > 0' out.json >/dev/null || fail "$view: JSON"
		python3 -c 'import csv; assert len({len(r) for r in csv.reader(open("out.csv"))}) == 1' || fail "$view: CSV"
	done
done
same "calls by name" "100 100 100" "$("$heaptide" report --json --by=function t.tide |
	jq -r '[.rows[] | select(.function // "" | test("^=cmd|^名前|^na\"me")) | .allocs] | map(tostring) | join(" ")')"
[ "$("$heaptide" report --json --demangle=full t.tide | jq '[.rows[].function // "" | length] | max')" -gt 4000 ] || fail "the long name is not long"
"$heaptide" report --view=sites t.tide >out.text
python3 - out.text <<'END' || fail "a line is wider than 100 columns"
import sys, unicodedata
for line in open(sys.argv[1], encoding="utf-8"):
    if sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line.rstrip("\n")) > 100:
        sys.exit(line)
END

for format in folded speedscope dhat massif gperftools csv; do
	"$heaptide" export --format=$format -o out.$format t.tide
	text out.$format
done
jq -e . out.speedscope >/dev/null && jq -e . out.dhat >/dev/null || fail "an export is no JSON"
same "folded: bytes" "$(info t.tide .end_live_bytes)" "$(awk '{ n += $NF } END { print n }' out.folded)"
same "formulas" 0 "$(grep -c '^"\?=' out.csv || true)"
"$heaptide" export -o out.pb.gz t.tide
zcat out.pb.gz | LC_ALL=C grep -aqP '\xff\n|\x1b\[' && fail "pprof: bytes that are no text"
if command -v go >/dev/null; then
	go tool pprof -symbolize=none -top -unit=B out.pb.gz >top 2>pprof.err || fail "go tool pprof: $(cat pprof.err)"
	grep -q '8000B .*=cmd()|x' top || fail "pprof does not show the name: $(cat top)"
fi
