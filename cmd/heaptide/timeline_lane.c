/* timeline_lane: lanes of the text timeline. See timeline_out.h. */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "timeline_out.h"

const struct ht_lane_look ht_lane_looks[HT_LANE_CLASSES] = {
	[HT_LANE_NONE] = {" ", "", ""},
	[HT_LANE_UNKNOWN] = {"?", "unknown", "\033[90m"},
	[HT_LANE_RUNNING] = {"█", "running", "\033[32m"},
	[HT_LANE_RUNNABLE] = {"▒", "runnable", "\033[33m"},
	[HT_LANE_PREEMPTED] = {"░", "preempted", "\033[93m"},
	[HT_LANE_ALLOCATOR] = {"A", "allocator", "\033[95m"},
	[HT_LANE_MUTEX] = {"m", "mutex", "\033[31m"},
	[HT_LANE_RWLOCK] = {"w", "rwlock", "\033[31m"},
	[HT_LANE_COND] = {"c", "cond", "\033[34m"},
	[HT_LANE_SEM] = {"s", "sem", "\033[34m"},
	[HT_LANE_BARRIER] = {"b", "barrier", "\033[34m"},
	[HT_LANE_JOIN] = {"j", "join", "\033[90m"},
	[HT_LANE_NET] = {"n", "net", "\033[36m"},
	[HT_LANE_PIPE] = {"p", "pipe", "\033[36m"},
	[HT_LANE_DISK] = {"d", "disk", "\033[35m"},
	[HT_LANE_POLL] = {"o", "poll", "\033[90m"},
	[HT_LANE_SLEEP] = {"z", "sleep", "\033[90m"},
	[HT_LANE_OTHER] = {"-", "blocked", "\033[90m"},
};

/* Is `word` one of the words of what? */
static bool says(const char *what, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = what; *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");
		if (length == n && !memcmp(at, word, n))
			return true;
		at += length;
	}
	return false;
}

static enum ht_lane_class class_of(const struct ht_timeline_span *s)
{
	switch (s->state) {
	case HT_TIMELINE_RUNNING:
		return HT_LANE_RUNNING;
	case HT_TIMELINE_RUNNABLE:
		return HT_LANE_RUNNABLE;
	case HT_TIMELINE_PREEMPTED:
		return HT_LANE_PREEMPTED;
	case HT_TIMELINE_ALLOCATOR:
		return HT_LANE_ALLOCATOR;
	case HT_TIMELINE_IO:
		return HT_LANE_DISK;
	case HT_TIMELINE_BLOCKED:
		for (unsigned c = HT_LANE_MUTEX; c < HT_LANE_OTHER; c++)
			if (says(s->what, ht_lane_looks[c].meaning))
				return (enum ht_lane_class)c;
		return HT_LANE_OTHER;
	default:
		return HT_LANE_UNKNOWN;
	}
}

/* --- columns ------------------------------------------------------------------------------ */

size_t ht_lane_column(const struct ht_timeline *t, size_t columns, uint64_t ns)
{
	uint64_t span = t->to_ns - t->from_ns;
	if (ns <= t->from_ns || !span)
		return 0;
	size_t i = (size_t)((__uint128_t)(ns - t->from_ns) * columns / span);
	return i < columns ? i : columns - 1;
}

/* Where part i begins. */
static uint64_t time_of(const struct ht_timeline *t, size_t columns, size_t i)
{
	uint64_t span = t->to_ns - t->from_ns;
	return t->from_ns + (uint64_t)(((__uint128_t)span * i + columns - 1) / columns);
}

static size_t first_span(const struct ht_timeline *t, uint32_t thread)
{
	return HT_LOWER_BOUND(t->spans, t->span_count, thread, thread);
}

static size_t first_slice(const struct ht_timeline *t, uint32_t thread)
{
	return HT_LOWER_BOUND(t->slices, t->slice_count, thread, thread);
}

