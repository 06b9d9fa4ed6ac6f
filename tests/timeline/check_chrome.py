#!/usr/bin/python3
"""Proves that a file of Chrome's trace events is what its viewers take. Says what is wrong, a line each; status 1 if
anything is.

    check_chrome.py [--json] FILE          [--json: a summary of what is in it]
    check_chrome.py --self-test FILE       breaks the file in many ways, and sees that each is found

Rules: json; times; names; nest (complete events of a thread); async (begin, moments, end); flows (one start, one end,
each in a slice that is open, the later slice the one where it ends); counters; states (do not overlap)."""
import copy
import decimal
import json
import sys

PHASES = set("MXsfbneCiT")


def ns(value):
    scaled = value * 1000
    if scaled != int(scaled):
        raise ValueError(value)
    return int(scaled)


class Checker:
    def __init__(self, document):
        self.problems = []
        self.document = document
        self.slices, self.flows, self.tasks, self.counters, self.states = [], {}, {}, {}, {}
        self.names = {}
        try:
            self.check()
        except (KeyError, TypeError, ValueError, AttributeError, decimal.InvalidOperation) as e:
            self.wrong("json", "%s: %s", type(e).__name__, e)

    def wrong(self, rule, message, *args):
        self.problems.append((rule, message % args))

    def check(self):
        if self.document["displayTimeUnit"] != "ns":
            self.wrong("json", "displayTimeUnit")
        threads, used = {}, set()
        for order, e in enumerate(self.document["traceEvents"]):
            phase = e["ph"]
            if phase not in PHASES:
                self.wrong("json", "phase %s", phase)
                continue
            if any(not isinstance(e.get(k, 1), int) or e.get(k, 1) <= 0 for k in ("pid", "tid")):
                self.wrong("names", "pid %s, tid %s", e["pid"], e.get("tid"))
            if phase == "M":
                if e["name"] in ("process_name", "thread_name"):
                    key = (e["pid"], e.get("tid") if e["name"] == "thread_name" else None)
                    if key in self.names:
                        self.wrong("names", "%s has two names", key)
                    self.names[key] = e["args"]["name"]
                continue
            used.add((e["pid"], None))
            at = ns(e["ts"])
            if at < 0 or at > 10 ** 17:
                self.wrong("times", "%s at %d", e["name"], at)
            if phase == "C":
                (key, value), = e["args"].items()
                points = self.counters.setdefault((e["pid"], e["name"], key), [])
                number = isinstance(value, (int, decimal.Decimal)) and not isinstance(value, bool)
                if points and at < points[-1][0] or not number:
                    self.wrong("counters", "%s: %s at %d", e["name"], value, at)
                points.append((at, value))
                continue
            thread = (e["pid"], e["tid"])
            used.add(thread)
            if phase in "bne":
                self.task(e, at)
            elif phase == "T":
                if e["name"] not in ("Running", "R", "S", "D") or ns(e["dur"]) < 0:
                    self.wrong("states", "%s", e)
                self.states.setdefault(thread, []).append((at, at + ns(e["dur"]), e["name"]))
            elif phase == "i":
                if e["s"] != "t" or not e["name"]:
                    self.wrong("json", "an instant that is not its thread's, or has no name")
            else:
                threads.setdefault(thread, []).append((at, order, e))
        for key in used - set(self.names):
            self.wrong("names", "%s has no name", key)
        for thread, events in threads.items():
            self.nest(thread, sorted(events, key=lambda x: x[:2]))
        for flow, ends in self.flows.items():
            if sorted(ends) != ["f", "s"] or ends["s"] is None or ends["f"] is None:
                self.wrong("flows", "%s has %s", flow, sorted(ends))
            elif ends["s"] >= ends["f"]:
                self.wrong("flows", "%s leads back", flow)
        for ident, task in self.tasks.items():
            if not task["ended"]:
                self.wrong("async", "%s does not end", ident)
        for thread, spans in self.states.items():
            spans.sort()
            for a, b in zip(spans, spans[1:]):
                if a[1] > b[0]:
                    self.wrong("states", "of %s overlap at %d", thread, b[0])

    def task(self, e, at):
        key = (e["pid"], e["cat"], e["id"])
        task = self.tasks.get(key)
        if e["ph"] == "b":
            if task:
                self.wrong("async", "%s begins twice", key)
            self.tasks[key] = {"name": e["name"], "at": at, "ended": False, "moments": 0}
        elif not task or task["ended"] or at < task["at"]:
            self.wrong("async", "%s is not open", key)
        elif e["ph"] == "e":
            if e["name"] != task["name"]:
                self.wrong("async", "%s ends as %s", task["name"], e["name"])
            task["ended"], task["end"] = True, at
        else:
            task["moments"] += 1

    def nest(self, thread, events):
        stack = []
        for at, _, e in events:
            while stack and stack[-1][1] <= at:
                stack.pop()
            if e["ph"] == "X":
                end = at + ns(e["dur"])
                if end < at or (stack and end > stack[-1][1]):
                    self.wrong("nest", "%s on %s ends behind what is around it", e["name"], thread)
                if not e["name"]:
                    self.wrong("names", "a slice has no name")
                self.slices.append((thread, at, end, e["name"], len(stack), e.get("args", {})))
                stack.append((at, end))
            else:
                key = (e["cat"], e["name"], e["id"])
                ends = self.flows.setdefault(key, {})
                if e["bp"] != "e" or e["ph"] in ends:
                    self.wrong("flows", "%s twice, or not bound to its slice", key)
                if not stack:
                    self.wrong("flows", "%s has no slice on %s", key, thread)
                ends[e["ph"]] = stack[-1][0] if stack else None


