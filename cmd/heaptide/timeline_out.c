/* timeline_out: see timeline_out.h. Here: from a trace to a timeline, and from that to a file. */
#include "timeline_out.h"

#include <sys/stat.h>

#include "command.h"
#include "progress.h"
#include "reading.h"
#include "text.h"

/* --- reading ------------------------------------------------------------------------------ */

static void say_losses(const struct ht_timeline_made *m)
{
	if (*m->missing)
		ht_warn("%s", m->missing);
	if (m->damaged_blocks)
		ht_warn("%s block%s of the trace could not be read: what they held is not shown",
			ht_text_count(m->damaged_blocks).s, m->damaged_blocks == 1 ? "" : "s");
	if (m->lost_switches)
		ht_warn("%s context switches were lost in recording: states around them may be wrong",
			ht_text_count(m->lost_switches).s);
}

static int show_timeline(struct ht_trace *t, const struct ht_timeline_options *o, const char *path,
			 ht_timeline_show *show)
{
	struct ht_timeline_made *m = NULL;
	struct ht_diag d = {0};
	int r = ht_timeline_build(&m, t, o, &d);
	ht_progress_end();
	if (r == HT_ABSENT) {
		ht_fail(&d, HT_ERR_USAGE, "--task=%s: no task in what is selected has this type or number", o->task);
		return ht_give_up(HT_ERR_USAGE, &d);
	}
	if (r)
		return ht_give_up(r, &d);
	say_losses(m);
	r = show(m, path, &d);
	int status = r ? ht_give_up(r, &d) : ht_reading_status(t);
	ht_timeline_free(m);
	return status;
}

int ht_timeline_run(const char *path, bool heaps, ht_timeline_show *show)
{
	struct ht_timeline_options o = {.task = ht_selection_settings.task, .heaps = heaps};
	struct ht_trace *t;
	struct ht_diag d = {0};
	int status = ht_reading_open(&t, path);
	if (status)
		return status;
	ht_analysis_options_init(&o.analysis);
	o.analysis.symbols = true;
	int r = ht_reading_options(t, &o.analysis, &d);
	status = r ? ht_give_up(r, &d) : show_timeline(t, &o, path, show);
	ht_trace_close(t);
	return status;
}

/* --- writing ------------------------------------------------------------------------------ */

/* A share of the time that makes a file of half the bound, around the longest wait or the peak. */
static void suggest(const struct ht_timeline *t, uint64_t bytes, struct ht_diag *d)
{
	uint64_t length = (uint64_t)((double)(t->to_ns - t->from_ns) * (HT_TIMELINE_LARGE / 2.0) / (double)bytes);
	uint64_t around = t->heap_count ? t->heaps[0].time_ns : t->from_ns, longest = 0;
	for (size_t i = 0; i < t->slice_count; i++) {
		const struct ht_timeline_slice *s = &t->slices[i];
		uint64_t waited = s->end_ns - s->begin_ns;
		if (s->category == HT_TIMELINE_WAIT && waited > longest && waited < length) {
			longest = waited;
			around = s->begin_ns + longest / 2;
		}
	}
	uint64_t from = around > t->from_ns + length / 2 ? around - length / 2 : t->from_ns;
	ht_hint(d, "choose a part: --from=%.6fs --to=%.6fs, --task=NAME, --thread=NAME; or --any-size",
		(double)from / 1e9, (double)(from + length) / 1e9);
}

static int too_large(const struct ht_timeline *t, uint64_t bytes, struct ht_diag *d)
{
	ht_fail(d, HT_ERR_USAGE, "all of it would be %s: more than viewers read well (%s)", ht_text_bytes(bytes).s,
		ht_text_bytes(HT_TIMELINE_LARGE).s);
	suggest(t, bytes, d);
	return HT_ERR_USAGE;
}

/* No format needs less for what there is. */
static uint64_t least_bytes(const struct ht_timeline *t)
{
	return t->switch_count * 10 + (t->slice_count + t->instant_count) * 24 + (t->arrow_count + t->task_count) * 40;
}

int ht_timeline_write(const struct ht_timeline_made *m, const struct ht_exporter *x, const char *file, const char *path,
		      bool any_size, struct ht_diag *d)
{
	const struct ht_timeline *t = &m->timeline;
	struct ht_output out;
	struct stat st;
	if (!any_size && least_bytes(t) > HT_TIMELINE_LARGE)
		return too_large(t, least_bytes(t), d);
	int r = ht_output_open(&out, file, path, d);
	if (r)
		return r;
	r = x->write_timeline(t, out.fd, d);
	if (r) {
		const struct ht_diag why = *d;
		ht_output_abandon(&out);
		return ht_fail(d, r, "%s: %s", file ? file : "standard output", why.text);
	}
	if (!any_size && out.temporary && !fstat(out.fd, &st) && (uint64_t)st.st_size > HT_TIMELINE_LARGE) {
		ht_output_abandon(&out);
		return too_large(t, (uint64_t)st.st_size, d);
	}
	if (*d->text) /* it left something out */
		ht_message(d);
	if (m->other_heaps)
		ht_warn("heaps of %s more processes are left out: choose one with --process",
			ht_text_count(m->other_heaps).s);
	return ht_output_close(&out, d);
}
