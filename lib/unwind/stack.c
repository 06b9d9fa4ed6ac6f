/*
 * stack: the verified stack cache. see unwinder.h for the argument; the measured cost of each part is in
 * the comments where it was decided.
 */
#include "stack.h"

/* Do the words that unwinding frame i and everything outward of it read still hold? batch: all of them lie on the thread's
 * own stack. Otherwise in the order of unwinding, where each word that holds makes the next one's address true. */
static bool holds(const struct ht_unwinder *u, uint32_t i, bool batch)
{
	const struct ht_stack *s = u->stack;
	uint32_t extras = extras_of(u, i);
	if (batch)
		return !ht_stack_differ(s->sp, -8, s->pc, i) && !ht_stack_differ(s->extra_at, 0, s->extra_value, extras);
	for (uint32_t k = i; k-- > 0;)
		if (word_at(s->sp[k] - 8) != s->pc[k])
			return false;
	for (uint32_t k = 0; k < extras; k++)
		if (word_at(s->extra_at[k]) != s->extra_value[k])
			return false;
	return true;
}

/* A frame without information: the frame pointer, on the own stack and where it leads outward. */
static bool frame_pointer_usable(const struct ht_bounds *b, const struct ht_unwind_state *s)
{
	uint64_t rbp = s->rbp;
	return b->own && rbp >= s->sp && rbp + 16 <= b->hi && !(rbp & 7) && *(const uint64_t *)(rbp + 8) >> 47 == 0;
}

struct walk {
	struct ht_unwind_state s;
	struct ht_bounds b;
	uint32_t fresh;	       /* new frames in stack->fresh, leaf first */
	uint32_t fresh_extras;
	uint8_t end;
	bool uncacheable, general;
};

/* One step outward by row. False: the stack ends (w->end says why) or cannot be cached. */
HT_INLINE bool step(struct ht_unwinder *u, struct walk *w, struct ht_fresh *f, void *ctx,
			struct ht_cfi_scratch *scratch)
{
	uint16_t row = ht_row_lookup(w->s.pc, scratch, ctx);
	unsigned kind = HT_ROW_KIND(row);
	f->guess = 0;
	if (HT_UNLIKELY(kind >= HT_ROW_ESCAPE)) {
		if (kind == HT_ROW_END) {
			if (row == HT_ROW_COMPLETE) {
				w->end = HT_UNWIND_COMPLETE;
				f->row = row;
				return false;
			}
			if (!frame_pointer_usable(&w->b, &w->s)) {
				w->end = HT_UNWIND_NO_ROW;
				f->row = row;
				return false;
			}
			row = HT_ROW_FRAME_POINTER;
			f->guess = 1;
			u->guesses++;
		} else {
			struct ht_step_extra x;
			f->row = row;
			unsigned res = ht_step_escape(u, &w->b, row, &w->s, &x);
			if (res >= HT_STEP_END) {
				w->end = (uint8_t)(res - HT_STEP_END);
				return false;
			}
			if (res != HT_STEP_OK || w->fresh_extras + x.count > 64) {
				w->uncacheable = true;
				w->general = res == HT_STEP_GENERAL;
				return res != HT_STEP_GENERAL;
			}
			for (unsigned i = 0; i < x.count; i++)
				u->stack->fresh_extras[w->fresh_extras++] =
					(struct ht_extra){x.at[i], x.value[i], w->fresh};
			return true;
		}
		kind = HT_ROW_RBP;
	}
	f->row = row;
	uint64_t cfa = (kind == HT_ROW_RBP ? w->s.rbp : w->s.sp) + HT_ROW_OFFSET(row);
	if (HT_UNLIKELY(cfa <= w->s.sp || cfa > w->b.hi || (cfa & 7))) {
		w->end = HT_UNWIND_BAD_CFA;
		return false;
	}
	if (HT_UNLIKELY(!w->b.own) &&
	    (cfa - w->s.sp > (1u << 20) || !ht_step_probe(u, cfa - 8) || !ht_step_probe(u, cfa - 128))) {
		w->end = HT_UNWIND_UNREADABLE;
		return false;
	}
	unsigned slot = HT_ROW_SLOT(row);
	if (slot)
		w->s.rbp = *(const uint64_t *)(cfa - 8 * (slot + 1));
	w->s.pc = *(const uint64_t *)(cfa - 8);
	w->s.sp = cfa;
	return true;
}

