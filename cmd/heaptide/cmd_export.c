/*
 * export: a profile or a timeline of the trace in another tool's format. Formats are lines in the table below;
 * each is a struct of functions in a folder of its own, and knows nothing of traces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chrome.h"
#include "command.h"
#include "csv_profile.h"
#include "dhat.h"
#include "export_waits.h"
#include "folded.h"
#include "gperftools.h"
#include "massif.h"
#include "output.h"
#include "perfetto.h"
#include "pprof.h"
#include "reading.h"
#include "recorded.h"
#include "source_text.h"
#include "speedscope.h"
#include "timeline_out.h"

enum { CURVE_SLICES = 80 }; /* of formats that show live bytes over time */

static const struct ht_exporter *const exporters[] = {
    &ht_exporter_pprof,	 &ht_exporter_folded,	  &ht_exporter_speedscope, &ht_exporter_dhat,
    &ht_exporter_massif, &ht_exporter_gperftools, &ht_exporter_csv,	   &ht_perfetto_exporter,
    &ht_chrome_exporter,
};
static const char *const format_names[] = {"pprof",  "folded",	   "speedscope", "dhat",
					   "massif", "gperftools", "csv",	 "perfetto",
					   "chrome", NULL};
/* Of the heap, in the order of enum ht_profile_kind; then of waiting, in that of enum ht_wait_profile_kind. */
static const char *const profile_names[] = {"heap",  "allocs", "peak", "leaked", "temporary", "mutex",
					    "block", "io",     "sched", "stall",  "fault",     NULL};
enum { FIRST_WAITING = 5 };

static struct {
	int format, profile;
	bool format_given, profile_given, any_size;
	unsigned labels; /* HT_LABEL_*, and HT_WAIT_LABEL_* above WAIT_LABELS */
	const char *output;
} settings;
enum { WAIT_LABELS = 8 };

static bool of_waiting(void)
{
	return settings.profile >= FIRST_WAITING;
}

static int parse_labels(void *value, const char *text, struct ht_diag *d)
{
	static const char *const names[] = {"thread", "process", "size", "lock", "kind", NULL};
	static const unsigned bits[] = {HT_LABEL_THREAD | HT_WAIT_LABEL_THREAD << WAIT_LABELS, HT_LABEL_PROCESS, HT_LABEL_SIZE,
					HT_WAIT_LABEL_LOCK << WAIT_LABELS, HT_WAIT_LABEL_KIND << WAIT_LABELS};
	unsigned *labels = value;
	*labels = 0;
	for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		size_t n = strcspn(at, ","), i = 0;
		while (names[i] && (strlen(names[i]) != n || memcmp(names[i], at, n)))
			i++;
		if (!names[i])
			return ht_fail(d, HT_ERR_USAGE,
				       "unknown label '%.*s': thread, process, size, lock or kind", (int)n, at);
		*labels |= bits[i];
	}
	return 0;
}

static const struct ht_option options[] = {
    {.name = "format",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.format,
     .given = &settings.format_given,
     .choices = format_names,
     .argument = "FORMAT",
     .help = "pprof, folded, speedscope, dhat, massif, gperftools, csv; perfetto, chrome: timelines"},
    {.name = "profile",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.profile,
     .given = &settings.profile_given,
     .choices = profile_names,
     .argument = "WHICH",
     .help = "heap, allocs, peak, leaked, temporary; or mutex, block, io, sched, stall, fault",
     .fallback = "heap"},
    {.name = "labels",
     .kind = HT_OPTION_CUSTOM,
     .value = &settings.labels,
     .parse = parse_labels,
     .argument = "LIST",
     .help = "pprof: tell stacks apart by thread,process,size; of waiting by thread,lock,kind"},
    {.name = "output",
     .letter = 'o',
     .kind = HT_OPTION_STRING,
     .value = &settings.output,
     .argument = "FILE",
     .help = "the file to write; its end chooses the format when --format does not"},
    {.name = "any-size",
     .kind = HT_OPTION_FLAG,
     .value = &settings.any_size,
     .help = "timelines: write the file also when it is larger than 100 MB"},
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
	return ht_fail(d, HT_ERR_USAGE, "export: needs --format (pprof, folded, speedscope, ...)");
}

