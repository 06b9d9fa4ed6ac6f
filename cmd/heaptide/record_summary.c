/* record_summary: see record_summary.h. The collector has counted everything as it went. Where it could not (a sample, whose
 * blocks stand for others, blocks of unknown end, a full disk), one pass of the analysis does, without sites. */
#include "record_summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyze.h"
#include "closure.h"
#include "command.h"
#include "emit.h"
#include "output.h"
#include "ring.h"
#include "text.h"

#define PEAK_FILE_MAX (256u << 20) /* reading more than this would make a person wait */

static uint64_t lost_events(const struct ht_trace_totals *t)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < HT_LOST_COUNT; i++)
		n += t->lost[i];
	return n;
}

bool ht_record_complete(const struct ht_recording *r)
{
	const struct ht_collect_result *c = &r->result;
	return r->has_result && c->attached && !c->failed && !c->size_limit && !c->running_count &&
	       !c->shadowed_by[0] && !lost_events(&c->totals) && !c->totals.exec_not_attached && !c->totals.off_reason;
}

/* What was written before the failure, which the collector noticed a little later. */
static uint64_t readable_ns(const struct ht_recording *r)
{
	struct ht_trace *t = NULL;
	uint64_t ns = r->result.stopped_ns;
	if (!ht_trace_open(&t, r->path, NULL))
		ns = ht_trace_duration_ns(t);
	ht_trace_close(t);
	return ns;
}

/* The hook sees that operator new is not the runtime's; whether anybody calls it, the files tell. */
static void complain_of_new(const char *program)
{
	struct ht_closure_new news;
	struct ht_diag d = {0};
	ht_closure_new(program, getenv("LD_PRELOAD"), &news);
	if (!news.used)
		return;
	ht_fail(&d, HT_ERR_SYSTEM, "%s: its operator new does not pass through malloc: allocations by new were not seen",
		program);
	ht_hint(&d, "record that program itself, not what starts it: then operator new is hooked, too");
	ht_message(&d);
}

void ht_record_complaints(const struct ht_recording *r)
{
	const struct ht_collect_result *c = &r->result;
	struct ht_diag d = {0};
	if (!r->has_result)
		ht_warn("%s: the collector died: the trace ends early; the program went on", r->path);
	else if (c->failed)
		ht_warn("%s: %s: recorded until %s; the program went on", r->path, c->failure,
			ht_text_ns(readable_ns(r)).s);
	else if (c->size_limit)
		ht_warn("%s: --max-file reached: recorded until %s; the program went on", r->path,
			ht_text_ns(c->stopped_ns).s);
	else if (!c->attached && c->refusal[0])
		ht_warn("%s: nothing was recorded: %s", r->command[0], c->refusal);
	else if (!c->attached) {
		ht_fail(&d, HT_ERR_SYSTEM, "%s: the hook was never loaded: nothing was recorded", r->command[0]);
		ht_hint(&d, "`heaptide doctor %s` says what can be recorded of it", r->command[0]);
		ht_message(&d);
	} else if (c->shadowed_by[0])
		ht_warn("%s: its malloc comes before the hook's: allocations were not seen", c->shadowed_by);
	else if (c->new_bypassed[0])
		complain_of_new(c->new_bypassed);
}

/* --- the summary -------------------------------------------------------------------------- */

struct numbers {
	uint64_t events; /* in the file */
	uint64_t allocations, frees, left_blocks, left_bytes;
	bool has_peak, exact;
	uint64_t peak_bytes, peak_ns;
	uint64_t rate, samples; /* rate 0: every allocation was recorded; samples 0: nothing is scaled */
	double allocations_error, peak_error, left_error; /* shares */
};

static double error_of(const struct ht_counters *c, enum ht_spread_of of, uint64_t value)
{
	return value ? ht_counters_stderr(c, of) / (double)value : 0;
}

/* By the analysis; by the footer alone when the file is large or cannot be read. */
static void read_numbers(const struct ht_recording *r, struct numbers *n)
{
	const struct ht_trace_totals *t = &r->result.totals;
	struct ht_trace *trace = NULL;
	struct ht_analysis *a = NULL;
	struct ht_analysis_options o;
	*n = (struct numbers){.events = t->recorded,
			      .allocations = t->births,
			      .frees = t->deaths - t->undone_reallocs,
			      .left_blocks = t->births - t->deaths + t->undone_reallocs};
	if (ht_trace_open(&trace, r->path, NULL))
		return;
	n->rate = ht_trace_settings(trace)->sample_bytes;
	if (r->result.file_bytes > PEAK_FILE_MAX) {
		ht_trace_close(trace);
		return;
	}
	uint64_t events = 0;
	for (size_t i = 0; i < ht_trace_block_count(trace); i++)
		events += ht_trace_block(trace, i)->events;
	ht_analysis_options_init(&o);
	o.sites = false;
	o.symbols = false;
	if (!ht_analyze(&a, trace, &o, NULL)) {
		*n = (struct numbers){
			.events = events,
			.allocations = a->totals.c.allocs,
			.frees = a->totals.c.frees,
			.left_blocks = a->totals.c.leaked_objects,
			.left_bytes = a->totals.c.leaked_bytes,
			.exact = true,
			.has_peak = a->totals.has_peak,
			.peak_bytes = a->totals.c.peak_bytes,
			.peak_ns = a->totals.peak_time_ns,
			.rate = a->sample_bytes,
			.samples = a->samples,
			.allocations_error = error_of(&a->totals.c, HT_SPREAD_ALLOCS, a->totals.c.allocs),
			.peak_error = error_of(&a->totals.c, HT_SPREAD_PEAK_BYTES, a->totals.c.peak_bytes),
			.left_error = error_of(&a->totals.c, HT_SPREAD_LEAKED_BYTES, a->totals.c.leaked_bytes),
		};
		ht_analysis_free(a);
	}
	ht_trace_close(trace);
}

