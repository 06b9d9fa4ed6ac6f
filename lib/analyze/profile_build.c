/*
 * profile_build: the neutral ht_profile that exporters get, made of the sites that the filters let
 * through. One sample per stack; one profile location per address; functions by name, linkage name,
 * file and first line. Addresses stay link-time: they mean the same in every run of a build.
 */
#include <stdlib.h>

#include "hash_index.h"
#include "labelled.h"
#include "profile_values.h"
#include "utf8.h"

/* The profile and what it owns; the profile comes first, so that it can be freed. */
struct built {
	struct ht_profile profile;
	const struct ht_analysis *a;
	const struct ht_stacks *stacks;
	enum ht_profile_kind kind;
	uint32_t *location_of; /* trace location -> profile location + 1 */
	uint32_t *mapping_of;  /* module id -> mapping + 1 */
	struct ht_profile_mapping *mappings;
	struct ht_profile_location *locations;
	struct ht_profile_function *functions;
	struct ht_profile_sample *samples;
	size_t location_cap, function_cap, sample_cap;
	struct ht_index function_index;
	char **texts; /* build-ids and comments */
	size_t text_count;
	const char **comments;
	struct ht_buf drop_frames;
};

#define GROW(array, count, cap)                                                       \
	do {                                                                          \
		if ((count) == (cap)) {                                               \
			(cap) = (cap) ? (cap) * 2 : 256;                              \
			(array) = ht_xrealloc((array), (cap), sizeof(*(array)));      \
		}                                                                     \
	} while (0)

static const char *own(struct built *b, char *text)
{
	b->texts = ht_xrealloc(b->texts, b->text_count + 1, sizeof(*b->texts));
	return b->texts[b->text_count++] = text;
}

/* Names come from anywhere; in a profile they are text. */
static const char *clean(struct built *b, const char *text)
{
	struct ht_buf buf = {0};
	if (ht_utf8_clean(&buf, text, strlen(text))) {
		ht_buf_byte(&buf, '\0');
		return own(b, (char *)buf.data);
	}
	ht_buf_release(&buf);
	return text;
}

/* --- mappings ----------------------------------------------------------------------------- */

#define PAGE UINT64_C(4096)

static uint32_t add_mapping(struct built *b, uint32_t module)
{
	const struct ht_trace *t = b->a->trace;
	const struct ht_module *m = ht_trace_module(t, module);
	char id[2 * HT_BUILD_ID_MAX + 1];
	uint64_t size = m->text_size ? m->text_size : m->size;
	uint64_t limit = m->text_vaddr + size;
	if (b->mapping_of[module])
		return b->mapping_of[module] - 1;
	limit = limit < m->text_vaddr || limit > UINT64_MAX - PAGE ? UINT64_MAX : (limit + PAGE - 1) & ~(PAGE - 1);
	b->mappings[b->profile.mapping_count] = (struct ht_profile_mapping){
		.file = clean(b, ht_trace_string(t, m->path, NULL)),
		.build_id = own(b, ht_xstrdup(ht_build_id_text(t, module + 1, id))),
		.start = m->text_vaddr,
		.limit = limit,
		.offset = m->text_offset,
		.has_functions = true,
		.has_files = true,
		.has_lines = true,
	};
	return (b->mapping_of[module] = (uint32_t)++b->profile.mapping_count) - 1;
}

/* Mapping 0 names the profile: it is the program, hit or not. */
static void add_main_mapping(struct built *b)
{
	const struct ht_trace *t = b->a->trace;
	for (uint32_t i = 0; i < b->a->image_count; i++) {
		if (!b->a->images[i].selected)
			continue;
		const char *exe = ht_trace_string(t, ht_trace_image(t, i)->exe, NULL);
		for (uint32_t k = 0; k < ht_trace_module_count(t); k++)
			if (*exe && !strcmp(exe, ht_trace_string(t, ht_trace_module(t, k)->path, NULL))) {
				add_mapping(b, k);
				return;
			}
	}
}

/* A flag stays only if it is true of every location: any of them stops pprof from symbolizing on its
 * own. A mapping without locations claims nothing. */
