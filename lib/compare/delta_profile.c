/* delta_profile: see delta_profile.h. A frame of the comparison is a function, and a location with one line. */
#include "delta_profile.h"

#include <math.h>
#include <stdlib.h>

#include "base.h"

static const struct ht_profile_type types[HT_CV_COUNT] = {
	[HT_CV_ALLOCS] = {"alloc_objects", "count"},	     [HT_CV_BYTES] = {"alloc_space", "bytes"},
	[HT_CV_PEAK_OBJECTS] = {"peak_objects", "count"},    [HT_CV_PEAK_BYTES] = {"peak_space", "bytes"},
	[HT_CV_LEAKED_OBJECTS] = {"leaked_objects", "count"}, [HT_CV_LEAKED_BYTES] = {"leaked_space", "bytes"},
	[HT_CV_TEMPORARY] = {"temporary_objects", "count"},
};

struct delta {
	struct ht_profile profile; /* first, so that it can be freed */
	struct ht_profile_function *functions;
	struct ht_profile_location *locations;
	struct ht_profile_line *lines;
	struct ht_profile_sample *samples;
	int64_t *values;
	char **names;
	uint32_t name_count;
};

static uint32_t frames_used(const struct ht_compare *c)
{
	uint32_t n = 0;
	for (size_t i = 0; i < c->row_count; i++)
		for (size_t k = 0; k < c->rows[i].depth; k++)
			n = c->rows[i].stack[k] >= n ? c->rows[i].stack[k] + 1 : n;
	return n;
}

const struct ht_profile *ht_delta_profile(const struct ht_compare *c)
{
	struct delta *d = ht_xcalloc(1, sizeof(*d));
	uint32_t n = frames_used(c);
	d->functions = ht_xcalloc(n + 1ull, sizeof(*d->functions));
	d->locations = ht_xcalloc(n + 1ull, sizeof(*d->locations));
	d->lines = ht_xcalloc(n + 1ull, sizeof(*d->lines));
	d->samples = ht_xcalloc(c->row_count + 1, sizeof(*d->samples));
	d->values = ht_xcalloc(c->row_count + 1, HT_CV_COUNT * sizeof(*d->values));
	d->names = ht_xcalloc(n + 1ull, sizeof(*d->names));
	d->name_count = n;
	for (uint32_t i = 0; i < n; i++) {
		const struct ht_compare_frame *f = &c->frames[i];
		const char *name = d->names[i] = ht_compare_frame_text(f);
		d->functions[i] = (struct ht_profile_function){.name = name, .system_name = name, .file = f->file};
		d->lines[i] = (struct ht_profile_line){.function = i};
		d->locations[i] = (struct ht_profile_location){.lines = &d->lines[i], .line_count = 1};
	}
	for (size_t i = 0; i < c->row_count; i++) {
		const struct ht_compare_row *row = &c->rows[i];
		int64_t *v = d->values + i * HT_CV_COUNT;
		bool any = false;
		for (unsigned k = 0; k < HT_CV_COUNT; k++) {
			v[k] = (int64_t)nearbyint(ht_compare_delta(row, k));
			any |= v[k] != 0;
		}
		if (any && row->depth)
			d->samples[d->profile.sample_count++] = (struct ht_profile_sample){
				.locations = row->stack, .location_count = row->depth, .values = v};
	}
	d->profile.command = "";
	d->profile.types = types;
	d->profile.type_count = HT_CV_COUNT;
	d->profile.default_type = types[c->metric].type;
	d->profile.period_type = (struct ht_profile_type){"space", "bytes"};
	d->profile.period = 1;
	d->profile.drop_frames = d->profile.keep_frames = "";
	d->profile.functions = d->functions;
	d->profile.function_count = n;
	d->profile.locations = d->locations;
	d->profile.location_count = n;
	d->profile.samples = d->samples;
	return &d->profile;
}

void ht_delta_profile_free(const struct ht_profile *p)
{
	struct delta *d = (struct delta *)p;
	for (uint32_t i = 0; i < d->name_count; i++)
		free(d->names[i]);
	free(d->names);
	free(d->functions);
	free(d->locations);
	free(d->lines);
	free(d->samples);
	free(d->values);
	free(d);
}
