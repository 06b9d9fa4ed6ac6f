/*
 * stack_plain: the way of nearly all captures, in registers: on the thread's own stack, by plain rows that are cached, to
 * a frame of the cached stack that holds. Nothing is changed before the end.
 *
 * Walking is slow for its length, as each frame's row and return address are found by the one before. So where more than a leaf is
 * new, the walk is remembered by the state in which its second frame runs; the next time its words are compared, all at once.
 * That they hold is all that is needed: the frames are a function of that state, of rows and of those words. Remembered are
 * walks without rbp, of the largest part of code by far. Where they do not come again it is a waste: then it is not tried
 * for a while.
 *
 * Straight after a capture of the same stack: 130 instructions and 3.4 a frame from there; some 80 for a new leaf (callgrind).
 */
#include "stack.h"

typedef uint64_t ht_pair __attribute__((vector_size(16), may_alias));
typedef uint64_t ht_pair_anywhere __attribute__((vector_size(16), may_alias, aligned(8)));

HT_INLINE ht_pair words_at(const uint64_t *at, int64_t off)
{
	return (ht_pair){word_at(at[0] + (uint64_t)off), word_at(at[1] + (uint64_t)off)};
}

__attribute__((noinline)) bool ht_stack_differ(const uint64_t *at, int64_t off, const uint64_t *value, uint64_t n)
{
	ht_pair a = {0, 0}, b = {0, 0};
	uint64_t k = 0;
	for (; k + 8 <= n; k += 8) {
		a |= words_at(at + k, off) ^ *(const ht_pair *)(value + k);
		b |= words_at(at + k + 2, off) ^ *(const ht_pair *)(value + k + 2);
		a |= words_at(at + k + 4, off) ^ *(const ht_pair *)(value + k + 4);
		b |= words_at(at + k + 6, off) ^ *(const ht_pair *)(value + k + 6);
	}
	for (; k + 2 <= n; k += 2)
		a |= words_at(at + k, off) ^ *(const ht_pair *)(value + k);
	if (k < n && n > 1) /* the last one, with its neighbour once more */
		a |= words_at(at + n - 2, off) ^ *(const ht_pair_anywhere *)(value + n - 2);
	else if (k < n)
		a[0] = word_at(at[0] + (uint64_t)off) ^ value[0];
	a |= b;
	return (a[0] | a[1]) != 0;
}

#define TRIES 1024u /* after so many the share of hits decides */
#define ENOUGH 5u   /* eighths */
#define REST 32768u /* captures that could have tried */

HT_INLINE struct ht_walked *walked(const struct ht_unwinder *u, uint64_t pc, uint64_t sp)
{
	return &u->stack->walked[((pc ^ sp << 8) * 0x9e3779b97f4a7c15ull) >> 32 & (HT_WALKED - 1)];
}

HT_INLINE bool worth_a_try(struct ht_unwinder *u)
{
	if (u->walked_rest) {
		u->walked_rest--;
		return false;
	}
	if (HT_UNLIKELY(++u->walked_tries == TRIES)) {
		u->walked_rest = u->walked_hits < TRIES / 8 * ENOUGH ? REST : 0;
		u->walked_tries = u->walked_hits = 0;
	}
	return true;
}

/* Does w lead from (pc, sp) to a frame of the cached stack, outward of which nothing has changed? */
HT_INLINE bool leads_back(const struct ht_unwinder *u, const struct ht_walked *w, uint64_t pc, uint64_t sp, uint64_t *extras)
{
	const struct ht_stack *s = u->stack;
	uint64_t base = w->base, last = w->count - 1;
	if (w->pc != pc || w->sp != sp || base >= u->depth || s->sp[base] != w->at[last] || s->pc[base] != w->value[last] ||
	    s->need[base] & 1)
		return false;
	*extras = u->extras ? extras_of(u, base) : 0;
	return !ht_stack_differ(w->at, -8, w->value, w->count) && !ht_stack_differ(s->sp, -8, s->pc, base) &&
	       !(*extras && ht_stack_differ(s->extra_at, 0, s->extra_value, *extras));
}

/* Appends what w remembers, as far as it is not there already, and the leaf. */
HT_INLINE uint64_t go_back(struct ht_unwinder *u, const struct ht_walked *w, const struct ht_fresh *leaf, uint64_t extras)
{
	struct ht_stack *s = u->stack;
	uint64_t kept = w->base + 1, depth = u->depth, left = w->count - 1;
	while (left && kept < depth && s->sp[kept] == w->at[left - 1] && s->pc[kept] == w->value[left - 1]) {
		kept++;
		left--;
	}
	uint64_t i = kept;
	for (; left--; i++) {
		s->pc[i] = w->value[left];
		s->sp[i] = w->at[left];
		s->need[i] = 0;
	}
	s->pc[i] = w->pc;
	s->sp[i] = w->sp;
	s->need[i++] = 0;
	s->pc[i] = leaf->pc;
	s->sp[i] = leaf->sp;
	s->rbp[i] = leaf->rbp;
	s->need[i++] = HT_ROW_KIND(leaf->row);
	u->extras = (uint32_t)extras;
	u->depth = (uint32_t)i;
	return i << 32 | kept;
}

