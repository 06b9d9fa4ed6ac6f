#!/usr/bin/env python3
"""Compares symdump with llvm-symbolizer on addresses sampled from a file's text.

    compare.py [options] SYMDUMP FILE

Both are asked for the same COUNT addresses, drawn with a fixed seed from the executable sections. An address
counts when llvm-symbolizer knows a file for it. Agreement means: the same depth of the inlined chain, the same file and
line in each frame, the same function once clone suffixes are taken off. At most 1 in 1,000 may differ; one kind of
difference is known and not counted:

  label       link-time optimisation leaves labels like "getargs.c.6dc50543" in the symbol table, and llvm-symbolizer takes
              them for functions where they are the last symbol before the address

With --cost, wall time may not exceed llvm-symbolizer's nor memory half of it; memory is the sum over all processes
of what is resident, shared pages counted once. With --cache, a second run may take at most 0.2 s.
"""
import argparse
import collections
import os
import random
import re
import subprocess
import sys
import threading
import time

LABEL = re.compile(r"\.(c|cc|cpp)\.[0-9a-f]{8}(\.|$)")
CLONE = re.compile(r"\.(isra|part|constprop|cold|lto_priv|llvm|localalias|clone)(\.[0-9]+)?(?=\.|$|@)")


def executable_ranges(path):
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    ranges = []
    for line in out.splitlines():
        m = re.match(r"\s*\[\s*\d+\]\s+(\S+)\s+\S+\s+([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\S+\s+(\S*)", line)
        if m and "X" in m[4] and m[1] == ".text":
            ranges.append((int(m[2], 16), int(m[3], 16)))
    return ranges


def sample(path, count):
    random.seed(4)
    low, size = executable_ranges(path)[0]
    return sorted({low + random.randrange(size) for _ in range(count)})


def resident(root):
    """Bytes of the process and its children: private pages of each, shared ones of the largest."""
    private, shared = 0, 0
    todo = [root]
    while todo:
        pid = todo.pop()
        try:
            with open(f"/proc/{pid}/statm") as f:
                _, rss, common = map(int, f.read().split()[:3])
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as f:
                    todo += map(int, f.read().split())
        except (OSError, ValueError):
            continue
        private += rss - common
        shared = max(shared, common)
    return (private + shared) * os.sysconf("SC_PAGESIZE")


def run(command, text):
    """Output, seconds, peak of resident bytes."""
    peak, start = 0, time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        out = []
        feeder = threading.Thread(target=lambda: out.append(p.communicate(text)[0]))
        feeder.start()
        while feeder.is_alive():
            peak = max(peak, resident(p.pid))
            feeder.join(0.005)
    seconds = time.monotonic() - start
    if p.returncode:
        sys.exit(f"{command[0]} ended with {p.returncode}")
    return out[0], seconds, peak


def ours(out):
    answers = {}
    for line in out.splitlines():
        address, *rest = line.split("\t")
        answers[int(address, 16)] = [
            (rest[i], rest[i + 1], os.path.normpath(rest[i + 2]), int(rest[i + 3])) for i in range(0, len(rest), 4)
        ]
    return answers


def theirs(out, addresses):
    answers = {}
    for address, block in zip(addresses, out.split("\n\n")):
        lines = block.strip("\n").split("\n")
        frames = []
        for name, place in zip(lines[0::2], lines[1::2]):
            file, line, _ = place.rsplit(":", 2)
            frames.append((name, os.path.normpath(file), int(line)))
        answers[address] = frames
    return answers


def symbols(path):
    """Each symbol to all the names that its address has."""
    names = collections.defaultdict(set)
    out = subprocess.run(["nm", path], capture_output=True, text=True).stdout
    for line in out.splitlines():
        parts = line.split()
        if len(parts) == 3:
            names[int(parts[0], 16)].add(parts[2])
    aliases = {}
    for group in names.values():
        for name in group:
            aliases[name] = group
    return aliases


def same_name(mine, their, aliases):
    function, linkage, _, _ = mine
    a, b = CLONE.sub("", linkage), CLONE.sub("", their)
    if a == b or b in {CLONE.sub("", n) for n in aliases.get(linkage, ())}:
        return True
    # Without a linkage name, theirs is the bare one of DW_AT_name, ours has its scopes.
    return not b.startswith("_Z") and (function == b or function.endswith("::" + b))


def classify(mine, their, aliases):
    # A file without a line comes from the symbol table.
    if their[0][1] == "??" or (their[0][2] == 0 and (not mine or mine[0][2] == "??")):
        return "none"
    if len(mine) != len(their):
        return "depth"
    for m, t in zip(mine, their):
        if m[3] != t[2]:
            return "line"
        if m[2] != t[1]:
            return "file"
        if not same_name(m, t[0], aliases):
            return "label" if LABEL.search(t[0]) else "name"
    return "same"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("symdump")
    p.add_argument("file")
    p.add_argument("--judge", help="the file that llvm-symbolizer reads, if another")
    p.add_argument("--count", type=int, default=20000)
    p.add_argument("--option", action="append", default=[], help="passed to symdump, for example -d DIR in two of these")
    p.add_argument("--cost", action="store_true")
    p.add_argument("--cache", action="store_true")
    p.add_argument("--show", type=int, default=5, help="differences of each class to print")
    a = p.parse_args()
    addresses = sample(a.file, a.count)
    text = "".join(f"0x{x:x}\n" for x in addresses)
    judge = a.judge or a.file
    command = ["llvm-symbolizer", f"--obj={judge}", "--functions=linkage", "--inlines", "--no-demangle",
               "--output-style=LLVM"]
    their_out, their_seconds, their_bytes = run(command, text)
    mine_command = [a.symdump, *a.option, a.file]
    if a.cache:
        notes = subprocess.run(["readelf", "-n", a.file], capture_output=True, text=True).stdout
        mine_command[1:1] = ["-c", "-b", re.search("Build ID: ([0-9a-f]+)", notes)[1]]
    mine_out, seconds, peak = run(mine_command, text)
    mine, their = ours(mine_out), theirs(their_out, addresses)
    aliases = symbols(judge)
    classes = collections.Counter()
    for x in addresses:
        kind = classify(mine[x], their[x], aliases)
        classes[kind] += 1
        if kind not in ("same", "none", "label") and classes[kind] <= a.show:
            print(f"{kind} at {x:x}:\n  ours   {mine[x]}\n  theirs {their[x]}")
    known = len(addresses) - classes["none"]
    unexplained = sum(classes[c] for c in ("depth", "line", "file", "name"))
    print(f"{os.path.basename(a.file)}: {known} of {len(addresses)} addresses have debug information, "
          f"{classes['same'] / max(known, 1):.4%} the same; {dict(classes)}")
    print(f"  ours {seconds:.2f} s, {peak >> 20} MiB; llvm-symbolizer {their_seconds:.2f} s, {their_bytes >> 20} MiB")
    failed = []
    if known < len(addresses) // 2:
        failed.append("too few addresses have debug information")
    if unexplained * 1000 > known:
        failed.append(f"{unexplained} differences without explanation")
    if a.cost and seconds > their_seconds:
        failed.append("slower than llvm-symbolizer")
    if a.cost and peak * 2 > their_bytes:
        failed.append("more than half of llvm-symbolizer's memory")
    if a.cache:
        again, cached, _ = run(mine_command, text)
        print(f"  from the cache {cached:.3f} s")
        if again != mine_out:
            failed.append("the cache answers differently")
        if cached > 0.2:
            failed.append("the cache takes more than 0.2 s")
    for f in failed:
        print(f"FAILED: {f}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
