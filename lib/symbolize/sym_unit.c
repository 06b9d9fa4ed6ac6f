/* sym_unit: see sym_unit.h. */
#include "sym_unit.h"

#include "sym_pass.h"

#include <stdlib.h>
#include <string.h>

bool sym_frame_of_symbol(const struct sym_table *t, struct sym_namer *n, uint64_t address, struct sym_wire_frame *f)
{
	const struct sym_function *s = sym_table_find(t, address, NULL, NULL);
	if (!s)
		return false;
	struct sym_name name = sym_name_of_symbol(n, s->name);
	*f = (struct sym_wire_frame){ .function = name.function, .linkage = name.linkage, .suffix = name.suffix };
	return true;
}

/* The physical function: named by its symbol where there is one, since clones have names of their own. */
static struct sym_name physical_name(struct sym_lookup *l, const struct sym_entry *e, uint64_t address)
{
	const struct sym_die_name *d = e ? sym_name_die(l->namer, l->debug, e->die) : NULL;
	bool has_name = d && (d->linkage || d->bare);
	const struct sym_function *s =
		sym_table_find(l->table, address, d ? d->linkage : NULL, d ? d->bare : NULL);
	/* A label of assembly says less than a function that debug information describes. */
	if (s && (s->size || !has_name))
		return sym_name_of_symbol(l->namer, s->name);
	return has_name ? sym_name_of_die(l->namer, l->debug, e->die) : (struct sym_name){ 0 };
}

/* Innermost first; `line` and `file` go outward from call site to call site. */
static size_t build_chain(struct sym_pass *p, const struct sym_hit *h, uint64_t address, struct sym_wire_frame *frames)
{
	struct sym_lookup *l = p->l;
	uint32_t file = h->file, line = h->line, at = h->entry;
	size_t n = 0;
	for (;;) {
		const struct sym_entry *e = at == SYM_NO_ENTRY ? NULL : &p->entries[at];
		bool inlined = e && e->parent != SYM_NO_ENTRY;
		struct sym_name name = inlined ? sym_name_of_die(l->namer, l->debug, e->die) :
						 physical_name(l, e, address);
		uint32_t start = e ? sym_name_die(l->namer, l->debug, e->die)->start_line : 0;
		if (!inlined || (!l->no_inline && n + 1 < SYM_FRAMES_MAX))
			frames[n++] = (struct sym_wire_frame){ name.function, name.linkage, name.suffix, file, line, start,
							       inlined };
		if (!inlined)
			return n;
		file = sym_lines_file(&p->lines, e->call_file);
		line = e->call_line;
		at = e->parent;
	}
}

static void answer_and_reset(struct sym_pass *p)
{
	static struct sym_wire_frame frames[SYM_FRAMES_MAX];
	struct sym_lookup *l = p->l;
	for (size_t i = 0; i < p->touched_count; i++) {
		uint32_t index = p->touched[i];
		struct sym_hit *h = &p->hits[index];
		size_t n = build_chain(p, h, l->addresses[index], frames);
		if (n > 1 || frames[0].function || frames[0].file) {
			sym_out_answer(l->out, index, frames, n);
			l->answered[index] = true;
		}
		*h = (struct sym_hit){ 0 };
	}
	p->touched_count = p->entry_count = 0;
}

static void process_unit(struct sym_pass *p, Dwarf_Off unit, size_t wanted)
{
	struct sym_debug *g = p->l->debug;
	Dwarf_Die die = NULL;
	Dwarf_Error err = NULL;
	Dwarf_Addr base = 0;
	if (!sym_debug_ok(g, dwarf_offdie_b(g->dbg, unit, 1, &die, &err), &err))
		return;
	p->base = sym_debug_ok(g, dwarf_lowpc(die, &base, &err), &err) ? base : 0;
	if (sym_die_has(g, die, DW_AT_dwo_name) || sym_die_has(g, die, DW_AT_GNU_dwo_name))
		p->l->split_units++;
	sym_lines_open(&p->lines, g, die, sym_die_string(g, die, DW_AT_comp_dir), p->l->out);
	sym_pass_unit(p, die, wanted);
	answer_and_reset(p);
	sym_lines_close(&p->lines);
	dwarf_dealloc_die(die);
}

