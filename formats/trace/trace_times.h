/*
 * trace_times: where time went, as columns, both ways. Private to this folder.
 *
 * Six series of records stand in three kinds of blocks, two series in each. In its block a series is grouped by thread,
 * and ordered by time in each group: so a thread is named once, and what a record says is near to what the one before
 * it said. Readers merge the groups again. What waits and wakes share (who calls, for what object) is a *place*, told
 * once a block.
 */
#ifndef HT_TRACE_TIMES_H
#define HT_TRACE_TIMES_H

#include "trace.h"
#include "trace_layout.h"

enum ht_series_id {
	HT_SERIES_SWITCHES,
	HT_SERIES_SCHEDSTATS,
	HT_SERIES_WAITS,
	HT_SERIES_WAKES,
	HT_SERIES_STALLS,
	HT_SERIES_FAULTS,
	HT_SERIES_COUNT,
};
struct ht_series {
	uint8_t kind;	       /* of blocks; both series of a kind are neighbours */
	uint8_t thread_column; /* behind it stands the one of counts */
	uint8_t size;	       /* of a record's struct, and where in it thread and time are */
	uint8_t thread_at, time_at;
};
extern const struct ht_series ht_series[HT_SERIES_COUNT];

static inline bool ht_times_kind(unsigned kind)
{
	return kind >= HT_KIND_SCHED && kind <= HT_KIND_STALLS;
}
/* The first series of a kind; the second follows. */
static inline unsigned ht_times_first(unsigned kind)
{
	return 2 * (kind - HT_KIND_SCHED);
}
/* Columns that a block of that kind may have, and what the writer uses for each. */
unsigned ht_times_columns(unsigned kind, const uint8_t **encodings);

/* What several records of a block say in the same way. Compared as bytes: zeroed before it is filled. */
struct ht_place {
	uint64_t object;
	uint32_t stack, fd; /* fd + 1 */
	uint8_t kind, call, outcome, flags;
	uint32_t unused;
};

/* A stall's op, as it stands in its place's kind. */
enum { HT_STALL_OP = 31, HT_STALL_BOUND = 32 };

struct ht_times {				/* zero-initialised is empty */
	struct ht_buf pending[HT_SERIES_COUNT]; /* records as they came */
	uint64_t count[HT_SERIES_COUNT];	/* in the whole trace */
	uint64_t io_waits;
	/* a block in the making */
	struct ht_buf column[HT_COLUMNS_MAX];
	uint64_t previous[HT_COLUMNS_MAX]; /* values of DELTA columns */
	uint64_t unit, first;		   /* first_ns in units */
	struct ht_buf places;		   /* struct ht_place */
	uint32_t *place_slots;		   /* 1 + index, hashed; 0: free */
	size_t place_mask;
	uint32_t *thread_slots; /* by thread: scratch of the ordering, all 0 between */
	size_t thread_cap;
	struct ht_buf order, threads;
};

struct ht_trace_writer;
/* Writes what is pending as blocks. */
void ht_times_flush(struct ht_trace_writer *w);
void ht_times_totals(const struct ht_times *x, struct ht_trace_totals *t);
void ht_times_release(struct ht_times *x);

/* Decodes block i and adds what it holds to sums. < 0: it is damaged; > 0: it says something of itself that is not so.
 */
int ht_times_check(const struct ht_trace *t, size_t i, struct ht_time_records *scratch, struct ht_trace_totals *sums,
		   struct ht_diag *d);

#endif
