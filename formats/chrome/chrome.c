/*
 * chrome: the exporter: how much of the timeline fits, who is who, counters, tasks. Numbers of events are known before
 * one is written: they are counted over slices of time, and the last slice that fits is the last that is written.
 */
#include "chrome.h"

#include <stdio.h>
#include <stdlib.h>

#include "chrome_out.h"

enum { CUT_SLICES = 4096 };

/* --- how much fits -------------------------------------------------------------------------- */

struct tally {
	uint64_t from_ns, width_ns;
	uint64_t events[CUT_SLICES], all;
};

static void add(struct tally *y, uint64_t ns, unsigned events)
{
	uint64_t slice = ns > y->from_ns ? (ns - y->from_ns) / y->width_ns : 0;
	y->events[slice < CUT_SLICES ? slice : CUT_SLICES - 1] += events;
	y->all += events;
}

/* Each thing where it begins, with as many events as it may take; an arrow takes four. */
static void count_events(struct tally *y, const struct ht_timeline *t)
{
	for (size_t i = 0; i < t->slice_count; i++)
		add(y, t->slices[i].begin_ns, 1);
	for (size_t i = 0; i < t->arrow_count; i++)
		add(y, t->arrows[i].from_ns, 4);
	for (size_t i = 0; i < t->instant_count; i++)
		add(y, t->instants[i].time_ns, 1);
	for (size_t i = 0; i < t->span_count; i++)
		add(y, t->spans[i].begin_ns, t->spans[i].state != HT_TIMELINE_UNKNOWN);
	for (size_t i = 0; i < t->task_count; i++) {
		add(y, t->tasks[i].begin_ns, 2);
		for (size_t p = 0; p < t->tasks[i].piece_count; p++)
			add(y, t->tasks[i].pieces[p].begin_ns, 1);
	}
	for (size_t i = 0; i < t->counter_count; i++)
		for (size_t p = 0; p < t->counters[i].point_count; p++)
			add(y, (uint64_t)t->counters[i].points[p].time_ns, 1);
}

/* The instant from which on nothing is written; *left_out: events, as far as they can be told beforehand. */
static uint64_t cut(const struct ht_timeline *t, uint64_t most_events, uint64_t *left_out)
{
	struct tally *y = ht_xcalloc(1, sizeof(*y));
	uint64_t kept = 0, cut_ns = UINT64_MAX;
	y->from_ns = t->from_ns;
	y->width_ns = (t->to_ns > t->from_ns ? t->to_ns - t->from_ns : 0) / CUT_SLICES + 1;
	count_events(y, t);
	*left_out = 0;
	for (size_t i = 0; i < CUT_SLICES && y->all > most_events; i++) {
		if (kept + y->events[i] > most_events) {
			cut_ns = y->from_ns + i * y->width_ns;
			*left_out = y->all - kept;
			break;
		}
		kept += y->events[i];
	}
	free(y);
	return cut_ns;
}

/* --- who is who ----------------------------------------------------------------------------- */

struct holder {
	uint64_t number, begin_ns;
	uint32_t item;
};

static int by_number(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	return (x->item > y->item) - (x->item < y->item);
}

/* The viewers know a thread by its number alone: a later one of the same number gets another. */
static uint64_t *distinct(struct holder *h, size_t count)
{
	uint64_t *numbers = ht_xcalloc(count + 1, sizeof(*numbers)), again = 0;
	qsort(h, count, sizeof(*h), by_number);
	for (size_t i = 0; i < count; i++) {
		again = i && h[i - 1].number == h[i].number ? again + 1 : 0;
		numbers[h[i].item] = h[i].number + again * HT_CHROME_AGAIN;
	}
	free(h);
	return numbers;
}

static void number_all(struct ht_chrome *c)
{
	const struct ht_timeline *t = c->t;
	struct holder *p = ht_xcalloc(t->process_count + 1, sizeof(*p));
	struct holder *x = ht_xcalloc(t->thread_count + 1, sizeof(*x));
	for (uint32_t i = 0; i < t->process_count; i++)
		p[i] = (struct holder){t->processes[i].pid, t->processes[i].start_ns, i};
	for (uint32_t i = 0; i < t->thread_count; i++)
		x[i] = (struct holder){t->threads[i].tid, t->threads[i].start_ns, i};
	c->pids = distinct(p, t->process_count);
	c->tids = distinct(x, t->thread_count);
}

/* One metadata event: a name, or a place among the others (threads of a process in the order of the timeline). */
static void write_meta(struct ht_chrome *c, uint32_t process, uint32_t thread, const char *name, size_t place)
{
	struct ht_buf *b = ht_chrome_begin(c, 'M', process, thread);
	ht_buf_printf(b, ",\"name\":\"%s_%s\",\"args\":{", thread ? "thread" : "process", name ? "name" : "sort_index");
	if (name) {
		ht_buf_printf(b, "\"name\":");
		ht_json_string(b, name);
	} else {
		ht_buf_printf(b, "\"sort_index\":%zu", place);
	}
	ht_buf_byte(b, '}');
	ht_chrome_end(c);
}

static void write_names(struct ht_chrome *c)
{
	const struct ht_timeline *t = c->t;
	for (uint32_t i = 0; i < t->process_count; i++) {
		write_meta(c, i, 0, t->processes[i].name, 0);
		write_meta(c, i, 0, NULL, i);
	}
	for (uint32_t i = 0; i < t->thread_count; i++) {
		const struct ht_timeline_thread *x = &t->threads[i];
		char *name = c->tids[i] == x->tid ? NULL : ht_xasprintf("%s (%" PRIu32 ")", x->name, x->tid);
		write_meta(c, x->process, i + 1, name ? name : x->name, 0);
		write_meta(c, x->process, i + 1, NULL, i);
		free(name);
	}
}

