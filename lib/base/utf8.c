/* utf8: see utf8.h. */
#include "utf8.h"

#include <string.h>

size_t ht_utf8_next(const char *s, size_t n, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80		   ? 1
		     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		     : (p[0] & 0xf0) == 0xe0	   ? 3
		     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						   : 0;
	*code = 0xfffd;
	if (len == 1) {
		*code = p[0];
		return 1;
	}
	if (!len || len > n)
		return 1;
	uint32_t c = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 1;
	*code = c;
	return len;
}

static bool harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x2028 ||
	       c == 0x2029 || c == 0xfeff || c == 0xfffd;
}

bool ht_utf8_clean(struct ht_buf *out, const char *s, size_t n)
{
	bool any = false;
	while (n) {
		uint32_t code;
		size_t len = ht_utf8_next(s, n, &code);
		bool bad = harmful(code);
		ht_buf_append(out, bad ? "\xef\xbf\xbd" : s, bad ? 3 : len);
		any |= bad;
		s += len;
		n -= len;
	}
	return any;
}

void ht_json_string(struct ht_buf *out, const char *s)
{
	size_t n = strlen(s);
	ht_buf_byte(out, '"');
	while (n) {
		uint32_t c;
		size_t len = ht_utf8_next(s, n, &c);
		if (c == '"' || c == '\\')
			ht_buf_printf(out, "\\%c", (char)c);
		else if (c < 0x20 || c == 0x7f)
			ht_buf_printf(out, "\\u%04x", c);
		else if (c == 0xfffd)
			ht_buf_append(out, "\xef\xbf\xbd", 3);
		else
			ht_buf_append(out, s, len);
		s += len;
		n -= len;
	}
	ht_buf_byte(out, '"');
}
