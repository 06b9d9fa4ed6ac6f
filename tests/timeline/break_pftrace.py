#!/usr/bin/python3
"""A checker that cannot fail proves nothing: breaks a sound trace in many ways, and sees that check_pftrace.py names
the rule.

    break_pftrace.py FILE"""
import copy
import sys

sys.dont_write_bytecode = True

import check_pftrace
from pbwire import every, get, has, to_varint, varint

SCHEMA = check_pftrace.SCHEMA
BREAKS = []


def breaks(rule):
    def remember(function):
        BREAKS.append((rule, function))
        return function
    return remember


def put(message, field, value):
    for pair in message:
        if pair[0] == field:
            pair[1] = value
            return
    message.append([field, value])


def drop(message, field):
    message[:] = [pair for pair in message if pair[0] != field]


def events(packets, kind=None, where=lambda e: True):
    return [p for p in packets if has(p, "track_event") and (kind is None or get(get(p, "track_event"), "type") == kind)
            and where(get(p, "track_event"))]


def first(packets, kind=None, where=lambda e: True):
    return events(packets, kind, where)[0]


def having(packets, field):
    return [p for p in packets if has(p, field)]


def ftrace(packets, kind):
    return [e for p in having(packets, "ftrace_events") for e in every(get(p, "ftrace_events"), "event") if has(e, kind)]


def compact(packets):
    return [c for p in having(packets, "ftrace_events") for c in every(get(p, "ftrace_events"), "compact_sched")]


def descriptor(packets, kind):
    return [p for p in having(packets, "track_descriptor") if has(get(p, "track_descriptor"), kind)]


@breaks("sequence")
def no_sequence(p):
    drop(first(p), "trusted_packet_sequence_id")


@breaks("sequence")
def sequence_zero(p):
    put(first(p), "trusted_packet_sequence_id", 0)


@breaks("sequence")
def not_cleared(p):
    put(next(x for x in p if get(x, "trusted_packet_sequence_id") == 4), "sequence_flags", 2)


@breaks("sequence")
def first_packet_missing(p):
    p.remove(next(x for x in p if get(x, "trusted_packet_sequence_id") == 4))


@breaks("sequence")
def event_needs_no_state(p):
    drop(first(p), "sequence_flags")


@breaks("sequence")
def bundle_needs_no_state(p):
    for x in having(p, "ftrace_events"):
        drop(x, "sequence_flags")


def without_clock(ident):
    def change(p):
        snapshot = get(p[0], "clock_snapshot")
        snapshot[:] = [c for c in snapshot if c[0] != "clocks" or get(c[1], "clock_id") != ident]
    change.__name__ = "without_clock_%d" % ident
    return change


for clock in (1, 3, 4, 6):
    BREAKS.append(("clocks", without_clock(clock)))


@breaks("clocks")
def no_snapshot(p):
    drop(p[0], "clock_snapshot")


@breaks("clocks")
def no_own_clock(p):
    drop(next(x for x in p if has(x, "trace_packet_defaults")), "clock_snapshot")


@breaks("order")
def event_without_time(p):
    drop(first(p), "timestamp")


@breaks("order")
def before_the_beginning(p):
    for x in p:
        snapshot = get(x, "clock_snapshot", [])
        clocks = every(snapshot, "clocks")
        if any(get(c, "clock_id") == 64 for c in clocks):
            for c in clocks:
                put(c, "timestamp", 1000)
            return


@breaks("order")
def time_goes_back(p):
    # The same sequence begins anew, at an earlier time.
    init = next(x for x in p if has(x, "trace_packet_defaults"))
    ident = get(init, "trusted_packet_sequence_id")
    last = max(i for i, x in enumerate(p) if get(x, "trusted_packet_sequence_id") == ident)
    again = copy.deepcopy(p[last])
    put(again, "timestamp", 0)
    p[last + 1:last + 1] = [copy.deepcopy(init), again]


