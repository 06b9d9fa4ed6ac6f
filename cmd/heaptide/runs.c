/* runs: see runs.h. */
#include "runs.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "facts.h"
#include "output.h"
#include "recorded.h"
#include "text.h"

/* The path of the first program that ran; "" unknown. */
static const char *program_of(const struct ht_analysis *a)
{
	for (size_t i = 0; i < a->image_count; i++)
		if (a->images[i].selected)
			return ht_trace_string(a->trace, ht_trace_image(a->trace, a->images[i].image)->exe, NULL);
	return "";
}

static void introduce(struct ht_runs_side *s, const struct ht_analysis *a, const struct ht_profile *p, const char *path)
{
	const char *program = program_of(a);
	if (s->path)
		return;
	s->path = ht_xstrdup(path);
	s->command = ht_fact_command(a->trace);
	s->program = ht_xstrdup(ht_base_name(program));
	s->sample_bytes = ht_trace_settings(a->trace)->sample_bytes;
	for (size_t i = 0; i < p->mapping_count; i++)
		if (!strcmp(p->mappings[i].file, program) && strlen(p->mappings[i].build_id) < sizeof(s->build_id))
			strcpy(s->build_id, p->mappings[i].build_id);
}

/* What one run's numbers are multiplied by. 0: there is nothing to divide by. */
static double scale_of(struct ht_runs *r, struct ht_runs_side *s, const struct ht_analysis *a)
{
	switch (r->per) {
	case HT_PER_SECOND: {
		uint64_t span = a->totals.last_ns - a->totals.first_ns;
		return span ? 1e9 / (double)span : 0;
	}
	case HT_PER_REGION:
		s->instances += a->totals.region_instances;
		return a->totals.region_instances ? 1.0 / (double)a->totals.region_instances : 0;
	default:
		return 1;
	}
}

static void note_unnamed(struct ht_runs *r, const struct ht_analysis *a, const char *path)
{
	const struct ht_symbol_quality *q = ht_stacks_quality(a->stacks);
	const struct ht_module_quality *worst = NULL;
	double share = q->frames ? 1 - (double)q->resolved / (double)q->frames : 0;
	for (size_t i = 0; i < q->module_count; i++) {
		const struct ht_module_quality *m = &q->modules[i];
		if (!worst || m->frames - m->resolved > worst->frames - worst->resolved)
			worst = m;
	}
	if (!worst || share <= r->unnamed.share)
		return;
	free(r->unnamed.text);
	r->unnamed.share = share;
	r->unnamed.text = ht_xasprintf("most of them in %s in %s: %s", worst->path, path,
				       worst->reason && *worst->reason ? worst->reason : "no symbols");
}

static int add_analysis(struct ht_runs *r, struct ht_compare *c, struct ht_compare *also, enum ht_side side,
			struct ht_analysis *a, const char *path)
{
	struct ht_runs_side *s = &r->sides[side];
	struct ht_diag why = {0};
	const uint32_t bare = ht_unrecorded(a->trace, HT_CLASS_BIT(ALLOC));
	double scale = bare ? 1 : scale_of(r, s, a);
	int status = ht_reading_status(a->trace);
	if (status)
		r->status = status;
	if (!status && !ht_analysis_complete(a, &why)) {
		ht_warn("%s: incomplete: %s", path, why.text);
		r->incomplete = true;
	}
	s->classes_known = (!s->runs || s->classes_known) && ht_trace_settings(a->trace)->events;
	s->not_recorded |= bare;
	if (bare && !r->bare.count++)
		r->bare.path = ht_xstrdup(path);
	if (scale <= 0) {
		ht_warn("%s: no %s in it", path, r->per == HT_PER_REGION ? r->region : "time span");
		return 2;
	}
	const struct ht_profile *p = ht_analysis_profile(a, HT_PROFILE_WHOLE, NULL, 0, NULL);
	introduce(s, a, p, path);
	s->runs++;
	r->sampled |= a->sample_bytes != 0;
	if (ht_trace_settings(a->trace)->sample_bytes != s->sample_bytes)
		ht_warn("%s: sampled at another rate than %s", path, s->path);
	note_unnamed(r, a, path);
	ht_compare_add(c, side, p, program_of(a), scale);
	if (also)
		ht_compare_add(also, side, p, program_of(a), scale);
	ht_profile_free(p);
	return 0;
}

