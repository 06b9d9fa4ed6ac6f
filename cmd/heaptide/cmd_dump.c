/*
 * dump: events as text, one line each, in the trace's order; for people and for tests. The shape
 * of a line is a promise (heaptide-dump(1)): fields are only added at its end.
 *
 *	0.000012345  4711/4713  malloc  seq=12 size=64 address=0x55… stack=18
 *
 * Where time went (dump_times.c) stands between, block by block as in the file: those lines' times are later, mostly.
 *
 * Blocks are decoded one after the other; damaged ones are skipped, and said at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "dump_stacks.h"
#include "dump_tables.h"
#include "dump_times.h"
#include "facts.h"
#include "progress.h"
#include "reading.h"
#include "text.h"
#include "utf8.h"

static struct {
	const char *output;
	uint64_t limit;
	bool stacks, symbols, tables;
	struct ht_string_list ops;
} settings;

static const struct ht_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = HT_OPTION_STRING,
     .value = &settings.output,
     .argument = "FILE",
     .help = "write to FILE instead of standard output"},
    {.name = "limit",
     .letter = 'n',
     .kind = HT_OPTION_NUMBER,
     .value = &settings.limit,
     .argument = "N",
     .help = "at most N events; 0: all",
     .fallback = "0"},
    {.name = "op",
     .kind = HT_OPTION_LIST,
     .value = &settings.ops,
     .argument = "NAME",
     .help = "only events of this kind: malloc, free, realloc, fork, wait, switch, ..."},
    {.name = "stacks",
     .kind = HT_OPTION_FLAG,
     .value = &settings.stacks,
     .help = "print each event's stack below it, a frame a line"},
    {.name = "symbols",
     .kind = HT_OPTION_FLAG,
     .value = &settings.symbols,
     .help = "with --stacks: functions and lines instead of module and address"},
    {.name = "tables",
     .kind = HT_OPTION_FLAG,
     .value = &settings.tables,
     .help = "print images, threads, modules and RSS samples first"},
    {0},
};
static const struct ht_option *const tables[] = {options, ht_range_options, ht_symbol_options,
						 NULL};

struct dump {
	struct ht_trace *t;
	struct ht_output out;
	struct ht_selection selection;
	bool ops[256];		   /* wanted */
	bool *threads;		   /* wanted, by id */
	struct ht_analysis *names; /* --symbols */
	struct ht_dump_times times;
	uint64_t printed;
	uint64_t damaged; /* blocks that could not be decoded */
};

static int choose_ops(struct dump *p, struct ht_diag *d)
{
	const char *names[HT_OP_COUNT + HT_DUMP_TIMES + 1];
	size_t n = 0;
	for (size_t i = 0; i < HT_OP_COUNT; i++)
		if (ht_op_info[i].name[0])
			names[n++] = ht_op_info[i].name;
	for (size_t i = 0; i < HT_DUMP_TIMES; i++)
		names[n++] = ht_dump_time_names[i];
	names[n] = NULL;
	memset(p->times.wanted, settings.ops.count == 0, sizeof(p->times.wanted));
	memset(p->ops, settings.ops.count == 0, sizeof(p->ops));
	for (size_t k = 0; k < settings.ops.count; k++) {
		const char *want = settings.ops.items[k];
		bool found = false;
		for (size_t i = 0; i < HT_OP_COUNT; i++) {
			if (strcmp(ht_op_info[i].name, want) || !*want)
				continue;
			p->ops[i] = found = true;
		}
		for (size_t i = 0; i < HT_DUMP_TIMES; i++)
			if (!strcmp(ht_dump_time_names[i], want))
				p->times.wanted[i] = found = true;
		const char *near = found ? NULL : ht_nearest_word(want, names);
		if (!found && near)
			return ht_fail(d, HT_ERR_USAGE,
				       "--op: unknown kind '%s' (did you mean '%s'?)", want, near);
		if (!found)
			return ht_fail(d, HT_ERR_USAGE, "--op: unknown kind '%s'", want);
	}
	return 0;
}

