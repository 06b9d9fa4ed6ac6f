#!/bin/sh
# What the executable says and returns without a trace: help screens, errors, exit statuses, doctor's
# JSON; and that every option of a command stands in its man page.
#
#	screens.sh HEAPTIDE MAN-FOLDER
set -u
heaptide=$1
man=$2
failures=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
	echo "FAILED: $*" >&2
	failures=$((failures + 1))
}

# says STATUS FIRST-LINE-OF-STDERR ARGUMENTS...
says() {
	want=$1
	line=$2
	shift 2
	"$heaptide" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	status=$?
	[ $status -eq "$want" ] || fail "heaptide $*: status $status, not $want"
	[ "$(head -n 1 "$scratch/err")" = "$line" ] || fail "heaptide $*: said '$(head -n 1 "$scratch/err")', not '$line'"
}

says 0 ""
says 0 "" --version
grep -q '^heaptide [0-9.]* (commit ' "$scratch/out" || fail "--version names no commit"
grep -q '^reads traces of format version 2' "$scratch/out" || fail "--version says not what it reads"
says 2 "heaptide: reprot: unknown command (did you mean 'report'?)" reprot
says 2 "heaptide: frobnicate: unknown command" frobnicate
says 2 "heaptide: frobnicate: unknown command" help frobnicate
says 2 "heaptide: report: needs TRACE" report
says 2 "heaptide: b: one argument too many" info a b
says 2 "heaptide: --metrik: unknown option (did you mean '--metric'?)" report --metrik=peak x
says 2 "heaptide: --metric: unknown value 'alocs' (did you mean 'allocs'?)" report --metric=alocs x
says 2 "heaptide: --csv: cannot be combined with --json" report --csv --json x
says 2 "heaptide: export: needs --format (pprof, folded, speedscope, ...)" export x
says 3 "heaptide: /nonexistent/x.tide: No such file or directory" info /nonexistent/x.tide
for command in info report dump verify; do
	"$heaptide" $command /etc/passwd >/dev/null 2>"$scratch/err"
	[ $? -eq 3 ] || fail "$command of a file that is no trace: not status 3"
	grep -q '^heaptide: /etc/passwd: ' "$scratch/err" || fail "$command names not the file"
done

# A name may hold anything; the terminal gets none of it.
"$heaptide" info "$(printf 'a\033]0;title\007\n')" >/dev/null 2>"$scratch/err"
if LC_ALL=C grep -q "$(printf '[\001-\010\013-\037]')" "$scratch/err"; then
	fail "a control character reached stderr"
fi

# Nobody reads: quiet, with SIGPIPE ignored, too.
"$heaptide" report --help 2>"$scratch/err" | true
(trap '' PIPE; "$heaptide" doctor sh 2>>"$scratch/err" | true)
[ ! -s "$scratch/err" ] || fail "a closed pipe was complained about: $(cat "$scratch/err")"

"$heaptide" doctor no-such-program-here >"$scratch/out" 2>&1
[ $? -eq 3 ] || fail "doctor of nothing: not status 3"
"$heaptide" doctor --json sh >"$scratch/out" 2>&1
if command -v jq >/dev/null; then
	jq -e '.schema == "heaptide.doctor/1" and (.rows | length > 3) and (.recordable | type == "boolean")' \
		"$scratch/out" >/dev/null || fail "doctor --json: $(cat "$scratch/out")"
fi

# One screen, at most 100 columns; every option of it in the man page, and no other command's.
for command in $("$heaptide" | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
	"$heaptide" "$command" --help >"$scratch/out" 2>&1 || fail "$command --help: status $?"
	awk -v command="$command" 'length($0) > 100 { print "FAILED: " command ": too wide: " $0; bad = 1 } END { exit bad }' \
		"$scratch/out" >&2 || failures=$((failures + 1))
	page=$man/heaptide-$command.1.scd
	[ -f "$page" ] || { fail "no $page"; continue; }
	for option in $(sed -n 's/^ .. \{0,3\}-*.*\(--[a-z-]*\).*/\1/p' "$scratch/out" | sort -u); do
		grep -q -e "\*$option\*" "$page" || fail "$page does not describe $option"
	done
done
[ $failures -eq 0 ]
