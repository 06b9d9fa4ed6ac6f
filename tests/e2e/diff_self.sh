#!/bin/bash
# diff of two runs of one program: whatever the addresses, no row but `same`, by anything; and its numbers are report's.
. "$(dirname "$0")/lib.sh"
export PYTHONHASHSEED=0 PERL_HASH_SEED=0 PERL_PERTURB_KEYS=0 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
seq 1 3000 | sed 's/.*/{"a":&,"b":["x","y&"]}/' >in.json
git init -q repo && git -C repo -c user.name=t -c user.email=t@t.invalid commit -q --allow-empty -m one

# twice NAME COMMAND...
twice() {
	local name=$1
	shift
	command -v "$1" >/dev/null || return 0
	for run in 1 2; do
		record "$name$run.tide" -- "$@" >/dev/null
		same "$name: status" 0 "$status"
		sound "$name$run.tide" 100
	done
	for by in function line file module stack; do
		"$heaptide" diff --json --by=$by "$name"1.tide "$name"2.tide >json 2>err
		same "$name by $by: rows that changed" "[]" "$(jq -c '[.rows[] | select(.status != "same")]' json)"
		same "$name by $by: allocations" "$(info "$name"2.tide .allocations)" "$(jq '[.rows[].new.allocs] | add' json)"
	done
	tested=$((tested + 1))
}
tested=0
twice jq jq -c '.b[1]' in.json
twice python python3 -c 'import json; print(len(json.dumps([{"a": i, "b": [str(i)] * 3} for i in range(3000)])))'
twice git git -C repo log --stat
twice perl perl -e 'my @h = map { [$_, "x$_"] } 1..3000; print scalar @h'
twice shell sh -c 'sort /etc/passwd; jq -n 1'
[ "$tested" -ge 3 ] || fail "only $tested programs are here"
echo "diff_self: $tested programs are what they were"
