#!/bin/bash
# Programs that wait for each other in many ways, recorded, and each rule of both timeline formats looked at in what is
# made of them (tests/timeline/check_*.py): forks, programs that become others, many short threads, all kinds of waits.
# handoffs knows who woke whom how often: so many arrows there are, from those to those.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
rules=$HT_SOURCE/tests/timeline

# both NAME COMMAND...: records, writes both files, looks at them. Without perf events there are no switches; all else
# holds.
both() {
	local name=$1
	shift
	record "$name.tide" --events=+sync,+io,+sched,+stall,+fault -- "$@" >out
	same "$name: status" 0 "$status"
	sound "$name.tide"
	"$heaptide" timeline -o "$name.pftrace" "$name.tide" 2>err
	"$heaptide" timeline -o "$name.json" "$name.tide" 2>err
	/usr/bin/python3 "$rules/check_pftrace.py" --json "$name.pftrace" >"$name.perfetto" 2>err ||
		fail "$name: $(head -5 err)"
	/usr/bin/python3 "$rules/check_chrome.py" --json "$name.json" >"$name.chrome" 2>err || fail "$name: $(head -5 err)"
}

both convoy "$programs/convoy" truth.json 4 100
both producer "$programs/producer" truth.json 500
both connections "$programs/connections" truth.json 6 50
both starve "$programs/starve" truth.json 5
both becomes "$programs/hogs" -f
both short "$programs/hogs" -s 60
both requests "$programs/requests" 3 60 truth.json
for region in parse work lookup reply; do
	same "perfetto: slices of region $region" 60 \
		"$(jq "[.events[] | select(.type == 1 and .name == \"$region\")] | length" requests.perfetto)"
	same "chrome: slices of region $region" 60 \
		"$(jq "[.slices[] | select(.[3] == \"$region\")] | length" requests.chrome)"
done
same "chrome: tasks" 60 "$(jq '[.tasks[] | select(.name == "request")] | length' requests.chrome)"
same "perfetto: tasks" 60 "$(jq '[.events[] | select(.type == 1 and .annotations."begun by")] | length' requests.perfetto)"

both handoffs "$programs/handoffs" truth.json 300
# Waker, woken, how, how often. (The joins at the end are not handoffs.)
jq -r '{mutex: "unlock", cond: "signal", sem: "post"} as $by |
	.handoffs.by_pair[] | select(.count > 0) | "\(.waker) \(.wakee) \($by[.kind]) \(.count)"' truth.json | sort >wanted
jq -r '.tracks as $tracks | def tid: $tracks[.track | tostring].tid;
	([.events[] | select(.type == 3 and (.ends | length) == 1) | {key: (.ends[0] | tostring), value: tid}] |
		from_entries) as $to |
	[.events[] | select(.type == 3 and (.flows | length) == 1) |
		"\(tid) \($to[.flows[0] | tostring]) \(.name | split(" ")[0])"] |
	group_by(.)[] | "\(.[0]) \(length)"' handoffs.perfetto | grep -v ' exit ' | sort >got
diff wanted got >difference || fail "who woke whom (<: the program's own count): $(cat difference)"
same "chrome: as many arrows" "$(jq .flows handoffs.perfetto)" "$(jq .flows handoffs.chrome)"