static void judge_mappings(struct built *b)
{
	struct ht_profile *p = &b->profile;
	bool *hit = ht_xcalloc(p->mapping_count, sizeof(*hit));
	for (uint32_t i = 0; i < b->stacks->location_count; i++) {
		const struct ht_location *l = &b->stacks->locations[i];
		if (!b->location_of[i] || !l->module)
			continue;
		struct ht_profile_mapping *m = &b->mappings[b->mapping_of[l->module - 1] - 1];
		hit[m - b->mappings] = true;
		for (uint32_t k = l->first; k < l->first + l->count; k++) {
			const struct ht_frame *f = &b->stacks->frames[k];
			m->has_functions &= f->function != NULL;
			m->has_files &= f->file != NULL;
			m->has_lines &= f->line != 0;
		}
	}
	for (size_t i = 0; i < b->stacks->quality.module_count; i++) {
		const struct ht_module_quality *q = &b->stacks->quality.modules[i];
		if (b->mapping_of[q->module])
			b->mappings[b->mapping_of[q->module] - 1].has_inlines = q->kind == HT_SYMBOLS_DWARF;
	}
	for (size_t i = 0; i < p->mapping_count; i++) {
		struct ht_profile_mapping *m = &b->mappings[i];
		m->has_functions &= hit[i];
		m->has_files &= m->has_functions;
		m->has_lines &= m->has_files;
		m->has_inlines &= m->has_lines && !b->a->options.symbolize.no_inline;
	}
	free(hit);
}

/* --- functions, locations ----------------------------------------------------------------- */

static uint32_t add_function(struct built *b, const struct ht_frame *f)
{
	struct ht_profile *p = &b->profile;
	const char *name = clean(b, f->function), *linkage = clean(b, f->linkage);
	const char *file = clean(b, f->file ? f->file : "");
	uint64_t h = f->start_line;
	for (const char *c = f->linkage; *c; c++)
		h = h * 131 + (uint8_t)*c;
	for (const char *c = file; *c; c++)
		h = h * 131 + (uint8_t)*c;
	uint32_t hash = ht_mix(h), v;
	for (size_t i = ht_index_start(&b->function_index, hash);
	     (v = ht_index_at(&b->function_index, &i, hash)) != HT_INDEX_NONE; i++) {
		const struct ht_profile_function *o = &b->functions[v];
		if (o->start_line == f->start_line && !strcmp(o->system_name, linkage) &&
		    !strcmp(o->name, name) && !strcmp(o->file, file))
			return v;
	}
	GROW(b->functions, p->function_count, b->function_cap);
	v = (uint32_t)p->function_count++;
	b->functions[v] = (struct ht_profile_function){name, linkage, file, f->start_line};
	ht_index_insert(&b->function_index, hash, v);
	return v;
}

/* Index + 1 of the profile's location; 0 when all its frames are hidden. */
static uint32_t add_location(struct built *b, uint32_t number)
{
	struct ht_profile *p = &b->profile;
	const struct ht_location *l = &b->stacks->locations[number];
	const struct ht_frame *frames = &b->stacks->frames[l->first];
	if (b->location_of[number])
		return b->location_of[number];
	struct ht_profile_line *lines = ht_xcalloc(l->count, sizeof(*lines));
	size_t n = 0, hidden = 0;
	for (uint32_t i = 0; i < l->count; i++) {
		hidden += frames[i].hidden;
		if (frames[i].function && !frames[i].hidden)
			lines[n++] = (struct ht_profile_line){add_function(b, &frames[i]), frames[i].line};
	}
	if (hidden == l->count) {
		free(lines);
		return 0;
	}
	GROW(b->locations, p->location_count, b->location_cap);
	b->locations[p->location_count] = (struct ht_profile_location){
		.mapping = l->module ? add_mapping(b, l->module - 1) + 1 : 0,
		.address = l->address,
		.lines = lines,
		.line_count = n,
	};
	return b->location_of[number] = (uint32_t)++p->location_count;
}

/* --- samples ------------------------------------------------------------------------------ */

/* Where in the sample its callsite's frame stands, given that its location comes next. */
static size_t line_of(const struct ht_location *l, const struct ht_stacks *s, uint32_t frame)
{
	size_t line = 0;
	for (uint32_t i = l->first; i < frame; i++)
		line += s->frames[i].function && !s->frames[i].hidden;
	return line;
}

static void add_sample(struct built *b, uint32_t node, const struct ht_counters *c,
		       const struct ht_profile_label *labels, size_t label_count)
{
	struct ht_profile *p = &b->profile;
	const struct ht_stacks *s = b->stacks;
	int64_t values[HT_WHOLE_COUNT] = {0};
	size_t cap = 0, n = 0;
	uint32_t *locations = NULL;
	if (!ht_profile_values(b->a, b->kind, node, c, values))
		return;
	const uint32_t callsite = ht_stacks_callsite_index(s, node);
	struct ht_profile_sample sample = {.callsite = SIZE_MAX};
	for (unsigned left = HT_STACK_MAX_NODES; node && left; left--) {
		const struct ht_location *l = &s->locations[s->location[node]];
		uint32_t location = add_location(b, s->location[node]);
		uint32_t parent = s->nodes[node].parent;
		if (location) {
			if (sample.callsite == SIZE_MAX && callsite >= l->first && callsite < l->first + l->count) {
				sample.callsite = n;
				sample.callsite_line = line_of(l, s, callsite);
			}
			if (n == cap) {
				cap = cap ? cap * 2 : 16;
				locations = ht_xrealloc(locations, cap, sizeof(*locations));
			}
			locations[n++] = location - 1;
		}
		node = parent < node ? parent : 0;
	}
	int64_t *kept = ht_xmalloc(p->type_count * sizeof(*kept));
	memcpy(kept, values, p->type_count * sizeof(*kept));
	sample.locations = locations;
	sample.location_count = n;
	sample.values = kept;
	if (label_count) {
		struct ht_profile_label *own_labels = ht_xcalloc(label_count, sizeof(*own_labels));
		memcpy(own_labels, labels, label_count * sizeof(*own_labels));
		for (size_t i = 0; i < label_count; i++)
			own_labels[i].str = labels[i].str ? clean(b, labels[i].str) : NULL;
		sample.labels = own_labels;
		sample.label_count = label_count;
	}
	if (sample.callsite > n)
		sample.callsite = n;
	GROW(b->samples, p->sample_count, b->sample_cap);
	b->samples[p->sample_count++] = sample;
}

