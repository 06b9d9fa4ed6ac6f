/*
 * trace_open: finds the blocks of a file. A closed trace ends in an END block that points to the
 * footer, whose index lists all; any other is scanned from the front, head by head, and where a
 * head does not hold the scan looks for the next that does.
 */
#include "trace_reader.h"
#include "trace_times.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESYNC_BYTES (256u << 10)

void ht_grow(void *items, size_t *cap, size_t count, size_t size)
{
	if (count <= *cap)
		return;
	size_t more = *cap ? *cap * 2 : 16;
	if (more < count)
		more = count;
	char *p = ht_xrealloc(*(void **)items, more, size);
	memset(p + *cap * size, 0, (more - *cap) * size);
	*(void **)items = p;
	*cap = more;
}

/* 10482112 as "10,482,112". */
static const char *grouped(char out[32], uint64_t v)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, v), at = 0;
	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

void ht_trace_damage(struct ht_trace *t, uint64_t offset, uint32_t block, const char *why)
{
	char at[32];
	t->skipped++;
	if (t->verdict == HT_VERDICT_DAMAGED)
		return;
	t->verdict = HT_VERDICT_DAMAGED;
	snprintf(t->text, sizeof(t->text), "%s: damaged at byte %s (block %u): %s", t->path,
		 grouped(at, offset), block, why);
}

void ht_trace_truncate(struct ht_trace *t, uint64_t offset, uint32_t block)
{
	char at[32];
	if (t->verdict != HT_VERDICT_OK)
		return;
	t->verdict = HT_VERDICT_TRUNCATED;
	snprintf(t->text, sizeof(t->text),
		 "%s: truncated after %s bytes (block %u of an unknown number)", t->path,
		 grouped(at, offset), block);
}

int ht_trace_read_block(const struct ht_trace *t, const struct ht_found *f, void **zstd,
			struct ht_buf *packed, struct ht_buf *raw, struct ht_diag *d)
{
	const struct ht_block_head *h = &f->head;
	if (h->packed_len > HT_RAW_MAX)
		return ht_fail(d, HT_ERR_LIMIT, "%u bytes are more than a block may hold",
			       h->packed_len);
	packed->len = 0;
	ht_buf_reserve(packed, (size_t)h->packed_len + 1);
	int64_t got = ht_pread_all(t->fd, packed->data, h->packed_len, f->offset + HT_BLOCK_HEAD);
	if (got < 0)
		return ht_fail(d, HT_ERR_SYSTEM, "%s", strerror(errno));
	if ((uint64_t)got < h->packed_len)
		return ht_fail(d, HT_ERR_TRUNCATED, "the file ends inside it");
	packed->len = h->packed_len;
	return ht_block_unpack(zstd, h, packed->data, raw, d);
}

/* --- finding blocks -------------------------------------------------------------------------- */

uint64_t ht_trace_resync(const struct ht_trace *t, uint64_t from, bool *only_zeros)
{
	uint8_t *window = ht_xmalloc(RESYNC_BYTES);
	struct ht_block_head h;
	*only_zeros = true;
	while (from < t->size) {
		int64_t got = ht_pread_all(t->fd, window, RESYNC_BYTES, from);
		if (got <= 0)
			break;
		for (int64_t i = 0; i < got && *only_zeros; i++)
			*only_zeros = !window[i];
		uint8_t *at = window, *end = window + got;
		while (end - at >= HT_BLOCK_HEAD &&
		       (at = memmem(at, (size_t)(end - at), HT_BLOCK_MAGIC, 4))) {
			if (end - at >= HT_BLOCK_HEAD && ht_block_head_get(&h, at)) {
				from += (uint64_t)(at - window);
				free(window);
				return from;
			}
			at++;
		}
		if (got < (int64_t)RESYNC_BYTES)
			break;
		from += RESYNC_BYTES - HT_BLOCK_HEAD;
	}
	free(window);
	return t->size;
}

