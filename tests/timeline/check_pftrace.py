#!/usr/bin/python3
"""Proves that a Perfetto trace is what Perfetto takes without an error, for the part of the format that heaptide
writes.

    check_pftrace.py [--stats] [--json] FILE
        says what is wrong, a line each with the name of the rule; status 1 if anything is

The rules, which tests/timeline/break_pftrace.py breaks one by one:
    decode      every byte belongs to a known field of the right wire type; strings are UTF-8
    sequence    every packet has a sequence that is not 0; a sequence begins with its state cleared, and says when
                it needs it
    clocks      the first snapshot has REALTIME, MONOTONIC, MONOTONIC_COARSE and BOOTTIME; a sequence's own clock is
                set before use
    order       times of a sequence's events do not go back
    tracks      uuids are unique and not 0; parents and events name tracks that exist; descriptors have times
    tids        no tid or pid 0 in a descriptor; a thread's process has a descriptor
    reuse       a tid has a second thread only after the first one's exit, and its own task_newtask; or by itself
                (exec)
    slices      every begin has an end, in order; nothing ends that has not begun
    interned    ids are defined before use, since the sequence was last cleared, once; frames and stacks refer to
                what is there
    flows       begin once, end once, not before they begin; at instants and beginnings of tasks' slices alone
    counters    values are on counter tracks, which have a unit; no slices there
    switches    a processor below 1024; compact columns are of one length; the first switch is a full one; prev is
                the last next; no thread is on two processors; times ascend; only known tids
    wakings     come from a tid that runs on that processor, for one that sleeps and has not been woken
    reasons     name a kernel symbol and a thread that sleeps
    profiles    timestamps are of the MONOTONIC_COARSE clock, indices consecutive, the last packet does not
                continue; values
"""
import json
import os
import sys

sys.dont_write_bytecode = True

from pbwire import Broken, Schema, every, get, has, text, varint

SCHEMA = Schema(os.path.join(os.path.dirname(os.path.abspath(__file__)), "perfetto_subset.proto"))
BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4
REALTIME, MONOTONIC, COARSE, BOOTTIME, OWN = 1, 3, 4, 6, 64
CLEARED, NEEDS = 1, 2
TABLES = {"event_categories", "event_names", "debug_annotation_names", "function_names", "frames", "callstacks",
          "build_ids", "mapping_paths", "source_paths", "mappings", "kernel_symbols", "debug_annotation_string_values"}


class Sequence:
    def __init__(self):
        self.interned = None
        self.clock = None      # of the sequence: where it stands, in BOOTTIME
        self.default_clock = BOOTTIME
        self.default_track = None
        self.index = None      # of profile packets
        self.last = 0