@breaks("tracks")
def uuid_twice(p):
    one, other = [get(d, "track_descriptor") for d in descriptor(p, "thread")[:2]]
    put(other, "uuid", get(one, "uuid"))


@breaks("tracks")
def uuid_zero(p):
    put(get(descriptor(p, "process")[0], "track_descriptor"), "uuid", 0)


@breaks("tracks")
def unknown_parent(p):
    put(get(descriptor(p, "thread")[0], "track_descriptor"), "parent_uuid", 999999)


@breaks("tracks")
def descriptor_without_time(p):
    drop(descriptor(p, "thread")[0], "timestamp")


@breaks("tracks")
def track_missing(p):
    p.remove(descriptor(p, "thread")[0])


@breaks("tids")
def tid_zero(p):
    put(get(get(descriptor(p, "thread")[0], "track_descriptor"), "thread"), "tid", 0)


@breaks("tids")
def pid_zero(p):
    put(get(get(descriptor(p, "process")[0], "track_descriptor"), "process"), "pid", 0)


@breaks("tids")
def process_missing(p):
    p.remove(descriptor(p, "process")[1])


@breaks("reuse")
def no_exit(p):
    for x in having(p, "ftrace_events"):
        bundle = get(x, "ftrace_events")
        bundle[:] = [e for e in bundle if e[0] != "event" or not has(e[1], "sched_process_exit")]


@breaks("reuse")
def no_newtask(p):
    for x in having(p, "ftrace_events"):
        bundle = get(x, "ftrace_events")
        bundle[:] = [e for e in bundle if e[0] != "event" or not has(e[1], "task_newtask")]


@breaks("slices")
def end_missing(p):
    p.remove(events(p, 2)[-1])


@breaks("slices")
def begin_missing(p):
    p.remove(first(p, 1))


@breaks("slices")
def begin_and_end_swapped(p):
    begin, end = next((a, b) for a, b in zip(p, p[1:]) if has(a, "track_event") and has(b, "track_event")
                      and get(get(a, "track_event"), "type") == 1 and get(get(b, "track_event"), "type") == 2)
    i = p.index(begin)
    p[i], p[i + 1] = end, begin


@breaks("slices")
def nameless(p):
    drop(get(first(p, 1), "track_event"), "name_iid")


@breaks("interned")
def undefined_name(p):
    put(get(first(p, 1), "track_event"), "name_iid", 4711)


@breaks("interned")
def undefined_category(p):
    put(get(first(p, where=lambda e: has(e, "category_iids")), "track_event"), "category_iids", 4711)


@breaks("interned")
def undefined_stack(p):
    put(get(first(p, where=lambda e: has(e, "callstack_iid")), "track_event"), "callstack_iid", 4711)


@breaks("interned")
def definitions_missing(p):
    drop(next(x for x in having(p, "interned_data") if has(x, "track_event")), "interned_data")


@breaks("interned")
def defined_twice(p):
    data = get(having(p, "interned_data")[0], "interned_data")
    data.append(copy.deepcopy(data[0]))


@breaks("interned")
def cleared_in_between(p):
    i = max(k for k, x in enumerate(p) if has(x, "track_event") and has(get(x, "track_event"), "name_iid")
            and not has(x, "interned_data"))
    ident = get(p[i], "trusted_packet_sequence_id")
    p.insert(i, copy.deepcopy(next(x for x in p if get(x, "trusted_packet_sequence_id") == ident)))


@breaks("interned")
def frame_without_function(p):
    frame = next(f for x in having(p, "interned_data") for f in every(get(x, "interned_data"), "frames"))
    drop(frame, "function_name_id")


@breaks("interned")
def address_without_mapping(p):
    frames = [f for x in having(p, "interned_data") for f in every(get(x, "interned_data"), "frames")]
    drop(next(f for f in frames if has(f, "mapping_id")), "mapping_id")


@breaks("interned")
def weight_without_stack(p):
    drop(get(first(p, where=lambda e: has(e, "callstack_weight")), "track_event"), "callstack_iid")


