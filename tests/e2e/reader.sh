#!/bin/bash
# The specification of the format is complete: a second reader, tests/reader/tide.py, which was written from it
# alone, finds in real traces, whole, cut off and damaged ones, the same events and the same totals as heaptide.
. "$(dirname "$0")/lib.sh"

reader=$HT_SOURCE/tests/reader
/usr/bin/python3 -c 'import xxhash, zstandard' 2>/dev/null || skip "python3-xxhash and python3-zstandard are not here"

# compared TRACE...: both readers say the same.
compared() {
	"$reader/compare" "$heaptide" "$@" >compare.out 2>&1 || fail "the readers differ: $(head -5 compare.out)"
}

# whole NAME LEAST [OPTION...] -- COMMAND...: records and compares.
whole() {
	local trace=$1.tide least=$2
	shift 2
	record "$trace" --wait=all "$@" >/dev/null
	sound "$trace" "$least"
	compared "$trace"
}

# block TRACE KIND [first]: offset and length of the payload of the largest block of this kind, or the first.
block() {
	/usr/bin/python3 -B - "$reader" "$1" "$2" "${3:-}" <<-'END'
		import sys
		sys.path.insert(0, sys.argv[1])
		from tidefile import Trace
		trace = Trace(sys.argv[2])
		heads = [(trace.head(at), at) for at, _ in trace.blocks]
		found = [(head.packed, at + 64) for head, at in heads if head.kind == int(sys.argv[3])]
		print((found[0] if sys.argv[4] and found else max(found, default=""))[::-1])
	END
}

# flipped TRACE OFFSET: TRACE with one bit of the byte at OFFSET turned over, in flipped.tide.
flipped() {
	cp "$1" flipped.tide
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf '%b' "\\x$(printf '%02x' $((byte ^ 16)))" | dd of=flipped.tide bs=1 seek="$2" conv=notrunc status=none
}

# verdict TRACE: what heaptide says of it.
verdict() {
	{ "$heaptide" info --json "$1" 2>/dev/null || true; } | jq -r .verdict
}

# damaged TRACE: a good trace in all the ways of being no longer good.
damaged() {
	local size at length kind
	size=$(stat -c %s "$1")

	# Cut off: in the middle, in a head, at the end of a block, before END, and with zeros behind.
	read -r at length <<<"$(block "$1" 16 | tr -d '(,)')"
	for at in $((size / 2)) $((at - 30)) $((at + length)) $((size - 64)) $((size - 1)); do
		head -c "$at" "$1" >cut.tide
		same "$1 cut at $at: verdict" truncated "$(verdict cut.tide)"
		compared cut.tide
		head -c 5000 /dev/zero >>cut.tide
		[ "$at" -gt $((size - 64)) ] || compared cut.tide
	done

	# Flipped: a bit of the payload and of the head of events (16), of nodes (4) and of strings (1), of switches (18) and waits (19).
	for kind in 16 4 1 18 19; do
		read -r at length <<<"$(block "$1" "$kind" | tr -d '(,)')"
		[ -n "$at" ] || continue
		for at in $((at + length / 2)) $((at - 40)) $((at - 64)); do
			flipped "$1" "$at"
			same "$1 flipped at $at: verdict" damaged "$(verdict flipped.tide)"
			compared flipped.tide
		done
	done

	# The first nodes are lost, and those that come later are not.
	read -r at length <<<"$(block "$1" 4 first | tr -d '(,)')"
	flipped "$1" $((at + length / 2))
	compared flipped.tide

	# The footer and END, and the header: the blocks are found without them.
	for at in $((size - 10)) $((size - 70)) 3 9 14 20; do
		flipped "$1" "$at"
		compared flipped.tide
	done
}

whole ls 100 -- ls -l /usr/bin
whole fork 100 -- bash -c '(ls / >/dev/null; echo a) | cat; for i in 1 2 3; do (x=$(seq 10)); done; (exec ls /); exec ls /'

/usr/bin/python3 -c 'import threading' 2>/dev/null && whole threads 1000 -- /usr/bin/python3 -c '
import threading
def work():
    kept = [bytes(1000 + i) for i in range(2000)]
    for i in range(0, 2000, 2):
        kept[i] = None
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()'

if command -v sqlite3 >/dev/null; then
	whole sqlite 1000 -- sqlite3 :memory: 'create table t(a, b); with recursive c(x) as (select 1 union all
		select x + 1 from c where x < 2000) insert into t select x, hex(randomblob(20)) from c;
		select count(distinct b), max(a) from t group by a % 7;'
fi
echo '[{"a":[1,2,3],"b":{"c":"d"}}]' >in.json
whole jq 1000 -- jq 'map(.a | add), (.[0] | keys), [range(500) | tostring]' in.json

# realloc, calls that fail, frees of other threads' blocks, children that free their parents' blocks.
for htload in "$programs/htload" "$programs"/../../../*/testdata/programs/htload; do
	[ -x "$htload" ] || continue
	for option in --addresses=on --addresses=off --timestamps=coarse --timestamps=each --free-stacks=off; do
		whole load 1000 "$option" -- "$htload" -s 5 -t 4 -n 20000 -c 5 -f 2 ledger
	done
	break
done

# Where time went: threads that wait for locks, for each other, for a pipe and for a timer. How much of it there is is for other
# tests; here, that both readers find the same.
[ ! -e threads.tide ] || whole waits 10 --events=+sync,+io,+sched,+stall -- /usr/bin/python3 -c '
import os, threading, time
end, begin = os.pipe()
lock, ready = threading.Lock(), threading.Condition()
def work():
    for i in range(200):
        with lock:
            time.sleep(0.0001)
        os.write(begin, b"x")
        with ready:
            ready.notify()
def read():
    for i in range(600):
        os.read(end, 1)
def wait():
    for i in range(20):
        with ready:
            ready.wait(0.001)
threads = [threading.Thread(target=target) for target in (work, work, work, read, wait)]
for thread in threads: thread.start()
for thread in threads: thread.join()'
if [ -e waits.tide ]; then
	[ "$("$heaptide" dump --op=wait waits.tide | wc -l)" -gt 100 ] || fail "a program that waited shows no waits"
	damaged waits.tide
fi

damaged fork.tide
[ ! -e load.tide ] || damaged load.tide
for trace in "$HT_SOURCE"/testdata/corpus/trace/trace_file/v2-*; do
	compared "$trace"
done
