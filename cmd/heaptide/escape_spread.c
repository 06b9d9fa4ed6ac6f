/* escape_spread: the views "sizes" (what the allocator rounds up) and "lifetimes" (how long blocks live, by callsite). */
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "text.h"

/* --- sizes -------------------------------------------------------------------------------- */

enum { TINY = 16, HEADER = 8, ALIGNMENT = 16, SMALLEST = 32, PAGE = 4096 };
#define MMAP_FROM (UINT64_C(128) << 10)

/* glibc's rule on 64-bit machines: a chunk has a word in front of the block, is a multiple of 16, and 32 at least. Large ones
 * are whole pages until a free of such a block raises the limit, which is not followed here. */
static uint64_t usable(uint64_t size)
{
	uint64_t chunk = (size + HEADER + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
	if (chunk < size)
		return size;
	if (size >= MMAP_FROM)
		return ((chunk + HEADER + PAGE - 1) & ~(uint64_t)(PAGE - 1)) - 2 * HEADER;
	return (chunk < SMALLEST ? SMALLEST : chunk) - HEADER;
}

/* Other allocators have other rules. */
static const char *other_allocator(const struct ht_trace *t)
{
	static const char *const names[] = {"jemalloc", "tcmalloc", "mimalloc", "libasan", "libsnmalloc", "musl"};
	for (uint32_t i = 0; i < ht_trace_module_count(t); i++) {
		const char *path = ht_trace_string(t, ht_trace_module(t, i)->path, NULL);
		for (size_t k = 0; k < HT_ARRAY_SIZE(names); k++)
			if (strstr(path, names[k]))
				return names[k];
	}
	return NULL;
}

struct waste {
	uint64_t usable, tiny;
	uint32_t row;
	uint64_t wasted;
	const struct ht_frame *frame;
};

static int by_waste(const void *a, const void *b)
{
	const struct waste *x = a, *y = b;
	if (x->wasted != y->wasted)
		return x->wasted > y->wasted ? -1 : 1;
	return ht_frame_order(x->frame, y->frame);
}

/* Rows with blocks first, by what they waste. */
static struct waste *gather(const struct ht_escape *x, size_t *count)
{
	const struct ht_fates *f = x->fates;
	struct waste *all = ht_xcalloc((size_t)f->row_count + 1, sizeof(*all));
	*count = 0;
	for (uint32_t i = 0; i < f->size_count; i++) {
		const struct ht_size_count *c = &f->sizes[i];
		all[c->row].usable += c->allocs * usable(c->size);
		all[c->row].tiny += c->size < TINY ? c->allocs : 0;
	}
	for (uint32_t i = 0; i < f->row_count; i++) {
		if (!f->rows[i].allocs)
			continue;
		struct waste w = all[i];
		w.row = i;
		w.frame = f->rows[i].frame;
		w.wasted = w.usable - f->rows[i].bytes;
		all[(*count)++] = w;
	}
	qsort(all, *count, sizeof(*all), by_waste);
	return all;
}

int ht_escape_sizes_view(struct ht_escape *x, struct ht_diag *d)
{
	static const struct ht_column columns[] = {
	    HT_ESCAPE_NAME_COLUMNS,
	    {.key = "allocs", .heading = "blocks"},
	    {.key = "size.min", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "size.median", .heading = "median"},
	    {.key = "size.max", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "bytes", .heading = "requested"},
	    {.key = "usable_bytes", .heading = "usable"},
	    {.key = "wasted_bytes", .heading = "wasted"},
	    {.key = "wasted_share", .heading = "%"},
	    {.key = "under_16", .heading = "< 16 B"},
	    {0}};
	const char *other = other_allocator(x->a->trace);
	size_t count;
	struct waste *rows = gather(x, &count);
	size_t shown = count < x->limit ? count : x->limit;
	(void)d;
	ht_emit_json(x->e, "usable_by", ht_string(other ? NULL : "glibc's rule"));
	ht_emit_table(x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++) {
		const struct ht_escape_row *r = &x->fates->rows[rows[i].row];
		const struct ht_escape_sizes *s = &x->sizes[rows[i].row];
		ht_escape_name_cells(x->e, r->frame);
		ht_emit_cell(x->e, ht_count(r->allocs));
		ht_emit_cell(x->e, ht_bytes(s->min));
		ht_emit_cell(x->e, ht_bytes(s->median));
		ht_emit_cell(x->e, ht_bytes(s->max));
		ht_emit_cell(x->e, ht_bytes(r->bytes));
		ht_emit_cell(x->e, other ? ht_null() : ht_bytes(rows[i].usable));
		ht_emit_cell(x->e, other ? ht_null() : ht_bytes(rows[i].wasted));
		ht_emit_cell(x->e, other ? ht_null() : ht_share((double)rows[i].wasted, (double)rows[i].usable));
		ht_emit_cell(x->e, ht_count(rows[i].tiny));
		ht_emit_row(x->e);
	}
	ht_emit_table_end(x->e, count - shown);
	if (other)
		ht_emit_text(x->e, "\nusable bytes are not known: the program uses %s, and only glibc's rule is known\n", other);
	else
		ht_emit_text(x->e, "\nusable: by glibc's rule; every block costs 8 bytes more in front of it\n");
	free(rows);
	return 0;
}

/* --- lifetimes ---------------------------------------------------------------------------- */

/* A step of a histogram is a factor of two: class i holds what has bit length i. */
enum { OCTAVES = 64 };

static void octaves(const struct ht_loghist *h, uint64_t *out)
{
	memset(out, 0, OCTAVES * sizeof(*out));
	for (unsigned k = 0; h && k < HT_LOGHIST_CLASSES; k++) {
		uint64_t bound = ht_loghist_bound(k);
		unsigned octave = bound ? 64u - (unsigned)__builtin_clzll(bound) : 0;
		out[octave < OCTAVES ? octave : OCTAVES - 1] += h->classes[k];
	}
}

static void lifetime_cells(const struct ht_escape *x, const struct ht_escape_row *r, double seconds, unsigned first,
			   unsigned last)
{
	struct ht_emitter *e = x->e;
	bool died = r->lived && r->lived->count;
	uint64_t histogram[OCTAVES];
	octaves(r->lived, histogram);
	ht_escape_name_cells(e, r->frame);
	ht_emit_cell(e, ht_count(r->allocs));
	ht_emit_cell(e, ht_count(r->allocs - r->kept));
	ht_emit_cell(e, seconds > 0 ? ht_real((double)r->allocs / seconds) : ht_null());
	ht_emit_cell(e, seconds > 0 ? ht_real((double)(r->allocs - r->kept) / seconds) : ht_null());
	ht_emit_cell(e, died ? ht_ns(ht_loghist_percentile(r->lived, 0.5)) : ht_null());
	ht_emit_cell(e, died ? ht_ns(ht_loghist_percentile(r->lived, 0.99)) : ht_null());
	ht_emit_cell(e, died ? ht_ns(ht_loghist_percentile(r->lived, 1)) : ht_null());
	ht_emit_cell(e, died ? ht_count(ht_loghist_percentile(r->between, 0.5)) : ht_null());
	ht_emit_cell(e, died ? ht_count(ht_loghist_percentile(r->between, 0.99)) : ht_null());
	ht_emit_cell(e, died ? ht_count(ht_loghist_percentile(r->between, 1)) : ht_null());
	if (e->format == HT_EMIT_TEXT)
		ht_emit_cell(e, died ? ht_counts(histogram + first, last - first + 1) : ht_omit());
	else
		ht_emit_cell(e, ht_counts(histogram, OCTAVES));
	for (unsigned i = 0; i < HT_GENERATIONS; i++)
		ht_emit_cell(e, ht_count(r->survived[i]));
	ht_emit_row(e);
}

int ht_escape_lifetimes(struct ht_escape *x, struct ht_diag *d)
{
	static const struct ht_column columns[] = {
	    HT_ESCAPE_NAME_COLUMNS,
	    {.key = "allocs", .heading = "blocks"},
	    {.key = "frees", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "births_per_s", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "deaths_per_s", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "lifetime_ns.p50", .heading = "half in"},
	    {.key = "lifetime_ns.p99", .heading = "99 % in"},
	    {.key = "lifetime_ns.max", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "lifetime_allocs.p50", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "lifetime_allocs.p99", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "lifetime_allocs.max", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "histogram", .heading = "short → long", .flags = HT_COLUMN_LEFT},
	    {.key = "survived.ms", .heading = "> 1 ms"},
	    {.key = "survived.s", .heading = "> 1 s"},
	    {.key = "survived.min", .heading = "> 1 min"},
	    {0}};
	size_t count;
	uint32_t *order = ht_escape_order(x, &count);
	size_t shown = count < x->limit ? count : x->limit;
	const struct ht_totals *t = &x->a->totals;
	double seconds = (double)(t->last_ns - t->first_ns) / 1e9;
	unsigned first = OCTAVES - 1, last = 0;
	uint64_t histogram[OCTAVES];
	(void)d;
	for (size_t i = 0; i < shown; i++) {
		octaves(x->fates->rows[order[i]].lived, histogram);
		for (unsigned k = 0; k < OCTAVES; k++)
			if (histogram[k]) {
				first = k < first ? k : first;
				last = k > last ? k : last;
			}
	}
	last = last < first ? first : last;
	ht_emit_table(x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		lifetime_cells(x, &x->fates->rows[order[i]], seconds, first, last);
	ht_emit_table_end(x->e, count - shown);
	if (count)
		ht_emit_text(x->e, "\na step of a histogram is a factor of two, from %s to %s\n",
			     ht_text_ns(first ? UINT64_C(1) << (first - 1) : 0).s, ht_text_ns(UINT64_C(1) << last).s);
	free(order);
	return 0;
}
