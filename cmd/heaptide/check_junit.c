/* check_junit: see check_junit.h. The elements and attributes are those that Jenkins' and GitLab's readers share. */
#include "check_junit.h"

#include <stdlib.h>

#include "text.h"

/* Clean first: XML 1.0 has no way to write control characters. */
static void escaped(struct ht_buf *out, const char *s)
{
	struct ht_buf clean = {0};
	ht_text_clean(&clean, s);
	for (size_t i = 0; i < clean.len; i++) {
		switch (clean.data[i]) {
		case '&':
			ht_buf_printf(out, "&amp;");
			break;
		case '<':
			ht_buf_printf(out, "&lt;");
			break;
		case '>':
			ht_buf_printf(out, "&gt;");
			break;
		case '"':
			ht_buf_printf(out, "&quot;");
			break;
		default:
			ht_buf_byte(out, clean.data[i]);
		}
	}
	ht_buf_release(&clean);
}

void ht_check_junit(struct ht_buf *out, const struct ht_judgement *v, size_t n, char *const *stacks, const char *trace)
{
	size_t broken = 0;
	for (size_t i = 0; i < n; i++)
		broken += v[i].broken;
	ht_buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"heaptide check\" tests=\"%zu\" "
			   "failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"0\">\n",
		      n, broken);
	for (size_t i = 0; i < n; i++) {
		char *message = ht_check_message(&v[i]);
		ht_buf_printf(out, "<testcase classname=\"");
		escaped(out, trace);
		ht_buf_printf(out, "\" name=\"");
		escaped(out, v[i].rule->text);
		ht_buf_printf(out, "\" time=\"0\"");
		if (v[i].broken) {
			ht_buf_printf(out, ">\n<failure type=\"budget\" message=\"");
			escaped(out, message);
			ht_buf_printf(out, "\">");
			escaped(out, stacks[i]);
			ht_buf_printf(out, "</failure>\n</testcase>\n");
		} else {
			ht_buf_printf(out, "/>\n");
		}
		free(message);
	}
	ht_buf_printf(out, "</testsuite>\n</testsuites>\n");
}
