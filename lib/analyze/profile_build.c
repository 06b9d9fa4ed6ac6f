/*
 * profile_build: the neutral ht_profile that exporters get, made of the sites that the filters let
 * through, or of numbers that came from elsewhere. One sample per stack; one profile location per address; functions
 * by name, linkage name, file and first line. Addresses stay link-time: they mean the same in every run of a build.
 */
#include <stdlib.h>

#include "labelled.h"
#include "profile_build.h"
#include "profile_values.h"
#include "utf8.h"

#define GROW(array, count, cap)                                                       \
	do {                                                                          \
		if ((count) == (cap)) {                                               \
			(cap) = (cap) ? (cap) * 2 : 256;                              \
			(array) = ht_xrealloc((array), (cap), sizeof(*(array)));      \
		}                                                                     \
	} while (0)

const char *ht_profile_own(struct ht_profile_built *b, char *text)
{
	b->texts = ht_xrealloc(b->texts, b->text_count + 1, sizeof(*b->texts));
	return b->texts[b->text_count++] = text;
}

const char *ht_profile_clean(struct ht_profile_built *b, const char *text)
{
	struct ht_buf buf = {0};
	if (ht_utf8_clean(&buf, text, strlen(text))) {
		ht_buf_byte(&buf, '\0');
		return ht_profile_own(b, (char *)buf.data);
	}
	ht_buf_release(&buf);
	return text;
}

/* --- mappings ----------------------------------------------------------------------------- */

#define PAGE UINT64_C(4096)

static uint32_t add_mapping(struct ht_profile_built *b, uint32_t module)
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
		.file = ht_profile_clean(b, ht_trace_string(t, m->path, NULL)),
		.build_id = ht_profile_own(b, ht_xstrdup(ht_build_id_text(t, module + 1, id))),
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
static void add_main_mapping(struct ht_profile_built *b)
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
static void judge_mappings(struct ht_profile_built *b)
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

