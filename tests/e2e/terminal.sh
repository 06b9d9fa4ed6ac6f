#!/bin/bash
# In a real terminal: Ctrl-C reaches the target and record prints its summary after it; Ctrl-Z stops both, and fg
# goes on with both.
. "$(dirname "$0")/lib.sh"
socket=$work/tmux
clean_up() {
	tmux -S "$socket" kill-server 2>/dev/null || true
	remove_work
}

cat >rc <<RC
PS1='prompt> '
unset HISTFILE
RC
tmux -S "$socket" -f /dev/null new-session -d -x 150 -y 50 "bash --noprofile --rcfile $work/rc -i"

screen() {
	tmux -S "$socket" capture-pane -p -S -200 | sed 's/ *$//' | grep -v '^$' || true
}
keys() {
	tmux -S "$socket" send-keys "$@"
}
# until_shown PATTERN: waits for it, at most 20 s.
until_shown() {
	for _ in $(seq 400); do
		! screen | grep -Eq -- "$1" || return 0
		sleep 0.05
	done
	fail "the terminal never showed '$1': $(screen | tail -20)"
}

until_shown '^prompt>'
keys "$heaptide record -o int.tide -- $programs/signals wait 30; echo status=\$?" Enter
until_shown '^ready'
keys C-c
until_shown '^status='
screen >int.screen
same "Ctrl-C: status" status=3 "$(grep '^status=' int.screen)"
sound int.tide 100
# The target's word, the summary, the shell's next line: in this order.
grep -nE 'int$' int.screen | head -1 | cut -d: -f1 >a
grep -n '^status=' int.screen | cut -d: -f1 >b
[ $(($(cat b) - $(cat a))) -ge 2 ] || fail "no summary between the target's end and the prompt: $(cat int.screen)"

keys "clear" Enter
keys "$heaptide record -o stop.tide -- $programs/signals wait 30" Enter
until_shown '^ready'
keys C-z
until_shown 'Stopped'
target=$(pgrep -f "$programs/signals wait" -n -x || pgrep -n -x signals)
sleep 0.2
same "Ctrl-Z: the target's state" T "$(sed 's/.*) \(.\).*/\1/' "/proc/$target/stat")"
keys "echo shell=alive" Enter
until_shown '^shell=alive'
keys "fg" Enter
until_shown '^continued'
keys C-c
until_shown '(^|C)int$'
keys "echo status=\$?" Enter
until_shown '^status=3'
sound stop.tide 100
