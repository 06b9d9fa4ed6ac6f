#!/bin/bash
# What cannot be recorded, and where it cannot be written: one clear line and the exit status of CLI.md.
. "$(dirname "$0")/lib.sh"

# refused STATUS PATTERN COMMAND...
refused() {
	local wanted=$1 pattern=$2
	shift 2
	status_of "$@" >out 2>err
	same "$*: status" "$wanted" "$status"
	one_line err "$pattern"
	[ ! -s out ] || fail "$*: something on stdout: $(head -3 out)"
}

refused 127 'no-such-program' "$heaptide" record -o a.tide -- "$work/no-such-program"
refused 127 'no-such-program-in-path' "$heaptide" record -o a.tide -- no-such-program-in-path
touch plain-file
refused 126 'plain-file' "$heaptide" record -o a.tide -- "$work/plain-file"
mkdir directory
refused 126 'directory' "$heaptide" record -o a.tide -- "$work/directory"
[ ! -e a.tide ] || fail "a refused recording left a file"

# An output that is there already is not touched, unless --force says so.
echo precious >there.tide
refused 125 'there.tide' "$heaptide" record -o there.tide -- "$programs/signals" exit 0
same "the file that was there" precious "$(cat there.tide)"
record there.tide -- "$programs/signals" exit 0
sound there.tide 1000

refused 125 'nowhere' "$heaptide" record -o "$work/nowhere/t.tide" -- "$programs/signals" exit 0
refused 2 'no-such-option' "$heaptide" record --no-such-option -- "$programs/signals" exit 0
refused 2 '' "$heaptide" record -o a.tide

# A static program and one of another user's powers: said beforehand.
refused 125 'static' "$heaptide" record -o a.tide -- "$programs/signals-static" exit 0
if [ "$(id -u)" = 0 ]; then
	cp "$programs/signals" setuid
	chown nobody setuid
	chmod 4755 setuid
	chmod 755 "$work"
	refused 125 'set-?uid|privilege' "$heaptide" record -o a.tide -- "$work/setuid" exit 0
else
	refused 125 'set-?uid|privilege' "$heaptide" record -o a.tide -- "$(command -v su)" --version
fi

# A directory that may not be written to: root may everywhere, but for an immutable place such as /proc.
if [ "$(id -u)" = 0 ]; then
	refused 125 '/proc' "$heaptide" record -o /proc/t.tide -- "$programs/signals" exit 0
else
	mkdir closed
	chmod 555 closed
	refused 125 'closed' "$heaptide" record -o closed/t.tide -- "$programs/signals" exit 0
fi

# Readers: no file, a directory, something else, an empty file.
for command in info report verify dump; do
	refused 3 'no-such.tide' "$heaptide" $command no-such.tide
	refused 3 'directory' "$heaptide" $command directory
	refused 3 'not a|no trace' "$heaptide" $command /bin/true
	: >empty.tide
	refused 3 'empty' "$heaptide" $command empty.tide
done