/* --- counters and tasks --------------------------------------------------------------------- */

static void write_counters(struct ht_chrome *c)
{
	static const char *const units[] = {
		[HT_TIMELINE_COUNT] = "count", [HT_TIMELINE_BYTES] = "bytes", [HT_TIMELINE_PER_SECOND] = "per second"};
	for (size_t i = 0; i < c->t->counter_count; i++) {
		const struct ht_timeline_counter *x = &c->t->counters[i];
		for (size_t p = 0; p < x->point_count; p++) {
			uint64_t ns = (uint64_t)x->points[p].time_ns;
			if (ns >= c->cut_ns)
				break;
			struct ht_buf *b = ht_chrome_begin(c, 'C', x->process, 0);
			ht_chrome_time(b, "ts", ns > c->t->from_ns ? ns - c->t->from_ns : 0);
			ht_chrome_text(b, "name", x->name);
			ht_buf_printf(b, ",\"args\":{\"%s\":%" PRId64 "}", units[x->unit], x->points[p].bytes);
			ht_chrome_end(c);
		}
	}
}

static void write_task_event(struct ht_chrome *c, const struct ht_timeline_task *x, char phase, uint64_t ns,
			     const char *name)
{
	struct ht_buf *b = ht_chrome_on_thread(c, phase, x->thread, ns);
	ht_buf_printf(b, ",\"id\":\"0x%" PRIx64 "\",\"cat\":\"task\"", x->id);
	ht_chrome_text(b, "name", name);
	if (phase == 'b')
		ht_buf_printf(b, ",\"args\":{\"task\":%" PRIu64 "%s}", x->id,
			      x->ended ? "" : ",\"outcome\":\"not ended\"");
	ht_chrome_end(c);
}

/* A task is an asynchronous event; where it went on by another thread is a moment of it. */
static void write_tasks(struct ht_chrome *c)
{
	for (size_t i = 0; i < c->t->task_count; i++) {
		const struct ht_timeline_task *x = &c->t->tasks[i];
		uint64_t end_ns = x->end_ns > x->begin_ns ? x->end_ns : x->begin_ns;
		if (x->begin_ns >= c->cut_ns)
			continue;
		write_task_event(c, x, 'b', x->begin_ns, x->name);
		for (size_t p = 0; p < x->piece_count && x->pieces[p].begin_ns < c->cut_ns; p++) {
			const struct ht_timeline_thread *on = &c->t->threads[x->pieces[p].thread];
			uint64_t ns = x->pieces[p].begin_ns > x->begin_ns ? x->pieces[p].begin_ns : x->begin_ns;
			char *name = ht_xasprintf("on %s (%" PRIu32 ")", on->name, on->tid);
			write_task_event(c, x, 'n', ns < end_ns ? ns : end_ns, name);
			free(name);
		}
		write_task_event(c, x, 'e', end_ns, x->name);
	}
}

/* --- the exporter --------------------------------------------------------------------------- */

static void write_head(struct ht_chrome *c, uint64_t left_out, const char *note)
{
	struct ht_buf *b = &c->out.text;
	ht_buf_printf(b, "{\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"exporter\":\"heaptide\"");
	ht_chrome_text(b, "command", c->t->command);
	ht_chrome_text(b, "hostname", c->t->hostname);
	ht_buf_printf(b, ",\"start_utc_ns\":\"%" PRIu64 "\"", c->t->clock_utc_ns + c->t->from_ns);
	if (left_out)
		ht_chrome_text(b, "left_out", note);
	ht_buf_printf(b, "},\n\"traceEvents\":[");
}

int ht_chrome_write(const struct ht_timeline *t, uint64_t most_events, int fd, struct ht_diag *d)
{
	struct ht_chrome c = {.t = t, .out = {.fd = fd}};
	struct ht_timeline_order order;
	uint64_t left_out;
	char note[160] = "";
	c.cut_ns = cut(t, most_events, &left_out);
	if (left_out)
		snprintf(note, sizeof(note),
			 "%" PRIu64 " events from %.6f s on are left out: this format's viewers take about %" PRIu64,
			 left_out, (double)c.cut_ns / 1e9, most_events);
	number_all(&c);
	ht_timeline_order_init(&order, t);
	write_head(&c, left_out, note);
	write_names(&c);
	write_counters(&c);
	write_tasks(&c);
	ht_chrome_write_threads(&c, &order);
	ht_chrome_write_states(&c);
	ht_buf_printf(&c.out.text, "]}\n");
	ht_timeline_order_release(&order);
	free(c.pids);
	free(c.tids);
	int r = ht_sink_end(&c.out, d);
	if (!r && left_out) {
		ht_fail(d, HT_OK, "%s", note);
		ht_hint(d, "choose a part with --from and --to, or write a .pftrace");
	}
	return r;
}

static int write_timeline(const struct ht_timeline *t, int fd, struct ht_diag *d)
{
	return ht_chrome_write(t, HT_CHROME_EVENTS, fd, d);
}

const struct ht_exporter ht_chrome_exporter = {
	.name = "chrome",
	.extension = ".json",
	.summary = "a timeline for chrome://tracing, speedscope and Perfetto",
	.write_timeline = write_timeline,
};
