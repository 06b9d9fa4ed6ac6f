/*
 * stored_make: stored_symbols.h, the making. Addresses are resolved twice, with short and with full names; the
 * rest of both answers is the same. What the trace has already is replaced by something better only.
 */
#include <stdlib.h>
#include <string.h>

#include "hash_index.h"
#include "stacks.h"
#include "stored_symbols.h"

/* Source lines are kept with some around them, as `report --view=list` shows them. */
enum { BEFORE = 12, AFTER = 3 };

/* --- strings ------------------------------------------------------------------------------ */

struct strings {
	struct ht_buf bytes; /* {length, text} */
	struct ht_buf texts; /* for comparing: NUL-terminated */
	size_t *at;	     /* per string: into texts */
	uint32_t count, cap;
	struct ht_index index;
};

static uint64_t string_id(struct strings *s, const char *text, size_t n)
{
	uint32_t hash = ht_mix(ht_hash_bytes(HT_HASH_START, text, n)), v;
	for (size_t i = ht_index_start(&s->index, hash); (v = ht_index_at(&s->index, &i, hash)) != HT_INDEX_NONE; i++) {
		const char *known = (const char *)s->texts.data + s->at[v];
		if (!memcmp(known, text, n) && !known[n])
			return (uint64_t)v + 1;
	}
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->at = ht_xrealloc(s->at, s->cap, sizeof(*s->at));
	}
	s->at[s->count] = s->texts.len;
	ht_buf_append(&s->texts, text, n);
	ht_buf_byte(&s->texts, 0);
	ht_buf_varint(&s->bytes, n);
	ht_buf_append(&s->bytes, text, n);
	ht_index_insert(&s->index, hash, s->count);
	return ++s->count;
}

static void put_string(struct ht_buf *b, struct strings *s, const char *text)
{
	ht_buf_varint(b, text ? string_id(s, text, strlen(text)) : 0);
}

static void release_strings(struct strings *s)
{
	ht_buf_release(&s->bytes);
	ht_buf_release(&s->texts);
	ht_index_release(&s->index);
	free(s->at);
}

/* --- source lines ------------------------------------------------------------------------- */

struct place {
	const char *file;
	uint32_t line;
};
struct places {
	struct place *items;
	size_t count, cap;
};

static void add_place(struct places *p, const char *file, uint32_t line)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 64;
		p->items = ht_xrealloc(p->items, p->cap, sizeof(*p->items));
	}
	p->items[p->count++] = (struct place){file, line};
}

static int by_place(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;
	int order = strcmp(a->file, b->file);
	return order ? order : a->line < b->line ? -1 : a->line > b->line;
}

struct lines_of {
	const struct ht_source_reader *reader; /* NULL: none */
	const struct ht_stored_symbols *stored; /* of the module, in the trace; NULL: nothing */
};

static int by_number(const void *key, const void *element)
{
	uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)element;
	return a < b ? -1 : a > b;
}

/* What the reader has, unless that has changed since the recording and the trace has what it was. */
static const char *line_of(const struct lines_of *from, const char *path, uint32_t line, bool *newer)
{
	const struct ht_stored_source *f = from->stored ? ht_stored_symbols_source(from->stored, path) : NULL;
	const uint32_t *at = f ? bsearch(&line, f->numbers, f->count, sizeof(*f->numbers), by_number) : NULL;
	bool changed = false;
	const char *text = from->reader ? from->reader->line(from->reader->ctx, path, line, &changed) : NULL;
	if (at && (!text || changed)) {
		text = f->lines[at - f->numbers];
		changed = f->newer;
	}
	*newer |= text && changed;
	return text;
}

/* One file's lines, places[0 .. count-1] of it ascending. Returns how many lines it stored. */
static uint64_t put_file(struct ht_buf *b, struct strings *s, const struct place *places, size_t count,
			 const struct lines_of *sources)
{
	struct ht_buf lines = {0};
	uint64_t stored = 0, last = 0;
	bool newer = false;
	for (size_t i = 0; i < count; i++) {
		uint64_t from = places[i].line > BEFORE ? places[i].line - BEFORE : 1;
		for (uint64_t n = from > last ? from : last + 1; n <= (uint64_t)places[i].line + AFTER; n++) {
			const char *text = line_of(sources, places[i].file, (uint32_t)n, &newer);
			if (!text)
				break;
			ht_buf_varint(&lines, n - last);
			put_string(&lines, s, text);
			last = n;
			stored++;
		}
	}
	put_string(b, s, places[0].file);
	ht_buf_byte(b, newer);
	ht_buf_varint(b, stored);
	ht_buf_append(b, lines.data, lines.len);
	ht_buf_release(&lines);
	return stored;
}

