/*
 * latency_tasks_text: what people read of tasks and regions behind the table: for each name a histogram, the slowest,
 * and what the slow ones have that the usual ones have not.
 */
#include <stdlib.h>

#include "facts.h"
#include "latency_tasks.h"
#include "text.h"

enum { SCREEN = 100, INDENT = 24, DIFFERENCES_IN_TEXT = 4, NAMES_IN_TEXT = 8 };

/* --- words --------------------------------------------------------------------------------- */

static char *finish(struct ht_buf *b)
{
	ht_buf_byte(b, '\0');
	return (char *)b->data;
}

static char *clean(const char *s)
{
	struct ht_buf b = {0};
	ht_text_clean(&b, s);
	return finish(&b);
}

static void say_site(struct ht_buf *b, const struct ht_latency_show *x, uint32_t stack)
{
	char *name = ht_latency_chain(x, stack, 2), *site = ht_latency_site(x, stack);
	ht_buf_printf(b, "%s (%s)", name, site);
	free(name);
	free(site);
}

void ht_tasks_thread_name(struct ht_buf *b, const struct ht_latency_show *x, uint32_t thread)
{
	const struct ht_thread_info *t = ht_trace_thread(x->a->trace, thread);
	const char *name = t ? ht_trace_string(x->a->trace, t->name, NULL) : "";
	if (*name)
		ht_text_clean(b, name);
	else
		ht_buf_printf(b, "tid %u", t ? t->tid : 0);
}

static bool is_lock(unsigned kind)
{
	return kind == HT_WAIT_MUTEX || kind == HT_WAIT_RWLOCK;
}

/* In as many columns of a terminal, or more; right: spaces come first. */
static void say_padded(struct ht_buf *b, const char *text, size_t columns, bool right)
{
	const size_t width = ht_text_width(text), spaces = width < columns ? columns - width : 0;
	ht_buf_printf(b, "%*s%s%*s", right ? (int)spaces : 0, "", text, right ? 0 : (int)spaces, "");
}

/* A line of text, cut where a screen ends. */
static void say_line(const struct ht_latency_show *x, struct ht_buf *b)
{
	while (b->len && b->data[b->len - 1] == ' ')
		b->len--;
	char *line = finish(b), *fit = ht_text_fit(line, SCREEN, false);
	ht_emit_text(x->e, "%s\n", fit);
	free(line);
	free(fit);
}

/* "mutex 0x7f12…: 7 waits in read_table (table.c:31)", and on the next line "held by holder in hold_lock (t.c:12)" */
static void say_culprit(struct ht_buf *b, const struct ht_latency_show *x, const struct ht_culprit *c)
{
	if (c->object)
		ht_buf_printf(b, "%s 0x%llx: ", ht_wait_kind_names[c->kind], (unsigned long long)c->object);
	ht_buf_printf(b, "%s %s in ", ht_text_count(c->waits).s, c->waits == 1 ? "wait" : "waits");
	say_site(b, x, c->stack);
	if (!c->ended_by_known)
		return;
	say_line(x, b);
	*b = (struct ht_buf){0};
	ht_buf_printf(b, "%*s%s by ", INDENT, "", is_lock(c->kind) ? "held" : "ended");
	ht_tasks_thread_name(b, x, c->ended_by);
	if (c->ended_stack) {
		ht_buf_printf(b, " in ");
		say_site(b, x, c->ended_stack);
	}
}

