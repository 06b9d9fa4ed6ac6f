/*
 * calls_sleep: calls that wait for time, for a signal, for a child. Their limits are read after the call, from memory
 * that the kernel has then read, too: a bad pointer is the kernel's to refuse.
 */
#include "calls.h"

#include <errno.h>
#include <sys/syscall.h>

struct moment { /* struct timespec */
	int64_t sec, nsec;
};

static uint64_t ns_of(const struct moment *m)
{
	return m->sec < 0 ? 0 : (uint64_t)m->sec * 1000000000u + (uint64_t)m->nsec;
}

/* Ticks as ns, by the threshold whose length is known in both; good for a limit. */
static uint64_t elapsed_ns(const struct ht_span *s)
{
	uint64_t unit = ht_process.call_ticks ? ht_process.call_ticks : 1;
	return (uint64_t)((double)(s->end - s->begin) / (double)unit * 2000);
}

/* detail of a limit of `asked` from the call's begin on, where `left` may be the same memory: then it holds what
 * remains. */
static uint64_t limit(const struct ht_span *s, const void *asked, const void *left, int error)
{
	if (!asked || (error && error != EINTR && error != EAGAIN))
		return 0;
	uint64_t ns = ns_of(asked);
	return (error == EINTR && asked == left ? ns + elapsed_ns(s) : ns) + 1;
}

static __attribute__((noinline)) void note(struct ht_span *s, unsigned call, unsigned kind, int error, uint64_t detail,
					   const struct ht_unwind_state *from)
{
	s->call = call;
	s->kind = kind;
	s->fd = -1;
	s->error = error;
	s->object = 0;
	s->detail = detail;
	ht_span_note(s, from);
}

HT_HOOK(int, nanosleep, (const void *asked, void *left), (asked, left))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_call_begin();
	int r = ht_real.nanosleep(asked, left);
	struct ht_span s;
	if (ht_call_waited(&s, begin)) {
		int error = r ? ht_errno() : 0;
		note(&s, HT_CALL_NANOSLEEP, HT_WAIT_SLEEP, error, limit(&s, asked, left, error), &from);
	}
	return r;
}

/* -1: a signal, without errno; < -1: any other error. */
HT_HOOK(int, thrd_sleep, (const void *asked, void *left), (asked, left))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_call_begin();
	int r = ht_real.thrd_sleep(asked, left);
	struct ht_span s;
	if (ht_call_waited(&s, begin)) {
		int error = r == 0 ? 0 : r == -1 ? EINTR : EINVAL;
		note(&s, HT_CALL_NANOSLEEP, HT_WAIT_SLEEP, error, limit(&s, asked, left, error), &from);
	}
	return r;
}

/* What is left until a point in a clock's time, before the call. Asked of the kernel: it sleeps anyhow. */
static uint64_t now_of(int clock)
{
	struct moment now = {0, 0};
	return ht_process.filtered || HT_SYSCALL2(SYS_clock_gettime, clock, &now) != 0 ? 0 : ns_of(&now);
}

HT_HOOK(int, clock_nanosleep, (int clock, int flags, const void *asked, void *left), (clock, flags, asked, left))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	bool until = flags & 1; /* TIMER_ABSTIME */
	uint64_t now = until && ht_timed == HT_TIMED_ON ? now_of(clock) : 0;
	uint64_t begin = ht_call_begin();
	int r = ht_real.clock_nanosleep(clock, flags, asked, left);
	struct ht_span s;
	if (ht_call_waited(&s, begin)) {
		uint64_t most = limit(&s, asked, left, r); /* r is the error itself */
		if (until && most)
			most = now && most > now ? most - now : 0;
		note(&s, HT_CALL_CLOCK_NANOSLEEP, HT_WAIT_SLEEP, r, most, &from);
	}
	return r;
}

HT_HOOK(int, usleep, (unsigned us), (us))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_call_begin();
	int r = ht_real.usleep(us);
	struct ht_span s;
	if (ht_call_waited(&s, begin))
		note(&s, HT_CALL_USLEEP, HT_WAIT_SLEEP, r ? ht_errno() : 0, us * 1000ull + 1, &from);
	return r;
}

HT_HOOK(unsigned, sleep, (unsigned seconds), (seconds))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_call_begin();
	unsigned left = ht_real.sleep(seconds);
	struct ht_span s;
	if (ht_call_waited(&s, begin))
		note(&s, HT_CALL_SLEEP, HT_WAIT_SLEEP, left ? EINTR : 0, seconds * 1000000000ull + 1, &from);
	return left;
}

#define FOR_A_SIGNAL(type, real_call, which, error_of_r, most)                            \
	do {                                                                              \
		struct ht_unwind_state from = HT_CALLER_STATE();                          \
		uint64_t begin = ht_call_begin();                                         \
		type r = (real_call);                                                     \
		struct ht_span s;                                                         \
		if (ht_call_waited(&s, begin)) {                                          \
			int error = (error_of_r);                                         \
			note(&s, (which), HT_WAIT_OTHER, error, (most), &from);           \
		}                                                                         \
		return r;                                                                 \
	} while (0)
#define MINUS_ONE (r == -1 ? ht_errno() : 0)

HT_HOOK(int, pause, (void), ())
{
	FOR_A_SIGNAL(int, ht_real.pause(), HT_CALL_PAUSE, MINUS_ONE, 0);
}

HT_HOOK(int, sigsuspend, (const void *mask), (mask))
{
	FOR_A_SIGNAL(int, ht_real.sigsuspend(mask), HT_CALL_PAUSE, MINUS_ONE, 0);
}

HT_HOOK(int, sigwait, (const void *set, int *sig), (set, sig))
{
	FOR_A_SIGNAL(int, ht_real.sigwait(set, sig), HT_CALL_SIGWAIT, r, 0);
}

HT_HOOK(int, sigwaitinfo, (const void *set, void *info), (set, info))
{
	FOR_A_SIGNAL(int, ht_real.sigwaitinfo(set, info), HT_CALL_SIGWAIT, MINUS_ONE, 0);
}

HT_HOOK(int, sigtimedwait, (const void *set, void *info, const void *most), (set, info, most))
{
	FOR_A_SIGNAL(int, ht_real.sigtimedwait(set, info, most), HT_CALL_SIGWAIT, MINUS_ONE, limit(&s, most, NULL, error));
}

HT_HOOK(int, wait, (int *status), (status))
{
	FOR_A_SIGNAL(int, ht_real.wait(status), HT_CALL_WAITPID, MINUS_ONE, 0);
}

HT_HOOK(int, waitpid, (int pid, int *status, int options), (pid, status, options))
{
	FOR_A_SIGNAL(int, ht_real.waitpid(pid, status, options), HT_CALL_WAITPID, MINUS_ONE, 0);
}

HT_HOOK(int, wait3, (int *status, int options, void *usage), (status, options, usage))
{
	FOR_A_SIGNAL(int, ht_real.wait3(status, options, usage), HT_CALL_WAITPID, MINUS_ONE, 0);
}

HT_HOOK(int, wait4, (int pid, int *status, int options, void *usage), (pid, status, options, usage))
{
	FOR_A_SIGNAL(int, ht_real.wait4(pid, status, options, usage), HT_CALL_WAITPID, MINUS_ONE, 0);
}

HT_HOOK(int, waitid, (int type, unsigned id, void *info, int options), (type, id, info, options))
{
	FOR_A_SIGNAL(int, ht_real.waitid(type, id, info, options), HT_CALL_WAITPID, MINUS_ONE, 0);
}
