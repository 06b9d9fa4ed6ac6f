#!/bin/bash
# Threads that take turns at the same few addresses: each free in the trace is of the very block that the program freed,
# though a thread that was alone did not say exactly when.
. "$(dirname "$0")/lib.sh"

# freed TRACE: what turns prints, as the trace has it.
freed() {
	"$heaptide" dump "$1" | awk '
	$3 == "malloc" {
		split($4, seq, "="); split($5, size, "=")
		if (size[2] >= 17 && size[2] <= 24) { split($2, id, "/"); tid[seq[2]] = id[2]; number[seq[2]] = born[id[2]]++ }
	}
	$3 == "free" {
		split($4, seq, "=")
		if (!(seq[2] in tid)) next
		split($2, id, "/"); k = freed[id[2]]++
		by[id[2] " " k] = seq[2]
	}
	END {
		while ((getline line < "out") > 0) { split(line, f, " "); index_of[f[1]] = n++ }
		for (t in freed) {
			sum = 0
			for (k = 0; k < freed[t]; k++) {
				s = by[t " " k]
				sum = (sum + (number[s] + 1) % 1000003 * ((k % 97 + 1) * (index_of[tid[s]] + 1))) % 1000003
			}
			print t, freed[t], sum
		}
	}'
}

# turns THREADS TURNS [made]
turns() {
	GLIBC_TUNABLES=glibc.malloc.tcache_count=0 \
		record t.tide --events=alloc --free-stacks=off -- "$programs/turns" "$@" >out
	same "status" 0 "$status"
	sound t.tide 1000
	same "implied frees" 0 "$(info t.tide .implied_frees)"
	freed t.tide | sort >told
	sort out >known
	diff known told || fail "turns $*: not the blocks that were freed"
	echo "turns $*: $(awk '{n += $2} END {print n}' out) frees, each of the right block"
}

for i in 1 2; do
	turns 3 10000
	turns 2 10000
	turns 8 10000
	turns 6 5000 made
done
