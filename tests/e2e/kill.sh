#!/bin/bash
# SIGKILL at random moments loses nothing: every call that had returned is in the trace, no thread has more than
# one call beyond, and the trace is sound. Half of the kills come in the first 20 ms, where rings are new.
. "$(dirname "$0")/lib.sh"

kills=${HT_KILLS:-200}
matched=0
early=0
for i in $(seq 1 "$kills"); do
	rm -f ledger t.tide
	case $((i % 4)) in
	0) threads=1 most=150 ;;
	1) threads=4 most=150 ;;
	2) threads=4 most=20 ;;
	3) threads=16 most=20 ;;
	esac
	delay=$((1 + $(random "$most")))
	"$heaptide" record -q --force -o t.tide -- "$programs/htload" -e -s "$i" -t "$threads" -n 8000000 ledger &
	recorder=$!
	until target=$(pgrep -P "$recorder" -x htload); do
		kill -0 "$recorder" 2>/dev/null || break
	done
	sleep "$(printf '0.%03d' "$delay")"
	kill -KILL "$target" 2>/dev/null || true
	status_of wait "$recorder"
	same "kill $i: status" 137 "$status"
	if [ ! -s ledger ] || cmp -s -n 8 ledger /dev/zero; then # nor has it a header yet
		early=$((early + 1)) # before main
		continue
	fi
	sound t.tide 0 # the ledger may be there before the first call
	"$tracecheck" killed t.tide ledger >check.out || fail "kill $i ($threads threads, $delay ms): $(cat check.out)"
	m=$(sed -n 's/.*matched=\([0-9]*\).*/\1/p' check.out)
	matched=$((matched + m))
	[ "$m" -gt 0 ] || early=$((early + 1))
done
echo "$kills kills, $matched calls compared, $early before the first call"
[ "$matched" -ge $((kills * 200)) ] || fail "the kills came too early to mean anything"
[ "$early" -le $((kills / 4)) ] || fail "too many kills before the first call"
