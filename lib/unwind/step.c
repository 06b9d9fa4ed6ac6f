/*
 * step: the rare rows, probing, and the full unwind that keeps every register. All of it cold.
 */
#include "step.h"

#include <sys/syscall.h>

HT_COLD bool ht_step_probe(struct ht_unwinder *u, uint64_t at)
{
	uint64_t page = at >> 12;
	if (!page || at >> 47)
		return false;
	uint64_t *memo = &u->probed[page % HT_PROBED];
	if (*memo == page)
		return true;
	/* The kernel copies the set in before it rejects `how`: EFAULT or EINVAL says whether it could. */
	if (HT_SYSCALL4(SYS_rt_sigprocmask, -1, page << 12, 0, 8) != -22)
		return false;
	*memo = page;
	return true;
}

static uint64_t word(uint64_t at)
{
	return *(const uint64_t *)at;
}

unsigned ht_step_escape(struct ht_unwinder *u, const struct ht_bounds *b, uint16_t row, struct ht_unwind_state *s,
			struct ht_step_extra *extra)
{
	const struct ht_escape *e = ht_row_escape(row);
	extra->count = 0;
	if (e->general)
		return HT_STEP_GENERAL;
	uint64_t cfa = (e->cfa_base == HT_REG_RBP ? s->rbp : s->sp) + (uint64_t)(int64_t)e->cfa_off;
	if (e->cfa_deref) {
		if (!ht_step_readable(u, b, cfa))
			return HT_STEP_END + HT_UNWIND_UNREADABLE;
		extra->at[extra->count] = cfa;
		cfa = extra->value[extra->count++] = word(cfa);
	}
	const uint64_t bases[2] = {s->sp, s->rbp};
	uint64_t ra_at = (e->ra_base == 255 ? cfa : bases[e->ra_base == HT_REG_RBP]) + (uint64_t)(int64_t)e->ra_off;
	/* A signal frame may lead back to another stack; an ordinary one must lead outward. */
	if (!e->signal && (cfa <= s->sp || cfa > b->hi || (cfa & 7)))
		return HT_STEP_END + HT_UNWIND_BAD_CFA;
	if (!ht_step_readable(u, b, ra_at))
		return HT_STEP_END + HT_UNWIND_UNREADABLE;
	uint64_t pc = word(ra_at), rbp = s->rbp;
	if (ra_at != cfa - 8) {
		extra->at[extra->count] = ra_at;
		extra->value[extra->count++] = pc;
	}
	if (e->rbp_base) {
		uint64_t at = (e->rbp_base == 255 ? cfa : bases[e->rbp_base == HT_REG_RBP]) +
			      (uint64_t)(int64_t)e->rbp_off;
		if (!ht_step_readable(u, b, at))
			return HT_STEP_END + HT_UNWIND_UNREADABLE;
		rbp = word(at);
		extra->at[extra->count] = at;
		extra->value[extra->count++] = rbp;
	}
	*s = (struct ht_unwind_state){pc, cfa, rbp};
	if (!e->signal)
		return HT_STEP_OK;
	if (s->pc)
		s->pc++; /* interrupted, not called: see struct ht_unwind_state */
	return HT_STEP_SIGNAL;
}

/* ---- the full unwind ---- */

struct reader {
	struct ht_unwinder *u;
	struct ht_bounds b;
};

static bool read_word(void *ctx, uintptr_t at, uint64_t *value)
{
	struct reader *r = ctx;
	if (!ht_step_readable(r->u, &r->b, at))
		return false;
	*value = word(at);
	return true;
}

static bool apply(const struct ht_cfi_row *row, const struct ht_rule *rule, uint64_t cfa, const uint64_t *regs,
		  struct reader *r, uint64_t *value)
{
	switch (rule->kind) {
	case HT_RULE_OFFSET:
		return read_word(r, cfa + (uint64_t)(int64_t)rule->value, value);
	case HT_RULE_VALUE:
		*value = cfa + (uint64_t)(int64_t)rule->value;
		return true;
	case HT_RULE_REGISTER:
		if ((unsigned)rule->value >= HT_REG_COUNT)
			return false;
		*value = regs[rule->value];
		return true;
	case HT_RULE_AT_EXPR:
		return ht_cfi_eval(row->base + rule->value, regs, cfa, true, read_word, r, value) &&
		       read_word(r, *value, value);
	case HT_RULE_EXPR:
		return ht_cfi_eval(row->base + rule->value, regs, cfa, true, read_word, r, value);
	default:
		return true;
	}
}

