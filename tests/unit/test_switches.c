/*
 * test_switches: the kernel's records against the lanes of a collector without a target: what comes before a thread
 * is known, a number that is used again, exec, threads without a lane, processes that are no images, losses.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect_fixture.h"
#include "switches.h"

#define OTHER 3000000u /* numbers above any pid of the kernel's: no such process */

struct scene {
	struct fixture f;
	pid_t pid;
	struct ht_switch switches[64];
	struct ht_fault faults[64];
	size_t count, fault_count;
};

static void open_scene(struct scene *s)
{
	*s = (struct scene){0};
	fixture_open(&s->f);
	s->f.settings.hook_options = HT_OPT_ALLOC | HT_OPT_SCHED | HT_OPT_FAULT;
	ht_switches_open(&s->f.c);
	usleep(60000); /* stamps of the tests lie in the past */
	s->pid = fork();
	if (s->pid == 0) {
		pause();
		_exit(0);
	}
	fixture_image(&s->f, s->pid);
	ht_switches_image(&s->f.c, s->f.guest);
}

/* When something happened that a lane stamps so; ns of the kernel's clock. */
static uint64_t when(const struct scene *s, unsigned at)
{
	return s->f.c.clock.start_mono + ht_tickclock_ns(&s->f.c.clock, stamp(&s->f, at));
}

static void take(struct scene *s, unsigned kind, uint32_t pid, uint32_t tid, unsigned at)
{
	struct ht_perf_record r = {.kind = (uint8_t)kind, .cpu = 1, .pid = pid, .tid = tid, .time = when(s, at)};
	ht_switches_take(&s->f.c, &r);
}

static void take_fork(struct scene *s, uint32_t pid, uint32_t tid, uint32_t parent_pid, unsigned at)
{
	struct ht_perf_record r = {.kind = HT_PERF_FORK, .pid = pid, .tid = tid, .time = when(s, at)};
	r.parent_pid = r.parent_tid = parent_pid;
	ht_switches_take(&s->f.c, &r);
}

static void close_scene(struct scene *s)
{
	struct ht_time_records r = {0};
	struct ht_diag d = {0};
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	fixture_close(&s->f);
	for (size_t i = 0; i < ht_trace_time_block_count(s->f.trace); i++) {
		assert_int_equal(ht_trace_time_decode(s->f.trace, i, &r, &d), 0);
		for (size_t k = 0; k < r.switch_count && s->count < 64; k++)
			s->switches[s->count++] = r.switches[k];
		for (size_t k = 0; k < r.fault_count && s->fault_count < 64; k++)
			s->faults[s->fault_count++] = r.faults[k];
	}
	ht_time_records_release(&r);
}

static void free_scene(struct scene *s)
{
	fixture_free(&s->f);
}

static uint32_t tid_of(const struct scene *s, size_t i)
{
	return ht_trace_thread(s->f.trace, s->switches[i].thread)->tid;
}

/* A thread runs before its ring says anything; then what was held is told, and it goes on. */
static void test_held_until_known(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	take_fork(&s, pid, OTHER, pid, 1000);
	take(&s, HT_PERF_IN, pid, OTHER, 1010);
	take(&s, HT_PERF_PREEMPTED, pid, OTHER, 1020);
	struct producer p = producer_new(&s.f, pid, OTHER);
	put_malloc(&p, 1015, 0x1000, 10);
	ht_drain_all(&s.f.c);
	take(&s, HT_PERF_IN, pid, OTHER, 1030);
	take(&s, HT_PERF_EXIT, pid, OTHER, 1040);
	close_scene(&s);
	assert_int_equal(s.count, 4);
	static const uint8_t how[] = {HT_SWITCH_IN, HT_SWITCH_PREEMPTED, HT_SWITCH_IN, HT_SWITCH_BLOCKED};
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(s.switches[i].how, how[i]);
		assert_int_equal(s.switches[i].cpu, 1);
		assert_int_equal(tid_of(&s, i), OTHER);
	}
	/* It waited for its first processor from its creation on, before its ring and all switches. */
	assert_true(ht_trace_thread(s.f.trace, 0)->start_ns < s.switches[0].time_ns);
	assert_int_equal(ht_trace_thread_count(s.f.trace), 1);
	assert_int_equal(s.f.c.totals->lost[HT_LOST_SCHED], 0);
	free_scene(&s);
}

/* The lane is told first; the kernel's word of the beginning comes after. */
static void test_ring_is_faster(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	struct producer p = producer_new(&s.f, pid, OTHER);
	put_malloc(&p, 1015, 0x1000, 10);
	ht_drain_all(&s.f.c);
	take_fork(&s, pid, OTHER, pid, 1000);
	take(&s, HT_PERF_IN, pid, OTHER, 1010);
	take(&s, HT_PERF_EXIT, pid, OTHER, 1020);
	close_scene(&s);
	assert_int_equal(s.count, 2);
	assert_int_equal(ht_trace_thread_count(s.f.trace), 1);
	free_scene(&s);
}