def load(text):
    return json.loads(text, parse_float=decimal.Decimal)


def breaks(document):
    """(rule, a document that breaks it)"""
    def changed(rule, phase, change, which=0):
        d = copy.deepcopy(document)
        events = d["traceEvents"]
        event = [e for e in events if e["ph"] == phase][which]
        change(events, event)
        return rule, d
    yield changed("json", "X", lambda all_, e: e.pop("ts"))
    yield changed("json", "X", lambda all_, e: e.update(ph="?"))
    yield changed("json", "i", lambda all_, e: e.update(s="g"))
    yield changed("json", "X", lambda all_, e: e.update(ts=decimal.Decimal("0.0001")))
    yield changed("times", "X", lambda all_, e: e.update(ts=-1))
    yield changed("names", "X", lambda all_, e: e.update(tid=0))
    yield changed("names", "M", lambda all_, e: all_.remove(e))
    yield changed("names", "X", lambda all_, e: e.update(tid=77))
    yield changed("nest", "X", lambda all_, e: e.update(dur=decimal.Decimal(500)))
    yield changed("async", "b", lambda all_, e: all_.remove(e))
    yield changed("async", "e", lambda all_, e: all_.remove(e))
    yield changed("async", "e", lambda all_, e: e.update(ts=0))
    yield changed("async", "b", lambda all_, e: all_.insert(all_.index(e), dict(e)))
    yield changed("async", "n", lambda all_, e: e.update(ts=decimal.Decimal("0.5")))
    yield changed("flows", "s", lambda all_, e: all_.remove(e))
    yield changed("flows", "f", lambda all_, e: all_.remove(e))
    yield changed("flows", "f", lambda all_, e: e.pop("bp") and e.update(bp="n"))
    yield changed("flows", "s", lambda all_, e: e.update(ts=decimal.Decimal("9999")))
    yield changed("flows", "s", lambda all_, e: e.update(id=e["id"] + 1))

    def swap(all_, e):
        other = [x for x in all_ if x["ph"] == "f" and x["id"] == e["id"]][0]
        e["ph"], other["ph"] = "f", "s"
    yield changed("flows", "s", swap)
    yield changed("counters", "C", lambda all_, e: e.update(args={"bytes": True}))
    yield changed("counters", "C", lambda all_, e: e.update(ts=decimal.Decimal("9000")))
    yield changed("states", "T", lambda all_, e: e.update(dur=decimal.Decimal("9000")))
    yield changed("states", "T", lambda all_, e: e.update(name="sleeping"))


def self_test(document):
    if Checker(document).problems:
        sys.exit("the file is broken as it is: %s: %s" % Checker(document).problems[0])
    missed, count = [], 0
    for rule, broken in breaks(document):
        count += 1
        found = {r for r, _ in Checker(broken).problems}
        if rule not in found:
            missed.append("break %d: wanted '%s', got %s" % (count, rule, sorted(found)))
    if missed:
        sys.exit("\n".join(missed))
    print("%d ways to break it, each found by its rule" % count)


def main():
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    path, = [a for a in sys.argv[1:] if not a.startswith("--")]
    with open(path, encoding="utf-8", errors="strict") as f:
        document = load(f.read())
    if "--self-test" in options:
        self_test(document)
        return 0
    c = Checker(document)
    for rule, message in c.problems[:20]:
        print("%s: %s" % (rule, message), file=sys.stderr)
    if "--json" in options:
        print(json.dumps({"events": len(document["traceEvents"]), "other": document["otherData"], "flows": len(c.flows),
                          "slices": c.slices, "names": sorted(map(str, c.names.items())), "tasks": list(c.tasks.values()),
                          "counters": [[list(k), len(v)] for k, v in c.counters.items()]}, default=str))
    return 1 if c.problems else 0


if __name__ == "__main__":
    sys.exit(main())
