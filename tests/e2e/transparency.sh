#!/bin/bash
# Programs that must not notice the hook: each command of transparency.list, plain and under record, gives the same
# output and the same status, and the trace shows at least the events that the list asks for.
. "$(dirname "$0")/lib.sh"

mkdir in
seq 1 20000 >in/numbers
for i in $(seq 1 300); do
	echo "{\"id\":$i,\"name\":\"n$i\",\"list\":[$i,$((i * 7 % 13))]}"
done >in/lines
printf 'int f(int a) { return a * 3; }\nint main(void) { return f(2) - 6; }\n' >in/one.c
cat >in/two.cc <<'CC'
#include <cstdio>
#include <map>
#include <string>
int main()
{
	std::map<std::string, int> m;
	for (int i = 0; i < 900; i++)
		m[std::to_string(i * 7919 % 1000)] += i;
	std::printf("%zu %d\n", m.size(), m.begin()->second);
}
CC
printf 'all: x y\nx:\n\t@sleep 0.1; echo x\ny: x\n\t@echo y\n' >in/Makefile
git init -q in/repository
for i in 1 2 3 4; do
	echo "$i" >>in/repository/file
	git -C in/repository add file
	GIT_AUTHOR_DATE="2020-01-0${i}T00:00:00Z" GIT_COMMITTER_DATE="2020-01-0${i}T00:00:00Z" \
		git -C in/repository -c user.name=a -c user.email=a@b commit -qm "change $i"
done

bad=0
count=0
while IFS='|' read -r name least command; do
	count=$((count + 1))
	status_of timeout 60 bash -c "$command" >plain.out 2>plain.err </dev/null
	plain=$status
	status_of timeout 120 "$heaptide" record -q --force -o t.tide -- bash -c "$command" >hooked.out 2>hooked.err </dev/null
	if [ "$plain" != "$status" ] || ! cmp -s plain.out hooked.out || ! cmp -s plain.err hooked.err; then
		echo "$name: status $plain, recorded $status: $(diff plain.out hooked.out | sed -n 1,3p) $(diff plain.err hooked.err | sed -n 1,3p)"
		bad=$((bad + 1))
		continue
	fi
	events=$(info t.tide '.allocations + .frees')
	lost=$(info t.tide '[.lost_events[]] | add // 0')
	verdict=$(info t.tide .verdict)
	# The shell that runs the command is recorded, too, with a few hundred events of its own.
	least=$((least + 100))
	if [ "$events" -lt "$least" ] || [ "$lost" != 0 ] || [ "$verdict" != ok ]; then
		echo "$name: $events events (wanted $least), $lost lost, verdict $verdict"
		bad=$((bad + 1))
	fi
done < <(grep -v '^#' "$e2e/transparency.list" | sed -E 's/^([^|]*)\|([^|]*)\|/\1|\2|/')
echo "$count programs, $bad noticed"
[ "$count" -ge 30 ] && [ "$bad" = 0 ]