void ht_lane_states(const struct ht_timeline *t, uint32_t thread, size_t columns, uint8_t *classes)
{
	uint64_t (*time)[HT_LANE_CLASSES] = ht_xcalloc(columns, sizeof(*time));
	for (size_t i = first_span(t, thread); i < t->span_count && t->spans[i].thread == thread; i++) {
		const struct ht_timeline_span *s = &t->spans[i];
		enum ht_lane_class class = class_of(s);
		size_t first = ht_lane_column(t, columns, s->begin_ns);
		size_t last = ht_lane_column(t, columns, s->end_ns - 1);
		for (size_t c = first; c <= last; c++) {
			uint64_t from = c == first ? s->begin_ns : time_of(t, columns, c);
			uint64_t to = c == last ? s->end_ns : time_of(t, columns, c + 1);
			time[c][class] += to - from;
		}
	}
	for (size_t c = 0; c < columns; c++) {
		classes[c] = HT_LANE_NONE;
		for (unsigned k = HT_LANE_UNKNOWN; k < HT_LANE_CLASSES; k++)
			if (time[c][k] > time[c][classes[c]])
				classes[c] = (uint8_t)k;
	}
	free(time);
}

void ht_lane_allocations(const struct ht_timeline *t, uint32_t thread, size_t columns, uint64_t *objects)
{
	memset(objects, 0, columns * sizeof(*objects));
	for (size_t i = first_slice(t, thread); i < t->slice_count && t->slices[i].thread == thread; i++) {
		const struct ht_timeline_slice *s = &t->slices[i];
		if (s->category != HT_TIMELINE_BURST)
			continue;
		size_t first = ht_lane_column(t, columns, s->begin_ns), last = ht_lane_column(t, columns, s->end_ns);
		for (size_t c = first; c <= last; c++) /* evenly, each column at least one */
			objects[c] += s->objects / (last - first + 1) + 1;
	}
}

/* --- brackets ----------------------------------------------------------------------------- */

/* One interval over the columns first to last. */
static void bracket(struct ht_buf *out, size_t first, size_t last, const char *name)
{
	size_t columns = last - first + 1;
	if (columns == 1) {
		ht_buf_printf(out, "╵");
		return;
	}
	/* one letter says nothing */
	char *fit = ht_text_fit(columns > 4 || ht_text_width(name) <= columns - 2 ? name : "", columns - 2, false);
	size_t width = ht_text_width(fit);
	ht_buf_printf(out, "╰%s", fit);
	for (size_t i = width + 2; i < columns; i++)
		ht_buf_printf(out, "─");
	ht_buf_printf(out, "╯");
	free(fit);
}

void ht_lane_brackets(const struct ht_timeline *t, const struct ht_lane_bracket *all, size_t count, size_t columns,
		      struct ht_buf *out)
{
	size_t drawn = 0;
	for (size_t i = 0; i < count && drawn < columns; i++) {
		bool moment = all[i].end_ns == all[i].begin_ns;
		size_t first = ht_lane_column(t, columns, all[i].begin_ns);
		size_t last = ht_lane_column(t, columns, all[i].end_ns - !moment);
		/* the next one's column is its own */
		if (i + 1 < count && last > first && ht_lane_column(t, columns, all[i + 1].begin_ns) == last)
			last--;
		if (first < drawn)
			first = drawn;
		if (last < first)
			continue;
		for (; drawn < first; drawn++)
			ht_buf_byte(out, ' ');
		bracket(out, first, last, all[i].name);
		drawn = last + 1;
	}
}

bool ht_lane_regions(const struct ht_timeline *t, uint32_t thread, size_t columns, struct ht_buf *out)
{
	struct ht_lane_bracket *all = NULL;
	size_t count = 0, cap = 0;
	uint64_t reached = 0;
	for (size_t i = first_slice(t, thread); i < t->slice_count && t->slices[i].thread == thread; i++) {
		const struct ht_timeline_slice *s = &t->slices[i];
		if (s->category != HT_TIMELINE_REGION || (count && s->begin_ns < reached))
			continue;
		if (count == cap) {
			cap = cap ? cap * 2 : 64;
			all = ht_xrealloc(all, cap, sizeof(*all));
		}
		all[count++] = (struct ht_lane_bracket){s->begin_ns, s->end_ns, s->name};
		reached = s->end_ns;
	}
	ht_lane_brackets(t, all, count, columns, out);
	free(all);
	return count > 0;
}
