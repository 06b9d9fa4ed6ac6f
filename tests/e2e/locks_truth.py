"""Compares what a program saw of its waits (testdata/programs/time_truth.h) with what the trace says of them.

    locks_truth.py TRUTH.json TIMES.jsonl

TIMES.jsonl is timedump's. A wait that the program found by trying may have been none when it called, and its
readings stand around the hook, so counts lie between two bounds. Times are below the program's: by a tenth of a
microsecond a wait, and by whatever a thread was kept from its processor between the two clocks, which is bounded for
all together. Handoffs are exact.
"""
import bisect
import collections
import json
import sys

KINDS = "mutex", "rwlock", "cond", "sem", "join"
truth = json.load(open(sys.argv[1]))
waits, wakes = [], collections.defaultdict(list)
for line in open(sys.argv[2]):
    record = json.loads(line)
    if "wait" in record:
        waits.append(record)
    elif "wake" in record:
        wakes[record["object"]].append((record["time"], record["tid"]))
for list_ in wakes.values():
    list_.sort()
faults = 0


def wrong(text):
    global faults
    faults += 1
    print("WRONG:", text, file=sys.stderr)


def number(address):
    return int(address, 0)


by_thread, by_object = collections.defaultdict(list), collections.defaultdict(list)
for w in waits:
    by_thread[w["tid"], w["wait"]].append(w["end"] - w["begin"])
    by_object[number(w["object"])].append(w["end"] - w["begin"])

told = seen_ns = 0
for thread in truth["threads"]:
    seen = 0
    for kind in KINDS:
        ns, recorded = thread["wait_ns"][kind], by_thread[thread["tid"], kind]
        seen += len(recorded)
        told += ns
        seen_ns += sum(recorded)
        if sum(recorded) > ns + 1000 * len(recorded): # two clocks, each calibrated
            wrong(f"{thread['name']}: waited {ns} ns for {kind}, recorded {sum(recorded)} in {len(recorded)}")
    if not thread["long_waits"] <= seen <= thread["waits"]:
        wrong(f"{thread['name']}: {thread['long_waits']} to {thread['waits']} waits, recorded {seen}")

if seen_ns < told * 0.8 - 50e6:
    wrong(f"waited {told} ns in all, recorded {seen_ns}")

for lock in truth["locks"]:
    seen = len(by_object[number(lock["address"])])
    if lock["kind"] != "join" and not lock["long_waits"] <= seen <= lock["waits"]:
        wrong(f"{lock['kind']} at {lock['address']}: {lock['long_waits']} to {lock['waits']} waits, recorded {seen}")

handoffs = truth["handoffs"]
if handoffs["total"]:
    pairs = collections.Counter()
    for w in waits:
        if w["wait"] == "join":
            continue
        before = wakes[w["object"]]
        i = bisect.bisect_right(before, (w["end"], 1 << 40)) - 1
        while i >= 0 and before[i][1] == w["tid"]:
            i -= 1
        pairs[before[i][1] if i >= 0 else 0, w["tid"], w["wait"]] += 1
    known = {(p["waker"], p["wakee"], p["kind"]): p["count"] for p in handoffs["by_pair"]}
    right = sum(min(count, known.get(pair, 0)) for pair, count in pairs.items())
    print(f"{right} of {handoffs['total']} handoffs have their waker")
    if pairs != collections.Counter(known):
        wrong(f"handoffs: {known}, recorded {dict(pairs)}")
part = seen_ns / max(told, 1)
print(f"{part:.3f} of the time, {len(waits)} waits, {sum(map(len, wakes.values()))} wakes, {faults} faults")
sys.exit(faults != 0)
