/* perf_records: see perf_records.h. A record is copied out before it is looked at, so one that wraps is like any
 * other. */
#include "perf_records.h"

#include <string.h>

#include "rt.h"

#define RECORD_MAX 256u /* none that we ask for is half as long; longer ones are skipped */
#define SMALLEST 24u	/* a switch with its stamp: what is dropped is counted as so many of them */

void ht_perf_buffer_init(struct ht_perf_buffer *b, struct perf_event_mmap_page *page, const uint8_t *data,
			 uint64_t size, unsigned cpu)
{
	*b = (struct ht_perf_buffer){.page = page, .data = data, .size = size, .cpu = (uint16_t)cpu};
	b->tail = b->published = b->head = HT_LOAD_RELAXED(&page->data_tail);
}

void ht_perf_buffer_look(struct ht_perf_buffer *b)
{
	b->head = HT_LOAD_ACQUIRE(&b->page->data_head); /* pairs with the kernel's barrier before it stores it */
}

void ht_perf_buffer_publish(struct ht_perf_buffer *b)
{
	if (b->published == b->tail)
		return;
	b->published = b->tail;
	HT_STORE_RELEASE(&b->page->data_tail, b->tail); /* after the last read of what it gives back */
}

static void copy_out(const struct ht_perf_buffer *b, void *to, size_t n)
{
	uint64_t at = b->tail & (b->size - 1);
	size_t first = n < b->size - at ? n : (size_t)(b->size - at);
	memcpy(to, b->data + at, first);
	memcpy((uint8_t *)to + first, b->data, n - first);
}

/* The stamp that ends every record but samples: pid, tid; time. False: it is too short for one. */
static bool read_stamp(struct ht_perf_record *r, const uint8_t *record, size_t size, size_t before)
{
	if (size < before + 16)
		return false;
	const uint8_t *p = record + size - 16;
	memcpy(&r->pid, p, 4);
	memcpy(&r->tid, p + 4, 4);
	memcpy(&r->time, p + 8, 8);
	return true;
}

/* FORK and EXIT: u32 pid, ppid, tid, ptid; u64 time. */
static bool read_task(struct ht_perf_record *r, const uint8_t *record, size_t size)
{
	uint32_t w[4];
	uint64_t time;
	if (!read_stamp(r, record, size, 8 + 24))
		return false;
	memcpy(w, record + 8, sizeof(w));
	memcpy(&time, record + 24, sizeof(time));
	r->pid = w[0];
	r->tid = w[2];
	r->parent_pid = w[1];
	r->parent_tid = w[3];
	r->time = time;
	return true;
}

/* u64 ip; u32 pid, tid; u64 time, addr. */
static bool read_fault(struct ht_perf_record *r, const uint8_t *record, size_t size)
{
	if (size < 8 + 32)
		return false;
	memcpy(&r->ip, record + 8, 8);
	memcpy(&r->pid, record + 16, 4);
	memcpy(&r->tid, record + 20, 4);
	memcpy(&r->time, record + 24, 8);
	memcpy(&r->address, record + 32, 8);
	return true;
}

/* LOST: u64 id, lost. LOST_SAMPLES: u64 lost. */
static bool read_lost(struct ht_perf_record *r, const uint8_t *record, size_t size, size_t at)
{
	if (!read_stamp(r, record, size, at + 8))
		return false;
	memcpy(&r->lost, record + at, 8);
	return true;
}

/* False: not one of those that we want, or too short to be one. */
static bool parse(struct ht_perf_record *r, const uint8_t *record, const struct perf_event_header *h)
{
	*r = (struct ht_perf_record){0};
	switch (h->type) {
	case PERF_RECORD_SWITCH:
		r->kind = !(h->misc & PERF_RECORD_MISC_SWITCH_OUT)	  ? HT_PERF_IN
			  : h->misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT ? HT_PERF_PREEMPTED
									  : HT_PERF_BLOCKED;
		return read_stamp(r, record, h->size, 8);
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		r->kind = h->type == PERF_RECORD_FORK ? HT_PERF_FORK : HT_PERF_EXIT;
		return read_task(r, record, h->size);
	case PERF_RECORD_COMM:
		r->kind = HT_PERF_EXEC;
		return h->misc & PERF_RECORD_MISC_COMM_EXEC && read_stamp(r, record, h->size, 8 + 8);
	case PERF_RECORD_SAMPLE:
		r->kind = HT_PERF_FAULT;
		return read_fault(r, record, h->size);
	case PERF_RECORD_LOST:
		r->kind = HT_PERF_LOST;
		return read_lost(r, record, h->size, 16);
	case PERF_RECORD_LOST_SAMPLES:
		r->kind = HT_PERF_LOST;
		return read_lost(r, record, h->size, 8);
	default:
		return false;
	}
}

static void drop_rest(struct ht_perf_buffer *b)
{
	uint64_t bytes = b->head - b->tail;
	b->next = (struct ht_perf_record){.kind = HT_PERF_LOST};
	b->next.lost = (bytes < b->size ? bytes : b->size) / SMALLEST + 1;
	b->has_next = true;
	b->tail = b->head;
}

const struct ht_perf_record *ht_perf_buffer_peek(struct ht_perf_buffer *b)
{
	uint8_t record[RECORD_MAX] __attribute__((aligned(8)));
	while (!b->has_next && b->tail != b->head) {
		uint64_t there = b->head - b->tail;
		struct perf_event_header h;
		if (there > b->size || there < sizeof(h)) {
			drop_rest(b);
			break;
		}
		copy_out(b, &h, sizeof(h));
		if (h.size < sizeof(h) || h.size % 8 || h.size > there) {
			drop_rest(b);
			break;
		}
		if (h.size <= sizeof(record)) {
			copy_out(b, record, h.size);
			b->has_next = parse(&b->next, record, &h);
			b->next.cpu = b->cpu;
		}
		b->tail += h.size;
		if (b->tail - b->published >= b->size / 8)
			ht_perf_buffer_publish(b);
	}
	return b->has_next ? &b->next : NULL;
}