int ht_runs_add(struct ht_runs *r, struct ht_compare *c, struct ht_compare *also, enum ht_side side, const char *path)
{
	struct ht_trace *t;
	struct ht_analysis *a = NULL;
	struct ht_analysis_options o;
	struct ht_diag d = {0};
	int status = ht_reading_open(&t, path);
	if (status)
		return status;
	ht_output_keep(path);
	ht_analysis_options_init(&o);
	o.sites = o.symbols = true;
	o.by = HT_BY_STACK;
	int code = ht_reading_options(t, &o, &d);
	if (r->per == HT_PER_REGION)
		o.selection.region = r->region;
	status = code ? ht_give_up(code, &d) : ht_reading_analyze(&a, t, &o);
	if (!status && r->per == HT_PER_REGION && !a->totals.region_instances) {
		ht_analysis_free(a);
		o.selection.region = NULL;
		o.selection.task = r->region;
		status = ht_reading_analyze(&a, t, &o);
	}
	if (!status) {
		status = add_analysis(r, c, also, side, a, path);
		ht_analysis_free(a);
	}
	ht_trace_close(t);
	return status;
}

int ht_runs_unrecorded(const struct ht_runs *r, const char *so)
{
	if (!r->bare.count)
		return 0;
	char *text = ht_unrecorded_text(HT_CLASS_BIT(ALLOC), so);
	if (r->bare.count == 1)
		ht_warn("%s: %s", r->bare.path, text);
	else
		ht_warn("%s and %u more: %s", r->bare.path, r->bare.count - 1, text);
	free(text);
	return ht_exit_status(HT_ERR_USAGE);
}

void ht_runs_warn(const struct ht_runs *r, const struct ht_compare *c)
{
	const struct ht_runs_side *old = &r->sides[HT_OLD], *new = &r->sides[HT_NEW];
	if (c->unnamed * 10 > c->frame_count && r->unnamed.text && old->path)
		ht_warn("%.0f %% of the frames have no name and are told apart by module alone; %s",
			100.0 * (double)c->unnamed / (double)c->frame_count, r->unnamed.text);
	if (!old->path || !new->path)
		return;
	if (strcmp(old->program, new->program))
		ht_warn("different programs: %s in %s, %s in %s", old->program, old->path, new->program, new->path);
	if (!old->sample_bytes != !new->sample_bytes)
		ht_warn("%s is sampled, %s is exact: differences within the error of sampling are noise",
			old->sample_bytes ? old->path : new->path, old->sample_bytes ? new->path : old->path);
	else if (old->sample_bytes != new->sample_bytes)
		ht_warn("%s and %s are sampled at different rates", old->path, new->path);
}

void ht_runs_release(struct ht_runs *r)
{
	free(r->unnamed.text);
	free(r->bare.path);
	for (int i = 0; i < 2; i++) {
		free(r->sides[i].path);
		free(r->sides[i].command);
		free(r->sides[i].program);
	}
}

/* --- names --------------------------------------------------------------------------------- */

static void frame_name(struct ht_buf *out, const struct ht_compare_frame *f)
{
	char *text = ht_compare_frame_text(f);
	ht_text_clean(out, text);
	free(text);
}

static char *as_string(struct ht_buf *b)
{
	ht_buf_byte(b, '\0');
	return (char *)b->data;
}

char *ht_runs_row_name(const struct ht_compare *c, const struct ht_compare_row *row)
{
	struct ht_buf name = {0};
	if (c->by == HT_COMPARE_FILE && *row->frame.file)
		ht_text_clean(&name, row->frame.file);
	else if (c->by == HT_COMPARE_FILE || c->by == HT_COMPARE_MODULE)
		ht_text_clean(&name, *row->frame.module ? row->frame.module : "(program)");
	else
		frame_name(&name, &row->frame);
	return as_string(&name);
}

char *ht_runs_chain(const struct ht_compare *c, const struct ht_compare_row *row, size_t frames)
{
	struct ht_buf chain = {0};
	for (size_t i = 0; i < row->depth && i < frames; i++) {
		ht_buf_printf(&chain, "%s", i ? " ← " : "");
		frame_name(&chain, &c->frames[row->stack[i]]);
	}
	return as_string(&chain);
}
