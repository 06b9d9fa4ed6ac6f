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

/* The thread was thrown out of the hook: what it was writing was never there, the cached stack is unknown. */
static void heal(struct ht_thread *t)
{
	if (t->w.moving)
		t->w.base = NULL; /* between two rings: this slot is of no more use */
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
	if (was_nested || (!t->handler.base && !ht_claim_handler(t))) {
		/* a handler that interrupted a handler's note; or no slot for it: whether the gate is stale cannot be told */
		if (from->sp <= t->gate) {
			t->w.slot->counted++;
			t->w.slot->lost[HT_RING_LOST_NESTED]++;
			return NULL;
		}
	}
	t->nested = true; /* the second writer, no waiting */
	ht_unwind_aside(&t->u, from, t, aside);
	t->nested = was_nested;
	if (!aside->in_hook) {
		heal(t); /* clears aside_busy, too */
		aside->aside = false;
		t->gate = from->sp;
		return t;
	}
	if (was_nested || !t->handler.base) {
		t->u.aside_busy = false;
		t->w.slot->counted++;
		t->w.slot->lost[HT_RING_LOST_NESTED]++;
		return NULL;
	}
	t->nested = true;
	t->handler.slot->nested++;
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
