#!/bin/bash
# The disk fills while a program is recorded: the program ends as it would have, record says what happened in one
# line, and the trace reads up to there.
. "$(dirname "$0")/lib.sh"
mkdir small
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=1m none small 2>/dev/null; then
	clean_up() {
		umount "$work/small"
		remove_work
	}
	inside=()
elif unshare -Umr true 2>/dev/null; then
	# An ordinary user has a tmpfs of his own in a name space of his own.
	inside=(unshare -Umr bash -c 'mount -t tmpfs -o size=1m none small && "$@"; code=$?; cp -r small copy; exit $code' --)
else
	skip "neither mount nor unshare -Um is permitted here"
fi

status_of "${inside[@]}" "$heaptide" record -o small/t.tide -- "$programs/htload" -s 1 -t 4 -n 1200000 ledger >out 2>err
[ ! -d copy ] || mv copy/t.tide small/t.tide
same "the target's status" 0 "$status"
[ "$(od -An -tu8 -j64 -N8 ledger)" -gt 290000 ] || fail "the target did not finish its work"
grep -Eiq 'no space|disk|full' err || fail "nobody said that the disk was full: $(cat err)"

status_of "$heaptide" info --json small/t.tide >info.json 2>info.err
[ "$status" = 0 ] || [ "$status" = 4 ] || fail "info: status $status: $(cat info.err)"
same "complete" false "$(jq .complete info.json)"
[ "$(jq '.allocations + .frees' info.json)" -gt 50000 ] || fail "little of the trace can be read: $(cat info.json)"
# Little of what the disk could hold went with the block that did not fit.
whole=$(tr -d , <info.err | sed -n 's/.*truncated after \([0-9]*\) bytes.*/\1/p')
[ "$whole" -gt 900000 ] || fail "only $whole of 1048576 bytes can be read: $(cat info.err)"
"$tracecheck" order small/t.tide >check.out || fail "the prefix is not in order: $(cat check.out)"

# --max-file ends a recording cleanly.
record max.tide --max-file=64K -- "$programs/htload" -s 1 -t 4 -n 400000 ledger3
same "--max-file: status" 0 "$status"
[ "$(stat -c %s max.tide)" -le $((512 * 1024)) ] || fail "--max-file=64K left $(stat -c %s max.tide) bytes"
same "--max-file: verdict" ok "$(info max.tide .verdict)"