class Checker:
    def __init__(self):
        self.problems = []
        self.sequences = {}
        self.clocks = {}
        self.tracks = {}       # uuid -> dict
        self.used = []         # (uuid, what, packet)
        self.open = {}         # track -> stack of begins
        self.spans = {}        # track -> [(begin, end, name, depth)]
        self.flows = {}        # id -> [starts], [ends]
        self.switches = []     # (time, order, cpu, prev or None, prev_state, next)
        self.sched = []        # (time, order, cpu, kind, ...)
        self.lives = []        # (time, order, kind, tid)
        self.heaps = {}        # pid -> (bytes, objects)
        self.events = []       # what a test may want to know
        self.bytes = {}
        self.number = 0
        self.beginnings = 0    # of sequences, those that begin anew with them

    def wrong(self, rule, message, *args):
        if len(self.problems) < 1000:
            self.problems.append((rule, "packet %d: %s" % (self.number, message % args)))

    # --- packets ---------------------------------------------------------------------------------

    def packet(self, p, size):
        ident = get(p, "trusted_packet_sequence_id", 0)
        if not ident:
            self.wrong("sequence", "it has no sequence")
            return
        flags = get(p, "sequence_flags", 0)
        fresh = ident not in self.sequences
        s = self.sequences.setdefault(ident, Sequence())
        if fresh and not flags & CLEARED:
            self.wrong("sequence", "sequence %d begins without its state being cleared", ident)
        if flags & CLEARED:
            self.beginnings += 1
            s.interned = {table: {} for table in TABLES}
            s.clock = None
            s.default_clock, s.default_track = BOOTTIME, None
        if has(p, "clock_snapshot"):
            self.snapshot(s, get(p, "clock_snapshot"))
        if has(p, "trace_packet_defaults"):
            defaults = get(p, "trace_packet_defaults")
            s.default_clock = get(defaults, "timestamp_clock_id", BOOTTIME)
            s.default_track = get(get(defaults, "track_event_defaults", []), "track_uuid")
            if s.default_clock >= OWN and s.clock is None:
                self.wrong("clocks", "clock %d is the default and has no time", s.default_clock)
        if has(p, "interned_data"):
            self.intern(s, get(p, "interned_data"), flags)
        at = self.time(s, p)
        kinds = ("track_event", "track_descriptor", "ftrace_events", "profile_packet")
        kind = next((k for k in kinds if has(p, k)), "other")
        what = kind
        if kind == "track_event":
            what = self.event(s, get(p, kind), at, flags)
        elif kind == "track_descriptor":
            self.descriptor(get(p, kind), at, has(p, "timestamp"))
        elif kind == "ftrace_events":
            self.bundle(s, get(p, kind), flags)
        elif kind == "profile_packet":
            self.profile(s, get(p, kind), flags)
        interned = len(SCHEMA.encode("InternedData", get(p, "interned_data"))) if has(p, "interned_data") else 0
        count, total, extra = self.bytes.get(what, (0, 0, 0))
        self.bytes[what] = (count + 1, total + size - interned, extra + interned)

    def snapshot(self, s, snapshot):
        clocks = {get(c, "clock_id"): c for c in every(snapshot, "clocks")}
        own = clocks.pop(OWN, None)
        if own is not None:
            if BOOTTIME not in clocks or not get(own, "is_incremental"):
                self.wrong("clocks", "the sequence's clock has no BOOTTIME beside it, or does not count on")
            else:
                s.clock = get(clocks[BOOTTIME], "timestamp", 0)
            return
        if not self.clocks:
            self.clocks = {k: get(c, "timestamp", 0) for k, c in clocks.items()}
            for wanted in (REALTIME, MONOTONIC, COARSE, BOOTTIME):
                if not self.clocks.get(wanted):
                    self.wrong("clocks", "the first snapshot has no clock %d", wanted)
            if get(snapshot, "primary_trace_clock") != BOOTTIME:
                self.wrong("clocks", "the trace's clock is not BOOTTIME")

    def time(self, s, p):
        stamp = get(p, "timestamp")
        if stamp is None:
            if has(p, "track_event"):
                self.wrong("order", "an event has no time")
            return None
        if s.default_clock == OWN:
            if s.clock is None:
                self.wrong("clocks", "a time of a clock that is not set")
                return None
            s.clock += stamp
            stamp = s.clock
        if has(p, "track_event"):
            if stamp < s.last:
                self.wrong("order", "time goes back by %d ns", s.last - stamp)
            s.last = stamp
        if self.clocks and stamp < self.clocks.get(BOOTTIME, 0):
            self.wrong("order", "a time before the first snapshot's")
        return stamp

    # --- interned data ---------------------------------------------------------------------------

    def intern(self, s, data, flags):
        if not flags & (NEEDS | CLEARED):
            self.wrong("sequence", "interned data in a packet that does not need state")
        if s.interned is None:
            s.interned = {table: {} for table in TABLES}
        for table, entry in data:
            iid = get(entry, "iid", 0)
            if not iid or iid in s.interned[table]:
                self.wrong("interned", "%s %d is 0 or defined twice", table, iid)
            s.interned[table][iid] = entry
            if table == "frames":
                self.known(s, "function_names", get(entry, "function_name_id", 0))
                if has(entry, "source_path_iid"):
                    self.known(s, "source_paths", get(entry, "source_path_iid"))
                if has(entry, "mapping_id"):
                    self.known(s, "mappings", get(entry, "mapping_id"))
                if has(entry, "mapping_id") != has(entry, "rel_pc"):
                    self.wrong("interned", "frame %d has a mapping or an address alone", iid)
            elif table == "callstacks":
                for frame in every(entry, "frame_ids"):
                    self.known(s, "frames", frame)
            elif table == "mappings":
                for path in every(entry, "path_string_ids"):
                    self.known(s, "mapping_paths", path)
                if has(entry, "build_id"):
                    self.known(s, "build_ids", get(entry, "build_id"))
            elif not has(entry, "text"):
                self.wrong("interned", "%s %d has no text", table, iid)

    def known(self, s, table, iid):
        entry = (s.interned or {}).get(table, {}).get(iid)
        if entry is None:
            self.wrong("interned", "%s %s is not defined", table, iid)
            return None
        return text(entry, "text") if table not in ("frames", "callstacks", "mappings", "build_ids") else entry

    def frames_of(self, s, stack):
        entry = self.known(s, "callstacks", stack)
        frames = [self.known(s, "frames", f) for f in every(entry or [], "frame_ids")]
        return [self.known(s, "function_names", get(f, "function_name_id", 0)) for f in frames if f]

    # --- tracks and events -----------------------------------------------------------------------

    def descriptor(self, d, at, stamped):
        uuid = get(d, "uuid", 0)
        if not uuid or uuid in self.tracks:
            self.wrong("tracks", "uuid %d is 0 or stands twice", uuid)
        if not stamped:
            self.wrong("tracks", "the descriptor of track %d has no time", uuid)
        track = {"uuid": uuid, "name": text(d, "name"), "parent": get(d, "parent_uuid"), "at": at, "kind": "child"}
        if has(d, "process"):
            process = get(d, "process")
            track.update(kind="process", pid=get(process, "pid", 0), name=text(process, "process_name"))
            if not track["pid"]:
                self.wrong("tids", "a process has pid 0")
        elif has(d, "thread"):
            thread = get(d, "thread")
            track.update(kind="thread", pid=get(thread, "pid", 0), tid=get(thread, "tid", 0),
                         name=text(thread, "thread_name"))
            if not track["pid"] or not track["tid"]:
                self.wrong("tids", "a thread has pid %d, tid %d", track["pid"], track["tid"])
            self.lives.append((at or 0, self.number, "descriptor", track["tid"]))
        elif has(d, "counter"):
            counter = get(d, "counter")
            track.update(kind="counter", unit=get(counter, "unit"), unit_name=text(counter, "unit_name"))
            if not has(counter, "unit") and not has(counter, "unit_name"):
                self.wrong("counters", "track %d has no unit", uuid)
        if not track["name"]:
            self.wrong("tracks", "track %d has no name", uuid)
        self.tracks[uuid] = track

    def event(self, s, e, at, flags):
        kind = get(e, "type", 0)
        track = get(e, "track_uuid", s.default_track)
        if not track:
            self.wrong("tracks", "an event is on no track")
        if not flags & NEEDS:
            self.wrong("sequence", "an event does not say that it needs state")
        if kind not in (BEGIN, END, INSTANT, COUNTER):
            self.wrong("decode", "an event of type %d", kind)
        self.used.append((track, "counter" if kind == COUNTER else "slice", self.number))
        name = self.known(s, "event_names", get(e, "name_iid")) if has(e, "name_iid") else text(e, "name")
        categories = [self.known(s, "event_categories", c) for c in every(e, "category_iids")]
        annotations = {}
        for a in every(e, "debug_annotations"):
            value = get(a, "uint_value")
            if has(a, "string_value_iid"):
                value = self.known(s, "debug_annotation_string_values", get(a, "string_value_iid"))
            annotations[self.known(s, "debug_annotation_names", get(a, "name_iid", 0))] = value
        stack = self.frames_of(s, get(e, "callstack_iid")) if has(e, "callstack_iid") else None
        if kind in (BEGIN, INSTANT) and not name:
            self.wrong("slices", "an event has no name")
        if has(e, "callstack_weight") and stack is None:
            self.wrong("interned", "a weight without a stack")
        task = "task" in categories
        for field, which in (("flow_ids", 0), ("terminating_flow_ids", 1)):
            for flow in every(e, field):
                self.flows.setdefault(flow, ([], []))[which].append((at or 0, self.number, track))
                if kind != INSTANT and not (kind == BEGIN and task):
                    self.wrong("flows", "flow %d is neither at an instant nor where a task's slice begins", flow)
        record = {"type": kind, "track": track, "at": at, "name": name, "categories": categories,
                  "annotations": annotations, "stack": stack, "flows": every(e, "flow_ids"), "ends": every(e, "terminating_flow_ids"),
                  "value": get(e, "counter_value"), "correlation": get(e, "correlation_id")}
        self.events.append(record)
        if kind == BEGIN:
            self.open.setdefault(track, []).append(record)
        elif kind == END:
            if not self.open.get(track):
                self.wrong("slices", "an end without a begin")
            else:
                begin = self.open[track].pop()
                begin["end"] = at
                begin["depth"] = len(self.open[track])
                if at is not None and begin["at"] is not None and at < begin["at"]:
                    self.wrong("slices", "%s ends before it begins", begin["name"])
        elif kind == COUNTER and record["value"] is None:
            self.wrong("counters", "an event has no value")
        plain = not annotations and stack is None and not record["flows"] and not record["ends"]
        return {BEGIN: "begin" if plain else "begin, more", END: "end", INSTANT: "arrow's end" if record["flows"] or
                record["ends"] else "instant", COUNTER: "counter"}.get(kind, "other")

    # --- processors ------------------------------------------------------------------------------

    def bundle(self, s, b, flags):
        cpu = get(b, "cpu")
        if cpu is None or cpu >= 1024:
            self.wrong("switches", "a bundle of processor %s", cpu)
            return
        for compact in every(b, "compact_sched"):
            times = get(compact, "switch_timestamp", [])
            columns = [get(compact, c, []) for c in ("switch_prev_state", "switch_next_pid", "switch_next_prio",
                                                     "switch_next_comm_index")]
            names = every(compact, "intern_table")
            if any(len(c) != len(times) for c in columns):
                self.wrong("switches", "columns of different lengths")
                continue
            now = 0
            for i, delta in enumerate(times):
                now += delta
                if columns[3][i] >= len(names):
                    self.wrong("switches", "name %d of %d", columns[3][i], len(names))
                self.sched.append((now, 0, self.number, i, cpu, "switch", None, columns[0][i], columns[1][i]))
            size = sum(len(SCHEMA.encode("CompactSched", [[f, v]])) for f, v in compact if f != "intern_table")
            count, total, extra = self.bytes.get("compact switch", (0, 0, 0))
            self.bytes["compact switch"] = (count + len(times), total + size, extra)
        for i, e in enumerate(every(b, "event")):
            size = len(SCHEMA.encode("FtraceEventBundle", [["event", e]]))
            at, current = get(e, "timestamp"), get(e, "pid", 0)
            kind = next((f for f, _ in e if f not in ("timestamp", "pid")), None)
            count, total, extra = self.bytes.get(kind, (0, 0, 0))
            self.bytes[kind] = (count + 1, total + size, extra)
            if at is None or kind is None:
                self.wrong("switches", "an ftrace event without a time or a kind")
                continue
            x = get(e, kind)
            if kind == "sched_switch":
                self.sched.append((at, 0, self.number, i, cpu, "switch", get(x, "prev_pid", 0), get(x, "prev_state", 0),
                                   get(x, "next_pid", 0)))
            elif kind == "sched_waking":
                self.sched.append((at, 1, self.number, i, cpu, "waking", current, get(x, "pid", 0)))
            elif kind == "sched_blocked_reason":
                if not flags & NEEDS:
                    self.wrong("sequence", "a bundle with a reason does not say that it needs state")
                reason = self.known(s, "kernel_symbols", get(x, "caller", 0))
                self.sched.append((at, 1, self.number, i, cpu, "reason", get(x, "pid", 0), get(x, "io_wait", 0), reason))
            else:
                tid = get(x, "pid", 0)
                if not tid:
                    self.wrong("tids", "%s of tid 0", kind)
                # A program that became another: its thread begins again, by itself.
                if kind == "task_newtask" and get(x, "clone_flags", 0) & 0x10000 and current == tid:
                    kind = "exec"
                self.lives.append((at, self.number, kind, tid))

    def play(self):
        """What processors did, in order of time."""
        tids = {t["tid"] for t in self.tracks.values() if t["kind"] == "thread"} | {0}
        on, where, asleep = {}, {}, {}
        last = {}
        self.wakings, self.reasons, self.states = [], [], {}
        for item in sorted(self.sched, key=lambda x: (x[0], x[1], x[2], x[3])):
            at, _, self.number, _, cpu, kind = item[:6]
            if kind == "switch":
                prev, state, nxt = item[6:]
                if cpu not in on:
                    if prev is None:
                        self.wrong("switches", "the first switch of processor %d does not say who leaves", cpu)
                        prev = 0
                elif prev is not None and prev != on[cpu]:
                    self.wrong("switches", "%d leaves processor %d, where %d was", prev, cpu, on[cpu])
                else:
                    prev = on[cpu]
                if cpu in last and at <= last[cpu]:
                    self.wrong("switches", "two switches of processor %d at one time", cpu)
                if nxt and nxt in where and where[nxt] != cpu:
                    self.wrong("switches", "%d comes to processor %d and is on %d", nxt, cpu, where[nxt])
                for tid in (prev, nxt):
                    if tid not in tids:
                        self.wrong("switches", "tid %d has no track", tid)
                if state not in (0, 1, 2, 0x10, 0x100):
                    self.wrong("switches", "state %d", state)
                self.states[state] = self.states.get(state, 0) + 1
                where.pop(prev, None)
                if prev:
                    asleep[prev] = (at, state) if state in (1, 2) else None
                if nxt:
                    where[nxt] = cpu
                    asleep[nxt] = None
                on[cpu], last[cpu] = nxt, at
            elif kind == "waking":
                waker, wakee = item[6:]
                sleeping = asleep.get(wakee)
                if on.get(cpu) != waker or not waker:
                    self.wrong("wakings", "%d wakes %d on processor %d, where %s is", waker, wakee, cpu, on.get(cpu))
                if not sleeping or at <= sleeping[0]:
                    self.wrong("wakings", "%d wakes %d, which does not sleep", waker, wakee)
                asleep[wakee] = None
                self.wakings.append((at, waker, wakee))
            else:
                tid, io, reason = item[6:]
                sleeping = asleep.get(tid)
                if not sleeping or (sleeping[1] == 2) != bool(io) or not reason:
                    self.wrong("reasons", "a reason for %d, which does not sleep so", tid)
                self.reasons.append((at, tid, reason))

    # --- profiles --------------------------------------------------------------------------------

    def profile(self, s, p, flags):
        if not flags & NEEDS:
            self.wrong("sequence", "a profile does not say that it needs state")
        index = get(p, "index", 0)
        if s.index is None and index != 0 or s.index is not None and index != s.index + 1:
            self.wrong("profiles", "packet %d follows %s", index, s.index)
        s.index = index if get(p, "continued", 0) else None
        s.continued = bool(get(p, "continued", 0))
        for dump in every(p, "process_dumps"):
            stamp = get(dump, "timestamp", 0)
            if COARSE not in self.clocks or stamp < self.clocks[COARSE] or stamp > self.clocks[COARSE] + 10 ** 15:
                self.wrong("profiles", "time %d is not of the coarse clock", stamp)
            pid = get(dump, "pid", 0)
            if not any(t["kind"] == "process" and t["pid"] == pid for t in self.tracks.values()):
                self.wrong("profiles", "pid %d has no track", pid)
            for sample in every(dump, "samples"):
                self.frames_of(s, get(sample, "callstack_id", 0))
                bytes_, objects = get(sample, "self_allocated", 0), get(sample, "alloc_count", 0)
                if bytes_ >= 1 << 63 or objects >= 1 << 63 or not objects:
                    self.wrong("profiles", "%d bytes in %d objects", bytes_, objects)
                had = self.heaps.get(pid, (0, 0))
                self.heaps[pid] = (had[0] + bytes_, had[1] + objects)

    # --- the whole -------------------------------------------------------------------------------

    def finish(self):
        if not self.clocks:
            self.wrong("clocks", "there is no snapshot of the machine's clocks")
        for uuid, track in self.tracks.items():
            if track["parent"] is not None and track["parent"] not in self.tracks:
                self.wrong("tracks", "track %d has an unknown parent %d", uuid, track["parent"])
            if track["kind"] == "thread" and not any(t["kind"] == "process" and t["pid"] == track["pid"]
                                                     for t in self.tracks.values()):
                self.wrong("tids", "thread %d's process %d has no track", track["tid"], track["pid"])
        for uuid, what, self.number in self.used:
            track = self.tracks.get(uuid)
            if track is None:
                self.wrong("tracks", "track %s does not exist", uuid)
            elif (track["kind"] == "counter") != (what == "counter"):
                self.wrong("counters", "a %s is on a %s track", what, track["kind"])
        for uuid, stack in self.open.items():
            if stack:
                self.wrong("slices", "%s on track %s has no end", stack[-1]["name"], uuid)
        for ident, s in self.sequences.items():
            if s.index is not None:
                self.wrong("profiles", "sequence %d's profile does not end", ident)
        for flow, (starts, ends) in self.flows.items():
            if len(starts) != 1 or len(ends) != 1:
                self.wrong("flows", "flow %d begins %d times and ends %d times", flow, len(starts), len(ends))
            elif starts[0][:2] >= ends[0][:2] or not flow:
                self.wrong("flows", "flow %d ends before it begins", flow)
        self.reuse()
        self.play()

    def reuse(self):
        known, switched = {}, any(x[5] == "switch" for x in self.sched)
        for at, self.number, kind, tid in sorted(self.lives, key=lambda x: (x[0], x[1])):
            state = known.get(tid)
            if kind == "descriptor":
                if state in ("named", "dead") and not (state == "dead" and not switched):
                    self.wrong("reuse", "tid %d has a second thread without a task_newtask", tid)
                known[tid] = "named"
            elif kind in ("task_newtask", "exec"):
                if (state == "named") != (kind == "exec"):
                    self.wrong("reuse", "tid %d begins again before its exit", tid)
                known[tid] = "new"
            elif kind == "sched_process_exit":
                if state != "named":
                    self.wrong("reuse", "tid %d exits and is not there", tid)
                known[tid] = "dead"


