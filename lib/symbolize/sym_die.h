/*
 * sym_die: debug information as the rest of this folder wants it: files, units and single DIEs, read in place
 * from the mapped sections. Ours and not libdwarf's, which takes 90 ns a DIE and cannot read split units
 * that are not packed; libdwarf reads .debug_aranges (sym_aranges.c).
 *
 * Found, absent and broken: absent and broken both read as "not there", but what is broken is counted and
 * its first text kept. Strings and references into a dwz alternate file are dispatched by their form, so that
 * a missing alternate file means absent names, never wrong ones.
 *
 * Every offset in a file is hostile. A DIE is parsed within its unit's bytes, a walk over DIEs only goes
 * forward, chains of references are cut by whoever follows them.
 */
#ifndef HT_SYM_DIE_H
#define HT_SYM_DIE_H

#include "sym_abbrev.h"
#include "sym_map.h"

#include <dwarf.h>

struct sym_debug;

/* One unit of a file; the upper half is known from its header, the lower once it was opened. */
struct sym_unit {
	struct sym_debug *in;
	uint64_t offset, end, die; /* in .debug_info: of the header, behind the unit, of its own DIE */
	uint64_t abbrev_offset, dwo_id;
	uint8_t version, address_size, offset_size, type;

	bool opened, broken, in_range; /* in_range: an address range of it is known from .debug_aranges */
	uint64_t low_pc;
	uint64_t addr_base, str_offsets_base, rnglists_base, ranges_base;
	uint64_t stmt_list; /* UINT64_MAX: none */
	uint32_t language;
	const char *comp_dir, *dwo_name;
	struct sym_unit *skeleton; /* for a unit of a .dwo or .dwp file: the one in the program */
};

/* One file's debug information. */
struct sym_debug {
	struct sym_elf *elf;
	struct sym_debug *alternate; /* dwz's common file; NULL: none, or not found */
	uint16_t number;	     /* tells files apart in keys of maps */
	bool split;		     /* .dwo or .dwp: sections are called .debug_*.dwo */
	struct sym_span info, abbrev, line, line_str, str, ranges, rnglists, addr, str_offsets;
	struct sym_unit *units; /* ascending by offset */
	size_t unit_count, unit_cap;
	struct sym_parts *parts; /* of a .dwp file: which part of each section belongs to a unit */
	struct sym_abbrevs_slot {
		struct sym_abbrevs *table;
		uint64_t used;
		unsigned sizes, pins;
	} tables[32];
	uint64_t clock;
	uint64_t errors;
	char first_error[160];
};

struct sym_value {
	uint16_t form;
	uint64_t v; /* the number, offset or index; for DW_FORM_string the text's address */
};

struct sym_die {
	uint64_t offset;
	const uint8_t *after; /* behind its attributes */
	uint32_t have;	      /* bit per slot */
	uint16_t tag;	      /* 0: the end of a list of children */
	bool children;
	struct sym_value at[SYM_SLOTS];
};

/* A DIE by its file and offset. */
struct sym_ref {
	struct sym_debug *in; /* NULL: none */
	uint64_t offset;
};

/* HT_ABSENT without debug information; else 0, HT_ERR_DAMAGED or HT_ERR_LIMIT with text. */
int sym_debug_open(struct sym_debug *g, struct sym_elf *e, bool split, struct ht_diag *d);
void sym_debug_error(struct sym_debug *g, const char *text);
/* The unit that holds offset, NULL if none does. Bases and the like are filled in; NULL when it is broken. */
struct sym_unit *sym_unit_at(struct sym_debug *g, uint64_t offset);
bool sym_unit_open(struct sym_unit *u);

/* The unit's abbreviations; kept until the pin is taken away. NULL when they are broken. */
struct sym_abbrevs *sym_unit_pin(struct sym_unit *u);
void sym_unit_unpin(struct sym_unit *u, const struct sym_abbrevs *t);
/* Parses the DIE at offset, with the abbreviations pinned. */
bool sym_die_parse(const struct sym_unit *u, const struct sym_abbrevs *t, uint64_t offset, struct sym_die *die);
/* The same for one DIE alone. */
bool sym_die_at(struct sym_unit *u, uint64_t offset, struct sym_die *die);

static inline bool sym_die_has(const struct sym_die *d, enum sym_slot s)
{
	return d->have >> s & 1;
}
/* Reads one attribute whose form is v->form; sets c->bad when the form is unknown. */
void sym_value_read(const struct sym_unit *u, struct ht_cursor *c, struct sym_value *v, int64_t constant);
const char *sym_value_string(const struct sym_unit *u, const struct sym_value *v);
/* sym_attr.c: attributes as numbers, strings, references, addresses and ranges. */
bool sym_die_uint(const struct sym_die *d, enum sym_slot s, uint64_t *value);
/* At most 32 bits; 0 when absent. */
uint32_t sym_die_u32(const struct sym_die *d, enum sym_slot s);
/* Lives as long as the sections; NULL when absent or empty. */
const char *sym_die_string(const struct sym_unit *u, const struct sym_die *d, enum sym_slot s);
struct sym_ref sym_die_ref(const struct sym_unit *u, const struct sym_die *d, enum sym_slot s);
bool sym_die_address(const struct sym_unit *u, const struct sym_die *d, enum sym_slot s, uint64_t *address);
/* A little-endian number of n <= 8 bytes at offset of a section; false beyond its end. */
bool sym_span_number(struct sym_span s, uint64_t offset, unsigned n, uint64_t *v);
/* The string at offset, NULL when it does not end within the section. */
const char *sym_span_string(struct sym_span s, uint64_t offset);
bool sym_unit_indexed_address(const struct sym_unit *u, uint64_t index, uint64_t *address);
/* sym_ranges.c: calls each(ctx, lo, hi) for every non-empty range of the DIE's code. */
void sym_die_ranges(const struct sym_unit *u, const struct sym_die *d,
		    void (*each)(void *ctx, uint64_t lo, uint64_t hi), void *ctx);

#endif
