/*
 * tracecheck order: per image and address, births and deaths alternate. Keeps a table of the live
 * addresses and, for each address, who freed it last, so that it can say how often an address went
 * from one thread to another: a test of order that never saw that has tested nothing.
 */
#include "tracecheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct place {
	uint64_t address; /* 0 = free entry */
	uint32_t image, freed_by;
	bool live;
};

struct order {
	struct blocks blocks;
	struct place *table;
	uint64_t mask, used;
	uint64_t *pending; /* per thread: sequence number + 1 of the last REALLOC_FREE */
	uint64_t births, deaths, implied, unknown, passed_on;
};

static struct place *find(struct order *o, uint32_t image, uint64_t address)
{
	uint64_t i = (address >> 4) * 0x9e3779b97f4a7c15ull + image;

	while (o->table[i & o->mask].address &&
	       (o->table[i & o->mask].address != address || o->table[i & o->mask].image != image))
		i++;
	return &o->table[i & o->mask];
}

static void grow(struct order *o)
{
	struct place *old = o->table;
	uint64_t count = old ? o->mask + 1 : 0;

	o->mask = count ? count * 2 - 1 : 65535;
	o->table = ht_xcalloc(o->mask + 1, sizeof *o->table);
	for (uint64_t i = 0; i < count; i++)
		if (old[i].address)
			*find(o, old[i].image, old[i].address) = old[i];
	free(old);
}

static struct place *place_of(struct order *o, uint32_t image, uint64_t address)
{
	struct place *p;

	if (!o->table || o->used * 2 > o->mask)
		grow(o);
	p = find(o, image, address);
	if (!p->address) {
		*p = (struct place){address, image, UINT32_MAX, false};
		o->used++;
	}
	return p;
}

static void see_birth(struct order *o, uint32_t image, const struct ht_event *e)
{
	struct place *p = place_of(o, image, e->address);

	born(&o->blocks, e);
	o->births++;
	if (p->live)
		differs("birth %" PRIu64 " at the live address %#" PRIx64, e->seq, e->address);
	o->passed_on += p->freed_by != UINT32_MAX && p->freed_by != e->thread;
	p->live = true;
}

static void see_death(struct order *o, uint32_t image, const struct ht_event *e)
{
	struct block *b = block_of(&o->blocks, e->seq);

	o->deaths++;
	o->implied += e->op == HT_OP_IMPLIED_FREE;
	if (!b || !b->live) {
		differs("death of block %" PRIu64 ", which is not alive", e->seq);
		return;
	}
	b->live = false;
	struct place *p = place_of(o, image, b->address);
	p->live = false;
	p->freed_by = e->thread;
	if (e->op == HT_OP_REALLOC_FREE)
		o->pending[e->thread] = e->seq + 1;
}

static void undo(struct order *o, uint32_t image, const struct ht_event *e)
{
	struct block *b =
	    o->pending[e->thread] ? block_of(&o->blocks, o->pending[e->thread] - 1) : NULL;

	o->pending[e->thread] = 0;
	if (!b)
		return; /* it undoes the death of an unknown block */
	o->deaths--;
	b->live = true;
	struct place *p = place_of(o, image, b->address);
	if (p->live)
		differs("a realloc that is undone left address %#" PRIx64 " to another birth",
			b->address);
	p->live = true;
}

static void see(void *ctx, const struct ht_trace *t, const struct ht_event *e)
{
	struct order *o = ctx;
	uint32_t image = ht_trace_thread(t, e->thread)->image;

	if (ht_op_is_birth(e->op))
		see_birth(o, image, e);
	else if (ht_op_is_death(e->op))
		see_death(o, image, e);
	else if (e->op == HT_OP_REALLOC_UNDO)
		undo(o, image, e);
	else if (e->op == HT_OP_FREE_UNKNOWN || e->op == HT_OP_REALLOC_FREE_UNKNOWN)
		o->unknown++;
}

int check_order(const struct ht_trace *t)
{
	struct order o = {.pending = ht_xcalloc(ht_trace_thread_count(t) + 1, sizeof *o.pending)};

	for_each_event(t, see, &o);
	printf("births=%" PRIu64 " deaths=%" PRIu64 " implied=%" PRIu64 " unknown=%" PRIu64
	       " passed_on=%" PRIu64 " differences=%" PRIu64 "\n",
	       o.births, o.deaths, o.implied, o.unknown, o.passed_on, differences);
	free(o.pending);
	free(o.table);
	free(o.blocks.items);
	return differences != 0;
}
