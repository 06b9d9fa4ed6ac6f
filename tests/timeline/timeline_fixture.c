/* timeline_fixture: the timeline that is made by hand. See timeline_fixture.h. */
#include "timeline_fixture.h"

#include "base.h"

#define MS(x) ((uint64_t)((x) * 1000000))
#define OFF UINT16_MAX

static const struct ht_timeline_process processes[] = {
	{100, "server", "/bin/server --quick \"two words\"", 0, MS(10)},
	{200, "child </script> %s %n", "child", MS(2), MS(10)},
};
enum { MAIN, WORKER, OLD, REBORN, CHILD, EXECED };
static const struct ht_timeline_thread threads[] = {
	[MAIN] = {0, 100, "main", 0, MS(10), 0},
	[WORKER] = {0, 101, "worker-1", MS(1), MS(9), MAIN + 1},
	[OLD] = {0, 102, "o\"l\\d' <b>", MS(1.1), MS(4), MAIN + 1},
	[REBORN] = {0, 102, "reborn \360\237\246\212", MS(5), MS(10), WORKER + 1},
	[CHILD] = {1, 200, "child", MS(2), MS(9.2), MAIN + 1},
	[EXECED] = {1, 200, "execed", MS(9.2), MS(10), CHILD + 1}, /* on the processor all the while */
};
static const struct ht_timeline_span spans[] = {
	{MAIN, HT_TIMELINE_RUNNING, 0, 0, MS(1.5), ""},
	{MAIN, HT_TIMELINE_BLOCKED, OFF, MS(1.5), MS(1.8), "mutex 0x55d0"},
	{MAIN, HT_TIMELINE_RUNNABLE, OFF, MS(1.8), MS(1.9), ""},
	{MAIN, HT_TIMELINE_RUNNING, 1, MS(1.9), MS(3.1), ""},
	{MAIN, HT_TIMELINE_BLOCKED, OFF, MS(3.1), MS(5.5), "cond 0x66\"e0"},
	{MAIN, HT_TIMELINE_RUNNABLE, OFF, MS(5.5), MS(6), ""},
	{MAIN, HT_TIMELINE_RUNNING, 1, MS(6), MS(7), ""},
	{MAIN, HT_TIMELINE_BLOCKED, OFF, MS(7), MS(10), ""},
	{WORKER, HT_TIMELINE_RUNNABLE, OFF, MS(1), MS(1.5), ""},
	{WORKER, HT_TIMELINE_RUNNING, 0, MS(1.5), MS(2), ""},
	{WORKER, HT_TIMELINE_PREEMPTED, OFF, MS(2), MS(2.5), ""},
	{WORKER, HT_TIMELINE_RUNNING, 0, MS(2.5), MS(3), ""},
	{WORKER, HT_TIMELINE_ALLOCATOR, OFF, MS(3), MS(4.5), ""},
	{WORKER, HT_TIMELINE_RUNNING, 0, MS(4.5), MS(9), ""},
	{OLD, HT_TIMELINE_RUNNING, 1, MS(1.2), MS(1.4), ""},
	{OLD, HT_TIMELINE_BLOCKED, OFF, MS(1.4), MS(1.45), "sem 0x77"},
	{OLD, HT_TIMELINE_RUNNABLE, OFF, MS(1.45), MS(2), ""},
	{OLD, HT_TIMELINE_RUNNING, 0, MS(2), MS(2.5), ""},
	{OLD, HT_TIMELINE_IO, OFF, MS(2.5), MS(3.2), "read file"},
	{OLD, HT_TIMELINE_RUNNING, 1, MS(3.2), MS(4), ""},
	{REBORN, HT_TIMELINE_UNKNOWN, OFF, MS(5), MS(5.1), ""},
	{REBORN, HT_TIMELINE_RUNNING, 1, MS(5.1), MS(6), ""},
	{REBORN, HT_TIMELINE_PREEMPTED, OFF, MS(6), MS(7), ""},
	{REBORN, HT_TIMELINE_RUNNING, 1, MS(7), MS(8), ""},
	{REBORN, HT_TIMELINE_BLOCKED, OFF, MS(8), MS(10), "poll"},
	{CHILD, HT_TIMELINE_RUNNABLE, OFF, MS(2), MS(2.1), ""},
	{CHILD, HT_TIMELINE_RUNNING, 5, MS(2.1), MS(9.2), ""},
	{EXECED, HT_TIMELINE_RUNNING, 5, MS(9.2), MS(9.5), ""},
	{EXECED, HT_TIMELINE_BLOCKED, OFF, MS(9.5), MS(10), "sleep"},
};
static const struct ht_timeline_switch switches[] = {
	{MS(1.2), 1, 0, OLD + 1, false},
	{MS(1.4), 1, OLD + 1, 0, false},
	{MS(1.5), 0, MAIN + 1, WORKER + 1, false},
	{MS(1.9), 1, 0, MAIN + 1, false},
	{MS(2), 0, WORKER + 1, OLD + 1, true},
	{MS(2.1), 5, 0, CHILD + 1, false},
	{MS(2.5), 0, OLD + 1, WORKER + 1, false},
	{MS(3), 0, WORKER + 1, 0, false},
	{MS(3.1), 1, MAIN + 1, 0, false},
	{MS(3.2), 1, 0, OLD + 1, false},
	{MS(4), 1, OLD + 1, 0, false},
	{MS(4.5), 0, 0, WORKER + 1, false},
	{MS(5.1), 1, 0, REBORN + 1, false},
	{MS(6), 1, REBORN + 1, MAIN + 1, true},
	{MS(7), 1, MAIN + 1, REBORN + 1, false},
	{MS(8), 1, REBORN + 1, 0, false},
	{MS(9), 0, WORKER + 1, 0, false},
	{MS(9.5), 5, EXECED + 1, 0, false},
};
static const struct ht_timeline_frame frames[] = {
	{"main", "/src/server.c", 10, "/bin/server"},
	{"serve<\"T\">(int)", "/src/serve.cc", 22, "/bin/server"},
	{"", "", 0, "/lib/libx.so"},
	{"unlock", "", 0, "/lib/libc.so.6"},
};
static const uint32_t deep[] = {2, 1, 0}, waker[] = {3, 0};
static const struct ht_timeline_stack stacks[] = {{deep, 3}, {waker, 2}};

