/*
 * speedscope: see speedscope.h. A frame is a function, so that the tool adds up what a function has, as
 * `heaptide report --by=function` does; addresses without a name are frames of their own. Stacks go root
 * first; a stack without a value of a type is not in that type's profile.
 */
#include "speedscope.h"

#include <inttypes.h>
#include <stdlib.h>

#include "profile_frames.h"
#include "sink.h"
#include "utf8.h"

struct frames {
	uint32_t *of_function, *of_location; /* index + 1, 0 = not used */
	uint32_t count;
};

static uint32_t *slot_of(const struct frames *f, const struct ht_profile_walk *w)
{
	return w->line ? &f->of_function[w->line->function] : &f->of_location[w->number];
}

static void write_frame(struct ht_sink *out, const struct ht_profile_walk *w)
{
	const struct ht_profile *p = w->profile;
	struct ht_buf *b = &out->text;
	ht_buf_printf(b, "\n{\"name\":");
	if (!w->line) {
		char *name = ht_profile_address_name(p, w->location);
		ht_json_string(b, name);
		free(name);
	} else {
		const struct ht_profile_function *f = &p->functions[w->line->function];
		ht_json_string(b, f->name);
		if (*f->file) {
			ht_buf_printf(b, ",\"file\":");
			ht_json_string(b, f->file);
		}
		if (f->start_line)
			ht_buf_printf(b, ",\"line\":%u", f->start_line);
	}
	ht_buf_byte(b, '}');
	ht_sink_some(out);
}

/* Numbers the frames in the order in which the samples meet them. */
static void write_frames(struct ht_sink *out, const struct ht_profile *p, struct frames *f)
{
	for (size_t i = 0; i < p->sample_count; i++) {
		struct ht_profile_walk w = ht_profile_walk(p, &p->samples[i]);
		while (ht_profile_next(&w)) {
			uint32_t *slot = slot_of(f, &w);
			if (*slot)
				continue;
			if (f->count)
				ht_buf_byte(&out->text, ',');
			write_frame(out, &w);
			*slot = ++f->count;
		}
	}
}

static void write_stack(struct ht_sink *out, const struct ht_profile *p, const struct ht_profile_sample *s,
			const struct frames *f)
{
	struct ht_profile_walk w = ht_profile_walk(p, s);
	uint32_t *stack = NULL;
	size_t n = 0, cap = 0;
	while (ht_profile_next(&w)) {
		if (n == cap) {
			cap = cap ? cap * 2 : 16;
			stack = ht_xrealloc(stack, cap, sizeof(*stack));
		}
		stack[n++] = *slot_of(f, &w) - 1;
	}
	ht_buf_byte(&out->text, '[');
	for (size_t i = n; i-- > 0;)
		ht_buf_printf(&out->text, "%u%s", stack[i], i ? "," : "");
	ht_buf_byte(&out->text, ']');
	free(stack);
	ht_sink_some(out);
}

static void write_type(struct ht_sink *out, const struct ht_profile *p, size_t type, const struct frames *f)
{
	struct ht_buf *b = &out->text;
	const char *unit = p->types[type].unit, *between = "\n";
	int64_t sum = 0;
	bool known = !strcmp(unit, "bytes") || !strcmp(unit, "nanoseconds");
	ht_buf_printf(b, "\n{\"type\":\"sampled\",\"name\":\"%s\",\"unit\":\"%s\",\"samples\":[", p->types[type].type,
		      known ? unit : "none");
	for (size_t i = 0; i < p->sample_count; i++) {
		if (!p->samples[i].values[type])
			continue;
		ht_buf_printf(b, "%s", between);
		write_stack(out, p, &p->samples[i], f);
		between = ",\n";
	}
	ht_buf_printf(b, "],\n\"weights\":[");
	between = "";
	for (size_t i = 0; i < p->sample_count; i++) {
		int64_t value = p->samples[i].values[type];
		if (!value)
			continue;
		ht_buf_printf(b, "%s%" PRId64, between, value);
		sum += value;
		between = ",";
		ht_sink_some(out);
	}
	ht_buf_printf(b, "],\"startValue\":0,\"endValue\":%" PRId64 "}", sum);
}

static int write_profile(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d)
{
	struct ht_sink out = {.fd = fd};
	struct frames f = {
		.of_function = ht_xcalloc(p->function_count, sizeof(*f.of_function)),
		.of_location = ht_xcalloc(p->location_count, sizeof(*f.of_location)),
	};
	ht_buf_printf(&out.text, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n\"name\":");
	ht_json_string(&out.text, p->command);
	ht_buf_printf(&out.text, ",\"exporter\":\"heaptide\",\"activeProfileIndex\":%zu,\n\"shared\":{\"frames\":[",
		      value_index < p->type_count ? value_index : 0);
	write_frames(&out, p, &f);
	ht_buf_printf(&out.text, "]},\n\"profiles\":[");
	for (size_t i = 0; i < p->type_count; i++) {
		if (i)
			ht_buf_byte(&out.text, ',');
		write_type(&out, p, i, &f);
	}
	ht_buf_printf(&out.text, "]}\n");
	free(f.of_function);
	free(f.of_location);
	return ht_sink_end(&out, d);
}

const struct ht_exporter ht_exporter_speedscope = {
	.name = "speedscope",
	.extension = ".speedscope.json",
	.summary = "for speedscope.app, every value a profile of its own",
	.write_profile = write_profile,
};
