/* wait_sites: see wait_sites.h. */
#include "wait_sites.h"

#include <stdlib.h>
#include <string.h>

#include "latency_order.h"
#include "site_groups.h"
#include "stacks.h"

/* --- callsites ---------------------------------------------------------------------------- */

enum { DEPTH = 256 };

static bool starts(const char *s, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (!strncmp(s, *prefixes, strlen(*prefixes)))
			return true;
	return false;
}

bool ht_wait_plumbing(const struct ht_frame *f)
{
	static const char *const modules[] = {
	    "libc.so",		"libc-",	"libpthread", "ld-linux",     "ld-musl",
	    "libheaptide-hook", "libstdc++.so", "libc++.so",  "libc++abi.so", NULL};
	static const char *const functions[] = {"std::", "__gthread_", "pthread_", "__pthread_", NULL};
	return starts(ht_base_name(f->module), modules) || (f->function && starts(f->function, functions));
}

const struct ht_frame *ht_wait_callsite(const struct ht_stacks *s, uint32_t node)
{
	const struct ht_frame *frames[DEPTH];
	size_t n = ht_stacks_expand(s, node, false, frames, DEPTH);
	for (size_t i = 0; i < n && i < DEPTH; i++)
		if (!ht_wait_plumbing(frames[i]))
			return frames[i];
	return frames[0];
}

/* Did the call move the bytes that detail says? */
static bool moves_bytes(unsigned call)
{
	return (call >= HT_CALL_READ && call <= HT_CALL_SENDMSG) || call == HT_CALL_SENDFILE;
}

/* --- rows --------------------------------------------------------------------------------- */

#define NO_ROW UINT32_MAX

struct making {
	const struct ht_latency *l;
	const struct ht_stacks *stacks;
	struct ht_wait_sites *out;
	const struct ht_frame **frame_of; /* per node, as it is met */
	uint32_t *row_of;		  /* per key of a frame and kind: row + 1 */
	size_t cap;
	struct ht_shares stacks_of;	  /* key: node */
};

struct duration {
	uint32_t row;
	uint64_t ns;
};

static const struct ht_frame *frame_of(struct making *m, uint32_t node)
{
	if (!m->frame_of[node])
		m->frame_of[node] = ht_wait_callsite(m->stacks, node);
	return m->frame_of[node];
}

static uint32_t row_of(struct making *m, const struct ht_wait *w)
{
	const struct ht_frame *f = frame_of(m, w->stack);
	uint32_t *row = &m->row_of[(size_t)m->stacks->keys[f - m->stacks->frames] * HT_WAIT_KINDS + w->kind];
	if (*row)
		return *row - 1;
	if (m->out->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 64;
		m->out->items = ht_xrealloc(m->out->items, m->cap, sizeof(*m->out->items));
	}
	m->out->items[m->out->count] = (struct ht_wait_site){.frame = f, .kind = w->kind};
	*row = (uint32_t)++m->out->count;
	return *row - 1;
}

static void add_wait(struct making *m, const struct ht_waited *w, uint32_t row, uint64_t ns)
{
	struct ht_wait_site *s = &m->out->items[row];
	s->count++;
	s->wait_ns += ns;
	s->bytes += moves_bytes(w->w.call) ? w->w.detail : 0;
	s->timeouts += w->w.outcome == HT_OUTCOME_TIMEOUT;
	s->failed += w->w.outcome == HT_OUTCOME_FAILED;
	s->wakers_unknown += !w->wake;
	ht_shares_add(&m->stacks_of, row, w->w.stack, 1, ns);
	if (w->wake)
		ht_shares_add(&m->out->wakers, row, m->l->wakes[w->wake - 1].thread, 1, ns);
}

/* What threads did inside of the waits. */
static void add_spans(struct ht_wait_sites *out, const struct ht_latency *l, const uint32_t *rows)
{
	for (size_t i = 0; i < l->thread_count; i++) {
		const struct ht_latency_thread *t = &l->threads[i];
		for (size_t j = 0; j < t->span_count; j++) {
			const struct ht_span *s = &t->spans[j];
			if (!s->wait || rows[s->wait - 1] == NO_ROW)
				continue;
			struct ht_wait_site *site = &out->items[rows[s->wait - 1]];
			if (s->state == HT_STATE_BLOCKED)
				site->blocked_ns += s->end_ns - s->begin_ns;
			else if (s->state == HT_STATE_RUNNABLE)
				site->runnable_ns += s->end_ns - s->begin_ns;
		}
	}
}

