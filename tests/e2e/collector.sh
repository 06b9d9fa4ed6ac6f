#!/bin/bash
# The collector dies, or stands still, in the middle: the target does not notice more than a bounded wait, record
# returns its status, the file is readable, and what is missing is counted.
. "$(dirname "$0")/lib.sh"

# Where `finished` of the first thread stands in a ledger: header 8 words, 7 and the calls before it.
finished_at=$(((8 + 7 + 9) * 8))

# start COMMAND...: records it in the background; pids in $recorder, $target and $gatherer.
start() {
	rm -f t.tide out ledger
	"$heaptide" record -q -o t.tide -- "$@" >out 2>err &
	recorder=$!
	for _ in $(seq 400); do
		target=$(pgrep -P "$recorder" -x "${1##*/}" || true)
		gatherer=$(pgrep -P "$recorder" | grep -vx "${target:-none}" | head -1 || true)
		[ -z "$target" ] || [ -z "$gatherer" ] || return 0
		kill -0 "$recorder" 2>/dev/null || break
		sleep 0.005
	done
	fail "record has no two children: $(ps -o pid,ppid,comm --ppid "$recorder") $(cat err)"
}

# Killed while the target waits for signals.
start "$programs/signals" wait 20
for _ in $(seq 400); do
	! grep -q ready out || break
	sleep 0.01
done
sleep 0.3
kill -KILL "$gatherer"
sleep 0.3
kill -TERM "$target"
status_of wait "$recorder"
same "SIGKILL of the collector: status" 4 "$status"
same "SIGKILL of the collector: output" "ready term" "$(tr '\n' ' ' <out | sed 's/ $//')"
status_of "$heaptide" info --json t.tide >info.json
same "a trace without its end: status of info" 4 "$status"
same "a trace without its end: verdict" truncated "$(jq -r .verdict info.json)"
same "a trace without its end: complete" false "$(jq -r .complete info.json)"

# Killed at random moments of hard work: the target ends as if nothing had been.
for i in $(seq "${HT_COLLECTOR_KILLS:-12}"); do
	start "$programs/htload" -s "$i" -t 4 -n 400000 ledger
	sleep "0.$(printf %03d "$(random 120)")"
	kill -KILL "$gatherer" 2>/dev/null || true
	status_of timeout 60 tail --pid="$recorder" -f /dev/null
	same "kill $i: record ended" 0 "$status"
	status_of wait "$recorder"
	same "kill $i of the collector: status" 0 "$status"
	finished=$(od -An -tu8 -j"$finished_at" -N8 ledger | tr -d ' ')
	same "kill $i of the collector: the target's work" 1 "$finished"
	status_of "$heaptide" verify t.tide >verify.out 2>&1
	[ "$status" = 0 ] || [ "$status" = 3 ] || [ "$status" = 4 ] || fail "kill $i: verify: $status: $(cat verify.out)"
done

# Stopped for two seconds: bounded waits, then drops, each of them counted; the trace is in order.
start "$programs/htload" -s 1 -t 4 -n 600000 ledger
sleep 0.05
kill -STOP "$gatherer"
sleep 2
kill -CONT "$gatherer"
status_of timeout 60 tail --pid="$recorder" -f /dev/null
same "a stopped collector: record ended" 0 "$status"
status_of wait "$recorder"
same "a stopped collector: status" 0 "$status"
same "a stopped collector: verdict" ok "$(info t.tide .verdict)"
"$heaptide" verify t.tide >verify.out 2>&1 || fail "verify: $(head -5 verify.out)"
made=$("$tracecheck" ledger t.tide ledger | tail -1 | sed 's/.*births=\([0-9]*\) deaths=\([0-9]*\) .*/\1 + \2/' || true)
recorded=$(info t.tide '.allocations + .frees')
lost=$(info t.tide '[.lost_events[]] | add // 0')
echo "a stopped collector: $((made)) made, $recorded recorded, $lost lost"
[ $((recorded + lost)) -ge $((made)) ] || fail "$((made)) events made, $recorded recorded, only $lost counted as lost"
