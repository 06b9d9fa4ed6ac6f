/* collect_fixture: see collect_fixture.h. */
#include "collect_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void fixture_open(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "/tmp/collect-test-XXXXXX");
	f->settings = (struct ht_collect_settings){
		.out_fd = mkstemp(f->path),
		.listen_fd = -1,
		.listen_path_fd = -1,
		.hello_fd = -1,
		.control_fd = -1,
		.stack_depth = 256,
		.addresses = true,
		.free_stacks = true,
		.follow = HT_FOLLOW_FORK | HT_FOLLOW_EXEC,
		.ring_memory = 16 << 20,
	};
	assert_true(f->settings.out_fd >= 0);
	ht_collector_init(&f->c, &f->settings);
}

void fixture_image(struct fixture *f, pid_t pid)
{
	f->host = ht_host_new(&f->c, NULL);
	assert_non_null(f->host);
	f->host->pid = pid;
	f->guest = ht_guest_draft(&f->c, pid);
	ht_guest_begin(&f->c, f->guest, f->host, (uint32_t)pid, HT_IMAGE_FIRST, NULL);
}

static void complain(void *ctx, const char *line)
{
	(void)ctx;
	print_error("%s\n", line);
}

void fixture_close(struct fixture *f)
{
	uint64_t violations = 0;
	struct ht_diag d = {0};
	ht_drain_all(&f->c);
	ht_collector_finish(&f->c);
	close(f->settings.out_fd);
	assert_int_equal(ht_trace_open(&f->trace, f->path, &d), 0);
	assert_int_equal(ht_trace_verify(f->trace, complain, NULL, 10, &violations), 0);
	struct ht_events block = {0};
	for (size_t i = 0; i < ht_trace_block_count(f->trace); i++) {
		assert_int_equal(ht_trace_block_decode(f->trace, i, &block, &d), 0);
		f->events = realloc(f->events, (f->count + block.count) * sizeof(*f->events));
		memcpy(f->events + f->count, block.items, block.count * sizeof(*f->events));
		f->count += block.count;
	}
	ht_events_release(&block);
}

void fixture_free(struct fixture *f)
{
	ht_collector_release(&f->c);
	ht_trace_close(f->trace);
	free(f->events);
	unlink(f->path);
}

struct producer producer_new(struct fixture *f, uint32_t pid, uint32_t tid)
{
	struct producer p = {.f = f, .mask = HT_RING_MIN - 1};
	for (uint32_t i = 0; i < f->host->slot_count && !p.slot; i++)
		if (ht_cas_u32(&ht_host_slot(f->host, i)->state, HT_SLOT_SPARE, HT_SLOT_CLAIMED))
			p.slot = ht_host_slot(f->host, i);
	assert_non_null(p.slot);
	p.slot->pid = pid;
	p.slot->tid = tid;
	p.base = (uint8_t *)f->host->seg + p.slot->ring_offset;
	return p;
}

void producer_put(struct producer *p, const uint64_t *words, size_t n)
{
	uint64_t pos = p->slot->head, to_end = p->mask + 1 - (pos & p->mask);
	if (8 * n > to_end) {
		*(uint64_t *)(p->base + (pos & p->mask)) = HT_REC_PAD | to_end << 32;
		pos += to_end;
	}
	uint64_t from = p->start > p->slot->tail ? p->start : p->slot->tail;
	assert_true(pos + 8 * n - from <= p->mask + 1);
	memcpy(p->base + (pos & p->mask), words, 8 * n);
	if (ht_record_counts(words[0] & 0xff))
		p->slot->counted++;
	HT_STORE_RELEASE(&p->slot->head, pos + 8 * n);
}

uint64_t stamp(const struct fixture *f, unsigned at)
{
	return f->c.clock.start_ticks + 100ull * at;
}

uint64_t word0(unsigned op, unsigned flags, unsigned frames, unsigned kept, unsigned small)
{
	return op | (uint64_t)flags << 8 | (uint64_t)frames << 16 | (uint64_t)kept << 32 | (uint64_t)small << 48;
}

void put_malloc(struct producer *p, unsigned at, uint64_t address, unsigned size)
{
	if (at)
		producer_put(p, (uint64_t[]){word0(HT_REC_MALLOC, HT_REC_STAMP, 0, 0, size), stamp(p->f, at), address},
			     3);
	else
		producer_put(p, (uint64_t[]){word0(HT_REC_MALLOC, 0, 0, 0, size), address}, 2);
}

void put_free(struct producer *p, unsigned at, uint64_t address)
{
	if (at)
		producer_put(p, (uint64_t[]){word0(HT_REC_FREE, HT_REC_STAMP, 0, 0, 0), stamp(p->f, at), address}, 3);
	else
		producer_put(p, (uint64_t[]){word0(HT_REC_FREE, 0, 0, 0, 0), address}, 2);
}

const struct ht_event *event_of(const struct fixture *f, unsigned op, size_t n)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->events[i].op == op && n-- == 0)
			return &f->events[i];
	return NULL;
}

size_t count_of(const struct fixture *f, unsigned op)
{
	size_t n = 0;
	for (size_t i = 0; i < f->count; i++)
		n += f->events[i].op == op;
	return n;
}

size_t index_of(const struct fixture *f, const struct ht_event *e)
{
	return (size_t)(e - f->events);
}
