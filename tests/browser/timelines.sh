#!/bin/bash
# Timelines in a browser: speedscope opens Chrome's JSON and shows the slices of the fixture's main thread by their names,
# hostile ones among them. timelines.sh TIMELINE_WRITE
write=$1
. "$(dirname "$0")/../e2e/lib.sh"

command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
	skip "no Chromium here (Debian: chromium)"
# As tests/browser/viewers.sh gets it: from npm, once per build folder.
page() {
	find "$HT_BUILD/npm" "${HT_SPEEDSCOPE:-/nonexistent}" -path '*/speedscope/dist/release/index.html' 2>/dev/null |
		head -1
}
[ -n "$(page)" ] || timeout 60 npm install --silent --no-fund --no-audit --fetch-retries=0 --prefix "$HT_BUILD/npm" \
	speedscope@1.25.0 >npm.log 2>&1 || true
[ -n "$(page)" ] || skip "speedscope is not here, and npm cannot get it: $(tail -1 npm.log)"

"$write" chrome fixture.json >/dev/null
timeout 60 /usr/bin/python3 "$HT_SOURCE/tests/browser/browse.py" speedscope "$(page)" fixture.json >rows ||
	fail "speedscope: $(cat rows)"
for name in 'request "GET /"' allocations 'wait mutex 0x55d0' inner innermost 'wait cond 0x66"e0' after \
	"post → o\"l\\d' <b> (102)"; do
	grep -Fq -- "$name" rows || fail "speedscope shows no '$name': $(cat rows)"
done
# Total and self of a slice, as the tool adds them up: 550 us, of which 250 are the inner one's.
grep -Eq '^550\.00[^	]*	300\.00[^	]*	inner( |$)' rows || fail "speedscope: inner: $(grep inner rows)"
