#!/usr/bin/python3
"""A second reader of heaptide traces, written from formats/trace/SPEC.md alone.

    tide.py info TRACE    totals, as the JSON object of `heaptide info --json`
    tide.py dump TRACE    events, as the text of `heaptide dump`

It exists to prove that the specification is complete; section numbers in comments are those of SPEC.md.
wire.py has the primitives and columns, tidefile.py the file, times.py waits and switches, totals.py what events
add up to.
Wants python3-zstandard and python3-xxhash. Exit status: 0, 3 not a trace or newer, 4 truncated or damaged.
"""

import json
import sys
from collections import Counter

from tidefile import Trace
from times import Record, moment
from totals import Account
from wire import NAMED, NotATrace, OPS, WITH_TEXT

LOSSES = ("ring_full", "no_ring", "no_context", "nested", "early", "abandoned", "damaged", "full_disk",
          "after_close", "sched")
CLASSES = ("alloc", "map", "thread", "sync", "io", "sched", "stall", "fault")


def text(data):
    """A string, which may hold anything."""
    return data.decode("utf-8", "replace")


def status(value):
    """A wait status + 1, as JSON has it."""
    if not value:
        return None
    value -= 1
    return {"signal": value & 127} if value & 127 else {"code": value >> 8 & 255}


def resident(trace):
    """The largest sum of the last samples of the images that run."""
    last, most = {}, None
    ends = {image.id: image.end_ns for image in trace.images.values()}
    for time, image, rss in sorted(trace.samples):
        last[image] = rss
        most = max(most or 0, sum(last[i] for i in last if not 0 < ends.get(i, 0) <= time))
    return most


def arguments(data):
    """Arguments that are separated by NUL bytes, or each end in one."""
    return [text(part) for part in data.removesuffix(b"\0").split(b"\0")] if data else []


def time_totals(trace, records):
    """The records of section 16: as the footer says, if there is one. Where nothing is wrong, both must agree."""
    if trace.totals is None:
        return records
    keys = {"wait": 27, "wake": 28, "stall": 29, "fault": 30, "switch": 31, "io": 32}
    said = {what: trace.totals.get(key, 0) for what, key in keys.items()}
    if trace.verdict == "ok" and any(said[what] != records[what] for what in said):
        trace.damage("the totals of waits, stalls or switches")
    return said


def info(trace):
    """The totals, under the names of `heaptide info --json`."""
    account = Account(trace)
    records = Counter()
    for event in trace.walk():
        if isinstance(event, Record):
            records[event.what] += 1
            records["io"] += event.io
        else:
            account.event(event)
    sums = time_totals(trace, records)
    header, totals, heaps = trace.header, trace.totals or {}, account.heaps
    for number in trace.images:
        account.heap(number)

    def total(name):
        return sum(getattr(heap, name) for heap in heaps.values())

    def image_json(image):
        heap = heaps[image.id]
        parent = trace.images.get(image.parent - 1)
        return {
            "pid": image.pid,
            "parent": parent.pid if parent else None,
            "kind": ("first", "fork", "exec", "attach")[image.kind],
            "exe": text(trace.string(image.exe)) or None,
            "start_ns": image.start_ns,
            "end_ns": image.end_ns - 1 if image.end_ns else None,
            "exit_status": status(image.wait_status),
            "threads": threads[image.id],
            "allocations": heap.allocations,
            "frees": heap.frees,
            "allocated_bytes": heap.allocated,
            "own_peak_live_bytes": heap.peak,
            "own_peak_time_ns": heap.peak_time if heap.peak else None,
            "end_live_bytes": heap.live,
            "end_live_objects": heap.objects,
            "foreign_frees": heap.foreign,
            "inherited_frees": heap.inherited_frees,
            "implied_frees": heap.implied,
            "failed_calls": heap.failed,
        }

    ops = account.ops
    threads = Counter(thread.image for thread in trace.threads.values())
    first = trace.images.get(0)
    out = {
        "format_version": 2,
        "verdict": trace.verdict,
        "command": arguments(first and trace.string(first.argv) or header.get("command", b"")),
        "exit_status": status(totals.get(40)),
        "start_utc": header.get("start_utc_ns", 0),
        "duration_ns": max([totals.get(41, 0), account.last_time, trace.last_record] +
                           [image.end_ns - 1 for image in trace.images.values()] +
                           [time for time, _, _ in trace.samples]),
        "threads": len(trace.threads),
        "modules": [{"path": text(trace.string(module.path)), "build_id": module.build_id.hex() or None,
                     "size": module.size, "bias": hex(module.bias)} for module in trace.modules],
        "events": {
            "alloc": sum(ops[op] for op in (1, 2, 3, 4)),
            "realloc": ops[5],
            "map": sum(ops[op] for op in (16, 17, 18, 19)),
            "thread": ops[24] + ops[25],
            "sync": sums["wait"] - sums["io"],
            "io": sums["io"],
            "sched": sums["switch"],
            "stall": sums["stall"],
            "fault": sums["fault"],
        },
        "events_recorded": [name for name in CLASSES if name.encode() in header.get("events", b"").split(b",")] or None,
        "allocations": total("allocations"),
        "frees": total("frees"),
        "allocated_bytes": total("allocated"),
        "peak_live_bytes": account.peak,
        "peak_live_objects": account.peak_objects,
        "peak_time_ns": account.peak_time if account.peak else None,
        "end_live_bytes": total("live"),
        "end_live_objects": total("objects"),
        "temporary": account.temporary,
        "lost_events": {name: None if trace.totals is None else totals.get(64 + reason, 0)
                        for reason, name in enumerate(LOSSES)},
        "foreign_frees": total("foreign"),
        "inherited_frees": total("inherited_frees"),
        "implied_frees": total("implied"),
        "failed_calls": total("failed"),
        "truncated_stacks": account.truncated,
        "sources": {"sched": header.get("sched", b"").decode() or None,
                    "clock": header.get("clock", b"").decode() or None},
        "sample_bytes": header.get("sample_bytes", 0),
        "stack_depth": header.get("stack_depth", 0),
        "free_stacks": bool(header.get("free_stacks", 0)),
        "file_bytes": trace.size,
    }
    if not trace.lossy:
        out["stacks"] = len(account.stacks)
        out["cross_thread_frees"] = account.cross
    if not trace.lost_dictionary:
        out["images"] = [image_json(image) for _, image in sorted(trace.images.items())]
        out["max_rss_bytes"] = resident(trace)
    return out


