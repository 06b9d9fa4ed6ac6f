"""What the runs of all rounds come to. A ratio or a difference is taken inside of a round, then the median of the rounds."""
import math
import os
from statistics import median

from tools import TOOLS
from workloads import RATIO


def span(values):
    """Median, minimum and maximum; None if nothing was measured."""
    return {"median": median(values), "min": min(values), "max": max(values)} if values else None


def geometric(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


class Results:
    """runs[part][workload][tool]: list of (round, run); part is "two" or "one" for the cores; survey[workload][tool]: the
    run before the rounds, whose memory and analysis were looked at."""

    def __init__(self):
        self.runs = {"two": {}, "one": {}}
        self.survey = {}
        self.window = None
        self.processors = os.cpu_count()

    def add(self, part, workload, tool, number, run):
        self.runs[part].setdefault(workload.name, {}).setdefault(tool.name, []).append((number, run))

    def pairs(self, part, workload, tool):
        """(native, tool) of each round that has both."""
        of = self.runs[part].get(workload, {})
        native = dict(of.get("native", []))
        return [(native[n], run) for n, run in of.get(tool, []) if n in native]

    def ratio(self, part, workload, tool, key="wall"):
        return span([run[key] / native[key] for native, run in self.pairs(part, workload, tool)])

    def geomean(self, part, tool, key="wall"):
        """Over the programs of RATIO, of each one's median; None if one of them is missing."""
        ratios = [self.ratio(part, w, tool, key) for w in RATIO]
        return None if None in ratios else geometric([r["median"] for r in ratios])

    def native(self, part, workload, key="wall"):
        return span([run[key] for _, run in self.runs[part].get(workload, {}).get("native", [])])

    def added_per_operation(self, workload, tool):
        """ns of wall time that an operation of a loop (one malloc, one free) takes longer."""
        return span([(run["wall"] - native["wall"]) / run["operations"] for native, run in self.pairs("two", workload, tool)])

    def added_per_event(self, workload, tool, threads):
        """The same for an event of one thread: threads that run side by side share the wall time."""
        side_by_side = min(threads, self.processors)
        return span([(run["wall"] - native["wall"]) * side_by_side / (2 * run["operations"])
                     for native, run in self.pairs("two", workload, tool)])

    def timed_facts(self, workload, tool):
        """(run, events) of each run whose trace was read; of the survey, where the tool is not timed. The events of a sampled
        run are estimates: those of an exact one stand for them."""
        of = [run for _, run in self.runs["two"].get(workload, {}).get(tool, [])]
        if not of and tool in self.survey.get(workload, {}):
            of = [self.survey[workload][tool]]
        exact = next((run["facts"] for run in self.survey.get(workload, {}).values() if run["facts"]), None)
        sampled = next(t.sampled for t in TOOLS if t.name == tool)
        found = [(run, exact if sampled else run["facts"]) for run in of if run["facts"]]
        return [(run, facts["allocations"] + facts["frees"]) for run, facts in found if facts]

    def events(self, workload, tool):
        return span([n for _, n in self.timed_facts(workload, tool)])

    def bytes_per_event(self, workload, tool):
        return span([run["bytes"] / n for run, n in self.timed_facts(workload, tool) if n])

    def helpers_cpu(self, workload, tool):
        """ns of CPU an event costs outside of the program: all processes but the program, start and end included."""
        return span([(run["tree_cpu"] - run["cpu"]) / n for run, n in self.timed_facts(workload, tool) if n])

    def collector_cpu(self, workload, tool):
        """The same as the recorder's own account says."""
        return span([run["facts"]["collector_cpu"] / n for run, n in self.timed_facts(workload, tool)
                     if n and run["facts"]["collector_cpu"] is not None])

    def waited(self, workload, tool):
        """ns that all threads together waited for room in a ring."""
        return span([run["facts"]["waited"] for run, _ in self.timed_facts(workload, tool) if run["facts"]["waited"] is not None])

    def memory_added(self, workload, tool):
        """Bytes by which the program's peak RSS is larger than native's, and the shared pages (rings) it had."""
        of = self.survey.get(workload, {})
        if "native" not in of or tool not in of:
            return None
        native, run = of["native"], of[tool]
        rings = run["shared"] - native["shared"]
        return {"native": native["rss"], "rings": rings, "besides": run["rss"] - native["rss"] - rings}

    def analysis(self, workload, tool):
        """Wall time and memory of the report: the first time, and the median of those after it."""
        got = self.survey.get(workload, {}).get(tool, {}).get("analysis")
        if not got:
            return None
        later = got[1:] or got
        return {"first": got[0]["wall"], "wall": median(r["wall"] for r in later), "rss": max(r["rss"] for r in later)}
