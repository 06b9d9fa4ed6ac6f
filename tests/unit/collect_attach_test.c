/*
 * collect_attach_test: a whole collector in a process of its own, and a target that does by hand what the
 * hook does: says hello, maps the segment, claims a slot, writes a record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect_fixture.h"

struct setup {
	struct ht_collect_settings settings;
	char name[40], path[64];
	int control;
	pid_t collector;
};

static void start(struct setup *s)
{
	int pair[2];
	struct ht_diag d;
	memset(s, 0, sizeof(*s));
	strcpy(s->path, "/tmp/attach-test-XXXXXX");
	s->settings = (struct ht_collect_settings){.hello_fd = -1, .listen_path_fd = -1, .stack_depth = 64, .addresses = true,
						   .ring_memory = 1 << 20, .follow = HT_FOLLOW_EXEC};
	s->settings.out_fd = mkstemp(s->path);
	s->settings.listen_fd = ht_collect_listen(s->name, s->settings.token, &d);
	assert_true(s->settings.listen_fd >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	s->settings.control_fd = pair[1];
	s->control = pair[0];
	s->collector = fork();
	if (s->collector == 0) {
		struct ht_collect_result r;
		ht_collect_detach(&s->settings);
		_exit(ht_collect_run(&s->settings, &r));
	}
	close(pair[1]);
	struct ht_collect_result r;
	assert_int_equal(recv(s->control, &r, sizeof(r), 0), sizeof(r));
	assert_true(r.ready);
}

static int connect_to(const struct setup *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(s->name);
	memcpy(a.sun_path + 1, s->name, n);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)), 0);
	return fd;
}

/* The memfd, or -1 when refused or not answered. */
static int hello(int sock, const char *token, uint64_t *map_bytes)
{
	struct ht_hello h = {.magic = HT_SEG_MAGIC, .pid = (uint32_t)getpid()};
	struct ht_welcome w = {0};
	struct iovec v = {&w, sizeof(w)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	strncpy(h.token, token, sizeof(h.token) - 1);
	send(sock, &h, sizeof(h), 0);
	if (recvmsg(sock, &m, 0) != (ssize_t)sizeof(w) || !w.map_bytes || !CMSG_FIRSTHDR(&m))
		return -1;
	int fd;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	*map_bytes = w.map_bytes;
	return fd;
}

/* In a child: what the hook does. */
static void target(const struct setup *s)
{
	uint64_t bytes;
	int sock = connect_to(s), fd = hello(sock, s->settings.token, &bytes);
	if (fd < 0)
		_exit(9);
	struct ht_segment *seg = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	close(sock);
	struct ht_slot *slot = (struct ht_slot *)((char *)seg + seg->slots_offset);
	while (!ht_cas_u32(&slot->state, HT_SLOT_SPARE, HT_SLOT_CLAIMED))
		slot++;
	slot->pid = slot->tid = (uint32_t)getpid();
	uint64_t *ring = (uint64_t *)((char *)seg + slot->ring_offset);
	ring[0] = HT_REC_MALLOC | HT_REC_STAMP << 8 | 48ull << 48;
	ring[1] = ht_clock_ticks();
	ring[2] = 0x7f0000001000;
	slot->counted = 1;
	HT_STORE_RELEASE(&slot->head, 24);
	_exit(5);
}

static void finish(struct setup *s, struct ht_collect_result *r)
{
	int status;
	assert_int_equal(recv(s->control, r, sizeof(*r), 0), sizeof(*r));
	assert_int_equal(waitpid(s->collector, &status, 0), s->collector);
	assert_int_equal(status, 0);
	close(s->control);
	close(s->settings.listen_fd);
	close(s->settings.out_fd);
}

static void tell(const struct setup *s, unsigned word, int value)
{
	struct ht_collect_message m = {.word = word, .value = value};
	assert_int_equal(send(s->control, &m, sizeof(m), 0), sizeof(m));
}

static void test_exchange(void **state)
{
	(void)state;
	struct setup s;
	struct ht_collect_result r;
	struct ht_trace *t;
	int status;
	start(&s);
	pid_t pid = fork();
	if (pid == 0)
		target(&s);
	tell(&s, HT_COLLECT_PID, pid);
	waitpid(pid, &status, 0);
	tell(&s, HT_COLLECT_EXIT, status);
	finish(&s, &r);
	assert_true(r.attached);
	assert_int_equal(r.totals.recorded, 1);
	assert_int_equal(r.totals.counted, 1);
	assert_int_equal(r.running_count, 0);
	assert_int_equal(ht_trace_open(&t, s.path, NULL), 0);
	assert_int_equal(WEXITSTATUS(ht_trace_image(t, 0)->wait_status), 5);
	assert_int_equal(WEXITSTATUS(ht_trace_exit_status(t)), 5);
	ht_trace_close(t);
	unlink(s.path);
}

static void test_strangers(void **state)
{
	(void)state;
	struct setup s;
	struct ht_collect_result r;
	uint64_t bytes;
	start(&s);
	int silent = connect_to(&s), wrong = connect_to(&s), garbage = connect_to(&s);
	assert_int_equal(hello(wrong, "0123456789abcdef0123456789abcdef", &bytes), -1);
	assert_int_equal(hello(wrong, "", &bytes), -1);
	send(garbage, "x", 1, 0);
	char byte;
	assert_int_equal(recv(garbage, &byte, 1, 0), 0); /* hung up */
	tell(&s, HT_COLLECT_EXIT, 0);
	finish(&s, &r);
	assert_false(r.attached);
	close(silent);
	close(wrong);
	close(garbage);
	unlink(s.path);
}

/* record is killed: the image's end ends the trace. */
static void test_control_lost(void **state)
{
	(void)state;
	struct setup s;
	struct ht_trace *t;
	int status;
	start(&s);
	pid_t pid = fork();
	if (pid == 0)
		target(&s);
	tell(&s, HT_COLLECT_PID, pid);
	close(s.control);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(waitpid(s.collector, &status, 0), s.collector);
	assert_int_equal(status, 0);
	assert_int_equal(ht_trace_open(&t, s.path, NULL), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	assert_int_equal(ht_trace_image_count(t), 1);
	ht_trace_close(t);
	unlink(s.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_control_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