static void summarize(struct making *m, struct duration *all, size_t n)
{
	size_t *first = ht_xcalloc(m->out->count + 1, sizeof(*first));
	all = ht_group(all, n, sizeof(*all), offsetof(struct duration, row), first, m->out->count);
	uint64_t *values = ht_xmalloc((n + 1) * sizeof(*values));
	for (size_t i = 0; i < n; i++)
		values[i] = all[i].ns;
	for (size_t r = 0; r < m->out->count; r++) {
		ht_quantiles_of(&m->out->items[r].wait, values + first[r], first[r + 1] - first[r]);
		m->out->items[r].node = ht_shares_most(&m->stacks_of, (uint32_t)r, 0);
	}
	free(values);
	free(all);
	free(first);
}

static const struct ht_wait_site *ordered; /* qsort has no context */

static int by_time(const void *pa, const void *pb)
{
	const struct ht_wait_site *a = &ordered[*(const uint32_t *)pa], *b = &ordered[*(const uint32_t *)pb];
	if (a->wait_ns != b->wait_ns)
		return a->wait_ns > b->wait_ns ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return ht_frame_order(a->frame, b->frame);
}

static void order_rows(struct ht_wait_sites *s)
{
	struct ht_wait_site *sorted = ht_xcalloc(s->count + 1, sizeof(*sorted));
	s->numbers = ht_xcalloc(s->count + 1, sizeof(*s->numbers));
	for (size_t i = 0; i < s->count; i++)
		s->numbers[i] = (uint32_t)i;
	ordered = s->items;
	if (s->count)
		qsort(s->numbers, s->count, sizeof(*s->numbers), by_time);
	for (size_t i = 0; i < s->count; i++)
		sorted[i] = s->items[s->numbers[i]];
	free(s->items);
	s->items = sorted;
}

void ht_wait_sites_make(struct ht_wait_sites *out, const struct ht_latency *l, const struct ht_stacks *stacks,
			uint32_t kinds)
{
	struct making m = {.l = l, .stacks = stacks, .out = out};
	struct duration *all = ht_xmalloc((l->wait_count + 1) * sizeof(*all));
	uint32_t *rows = ht_xmalloc((l->wait_count + 1) * sizeof(*rows));
	size_t n = 0;
	*out = (struct ht_wait_sites){0};
	m.frame_of = ht_xcalloc(stacks->node_count + 1ull, sizeof(*m.frame_of));
	m.row_of = ht_xcalloc(stacks->key_count + 1ull, HT_WAIT_KINDS * sizeof(*m.row_of));
	for (size_t i = 0; i < l->wait_count; i++) {
		const struct ht_waited *w = &l->waits[i];
		rows[i] = NO_ROW;
		if (w->w.kind >= HT_WAIT_KINDS || !(kinds >> w->w.kind & 1))
			continue;
		if (!ht_stacks_shown(stacks, w->w.stack)) {
			out->hidden++;
			continue;
		}
		uint32_t row = row_of(&m, &w->w);
		uint64_t ns = ht_wait_ns(l, &w->w);
		add_wait(&m, w, row, ns);
		rows[i] = row;
		all[n++] = (struct duration){row, ns};
	}
	add_spans(out, l, rows);
	free(rows);
	ht_shares_sort(&m.stacks_of);
	ht_shares_sort(&out->wakers);
	summarize(&m, all, n);
	order_rows(out);
	ht_shares_release(&m.stacks_of);
	free(m.frame_of);
	free(m.row_of);
}

const struct ht_share *ht_wait_site_wakers(const struct ht_wait_sites *s, size_t i, size_t *count)
{
	return ht_shares_of(&s->wakers, s->numbers[i], count);
}

void ht_wait_sites_release(struct ht_wait_sites *s)
{
	free(s->items);
	free(s->numbers);
	ht_shares_release(&s->wakers);
	*s = (struct ht_wait_sites){0};
}
