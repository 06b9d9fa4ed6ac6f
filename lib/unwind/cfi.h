/*
 * cfi: the call frame information of the modules in this process, interpreted in place.
 *
 * ht_cfi_find asks the loader (_dl_find_object: lock-free, async-signal-safe, glibc 2.35; before it, a
 * table made at start) for a module's .eh_frame_hdr and bisects it; ht_cfi_run executes the entry's
 * program up to a pc. No allocation, no lock, no recursion; all scratch is the caller's. Everything is
 * bounded by the entry's own length.
 */
#ifndef HT_CFI_H
#define HT_CFI_H

#include "rt.h"

enum { /* DWARF numbers of x86-64 registers; 16 is the return address column */
	HT_REG_RAX = 0,
	HT_REG_RDX = 1,
	HT_REG_RCX = 2,
	HT_REG_RBX = 3,
	HT_REG_RBP = 6,
	HT_REG_RSP = 7,
	HT_REG_R12 = 12,
	HT_REG_RA = 16,
	HT_REG_COUNT = 17,
};

enum ht_rule_kind {
	HT_RULE_SAME = 0,  /* unchanged (also: unspecified) */
	HT_RULE_UNDEFINED,
	HT_RULE_OFFSET,	   /* saved at CFA + value */
	HT_RULE_VALUE,	   /* is CFA + value */
	HT_RULE_REGISTER,  /* is in register value */
	HT_RULE_AT_EXPR,   /* saved at the address the expression yields */
	HT_RULE_EXPR,	   /* is what the expression yields */
};
struct ht_rule {
	uint8_t kind;
	int32_t value; /* or the expression's distance from the entry's start; its length stands before it */
};
struct ht_cfi_row {
	uint8_t cfa_kind;     /* HT_RULE_OFFSET: register + value; HT_RULE_EXPR */
	uint8_t cfa_register;
	bool signal;	      /* a signal frame: the caller was interrupted, not calling */
	int32_t cfa_value;
	const uint8_t *base;  /* what expressions count from */
	struct ht_rule rules[HT_REG_COUNT];
};
#define HT_CFI_REMEMBER 6
struct ht_cfi_scratch {
	struct ht_cfi_row row, initial, remembered[HT_CFI_REMEMBER];
};

struct ht_cfi_module {
	uintptr_t start, end; /* of all segments */
	const uint8_t *eh_frame_hdr;
	const char *name;     /* the loader's */
	uintptr_t bias;
};
struct ht_cfi_entry {
	const uint8_t *entry; /* the FDE, at its length word */
	uintptr_t low, high;  /* pcs it covers */
};

/* dl_find_object: the address of _dl_find_object, or NULL to use the table that ht_cfi_snapshot made. */
void ht_cfi_init(void *dl_find_object);
/* Remembers the modules loaded now. Once, in the constructor: takes the loader's lock. */
void ht_cfi_snapshot(void);
bool ht_cfi_module_of(uintptr_t pc, struct ht_cfi_module *m);
bool ht_cfi_find(uintptr_t pc, const struct ht_cfi_module *m, struct ht_cfi_entry *e);
/* The row for a return address: of the call before it. If no code stands there and a function begins right at it,
 * nobody called: somebody put it there as the bottom of a stack, as makecontext does. */
bool ht_cfi_row_of_return(uintptr_t pc, const struct ht_cfi_module *m, struct ht_cfi_scratch *s);
/* Runs the program up to pc; the result is s->row. False: malformed, or a feature that nobody emits. */
bool ht_cfi_run(const struct ht_cfi_entry *e, uintptr_t pc, struct ht_cfi_scratch *s);
/* Evaluates an expression block with the given registers; reads memory only through `read`. */
typedef bool ht_cfi_read(void *ctx, uintptr_t at, uint64_t *value);
bool ht_cfi_eval(const uint8_t *expr, const uint64_t *regs, uint64_t initial, bool push_initial, ht_cfi_read *rd,
		 void *ctx, uint64_t *result);

#endif