/* One frame by cfi alone. Returns HT_STEP_*. key: the pc to look up. */
static unsigned full_step(struct ht_unwinder *u, struct ht_cfi_scratch *scratch, uint64_t regs[HT_REG_COUNT],
			  struct reader *r)
{
	struct ht_cfi_module m;
	uint64_t pc = regs[HT_REG_RA], next[HT_REG_COUNT], cfa;
	(void)u;
	if (!pc || pc >> 47 || !ht_cfi_module_of(pc - 1, &m) ||
	    !ht_cfi_row_of_return(pc, &m, scratch)) {
		/* the same fallback as rows have: a frame pointer, on the own stack alone */
		uint64_t rbp = regs[HT_REG_RBP];
		if (!r->b.own || rbp < regs[HT_REG_RSP] || rbp + 16 > r->b.hi || (rbp & 7) || !word(rbp + 8))
			return HT_STEP_END + HT_UNWIND_NO_ROW;
		regs[HT_REG_RA] = word(rbp + 8);
		regs[HT_REG_RBP] = word(rbp);
		regs[HT_REG_RSP] = rbp + 16;
		return HT_STEP_OK;
	}
	const struct ht_cfi_row *row = &scratch->row;
	if (row->rules[HT_REG_RA].kind == HT_RULE_UNDEFINED)
		return HT_STEP_END + HT_UNWIND_COMPLETE;
	if (row->cfa_kind == HT_RULE_EXPR) {
		if (!ht_cfi_eval(row->base + row->cfa_value, regs, 0, false, read_word, r, &cfa))
			return HT_STEP_END + HT_UNWIND_UNREADABLE;
	} else if (row->cfa_register < HT_REG_COUNT) {
		cfa = regs[row->cfa_register] + (uint64_t)(int64_t)row->cfa_value;
	} else {
		return HT_STEP_END + HT_UNWIND_NO_ROW;
	}
	if (!row->signal && (cfa <= regs[HT_REG_RSP] || cfa > r->b.hi || (cfa & 7)))
		return HT_STEP_END + HT_UNWIND_BAD_CFA;
	for (unsigned i = 0; i < HT_REG_COUNT; i++)
		next[i] = regs[i];
	next[HT_REG_RSP] = cfa;
	for (unsigned i = 0; i < HT_REG_COUNT; i++) {
		if ((i != HT_REG_RSP || row->rules[i].kind != HT_RULE_SAME) &&
		    !apply(row, &row->rules[i], cfa, regs, r, &next[i]))
			return HT_STEP_END + HT_UNWIND_UNREADABLE;
	}
	for (unsigned i = 0; i < HT_REG_COUNT; i++)
		regs[i] = next[i];
	if (!row->signal)
		return HT_STEP_OK;
	if (regs[HT_REG_RA])
		regs[HT_REG_RA]++;
	return HT_STEP_SIGNAL;
}

HT_COLD uint32_t ht_walk_full(struct ht_unwinder *u, const struct ht_unwind_state *from, uint64_t *pc, uint64_t *sp,
			      uint32_t max, uint8_t *end, bool *signal)
{
	uint64_t regs[HT_REG_COUNT] = {0};
	__asm__ volatile("leaq 0(%%rip), %%rax\n\t"
			 "movq %%rax, 128(%0)\n\t"
			 "movq %%rbx, 24(%0)\n\t"
			 "movq %%rbp, 48(%0)\n\t"
			 "movq %%rsp, 56(%0)\n\t"
			 "movq %%r12, 96(%0)\n\t"
			 "movq %%r13, 104(%0)\n\t"
			 "movq %%r14, 112(%0)\n\t"
			 "movq %%r15, 120(%0)\n\t"
			 :
			 : "r"(regs)
			 : "rax", "memory");
	regs[HT_REG_RA]++; /* not a return address: look up the instruction itself */
	struct reader r = {u, ht_step_bounds(u, regs[HT_REG_RSP])};
	bool met = false;
	uint32_t n = 0;
	*signal = false;
	*end = HT_UNWIND_LIMIT;
	for (uint32_t steps = 0; steps < max + 32 && n < max; steps++) {
		if (!met && regs[HT_REG_RSP] >= from->sp) {
			if (regs[HT_REG_RSP] != from->sp || regs[HT_REG_RA] != from->pc)
				return 0;
			met = true;
		}
		if (!regs[HT_REG_RA]) {
			*end = HT_UNWIND_COMPLETE;
			break;
		}
		if (met) {
			pc[n] = regs[HT_REG_RA];
			sp[n++] = regs[HT_REG_RSP];
		}
		unsigned res = full_step(u, &u->scratch[1], regs, &r);
		if (res >= HT_STEP_END) {
			*end = (uint8_t)(res - HT_STEP_END);
			break;
		}
		if (res == HT_STEP_SIGNAL) {
			*signal |= met;
			r.b = ht_step_bounds(u, regs[HT_REG_RSP]);
		}
	}
	return met ? n : 0;
}
