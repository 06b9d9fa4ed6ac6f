#!/bin/bash
# Debug files from a debuginfod server: fetched when --debuginfod asks for it, and never otherwise.
. "$(dirname "$0")/lib.sh"

ldconfig -p | grep 'libdebuginfod\.so\.1' >/dev/null || skip "libdebuginfod.so.1 is not installed"
cat >served.c <<'X'
#include <stdlib.h>
__attribute__((noinline)) static void *get_one(int i) { return malloc((size_t)i + 16); }
int main(void)
{
	for (int i = 0; i < 300; i++)
		free(get_one(i));
}
X
gcc -O1 -g -fno-builtin -Wl,--build-id=sha1 -o served served.c
id=$(readelf -n served | sed -n 's/.*Build ID: //p')
mkdir -p "www/buildid/$id"
objcopy --only-keep-debug served "www/buildid/$id/debuginfo"
strip served
record t.tide -- ./served
same "status" 0 "$status"
sound t.tide 600

python3 -u - >port 2>requests <<'X' &
import http.server, functools
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="www")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1])
server.serve_forever()
X
server=$!
clean_up() {
	kill "$server" 2>/dev/null || true
	remove_work
}
for _ in $(seq 100); do
	[ -s port ] && break
	sleep 0.1
done
export DEBUGINFOD_URLS="http://127.0.0.1:$(cat port)" DEBUGINFOD_CACHE_PATH=$work/fetched DEBUGINFOD_TIMEOUT=10

"$heaptide" report --json --metric=allocs t.tide >report.json
jq -e '[.rows[].function] | any(. == "get_one") | not' report.json >/dev/null || fail "get_one has a name without debug information"
[ ! -s requests ] || fail "the server was asked unbidden: $(cat requests)"
grep -q 'pass --debuginfod' report.json || fail "the report does not say what would help"

DEBUGINFOD_URLS='' "$heaptide" report --json --debuginfod --metric=allocs t.tide >report.json
grep -q 'DEBUGINFOD_URLS names no server' report.json || fail "the missing setting is not named"

"$heaptide" report --json --debuginfod --metric=allocs t.tide >report.json
jq -e '.rows[0] | .function == "get_one" and (.file | endswith("served.c")) and .line == 2' report.json >/dev/null ||
	fail "get_one was not named after its file was fetched: $(jq -c '.rows[0]' report.json)"
grep -q "/buildid/$id/debuginfo" requests || fail "the server was not asked"

# Another program under that build-id is refused, and named.
rm -rf "$DEBUGINFOD_CACHE_PATH" .cache
gcc -g -Wl,--build-id=sha1 -o "www/buildid/$id/debuginfo" -x c - <<<'int main(void) { return 1; }'
"$heaptide" report --json --debuginfod --metric=allocs t.tide >report.json
grep -q 'is not its debug file: build-id' report.json || fail "a wrong file was not refused"