/* The parts of a time, largest first, down to a fiftieth: "running 1.2 ms, mutex 9.0 ms". */
static char *parts_text(const struct ht_time_parts *p)
{
	struct ht_buf b = {0};
	uint64_t sum = 0;
	bool said[HT_TIME_PARTS] = {false};
	for (unsigned k = 0; k < HT_TIME_PARTS; k++)
		sum += p->ns[k];
	for (;;) {
		unsigned best = HT_TIME_PARTS;
		for (unsigned k = 0; k < HT_TIME_PARTS; k++)
			if (!said[k] && p->ns[k] && (best == HT_TIME_PARTS || p->ns[k] > p->ns[best]))
				best = k;
		if (best == HT_TIME_PARTS || (b.len && p->ns[best] < sum / 50))
			break;
		said[best] = true;
		ht_buf_printf(&b, "%s%s %s", b.len ? ", " : "", ht_time_part_name(best), ht_text_ns(p->ns[best]).s);
	}
	return finish(&b);
}

/* --- the slowest --------------------------------------------------------------------------- */

size_t ht_tasks_threads(const struct ht_tasks_told *w, const struct ht_instance *i, uint32_t *out)
{
	size_t n = 0;
	for (size_t k = i->first_piece; k < i->first_piece + i->piece_count && n < HT_TASKS_THREADS; k++) {
		size_t t = 0;
		while (t < n && out[t] != w->in->pieces[k].thread)
			t++;
		if (t == n)
			out[n++] = w->in->pieces[k].thread;
	}
	return n;
}

static void say_slowest(const struct ht_tasks_told *w, const struct ht_instance_group *g)
{
	ht_emit_text(w->x->e, "  slowest\n");
	for (size_t k = 0; k < g->count && k < HT_TASKS_SLOWEST; k++) {
		const struct ht_instance *i = &w->in->items[g->members[k]];
		struct ht_time_parts parts = {.voluntary = 0};
		struct ht_buf who = {0};
		uint32_t threads[HT_TASKS_THREADS];
		const size_t n = ht_tasks_threads(w, i, threads);
		for (size_t t = 0; t < n; t++) {
			ht_buf_printf(&who, "%s", t ? ", " : "");
			ht_tasks_thread_name(&who, w->x, threads[t]);
		}
		ht_instance_parts(w->in, i, w->x->l, &parts);
		char *by = finish(&who), *went = parts_text(&parts);
		struct ht_buf line = {0};
		say_padded(&line, ht_text_ns(i->end_ns - i->begin_ns).s, 12, true);
		ht_buf_printf(&line, " at ");
		say_padded(&line, ht_text_ns(i->begin_ns).s, 9, false);
		ht_buf_printf(&line, "%s, %s allocs, %s: %s%s", *by ? by : "nobody", ht_text_count(i->allocs).s,
			      ht_text_bytes(i->bytes).s, went, i->cut ? "; cut" : "");
		say_line(w->x, &line);
		free(by);
		free(went);
	}
}

/* --- slow against usual -------------------------------------------------------------------- */

static void say_differences(const struct ht_tasks_told *w, const struct ht_instance_group *g)
{
	const double more = g->slow_ns - g->usual_ns;
	if (!g->compared || more <= 0)
		return;
	ht_emit_text(w->x->e, "  the slowest %s take %s on average, the usual half %s; what makes the difference:\n",
		     ht_text_count(g->slow).s, ht_text_ns((uint64_t)g->slow_ns).s, ht_text_ns((uint64_t)g->usual_ns).s);
	for (size_t k = 0; k < g->difference_count && k < DIFFERENCES_IN_TEXT; k++) {
		const struct ht_difference *d = &g->differences[k];
		const double delta = d->slow_ns - d->usual_ns;
		struct ht_buf b = {0};
		if (k && delta < more / 50)
			break;
		const bool allocates = g->slow_allocs >= 1 && g->slow_allocs > 2 * g->usual_allocs;
		ht_buf_printf(&b, "    %-9s +", ht_time_part_name(d->part));
		say_padded(&b, ht_text_ns((uint64_t)delta).s, 8, false);
		if (d->culprit.kind || d->part == HT_PART_WAITING || (d->part == HT_PART_RUNNING && allocates))
			ht_buf_printf(&b, " ");
		if (d->culprit.kind)
			say_culprit(&b, w->x, &d->culprit);
		else if (d->part == HT_PART_WAITING)
			ht_buf_printf(&b, "nobody worked for it: it was queued");
		else if (d->part == HT_PART_RUNNING && allocates)
			ht_buf_printf(&b, "%s allocations and %s each, where others have %s and %s",
				      ht_text_count((uint64_t)g->slow_allocs).s, ht_text_bytes((uint64_t)g->slow_bytes).s,
				      ht_text_count((uint64_t)g->usual_allocs).s, ht_text_bytes((uint64_t)g->usual_bytes).s);
		say_line(w->x, &b);
	}
}

