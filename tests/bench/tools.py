"""What records: a tool is how its command line starts, and what its trace says about the run."""
import json
import os
import re
import subprocess
from dataclasses import dataclass, field


class Invalid(Exception):
    """A run that proves nothing: why."""


@dataclass
class Tool:
    name: str
    text: str
    timer: str = "timed-static"     # the one that stands inside of it
    options: list = field(default_factory=list)
    survey: bool = True             # it runs before the rounds: its memory and its trace are looked at
    timed: bool = True              # it runs in the rounds
    sampled: bool = False           # its numbers of events are estimates

    def prefix(self, context, folder):
        return []

    def trace(self, folder):
        return None

    def facts(self, context, folder, target):
        """allocations and frees, of the program alone; collector_cpu, and how long threads waited for room in a ring: None
        where it does not say."""
        return None

    def analysis(self, context, folder):
        return None

    def refusal(self, context):
        """Why it can not be used here; None if it can."""
        return None


class Heaptide(Tool):
    def prefix(self, context, folder):
        return [context.heaptide, "record", *self.options, "-o", self.trace(folder), "--"]

    def trace(self, folder):
        return os.path.join(folder, "trace.tide")

    def facts(self, context, folder, target):
        got = subprocess.run([context.heaptide, "info", "--json", self.trace(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if got.returncode != 0:
            raise Invalid("info: " + first_line(got.stderr))
        info = json.loads(got.stdout)
        lost = {reason: n for reason, n in info["lost_events"].items() if n}
        if info["verdict"] != "ok" or not info["complete"] or lost:
            raise Invalid(f"the recording is not complete: verdict {info['verdict']}, lost {lost or 'nothing'}")
        image = [i for i in info["images"] if i["pid"] == target["pid"] and i["kind"] == "exec"]
        if not image:
            raise Invalid("the program is not in the trace: the hook was not loaded")
        if self.sampled != bool(info["sample_bytes"]) or info["free_stacks"] == ("--free-stacks=off" in self.options):
            raise Invalid("the trace was recorded with other settings")
        return {"allocations": image[-1]["allocations"], "frees": image[-1]["frees"], "collector_cpu": info["recorder"]["cpu_ns"],
                "waited": info["recorder"]["blocked_ns"], "peak_blocks": info["peak_live_objects"]}

    def analysis(self, context, folder):
        return [context.heaptide, "report", self.trace(folder)]

    def refusal(self, context):
        path = os.path.join(context.out, "refusal.tide")
        got = subprocess.run([context.heaptide, "record", "-q", "--force", *self.options, "-o", path, "--", "/bin/true"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=20)
        if os.path.exists(path):
            os.unlink(path)
        return None if got.returncode == 0 else first_line(got.stderr)


class Heaptrack(Tool):
    def prefix(self, context, folder):
        return ["/usr/bin/heaptrack", "-o", os.path.join(folder, "trace")]

    def trace(self, folder):
        # .zst or .gz, as it was built
        return next((os.path.join(folder, f) for f in os.listdir(folder) if f.startswith("trace.")), None)

    def facts(self, context, folder, target):
        with open(os.path.join(folder, "stderr"), errors="replace") as e, open(os.path.join(folder, "stdout"), errors="replace") as o:
            said = e.read() + o.read()
        number = {k: int(v) for k, v in re.findall(r"^\t?(allocations|leaked allocations):\s+(\d+)", said, re.M)}
        if not number.get("allocations"):
            raise Invalid("heaptrack counted no allocation")
        return {"allocations": number["allocations"], "frees": number["allocations"] - number["leaked allocations"],
                "collector_cpu": None, "waited": None}

    def analysis(self, context, folder):
        return ["/usr/bin/heaptrack_print", "-f", self.trace(folder)]

    def refusal(self, context):
        return None if os.access("/usr/bin/heaptrack", os.X_OK) else "not installed"


def first_line(data):
    lines = data.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "no message"


def heaptide(name, options, **when):
    return Heaptide(name, " ".join(["heaptide record", *options.split()]), "timed", options.split(), **when)


TOOLS = [
    Tool("native", "the program alone"),
    Tool("again", "the same once more: how far two equal runs differ", survey=False),
    heaptide("default", "", survey=False),
    heaptide("alloc", "--events=alloc"),
    heaptide("nofree", "--events=alloc --free-stacks=off"),
    heaptide("sample", "--events=alloc --sample=512K", survey=False, sampled=True),
    Heaptrack("heaptrack", "heaptrack"),
    heaptide("noaddr", "--events=alloc --addresses=off", timed=False),
    heaptide("nofree-noaddr", "--events=alloc --free-stacks=off --addresses=off", timed=False),
]
ONE_CORE = ["native", "again", "alloc", "nofree", "heaptrack"]