static uint64_t put_sources(struct ht_buf *b, struct strings *s, struct places *p, const struct lines_of *sources)
{
	struct ht_buf files = {0};
	uint64_t count = 0, lines = 0;
	if (p->count)
		qsort(p->items, p->count, sizeof(*p->items), by_place);
	for (size_t i = 0, next; i < p->count; i = next) {
		for (next = i + 1; next < p->count && !strcmp(p->items[i].file, p->items[next].file); next++)
			;
		size_t mark = files.len;
		uint64_t stored = put_file(&files, s, &p->items[i], next - i, sources);
		if (!stored)
			files.len = mark; /* not there */
		count += stored > 0;
		lines += stored;
	}
	ht_buf_varint(b, count);
	ht_buf_append(b, files.data, files.len);
	ht_buf_release(&files);
	return lines;
}

/* --- a module ----------------------------------------------------------------------------- */

static void put_frame(struct ht_buf *b, struct strings *s, const struct ht_symbol_frame *f, const char *full)
{
	put_string(b, s, f->function);
	put_string(b, s, full);
	if (f->linkage) {
		size_t n = strlen(f->linkage), suffix = f->suffix ? strlen(f->suffix) : 0;
		ht_buf_varint(b, string_id(s, f->linkage, n - (suffix < n ? suffix : 0)));
	} else {
		put_string(b, s, full);
	}
	put_string(b, s, f->linkage);
	put_string(b, s, f->suffix && *f->suffix ? f->suffix : NULL);
	put_string(b, s, f->file);
	ht_buf_varint(b, f->line);
	ht_buf_varint(b, f->start_line);
	ht_buf_byte(b, f->inlined);
}

static int by_address(const void *pa, const void *pb)
{
	const struct ht_location *a = *(const struct ht_location *const *)pa, *b = *(const struct ht_location *const *)pb;
	return a->address < b->address ? -1 : a->address > b->address;
}

/* list: the module's locations by address. */
static uint64_t encode(struct ht_stored_module *m, const struct ht_stored_result *r, const struct ht_location **list,
		       size_t count, const struct lines_of *sources)
{
	struct strings strings = {0};
	struct places places = {0};
	struct ht_buf body = {0};
	uint64_t last = 0, distinct = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t address = list[i]->address;
		if (i && address == list[i - 1]->address)
			continue;
		struct ht_symbol symbol = ht_symbolizer_get(r->symbolizers[0], m->module, address);
		struct ht_symbol full = ht_symbolizer_get(r->symbolizers[1], m->module, address);
		bool alike = full.count == symbol.count;
		size_t frames = symbol.count && symbol.frames[0].function ? symbol.count : 0;
		ht_buf_varint(&body, address - last);
		put_string(&body, &strings, symbol.reason && *symbol.reason ? symbol.reason : NULL);
		ht_buf_varint(&body, frames);
		for (size_t k = 0; k < frames; k++) {
			const struct ht_symbol_frame *f = &symbol.frames[k];
			put_frame(&body, &strings, f, alike && full.frames[k].function ? full.frames[k].function : f->function);
			if (f->file && f->line)
				add_place(&places, f->file, f->line);
		}
		last = address;
		distinct++;
		m->addresses++;
		m->resolved += frames > 0;
	}
	struct ht_buf tail = {0};
	uint64_t lines = put_sources(&tail, &strings, &places, sources);
	ht_buf_varint(&m->bytes, m->kind);
	put_string(&m->bytes, &strings, m->reason && *m->reason ? m->reason : NULL);
	ht_buf_varint(&m->bytes, strings.count);
	ht_buf_append(&m->bytes, strings.bytes.data, strings.bytes.len);
	ht_buf_varint(&m->bytes, distinct);
	ht_buf_append(&m->bytes, body.data, body.len);
	ht_buf_append(&m->bytes, tail.data, tail.len);
	ht_buf_release(&body);
	ht_buf_release(&tail);
	release_strings(&strings);
	free(places.items);
	return lines;
}

