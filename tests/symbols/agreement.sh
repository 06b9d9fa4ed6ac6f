#!/bin/bash
# agreement.sh symbols|symbols-long: what heaptide says of addresses against what llvm-symbolizer says (see compare.py).
set -u
here=$HT_SOURCE/tests/symbols
symdump=$HT_BUILD/tests/symbols/symdump
export TMPDIR=${TMPDIR:-/tmp}
command -v llvm-symbolizer >/dev/null || { echo "SKIP: llvm-symbolizer is not installed"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
failed=0

compare() {
	python3 "$here/compare.py" "$@" || failed=1
}

# unit NAME ITEMS: an optimised program of one generated unit.
unit() {
	sh "$here/generate.sh" 1 "$2" >"$work/$1.cc" && echo 'int main() {}' >>"$work/$1.cc" &&
		g++ -O2 -g -w -Wl,--build-id=sha1 -o "$work/$1" "$work/$1.cc" || exit 1
}

if [ "$1" = symbols ]; then
	unit small 3
	compare --count 4000 "$symdump" "$work/small"
	compare --count 4000 --cache "$symdump" "$work/small"
	exit $failed
fi

unit deep 20
compare --cost --cache "$symdump" "$work/deep"

# With zstd: llvm-symbolizer 14 reads none, so it gets the same file unpacked.
if objcopy --compress-debug-sections=zstd "$work/deep" "$work/deep-zstd" 2>/dev/null; then
	compare --judge "$work/deep" "$symdump" "$work/deep-zstd"
fi

cc1plus=$(gcc -print-prog-name=cc1plus)
if readelf -SW "$cc1plus" | grep -q '\.debug_info'; then
	compare --cost "$symdump" "$cc1plus"
else
	echo "cc1plus: not compared, it is stripped"
fi

python=$(command -v python3-dbg || command -v python3.11d || command -v python3.11-dbg)
if [ -n "$python" ]; then
	compare --cost --cache "$symdump" "$(readlink -f "$python")"
else
	echo "python: not compared, python3-dbg is not installed"
fi

# Stripped, its debug file found by build-id.
libc=$(ldconfig -p | sed -n 's/.*libc\.so\.6 (libc6,x86-64.*=> //p' | head -1)
id=$(readelf -n "${libc:-/dev/null}" 2>/dev/null | sed -n 's/.*Build ID: //p')
if [ -n "$id" ] && [ -f "/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" ]; then
	compare --cost --cache --judge "/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" "$symdump" "$libc"
else
	echo "libc: not compared, libc6-dbg is not installed"
fi

# 300 MB of debug information: five units, their objects linked eleven times each, as if they were 55.
for n in 1 2 3 4 5; do
	sh "$here/generate.sh" $n 40 >"$work/u$n.cc"
done
printf '%s\n' 1 2 3 4 5 | xargs -P"$(nproc)" -I{} g++ -O2 -g -w -c "$work/u{}.cc" -o "$work/u{}.o" || exit 1
objects=()
for c in 1 2 3 4 5 6 7 8 9 10 11 12; do
	for n in 1 2 3 4 5; do
		ln "$work/u$n.o" "$work/c${c}_$n.o"
		objects+=("$work/c${c}_$n.o")
	done
done
echo 'int main() {}' >"$work/main.cc"
g++ -Wl,--build-id=sha1 -o "$work/large" "$work/main.cc" "${objects[@]}" || exit 1
bytes=$(size -A "$work/large" | awk '/^\.debug_/ { n += $2 } END { print n }')
echo "large: $bytes bytes of debug information"
[ "$bytes" -ge 300000000 ] || { echo "FAILED: less than 300 MB"; failed=1; }
compare --cost --cache "$symdump" "$work/large"
exit $failed
