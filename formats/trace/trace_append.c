/*
 * trace_append: blocks behind the END of a closed trace, then a new footer and END. What stood in the file is
 * never touched. A reader that comes before the new END is there finds none at the file's end, scans, and
 * takes what follows the old one for what it is: an addition that did not get finished.
 */
#include "trace_footer.h"
#include "trace_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PART_BYTES (8u << 20) /* of a module's symbols in one block */
_Static_assert(PART_BYTES + 64 <= HT_RAW_MAX, "a part and its columns' table fit a block");

struct ht_trace_appender {
	struct ht_trace *trace; /* owns fd, and with it the lock */
	int fd;
	char *path;
	struct ht_footer index;
	uint64_t bytes; /* where the next block goes */
	uint32_t sequence;
	bool touched; /* the file may be longer than it was */
	bool broken;  /* a write failed: all that can be done is to abandon */
	struct ht_block_packer *packer;
	struct ht_buf raw, packed;
};

static int failed(struct ht_trace_appender *a, struct ht_diag *d)
{
	return ht_fail(d, HT_ERR_SYSTEM, "%s: nothing can be added: %s", a->path, strerror(errno ? errno : EIO));
}

/* The footer's rows again, its totals, and then itself and END as rows. */
static int take_index(struct ht_trace_appender *a, struct ht_diag *d)
{
	struct ht_found end, footer, *list;
	struct ht_loader l = {0};
	struct ht_columns c;
	int64_t n = ht_trace_find_footer(a->trace, &footer, &end) ? ht_trace_load_index(a->trace, &l, &footer, &list) : -1;
	if (n > 0) {
		for (int64_t i = 0; i < n; i++)
			ht_footer_add(&a->index, &list[i].head);
		free(list);
		ht_footer_add(&a->index, &footer.head);
		ht_footer_add(&a->index, &end.head);
		ht_columns_parse(&c, l.raw.data, l.raw.len, d); /* it was parsed before */
		for (unsigned i = HT_COL_FT_KEY; i <= HT_COL_FT_VALUE; i++)
			ht_buf_append(&a->index.column[i], c.at[i].at, ht_cursor_left(&c.at[i]));
		a->sequence = end.head.sequence + 1;
	}
	ht_loader_release(&l);
	if (n > 0)
		return 0;
	return ht_fail(d, HT_ERR_TRUNCATED, "%s: nothing can be added: the trace was not closed", a->path);
}

int ht_trace_appender_open(struct ht_trace_appender **out, const char *path, struct ht_diag *d)
{
	*out = NULL;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return ht_fail(d, HT_ERR_SYSTEM, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int err = ht_fail(d, HT_ERR_SYSTEM, "%s: %s", path,
				  errno == EWOULDBLOCK ? "somebody else is adding to it" : strerror(errno));
		close(fd);
		return err;
	}
	struct ht_trace *t;
	int err = ht_trace_open_fd(&t, fd, path, d);
	if (err)
		return err;
	struct ht_trace_appender *a = ht_xcalloc(1, sizeof(*a));
	a->trace = t;
	a->fd = fd;
	a->path = ht_xstrdup(path);
	a->bytes = t->size;
	a->packer = ht_block_packer_new();
	if (t->verdict != HT_VERDICT_OK)
		err = ht_fail(d, t->verdict == HT_VERDICT_DAMAGED ? HT_ERR_DAMAGED : HT_ERR_TRUNCATED, "%s", t->text);
	else
		err = take_index(a, d);
	if (!err && lseek(fd, (off_t)a->bytes, SEEK_SET) < 0)
		err = failed(a, d);
	if (err)
		ht_trace_appender_abandon(a);
	else
		*out = a;
	return err;
}

/* Packs a->raw as one block and writes it. */
static int put_block(struct ht_trace_appender *a, struct ht_block_head *h, struct ht_diag *d)
{
	h->sequence = a->sequence++;
	a->packed.len = 0;
	a->touched = true;
	ht_block_pack(a->packer, h, a->raw.data, a->raw.len, true, &a->packed);
	errno = EIO;
	if (a->broken || ht_write_all(a->fd, a->packed.data, a->packed.len)) {
		a->broken = true;
		return failed(a, d);
	}
	a->bytes += a->packed.len;
	ht_footer_add(&a->index, h);
	return 0;
}

