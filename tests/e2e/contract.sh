#!/bin/bash
# The command line as scripts rely on it: each command's JSON keys, CSV, exit statuses, the last line of each screen, the
# environment's variables. What the numbers in it are, other tests say.
. "$(dirname "$0")/lib.sh"

record t.tide --timestamps=each -- "$programs/known"
sound t.tide 8000
record u.tide --timestamps=each -- "$programs/known"
sound u.tide 8000
strip -o bare "$programs/known"
record s.tide -- ./bare
sound s.tide 8000
head -c $(($(stat -c %s t.tide) * 2 / 3)) t.tide >cut.tide
trap 'echo "FAIL: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&2; head -3 err >&2 || true' ERR

# --- names -------------------------------------------------------------------------------------
"$heaptide" >overview
commands=$(sed -n 's/^  \([a-z]*\)  .*/\1/p' overview)
same "columns of the overview" 1 "$(sed -n 's/^\(  [a-z]*  *\)[a-z].*/\1/p' overview | awk '{ print length($0) }' | sort -u | wc -l)"
for command in record info report diff check export symbolize verify dump doctor escape latency timeline; do
	grep -qx $command <<<"$commands" || fail "the overview does not list $command"
done
for command in advise layout serve top attach detach query replay import merge; do
	! grep -qx $command <<<"$commands" || fail "the overview lists $command"
	status_of "$heaptide" $command t.tide >out 2>err
	same "$command: status" 2 "$status"
	one_line err "$command: unknown command"
done
for command in $commands; do
	MANPAGER=cat "$heaptide" help "$command" >out 2>err || fail "help $command: $(cat err)"
	grep -q "heaptide.$command" out || fail "help $command does not speak of it"
done

# --- tables: NAME|COMMAND WITH OPTIONS|KEYS OF THE OBJECT|KEYS OF A ROW ---------------------------
counts=allocs,bytes,frees,freed_here,live_objects,live_bytes,peak_objects,peak_bytes,own_peak_bytes,own_peak_time_ns,leaked_objects,leaked_bytes,temporary
totals=events,events_recorded,allocations,frees,allocated_bytes,peak_live_bytes,peak_live_objects,peak_time_ns,end_live_bytes,end_live_objects,lost_events,foreign_frees,inherited_frees,implied_frees,failed_calls,truncated_stacks,stacks
frame=function,file,line,module,inlined
both=self.allocs,self.bytes,self.peak_bytes,total.allocs,total.bytes,total.peak_bytes
of_diff=old.allocs,old.bytes,old.peak_bytes,new.allocs,new.bytes,new.peak_bytes
cat >tables <<-END
	info|info t.tide|format_version,complete,verdict,command,exit_status.code,start_utc,duration_ns,images,threads,modules,$totals,shadowed_by,sources.sched,sources.clock,file_bytes,bytes_per_event,self_check,recorder.cpu_ns,recorder.peak_rss,recorder.blocked_ns,events.alloc,events.free,events.realloc,events.map,events.thread,events.sync,events.io,events.sched,events.stall,events.fault|
	report|report t.tide|totals,rows,truncated_rows|$frame,$counts
	report sites|report --view=sites t.tide|$(sed 's/[^,]*/totals.&/g' <<<"$totals")|$frame,$counts
	report stacks|report --by=stack t.tide|totals|$frame,$counts,stack
	report functions|report --by=function t.tide|totals|$frame,$counts,$both
	report tree|report --view=tree t.tide|totals|$frame,$both
	report callers|report --view=callers t.tide|totals|$frame,$both
	report list|report --list=burn t.tide|totals|line,source,self.allocs,total.allocs
	report threads|report --view=threads t.tide|totals|name,tid,allocs,bytes
	report sizes|report --view=sizes t.tide|totals|min,max,allocs,bytes
	report lifetimes|report --view=lifetimes t.tide|totals|$frame,lifetime_ns.p50,lifetime_ns.p99
	report modules|report --view=modules t.tide|totals|module,$counts
	diff|diff t.tide u.tide|$of_diff,rows,failed,truncated_rows|function,file,status,$of_diff,delta.allocs,delta.bytes,delta.peak_bytes
	check|check --max-allocs=1000000 t.tide|rows|rule,broken,new,allowed,stack
	escape|escape t.tide|rows,truncated_rows|function,file,line,size.min,size.median,size.max,allocs,bytes,verdict,certainty,frames_up,freed_by,share,lifetime_ns.p50,lifetime_ns.p99,lifetime_ns.max
	symbolize|symbolize u.tide|rows|path,addresses,resolved,kind,reason
	doctor|doctor $programs/known|program,recordable,rows|check,status,finding,remedy
