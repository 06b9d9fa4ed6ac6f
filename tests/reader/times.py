"""Where time went (section 16 of formats/trace/SPEC.md)."""

from collections import namedtuple

from wire import BYTES, DELTA, MASK, NODES, OPS, SCHED, STALLS, THREADS, VARINT, WAITS, ZIGZAG, need, unzigzag

# fields: of a dump's line, in order: (name, value), or a word alone.
Record = namedtuple("Record", "what time thread fields stack io", defaults=(0, False))

KINDS = ("", "mutex", "rwlock", "spin", "cond", "barrier", "sem", "join", "once", "sleep", "poll", "net", "pipe",
         "disk", "other")
CALLS = ("", "pthread_mutex_lock", "pthread_mutex_timedlock", "pthread_mutex_unlock", "pthread_rwlock_rdlock",
         "pthread_rwlock_wrlock", "pthread_rwlock_unlock", "pthread_spin_lock", "pthread_spin_unlock",
         "pthread_cond_wait", "pthread_cond_timedwait", "pthread_cond_signal", "pthread_cond_broadcast",
         "pthread_barrier_wait", "sem_wait", "sem_timedwait", "sem_post", "pthread_join", "pthread_exit",
         "pthread_once", "nanosleep", "clock_nanosleep", "usleep", "sleep", "pause", "sigwait", "poll", "select",
         "epoll_wait", "read", "write", "readv", "writev", "pread", "pwrite", "preadv", "pwritev", "recv",
         "send", "recvfrom", "sendto", "recvmsg", "sendmsg", "accept", "connect", "fsync", "fdatasync", "open", "close", "sendfile", "waitpid", "flock")
OUTCOMES = ("ok", "timeout", "interrupted", "failed", "owner_dead", "unknown")
SLEEP = KINDS.index("sleep")


def name(names, number, other):
    """A word, which a later version may have and this one not."""
    return names[number if number < len(names) else other]


def moment(time):
    """A time as a dump has it."""
    return f"{time // 1000000000}.{time % 1000000000:09}"


class Block:
    """A block in the making: its columns, its clock, its table of places."""

    def __init__(self, trace, head, columns):
        self.trace, self.head, self.columns = trace, head, columns
        self.unit, self.first = columns.values(0, VARINT, 2)
        need(self.unit >= 1 and not (head.first_ns % self.unit or head.last_ns % self.unit), "the time unit")
        need(self.first <= head.count, "the number of records of the first sort")
        self.places, self.named = [], 0

    def column(self, key, encoding, count):
        """An iterator over one value for each of count records."""
        return iter(self.columns.values(key, encoding, count))

    def stacks(self, key, count):
        """A column of nodes; those that are not known are 0."""
        values = self.columns.values(key, DELTA, count)
        self.trace.known(values, NODES)
        return [node if node in self.trace.nodes else 0 for node in values]

    def groups(self, key, count):
        """The thread of each record of a sort, and whether it begins a group."""
        threads = self.columns.values(key, DELTA)
        lengths = self.columns.values(key + 1, VARINT, len(threads))
        need(0 not in lengths and sum(lengths) == count, "the groups")
        self.trace.known(threads, THREADS)
        for thread, length in zip(threads, lengths):
            yield thread, True
            for _ in range(length - 1):
                yield thread, False

    def place(self, number):
        """The place that a value names."""
        if not number:
            self.named += 1
            number = self.named
        need(number <= len(self.places), "a place that is not there")
        return self.places[number - 1]

    def time(self, before, now):
        """A record's time, in ns, from the clock."""
        need(before <= now and now * self.unit <= self.head.last_ns, "a time outside of its block's")
        return now * self.unit

    def spans(self, key, count):
        """Of waits and stalls: thread, begin, end."""
        gaps, lengths = self.column(key + 2, ZIGZAG, count), self.column(key + 3, VARINT, count)
        clock = 0
        for thread, new in self.groups(key, count):
            if new:
                clock = self.head.first_ns // self.unit
            begin = clock + next(gaps)
            end = begin + next(lengths)
            need(0 <= begin <= end <= MASK, "a begin before time 0")
            yield thread, begin * self.unit, self.time(clock, end)
            clock = end

    def steps(self, key, count):
        """Of all others: thread, time, and whether a group begins."""
        column = self.column(key + 2, VARINT, count)
        clock = 0
        for thread, new in self.groups(key, count):
            if new:
                clock = self.head.first_ns // self.unit
            now = clock + next(column)
            yield thread, self.time(clock, now), new
            clock = now