static bool read_head(const struct ht_trace *t, uint64_t offset, struct ht_found *f)
{
	uint8_t bytes[HT_BLOCK_HEAD];
	f->offset = offset;
	return offset <= t->size && t->size - offset >= HT_BLOCK_HEAD &&
	       ht_pread_all(t->fd, bytes, HT_BLOCK_HEAD, offset) == HT_BLOCK_HEAD &&
	       ht_block_head_get(&f->head, bytes);
}

/* closed: END stands before it, so an early end is that of something which was to be added. */
static void bad_head(struct ht_trace *t, uint64_t *offset, bool closed)
{
	uint8_t magic[4] = {0};
	bool zeros = true, tail = t->size - *offset < HT_BLOCK_HEAD;
	uint64_t next = ht_trace_resync(t, *offset, &zeros);
	int64_t got = ht_pread_all(t->fd, magic, 4, *offset);
	bool begun = tail && got > 0 && !memcmp(magic, HT_BLOCK_MAGIC, (size_t)got);
	/* the beginning of a head, or pages that were never written: no more than an early end */
	if (next < t->size || !(begun || zeros))
		ht_trace_damage(t, *offset, t->sequence, "what stands there is no block");
	else if (!closed)
		ht_trace_truncate(t, *offset, t->sequence);
	*offset = next;
}

/* Head by head from `offset`. A block out of turn is a copy or a stray one and is left out. */
static void scan(struct ht_trace *t, struct ht_loader *l, uint64_t offset)
{
	struct ht_found f;
	bool closed = false;
	while (offset < t->size) {
		if (!read_head(t, offset, &f)) {
			bad_head(t, &offset, closed);
			continue;
		}
		uint64_t next = offset + HT_BLOCK_HEAD + f.head.packed_len;
		if (next > t->size)
			break;
		if (f.head.sequence < t->sequence) {
			ht_trace_damage(t, offset, t->sequence,
					"a block stands there that was read before");
			offset = next;
			continue;
		}
		if (f.head.sequence > t->sequence) {
			ht_trace_damage(t, offset, t->sequence, "blocks are missing before it");
			t->dictionary_lost = true;
		}
		t->sequence = f.head.sequence;
		ht_trace_load(t, l, &f);
		t->sequence++;
		closed |= f.head.kind == HT_KIND_END;
		offset = next;
	}
	if (!closed)
		ht_trace_truncate(t, offset, t->sequence);
}

/* Takes a block's head from where the index says. Events are looked at when somebody wants them. */
static bool confirm(const struct ht_trace *t, struct ht_found *f)
{
	struct ht_block_head said = f->head;
	if (said.kind == HT_KIND_EVENTS || ht_times_kind(said.kind))
		return true;
	return read_head(t, f->offset, f) && f->head.kind == said.kind &&
	       f->head.sequence == said.sequence && f->head.packed_len == said.packed_len;
}

bool ht_trace_find_footer(const struct ht_trace *t, struct ht_found *footer, struct ht_found *end)
{
	return t->header_len && t->size >= HT_BLOCK_HEAD && read_head(t, t->size - HT_BLOCK_HEAD, end) &&
	       end->head.kind == HT_KIND_END && !end->head.packed_len && read_head(t, end->head.first_seq, footer) &&
	       footer->head.kind == HT_KIND_FOOTER &&
	       footer->offset + HT_BLOCK_HEAD + footer->head.packed_len == end->offset;
}

/* The blocks by the footer's index. False: nothing was taken, scan. */
static bool use_index(struct ht_trace *t, struct ht_loader *l)
{
	struct ht_found end, footer, *list = NULL;
	if (!ht_trace_find_footer(t, &footer, &end))
		return false;
	int64_t n = ht_trace_load_index(t, l, &footer, &list);
	bool good = n > 0;
	for (int64_t i = 0; i < n && good; i++)
		good = confirm(t, &list[i]);
	for (int64_t i = 0; i < n && good; i++) {
		t->sequence = (uint32_t)i;
		ht_trace_load(t, l, &list[i]);
	}
	free(list);
	if (!good)
		return false;
	t->sequence = (uint32_t)n;
	ht_trace_load(t, l, &footer);
	t->sequence += 2;
	return true;
}

