/*
 * sym_reply: the parent's reading of what a child sends (sym_wire.h), believing nothing: every length,
 * id, index and count is checked against what was asked and received. A reply is fed piecemeal.
 */
#ifndef HT_SYM_REPLY_H
#define HT_SYM_REPLY_H

#include "sym_open.h"

/* Memory that lives as long as the symbolizer. */
struct sym_arena {
	struct sym_arena_chunk *chunks;
};
void *sym_arena_take(struct sym_arena *a, size_t n);
void sym_arena_release(struct sym_arena *a);

struct sym_answer {
	uint64_t address;
	const struct ht_symbol_frame *frames;
	uint32_t count;
};

struct sym_reply {
	struct sym_arena *arena;
	struct sym_answer *answers; /* one per address asked, filled in by index */
	size_t answer_count;
	/* Called when the child asks for a file; opens it or returns -1. */
	int (*open_file)(void *ctx, const struct sym_question *q, char *path, size_t path_size);
	void *ctx;
	int socket;

	struct ht_buf in;
	const char **strings; /* by id - 1 */
	size_t string_count, string_cap;
	uint64_t bytes; /* received in all, bounded */
	unsigned files; /* asked for, bounded */
	enum ht_symbols_kind kind;
	char reason[SYM_REASON_MAX];
	bool has_kind, done;
};

/* 0, or HT_ERR_DAMAGED / HT_ERR_LIMIT: the child is not to be listened to any more. */
int sym_reply_feed(struct sym_reply *r, const uint8_t *data, size_t n);
void sym_reply_release(struct sym_reply *r);

#endif
