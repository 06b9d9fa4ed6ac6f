/*
 * annotate: what the program says itself through heaptide.h (regions, tasks, logs, marks, pauses). The program finds
 * the table at the end of this file by a weak reference; without the hook it is not there.
 *
 * A string travels once per thread, before the first event that names it: events carry its hash. What
 * a thread has told stands in its context, so that a forked child, whose contexts are wiped, tells again.
 */
#include "hook.h"

#include "heaptide.h"

#include <sys/syscall.h>

#define NAME_MAX_BYTES 255u
#define MESSAGE_MAX_BYTES 1023u

static uint32_t task_count; /* numbers given */

struct words { /* a string, measured and named */
	const char *s;
	size_t length;
	uint64_t hash; /* never 0 */
};

static struct words measure(const char *s, size_t most)
{
	struct words w = {.s = s ? s : "", .hash = 0xcbf29ce484222325ull};
	while (w.length < most && w.s[w.length])
		w.hash = (w.hash ^ (uint8_t)w.s[w.length++]) * 0x100000001b3ull;
	w.hash = (w.hash ^ w.hash >> 29) * 0xbf58476d1ce4e5b9ull; /* its low bits choose the place in told[] */
	w.hash ^= w.hash >> 32;
	w.hash += !w.hash;
	return w;
}

static void tell(struct ht_thread *t, const struct words *w)
{
	uint64_t *told = t->nested ? NULL : &t->told[w->hash % HT_TOLD];
	if (told && *told == w->hash)
		return;
	struct ht_ring_writer *ring = t->nested ? &t->handler : &t->w;
	uint64_t words = 2 + (w->length + 7) / 8, bytes = 8 + 8 * words;
	uint64_t *p = ht_ring_reserve(ring, bytes, !t->nested && !(ht_process.options & HT_OPT_DROP));
	if (!p)
		return; /* the event stands without its name */
	p[1] = w->hash;
	p[2] = w->length;
	p[words] = 0; /* the last word's padding; rewritten if it is the length */
	p[2] = w->length;
	ht_copy(p + 3, w->s, w->length);
	ht_ring_commit(ring, p, bytes, HT_REC_STRING | words << 16);
	if (told)
		*told = w->hash;
}

/* Notes an event after the strings that it names. */
static void say(const struct ht_note *n, const struct words *a, const struct words *b, const struct ht_unwind_state *from)
{
	struct ht_capture aside = {.aside = false};
	if (!ht_recording())
		return;
	struct ht_thread *t = ht_enter(from);
	if (!t)
		t = ht_enter_cold(from, &aside);
	if (!t)
		return;
	if (a)
		tell(t, a);
	if (b)
		tell(t, b);
	if (aside.aside) { /* the gate belongs to the event that we interrupted */
		ht_note_captured(t, n, &aside);
		t->nested = false;
		return;
	}
	ht_note(t, n, from);
	ht_leave(t);
}

#define STAMPED (HT_REC_STAMP | HT_REC_EXTRA)

static void region_begin(const char *name)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct words w = measure(name, NAME_MAX_BYTES);
	struct ht_note n = {.op = HT_REC_REGION_BEGIN, .flags = STAMPED | HT_REC_STACK, .extra = w.hash};
	say(&n, &w, NULL, &from);
}

static void region_end(const char *name)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct words w = measure(name, NAME_MAX_BYTES);
	struct ht_note n = {.op = HT_REC_REGION_END, .flags = STAMPED, .extra = w.hash};
	say(&n, &w, NULL, &from);
}

/* Unique in the trace as long as pids are: a forked child numbers on from its parent's count. */
static uint64_t task_begin(const char *type)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	if (!ht_recording())
		return 0;
	struct words w = measure(type, NAME_MAX_BYTES);
	uint64_t pid = (uint64_t)HT_SYSCALL0(SYS_getpid);
	uint64_t task = pid << 32 | (__atomic_add_fetch(&task_count, 1, __ATOMIC_RELAXED) & UINT32_MAX);
	struct ht_note n = {.op = HT_REC_TASK, .flags = STAMPED | HT_REC_STACK, .extra = task, .extra2 = w.hash};
	say(&n, &w, NULL, &from);
	return task;
}

static void task_step(uint64_t task, unsigned step, const struct ht_unwind_state *from)
{
	struct ht_note n = {.op = HT_REC_TASK, .flags = STAMPED, .extra = task, .size = step};
	if (task)
		say(&n, NULL, NULL, from);
}

static void task_end(uint64_t task)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	task_step(task, 1, &from);
}

static void task_enter(uint64_t task)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	task_step(task, 2, &from);
}

static void task_leave(uint64_t task)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	task_step(task, 3, &from);
}

static void log_message(const char *category, const char *message)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct words c = measure(category, NAME_MAX_BYTES), m = measure(message, MESSAGE_MAX_BYTES);
	struct ht_note n = {.op = HT_REC_LOG, .flags = STAMPED | HT_REC_STACK, .extra = c.hash, .extra2 = m.hash};
	say(&n, &c, &m, &from);
}

static void mark(const char *name)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct words w = measure(name, NAME_MAX_BYTES);
	struct ht_note n = {.op = HT_REC_MARK, .flags = STAMPED | HT_REC_STACK, .extra = w.hash};
	say(&n, &w, NULL, &from);
}

/* Adds `change` to the depth of pauses unless it is at `bound` already. What it was before. */
static uint32_t pause_depth(uint32_t change, uint32_t bound)
{
	uint32_t options = HT_LOAD_RELAXED(&ht_process.options);
	while ((options & HT_OPT_PAUSED) != bound && !ht_cas_u32(&ht_process.options, options, options + change))
		options = HT_LOAD_RELAXED(&ht_process.options);
	return options & HT_OPT_PAUSED;
}

/* Other threads' births may stand beside these events a moment too early or too late; a thread's own do not. */
static void pause_births(void)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct ht_note n = {.op = HT_REC_PAUSE, .flags = STAMPED | HT_REC_STACK, .extra = 1};
	if (!pause_depth(HT_OPT_PAUSE, HT_OPT_PAUSED))
		say(&n, NULL, NULL, &from);
}

static void resume_births(void)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct ht_note n = {.op = HT_REC_PAUSE, .flags = STAMPED | HT_REC_STACK};
	if (pause_depth(-HT_OPT_PAUSE, 0) == HT_OPT_PAUSE)
		say(&n, NULL, NULL, &from);
}

static int recording(void)
{
	return ht_recording() && !(ht_process.options & HT_OPT_PAUSED);
}

HT_EXPORT const struct heaptide_api heaptide_api_1 = {
	.size = sizeof(struct heaptide_api),
	.region_begin = region_begin,
	.region_end = region_end,
	.task_begin = task_begin,
	.task_end = task_end,
	.task_enter = task_enter,
	.task_leave = task_leave,
	.log = log_message,
	.mark = mark,
	.pause = pause_births,
	.resume = resume_births,
	.recording = recording,
};
