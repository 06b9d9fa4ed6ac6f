#!/bin/bash
# A program in another network namespace, where the abstract socket is not: it attaches by the path.
. "$(dirname "$0")/lib.sh"
for space in "unshare -n" "unshare -rn" none; do
	! $space true 2>/dev/null || break
done
[ "$space" != none ] || skip "network namespaces are not permitted here"

export XDG_RUNTIME_DIR=$work/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"
record t.tide -- bash -c '[ -S "$XDG_RUNTIME_DIR"/heaptide-*/attach ] && stat -c %a "$XDG_RUNTIME_DIR"/heaptide-*; '"$space"' "$0" exit 7' \
	"$programs/signals" >out
same "status" 7 "$status"
same "the socket's folder" 700 "$(cat out)"
sound t.tide 2000
same "images of the program" 1 "$(info t.tide '[.images[] | select(.exe | endswith("/signals"))] | length')"
same "what is left of the socket" "" "$(ls -A "$XDG_RUNTIME_DIR")"
same "complete" true "$(info t.tide .complete)"

# A folder that others may write to is not used, and an unusable one is no error.
chmod 777 "$XDG_RUNTIME_DIR"
record t.tide -- "$programs/signals" exit 0
same "a runtime folder of everybody: status" 0 "$status"
sound t.tide 2000
