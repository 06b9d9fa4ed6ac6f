"""A trace file: header, blocks, dictionaries, events (sections 3, 4, 6, 7, 9, 10 and 16 of formats/trace/SPEC.md)."""

import os
import struct
from collections import Counter

import zstandard

import times
from wire import (ADDRESS16, ADDRESS8, BACK, BIRTHS, BLOCK_MAGIC, BYTES, Columns, DEATHS, DELTA,
                  DICTIONARIES, Damage, END, EVENTS, Event, FOOTER, Head, IMAGES, Image, MAGIC, MASK,
                  MODULES, Module, NAMED, NODES, Newer, NotATrace, SAMPLES, STEPS, STRINGS, THREADS, TIMES, TURNS,
                  Thread, VARINT, WITH_ADDRESS, WITH_EXTRA, WITH_EXTRA2, WITH_SIZE, ZIGZAG, hash64, need, unzigzag, varints)

HEADER_KEYS = {1: "start_utc_ns", 4: "time_unit_ns", 5: "addresses", 6: "sample_bytes", 7: "free_stacks",
               8: "stack_depth", 16: "clock", 17: "sched", 18: "command", 20: "flags", 21: "events"}


class Trace:
    """An open trace. `problems` says what was wrong so far; the verdict is known after `walk`."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self.file).st_size
        self.problems, self.truncated, self.lossy, self.lost_dictionary = [], False, False, False
        self.header, self.heads, self.limits, self.expected = {}, [], None, 0
        self.strings, self.modules = [b""], []
        self.nodes, self.merged, self.ends = {}, {}, {}
        self.images, self.threads = {}, {}
        self.defined = {STRINGS: 1, IMAGES: 0, MODULES: 0, NODES: 1, THREADS: 0}
        self.totals, self.samples, self.next_seq, self.last_record = None, [], 0, 0
        start = self.read_header()
        self.blocks = (start and self.indexed(start)) or self.scan(start or 16, bool(start))

    def pread(self, length, at):
        """Up to length bytes at an offset."""
        return os.pread(self.file, length, at)

    def damage(self, what):
        """Notes a reason for the verdict."""
        self.problems.append(what)

    @property
    def verdict(self):
        """Section 10."""
        return "damaged" if self.problems else "truncated" if self.truncated else "ok"

    def read_header(self):
        """Section 3. Where the blocks start, or None."""
        fixed = self.pread(16, 0)
        wrong = sum(a != b for a, b in zip(fixed, MAGIC))
        if len(fixed) < 8 or wrong > 2:
            raise NotATrace("not a trace")
        if wrong:
            self.damage("the magic is wrong in a byte or two")
        if len(fixed) < 16:
            self.truncated = True
            return None
        major, _, length = struct.unpack_from("<HHI", fixed, 8)
        if not 24 <= length <= 2 << 20:
            self.damage("the header's length")
            return None
        if length > self.size:
            if self.search(16) < self.size:
                self.damage("the header's length")
            self.truncated = True
            return None
        data = self.pread(length, 0)
        if hash64(data[:-8]) != struct.unpack("<Q", data[-8:])[0]:
            self.damage("the header's checksum")
            return None
        if major != 2:
            raise NotATrace("newer")
        try:
            at, end = 16, length - 8
            while at < end:
                key, at = Columns.varint(data[:end], at)
                size, at = Columns.varint(data[:end], at)
                need(size <= end - at, "a header field leaves the header")
                value = data[at:at + size]
                at += size
                if key < 16 and key in HEADER_KEYS:
                    number = varints(value)
                    need(len(number) == 1, "a header field is not one number")
                    value = number[0]
                self.header[HEADER_KEYS.get(key, key)] = value
        except Damage as error:
            self.damage(str(error))
        return length

    # Sections 4 and 10: blocks.

    def head(self, at):
        """The head of the block at an offset, or None."""
        data = self.pread(64, at)
        if len(data) < 64 or data[:4] != BLOCK_MAGIC:
            return None
        if hash64(data[:60]) & 0xFFFFFFFF != struct.unpack_from("<I", data, 60)[0]:
            return None
        return Head(*struct.unpack("<4xBB2xQQQQIIIII4x", data))

    def payload(self, head, at):
        """The unpacked payload of the block at an offset."""
        if head.flags & ~1:
            raise Newer(f"block {head.sequence} has unknown flags")
        need(head.packed <= head.raw <= 16 << 20, "a block's lengths")
        need(head.kind == EVENTS or head.kind in TIMES or head.raw <= 64 * head.packed + 4096,
             "a dictionary unpacks to too much")
        need(head.kind in (FOOTER, END) or head.count <= min(1 << 20, head.raw), "a block's count")
        packed = self.pread(head.packed, at + 64)
        need(len(packed) == head.packed, "a payload is cut off")
        need(hash64(packed) == head.payload_hash, "a payload's checksum")
        if not head.flags:
            need(head.packed == head.raw, "the lengths of a verbatim block")
            return packed
        try:
            frame = zstandard.get_frame_parameters(packed)
            need(frame.content_size == head.raw and frame.window_size <= 1 << 23 and not frame.dict_id,
                 "a zstd frame's header")
            unpacker = zstandard.ZstdDecompressor().decompressobj()
            raw = unpacker.decompress(packed)
            need(unpacker.eof and not unpacker.unused_data and len(raw) == head.raw, "a zstd frame's length")
        except zstandard.ZstdError as error:
            raise Damage(str(error)) from error
        return raw

    def indexed(self, start):
        """The list of blocks by the index, or None if there is no good one."""
        at = self.size - 64
        end = self.head(at) if at >= start else None
        if not end or end.kind != END or end.packed or end.raw:
            return None
        foot = end.first_seq
        head = self.head(foot) if start <= foot <= at - 64 else None
        if not head or head.kind != FOOTER or foot + 64 + head.packed != at or head.count > 262144:
            return None
        try:
            index, self.totals = self.footer(head, foot)
        except (Damage, Newer):
            return None
        place, blocks = start, []
        for entry in index:
            blocks.append((place, entry))
            place += entry[0]
        good = index and place == foot and head.sequence == len(index) and end.sequence == len(index) + 1
        return blocks if good else None

    def footer(self, head, at):
        """Section 9. The index and the totals."""
        columns, count = Columns(self.payload(head, at)), head.count
        parts = [columns.records(key, encoding, count) for key, encoding in
                 enumerate((VARINT, BYTES, VARINT, VARINT, DELTA, DELTA, VARINT))]
        keys = columns.values(7, VARINT)
        return list(zip(*parts)), dict(zip(keys, columns.values(8, VARINT, len(keys))))

    def scan(self, at, expect_block):
        """The list of blocks found from the front."""
        blocks, expected, closed = [], 0, False
        while at < self.size:
            head = self.head(at)
            if not head:
                rest = self.pread(min(64, self.size - at), at)
                if self.zeros(at) or (len(rest) < 64 and rest[:4] == BLOCK_MAGIC[:len(rest)]):
                    break
                if expect_block:
                    self.damage("no block where one should stand")
                at = self.search(at + 1)
                expect_block = False
                continue
            end = at + 64 + head.packed
            if end > self.size:
                break
            if head.sequence < expected:
                self.damage("a repeated block")
            else:
                if head.sequence > expected:
                    self.damage("missing blocks")
                blocks.append((at, None))
                expected, closed = head.sequence + 1, closed or head.kind == END
            at, expect_block = end, True
        self.truncated |= not closed
        return blocks

    def zeros(self, at):
        """Whether only zero bytes follow."""
        while at < self.size:
            data = self.pread(1 << 20, at)
            if not data or data.strip(b"\0"):
                return not data
            at += len(data)
        return True

    def search(self, at):
        """The next offset with a good head, or the file's size."""
        while at < self.size:
            data = self.pread(1 << 20, at)
            found = data.find(BLOCK_MAGIC)
            while found >= 0:
                if self.head(at + found):
                    return at + found
                found = data.find(BLOCK_MAGIC, found + 1)
            at += max(len(data) - 3, 1)
        return self.size

    def walk(self):
        """Reads the dictionaries, then yields the events, in order, and between them the records of section 16."""
        defined = [self.read(number, *block) for number, block in enumerate(self.blocks)]
        self.lossy |= self.lost_dictionary
        for (at, _), head, self.limits in zip(self.blocks, self.heads, defined):
            if head and head.kind == EVENTS:
                try:
                    yield from self.events(head, self.payload(head, at))
                except (Damage, Newer) as error:
                    self.damage(str(error))
                    self.lossy = True
            elif head and head.kind in TIMES:
                self.last_record = max(self.last_record, head.last_ns)
                try:
                    yield from times.decode(self, head, Columns(self.payload(head, at)))
                except (Damage, Newer) as error:
                    self.damage(str(error))

    def read(self, number, at, entry):
        """Reads a block that is not of events. What ids are defined after it."""
        head = self.head(at)
        try:
            need(head, "a block's head")
            if entry:
                found = (64 + head.packed, head.kind, head.count, head.births, head.first_seq, head.first_ns,
                         head.last_ns - head.first_ns)
                need(head.sequence == number and found == entry, "the index is not true")
            self.lost_dictionary |= head.sequence != self.expected
            self.expected = head.sequence + 1
            if head.kind == FOOTER:
                self.totals = self.footer(head, at)[1]
            elif head.kind in DICTIONARIES:
                self.dictionary(head, self.payload(head, at))
        except (Damage, Newer) as error:
            self.damage(str(error))
            self.lost_dictionary = True
        self.heads.append(head)
        return dict(self.defined)

    # Section 6: dictionaries.

    def defining(self, kind, first, count):
        """Notes that ids from first on are defined; those left out before it are unknown."""
        known = self.defined[kind]
        need(first == known or (self.lost_dictionary and first > known), "ids are not dense")
        need(first + count <= MASK >> 32, "too many ids")
        return first - known

    def known(self, values, kind, plus=0):
        """Checks references."""
        limit = (self.limits or self.defined)[kind] + plus
        need(self.lost_dictionary or not values or max(values) < limit, "a reference to nothing")

    def string(self, number):
        """A string; one that is not known is empty."""
        return self.strings[number] if number < len(self.strings) else b""

    def dictionary(self, head, raw):
        """Reads a block of names."""
        columns, count, first = Columns(raw), head.count, head.first_seq
        if head.kind == STRINGS:
            gap = self.defining(STRINGS, first, count)
            lengths = columns.records(0, VARINT, count)
            need(all(length <= 1 << 20 for length in lengths), "a string's length")
            data, at = columns.take(1, BYTES)[1], 0
            need(sum(lengths) == len(data), "the strings' bytes")
            self.strings += [b""] * gap
            for length in lengths:
                self.strings.append(data[at:at + length])
                at += length
            self.defined[STRINGS] = len(self.strings)
        elif head.kind == MODULES:
            gap = self.defining(MODULES, first, count)
            paths, lengths, sizes, biases, images = (
                columns.records(key, encoding, count) for key, encoding in
                ((0, VARINT), (1, BYTES), (3, VARINT), (4, VARINT), (5, VARINT)))
            ids = columns.take(2, BYTES)[1] or bytes(32 * count)
            need(len(ids) == 32 * count and max(lengths, default=0) <= 32, "the build ids")
            self.known(paths, STRINGS)
            self.known(images, IMAGES)
            self.modules += [Module(0, b"", 0, 0)] * gap
            for i in range(count):
                self.modules.append(Module(paths[i], ids[32 * i:32 * i + lengths[i]], sizes[i], biases[i]))
            self.defined[MODULES] = len(self.modules)
        elif head.kind == NODES:
            self.defining(NODES, first, count)
            own = range(first, first + count)
            parents = columns.records(0, BACK, count, own)
            need(all(parent < node for parent, node in zip(parents, own)), "a node before its caller")
            modules = columns.records(1, VARINT, count)
            self.known(modules, MODULES, 1)
            addresses, _, _, ends = (columns.records(key, encoding, count) for key, encoding in
                                     ((2, DELTA), (3, VARINT), (4, BYTES), (5, BYTES)))
            for node, parent, end, *frame in zip(own, parents, ends, modules, addresses):
                self.ends[node] = self.ends.get(parent, 0) if parent else end
                frame = (self.nodes.get(parent, 0), *frame)
                self.nodes[node] = self.merged.setdefault(frame, node)
            self.defined[NODES] = first + count
        elif head.kind == SAMPLES:
            times, images, rss, _ = (columns.records(key, encoding, count) for key, encoding in
                                     enumerate((DELTA, VARINT, DELTA, VARINT)))
            self.known(images, IMAGES)
            self.samples += zip(times, images, rss)
        else:
            self.replacing(head, columns)

    def replacing(self, head, columns):
        """IMAGES and THREADS, whose records carry ids."""
        kind, count, first = head.kind, head.count, head.first_seq
        ids = columns.records(0, DELTA, count)
        known = self.defined[kind]
        for number in ids:
            need(number <= known or (self.lost_dictionary and number < first), "ids are not dense")
            known = max(known, number + 1)
        need(known == first or (self.lost_dictionary and known < first), "the number of ids defined")
        if kind == IMAGES:
            rest = [columns.records(key, BYTES if key == 3 else VARINT, count, ids) for key in range(1, 10)]
            need(all(parent <= number + 1 for parent, number in zip(rest[1], ids)), "an image before its parent")
            self.known(rest[4] + rest[5], STRINGS)
            self.images.update((record[0], Image(*record)) for record in zip(ids, *rest))
        else:
            kinds = (VARINT, DELTA, DELTA, DELTA, DELTA, VARINT, VARINT)
            rest = [columns.records(key, encoding, count, ids) for key, encoding in enumerate(kinds, 1)]
            self.known(rest[0], IMAGES)
            self.known(rest[5], STRINGS)
            self.known(rest[6], NODES)
            self.threads.update((record[0], Thread(*record[:3])) for record in zip(ids, *rest))
        self.defined[kind] = first

    # Section 7: events.

    def events(self, head, raw):
        """Yields a block's events; all of it is checked before."""
        out = list(self.decode(head, Columns(raw)))
        if head.first_seq < self.next_seq or (head.first_seq > self.next_seq and not self.lossy):
            self.damage("births are not numbered on from the last block")
        self.next_seq = head.first_seq + head.births
        yield from out

    def decode(self, head, columns):
        """Decodes a block's events."""
        unit, flags = columns.values(0, VARINT, 2)
        need(unit >= 1 and not (head.first_ns % unit or head.last_ns % unit), "the time unit")
        threads = columns.values(1, DELTA)
        last = [(head.first_ns + unit * step) & MASK for step in columns.values(2, VARINT, len(threads))]
        run_thread = columns.values(3, VARINT)
        run_length = columns.values(4, VARINT, len(run_thread))
        need(0 not in run_length and sum(run_length) == head.count, "the runs")
        need(max(run_thread, default=0) < max(len(threads), 1), "a run's thread")
        self.known(threads, THREADS)
        ops = columns.values(5, BYTES, head.count)
        number = Counter(ops)
        births = sum(n for op, n in number.items() if op & 31 in BIRTHS)
        need(births == head.births, "the number of births")

        def of(kinds):
            return sum(n for op, n in number.items() if op & 31 in kinds)

        addressed = flags & 1
        unpaired = 0 if addressed else sum(n for op, n in number.items() if op & 128 and op & 31 in BIRTHS)
        steps = iter(self.steps(columns, sum(n for op, n in number.items() if op & 32)))
        birth_stack, other_stack = columns.values(7, DELTA, births), columns.values(8, DELTA, head.count - births)
        self.known(birth_stack, NODES)
        self.known(other_stack, NODES)
        birth_stack, other_stack = (
            iter([node if node in self.nodes else 0 for node in stacks]) for stacks in (birth_stack, other_stack))
        sizes = iter(columns.values(9, VARINT, births))
        other_sizes = iter(columns.values(15, VARINT, of(WITH_SIZE)))
        freed = iter(columns.values(10, TURNS, of(DEATHS)))
        places = iter(self.addresses(columns, births) if addressed else ())
        addresses = iter(columns.values(12, VARINT, of(WITH_ADDRESS) + unpaired))
        extras = iter(columns.values(13, VARINT, of(WITH_EXTRA)))
        extras2 = iter(columns.values(14, VARINT, of(WITH_EXTRA2)))

        clock = last[0] if last else 0
        follow = [(head.first_seq, head.first_seq)] * len(threads)
        slots, seq_next, at = [0] * 4096, head.first_seq, 0
        for local, length in zip(run_thread, run_length):
            thread = threads[local]
            for byte in ops[at:at + length]:
                op = byte & 31
                if byte & 32:
                    clock = (clock + unit * next(steps)) & MASK
                    last[local] = clock
                seq = size = address = extra = extra2 = None
                if op in BIRTHS:
                    seq, seq_next = seq_next, seq_next + 1
                    stack, size = next(birth_stack), next(sizes)
                    if addressed:
                        slot = ((size + 23 >> 4 if size < 4080 else 255) + 256 * local) & 4095
                        address = slots[slot] = (slots[slot] + next(places)) & MASK
                    elif byte & 128:
                        address = next(addresses)
                    if op == 3 or op == 4:
                        extra = next(extras)
                elif op in DEATHS:
                    stack = next(other_stack)
                    turn = next(freed)
                    seq = (follow[local][turn & 1] + 1 + unzigzag(turn >> 1)) & MASK
                    follow[local] = (seq, follow[local][1 - (turn & 1)])
                    need(seq < seq_next, "the death of a block to come")
                else:
                    stack = next(other_stack)
                    if op in WITH_SIZE:
                        size = next(other_sizes)
                    if op in WITH_ADDRESS:
                        address = next(addresses)
                    if op in WITH_EXTRA:
                        extra = next(extras)
                    if op in WITH_EXTRA2:
                        extra2 = next(extras2)
                need(head.first_ns <= last[local] <= head.last_ns, "a time outside of its block's")
                if op in NAMED:
                    self.known([extra], STRINGS)
                if op in (22, 23):
                    self.known([extra2], STRINGS)
                if op == 24:
                    self.known([extra], THREADS, 1)
                yield Event(op, byte & 224, last[local], thread, seq, size, address, extra, extra2, stack)
            at += length

    @staticmethod
    def steps(columns, count):
        """Columns 6 and 16: the steps of time."""
        data, out = columns.take(6, STEPS)[1], []
        need(len(data) == (count + 3) // 4, "column 6 has another number of values")
        for byte in data:
            out += (byte & 3, byte >> 2 & 3, byte >> 4 & 3, byte >> 6)
        need(not any(out[count:]), "column 6 goes on")
        del out[count:]
        far = iter(columns.values(16, ZIGZAG, out.count(3)))
        return [next(far) if step == 3 else step for step in out]

    @staticmethod
    def addresses(columns, count):
        """Columns 11 and 17: the steps of addresses."""
        encoding, data = columns.take(11, ADDRESS16, ADDRESS8)
        values, scale = varints(data), 8 if encoding == ADDRESS8 else 16
        need(len(values) == count, f"column 11 has {len(values)} values, not {count}")
        far = iter(columns.values(17, ZIGZAG, values.count(0)))
        return [scale * unzigzag(value - 1) if value else next(far) for value in values]
