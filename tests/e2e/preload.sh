#!/bin/bash
# Without record, by LD_PRELOAD alone: one file per program, the program unchanged, no child to be waited for; and with
# the hook's own faults (no collector, no place to write) the program runs on.
. "$(dirname "$0")/lib.sh"

# finished PATTERN: the one file that matches, once its recording has ended.
finished() {
	local file
	for _ in $(seq 200); do
		# shellcheck disable=SC2086 # a pattern
		file=$(compgen -G "$1" | head -1 || true)
		if [ -n "$file" ] && [ "$(info "$file" .verdict 2>/dev/null)" = ok ]; then
			echo "$file"
			return
		fi
		sleep 0.02
	done
	fail "no finished trace $1: $(ls)"
}

status_of env LD_PRELOAD="$hook" HEAPTIDE_OUTPUT="$work/p.%p.tide" "$programs/signals" exit 11 >out 2>err
same "status" 11 "$status"
[ ! -s out ] && [ ! -s err ] || fail "the hook printed something: $(cat out err)"
mv "$(finished 'p.*.tide')" t.tide
sound t.tide 2000
same "what was asked for" alloc,map,thread,sync,io,sched "$(info t.tide '.events_recorded | join(",")')"
status_of env LD_PRELOAD="$hook" HEAPTIDE_EVENTS=+fault,-io HEAPTIDE_OUTPUT="$work/e.%p.tide" "$programs/signals" exit 11 >out 2>err
same "status" 11 "$status"
mv "$(finished 'e.*.tide')" t.tide
sound t.tide 2000
same "HEAPTIDE_EVENTS" alloc,map,thread,sync,sched,fault "$(info t.tide '.events_recorded | join(",")')"

# The collector that the hook starts is nobody's child: wait(2) of a shell knows only its own.
status_of env LD_PRELOAD="$hook" HEAPTIDE_OUTPUT="$work/c.%p.tide" perl -e '
	my $n = 0; $n++ while wait() > 0; my @a = map { "x" x $_ } 1 .. 500; print "children $n\n"; exit 3' >out 2>err
same "status with wait" 3 "$status"
same "children of a program without children" "children 0" "$(cat out)"
mv "$(finished 'c.*.tide')" t.tide
sound t.tide 500

# No place to write to, no collector: off, silent, harmless.
for output in /proc/nowhere.tide "$work/no/such/place.tide"; do
	status_of env LD_PRELOAD="$hook" HEAPTIDE_OUTPUT="$output" "$programs/signals" exit 12 >out 2>err
	same "status with output $output" 12 "$status"
done
mkdir alone
cp "$hook" alone/
status_of env LD_PRELOAD="$work/alone/libheaptide-hook.so" HEAPTIDE_OUTPUT="$work/a.%p.tide" "$programs/signals" exit 13
same "status without a collector" 13 "$status"
