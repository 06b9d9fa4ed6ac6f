/*
 * dump_times: see dump_times.h. The first time of a line is when it was over; two kinds that share a block stand in
 * one order of time.
 *
 *	0.004712345  4711/4713  wait  kind=mutex call=pthread_mutex_lock outcome=ok begin=0.004711002 object=0x55…
 *stack=18
 */
#include "dump_times.h"

#include "dump_stacks.h"

#define NS 1000000000ull

const char *const ht_dump_time_names[HT_DUMP_TIMES] = {
    [HT_DUMP_WAIT] = "wait",   [HT_DUMP_WAKE] = "wake",	    [HT_DUMP_STALL] = "stall",
    [HT_DUMP_FAULT] = "fault", [HT_DUMP_SWITCH] = "switch", [HT_DUMP_SCHEDSTAT] = "schedstat",
};

/* Is it one to print? Then its line is begun. */
static bool begin_line(struct ht_dump_times *p, enum ht_dump_time what, uint64_t time, uint32_t thread)
{
	if (!p->wanted[what] || time < p->selection->from_ns || time > p->selection->to_ns || !p->threads[thread] ||
	    p->out->error || (p->limit && p->printed >= p->limit))
		return false;
	const struct ht_thread_info *t = ht_trace_thread(p->t, thread);
	const struct ht_image *image = t ? ht_trace_image(p->t, t->image) : NULL;
	ht_buf_printf(&p->out->buf, "%llu.%09llu  %u/%u  %s ", (unsigned long long)(time / NS),
		      (unsigned long long)(time % NS), image ? image->pid : 0, t ? t->tid : 0,
		      ht_dump_time_names[what]);
	return true;
}

static void end_line(struct ht_dump_times *p, uint32_t stack)
{
	if (stack)
		ht_buf_printf(&p->out->buf, " stack=%u", stack);
	ht_buf_byte(&p->out->buf, '\n');
	if (p->stacks && stack)
		ht_dump_stack(&p->out->buf, p->t, p->names, stack);
	ht_output_flush_some(p->out);
	p->printed++;
}

static void word(struct ht_dump_times *p, const char *key, const char *value)
{
	if (*value)
		ht_buf_printf(&p->out->buf, " %s=%s", key, value);
}

static void number(struct ht_dump_times *p, const char *key, uint64_t v)
{
	ht_buf_printf(&p->out->buf, " %s=%llu", key, (unsigned long long)v);
}

static void hex(struct ht_dump_times *p, const char *key, uint64_t v)
{
	if (v)
		ht_buf_printf(&p->out->buf, " %s=0x%llx", key, (unsigned long long)v);
}

static void moment(struct ht_dump_times *p, const char *key, uint64_t ns)
{
	ht_buf_printf(&p->out->buf, " %s=%llu.%09llu", key, (unsigned long long)(ns / NS),
		      (unsigned long long)(ns % NS));
}

static void flags(struct ht_dump_times *p, unsigned v)
{
	ht_buf_printf(&p->out->buf, "%s%s", v & HT_WAITED_SHARED ? " shared" : "", v & HT_WAITED_ALL ? " all" : "");
}

static void print_wait(struct ht_dump_times *p, const struct ht_wait *r)
{
	if (!begin_line(p, HT_DUMP_WAIT, r->end_ns, r->thread))
		return;
	word(p, "kind", ht_wait_kind_names[r->kind]);
	word(p, "call", ht_wait_call_names[r->call]);
	word(p, "outcome", ht_outcome_names[r->outcome]);
	moment(p, "begin", r->begin_ns);
	if (r->fd >= 0)
		number(p, "fd", (uint64_t)r->fd);
	hex(p, "object", r->object);
	if (r->detail)
		number(p, "detail", r->detail);
	flags(p, r->flags);
	end_line(p, r->stack);
}

static void print_wake(struct ht_dump_times *p, const struct ht_wake *r)
{
	if (!begin_line(p, HT_DUMP_WAKE, r->time_ns, r->thread))
		return;
	word(p, "kind", ht_wait_kind_names[r->kind]);
	word(p, "call", ht_wait_call_names[r->call]);
	hex(p, "object", r->object);
	flags(p, r->flags);
	end_line(p, r->stack);
}

static void print_stall(struct ht_dump_times *p, const struct ht_stall *r)
{
	if (!begin_line(p, HT_DUMP_STALL, r->end_ns, r->thread))
		return;
	word(p, "op", ht_op_info[r->op].name);
	moment(p, "begin", r->begin_ns);
	number(p, "size", r->size);
	hex(p, "address", r->address);
	if (r->bound)
		ht_buf_printf(&p->out->buf, " bound");
	end_line(p, r->stack);
}

static void print_fault(struct ht_dump_times *p, const struct ht_fault *r)
{
	if (!begin_line(p, HT_DUMP_FAULT, r->time_ns, r->thread))
		return;
	hex(p, "address", r->address);
	end_line(p, r->stack);
}

static void print_switch(struct ht_dump_times *p, const struct ht_switch *r)
{
	static const char *const how[] = {
	    [HT_SWITCH_IN] = "in", [HT_SWITCH_BLOCKED] = "blocked", [HT_SWITCH_PREEMPTED] = "preempted"};
	if (!begin_line(p, HT_DUMP_SWITCH, r->time_ns, r->thread))
		return;
	word(p, "how", how[r->how]);
	number(p, "cpu", r->cpu);
	end_line(p, 0);
}

static void print_schedstat(struct ht_dump_times *p, const struct ht_schedstat *r)
{
	if (!begin_line(p, HT_DUMP_SCHEDSTAT, r->time_ns, r->thread))
		return;
	number(p, "running", r->running_ns);
	number(p, "runnable", r->runnable_ns);
	number(p, "slices", r->slices);
	end_line(p, 0);
}

/* Two arrays in one order of time; of equal times the first one's first. */
#define MERGE(a, a_count, a_time, print_a, b, b_count, b_time, print_b)                                                \
	for (size_t i = 0, k = 0; i < (a_count) || k < (b_count);) {                                                   \
		if (k == (b_count) || (i < (a_count) && (a)[i].a_time <= (b)[k].b_time))                               \
			print_a(p, &(a)[i++]);                                                                         \
		else                                                                                                   \
			print_b(p, &(b)[k++]);                                                                         \
	}

int ht_dump_time_block(struct ht_dump_times *p, size_t block)
{
	const struct ht_time_block *b = ht_trace_time_block(p->t, block);
	struct ht_time_records *r = &p->records;
	bool any = false;
	for (unsigned i = 0; i < HT_DUMP_TIMES; i++)
		any |= p->wanted[i];
	if (!any || b->last_ns < p->selection->from_ns || b->first_ns > p->selection->to_ns)
		return 0;
	int err = ht_trace_time_decode(p->t, block, r, NULL);
	if (err)
		return err;
	MERGE(r->waits, r->wait_count, end_ns, print_wait, r->wakes, r->wake_count, time_ns, print_wake);
	MERGE(r->stalls, r->stall_count, end_ns, print_stall, r->faults, r->fault_count, time_ns, print_fault);
	MERGE(r->switches, r->switch_count, time_ns, print_switch, r->schedstats, r->schedstat_count, time_ns,
	      print_schedstat);
	return 0;
}