static void add_samples(struct built *b)
{
	const struct ht_labelled *l = b->a->labelled;
	const struct ht_sites *sites = b->a->sites;
	struct ht_profile_label labels[HT_LABELS_MAX];
	for (uint32_t i = 0; l && i < l->count; i++)
		add_sample(b, l->items[i].node, &l->items[i].c, labels, ht_labelled_labels(l, &l->items[i], labels));
	for (uint32_t i = 0; !l && sites && i < sites->count; i++)
		if (sites->items[i].shown)
			add_sample(b, sites->items[i].node, &sites->items[i].c, NULL, 0);
}

/* --- comments ----------------------------------------------------------------------------- */

static char *command_text(const struct ht_trace *t)
{
	const char *command = ht_trace_settings(t)->command;
	struct ht_buf text = {0};
	for (const char *at = command; at && *at; at += strlen(at) + 1)
		ht_buf_printf(&text, "%s%s", text.len ? " " : "", at);
	ht_buf_byte(&text, '\0');
	return (char *)text.data;
}

static char *completeness_text(const struct ht_analysis *a)
{
	struct ht_diag why;
	if (ht_analysis_complete(a, &why))
		return ht_xasprintf("complete: no event lost, %llu truncated stacks",
				    (unsigned long long)a->totals.truncated_stacks);
	return ht_xasprintf("incomplete: %s", why.text);
}

static void say_name(struct ht_buf *b, const char *what, const char *value)
{
	if (value)
		ht_buf_printf(b, ", %s %s", what, value);
}

/* Of which blocks this is the profile, NULL: of all, at the end. */
static char *selection_text(const struct ht_selection *s)
{
	struct ht_buf b = {0};
	if (s->from_ns)
		ht_buf_printf(&b, ", from %llu ns", (unsigned long long)s->from_ns);
	if (s->to_ns != UINT64_MAX)
		ht_buf_printf(&b, ", to %llu ns", (unsigned long long)s->to_ns);
	if (s->at == HT_AT_PEAK)
		ht_buf_printf(&b, ", live at the peak");
	if (s->at == HT_AT_TIME)
		ht_buf_printf(&b, ", live at %llu ns", (unsigned long long)s->at_ns);
	if (s->process)
		ht_buf_printf(&b, ", process %u", s->process);
	say_name(&b, "thread", s->thread);
	say_name(&b, "focus", s->focus);
	say_name(&b, "ignore", s->ignore);
	say_name(&b, "hide", s->hide);
	say_name(&b, "module", s->module);
	say_name(&b, "region", s->region);
	say_name(&b, "task", s->task);
	if (s->min_size)
		ht_buf_printf(&b, ", at least %llu bytes", (unsigned long long)s->min_size);
	if (s->max_size != UINT64_MAX)
		ht_buf_printf(&b, ", at most %llu bytes", (unsigned long long)s->max_size);
	if (!b.len)
		return NULL;
	ht_buf_byte(&b, '\0');
	char *text = ht_xasprintf("selection: %s", (const char *)b.data + 2);
	ht_buf_release(&b);
	return text;
}

/* What recording cost; nothing without a footer. */
static char *overhead_text(const struct ht_trace *t)
{
	bool known;
	const struct ht_trace_totals *n = ht_trace_totals(t, &known);
	return known ? ht_xasprintf("overhead: collector %llu ms of CPU, program %llu ms blocked on full rings",
				    (unsigned long long)(n->collector_cpu_ns / 1000000),
				    (unsigned long long)(n->blocked_ns / 1000000))
		     : NULL;
}

