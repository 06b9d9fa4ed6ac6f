#!/bin/bash
# heaptide.h in hard places: a library that comes and goes, forks, threads, signal handlers, wrong nesting, 100,000 names,
# messages of a megabyte, pauses across threads and forks. Everything arrives once, and every trace holds its invariants.
. "$(dirname "$0")/lib.sh"
cat >plugin.c <<'END_OF_C'
#include "heaptide.h"
#include <stdlib.h>
void plugged(void);
void plugged(void)
{
	heaptide_region_begin("plugin");
	free(malloc(99));
	heaptide_region_end("plugin");
}
END_OF_C
gcc -g -O2 -fno-builtin -Wall -Wextra -Werror -Wno-format-extra-args -I"$HT_SOURCE/lib/heaptide" -shared -fPIC plugin.c -o plugin.so
gcc -g -O2 -fno-builtin -Wall -Wextra -Werror -Wno-format-extra-args -Wno-format-nonliteral -I"$HT_SOURCE/lib/heaptide" \
	"$HT_SOURCE/testdata/programs/compare/hard.c" -o hard -ldl -lpthread

# run WHAT LEAST [ARGUMENT]: unrecorded, then recorded into WHAT.tide.
run() {
	timeout 60 ./hard "$1" ${3:+"$3"} >/dev/null || fail "$1 unrecorded: status $?"
	record "$1.tide" -- ./hard "$1" ${3:+"$3"} >"$1.out"
	same "$1: status" 0 "$status"
	sound "$1.tide" "$2"
	"$heaptide" dump "$1.tide" >"$1.events"
}
count() {
	grep -cE -- "$2" "$1.events" || true
}
# inside WHAT NAME: instances of a region or task, and allocations in each of them.
inside() {
	"$heaptide" diff --json --per="$2" "$1.tide" "$1.tide" | jq -r '.old | "\(.instances) \(.allocs)"'
}
run library 6 ./plugin.so
same "regions of the library" "3 1" "$(inside library plugin)"
run forks 4
same "regions of children" "3 1" "$(inside forks child)"
same "the parent's region: not its children's" "1 1" "$(inside forks outer)"
same "tasks, worked for by children" "4 0.75" "$(inside forks job)"
run threads 8000
same "regions of threads" "8000 1" "$(inside threads work)"
run signals 50000
same "regions of handlers" "$(cat signals.out)" "$(count signals '  region_begin .*text="handler"')"
same "logs of handlers" "$(cat signals.out)" "$(count signals '  log .*text="handler" text2="interrupted"')"
same "regions that handlers interrupt" 1 "$(inside signals loop | cut -d' ' -f2)"
run open 1000
same "regions that never end" 100000 "$(count open '  region_begin .*text="never ended"')"
run wrong 1
same "an end without a beginning" 1 "$(count wrong '  region_end .*text="never begun"$')"
same "what is in a name" 1 "$(count wrong '  mark .*text="a\\"b')"
same "no control characters" 0 "$(tr -d '\n' <wrong.events | grep -c '[[:cntrl:]]' || true)"
same "what follows is recorded" 1 "$(count wrong '  malloc .*size=3 ')"
"$heaptide" record -q -o names.tide -- ./hard names
"$heaptide" dump names.tide >names.events
same "names" 100000 "$(grep -o 'region_begin .*text="name [0-9]*"' names.events | sed 's/.*text=//' | sort -u | wc -l)"
run long 2
same "long messages" 200 "$(count long '  log .*text="long" text2="y{1023}"$')"
run pauses 4
same "paused allocations" 0 "$(count pauses 'size=(4444|5555)( |$)')"
same "others" 4 "$(count pauses 'size=(1111|2222|3333|6666)( |$)')"
echo "heaptide.h holds in libraries, forks, threads and handlers"
