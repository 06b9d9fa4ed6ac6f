/* emit_value: one value as JSON, text and CSV. See emit.h. */
#include "emit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "utf8.h"

static void json_frame(struct ht_buf *out, const struct ht_emit_frame *f)
{
	struct ht_value v[] = {ht_string(f->function), ht_string(f->file),
			       f->line ? ht_number(f->line) : ht_null(), ht_string(f->module),
			       ht_bool(f->inlined)};
	static const char *const keys[] = {"function", "file", "line", "module", "inlined"};
	for (size_t i = 0; i < HT_ARRAY_SIZE(v); i++) {
		ht_buf_printf(out, "%s\"%s\": ", i ? ", " : "{", keys[i]);
		ht_value_json(out, &v[i]);
	}
	if (!f->function) {
		struct ht_value id = ht_string(f->build_id), at = ht_hex(f->address),
				why = ht_string(f->unresolved);
		ht_buf_printf(out, ", \"build_id\": ");
		ht_value_json(out, &id);
		ht_buf_printf(out, ", \"address\": ");
		ht_value_json(out, &at);
		ht_buf_printf(out, ", \"unresolved\": ");
		ht_value_json(out, &why);
	}
	ht_buf_byte(out, '}');
}

static void json_objects(struct ht_buf *out, const struct ht_value *v)
{
	ht_buf_byte(out, '[');
	for (size_t i = 0; i < v->count * v->width; i++) {
		const struct ht_emit_field *f = &v->fields[i];
		ht_buf_printf(out, "%s\"%s\": ", i % v->width ? ", " : i ? ", {" : "{", f->key);
		ht_value_json(out, &f->value);
		ht_buf_printf(out, "%s", (i + 1) % v->width ? "" : "}");
	}
	ht_buf_byte(out, ']');
}

void ht_value_json(struct ht_buf *out, const struct ht_value *v)
{
	switch (v->kind) {
	case HT_VALUE_NULL:
	case HT_VALUE_OMIT:
		ht_buf_printf(out, "null");
		break;
	case HT_VALUE_COUNT:
	case HT_VALUE_NUMBER:
	case HT_VALUE_BYTES:
	case HT_VALUE_NS:
	case HT_VALUE_UTC:
		ht_buf_printf(out, "%llu", (unsigned long long)v->n);
		break;
	case HT_VALUE_SIGNED:
		ht_buf_printf(out, "%lld", (long long)v->n);
		break;
	case HT_VALUE_SHARE:
	case HT_VALUE_REAL:
		if (isfinite(v->real))
			ht_buf_printf(out, "%.6g", v->real);
		else
			ht_buf_printf(out, "null");
		break;
	case HT_VALUE_BOOL:
		ht_buf_printf(out, v->n ? "true" : "false");
		break;
	case HT_VALUE_STRING:
		ht_json_string(out, v->string);
		break;
	case HT_VALUE_HEX:
		ht_buf_printf(out, "\"0x%llx\"", (unsigned long long)v->n);
		break;
	case HT_VALUE_FRAMES:
		ht_buf_byte(out, '[');
		for (size_t i = 0; i < v->count; i++) {
			ht_buf_printf(out, "%s", i ? ", " : "");
			json_frame(out, &v->frames[i]);
		}
		ht_buf_byte(out, ']');
		break;
	case HT_VALUE_COUNTS:
		ht_buf_byte(out, '[');
		for (size_t i = 0; i < v->count; i++)
			ht_buf_printf(out, "%s%llu", i ? "," : "", (unsigned long long)v->counts[i]);
		ht_buf_byte(out, ']');
		break;
	case HT_VALUE_OBJECTS:
		json_objects(out, v);
		break;
	}
}

/* "worker-1 12, worker-2 3": what an object holds in text and CSV. */
static void objects_text(struct ht_buf *out, const struct ht_value *v, const char *between)
{
	for (size_t i = 0; i < v->count * v->width; i++) {
		ht_buf_printf(out, "%s", !i ? "" : i % v->width ? " " : between);
		ht_value_text(out, &v->fields[i].value);
	}
}

