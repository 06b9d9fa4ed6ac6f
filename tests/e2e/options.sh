#!/bin/bash
# Each option of record changes what it says and nothing else: the counts stay htload's own under all of them.
. "$(dirname "$0")/lib.sh"

# with OPTION...: htload under these options; the trace is its ledger.
with() {
	record t.tide "$@" -- "$programs/htload" -s 21 -t 2 -n 20000 -c 2 ledger
	same "$*: status" 0 "$status"
	sound t.tide 10000
	"$tracecheck" ledger t.tide ledger >check.out || fail "$*: $(cat check.out)"
}

with --free-stacks=off
with --free-stacks=on
with --timestamps=each
with --timestamps=coarse
with --stack-depth=4
with --events=alloc
with --events=alloc,thread
with --argv=none
with --ring-memory=1M
with --collector-memory=16M
with --self-check
same "--self-check: differences" 0 "$(info t.tide .self_check.differences)"
allocations=$(info t.tide .allocations)

# Where time went is recorded beside the events: theirs stay what they were, and the accounts hold.
with --events=+sync,+io,+sched,+stall,+fault
"$heaptide" verify t.tide >check.out || fail "with waits and switches: $(cat check.out)"
same "with waits: what is counted" "$(info t.tide '.events | [.sync + .io, .stall, .fault]')" \
	"[
  $("$heaptide" dump --op=wait t.tide | wc -l),
  $("$heaptide" dump --op=stall t.tide | wc -l),
  $("$heaptide" dump --op=fault t.tide | wc -l)
]"

# What there is not is refused before anything runs, not ignored.
for option in --events=+stalls --events=everything; do
	status_of "$heaptide" record --force -o refused.tide "$option" -- touch ran 2>err
	same "$option: status" 2 "$status"
	one_line err "unknown kind of event"
	[ ! -e ran ] && [ ! -e refused.tide ] || fail "$option: something ran"
done

# Without addresses the sums are the same.
record t.tide --addresses=off -- "$programs/htload" -s 21 -t 2 -n 20000 -c 2 ledger
sound t.tide 10000
[ "$(info t.tide .allocations)" -ge $((allocations - 200)) ] || fail "--addresses=off: $(info t.tide .allocations) allocations"

# Depth: no stack in the trace is longer, and the leaf is kept.
record t.tide --stack-depth=4 -- "$programs/htload" -s 21 -t 1 -n 5000 ledger
"$heaptide" report --json --by=stack -n 0 t.tide >report.json
# twice the limit at most, and inlined frames are frames, too
deepest() {
	jq '[.rows[].stack | map(select(.inlined | not)) | length] | max' report.json
}
[ "$(deepest)" -le 8 ] || fail "--stack-depth=4 left a stack of $(deepest) frames"
jq -e '[.rows[] | .stack[0].function // .function] | any(. == "call_malloc")' report.json >/dev/null ||
	fail "--stack-depth=4 lost the leaf"

# The same by environment variable.
HEAPTIDE_STACK_DEPTH=4 record t.tide -- "$programs/htload" -s 21 -t 1 -n 5000 ledger
"$heaptide" report --json --by=stack -n 0 t.tide >report.json
[ "$(deepest)" -le 8 ] || fail "HEAPTIDE_STACK_DEPTH=4 left a stack of $(deepest) frames"

# Rings that are far too small, and no waiting: losses are counted, said, and make --strict fail.
record t.tide --on-full=drop --ring-memory=64K -- "$programs/swap" 4 3000000
same "--on-full=drop: status" 0 "$status"
lost=$(info t.tide '[.lost_events[]] | add // 0')
echo "--on-full=drop with 64 KiB of rings: $lost lost"
same "--on-full=drop: complete" "$([ "$lost" = 0 ] && echo true || echo false)" "$(info t.tide .complete)"
"$heaptide" verify t.tide >verify.out 2>&1 || fail "--on-full=drop: verify: $(head -5 verify.out)"
[ "$(info t.tide '.allocations + .frees')" -gt 1000 ] || fail "--on-full=drop: nothing recorded"
if [ "$lost" != 0 ]; then
	record t.tide --strict --on-full=drop --ring-memory=64K -- "$programs/swap" 4 3000000 2>/dev/null
	[ "$(info t.tide '[.lost_events[]] | add // 0')" = 0 ] || same "--strict with losses: status" 125 "$status"
fi

# --exec: the target has record's own process id.
bash -c 'echo $$; exec "$0" record --exec -q -o exec.tide -- bash -c "echo \$\$; exit 5"' "$heaptide" >out || status=$?
same "--exec: status" 5 "$status"
same "--exec: process ids" 1 "$(sort -u out | wc -l)"
ended exec.tide
sound exec.tide 500

# --status-file tells the exact end.
record t.tide --status-file s.json -- "$programs/signals" die 9 2>/dev/null
same "--status-file" 9 "$(jq '.. | .signal? // empty' s.json | head -1)"

# Names of output files.
"$heaptide" record -q -- "$programs/signals" exit 0
[ "$(compgen -G 'signals.*.tide' | wc -l)" = 1 ] || fail "no signals.PID.tide: $(ls)"
"$heaptide" record -q -o 'a.%p.tide' -- bash -c 'echo $$ >pid'
[ -f "a.$(cat pid).tide" ] || fail "%p is not the target's pid: $(ls)"
