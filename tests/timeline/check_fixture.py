#!/usr/bin/python3
"""What stands in timeline_fixture.c, found again in what check_pftrace.py and check_chrome.py read in its files.

    check_fixture.py PFTRACE.JSON CHROME.JSON       (their output with --json)"""
import json
import sys

perfetto = json.load(open(sys.argv[1], encoding="utf-8"))
chrome = json.load(open(sys.argv[2], encoding="utf-8"))
missed = []


def same(what, wanted, got):
    if wanted != got:
        missed.append("%s: wanted %r, got %r" % (what, wanted, got))


BOOT = 6000000000000
tracks = {int(k): t for k, t in perfetto["tracks"].items()}
events = perfetto["events"]


def on(track, kind=1):
    return [e for e in events if e["type"] == kind and
            (tracks[e["track"]]["kind"], tracks[e["track"]]["name"]) == ("thread", track)]


def times(e):
    return [(e["at"] - BOOT) / 1e6, (e["end"] - BOOT) / 1e6]


# --- Perfetto: threads ------------------------------------------------------------------------------
same("threads", [["main", 100, 100], ["worker-1", 100, 101], ["o\"l\\d' <b>", 100, 102], ["reborn \U0001f98a", 100, 102],
                 ["child", 200, 200], ["execed", 200, 200]],
     [[t["name"], t["pid"], t["tid"]] for t in tracks.values() if t["kind"] == "thread"])
same("main's slices", [["request \"GET /\"", 1.0, 3.05, 0], ["allocations", 1.0, 1.01, 1],
                       ["wait mutex 0x55d0", 1.49, 1.91, 1],
                       ["malloc", 2.0, 2.0, 1], ["inner", 2.5, 3.05, 1], ["innermost", 2.5, 2.75, 2],
                       ["wait cond 0x66\"e0", 3.09, 6.01, 0], ["after", 6.01, 6.5, 0]],
     [[e["name"], *times(e), e["depth"]] for e in on("main")])
burst = on("main")[1]
same("a burst's numbers", {"objects": 40, "bytes": 4096}, burst["annotations"])
same("a burst's stack, outermost first", ["main", "serve<\"T\">(int)", "[libx.so]"], burst["stack"])
same("a wait that did not end well", {"outcome": "timeout"}, on("main")[6]["annotations"])
same("a stall's cause", {"cause": "page fault"}, on("main")[3]["annotations"])
same("categories", [[], ["allocations"], ["wait"], ["stall"], [], [], ["wait"], []], [e["categories"] for e in on("main")])
same("messages", ["100 % \"done\" \\ </script> \u20ac", "phase two"], [e["name"] for e in on("main", 3) if e["categories"]])
same("arrows on main",
     ["post \u2192 o\"l\\d' <b> (102)", "woken by worker-1 (101): unlock", "woken by worker-1 (101): signal"],
     [e["name"] for e in on("main", 3) if e["flows"] or e["ends"]])

# --- Perfetto: tasks, counters, heap ------------------------------------------------------------------
tasks = [e for e in events if e["type"] == 1 and tracks[tracks[e["track"]].get("parent") or 1]["kind"] == "process" and
         tracks[e["track"]]["kind"] == "child"]
same("tasks", [["parse", 7, "main", None], ["parse", 8, "worker-1", None], ["parse", 10, "worker-1", None],
               ["send \"it\"", 9, "main", "not ended"], ["parse", 11, "child", None]],
     [[e["name"], e["correlation"], e["annotations"]["begun by"], e["annotations"].get("outcome")] for e in tasks])
same("tasks' tracks are named as they are", [e["name"] for e in tasks], [tracks[e["track"]]["name"] for e in tasks])
same("two that overlap are on two tracks", 2, len({e["track"] for e in tasks[:3]}))
pieces = [e for e in events if e["type"] == 1 and tracks[e["track"]]["kind"] == "child" and
          tracks[tracks[e["track"]]["parent"]]["kind"] == "thread"]
same("pieces", sorted([[100, 1.2, 1.4, 7], [101, 1.6, 1.9, 7], [102, 1.6, 3.0, 7], [100, 2.6, 3.0, 7], [100, 1.3, 1.4, 8]]),
     sorted([tracks[tracks[e["track"]]["parent"]]["tid"], *times(e), e["correlation"]] for e in pieces))
same("each piece is led to", [1] * 5, [len(e["ends"]) for e in pieces])
same("flows", 5 + 5, perfetto["flows"])
by_end = {e["ends"][0]: e for e in pieces}
first = min((e for e in pieces if e["correlation"] == 7), key=lambda e: e["at"])
same("the first piece leads to both that began next", {101, 102},
     {tracks[tracks[by_end[f]["track"]]["parent"]]["tid"] for f in first["flows"]})
live = [e for e in events if e["type"] == 4 and tracks[e["track"]]["name"] == "live bytes"]
same("live bytes, without what changes little within 10 us", [[0.0, 0], [1.0, 4096], [3.0, 100]],
     [[(e["at"] - BOOT) / 1e6, e["value"]] for e in live])
same("units", {("live bytes", 3, None), ("RSS", 3, None), ("allocations", None, "/s"), ("threads", 2, None)},
     {(t["name"], t["unit"], t["unit_name"]) for t in tracks.values() if t["kind"] == "counter"})
same("the heap", {"100": [350, 8]}, perfetto["heaps"])

# --- Perfetto: processors -----------------------------------------------------------------------------
same("who woke whom", [[1.400002, 100, 102], [1.8, 101, 100], [5.5, 101, 100], [8.000002, 101, 102]],
     [[(at - BOOT) / 1e6, waker, wakee] for at, waker, wakee in perfetto["wakings"]])
same("what was waited for", [[102, "sem 0x77"], [100, "mutex 0x55d0"], [102, "read file"], [101, "allocator"],
                             [100, "cond 0x66\"e0"], [102, "poll"], [200, "sleep"]], [r[1:] for r in perfetto["reasons"]])
same("states that threads left in: R, S, D, dead, preempted", {"0", "1", "2", "16", "256"}, set(perfetto["states"]))

# --- Chrome ---------------------------------------------------------------------------------------------
same("no event left out", None, chrome["other"].get("left_out"))
same("arrows", 5, chrome["flows"])
same("main's slices", [e["name"] for e in on("main")],
     [s[3] for s in chrome["slices"] if s[0] == [100, 100] and "arrows" not in s[5]])
same("the later thread of a tid has a number of its own", [[100, 4194304 + 102]],
     [s[0] for s in chrome["slices"] if s[5].get("objects") == 7])
same("tasks", [["parse", 4], ["parse", 1], ["send \"it\"", 0], ["parse", 0], ["parse", 0]],
     [[t["name"], t["moments"]] for t in chrome["tasks"]])
same("counters", [["live bytes", "bytes", 5], ["RSS", "bytes", 2], ["allocations", "per second", 3],
                  ["threads", "count", 1]],
     [[k[1], k[2], n] for k, n in chrome["counters"]])

if missed:
    sys.exit("\n".join(missed))