static void find_numbers(const struct ht_recording *r, struct numbers *n)
{
	const struct ht_trace_totals *t = &r->result.totals;
	if (!t->levels_known || r->result.failed || r->settings.sample_bytes) {
		read_numbers(r, n);
		return;
	}
	*n = (struct numbers){
		.events = t->events,
		.allocations = t->births,
		.frees = t->births - t->left_blocks,
		.left_blocks = t->left_blocks,
		.left_bytes = t->left_bytes,
		.exact = true,
		.has_peak = t->peak_bytes > 0,
		.peak_bytes = t->peak_bytes,
		.peak_ns = t->peak_ns,
	};
}

static void headline(struct ht_buf *b, const struct ht_recording *r)
{
	const struct ht_collect_result *c = &r->result;
	ht_buf_printf(b, "heaptide: recorded ");
	ht_text_clean(b, r->command[0]);
	ht_buf_printf(b, " (pid %d", (int)r->pid);
	if (c->processes > 1)
		ht_buf_printf(b, " and %u %s", c->processes - 1, c->processes == 2 ? "child" : "children");
	ht_buf_printf(b, ") for %s into ", ht_text_ns(c->duration_ns).s);
	ht_text_clean(b, r->path);
	ht_buf_printf(b, " (%s)\n", ht_text_bytes(c->file_bytes).s);
}

static void cell(struct ht_buf *b, const char *label, const char *number, const char *rate)
{
	ht_buf_printf(b, "  %-11s %15s", label, number);
	ht_buf_printf(b, rate[0] ? " %10s" : " %10s", rate);
}

static void table(struct ht_buf *b, const struct ht_recording *r, const struct numbers *n)
{
	double seconds = (double)r->result.duration_ns / 1e9;
	if (!(r->settings.hook_options & HT_OPT_ALLOC)) {
		ht_buf_printf(b, "  allocations were not recorded (--events)\n");
		return;
	}
	cell(b, "allocations", ht_text_count(n->allocations).s,
	     seconds > 0 ? ht_text_rate((double)n->allocations / seconds).s : "");
	if (n->has_peak) {
		ht_buf_printf(b, "   peak      %s at %s", ht_text_bytes(n->peak_bytes).s, ht_text_ns(n->peak_ns).s);
		if (r->result.peak_rss)
			ht_buf_printf(b, " (RSS %s)", ht_text_bytes(r->result.peak_rss).s);
	}
	ht_buf_byte(b, '\n');
	cell(b, "frees", ht_text_count(n->frees).s, "");
	ht_buf_printf(b, "   not freed ");
	if (n->exact)
		ht_buf_printf(b, "%s in ", ht_text_bytes(n->left_bytes).s);
	ht_buf_printf(b, "%s %s\n", ht_text_count(n->left_blocks).s, n->left_blocks == 1 ? "block" : "blocks");
}

static void sampling(struct ht_buf *b, const struct numbers *n)
{
	if (!n->rate)
		return;
	ht_buf_printf(b, "  sampled: one per %s allocated", ht_text_bytes(n->rate).s);
	if (!n->samples) {
		ht_buf_printf(b, "; the numbers above are those of the samples\n");
		return;
	}
	ht_buf_printf(b, ", %s samples; estimates: allocations ±%s", ht_text_count(n->samples).s,
		      ht_text_share(n->allocations_error).s);
	ht_buf_printf(b, ", peak ±%s", ht_text_share(n->peak_error).s);
	ht_buf_printf(b, ", not freed ±%s\n", ht_text_share(n->left_error).s);
}

