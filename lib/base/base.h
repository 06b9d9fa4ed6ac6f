/*
 * base: the little that every folder outside the target shares: error codes, the one-line
 * diagnostic, growing buffers, reading and writing that survives EINTR and short counts.
 *
 * Results: 0 is success, < 0 an enum ht_error, > 0 HT_ABSENT for look-ups that found nothing.
 * Text never goes to stderr from a library: it goes into the caller's struct ht_diag.
 */
#ifndef HT_BASE_H
#define HT_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ht_error {
	HT_OK = 0,
	HT_ABSENT = 1,		 /* looked for and not there: no error */
	HT_ERR_USAGE = -1,	 /* the caller's words are off: exit 2 */
	HT_ERR_SYSTEM = -2,	 /* the system refused: exit 3 */
	HT_ERR_DAMAGED = -3,	 /* bytes that cannot be right: exit 4 */
	HT_ERR_TRUNCATED = -4,	 /* a clean prefix, then nothing: exit 4 */
	HT_ERR_NOT_A_TRACE = -5, /* another kind of file: exit 3 */
	HT_ERR_VERSION = -6,	 /* made by a newer heaptide: exit 3 */
	HT_ERR_MEMORY = -7,	 /* out of memory: exit 3 */
	HT_ERR_LIMIT = -8,	 /* a count over its documented bound: exit 4 */
};

/* One line that says what, where and why; hint is the next step ("" if there is none). */
struct ht_diag {
	char text[512];
	char hint[256];
};

/* Formats into d->text (d may be NULL) and returns code, so that `return ht_fail(...)` reads well. */
int ht_fail(struct ht_diag *d, enum ht_error code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ht_hint(struct ht_diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The documented exit status of an ht_error. */
int ht_exit_status(int code);

#define HT_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Of `count` items that ascend by `field`: the first in which that is `value` or more; count where there is none. */
#define HT_LOWER_BOUND(items, count, field, value)                        \
	({                                                                \
		size_t ht_lo = 0, ht_hi = (count);                        \
		while (ht_lo < ht_hi) {                                   \
			const size_t ht_mid = ht_lo + (ht_hi - ht_lo) / 2; \
			if ((items)[ht_mid].field < (value))              \
				ht_lo = ht_mid + 1;                       \
			else                                              \
				ht_hi = ht_mid;                           \
		}                                                         \
		ht_lo;                                                    \
	})

/* These never return NULL: on exhaustion they print one line and exit 3. Outside the target only. */
void *ht_xmalloc(size_t n);
void *ht_xcalloc(size_t n, size_t size);
void *ht_xrealloc(void *p, size_t n, size_t size); /* n * size, overflow-checked */
char *ht_xstrdup(const char *s);
char *ht_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The last part of a path, in place; all of it where a slash is the last character. */
const char *ht_base_name(const char *path);

/* FNV-1a over any number of pieces, from HT_HASH_START on: for tables in memory, where nobody chooses the keys to harm. */
#define HT_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t ht_hash_text(uint64_t h, const char *s); /* its end, too: "a", "bc" is not "ab", "c"; NULL is "" */
uint64_t ht_hash_bytes(uint64_t h, const void *data, size_t n);

/* A growing byte buffer; zero-initialised is empty. */
struct ht_buf {
	uint8_t *data;
	size_t len, cap;
};
void ht_buf_reserve(struct ht_buf *b, size_t more);
void ht_buf_append(struct ht_buf *b, const void *data, size_t n);
void ht_buf_printf(struct ht_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ht_buf_release(struct ht_buf *b);
static inline void ht_buf_byte(struct ht_buf *b, uint8_t v)
{
	if (b->len == b->cap)
		ht_buf_reserve(b, 1);
	b->data[b->len++] = v;
}
/* LEB128, at most 10 bytes. */
static inline void ht_buf_varint(struct ht_buf *b, uint64_t v)
{
	if (b->cap - b->len < 10)
		ht_buf_reserve(b, 10);
	while (v >= 0x80) {
		b->data[b->len++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	b->data[b->len++] = (uint8_t)v;
}
static inline uint64_t ht_zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t ht_unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/*
 * A cursor over bytes that somebody else wrote. It cannot overrun: the first read past the end
 * sets `bad`, and every later read yields 0. Check `bad` once, at the end.
 */
struct ht_cursor {
	const uint8_t *at, *end;
	bool bad;
};
static inline size_t ht_cursor_left(const struct ht_cursor *c)
{
	return (size_t)(c->end - c->at);
}
static inline uint8_t ht_cursor_u8(struct ht_cursor *c)
{
	if (c->at == c->end) {
		c->bad = true;
		return 0;
	}
	return *c->at++;
}
uint64_t ht_cursor_varint_slow(struct ht_cursor *c);
static inline uint64_t ht_cursor_varint(struct ht_cursor *c)
{
	if (c->at != c->end && *c->at < 0x80)
		return *c->at++;
	return ht_cursor_varint_slow(c);
}
uint32_t ht_cursor_u32(struct ht_cursor *c); /* little endian */
uint64_t ht_cursor_u64(struct ht_cursor *c);
/* n bytes in place, or NULL and bad. */
const uint8_t *ht_cursor_bytes(struct ht_cursor *c, size_t n);

/* Writes all of it or returns -1 with errno; retries EINTR and short writes. */
int ht_write_all(int fd, const void *data, size_t n);
/* Reads up to n bytes at off; returns the count (short only at the end of the file) or -1. */
int64_t ht_pread_all(int fd, void *data, size_t n, uint64_t off);

/* "4096", "64K", "1.5M", "2G" (powers of 1024) and "250us", "3.2s", "100ms", "7ns". */
int ht_parse_size(const char *s, uint64_t *bytes);
int ht_parse_time(const char *s, uint64_t *ns);

#endif
