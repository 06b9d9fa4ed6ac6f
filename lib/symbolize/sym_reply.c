/* sym_reply: see sym_reply.h. */
#include "sym_reply.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK	      (256 * 1024)
#define FILES_MAX     65536 /* a large program in loose .dwo files asks for each */
#define BYTES_BASE    (UINT64_C(64) << 20)
#define BYTES_ADDRESS 32768 /* per address: some 1,000 frames, or long names */
#define BYTES_MAX     (UINT64_C(2) << 30)

struct sym_arena_chunk {
	struct sym_arena_chunk *next;
	size_t used, size;
	_Alignas(16) uint8_t bytes[];
};

void *sym_arena_take(struct sym_arena *a, size_t n)
{
	n = (n + 15) & ~(size_t)15;
	struct sym_arena_chunk *c = a->chunks;
	if (!c || c->size - c->used < n) {
		size_t size = n > CHUNK ? n : CHUNK;
		c = ht_xmalloc(sizeof(*c) + size);
		c->used = 0;
		c->size = size;
		c->next = a->chunks;
		a->chunks = c;
	}
	c->used += n;
	return c->bytes + c->used - n;
}

void sym_arena_release(struct sym_arena *a)
{
	while (a->chunks) {
		struct sym_arena_chunk *next = a->chunks->next;
		free(a->chunks);
		a->chunks = next;
	}
}

static const char *keep_text(struct sym_reply *r, const uint8_t *text, size_t n)
{
	char *copy = sym_arena_take(r->arena, n + 1);
	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

static int take_string(struct sym_reply *r, struct ht_cursor *c)
{
	size_t n = ht_cursor_left(c);
	if (n > SYM_STRING_MAX || memchr(c->at, 0, n))
		return HT_ERR_DAMAGED;
	r->strings = sym_grow(r->strings, r->string_count, &r->string_cap, sizeof(*r->strings));
	r->strings[r->string_count++] = keep_text(r, c->at, n);
	return 0;
}

/* The text of an id, NULL for 0; an id never sent makes the record bad. */
static const char *text_of(const struct sym_reply *r, struct ht_cursor *c)
{
	uint32_t id = ht_cursor_u32(c);
	if (id > r->string_count)
		c->bad = true;
	return id && !c->bad ? r->strings[id - 1] : NULL;
}

static int take_answer(struct sym_reply *r, struct ht_cursor *c)
{
	uint32_t index = ht_cursor_u32(c);
	size_t count = ht_cursor_left(c) / SYM_FRAME_SIZE;
	if (c->bad || index >= r->answer_count || ht_cursor_left(c) % SYM_FRAME_SIZE || !count || count > SYM_FRAMES_MAX)
		return HT_ERR_DAMAGED;
	struct ht_symbol_frame *frames = sym_arena_take(r->arena, count * sizeof(*frames));
	for (size_t i = 0; i < count; i++) {
		struct ht_symbol_frame *f = &frames[i];
		f->function = text_of(r, c);
		f->linkage = text_of(r, c);
		f->suffix = text_of(r, c);
		f->file = text_of(r, c);
		f->line = ht_cursor_u32(c);
		f->start_line = ht_cursor_u32(c);
		/* What the header promises holds whatever the child says. */
		f->inlined = ht_cursor_u8(c) && i + 1 < count;
		if (!f->suffix)
			f->suffix = "";
	}
	if (c->bad)
		return HT_ERR_DAMAGED;
	r->answers[index].frames = frames;
	r->answers[index].count = (uint32_t)count;
	return 0;
}

static int take_kind(struct sym_reply *r, struct ht_cursor *c)
{
	uint8_t kind = ht_cursor_u8(c);
	size_t n = ht_cursor_left(c);
	if (c->bad || kind > HT_SYMBOLS_LIMIT || n >= sizeof(r->reason))
		return HT_ERR_DAMAGED;
	r->kind = kind;
	r->has_kind = true;
	memcpy(r->reason, c->at, n);
	r->reason[n] = '\0';
	/* Section names and paths of the file stand in it: nothing that a terminal would obey. */
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)r->reason[i] < 0x20 || (uint8_t)r->reason[i] == 0x7f)
			r->reason[i] = '?';
	return 0;
}

static int take_file(struct sym_reply *r, struct ht_cursor *c)
{
	char path[SYM_PATH_SIZE] = "";
	struct sym_question q = { .which = ht_cursor_u8(c) };
	q.nth = ht_cursor_u8(c);
	q.nth |= (unsigned)ht_cursor_u8(c) << 8;
	q.id_len = ht_cursor_u8(c);
	q.id = ht_cursor_bytes(c, q.id_len);
	size_t n = ht_cursor_left(c);
	if (c->bad || q.which > SYM_FILE_LOOSE || n > 4096 || ++r->files > FILES_MAX)
		return HT_ERR_DAMAGED;
	char *name = ht_xasprintf("%.*s", (int)n, (const char *)c->at);
	q.name = name;
	int fd = r->open_file(r->ctx, &q, path, sizeof(path));
	sym_wire_send_file(r->socket, fd, path);
	if (fd >= 0)
		close(fd);
	free(name);
	return 0;
}

static int take_record(struct sym_reply *r, uint8_t type, struct ht_cursor *c)
{
	if (r->done)
		return HT_ERR_DAMAGED;
	switch (type) {
	case SYM_REC_STRING:
		return take_string(r, c);
	case SYM_REC_ANSWER:
		return take_answer(r, c);
	case SYM_REC_KIND:
		return take_kind(r, c);
	case SYM_REC_FILE:
		return take_file(r, c);
	case SYM_REC_DONE:
		r->done = true;
		return 0;
	default:
		return HT_ERR_DAMAGED;
	}
}

int sym_reply_feed(struct sym_reply *r, const uint8_t *data, size_t n)
{
	r->bytes += n;
	if (r->bytes > BYTES_MAX || r->bytes > BYTES_BASE + (uint64_t)r->answer_count * BYTES_ADDRESS)
		return HT_ERR_LIMIT;
	ht_buf_append(&r->in, data, n);
	struct ht_cursor c = { r->in.data, r->in.data + r->in.len, false };
	int rc = 0;
	while (!rc && ht_cursor_left(&c) >= SYM_HEADER_SIZE) {
		struct ht_cursor start = c;
		uint32_t length = ht_cursor_u32(&c);
		uint8_t type = ht_cursor_u8(&c);
		if (length > SYM_RECORD_MAX)
			return HT_ERR_DAMAGED;
		if (ht_cursor_left(&c) < length) {
			c = start;
			break;
		}
		struct ht_cursor payload = { c.at, c.at + length, false };
		c.at += length;
		rc = take_record(r, type, &payload);
	}
	r->in.len = ht_cursor_left(&c);
	memmove(r->in.data, c.at, r->in.len);
	return rc;
}

void sym_reply_release(struct sym_reply *r)
{
	ht_buf_release(&r->in);
	free(r->strings);
	r->strings = NULL;
	r->string_count = r->string_cap = 0;
}
