/*
 * traceforge: writes the trace that a faultless recorder would have made of a one-thread htload,
 *from its ledger, with one fault put in on purpose: so that the checks themselves can be checked.
 *
 *	traceforge LEDGER TRACE none|birth|death|size|address|late|implied|undo
 *
 * birth, death: one is left out. size, address: one is wrong. late: a death stands behind the next
 *birth at its address. implied: one death is said to have been implied. undo: a failed realloc
 *counts as a free.
 */
#include "htload_ledger.h"
#include "trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct forge {
	struct ht_trace_writer *w;
	const struct ledger_record *log;
	uint64_t count, at;
	const char *fault;
	bool done; /* the fault is in */
	struct ht_trace_totals totals;
	struct {
		uint64_t address, seq;
	} live[4096];
	uint64_t time;
};

/* The entry of a live address; of 0, a free one. */
static unsigned find(struct forge *g, uint64_t address)
{
	for (unsigned i = 0; i < HT_ARRAY_SIZE(g->live); i++)
		if (g->live[i].address == address)
			return i;
	fputs("traceforge: the ledger contradicts itself\n", stderr);
	exit(1);
}

/* True once, in the middle of the log, for the fault that was asked for. */
static bool now(struct forge *g, const char *fault)
{
	if (g->done || g->at < g->count / 2 || strcmp(fault, g->fault) != 0)
		return false;
	g->done = true;
	return true;
}

static void put(struct forge *g, struct ht_event e)
{
	e.time = g->time += 1000;
	e.stamped = true;
	ht_trace_writer_event(g->w, &e);
	g->totals.events++;
	g->totals.recorded++;
	g->totals.counted++;
}

static void put_birth(struct forge *g, const struct ledger_record *r)
{
	static const uint8_t ops[LEDGER_OPS] = {HT_OP_MALLOC,  HT_OP_CALLOC,  HT_OP_REALLOC,
						HT_OP_FREE,    HT_OP_ALIGNED, HT_OP_ALIGNED,
						HT_OP_ALIGNED, HT_OP_ALIGNED, HT_OP_ALIGNED};
	struct ht_event e = {
	    .op = ops[r->op], .size = r->size, .address = r->out, .extra = r->align};
	unsigned i = find(g, 0);

	g->live[i].address = r->out;
	g->live[i].seq = g->totals.births;
	if (now(g, "birth")) {
		g->live[i].seq = UINT64_MAX;
		return;
	}
	if (now(g, "size"))
		e.size++;
	if (now(g, "address"))
		e.address += 16;
	put(g, e);
	g->totals.births++;
	g->totals.requested_bytes += r->size;
}

static void put_death(struct forge *g, const struct ledger_record *r, uint8_t op, bool stays)
{
	unsigned i = find(g, r->in);
	uint64_t seq = g->live[i].seq;

	if (!stays)
		g->live[i].address = 0;
	if (seq == UINT64_MAX || (op == HT_OP_FREE && now(g, "death")))
		return;
	if (op == HT_OP_FREE && now(g, "implied"))
		op = HT_OP_IMPLIED_FREE;
	put(g, (struct ht_event){.op = op, .seq = seq});
	g->totals.deaths++;
}

static void put_call(struct forge *g, const struct ledger_record *r)
{
	const struct ledger_record *next = r + 1;
	bool failed_realloc = r->op == LEDGER_REALLOC && r->in && r->failed;

	/* The next call gets the address that this one frees: the late recorder notes it first. */
	if (r->op == LEDGER_FREE && r->in && g->at + 1 < g->count && next->out == r->in &&
	    !next->in && now(g, "late")) {
		put_birth(g, next);
		put_death(g, r, HT_OP_FREE, false);
		g->at++;
		return;
	}
	if (r->in)
		put_death(g, r, r->op == LEDGER_FREE ? HT_OP_FREE : HT_OP_REALLOC_FREE,
			  failed_realloc);
	if (failed_realloc && !now(g, "undo"))
		put(g, (struct ht_event){.op = HT_OP_REALLOC_UNDO});
	if (r->failed)
		put(g, (struct ht_event){.op = HT_OP_FAILED, .size = r->size});
	if (r->out)
		put_birth(g, r);
}

static const struct ledger_header *map_ledger(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *h;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	h = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return h == MAP_FAILED ? NULL : h;
}

int main(int argc, char **argv)
{
	struct ht_trace_settings settings = {.time_unit_ns = 1000,
					     .addresses = true,
					     .stack_depth = 256,
					     .clock = "tsc",
					     .sched = "",
					     .hostname = "",
					     .flags = ""};
	struct ht_diag diag = {"", ""};
	static struct forge g;
	const struct ledger_header *h;
	int fd;

	if (argc != 4 || !(h = map_ledger(argv[1])) || h->threads != 1)
		return 2;
	fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	g.w = fd < 0 ? NULL : ht_trace_writer_new(fd, &settings, &diag);
	if (!g.w) {
		fprintf(stderr, "traceforge: %s\n", diag.text);
		return 1;
	}
	g.fault = argv[3];
	g.log = ledger_log(h, 0);
	g.count = atomic_load(&ledger_books(h)[0].count);
	ht_trace_writer_image(
	    g.w, &(struct ht_image){.pid = (uint32_t)ledger_books(h)[0].pid, .wait_status = -1});
	ht_trace_writer_thread(g.w,
			       &(struct ht_thread_info){.tid = (uint32_t)ledger_books(h)[0].tid});
	put(&g, (struct ht_event){.op = HT_OP_IMAGE_START});
	for (; g.at < g.count; g.at++)
		put_call(&g, &g.log[g.at]);
	put(&g, (struct ht_event){.op = HT_OP_IMAGE_END, .extra = 1});
	if (ht_trace_writer_finish(g.w, &g.totals, 0, &diag) != 0) {
		fprintf(stderr, "traceforge: %s\n", diag.text);
		return 1;
	}
	if (!g.done && strcmp(g.fault, "none") != 0) {
		fprintf(stderr, "traceforge: no place for the fault '%s'\n", g.fault);
		return 1;
	}
	return 0;
}