@breaks("flows")
def flow_without_end(p):
    p.remove(first(p, 3, lambda e: has(e, "terminating_flow_ids")))


@breaks("flows")
def flow_without_begin(p):
    p.remove(first(p, 3, lambda e: has(e, "flow_ids")))


@breaks("flows")
def flow_twice(p):
    event = get(first(p, 3, lambda e: has(e, "flow_ids")), "track_event")
    event.append(["flow_ids", get(event, "flow_ids")])


@breaks("flows")
def flow_backwards(p):
    start = get(first(p, 3, lambda e: has(e, "flow_ids")), "track_event")
    flow = get(start, "flow_ids")
    end = get(first(p, 3, lambda e: get(e, "terminating_flow_ids") == flow), "track_event")
    drop(start, "flow_ids")
    drop(end, "terminating_flow_ids")
    start.append(["terminating_flow_ids", flow])
    end.append(["flow_ids", flow])


@breaks("flows")
def flow_from_a_wait(p):
    flow = get(get(first(p, 3, lambda e: has(e, "flow_ids")), "track_event"), "flow_ids")
    drop(get(first(p, 3, lambda e: has(e, "flow_ids")), "track_event"), "flow_ids")
    get(first(p, 1, lambda e: has(e, "callstack_iid")), "track_event").append(["flow_ids", flow])


@breaks("counters")
def counter_without_value(p):
    drop(get(first(p, 4), "track_event"), "counter_value")


@breaks("counters")
def counter_on_a_thread(p):
    put(get(first(p, 4), "track_event"), "track_uuid", get(get(descriptor(p, "thread")[0], "track_descriptor"), "uuid"))


@breaks("counters")
def slice_on_a_counter(p):
    put(get(first(p, 3), "track_event"), "track_uuid", get(get(descriptor(p, "counter")[0], "track_descriptor"), "uuid"))


@breaks("counters")
def counter_without_unit(p):
    counter = get(get(descriptor(p, "counter")[0], "track_descriptor"), "counter")
    drop(counter, "unit")


@breaks("switches")
def bundle_without_cpu(p):
    drop(get(having(p, "ftrace_events")[0], "ftrace_events"), "cpu")


@breaks("switches")
def cpu_too_high(p):
    put(get(having(p, "ftrace_events")[0], "ftrace_events"), "cpu", 1024)


@breaks("switches")
def columns_differ(p):
    get(compact(p)[0], "switch_prev_state").pop()


@breaks("switches")
def first_switch_missing(p):
    for x in having(p, "ftrace_events"):
        bundle = get(x, "ftrace_events")
        bundle[:] = [e for e in bundle if e[0] != "event" or not has(e[1], "sched_switch")]


@breaks("switches")
def prev_is_not_last_next(p):
    # A second full switch, from a thread that is not there.
    at = max(get(e, "timestamp") for e in ftrace(p, "sched_switch"))
    cpu = get(having(p, "ftrace_events")[0], "ftrace_events")
    cpu.append(["event", [["timestamp", at + 100 * 10 ** 6], ["pid", 0], ["sched_switch", [
        ["prev_pid", 200], ["prev_prio", 120], ["prev_state", 1], ["next_pid", 0], ["next_prio", 120]]]]])


@breaks("switches")
def on_two_processors(p):
    pids = [get(c, "switch_next_pid") for c in compact(p)]
    busiest = max(pids, key=len)
    for i in range(len(busiest)):
        busiest[i] = 200


@breaks("switches")
def switch_of_a_stranger(p):
    get(compact(p)[0], "switch_next_pid")[0] = 4711


@breaks("switches")
def two_at_one_time(p):
    get(compact(p)[0], "switch_timestamp")[1] = 0


@breaks("wakings")
def waking_before_switch_out(p):
    e = ftrace(p, "sched_waking")[0]
    put(e, "timestamp", get(e, "timestamp") - 200000)


@breaks("wakings")
def waker_elsewhere(p):
    put(ftrace(p, "sched_waking")[0], "pid", 200)


