/*
 * timedump: what a trace says of where time went, one JSON object a line, for jq.
 *
 *	timedump TRACE
 *
 *	{"wait": KIND, "call", "outcome", "tid", "thread", "fd", "object", "begin", "end", "detail", "depth"}
 *	{"wake": KIND, "call", "tid", "object", "time"}
 *	{"stall": OP, "bound", "tid", "begin", "end", "address", "size", "depth"}
 *	{"fault": ADDRESS, "tid", "time"}
 *
 * Objects and addresses are strings (jq's numbers are doubles); depth: frames of the stack. Ends with status 1 when a
 * record cannot be right: an unknown name, an end before its begin, a stack that is nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "trace.h"

static const struct ht_trace *trace;
static unsigned wrong;

static void complain(const char *what)
{
	if (wrong++ < 10)
		fprintf(stderr, "timedump: %s\n", what);
}

static uint32_t tid(uint32_t thread)
{
	const struct ht_thread_info *t = ht_trace_thread(trace, thread);
	if (!t)
		complain("a record of no thread");
	return t ? t->tid : 0;
}

static unsigned depth(uint32_t node)
{
	const struct ht_stack_node *nodes = ht_trace_nodes(trace);
	unsigned n = 0;
	for (; node; node = nodes[node].parent)
		n++;
	return n;
}

static const char *word(const char *const *names, unsigned i, unsigned count)
{
	if (i >= count) {
		complain("a number without a name");
		return "?";
	}
	return names[i];
}

static void waits(const struct ht_time_records *r)
{
	for (size_t i = 0; i < r->wait_count; i++) {
		const struct ht_wait *w = &r->waits[i];
		if (w->end_ns < w->begin_ns)
			complain("a wait that ends before it begins");
		printf("{\"wait\":\"%s\",\"call\":\"%s\",\"outcome\":\"%s\",\"tid\":%u,\"thread\":%u,\"fd\":%d,"
		       "\"object\":\"%" PRIu64 "\",\"begin\":%" PRIu64 ",\"end\":%" PRIu64 ",\"detail\":%" PRIu64
		       ",\"depth\":%u}\n",
		       word(ht_wait_kind_names, w->kind, HT_WAIT_KINDS), word(ht_wait_call_names, w->call, HT_CALL_COUNT),
		       word(ht_outcome_names, w->outcome, HT_OUTCOMES), tid(w->thread), w->thread, w->fd, w->object,
		       w->begin_ns, w->end_ns, w->detail, depth(w->stack));
	}
	for (size_t i = 0; i < r->wake_count; i++) {
		const struct ht_wake *w = &r->wakes[i];
		printf("{\"wake\":\"%s\",\"call\":\"%s\",\"tid\":%u,\"object\":\"%" PRIu64 "\",\"time\":%" PRIu64 "}\n",
		       word(ht_wait_kind_names, w->kind, HT_WAIT_KINDS), word(ht_wait_call_names, w->call, HT_CALL_COUNT),
		       tid(w->thread), w->object, w->time_ns);
	}
}

static void stalls(const struct ht_time_records *r)
{
	for (size_t i = 0; i < r->stall_count; i++) {
		const struct ht_stall *s = &r->stalls[i];
		if (s->end_ns < s->begin_ns)
			complain("a stall that ends before it begins");
		printf("{\"stall\":%u,\"bound\":%s,\"tid\":%u,\"begin\":%" PRIu64 ",\"end\":%" PRIu64
		       ",\"address\":\"%" PRIu64 "\",\"size\":%" PRIu64 ",\"depth\":%u}\n",
		       s->op, s->bound ? "true" : "false", tid(s->thread), s->begin_ns, s->end_ns, s->address, s->size,
		       depth(s->stack));
	}
	for (size_t i = 0; i < r->fault_count; i++)
		printf("{\"fault\":\"%" PRIu64 "\",\"tid\":%u,\"time\":%" PRIu64 "}\n", r->faults[i].address,
		       tid(r->faults[i].thread), r->faults[i].time_ns);
}

int main(int argc, char **argv)
{
	struct ht_trace *t;
	struct ht_time_records r = {0};
	struct ht_diag d = {0};
	if (argc != 2) {
		fprintf(stderr, "usage: timedump TRACE\n");
		return 2;
	}
	if (ht_trace_open(&t, argv[1], &d) < 0) {
		fprintf(stderr, "timedump: %s\n", d.text);
		return 1;
	}
	trace = t;
	for (size_t i = 0; i < ht_trace_time_block_count(t); i++) {
		if (ht_trace_time_decode(t, i, &r, &d) < 0) {
			complain(d.text);
			continue;
		}
		waits(&r);
		stalls(&r);
	}
	ht_time_records_release(&r);
	ht_trace_close(t);
	return wrong != 0;
}
