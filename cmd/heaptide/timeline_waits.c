/* timeline_waits: the longest waits, below a text timeline. See timeline_page.h. */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "timeline_page.h"

enum { CHAIN = 3, WORST = 5 };

static bool idle(const struct ht_timeline_slice *s)
{
	size_t n = strlen(s->name);
	return !strcmp(s->name, "wait sleep") || (n > 4 && !strcmp(s->name + n - 4, "poll"));
}

static uint64_t length(const struct ht_timeline_slice *s)
{
	return s->end_ns - s->begin_ns;
}

static const struct ht_timeline_arrow *ender(const struct ht_timeline *t, const struct ht_timeline_slice *s)
{
	for (size_t i = 0; i < t->arrow_count; i++)
		if (t->arrows[i].to == s->thread && t->arrows[i].to_ns == s->end_ns)
			return &t->arrows[i];
	return NULL;
}

static char *chain_of(const struct ht_timeline *t, uint32_t stack)
{
	struct ht_buf b = {0};
	const struct ht_timeline_stack *s = stack ? &t->stacks[stack - 1] : NULL;
	for (size_t i = 0; s && i < s->depth && i < CHAIN; i++) {
		const struct ht_timeline_frame *f = &t->frames[s->frames[i]];
		const char *name = *f->function ? f->function : *f->module ? ht_base_name(f->module) : "?";
		ht_buf_printf(&b, "%s%s", i ? " ← " : "", name);
	}
	if (s && s->depth && *t->frames[s->frames[0]].file && t->frames[s->frames[0]].line)
		ht_buf_printf(&b, " (%s:%u)", ht_base_name(t->frames[s->frames[0]].file), t->frames[s->frames[0]].line);
	ht_buf_byte(&b, '\0');
	return (char *)b.data;
}

static void say_wait(struct ht_page *p, const struct ht_timeline_slice *s)
{
	const struct ht_timeline *t = p->t;
	const struct ht_timeline_arrow *a = ender(t, s);
	char *chain = chain_of(t, s->stack);
	size_t room = p->width;
	struct ht_buf b = {0};
	ht_buf_printf(&b, "%9s  %s (%u) %s from %s on", ht_text_ns(length(s)).s, t->threads[s->thread].name,
		      t->threads[s->thread].tid, s->name + strlen("wait "), ht_text_ns(s->begin_ns).s);
	if (*s->outcome)
		ht_buf_printf(&b, ", %s", s->outcome);
	if (a)
		ht_buf_printf(&b, ", ended by %s of %s (%u)", a->name, t->threads[a->from].name,
			      t->threads[a->from].tid);
	ht_buf_byte(&b, '\0');
	ht_page_cell(p, (const char *)b.data, room);
	while (p->b->len && p->b->data[p->b->len - 1] == ' ')
		p->b->len--;
	ht_buf_byte(p->b, '\n');
	if (*chain) {
		char *fit = ht_text_fit(chain, room - 11, false);
		ht_buf_printf(p->b, "%11s%s\n", "", fit);
		free(fit);
	}
	ht_buf_release(&b);
	free(chain);
}

void ht_page_waits(struct ht_page *p)
{
	const struct ht_timeline_slice *worst[WORST] = {0};
	for (size_t i = 0; i < p->t->slice_count; i++) {
		const struct ht_timeline_slice *s = &p->t->slices[i];
		if (s->category != HT_TIMELINE_WAIT || idle(s))
			continue;
		for (size_t k = 0; k < WORST; k++) {
			if (worst[k] && length(worst[k]) >= length(s))
				continue;
			memmove(worst + k + 1, worst + k, (WORST - 1 - k) * sizeof(*worst));
			worst[k] = s;
			break;
		}
	}
	if (worst[0])
		ht_buf_printf(p->b, "\n%sLongest waits%s (but for sleep and poll)\n", ht_text_bold(), ht_text_plain());
	for (size_t k = 0; k < WORST && worst[k]; k++)
		say_wait(p, worst[k]);
}
