/* sym_unit: see sym_unit.h. */
#include "sym_unit.h"

#include "sym_pass.h"
#include "sym_walk.h"

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
	const struct sym_die_name *d = e ? sym_name_die(l->namer, e->in, e->die) : NULL;
	bool has_name = d && (d->linkage || d->bare);
	const struct sym_function *s =
		sym_table_find(l->table, address, d ? d->linkage : NULL, d ? d->bare : NULL);
	/* A label of assembly says less than a function that debug information describes. */
	if (s && (s->size || !has_name))
		return sym_name_of_symbol(l->namer, s->name);
	return has_name ? sym_name_of_die(l->namer, e->in, e->die) : (struct sym_name){ 0 };
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
		struct sym_name name = inlined ? sym_name_of_die(l->namer, e->in, e->die) :
						 physical_name(l, e, address);
		uint32_t start = e ? sym_name_die(l->namer, e->in, e->die)->start_line : 0;
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

static void process_unit(struct sym_pass *p, struct sym_unit *u)
{
	if (!sym_unit_open(u))
		return;
	p->unit = u;
	if (u->dwo_name || u->type == DW_UT_skeleton) {
		struct sym_unit *whole = sym_split_find(&p->l->split, u);
		p->unit = whole ? whole : u;
	}
	sym_lines_open(&p->lines, u, p->l->out);
	sym_pass_unit(p);
	answer_and_reset(p);
	sym_lines_close(&p->lines);
	sym_out_flush(p->l->out);
}

/* Which units hold open addresses. */
struct choice {
	struct sym_lookup *l;
	bool *chosen; /* by index of unit */
	struct sym_unit *u; /* whose ranges are being read */
};

static bool is_ours(const struct sym_lookup *l, const struct sym_unit *u)
{
	return l->parts < 2 || u->offset / (l->debug->info.size / l->parts + 1) == l->part;
}

static void choose(struct choice *c, const struct sym_unit *u, uint64_t lo, uint64_t hi)
{
	const struct sym_lookup *l = c->l;
	size_t index = (size_t)(u - l->debug->units);
	if (c->chosen[index] || !is_ours(l, u))
		return;
	for (size_t i = sym_first_not_below(l->addresses, l->count, lo); i < l->count && l->addresses[i] < hi; i++)
		if (!l->answered[i]) {
			c->chosen[index] = true;
			return;
		}
}

static void arange_found(void *ctx, struct sym_unit *u, uint64_t lo, uint64_t hi)
{
	struct choice *c = ctx;
	u->in_range = true;
	if (lo >= c->l->debug->elf->text_low)
		choose(c, u, lo, hi);
}

static void range_found(void *ctx, uint64_t lo, uint64_t hi)
{
	struct choice *c = ctx;
	choose(c, c->u, lo, hi);
}

static void choose_by_own_ranges(struct choice *c, struct sym_unit *u)
{
	struct sym_die die;
	bool code = u->type == DW_UT_compile || u->type == DW_UT_skeleton || u->type == DW_UT_partial;
	c->u = u;
	if (code && is_ours(c->l, u) && sym_unit_open(u) && sym_die_at(u, u->die, &die))
		sym_die_ranges(u, &die, range_found, c);
}

static void process_chosen(struct choice *c, struct sym_pass *p)
{
	for (size_t i = 0; i < c->l->debug->unit_count; i++)
		if (c->chosen[i])
			process_unit(p, &c->l->debug->units[i]);
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
	struct sym_debug *g = l->debug;
	struct sym_pass p = { .l = l };
	struct choice c = { .l = l };
	p.walk = ht_xcalloc(1, sizeof(*p.walk));
	p.hits = ht_xcalloc(l->count, sizeof(*p.hits));
	c.chosen = ht_xcalloc(g->unit_count, sizeof(*c.chosen));
	sym_aranges_read(g, arange_found, &c);
	for (size_t i = 0; i < g->unit_count; i++)
		if (!g->units[i].in_range)
			choose_by_own_ranges(&c, &g->units[i]);
	process_chosen(&c, &p);
	if (count_open(l)) {
		bool *done = c.chosen;
		c.chosen = ht_xcalloc(g->unit_count, sizeof(*c.chosen));
		for (size_t i = 0; i < g->unit_count; i++)
			if (g->units[i].in_range && !done[i])
				choose_by_own_ranges(&c, &g->units[i]);
		process_chosen(&c, &p);
		free(done);
	}
	free(c.chosen);
	free(p.walk);
	free(p.hits);
	free(p.touched);
	free(p.entries);
	return l->count - count_open(l);
}
