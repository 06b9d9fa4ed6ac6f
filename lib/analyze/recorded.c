/* recorded: see recorded.h. */
#include "recorded.h"

#include <stdlib.h>

#define ASK "(record with --events=%s)"

uint32_t ht_unrecorded(const struct ht_trace *t, uint32_t classes)
{
	const uint32_t asked = ht_trace_settings(t)->events;
	return asked ? classes & ~asked : 0;
}

enum ht_recorded ht_recorded(const struct ht_trace *t, uint32_t classes)
{
	const uint32_t not = ht_unrecorded(t, classes);
	if (!ht_trace_settings(t)->events)
		return HT_RECORDED_UNKNOWN;
	return !not ? HT_RECORDED_YES : not == classes ? HT_RECORDED_NO : HT_RECORDED_PARTLY;
}

/* --- texts -------------------------------------------------------------------------------- */

static char *finish(struct ht_buf *b)
{
	ht_buf_byte(b, '\0');
	return (char *)b->data;
}

char *ht_classes_names(uint32_t classes)
{
	static const struct {
		uint32_t classes;
		const char *name;
	} all[] = {
		{HT_CLASS_BIT(ALLOC), "allocations"},
		{HT_CLASS_BIT(MAP), "mappings"},
		{HT_CLASS_BIT(THREAD), "threads"},
		{HT_CLASSES_OF_WAITS, "waits"}, /* before its parts */
		{HT_CLASS_BIT(SYNC), "waits for locks"},
		{HT_CLASS_BIT(IO), "waits for I/O"},
		{HT_CLASS_BIT(SCHED), "context switches"},
		{HT_CLASS_BIT(STALL), "times of allocator calls"},
		{HT_CLASS_BIT(FAULT), "page faults"},
	};
	struct ht_buf b = {0};
	for (size_t i = 0; i < HT_ARRAY_SIZE(all); i++) {
		if ((classes & all[i].classes) != all[i].classes)
			continue;
		classes &= ~all[i].classes;
		ht_buf_printf(&b, "%s%s", !b.len ? "" : classes ? ", " : " and ", all[i].name);
	}
	return finish(&b);
}

char *ht_classes_option(uint32_t classes)
{
	struct ht_buf b = {0};
	for (unsigned i = 0; i < HT_EVENT_CLASSES; i++)
		if (classes >> i & 1)
			ht_buf_printf(&b, "%s+%s", b.len ? "," : "", ht_event_class_names[i]);
	return finish(&b);
}

char *ht_unrecorded_text(uint32_t classes, const char *so)
{
	char *names = ht_classes_names(classes), *option = ht_classes_option(classes);
	char *text = ht_xasprintf("%s were not recorded%s%s " ASK, names, so ? ": " : "", so ? so : "", option);
	free(option);
	free(names);
	return text;
}

char *ht_recorded_nothing(const struct ht_trace *t, uint32_t classes, const char *nothing)
{
	char *rest, *text;
	switch (ht_recorded(t, classes)) {
	case HT_RECORDED_NO:
		return ht_unrecorded_text(classes, NULL);
	case HT_RECORDED_YES:
		return ht_xstrdup(nothing);
	case HT_RECORDED_PARTLY:
		rest = ht_unrecorded_text(ht_unrecorded(t, classes), NULL);
		text = ht_xasprintf("%s\n%s", nothing, rest);
		break;
	default:
		rest = ht_classes_option(classes);
		text = ht_xasprintf("%s " ASK, nothing, rest);
	}
	free(rest);
	return text;
}
