/*
 * sync: who waits where, and the records of it; sync.h has the picture. A count is taken back by whoever was counted;
 * when a jump or a cancellation keeps it from that, by its thread's next wait, its end, or the handler for it.
 */
#include "sync.h"

#include <errno.h>
#include <link.h>
#include <threads.h>
#include <time.h>

uint32_t ht_sync_state;
uint64_t ht_sync_places[2 << HT_SYNC_BITS];
const char *ht_sync_single;
bool ht_sync_untried;

#define WAITER (1ull << 32 | 1)
#define PAGE 512 /* places in one bit of `touched` */
_Static_assert((2 << HT_SYNC_BITS) / PAGE <= 64, "one word says what a child has to clear");
static uint64_t touched;

static int nobody(void);

static int count_loads(struct dl_phdr_info *info, size_t size, void *out)
{
	(void)size;
	*(uint64_t *)out = info->dlpi_adds;
	return 1;
}

/* Before glibc 2.34 these names come with libpthread, which may be loaded late. */
static HT_COLD void look_again(void)
{
	static uint64_t loads;
	uint64_t now = 0;
	dl_iterate_phdr(count_loads, &now);
	if (now == loads)
		return;
	loads = now;
#define FIND(result, name, params)                                                \
	if ((void *)ht_real.name == (void *)nobody && ht_symbol(#name, true))     \
		*(void **)&ht_real.name = ht_symbol(#name, true);
	HT_SYNC_CALLS(FIND)
#undef FIND
}

HT_COLD uint32_t ht_sync_decide(void)
{
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	if (HT_UNLIKELY((void *)ht_real.pthread_mutex_trylock == (void *)nobody && ht_real_ready)) {
		look_again();
		if ((void *)ht_real.pthread_mutex_trylock == (void *)nobody)
			return HT_SYNC_UNKNOWN;
	}
	uint32_t state = ht_state == HT_START ? HT_SYNC_UNKNOWN : HT_SYNC_FORWARD;
	if (ht_recording() && ht_process.options & HT_OPT_SYNC) {
		if (!ht_sync_single)
			ht_sync_single = ht_symbol("__libc_single_threaded", false);
		state = ht_sync_single && *ht_sync_single ? HT_SYNC_ALONE : HT_SYNC_ON;
	}
	HT_STORE_RELAXED(&ht_sync_state, state);
	return state;
}

/* ---- counting ---- */

static void count(uint64_t *place)
{
	uint64_t bit = 1ull << (place - ht_sync_places) / PAGE;
	if (!(HT_LOAD_RELAXED(&touched) & bit))
		__atomic_fetch_or(&touched, bit, __ATOMIC_RELAXED);
	__atomic_fetch_add(place, WAITER, __ATOMIC_SEQ_CST); /* before the real lock's look at the object */
}

/* Never below none: a child of a fork has cleared what its thread was counted in. */
static void uncount(uint64_t *place)
{
	uint64_t was = HT_LOAD_RELAXED(place);
	while (ht_sync_waiters(was) &&
	       !__atomic_compare_exchange_n(place, &was, was - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void enter(struct ht_sync_wait *w)
{
	uint64_t sp = w->from->sp;
	w->outer = ht_self.counted_in;
	w->outer_sp = ht_self.counted_sp;
	if (w->outer && w->outer_sp <= sp) { /* a wait inward of us: it was jumped out of */
		uncount(w->outer);
		w->outer = NULL;
	}
	count(w->place);
	ht_self.counted_in = w->place;
	ht_self.counted_sp = sp;
}

static void leave(struct ht_sync_wait *w)
{
	if (ht_self.counted_in) { /* else a handler on another stack took us for gone, or this is its fork's child */
		if (ht_self.counted_sp != w->from->sp) /* a handler's wait, jumped out of */
			uncount(ht_self.counted_in);
		uncount(w->place);
	}
	ht_self.counted_in = w->outer;
	ht_self.counted_sp = w->outer_sp;
}

/* Only the pages that were ever counted in: the child need not copy the others. */
HT_COLD void ht_sync_forked(void)
{
	for (unsigned i = 0; i < 2 << HT_SYNC_BITS; i++)
		if (touched >> i / PAGE & 1)
			ht_sync_places[i] = 0;
	touched = 0;
	ht_self.counted_in = NULL;
}

/* ---- stamps ---- */

/* A stamp is good as long as no handler has noted something since, nor is this the thread's first event: stamps of a
 * ring ascend. Else it is stamped anew. */
static uint64_t still_good(const struct ht_sync_stamp *when)
{
	const struct ht_thread *t = ht_self.thread;
	return when && t && t->magic == HT_THREAD_MAGIC && t->w.head == when->head ? when->ticks : 0;
}

struct ht_sync_stamp ht_sync_stamp(void)
{
	const struct ht_thread *t = ht_self.thread;
	if (!ht_recording())
		return (struct ht_sync_stamp){0, 0};
	return (struct ht_sync_stamp){ht_clock_now(), t && t->magic == HT_THREAD_MAGIC ? t->w.head : UINT64_MAX};
}

/* ---- waits ---- */

static void note_wait(const struct ht_sync_wait *w, const struct ht_sync_stamp *end, enum ht_wait_outcome outcome)
{
	struct ht_note n = {.op = HT_REC_WAIT, .flags = HT_REC_STACK | HT_REC_STAMP | HT_REC_EXTRA,
			    .address = (uint64_t)w->object, .size = end->ticks - w->begin,
			    .extra = w->what | (uint64_t)outcome << 16, .extra2 = w->detail, .ticks = still_good(end)};
	if (ht_recording() && w->begin && end->ticks)
		ht_event(&n, w->from);
}

/* Cancelled, or jumped out of: libc calls this where it takes the frame of the wait off the stack. */
static void abandoned(void *wait)
{
	struct ht_sync_wait *w = wait;
	if (w->place)
		leave(w);
	struct ht_sync_stamp end = ht_sync_stamp();
	note_wait(w, &end, HT_OUTCOME_UNKNOWN);
}

void ht_sync_begin(struct ht_sync_wait *w)
{
	if (w->place)
		enter(w);
	if (w->cancellable)
		ht_real._pthread_cleanup_push(&w->cleanup, abandoned, w);
	w->begin = ht_recording() ? ht_clock_now() : 0;
}

void ht_sync_end(struct ht_sync_wait *w, enum ht_wait_outcome outcome, uint64_t least)
{
	struct ht_sync_stamp end = ht_sync_stamp();
	if (w->cancellable)
		ht_real._pthread_cleanup_pop(&w->cleanup, 0);
	if (w->place)
		leave(w);
	if (outcome == HT_OUTCOME_FAILED || (ht_sync_untried && !least))
		least = ht_process.call_ticks;
	if (end.ticks - w->begin >= least)
		note_wait(w, &end, outcome);
}

enum ht_wait_outcome ht_sync_outcome(int error)
{
	return error == 0 ? HT_OUTCOME_OK
	     : error == ETIMEDOUT ? HT_OUTCOME_TIMEOUT
	     : error == EINTR ? HT_OUTCOME_INTERRUPTED
	     : error == EOWNERDEAD ? HT_OUTCOME_OWNER_DEAD
	     : HT_OUTCOME_FAILED;
}

enum ht_wait_outcome ht_sync_c11_outcome(int result)
{
	return result == thrd_success ? HT_OUTCOME_OK : result == thrd_timedout ? HT_OUTCOME_TIMEOUT : HT_OUTCOME_FAILED;
}

/* Far away is far away: what does not fit is said as the farthest that does. */
static uint64_t ns_until(int clock, const struct timespec *until)
{
	struct timespec now = {0, 0};
	int64_t ns;
	ht_real.clock_gettime(clock, &now);
	if (__builtin_sub_overflow(until->tv_sec, now.tv_sec, &ns) ||
	    __builtin_mul_overflow(ns, (int64_t)1000000000, &ns) ||
	    __builtin_add_overflow(ns, until->tv_nsec - now.tv_nsec, &ns))
		return until->tv_sec < now.tv_sec ? 0 : INT64_MAX;
	return ns < 0 ? 0 : (uint64_t)ns;
}

uint64_t ht_sync_deadline(int clock, const struct timespec *until)
{
	if (!ht_recording() || !ht_sync_valid(clock < 0 ? 0 : clock, until))
		return 0;
	if (clock < 0) { /* where a condition keeps its clock is its libc's own affair; they are decades apart */
		struct timespec now = {0, 0};
		ht_real.clock_gettime(CLOCK_REALTIME, &now);
		clock = until->tv_sec < now.tv_sec / 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
	}
	return ns_until(clock, until) + 1;
}

/* ---- wakes ---- */

void ht_sync_note_wake(const void *object, uint64_t what, const struct ht_sync_stamp *when,
		       const struct ht_unwind_state *from)
{
	struct ht_note n = {.op = HT_REC_WAKE, .flags = HT_REC_STACK | HT_REC_STAMP | HT_REC_EXTRA,
			    .address = (uint64_t)object, .extra = what, .ticks = still_good(when)};
	if (ht_recording())
		ht_event(&n, from);
}

__attribute__((noinline)) int ht_sync_wakes(void *object, int (*real)(void *), uint64_t what)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct ht_sync_stamp when = ht_sync_stamp();
	int result = real(object);
	if (result == 0)
		ht_sync_note_wake(object, what, &when, &from);
	return result;
}

__attribute__((noinline)) int ht_sync_unlocks(void *object, int (*real)(void *), uint64_t what, bool sure)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct ht_self *self = &ht_self;
	struct ht_sync_stamp when = ht_sync_stamp();
	uint64_t place = HT_LOAD_RELAXED(ht_sync_lock(object));
	bool again = !sure && self->let_go == object && self->let_go_place == place &&
		     when.ticks - self->let_go_ticks < ht_process.call_ticks;
	int result = real(object);
	if (result == 0 && !again) {
		self->let_go = object;
		self->let_go_place = place;
		self->let_go_ticks = when.ticks;
		ht_sync_note_wake(object, what, &when, &from);
	}
	return result;
}

__attribute__((noinline)) int ht_sync_late(const void *object, int result, uint64_t what)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	if (result == 0)
		ht_sync_note_wake(object, what, NULL, &from);
	return result;
}

/* ---- a thread's end ---- */

/* Whoever joins may come only now, while the thread is still ending: noted whether somebody waits or not. */
void ht_sync_exit(const struct ht_unwind_state *from)
{
	if (!ht_sync_asked())
		return;
	if (ht_self.counted_in)
		uncount(ht_self.counted_in);
	ht_self.counted_in = NULL;
	struct ht_note n = {.op = HT_REC_WAKE, .flags = HT_REC_STAMP | HT_REC_EXTRA,
			    .address = (uint64_t)__builtin_thread_pointer(),
			    .extra = HT_SYNC_WHAT(JOIN, EXIT) | HT_SYNC_ALL};
	ht_event(&n, from);
}

/* ---- what is not there ---- */

/* Inside the search for the real functions there is nothing to lock; after it, this libc is older than the name. */
static int nobody(void)
{
	return ht_real_ready ? ENOSYS : 0;
}

void ht_sync_fill(void)
{
#define FILL(result, name, params) \
	if (!ht_real.name)         \
		ht_real.name = (result(*) params)(void *)nobody;
	HT_SYNC_CALLS(FILL)
#undef FILL
}
