/*
 * gperftools: see gperftools.h. google-pprof knows no profile.proto. Its own format has addresses of one
 * process and a symbol section in front:
 *
 *	--- symbol
 *	binary=/bin/app
 *	0x1010 outer--inlined			the frames of one address
 *	---
 *	heap profile: 3: 300 [ 8: 350] @ heapprofile
 *	3: 300 [ 8: 350] @ 0x1010 0x1020	in use, ever; leaf first
 *
 * Link-time addresses of several modules would collide, so the locations are numbered instead.
 */
#include "gperftools.h"

#include <inttypes.h>
#include <stdlib.h>

#include "profile_frames.h"
#include "sink.h"

/* Addresses of nothing in particular, far enough from each other that none is taken for another's return. */
static uint64_t address_of(uint32_t location, uint32_t line)
{
	return UINT64_C(0x100000) + ((uint64_t)location << 16) + (line << 4);
}

/* "--" separates frames and a line break symbols: names must not hold them. */
static void put_name(struct ht_buf *b, const char *name)
{
	for (; *name; name++) {
		bool bad = (unsigned char)*name < ' ' || (name[0] == '-' && name[1] == '-');
		ht_buf_byte(b, bad ? '_' : (uint8_t)*name);
	}
}

/* One symbol per line at which a stack may begin: that of the callsite may be one within a location. */
static void write_symbol(struct ht_sink *out, const struct ht_profile *p, uint32_t number, uint32_t first)
{
	const struct ht_profile_location *l = &p->locations[number];
	ht_buf_printf(&out->text, "0x%016" PRIx64 " ", address_of(number, first));
	for (size_t i = l->line_count; i-- > first;) {
		put_name(&out->text, p->functions[l->lines[i].function].name);
		ht_buf_printf(&out->text, "%s", i > first ? "--" : "");
	}
	if (!l->line_count) {
		char *name = ht_profile_address_name(p, l);
		put_name(&out->text, name);
		free(name);
	}
	ht_buf_byte(&out->text, '\n');
	ht_sink_some(out);
}

static void write_symbols(struct ht_sink *out, const struct ht_profile *p)
{
	ht_buf_printf(&out->text, "--- symbol\nbinary=%s\n", p->mapping_count ? p->mappings[0].file : "");
	for (uint32_t i = 0; i < p->location_count; i++)
		for (uint32_t k = 0; !k || k < p->locations[i].line_count; k++)
			write_symbol(out, p, i, k);
	ht_buf_printf(&out->text, "---\n");
}

static void write_numbers(struct ht_buf *b, const int64_t *v)
{
	ht_buf_printf(b, "%" PRId64 ": %" PRId64 " [%" PRId64 ": %" PRId64 "] @", v[HT_WHOLE_INUSE_OBJECTS],
		      v[HT_WHOLE_INUSE_SPACE], v[HT_WHOLE_ALLOC_OBJECTS], v[HT_WHOLE_ALLOC_SPACE]);
}

static void write_sample(struct ht_sink *out, const struct ht_profile_sample *s)
{
	if (!s->values[HT_WHOLE_ALLOC_OBJECTS])
		return;
	write_numbers(&out->text, s->values);
	for (size_t i = s->callsite; i < s->location_count; i++)
		ht_buf_printf(&out->text, " 0x%016" PRIx64,
			      address_of(s->locations[i], i == s->callsite ? (uint32_t)s->callsite_line : 0));
	ht_buf_byte(&out->text, '\n');
	ht_sink_some(out);
}

static int write_profile(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d)
{
	struct ht_sink out = {.fd = fd};
	int64_t sum[HT_WHOLE_COUNT] = {0};
	(void)value_index;
	write_symbols(&out, p);
	for (size_t i = 0; i < p->sample_count; i++)
		for (size_t k = 0; k < HT_WHOLE_COUNT; k++)
			sum[k] += p->samples[i].values[k];
	ht_buf_printf(&out.text, "heap profile: ");
	write_numbers(&out.text, sum);
	ht_buf_printf(&out.text, " heapprofile\n");
	for (size_t i = 0; i < p->sample_count; i++)
		write_sample(&out, &p->samples[i]);
	return ht_sink_end(&out, d);
}

const struct ht_exporter ht_exporter_gperftools = {
	.name = "gperftools",
	.extension = ".heap",
	.summary = "for google-pprof",
	.whole = true,
	.write_profile = write_profile,
};
