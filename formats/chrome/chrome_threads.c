/*
 * chrome_threads: what threads did. Slices are complete events ("X"), which nest as they stand in the timeline. An
 * arrow ("s", "f") must begin and end inside a slice, and leads from the slice that begins earlier: never from a wait,
 * so each end gets a slice of its own, at most 1 us long, unless one begins at that very instant.
 *
 *	waker   ───────────[unlock]s─────────
 *	wakee   ──[ wait         ][woken]f───     s and f at the beginnings of their slices
 */
#include "chrome_out.h"

#include <stdlib.h>

enum { HOST_NS = 1000, SLOW_NS = 100000 };

/* Ends of arrows at the present instant of a walk, for which there is no slice yet: as many as a barrier has waiters. */
struct ends {
	struct ht_timeline_step *steps; /* heap */
	size_t count, cap;
};

/* Innermost first; of slow events alone, as text takes room. */
static void stack_text(struct ht_buf *b, const struct ht_timeline *t, uint32_t number)
{
	struct ht_buf text = {0};
	const struct ht_timeline_stack *s = &t->stacks[number - 1];
	for (size_t i = 0; i < s->depth; i++) {
		const struct ht_timeline_frame *f = &t->frames[s->frames[i]];
		const char *name = *f->function ? f->function : *f->module ? ht_base_name(f->module) : "unknown";
		ht_buf_printf(&text, "%s%s", i ? " < " : "", name);
		if (*f->file && f->line)
			ht_buf_printf(&text, " (%s:%" PRIu32 ")", ht_base_name(f->file), f->line);
	}
	ht_buf_byte(&text, '\0');
	ht_json_string(b, (const char *)text.data);
	ht_buf_release(&text);
}

/* ,"args":{"key": or ,"key": and the place where its value goes. No event has empty ones: speedscope shows them. */
static struct ht_buf *argument(struct ht_chrome *c, const char *key, bool *any)
{
	ht_buf_printf(&c->out.text, "%s\"%s\":", *any ? "," : ",\"args\":{", key);
	*any = true;
	return &c->out.text;
}

static void write_slice(struct ht_chrome *c, const struct ht_timeline_step *step)
{
	const struct ht_timeline_slice *s = &c->t->slices[step->item];
	struct ht_buf *b = ht_chrome_on_thread(c, 'X', s->thread, step->time_ns);
	bool any = false;
	ht_chrome_time(b, "dur", step->end_ns - step->time_ns);
	ht_chrome_text(b, "name", s->name);
	ht_chrome_text(b, "cat", ht_timeline_category_names[s->category]);
	if (s->objects)
		ht_buf_printf(argument(c, "objects", &any), "%" PRIu64, s->objects);
	if (s->bytes)
		ht_buf_printf(argument(c, "bytes", &any), "%" PRIu64, s->bytes);
	if (*s->outcome)
		ht_json_string(argument(c, s->category == HT_TIMELINE_STALL ? "cause" : "outcome", &any), s->outcome);
	if (s->stack && step->end_ns - step->time_ns >= SLOW_NS)
		stack_text(argument(c, "stack", &any), c->t, s->stack);
	if (any)
		ht_buf_byte(b, '}');
	ht_chrome_end(c);
}

static uint32_t thread_of(const struct ht_timeline_arrow *a, const struct ht_timeline_step *step)
{
	return step->kind == HT_TIMELINE_DEPART ? a->from : a->to;
}

static void write_ends(struct ht_chrome *c, struct ends *e)
{
	for (size_t i = 0; i < e->count; i++) {
		const struct ht_timeline_step *step = &e->steps[i];
		uint32_t thread = thread_of(&c->t->arrows[step->item], step);
		char phase = step->kind == HT_TIMELINE_DEPART ? 's' : 'f';
		struct ht_buf *b = ht_chrome_on_thread(c, phase, thread, step->time_ns);
		ht_buf_printf(b, ",\"id\":%" PRIu32 ",\"name\":\"wake\",\"cat\":\"wake\",\"bp\":\"e\"", step->item + 1);
		ht_chrome_end(c);
	}
	e->count = 0;
}