static const struct ht_timeline_slice slices[] = {
	{MAIN, HT_TIMELINE_REGION, MS(1), MS(3.05), "request \"GET /\"", 1, 40, 4096, ""},
	{MAIN, HT_TIMELINE_BURST, MS(1), MS(1.01), "allocations", 1, 40, 4096, ""},
	{MAIN, HT_TIMELINE_WAIT, MS(1.49), MS(1.91), "wait mutex 0x55d0", 1, 0, 0, ""},
	{MAIN, HT_TIMELINE_STALL, MS(2), MS(2), "malloc", 0, 0, 0, "page fault"},
	{MAIN, HT_TIMELINE_REGION, MS(2.5), MS(3.05), "inner", 0, 0, 0, ""},
	{MAIN, HT_TIMELINE_REGION, MS(2.5), MS(2.75), "innermost", 0, 0, 0, ""},
	{MAIN, HT_TIMELINE_WAIT, MS(3.09), MS(6.01), "wait cond 0x66\"e0", 1, 0, 0, "timeout"},
	{MAIN, HT_TIMELINE_REGION, MS(6.01), MS(6.5), "after", 0, 0, 0, ""},
	{WORKER, HT_TIMELINE_STALL, MS(2.9), MS(4.6), "malloc", 2, 1, 64, "lock"},
	{OLD, HT_TIMELINE_WAIT, MS(1.38), MS(2.01), "wait sem 0x77", 1, 0, 0, ""},
	{OLD, HT_TIMELINE_WAIT, MS(2.4), MS(3.25), "read file", 1, 0, 512, ""},
	{REBORN, HT_TIMELINE_BURST, MS(5.2), MS(5.3), "allocations", 2, 7, 777, ""},
	{CHILD, HT_TIMELINE_REGION, MS(2.2), MS(9), "request \"GET /\"", 0, 0, 0, ""},
};
/* The first is stamped before its wakee leaves the processor; the third's stamps are in the wrong order. */
static const struct ht_timeline_arrow arrows[] = {
	{MS(1.399), MS(2.01), MAIN, OLD, "post", 2},
	{MS(1.8), MS(1.91), WORKER, MAIN, "unlock", 2},
	{MS(2.3), MS(2.3) - 1, CHILD, WORKER, "write", 0},
	{MS(5.5), MS(6.01), WORKER, MAIN, "signal", 2},
	{MS(5.5), MS(8.5), WORKER, REBORN, "signal", 2},
};
static const struct ht_timeline_piece parse_pieces[] = {
	{MAIN, MS(1.2), MS(1.4)}, {WORKER, MS(1.6), MS(1.9)}, {OLD, MS(1.6), MS(3)}, {MAIN, MS(2.6), MS(3)}};
