/*
 * dhat: see dhat.h. File version 2, mode heap. A program point is a stack; dh_view.html refuses two of the
 * same frames, so equal ones (which hidden frames make) become one. Blocks' accesses are not known.
 *
 *	tb tbk	bytes, blocks in all		gb gbk	at the global maximum
 *	tl	sum of lifetimes		eb ebk	at the end
 *	mb mbk	the stack's own maximum		fs	frames, leaf first; frame 0 is "[root]"
 *
 * Times are microseconds: dh_view has units of its own for instructions alone.
 */
#include "dhat.h"

#include <inttypes.h>
#include <stdlib.h>

#include "profile_frames.h"
#include "sink.h"
#include "utf8.h"

/* Blocks that live for less, on average, are short-lived. */
#define SHORT_US 500

struct point {
	uint32_t *frames; /* leaf first */
	size_t count;
	int64_t values[HT_WHOLE_COUNT];
};

/* A frame is a line of a location; of all locations they are numbered through. */
struct numbering {
	uint32_t *first; /* per location */
	uint32_t *used;	 /* per frame: number in ftbl, 0 = not used */
	uint32_t count;
};

static uint32_t *slot_of(const struct numbering *n, const struct ht_profile_walk *w)
{
	return &n->used[n->first[w->number] + (w->line ? (uint32_t)(w->line - w->location->lines) : 0)];
}

static void number_frames(struct numbering *n, const struct ht_profile *p)
{
	uint32_t total = 0;
	n->first = ht_xcalloc(p->location_count, sizeof(*n->first));
	for (size_t i = 0; i < p->location_count; i++) {
		n->first[i] = total;
		total += p->locations[i].line_count ? (uint32_t)p->locations[i].line_count : 1;
	}
	n->used = ht_xcalloc(total, sizeof(*n->used));
}

static struct point point_of(const struct ht_profile *p, const struct ht_profile_sample *s, struct numbering *n)
{
	struct ht_profile_walk w = ht_profile_walk(p, s);
	struct point point = {0};
	size_t cap = 0;
	memcpy(point.values, s->values, sizeof(point.values));
	while (ht_profile_next(&w)) {
		uint32_t *slot = slot_of(n, &w);
		if (!*slot)
			*slot = ++n->count;
		if (point.count == cap) {
			cap = cap ? cap * 2 : 16;
			point.frames = ht_xrealloc(point.frames, cap, sizeof(*point.frames));
		}
		point.frames[point.count++] = *slot;
	}
	return point;
}

static int compare_points(const void *pa, const void *pb)
{
	const struct point *a = pa, *b = pb;
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->frames[i] != b->frames[i])
			return a->frames[i] < b->frames[i] ? -1 : 1;
	return a->count < b->count ? -1 : a->count > b->count;
}

/* Own maxima of two stacks do not add up; what they had together at the global maximum is a lower bound. */
static void merge(struct point *into, const struct point *from)
{
	int64_t *v = into->values;
	const int64_t *w = from->values;
	bool larger = w[HT_WHOLE_OWN_PEAK_SPACE] > v[HT_WHOLE_OWN_PEAK_SPACE];
	int64_t space = larger ? w[HT_WHOLE_OWN_PEAK_SPACE] : v[HT_WHOLE_OWN_PEAK_SPACE];
	int64_t objects = larger ? w[HT_WHOLE_OWN_PEAK_OBJECTS] : v[HT_WHOLE_OWN_PEAK_OBJECTS];
	for (size_t i = 0; i < HT_WHOLE_COUNT; i++)
		v[i] += w[i];
	bool together = v[HT_WHOLE_PEAK_SPACE] > space;
	v[HT_WHOLE_OWN_PEAK_SPACE] = together ? v[HT_WHOLE_PEAK_SPACE] : space;
	v[HT_WHOLE_OWN_PEAK_OBJECTS] = together ? v[HT_WHOLE_PEAK_OBJECTS] : objects;
}

