/*
 * rows: for a pc, how to reach the caller's frame, in 16 bits.
 *
 *   kind:2 | offset/8:10 | rbp slot:4
 *   RSP, RBP  CFA = that register + offset, return address at CFA - 8; rbp as the slot says:
 *             0 unchanged, k: saved at CFA - 8(k + 1)
 *   ESCAPE    index into a small table of rows that do not fit, all of them implemented
 *   END       offset field: 0 outermost frame by its own word, 1 no information
 *
 * A cache entry is pc << 16 | row, read and written in one relaxed 8-byte access: any thread may
 * fill it, a torn or lost entry cannot be. Two-way: the place of a hash and its neighbour.
 */
#ifndef HT_ROWS_H
#define HT_ROWS_H

#include "unwinder.h"

enum { HT_ROW_RSP = 0, HT_ROW_RBP = 1, HT_ROW_ESCAPE = 2, HT_ROW_END = 3 };
#define HT_ROW(kind, words, slot) ((uint16_t)((kind) << 14 | (words) << 4 | (slot)))
#define HT_ROW_KIND(r) ((r) >> 14)
#define HT_ROW_OFFSET(r) ((uint64_t)(((r) >> 4) & 0x3ff) * 8)
#define HT_ROW_SLOT(r) ((r)&15u)
#define HT_ROW_COMPLETE HT_ROW(HT_ROW_END, 0, 0)
#define HT_ROW_NONE HT_ROW(HT_ROW_END, 1, 0)
/* What an unknown frame is tried with: push %rbp; mov %rsp,%rbp. */
#define HT_ROW_FRAME_POINTER HT_ROW(HT_ROW_RBP, 2, 1)

/* A row that does not fit 16 bits. Each of CFA, return address, rbp: base + off, dereferenced or not. */
struct ht_escape {
	uint8_t cfa_base;  /* HT_REG_RSP or HT_REG_RBP */
	bool cfa_deref;
	uint8_t rbp_base;  /* 0: rbp unchanged; HT_REG_RSP, HT_REG_RBP, or 255: CFA */
	uint8_t ra_base;   /* HT_REG_RSP, HT_REG_RBP or 255: CFA */
	bool signal;
	bool general;	   /* needs other registers: full unwind */
	int32_t cfa_off, rbp_off, ra_off;
};
const struct ht_escape *ht_row_escape(uint16_t row);

struct ht_row_table {
	uint64_t *entries;
	uint64_t mask;
};
extern struct ht_row_table ht_rows __attribute__((visibility("hidden")));
extern struct ht_unwind_config ht_unwind_settings;

/* Cold: asks cfi and fills the cache. */
uint16_t ht_row_miss(uint64_t pc, struct ht_cfi_scratch *scratch, void *ctx);

HT_INLINE bool ht_row_cached(uint64_t pc)
{
	uint64_t i = (pc * 0x9e3779b97f4a7c15ull) >> 40 & ht_rows.mask;
	return HT_LOAD_RELAXED(&ht_rows.entries[i]) >> 16 == pc || HT_LOAD_RELAXED(&ht_rows.entries[i ^ 1]) >> 16 == pc;
}

HT_INLINE uint16_t ht_row_lookup(uint64_t pc, struct ht_cfi_scratch *scratch, void *ctx)
{
	uint64_t i = (pc * 0x9e3779b97f4a7c15ull) >> 40 & ht_rows.mask;
	uint64_t e = HT_LOAD_RELAXED(&ht_rows.entries[i]);
	if (HT_LIKELY(e >> 16 == pc))
		return (uint16_t)e;
	e = HT_LOAD_RELAXED(&ht_rows.entries[i ^ 1]);
	if (HT_LIKELY(e >> 16 == pc))
		return (uint16_t)e;
	return ht_row_miss(pc, scratch, ctx);
}

#endif
