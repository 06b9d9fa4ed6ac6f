"""Builds the programs of this folder and writes the inputs that the workloads read; both only where they are missing.

The inputs come from a generator with a fixed seed: everyone measures the same bytes.
"""
import os
import random
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))

# The flags belong to what is measured, so they do not come from the build's.
C = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra"]
LOOP = C + ["-fno-builtin", "-fno-optimize-sibling-calls"]
PROGRAMS = {
    "timed-static": ["timed.c", *C, "-static"],
    "timed": ["timed.c", *C],
    "pairs": ["loop_pairs.c", *LOOP, "-fomit-frame-pointer"],
    "pairs-fp": ["loop_pairs.c", *LOOP, "-fno-omit-frame-pointer"],
    "churn": ["churn.c", *C, "-fno-builtin", "-pthread"],
}


def newer(path, source):
    return os.path.exists(path) and os.path.getmtime(path) > os.path.getmtime(source)


def programs(folder):
    os.makedirs(folder, exist_ok=True)
    for name, (source, *flags) in PROGRAMS.items():
        source, output = os.path.join(HERE, source), os.path.join(folder, name)
        if not newer(output, source):
            subprocess.run(["gcc", *flags, "-o", output, source], check=True)


def json_records():
    """6 MB of nested records, for jq."""
    rng = random.Random(1)
    note = "pack my box with five dozen liquor jugs, then seal it up well"
    parts, size = [], 0
    while size < 6000000:
        part = ('{"id":%d,"name":"user%d","score":%.4f,"tags":["t%d","t%d","t%d"],"pos":{"x":%d,"y":%d,"z":null},"ok":%s,"note":"%s"}\n' % (
            len(parts), rng.randrange(1000000), rng.random() * 100, *(rng.randrange(50) for _ in range(3)),
            rng.randrange(1000), rng.randrange(1000), rng.choice(("true", "false")), note[:rng.randint(5, 54)]))
        parts.append(part)
        size += len(part) + 1
    return "[" + ",".join(parts) + "]\n"


def sql_script():
    """A table of 60,000 rows in memory: index, second table, group, join, update, delete, JSON functions."""
    return """\
PRAGMA temp_store = MEMORY;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, kind INTEGER);
INSERT INTO item
	WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 60000)
	SELECT n, 'key' || (n * 7919 % 60000), n * 0.37, n % 500 FROM number;
CREATE INDEX item_name ON item(name);
CREATE TABLE label AS SELECT id, upper(name) AS loud, printf('%08.3f|%s', price, name) AS line FROM item WHERE kind < 250;
SELECT count(*), sum(length(line)) FROM label;
SELECT kind, count(*), avg(price), group_concat(substr(name, 4), ',') FROM item GROUP BY kind ORDER BY 3 DESC LIMIT 3;
SELECT count(*) FROM item AS l JOIN item AS r ON l.name = 'key' || r.kind;
UPDATE item SET name = replace(name, 'key', 'row') WHERE id % 3 = 0;
DELETE FROM item WHERE id % 5 = 0;
SELECT count(DISTINCT json_extract(json_object('k', name, 'g', kind), '$.k')) FROM item;
"""


def python_script():
    """Syntax trees, JSON and dictionaries; small objects by the hundred thousand."""
    return '''\
import ast, json, sys

SOURCE = "".join(
    f"def f{i}(a, b=1):\\n    x = [a + j for j in range(b)]\\n    return {{'k{i}': x, 'n': len(x) * {i}}}\\n\\n" for i in range(200))
for _ in range(int(sys.argv[1])):
    module = ast.parse(SOURCE)
    used = [node.id for node in ast.walk(module) if isinstance(node, ast.Name)]
    made = {f"k{i}": {"a": list(range(i % 17)), "s": "v" * (i % 40), "f": i / 7} for i in range(3000)}
    read = json.loads(json.dumps(made))
    count = {}
    for line in ("%d %d" % (i, i * 7 % 1013) for i in range(15000)):
        for word in line.split():
            count[word] = count.get(word, 0) + 1
print(len(used), len(read), len(count))
'''


def perl_script():
    """Split, hash, substitute, sort."""
    return '''\
use strict;
my (%group, @kept);
for my $i (1 .. $ARGV[0]) {
	my @field = split /,/, join(",", $i, $i * 7 % 1013, "k" . $i % 997, "x" x ($i % 50));
	push @{ $group{ $field[2] } }, [ @field[0, 1] ];
	(my $text = $field[3]) =~ s/xx/yz/g;
	push @kept, $text unless $i % 3;
}
my $sum = 0;
$sum += @{ $group{$_} } for sort keys %group;
my @all = sort { $a->[1] <=> $b->[1] } map { @$_ } values %group;
print "$sum ", scalar(@all), " ", scalar(@kept), "\\n";
'''


