/*
 * test_trace_model: random traces whose content is known. A model keeps what it gave to the writer,
 * so that whatever a reader yields can be compared field by field. Events keep all rules of the
 * format: ht_trace_verify finds nothing in them.
 */
#ifndef HT_TEST_TRACE_MODEL_H
#define HT_TEST_TRACE_MODEL_H

#include "trace.h"

struct model_options {
	uint64_t seed;
	size_t events;
	unsigned threads, images;
	bool addresses;
	uint32_t time_unit_ns;
	size_t flush_every;	 /* events; 0: only when blocks are full */
	bool odd_addresses;	 /* not only multiples of 16 */
	size_t dictionary_every; /* events between new strings, nodes, modules, threads; 0: all at
				    first */
};

struct model {
	struct model_options o;
	struct ht_trace_settings settings;
	struct ht_event *events; /* as a reader must see them */
	size_t event_count;
	struct ht_stack_node *nodes;
	size_t node_count; /* [0] is none */
	struct ht_module *modules;
	size_t module_count;
	struct ht_thread_info *threads;
	size_t thread_count;
	struct ht_image *images;
	size_t image_count;
	char **strings; /* [0] is "" */
	size_t *string_lengths;
	size_t string_count;
	struct ht_sample *samples;
	size_t sample_count;
	struct ht_trace_totals totals;
	/* private */
	uint64_t random;
	uint64_t now;
	uint64_t *thread_time;
	uint64_t next_seq, next_address;
	struct model_block {
		uint64_t seq, address;
		uint32_t image;
		bool unpaired;
	} * live;
	size_t live_count;
};

uint64_t model_random(struct model *m);
/* Writes a whole trace to fd, with or without a footer. */
void model_write(struct model *m, const struct model_options *o, int fd, bool finish);
void model_release(struct model *m);

/* The first `count` events and every dictionary entry; fails the running test on a difference. */
void model_compare_events(const struct model *m, const struct ht_trace *t, size_t count);
void model_compare_dictionaries(const struct model *m, const struct ht_trace *t);

/* A file in memory, and the same opened as a trace. */
int model_file(const void *bytes, size_t n);
int model_open(struct ht_trace **t, const void *bytes, size_t n, struct ht_diag *d);
/* The bytes of fd, to be freed. */
uint8_t *model_bytes(int fd, size_t *n);
/* As the file has it now: descriptor is kept. */
int model_reopen(struct ht_trace **t, int fd, struct ht_diag *d);

#endif
