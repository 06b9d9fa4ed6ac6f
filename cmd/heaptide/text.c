/* text: see text.h. */
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

/* --- numbers ------------------------------------------------------------------------------ */

struct ht_text ht_text_count(uint64_t n)
{
	char digits[24];
	struct ht_text t;
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	size_t at = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			t.s[at++] = ',';
		t.s[at++] = digits[i];
	}
	t.s[at] = '\0';
	return t;
}

/* Three significant digits: 4.10, 41.3, 182; from 1000 on no decimals either. */
static int three_digits(char *out, size_t n, double v)
{
	if (v < 9.995)
		return snprintf(out, n, "%.2f", v);
	if (v < 99.95)
		return snprintf(out, n, "%.1f", v);
	if (v < 999.5)
		return snprintf(out, n, "%.0f", v);
	return snprintf(out, n, "%s", ht_text_count((uint64_t)(v + 0.5)).s);
}

struct ht_text ht_text_bytes(uint64_t n)
{
	static const char units[] = "BKMGTPE";
	struct ht_text t;
	double v = (double)n;
	size_t u = 0;
	if (n < 1024) {
		snprintf(t.s, sizeof(t.s), "%llu B", (unsigned long long)n);
		return t;
	}
	while (v >= 1023.5 && u + 2 < sizeof(units)) {
		v /= 1024;
		u++;
	}
	int len = three_digits(t.s, sizeof(t.s), v);
	snprintf(t.s + len, sizeof(t.s) - (size_t)len, " %cB", units[u]);
	return t;
}

struct ht_text ht_text_ns(uint64_t ns)
{
	static const struct {
		double factor;
		const char *name;
	} units[] = {{1e3, " \302\265s"}, {1e6, " ms"}, {1e9, " s"}};
	struct ht_text t;
	if (ns < 1000) {
		snprintf(t.s, sizeof(t.s), "%llu ns", (unsigned long long)ns);
		return t;
	}
	if (ns >= 120000000000ull) {
		uint64_t s = (ns + 500000000) / 1000000000;
		snprintf(t.s, sizeof(t.s), "%llu min %llu s", (unsigned long long)(s / 60),
			 (unsigned long long)(s % 60));
		return t;
	}
	size_t u = 0;
	while (u < 2 && (double)ns >= 999.5 * units[u].factor)
		u++;
	int len = three_digits(t.s, sizeof(t.s), (double)ns / units[u].factor);
	snprintf(t.s + len, sizeof(t.s) - (size_t)len, "%s", units[u].name);
	return t;
}

struct ht_text ht_text_rate(double v)
{
	static const char *const units[] = {" /s", " k/s", " M/s", " G/s"};
	struct ht_text t;
	if (!(v >= 0 && v < 1e15)) {
		snprintf(t.s, sizeof(t.s), "-");
		return t;
	}
	size_t u = 0;
	while (v >= 999.5 && u < 3) {
		v /= 1000;
		u++;
	}
	int len = three_digits(t.s, sizeof(t.s), v);
	snprintf(t.s + len, sizeof(t.s) - (size_t)len, "%s", units[u]);
	return t;
}

struct ht_text ht_text_share(double share)
{
	struct ht_text t;
	if (isfinite(share))
		snprintf(t.s, sizeof(t.s), "%.1f %%", share * 100);
	else
		snprintf(t.s, sizeof(t.s), "-");
	return t;
}

struct ht_text ht_text_utc(uint64_t ns)
{
	struct ht_text t;
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	if (!localtime_r(&s, &tm) || !strftime(t.s, sizeof(t.s), "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(t.s, sizeof(t.s), "-");
	return t;
}

/* --- names -------------------------------------------------------------------------------- */

void ht_text_clean_n(struct ht_buf *out, const char *s, size_t n)
{
	ht_utf8_clean(out, s, n);
}

void ht_text_clean(struct ht_buf *out, const char *s)
{
	ht_text_clean_n(out, s, strlen(s));
}

static size_t code_width(uint32_t c)
{
	if ((c >= 0x300 && c < 0x370) || (c >= 0x200b && c < 0x2010) || (c >= 0xfe00 && c < 0xfe10))
		return 0;
	if ((c >= 0x1100 && c < 0x1160) || (c >= 0x2e80 && c < 0xa4d0) ||
	    (c >= 0xac00 && c < 0xd7a4) || (c >= 0xf900 && c < 0xfb00) ||
	    (c >= 0xfe30 && c < 0xfe70) || (c >= 0xff00 && c < 0xff61) ||
	    (c >= 0x1f300 && c < 0x1fb00) || (c >= 0x20000 && c < 0x3fffe))
		return 2;
	return 1;
}

size_t ht_text_width(const char *s)
{
	size_t n = strlen(s), width = 0;
	while (n) {
		uint32_t code;
		size_t len = ht_utf8_next(s, n, &code);
		width += code_width(code);
		s += len;
		n -= len;
	}
	return width;
}

char *ht_text_fit(const char *s, size_t columns, bool keep_end)
{
	size_t width = ht_text_width(s), n = strlen(s);
	if (width <= columns)
		return ht_xstrdup(s);
	if (columns == 0)
		return ht_xstrdup("");
	/* What goes: the first characters until the rest fits, or all after those that fit. */
	size_t at = 0, used = 0;
	size_t limit = keep_end ? width - (columns - 1) : columns - 1;
	while (at < n) {
		uint32_t code;
		size_t len = ht_utf8_next(s + at, n - at, &code);
		if (keep_end ? used >= limit : used + code_width(code) > limit)
			break;
		used += code_width(code);
		at += len;
	}
	return keep_end ? ht_xasprintf("…%s", s + at) : ht_xasprintf("%.*s…", (int)at, s);
}

/* --- pictures ----------------------------------------------------------------------------- */

void ht_text_sparkline(struct ht_buf *out, const uint64_t *values, size_t n, size_t columns)
{
	if (!n || !columns)
		return;
	if (columns > n)
		columns = n;
	uint64_t top = 0;
	for (size_t i = 0; i < n; i++)
		if (values[i] > top)
			top = values[i];
	for (size_t c = 0; c < columns; c++) {
		size_t from = c * n / columns, to = (c + 1) * n / columns;
		uint64_t most = 0;
		for (size_t i = from; i < to; i++)
			if (values[i] > most)
				most = values[i];
		unsigned step = top ? (unsigned)((double)most / (double)top * 7.999) : 0;
		ht_buf_append(out, "\xe2\x96", 2);
		ht_buf_byte(out, (uint8_t)(0x81 + (step > 7 ? 7 : step)));
	}
}

static bool coloured(void)
{
	static int known = -1;
	if (known < 0) {
		const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
		known = isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
	}
	return known;
}

const char *ht_text_bold(void)
{
	return coloured() ? "\033[1m" : "";
}

const char *ht_text_plain(void)
{
	return coloured() ? "\033[0m" : "";
}