/* Appends the new frames to the cached prefix [0, kept), outermost first. */
static void append(struct ht_unwinder *u, uint32_t fresh, uint32_t x, uint32_t kept)
{
	struct ht_stack *s = u->stack;
	uint32_t i = kept;
	u->extras = kept ? extras_of(u, kept - 1) : 0;
	for (uint32_t j = fresh; j-- > 0; i++) {
		const struct ht_fresh *f = &s->fresh[j];
		unsigned kind = HT_ROW_KIND(f->row), slot = HT_ROW_SLOT(f->row);
		bool outer_need = i && (s->need[i - 1] & 1), uses, loads;
		if (HT_UNLIKELY(kind == HT_ROW_ESCAPE)) {
			const struct ht_escape *e = ht_row_escape(f->row);
			uses = e->cfa_base == HT_REG_RBP || e->rbp_base == HT_REG_RBP || e->ra_base == HT_REG_RBP;
			loads = e->rbp_base != 0;
			while (x && s->fresh_extras[x - 1].frame == j && u->extras < HT_STACK_EXTRAS) {
				x--;
				push_extra(u, s->fresh_extras[x].at, s->fresh_extras[x].value, i);
			}
		} else {
			uses = kind == HT_ROW_RBP;
			loads = kind != HT_ROW_END && slot != 0;
			if (loads && outer_need && u->extras < HT_STACK_EXTRAS) {
				/* frame i restored rbp for frames that use it: that word counts, too */
				push_extra(u, s->sp[i - 1] - 8 * (slot + 1), s->rbp[i - 1], i);
			}
		}
		s->pc[i] = f->pc;
		s->sp[i] = f->sp;
		s->rbp[i] = f->rbp;
		s->need[i] = (uint8_t)((uses || (!loads && outer_need)) | f->guess << 1);
	}
	u->depth = u->extras < HT_STACK_EXTRAS ? i : 0;
}

static HT_COLD void full_aside(struct ht_unwinder *u, const struct ht_unwind_state *from, void *ctx,
			       struct ht_capture *out)
{
	bool signal;
	struct ht_stack *s = u->stack;
	out->level = 0;
	out->depth = ht_walk_full(u, from, s->aside_pc[0], s->aside_sp[0], HT_ASIDE_FRAMES, &out->end, &signal);
	out->aside = true;
	out->in_hook = false;
	out->kept = 0;
	for (uint32_t i = 0; i < out->depth; i++)
		ht_unwind_learn(u, s->aside_pc[0][i], ctx);
	if (!out->depth) { /* not met: the caller is known, and no more */
		s->aside_pc[0][0] = from->pc;
		s->aside_sp[0][0] = from->sp;
		out->depth = 1;
		out->end = HT_UNWIND_NO_ROW;
	}
}

/* The rows that are not one register and an offset: out of the hot loop, so that its state stays in registers. */
static HT_COLD bool step_rare(struct ht_unwinder *u, struct walk *w, struct ht_fresh *f, void *ctx)
{
	return step(u, w, f, ctx, &u->scratch[0]);
}

HT_COLD void ht_unwind_forget(struct ht_unwinder *u)
{
	u->depth = u->extras = 0;
	for (unsigned w = 0; w < HT_WALKED; w++)
		u->stack->walked[w].pc = 0;
}

void ht_unwind_capture(struct ht_unwinder *u, const struct ht_unwind_state *from, void *ctx, struct ht_capture *out)
{
	struct ht_stack *s = u->stack;
	uint64_t pc = from->pc, sp = from->sp, rbp = from->rbp;
	const struct ht_bounds b = ht_step_bounds(u, sp);
	uint32_t generation = HT_LOAD_ACQUIRE(&ht_unwind_generation);
	if (HT_UNLIKELY(u->generation != generation)) {
		u->generation = generation;
		ht_unwind_forget(u);
	}
	/* On another stack than the cached one, its addresses say nothing. */
	uint32_t i = HT_LIKELY(b.own == u->known) ? u->depth : 0, kept = 0, below = UINT32_MAX;
	uint32_t fresh = 0, fresh_extras = 0;
	uint8_t end = HT_UNWIND_COMPLETE;
	for (;;) {
		while (i && s->sp[i - 1] < sp)
			i--;
		if (i && s->sp[i - 1] == sp && s->pc[i - 1] == pc && (!(s->need[i - 1] & 1) || s->rbp[i - 1] == rbp) &&
		    i <= below) {
			if (HT_LIKELY(holds(u, i - 1, b.own && u->known))) {
				kept = i;
				break;
			}
			below = i - 1; /* whatever did not hold lies outward of here */
		}
		if (HT_UNLIKELY(!pc)) /* a zero return address: the bottom, by convention */
			break;
		if (HT_UNLIKELY(fresh == HT_STACK_FRESH)) {
			end = HT_UNWIND_LIMIT;
			break;
		}
		struct ht_fresh *f = &s->fresh[fresh];
		f->pc = pc;
		f->sp = sp;
		f->rbp = rbp;
		uint16_t row = ht_row_lookup(pc, &u->scratch[0], ctx);
		unsigned kind = HT_ROW_KIND(row);
		uint64_t cfa = (kind == HT_ROW_RBP ? rbp : sp) + HT_ROW_OFFSET(row);
		if (HT_LIKELY(kind < HT_ROW_ESCAPE && b.own && cfa > sp && cfa <= b.hi && !(cfa & 7))) {
			unsigned slot = HT_ROW_SLOT(row);
			f->row = row;
			f->guess = 0;
			if (slot)
				rbp = *(const uint64_t *)(cfa - 8 * (slot + 1));
			pc = *(const uint64_t *)(cfa - 8);
			sp = cfa;
			fresh++;
			continue;
		}
		struct walk w = {{pc, sp, rbp}, b, fresh, fresh_extras, HT_UNWIND_COMPLETE, false, false};
		bool more = step_rare(u, &w, f, ctx);
		if (HT_UNLIKELY(w.uncacheable)) {
			if (w.general)
				full_aside(u, from, ctx, out);
			else
				ht_unwind_aside(u, from, ctx, 0, 0, out);
			return;
		}
		fresh++;
		fresh_extras = w.fresh_extras;
		if (!more) {
			end = w.end;
			break;
		}
		pc = w.s.pc;
		sp = w.s.sp;
		rbp = w.s.rbp;
	}
	if (HT_UNLIKELY(kept + fresh > HT_STACK_FRAMES)) {
		u->depth = 0;
		ht_unwind_aside(u, from, ctx, 0, 0, out);
		return;
	}
	if (HT_UNLIKELY(kept == 0)) {
		u->end = end;
		u->known = b.own;
	}
	if (fresh || kept != u->depth)
		append(u, fresh, fresh_extras, kept);
	out->kept = kept;
	out->depth = kept + fresh;
	out->end = u->end;
	out->aside = out->in_hook = false;
	if (HT_UNLIKELY(kept == 0 && end == HT_UNWIND_LIMIT))
		u->depth = 0; /* a stack cut by a limit would not grow outward again */
}

