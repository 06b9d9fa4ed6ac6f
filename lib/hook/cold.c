/*
 * cold: events whose fast test failed. First event of a thread, first event of a forked child, a
 * signal handler that interrupted the hook, and a gate that a jump, an exception or a cancellation out of
 * such a handler left shut.
 */
#include "hook.h"

uint32_t ht_state = HT_START;
struct ht_process ht_process;

void ht_turn_off(enum ht_off_reason reason)
{
	HT_STORE_RELAXED(&ht_state, HT_OFF);
	if (ht_process.seg && !HT_LOAD_RELAXED(&ht_process.seg->off_reason))
		HT_STORE_RELAXED(&ht_process.seg->off_reason, reason);
}

/* The thread was thrown out of the hook: whatever it was writing is padding, the cached stack is unknown. */
static void heal(struct ht_thread *t)
{
	ht_ring_void_open(&t->w);
	ht_ring_publish(&t->w);
	t->u.depth = t->u.extras = 0;
	t->u.aside_busy = false;
	t->mirror_base = 0;
	t->nested = false;
	t->w.slot->abandoned++;
}

struct ht_thread *ht_enter_cold(const struct ht_unwind_state *from, struct ht_capture *aside)
{
	struct ht_thread *t = ht_self.thread;
	aside->aside = false;
	if (!t || t->magic != HT_THREAD_MAGIC) {
		bool forked = t != NULL;
		if (forked && !(ht_process.options & HT_OPT_FOLLOW_FORK)) {
			HT_STORE_RELAXED(&ht_state, HT_OFF); /* the child's own copy */
			return NULL;
		}
		ht_self.thread = NULL;
		t = ht_claim(forked);
		if (!t)
			return NULL;
		t->gate = from->sp;
		return t;
	}
	if (t->gate == HT_GATE_OPEN) {
		t->gate = from->sp;
		return t;
	}
	/* Shut. Is the frame that shut it still on the stack? */
	if (t->u.aside_busy) {
		if (from->sp <= t->gate) { /* deeper than the holder: a handler within a handler, or within an aside */
			t->w.slot->counted++;
			t->w.slot->lost[HT_RING_LOST_NESTED]++;
			return NULL;
		}
		t->u.aside_busy = false;
	}
	bool was_nested = t->nested;
	t->nested = true; /* nothing here may wait */
	ht_unwind_aside(&t->u, from, t, aside);
	t->u.aside_busy = false;
	t->nested = was_nested;
	if (!aside->in_hook) {
		heal(t);
		aside->aside = false;
		t->gate = from->sp;
		return t;
	}
	if (was_nested) {
		t->w.slot->counted++;
		t->w.slot->lost[HT_RING_LOST_NESTED]++;
		return NULL;
	}
	t->nested = true;
	t->u.aside_busy = true;
	t->w.slot->nested++;
	ht_ring_void_open(&t->w);
	return t;
}

HT_COLD void ht_event_cold(const struct ht_note *n, const struct ht_unwind_state *from)
{
	struct ht_capture c;
	if (ht_state != HT_READY)
		return;
	struct ht_thread *t = ht_enter_cold(from, &c);
	if (!t)
		return;
	if (c.aside) { /* the gate belongs to the event that we interrupted */
		ht_note_captured(t, n, &c);
		t->u.aside_busy = false;
		t->nested = false;
		return;
	}
	ht_note(t, n, from);
	ht_leave(t);
}
