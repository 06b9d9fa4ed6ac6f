/* stored_symbols: see stored_symbols.h. Here: reading. */
#include "stored_symbols.h"

#include <stdlib.h>
#include <string.h>

#include "stacks.h"

enum { MOST_FRAMES = 4096 }; /* of one address */

struct stored_frame {
	uint32_t names[3]; /* by enum ht_demangle; strings + 1 */
	uint32_t linkage, suffix, file;
	uint32_t line, start_line;
	bool inlined;
};
struct stored_address {
	uint64_t address;
	uint32_t reason;
	uint32_t first, count; /* frames */
};

struct ht_stored_symbols {
	enum ht_symbols_kind kind;
	uint32_t reason;
	char *texts;	       /* NUL-terminated, one after the other */
	const char **strings;  /* [0] is NULL */
	uint32_t string_count; /* with [0] */
	struct stored_address *addresses;
	size_t address_count;
	struct stored_frame *frames;
	size_t frame_count;
	struct ht_stored_source *sources;
	size_t source_count;
	struct ht_symbol_frame *answer; /* of the last get */
};

/* --- parsing ------------------------------------------------------------------------------ */

/* A count of things that take at least `least` bytes each: more than fit is a lie. */
static size_t count_of(struct ht_cursor *c, size_t least)
{
	uint64_t n = ht_cursor_varint(c);
	if (n > ht_cursor_left(c) / least) {
		c->bad = true;
		return 0;
	}
	return (size_t)n;
}

static uint32_t string_of(struct ht_cursor *c, const struct ht_stored_symbols *s)
{
	uint64_t n = ht_cursor_varint(c);
	if (n >= s->string_count) {
		c->bad = true;
		return 0;
	}
	return (uint32_t)n;
}

static uint32_t small_of(struct ht_cursor *c)
{
	uint64_t n = ht_cursor_varint(c);
	c->bad |= n > UINT32_MAX;
	return (uint32_t)n;
}

static void parse_strings(struct ht_cursor *c, struct ht_stored_symbols *s)
{
	size_t count = count_of(c, 1), at = 0;
	s->strings = ht_xcalloc(count + 1, sizeof(*s->strings));
	s->texts = ht_xmalloc(ht_cursor_left(c) + count + 1);
	for (size_t i = 1; i <= count && !c->bad; i++) {
		uint64_t n = ht_cursor_varint(c);
		const uint8_t *bytes = n <= ht_cursor_left(c) ? ht_cursor_bytes(c, (size_t)n) : NULL;
		c->bad |= !bytes;
		if (!bytes)
			break;
		memcpy(s->texts + at, bytes, (size_t)n);
		s->texts[at + n] = '\0';
		s->strings[i] = s->texts + at;
		at += (size_t)n + 1;
		s->string_count = (uint32_t)i + 1;
	}
	s->string_count = s->string_count ? s->string_count : 1;
}

static void parse_frame(struct ht_cursor *c, struct ht_stored_symbols *s)
{
	struct stored_frame *f = &s->frames[s->frame_count++];
	for (size_t i = 0; i < HT_ARRAY_SIZE(f->names); i++) {
		f->names[i] = string_of(c, s);
		c->bad |= !f->names[i]; /* what has no name has no frame */
	}
	f->linkage = string_of(c, s);
	f->suffix = string_of(c, s);
	f->file = string_of(c, s);
	f->line = small_of(c);
	f->start_line = small_of(c);
	f->inlined = ht_cursor_u8(c) & 1;
}

static void parse_addresses(struct ht_cursor *c, struct ht_stored_symbols *s)
{
	enum { LEAST = 3, LEAST_FRAME = 9 };
	size_t count = count_of(c, LEAST);
	uint64_t address = 0;
	s->addresses = ht_xcalloc(count, sizeof(*s->addresses));
	s->frames = ht_xcalloc(ht_cursor_left(c) / LEAST_FRAME, sizeof(*s->frames));
	for (size_t i = 0; i < count && !c->bad; i++) {
		uint64_t delta = ht_cursor_varint(c);
		c->bad |= i && !delta;
		address += delta;
		struct stored_address *a = &s->addresses[i];
		*a = (struct stored_address){.address = address, .reason = string_of(c, s), .first = (uint32_t)s->frame_count};
		size_t frames = count_of(c, LEAST_FRAME);
		c->bad |= frames > MOST_FRAMES || address < delta;
		for (size_t k = 0; k < frames && !c->bad; k++)
			parse_frame(c, s);
		a->count = (uint32_t)s->frame_count - a->first;
		s->address_count = i + 1;
	}
}

static void parse_source(struct ht_cursor *c, const struct ht_stored_symbols *s, struct ht_stored_source *f)
{
	uint32_t path = string_of(c, s);
	f->path = path ? s->strings[path] : "";
	f->newer = ht_cursor_u8(c) & 1;
	size_t count = count_of(c, 2);
	uint32_t *numbers = ht_xcalloc(count, sizeof(*numbers));
	const char **lines = ht_xcalloc(count, sizeof(*lines));
	uint64_t number = 0;
	f->numbers = numbers;
	f->lines = lines;
	for (size_t i = 0; i < count && !c->bad; i++) {
		number += ht_cursor_varint(c);
		uint32_t text = string_of(c, s);
		c->bad |= number > UINT32_MAX;
		numbers[i] = (uint32_t)number;
		lines[i] = text ? s->strings[text] : "";
		f->count = i + 1;
	}
}

