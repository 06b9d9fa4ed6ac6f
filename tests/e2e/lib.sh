# lib: what every end-to-end test starts with. A test is a bash script tests/e2e/NAME.sh, run by ctest as
# e2e/NAME with HT_BUILD and HT_SOURCE in its environment (by hand: HT_BUILD=out/check tests/e2e/NAME.sh).
# It passes when it ends with status 0, and is skipped with 77 and a printed reason.
#
# The rule: no test passes unless the trace shows that the hook was there. `seen TRACE` is that proof.
set -Eeuo pipefail
shopt -s inherit_errexit

HT_SOURCE=$(cd "${HT_SOURCE:-$(dirname "${BASH_SOURCE[0]}")/../..}" && pwd)
HT_BUILD=$(cd "${HT_BUILD:-$HT_SOURCE/out/check}" && pwd)
heaptide=$HT_BUILD/cmd/heaptide/heaptide
hook=$HT_BUILD/lib/hook/libheaptide-hook.so
programs=$HT_BUILD/testdata/programs
tracecheck=$HT_BUILD/tests/e2e/tracecheck
e2e=$HT_SOURCE/tests/e2e
export LC_ALL=C NO_COLOR=1
unset LD_PRELOAD

work=$(mktemp -d "${TMPDIR:-/tmp}/heaptide-test.XXXXXX")
trap 'code=$?; clean_up; exit $code' EXIT
trap 'echo "FAIL: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&2' ERR
cd "$work"
export XDG_CACHE_HOME=$work/.cache # symbols of one test are not those of another

# A test that mounts or starts something redefines this and calls remove_work last.
remove_work() {
	cd /
	rm -rf "$work"
}
clean_up() {
	remove_work
}

fail() {
	trap - ERR
	echo "FAIL: $*" >&2
	exit 1
}

skip() {
	echo "SKIP: $*"
	exit 77
}

# status_of COMMAND...: runs it and leaves its exit status in $status.
status_of() {
	status=0
	"$@" || status=$?
}

# same WHAT WANTED GOT
same() {
	[ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
}

# record TRACE [OPTION...] -- COMMAND...: quiet; the command's status in $status.
record() {
	local trace=$1
	shift
	status_of "$heaptide" record -q --force -o "$trace" "$@"
}

# info TRACE JQ-EXPRESSION: a value of `heaptide info --json`.
info() {
	"$heaptide" info --json "$1" | jq -r "$2"
}

# seen TRACE [LEAST]: the hook was in the target, and nothing was lost on the way. With runs_on=1, what a process that runs on
# wrote behind the trace's end does not count.
seen() {
	local events
	events=$(info "$1" '.allocations + .frees')
	[ "$events" -ge "${2:-1}" ] || fail "$1 holds $events events, wanted ${2:-1} or more: was the hook loaded?"
	same "$1: lost events" 0 "$(info "$1" ".lost_events${runs_on:+ | del(.after_close)} | add // 0")"
}

# sound TRACE [LEAST]: seen, complete to its end, and every invariant of the format holds.
sound() {
	seen "$@"
	same "$1: verdict" ok "$(info "$1" .verdict)"
	"$heaptide" verify "$1" >verify.out 2>&1 || fail "verify $1: $(head -5 verify.out)"
}

# ended TRACE: waits until a recording that nobody waits for has its end.
ended() {
	for _ in $(seq 300); do
		[ "$("$heaptide" info --json "$1" 2>/dev/null | jq -r .verdict)" != ok ] || return 0
		sleep 0.02
	done
	fail "$1 has no end: $("$heaptide" info "$1" 2>&1 | head -3)"
}

# one_line FILE PATTERN: what heaptide said is one line (and at most a hint line) that starts with its name.
one_line() {
	[ "$(grep -c '' "$1")" -ge 1 ] && [ "$(grep -c '' "$1")" -le 2 ] || fail "wanted one line and a hint: $(cat "$1")"
	head -1 "$1" | grep -q '^heaptide: ' || fail "not a message of heaptide: $(cat "$1")"
	grep -Eqi -- "$2" "$1" || fail "the message does not say '$2': $(cat "$1")"
}

# random BELOW: a number from $RANDOM; HT_SEED repeats a run.
random() {
	echo $(((RANDOM << 15 | RANDOM) % $1))
}
RANDOM=${HT_SEED:-$$}
