#!/bin/bash
# A trace with its symbols in it reads the same on a machine that has nothing: after `symbolize --sources`, moved
# away from its binaries, its sources and the cache, every view says to the byte what it said at home.
. "$(dirname "$0")/lib.sh"

mkdir home sources
cp "$HT_SOURCE"/testdata/programs/inlined.cc sources/
g++ -g -O2 -fno-builtin -o home/program "$work/sources/inlined.cc"
export XDG_CACHE_HOME=$work/cache

# views FILE-PREFIX [OPTION...]: everything that names functions, files and lines.
views() {
	local view option
	for view in summary sites tree callers list lifetimes modules; do
		"$heaptide" report --view=$view "${@:2}" t.tide >"$1.$view" 2>"$1.$view.err" || fail "report --view=$view"
		"$heaptide" report --view=$view --json "${@:2}" t.tide >"$1.$view.json"
	done
	for option in full none short; do
		"$heaptide" report --view=callers --demangle=$option t.tide >"$1.$option"
	done
	"$heaptide" report --view=tree --no-inline t.tide >"$1.physical"
	"$heaptide" report --list='store_name|parse_line' t.tide >"$1.listed"
	"$heaptide" export --format=pprof "${@:2}" t.tide | gunzip >"$1.pb"
	"$heaptide" export --format=dhat "${@:2}" t.tide >"$1.dhat"
}
# alike BEFORE AFTER
alike() {
	local file
	for file in "$1".*; do
		cmp "$file" "$2${file#"$1"}" >&2 || fail "$file and $2${file#"$1"} differ: $(diff "$file" "$2${file#"$1"}" | head -5)"
	done
}
away() {
	mv home home.away
	mv sources sources.away
	rm -rf cache
	export XDG_CACHE_HOME=$work/empty
}
back() {
	mv home.away home
	mv sources.away sources
	export XDG_CACHE_HOME=$work/cache
}

record t.tide -- home/program
sound t.tide 40000
cp t.tide plain.tide
views before
grep -q 'take_bytes (inlined)' before.sites || fail "no inlined frame at home: $(cat before.sites)"
grep -q 'take_bytes(320)' before.listed || fail "no source at home: $(cat before.listed)"

"$heaptide" symbolize --sources --json t.tide >said.json
jq -e '.schema == "heaptide.symbolize/1" and .resolved == .addresses and .source_lines > 20 and
	(.rows[] | select(.path | endswith("/program")) | .kind == "dwarf" and .stored_bytes > 0)' said.json >/dev/null || fail "symbolize says: $(cat said.json)"
sound t.tide 40000
views stored
alike before stored

away
views moved
# Only the program was moved away, so only it can be missed: without stored symbols it is.
alike before moved
cp t.tide symbolized.tide
cp plain.tide t.tide
"$heaptide" report t.tide | grep -q 'program (not found)' || fail "the binary was not away: $("$heaptide" report t.tide | head -4)"
# Symbolizing where the binaries are not takes nothing from what is there.
cp symbolized.tide t.tide
"$heaptide" symbolize t.tide >/dev/null
views again
alike before again
back

# Once more: what is there stays, source lines too, and nothing is written that stands there already.
before=$(stat -c %s t.tide)
"$heaptide" symbolize t.tide >/dev/null
"$heaptide" symbolize --sources t.tide >/dev/null
same "bytes after symbolizing again" "$before" "$(stat -c %s t.tide)"
sound t.tide 40000
cp plain.tide t.tide
"$heaptide" symbolize t.tide >/dev/null
away
same "without --sources" 1 "$("$heaptide" report --list=store_name t.tide | grep -c 'source not found')"
back
# Lines that have changed since do not replace those that ran.
cp symbolized.tide t.tide
cp -p sources/inlined.cc inlined.kept
sed -i 's/take_bytes(320)/take_bytes(321)/' sources/inlined.cc
touch -d '+1 hour' sources/inlined.cc
"$heaptide" symbolize --sources t.tide >/dev/null
"$heaptide" report --list=store_name t.tide | grep -q 'take_bytes(320)' || fail "changed lines took the place of those that ran"
cp -p inlined.kept sources/inlined.cc
# Where its result cannot be written, nothing is done.
cp plain.tide t.tide
status_of "$heaptide" symbolize -o t.tide t.tide 2>said
same "symbolize onto its own trace" 2 "$status"
cmp -s plain.tide t.tide || fail "symbolize wrote, and refused afterwards"
cp symbolized.tide t.tide

# record --symbolize does it at the end, and the status stays the target's.
status_of "$heaptide" record -q --force --symbolize -o t.tide -- sh -c 'home/program; exit 7'
same "record --symbolize: status" 7 "$status"
sound t.tide 40000
away
"$heaptide" report --view=sites t.tide | grep -q 'take_bytes (inlined)' || fail "record --symbolize stored nothing: $("$heaptide" report t.tide)"
back

status_of "$heaptide" record --symbolize --exec -o none.tide -- true 2>err
same "record --symbolize --exec: status" 2 "$status"
one_line err '--exec'

# What cannot be done is said, and leaves the trace as it was.
refused() {
	local sum
	sum=$(cksum <"$2")
	status_of "$heaptide" symbolize "$2" >out 2>err
	same "symbolize of $2: status" "$1" "$status"
	one_line err "$3"
	same "symbolize of $2: the file" "$sum" "$(cksum <"$2")"
}
head -c "$(($(stat -c %s plain.tide) / 2))" plain.tide >cut.tide
refused 4 cut.tide 'truncated'
refused 3 /etc/passwd 'not a trace|no trace|heaptide'
