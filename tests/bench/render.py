"""The tables, as aligned text or Markdown, and the JSON object. Both are made of the same figures."""
from dataclasses import asdict

from results import span
from targets import MB, mid, targets
from tools import TOOLS
from workloads import RATIO, WORKLOADS

NONE = "-"


def number(value):
    if value is None:
        return NONE
    size = abs(value)
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def spread(s, scale=1):
    """Median (min-max)."""
    return NONE if s is None else f"{number(s['median'] * scale)} ({number(s['min'] * scale)}–{number(s['max'] * scale)})"


class Table:
    def __init__(self, title, note, columns):
        self.title, self.note, self.columns, self.rows = title, note, columns, []

    def add(self, *cells):
        if any(c != NONE for c in cells[1:]):
            self.rows.append([str(c) for c in cells])

    def text(self):
        lines = [self.columns, *self.rows]
        width = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        body = ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, width))).rstrip() for line in lines]
        return "\n".join([self.title, self.note, "", *("  " + b for b in body), ""])

    def markdown(self):
        lines = ["| " + " | ".join(line) + " |" for line in [self.columns, *self.rows]]
        lines.insert(1, "|---|" + "---:|" * (len(self.columns) - 1))
        return "\n".join([f"**{self.title}.** {self.note}", "", *lines, ""])


def tables(results, tools):
    """tools: the names of those that were run."""
    r = results
    timed = [t.name for t in TOOLS if t.name in tools and t.timed and t.name != "native"]
    recorders = [t.name for t in TOOLS if t.name in tools and t.name not in ("native", "again")]
    ours = [t.name for t in TOOLS if t.name in recorders and t.survey and t.name != "heaptrack"]
    ours_timed = [t for t in timed if t not in ("again", "heaptrack")]
    real = [w.name for w in WORKLOADS if not w.loop]
    found = []

    def table(title, note, columns):
        found.append(Table(title, note, columns))
        return found[-1]

    t = table("Loops: added ns", "pairs: to a malloc and its free; churn: to an event of one thread, wall time. native: the whole of it. "
              "Median (min–max) of the rounds", ["", "native", *timed])
    for w in WORKLOADS:
        if w.kind == "pairs":
            native = span([run["wall"] / run["operations"] for run, _ in r.pairs("two", w.name, "native")])
            t.add(w.name, spread(native), *(spread(r.added_per_operation(w.name, x)) for x in timed))
        if w.kind == "churn":
            side_by_side = min(w.threads, results.processors)
            native = span([run["wall"] * side_by_side / run["operations"] / 2 for run, _ in r.pairs("two", w.name, "native")])
            t.add(w.name, spread(native), *(spread(r.added_per_event(w.name, x, w.threads)) for x in timed))

    for part, title in (("two", "Programs: wall time against native"), ("one", "All on one core: wall time against native")):
        t = table(title, "native: seconds. redis: time of the load. Mean: geometric, of all but cc1plus", ["", "native s", *timed])
        for name in real:
            t.add(name, spread(r.native(part, name), 1e-9), *(spread(r.ratio(part, name, x)) for x in timed))
        t.add("mean", NONE, *(number(r.geomean(part, x)) for x in timed))

    t = table("CPU of all processes against native's", "user and system, the recorder's processes included", ["", "native s", *timed])
    for name in real:
        t.add(name, spread(r.native("two", name, "tree_cpu"), 1e-9), *(spread(r.ratio("two", name, x, "tree_cpu")) for x in timed))
    t.add("mean", NONE, *(number(r.geomean("two", x, "tree_cpu")) for x in timed))

    t = table("CPU outside of the program, ns an event", "in brackets the collector's own account, where there is one", ["", *recorders])
    for w in WORKLOADS:
        t.add(w.name, *(number(mid(r.helpers_cpu(w.name, x))) + (f" [{number(mid(own))}]" if own else "")
                        for x in recorders for own in [r.collector_cpu(w.name, x)]))

    t = table("Trace, bytes an event", "an event is one allocation or one free. events: of one run", ["", "events", *recorders])
    for w in WORKLOADS:
        counted = next((e for x in ("alloc", *recorders) for e in [r.events(w.name, x)] if e), None)
        t.add(w.name, f"{counted['median']:,.0f}" if counted else NONE, *(number(mid(r.bytes_per_event(w.name, x))) for x in recorders))

    t = table("Waiting for room in a ring, ms", "all threads together", ["", *ours_timed])
    for w in WORKLOADS:
        t.add(w.name, *(spread(r.waited(w.name, x), 1e-6) for x in ours_timed))

    t = table("Memory of the program, MB", "peak RSS: added to native's, shared ring pages apart", ["", "native", *ours])
    for name in real:
        added = [r.memory_added(name, x) for x in ours]
        native = next((number(a["native"] / MB) for a in added if a), NONE)
        t.add(name, native, *(f"{a['besides'] / MB:+.1f}, rings {a['rings'] / MB:.1f}" if a else NONE for a in added))

    analysed = [x for x in ("alloc", "heaptrack") if x in tools]
    t = table("Report: seconds, MB", "heaptide report, heaptrack_print: repeated on one trace; in brackets the first time", ["", *analysed])
    for name in real:
        got = [r.analysis(name, x) for x in analysed]
        t.add(name, *(f"{number(a['wall'] / 1e9)} [{number(a['first'] / 1e9)}], {number(a['rss'] / MB)}" if a else NONE for a in got))

    t = table("Targets", "alloc: --events=alloc; nofree: --free-stacks=off as well; noaddr: --addresses=off as well",
              ["", "tool", "limit", "measured", ""])
    for x in targets(r):
        verdict = {True: "met", False: "not met", None: "not measured"}[x.met]
        t.add(x.what, x.tool, f"{'≥' if x.least else '≤'} {number(x.limit)} {x.unit}", number(x.measured), verdict)
    return [t for t in found if t.rows]


