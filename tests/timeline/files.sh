#!/bin/bash
# The files of timelines: the fixture's, and machines' that dice have made, each rule of both formats looked at; protoc,
# too, decodes the trace by our schema; then files broken on purpose. files.sh TIMELINE_WRITE
set -Eeuo pipefail
here=$(cd "$(dirname "$0")" && pwd)
write=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/heaptide-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
export PYTHONDONTWRITEBYTECODE=1
fail() {
	echo "FAIL: $*" >&2
	exit 1
}
pftrace() {
	/usr/bin/python3 "$here/check_pftrace.py" "$@" || fail "check_pftrace.py $*"
}
chrome() {
	/usr/bin/python3 "$here/check_chrome.py" "$@" || fail "check_chrome.py $*"
}

"$write" perfetto fixture.pftrace >/dev/null
"$write" chrome fixture.json >/dev/null
pftrace --json fixture.pftrace >pftrace.json
chrome --json fixture.json >chrome.json
/usr/bin/python3 "$here/check_fixture.py" pftrace.json chrome.json
/usr/bin/python3 "$here/break_pftrace.py" fixture.pftrace
chrome --self-test fixture.json

"$write" perfetto bare.pftrace bare >/dev/null
pftrace bare.pftrace
"$write" chrome bare.json bare >/dev/null
chrome bare.json

# The second judge of the wire format. It prints what it does not know by its number.
command -v protoc >/dev/null || fail "no protoc (Debian: protobuf-compiler)"
protoc --proto_path="$here" --decode=perfetto.Trace perfetto_subset.proto <fixture.pftrace >decoded 2>protoc.err ||
	fail "protoc: $(cat protoc.err)"
! grep -Eq '^ *[0-9]+(:| \{)' decoded || fail "protoc knows no $(grep -E '^ *[0-9]+(:| \{)' decoded | head -1)"
grep -q 'process_name: "server"' decoded || fail "protoc: $(head -20 decoded)"

# seed, threads, processors, steps: one thread; more threads than processors; more processors than threads; bundles with
# more names than one holds; everything within nanoseconds.
n=0
for machine in '1 1 1 300' '2 2 1 2000' '3 12 4 5000' '4 3 24 2000' '6 90 2 5000' '7 70 70 3000' '100 4 2 3000' \
	'101 20 5 3000'; do
	"$write" perfetto t.pftrace $machine >counts
	pftrace --stats t.pftrace >stats || fail "machine $machine"
	"$write" chrome t.json $machine >/dev/null
	chrome t.json
	n=$((n + 1))
done
# Sequences that begin anew all the time: those of threads, and that of bundles, which wait for each other.
for limit in 1 700 20000; do
	"$write" perfetto t.pftrace 5 4 3 2000 $limit >counts
	pftrace --stats t.pftrace >stats
	awk '/which begin/ { exit !($9 > $5 * 2) }' stats || fail "no sequence begins anew: $(head -1 stats)"
done
"$write" chrome cut.json 3 12 4 9000 5000 >/dev/null 2>note
chrome --json cut.json >cut
grep -q 'are left out' note || fail "nothing said of what was left out"

# Sizes, against FORMATS: a plain slice, a switch, a waking, a counter's value, an end of an arrow.
"$write" perfetto t.pftrace 8 8 4 20000 >counts
pftrace --stats t.pftrace >stats
size() {
	awk -v what="$1" '$0 ~ "^" what " +[0-9]" { sub("^" what " +[0-9]+ +", ""); print $1 }' stats
}
most() {
	got=$(size "$2")
	[ -n "$got" ] && awk -v a="$got" -v b="$1" 'BEGIN { exit !(a <= b) }' ||
		fail "$2: $got bytes, wanted $1 at most"
}
most 16 begin
most 14 end
most 9 'compact switch'
most 26 sched_waking
most 20.2 counter
most 28.2 "arrow's end"
echo "$n machines"