def quoted(data):
    """A string on one line, as `heaptide dump` has it."""
    return json.dumps(text(data), ensure_ascii=False)


def dump(trace, out):
    """Writes the events as text, one a line."""
    write = out.write
    for event in trace.walk():
        thread = trace.threads.get(event.thread)
        image = trace.images.get(thread.image) if thread else None
        if isinstance(event, Record):
            line = f"{moment(event.time)}  {image.pid if image else 0}/{thread.tid if thread else 0}  {event.what} "
            line += "".join(f" {field}" if isinstance(field, str) else f" {field[0]}={field[1]}"
                            for field in event.fields)
            write(line + (f" stack={event.stack}" if event.stack else "") + "\n")
            continue
        mark = "" if event.flags & 32 else "~"
        line = (f"{moment(event.time)}{mark}  {image.pid if image else 0}/"
                f"{thread.tid if thread else 0}  {OPS.get(event.op, f'op{event.op}')} ")
        for name in ("seq", "size"):
            value = getattr(event, name)
            if value is not None:
                line += f" {name}={value}"
        if event.address:
            line += f" address={event.address:#x}"
        if event.extra is not None:
            line += f" extra={event.extra}"
        if event.extra2 is not None:
            line += f" extra2={event.extra2}"
        if event.stack:
            line += f" stack={event.stack}"
        if event.flags & 128:
            line += " unpaired"
        if event.flags & 64:
            line += " new_machine"
        if event.op in NAMED:
            line += f" text={quoted(trace.string(event.extra))}"
        if event.op in WITH_TEXT and event.extra2:
            line += f" text2={quoted(trace.string(event.extra2))}"
        write(line.rstrip() + "\n")


def main():
    """The command line."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("info", "dump"):
        print("usage: tide.py info|dump TRACE", file=sys.stderr)
        return 2
    try:
        trace = Trace(sys.argv[2])
        if sys.argv[1] == "info":
            json.dump(info(trace), sys.stdout, indent=2)
            print()
        else:
            dump(trace, sys.stdout)
    except NotATrace as error:
        print(f"tide.py: {sys.argv[2]}: {error}", file=sys.stderr)
        return 3
    for problem in trace.problems:
        print(f"tide.py: {sys.argv[2]}: {problem}", file=sys.stderr)
    return 0 if trace.verdict == "ok" else 4


if __name__ == "__main__":
    sys.exit(main())