/* One number, two threads, both over before their lanes are told. */
static void test_number_used_again(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	for (unsigned i = 0; i < 2; i++) {
		unsigned at = 1000 + 200000 * i; /* further apart than a stamp may be off */
		take_fork(&s, pid, OTHER, pid, at);
		take(&s, HT_PERF_IN, pid, OTHER, at + 10);
		for (unsigned k = 0; k < i; k++) {
			take(&s, HT_PERF_BLOCKED, pid, OTHER, at + 20);
			take(&s, HT_PERF_IN, pid, OTHER, at + 30);
		}
		take(&s, HT_PERF_EXIT, pid, OTHER, at + 40);
	}
	struct producer p = producer_new(&s.f, pid, OTHER), q = producer_new(&s.f, pid, OTHER);
	put_malloc(&p, 1015, 0x1000, 10);
	put_malloc(&q, 201015, 0x2000, 10);
	ht_drain_all(&s.f.c);
	close_scene(&s);
	assert_int_equal(s.count, 6);
	assert_int_equal(ht_trace_thread_count(s.f.trace), 2);
	assert_int_equal(s.switches[0].thread, s.switches[1].thread);
	assert_int_not_equal(s.switches[1].thread, s.switches[2].thread);
	for (size_t i = 3; i < 6; i++)
		assert_int_equal(s.switches[i].thread, s.switches[2].thread);
	assert_true(ht_trace_thread(s.f.trace, s.switches[0].thread)->start_ns <
		    ht_trace_thread(s.f.trace, s.switches[2].thread)->start_ns);
	free_scene(&s);
}

/* A slice in which a program becomes another one is two; the second belongs to whatever says hello. */
static void test_exec(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	struct producer p = producer_new(&s.f, pid, pid);
	take(&s, HT_PERF_IN, pid, pid, 1000);
	put_malloc(&p, 1015, 0x1000, 10);
	ht_drain_all(&s.f.c);
	take_fork(&s, pid, OTHER, pid, 1020);
	take(&s, HT_PERF_IN, pid, OTHER, 1025); /* another thread of it: it ends with the exec */
	take(&s, HT_PERF_EXEC, pid, pid, 1030);
	struct ht_host *h = ht_host_new(&s.f.c, NULL);
	struct ht_guest *second = ht_guest_draft(&s.f.c, s.pid);
	ht_switches_image(&s.f.c, second);
	ht_guest_ending(&s.f.c, s.f.guest, true);
	ht_guests_close(&s.f.c);
	h->pid = s.pid;
	ht_guest_begin(&s.f.c, second, h, pid, HT_IMAGE_EXEC, s.f.guest);
	take(&s, HT_PERF_BLOCKED, pid, pid, 1040);
	close_scene(&s);
	assert_int_equal(ht_trace_image_count(s.f.trace), 2);
	assert_int_equal(s.count, 6);
	unsigned of[2] = {0, 0};
	for (size_t i = 0; i < s.count; i++)
		of[ht_trace_thread(s.f.trace, s.switches[i].thread)->image]++;
	assert_int_equal(of[0], 4);
	assert_int_equal(of[1], 2);
	free_scene(&s);
}

/* Threads that never have a lane: of an image they are in the trace, of another process they are nobody's, and no
 * loss. */
static void test_without_lane(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	take_fork(&s, pid, OTHER, pid, 1000);
	take(&s, HT_PERF_IN, pid, OTHER, 1010);
	take(&s, HT_PERF_EXIT, pid, OTHER, 1020);
	take_fork(&s, OTHER + 1, OTHER + 1, pid, 1030); /* a child that is never heard of */
	take(&s, HT_PERF_IN, OTHER + 1, OTHER + 1, 1040);
	for (unsigned i = 0; i < 5000; i++) {
		take(&s, HT_PERF_BLOCKED, OTHER + 1, OTHER + 1, 1050);
		take(&s, HT_PERF_IN, OTHER + 1, OTHER + 1, 1060);
	}
	close_scene(&s);
	assert_int_equal(s.count, 2);
	assert_int_equal(tid_of(&s, 0), OTHER);
	assert_int_equal(ht_trace_thread_count(s.f.trace), 1);
	assert_int_equal(s.f.c.totals->lost[HT_LOST_SCHED], 0);
	free_scene(&s);
}

