"""What `heaptide latency` says of a trace against itself and against what the program wrote down.

latency_truth.py HEAPTIDE TRACE [TRUTH.json]: prints what is off, a line each, and exits 1; else one line of figures.

Truth is written by testdata/programs/time_truth.h. Nothing is compared with wall-clock constants: sums of
one run are compared with other sums of the same run, and what a thread waited for may have been over long before it ran again.
"""
import json
import subprocess
import sys

heaptide, trace = sys.argv[1:3]
off = []


def view(name):
    out = subprocess.run([heaptide, "latency", "--json", "--view=" + name, trace], capture_output=True, check=True)
    return json.loads(out.stdout)


def near(what, want, got, share, least):
    if abs(want - got) > max(want * share, least):
        off.append(f"{what}: {got}, wanted {want} within {share:.0%} or {least}")


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
if not threads["lost_switches"] and unknown > total / 100:
    off.append(f"{unknown} ns of {total} are unknown, and no switch was lost")

# What the kernel counted. Threads begin before they are seen, and wait for
# their first processor then, programs' first threads for several.
if switched and not threads["lost_switches"]:
    for row in threads["rows"]:
        kernel = row["kernel"]
        if kernel["time_ns"] is None or row["tid"] == row["pid"]:
            continue
        allowed = 5000000 + 1000 * (row["switches"]["voluntary"] + row["switches"]["involuntary"])
        near(f"{row['tid']}: running", kernel["running_ns"], kernel["seen_running_ns"], 0.02, allowed)
        if not kernel["runnable_ns"] * 0.9 - allowed - 30000000 <= kernel["seen_runnable_ns"] <= kernel["runnable_ns"] * 1.02 + allowed:
            off.append(f"{row['tid']}: runnable for {kernel['seen_runnable_ns']}, the kernel says {kernel['runnable_ns']}")

figures = f"{len(threads['rows'])} threads, {threads['switches']} switches, {unknown / max(total, 1):.2%} unknown"
if len(sys.argv) > 3:
    with open(sys.argv[3], encoding="utf-8") as file:
        truth = json.load(file)
    # Blocked is a part of what the program waited; the rest of it the thread was ready, or ran.
    for thread in truth["threads"]:
        row = by_tid.get(thread["tid"])
        if not row:
            off.append(f"{thread['tid']}: not there")
            continue
        for kind, ns in thread["wait_ns"].items():
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