static void write_point(struct ht_buf *b, const struct point *point)
{
	const int64_t *v = point->values;
	ht_buf_printf(b, "{\"tb\":%" PRId64 ",\"tbk\":%" PRId64 ",\"tl\":%" PRId64, v[HT_WHOLE_ALLOC_SPACE],
		      v[HT_WHOLE_ALLOC_OBJECTS], v[HT_WHOLE_LIFETIME] / 1000);
	ht_buf_printf(b, ",\"mb\":%" PRId64 ",\"mbk\":%" PRId64, v[HT_WHOLE_OWN_PEAK_SPACE],
		      v[HT_WHOLE_OWN_PEAK_OBJECTS]);
	ht_buf_printf(b, ",\"gb\":%" PRId64 ",\"gbk\":%" PRId64, v[HT_WHOLE_PEAK_SPACE], v[HT_WHOLE_PEAK_OBJECTS]);
	ht_buf_printf(b, ",\"eb\":%" PRId64 ",\"ebk\":%" PRId64 ",\"fs\":[", v[HT_WHOLE_LEAKED_SPACE],
		      v[HT_WHOLE_LEAKED_OBJECTS]);
	for (size_t i = 0; i < point->count; i++)
		ht_buf_printf(b, "%s%u", i ? "," : "", point->frames[i]);
	ht_buf_printf(b, "]}");
}

static void write_points(struct ht_sink *out, const struct ht_profile *p, struct numbering *n)
{
	struct point *points = ht_xcalloc(p->sample_count, sizeof(*points));
	const char *between = "\n";
	size_t count = 0;
	for (size_t i = 0; i < p->sample_count; i++)
		if (p->samples[i].values[HT_WHOLE_ALLOC_OBJECTS])
			points[count++] = point_of(p, &p->samples[i], n);
	qsort(points, count, sizeof(*points), compare_points);
	for (size_t i = 0, next; i < count; i = next) {
		for (next = i + 1; next < count && !compare_points(&points[i], &points[next]); next++)
			merge(&points[i], &points[next]);
		ht_buf_printf(&out->text, "%s", between);
		write_point(&out->text, &points[i]);
		ht_sink_some(out);
		between = ",\n";
	}
	for (size_t i = 0; i < count; i++)
		free(points[i].frames);
	free(points);
}

static void write_table(struct ht_sink *out, const struct ht_profile *p, const struct numbering *n)
{
	char **names = ht_xcalloc((size_t)n->count + 1, sizeof(*names));
	for (size_t i = 0; i < p->location_count; i++) {
		const struct ht_profile_location *l = &p->locations[i];
		for (size_t k = 0; k < (l->line_count ? l->line_count : 1); k++) {
			struct ht_buf text = {0};
			uint32_t number = n->used[n->first[i] + k];
			if (!number)
				continue;
			ht_profile_frame_text(&text, p, l, l->line_count ? &l->lines[k] : NULL);
			ht_buf_byte(&text, '\0');
			names[number] = (char *)text.data;
		}
	}
	ht_buf_printf(&out->text, "\"[root]\"");
	for (uint32_t i = 1; i <= n->count; i++) {
		ht_buf_printf(&out->text, ",\n");
		ht_json_string(&out->text, names[i]);
		ht_sink_some(out);
		free(names[i]);
	}
	free(names);
}

static int write_profile(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d)
{
	struct ht_sink out = {.fd = fd};
	struct numbering n = {0};
	int64_t peak_ns = p->peak_point < p->point_count ? p->points[p->peak_point].time_ns : 0;
	(void)value_index;
	number_frames(&n, p);
	ht_buf_printf(&out.text, "{\"dhatFileVersion\":2,\"mode\":\"heap\",\"verb\":\"Allocated\",\"bklt\":true,\"bkacc\":false,\n"
				 "\"tu\":\"\302\265s\",\"Mtu\":\"s\",\"tuth\":%d,\n\"cmd\":",
		      SHORT_US);
	ht_json_string(&out.text, p->command);
	ht_buf_printf(&out.text, ",\"pid\":%u,\"te\":%" PRId64 ",\"tg\":%" PRId64 ",\n\"pps\":[", p->pid,
		      p->duration_ns / 1000, peak_ns / 1000);
	write_points(&out, p, &n);
	ht_buf_printf(&out.text, "],\n\"ftbl\":[");
	write_table(&out, p, &n);
	ht_buf_printf(&out.text, "]}\n");
	free(n.first);
	free(n.used);
	return ht_sink_end(&out, d);
}

const struct ht_exporter ht_exporter_dhat = {
	.name = "dhat",
	.extension = ".dhat.json",
	.summary = "for valgrind's dh_view.html: every number of every stack",
	.whole = true,
	.write_profile = write_profile,
};