static bool is_stored(const struct ht_trace *t, const struct ht_stored_module *m)
{
	struct ht_buf bytes = {0};
	uint32_t format;
	bool same = !ht_trace_symbols(t, m->module, &format, &bytes, NULL) && format == HT_STORED_SYMBOLS_FORMAT &&
		    bytes.len == m->bytes.len && !memcmp(bytes.data, m->bytes.data, bytes.len);
	ht_buf_release(&bytes);
	return same;
}

/* What the trace has is replaced by what says more, or the same otherwise; else the new record would only lose something. */
static void make_module(struct ht_stored_result *out, struct ht_stored_module *m, const struct ht_trace *t,
			const struct ht_location **list, size_t count, const struct ht_source_reader *reader)
{
	struct ht_stored_symbols *stored = NULL;
	if (ht_stored_symbols_load(&stored, t, m->module, NULL))
		stored = NULL;
	const struct lines_of sources = {reader, stored};
	uint64_t lines = encode(m, out, list, count, &sources);
	bool better = stored && ht_symbols_better(ht_stored_symbols_kind(stored, NULL), m->kind);
	ht_stored_symbols_free(stored);
	/* Where the file is not at hand, the next reader may have it. */
	if (m->kind == HT_SYMBOLS_MISSING || better) {
		ht_buf_release(&m->bytes);
		return;
	}
	out->source_lines += lines;
	if (is_stored(t, m))
		ht_buf_release(&m->bytes);
}

/* --- all modules -------------------------------------------------------------------------- */

static void resolve(const struct ht_stacks *s, const struct ht_analysis_options *o, enum ht_demangle demangle,
		    struct ht_symbolizer **out)
{
	struct ht_analysis_options asked = *o;
	struct ht_stacks with = *s;
	asked.symbolize.demangle = demangle;
	asked.symbolize.no_inline = false;
	with.stored = NULL;
	ht_stacks_ask(&with, &asked);
	*out = with.symbolizer;
}

void ht_stored_symbols_make(const struct ht_trace *t, const struct ht_analysis_options *o,
			    const struct ht_source_reader *sources, struct ht_stored_result *out)
{
	struct ht_analysis_options plain = *o;
	struct ht_stacks *s;
	uint32_t modules = ht_trace_module_count(t);
	plain.symbols = false;
	plain.selection = (struct ht_selection){0};
	plain.allocators = NULL;
	*out = (struct ht_stored_result){.modules = ht_xcalloc(modules, sizeof(*out->modules))};
	if (ht_stacks_new(&s, t, &plain, NULL))
		return;
	resolve(s, o, HT_DEMANGLE_SHORT, &out->symbolizers[0]);
	resolve(s, o, HT_DEMANGLE_FULL, &out->symbolizers[1]);
	const struct ht_location **list = ht_xcalloc(s->location_count, sizeof(*list));
	for (uint32_t i = 0; i < modules; i++) {
		size_t count = 0;
		for (uint32_t k = 1; k < s->location_count; k++)
			if (s->locations[k].module == i + 1)
				list[count++] = &s->locations[k];
		if (!count)
			continue;
		qsort(list, count, sizeof(*list), by_address);
		struct ht_stored_module *m = &out->modules[out->count++];
		m->module = i;
		m->kind = ht_symbolizer_kind(out->symbolizers[0], i, &m->reason);
		make_module(out, m, t, list, count, sources);
	}
	free(list);
	ht_stacks_free(s);
}

void ht_stored_result_release(struct ht_stored_result *r)
{
	for (size_t i = 0; i < r->count; i++)
		ht_buf_release(&r->modules[i].bytes);
	for (size_t i = 0; i < HT_ARRAY_SIZE(r->symbolizers); i++)
		if (r->symbolizers[i])
			ht_symbolizer_free(r->symbolizers[i]);
	free(r->modules);
	*r = (struct ht_stored_result){0};
}
