#!/bin/sh
# Runs the examples of the man pages: every line "$ ..." of every page, in order, page by page, each in an
# empty folder. All of them must succeed.
#
#	man_examples.sh HEAPTIDE MAN-FOLDER
set -u
PATH=$(dirname "$1"):$PATH
man=$2
failures=0
ran=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for page in "$man"/heaptide*.scd; do
	name=$(basename "$page" .scd)
	mkdir "$scratch/$name"
	sed -n 's/^\$ //p' "$page" >"$scratch/$name.examples"
	while IFS= read -r line; do
		ran=$((ran + 1))
		(cd "$scratch/$name" && MANPAGER=cat sh -c "$line") >"$scratch/out" 2>&1 </dev/null && continue
		failures=$((failures + 1))
		echo "FAILED: $name: $line" >&2
		cat "$scratch/out" >&2
	done <"$scratch/$name.examples"
done
echo "$ran examples"
[ $failures -eq 0 ] && [ $ran -gt 0 ]
