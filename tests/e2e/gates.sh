#!/bin/bash
# The hook as a binary: what every program that is recorded takes in.
. "$(dirname "$0")/lib.sh"
[ -f "$hook" ] || fail "no $hook"
faults=0
# wrong MESSAGE: counted, so that one run shows everything that is wrong.
wrong() {
	echo "WRONG: $*"
	faults=$((faults + 1))
}
sections=$(readelf -SW "$hook")
dynamic=$(readelf -dW "$hook")
segments=$(readelf -lW "$hook")

needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | tr '\n' ' ' | sed 's/ $//')
[ "$needed" = libc.so.6 ] || wrong "NEEDED is '$needed', not libc.so.6 alone"
for flag in NOW NODELETE INITFIRST; do
	grep -E '\((FLAGS|FLAGS_1)\)' <<<"$dynamic" | grep -qw "$flag" || wrong "the flag $flag is missing"
done
! grep -q TEXTREL <<<"$dynamic" || wrong "text relocations"
! grep -Eq '\((RPATH|RUNPATH)\)' <<<"$dynamic" || wrong "a search path"
grep -q GNU_RELRO <<<"$segments" || wrong "no RELRO"
[ "$(awk '$1 == "GNU_STACK" { print $7 }' <<<"$segments")" = RW ] || wrong "an executable stack"
readelf -nW "$hook" | grep -q 'x86 feature: IBT, SHSTK' || wrong "not marked for control-flow protection: it would be switched off in the process"
grep -q '\.eh_frame ' <<<"$sections" || wrong "no .eh_frame: exceptions could not pass"
grep -q GNU_EH_FRAME <<<"$segments" || wrong "no .eh_frame_hdr"

! readelf -rW "$hook" | grep -Eq 'DTPMOD|TLSDESC' || wrong "thread-local storage by a call: $(readelf -rW "$hook" | grep -E 'DTPMOD|TLSDESC')"
! nm -D --undefined-only "$hook" | grep -q __tls_get_addr || wrong "__tls_get_addr is used"
tls=$((16#$(awk '$1 == "TLS" { sub("0x", "", $6); print $6 }' <<<"$segments" | grep . || echo 0)))
[ "$tls" -le 256 ] || wrong "$tls bytes of thread-local storage, at most 256"
bss=$((16#$(sed -n 's/.* \.bss *NOBITS *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\) .*/\1/p' <<<"$sections")))
[ "$bss" -le $((512 * 1024)) ] || wrong "$bss bytes of .bss, at most 524288"

# Names.
list() {
	grep -v '^#' "$e2e/$1" | tr ' ' '\n' | grep . | sort -u
}
nm -D --defined-only "$hook" | awk '{ sub("@.*", "", $3); print $3 }' | sort -u >exported
list gates.exports >allowed
strange=$(comm -23 exported allowed | tr '\n' ' ')
[ -z "$strange" ] || wrong "exported, but not in gates.exports: $strange"
for name in malloc calloc realloc free memalign posix_memalign aligned_alloc valloc pvalloc; do
	grep -qx $name exported || wrong "$name is not exported"
done
nm -D --undefined-only "$hook" | awk '{ sub("@.*", "", $2); print $2 }' | sort -u >undefined
list gates.undefined >allowed
strange=$(comm -23 undefined allowed | tr '\n' ' ')
[ -z "$strange" ] || wrong "taken from elsewhere, but not in gates.undefined: $strange"
newest=$(objdump -T "$hook" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
[ "$(printf '%s\nGLIBC_2.28\n' "$newest" | sort -V | tail -1)" = GLIBC_2.28 ] ||
	wrong "needs $newest: $(objdump -T "$hook" | awk -v v="$newest" 'index($0, v) { print $NF }' | tr '\n' ' ')"

# The four that programs live on have no frame of their own: what they jump to finds the program's call in its own.
for name in malloc calloc realloc free; do
	objdump -d --no-show-raw-insn --disassemble=$name "$hook" | sed -n "/<$name>:/,\$p" >entry
	[ "$(grep -c 'jmp' entry)" -ge 3 ] || wrong "$name: not found in the hook's text"
	! grep -E '\<(call|push|ret)\>|%rsp' entry || wrong "$name has a frame of its own"
done

# Calls that may block: while they are not recorded, one test and a jump, with every argument where it was. (One has
# an argument on the stack, which compilers pass on in their own ways.)
objdump -d --no-show-raw-insn "$hook" >text
sed -n 's/^\tX([a-z ]*, \([a-z0-9_]*\),.*/\1/p' "$HT_SOURCE/lib/hook/call_list.h" >calls
[ "$(grep -c . calls)" -ge 80 ] || wrong "the list of calls is not found"
grep -vx __recvfrom_chk calls | while read -r name; do
	sed -n "/<$name>:\$/,/^\$/p" text >entry
	[ "$(grep -c 'jmp' entry)" = 2 ] && [ "$(grep -c 'ht_timed>' entry)" = 1 ] || echo "$name: not a test and two jumps"
	! grep -E '\<(call|push|ret)\>|%rsp|, *%(rdi|rsi|rdx|r8|r9|edi|esi|edx)\>' entry >/dev/null || echo "$name: it touches an argument"
done >touched
[ ! -s touched ] || wrong "entries of calls that may block: $(cat touched)"

# Constructors and destructors: one and none. (An entry each of crt's frame_dummy and __do_global_dtors_aux.)
size_of() {
	local hex
	hex=$(sed -n "s/.* \\$1 *[A-Z_]* *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\) .*/\1/p" <<<"$sections")
	echo $((16#${hex:-0}))
}
[ "$(size_of .init_array)" -le 16 ] || wrong "more than one constructor"
[ "$(size_of .fini_array)" -le 8 ] || wrong "a destructor"

# Stack: every function that runs in the target, compiled once more for its frame size.
jq -r '.[] | select(.file | test("/lib/(hook|ring|unwind|rt)/")) | select(.command | test("heaptide-hook|ht_hook|ht_ring|ht_unwind|ht_rt")) |
	[.directory, .file, .command] | @tsv' "$HT_BUILD/compile_commands.json" >commands
[ -s commands ] || wrong "no sources of the hook in compile_commands.json"
while IFS=$'\t' read -r directory file command; do
	# The command without its -o OUTPUT and -c SOURCE.
	# shellcheck disable=SC2001
	command=$(sed -E 's/ -o [^ ]+//; s/ -c [^ ]+//' <<<"$command")
	(cd "$directory" && eval "$command -fstack-usage -w -c '$file' -o '$work/object.o'") || wrong "cannot compile $file"
	cat "$work/object.su" >>"$work/stack.su"
done <commands
sort -u -t$'\t' -k2,2nr -k1,1 stack.su >sorted.su
head -6 sorted.su
awk -F'\t' '$3 ~ /dynamic/ && $3 !~ /bounded/ { print; bad = 1 } END { exit bad }' stack.su || wrong "a frame of unbounded size"
# What attach.c does happens once, on the main thread's stack at start; all else on any stack.
grep -v '/attach.c:' stack.su |
	awk -F'\t' '$2 > 700 { print; bad = 1 } END { exit bad }' || wrong "a frame larger than 700 bytes"
awk -F'\t' '$2 > 8192 { print; bad = 1 } END { exit bad }' stack.su || wrong "a frame larger than 8 KiB"
[ "$faults" = 0 ] || fail "$faults gates are open"