/* Options that would change nothing in the file. */
static int refuse_idle(const struct ht_exporter *x, struct ht_diag *d)
{
	const bool one_number = x == &ht_exporter_folded, chrome = x == &ht_chrome_exporter;
	const bool live = x->whole ? x == &ht_exporter_csv || x == &ht_exporter_gperftools
				   : settings.profile == HT_PROFILE_HEAP || (settings.profile == HT_PROFILE_ALLOCS && !one_number);
	const bool temporary = x->whole ? x == &ht_exporter_csv : settings.profile == HT_PROFILE_TEMPORARY;
	const bool one_profile = !x->whole && !x->write_timeline;
	char what[64];
	snprintf(what, sizeof(what), one_profile ? "--profile=%s" : "a %s file",
		 one_profile ? profile_names[settings.profile] : x->name);
	if (settings.any_size && !x->write_timeline)
		return ht_fail(d, HT_ERR_USAGE, "--any-size: no effect on a %s file", x->name);
	uint32_t idle;
	if (x->write_timeline) /* Chrome's has no heap */
		idle = HT_CHOICE_TEMPORARY | (chrome ? HT_CHOICES_OF_STACKS | HT_CHOICES_OF_SIZES : 0);
	else if (of_waiting())
		idle = HT_CHOICE_AT | HT_CHOICE_TEMPORARY | HT_CHOICES_OF_SIZES | HT_CHOICES_OF_NAMES;
	else
		idle = (live ? 0 : HT_CHOICE_AT) | (temporary ? 0 : HT_CHOICE_TEMPORARY);
	return ht_choices_refuse(idle, what, d);
}

static int check(const struct ht_exporter *x, struct ht_diag *d)
{
	if (x->write_timeline && settings.profile_given)
		return ht_fail(d, HT_ERR_USAGE, "--profile: a %s file is a timeline", x->name);
	if (x->write_timeline && (ht_selection_settings.at.kind || ht_selection_settings.region))
		return ht_fail(d, HT_ERR_USAGE, "--%s: does not choose a part of a timeline: --from, --to, --task do",
			       ht_selection_settings.region ? "region" : "at");
	if (x->whole && settings.profile_given)
		return ht_fail(d, HT_ERR_USAGE, "--profile: a %s file carries all numbers at once",
			       x->name);
	if (settings.labels && strcmp(x->name, "pprof"))
		return ht_fail(d, HT_ERR_USAGE, "--labels: a %s file has no labels", x->name);
	const unsigned heap = settings.labels & ((1u << WAIT_LABELS) - 1), waits = settings.labels >> WAIT_LABELS;
	if (of_waiting() ? (heap & ~(unsigned)HT_LABEL_THREAD) != 0 : (waits & ~(unsigned)HT_WAIT_LABEL_THREAD) != 0)
		return ht_fail(d, HT_ERR_USAGE, "--labels: a profile of %s has the labels %s", of_waiting() ? "waiting" : "the heap",
			       of_waiting() ? "thread, lock and kind" : "thread, process and size");
	if (x->binary && !settings.output && isatty(STDOUT_FILENO))
		return ht_fail(d, HT_ERR_USAGE,
			       "export: a %s file is not for terminals: name a file with -o",
			       x->name);
	return refuse_idle(x, d);
}

/* With --source-root the profile names the files there: its readers look for them where it says. */
static void move_sources(struct ht_profile *p, struct ht_profile_function *functions, char **places)
{
	for (size_t i = 0; i < p->function_count; i++) {
		functions[i] = p->functions[i];
		bool known = i && !strcmp(functions[i].file, p->functions[i - 1].file);
		places[i] =
		    known ? NULL
			  : ht_source_place(ht_symbol_settings.source_root, functions[i].file);
		if (known)
			functions[i].file = functions[i - 1].file;
		else if (places[i])
			functions[i].file = places[i];
	}
	p->functions = functions;
}