static const struct ht_timeline_piece other_pieces[] = {{MAIN, MS(1.3), MS(1.4)}};
static const struct ht_timeline_task tasks[] = {
	{7, "parse", 0, MAIN, MS(1.2), MS(3), true, parse_pieces, 4},
	{8, "parse", 0, WORKER, MS(1.3), MS(2.5), true, other_pieces, 1},
	{9, "send \"it\"", 0, MAIN, MS(2), MS(10), false, NULL, 0},
	{10, "parse", 0, WORKER, MS(3), MS(4), true, NULL, 0},
	{11, "parse", 1, CHILD, MS(3), MS(4), true, NULL, 0},
};
static const struct ht_timeline_instant instants[] = {
	{MAIN, MS(1.1), "log", "100 % \"done\" \\ </script> \342\202\254", 0},
	{MAIN, MS(2.75), "mark", "phase two", 1},
	{CHILD, MS(2.2), "log", "hello", 0},
};
static const struct ht_profile_point live[] = {
	{0, 0}, {MS(1), 4096}, {MS(1) + 5000, 4097}, {MS(1) + 6000, 4098}, {MS(3), 100}};
static const struct ht_profile_point rss[] = {{0, 1000000}, {MS(5), 1500000}};
static const struct ht_profile_point rate[] = {{0, 0}, {MS(2), 20}, {MS(2) + 1, 25}};
static const struct ht_timeline_counter counters[] = {
	{0, "live bytes", HT_TIMELINE_BYTES, live, 5},
	{0, "RSS", HT_TIMELINE_BYTES, rss, 2},
	{0, "allocations", HT_TIMELINE_PER_SECOND, rate, 3},
	{1, "threads", HT_TIMELINE_COUNT, rss, 1},
};

static const struct ht_profile_function functions[] = {
	{"main", "main", "/src/server.c", 10},
	{"keep<\"x\">", "_Z4keepIv", "/src/keep.cc", 20},
};
static const struct ht_profile_line main_line[] = {{0, 12}}, keep_lines[] = {{1, 21}, {0, 14}};
static const struct ht_profile_location locations[] = {
	{1, 0x1234, keep_lines, 2}, {1, 0x1100, main_line, 1}, {2, 0x555, NULL, 0}};
static const struct ht_profile_mapping mappings[] = {
	{"/bin/server", "0123abcd", 0x1000, 0x3000, 0x1000, true, true, true, true},
	{"/lib/libx.so", "", 0, 0x1000, 0, false, false, false, false},
};
static const uint32_t stack_a[] = {0, 1}, stack_b[] = {2, 1};
static const int64_t values_a[] = {3, 300}, values_b[] = {5, 50}, values_0[] = {0, 0};
static const struct ht_profile_sample samples[] = {
	{stack_a, 2, 0, 0, values_a, NULL, 0},
	{stack_a, 1, 0, 0, values_0, NULL, 0},
	{stack_b, 2, 0, 0, values_b, NULL, 0},
};
static const struct ht_profile_type types[] = {{"inuse_objects", "count"}, {"inuse_space", "bytes"}};
static const struct ht_profile profile = {
	.command = "server", .pid = 100, .types = types, .type_count = 2, .mappings = mappings, .mapping_count = 2,
	.functions = functions, .function_count = 2, .locations = locations, .location_count = 3, .samples = samples,
	.sample_count = 3,
};
static const struct ht_timeline_heap heaps[] = {{0, MS(1) + 6000, &profile, 0, 1}};

const struct ht_timeline ht_fixture = {
	.command = "/bin/server --quick \"two words\"",
	.hostname = "box",
	.source = "perf",
	.from_ns = 0,
	.to_ns = MS(10),
	.clock_utc_ns = UINT64_C(1700000000000000000),
	.clock_monotonic_ns = UINT64_C(5000000000000),
	.clock_boottime_ns = UINT64_C(6000000000000),
	.processes = processes,
	.threads = threads,
	.spans = spans,
	.switches = switches,
	.slices = slices,
	.arrows = arrows,
	.tasks = tasks,
	.instants = instants,
	.counters = counters,
	.heaps = heaps,
	.frames = frames,
	.stacks = stacks,
	.process_count = HT_ARRAY_SIZE(processes),
	.thread_count = HT_ARRAY_SIZE(threads),
	.span_count = HT_ARRAY_SIZE(spans),
	.switch_count = HT_ARRAY_SIZE(switches),
	.slice_count = HT_ARRAY_SIZE(slices),
	.arrow_count = HT_ARRAY_SIZE(arrows),
	.task_count = HT_ARRAY_SIZE(tasks),
	.instant_count = HT_ARRAY_SIZE(instants),
	.counter_count = HT_ARRAY_SIZE(counters),
	.heap_count = HT_ARRAY_SIZE(heaps),
	.frame_count = HT_ARRAY_SIZE(frames),
	.stack_count = HT_ARRAY_SIZE(stacks),
};
