/*
 * stored_symbols: what addresses mean, kept in the trace itself, so that it reads on a machine that has none of
 * its binaries. One record per module, opaque to the trace format; names stand in it in all forms that
 * `demangle` knows, so that every option of the reader means the same as with the binaries at hand.
 *
 *	record	kind (enum ht_symbols_kind), reason, strings, addresses, sources
 *	strings	count, {length, bytes}
 *	addresses	count, {step from the one before, reason, number of frames, {frame}}	ascending, innermost frame first
 *	frame	short, full and linker's name, linkage name, suffix, file, line, first line, byte: inlined
 *	sources	count, {path, byte: newer than the recording, count, {step to the next line, text}}
 *
 * All numbers are varints; a string is its place in the list of strings, counted from 1, 0 = unknown. Reading
 * believes nothing: counts are bounded by the bytes that are there.
 */
#ifndef HT_STORED_SYMBOLS_H
#define HT_STORED_SYMBOLS_H

#include "analyze.h"

#define HT_STORED_SYMBOLS_FORMAT 1

/* --- reading ------------------------------------------------------------------------------ */

struct ht_stored_symbols;

/* 0; HT_ABSENT when the trace has none for this module; < 0: they cannot be read. */
int ht_stored_symbols_load(struct ht_stored_symbols **out, const struct ht_trace *t, uint32_t module, struct ht_diag *d);
/* The record alone, which anybody may have written. 0 or HT_ERR_DAMAGED. */
int ht_stored_symbols_parse(struct ht_stored_symbols **out, const void *data, size_t n);
void ht_stored_symbols_free(struct ht_stored_symbols *s);
enum ht_symbols_kind ht_stored_symbols_kind(const struct ht_stored_symbols *s, const char **reason);
/* Does kind `a` hold more than `b`? Of two without names neither does. */
static inline bool ht_symbols_better(enum ht_symbols_kind a, enum ht_symbols_kind b)
{
	return a <= HT_SYMBOLS_DYNSYM && a < b;
}
/* As ht_symbolizer_get. The frames are good until the next call. */
struct ht_symbol ht_stored_symbols_get(struct ht_stored_symbols *s, uint64_t address, enum ht_demangle demangle,
				       bool no_inline);

/* A source file whose lines were stored. */
struct ht_stored_source {
	const char *path;
	bool newer; /* than the recording, when it was stored */
	const uint32_t *numbers; /* ascending */
	const char *const *lines;
	size_t count;
};
/* NULL when the record does not have it. */
const struct ht_stored_source *ht_stored_symbols_source(const struct ht_stored_symbols *s, const char *path);
/* NULL when no module of the analysis has it. */
const struct ht_stored_source *ht_stacks_source(const struct ht_stacks *s, const char *path);

/* --- making ------------------------------------------------------------------------------- */

/* Where source lines come from: the line's text, or NULL; *newer as above. */
struct ht_source_reader {
	const char *(*line)(void *ctx, const char *path, uint32_t line, bool *newer);
	void *ctx;
};

struct ht_stored_module {
	uint32_t module;
	enum ht_symbols_kind kind;
	const char *reason; /* good as long as the result */
	uint64_t addresses, resolved;
	struct ht_buf bytes; /* empty: nothing else than what the trace has already */
};
struct ht_stored_result {
	struct ht_stored_module *modules; /* those that stacks touch, by id */
	size_t count;
	uint64_t source_lines;
	struct ht_symbolizer *symbolizers[2]; /* own the texts */
};
/* Resolves every address of the trace's stacks. sources: NULL = no other source lines than the trace has already. */
void ht_stored_symbols_make(const struct ht_trace *t, const struct ht_analysis_options *o,
			    const struct ht_source_reader *sources, struct ht_stored_result *out);
void ht_stored_result_release(struct ht_stored_result *r);

#endif