static int write_profile(const struct ht_exporter *x, const struct ht_profile *built, size_t index,
			 int fd, struct ht_diag *d)
{
	struct ht_profile p = *built;
	struct ht_profile_function *functions = ht_xcalloc(p.function_count, sizeof(*functions));
	char **places = ht_xcalloc(p.function_count, sizeof(*places));
	if (ht_symbol_settings.source_root)
		move_sources(&p, functions, places);
	int r = x->write_profile(&p, index, fd, d);
	for (size_t i = 0; i < p.function_count; i++)
		free(places[i]);
	free(places);
	free(functions);
	return r;
}

static int show(struct ht_analysis *a, const char *path, struct ht_diag *d)
{
	const struct ht_exporter *x = exporters[settings.format];
	static const char *const made_by[] = {"made by: heaptide " HT_VERSION " (" HT_COMMIT ")"};
	struct ht_output out;
	size_t index;
	const bool waiting = of_waiting();
	if (a->sample_bytes && settings.profile == HT_PROFILE_TEMPORARY)
		return ht_fail(d, HT_ERR_USAGE,
			       "%s: which blocks were temporary cannot be told from a sample",
			       path);
	int r = ht_output_open(&out, settings.output, path, d);
	if (r)
		return r;
	const struct ht_profile *p = NULL;
	if (waiting) {
		r = ht_export_waits(&p, a, (enum ht_wait_profile_kind)(settings.profile - FIRST_WAITING),
				    settings.labels >> WAIT_LABELS, made_by, HT_ARRAY_SIZE(made_by), &index, d);
	} else {
		ht_export_say_unrecorded(a->trace, "allocations", HT_CLASS_BIT(ALLOC), 0);
		p = ht_analysis_profile(a, x->whole ? HT_PROFILE_WHOLE : (enum ht_profile_kind)settings.profile, made_by,
					HT_ARRAY_SIZE(made_by), &index);
	}
	if (p)
		r = write_profile(x, p, index, out.fd, d);
	(waiting ? ht_export_waits_free : ht_profile_free)(p);
	if (r) {
		const struct ht_diag why = *d;
		ht_output_abandon(&out);
		return ht_fail(d, r, "%s: %s", settings.output ? settings.output : "standard output", why.text);
	}
	return ht_output_close(&out, d);
}

static int show_timeline(const struct ht_timeline_made *m, const char *path, struct ht_diag *d)
{
	return ht_timeline_write(m, exporters[settings.format], settings.output, path, settings.any_size, d);
}

static int run(int argc, char **argv)
{
	struct ht_analysis_options o;
	struct ht_diag d = {0};
	(void)argc;
	if (choose_format(&d)) {
		ht_hint(&d, "`heaptide export --format=pprof -o heap.pb.gz %s`", argv[0]);
		return ht_give_up(HT_ERR_USAGE, &d);
	}
	const struct ht_exporter *x = exporters[settings.format];
	if (check(x, &d))
		return ht_give_up(HT_ERR_USAGE, &d);
	if (x->write_timeline)
		return ht_timeline_run(argv[0], true, show_timeline);
	ht_analysis_options_init(&o);
	o.sites = !of_waiting();
	o.symbols = true;
	o.lifetimes = x->whole;
	o.labels = settings.labels & ((1u << WAIT_LABELS) - 1);
	o.other_passes = of_waiting() ? ht_no_passes : NULL;
	o.series_buckets = x->whole ? CURVE_SLICES : 0;
	return ht_reading_run(argv[0], &o, show);
}

const struct ht_command ht_cmd_export = {
    .name = "export",
    .purpose = HT_PURPOSE_EXPORT,
    .arguments = "TRACE",
    .summary = "write a profile or timeline for pprof, flame graphs, Perfetto and others",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
