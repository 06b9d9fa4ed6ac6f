/*
 * cfi: see cfi.h. Sources of the format: the LSB's description of .eh_frame and .eh_frame_hdr, DWARF 4
 * section 6.4, the x86-64 psABI's register numbers.
 */
#include "cfi.h"

#include <elf.h>
#include <link.h>

/* ---- the loader ---- */

/* What _dl_find_object fills in; as in dlfcn.h of glibc 2.35, repeated for older headers. */
struct found_object {
	unsigned long long flags;
	void *map_start, *map_end;
	struct link_map *link_map;
	void *eh_frame_hdr;
	unsigned long long reserved[7];
};
static int (*dl_find_object)(void *, struct found_object *);

#define SNAPSHOT_MAX 256
static struct ht_cfi_module snapshot[SNAPSHOT_MAX];
static uint32_t snapshot_count;

void ht_cfi_init(void *find_object)
{
	dl_find_object = (int (*)(void *, struct found_object *))find_object;
}

static int remember_module(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size, (void)ctx;
	if (snapshot_count == SNAPSHOT_MAX)
		return 1;
	struct ht_cfi_module m = {.start = UINTPTR_MAX, .name = info->dlpi_name, .bias = info->dlpi_addr};
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_GNU_EH_FRAME)
			m.eh_frame_hdr = (const uint8_t *)at;
		if (p->p_type != PT_LOAD)
			continue;
		if (at < m.start)
			m.start = at;
		if (at + p->p_memsz > m.end)
			m.end = at + p->p_memsz;
	}
	if (m.end)
		snapshot[snapshot_count++] = m;
	return 0;
}

void ht_cfi_snapshot(void)
{
	snapshot_count = 0;
	dl_iterate_phdr(remember_module, NULL);
}

bool ht_cfi_module_of(uintptr_t pc, struct ht_cfi_module *m)
{
	if (dl_find_object) {
		struct found_object o;
		if (dl_find_object((void *)pc, &o) != 0)
			return false;
		m->start = (uintptr_t)o.map_start;
		m->end = (uintptr_t)o.map_end;
		m->eh_frame_hdr = o.eh_frame_hdr;
		m->name = o.link_map ? o.link_map->l_name : "";
		m->bias = o.link_map ? o.link_map->l_addr : 0;
		return true;
	}
	for (uint32_t i = 0; i < snapshot_count; i++) {
		if (pc >= snapshot[i].start && pc < snapshot[i].end) {
			*m = snapshot[i];
			return true;
		}
	}
	return false;
}

/* ---- reading ---- */

struct bytes {
	const uint8_t *at, *end;
	bool bad;
};

static uint64_t get(struct bytes *b, unsigned n)
{
	uint64_t v = 0;
	if ((size_t)(b->end - b->at) < n) {
		b->bad = true;
		b->at = b->end;
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)b->at[i] << (8 * i);
	b->at += n;
	return v;
}

static uint64_t get_uleb(struct bytes *b)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = (uint8_t)get(b, 1);
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	b->bad = true;
	return 0;
}

static int64_t get_sleb(struct bytes *b)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = (uint8_t)get(b, 1);
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			if ((byte & 0x40) && shift + 7 < 64)
				v |= ~0ull << (shift + 7);
			return (int64_t)v;
		}
	}
	b->bad = true;
	return 0;
}

/* DW_EH_PE_*: format in the low four bits, what it is relative to in the next three, 0x80 indirect. */
static uintptr_t get_encoded(struct bytes *b, uint8_t enc, uintptr_t datarel)
{
	uintptr_t here = (uintptr_t)b->at;
	uint64_t v;
	if (enc == 0xff)
		return 0;
	switch (enc & 0x0f) {
	case 0x00:
	case 0x04:
	case 0x0c:
		v = get(b, 8);
		break;
	case 0x01:
		v = get_uleb(b);
		break;
	case 0x02:
		v = get(b, 2);
		break;
	case 0x03:
		v = get(b, 4);
		break;
	case 0x09:
		v = (uint64_t)get_sleb(b);
		break;
	case 0x0a:
		v = (uint64_t)(int64_t)(int16_t)get(b, 2);
		break;
	case 0x0b:
		v = (uint64_t)(int64_t)(int32_t)get(b, 4);
		break;
	default:
		b->bad = true;
		return 0;
	}
	if ((enc & 0x70) == 0x10)
		v += here;
	else if ((enc & 0x70) == 0x30)
		v += datarel;
	else if ((enc & 0x70) != 0)
		b->bad = true;
	return v; /* 0x80, indirect, is only used for personalities, which are skipped */
}

/* ---- finding the entry ---- */

struct cie {
	struct bytes program;
	uint64_t code_align;
	int64_t data_align;
	uint8_t pc_enc;
	bool augmented, signal;
};

