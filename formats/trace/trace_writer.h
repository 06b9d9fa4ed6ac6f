/*
 * trace_writer: what a trace in the making is, shared by the files that fill it: events and dictionaries
 * (trace_writer.c), where time went (trace_times.c). Private to this folder.
 */
#ifndef HT_TRACE_WRITER_H
#define HT_TRACE_WRITER_H

#include "trace_dict.h"
#include "trace_encode.h"
#include "trace_footer.h"
#include "trace_times.h"

struct ht_trace_writer {
	int fd;
	int error; /* errno of the write that failed */
	uint64_t bytes;
	uint32_t sequence;
	uint64_t duration;
	uint64_t sample_first, sample_last; /* of the pending ones */
	struct ht_encoder events;
	struct ht_times times;
	struct ht_block_packer *packer;
	struct ht_buf raw, packed;
	/* dictionaries: what waits, and how many ids are given out */
	struct ht_buf string_lengths, string_bytes;
	struct ht_table_out images, modules, nodes, threads, samples;
	uint32_t pending_strings;
	uint32_t string_count, image_count, module_count, node_count, thread_count;
	struct ht_footer index;
	/* the last checkpoint */
	uint32_t checkpoints;
	uint64_t events_since, bytes_then;
};

/* Packs w->raw as one block and appends it in a single write. */
void ht_writer_block(struct ht_trace_writer *w, struct ht_block_head *h);
/* All ids that were given out are in the file after this. */
void ht_writer_dictionaries(struct ht_trace_writer *w);

#endif
