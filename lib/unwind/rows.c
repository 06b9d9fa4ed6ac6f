/*
 * rows: from call frame information to a row, once per pc. See rows.h.
 */
#include "rows.h"

struct ht_row_table ht_rows;
struct ht_unwind_config ht_unwind_settings;
uint32_t ht_unwind_generation;

/* Escapes are few (10 in real runs, under 100 in a library sampled whole) and never removed. A place is
 * claimed by `escape_next`, and readable once its row stands in the cache. */
#define ESCAPES 1024
static struct ht_escape escapes[ESCAPES];
static uint32_t escape_next;

const struct ht_escape *ht_row_escape(uint16_t row)
{
	return &escapes[(row & 0x3fff) % ESCAPES];
}

void ht_unwind_init(const struct ht_unwind_config *c)
{
	ht_unwind_settings = *c;
	ht_rows = (struct ht_row_table){c->rows, (1ull << c->row_bits) - 1};
}

void ht_unwind_second_object(uintptr_t low, uintptr_t high)
{
	ht_unwind_settings.hook[1].low = low;
	ht_unwind_settings.hook[1].high = high;
}

void ht_unwind_flush(void)
{
	__atomic_fetch_add(&ht_unwind_generation, 1, __ATOMIC_SEQ_CST);
	for (uint64_t i = 0; i <= ht_rows.mask; i++)
		HT_STORE_RELAXED(&ht_rows.entries[i], 0);
}

static uint16_t add_escape(const struct ht_escape *e)
{
	uint32_t n = HT_LOAD_ACQUIRE(&escape_next);
	for (uint32_t i = 0; i < n && i < ESCAPES; i++) {
		const struct ht_escape *o = &escapes[i];
		if (o->cfa_base == e->cfa_base && o->cfa_deref == e->cfa_deref && o->rbp_base == e->rbp_base &&
		    o->ra_base == e->ra_base && o->signal == e->signal && o->general == e->general &&
		    o->cfa_off == e->cfa_off && o->rbp_off == e->rbp_off && o->ra_off == e->ra_off)
			return HT_ROW(HT_ROW_ESCAPE, 0, 0) | (uint16_t)i;
	}
	if (n >= ESCAPES)
		return HT_ROW_NONE; /* said by the stack's end reason */
	uint32_t at = __atomic_fetch_add(&escape_next, 1, __ATOMIC_ACQ_REL);
	if (at >= ESCAPES)
		return HT_ROW_NONE;
	escapes[at] = *e;
	return HT_ROW(HT_ROW_ESCAPE, 0, 0) | (uint16_t)at;
}

/* Recognises the two expressions that compilers and libc write: "breg r, off" and with a deref behind it. */
static bool simple_expr(const uint8_t *expr, uint8_t *reg, int32_t *off, bool *deref)
{
	uint8_t len = *expr++;
	if (len < 2 || len > 6 || (expr[0] != 0x76 && expr[0] != 0x77))
		return false;
	*reg = expr[0] == 0x76 ? HT_REG_RBP : HT_REG_RSP;
	uint64_t v = 0;
	unsigned shift = 0, i = 1;
	for (; i < len; i++) {
		v |= (uint64_t)(expr[i] & 0x7f) << shift;
		shift += 7;
		if (!(expr[i] & 0x80)) {
			if (expr[i] & 0x40)
				v |= ~0ull << shift;
			break;
		}
	}
	i++;
	*off = (int32_t)(int64_t)v;
	*deref = i + 1 == len && expr[i] == 0x06;
	return i == len || *deref;
}

static bool as_escape(const struct ht_cfi_row *r, struct ht_escape *e)
{
	*e = (struct ht_escape){.ra_base = 255, .ra_off = -8, .signal = r->signal};
	if (r->cfa_kind == HT_RULE_EXPR) {
		if (!simple_expr(r->base + r->cfa_value, &e->cfa_base, &e->cfa_off, &e->cfa_deref))
			return false;
	} else {
		e->cfa_base = r->cfa_register;
		e->cfa_off = r->cfa_value;
		if (e->cfa_base != HT_REG_RSP && e->cfa_base != HT_REG_RBP)
			return false;
	}
	const struct ht_rule *ra = &r->rules[HT_REG_RA], *rbp = &r->rules[HT_REG_RBP];
	bool deref;
	if (ra->kind == HT_RULE_OFFSET) {
		e->ra_off = ra->value;
	} else if (ra->kind != HT_RULE_AT_EXPR ||
		   !simple_expr(r->base + ra->value, &e->ra_base, &e->ra_off, &deref) || deref) {
		return false;
	}
	if (rbp->kind == HT_RULE_OFFSET) {
		e->rbp_base = 255;
		e->rbp_off = rbp->value;
	} else if (rbp->kind == HT_RULE_AT_EXPR) {
		if (!simple_expr(r->base + rbp->value, &e->rbp_base, &e->rbp_off, &deref) || deref)
			return false;
	} else if (rbp->kind != HT_RULE_SAME) {
		return false;
	}
	return true;
}

static uint16_t encode(const struct ht_cfi_row *r)
{
	const struct ht_rule *ra = &r->rules[HT_REG_RA], *rbp = &r->rules[HT_REG_RBP];
	if (ra->kind == HT_RULE_UNDEFINED)
		return HT_ROW_COMPLETE;
	bool plain = !r->signal && r->cfa_kind == HT_RULE_OFFSET &&
		     (r->cfa_register == HT_REG_RSP || r->cfa_register == HT_REG_RBP) && ra->kind == HT_RULE_OFFSET &&
		     ra->value == -8 && r->cfa_value >= 0 && r->cfa_value < 8192 && r->cfa_value % 8 == 0;
	unsigned kind = r->cfa_register == HT_REG_RSP ? HT_ROW_RSP : HT_ROW_RBP;
	if (plain && rbp->kind == HT_RULE_SAME)
		return HT_ROW(kind, (unsigned)r->cfa_value / 8, 0);
	if (plain && rbp->kind == HT_RULE_OFFSET && rbp->value % 8 == 0 && rbp->value <= -16 && rbp->value >= -128)
		return HT_ROW(kind, (unsigned)r->cfa_value / 8, (unsigned)(-rbp->value / 8 - 1));
	struct ht_escape e;
	if (!as_escape(r, &e))
		e = (struct ht_escape){.general = true, .signal = r->signal};
	return add_escape(&e);
}

HT_COLD uint16_t ht_row_miss(uint64_t pc, struct ht_cfi_scratch *scratch, void *ctx)
{
	struct ht_cfi_module m;
	if (pc >> 47 || !pc)
		return HT_ROW_NONE;
	if (!ht_cfi_module_of(pc - 1, &m))
		return HT_ROW_NONE; /* not cached: code may be loaded there later */
	uint16_t row = HT_ROW_NONE;
	if (ht_cfi_row_of_return(pc, &m, scratch))
		row = encode(&scratch->row);
	if (!ht_unwind_settings.on_module(ctx, &m))
		return row;
	uint64_t i = (pc * 0x9e3779b97f4a7c15ull) >> 40 & ht_rows.mask;
	uint64_t old = HT_LOAD_RELAXED(&ht_rows.entries[i]);
	if (old)
		HT_STORE_RELAXED(&ht_rows.entries[i ^ 1], old);
	HT_STORE_RELAXED(&ht_rows.entries[i], pc << 16 | row);
	return row;
}
