"""The trace format's primitives, checksums and columns (sections 2 and 5 of formats/trace/SPEC.md)."""

from collections import namedtuple

import xxhash

MAGIC = b"\x89TIDE\r\n\x1a"
BLOCK_MAGIC = b"\xf7HTB"
MASK = (1 << 64) - 1

STRINGS, IMAGES, MODULES, NODES, THREADS, SAMPLES, EVENTS, FOOTER, END = 1, 2, 3, 4, 5, 6, 16, 32, 33
SCHED, WAITS, STALLS = 18, 19, 20
TIMES = {SCHED, WAITS, STALLS}
DICTIONARIES = {STRINGS, IMAGES, MODULES, NODES, THREADS, SAMPLES}
BYTES, VARINT, ZIGZAG, DELTA, BACK, ADDRESS8, ADDRESS16, STEPS, TURNS = range(9)

OPS = {1: "malloc", 2: "calloc", 3: "aligned", 4: "new", 5: "realloc", 8: "free", 9: "delete",
       10: "realloc_free", 11: "implied_free", 12: "free_unknown", 13: "realloc_free_unknown",
       14: "realloc_undo", 15: "failed", 16: "mmap", 17: "munmap", 18: "mremap", 19: "brk",
       20: "region_begin", 21: "region_end", 22: "task", 23: "log", 30: "pause",
       24: "thread_start", 25: "thread_exit", 26: "fork", 27: "image_start", 28: "image_end", 29: "mark"}
UNASSIGNED = frozenset(range(32)) - frozenset(OPS)
BIRTHS = frozenset(range(1, 6))
DEATHS = frozenset(range(8, 12))
WITH_ADDRESS = frozenset({12, 13, 16, 17, 18, 19}) | UNASSIGNED
WITH_SIZE = frozenset({15, 16, 17, 18, 19, 22}) | UNASSIGNED
WITH_EXTRA = frozenset({3, 4, 16, 18, 19, 20, 21, 22, 23, 24, 26, 28, 29, 30}) | UNASSIGNED
WITH_EXTRA2 = frozenset({18, 22, 23})
NAMED = frozenset({20, 21, 23, 29})  # extra is the number of a string
WITH_TEXT = frozenset({22, 23})  # extra2 is
NAMED = frozenset({20, 21, 23, 29})

Head = namedtuple("Head", "kind flags first_seq first_ns last_ns payload_hash sequence packed raw count births")
Event = namedtuple("Event", "op flags time thread seq size address extra extra2 stack")
Image = namedtuple("Image", "id pid parent kind fork_number exe argv start_ns end_ns wait_status")
Module = namedtuple("Module", "path build_id size bias")
Thread = namedtuple("Thread", "id image tid")


class NotATrace(Exception):
    """The file is no trace, or one of a newer major version."""


class Damage(Exception):
    """Content against the specification."""


class Newer(Exception):
    """A block that a later version wrote."""


def need(condition, what):
    """Raises Damage unless condition holds."""
    if not condition:
        raise Damage(what)


# Section 2: primitives.

def varints(data):
    """All varints in data."""
    if data.isascii():
        return list(data)
    out, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        if byte < 128:
            need(value <= MASK, "a varint of more than 64 bits")
            out.append(value)
            value = shift = 0
        else:
            shift += 7
            need(shift < 70, "a varint of more than 10 bytes")
    need(not shift, "a varint is cut off")
    return out


def unzigzag(value):
    """The signed number behind an unsigned one."""
    return (value >> 1) ^ -(value & 1)


def running(values):
    """The sums of zigzag steps, from 0."""
    total, out = 0, []
    for value in values:
        total = (total + ((value >> 1) ^ -(value & 1))) & MASK
        out.append(total)
    return out


def hash64(data):
    """The format's checksum."""
    return xxhash.xxh64_intdigest(data)


class Columns:
    """An unpacked payload's table (section 5)."""

    def __init__(self, raw):
        self.columns = {}
        number, at = self.varint(raw, 0)
        need(number <= 256, "too many columns")
        table = []
        for _ in range(number):
            key, at = self.varint(raw, at)
            encoding, at = self.varint(raw, at)
            length, at = self.varint(raw, at)
            table.append((key, encoding, length))
        for key, encoding, length in table:
            need(key not in self.columns, "a column twice")
            need(length <= len(raw) - at, "a column leaves its payload")
            self.columns[key] = (encoding, raw[at:at + length])
            at += length
        need(at == len(raw), "bytes after the columns")

    @staticmethod
    def varint(raw, at):
        """The varint at an offset, and the offset after it."""
        end = at
        while end < len(raw) and raw[end] & 128 and end - at < 10:
            end += 1
        need(end < len(raw), "the column table is cut off")
        return varints(raw[at:end + 1])[0], end + 1

    def take(self, key, *wanted):
        """A column's encoding and bytes; one that is missing or empty has the first encoding wanted."""
        encoding, data = self.columns.get(key, (wanted[0], b""))
        if not data:
            return wanted[0], b""
        if encoding not in wanted:
            raise Newer(f"column {key} in encoding {encoding}")
        return encoding, data

    def values(self, key, encoding, count=None):
        """Values of an events block's or footer's column; exactly count, if that is known."""
        data = self.take(key, encoding)[1]
        if encoding == BYTES:
            out = data
        else:
            out = varints(data)
            if encoding == DELTA:
                out = running(out)
            elif encoding == ZIGZAG:
                out = [unzigzag(value) for value in out]
        need(count is None or len(out) == count, f"column {key} has {len(out)} values, not {count}")
        return out

    def records(self, key, encoding, count, ids=None):
        """Values of a column with one for each of count records; zeros if it is not there."""
        wanted = (BYTES,) if encoding == BYTES else (encoding, VARINT, DELTA, BACK)
        encoding, data = self.take(key, *wanted)
        if not data:
            return [0] * count
        out = data if encoding == BYTES else varints(data)
        need(len(out) == count, f"column {key} has {len(out)} values, not {count}")
        if encoding == DELTA:
            out = running(out)
        elif encoding == BACK:
            if ids is None:
                raise Newer(f"column {key} counts back from no id")
            out = [value and (own - value) & MASK for value, own in zip(out, ids)]
        return out