static bool parse_cie(const uint8_t *at, struct cie *c)
{
	struct bytes b = {at, at + 4, false};
	uint32_t length = (uint32_t)get(&b, 4);
	if (length < 9 || length >= 0xfffffff0u)
		return false;
	b.end = b.at + length;
	if (get(&b, 4) != 0)
		return false;
	uint8_t version = (uint8_t)get(&b, 1);
	if (version != 1 && version != 3)
		return false;
	const char *aug = (const char *)b.at;
	while (b.at < b.end && *b.at)
		b.at++;
	(void)get(&b, 1);
	*c = (struct cie){0};
	c->code_align = get_uleb(&b);
	c->data_align = get_sleb(&b);
	uint64_t ra = version == 1 ? get(&b, 1) : get_uleb(&b);
	if (b.bad || ra != HT_REG_RA)
		return false;
	if (*aug == 'z') {
		uint64_t n = get_uleb(&b);
		if (b.bad || n > (size_t)(b.end - b.at))
			return false;
		const uint8_t *after = b.at + n;
		c->augmented = true;
		for (aug++; *aug; aug++) {
			if (*aug == 'R')
				c->pc_enc = (uint8_t)get(&b, 1);
			else if (*aug == 'L')
				(void)get(&b, 1);
			else if (*aug == 'P')
				(void)get_encoded(&b, (uint8_t)get(&b, 1) & 0x7f, 0);
			else if (*aug == 'S')
				c->signal = true;
			else if (*aug != 'B')
				break; /* unknown: the length tells where the program begins */
		}
		b.at = after;
	} else if (*aug) {
		return false;
	}
	c->program = b;
	return !b.bad;
}

/* The FDE's range, and where its own program begins. */
static bool parse_fde(const uint8_t *at, struct cie *c, struct ht_cfi_entry *e, struct bytes *program)
{
	struct bytes b = {at, at + 4, false};
	uint32_t length = (uint32_t)get(&b, 4);
	if (length < 8 || length >= 0xfffffff0u)
		return false;
	b.end = b.at + length;
	const uint8_t *id_at = b.at;
	uint32_t id = (uint32_t)get(&b, 4);
	if (!id || !parse_cie(id_at - id, c))
		return false;
	e->entry = at;
	e->low = get_encoded(&b, c->pc_enc, 0);
	e->high = e->low + get_encoded(&b, c->pc_enc & 0x0f, 0);
	if (c->augmented) {
		uint64_t n = get_uleb(&b);
		if (b.bad || n > (size_t)(b.end - b.at))
			return false;
		b.at += n;
	}
	*program = b;
	return !b.bad;
}

bool ht_cfi_find(uintptr_t pc, const struct ht_cfi_module *m, struct ht_cfi_entry *e)
{
	const uint8_t *hdr = m->eh_frame_hdr;
	if (!hdr || hdr[0] != 1)
		return false;
	struct bytes b = {hdr + 4, hdr + 4 + 24, false};
	(void)get_encoded(&b, hdr[1], (uintptr_t)hdr);
	uint64_t count = get_encoded(&b, hdr[2], (uintptr_t)hdr);
	if (b.bad || !count || count > (1u << 26) || hdr[3] != 0x3b) /* datarel | sdata4: what every linker writes */
		return false;
	const int32_t(*table)[2] = (const int32_t(*)[2])(const void *)b.at;
	intptr_t want = (intptr_t)(pc - (uintptr_t)hdr);
	uint64_t lo = 0, hi = count;
	while (hi - lo > 1) {
		uint64_t mid = (lo + hi) / 2;
		if (table[mid][0] <= want)
			lo = mid;
		else
			hi = mid;
	}
	if (table[lo][0] > want)
		return false;
	struct cie c;
	struct bytes program;
	return parse_fde(hdr + table[lo][1], &c, e, &program) && pc >= e->low && pc < e->high;
}

/* ---- running the program ---- */

struct machine {
	struct ht_cfi_scratch *s;
	const struct cie *cie;
	uintptr_t loc, pc;
	unsigned depth;
};

static void set_rule(struct ht_cfi_row *r, uint64_t reg, enum ht_rule_kind kind, int64_t value)
{
	if (reg < HT_REG_COUNT)
		r->rules[reg] = (struct ht_rule){(uint8_t)kind, (int32_t)value};
}

static int64_t skip_expr(struct bytes *b, const uint8_t *base)
{
	int64_t at = b->at - base;
	uint64_t n = get_uleb(b);
	if (n > (size_t)(b->end - b->at))
		b->bad = true;
	else
		b->at += n;
	return at;
}

