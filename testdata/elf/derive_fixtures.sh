#!/bin/sh
# derive_fixtures.sh DIR: stripped, packed and separated forms of DIR/gcc-O2-5 and DIR/gcc-so.
set -e
cd "$1"
strip -g -o symtab-only gcc-O2-5
strip -s -o dynsym-only gcc-so
strip -s -o no-names gcc-O2-5
objcopy --compress-debug-sections=zlib-gabi gcc-O2-5 packed-zlib
objcopy --compress-debug-sections=zlib-gnu gcc-O2-5 packed-zdebug
# Older binutils know no zstd: then there is no such fixture.
objcopy --compress-debug-sections=zstd gcc-O2-5 packed-zstd 2>/dev/null || rm -f packed-zstd
id=$(readelf -n gcc-O2-5 | sed -n 's/.*Build ID: //p')
tail=${id#??}
mkdir -p "debug/.build-id/${id%"$tail"}"
objcopy --only-keep-debug gcc-O2-5 "debug/.build-id/${id%"$tail"}/$tail.debug"
# dwz moves what two files share into a third: names are then found by reference alone.
rm -rf dwz && mkdir dwz
if command -v dwz >/dev/null; then
	cp gcc-O2-4 dwz/one && cp gcc-so dwz/two
	(cd dwz && dwz -m common -M common one two 2>/dev/null && cp one alone) || rm -f dwz/*
fi
# Found by .gnu_debuglink alone: by build-id, by checksum, and the file of another build.
rm -rf linked && mkdir -p linked/.debug
link() { # NAME ORIGINAL DEBUG: a stripped copy of ORIGINAL that names DEBUG
	strip -s -o "linked/$1" "$2"
	objcopy --add-gnu-debuglink="$3" "linked/$1"
}
objcopy --only-keep-debug gcc-O2-5 linked/.debug/byid.debug
link byid gcc-O2-5 linked/.debug/byid.debug
objcopy --remove-section .note.gnu.build-id gcc-O2-5 linked/plain
objcopy --only-keep-debug linked/plain linked/bysum.debug 2>/dev/null
link bysum linked/plain linked/bysum.debug
objcopy --only-keep-debug gcc-O2-4 linked/wrong.debug
link wrong gcc-O2-5 linked/wrong.debug
cp linked/bysum linked/changed && objcopy --remove-section .gnu_debuglink linked/changed
cp linked/bysum.debug linked/changed.debug
objcopy --add-gnu-debuglink=linked/changed.debug linked/changed
printf x >>linked/changed.debug
# Symbols in .gnu_debugdata alone.
if command -v xz >/dev/null; then
	xz -c symtab-only >symbols.xz
	objcopy --add-section .gnu_debugdata=symbols.xz no-names packed-symbols
	head -c 400000000 /dev/zero | xz -1 -c >bomb.xz
	objcopy --add-section .gnu_debugdata=bomb.xz no-names hostile-symbols
fi
# Split units: away from where the program says; packed where llvm-dwp can (it never ends on gcc's DWARF 5).
mkdir -p packed
for p in split-gcc-4 split-gcc-5 split-clang-4 split-clang-5; do
	test -f "$p.parts/sink.dwo" || continue
	if command -v llvm-dwp >/dev/null && [ "$p" != split-gcc-5 ]; then
		cp "$p" "packed/$p" && timeout 20 llvm-dwp -e "$p" -o "packed/$p.dwp" || rm -f "packed/$p"
	fi
	mkdir -p "dwo-$p" && mv "$p.parts"/*.dwo "dwo-$p/"
done
touch derived.stamp