END
# lacking KEYS FILE JQ: those of the dotted keys that the value has not.
lacking() {
	jq -r --arg keys "$1" "($3) as \$v | \$keys | split(\",\")[] | select(. != \"\") | . as \$key |
		select([\$v | paths | map(tostring) | join(\".\")] | index(\$key) | not)" "$2"
}
while IFS='|' read -r name words keys row_keys; do
	read -ra line <<<"$words"
	"$heaptide" "${line[0]}" --json "${line[@]:1}" >one.json 2>err || fail "$name: $(cat err)"
	"$heaptide" "${line[0]}" --json "${line[@]:1}" >two.json 2>err || fail "$name: $(cat err)"
	[ "$name" = symbolize ] || cmp -s one.json two.json || fail "$name: not the same twice"
	same "$name: schema" "schema heaptide.${line[0]}/1" "$(jq -r '"\(keys_unsorted[0]) \(.schema)"' one.json)"
	same "$name: keys that are not there" "" "$(lacking "$keys" one.json .)"
	[ -z "$row_keys" ] || same "$name: keys that no row has" "" "$(lacking "$row_keys" one.json '.rows[0]')"
	# Unknown is null; an unresolved frame says where it is, and why.
	same "$name: unknown, and not null" 0 "$(jq '[.. | strings | select(. == "??" or . == "")] | length' one.json)"
	[ "$name" = "report modules" ] || same "$name: frames without a reason" 0 "$(jq '[.. | objects | select(has("inlined") and .function == null) |
		select((.address and .unresolved and has("build_id") and has("module")) | not)] | length' one.json)"
	"$heaptide" "${line[0]}" --csv "${line[@]:1}" >rows.csv 2>err || fail "$name as CSV: $(cat err)"
	/usr/bin/python3 -c 'import csv, sys; r = list(csv.reader(open(sys.argv[1]))); assert len(r) > 1 and len({len(x) for x in r}) == 1, r[:3]' rows.csv ||
		fail "$name as CSV: $(head -3 rows.csv)"
done <tables

# A program without symbols: its frames say where they are, and why they have no name.
"$heaptide" report --json --by=stack --no-symbol-cache s.tide >one.json # not by the build-id, which is that of known
jq -e '[.rows[].stack[] | select(.function == null and (.module // "" | endswith("/bare")))] |
	length > 0 and all(.build_id != null and (.address | startswith("0x")) and (.unresolved | length > 10))' one.json >/dev/null ||
	fail "frames without symbols: $(jq -c '.rows[0].stack' one.json)"

# Limits: what they cut is counted; 0 is none; nothing found is no error.
for command in "report --view=sites" "report --view=tree" "escape"; do
	read -ra line <<<"$command"
	all=$("$heaptide" "${line[@]}" --json -n 0 t.tide | jq '.rows | length')
	same "$command -n 0" 0 "$("$heaptide" "${line[@]}" --json -n 0 t.tide | jq .truncated_rows)"
	same "$command -n 1" "1 $((all - 1))" "$("$heaptide" "${line[@]}" --json -n 1 t.tide | jq -r '"\(.rows | length) \(.truncated_rows)"')"
	"$heaptide" "${line[@]}" --json --focus=no_such_function t.tide >none.json || fail "$command of nothing"
	same "$command of nothing" 0 "$(jq '.rows | length' none.json)"
done

# --- statuses ------------------------------------------------------------------------------------
# readers FILE: every command that reads traces, on this one.
readers() {
	printf '%s\n' "info $1" "report $1" "report --view=sites $1" "dump $1" "verify $1" "export --format=folded $1" \
		"symbolize $1" "escape $1" "latency $1" "timeline $1" "diff $1 t.tide" "diff t.tide $1" "check --max-allocs=1000000 $1"
}
while read -ra line; do
	status_of "$heaptide" "${line[@]}" >out 2>err
	same "${line[*]}: status" 4 "$status"
	[ -s out ] || [ -s err ] || fail "${line[*]}: says nothing"
	grep -q truncated out err || fail "${line[*]}: does not say that the file is truncated"
done < <(readers cut.tide)
while read -ra line; do
	status_of "$heaptide" "${line[@]}" >out 2>err
	same "${line[*]}: status" 3 "$status"
	one_line err 'no-such\.tide'
	[ ! -s out ] || fail "${line[*]}: something on stdout: $(head -3 out)"
done < <(readers no-such.tide)
while read -ra line; do
	status_of "$heaptide" "${line[@]}" >out 2>err
	same "${line[*]}: status" 2 "$status"
	one_line err '--no-such-option: unknown option'
	[ ! -s out ] || fail "${line[*]}: something on stdout: $(head -3 out)"
done < <(readers t.tide | sed 's/$/ --no-such-option/')
status_of "$heaptide" diff --fail-on 'allocs>0' t.tide u.tide >out 2>err
same "diff --fail-on that does not hold" 0 "$status"
status_of "$heaptide" check --max-allocs=1 t.tide >out 2>err
same "check that fails" 1 "$status"
status_of "$heaptide" check --max-allocs=1 cut.tide >out 2>err
same "check that fails on a truncated trace" 1 "$status"
# A trace is never replaced by what is made of it.
cp t.tide keep.tide
for command in info report dump "export --format=folded" escape latency timeline; do
	read -ra line <<<"$command"
	status_of "$heaptide" "${line[@]}" -o keep.tide keep.tide >out 2>err
	[ "$status" != 0 ] || fail "$command -o of the trace itself: done"
	cmp -s t.tide keep.tide || fail "$command -o replaced the trace"
done

# --- screens -------------------------------------------------------------------------------------
"$heaptide" record --force -o r.tide -- "$programs/known" 2>err >out
grep -q '^next: heaptide report r.tide$' <(tail -1 err) || fail "record does not end with what is next: $(cat err)"
grep -Eq '^heaptide: recorded .*/known \(pid [0-9]+\) for [0-9.]+ m?s into r.tide \([0-9.]+ .?B\)$' <(head -1 err) || fail "record's first line: $(head -1 err)"
grep -Eq '^  complete: [0-9,]+ events, 0 lost, 0 truncated stacks' err || fail "record does not say that it is complete: $(cat err)"
for screen in "info" "report" "report --view=sites" "report --view=tree" "report --view=callers" "report --view=list" "report --view=sizes" \
	"report --view=lifetimes" "report --view=threads" "report --view=modules" "escape" "timeline" "symbolize"; do
	read -ra line <<<"$screen"
	"$heaptide" "${line[@]}" r.tide >out 2>err || fail "$screen: $(cat err)"
	grep -Eq '^(next:|     ) heaptide [a-z]+ .*r.tide' <(tail -1 out) || fail "$screen does not end with what is next: $(tail -2 out)"
	! grep -q $'\033' out || fail "$screen: colour in a file"
done

# --- the environment's variables: bad values are refused before anything runs, by name -----------
for variable in FORCE MAX_FILE ARGV ADDRESSES SYMBOLIZE EVENTS FREE_STACKS STACK_DEPTH TIMESTAMPS SAMPLE FOLLOW WAIT EXEC \
	ON_FULL RING_MEMORY COLLECTOR_MEMORY SELF_CHECK STRICT QUIET; do
	status_of env "HEAPTIDE_$variable=?" "$heaptide" record -o refused.tide -- touch ran >out 2>err
	same "HEAPTIDE_$variable=?: status" 2 "$status"
	one_line err "^heaptide: HEAPTIDE_$variable: "
	[ ! -e ran ] && [ ! -e refused.tide ] || fail "HEAPTIDE_$variable=?: something ran"
done
# Good ones do what the options do.
HEAPTIDE_OUTPUT=env.tide HEAPTIDE_QUIET=on HEAPTIDE_FREE_STACKS=off HEAPTIDE_ADDRESSES=off HEAPTIDE_ARGV=first HEAPTIDE_STATUS_FILE=s.json \
	HEAPTIDE_SELF_CHECK=on HEAPTIDE_STRICT=on HEAPTIDE_FOLLOW=none HEAPTIDE_WAIT=all HEAPTIDE_RING_MEMORY=1M HEAPTIDE_STACK_DEPTH=9 \
	"$heaptide" record -- "$programs/known" >out 2>err
sound env.tide 8000
same "HEAPTIDE_QUIET" "" "$(cat err)"
same "HEAPTIDE_FREE_STACKS, STACK_DEPTH" "false 9" "$(info env.tide '"\(.free_stacks) \(.stack_depth)"')"
same "HEAPTIDE_SELF_CHECK" 0 "$(info env.tide .self_check.differences)"
same "HEAPTIDE_STATUS_FILE" "heaptide.record/1 0 true env.tide" "$(jq -r '"\(.schema) \(.exit_status.code) \(.complete) \(.trace)"' s.json)"
HEAPTIDE_STACK_DEPTH=9 "$heaptide" record -q -o env2.tide --stack-depth=7 -- "$programs/known"
same "the command line wins" 7 "$(info env2.tide .stack_depth)"
