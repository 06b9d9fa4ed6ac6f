#!/bin/bash
# On single-threaded programs, allocations, frees and bytes equal those of valgrind's memcheck. One
# difference is known: blocks that the dynamic loader makes before the program's own code, which
# valgrind's replacement of malloc comes too late for. It must be the same for every program of the same kind, and
# small: it is measured on a program without a single allocation of its own, linked as the program is.
. "$(dirname "$0")/lib.sh"

# The one-line C sources that the compiler reads, and a perl and a jq with something to do.
for i in $(seq 1 12); do
	echo "int f$i(int a){int s=0;for(int i=0;i<a;i++)s+=i*$i;return s;}"
done >source.c
seq 1 300 | sed 's/.*/{"id":&,"name":"n&","list":[&,1,2]}/' >lines.json
printf 'scale=40\nx=1\nfor (i=1;i<60;i++) x=x*i/3\nx\nquit\n' >sum.bc
git init -q repository
for i in 1 2 3 4 5 6; do
	echo "$i" >>repository/file
	git -C repository add file
	GIT_AUTHOR_DATE="2020-01-0${i}T00:00:00Z" GIT_COMMITTER_DATE="2020-01-0${i}T00:00:00Z" \
		git -C repository -c user.name=a -c user.email=a@b commit -qm "change $i"
done
cc1=$(gcc -print-prog-name=cc1)

# Programs such as perl and python3 allocate for each variable of their environment, and both valgrind and record add
# some. So each side gets, as dummies, what the other one adds, and LD_PRELOAD is padded with colons to one length.
clean=(env -i PATH=/usr/bin:/bin HOME="$work" LC_ALL=C PYTHONMALLOC=malloc PYTHONHASHSEED=0 PERL_HASH_SEED=0
	PERL_PERTURB_KEYS=0 GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat)
cat >show.c <<'C'
#include <string.h>
#include <unistd.h>
extern char **environ;
int main(void)
{
	for (char **e = environ; *e; e++)
		if (write(1, *e, strlen(*e)) < 0 || write(1, "\n", 1) < 0)
			return 1;
	return 0;
}
C
gcc -o show show.c
valgrind=(valgrind --tool=memcheck --run-libc-freeres=no --run-cxx-freeres=no --log-file="$work/valgrind.log")
recorder=("$heaptide" record -q --force -o)
theirs=(LD_PRELOAD=:)
ours=(LD_PRELOAD=:)
"${clean[@]}" "${theirs[@]}" "${valgrind[@]}" ./show >theirs.env
"${clean[@]}" "${ours[@]}" "${recorder[@]}" show.tide -- ./show >ours.env
# only_in A B: the lines of A whose names are not in B.
only_in() {
	awk -F= 'NR == FNR { have[$1] = 1; next } !($1 in have)' "$2" "$1"
}
length_of() {
	sed -n 's/^LD_PRELOAD=//p' "$1" | tr -d '\n' | wc -c
}
mapfile -t lines < <(only_in ours.env theirs.env)
theirs+=("${lines[@]}")
mapfile -t lines < <(only_in theirs.env ours.env)
ours+=("${lines[@]}")
colons=$(printf '%0500d' 0 | tr 0 :)
shift_by=$(($(length_of theirs.env) - $(length_of ours.env)))
theirs+=("LD_PRELOAD=:${colons:0:$((shift_by < 0 ? -shift_by : 0))}")
ours+=("LD_PRELOAD=:${colons:0:$((shift_by > 0 ? shift_by : 0))}")
shape() {
	awk '{ n = index($0, "="); print substr($0, 1, n), length($0) }' | sort
}
"${clean[@]}" "${theirs[@]}" "${valgrind[@]}" ./show | shape >theirs.env
"${clean[@]}" "${ours[@]}" "${recorder[@]}" show.tide -- ./show | shape >ours.env
cmp -s theirs.env ours.env || fail "the environments differ: $(diff theirs.env ours.env)"

# Two programs whose difference is known by heart: what valgrind does not see.
printf 'int main(void){return 0;}\n' >nothing.c
gcc -o nothing nothing.c
g++ -x c++ -o nothing-cc nothing.c

# judge NAME COMMAND...: prints NAME and the differences in allocations, frees and bytes.
judge() {
	local name=$1 total
	shift
	"${clean[@]}" "${theirs[@]}" "${valgrind[@]}" "$@" >valgrind.out 2>&1 || true
	total=$(grep 'total heap usage' valgrind.log | tail -1 | tr -d ,)
	[ -n "$total" ] || fail "$name: valgrind said: $(tail -3 valgrind.log)"
	status_of "${clean[@]}" "${ours[@]}" "${recorder[@]}" "$name.tide" -- "$@" >heaptide.out 2>&1
	cmp -s valgrind.out heaptide.out || fail "$name: another output: $(diff valgrind.out heaptide.out | head -5)"
	sound "$name.tide" "${least:-100}"
	# shellcheck disable=SC2086 # words
	set -- $(sed -E 's/.*usage: ([0-9]+) allocs ([0-9]+) frees ([0-9]+) bytes.*/\1 \2 \3/' <<<"$total")
	echo "$name $(($(info "$name.tide" .allocations) - $1)) $(($(info "$name.tide" .frees) - $2))" \
		"$(($(info "$name.tide" .allocated_bytes) - $3)) of $1 $2 $3"
}

# expect NAME CONSTANT COMMAND...: up to three times, since a few programs (cc1's obstacks, now and then) allocate
# by where the kernel has put their heap.
expect() {
	local name=$1 constant=$2 got
	shift 2
	for _ in 1 2 3; do
		got=$(judge "$name" "$@")
		echo "$got"
		[ "$constant" != "$(cut -d' ' -f2-4 <<<"$got")" ] || break
	done
	same "$name: allocations, frees and bytes beyond valgrind's" "$constant" "$(cut -d' ' -f2-4 <<<"$got")"
}

loader=$(least=0 judge nothing ./nothing | cut -d' ' -f2-4)
echo "the loader's: $loader"
[ "$(cut -d' ' -f1 <<<"$loader")" -le 4 ] || fail "the loader's blocks are too many: $loader"

expect jq "$loader" jq -s 'map(.list[0])|add' lines.json
expect sqlite3 "$loader" sqlite3 :memory: 'create table t(a,b);with recursive c(x) as(values(1) union all select x+1 from c where x<500) insert into t select x,x*7%13 from c;select b,count(*),sum(a) from t group by b'
expect git-log "$loader" git -C repository log --stat --format=%H
expect bc "$loader" bc -q sum.bc
expect perl "$loader" /usr/bin/perl -e 'my %h; $h{$_%101}.=$_ for 1..3000; print length join "", map {$h{$_}} sort keys %h'
expect cc1 "$loader" "$cc1" -quiet -O1 source.c -o source.s
expect python3 "$loader" /usr/bin/python3 -S -E -c 'print(sum(len(str(i)) for i in range(2000)))'
