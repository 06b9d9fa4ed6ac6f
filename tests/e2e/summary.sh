#!/bin/bash
# What record prints at the end is what info finds in the file, though record reads nothing: the collector has counted
# peak and rest as it went (that they are right to the byte, verify says).
. "$(dirname "$0")/lib.sh"

# from_info, from_record: allocations, frees, peak, its time, not freed, in so many blocks
from_info() {
	"$heaptide" info t.tide | sed -n -E \
		-e 's/^allocations +([0-9,]+) .*frees ([0-9,]+) .*/\1|\2/p' \
		-e 's/^peak +(.*[^ ]) +in blocks [0-9,]+ +at ([0-9.,]+ [a-zµ]+).*/\1|\2/p' \
		-e 's/^not freed +(.*[^ ]) +in blocks ([0-9,]+).*/\1|\2/p' | paste -sd'|'
}
from_record() {
	sed -n -E \
		-e 's/^  allocations +([0-9,]+) .* peak +(.*[^ ]) at ([0-9.,]+ [a-zµ]+).*/a|\1|\2|\3/p' \
		-e 's/^  frees +([0-9,]+) +not freed (.*) in ([0-9,]+) blocks?$/f|\1|\2|\3/p' said |
		paste -sd'|' | awk -F'|' '{print $2 "|" $6 "|" $3 "|" $4 "|" $7 "|" $8}'
}

# compare NAME OPTIONS... -- COMMAND...
compare() {
	local name=$1
	shift
	status_of "$heaptide" record --force -o t.tide "$@" >out 2>said
	seen t.tide
	[ "$("$heaptide" info --json t.tide | jq .allocations)" -gt 100 ] || fail "$name: hardly anything was recorded"
	"$heaptide" verify t.tide >verified || fail "$name: $(cat verified)"
	case $(from_info) in *'|'*'|'*'|'*'|'*'|'*) ;; *) fail "$name: info says $("$heaptide" info t.tide)" ;; esac
	same "$name" "$(from_info)" "$(from_record)"
}

compare "a program" -- jq -n '[range(20000)]|map(tostring)|length'
compare "children" --wait=all -- bash -c 'for i in 1 2 3; do (declare -a a; for k in {1..300}; do a[k]=$k$k; done); done; exec jq -n "[range(3000)]|length"'
compare "threads" -- "$programs/stress" 4 20000
compare "little memory: blocks of unknown end" --collector-memory=1M -- jq -n '[range(200000)]|map(tostring)|length'
compare "deaths at clock's pace" --timestamps=coarse -- "$programs/swap" 4 100000 8
