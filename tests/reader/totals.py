"""What the events of a trace add up to (sections 8 and 11 of formats/trace/SPEC.md)."""

from collections import Counter

from wire import BIRTHS, DEATHS

STACKS = BIRTHS | DEATHS | {12, 13}


class Heap:
    """What an image has, and its totals (sections 8 and 11)."""

    def __init__(self):
        self.paired, self.unpaired, self.inherited, self.forks = {}, {}, set(), {}
        self.live = self.objects = self.peak = self.peak_objects = self.peak_time = 0
        self.allocations = self.frees = self.allocated = 0
        self.foreign = self.inherited_frees = self.implied = self.failed = 0
        self.ended = False

    def here(self):
        """The addresses of live blocks, inherited ones too."""
        return self.inherited | set(self.paired) | set(self.unpaired)


class Account:
    """Follows the events of a trace and keeps its totals."""

    def __init__(self, trace):
        self.trace, self.heaps, self.live = trace, {}, {}
        self.bytes = self.objects = self.peak = self.peak_objects = self.peak_time = 0
        self.undoable, self.born = {}, Counter()
        self.temporary = self.cross = self.last_time = 0
        self.ops, self.stacks, self.truncated = Counter(), set(), 0

    def heap(self, number):
        """The heap of an image; a forked one begins with what its parent had."""
        heap = self.heaps.get(number)
        if heap is None:
            heap = self.heaps[number] = Heap()
            image = self.trace.images.get(number)
            parent = self.heaps.get(image.parent - 1) if image and image.kind == 1 else None
            if parent and image.fork_number:
                heap.inherited = set(parent.forks.get(image.fork_number, ()))
            elif parent:
                heap.inherited = parent.here()
        return heap

    def change(self, heap, size, objects, time):
        """Adds to what is live, or takes from it."""
        heap.live += size
        heap.objects += objects
        if heap.live > heap.peak and not heap.ended:
            heap.peak, heap.peak_objects, heap.peak_time = heap.live, heap.objects, time
        if not heap.ended:
            self.bytes += size
            self.objects += objects
            if self.bytes > self.peak:
                self.peak, self.peak_objects, self.peak_time = self.bytes, self.objects, time

    def event(self, event):
        """Takes the next event."""
        op, time, thread = event.op, event.time, self.trace.threads.get(event.thread)
        heap = self.heap(thread.image if thread else None)
        self.ops[op] += 1
        self.last_time = max(self.last_time, time)
        if event.stack and op in STACKS:
            self.stacks.add(self.trace.nodes.get(event.stack))
            self.truncated += self.trace.ends.get(event.stack, 0) > 0
        if op in BIRTHS:
            self.birth(heap, event)
        elif op in DEATHS:
            block = self.live.pop(event.seq, None)
            if block and not heap.ended:
                heap.frees += 1
                heap.implied += op == 11
                if heap.paired.get(block[2]) == event.seq:
                    del heap.paired[block[2]]
                self.change(block[0], -block[1], -1, time)
                if op != 11:
                    self.passed(block, event.thread, 1)
            if op == 10:
                self.undoable[event.thread] = (op, heap, event.seq, block)
        elif op == 12 or op == 13:
            undo = self.unknown(heap, event)
            if op == 13:
                self.undoable[event.thread] = undo
        elif op == 14:
            self.undo(event)
        elif op == 15:
            heap.failed += 1
        elif op == 26:
            heap.forks[event.extra] = heap.here()
        elif op == 28 and thread and not heap.ended:
            heap.ended = True
            for seq in [seq for seq, block in self.live.items() if block[0] is heap]:
                del self.live[seq]
            self.bytes -= heap.live
            self.objects -= heap.objects

    def passed(self, block, thread, sign):
        """Counts, or takes back, what a free says of its block."""
        self.cross += sign * (block[3] != thread)
        self.temporary += sign * (block[3] == thread and self.born[thread] - block[4] <= 1)

    def birth(self, heap, event):
        """A birth."""
        heap.allocations += 1
        heap.allocated += event.size
        self.born[event.thread] += 1
        block = (heap, event.size, event.address, event.thread, self.born[event.thread])
        older = heap.unpaired.pop(event.address, None)
        if older:
            heap.frees += 1
            heap.implied += 1
            self.change(heap, -older[1], -1, event.time)
        if event.flags & 128:
            heap.unpaired[event.address] = block
        elif not heap.ended:
            self.live[event.seq] = block
            if event.address is not None:
                heap.paired[event.address] = event.seq
        self.change(heap, event.size, 1, event.time)

    def unknown(self, heap, event):
        """A free by address. Returns what an undo wants to know."""
        block = heap.unpaired.pop(event.address, None)
        if block:
            heap.frees += 1
            self.change(heap, -block[1], -1, event.time)
            self.passed(block, event.thread, 1)
        elif event.address in heap.inherited:
            heap.inherited.remove(event.address)
            heap.inherited_frees += 1
            return 13, heap, event.address, True
        else:
            heap.foreign += 1
        return 13, heap, event.address, block

    def undo(self, event):
        """A realloc that did not happen."""
        last = self.undoable.pop(event.thread, None)
        if not last:
            return
        op, heap, name, block = last
        if block is True:
            heap.inherited_frees -= 1
            heap.inherited.add(name)
        elif op == 13 and not block:
            heap.foreign -= 1
        elif block and not heap.ended:
            heap.frees -= 1
            if op == 13:
                heap.unpaired[name] = block
            else:
                self.live[name] = block
                if block[2] is not None:
                    heap.paired[block[2]] = name
            self.change(heap, block[1], 1, event.time)
            self.passed(block, event.thread, -1)
