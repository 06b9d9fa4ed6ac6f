#!/bin/bash
# A trace cut off anywhere reads up to there and says so; a flipped byte is found; nothing crashes or hangs.
. "$(dirname "$0")/lib.sh"

record t.tide -- "$programs/htload" -s 1 -t 4 -n 40000 ledger
same "status" 0 "$status"
sound t.tide 20000
bytes=$(stat -c %s t.tide)
whole=$(info t.tide .allocations)

# read_it WHAT: info, verify and report of d.tide end by themselves with 4 (3 where too little is left to be a trace).
read_it() {
	local command most=-1
	for command in "info --json" verify "report --json"; do
		# shellcheck disable=SC2086 # words
		status_of timeout 20 "$heaptide" $command d.tide >out 2>err
		case $status in
		3 | 4) ;;
		0) [ "$2" = may-be-whole ] || fail "$1: $command says nothing is wrong" ;;
		*) fail "$1: $command ended with $status: $(head -3 err)" ;;
		esac
		[ -s err ] || [ -s out ] || fail "$1: $command said nothing"
		if [ "$command" = "info --json" ] && [ -s out ]; then
			most=$(jq .allocations out) || fail "$1: info's output is no JSON"
		fi
	done
	[ "$most" -le "$whole" ] || fail "$1: more allocations than there were"
}

# Cut at each block of events, and at random bytes.
offsets=$("$tracecheck" blocks t.tide)
for at in $offsets $(for _ in $(seq 40); do random "$bytes"; done) $((bytes - 1)); do
	[ "$at" -lt "$bytes" ] || continue
	head -c "$at" t.tide >d.tide
	read_it "cut at $at of $bytes" never-whole
done

# Flip a byte at a random place; what only concerns the footer's index may go unseen by some commands.
for _ in $(seq 60); do
	at=$(random "$bytes")
	cp t.tide d.tide
	old=$(od -An -tu1 -j"$at" -N1 t.tide)
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %02x $((old ^ (1 + $(random 255)))))" | dd of=d.tide bs=1 seek="$at" conv=notrunc status=none
	read_it "byte $at of $bytes flipped" may-be-whole
	status_of timeout 20 "$heaptide" verify d.tide >out 2>&1
	[ "$status" != 0 ] || fail "byte $at of $bytes flipped, and verify says ok"
done
