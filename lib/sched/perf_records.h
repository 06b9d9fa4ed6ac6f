/*
 * perf_records: one of the kernel's buffers of perf events, as records of ours.
 *
 *	page   perf_event_mmap_page: data_head is the kernel's, data_tail ours
 *	data   a power of two of bytes; records are 8-aligned and may wrap around the end
 *
 * The kernel writes it, so nothing in it is hostile by intent; but a length that cannot be right must not make
 * us read elsewhere or for ever. Then the rest of what is there is dropped and told as lost.
 */
#ifndef HT_PERF_RECORDS_H
#define HT_PERF_RECORDS_H

#include <linux/perf_event.h>

#include "base.h"

/* What is asked for with every record, and with faults. The order in which the kernel writes them is fixed. Not the
 * processor: its events have a buffer of their own. */
#define HT_PERF_SAMPLE_ID (PERF_SAMPLE_TID | PERF_SAMPLE_TIME)
#define HT_PERF_SAMPLE_FAULT (HT_PERF_SAMPLE_ID | PERF_SAMPLE_IP | PERF_SAMPLE_ADDR)

enum ht_perf_kind {
	HT_PERF_IN = 0,	   /* the thread came onto a processor */
	HT_PERF_BLOCKED,   /* it left it, because it waits for something */
	HT_PERF_PREEMPTED, /* it left it, and could go on */
	HT_PERF_FORK,	   /* a thread or process begins: pid, tid; its parent: parent_pid, parent_tid */
	HT_PERF_EXIT,	   /* it ends; it is on a processor */
	HT_PERF_EXEC,	   /* its process runs another program from here on */
	HT_PERF_FAULT,	   /* address, ip */
	HT_PERF_LOST,	   /* so many records: `lost`; nothing else in it counts but time, which may be 0 */
};
struct ht_perf_record {
	uint8_t kind;
	uint16_t cpu;
	uint32_t pid, tid;
	uint64_t time; /* CLOCK_MONOTONIC, ns */
	union {
		struct { uint32_t parent_pid, parent_tid; };
		struct { uint64_t address, ip; };
		uint64_t lost;
	};
};

struct ht_perf_buffer {
	struct perf_event_mmap_page *page;
	const uint8_t *data;
	uint64_t size, head, tail, published;
	uint16_t cpu;
	struct ht_perf_record next;
	bool has_next;
};
/* size: of data, a power of two. */
void ht_perf_buffer_init(struct ht_perf_buffer *b, struct perf_event_mmap_page *page, const uint8_t *data,
			 uint64_t size, unsigned cpu);
/* Looks how far the kernel has come: what it writes from now on is for the next look. */
void ht_perf_buffer_look(struct ht_perf_buffer *b);
/* The next record, which stays until it is taken; NULL: none. */
const struct ht_perf_record *ht_perf_buffer_peek(struct ht_perf_buffer *b);
static inline void ht_perf_buffer_take(struct ht_perf_buffer *b)
{
	b->has_next = false;
}
/* Gives back to the kernel what was read. */
void ht_perf_buffer_publish(struct ht_perf_buffer *b);

#endif