/* Executes until the location passes pc. False: malformed. */
static bool run(struct machine *m, struct bytes *b)
{
	struct ht_cfi_row *r = &m->s->row;
	int64_t da = m->cie->data_align;
	while (b->at < b->end && m->loc <= m->pc) {
		uint8_t op = (uint8_t)get(b, 1), low = op & 0x3f;
		uint64_t reg, adv = 0;
		switch (op & 0xc0 ? op & 0xc0 : op) {
		case 0x40: /* advance_loc */
			adv = low;
			break;
		case 0x80: /* offset */
			set_rule(r, low, HT_RULE_OFFSET, (int64_t)get_uleb(b) * da);
			break;
		case 0xc0: /* restore */
			if (low < HT_REG_COUNT)
				r->rules[low] = m->s->initial.rules[low];
			break;
		case 0x00: /* nop */
			break;
		case 0x01: /* set_loc */
			m->loc = get_encoded(b, m->cie->pc_enc, 0);
			break;
		case 0x02:
			adv = get(b, 1);
			break;
		case 0x03:
			adv = get(b, 2);
			break;
		case 0x04:
			adv = get(b, 4);
			break;
		case 0x05: /* offset_extended */
			reg = get_uleb(b);
			set_rule(r, reg, HT_RULE_OFFSET, (int64_t)get_uleb(b) * da);
			break;
		case 0x06: /* restore_extended */
			reg = get_uleb(b);
			if (reg < HT_REG_COUNT)
				r->rules[reg] = m->s->initial.rules[reg];
			break;
		case 0x07: /* undefined */
			set_rule(r, get_uleb(b), HT_RULE_UNDEFINED, 0);
			break;
		case 0x08: /* same_value */
			set_rule(r, get_uleb(b), HT_RULE_SAME, 0);
			break;
		case 0x09: /* register */
			reg = get_uleb(b);
			set_rule(r, reg, HT_RULE_REGISTER, (int64_t)get_uleb(b));
			break;
		case 0x0a: /* remember_state */
			if (m->depth == HT_CFI_REMEMBER)
				return false;
			m->s->remembered[m->depth++] = *r;
			break;
		case 0x0b: /* restore_state */
			if (!m->depth)
				return false;
			*r = m->s->remembered[--m->depth];
			break;
		case 0x0c: /* def_cfa */
			r->cfa_kind = HT_RULE_OFFSET;
			r->cfa_register = (uint8_t)get_uleb(b);
			r->cfa_value = (int32_t)get_uleb(b);
			break;
		case 0x0d: /* def_cfa_register */
			r->cfa_kind = HT_RULE_OFFSET;
			r->cfa_register = (uint8_t)get_uleb(b);
			break;
		case 0x0e: /* def_cfa_offset */
			r->cfa_value = (int32_t)get_uleb(b);
			break;
		case 0x0f: /* def_cfa_expression */
			r->cfa_kind = HT_RULE_EXPR;
			r->cfa_value = (int32_t)skip_expr(b, r->base);
			break;
		case 0x10: /* expression */
			reg = get_uleb(b);
			set_rule(r, reg, HT_RULE_AT_EXPR, skip_expr(b, r->base));
			break;
		case 0x11: /* offset_extended_sf */
			reg = get_uleb(b);
			set_rule(r, reg, HT_RULE_OFFSET, get_sleb(b) * da);
			break;
		case 0x12: /* def_cfa_sf */
			r->cfa_kind = HT_RULE_OFFSET;
			r->cfa_register = (uint8_t)get_uleb(b);
			r->cfa_value = (int32_t)(get_sleb(b) * da);
			break;
		case 0x13: /* def_cfa_offset_sf */
			r->cfa_value = (int32_t)(get_sleb(b) * da);
			break;
		case 0x14: /* val_offset */
			reg = get_uleb(b);
			set_rule(r, reg, HT_RULE_VALUE, (int64_t)get_uleb(b) * da);
			break;
		case 0x15: /* val_offset_sf */
			reg = get_uleb(b);
			set_rule(r, reg, HT_RULE_VALUE, get_sleb(b) * da);
			break;
		case 0x16: /* val_expression */
			reg = get_uleb(b);
			set_rule(r, reg, HT_RULE_EXPR, skip_expr(b, r->base));
			break;
		case 0x2e: /* GNU_args_size */
			(void)get_uleb(b);
			break;
		case 0x2f: /* GNU_negative_offset_extended */
			reg = get_uleb(b);
			set_rule(r, reg, HT_RULE_OFFSET, -(int64_t)get_uleb(b) * da);
			break;
		default:
			return false;
		}
		m->loc += adv * m->cie->code_align;
	}
	return !b->bad;
}