static void parse_sources(struct ht_cursor *c, struct ht_stored_symbols *s)
{
	size_t count = count_of(c, 3);
	s->sources = ht_xcalloc(count, sizeof(*s->sources));
	for (size_t i = 0; i < count && !c->bad; i++) {
		s->source_count = i + 1;
		parse_source(c, s, &s->sources[i]);
	}
}

int ht_stored_symbols_parse(struct ht_stored_symbols **out, const void *data, size_t n)
{
	struct ht_stored_symbols *s = ht_xcalloc(1, sizeof(*s));
	struct ht_cursor c = {data, (const uint8_t *)data + n, false};
	uint64_t kind = ht_cursor_varint(&c), reason = ht_cursor_varint(&c);
	parse_strings(&c, s);
	parse_addresses(&c, s);
	parse_sources(&c, s);
	if (c.bad || ht_cursor_left(&c) || kind > HT_SYMBOLS_LIMIT || reason >= s->string_count) {
		ht_stored_symbols_free(s);
		return HT_ERR_DAMAGED;
	}
	s->kind = (enum ht_symbols_kind)kind;
	s->reason = (uint32_t)reason;
	*out = s;
	return 0;
}

int ht_stored_symbols_load(struct ht_stored_symbols **out, const struct ht_trace *t, uint32_t module, struct ht_diag *d)
{
	struct ht_buf bytes = {0};
	uint32_t format;
	int code = ht_trace_symbols(t, module, &format, &bytes, d);
	if (!code && format != HT_STORED_SYMBOLS_FORMAT)
		code = HT_ABSENT;
	if (!code && ht_stored_symbols_parse(out, bytes.data, bytes.len))
		code = ht_fail(d, HT_ERR_DAMAGED, "the symbols stored for module %u are damaged", module);
	ht_buf_release(&bytes);
	return code;
}

void ht_stored_symbols_free(struct ht_stored_symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->source_count; i++) {
		free((void *)(uintptr_t)s->sources[i].numbers);
		free((void *)(uintptr_t)s->sources[i].lines);
	}
	free(s->sources);
	free(s->answer);
	free(s->frames);
	free(s->addresses);
	free(s->strings);
	free(s->texts);
	free(s);
}

/* --- asking ------------------------------------------------------------------------------- */

enum ht_symbols_kind ht_stored_symbols_kind(const struct ht_stored_symbols *s, const char **reason)
{
	if (reason)
		*reason = s->reason ? s->strings[s->reason] : "";
	return s->kind;
}

static int by_address(const void *key, const void *element)
{
	uint64_t a = *(const uint64_t *)key, b = ((const struct stored_address *)element)->address;
	return a < b ? -1 : a > b;
}

struct ht_symbol ht_stored_symbols_get(struct ht_stored_symbols *s, uint64_t address, enum ht_demangle demangle,
				       bool no_inline)
{
	const struct stored_address *a =
	    bsearch(&address, s->addresses, s->address_count, sizeof(*s->addresses), by_address);
	if (!a)
		return (struct ht_symbol){.reason = "the trace's stored symbols do not have it"};
	/* Without inlined functions the physical one is left, which stands last. */
	uint32_t first = no_inline && a->count ? a->count - 1 : 0;
	s->answer = ht_xrealloc(s->answer, (size_t)a->count + 1, sizeof(*s->answer));
	for (uint32_t i = first; i < a->count; i++) {
		const struct stored_frame *f = &s->frames[a->first + i];
		s->answer[i] = (struct ht_symbol_frame){
		    .function = s->strings[f->names[demangle <= HT_DEMANGLE_NONE ? demangle : HT_DEMANGLE_SHORT]],
		    .linkage = s->strings[f->linkage],
		    .suffix = f->suffix ? s->strings[f->suffix] : "",
		    .file = s->strings[f->file],
		    .line = f->line,
		    .start_line = f->start_line,
		    .inlined = f->inlined,
		};
	}
	return (struct ht_symbol){
	    .frames = s->answer + first,
	    .count = a->count - first,
	    .reason = a->reason ? s->strings[a->reason] : "",
	};
}

const struct ht_stored_source *ht_stored_symbols_source(const struct ht_stored_symbols *s, const char *path)
{
	for (size_t i = 0; i < s->source_count; i++)
		if (!strcmp(s->sources[i].path, path))
			return &s->sources[i];
	return NULL;
}

const struct ht_stored_source *ht_stacks_source(const struct ht_stacks *s, const char *path)
{
	const struct ht_stored_source *f = NULL;
	for (uint32_t i = 0; s->stored && !f && i < ht_trace_module_count(s->trace); i++)
		f = s->stored[i] ? ht_stored_symbols_source(s->stored[i], path) : NULL;
	return f;
}