/* Frames fresh[1 .. count), and the one that they led to. */
HT_INLINE void remember(struct ht_unwinder *u, uint64_t count, uint64_t base)
{
	const struct ht_stack *s = u->stack;
	const struct ht_fresh *f = s->fresh;
	struct ht_walked *w = walked(u, f[1].pc, f[1].sp);
	w->pc = f[1].pc;
	w->sp = f[1].sp;
	w->base = (uint32_t)base;
	w->count = (uint32_t)(count - 1);
	for (uint64_t i = 2; i < count; i++) {
		w->value[i - 2] = f[i].pc;
		w->at[i - 2] = f[i].sp;
	}
	w->value[count - 2] = s->pc[base];
	w->at[count - 2] = s->sp[base];
}

uint64_t ht_unwind_capture_plain(struct ht_unwinder *u, const struct ht_unwind_state *from)
{
	struct ht_stack *s = u->stack;
	uint64_t pc = from->pc, sp = from->sp, rbp = from->rbp, hi = u->hi, top = (uint64_t)u->depth - 1;
	const uint64_t *rows = ht_rows.entries, mask = ht_rows.mask;
	struct ht_fresh *f = s->fresh;
	bool tried = false;
	if (HT_UNLIKELY(sp - u->lo >= hi - u->lo || !u->known || u->depth < 2 ||
			u->generation != HT_LOAD_ACQUIRE(&ht_unwind_generation)))
		return 0;
	for (;;) {
		while (s->sp[top] < sp)
			if (HT_UNLIKELY(--top == 0))
				return 0;
		if (s->sp[top] == sp && s->pc[top] == pc && (!(s->need[top] & 1) || s->rbp[top] == rbp))
			break;
		if (f == s->fresh + 1 && worth_a_try(u)) {
			uint64_t extras;
			const struct ht_walked *w = walked(u, pc, sp);
			tried = true;
			if (HT_LIKELY(leads_back(u, w, pc, sp, &extras))) {
				u->walked_hits++;
				return go_back(u, w, s->fresh, extras);
			}
		}
		uint64_t i = (pc * 0x9e3779b97f4a7c15ull) >> 40 & mask, e = HT_LOAD_RELAXED(&rows[i]);
		if (HT_UNLIKELY(e >> 16 != pc)) {
			e = HT_LOAD_RELAXED(&rows[i ^ 1]);
			if (HT_UNLIKELY(e >> 16 != pc))
				return 0;
		}
		uint32_t row = (uint16_t)e;
		uint64_t cfa = (HT_ROW_KIND(row) == HT_ROW_RBP ? rbp : sp) + HT_ROW_OFFSET(row);
		if (HT_UNLIKELY(HT_ROW_KIND(row) >= HT_ROW_ESCAPE || cfa <= sp || cfa > hi || (cfa & 7) ||
				f == s->fresh + HT_STACK_FRESH))
			return 0;
		f->pc = pc;
		f->sp = sp;
		f->rbp = rbp;
		f->row = (uint16_t)row;
		f++;
		if (HT_ROW_SLOT(row))
			rbp = word_at(cfa - 8 * (HT_ROW_SLOT(row) + 1));
		pc = word_at(cfa - 8);
		sp = cfa;
	}
	uint64_t extras = u->extras ? extras_of(u, top) : 0;
	/* 64 bits wide: spilled as 32 and loaded as 64, depth waited for the ring's stores before it, 10 to 25 ns */
	uint64_t count = (uint64_t)(f - s->fresh), kept = top + 1, depth = kept + count;
	if (HT_UNLIKELY(ht_stack_differ(s->sp, -8, s->pc, top) || (extras && ht_stack_differ(s->extra_at, 0, s->extra_value, extras)) ||
			depth > HT_STACK_FRAMES || extras + count >= HT_STACK_EXTRAS))
		return 0;
	u->extras = (uint32_t)extras;
	u->depth = (uint32_t)depth;
	uint8_t need = s->need[top] & 1;
	bool by_rbp = need;
	for (uint64_t i = kept; f != s->fresh; i++) {
		f--;
		unsigned slot = HT_ROW_SLOT(f->row);
		if (slot && need) /* see append */
			push_extra(u, s->sp[i - 1] - 8 * (slot + 1), s->rbp[i - 1], (uint32_t)i);
		need = (uint8_t)(HT_ROW_KIND(f->row) | (slot ? 0 : need)); /* HT_ROW_RBP is 1 */
		by_rbp |= need && f != s->fresh;
		s->pc[i] = f->pc;
		s->sp[i] = f->sp;
		s->rbp[i] = f->rbp;
		s->need[i] = need;
	}
	if (tried && !by_rbp && count - 2 < HT_WALKED_FRAMES)
		remember(u, count, top);
	return depth << 32 | kept;
}