static uint32_t add_function(struct ht_profile_built *b, const struct ht_frame *f)
{
	struct ht_profile *p = &b->profile;
	const char *name = ht_profile_clean(b, f->function), *linkage = ht_profile_clean(b, f->linkage);
	const char *file = ht_profile_clean(b, f->file ? f->file : "");
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
static uint32_t add_location(struct ht_profile_built *b, uint32_t number)
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

static struct ht_profile_sample located(struct ht_profile_built *b, uint32_t node)
{
	const struct ht_stacks *s = b->stacks;
	size_t cap = 0, n = 0;
	uint32_t *locations = NULL;
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
	sample.locations = locations;
	sample.location_count = n;
	if (sample.callsite > n)
		sample.callsite = n;
	return sample;
}

/* A stack of one frame that is a name alone: no code has it. */
static struct ht_profile_sample named(struct ht_profile_built *b, const char *name)
{
	struct ht_profile *p = &b->profile;
	const struct ht_frame frame = {.function = name, .linkage = name};
	const uint32_t function = add_function(b, &frame);
	uint32_t *locations = ht_xmalloc(sizeof(*locations));
	size_t i = 0;
	while (i < b->named_count && b->locations[b->named[i]].lines->function != function)
		i++;
	if (i == b->named_count) {
		struct ht_profile_line *line = ht_xmalloc(sizeof(*line));
		*line = (struct ht_profile_line){function, 0};
		GROW(b->locations, p->location_count, b->location_cap);
		b->locations[p->location_count] = (struct ht_profile_location){.lines = line, .line_count = 1};
		b->named = ht_xrealloc(b->named, b->named_count + 1, sizeof(*b->named));
		b->named[b->named_count++] = (uint32_t)p->location_count++;
	}
	locations[0] = b->named[i];
	return (struct ht_profile_sample){.locations = locations, .location_count = 1};
}

static void add_sample(struct ht_profile_built *b, const struct ht_profile_entry *e)
{
	struct ht_profile *p = &b->profile;
	struct ht_profile_sample sample = e->name ? named(b, e->name) : located(b, e->node);
	int64_t *kept = ht_xmalloc(p->type_count * sizeof(*kept));
	memcpy(kept, e->values, p->type_count * sizeof(*kept));
	sample.values = kept;
	if (e->label_count) {
		struct ht_profile_label *own_labels = ht_xcalloc(e->label_count, sizeof(*own_labels));
		memcpy(own_labels, e->labels, e->label_count * sizeof(*own_labels));
		for (size_t i = 0; i < e->label_count; i++)
			own_labels[i].str = e->labels[i].str ? ht_profile_clean(b, e->labels[i].str) : NULL;
		sample.labels = own_labels;
		sample.label_count = e->label_count;
	}
	GROW(b->samples, p->sample_count, b->sample_cap);
	b->samples[p->sample_count++] = sample;
}

static void add_counters(struct ht_profile_built *b, enum ht_profile_kind kind, uint32_t node,
			 const struct ht_counters *c, const struct ht_profile_label *labels, size_t label_count)
{
	int64_t values[HT_WHOLE_COUNT] = {0};
	if (ht_profile_values(b->a, kind, node, c, values))
		add_sample(b, &(struct ht_profile_entry){
				      .node = node, .values = values, .labels = labels, .label_count = label_count});
}

static void add_sites(struct ht_profile_built *b, enum ht_profile_kind kind)
{
	const struct ht_labelled *l = b->a->labelled;
	const struct ht_sites *sites = b->a->sites;
	struct ht_profile_label labels[HT_LABELS_MAX];
	for (uint32_t i = 0; l && i < l->count; i++)
		add_counters(b, kind, l->items[i].node, &l->items[i].c, labels,
			     ht_labelled_labels(l, &l->items[i], labels));
	for (uint32_t i = 0; !l && sites && i < sites->count; i++)
		if (sites->items[i].shown)
			add_counters(b, kind, sites->items[i].node, &sites->items[i].c, NULL, 0);
}

/* --- the whole ---------------------------------------------------------------------------- */

static struct ht_profile_built *begin(const struct ht_analysis *a, const struct ht_profile_type *types, size_t count,
				      size_t main_type)
{
	struct ht_profile_built *b = ht_xcalloc(1, sizeof(*b));
	struct ht_profile *p = &b->profile;
	b->a = a;
	b->stacks = a->stacks;
	b->location_of = ht_xcalloc(a->stacks->location_count, sizeof(*b->location_of));
	b->mapping_of = ht_xcalloc(ht_trace_module_count(a->trace), sizeof(*b->mapping_of));
	b->mappings = ht_xcalloc(ht_trace_module_count(a->trace), sizeof(*b->mappings));
	p->types = types;
	p->type_count = count;
	p->default_type = types[main_type].type;
	p->command = ht_profile_clean(b, ht_profile_own(b, ht_profile_command(a->trace)));
	p->pid = a->image_count ? ht_trace_image(a->trace, 0)->pid : 0;
	p->time_ns = (int64_t)(ht_trace_settings(a->trace)->start_utc_ns + a->totals.first_ns);
	p->duration_ns = (int64_t)(a->totals.last_ns - a->totals.first_ns);
	add_main_mapping(b);
	return b;
}

static const struct ht_profile *finish(struct ht_profile_built *b, const char *const *comments, size_t comment_count,
				       bool drop_allocator)
{
	struct ht_profile *p = &b->profile;
	judge_mappings(b);
	ht_profile_comment(b, comments, comment_count);
	if (drop_allocator)
		ht_allocator_pattern(&b->drop_frames, b->stacks);
	ht_buf_byte(&b->drop_frames, '\0');
	p->drop_frames = (const char *)b->drop_frames.data;
	p->keep_frames = "";
	p->mappings = b->mappings;
	p->functions = b->functions;
	p->locations = b->locations;
	p->samples = b->samples;
	return p;
}

const struct ht_profile *ht_analysis_profile(const struct ht_analysis *a, enum ht_profile_kind kind,
					     const char *const *comments, size_t comment_count, size_t *value_index)
{
	if (kind >= HT_PROFILE_COUNT)
		kind = HT_PROFILE_HEAP;
	const struct ht_profile_kind_info *info = ht_profile_kind_info(kind);
	struct ht_profile_built *b = begin(a, info->types, info->count, info->main);
	struct ht_profile *p = &b->profile;
	const uint64_t rate = ht_trace_settings(a->trace)->sample_bytes;
	if (kind == HT_PROFILE_WHOLE)
		p->points = ht_profile_curve(a, &p->point_count, &p->peak_point);
	p->period_type = (struct ht_profile_type){"space", "bytes"};
	p->period = rate ? (int64_t)rate : 1;
	add_sites(b, kind);
	if (value_index)
		*value_index = info->main;
	return finish(b, comments, comment_count, true);
}

const struct ht_profile *ht_made_profile(const struct ht_analysis *a, const struct ht_profile_made *made,
					 const char *const *comments, size_t comment_count)
{
	struct ht_profile_built *b = begin(a, made->types, made->type_count, made->main);
	b->profile.period_type = made->types[0];
	b->profile.period = 1;
	for (size_t i = 0; i < made->count; i++)
		add_sample(b, &made->entries[i]);
	return finish(b, comments, comment_count, made->drop_allocator);
}

void ht_profile_free(const struct ht_profile *p)
{
	struct ht_profile_built *b = (struct ht_profile_built *)(uintptr_t)p;
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
	free(b->named);
	free(b->mapping_of);
	free(b->mappings);
	free(b->locations);
	free(b->functions);
	free(b->samples);
	free(b);
}