/* --- one name ------------------------------------------------------------------------------ */

void ht_tasks_histogram(const struct ht_instance_group *g, struct ht_tasks_histogram *h)
{
	*h = (struct ht_tasks_histogram){.first = ht_duration_bucket(g->durations[0])};
	for (size_t i = 0; i < g->count; i++)
		h->counts[ht_duration_bucket(g->durations[i])]++;
	h->end = ht_duration_bucket(g->durations[g->count - 1]) + 1;
}

/* As a sparkline, but what holds nothing is a dot, and what holds little is seen. */
static char *picture(const struct ht_tasks_histogram *h)
{
	struct ht_buf b = {0};
	uint64_t top = 0;
	for (unsigned k = h->first; k < h->end; k++)
		top = h->counts[k] > top ? h->counts[k] : top;
	for (unsigned k = h->first; k < h->end; k++) {
		if (h->counts[k]) {
			ht_buf_append(&b, "\xe2\x96", 2);
			ht_buf_byte(&b, (uint8_t)(0x81 + (h->counts[k] * 7 + top - 1) / top));
		} else {
			ht_buf_append(&b, "\xc2\xb7", 2);
		}
	}
	return finish(&b);
}

static void say_group(const struct ht_tasks_told *w, const struct ht_instance_group *g)
{
	struct ht_tasks_histogram h;
	char *whole = clean(g->name), *name = ht_text_fit(whole, SCREEN, false), *went = parts_text(&g->parts);
	ht_tasks_histogram(g, &h);
	char *shape = picture(&h);
	ht_emit_text(w->x->e, "\n%s%s%s\n", ht_text_bold(), name, ht_text_plain());
	struct ht_buf line = {0};
	ht_buf_printf(&line, "  %s", went);
	say_line(w->x, &line);
	ht_emit_text(w->x->e, "  %s %s %s", ht_text_ns(ht_duration_bound(h.first)).s, shape,
		     ht_text_ns(ht_duration_bound(h.end)).s);
	if (g->cut)
		ht_emit_text(w->x->e, "   %s open at the end: counted up to there", ht_text_count(g->cut).s);
	ht_emit_text(w->x->e, "\n");
	say_slowest(w, g);
	say_differences(w, g);
	free(shape);
	free(name);
	free(whole);
	free(went);
}

void ht_tasks_say(const struct ht_tasks_told *w, size_t shown)
{
	const struct ht_latency_show *x = w->x;
	if (!w->groups->count) {
		ht_emit_text(x->e, "the program told of no %s (heaptide.h), or none begins in what is selected\n", w->many);
		return;
	}
	if (!x->l || ht_unrecorded(x->a->trace, HT_CLASS_BIT(ALLOC) | HT_CLASSES_OF_STATES))
		ht_emit_text(x->e, "\n");
	if (!x->l)
		ht_latency_nothing(x, "what their time went for is not known", HT_CLASSES_OF_STATES);
	else
		ht_say_unrecorded(x->e, x->a->trace, HT_CLASSES_OF_STATES);
	ht_say_unrecorded(x->e, x->a->trace, HT_CLASS_BIT(ALLOC));
	for (size_t i = 0; i < shown && i < NAMES_IN_TEXT; i++)
		say_group(w, &w->groups->items[i]);
}