static void choose_threads(struct dump *p)
{
	uint32_t n = ht_trace_thread_count(p->t);
	p->threads = ht_xcalloc(n, sizeof(*p->threads));
	for (uint32_t i = 0; i < n; i++)
		p->threads[i] = ht_reading_thread_selected(p->t, &p->selection, i);
}

/* A line under construction; it has room for every field of an event at its longest. */
struct line {
	char s[400];
	size_t n;
	const char
	    *between; /* two spaces in front of the first field, one in front of the others */
};

static void field(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void field(struct line *l, const char *fmt, ...)
{
	va_list ap;
	l->n += (size_t)snprintf(l->s + l->n, sizeof(l->s) - l->n, "%s", l->between);
	va_start(ap, fmt);
	l->n += (size_t)vsnprintf(l->s + l->n, sizeof(l->s) - l->n, fmt, ap);
	va_end(ap);
	l->between = " ";
}

static void event_fields(struct line *l, const struct ht_event *e, unsigned columns)
{
	if (columns & (HT_OP_HAS_BIRTH | HT_OP_HAS_FREED))
		field(l, "seq=%llu", (unsigned long long)e->seq);
	if (columns & HT_OP_HAS_SIZE)
		field(l, "size=%llu", (unsigned long long)e->size);
	if (e->address)
		field(l, "address=0x%llx", (unsigned long long)e->address);
	if (columns & HT_OP_HAS_EXTRA)
		field(l, "extra=%llu", (unsigned long long)e->extra);
	if (columns & HT_OP_HAS_EXTRA2)
		field(l, "extra2=%llu", (unsigned long long)e->extra2);
	if (e->stack)
		field(l, "stack=%u", e->stack);
	if (e->unpaired)
		field(l, "unpaired");
	if (e->new_machine)
		field(l, "new_machine");
}

/* ` text="parse"`: the string behind an id, on one line whatever is in it. */
static void string_field(struct dump *p, const char *key, uint64_t id)
{
	struct ht_buf clean = {0};
	size_t n = 0;
	const char *s = id <= UINT32_MAX ? ht_trace_string(p->t, (uint32_t)id, &n) : "";
	ht_text_clean_n(&clean, s, n);
	ht_buf_byte(&clean, '\0');
	ht_buf_printf(&p->out.buf, " %s=", key);
	ht_json_string(&p->out.buf, (const char *)clean.data);
	ht_buf_release(&clean);
}

static void print_event(struct dump *p, const struct ht_event *e)
{
	const struct ht_thread_info *thread = ht_trace_thread(p->t, e->thread);
	const struct ht_image *image = thread ? ht_trace_image(p->t, thread->image) : NULL;
	const struct ht_op_info *op = e->op < HT_OP_COUNT ? &ht_op_info[e->op] : &ht_op_info[0];
	struct line l = {.between = ""};
	field(&l, "%llu.%09llu%s  %u/%u  ", (unsigned long long)(e->time / 1000000000),
	      (unsigned long long)(e->time % 1000000000), e->stamped ? "" : "~",
	      image ? image->pid : 0, thread ? thread->tid : 0);
	l.between = "";
	if (op->name[0])
		field(&l, "%s", op->name);
	else
		field(&l, "op%u", e->op);
	l.between = "  ";
	event_fields(&l, e, op->columns);
	ht_buf_append(&p->out.buf, l.s, l.n);
	if (op->columns & HT_OP_EXTRA_STRING)
		string_field(p, "text", e->extra);
	if ((op->columns & HT_OP_EXTRA2_STRING) && e->extra2)
		string_field(p, "text2", e->extra2);
	ht_buf_byte(&p->out.buf, '\n');
	if (settings.stacks && e->stack)
		ht_dump_stack(&p->out.buf, p->t, p->names ? p->names->stacks : NULL, e->stack);
	ht_output_flush_some(&p->out);
	p->printed++;
}

static bool done(const struct dump *p)
{
	return (settings.limit && p->printed + p->times.printed >= settings.limit) || p->out.error;
}

/* Those whose place in the file is before the block of that number. */
static size_t print_times(struct dump *p, size_t i, uint32_t before)
{
	for (; i < ht_trace_time_block_count(p->t) && !done(p); i++) {
		if (ht_trace_time_block(p->t, i)->sequence >= before)
			break;
		p->times.limit = settings.limit ? settings.limit - p->printed : 0;
		p->damaged += ht_dump_time_block(&p->times, i) < 0;
	}
	return i;
}

static void print_events(struct dump *p)
{
	struct ht_events events = {0};
	size_t times = 0;
	/* Lines that run over a terminal are progress enough. */
	bool quiet = !p->out.path && isatty(STDOUT_FILENO);
	for (size_t i = 0; i < ht_trace_block_count(p->t) && !done(p); i++) {
		const struct ht_block_info *b = ht_trace_block(p->t, i);
		if (!quiet)
			ht_progress(NULL, "events", i, ht_trace_block_count(p->t));
		times = print_times(p, times, b->sequence);
		if (b->last_ns < p->selection.from_ns || b->first_ns > p->selection.to_ns)
			continue;
		if (ht_trace_block_decode(p->t, i, &events, NULL)) {
			p->damaged++;
			continue;
		}
		for (size_t k = 0; k < events.count && !done(p); k++) {
			const struct ht_event *e = &events.items[k];
			if (e->time >= p->selection.from_ns && e->time <= p->selection.to_ns &&
			    p->ops[e->op] && p->threads[e->thread])
				print_event(p, e);
		}
	}
	print_times(p, times, UINT32_MAX);
	ht_progress_end();
	ht_events_release(&events);
	ht_time_records_release(&p->times.records);
}

/* Names of frames come from the analysis: it resolves all that the trace mentions, at once. */
static int prepare(struct dump *p, struct ht_diag *d)
{
	struct ht_analysis_options o;
	ht_analysis_options_init(&o);
	o.sites = true;
	o.symbols = true;
	int r = choose_ops(p, d);
	if (!r && settings.symbols && !settings.stacks)
		r = ht_fail(d, HT_ERR_USAGE, "--symbols: no effect without --stacks");
	if (!r)
		r = ht_reading_options(p->t, &o, d);
	if (r)
		return ht_give_up(r, d);
	p->selection = o.selection;
	choose_threads(p);
	r = settings.stacks && settings.symbols ? ht_reading_analyze(&p->names, p->t, &o) : 0;
	p->times.t = p->t;
	p->times.out = &p->out;
	p->times.selection = &p->selection;
	p->times.threads = p->threads;
	p->times.stacks = settings.stacks;
	p->times.names = p->names ? p->names->stacks : NULL;
	return r;
}

static int run(int argc, char **argv)
{
	struct dump p = {0};
	struct ht_diag d = {0};
	(void)argc;
	int status = ht_reading_open(&p.t, argv[0]);
	if (status)
		return status;
	status = prepare(&p, &d);
	if (!status) {
		int r = ht_output_open(&p.out, settings.output, argv[0], &d);
		if (!r) {
			if (settings.tables)
				ht_dump_tables(&p.out.buf, p.t);
			print_events(&p);
			r = ht_output_close(&p.out, &d);
		}
		status = r ? ht_give_up(r, &d) : ht_reading_status(p.t);
		if (p.damaged > 1)
			ht_warn("%s: %s blocks of events were skipped", argv[0],
				ht_text_count(p.damaged).s);
	}
	if (p.names)
		ht_analysis_free(p.names);
	free(p.threads);
	ht_trace_close(p.t);
	return status;
}

const struct ht_command ht_cmd_dump = {
    .name = "dump",
    .purpose = HT_PURPOSE_READ,
    .arguments = "TRACE",
    .summary = "print the events as text, one a line",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
