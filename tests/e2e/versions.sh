#!/bin/bash
# diff on a real program: an SQL library of 220,000 lines, in two released versions, with one of our own programs around it.
# A planted allocation is the first row and the only one; other optimization is no row but paired ones; another version adds up.
# Takes some two minutes, the compiler's; needs a package registry, else it is skipped.
. "$(dirname "$0")/lib.sh"
command -v npm >/dev/null || skip "npm is not installed: nothing to fetch the sources with"
for version in 7.0.0 7.4.0; do
	mkdir "$version"
	(cd "$version" && timeout 60 npm pack --silent "better-sqlite3@$version" >/dev/null 2>npm.err) ||
		skip "the package registry cannot be reached: $(tail -1 "$version/npm.err")"
	tar xzf "$version"/*.tgz -C "$version" package/deps/sqlite3.tar.gz
	tar xzf "$version/package/deps/sqlite3.tar.gz" -C "$version"
done
rows=3000
mkdir planted
cp 7.0.0/sqlite3.h planted
# One allocation more for each row that is inserted: 24 bytes, and 8 for the library's own header; freed at once.
sed '/^SQLITE_API int sqlite3_bind_int64(/,/^}/ s/  int rc;/  int rc;\n  sqlite3_free(sqlite3_malloc(24));/' 7.0.0/sqlite3.c >planted/sqlite3.c
same "lines that were planted" 1 "$(grep -c '^  sqlite3_free(sqlite3_malloc(24));' planted/sqlite3.c)"

# build NAME FOLDER FLAG...
build() {
	local name=$1 from=$2
	shift 2
	mkdir -p "build/$name"
	gcc -g -w -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION "$@" -I"$from" -o "build/$name/rows" \
		"$HT_SOURCE/testdata/programs/compare/rows.c" "$from/sqlite3.c" -lm
}
build base 7.0.0 -O2 &
first=$!
build planted planted -O2
wait $first
build faster 7.0.0 -O3 &
first=$!
build later 7.4.0 -O2
wait $first
for name in base planted faster later; do
	record "$name.tide" -- "build/$name/rows" $rows >out
	same "$name: status" 0 "$status"
	same "$name: rows inserted" $rows "$(cut -d' ' -f1 out)"
	sound "$name.tide" 10000
done

# All of its allocations are made by a few functions, as with most programs of size: rows are their callers.
wrappers='^(sqlite3(Mem(Malloc|Realloc)|Malloc(Zero)?|Realloc|Db(Malloc(Zero|Raw|RawNN)|Realloc(OrFree)?|StrN?Dup)|_(m|re)alloc(64)?)|mallocWithAlarm|dbMallocRawFinish|dbReallocFinish)$'
# changed METRIC BY OLD NEW: rows that are not the same.
changed() {
	"$heaptide" diff --json --allocators="$wrappers" --metric="$1" --by="$2" "$3.tide" "$4.tide" |
		jq -c '.rows[] | select(.status != "same") | [.status, .function, .delta.allocs, .delta.bytes]'
}
adds_up() {
	"$heaptide" diff --json --allocators="$wrappers" --by="$1" "$2.tide" "$3.tide" |
		jq -e '([.rows[].delta.allocs] | add) == .delta.allocs and ([.rows[].delta.bytes] | add) == .delta.bytes and
			.delta.allocs == .new.allocs - .old.allocs' >/dev/null || fail "$2 and $3 by $1 do not add up"
}

for metric in allocs bytes temporary; do
	for by in function line stack; do
		same "planted: $metric by $by" '["new","sqlite3_bind_int64",'$rows','$((32 * rows))']' "$(changed $metric $by base planted)"
	done
done
same "planted, without knowing the wrappers" "[\"grew\",$rows]" \
	"$("$heaptide" diff --json base.tide planted.tide | jq -c '[.rows[] | select(.status != "same")] | .[0] | [.status, .delta.allocs]')"
status_of "$heaptide" check --baseline base.tide planted.tide >verdict
same "check: status" 1 "$status"
grep -q '+3,000 by .*sqlite3_bind_int64 ← insert_rows ← main' verdict || fail "check does not name the stack: $(cat verdict)"

for metric in allocs bytes peak leaked temporary; do
	for by in function line file module; do
		same "-O2 and -O3: $metric by $by" "" "$(changed $metric $by base faster)"
	done
	same "-O2 and -O3: $metric by stack: neither new nor gone" "" "$(changed $metric stack base faster | grep -v '^\["renamed",.*,0,0\]' || true)"
done
for by in function line file module stack; do
	for new in planted faster later; do
		adds_up $by base $new
	done
done
"$heaptide" diff --json --allocators="$wrappers" base.tide later.tide >json
same "another version: most functions are the same" true "$(jq '([.rows[] | select(.status == "same")] | length) * 10 > (.rows | length) * 7' json)"
same "another version: the change is small" true "$(jq '(.delta.allocs | fabs) * 20 < .old.allocs' json)"
echo "versions: planted, optimized and released ones are told apart"