static void add_comments(struct built *b, const char *const *more, size_t count)
{
	const struct ht_trace *t = b->a->trace;
	const struct ht_trace_settings *settings = ht_trace_settings(t);
	char *selection = selection_text(&b->a->options.selection), *overhead = overhead_text(t);
	b->comments = ht_xcalloc(count + 8 + b->profile.mapping_count, sizeof(*b->comments));
	size_t n = 0;
	if (*b->profile.command)
		b->comments[n++] = own(b, ht_xasprintf("command: %s", b->profile.command));
	if (b->a->image_count)
		b->comments[n++] = own(b, ht_xasprintf("pid: %u", b->profile.pid));
	if (settings->hostname && *settings->hostname)
		b->comments[n++] = clean(b, own(b, ht_xasprintf("host: %s", settings->hostname)));
	b->comments[n++] = own(b, completeness_text(b->a));
	if (b->a->sample_bytes)
		b->comments[n++] = own(b, ht_xasprintf("sampled: one per %llu bytes, %llu samples; values are scaled",
						       (unsigned long long)b->a->sample_bytes,
						       (unsigned long long)b->a->samples));
	if (selection)
		b->comments[n++] = clean(b, own(b, selection));
	if (overhead)
		b->comments[n++] = own(b, overhead);
	for (size_t i = 0; i < count; i++)
		b->comments[n++] = more[i];
	for (uint32_t i = 0; i < ht_trace_module_count(t); i++)
		if (b->mapping_of[i])
			b->comments[n++] = own(b, ht_xasprintf("#base %s=0x%llx", b->mappings[b->mapping_of[i] - 1].file,
							       (unsigned long long)ht_trace_module(t, i)->bias));
	b->profile.comments = b->comments;
	b->profile.comment_count = n;
}

/* --- the whole ---------------------------------------------------------------------------- */

const struct ht_profile *ht_analysis_profile(const struct ht_analysis *a, enum ht_profile_kind kind,
					     const char *const *comments, size_t comment_count, size_t *value_index)
{
	struct built *b = ht_xcalloc(1, sizeof(*b));
	struct ht_profile *p = &b->profile;
	const struct ht_trace_settings *settings = ht_trace_settings(a->trace);
	b->a = a;
	b->stacks = a->stacks;
	b->kind = kind < HT_PROFILE_COUNT ? kind : HT_PROFILE_HEAP;
	b->location_of = ht_xcalloc(a->stacks->location_count, sizeof(*b->location_of));
	b->mapping_of = ht_xcalloc(ht_trace_module_count(a->trace), sizeof(*b->mapping_of));
	b->mappings = ht_xcalloc(ht_trace_module_count(a->trace), sizeof(*b->mappings));
	const struct ht_profile_kind_info *info = ht_profile_kind_info(b->kind);
	p->types = info->types;
	p->type_count = info->count;
	p->default_type = info->types[info->main].type;
	p->command = clean(b, own(b, command_text(a->trace)));
	p->pid = a->image_count ? ht_trace_image(a->trace, 0)->pid : 0;
	if (kind == HT_PROFILE_WHOLE)
		p->points = ht_profile_curve(a, &p->point_count, &p->peak_point);
	p->period_type = (struct ht_profile_type){"space", "bytes"};
	p->period = settings->sample_bytes ? (int64_t)settings->sample_bytes : 1;
	p->time_ns = (int64_t)(settings->start_utc_ns + a->totals.first_ns);
	p->duration_ns = (int64_t)(a->totals.last_ns - a->totals.first_ns);
	add_main_mapping(b);
	add_samples(b);
	judge_mappings(b);
	add_comments(b, comments, comment_count);
	ht_allocator_pattern(&b->drop_frames, a->stacks);
	ht_buf_byte(&b->drop_frames, '\0');
	p->drop_frames = (const char *)b->drop_frames.data;
	p->keep_frames = "";
	p->mappings = b->mappings;
	p->functions = b->functions;
	p->locations = b->locations;
	p->samples = b->samples;
	if (value_index)
		*value_index = info->main;
	return p;
}

void ht_profile_free(const struct ht_profile *p)
{
	struct built *b = (struct built *)(uintptr_t)p;
	if (!b)
		return;
	for (size_t i = 0; i < p->location_count; i++)
		free((void *)(uintptr_t)b->locations[i].lines);
	for (size_t i = 0; i < p->sample_count; i++) {
		free((void *)(uintptr_t)b->samples[i].locations);
		free((void *)(uintptr_t)b->samples[i].values);
		free((void *)(uintptr_t)b->samples[i].labels);
	}
	for (size_t i = 0; i < b->text_count; i++)
		free(b->texts[i]);
	free((void *)(uintptr_t)p->points);
	ht_buf_release(&b->drop_frames);
	ht_index_release(&b->function_index);
	free(b->texts);
	free(b->comments);
	free(b->location_of);
	free(b->mapping_of);
	free(b->mappings);
	free(b->locations);
	free(b->functions);
	free(b->samples);
	free(b);
}
