"""The order of things: what is run when, what makes a run no good, what is printed. `run` starts this."""
import argparse
import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import time

import prepare
import render
import runner
from results import Results
from tools import ONE_CORE, TOOLS, Invalid
from workloads import QUICK, RATIO, WORKLOADS


def chosen(text, all_of, what):
    """The items that a list names, in the order of the table; all if there is no list."""
    if text is None:
        return list(all_of)
    names = text.replace(",", " ").split()
    unknown = set(names) - {x.name for x in all_of}
    if unknown:
        usage(f"no {what} {', '.join(sorted(unknown))}; there are {', '.join(x.name for x in all_of)}")
    return [x for x in all_of if x.name in names]


def usage(text):
    print("bench: " + text, file=sys.stderr)
    sys.exit(2)


class Bench:
    def __init__(self, options):
        self.options = options
        self.context = runner.Context(options.out, options.heaptide)
        self.results, self.invalid, self.skipped = Results(), [], []
        self.workloads = chosen(options.workloads or (",".join(QUICK) if options.quick else None), WORKLOADS, "workload")
        self.tools = chosen(options.tools, TOOLS, "tool")
        self.rounds = options.rounds or (2 if options.quick else 5)

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def usable(self):
        """The tools that work here, native always first: without it there is nothing to compare with."""
        native, *others = TOOLS
        usable = [native]
        for tool in others:
            if tool in self.tools:
                reason = tool.refusal(self.context)
                if reason:
                    self.skipped.append({"tool": tool.name, "reason": reason})
                    self.say(f"without {tool.name}: {reason}")
                else:
                    usable.append(tool)
        self.tools = usable

    def attempt(self, workload, tool, what, work):
        """work()'s result; None if the run is no good, which is noted."""
        try:
            return work()
        except (Invalid, subprocess.SubprocessError, OSError) as e:
            self.invalid.append({"workload": workload.name, "tool": tool.name, "run": what, "reason": str(e)})
            self.say(f"{workload.name} under {tool.name}, {what}: {e}")
            return None

    def checked(self, workload, tool, got):
        """Every tool must see the same program do the same: same output, same number of events as before."""
        first = self.results.survey[workload.name]
        native = first.get("native", got)
        if got.get("digest") != native.get("digest"):
            raise Invalid("the program's output is not native's")
        if got["operations"] != native["operations"]:
            raise Invalid("the program did not do what it did natively")
        facts = got["facts"]
        if facts is None:
            return got
        if not facts["allocations"] or not got["bytes"]:
            raise Invalid("no event was recorded")
        if tool.sampled:
            return got
        other = next((run["facts"] for run in first.values() if run["facts"]), facts)
        for key in ("allocations", "frees"):
            if abs(facts[key] - other[key]) > workload.spread * other[key] + 1:
                raise Invalid(f"{facts[key]} {key}, another run had {other[key]}")
        return got

    def survey(self, workload):
        """Once before the rounds: warms up, watches memory, analyses the trace."""
        here = self.results.survey.setdefault(workload.name, {})
        for tool in (t for t in self.tools if t.survey):
            got = self.attempt(workload, tool, "survey",
                               lambda: self.checked(workload, tool, runner.run(self.context, workload, tool, memory=True)))
            if not got:
                continue
            here[tool.name] = got
            if tool.name in ("alloc", "heaptrack") and not workload.loop:
                got["analysis"] = self.attempt(workload, tool, "report", lambda: runner.analyse(self.context, tool))
            if tool.name == "alloc" and not workload.loop:
                got["sites"] = self.attempt(workload, tool, "report --json", lambda: runner.sites(self.context, tool))

    def round(self, part, number, workloads, tools):
        for workload in workloads:
            native, *others = tools
            shift = number % len(others) if others else 0      # nobody always comes first
            for tool in [native, *others[shift:], *others[:shift]]:
                got = self.attempt(workload, tool, f"round {number}", lambda: self.checked(
                    workload, tool, runner.run(self.context, workload, tool, one_core=part == "one")))
                if got:
                    self.results.add(part, workload, tool, number, got)

    def measure(self):
        for workload in self.workloads:
            self.survey(workload)
            if "native" not in self.results.survey[workload.name]:
                self.say(f"{workload.name}: left out, it does not run natively")
        workloads = [w for w in self.workloads if "native" in self.results.survey[w.name]]
        two, one = not self.options.one_core, self.options.one_core or not (self.options.two_cores or self.options.quick)
        for number in range(1, self.rounds + 1):
            self.say(f"round {number} of {self.rounds}")
            if two:
                self.round("two", number, workloads, [t for t in self.tools if t.timed])
            if one:
                self.round("one", number, [w for w in workloads if w.name in RATIO], [t for t in self.tools if t.name in ONE_CORE])
        alloc = next((t for t in self.tools if t.name == "alloc"), None)
        python = next((w for w in workloads if w.name == "python3"), None)
        events = self.results.events("python3", "alloc") if alloc and python and two and not self.options.quick else None
        if events:
            self.say("a trace of 100 million events")
            self.results.window = self.attempt(python, alloc, "window",
                                               lambda: runner.window(self.context, python, alloc, events["median"]))

    def facts(self):
        def output(*command):
            got = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            return got.stdout.decode().strip()
        with open("/proc/cpuinfo") as f:
            model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
        machine = {"cpu": model, "processors": os.cpu_count(), "kernel": platform.release(), "libc": " ".join(platform.libc_ver())}
        return {"machine": machine,
                "heaptide": (output(self.options.heaptide, "--version").splitlines() or [None])[0],
                "heaptrack": output("dpkg-query", "-W", "-f=${Version}", "heaptrack") or None,
                "rounds": self.rounds, "command": "tests/bench/run " + " ".join(self.options.words)}


