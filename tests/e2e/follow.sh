#!/bin/bash
# Which processes are recorded: forks, execs, both or none; each image is named, ends with its own status, and a
# forked child's frees of what it inherited change no total.
. "$(dirname "$0")/lib.sh"

# A shell that forks a child of its own and one that becomes another program.
script='(x=1; exit 3); "$0" exit 7; exit 9'
for mode in all fork exec none; do
	record $mode.tide --follow=$mode -- bash -c "$script" "$programs/signals"
	same "--follow=$mode: status" 9 "$status"
	sound $mode.tide 100
	info $mode.tide '.images[] | "\(.exe | split("/") | last) \(.kind)"' | sort >$mode.images
done
same "--follow=all" "bash first,bash fork,bash fork,signals exec" "$(paste -sd, all.images)"
same "--follow=exec" "bash first,signals exec" "$(paste -sd, exec.images)"
same "--follow=fork" "bash first,bash fork,bash fork" "$(paste -sd, fork.images)"
same "--follow=none: images" 1 "$(wc -l <none.images)"

# What is followed does not change what the program sees of its own environment.
for mode in all none; do
	record e.tide --follow=$mode -- bash -c 'env | grep -c "^LD_PRELOAD=mine" || true' >out
	plain=$(bash -c 'env | grep -c "^LD_PRELOAD=mine" || true')
	same "--follow=$mode: another's LD_PRELOAD" "$plain" "$(cat out)"
done

# Children work on the heap that they inherited.
record t.tide -- "$programs/htload" -s 4 -t 1 -n 20000 -f 4 ledger
same "htload with children" 0 "$status"
sound t.tide 20000
"$tracecheck" ledger t.tide ledger >check.out || fail "$(cat check.out)"
same "images" 5 "$(info t.tide '.images | length')"
[ "$(info t.tide .inherited_frees)" -gt 100 ] || fail "no frees of inherited blocks: $(info t.tide .inherited_frees)"
same "foreign frees" 0 "$(info t.tide .foreign_frees)"

# A storm of short processes.
record storm.tide -- bash -c 'for i in {1..60}; do "$0" exit 0 & done; wait' "$programs/signals"
same "sixty processes: status" 0 "$status"
sound storm.tide 60000
same "sixty processes: images" 60 "$(info storm.tide '[.images[] | select(.exe | endswith("/signals"))] | length')"
