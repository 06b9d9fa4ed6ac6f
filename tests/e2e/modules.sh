#!/bin/bash
# Reports of programs whose files are gone, stripped, replaced or broken: the numbers stay, the names that are still
# known stay, each missing one has its reason, and nothing crashes.
. "$(dirname "$0")/lib.sh"

cp "$programs/stress" program
cp "$programs/stress_plugin.so" plugin.so
record t.tide -- ./program -s 1 -n 60 -p ./plugin.so >out
same "status" 0 "$status"
sound t.tide 5000
allocations=$(info t.tide .allocations)

# judge WHAT: the report ends with 0 and all allocations are in it.
judge() {
	status_of timeout 60 "$heaptide" report --json --by=function --metric=allocs -n 0 t.tide >report.json 2>report.err
	same "$1: status" 0 "$status"
	same "$1: allocations" "$allocations" "$(jq .totals.allocations report.json)"
	same "$1: of the rows" "$allocations" "$(jq '[.rows[] | (.self.allocs // .allocs)] | add' report.json)"
	status_of timeout 60 "$heaptide" report t.tide >report.txt 2>&1
	same "$1: status of the text" 0 "$status"
}
named() {
	jq '[.rows[] | select(.function != null)] | length' report.json
}
reasons() {
	jq -r '[.rows[] | select(.function == null) | .unresolved] | unique | join(",")' report.json
}
export XDG_CACHE_HOME=$work/cache # symbols are kept by build-id: each case begins without
judge "all there"
jq -e '[.rows[].function // ""] | any(test("touch"))' report.json >/dev/null || fail "touch is not named"
jq -e '[.rows[].function // ""] | any(test("grow"))' report.json >/dev/null || fail "the plugin's function is not named"
full=$(named)

rm -rf cache
mv plugin.so gone.so
judge "a plugin that is gone"
[ -n "$(reasons)" ] || fail "no reason for the plugin's missing names"
[ "$(named)" -lt "$full" ] || fail "names out of nowhere"

rm -rf cache
head -c 3000 gone.so >plugin.so
judge "a plugin that is cut off"
rm -rf cache
{
	head -c 64 gone.so
	head -c 40000 /dev/urandom
} >plugin.so
judge "a plugin of noise"
rm -rf cache
for _ in $(seq 12); do
	cp gone.so plugin.so
	chmod u+w plugin.so
	for _ in $(seq 30); do
		printf "\\x$(printf %02x "$(random 256)")" |
			dd of=plugin.so bs=1 seek="$(random "$(stat -c %s plugin.so)")" conv=notrunc status=none
	done
	judge "a plugin with 30 wrong bytes"
	rm -rf cache
done
cp "$programs/stress_plugin-clang.so" plugin.so
judge "another plugin under the same name"
jq -e '[.rows[].function // ""] | any(test("grow")) | not' report.json >/dev/null ||
	fail "names were taken from a file with another build-id"
cp gone.so plugin.so

rm -rf cache
strip program
judge "a stripped program"
rm -rf cache
rm program
judge "no program at all"
[ -n "$(reasons)" ] || fail "no reason for the program's missing names"
mkfifo program
judge "a pipe in the program's place"