static bool in_hook(uint64_t pc)
{
	for (unsigned i = 0; i < 2; i++)
		if (pc >= ht_unwind_settings.hook[i].low && pc < ht_unwind_settings.hook[i].high)
			return true;
	return false;
}

void ht_unwind_aside(struct ht_unwinder *u, const struct ht_unwind_state *from, void *ctx, unsigned level, uint64_t gate,
		     struct ht_capture *out)
{
	struct ht_stack *s = u->stack;
	struct walk w = {.s = *from, .b = ht_step_bounds(u, from->sp)};
	uint32_t n = 0;
	*out = (struct ht_capture){.aside = true, .level = (uint8_t)level};
	w.end = HT_UNWIND_LIMIT;
	while (n < HT_ASIDE_FRAMES) {
		struct ht_fresh f;
		if (!w.s.pc) {
			w.end = HT_UNWIND_COMPLETE;
			break;
		}
		if (in_hook(w.s.pc)) { /* ours: seen, not shown */
			out->in_hook |= w.s.sp < gate;
		} else {
			s->aside_pc[level][n] = w.s.pc;
			s->aside_sp[level][n++] = w.s.sp;
		}
		uint64_t sp = w.s.sp;
		w.fresh_extras = 0;
		w.uncacheable = false;
		bool more = step(u, &w, &f, ctx, &u->scratch[1 + level]);
		if (w.uncacheable && w.general) {
			w.end = HT_UNWIND_NO_ROW; /* full_aside is for captures that do not interrupt one */
			break;
		}
		if (!more)
			break;
		if (w.uncacheable) { /* a signal frame: perhaps onto another stack */
			w.b = ht_step_bounds(u, w.s.sp);
		} else if (w.s.sp <= sp) {
			break;
		}
	}
	out->depth = n;
	out->end = w.end;
}

HT_COLD bool ht_unwind_sees_hook(struct ht_unwinder *u, const struct ht_unwind_state *from, uint64_t gate)
{
	struct walk w = {.s = *from, .b = ht_step_bounds(u, from->sp)};
	for (unsigned n = 0; n < HT_ASIDE_FRAMES && w.s.pc; n++) {
		struct ht_fresh f;
		if ((in_hook(w.s.pc) && w.s.sp < gate) || !ht_row_cached(w.s.pc))
			return true;
		w.fresh_extras = 64; /* no room: an escape with words to remember only says so */
		w.uncacheable = false;
		if (!step(u, &w, &f, NULL, NULL))
			break;
		if (w.uncacheable)
			w.b = ht_step_bounds(u, w.s.sp);
	}
	return w.general;
}

HT_COLD void ht_unwind_learn(struct ht_unwinder *u, uint64_t pc, void *ctx)
{
	(void)ht_row_lookup(pc, &u->scratch[0], ctx);
}

HT_COLD int ht_unwind_check(struct ht_unwinder *u, const struct ht_unwind_state *from, const struct ht_capture *c)
{
	struct ht_stack *s = u->stack;
	uint64_t *pc = s->aside_pc[0], *sp = s->aside_sp[0];
	uint8_t end;
	bool signal;
	if (c->aside || c->depth > HT_ASIDE_FRAMES)
		return -1;
	uint32_t n = ht_walk_full(u, from, pc, sp, HT_ASIDE_FRAMES, &end, &signal);
	if (!n)
		return -1;
	if (n != c->depth || signal)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (pc[i] != s->pc[n - 1 - i] || sp[i] != s->sp[n - 1 - i])
			return 0;
	return 1;
}
