/* dump_tables: see dump_tables.h. Strings stand in double quotes, cleaned; unknown times are "-".
 */
#include "dump_tables.h"

#include "text.h"

static void quoted(struct ht_buf *out, const char *key, const char *s)
{
	ht_buf_printf(out, " %s=\"", key);
	ht_text_clean(out, s);
	ht_buf_byte(out, '"');
}

static void moment(struct ht_buf *out, const char *key, uint64_t ns)
{
	if (ns == UINT64_MAX)
		ht_buf_printf(out, " %s=-", key);
	else
		ht_buf_printf(out, " %s=%llu.%09llu", key, (unsigned long long)(ns / 1000000000),
			      (unsigned long long)(ns % 1000000000));
}

/* What was asked for, if the trace says so: "recorded  events=alloc,map,thread". */
static void recorded(struct ht_buf *out, const struct ht_trace *t)
{
	const uint32_t asked = ht_trace_settings(t)->events;
	const char *before = "recorded  events=";
	for (unsigned i = 0; i < HT_EVENT_CLASSES; i++) {
		if (!(asked >> i & 1))
			continue;
		ht_buf_printf(out, "%s%s", before, ht_event_class_names[i]);
		before = ",";
	}
	if (asked)
		ht_buf_byte(out, '\n');
}

static void images(struct ht_buf *out, const struct ht_trace *t)
{
	static const char *const kinds[] = {"first", "fork", "exec", "attached"};
	for (uint32_t i = 0; i < ht_trace_image_count(t); i++) {
		const struct ht_image *m = ht_trace_image(t, i);
		ht_buf_printf(out, "image %u  pid=%u", i, m->pid);
		ht_buf_printf(out, " kind=%s",
			      m->kind < HT_ARRAY_SIZE(kinds) ? kinds[m->kind] : "?");
		if (m->parent)
			ht_buf_printf(out, " parent=%u", m->parent - 1);
		moment(out, "start", m->start_ns);
		moment(out, "end", m->end_ns);
		if (m->wait_status >= 0)
			ht_buf_printf(out, " wait_status=%d", m->wait_status);
		quoted(out, "exe", ht_trace_string(t, m->exe, NULL));
		ht_buf_byte(out, '\n');
	}
}

static void threads(struct ht_buf *out, const struct ht_trace *t)
{
	for (uint32_t i = 0; i < ht_trace_thread_count(t); i++) {
		const struct ht_thread_info *h = ht_trace_thread(t, i);
		ht_buf_printf(out, "thread %u  image=%u tid=%u", i, h->image, h->tid);
		moment(out, "start", h->start_ns);
		moment(out, "end", h->end_ns);
		quoted(out, "name", ht_trace_string(t, h->name, NULL));
		ht_buf_byte(out, '\n');
	}
}

static void modules(struct ht_buf *out, const struct ht_trace *t)
{
	for (uint32_t i = 0; i < ht_trace_module_count(t); i++) {
		const struct ht_module *m = ht_trace_module(t, i);
		ht_buf_printf(out, "module %u  image=%u bias=0x%llx size=%llu build_id=", i,
			      m->image, (unsigned long long)m->bias, (unsigned long long)m->size);
		for (size_t k = 0; k < m->build_id_len && k < HT_BUILD_ID_MAX; k++)
			ht_buf_printf(out, "%02x", m->build_id[k]);
		ht_buf_printf(out, "%s", m->build_id_len ? "" : "-");
		quoted(out, "path", ht_trace_string(t, m->path, NULL));
		ht_buf_byte(out, '\n');
	}
}

static void samples(struct ht_buf *out, const struct ht_trace *t)
{
	const struct ht_sample *s = ht_trace_samples(t);
	for (size_t i = 0; i < ht_trace_sample_count(t); i++) {
		ht_buf_printf(out, "sample  image=%u rss=%llu threads=%u", s[i].image,
			      (unsigned long long)s[i].rss_bytes, s[i].threads);
		moment(out, "time", s[i].time);
		ht_buf_byte(out, '\n');
	}
}

void ht_dump_tables(struct ht_buf *out, const struct ht_trace *t)
{
	recorded(out, t);
	images(out, t);
	threads(out, t);
	modules(out, t);
	samples(out, t);
}
