/*
 * trace_encode: events into the flat columns of one block. Private to this folder.
 *
 * `room` counts down the events that surely fit into every column; at 0 the rare path looks at
 * what is really free. So an event costs one test, whatever its columns.
 */
#ifndef HT_TRACE_ENCODE_H
#define HT_TRACE_ENCODE_H

#include "trace.h"
#include "trace_layout.h"
#include "trace_survivors.h"

#define HT_BLOCK_EVENTS (256u << 10)	/* events of a full block */
#define HT_BLOCK_EVENTS_LEAST (4u << 10) /* of one that is kept small */
#define HT_EVENT_COLUMN_BYTES ((1u << 20) + (1u << 18))
#define HT_NO_RUN UINT64_MAX
#define HT_EVENT_WORST 11 /* bytes an event may add to one column: escape and varint */
/* An event fills few columns: op and runs together make at most one, and so do the two stacks. */
_Static_assert(11 * HT_EVENT_COLUMN_BYTES <= HT_RAW_MAX, "a block's columns fit its bound");

/* What the writer knows of a thread. The first two live on from block to block. */
struct ht_encoder_thread {
	uint64_t last;	/* its last stamp, in time units */
	bool timed;	/* last holds */
	uint32_t block; /* number of the block in which the fields below hold */
	uint32_t local; /* its index there */
	uint64_t freed[2]; /* the last two deaths; see put_freed */
	/* for checkpoints */
	uint32_t image;
	bool realloc_open, realloc_known; /* its last REALLOC_FREE might be undone: of that number, */
	uint64_t realloc_value;		  /* or of that address */
	uint64_t realloc_size;
	uint64_t births, births_told;
};

struct ht_encoder {
	/* the running block; at[i] is where column i ends so far */
	uint8_t *at[HT_COL_EV_COUNT];
	uint8_t *base[HT_COL_EV_COUNT];
	uint32_t room;
	uint32_t limit; /* events of a block, at most HT_BLOCK_EVENTS */
	uint32_t block;			  /* from 1 */
	struct ht_encoder_thread *thread; /* of the current run */
	uint64_t run_thread;		  /* its id; HT_NO_RUN: none, equal to no thread's */
	uint8_t *run_start;		  /* into the op column */
	uint64_t stamp, min, max;	  /* units: previous stamped event, range */
	uint64_t first_seq;
	uint32_t birth_stack, other_stack; /* previous in their columns */
	uint64_t address[HT_ADDRESS_SLOTS];
	uint8_t address_bits; /* all births' addresses of the block, ORed */
	uint8_t address_shift;
	struct ht_buf locals; /* uint32_t id, uint64_t start, for each thread of the block */
	/* the whole trace */
	uint64_t next_seq;
	uint64_t unit, unit_reciprocal;
	bool addresses;
	uint32_t node_limit, thread_count; /* nodes are 1 .. limit - 1 */
	struct ht_encoder_thread *threads;
	size_t threads_cap;
	uint64_t requested_bytes;
	uint64_t ops[HT_OP_COUNT]; /* events of finished blocks */
	struct ht_encoder_level {
		bool known; /* so far all ends came with their sizes */
		uint64_t now, peak, peak_time; /* bytes live in images that have not ended; when they were most, in units */
		uint64_t left; /* bytes live when their images ended */
		uint64_t revived; /* deaths taken back */
	} level;
	struct ht_survivors survivors;
	struct ht_buf ended;	    /* uint32_t: images since the last checkpoint */
	struct ht_buf image_ended;  /* a byte each */
	uint64_t bad_references;   /* of the caller's: written as 0, or as UNKNOWN */
};

/* checkpoint_bytes: memory for what checkpoints need. sized_ends: as in the settings. */
void ht_encoder_init(struct ht_encoder *c, uint32_t time_unit_ns, bool addresses, uint64_t checkpoint_bytes, bool sized_ends);
void ht_encoder_release(struct ht_encoder *c);
void ht_encoder_threads(struct ht_encoder *c, uint32_t count);
static inline bool ht_encoder_image_ended(const struct ht_encoder *c, uint32_t image)
{
	return image < c->image_ended.len && c->image_ended.data[image];
}
static inline size_t ht_encoder_events(const struct ht_encoder *c)
{
	return (size_t)(c->at[HT_COL_EV_OP] - c->base[HT_COL_EV_OP]);
}
/* The next block ends at so many events, and so do those after it; only between two blocks. */
static inline void ht_encoder_limit(struct ht_encoder *c, uint64_t events)
{
	c->limit = events < HT_BLOCK_EVENTS_LEAST ? HT_BLOCK_EVENTS_LEAST
		   : events > HT_BLOCK_EVENTS	  ? HT_BLOCK_EVENTS
						  : (uint32_t)events;
}
/* Sets room; false: the block has to be finished first. */
bool ht_encoder_make_room(struct ht_encoder *c);
/* There must be room. */
uint64_t ht_encoder_put(struct ht_encoder *c, struct ht_event *e);
/* There must be room for n; see ht_trace_writer_lives. In trace_encode_lives.c. */
void ht_encoder_put_lives(struct ht_encoder *c, const struct ht_birth_death *e, size_t n);
/* The block's payload into raw and its facts into h; then starts the next one. */
void ht_encoder_finish_block(struct ht_encoder *c, struct ht_block_head *h, struct ht_buf *raw);

#endif
