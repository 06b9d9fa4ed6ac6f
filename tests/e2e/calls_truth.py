"""What a trace says of waits, held against what the program saw itself (testdata/programs/time_truth.h).

	calls_truth.py TRUTH.json DUMP

The recorder stands inside the program's readings: a call takes it a little less, and one a little over 2 us for the
program may be under 2 us for the recorder, which then has no record of it. So, per thread and kind of wait:

	long waits of the program <= records <= waits of the program
	time of the records <= time of the program <= time of the records + 1 us a call + what short calls can take

The last does not hold where the program's thread was preempted between its reading and the recorder's. That adds up
to no more than a few time slices; the test allows a tenth of the time and 40 ms.

Handoffs: each wait for data was ended by a wake of the same object from another thread, the last one before
the wait's end. A wake is stamped before its write and a wait after its read, so none is missing. All but those few of
the program's that are too short for a record must be there, and nobody else's.
"""
import collections
import json
import sys

truth = json.load(open(sys.argv[1]))
waits, wakes = [], []
for line in open(sys.argv[2]):
    r = json.loads(line)
    if "wait" in r:
        waits.append(r)
    elif "wake" in r:
        wakes.append(r)
faults = []


def check(ok, text):
    if not ok:
        faults.append(text)


seen = collections.defaultdict(lambda: [0, 0, 0])  # (tid, kind): records, of 40 us or more, ns
for w in waits:
    s = seen[w["tid"], w["wait"]]
    s[0] += 1
    s[1] += w["end"] - w["begin"] >= 40000
    s[2] += w["end"] - w["begin"]

for t in truth["threads"]:
    records = sum(s[0] for (tid, _), s in seen.items() if tid == t["tid"])
    check(t["long_waits"] <= records <= t["waits"],
          f'{t["name"]}: {records} records; {t["waits"]} waits, {t["long_waits"]} long ones')
    for kind, ns in t["wait_ns"].items():
        got = seen[t["tid"], kind][2]
        check(got <= ns, f'{t["name"]}: {got} ns recorded for {kind}, it took {ns}')
        short = ns - got - t["calls"] * 3000
        check(short <= ns / 10 + 40e6, f'{t["name"]}: {got} ns recorded for {kind}, it took {ns}')
    others = [kind for (tid, kind), s in seen.items() if s[0] and tid == t["tid"] and not t["wait_ns"].get(kind)]
    check(not others, f'{t["name"]}: waits of kinds that it has none of: {others}')

# Who woke whom.
if truth["handoffs"]["total"]:
    wakees = {p["wakee"] for p in truth["handoffs"]["by_pair"]}
    by_object = collections.defaultdict(list)
    for w in wakes:
        by_object[w["object"]].append(w)
    for list_ in by_object.values():
        list_.sort(key=lambda w: w["time"])
    at = collections.defaultdict(int)
    found = collections.Counter()
    nobody = 0
    for w in sorted(waits, key=lambda w: w["end"]):
        if w["call"] not in ("read", "recv") or w["tid"] not in wakees:
            continue
        list_, i = by_object[w["object"]], at[w["object"]]
        last = None
        while i < len(list_) and list_[i]["time"] <= w["end"]:
            if list_[i]["tid"] != w["tid"]:
                last = list_[i]
            i += 1
        at[w["object"]] = i
        if last is None:
            nobody += 1
        else:
            found[last["tid"], w["tid"], w["wait"]] += 1
    check(not nobody, f"{nobody} waits for data were ended by nobody")
    wanted = {(p["waker"], p["wakee"], p["kind"]): p["count"] for p in truth["handoffs"]["by_pair"]}
    check(set(found) == set(wanted), f"pairs {sorted(found)}, wanted {sorted(wanted)}")
    for pair, n in wanted.items():
        check(n * 0.5 <= found[pair] <= n, f"{found[pair]} handoffs of {pair}, the program saw {n}")
    print("handoffs", sum(found.values()), "of", truth["handoffs"]["total"])

print(len(waits), "waits", len(wakes), "wakes")
for f in faults:
    print("WRONG:", f)
sys.exit(1 if faults else 0)