/* A lane that is told when its thread is in the trace already, is that thread. */
static void test_lane_after_all(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	take_fork(&s, pid, OTHER, pid, 1000);
	take(&s, HT_PERF_IN, pid, OTHER, 1010);
	ht_switches_settle(&s.f.c, ht_collector_ns(&s.f.c) + HT_RUNNER_WAITS);
	take(&s, HT_PERF_BLOCKED, pid, OTHER, 1020);
	struct producer p = producer_new(&s.f, pid, OTHER);
	put_malloc(&p, 1030, 0x1000, 10);
	ht_drain_all(&s.f.c);
	take(&s, HT_PERF_IN, pid, OTHER, 1040);
	close_scene(&s);
	assert_int_equal(s.count, 3);
	assert_int_equal(ht_trace_thread_count(s.f.trace), 1);
	free_scene(&s);
}

/* A forked child that runs on without an event of ours counts after a while. */
static void test_quiet_child_that_runs(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	struct producer p = producer_new(&s.f, pid, pid);
	put_malloc(&p, 1000, 0x1000, 10);
	producer_put(&p, (uint64_t[]){word0(HT_REC_FORK, HT_REC_STAMP | HT_REC_EXTRA, 0, 0, 0), stamp(&s.f, 1010), 7, 0}, 4);
	producer_put(&p, (uint64_t[]){word0(HT_REC_FORKED, HT_REC_EXTRA, 0, 0, 0), 7, (uint64_t)child}, 3);
	ht_drain_all(&s.f.c);
	assert_true(s.f.c.images->quiet);
	take_fork(&s, (uint32_t)child, (uint32_t)child, pid, 1010);
	take(&s, HT_PERF_IN, (uint32_t)child, (uint32_t)child, 1020);
	ht_switches_settle(&s.f.c, ht_collector_ns(&s.f.c));
	assert_true(s.f.c.images->quiet);
	ht_switches_settle(&s.f.c, ht_collector_ns(&s.f.c) + HT_RUNNER_WAITS);
	assert_false(s.f.c.images->quiet);
	take(&s, HT_PERF_EXIT, (uint32_t)child, (uint32_t)child, 1030);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close_scene(&s);
	assert_int_equal(ht_trace_image_count(s.f.trace), 2);
	assert_int_equal(ht_trace_image(s.f.trace, 1)->pid, child);
	assert_int_equal(ht_trace_image(s.f.trace, 1)->parent, 1);
	assert_int_equal(s.count, 2);
	assert_int_equal(ht_trace_thread(s.f.trace, s.switches[0].thread)->image, 1);
	free_scene(&s);
}

static void test_losses(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	struct producer p = producer_new(&s.f, pid, pid);
	put_malloc(&p, 1015, 0x1000, 10);
	ht_switches_take(&s.f.c, &(struct ht_perf_record){.kind = HT_PERF_LOST, .lost = 41});
	ht_switches_take(&s.f.c, &(struct ht_perf_record){.kind = HT_PERF_LOST, .lost = 1});
	close_scene(&s);
	assert_int_equal(ht_trace_totals(s.f.trace, NULL)->lost[HT_LOST_SCHED], 42);
	free_scene(&s);
}

/* A fault at code of which nobody has told: it waits for its module; in the end it is told without. */
static void test_faults(void **state)
{
	(void)state;
	struct scene s;
	open_scene(&s);
	uint32_t pid = (uint32_t)s.pid;
	struct producer p = producer_new(&s.f, pid, pid);
	put_malloc(&p, 1015, 0x1000, 10);
	ht_drain_all(&s.f.c);
	for (unsigned i = 0; i < 2; i++) {
		struct ht_perf_record r = {.kind = HT_PERF_FAULT, .pid = pid, .tid = pid, .time = when(&s, 1020 + i)};
		r.address = 0x5000 + i;
		r.ip = i ? 0x999000 : 0x401234;
		ht_switches_take(&s.f.c, &r);
	}
	assert_int_equal(s.f.c.switches->held_count, 2);
	ht_space_add(s.f.guest->space, &(struct ht_mapping){0, 0x400000, 0x402000, 0x400000, 0});
	ht_intern_module(&s.f.c.intern, &(struct ht_module){.size = 0x2000, .text_size = 0x2000});
	close_scene(&s);
	assert_int_equal(s.fault_count, 2);
	const struct ht_stack_node *n = ht_trace_nodes(s.f.trace);
	assert_int_equal(n[s.faults[0].stack].module, 1);
	assert_int_equal(n[s.faults[0].stack].address, 0x1234);
	assert_int_equal(n[s.faults[1].stack].module, 0);
	assert_int_equal(n[s.faults[1].stack].address, 0x999000);
	assert_int_equal(s.faults[1].address, 0x5001);
	free_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_until_known), cmocka_unit_test(test_ring_is_faster),
		cmocka_unit_test(test_number_used_again), cmocka_unit_test(test_exec),
		cmocka_unit_test(test_without_lane),	 cmocka_unit_test(test_lane_after_all),
		cmocka_unit_test(test_losses),		 cmocka_unit_test(test_faults),
		cmocka_unit_test(test_quiet_child_that_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
