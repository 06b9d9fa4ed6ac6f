/*
 * fuzz_timeline: timelines of hostile traces. The input is that of fuzz_trace_block, a block's payload behind good
 * dictionaries; what comes of it must be a timeline as formats/timeline.h says, and both exporters must be able to
 * write it.
 */
#include "fuzz_trace_walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chrome.h"
#include "perfetto.h"
#include "timeline_build.h"
#include "timeline_shape.h"

static void build(struct ht_trace *t, uint64_t from, uint64_t to, const char *task)
{
	struct ht_timeline_options o = {.task = task, .heaps = true};
	struct ht_timeline_made *m = NULL;
	struct ht_diag d = {0};
	ht_analysis_options_init(&o.analysis);
	o.analysis.jobs = 1;
	o.analysis.selection.from_ns = from;
	o.analysis.selection.to_ns = to;
	if (ht_timeline_build(&m, t, &o, &d))
		return;
	const char *wrong = timeline_shape_wrong(&m->timeline);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (wrong)
		fprintf(stderr, "wrong: %s\n", wrong);
	if (wrong || ht_perfetto_exporter.write_timeline(&m->timeline, null, &d) ||
	    ht_chrome_exporter.write_timeline(&m->timeline, null, &d))
		abort();
	close(null);
	ht_timeline_free(m);
}

void fuzz_trace_walk(const uint8_t *data, size_t size)
{
	struct ht_trace *t;
	struct ht_diag d = {0};
	if (fuzz_trace_open(&t, data, size, &d))
		return;
	build(t, 0, UINT64_MAX, NULL);
	build(t, 3000, 9000, NULL);
	build(t, 0, UINT64_MAX, "request");
	ht_trace_close(t);
}
