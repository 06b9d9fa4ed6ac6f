#!/bin/bash
# The trace is htload's own account, call for call: all functions of the family, 1, 4 and 64 threads, frees and
# reallocs of other threads' blocks, failing calls, children; and what `info` and `report` say is the same sum.
. "$(dirname "$0")/lib.sh"

# field NAME: a number from tracecheck's line.
field() {
	sed -n "s/.*\b$1=\([0-9]*\).*/\1/p" check.out
}

# one PROGRAM SEED THREADS CALLS FORKS
one() {
	local what="$1 -s $2 -t $3 -n $4 -f $5"
	record t.tide -- "$programs/$1" -s "$2" -t "$3" -n "$4" -c 5 -f "$5" ledger
	same "$what: status" 0 "$status"
	sound t.tide "$(($4 / 4))"
	"$tracecheck" ledger t.tide ledger >check.out || fail "$what: $(cat check.out)"
	same "$what: allocations" "$(($(field births) + $(field outside_births)))" "$(info t.tide .allocations)"
	same "$what: failed calls" "$(field failures)" "$(info t.tide .failed_calls)"
	same "$what: implied frees" 0 "$(info t.tide .implied_frees)"
	[ "$(field outside_births)" -le $(($3 * 4 + $5 * 4 + 20)) ] || fail "$what: $(field outside_births) allocations of libc's"
	[ "$(field matched)" -ge $(($4 / 2)) ] || fail "$what: only $(field matched) calls compared"
	if [ "$5" = 0 ]; then
		same "$what: frees" "$(($(field deaths) + $(field outside_deaths)))" "$(info t.tide .frees)"
	fi
	if [ "$3" = 1 ] && [ "$5" = 0 ]; then
		same "$what: peak" "$(($(field peak) + $(field base)))" "$(info t.tide .peak_live_bytes)"
	fi
}

# The report's rows, by the function that called the allocator.
rows() {
	local name
	"$heaptide" report --json --by=function --metric=allocs -n 0 t.tide >report.json
	for name in malloc calloc memalign posix_memalign aligned_alloc valloc pvalloc; do
		same "report: call_$name" "$(field "$name")" \
			"$(jq "[.rows[] | select(.function == \"call_$name\")
				| (.self.allocs // .allocs)] | add // 0" report.json)"
	done
}

one htload 1 1 100000 0
one htload 2 1 50000 0
one htload-clang 3 1 100000 0
one htload 4 4 200000 0
one htload-clang 5 4 200000 0
one htload 6 64 200000 0
one htload-clang 7 64 200000 0
one htload 8 1 20000 3
one htload 9 4 40000 2
rows

# Without addresses nobody can tell a child's frees of what it inherited from foreign ones, and that is said.
record t.tide --addresses=off -- "$programs/htload" -s 10 -t 1 -n 20000 -c 5 -f 2 ledger
undecided=$(info t.tide .undecided_frees)
[ "$undecided" -gt 0 ] || fail "--addresses=off with children: no undecided frees"
same "undecided frees are foreign ones" "$(info t.tide .foreign_frees)" "$undecided"
same "report: undecided frees" "$undecided" "$("$heaptide" report --json t.tide | jq .totals.undecided_frees)"
"$heaptide" info t.tide | grep -q '^odd frees .* foreign or inherited' || fail "info does not say it: $("$heaptide" info t.tide)"
