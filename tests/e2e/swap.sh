#!/bin/bash
# Four threads that pass the same few addresses around: no birth at a live address, no death of a dead block, in
# ten million events; and addresses did go from thread to thread.
. "$(dirname "$0")/lib.sh"

# swap EVENTS SLOTS LEAST TUNABLES: LEAST of the births must be at an address that another thread freed.
swap() {
	GLIBC_TUNABLES=$4 record t.tide --free-stacks=off -- "$programs/swap" 4 "$1" "$2" >out
	same "status" 0 "$status"
	sound t.tide "$1"
	"$tracecheck" order t.tide >check.out || fail "swap $1 $2: $(cat check.out)"
	cat check.out
	events=$(sed 's/ .*//' out)
	counted=$(info t.tide '.allocations + .frees')
	[ $((counted - events)) -ge 0 ] && [ $((counted - events)) -le 40 ] || fail "$events events made, $counted in the trace"
	same "implied frees" 0 "$(info t.tide .implied_frees)"
	passed_on=$(sed -n 's/.*passed_on=\([0-9]*\).*/\1/p' check.out)
	[ "$passed_on" -ge "$3" ] || fail "only $passed_on addresses went from thread to thread"
}

swap "${HT_SWAP_EVENTS:-10000000}" 8 10000 ""
swap 2000000 64 1000 glibc.malloc.tcache_count=0
