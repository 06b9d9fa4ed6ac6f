/*
 * trace_classes: what a recording was asked for, classes of events, as the file header names them: "alloc,map,thread".
 * Names that this version does not know are a later one's; a header without any that it knows says nothing.
 */
#include "trace_totals.h"

#include <string.h>

const char *const ht_event_class_names[HT_EVENT_CLASSES] = {
	[HT_CLASS_ALLOC] = "alloc", [HT_CLASS_MAP] = "map",	[HT_CLASS_THREAD] = "thread", [HT_CLASS_SYNC] = "sync",
	[HT_CLASS_IO] = "io",	    [HT_CLASS_SCHED] = "sched", [HT_CLASS_STALL] = "stall",   [HT_CLASS_FAULT] = "fault",
};

void ht_classes_text(struct ht_buf *b, uint32_t classes)
{
	bool any = false;
	for (unsigned i = 0; i < HT_EVENT_CLASSES; i++) {
		if (!(classes >> i & 1))
			continue;
		ht_buf_printf(b, "%s%s", any ? "," : "", ht_event_class_names[i]);
		any = true;
	}
}

static uint32_t class_of(const char *word, size_t n)
{
	for (unsigned i = 0; i < HT_EVENT_CLASSES; i++)
		if (strlen(ht_event_class_names[i]) == n && !memcmp(ht_event_class_names[i], word, n))
			return 1u << i;
	return 0;
}

uint32_t ht_classes_of(const char *text, size_t n)
{
	uint32_t classes = 0;
	for (size_t at = 0; at < n;) {
		const char *comma = memchr(text + at, ',', n - at);
		size_t len = comma ? (size_t)(comma - text) - at : n - at;
		classes |= class_of(text + at, len);
		at += len + 1;
	}
	return classes;
}
