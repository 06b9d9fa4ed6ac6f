#!/bin/bash
# The catalogue of testdata/programs/escape: every program says in its first comment what is true of its blocks (escape.h
# there), and `heaptide escape` has to say it, or, where that is allowed, that it can't be known.
# Arguments: configurations LEVEL:fp|nofp (default: two of them; the whole matrix is e2e/escape_matrix).
. "$(dirname "$0")/lib.sh"

catalogue=$HT_SOURCE/testdata/programs/escape
[ $# -gt 0 ] || set -- -O0:fp -O2:nofp
only=${HT_ONLY:-}
failures=0
checked=0

# compile SOURCE LEVEL fp|nofp
compile() {
	local flags="-g $2 -D_GNU_SOURCE -Wall -Wextra" compiler=gcc
	[ "$3" = fp ] && flags+=" -fno-omit-frame-pointer" || flags+=" -fomit-frame-pointer"
	[ "${1##*.}" = cc ] && compiler="g++ -std=c++17"
	# shellcheck disable=SC2086
	$compiler $flags -o program "$1" $(sed -n 's/^\( \*\|\/\/\) link: //p' "$1")
}

# truths SOURCE LEVEL: those that hold at this level
truths() {
	sed -n 's/^\( \*\|\/\/\) truth\( at [^:]*\)\?: /\2 : /p' "$1" | while IFS= read -r truth; do
		levels=${truth%% : *}
		case " ${levels# at} " in
		"  " | *" $2 "*) echo "${truth#* : }" ;;
		esac
	done
}

# judge SOURCE LEVEL WHERE FUNCTION VERDICT [N SCOPE] [or unknown]
judge() {
	local source=$1 where=$2 wanted got verdict=$4 row
	row=$(jq -c --arg f "$3" '[.rows[] | select(.function == $f)] | .[0] // {}' rows.json)
	got=$(jq -r '.verdict // "no row"' <<<"$row")
	checked=$((checked + 1))
	wanted=$verdict
	if [ "$got" = unknown ] && [[ "$*" == *" or unknown" ]]; then
		return
	fi
	if [[ ${5:-} =~ ^[0-9]+$ ]]; then
		wanted="$verdict $5 $6"
		got=$(jq -r '"\(.verdict) \(.frames_up) \(.scope)"' <<<"$row")
	elif [ "$verdict" = escapes-thread ]; then
		wanted="$verdict $5"
		got=$(jq -r '"\(.verdict) \(.thread)"' <<<"$row")
	fi
	if [ "$wanted" != "$got" ]; then
		echo "WRONG: $where: $3: wanted '$wanted', got '$got': $row" >&2
		failures=$((failures + 1))
	fi
}

for configuration; do
	level=${configuration%:*} pointer=${configuration#*:}
	for source in "$catalogue"/*.c "$catalogue"/*.cc; do
		name=$(basename "$source")
		[ -z "$only" ] || [ "$only" = "$name" ] || continue
		compile "$source" "$level" "$pointer"
		record t.tide -- ./program
		same "$name: status" 0 "$status"
		seen t.tide 20
		mapfile -t options < <(sed -n 's/^\( \*\|\/\/\) options: //p' "$source")
		"$heaptide" escape --json "${options[@]}" t.tide >rows.json
		# What stays is never certain.
		same "$name: certain" 0 "$(jq '[.rows[] | select(.certainty == "certain" and .verdict == "stays")] | length' rows.json)"
		while read -r -a truth; do
			judge "$name" "$name $level $pointer" "${truth[@]}"
		done < <(truths "$source" "$level")
	done
done
[ "$checked" -gt 0 ] || fail "no truth was read"
[ "$failures" = 0 ] || fail "$failures of $checked verdicts are wrong"
