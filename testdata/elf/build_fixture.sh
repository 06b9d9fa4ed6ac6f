#!/bin/sh
# build_fixture.sh SOURCES OUT CC CXX KIND FLAGS...: one fixture; KIND is exe, nopie or so.
set -e
sources=$1 out=$2 cc=$3 cxx=$4 kind=$5
shift 5
work=$out.parts
mkdir -p "$work"
case $kind in
exe)   pic="-fPIE"; link="-pie"; files="elf_main" ;;
nopie) pic="-fno-pie"; link="-no-pie"; files="elf_main" ;;
so)    pic="-fPIC"; link="-shared"; files="" ;;
esac
objects=
for f in $files deep_inline same_name_a same_name_b sink; do
	"$cc" "$@" $pic -c "$sources/$f.c" -o "$work/$f.o"
	objects="$objects $work/$f.o"
done
"$cxx" "$@" $pic -fno-exceptions -fno-rtti -c "$sources/cxx_names.cc" -o "$work/cxx_names.o"
"$cxx" $link -Wl,--build-id=sha1 $objects "$work/cxx_names.o" -o "$out"
