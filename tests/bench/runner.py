"""One run: starts a workload under a tool, and returns what it cost as a dictionary. Times in ns, memory in bytes."""
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import replace

from tools import Invalid, first_line

LIMIT = 120     # seconds, for a run


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Context:
    """Where things are."""

    def __init__(self, out, heaptide):
        self.out, self.heaptide = out, heaptide
        self.programs, self.inputs, self.runs = (os.path.join(out, f) for f in ("programs", "inputs", "runs"))
        self.names = {"programs": self.programs, "inputs": self.inputs, "port": str(free_port())}
        for name, compiler in (("cc1", "gcc"), ("cc1plus", "g++")):
            found = subprocess.run([compiler, "-print-prog-name=" + name], stdout=subprocess.PIPE, check=True)
            self.names[name] = os.path.realpath(found.stdout.decode().strip())
        self.env = {k: v for k, v in os.environ.items()
                    if k not in ("LD_PRELOAD", "LD_LIBRARY_PATH") and not k.startswith(("HEAPTIDE", "MALLOC_", "GLIBC_TUNABLES", "PYTHON"))}
        self.env["LC_ALL"] = "C"

    def fill(self, words, folder):
        for word in words:
            for name, value in [*self.names.items(), ("run", folder)]:
                word = word.replace("{" + name + "}", value)
            yield word


def timer(context, kind, output, *options):
    return [os.path.join(context.programs, kind), "-o", output, *options, "--"]


def load(path):
    try:
        with open(path) as f:
            return json.load(f)
    except (OSError, ValueError):
        return None


def ask(context, command, timeout=5):
    """Sends the server one command; its answer's first bytes, empty if there is no server."""
    try:
        with socket.create_connection(("127.0.0.1", int(context.names["port"])), timeout) as s:
            s.sendall(command)
            return s.recv(64)
    except OSError:
        return b""


def serve(context, workload, folder, process, one_core):
    """Waits for the server, runs its clients one after the other, ends it. The clients' time."""
    deadline = time.monotonic() + 20
    while not ask(context, b"PING\r\n").startswith(b"+PONG"):
        if time.monotonic() > deadline or process.poll() is not None:
            raise Invalid("the server does not answer")
        time.sleep(0.05)
    ns = 0
    for client in workload.client:
        output = os.path.join(folder, "client")
        start = timer(context, "timed-static", output, "-g", "-t", str(LIMIT), *(["-c", "0"] if one_core else []))
        subprocess.run([*start, *context.fill(client, folder)], env=context.env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        got = load(output)
        if not got or got["status"] != 0:
            raise Invalid("the client failed")
        ns += got["wall"]
    ask(context, b"SHUTDOWN NOSAVE\r\n")
    return ns


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def run(context, workload, tool, one_core=False, memory=False):
    """A run's figures; the trace stays in context.runs until the next. Raises Invalid."""
    folder = context.runs
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    path = {n: os.path.join(folder, n) for n in ("target", "tree", "stdout", "stderr", "result")}
    inner = ["-t", str(LIMIT), "-s", path["result"]]
    if workload.threads == 1 and not one_core:
        inner += ["-c", "0"]
    if memory:
        inner += ["-m", "2"]
    outer = ["-g", "-t", str(LIMIT + 30), *(["-c", "0"] if one_core else [])]
    command = (timer(context, "timed-static", path["tree"], *outer) + tool.prefix(context, folder) +
               timer(context, tool.timer, path["target"], *inner) + list(context.fill(workload.command, folder)))
    if workload.kind == "server" and ask(context, b"PING\r\n"):
        raise Invalid(f"another server has taken port {context.names['port']}")
    client = None
    with open(path["stdout"], "wb") as out, open(path["stderr"], "wb") as err:
        process = subprocess.Popen(command, env={**context.env, **workload.env}, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            if workload.kind == "server":
                client = serve(context, workload, folder, process, one_core)
            process.wait()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait()
    target, tree = load(path["target"]), load(path["tree"])
    if not target or not tree or target["status"] != 0 or tree["status"] != 0:
        with open(path["stderr"], "rb") as f:
            raise Invalid(f"status {target and target['status']}: {first_line(f.read())}")

    got = {"wall": client or target["wall"], "cpu": target["cpu"], "rss": target["rss"], "shared": target["shared"],
           "total_wall": tree["tree_wall"], "tree_cpu": tree["tree_cpu"], "tree_rss": tree["tree_rss"], "operations": None}
    if workload.loop:
        said = load(path["result"])
        if not said:
            raise Invalid("the program did not say its time")
        got["wall"], got["operations"] = said["ns"], said["operations"]
    elif workload.kind == "program":
        got["digest"] = digest(path["result"])
    got["facts"] = tool.facts(context, folder, target)
    trace = tool.trace(folder)
    got["bytes"] = os.path.getsize(trace) if trace else None
    return got


def analyse(context, tool, times=3, options=()):
    """Time and memory of the report on the last run's trace, each time; the first may find no symbols cached."""
    command, results = [*tool.analysis(context, context.runs), *options], []
    for _ in range(times):
        output = os.path.join(context.runs, "analysis")
        with open(os.path.join(context.runs, "report"), "wb") as out:
            subprocess.run(timer(context, "timed-static", output, "-g", "-t", str(LIMIT)) + command, env=context.env,
                           stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        got = load(output)
        if not got or got["status"] != 0 or not os.path.getsize(os.path.join(context.runs, "report")):
            raise Invalid("the report failed")
        results.append({"wall": got["wall"], "cpu": got["tree_cpu"], "rss": got["tree_rss"]})
    return results


def sites(context, tool):
    """Callsites in the last run's trace."""
    got = subprocess.run([*tool.analysis(context, context.runs), "--json"], stdout=subprocess.PIPE, check=True, env=context.env)
    return len(json.loads(got.stdout)["rows"])


def window(context, workload, tool, events):
    """Records the workload, its last argument (repetitions) so much larger that there are 100 million events, and times the report of
    all of it and of 1 % in the middle."""
    times = int(1.05 * 100000000 * int(workload.command[-1]) / events)     # a little more: its start is not repeated
    large = replace(workload, command=[*workload.command[:-1], str(times)])
    got = run(context, large, tool)
    whole = analyse(context, tool, times=1)
    part = analyse(context, tool, times=3, options=["--from", "50%", "--to", "51%"])
    return {"events": got["facts"]["allocations"] + got["facts"]["frees"], "whole": whole[0]["wall"], "part": min(p["wall"] for p in part),
            "whole_rss": whole[0]["rss"], "part_rss": max(p["rss"] for p in part)}
