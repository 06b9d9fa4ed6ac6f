/*
 * text: how numbers and names look for people. Every number carries its unit; every name that comes
 * from a trace, an ELF file or the command line is made harmless before it reaches a terminal.
 */
#ifndef HT_TEXT_H
#define HT_TEXT_H

#include "base.h"

/* A short rendered number, by value. */
struct ht_text {
	char s[40];
};

struct ht_text ht_text_count(uint64_t n);	/* 5,412,880 */
struct ht_text ht_text_bytes(uint64_t n);	/* 512 B, 96.0 MB: powers of 1024 */
struct ht_text ht_text_ns(uint64_t ns);		/* 40.0 µs, 8.21 s, 3 min 20 s */
struct ht_text ht_text_rate(double per_second); /* 436 k/s */
struct ht_text ht_text_share(double share);	/* 52.7 % of 0.527 */
struct ht_text ht_text_utc(uint64_t ns);	/* 2026-11-21 10:14:07, local time */

/* Appends s as valid UTF-8 without control characters: bytes that are neither become U+FFFD, as
 * do the marks that change the direction of writing. */
void ht_text_clean(struct ht_buf *out, const char *s);
void ht_text_clean_n(struct ht_buf *out, const char *s, size_t n);

/* Columns on a terminal of valid UTF-8. */
size_t ht_text_width(const char *s);
/* A heap copy of s in at most `columns` columns: the end, or with keep_end the beginning, becomes
 * "…". */
char *ht_text_fit(const char *s, size_t columns, bool keep_end);

/* n values as ▁▂▃▄▅▆▇█ in at most `columns` characters: each the maximum of its share of the
 * values, scaled to the greatest of all; nothing at all is ▁. */
void ht_text_sparkline(struct ht_buf *out, const uint64_t *values, size_t n, size_t columns);

/* Bold and plain when standard output is a terminal and NO_COLOR is not set; else "". */
const char *ht_text_bold(void);
const char *ht_text_plain(void);

#endif
