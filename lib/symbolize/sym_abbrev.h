/*
 * sym_abbrev: tables of abbreviations, compiled for speed: per abbreviation a short program that skips what nobody
 * asks for in as few steps as possible and stores the twenty-odd attributes that this folder knows, each in a
 * slot of its own.
 */
#ifndef HT_SYM_ABBREV_H
#define HT_SYM_ABBREV_H

#include "sym_elf.h"

enum sym_slot {
	SYM_AT_SIBLING,
	SYM_AT_NAME,
	SYM_AT_LINKAGE_NAME,
	SYM_AT_LOW_PC,
	SYM_AT_HIGH_PC,
	SYM_AT_RANGES,
	SYM_AT_ORIGIN,
	SYM_AT_SPECIFICATION,
	SYM_AT_CALL_FILE,
	SYM_AT_CALL_LINE,
	SYM_AT_DECL_LINE,
	SYM_AT_COMP_DIR,
	SYM_AT_STMT_LIST,
	SYM_AT_LANGUAGE,
	SYM_AT_DWO_NAME,
	SYM_AT_DWO_ID,
	SYM_AT_ADDR_BASE,
	SYM_AT_STR_OFFSETS_BASE,
	SYM_AT_RNGLISTS_BASE,
	SYM_AT_RANGES_BASE,
	SYM_SLOTS,
	SYM_NO_SLOT = SYM_SLOTS
};

struct sym_op {
	int64_t constant; /* of DW_FORM_implicit_const */
	uint16_t form;	  /* 0: skip `size` bytes */
	uint16_t size;
	uint8_t slot;
};

struct sym_abbrev {
	uint64_t code;
	uint32_t first, count; /* of the ops; */
	uint16_t tag;
	bool children;
};

struct sym_abbrevs {
	uint64_t offset;
	struct sym_abbrev *list; /* ascending by code */
	size_t count, cap;
	struct sym_op *ops;
	size_t op_count, op_cap;
	bool dense; /* codes are 1, 2, 3 ... */
};

/* Compiles the table at offset for units of these sizes; NULL when it cannot be right. */
struct sym_abbrevs *sym_abbrevs_new(struct sym_span section, uint64_t offset, unsigned address_size, unsigned offset_size,
				    unsigned version);
void sym_abbrevs_free(struct sym_abbrevs *t);
const struct sym_abbrev *sym_abbrevs_find(const struct sym_abbrevs *t, uint64_t code);

#endif
