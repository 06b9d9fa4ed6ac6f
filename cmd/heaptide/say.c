/*
 * say: messages of the commands. One line on stderr that says what and why, then a hint where there
 * is a next step; written in one piece, so that messages of two processes do not mix within a line.
 */
#include <stdio.h>
#include <unistd.h>

#include "command.h"
#include "text.h"

void ht_message(const struct ht_diag *d)
{
	struct ht_buf b = {0};
	ht_buf_printf(&b, "heaptide: ");
	ht_text_clean(&b, d->text);
	ht_buf_byte(&b, '\n');
	if (d->hint[0]) {
		ht_buf_printf(&b, "  hint: ");
		ht_text_clean(&b, d->hint);
		ht_buf_byte(&b, '\n');
	}
	fflush(stdout);
	(void)!ht_write_all(STDERR_FILENO, b.data, b.len);
	ht_buf_release(&b);
}

void ht_warn(const char *fmt, ...)
{
	struct ht_diag d = {0};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(d.text, sizeof(d.text), fmt, ap);
	va_end(ap);
	ht_message(&d);
}

int ht_give_up(int code, const struct ht_diag *d)
{
	ht_message(d);
	return ht_exit_status(code);
}