bool ht_cfi_run(const struct ht_cfi_entry *e, uintptr_t pc, struct ht_cfi_scratch *s)
{
	struct cie c;
	struct ht_cfi_entry again;
	struct bytes program;
	if (!parse_fde(e->entry, &c, &again, &program))
		return false;
	s->row = (struct ht_cfi_row){.signal = c.signal, .base = c.program.at};
	struct machine m = {.s = s, .cie = &c, .loc = 0, .pc = pc};
	struct bytes init = c.program;
	/* The CIE's instructions set the initial rules; they have no locations. */
	if (!run(&m, &init))
		return false;
	/* Expressions of the CIE and of the FDE count from one base: sections are below 2 GiB. */
	s->initial = s->row;
	m.loc = again.low;
	m.depth = 0;
	return run(&m, &program);
}

bool ht_cfi_row_of_return(uintptr_t pc, const struct ht_cfi_module *m, struct ht_cfi_scratch *s)
{
	struct ht_cfi_entry e;
	if (ht_cfi_find(pc - 1, m, &e))
		return ht_cfi_run(&e, pc - 1, s);
	if (!ht_cfi_find(pc, m, &e) || e.low != pc)
		return false;
	s->row = (struct ht_cfi_row){.base = e.entry};
	s->row.rules[HT_REG_RA].kind = HT_RULE_UNDEFINED;
	return true;
}

/* ---- expressions ---- */

bool ht_cfi_eval(const uint8_t *expr, const uint64_t *regs, uint64_t initial, bool push_initial, ht_cfi_read *rd,
		 void *ctx, uint64_t *result)
{
	struct bytes b = {expr, expr + 10, false};
	uint64_t n = get_uleb(&b), stack[8], v;
	unsigned top = 0;
	b.end = b.at + n;
	if (push_initial)
		stack[top++] = initial;
#define NEED(k)                \
	do {                   \
		if (top < (k)) \
			return false; \
	} while (0)
	for (unsigned steps = 0; b.at < b.end && steps < 64; steps++) {
		uint8_t op = (uint8_t)get(&b, 1);
		if (top >= 7)
			return false;
		if (op >= 0x70 && op <= 0x70 + HT_REG_RA) { /* breg */
			stack[top++] = regs[op - 0x70] + (uint64_t)get_sleb(&b);
			continue;
		}
		if (op >= 0x30 && op <= 0x4f) { /* lit */
			stack[top++] = op - 0x30;
			continue;
		}
		switch (op) {
		case 0x06: /* deref */
			NEED(1);
			if (!rd(ctx, stack[top - 1], &stack[top - 1]))
				return false;
			break;
		case 0x08:
			stack[top++] = get(&b, 1);
			break;
		case 0x09:
			stack[top++] = (uint64_t)(int64_t)(int8_t)get(&b, 1);
			break;
		case 0x0a:
			stack[top++] = get(&b, 2);
			break;
		case 0x0b:
			stack[top++] = (uint64_t)(int64_t)(int16_t)get(&b, 2);
			break;
		case 0x0c:
			stack[top++] = get(&b, 4);
			break;
		case 0x0d:
			stack[top++] = (uint64_t)(int64_t)(int32_t)get(&b, 4);
			break;
		case 0x0e:
		case 0x0f:
			stack[top++] = get(&b, 8);
			break;
		case 0x10:
			stack[top++] = get_uleb(&b);
			break;
		case 0x11:
			stack[top++] = (uint64_t)get_sleb(&b);
			break;
		case 0x12: /* dup */
			NEED(1);
			stack[top] = stack[top - 1];
			top++;
			break;
		case 0x1a: /* and */
			NEED(2);
			top--;
			stack[top - 1] &= stack[top];
			break;
		case 0x1c: /* minus */
			NEED(2);
			top--;
			stack[top - 1] -= stack[top];
			break;
		case 0x1e: /* mul */
			NEED(2);
			top--;
			stack[top - 1] *= stack[top];
			break;
		case 0x22: /* plus */
			NEED(2);
			top--;
			stack[top - 1] += stack[top];
			break;
		case 0x23: /* plus_uconst */
			NEED(1);
			stack[top - 1] += get_uleb(&b);
			break;
		case 0x24: /* shl */
			NEED(2);
			top--;
			stack[top - 1] = stack[top] < 64 ? stack[top - 1] << stack[top] : 0;
			break;
		case 0x2a: /* ge */
			NEED(2);
			top--;
			v = (int64_t)stack[top - 1] >= (int64_t)stack[top];
			stack[top - 1] = v;
			break;
		case 0x92: /* bregx */
			v = get_uleb(&b);
			if (v >= HT_REG_COUNT)
				return false;
			stack[top++] = regs[v] + (uint64_t)get_sleb(&b);
			break;
		case 0x96: /* nop */
			break;
		default:
			return false;
		}
	}
#undef NEED
	if (b.bad || !top)
		return false;
	*result = stack[top - 1];
	return true;
}
