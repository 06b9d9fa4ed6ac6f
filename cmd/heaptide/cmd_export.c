/*
 * export: a profile of the trace in another tool's format. Formats are lines in the table below;
 * each is a struct of functions in a folder of its own, and knows nothing of traces.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "facts.h"
#include "folded.h"
#include "output.h"
#include "pprof.h"
#include "reading.h"

static const struct ht_exporter *const exporters[] = {&ht_exporter_pprof, &ht_exporter_folded};
static const char *const format_names[] = {"pprof", "folded", NULL};
static const char *const profile_names[] = {"heap", "allocs", "peak", "leaked", "temporary", NULL};

static struct {
	int format, profile;
	bool format_given;
	uint64_t temporary;
	const char *output;
} settings = {.temporary = 1};

static const struct ht_option options[] = {
    {.name = "format",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.format,
     .given = &settings.format_given,
     .choices = format_names,
     .help = "pprof: for `go tool pprof`; folded: a stack a line, for flame graphs"},
    {.name = "profile",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.profile,
     .choices = profile_names,
     .argument = "WHICH",
     .help = "heap, allocs, peak, leaked or temporary",
     .fallback = "heap"},
    {.name = "output",
     .letter = 'o',
     .kind = HT_OPTION_STRING,
     .value = &settings.output,
     .argument = "FILE",
     .help = "the file to write; its end chooses the format when --format does not"},
    {.name = "temporary",
     .kind = HT_OPTION_NUMBER,
     .value = &settings.temporary,
     .argument = "N",
     .help = "temporary: freed after at most N other allocations of its thread",
     .fallback = "1"},
    {0},
};
static const struct ht_option *const tables[] = {
    options, ht_range_options, ht_moment_options, ht_filter_options, ht_symbol_options, NULL};

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n > m && !strcmp(s + n - m, end);
}

static int choose_format(struct ht_diag *d)
{
	if (settings.format_given)
		return 0;
	for (size_t i = 0; settings.output && i < HT_ARRAY_SIZE(exporters); i++) {
		if (ends_with(settings.output, exporters[i]->extension)) {
			settings.format = (int)i;
			return 0;
		}
	}
	return ht_fail(d, HT_ERR_USAGE, "export: needs --format=pprof or --format=folded");
}

static int write_profile(const struct ht_analysis *a, const char *path, struct ht_diag *d)
{
	const struct ht_exporter *x = exporters[settings.format];
	struct ht_output out;
	size_t index;
	if (!settings.output && isatty(STDOUT_FILENO) && !strcmp(x->name, "pprof"))
		return ht_fail(d, HT_ERR_USAGE,
			       "export: a %s file is not for terminals: name a file with -o",
			       x->name);
	int r = ht_output_open(&out, settings.output, path, d);
	if (r)
		return r;
	const struct ht_profile *p =
	    ht_analysis_profile(a, (enum ht_profile_kind)settings.profile, NULL, 0, &index);
	r = x->write_profile(p, index, out.fd, d);
	ht_profile_free(p);
	if (r) {
		ht_output_abandon(&out);
		return r;
	}
	return ht_output_close(&out, d);
}

static int run(int argc, char **argv)
{
	struct ht_trace *t;
	struct ht_analysis *a = NULL;
	struct ht_analysis_options o;
	struct ht_diag d = {0};
	(void)argc;
	if (choose_format(&d)) {
		ht_hint(&d, "`heaptide export --format=pprof -o heap.pb.gz %s`", argv[0]);
		return ht_give_up(HT_ERR_USAGE, &d);
	}
	int status = ht_reading_open(&t, argv[0]);
	if (status)
		return status;
	ht_analysis_options_init(&o);
	o.sites = true;
	o.symbols = true;
	o.temporary = settings.temporary;
	o.series_buckets = 0;
	int r = ht_reading_options(t, &o, &d);
	status = r ? ht_give_up(r, &d) : ht_reading_analyze(&a, t, &o);
	if (!status) {
		r = write_profile(a, argv[0], &d);
		status = r ? ht_give_up(r, &d) : ht_reading_status(t);
		ht_analysis_free(a);
	}
	ht_trace_close(t);
	return status;
}

const struct ht_command ht_cmd_export = {
    .name = "export",
    .purpose = HT_PURPOSE_EXPORT,
    .arguments = "TRACE",
    .summary = "write a profile for pprof or flame graphs",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
