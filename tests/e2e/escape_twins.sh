#!/bin/bash
# What the views growth, churn and sizes of `heaptide escape` say is proved by twins: the program that does what the view
# proposes saves what was said, within 5 % (testdata/programs/escape/twin).
. "$(dirname "$0")/lib.sh"

twin=$HT_SOURCE/testdata/programs/escape/twin

# build NAME SOURCE [FLAG...]
build() {
	local source=$2 compiler=gcc
	[ "${source##*.}" = cc ] && compiler="g++ -std=c++17"
	# shellcheck disable=SC2086
	$compiler -g -O1 -Wall -Wextra -o "$1" "$twin/$source" "${@:3}"
	record "$1.tide" -- "./$1"
	same "$1: status" 0 "$status"
	seen "$1.tide" 100
}

# row VIEW TRACE FUNCTION JQ-EXPRESSION [OPTION...]
row() {
	"$heaptide" escape --view="$1" --json "${@:5}" "$2" | jq -r --arg f "$3" "[.rows[] | select(.function == \$f)][0] | $4"
}

# near WHAT SAID GOT: within 5 %
near() {
	jq -en --argjson a "$2" --argjson b "$3" '($a - $b | fabs) <= 0.05 * ([$a, $b] | max)' >/dev/null ||
		fail "$1: said $2, got $3"
}

# --- growth: by realloc, by hand, by std::vector and std::string ------------------------------
# grows NAME SOURCE FUNCTION [OPTION...]
grows() {
	local copies saved capacity after
	build "$1" "$2"
	copies=$(row growth "$1.tide" "$3" .copies "${@:4}")
	saved=$(row growth "$1.tide" "$3" .saved.copies "${@:4}")
	capacity=$(row growth "$1.tide" "$3" .final_bytes.p90 "${@:4}")
	[ "$copies" -gt 100 ] && [ "$saved" -gt 0 ] || fail "$1: growth says nothing: $copies copies, $saved saved"
	same "$1: copies that happened" "$(./"$1" count)" "$copies"
	build "$1-twin" "$2" -DCAPACITY="$capacity"
	after=$(./"$1-twin" count)
	near "$1: an initial capacity of $capacity saves copies" "$saved" $((copies - after))
}
grows by-realloc grow_realloc.c append
grows by-hand grow_hand.c append
grows by-vector grow_vector.cc collect '--allocators=^(std|__gnu_cxx)::'

# --- churn: one pool, and one for each thread ---------------------------------------------------
build churn churn.c -pthread
pool=$(row churn churn.tide get .shared.blocks)
saved=$(row churn churn.tide get .shared.saved_allocs)
same "churn: enough" true "$(row churn churn.tide get .shared.enough)"
before=$(info churn.tide .allocations)
build churn-twin churn.c -pthread -DPOOL="$pool"
near "churn: a pool of $pool saves calls" "$saved" $((before - $(info churn-twin.tide .allocations)))
# One fewer does not serve 99 %.
requests=$(row churn churn.tide get .allocs)
build churn-less churn.c -pthread -DPOOL=$((pool - 1))
[ $(((before - $(info churn-less.tide .allocations)) * 100)) -lt $((requests * 99)) ] || fail "churn: a pool of $pool is not the smallest"
each=$(row churn churn.tide get .per_thread.blocks_each)
saved=$(row churn churn.tide get .per_thread.saved_allocs)
build churn-each churn.c -pthread -DPOOL="$each" -DEACH
near "churn: a pool of $each for each thread saves calls" "$saved" $((before - $(info churn-each.tide .allocations)))

# --- sizes ----------------------------------------------------------------------------------------
build sizes sizes.c
read -r requested usable tiny < <(./sizes)
same "sizes: requested" "$requested" "$(row sizes sizes.tide hold .bytes)"
near "sizes: usable" "$(row sizes sizes.tide hold .usable_bytes)" "$usable"
near "sizes: wasted" "$(row sizes sizes.tide hold .wasted_bytes)" $((usable - requested))
same "sizes: under 16" "$tiny" "$(row sizes sizes.tide hold .under_16)"

# --- lifetimes ------------------------------------------------------------------------------------
build ages ages.c
same "lifetimes: short" 0 "$(row lifetimes ages.tide brief .survived.ms)"
same "lifetimes: a millisecond" 100 "$(row lifetimes ages.tide longer .survived.ms)"
same "lifetimes: a second" 100 "$(row lifetimes ages.tide longest .survived.s)"
same "lifetimes: a minute" 0 "$(row lifetimes ages.tide longest .survived.min)"
same "lifetimes: in allocations" 99 "$(row lifetimes ages.tide longer .lifetime_allocs.max)"

# --- without stacks of frees ------------------------------------------------------------------------
record bare.tide --free-stacks=off -- ./churn
"$heaptide" escape bare.tide | grep -q 'stacks of frees were not recorded' || fail "missing stacks of frees are not said"
same "no stacks of frees: certain verdicts" 0 "$("$heaptide" escape --json bare.tide |
	jq '[.rows[] | select(.certainty == "certain" and (.verdict | IN("kept", "escapes-thread") | not))] | length')"

# --- all views in all shapes ------------------------------------------------------------------------
for view in verdicts growth churn sizes lifetimes; do
	"$heaptide" escape --view=$view churn.tide >text || fail "$view as text"
	[ -s text ] || fail "$view as text is empty"
	"$heaptide" escape --view=$view --json churn.tide | jq -e '.schema == "heaptide.escape/1" and (.rows | type == "array")' >/dev/null || fail "$view as JSON"
	"$heaptide" escape --view=$view --csv -o rows.csv churn.tide
	/usr/bin/python3 -c 'import csv, sys; r = list(csv.reader(open(sys.argv[1]))); assert len(r) >= 1 and len({len(x) for x in r}) == 1, r[:3]' rows.csv ||
		fail "$view as CSV"
done
# Annotated source: the line, and its verdict below it.
"$heaptide" escape --list='^get$' churn.tide >list.txt
grep -A1 'p = malloc(64);' list.txt | grep -q '↳ malloc(64) in get escapes to work, 1 up' || fail "list: $(cat list.txt)"
same "list as data" 1 "$("$heaptide" escape --list='^get$' --json churn.tide | jq '.rows | length')"
status_of "$heaptide" escape --list='(' churn.tide 2>err
same "list of no expression: status" 2 "$status"
one_line err '--list'

# --- without the program's code ---------------------------------------------------------------------
# Two calls from one place look the same: that a block is freed by the later one, only the code can tell.
gcc -g -O2 -o path "$twin/../same_path.c"
record path.tide -- ./path
seen path.tide 100
same "with the code" reused "$("$heaptide" escape --json path.tide | jq -r '.rows[] | select(.function == "refresh") | .verdict')"
"$heaptide" symbolize path.tide >/dev/null
rm path
same "without the code" "unknown null" "$("$heaptide" escape --json path.tide |
	jq -r '.rows[] | select(.function == "refresh") | "\(.verdict) \(.certainty)"')"
# A sampled recording says that it is one.
record sampled.tide --sample=64 -- ./churn
seen sampled.tide 10
"$heaptide" escape sampled.tide | grep -q '^a sampled recording' || fail "a sampled recording is not said"