def check_bytes(data):
    c = Checker()
    at = 0
    try:
        while at < len(data):
            start = at
            key, at = varint(data, at)
            size, at = varint(data, at)
            if key != 0x0a or at + size > len(data):
                raise Broken("no packet, or one that is cut off, at byte %d" % start)
            c.packet(SCHEMA.decode("TracePacket", data[at:at + size]), at + size - start)
            at += size
            c.number += 1
    except Broken as e:
        c.wrong("decode", "%s", e)
    c.finish()
    return c


def main():
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    path, = [a for a in sys.argv[1:] if not a.startswith("--")]
    with open(path, "rb") as f:
        data = f.read()
    c = check_bytes(data)
    for rule, message in c.problems[:20]:
        print("%s: %s" % (rule, message), file=sys.stderr)
    if "--stats" in options:
        print("%d bytes, %d packets, %d sequences, which begin %d times" % (
            len(data), c.number + 1, len(c.sequences), c.beginnings))
        for what, (count, total, extra) in sorted(c.bytes.items(), key=lambda x: str(x[0])):
            n = max(count, 1)
            print("%-22s %8d  %7.1f bytes each, and %.1f interned" % (what, count, total / n, extra / n))
    if "--json" in options:
        print(json.dumps({"events": c.events, "tracks": c.tracks, "wakings": c.wakings, "reasons": c.reasons,
                          "states": c.states, "heaps": c.heaps, "flows": len(c.flows)}))
    return 1 if c.problems else 0


if __name__ == "__main__":
    sys.exit(main())
