"""What `heaptide latency` says of a trace against itself and against what the program wrote down.

latency_truth.py HEAPTIDE TRACE [TRUTH.json]: prints what is off, a line each, and exits 1; else one line of figures.

Truth is written by testdata/programs/time_truth.h, or by hogs. STOLEN in the environment is how many ns a host took
from this machine meanwhile. Nothing is compared with wall-clock constants: sums of one run are compared with other
sums of the same run, and what a thread waited for may have been over long before it ran again.
"""
import json
import os
import struct
import subprocess
import sys

heaptide, trace = sys.argv[1:3]
stolen = int(os.environ.get("STOLEN", 0))
off = []


def view(name, *options):
    command = [heaptide, "latency", "--json", "--view=" + name, *options, trace]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def start_of_trace():
    """CLOCK_MONOTONIC at its time 0: field 2 of the header."""
    with open(trace, "rb") as file:
        head = file.read(16)
        fields = file.read(struct.unpack_from("<I", head, 12)[0] - 24)
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = fields[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(fields):
        key, length = number(), number()
        if key == 2:
            return number()
        at += length
    return 0


threads, scheduler, locks = view("threads"), view("scheduler"), view("locks")
switched = threads["switches"] > 0
by_tid = {row["tid"]: row for row in threads["rows"]}

# The equation holds of each thread, and little is unknown.
unknown = total = 0
for row in threads["rows"]:
    parts = row["running_ns"] + row["runnable_ns"] + sum(row["blocked_ns"].values()) + row["allocator_ns"] + row["unknown_ns"]
    if parts != row["total_ns"] or row["total_ns"] != row["end_ns"] - row["start_ns"]:
        off.append(f"{row['tid']}: parts add up to {parts}, total is {row['total_ns']}")
    unknown += row["unknown_ns"]
    total += row["total_ns"]
TICK = 10000000  # what a host takes is told, and a run is counted, a hundred times a second or more
if not threads["lost_switches"] and unknown > total / 100 + stolen + TICK:
    off.append(f"{unknown} ns of {total} are unknown, and no switch was lost")

# What the kernel had counted at its last reading: 1 % or 1 ms. A process' first thread ran before anybody looked.
# A host that takes a virtual processor away may do so between two stamps of ours: STOLEN. Of a thread that runs the
# kernel counts the present run once a tick.
def off_by(want, got):
    return abs(want - got) - max(want / 100, 1000000)


if switched and not threads["lost_switches"]:
    for row in threads["rows"]:
        kernel = row["kernel"]
        if kernel["time_ns"] is None or row["tid"] == row["pid"]:
            continue
        for state in "running", "runnable":
            want, got = kernel[f"{state}_ns"], kernel[f"seen_{state}_ns"]
            lag = TICK if state == "running" and got > want else 0
            if off_by(want, got) > stolen + lag:
                off.append(f"{row['tid']}: {state} for {got} ns, the kernel says {want} at {kernel['time_ns']}")

figures = f"{len(threads['rows'])} threads, {threads['switches']} switches, {unknown / max(total, 1):.2%} unknown"
if len(sys.argv) > 3:
    with open(sys.argv[3], encoding="utf-8") as file:
        truth = json.load(file)
    # What each thread read of itself at its end (the first thread, since its beginning): 1 % or 1 ms. The recorder cannot
    # read a thread that is gone: what it did after the last reading is an estimate, and one thread in four may be off by
    # more, where it waited long at its end; and each, where the recorder itself waited for a processor for long.
    worst, misses, looked = {"running": 0, "runnable": 0}, [], 0
    zero = start_of_trace()
    for thread in truth["threads"] if switched and not threads["lost_switches"] else []:
        row, (begin, end) = by_tid.get(thread["tid"]), thread.get("kernel") or ({"at_ns": 0}, thread)
        if not row or not end["at_ns"]:
            continue
        first = row["tid"] == row["pid"]
        options = ["--thread=%d" % row["tid"], "--to=%dns" % (end["at_ns"] - zero)]
        if first:
            options.append("--from=%dns" % (begin["at_ns"] - zero))
        until, looked = view("threads", *options)["rows"][0], looked + 1
        behind = max(end["at_ns"] - zero - (row["kernel"]["time_ns"] or 0), 0)
        for state in worst:
            want, got = end[f"{state}_ns"] - (begin[f"{state}_ns"] if first else 0), until[f"{state}_ns"]
            worst[state] = max(worst[state], abs(want - got))
            if off_by(want, got) > stolen:
                text = f"{row['tid']}: {state} for {got} ns, it found {want}; {behind} ns after the last reading"
                if behind < 20000000:
                    misses.append(text)
                if off_by(want, got) > stolen + behind + max(want / 20, 5000000):
                    off.append(text)
    if len(misses) > 1 + looked / 4:
        off += misses
    if looked:
        within = " and ".join(f"{ns / 1e6:.2f} ms" for ns in worst.values())
        figures += f", running and runnable of {looked} threads within {within}"
    # Blocked is a part of what the program waited; the rest of it the thread was ready, or ran.
    for thread in truth["threads"]:
        row = by_tid.get(thread["tid"])
        if not row:
            off.append(f"{thread['tid']}: not there")
            continue
        for kind, ns in thread.get("wait_ns", {}).items():
            blocked, elsewhere = row["blocked_ns"][kind], row["runnable_ns"] + row["running_ns"]
            if ns and not threads["lost_switches"] and not blocked <= ns * 1.02 + 500000:
                off.append(f"{thread['tid']}: blocked {blocked} ns for {kind}, and waited {ns}")
            if not blocked + elsewhere + row["unknown_ns"] + row["blocked_ns"]["other"] + row["allocator_ns"] >= ns * 0.98 - 500000:
                off.append(f"{thread['tid']}: blocked {blocked} ns for {kind}, {elsewhere} on or for a processor, and waited {ns}")
    # Each lock that the program saw taken.
    seen = {row["lock"]: row for row in locks["rows"]}
    for lock in truth.get("locks", []):
        if lock["kind"] not in ("mutex", "rwlock") or not lock["long_waits"]:
            continue
        row = seen.get(lock["address"])
        if not row:
            off.append(f"{lock['address']}: no such lock")
            continue
        if row["kind"] != lock["kind"] or not lock["long_waits"] <= row["waits"] <= lock["waits"]:
            off.append(f"{lock['address']}: {row['waits']} waits, wanted {lock['long_waits']} to {lock['waits']}")
        # It may be less: between the program's clock and the recorder's the thread may have been put aside.
        if not 0 < row["wait_ns"] <= lock["wait_ns"] * 1.02 + 20000 * lock["waits"]:
            off.append(f"{lock['address']}: waited {row['wait_ns']} ns, wanted {lock['wait_ns']}")
        if not row["name"] or not row["wait_stack"]:
            off.append(f"{lock['address']}: name {row['name']}, no stack or name")
    # Who ended what.
    wanted = {}
    for pair in truth.get("handoffs", {}).get("by_pair", []):
        key = (pair["waker"], pair["wakee"])
        wanted[key] = wanted.get(key, 0) + pair["count"]
    if wanted:
        got = {(w["tid"], row["tid"]): w["count"] for row in scheduler["rows"] for w in row["wakers"]}
        all_of_them = sum(wanted.values())
        right = sum(min(count, got.get(key, 0)) for key, count in wanted.items())
        figures += f", {right} of {all_of_them} hand-offs right"
        if right < 0.99 * all_of_them:
            off.append(f"hand-offs: {right} of {all_of_them} right: wanted {wanted}, got {got}")

for line in off[:20]:
    print(line)
if off:
    sys.exit(1)
print(figures)