int ht_trace_appender_symbols(struct ht_trace_appender *a, uint32_t module, uint32_t format, const void *data, size_t n,
			      struct ht_diag *d)
{
	uint8_t number[10];
	size_t parts = n ? (n - 1) / PART_BYTES + 1 : 1;
	if (module >= a->trace->module_count || parts > UINT32_MAX)
		return ht_fail(d, HT_ERR_USAGE, "%s: there is no module %u", a->path, module);
	for (size_t i = 0; i < parts; i++) {
		size_t at = i * PART_BYTES, more = n - at < PART_BYTES ? n - at : PART_BYTES;
		struct ht_column_out c[] = {
		    {HT_COL_SYMBOLS_FORMAT, HT_ENC_VARINT, number, (size_t)(ht_put_varint(number, format) - number)},
		    {HT_COL_SYMBOLS_BYTES, HT_ENC_BYTES, (const uint8_t *)data + at, more},
		};
		struct ht_block_head h = {
		    .kind = HT_KIND_SYMBOLS, .first_seq = module, .count = (uint32_t)i, .births = (uint32_t)parts};
		ht_columns_build(&a->raw, c, HT_ARRAY_SIZE(c));
		int err = put_block(a, &h, d);
		if (err)
			return err;
	}
	return 0;
}

int ht_trace_appender_finish(struct ht_trace_appender *a, struct ht_diag *d)
{
	uint64_t footer = a->bytes;
	struct ht_block_head h = {.kind = HT_KIND_FOOTER, .count = ht_footer_build(&a->index, &a->raw)};
	struct ht_block_head end = {.kind = HT_KIND_END, .first_seq = footer};
	int err = put_block(a, &h, d);
	if (!err && fdatasync(a->fd) && errno != EINVAL) /* EINVAL: not a kind of file that can */
		err = failed(a, d);
	a->raw.len = 0;
	if (!err)
		err = put_block(a, &end, d);
	if (!err && fdatasync(a->fd) && errno != EINVAL)
		err = failed(a, d);
	a->touched = err != 0; /* else abandon keeps what was added */
	ht_trace_appender_abandon(a);
	return err;
}

void ht_trace_appender_abandon(struct ht_trace_appender *a)
{
	if (!a)
		return;
	/* if it cannot be cut off, readers step over it */
	if (a->touched)
		(void)!ftruncate(a->fd, (off_t)a->trace->size);
	ht_trace_close(a->trace);
	ht_footer_release(&a->index);
	ht_block_packer_free(a->packer);
	ht_buf_release(&a->raw);
	ht_buf_release(&a->packed);
	free(a->path);
	free(a);
}

/* --- reading them ------------------------------------------------------------------------------ */

/* Where the last whole set of parts of a module begins, or -1. */
static int64_t find_parts(const struct ht_trace *t, uint32_t module)
{
	for (size_t i = t->symbol_count; i-- > 0;) {
		const struct ht_block_head *h = &t->symbols[i].head;
		if (h->first_seq != module || h->count + 1 != h->births || h->count > i)
			continue;
		size_t first = i - h->count, k = first;
		while (k < i && t->symbols[k].head.first_seq == module && t->symbols[k].head.count == k - first &&
		       t->symbols[k].head.births == h->births)
			k++;
		if (k == i)
			return (int64_t)first;
	}
	return -1;
}

static int read_part(const struct ht_trace *t, const struct ht_found *f, struct ht_loader *l, uint32_t *format,
		     struct ht_buf *out, struct ht_diag *d)
{
	struct ht_columns c;
	if (f->head.raw_len > (uint64_t)f->head.packed_len * HT_KEPT_RATIO + HT_KEPT_SLACK)
		return ht_fail(d, HT_ERR_LIMIT, "it is packed more tightly than symbols may be");
	int err = ht_trace_read_block(t, f, &l->zstd, &l->packed, &l->raw, d);
	if (!err)
		err = ht_columns_parse(&c, l->raw.data, l->raw.len, d);
	if (err)
		return err;
	const struct ht_cursor *bytes = &c.at[HT_COL_SYMBOLS_BYTES];
	uint64_t named = ht_cursor_varint(&c.at[HT_COL_SYMBOLS_FORMAT]);
	if (c.encoding[HT_COL_SYMBOLS_FORMAT] != HT_ENC_VARINT || c.encoding[HT_COL_SYMBOLS_BYTES] != HT_ENC_BYTES ||
	    named > UINT32_MAX)
		return ht_fail(d, HT_ERR_VERSION, "it is of a later version");
	*format = (uint32_t)named;
	ht_buf_append(out, bytes->at, ht_cursor_left(bytes));
	return 0;
}

int ht_trace_symbols(const struct ht_trace *t, uint32_t module, uint32_t *format, struct ht_buf *out, struct ht_diag *d)
{
	struct ht_loader l = {0};
	struct ht_diag why = {0};
	int64_t at = find_parts(t, module);
	if (at < 0)
		return HT_ABSENT;
	size_t before = out->len, parts = t->symbols[at].head.births;
	int err = 0;
	for (size_t i = 0; i < parts && !err; i++) {
		const struct ht_found *f = &t->symbols[(size_t)at + i];
		err = read_part(t, f, &l, format, out, &why);
		if (err)
			ht_fail(d, err, "%s: damaged at byte %llu (block %u): %.300s", t->path,
				(unsigned long long)f->offset, f->head.sequence, why.text);
	}
	if (err)
		out->len = before;
	ht_loader_release(&l);
	return err;
}