/* A unit to read and how many open addresses it claims. */
struct candidate_unit {
	Dwarf_Off die;
	size_t wanted;
};
struct unit_list {
	struct sym_lookup *l;
	struct candidate_unit *units;
	size_t count, cap;
	size_t wanted; /* of the unit whose ranges are being read */
};

static void count_wanted(void *ctx, uint64_t lo, uint64_t hi)
{
	struct unit_list *u = ctx;
	const struct sym_lookup *l = u->l;
	for (size_t i = sym_first_not_below(l->addresses, l->count, lo); i < l->count && l->addresses[i] < hi; i++)
		u->wanted += !l->answered[i];
}

static void add_unit(struct unit_list *u, Dwarf_Off die)
{
	if (u->wanted) {
		u->units = sym_grow(u->units, u->count, &u->cap, sizeof(*u->units));
		u->units[u->count++] = (struct candidate_unit){ die, u->wanted };
	}
	u->wanted = 0;
}

static int by_die(const void *a, const void *b)
{
	const struct candidate_unit *x = a, *y = b;
	return (x->die > y->die) - (x->die < y->die);
}

/* Units that .debug_aranges names for open addresses; a unit has many ranges there. */
static void units_by_aranges(struct unit_list *u)
{
	struct sym_debug *g = u->l->debug;
	Dwarf_Arange *list = NULL;
	Dwarf_Signed n = 0;
	Dwarf_Error err = NULL;
	if (!sym_debug_ok(g, dwarf_get_aranges(g->dbg, &list, &n, &err), &err))
		return;
	for (Dwarf_Signed i = 0; i < n; i++) {
		Dwarf_Addr start = 0;
		Dwarf_Unsigned length = 0;
		Dwarf_Off die = 0;
		if (!sym_debug_ok(g, dwarf_get_arange_info(list[i], &start, &length, &die, &err), &err))
			continue;
		if (start >= g->elf->text_low && length <= UINT64_MAX - start)
			count_wanted(u, start, start + length);
		add_unit(u, die);
	}
	if (!u->count)
		return;
	qsort(u->units, u->count, sizeof(*u->units), by_die);
	size_t out = 0;
	for (size_t i = 1; i < u->count; i++) {
		if (u->units[i].die == u->units[out].die)
			u->units[out].wanted += u->units[i].wanted;
		else
			u->units[++out] = u->units[i];
	}
	u->count = out + 1;
}

/* All units, by the ranges that their own DIEs state. */
static void units_by_ranges(struct unit_list *u)
{
	struct sym_debug *g = u->l->debug;
	Dwarf_Unsigned length, abbrev, type_offset, next;
	Dwarf_Half version, address_size, length_size, extension, unit_type;
	Dwarf_Sig8 signature;
	for (;;) {
		Dwarf_Error err = NULL;
		int rc = dwarf_next_cu_header_d(g->dbg, 1, &length, &version, &abbrev, &address_size, &length_size,
						&extension, &signature, &type_offset, &next, &unit_type, &err);
		if (!sym_debug_ok(g, rc, &err))
			return;
		Dwarf_Die die = NULL;
		if (!sym_die_next(g, &die))
			continue;
		Dwarf_Addr base = 0;
		(void)sym_debug_ok(g, dwarf_lowpc(die, &base, &err), &err);
		sym_die_ranges(g, die, base, count_wanted, u);
		add_unit(u, sym_die_offset(die));
		dwarf_dealloc_die(die);
	}
}

static void process_list(struct unit_list *u, struct sym_pass *p)
{
	for (size_t i = 0; i < u->count; i++) {
		process_unit(p, u->units[i].die, u->units[i].wanted);
		sym_out_flush(u->l->out);
	}
	u->count = 0;
}

static size_t count_open(const struct sym_lookup *l)
{
	size_t open = 0;
	for (size_t i = 0; i < l->count; i++)
		open += !l->answered[i];
	return open;
}

size_t sym_lookup_run(struct sym_lookup *l)
{
	struct sym_pass p = { .l = l };
	struct unit_list u = { .l = l };
	p.hits = ht_xcalloc(l->count, sizeof(*p.hits));
	units_by_aranges(&u);
	process_list(&u, &p);
	if (count_open(l)) {
		units_by_ranges(&u);
		process_list(&u, &p);
	}
	free(p.hits);
	free(p.touched);
	free(p.entries);
	free(u.units);
	return l->count - count_open(l);
}
