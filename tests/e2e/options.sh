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

# The trace says what was asked for, so that a view without anything to show tells "it did not happen" from "nobody looked".
# asked LIST EVENTS: a recording with --events=LIST names these; known waits for a thread and sleeps, and for no lock.
asked() {
	record t.tide --events="$1" -- "$programs/known"
	[ "$(info t.tide '.events | add')" -gt 0 ] || fail "--events=$1: nothing recorded: was the hook loaded?"
	"$heaptide" verify t.tide >check.out || fail "--events=$1: $(cat check.out)"
	same "--events=$1: events_recorded" "$2" "$(info t.tide '.events_recorded | join(",")')"
	same "--events=$1: in text" "events      ${2//,/, }" "$("$heaptide" info t.tide | sed -n 's/;.*//; /^events /p')"
	same "--events=$1: dump" "recorded  events=$2" "$("$heaptide" dump --tables -n 1 t.tide | head -1)"
}
# says LINE COMMAND...: one of the lines of what it prints, on either side; the status is 0.
says() {
	local line=$1
	shift
	"$heaptide" "$@" t.tide >said 2>&1 || fail "$*: status $?"
	grep -Fqx -- "$line" said || fail "$*: not '$line': $(cat said)"
}
# unsaid PATTERN COMMAND...
unsaid() {
	local pattern=$1
	shift
	"$heaptide" "$@" t.tide >said 2>&1 || fail "$*: status $?"
	! grep -q -- "$pattern" said || fail "$*: says '$pattern': $(cat said)"
}
asked +stall,+fault alloc,map,thread,sync,io,sched,stall,fault
unsaid 'not recorded' latency
unsaid '; not' info
asked fault,stall,-fault,io,alloc alloc,io,stall
asked alloc alloc
says "waits and context switches were not recorded (record with --events=+sync,+io,+sched)" latency
says "waits for locks were not recorded (record with --events=+sync)" latency --view=locks
says "waits were not recorded (record with --events=+sync,+io)" latency --view=blocking
says "waits for I/O were not recorded (record with --events=+io)" latency --view=io
says "context switches were not recorded (record with --events=+sched)" latency --view=scheduler
says "page faults were not recorded (record with --events=+fault)" latency --view=faults
says "heaptide: the profile is empty: waits for locks were not recorded" export --profile=mutex --format=folded -o folded
says "  hint: \`heaptide record --events=+sync\` records them" export --profile=block --format=folded -o folded
says "heaptide: waits and context switches were not recorded: what threads did is not known (record with --events=+sync,+io,+sched)" \
	timeline
same "not_recorded" '["sync"] []' "$("$heaptide" latency --json --view=locks t.tide | jq -c '.not_recorded, .rows' | paste -sd' ')"
asked alloc,sync alloc,sync
says "no lock was waited for" latency --view=locks
unsaid 'record with' latency --view=locks
says "waits for I/O were not recorded (record with --events=+io)" latency --view=blocking # behind the wait for the thread
says "heaptide: the profile is empty: there are no waits for locks in this trace" export --profile=mutex --format=folded -o folded
unsaid 'hint' export --profile=mutex --format=folded -o folded
same "not_recorded" '[] []' "$("$heaptide" latency --json --view=locks t.tide | jq -c '.not_recorded, .rows' | paste -sd' ')"
asked sync,io sync,io
says "allocations were not recorded (record with --events=+alloc)" report
says "allocations were not recorded (record with --events=+alloc)" report --view=sites
same "not_recorded" '[]' "$("$heaptide" latency --json --view=blocking t.tide | jq -c .not_recorded)"
# Traces from before say nothing of it: then views do as they did.
cp "$HT_SOURCE/testdata/corpus/trace/trace_file/v2-one" t.tide
same "events_recorded of an older trace" null "$(info t.tide .events_recorded)"
same "not_recorded of an older trace" null "$("$heaptide" latency --json t.tide | jq .not_recorded)"
says "this trace holds no waits and no context switches (record with --events=+sync,+io,+sched)" latency
unsaid '^recorded ' dump --tables

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