/* Without a header: each block of events repeats what is needed to understand it. */
static void recover_settings(struct ht_trace *t, struct ht_loader *l)
{
	struct ht_found f;
	struct ht_columns c;
	struct ht_diag d;
	bool good = false;
	for (size_t i = 0; i < t->block_count && !good; i++) {
		good = read_head(t, t->blocks[i].offset, &f) &&
		       !ht_trace_read_block(t, &f, &l->zstd, &l->packed, &l->raw, &d) &&
		       !ht_columns_parse(&c, l->raw.data, l->raw.len, &d);
		if (!good)
			continue;
		uint64_t unit = ht_cursor_varint(&c.at[HT_COL_EV_PARAMS]);
		t->settings.time_unit_ns = unit <= UINT32_MAX ? (uint32_t)unit : 0;
		t->settings.addresses = ht_cursor_varint(&c.at[HT_COL_EV_PARAMS]) & 1;
	}
}

/* The blocks decide what stays unsaid: no id without an entry, no line without its end. */
static void finish_open(struct ht_trace *t)
{
	if (t->dictionary_lost) {
		ht_grow(&t->threads, &t->thread_cap, 1, sizeof(*t->threads));
		ht_grow(&t->images, &t->image_cap, 1, sizeof(*t->images));
		t->thread_count += !t->thread_count;
		t->image_count += !t->image_count;
	}
	size_t n = strlen(t->text);
	if (t->verdict == HT_VERDICT_TRUNCATED)
		snprintf(t->text + n, sizeof(t->text) - n, ": showing the first %.2f %s",
			 (double)t->duration / (t->duration < 1000000000 ? 1e6 : 1e9), t->duration < 1000000000 ? "ms" : "s");
	if (t->verdict == HT_VERDICT_DAMAGED)
		snprintf(t->text + n, sizeof(t->text) - n, "; %" PRIu64 " place%s skipped",
			 t->skipped, t->skipped == 1 ? "" : "s");
}

int ht_trace_open_fd(struct ht_trace **out, int fd, const char *name, struct ht_diag *d)
{
	struct stat st;
	struct ht_loader loader = {0};
	struct ht_trace *t = ht_xcalloc(1, sizeof(*t));
	*out = NULL;
	t->fd = fd;
	t->path = ht_xstrdup(name);
	t->exit_status = -1;
	ht_grow(&t->strings, &t->string_cap, 1, sizeof(*t->strings));
	ht_grow(&t->nodes, &t->node_cap, 1, sizeof(*t->nodes));
	ht_buf_byte(&t->string_bytes, 0);
	t->string_count = t->node_count = 1;
	int err = 0;
	if (fstat(fd, &st))
		err = ht_fail(d, HT_ERR_SYSTEM, "%s: %s", name, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		err = ht_fail(d, HT_ERR_NOT_A_TRACE, "%s: not a trace: not a regular file", name);
	else
		t->size = t->gaps_left = (uint64_t)st.st_size;
	if (!err)
		err = ht_trace_read_header(t, d);
	if (err) {
		ht_trace_close(t);
		return err;
	}
	if (!use_index(t, &loader))
		scan(t, &loader, t->header_len ? t->header_len : HT_FILE_MAGIC_LEN);
	if (!t->header_len)
		recover_settings(t, &loader);
	finish_open(t);
	ht_loader_release(&loader);
	*out = t;
	return 0;
}

int ht_trace_open(struct ht_trace **t, const char *path, struct ht_diag *d)
{
	*t = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not stop us */
	if (fd < 0)
		return ht_fail(d, HT_ERR_SYSTEM, "%s: %s", path, strerror(errno));
	return ht_trace_open_fd(t, fd, path, d);
}
