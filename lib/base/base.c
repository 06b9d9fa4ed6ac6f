/* base: see base.h. Plain helpers without state; nothing here is used inside the target. */
#include "base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int ht_fail(struct ht_diag *d, enum ht_error code, const char *fmt, ...)
{
	if (d) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(d->text, sizeof(d->text), fmt, ap);
		va_end(ap);
		d->hint[0] = '\0';
	}
	return code;
}

void ht_hint(struct ht_diag *d, const char *fmt, ...)
{
	if (!d)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(d->hint, sizeof(d->hint), fmt, ap);
	va_end(ap);
}

int ht_exit_status(int code)
{
	switch (code) {
	case HT_OK:
	case HT_ABSENT:
		return 0;
	case HT_ERR_USAGE:
		return 2;
	case HT_ERR_DAMAGED:
	case HT_ERR_TRUNCATED:
	case HT_ERR_LIMIT:
		return 4;
	default:
		return 3;
	}
}

static void out_of_memory(void)
{
	static const char line[] = "heaptide: out of memory: the system gave none\n";
	(void)!write(2, line, sizeof(line) - 1);
	_exit(3);
}

void *ht_xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *ht_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *ht_xrealloc(void *p, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		out_of_memory();
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *ht_xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(ht_xmalloc(n), s, n);
}

const char *ht_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static uint64_t hash_byte(uint64_t h, uint8_t byte)
{
	return (h ^ byte) * UINT64_C(0x100000001b3);
}

uint64_t ht_hash_text(uint64_t h, const char *s)
{
	for (; s && *s; s++)
		h = hash_byte(h, (uint8_t)*s);
	return hash_byte(h, 0xff); /* in no UTF-8 */
}

uint64_t ht_hash_bytes(uint64_t h, const void *data, size_t n)
{
	const uint8_t *bytes = data;
	for (size_t i = 0; i < n; i++)
		h = hash_byte(h, bytes[i]);
	return h;
}

char *ht_xasprintf(const char *fmt, ...)
{
	char *s;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}

void ht_buf_reserve(struct ht_buf *b, size_t more)
{
	size_t want;
	if (__builtin_add_overflow(b->len, more, &want))
		out_of_memory();
	if (want <= b->cap)
		return;
	size_t cap = b->cap ? b->cap : 256;
	while (cap < want)
		cap = cap > SIZE_MAX / 2 ? want : cap * 2;
	b->data = ht_xrealloc(b->data, cap, 1);
	b->cap = cap;
}

void ht_buf_append(struct ht_buf *b, const void *data, size_t n)
{
	if (!n)
		return;
	ht_buf_reserve(b, n);
	memcpy(b->data + b->len, data, n);
	b->len += n;
}

void ht_buf_printf(struct ht_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	ht_buf_reserve(b, 128);
	size_t room = b->cap - b->len;
	int n = vsnprintf((char *)b->data + b->len, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room) {
		ht_buf_reserve(b, (size_t)n + 1);
		n = vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
	}
	if (n > 0)
		b->len += (size_t)n;
	va_end(again);
}

void ht_buf_release(struct ht_buf *b)
{
	free(b->data);
	*b = (struct ht_buf){0};
}

uint64_t ht_cursor_varint_slow(struct ht_cursor *c)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte = ht_cursor_u8(c);
		if (c->bad)
			return 0;
		if (shift == 63 && byte > 1)
			break; /* more than 64 bits */
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return v;
	}
	c->bad = true;
	return 0;
}

const uint8_t *ht_cursor_bytes(struct ht_cursor *c, size_t n)
{
	if (ht_cursor_left(c) < n) {
		c->bad = true;
		c->at = c->end;
		return NULL;
	}
	const uint8_t *p = c->at;
	c->at += n;
	return p;
}

uint32_t ht_cursor_u32(struct ht_cursor *c)
{
	const uint8_t *p = ht_cursor_bytes(c, 4);
	return p ? (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

uint64_t ht_cursor_u64(struct ht_cursor *c)
{
	uint64_t lo = ht_cursor_u32(c);
	return lo | (uint64_t)ht_cursor_u32(c) << 32;
}

int ht_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;
	while (n) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		if (w == 0) {
			errno = ENOSPC;
			return -1;
		}
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int64_t ht_pread_all(int fd, void *data, size_t n, uint64_t off)
{
	char *p = data;
	size_t got = 0;
	while (got < n) {
		ssize_t r = pread(fd, p + got, n - got, (off_t)(off + got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (int64_t)got;
}

/* number, then a suffix out of a table of (name, factor). */
struct unit {
	const char *name;
	double factor;
};

static int parse_scaled(const char *s, const struct unit *units, size_t count, uint64_t *out)
{
	char *end;
	if (!(*s >= '0' && *s <= '9') && *s != '.')
		return HT_ERR_USAGE;
	errno = 0;
	/* whole numbers stay exact above 2^53 */
	unsigned long long whole = strtoull(s, &end, 10);
	bool exact = *end != '.' && *end != 'e' && *end != 'E' && !errno;
	double value = exact ? (double)whole : strtod(s, &end);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(end, units[i].name))
			continue;
		double scaled = value * units[i].factor;
		if (!(scaled < 18446744073709549568.0))
			return HT_ERR_USAGE;
		*out = exact ? whole * (uint64_t)units[i].factor : (uint64_t)(scaled + 0.5);
		return 0;
	}
	return HT_ERR_USAGE;
}

int ht_parse_size(const char *s, uint64_t *bytes)
{
	static const struct unit units[] = {
		{"", 1},	    {"B", 1},		 {"K", 1024.0},	      {"KB", 1024.0},
		{"KiB", 1024.0},    {"M", 1048576.0},	 {"MB", 1048576.0},   {"MiB", 1048576.0},
		{"G", 1073741824.0}, {"GB", 1073741824.0}, {"GiB", 1073741824.0}, {"T", 1099511627776.0},
	};
	return parse_scaled(s, units, HT_ARRAY_SIZE(units), bytes);
}

int ht_parse_time(const char *s, uint64_t *ns)
{
	static const struct unit units[] = {
		{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
	};
	return parse_scaled(s, units, HT_ARRAY_SIZE(units), ns);
}
