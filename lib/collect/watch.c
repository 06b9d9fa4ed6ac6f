/*
 * watch: how the collector sleeps. It must wake for three things at once: a descriptor, a thread
 * whose ring is half full (a futex in shared memory), the time. The kernel waits for several
 * futexes, or for several descriptors, but not for both; so a helper thread waits for the
 * descriptors and wakes a futex of ours.
 *
 * Kernels before 5.16 cannot wait for several futexes: then one host's word is waited for, or,
 * with several hosts, time is kept short.
 */
#include <errno.h>
#include <poll.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "collector.h"

#define WAITV_SYSCALL 449
#define MAX_WORDS 128u
#define SHORT_NS 5000000u /* when not everything can be waited for */

struct waitv { /* as linux/futex.h has it since 5.16 */
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};
#define WAITV_32 2u
#define WAITV_PRIVATE 128u

struct ht_watch {
	int epoll;
	uint32_t ready; /* futex: descriptors are ready */
	sem_t again;	/* the helper may look again */
	pthread_t helper;
	bool helped, no_waitv;
};

static void *wait_for_descriptors(void *p)
{
	struct ht_watch *w = p;
	for (;;) {
		struct pollfd f = {.fd = w->epoll, .events = POLLIN};
		if (poll(&f, 1, -1) < 0 && errno != EINTR)
			return NULL;
		HT_STORE_RELEASE(&w->ready, 1); /* pairs with the acquire in ht_watch_next */
		HT_SYSCALL3(SYS_futex, &w->ready, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
		while (sem_wait(&w->again) && errno == EINTR)
			;
	}
}

struct ht_watch *ht_watch_new(void)
{
	struct ht_watch *w = ht_xcalloc(1, sizeof(*w));
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	sem_init(&w->again, 0, 0);
	pthread_attr_t a;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 64 << 10);
	w->helped = w->epoll >= 0 && !pthread_create(&w->helper, &a, wait_for_descriptors, w);
	pthread_attr_destroy(&a);
	return w;
}

void ht_watch_free(struct ht_watch *w)
{
	if (w->helped) {
		pthread_cancel(w->helper);
		pthread_join(w->helper, NULL);
	}
	if (w->epoll >= 0)
		close(w->epoll);
	sem_destroy(&w->again);
	free(w);
}

void ht_watch_add(struct ht_watch *w, struct ht_source *s)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
	epoll_ctl(w->epoll, EPOLL_CTL_ADD, s->fd, &e);
}

void ht_watch_remove(struct ht_watch *w, struct ht_source *s)
{
	epoll_ctl(w->epoll, EPOLL_CTL_DEL, s->fd, NULL);
}

struct ht_source *ht_watch_next(struct ht_watch *w, bool look)
{
	bool ready = HT_LOAD_ACQUIRE(&w->ready);
	if (w->helped && !ready && !look)
		return NULL;
	struct epoll_event e;
	int n = epoll_wait(w->epoll, &e, 1, 0);
	if (n > 0)
		return e.data.ptr;
	if (ready) {
		HT_STORE_RELAXED(&w->ready, 0);
		sem_post(&w->again);
	}
	return NULL;
}

/* A timed wait for one word. */
static void wait_one(uint32_t *word, uint32_t value, unsigned flags, uint64_t ns)
{
	struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
	HT_SYSCALL4(SYS_futex, word, FUTEX_WAIT | flags, value, &t);
}

static bool wait_many(struct ht_watch *w, const struct ht_host *hosts, uint64_t ns)
{
	struct waitv v[MAX_WORDS];
	unsigned n = 0;
	v[n++] = (struct waitv){.uaddr = (uintptr_t)&w->ready, .flags = WAITV_32 | WAITV_PRIVATE};
	for (const struct ht_host *h = hosts; h && n < MAX_WORDS; h = h->next)
		v[n++] = (struct waitv){.val = 1, .uaddr = (uintptr_t)&h->seg->sleeping, .flags = WAITV_32};
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t at = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + ns;
	t = (struct timespec){(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
	long r = HT_SYSCALL6(WAITV_SYSCALL, v, n, 0, &t, CLOCK_MONOTONIC, 0);
	return r != -ENOSYS && r != -EPERM;
}

void ht_watch_sleep(struct ht_watch *w, const struct ht_host *hosts, uint64_t ns)
{
	unsigned count = 0;
	for (const struct ht_host *h = hosts; h && count <= MAX_WORDS; h = h->next)
		count++;
	if (count >= MAX_WORDS || !w->helped)
		ns = ns < SHORT_NS ? ns : SHORT_NS;
	if (!w->no_waitv && wait_many(w, hosts, ns))
		return;
	w->no_waitv = true;
	ns = ns < SHORT_NS ? ns : SHORT_NS;
	if (count == 1)
		wait_one(&hosts->seg->sleeping, 1, 0, ns);
	else
		wait_one(&w->ready, 0, FUTEX_PRIVATE_FLAG, ns);
}