static void completeness(struct ht_buf *b, const struct ht_recording *r)
{
	const struct ht_collect_result *c = &r->result;
	const struct ht_trace_totals *t = &c->totals;
	double cpu = (double)r->usage.ru_utime.tv_sec + (double)r->usage.ru_stime.tv_sec +
		     ((double)r->usage.ru_utime.tv_usec + (double)r->usage.ru_stime.tv_usec) / 1e6;
	ht_buf_printf(b, "  %s: %s events, %s lost", ht_record_complete(r) ? "complete" : "incomplete",
		      ht_text_count(t->recorded).s, ht_text_count(lost_events(t)).s);
	const char *open = " (";
	for (unsigned i = 0; i < HT_LOST_COUNT; i++) {
		if (!t->lost[i])
			continue;
		ht_buf_printf(b, "%s%s %s", open, ht_text_count(t->lost[i]).s, ht_lost_names[i]);
		open = ", ";
	}
	ht_buf_printf(b, "%s, %s truncated stacks", *open == ',' ? ")" : "", ht_text_count(t->truncated_stacks).s);
	if (t->exec_not_attached)
		ht_buf_printf(b, ", %s %s not attached", ht_text_count(t->exec_not_attached).s,
			      t->exec_not_attached == 1 ? "program" : "programs");
	if (t->off_reason)
		ht_buf_printf(b, ", the hook turned itself off: %s",
			      ht_off_names[t->off_reason < HT_OFF_NAMES ? t->off_reason : 0]);
	if (cpu > 0.01)
		ht_buf_printf(b, " · collector %s of the target's CPU",
			      ht_text_share((double)t->collector_cpu_ns / 1e9 / cpu).s);
	ht_buf_byte(b, '\n');
	if (t->self_check_compared)
		ht_buf_printf(b, "  self-check: %s stacks compared, %s differences\n",
			      ht_text_count(t->self_check_compared).s, ht_text_count(t->self_check_differences).s);
	if (c->running_count) {
		ht_buf_printf(b, "  still running, no longer recorded:");
		for (uint32_t i = 0; i < c->running_count && i < HT_RUNNING_MAX; i++)
			ht_buf_printf(b, " %u", c->running[i]);
		ht_buf_printf(b, c->running_count > HT_RUNNING_MAX ? " and more (--wait=all waits for them)\n"
								   : " (--wait=all waits for them)\n");
	}
}

/* After a failed write, what was told is more than what the file holds. */
static void correct_totals(struct ht_recording *r, const struct numbers *n)
{
	struct ht_trace_totals *t = &r->result.totals;
	if (!r->result.failed || t->recorded <= n->events)
		return;
	t->lost[HT_LOST_FULL_DISK] += t->recorded - n->events;
	t->recorded = n->events;
}

void ht_record_summary(const struct ht_recording *recording)
{
	struct ht_recording copy = *recording, *r = &copy;
	struct ht_buf b = {0};
	struct numbers n;
	find_numbers(r, &n);
	correct_totals(r, &n);
	headline(&b, r);
	table(&b, r, &n);
	sampling(&b, &n);
	completeness(&b, r);
	ht_buf_printf(&b, "next: heaptide report ");
	ht_text_clean(&b, r->path);
	ht_buf_byte(&b, '\n');
	(void)!ht_write_all(STDERR_FILENO, b.data, b.len);
	ht_buf_release(&b);
}

/* --- the status file ---------------------------------------------------------------------- */

static void emit_status(struct ht_emitter *e, const struct ht_recording *r)
{
	bool ran = !r->exec_error;
	ht_emit_json(e, "pid", r->pid > 0 ? ht_number((uint64_t)r->pid) : ht_null());
	ht_emit_json(e, "exec_error", ran ? ht_null() : ht_string(strerror(r->exec_error)));
	if (ran && (WIFEXITED(r->wait_status) || WIFSIGNALED(r->wait_status))) {
		ht_emit_object(e, "exit_status");
		if (WIFEXITED(r->wait_status)) {
			ht_emit_json(e, "code", ht_number((uint64_t)WEXITSTATUS(r->wait_status)));
		} else {
			ht_emit_json(e, "signal", ht_number((uint64_t)WTERMSIG(r->wait_status)));
			ht_emit_json(e, "core_dumped", ht_bool(WCOREDUMP(r->wait_status)));
		}
		ht_emit_close(e);
	} else {
		ht_emit_json(e, "exit_status", ht_null());
	}
	ht_emit_json(e, "trace", ran && r->path ? ht_string(r->path) : ht_null());
	ht_emit_json(e, "complete", ht_bool(ht_record_complete(r)));
	ht_emit_json(e, "recorded_events", r->has_result ? ht_count(r->result.totals.recorded) : ht_null());
	ht_emit_json(e, "lost_events", r->has_result ? ht_count(lost_events(&r->result.totals)) : ht_null());
	ht_emit_json(e, "error", r->has_result && r->result.failed ? ht_string(r->result.failure) : ht_null());
}

int ht_record_status_file(const char *path, const struct ht_recording *r, struct ht_diag *d)
{
	struct ht_output out;
	struct ht_emitter e;
	int err = ht_output_open(&out, path, NULL, d);
	if (err)
		return err;
	ht_emit_begin(&e, HT_EMIT_JSON, &out, "heaptide.record/1");
	emit_status(&e, r);
	ht_emit_end(&e);
	return ht_output_close(&out, d);
}
