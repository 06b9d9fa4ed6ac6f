/* profile_values: see profile_values.h. */
#include "profile_values.h"

#include <stdlib.h>

#include "lifespans.h"

static const struct ht_profile_type heap_types[] = {
	{"alloc_objects", "count"},
	{"alloc_space", "bytes"},
	{"inuse_objects", "count"},
	{"inuse_space", "bytes"},
};
static const struct ht_profile_type peak_types[] = {{"peak_objects", "count"}, {"peak_space", "bytes"}};
static const struct ht_profile_type leaked_types[] = {{"leaked_objects", "count"}, {"leaked_space", "bytes"}};
static const struct ht_profile_type temporary_types[] = {{"temporary_objects", "count"},
							 {"temporary_space", "bytes"}};
static const struct ht_profile_type whole_types[HT_WHOLE_COUNT] = {
	[HT_WHOLE_ALLOC_OBJECTS] = {"alloc_objects", "count"},
	[HT_WHOLE_ALLOC_SPACE] = {"alloc_space", "bytes"},
	[HT_WHOLE_INUSE_OBJECTS] = {"inuse_objects", "count"},
	[HT_WHOLE_INUSE_SPACE] = {"inuse_space", "bytes"},
	[HT_WHOLE_PEAK_OBJECTS] = {"peak_objects", "count"},
	[HT_WHOLE_PEAK_SPACE] = {"peak_space", "bytes"},
	[HT_WHOLE_OWN_PEAK_OBJECTS] = {"own_peak_objects", "count"},
	[HT_WHOLE_OWN_PEAK_SPACE] = {"own_peak_space", "bytes"},
	[HT_WHOLE_LEAKED_OBJECTS] = {"leaked_objects", "count"},
	[HT_WHOLE_LEAKED_SPACE] = {"leaked_space", "bytes"},
	[HT_WHOLE_TEMPORARY_OBJECTS] = {"temporary_objects", "count"},
	[HT_WHOLE_TEMPORARY_SPACE] = {"temporary_space", "bytes"},
	[HT_WHOLE_LIFETIME] = {"lifetime", "nanoseconds"},
};

static const struct ht_profile_kind_info kinds[HT_PROFILE_COUNT] = {
	[HT_PROFILE_HEAP] = {heap_types, 4, 3},
	[HT_PROFILE_ALLOCS] = {heap_types, 4, 1},
	[HT_PROFILE_PEAK] = {peak_types, 2, 1},
	[HT_PROFILE_LEAKED] = {leaked_types, 2, 1},
	[HT_PROFILE_TEMPORARY] = {temporary_types, 2, 1},
	[HT_PROFILE_WHOLE] = {whole_types, HT_WHOLE_COUNT, HT_WHOLE_INUSE_SPACE},
};

const struct ht_profile_kind_info *ht_profile_kind_info(enum ht_profile_kind kind)
{
	return &kinds[kind < HT_PROFILE_COUNT ? kind : HT_PROFILE_HEAP];
}

static void set_whole(const struct ht_analysis *a, uint32_t node, const struct ht_counters *c, int64_t *v)
{
	v[HT_WHOLE_ALLOC_OBJECTS] = (int64_t)c->allocs;
	v[HT_WHOLE_ALLOC_SPACE] = (int64_t)c->bytes;
	v[HT_WHOLE_INUSE_OBJECTS] = (int64_t)c->live_objects;
	v[HT_WHOLE_INUSE_SPACE] = (int64_t)c->live_bytes;
	v[HT_WHOLE_PEAK_OBJECTS] = (int64_t)c->peak_objects;
	v[HT_WHOLE_PEAK_SPACE] = (int64_t)c->peak_bytes;
	v[HT_WHOLE_OWN_PEAK_OBJECTS] = (int64_t)c->own_peak_objects;
	v[HT_WHOLE_OWN_PEAK_SPACE] = (int64_t)c->own_peak_bytes;
	v[HT_WHOLE_LEAKED_OBJECTS] = (int64_t)c->leaked_objects;
	v[HT_WHOLE_LEAKED_SPACE] = (int64_t)c->leaked_bytes;
	v[HT_WHOLE_TEMPORARY_OBJECTS] = (int64_t)c->temporary;
	v[HT_WHOLE_TEMPORARY_SPACE] = (int64_t)c->temporary_bytes;
	v[HT_WHOLE_LIFETIME] = (int64_t)ht_stack_lifespan_ns(a, node);
}

bool ht_profile_values(const struct ht_analysis *a, enum ht_profile_kind kind, uint32_t node, const struct ht_counters *c,
		       int64_t *v)
{
	switch (kind) {
	case HT_PROFILE_PEAK:
		v[0] = (int64_t)c->peak_objects;
		v[1] = (int64_t)c->peak_bytes;
		break;
	case HT_PROFILE_LEAKED:
		v[0] = (int64_t)c->leaked_objects;
		v[1] = (int64_t)c->leaked_bytes;
		break;
	case HT_PROFILE_TEMPORARY:
		v[0] = (int64_t)c->temporary;
		v[1] = (int64_t)c->temporary_bytes;
		break;
	case HT_PROFILE_WHOLE:
		set_whole(a, node, c, v);
		break;
	default:
		v[0] = (int64_t)c->allocs;
		v[1] = (int64_t)c->bytes;
		v[2] = (int64_t)c->live_objects;
		v[3] = (int64_t)c->live_bytes;
		break;
	}
	return v[0] || v[1];
}

/* What was still live at the very end: blocks of images that ended before are no more. */
static uint64_t last_level(const struct ht_analysis *a)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < a->image_count; i++) {
		uint64_t end_ns = ht_trace_image(a->trace, i)->end_ns;
		if (a->images[i].selected && end_ns >= a->totals.last_ns)
			sum += a->images[i].c.leaked_bytes;
	}
	return sum;
}

/* The level at the end of each slice of the series, the peak in its place, and what is left at last. */
struct ht_profile_point *ht_profile_curve(const struct ht_analysis *a, size_t *count, size_t *peak)
{
	const struct ht_totals *n = &a->totals;
	struct ht_profile_point *points = ht_xcalloc(a->series_count + 3, sizeof(*points));
	const uint64_t begin = n->first_ns, span = n->last_ns - begin;
	size_t at = 1; /* the first one is the beginning: nothing is live */
	*peak = SIZE_MAX;
	for (size_t i = 0; i < a->series_count; i++) {
		bool last = i + 1 == a->series_count;
		uint64_t end = last ? span : a->series[i + 1].time_ns - begin;
		if (n->has_peak && *peak == SIZE_MAX && (last || n->peak_time_ns <= begin + end)) {
			*peak = at;
			points[at++] = (struct ht_profile_point){(int64_t)(n->peak_time_ns - begin),
								 (int64_t)n->c.peak_bytes};
		}
		points[at++] = (struct ht_profile_point){
			(int64_t)end, (int64_t)(last ? last_level(a) : a->series[i].end_bytes)};
	}
	*count = at;
	return points;
}
