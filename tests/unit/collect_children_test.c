/*
 * collect_children_test: forked children from the parent's word alone (FORKED), from their own, or both; the
 * heartbeat; the path socket.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect_fixture.h"

static void put_fork(struct producer *p, unsigned at, uint64_t token)
{
	producer_put(p, (uint64_t[]){word0(HT_REC_FORK, HT_REC_STAMP | HT_REC_EXTRA, 0, 0, 0), stamp(p->f, at), token, 0}, 4);
}

static void put_forked(struct producer *p, uint64_t token, uint64_t pid)
{
	producer_put(p, (uint64_t[]){word0(HT_REC_FORKED, HT_REC_EXTRA, 0, 0, 0), token, pid}, 3);
}

/* A process that says nothing. */
static pid_t sleeper(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Its first event comes after its parent's end: nothing was closed meanwhile, and it has its parent. */
static void test_late_first_event(void **state)
{
	(void)state;
	struct fixture f;
	fixture_open(&f);
	pid_t parent = sleeper(), child = sleeper();
	fixture_image(&f, parent);
	struct producer p = producer_new(&f, (uint32_t)parent, (uint32_t)parent);
	put_malloc(&p, 1, 0x1000, 10);
	put_fork(&p, 2, 7);
	put_forked(&p, 7, (uint64_t)child);
	ht_drain_all(&f.c);
	ht_guest_ending(&f.c, f.guest, false);
	ht_guests_close(&f.c);
	assert_non_null(f.c.images);
	assert_true(f.c.images->quiet);
	assert_int_equal(f.c.image_count, 1);
	struct producer q = producer_new(&f, (uint32_t)child, (uint32_t)child);
	q.slot->forked = 1;
	q.slot->fork_token = 7;
	put_malloc(&q, 3, 0x2000, 20);
	ht_drain_all(&f.c);
	assert_false(f.c.images->quiet);
	end(child);
	fixture_close(&f);
	assert_int_equal(f.c.result.running_count, 0);
	assert_int_equal(ht_trace_image_count(f.trace), 2);
	assert_int_equal(ht_trace_image(f.trace, 1)->parent, 1);
	assert_int_equal(ht_trace_image(f.trace, 1)->pid, child);
	fixture_free(&f);
	end(parent);
}

/* One that has no event at all: none of the trace's images when it ends, named when it runs on. */
static void test_no_event(void **state)
{
	(void)state;
	for (int alive = 0; alive < 2; alive++) {
		struct fixture f;
		fixture_open(&f);
		pid_t child = sleeper();
		fixture_image(&f, getpid());
		struct producer p = producer_new(&f, (uint32_t)getpid(), (uint32_t)getpid());
		put_fork(&p, 2, 7);
		put_forked(&p, 7, (uint64_t)child);
		ht_drain_all(&f.c);
		assert_non_null(ht_child_quiet(&f.c, f.host, 7));
		ht_guest_ending(&f.c, f.guest, false);
		if (!alive)
			end(child);
		fixture_close(&f);
		assert_int_equal(f.c.result.running_count, alive);
		assert_int_equal(ht_trace_image_count(f.trace), 1 + alive);
		if (alive)
			assert_int_equal(f.c.result.running[0], child);
		fixture_free(&f);
		if (alive)
			end(child);
	}
}

/* A fork that failed, a token of nobody, a child that was faster than its parent's word. */
static void test_nobody(void **state)
{
	(void)state;
	struct fixture f;
	fixture_open(&f);
	pid_t child = sleeper();
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, (uint32_t)getpid(), (uint32_t)getpid());
	put_fork(&p, 2, 7);
	put_forked(&p, 7, 0);
	put_forked(&p, 99, (uint64_t)child);
	put_fork(&p, 4, 8);
	ht_drain_all(&f.c);
	struct producer q = producer_new(&f, (uint32_t)child, (uint32_t)child);
	q.slot->forked = 1;
	q.slot->fork_token = 8;
	put_malloc(&q, 5, 0x2000, 20);
	ht_drain_all(&f.c);
	put_forked(&p, 8, (uint64_t)child);
	ht_drain_all(&f.c);
	assert_int_equal(f.host->fork_count, 0);
	assert_int_equal(f.host->images, 2);
	ht_guest_ending(&f.c, f.guest, false);
	end(child);
	fixture_close(&f);
	assert_int_equal(ht_trace_image_count(f.trace), 2);
	assert_int_equal(f.c.totals->counted, f.c.totals->recorded);
	fixture_free(&f);
}

/* A realloc's undo without the half that it undoes takes nothing back, and is counted. */
static void test_lone_undo(void **state)
{
	(void)state;
	struct fixture f;
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, (uint32_t)getpid(), (uint32_t)getpid());
	put_malloc(&p, 1, 0x1000, 10);
	producer_put(&p, (uint64_t[]){word0(HT_REC_REALLOC_UNDO, HT_REC_STAMP, 0, 0, 0), stamp(&f, 2)}, 2);
	ht_drain_all(&f.c);
	ht_guest_ending(&f.c, f.guest, false);
	fixture_close(&f);
	assert_int_equal(count_of(&f, HT_OP_REALLOC_UNDO), 0);
	assert_int_equal(f.c.totals->lost[HT_LOST_RING_FULL], 1);
	assert_int_equal(f.c.totals->counted, f.c.totals->recorded + 1);
	fixture_free(&f);
}

/* What a dead thread counted and did not publish is never silent, but for the call that a kill cut off. */
static void test_account(void **state)
{
	(void)state;
	struct fixture f;
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, (uint32_t)getpid(), (uint32_t)getpid());
	put_malloc(&p, 1, 0x1000, 10);
	p.slot->counted += 5;
	ht_drain_all(&f.c);
	ht_guest_ending(&f.c, f.guest, false);
	fixture_close(&f);
	assert_int_equal(f.c.totals->counted, 6);
	assert_int_equal(f.c.totals->lost[HT_LOST_DAMAGED], 5);
	fixture_free(&f);
}

/* The collector's own thread is busy for 200 ms; the heart beats on. */
static void test_heartbeat(void **state)
{
	(void)state;
	struct fixture f;
	fixture_open(&f);
	fixture_image(&f, getpid());
	unsigned changes = 0;
	uint32_t last = HT_LOAD_RELAXED(&f.host->seg->heartbeat);
	for (int i = 0; i < 20; i++) {
		usleep(10000);
		uint32_t now = HT_LOAD_RELAXED(&f.host->seg->heartbeat);
		changes += now != last;
		last = now;
	}
	assert_true(changes >= 4);
	ht_guest_ending(&f.c, f.guest, false);
	fixture_close(&f);
	fixture_free(&f);
}

static void test_path_socket(void **state)
{
	(void)state;
	char path[HT_COLLECT_PATH], folder[HT_COLLECT_PATH];
	struct stat s;
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	int fd = ht_collect_listen_path(path);
	assert_true(fd >= 0);
	assert_true(!strncmp(path, "/tmp/heaptide-", 14));
	strcpy(folder, path);
	*strrchr(folder, '/') = '\0';
	assert_int_equal(stat(folder, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0700);
	ht_collect_unlink_path(path);
	assert_string_equal(path, "");
	assert_int_equal(stat(folder, &s), -1);
	ht_collect_unlink_path(path);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_first_event), cmocka_unit_test(test_no_event),
		cmocka_unit_test(test_nobody),		 cmocka_unit_test(test_lone_undo),
		cmocka_unit_test(test_account),		 cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_path_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