def waits(block, first, second):
    """Kind 19."""
    columns = block.columns
    kinds = columns.values(11, BYTES)
    count = len(kinds)
    block.places = list(zip(kinds, *(columns.values(key, BYTES, count) for key in (12, 13, 14)),
                            columns.values(15, VARINT, count), block.stacks(16, count),
                            columns.values(17, DELTA, count)))
    need(all(place[4] <= 1 << 31 for place in block.places), "a file descriptor")

    def fields(place, begin=None, detail=0):
        kind, call, outcome, flags, fd, _, thing = place
        out = [(key, value) for key, value in (("kind", name(KINDS, kind, 0)), ("call", name(CALLS, call, 0))) if value]
        if begin is not None:
            out += [("outcome", name(OUTCOMES, outcome, 5)), ("begin", moment(begin))]
            out += [("fd", fd - 1)] if fd else []
        out += [("object", hex(thing))] if thing else []
        out += [("detail", detail)] if detail else []
        return out + [word for bit, word in ((1, "shared"), (2, "all")) if flags & bit]

    named, details = block.column(5, VARINT, first), block.column(6, VARINT, first)
    one = []
    for thread, begin, end in block.spans(1, first):
        place = block.place(next(named))
        one.append(Record("wait", end, thread, fields(place, begin, next(details)), place[5],
                          SLEEP <= place[0] < len(KINDS)))
    named = block.column(10, VARINT, second)
    two = []
    for thread, time, _ in block.steps(7, second):
        place = block.place(next(named))
        two.append(Record("wake", time, thread, fields(place), place[5]))
    return one, two


def stalls(block, first, second):
    """Kind 20."""
    ops = block.columns.values(13, BYTES)
    block.places = list(zip(ops, block.stacks(14, len(ops))))
    named, addresses, sizes = (block.column(key, encoding, first)
                               for key, encoding in ((5, VARINT), (6, DELTA), (7, VARINT)))
    one = []
    for thread, begin, end in block.spans(1, first):
        op, stack = block.place(next(named))
        address = next(addresses)
        fields = [("op", OPS[op & 31])] if op & 31 in OPS else []
        fields += [("begin", moment(begin)), ("size", next(sizes))]
        fields += [("address", hex(address))] if address else []
        one.append(Record("stall", end, thread, fields + (["bound"] if op & 32 else []), stack))
    named, addresses = block.column(11, VARINT, second), block.column(12, DELTA, second)
    two = []
    for thread, time, _ in block.steps(8, second):
        address = next(addresses)
        two.append(Record("fault", time, thread, [("address", hex(address))] if address else [],
                          block.place(next(named))[1]))
    return one, two


def switches(block, first, second):
    """Kind 18."""
    what = block.column(4, VARINT, first)
    one, cpu, how = [], 0, 1
    for thread, time, new in block.steps(1, first):
        if new:
            cpu, how = 0, 1
        value = next(what)
        cpu += unzigzag(value // 3)
        need(0 <= cpu <= 65535, "a processor")
        how = ((0 if how else 1) + value % 3) % 3
        one.append(Record("switch", time, thread, [("how", ("in", "blocked", "preempted")[how]), ("cpu", cpu)]))
    rest = [block.column(key, DELTA, second) for key in (8, 9, 10)]
    two = [Record("schedstat", time, thread, list(zip(("running", "runnable", "slices"), map(next, rest))))
           for thread, time, _ in block.steps(5, second)]
    return one, two


def decode(trace, head, columns):
    """The records of a block, in order of time."""
    block = Block(trace, head, columns)
    sorts = {SCHED: switches, WAITS: waits, STALLS: stalls}[head.kind](block, block.first, head.count - block.first)
    return sorted(sorted(sorts[0], key=lambda record: record.time) + sorted(sorts[1], key=lambda record: record.time),
                  key=lambda record: record.time)
