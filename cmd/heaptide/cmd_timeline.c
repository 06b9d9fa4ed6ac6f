/*
 * timeline: what threads did when, and what memory did meanwhile: a page of text, or a file for Perfetto or Chrome's
 * viewer.
 */
#include <string.h>

#include "chrome.h"
#include "command.h"
#include "perfetto.h"
#include "timeline_out.h"

static struct {
	const char *output;
	bool any_size;
} settings;

static const struct ht_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = HT_OPTION_STRING,
     .value = &settings.output,
     .argument = "FILE",
     .help = "write FILE.pftrace for Perfetto or FILE.json for Chrome's viewer; else text"},
    {.name = "task",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.task,
     .argument = "NAME|N",
     .help = "only the time of heaptide.h's tasks of this type, or of task N"},
    {.name = "any-size",
     .kind = HT_OPTION_FLAG,
     .value = &settings.any_size,
     .help = "write the file also when it is larger than 100 MB"},
    {0},
};
static const struct ht_option *const tables[] = {options, ht_range_options, ht_symbol_options, NULL};

static const struct ht_exporter *format_of(const char *file)
{
	static const struct {
		const char *extension;
		const struct ht_exporter *exporter;
	} all[] = {
	    {".pftrace", &ht_perfetto_exporter},
	    {".perfetto-trace", &ht_perfetto_exporter},
	    {".json", &ht_chrome_exporter},
	};
	for (size_t i = 0; i < HT_ARRAY_SIZE(all); i++) {
		size_t n = strlen(file), m = strlen(all[i].extension);
		if (n > m && !strcmp(file + n - m, all[i].extension))
			return all[i].exporter;
	}
	return NULL;
}

static int show(const struct ht_timeline_made *m, const char *path, struct ht_diag *d)
{
	if (!settings.output)
		return ht_timeline_text_page(m, path, d);
	return ht_timeline_write(m, format_of(settings.output), settings.output, path, settings.any_size, d);
}

static int run(int argc, char **argv)
{
	struct ht_diag d = {0};
	(void)argc;
	if (settings.output && !format_of(settings.output)) {
		ht_fail(&d, HT_ERR_USAGE, "--output=%s: the file's name must end in .pftrace or .json",
			settings.output);
		ht_hint(&d, "`heaptide export --format=perfetto -o FILE` takes any name");
		return ht_give_up(HT_ERR_USAGE, &d);
	}
	if (settings.any_size && !settings.output) {
		ht_fail(&d, HT_ERR_USAGE, "--any-size: no effect without --output: text has a page");
		return ht_give_up(HT_ERR_USAGE, &d);
	}
	return ht_timeline_run(argv[0], settings.output, show);
}

const struct ht_command ht_cmd_timeline = {
    .name = "timeline",
    .purpose = HT_PURPOSE_READ,
    .arguments = "TRACE",
    .summary = "show what threads did when, as text or for Perfetto",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