/* A slice for the ends that wait, up to next_ns, where something else happens. */
static void write_host(struct ht_chrome *c, struct ends *e, uint64_t next_ns)
{
	if (!e->count)
		return;
	const struct ht_timeline_step *first = &e->steps[0];
	const struct ht_timeline_arrow *a = &c->t->arrows[first->item];
	bool leaves = first->kind == HT_TIMELINE_DEPART;
	const struct ht_timeline_thread *other = &c->t->threads[leaves ? a->to : a->from];
	uint64_t length = next_ns - first->time_ns;
	char *name = leaves ? ht_xasprintf("%s \342\206\222 %s (%" PRIu32 ")", a->name, other->name, other->tid)
			    : ht_xasprintf("woken by %s (%" PRIu32 "): %s", other->name, other->tid, a->name);
	struct ht_buf *b = ht_chrome_on_thread(c, 'X', thread_of(a, first), first->time_ns);
	ht_chrome_time(b, "dur", length < HOST_NS ? length : HOST_NS);
	ht_chrome_text(b, "name", name);
	ht_buf_printf(b, ",\"cat\":\"wake\",\"args\":{\"arrows\":%zu}", e->count);
	ht_chrome_end(c);
	free(name);
	write_ends(c, e);
}

static void write_message(struct ht_chrome *c, const struct ht_timeline_step *step)
{
	const struct ht_timeline_instant *x = &c->t->instants[step->item];
	struct ht_buf *b = ht_chrome_on_thread(c, 'i', x->thread, step->time_ns);
	ht_buf_printf(b, ",\"s\":\"t\"");
	ht_chrome_text(b, "name", x->message);
	ht_chrome_text(b, "cat", x->category);
	ht_chrome_end(c);
}

static void write_step(struct ht_chrome *c, const struct ht_timeline_step *s, struct ends *e)
{
	if (s->kind == HT_TIMELINE_MESSAGE) {
		write_message(c, s);
	} else if (s->kind == HT_TIMELINE_BEGIN) {
		write_slice(c, s);
		if (s->end_ns > s->time_ns)
			write_ends(c, e);
	} else if (s->kind != HT_TIMELINE_END && ht_timeline_arrival(&c->t->arrows[s->item]) < c->cut_ns) {
		if (e->count == e->cap) {
			e->cap = e->cap ? 2 * e->cap : 64;
			e->steps = ht_xrealloc(e->steps, e->cap, sizeof(*e->steps));
		}
		e->steps[e->count++] = *s;
	}
}

static void write_thread(struct ht_chrome *c, const struct ht_timeline_order *order, uint32_t thread)
{
	struct ht_timeline_walk w;
	struct ht_timeline_step s;
	struct ends e = {.steps = NULL};
	ht_timeline_walk_init(&w, order, thread);
	while (ht_timeline_peek(&w) < c->cut_ns && ht_timeline_next(&w, &s)) {
		write_step(c, &s, &e);
		uint64_t next_ns = ht_timeline_peek(&w);
		if (next_ns > s.time_ns)
			write_host(c, &e, next_ns);
	}
	free(e.steps);
	ht_timeline_walk_release(&w);
}

void ht_chrome_write_threads(struct ht_chrome *c, const struct ht_timeline_order *order)
{
	for (uint32_t i = 0; i < c->t->thread_count; i++)
		write_thread(c, order, i);
}

/* --- states --------------------------------------------------------------------------------- */

/* Phase "T" is Perfetto's: from such events it fills its rows of states and of processors. */
void ht_chrome_write_states(struct ht_chrome *c)
{
	static const char *const names[HT_TIMELINE_STATES] = {
		[HT_TIMELINE_RUNNING] = "Running", [HT_TIMELINE_RUNNABLE] = "R", [HT_TIMELINE_PREEMPTED] = "R",
		[HT_TIMELINE_BLOCKED] = "S",	   [HT_TIMELINE_IO] = "D",	 [HT_TIMELINE_ALLOCATOR] = "S",
	};
	for (size_t i = 0; i < c->t->span_count; i++) {
		const struct ht_timeline_span *s = &c->t->spans[i];
		const char *what = *s->what || s->state != HT_TIMELINE_ALLOCATOR ? s->what : "allocator";
		bool io = s->state == HT_TIMELINE_IO;
		bool off = s->state == HT_TIMELINE_BLOCKED || io || s->state == HT_TIMELINE_ALLOCATOR;
		if (!names[s->state] || s->begin_ns >= c->cut_ns)
			continue;
		struct ht_buf *b = ht_chrome_on_thread(c, 'T', s->thread, s->begin_ns);
		ht_chrome_time(b, "dur", s->end_ns - s->begin_ns);
		ht_chrome_text(b, "name", names[s->state]);
		bool any = false;
		if (s->state == HT_TIMELINE_RUNNING && s->cpu != UINT16_MAX)
			ht_buf_printf(argument(c, "cpu", &any), "%u", s->cpu);
		if (off)
			ht_buf_printf(argument(c, "io_wait", &any), "%s", io ? "true" : "false");
		if (off && *what)
			ht_json_string(argument(c, "blocked_function", &any), what);
		if (any)
			ht_buf_byte(b, '}');
		ht_chrome_end(c);
	}
}