def c_source():
    """120 structures and functions with loops and switches, for cc1."""
    lines = ["#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>"]
    for i in range(120):
        lines += [
            f"struct node{i} {{ int key; double weight; struct node{i} *next; char name[{8 + i % 60}]; }};",
            f"static int sum{i}(struct node{i} *n, int most) {{ int sum = {i}; for (int k = 0; n && k < most; k++, n = n->next) {{"
            f" sum += n->key * k; if (sum % {i + 3} == 0) sum ^= (int)strlen(n->name); else switch (sum & 3) {{"
            f" case 0: sum += 7; break; case 1: n->weight += sum; break; default: sum -= 3; }} }} return sum; }}"]
    calls = "".join(f'{{ struct node{i} v = {{ {i}, 1.5, 0, "n" }}; all += sum{i}(&v, 3); }}\n' for i in range(120))
    return "\n".join(lines) + '\nint main(void) { int all = 0;\n' + calls + 'printf("%d\\n", all); return 0; }\n'


def cxx_source():
    """Containers and algorithms over four types of its own, for cc1plus: mostly templates to instantiate."""
    lines = ["#include <algorithm>", "#include <functional>", "#include <map>", "#include <string>", "#include <vector>"]
    for i in range(4):
        lines.append(f"""\
struct part{i} {{ int key; std::string name; bool operator<(const part{i} &o) const {{ return key < o.key; }} }};
int use{i}(int n) {{
	std::vector<part{i}> v; std::map<part{i}, std::vector<int>> m;
	for (int k = 0; k < n; k++) {{ v.push_back(part{i}{{k * {i + 1} % 17, std::to_string(k)}}); m[v.back()].push_back(k); }}
	std::sort(v.begin(), v.end());
	std::function<int(const part{i} &)> f = [n](const part{i} &p) {{ return p.key + n + (int)p.name.size(); }};
	int sum = 0; for (auto &p : v) sum += f(p); for (auto &e : m) sum += (int)e.second.size();
	return sum;
}}""")
    return "\n".join(lines) + "\n"


def fast_import():
    """A repository of 1500 commits, three files each."""
    parts = []
    for i in range(1, 1501):
        message = f"change {i}"
        parts.append(f"commit refs/heads/main\nmark :{i}\ncommitter A B <a@b.invalid> {1600000000 + i * 60} +0000\n"
                     f"data {len(message)}\n{message}\n")
        for j in range(3):
            file = (i * 7 + j * 31) % 120
            body = "".join(f"line {k * i % 37} of file {file}\n" for k in range(20 + (i + j) % 40))
            parts.append(f"M 100644 inline d{file % 9}/f{file}.txt\ndata {len(body)}\n{body}\n")
    return "".join(parts)


def repository(path):
    git = ["git", "-c", "gc.auto=0"]
    subprocess.run([*git, "init", "-q", "--bare", "-b", "main", path], check=True)
    subprocess.run([*git, "-C", path, "fast-import", "--quiet"], input=fast_import().encode(), check=True)
    subprocess.run([*git, "-C", path, "gc", "-q"], check=True)


def preprocessed(compiler, source):
    def write(path):
        language = "c" if compiler == "gcc" else "c++"
        subprocess.run([compiler, "-E", "-x", language, "-", "-o", path], input=source().encode(), check=True)
    return write


def text(source):
    def write(path):
        with open(path, "w") as f:
            f.write(source())
    return write


def redis_server(path):
    """The server and its checker are one program that goes by its name; the checker's package starts no service."""
    found = subprocess.run(["sh", "-c", "command -v redis-server || command -v redis-check-rdb"], stdout=subprocess.PIPE, check=True)
    os.symlink(os.path.realpath(found.stdout.decode().strip()), path)


INPUTS = {
    "records.json": text(json_records),
    "items.sql": text(sql_script),
    "objects.py": text(python_script),
    "fields.pl": text(perl_script),
    "functions.i": preprocessed("gcc", c_source),
    "templates.ii": preprocessed("g++", cxx_source),
    "history.git": repository,
    "redis-server": redis_server,
}


def inputs(folder):
    """An input appears under its name when it is whole; all are made again when this file has changed."""
    os.makedirs(folder, exist_ok=True)
    for name, make in INPUTS.items():
        path = os.path.join(folder, name)
        stamp = path + ".made"
        if newer(stamp, __file__):
            continue
        subprocess.run(["rm", "-rf", path], check=True)
        make(path)
        with open(stamp, "w"):
            pass
