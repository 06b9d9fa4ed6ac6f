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
	if (ht_real_ready)
		HT_STORE_RELAXED(&ht_timed, HT_TIMED_OFF);
	if (ht_process.seg && !HT_LOAD_RELAXED(&ht_process.seg->off_reason))
		HT_STORE_RELAXED(&ht_process.seg->off_reason, reason);
}

/* The thread was thrown out of the hook: what it was writing was never there, the cached stack is unknown. */
static void heal(struct ht_thread *t)
{
	ht_ring_heal(&t->w);
	ht_ring_heal(&t->handler);
	ht_unwind_forget(&t->u);
	t->mirror_base = 0;
	t->tick = HT_TICK_NEVER; /* nor was the stamp, perhaps, that others would inherit */
	t->nested = false;
	t->w.slot->abandoned++;
	t->w.slot->counted++;
	t->w.slot->lost[HT_RING_LOST_ABANDONED]++;
}

struct ht_thread *ht_enter_cold(const struct ht_unwind_state *from, struct ht_capture *aside)
{
	struct ht_thread *t = ht_self.thread;
	aside->aside = false;
	if (!t || t->magic != HT_THREAD_MAGIC) {
		bool forked = t != NULL;
		if (forked && !(ht_process.options & HT_OPT_FOLLOW_FORK)) {
			HT_STORE_RELAXED(&ht_state, HT_OFF); /* the child's own copy */
			HT_STORE_RELAXED(&ht_timed, HT_TIMED_OFF);
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
		t->nested = false;
		t->gate = from->sp;
		return t;
	}
	/* Shut. Is the frame that shut it still on the stack? */
	if (t->nested && from->sp > t->nested_sp)
		t->nested = false; /* the handler's note is gone, as we are outward of it */
	bool inner = t->nested || (!t->handler.base && !ht_claim_handler(t));
	if (inner) {
		/* a handler that interrupted a handler's note (or there is no slot for handlers) */
		if (ht_unwind_sees_hook(&t->u, from, t->nested && t->nested_sp > t->gate ? t->nested_sp : t->gate)) {
			t->w.slot->counted++;
			t->w.slot->lost[HT_RING_LOST_NESTED]++;
			t->losses++;
			return NULL;
		}
	} else {
		t->nested = true; /* the second writer, no waiting */
		t->nested_sp = from->sp;
		ht_ring_heal(&t->handler); /* another handler may have been thrown out of it */
		ht_unwind_aside(&t->u, from, t, 1, t->gate, aside);
		if (aside->in_hook) {
			t->handler.slot->nested++;
			return t;
		}
		aside->aside = false;
	}
	heal(t);
	t->gate = from->sp;
	return t;
}

HT_COLD void ht_event_cold(const struct ht_note *n, const struct ht_unwind_state *from)
{
	struct ht_capture c;
	if (!ht_recording())
		return;
	struct ht_thread *t = ht_enter_cold(from, &c);
	if (!t)
		return;
	if (c.aside) { /* the gate belongs to the event that we interrupted */
		ht_note_captured(t, n, &c);
		t->nested = false;
		return;
	}
	ht_note(t, n, from);
	ht_leave(t);
}
