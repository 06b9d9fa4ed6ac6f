#!/bin/bash
# The exports in the browser that they are for: speedscope opens its own format and folded stacks and shows the
# hottest frame that report shows; valgrind's dh_view.html opens the DHAT file with its numbers.
. "$(dirname "$0")/../e2e/lib.sh"

command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
	skip "no Chromium here (Debian: chromium)"
# speedscope comes from npm, once per build folder.
version=1.25.0
page() {
	find "$HT_BUILD/npm" "${HT_SPEEDSCOPE:-/nonexistent}" -path '*/speedscope/dist/release/index.html' 2>/dev/null | head -1
}
[ -n "$(page)" ] || timeout 60 npm install --silent --no-fund --no-audit --fetch-retries=0 --prefix "$HT_BUILD/npm" "speedscope@$version" >npm.log 2>&1 || true
browse=$HT_SOURCE/tests/browser/browse.py

record t.tide -- "$programs/inlined" >out
sound t.tide 40000

dh_view=$(find /usr/libexec/valgrind /usr/lib/valgrind -name dh_view.html 2>/dev/null | head -1)
if [ -n "$dh_view" ]; then
	"$heaptide" export -o t.dhat.json t.tide
	timeout 60 /usr/bin/python3 "$browse" dhat "$dh_view" t.dhat.json >dhat.txt || fail "dh_view: $(tail -3 dhat.txt)"
	grep -Eq 'Total: +4,932,096 bytes \(100%.*in 24,001 blocks' dhat.txt || fail "dh_view's total: $(cat dhat.txt)"
	grep -Eq 'Total: +1,920,000 bytes \(38.93%.*in 20,000 blocks' dhat.txt || fail "dh_view's parse_line: $(cat dhat.txt)"
	grep -Eq 'At t-gmax: 320,000 bytes' dhat.txt || fail "dh_view's store_name at the peak: $(cat dhat.txt)"
	grep -Eq '#2: 0x[0-9A-F]+: store_name \(inlined.cc:[0-9]+\)' dhat.txt || fail "dh_view's frames: $(cat dhat.txt)"
fi

[ -n "$(page)" ] || skip "speedscope is not here, and npm cannot get it: $(tail -1 npm.log)"
hottest=$("$heaptide" report --json --by=function --metric=live t.tide | jq -r '.rows[0].function')
for format in speedscope folded; do
	"$heaptide" export --format=$format -o t.$format t.tide
	timeout 60 /usr/bin/python3 "$browse" speedscope "$(page)" t.$format >rows || fail "speedscope and $format: $(cat rows)"
	# Rows by self weight: total, self, name.
	shown=$(awk -F '\t' '$3 ~ /[a-z]/ { print $3; exit }' rows)
	same "speedscope, $format: hottest frame" "$hottest" "$shown"
	grep -Eq "1\.95 MB.*make_table|2,048,000.*make_table" rows || fail "speedscope, $format: make_table: $(cat rows)"
done