@breaks("wakings")
def woken_twice(p):
    for x in having(p, "ftrace_events"):
        bundle = get(x, "ftrace_events")
        wakings = [e for e in bundle if e[0] == "event" and has(e[1], "sched_waking")]
        if wakings:
            bundle.append(copy.deepcopy(wakings[0]))
            return


@breaks("reasons")
def reason_of_one_who_runs(p):
    put(get(ftrace(p, "sched_blocked_reason")[0], "sched_blocked_reason"), "pid", 101)


@breaks("reasons")
def disk_or_not(p):
    reason = get(ftrace(p, "sched_blocked_reason")[0], "sched_blocked_reason")
    put(reason, "io_wait", 1 - get(reason, "io_wait"))


@breaks("interned")
def reason_without_symbol(p):
    put(get(ftrace(p, "sched_blocked_reason")[0], "sched_blocked_reason"), "caller", 4711)


@breaks("profiles")
def profile_of_another_clock(p):
    put(get(get(having(p, "profile_packet")[0], "profile_packet"), "process_dumps"), "timestamp", 5)


@breaks("profiles")
def profile_goes_on(p):
    put(get(having(p, "profile_packet")[-1], "profile_packet"), "continued", 1)


@breaks("profiles")
def profile_skips(p):
    put(get(having(p, "profile_packet")[0], "profile_packet"), "index", 3)


@breaks("profiles")
def profile_of_nobody(p):
    put(get(get(having(p, "profile_packet")[0], "profile_packet"), "process_dumps"), "pid", 77)


def encode(packets):
    out = bytearray()
    for p in packets:
        data = SCHEMA.encode("TracePacket", p)
        out += b"\x0a" + to_varint(len(data)) + data
    return bytes(out)


def decode(data):
    packets, at = [], 0
    while at < len(data):
        _, at = varint(data, at)
        size, at = varint(data, at)
        packets.append(SCHEMA.decode("TracePacket", data[at:at + size]))
        at += size
    return packets


def raw(data, where, what):
    """Bytes that no schema would write."""
    packets = decode(data)
    i = next(k for k, p in enumerate(packets) if has(p, where))
    changed = SCHEMA.encode("TracePacket", packets[i]) + what
    return encode(packets[:i]) + b"\x0a" + to_varint(len(changed)) + changed + encode(packets[i + 1:])


def main():
    data = open(sys.argv[1], "rb").read()
    problems = check_pftrace.check_bytes(data).problems
    if problems:
        sys.exit("the trace is broken as it is: %s" % (problems[0],))
    packets = decode(data)
    if encode(packets) != data:
        sys.exit("decoding and encoding does not give the same bytes")
    missed = []
    for rule, change in BREAKS:
        broken = copy.deepcopy(packets)
        change(broken)
        if encode(broken) == data:
            missed.append("%s changes nothing" % change.__name__)
            continue
        found = {r for r, _ in check_pftrace.check_bytes(encode(broken)).problems}
        if rule not in found:
            missed.append("%s: wanted '%s', got %s" % (change.__name__, rule, sorted(found)))
    for name, bad in (("cut off", data[:-3]), ("no packet", data + b"\x12\x00"),
                      ("unknown field", raw(data, "track_event", b"\x80\x7d\x01")),
                      ("wrong wire type", raw(data, "track_event", b"\x69\x00\x00\x00\x00\x00\x00\x00\x00"))):
        if "decode" not in {r for r, _ in check_pftrace.check_bytes(bad).problems}:
            missed.append("%s: not noticed" % name)
    rules = {r for r, _ in BREAKS} | {"decode"}
    named = {line.split()[0] for line in check_pftrace.__doc__.split("\n") if line.startswith("    ") and line[4] != " "}
    named = {n for n in named if n != "check_pftrace.py"}
    if rules != named:
        missed.append("rules that nothing breaks: %s" % sorted(named - rules))
    if missed:
        sys.exit("\n".join(missed))
    print("%d ways to break it, each found by its rule" % (len(BREAKS) + 4))


if __name__ == "__main__":
    main()
