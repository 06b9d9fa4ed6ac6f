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
touch derived.stamp
