#!/bin/bash
# heaptide.h: what a program says about itself arrives, in order with its allocations; and costs nothing unrecorded.
. "$(dirname "$0")/lib.sh"
prog=$programs/annotate

same "unrecorded" "recording 0, while paused 0" "$("$prog" 2 10)"

record a.tide -- "$prog" 4 250 >out
same "status" 0 "$status"
same "recorded" "recording 1, while paused 0" "$(cat out)"
sound a.tide 1000
"$heaptide" dump a.tide >events
count() {
	grep -c -- "$1" events || true
}
same "regions begun" 2000 "$(count '  region_begin')"
same "regions ended" 2000 "$(count '  region_end')"
same "marks" 2 "$(count '  mark')"
same "logs" 2 "$(count '  log')"
same "tasks begun" 1000 "$(count '  task  size=0')"
same "tasks ended" 1000 "$(count '  task  size=1')"
same "tasks entered" 1000 "$(count '  task  size=2')"
same "tasks left" 1000 "$(count '  task  size=3')"
same "pauses" 2 "$(count '  pause')"
# In program order on each thread: 3 births inside "round", of which 2 inside "inner"; names of the right ids.
awk '
$3 == "region_begin" { depth[$2]++; sub("extra=", "", $4); name[$4]++ }
$3 == "region_end" { depth[$2]--; if (depth[$2] < 0) bad++ }
$3 == "malloc" && depth[$2] == 1 { one++ }
$3 == "malloc" && depth[$2] == 2 { two++ }
END { n = 0; for (i in name) n += name[i] == 1000; print one + 0, two + 0, n, bad + 0 }' events >nested
same "births inside of regions" "1000 2000 2 0" "$(cat nested)"
# Paused births are not there; their frees are, as frees of unknown blocks; what was recorded before ends.
same "births of 4321 bytes" 0 "$(count 'size=4321')"
same "births of 1234 bytes" 1 "$(count 'size=1234')"
seq=$(sed -n 's/.* malloc  seq=\([0-9]*\) size=1234.*/\1/p' events)
same "the free of 1234 bytes" 1 "$(grep -c "  free  seq=$seq\b" events)"
same "frees of unknown blocks" 5 "$(count '  free_unknown')"

# The header stands in every dialect, with every compiler that is here; found in programs with and without -pie.
cat >user.c <<'END'
#include "heaptide.h"
#include <stdio.h>
int main(void)
{
	uint64_t task;
	heaptide_region_begin("r");
	task = heaptide_task_begin("t");
	heaptide_task_end(task);
	heaptide_region_end("r");
	printf("%d\n", heaptide_recording());
	return 0;
}
END
{
	sed '/^int main/,$d' user.c
	cat <<'END'
int main()
{
	heaptide::region r("r");
	heaptide::task t("t");
	heaptide::task_scope s(t.id());
	std::printf("%d\n", heaptide_recording());
}
END
} | sed 's/stdio.h/cstdio/' >user.cc
for compiler in gcc clang; do
	for std in c89 c11; do
		for pie in "-fPIE -pie" "-fno-pie -no-pie"; do
			$compiler -std=$std $pie -O2 -Wall -Wextra -pedantic -Werror -I"$HT_SOURCE/lib/heaptide" user.c -o user
			same "$compiler $std $pie" 0 "$(./user)"
			record u.tide -- ./user >out
			same "$compiler $std $pie, recorded" 1 "$(cat out)"
			same "$compiler $std $pie: events" 4 "$("$heaptide" dump u.tide | grep -cE '  (region_begin|region_end|task)  ')"
		done
	done
done
for compiler in g++ clang++; do
	for std in c++98 c++17; do
		$compiler -std=$std -O2 -Wall -Wextra -pedantic -Werror -I"$HT_SOURCE/lib/heaptide" user.cc -o user
		record u.tide -- ./user >out
		same "$compiler $std, recorded" 1 "$(cat out)"
		same "$compiler $std: events" 8 "$("$heaptide" dump u.tide | grep -cE '  (region_begin|region_end|task)  ')"
	done
done

# 10,000,000 regions without the hook: two loads and two branches a region that is not recorded. The bound is far above that
# (about 0.5 ns), and far below any call.
read -r without with < <("$prog" --cost 10000000)
awk -v a="$without" -v b="$with" 'BEGIN { exit !(b - a < 3) }' || fail "a region costs $with - $without ns unrecorded"
echo "an unrecorded region costs $with ns, the empty loop $without ns"