def document(results, tools, facts, skipped, invalid):
    """What --json writes: what the tables show, and every run."""
    r = results
    names = [t for t in tools if t != "native"]
    workloads = []
    for w in WORKLOADS:
        if w.name not in r.survey:
            continue
        rows = []
        for x in names:
            row = {"tool": x, "ratio": r.ratio("two", w.name, x), "cpu_ratio": r.ratio("two", w.name, x, "tree_cpu"),
                   "ratio_one_core": r.ratio("one", w.name, x), "events": r.events(w.name, x),
                   "bytes_per_event": r.bytes_per_event(w.name, x), "helpers_cpu_per_event_ns": r.helpers_cpu(w.name, x),
                   "collector_cpu_per_event_ns": r.collector_cpu(w.name, x),
                   "waited_ns": r.waited(w.name, x), "memory": r.memory_added(w.name, x), "analysis": r.analysis(w.name, x)}
            if w.loop:
                row["added_per_operation_ns"] = r.added_per_operation(w.name, x)
                row["added_per_event_of_a_thread_ns"] = r.added_per_event(w.name, x, w.threads)
            rows.append(row)
        workloads.append({"workload": w.name, "native_wall_ns": r.native("two", w.name), "rows": rows})
    means = [{"tool": x, "wall": r.geomean("two", x), "cpu": r.geomean("two", x, "tree_cpu"),
              "wall_one_core": r.geomean("one", x)} for x in names]
    runs = [{"part": part, "workload": w, "tool": t, "round": n, **run}
            for part, of in r.runs.items() for w, by in of.items() for t, all_runs in by.items() for n, run in all_runs]
    return {"schema": "heaptide.bench/1", **facts, "tools": [{"tool": t.name, "what": t.text} for t in TOOLS if t.name in tools],
            "skipped": skipped, "invalid": invalid, "workloads": workloads, "geometric_means_of": RATIO, "geometric_means": means,
            "window": r.window, "targets": [{**asdict(x), "met": x.met} for x in targets(r)], "runs": runs}
