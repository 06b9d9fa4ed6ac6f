"""What heaptide has set itself: each limit beside what was measured."""
from dataclasses import dataclass

from workloads import RATIO

MB = 1 << 20
BOTH = ("nofree", "alloc")      # without and with the stacks of frees
PROGRAM_LIMITS = {"jq": (1.12, 1.18), "cc1": (1.12, 1.18), "sqlite3": (1.20, 1.30), "perl": (1.20, 1.30),
                  "gitlog": (1.25, 1.35), "redis": (1.25, 1.35), "python3": (1.60, 1.90)}
LOOP_LIMITS = {"pairs20": (35, 60), "pairs60": (50, 85)}
SIZE_LIMITS = {"python3": (0.35, 0.65), "sqlite3": (0.20, 0.25), "jq": (0.40, 0.50), "cc1": (1.1, 1.5)}


@dataclass
class Target:
    what: str
    tool: str
    limit: float
    measured: float     # None: not measured
    unit: str
    least: bool = False     # the limit is a minimum

    @property
    def met(self):
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.least else self.measured <= self.limit


def mid(spread):
    return spread["median"] if spread else None


def worst(values, pick=max):
    values = [v for v in values if v is not None]
    return pick(values) if values else None


def targets(results):
    """All of them, in the order in which they are printed."""
    r, rows = results, []

    def both(what, limits, measure, unit):
        for tool, limit in zip(BOTH, limits):
            rows.append(Target(what, tool, limit, measure(tool), unit))

    for name, limits in LOOP_LIMITS.items():
        both(f"{name}: added to a pair", limits, lambda t: mid(r.added_per_operation(name, t)), "ns")
    for name, limits in PROGRAM_LIMITS.items():
        both(f"{name}: wall against native", limits, lambda t: mid(r.ratio("two", name, t)), "x")
    both("wall, geometric mean of these", (1.25, 1.38), lambda t: r.geomean("two", t), "x")
    both("CPU of the whole tree, geometric mean", (1.8, 2.0), lambda t: r.geomean("two", t, "tree_cpu"), "x")
    both("wall on one core, geometric mean", (1.6, 1.8), lambda t: r.geomean("one", t), "x")
    both("churn2: added to an event", (30, 45), lambda t: mid(r.added_per_event("churn2", t, 2)), "ns")
    both("churn16 against churn2, added to an event", (1.2, 1.2), lambda t: scaling(r, t), "x")
    both("collector, CPU of an event, dearest program", (30, 30),
         lambda t: worst(mid(r.collector_cpu(w, t)) for w in RATIO), "ns")
    both("RSS of the program besides rings, largest", (6, 6), lambda t: memory(r, t), "MB")

    for name in ("pairs20", "churn2"):
        added = r.added_per_event(name, "sample", 2 if name == "churn2" else 1)
        rows.append(Target(f"{name}: added to an event, sampled", "sample", 1, mid(added), "ns"))
    for name in [*RATIO, "cc1plus"]:
        rows.append(Target(f"{name}: wall against native, sampled", "sample", 1.02, mid(r.ratio("two", name, "sample")), "x"))

    for name, limits in SIZE_LIMITS.items():
        for tool, limit in zip(("noaddr", "alloc"), limits):
            rows.append(Target(f"{name}: trace", tool, limit, mid(r.bytes_per_event(name, tool)), "B/event"))

    rows.append(Target("report of python3: events a second", "alloc", 40, speed(r, "python3"), "M/s", least=True))
    rows.append(Target("report: memory against 64 MB + 48 B a block + 200 B a site, worst", "alloc", 1,
                       worst(report_memory(r, w) for w in RATIO), "x"))
    rows.append(Target("report of 1 % of 100 M events against all", "alloc", 5,
                       100 * r.window["part"] / r.window["whole"] if r.window else None, "%"))
    rows.append(Target("heaptrack_print's time against report's, worst", "alloc", 2,
                       worst((against(r, w, "wall") for w in RATIO), min), "x", least=True))
    rows.append(Target("report's memory against heaptrack_print's, worst", "alloc", 1,
                       worst(inverse(against(r, w, "rss")) for w in RATIO), "x"))
    return rows


def inverse(value):
    return None if value is None else 1 / value


def scaling(r, tool):
    few, many = mid(r.added_per_event("churn2", tool, 2)), mid(r.added_per_event("churn16", tool, 16))
    return many / few if few and many and few > 0 else None


def memory(r, tool):
    found = [r.memory_added(w, tool) for w in RATIO]
    return worst(m["besides"] / MB for m in found if m)


def speed(r, name):
    analysis, events = r.analysis(name, "alloc"), r.events(name, "alloc")
    return events["median"] / (analysis["wall"] / 1e9) / 1e6 if analysis and events else None


def report_memory(r, name):
    run, analysis = r.survey.get(name, {}).get("alloc"), r.analysis(name, "alloc")
    if not analysis or not run.get("sites"):
        return None
    return analysis["rss"] / (64 * MB + 48 * run["facts"]["peak_blocks"] + 200 * run["sites"])


def against(r, name, key):
    """heaptrack_print's over report's."""
    ours, theirs = r.analysis(name, "alloc"), r.analysis(name, "heaptrack")
    return theirs[key] / ours[key] if ours and theirs else None
