/*
 * trace_reader: what an open trace is, shared by the files that fill it (trace_header.c, trace_open.c,
 * trace_load.c), decode its events (trace_decode.c) and answer questions (trace_reader.c).
 *
 * After ht_trace_open nothing of it changes but `late`, so threads may share it.
 */
#ifndef HT_TRACE_READER_H
#define HT_TRACE_READER_H

#include "trace.h"
#include "trace_layout.h"

/* How many ids were defined where a block of events stands. */
struct ht_defined {
	uint32_t strings, nodes, threads;
};

struct ht_string_ref {
	size_t offset, length;
};

/* What the reader remembers of a block between finding and loading it. */
struct ht_found {
	uint64_t offset;
	struct ht_block_head head;
};

struct ht_checkpoint {
	struct ht_found found;
	size_t block; /* of events that it stands in front of */
	struct ht_defined defined;
};

struct ht_found_times {
	struct ht_time_block info;
	struct ht_defined defined;
};

struct ht_trace {
	int fd;
	char *path; /* for messages */
	uint64_t size;
	uint64_t header_len; /* 0: the header is damaged */
	struct ht_trace_settings settings;
	char *texts[5]; /* that settings points to */

	/* dictionaries */
	struct ht_buf string_bytes;
	struct ht_string_ref *strings;
	struct ht_stack_node *nodes;
	struct ht_module *modules;
	struct ht_thread_info *threads;
	struct ht_image *images;
	struct ht_sample *samples;
	size_t string_count, node_count, module_count, thread_count, image_count, sample_count;
	size_t string_cap, node_cap, module_cap, thread_cap, image_cap, sample_cap;
	bool dictionary_lost; /* ids may have no definition: clamp instead of refusing */
	uint64_t gaps_left;   /* ids that lost blocks may still have defined */

	/* blocks of events */
	struct ht_block_info *blocks;
	struct ht_defined *defined;
	size_t block_count, block_cap, defined_cap;
	uint32_t sequence; /* blocks seen, as numbered in the file */

	struct ht_checkpoint *checkpoints;
	size_t checkpoint_count, checkpoint_cap;
	/* blocks of waits, stalls and switches */
	struct ht_found_times *times;
	size_t time_count, time_cap;
	/* blocks of symbols, in the order of the file */
	struct ht_found *symbols;
	size_t symbol_count, symbol_cap;

	/* the end */
	bool has_footer;
	struct ht_trace_totals totals;
	int exit_status;
	uint64_t duration;

	enum ht_verdict verdict;
	uint64_t skipped;
	char text[512];
	/* damage first met while decoding: claimed once, then published */
	int late_claim, late;
	char late_text[512];
};

/* Makes *items hold at least count elements, zeroed beyond what was there. */
void ht_grow(void *items, size_t *cap, size_t count, size_t size);

/* Notes that what stands at offset cannot be right, and for the first such place why. */
void ht_trace_damage(struct ht_trace *t, uint64_t offset, uint32_t block, const char *why);
void ht_trace_truncate(struct ht_trace *t, uint64_t offset, uint32_t block);
/* The same of a block that is decoded later than at open, by any thread: words what d says, and returns err. trace_events.c */
int ht_trace_late_damage(const struct ht_trace *t, uint64_t offset, uint32_t block, int err, struct ht_diag *d);

/* A node that is one, or whose definition was lost: it is all zeros then, as no frame is. */
static inline bool ht_node_known(const struct ht_trace *t, uint32_t id)
{
	const struct ht_stack_node *n = &t->nodes[id];
	return n->address || n->module || n->parent;
}

/* trace_header.c: the settings, and header_len. 0, or why the file cannot be opened at all; damage and truncation are noted
 * in t. */
int ht_trace_read_header(struct ht_trace *t, struct ht_diag *d);
/* trace_open.c: the next offset from `from` on where a block's head holds, or the file's size. */
uint64_t ht_trace_resync(const struct ht_trace *t, uint64_t from, bool *only_zeros);

/* Reads and checks the payload of a found block; raw holds its columns. */
int ht_trace_read_block(const struct ht_trace *t, const struct ht_found *f, void **zstd,
			struct ht_buf *packed, struct ht_buf *raw, struct ht_diag *d);

/* trace_load.c: takes one block in file order into the trace. */
struct ht_loader {
	void *zstd;
	struct ht_buf packed, raw;
};
void ht_loader_release(struct ht_loader *l);
void ht_trace_load(struct ht_trace *t, struct ht_loader *l, const struct ht_found *f);
/* trace_open.c: END and the footer that it points to, by their heads. */
bool ht_trace_find_footer(const struct ht_trace *t, struct ht_found *footer, struct ht_found *end);
/* The footer's index as blocks from `start` on; their number, or < 0. */
int64_t ht_trace_load_index(const struct ht_trace *t, struct ht_loader *l, const struct ht_found *footer,
			    struct ht_found **list);

#endif
