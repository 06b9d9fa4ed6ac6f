/*
 * verify: checks every invariant of the trace format. One line per violation on standard output, an
 * "ok" line when there is none; exit 4 when something is wrong.
 */
#include <stdio.h>

#include "command.h"
#include "facts.h"
#include "progress.h"
#include "reading.h"
#include "text.h"

static struct {
	uint64_t limit;
	bool quiet;
} settings = {.limit = 100};

static const struct ht_option options[] = {
    {.name = "limit",
     .letter = 'n',
     .kind = HT_OPTION_NUMBER,
     .value = &settings.limit,
     .argument = "N",
     .help = "violations shown; 0: all",
     .fallback = "100"},
    {.name = "quiet",
     .letter = 'q',
     .kind = HT_OPTION_FLAG,
     .value = &settings.quiet,
     .help = "print nothing, exit status only"},
    {0},
};
static const struct ht_option *const tables[] = {options, NULL};

static void say(void *ctx, const char *line)
{
	struct ht_output *out = ctx;
	if (settings.quiet)
		return;
	ht_progress_end();
	ht_text_clean(&out->buf, line);
	ht_buf_byte(&out->buf, '\n');
	ht_output_flush_some(out);
}

static void say_result(struct ht_output *out, const struct ht_trace *t, uint64_t violations)
{
	if (settings.quiet)
		return;
	if (violations) {
		ht_buf_printf(&out->buf, "%s violation%s\n", ht_text_count(violations).s,
			      violations == 1 ? "" : "s");
		return;
	}
	ht_buf_printf(&out->buf, "ok: %s events in %s blocks, ", ht_text_count(ht_fact_events(t)).s,
		      ht_text_count(ht_trace_block_count(t)).s);
	if (ht_trace_time_block_count(t))
		ht_buf_printf(&out->buf, "%s waits, switches and the like in %s, ", ht_text_count(ht_fact_times(t)).s,
			      ht_text_count(ht_trace_time_block_count(t)).s);
	ht_buf_printf(&out->buf, "every invariant holds\n");
}

/* A truncated or damaged file is a violation, too: its verdict is the first line. */
static int run(int argc, char **argv)
{
	struct ht_trace *t;
	struct ht_output out;
	struct ht_diag d = {0};
	uint64_t violations = 0;
	(void)argc;
	int status = ht_reading_open(&t, argv[0]);
	if (status)
		return status;
	ht_output_open(&out, NULL, NULL, &d);
	size_t max = settings.limit ? (size_t)settings.limit : SIZE_MAX;
	int r = ht_trace_verify_watched(t, say, &out, max, &violations, ht_progress);
	ht_progress_end();
	say_result(&out, t, violations);
	status = r ? ht_exit_status(r) : violations ? 4 : 0;
	if (ht_output_close(&out, &d))
		status = ht_give_up(HT_ERR_SYSTEM, &d);
	ht_trace_close(t);
	return status;
}

const struct ht_command ht_cmd_verify = {
    .name = "verify",
    .purpose = HT_PURPOSE_CHECK,
    .arguments = "TRACE",
    .summary = "check every invariant of a trace file",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
