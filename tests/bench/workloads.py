"""What is run: one line a workload. {inputs}, {programs}, {cc1}, {port} and so on are filled in when it is run."""
from dataclasses import dataclass, field

JQ = "map(select(.score>50))|group_by(.tags[0])|map({k:.[0].tags[0],n:length,s:(map(.score)|add)})"


@dataclass
class Workload:
    name: str
    kind: str               # pairs, churn, program, server
    command: list
    env: dict = field(default_factory=dict)
    threads: int = 1        # a program of one thread is bound to processor 0, as its recorder is not
    spread: float = 0.001   # by how much the number of events may differ between runs
    client: list = field(default_factory=list)     # server: the commands whose time is the workload's

    @property
    def loop(self):
        """It says itself how long its loop took and for how many operations."""
        return self.kind in ("pairs", "churn")


def pairs(name, frames, program="pairs"):
    return Workload(name, "pairs", ["{programs}/" + program, str(frames), "1000000"])


def churn(threads):
    return Workload(f"churn{threads}", "churn", ["{programs}/churn", str(threads), "2000000"], threads=threads)


def compiler(name, source):
    return Workload(name, "program", ["{" + name + "}", "-quiet", "-O1", "-fpreprocessed", "{inputs}/" + source, "-o", "/dev/null"])


def redis_client(*command):
    return ["redis-benchmark", "-p", "{port}", "-r", "100000", "-n", "60000", "-c", "20", "-P", "16", "-q", *command]


WORKLOADS = [
    pairs("pairs5", 5), pairs("pairs20", 20), pairs("pairs60", 60), pairs("pairs20fp", 20, "pairs-fp"),
    churn(1), churn(2), churn(4), churn(16),
    Workload("jq", "program", ["/usr/bin/jq", "-c", JQ, "{inputs}/records.json"]),
    compiler("cc1", "functions.i"),
    Workload("sqlite3", "program", ["/usr/bin/sqlite3", "-batch", "-init", "/dev/null", ":memory:", ".read {inputs}/items.sql"]),
    Workload("perl", "program", ["/usr/bin/perl", "{inputs}/fields.pl", "60000"], {"PERL_HASH_SEED": "0"}),
    Workload("gitlog", "program", ["/usr/bin/git", "-C", "{inputs}/history.git", "--no-pager", "log", "-p", "--stat", "main"]),
    # keys are random and requests meet in batches as they come: no two runs are quite the same
    Workload("redis", "server", ["{inputs}/redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                                 "--daemonize", "no", "--loglevel", "warning", "--dir", "{run}"], spread=0.1,
             client=[redis_client("lpush", "a", "1", "2", "3", "4", "5"), redis_client("set", "key:__rand_int__", "x" * 28)]),
    Workload("python3", "program", ["/usr/bin/python3", "-S", "{inputs}/objects.py", "4"],
             {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}),
    compiler("cc1plus", "templates.ii"),
]
RATIO = ["jq", "cc1", "sqlite3", "perl", "gitlog", "redis", "python3"]     # those the geometric means are over
QUICK = ["pairs20", "churn2", "jq", "redis"]
