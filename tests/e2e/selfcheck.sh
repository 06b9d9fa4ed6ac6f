#!/bin/bash
# --self-check compares every stack that the fast way yields with a full unwind: no difference on programs that do
# everything odd with their stacks, by both compilers, and on real ones.
. "$(dirname "$0")/lib.sh"

# check NAME LEAST COMMAND...: at least LEAST stacks compared, none different.
check() {
	local name=$1 least=$2 compared
	shift 2
	"$@" >plain.out 2>&1 || true
	record "$name.tide" --self-check -- "$@" >recorded.out 2>&1
	cmp -s plain.out recorded.out || fail "$name: another output: $(diff plain.out recorded.out | head -3)"
	sound "$name.tide" "$least"
	same "$name: differences" 0 "$(info "$name.tide" .self_check.differences)"
	compared=$(info "$name.tide" .self_check.compared)
	[ "$compared" -ge "$least" ] || fail "$name: only $compared stacks compared"
	echo "$name: $compared stacks compared, $(info "$name.tide" .truncated_stacks) truncated"
}

seq 1 300 | sed 's/.*/{"id":&,"name":"n&","list":[&,1,2]}/' >lines.json
printf '#include <stdio.h>\n#include <stdlib.h>\nint main(void){puts("x");return 0;}\n' >source.c
for seed in 1 2 3; do
	check "stress-$seed" 20000 "$programs/stress" -s $seed -n 300 -p "$programs/stress_plugin.so"
	check "stress-clang-$seed" 20000 "$programs/stress-clang" -s $seed -n 300 -p "$programs/stress_plugin-clang.so"
done
check stress-mixed 20000 "$programs/stress" -s 9 -n 300 -t 8 -p "$programs/stress_plugin-clang.so"
check jq 1000 jq -s 'map(.list[0])|add' lines.json
check sqlite3 300 sqlite3 :memory: 'create table t(a,b);with recursive c(x) as(values(1) union all select x+1 from c where x<500) insert into t select x,x*7%13 from c;select b,count(*) from t group by b'
git init -q repository
check git 200 git -C repository count-objects -v
printf 'scale=60\n4*a(1)\nquit\n' >pi.bc
check bc 100 bc -l -q pi.bc
check perl 1000 /usr/bin/perl -e 'my %h; $h{$_%101}.=$_ for 1..2000; print length join "", map {$h{$_}} sort keys %h'
check cc1 1000 "$(gcc -print-prog-name=cc1)" -quiet -O2 source.c -o source.s
check python3 1000 env PYTHONMALLOC=malloc /usr/bin/python3 -S -E -c 'print(sum(len(str(i)) for i in range(2000)))'
