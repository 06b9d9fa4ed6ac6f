/* sym_name: see sym_name.h. Everything is remembered: hot functions are inlined in thousands of places. */
#include "sym_name.h"

#include "sym_demangle.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 16

static struct sym_name make_name(struct sym_namer *n, const char *symbol)
{
	size_t base_len = sym_base_length(symbol);
	char *base = ht_xasprintf("%.*s", (int)(base_len > SYM_STRING_MAX ? SYM_STRING_MAX : base_len), symbol);
	char *plain = sym_demangle(base, n->demangle);
	const char *suffix = symbol + base_len;
	struct sym_name name = { .function = sym_out_string(n->out, plain ? plain : base) };
	if (*suffix == '.')
		name.suffix = sym_out_string(n->out, suffix);
	if (plain || *suffix)
		name.linkage = sym_out_string(n->out, symbol);
	free(plain);
	free(base);
	return name;
}

struct sym_name sym_name_of_symbol(struct sym_namer *n, const char *symbol)
{
	/* Two names with one 64-bit hash would share a row; the price of a collision is one wrong name. */
	uint64_t key = sym_hash(symbol, strlen(symbol));
	uint32_t at = sym_map_get(&n->by_symbol, key);
	if (!at) {
		n->symbols = sym_grow(n->symbols, n->symbol_count, &n->symbol_cap, sizeof(*n->symbols));
		n->symbols[n->symbol_count++] = make_name(n, symbol);
		at = (uint32_t)n->symbol_count;
		sym_map_put(&n->by_symbol, key, at);
	}
	return n->symbols[at - 1];
}

static uint64_t mark(const struct sym_debug *g, uint64_t offset)
{
	return offset | (uint64_t)g->number << 48;
}

/* Takes from one DIE of the chain what the ones before it did not say. */
static void gather(const struct sym_unit *u, const struct sym_die *die, struct sym_die_name *d)
{
	if (!d->linkage)
		d->linkage = sym_die_string(u, die, SYM_AT_LINKAGE_NAME);
	if (!d->bare)
		d->bare = sym_die_string(u, die, SYM_AT_NAME);
	if (!d->start_line)
		d->start_line = sym_die_u32(die, SYM_AT_DECL_LINE);
}

static struct sym_ref following(const struct sym_unit *u, const struct sym_die *die)
{
	struct sym_ref next = sym_die_ref(u, die, SYM_AT_ORIGIN);
	return next.in ? next : sym_die_ref(u, die, SYM_AT_SPECIFICATION);
}

static struct sym_die_name gather_chain(struct sym_debug *g, uint64_t offset)
{
	struct sym_die_name d = { 0 };
	struct sym_ref at = { g, offset };
	for (int step = 0; at.in && step < STEPS_MAX; step++) {
		struct sym_unit *u = sym_unit_at(at.in, at.offset);
		struct sym_die die;
		if (!u || !sym_die_at(u, at.offset, &die)) {
			sym_debug_error(at.in, "a reference to no entry");
			break;
		}
		d.scope = at;
		gather(u, &die, &d);
		at = following(u, &die);
	}
	return d;
}

struct sym_die_name *sym_name_die(struct sym_namer *n, struct sym_debug *g, uint64_t offset)
{
	uint32_t at = sym_map_get(&n->by_die, mark(g, offset));
	if (!at) {
		n->dies = sym_grow(n->dies, n->die_count, &n->die_cap, sizeof(*n->dies));
		n->dies[n->die_count++] = gather_chain(g, offset);
		at = (uint32_t)n->die_count;
		sym_map_put(&n->by_die, mark(g, offset), at);
	}
	return &n->dies[at - 1];
}

bool sym_name_has_scopes(const struct sym_unit *u)
{
	/* A partial unit says no language: dwz moved its DIEs out of units of any. */
	switch (u->language) {
	case DW_LANG_C:
	case DW_LANG_C89:
	case DW_LANG_C99:
	case DW_LANG_C11:
	case DW_LANG_Mips_Assembler:
	case DW_LANG_Fortran77:
	case DW_LANG_Fortran90:
	case DW_LANG_Fortran95:
	case DW_LANG_Go:
		return false;
	default:
		return true;
	}
}

const struct sym_scopes *sym_name_scopes(struct sym_namer *n, struct sym_ref ref)
{
	struct sym_unit *u = sym_unit_at(ref.in, ref.offset);
	if (!u)
		return NULL;
	uint32_t at = sym_map_get(&n->by_unit, mark(ref.in, u->offset));
	if (!at) {
		n->units = sym_grow(n->units, n->unit_count, &n->unit_cap, sizeof(struct sym_scopes *));
		n->units[n->unit_count++] = sym_name_has_scopes(u) ? sym_scopes_new(u) : NULL;
		at = (uint32_t)n->unit_count;
		sym_map_put(&n->by_unit, mark(ref.in, u->offset), at);
	}
	return n->units[at - 1];
}

static struct sym_name qualified(struct sym_namer *n, const struct sym_die_name *d)
{
	struct ht_buf b = { 0 };
	sym_scopes_qualify(n, d->scope, d->bare, &b);
	ht_buf_byte(&b, 0);
	if (n->demangle == HT_DEMANGLE_SHORT)
		sym_shorten((char *)b.data);
	struct sym_name name = { .function = sym_out_string(n->out, (const char *)b.data) };
	ht_buf_release(&b);
	return name;
}

struct sym_name sym_name_of_die(struct sym_namer *n, struct sym_debug *g, uint64_t offset)
{
	struct sym_die_name *d = sym_name_die(n, g, offset);
	if (!d->named) {
		if (d->linkage)
			d->name = sym_name_of_symbol(n, d->linkage);
		else if (d->bare)
			d->name = qualified(n, d);
		d->named = true;
	}
	return d->name;
}