static void frames_text(struct ht_buf *out, const struct ht_value *v, const char *between)
{
	for (size_t i = 0; i < v->count; i++) {
		const struct ht_emit_frame *f = &v->frames[i];
		if (i)
			ht_buf_printf(out, "%s", between);
		if (f->function)
			ht_text_clean(out, f->function);
		else
			ht_buf_printf(out, "0x%llx", (unsigned long long)f->address);
		if (f->inlined)
			ht_buf_printf(out, " (inlined)");
	}
}

void ht_value_text(struct ht_buf *out, const struct ht_value *v)
{
	struct ht_text t = {"-"};
	switch (v->kind) {
	case HT_VALUE_NULL:
		break;
	case HT_VALUE_OMIT:
		t.s[0] = '\0';
		break;
	case HT_VALUE_COUNT:
		t = ht_text_count(v->n);
		break;
	case HT_VALUE_NUMBER:
		snprintf(t.s, sizeof(t.s), "%llu", (unsigned long long)v->n);
		break;
	case HT_VALUE_BYTES:
		t = ht_text_bytes(v->n);
		break;
	case HT_VALUE_NS:
		t = ht_text_ns(v->n);
		break;
	case HT_VALUE_UTC:
		t = ht_text_utc(v->n);
		break;
	case HT_VALUE_SHARE:
		t = ht_text_share(v->real);
		break;
	case HT_VALUE_SIGNED:
		snprintf(t.s, sizeof(t.s), "%lld", (long long)v->n);
		break;
	case HT_VALUE_REAL:
		snprintf(t.s, sizeof(t.s), "%.3g", v->real);
		break;
	case HT_VALUE_BOOL:
		snprintf(t.s, sizeof(t.s), "%s", v->n ? "yes" : "no");
		break;
	case HT_VALUE_HEX:
		snprintf(t.s, sizeof(t.s), "0x%llx", (unsigned long long)v->n);
		break;
	case HT_VALUE_STRING:
		ht_text_clean(out, v->string);
		return;
	case HT_VALUE_FRAMES:
		frames_text(out, v, " ← ");
		return;
	case HT_VALUE_COUNTS:
		ht_text_sparkline(out, v->counts, v->count, v->count);
		return;
	case HT_VALUE_OBJECTS:
		objects_text(out, v, ", ");
		return;
	}
	ht_buf_printf(out, "%s", t.s);
}

static void csv_string(struct ht_buf *out, const char *s)
{
	struct ht_buf clean = {0};
	/* A spreadsheet takes such a cell for a formula. */
	if (*s && strchr("=+-@", *s))
		ht_buf_byte(&clean, '\'');
	ht_text_clean(&clean, s);
	bool quote =
	    clean.len &&
	    (memchr(clean.data, '"', clean.len) || memchr(clean.data, ',', clean.len) ||
	     memchr(clean.data, ';', clean.len) || clean.data[0] == '\'' || clean.data[0] == ' ');
	if (quote)
		ht_buf_byte(out, '"');
	for (size_t i = 0; i < clean.len; i++) {
		if (clean.data[i] == '"')
			ht_buf_byte(out, '"');
		ht_buf_byte(out, clean.data[i]);
	}
	if (quote)
		ht_buf_byte(out, '"');
	ht_buf_release(&clean);
}

void ht_value_csv(struct ht_buf *out, const struct ht_value *v)
{
	struct ht_buf joined = {0};
	switch (v->kind) {
	case HT_VALUE_NULL:
	case HT_VALUE_OMIT:
		break;
	case HT_VALUE_STRING:
		csv_string(out, v->string);
		break;
	case HT_VALUE_HEX:
		ht_buf_printf(out, "0x%llx", (unsigned long long)v->n);
		break;
	case HT_VALUE_FRAMES:
		frames_text(&joined, v, ";");
		ht_buf_byte(&joined, '\0');
		csv_string(out, (char *)joined.data);
		ht_buf_release(&joined);
		break;
	case HT_VALUE_OBJECTS:
		objects_text(&joined, v, "; ");
		ht_buf_byte(&joined, '\0');
		csv_string(out, (char *)joined.data);
		ht_buf_release(&joined);
		break;
	case HT_VALUE_COUNTS:
		for (size_t i = 0; i < v->count; i++)
			ht_buf_printf(out, "%s%llu", i ? ";" : "", (unsigned long long)v->counts[i]);
		break;
	default:
		ht_value_json(out, v);
	}
}
