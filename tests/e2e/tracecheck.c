/*
 * tracecheck ledger TRACE LEDGER	the trace holds, thread by thread, exactly the calls in
 * htload's ledger
 * tracecheck killed TRACE LEDGER	the same of a killed htload: at most one call more per
 * thread tracecheck order TRACE		per address, birth and death alternate tracecheck
 * blocks TRACE		prints where each block of events begins in the file tracecheck size TRACE
 * BYTES		prints the births and deaths of blocks of that size
 */
#include "tracecheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t differences;

void differs(const char *format, ...)
{
	va_list args;

	if (differences++ >= 10)
		return;
	va_start(args, format);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

struct ht_trace *open_trace(const char *path)
{
	struct ht_diag diag = {"", ""};
	struct ht_trace *t;

	if (ht_trace_open(&t, path, &diag) != 0) {
		fprintf(stderr, "tracecheck: %s\n", diag.text);
		exit(1);
	}
	return t;
}

void for_each_event(const struct ht_trace *t, event_function *f, void *ctx)
{
	struct ht_events events = {0};
	struct ht_diag diag = {"", ""};

	for (size_t i = 0; i < ht_trace_block_count(t); i++) {
		if (ht_trace_block_decode(t, i, &events, &diag) != 0)
			differs("block %zu: %s", i, diag.text);
		for (size_t k = 0; k < events.count; k++)
			f(ctx, t, &events.items[k]);
	}
	ht_events_release(&events);
}

struct block *born(struct blocks *b, const struct ht_event *e)
{
	if (e->seq != b->count)
		differs("birth %" PRIu64 " stands where %" PRIu64 " should", e->seq, b->count);
	if (b->count == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 4096;
		b->items = ht_xrealloc(b->items, b->cap, sizeof *b->items);
	}
	b->items[b->count] = (struct block){e->address, e->size, e->thread, true, false};
	return &b->items[b->count++];
}

struct block *block_of(struct blocks *b, uint64_t seq)
{
	return seq < b->count ? &b->items[seq] : NULL;
}

/* --- size
 * ----------------------------------------------------------------------------------------- */

struct size_count {
	struct blocks blocks;
	uint64_t size, births, deaths;
};

static void count_event(void *ctx, const struct ht_trace *t, const struct ht_event *e)
{
	struct size_count *c = ctx;
	struct block *b;

	(void)t;
	if (ht_op_is_birth(e->op))
		c->births += born(&c->blocks, e)->size == c->size;
	else if (ht_op_is_death(e->op) && (b = block_of(&c->blocks, e->seq)))
		c->deaths += b->size == c->size;
}

int count_size(const struct ht_trace *t, uint64_t size)
{
	struct size_count c = {.size = size};

	for_each_event(t, count_event, &c);
	printf("%" PRIu64 " %" PRIu64 "\n", c.births, c.deaths);
	free(c.blocks.items);
	return differences != 0;
}

static int print_blocks(const struct ht_trace *t)
{
	for (size_t i = 0; i < ht_trace_block_count(t); i++)
		printf("%" PRIu64 "\n", ht_trace_block(t, i)->offset);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	struct ht_trace *t;
	int status = 2;

	if (argc < 3) {
		fputs("usage: tracecheck ledger|killed|order|blocks|size TRACE [LEDGER|BYTES]\n",
		      stderr);
		return 2;
	}
	t = open_trace(argv[2]);
	if ((!strcmp(what, "ledger") || !strcmp(what, "killed")) && argc == 4)
		status = check_ledger(t, argv[3], what[0] == 'k');
	else if (!strcmp(what, "order") && argc == 3)
		status = check_order(t);
	else if (!strcmp(what, "blocks") && argc == 3)
		status = print_blocks(t);
	else if (!strcmp(what, "size") && argc == 4)
		status = count_size(t, strtoull(argv[3], NULL, 0));
	ht_trace_close(t);
	return status;
}
