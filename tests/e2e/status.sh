#!/bin/bash
# What comes back from record is the target's own end, whatever it was; signals reach the target; output keeps its
# order; and what record adds stands after the target's last word.
. "$(dirname "$0")/lib.sh"
signals=$programs/signals

# Ends by exit.
for code in 0 1 42 125 255; do
	record t.tide -- "$signals" exit $code
	same "exit $code" $code "$status"
	sound t.tide 1000
	same "exit $code in the trace" $code "$(info t.tide .exit_status.code)"
done

# Ends by signal, ten of them.
for name in HUP INT QUIT ILL ABRT BUS FPE KILL SEGV TERM; do
	number=$(kill -l $name)
	record t.tide -- "$signals" die "$number" 2>/dev/null
	same "SIG$name" $((128 + number)) "$status"
	sound t.tide 1000
	same "SIG$name in the trace" "$number" "$(info t.tide .exit_status.signal)"
done

# Output in order through one pipe, then the summary.
"$heaptide" record --force -o t.tide -- "$signals" order 2>&1 | cat >order.out
sound t.tide
head -6 order.out >first
printf 'out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n' | cmp -s - first || fail "another order: $(head -8 order.out)"
[ "$(wc -l <order.out)" -gt 6 ] || fail "no summary behind the output"
status_of "$heaptide" record -q --force -o t.tide -- "$signals" order >out 2>err
printf 'err 1\nerr 2\nerr 3\n' | cmp -s - err || fail "-q and yet: $(cat err)"

# record's own output does not go to the target's stdout.
"$heaptide" record --force -o t.tide -- "$signals" order >out 2>/dev/null
printf 'out 1\nout 2\nout 3\n' | cmp -s - out || fail "stdout holds more than the target's: $(cat out)"

# start_wait OPTION...: records `signals wait`, in the background, in a process group of its own.
start_wait() {
	rm -f t.tide out
	setsid "$heaptide" record -q -o t.tide "$@" -- "$signals" wait 20 >out 2>err &
	recorder=$!
	for _ in $(seq 200); do
		! grep -q ready out || return 0
		sleep 0.02
	done
	fail "the target did not start: $(cat err)"
}

# forwarded SIGNAL WORD STATUS: a signal sent to record by a process reaches the target, once.
forwarded() {
	start_wait
	kill -"$1" "$recorder"
	status_of wait "$recorder"
	same "SIG$1 to record: status" "$3" "$status"
	same "SIG$1 to record: output" "ready $2" "$(tr '\n' ' ' <out | sed 's/ $//')"
	sound t.tide 100
}
forwarded TERM term 4

# SIGUSR1 and SIGWINCH are passed on and nobody ends.
start_wait
kill -USR1 "$recorder"
sleep 0.1
kill -WINCH "$recorder"
sleep 0.1
kill -TERM "$recorder"
status_of wait "$recorder"
same "USR1, WINCH, TERM" "ready usr1 winch term" "$(tr '\n' ' ' <out | sed 's/ $//')"
same "USR1, WINCH, TERM: status" 4 "$status"

# SIGINT to the whole group, as a terminal sends it: the target handles it, record outlives it.
start_wait
kill -INT -- "-$recorder"
status_of wait "$recorder"
same "SIGINT to the group" 3 "$status"
same "SIGINT to the group: output" "ready int" "$(tr '\n' ' ' <out | sed 's/ $//')"
sound t.tide 100

# SIGKILL of record: the target goes on to its end, and the file is readable.
start_wait
target=$(pgrep -P "$recorder" -x signals)
kill -KILL "$recorder"
status_of wait "$recorder"
sleep 0.2
kill -TERM "$target" || fail "the target died with record"
for _ in $(seq 100); do
	! grep -q term out || break
	sleep 0.02
done
same "SIGKILL of record: the target" "ready term" "$(tr '\n' ' ' <out | sed 's/ $//')"
ended t.tide
sound t.tide 100