def options():
    p = argparse.ArgumentParser(prog="tests/bench/run", allow_abbrev=False)
    p.add_argument("--rounds", type=int, metavar="N")
    p.add_argument("--tools", metavar="LIST")
    p.add_argument("--workloads", metavar="LIST")
    p.add_argument("--quick", action="store_true")
    cores = p.add_mutually_exclusive_group()
    cores.add_argument("--one-core", action="store_true")
    cores.add_argument("--two-cores", action="store_true")
    p.add_argument("--json", metavar="FILE")
    p.add_argument("--markdown", action="store_true")
    p.add_argument("--list", action="store_true")
    p.add_argument("--heaptide", metavar="FILE", required=True)
    p.add_argument("--out", required=True)
    got = p.parse_args()
    got.words = sys.argv[5:]      # `run` puts --out and --heaptide first
    if got.rounds is not None and got.rounds < 1:
        usage("--rounds: 1 or more")
    return got


def main():
    o = options()
    if o.list:
        for what in (WORKLOADS, TOOLS):
            for x in what:
                print(f"{x.name:14} {getattr(x, 'text', None) or ' '.join(x.command)}")
            print()
        return 0
    bench = Bench(o)
    os.makedirs(o.out, exist_ok=True)
    with open(os.path.join(o.out, "lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("bench: another one is running", file=sys.stderr)
            return 3
        prepare.programs(bench.context.programs)
        prepare.inputs(bench.context.inputs)
        bench.usable()
        bench.measure()
        shutil.rmtree(bench.context.runs, ignore_errors=True)
    facts, names = bench.facts(), [t.name for t in bench.tools]
    found = render.tables(bench.results, names)
    machine = facts["machine"]
    print(f"{facts['command']}: {facts['rounds']} rounds on {machine['processors']} processors, {machine['cpu']}; "
          f"{facts['heaptide']}; heaptrack {facts['heaptrack']}\n")
    for table in found:
        print(table.markdown() if o.markdown else table.text())
    for s in bench.skipped:
        print(f"without {s['tool']}: {s['reason']}")
    for i in bench.invalid:
        print(f"no good: {i['workload']} under {i['tool']}, {i['run']}: {i['reason']}")
    if o.json:
        with open(o.json, "w") as f:
            json.dump(render.document(bench.results, names, facts, bench.skipped, bench.invalid), f, indent=1)
            f.write("\n")
    return 1 if bench.invalid else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (subprocess.CalledProcessError, OSError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
