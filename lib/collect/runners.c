/*
 * runners: the table of threads as the kernel knows them; see switches.h. Numbers are used again, so a bucket may
 * hold several runners of one number: the newest comes first, and only it may still live.
 */
#include <stdlib.h>

#include "switches.h"

#define BUCKETS 256u
#define HELD_EACH 4096u		 /* by one runner */
#define HELD_ALL (128u << 10) /* by all of them: 4 MiB */

static uint32_t bucket_of(const struct ht_switches *s, pid_t tid)
{
	return ((uint32_t)tid * 2654435769u) >> 7 & s->bucket_mask;
}

void ht_runners_init(struct ht_switches *s)
{
	s->bucket_mask = BUCKETS - 1;
	s->buckets = ht_xcalloc(BUCKETS, sizeof(*s->buckets));
}

static void grow(struct ht_switches *s)
{
	struct ht_runner **old = s->buckets;
	uint32_t count = s->bucket_mask + 1;
	s->bucket_mask = 2 * count - 1;
	s->buckets = ht_xcalloc(2 * count, sizeof(*s->buckets));
	for (uint32_t i = 0; i < count; i++) {
		struct ht_runner *oldest_first = NULL;
		for (struct ht_runner *r = old[i], *next; r; r = next) {
			next = r->chain;
			r->chain = oldest_first;
			oldest_first = r;
		}
		for (struct ht_runner *r = oldest_first, *next; r; r = next) {
			struct ht_runner **b = &s->buckets[bucket_of(s, r->tid)];
			next = r->chain;
			r->chain = *b;
			*b = r;
		}
	}
	free(old);
}

/* --- terms -------------------------------------------------------------------------------- */

struct ht_term *ht_term_new(struct ht_switches *s, pid_t pid)
{
	struct ht_term *l = ht_xcalloc(1, sizeof(*l));
	l->pid = pid;
	l->next = s->terms;
	s->terms = l;
	return l;
}

struct ht_term *ht_term_of(struct ht_switches *s, pid_t pid)
{
	for (struct ht_term *l = s->terms; l; l = l->next)
		if (l->pid == pid)
			return l;
	return ht_term_new(s, pid);
}

void ht_terms_free(struct ht_switches *s, const struct ht_guest *image)
{
	for (struct ht_term **l = &s->terms, *next; *l;) {
		next = (*l)->next;
		if ((*l)->image != image || (*l)->runners) {
			l = &(*l)->next;
			continue;
		}
		free(*l);
		*l = next;
	}
}

static void leave_term(struct ht_switches *s, struct ht_term *term)
{
	if (--term->runners || term->image) /* the image's is asked for again */
		return;
	for (struct ht_term **l = &s->terms; *l; l = &(*l)->next)
		if (*l == term) {
			*l = term->next;
			break;
		}
	free(term);
}

/* --- runners ------------------------------------------------------------------------------ */

struct ht_runner *ht_runner_first(const struct ht_switches *s, pid_t tid)
{
	return s->buckets[bucket_of(s, tid)];
}

struct ht_runner *ht_runner_live(const struct ht_switches *s, pid_t tid)
{
	for (struct ht_runner *r = s->buckets[bucket_of(s, tid)]; r; r = r->chain)
		if (r->tid == tid)
			return r->ended ? NULL : r;
	return NULL;
}

struct ht_runner *ht_runner_new(struct ht_switches *s, pid_t tid, struct ht_term *term, uint64_t begin_ns)
{
	if (s->runner_count > s->bucket_mask)
		grow(s);
	struct ht_runner *r = ht_xcalloc(1, sizeof(*r)), **b = &s->buckets[bucket_of(s, tid)];
	r->tid = tid;
	r->term = term;
	r->thread = HT_NO_THREAD;
	r->begin_ns = r->last_ns = begin_ns;
	r->end_ns = UINT64_MAX;
	r->chain = *b;
	*b = r;
	term->runners++;
	s->runner_count++;
	return r;
}

void ht_runner_free(struct ht_switches *s, struct ht_runner *r)
{
	for (struct ht_runner **p = &s->buckets[bucket_of(s, r->tid)]; *p; p = &(*p)->chain)
		if (*p == r) {
			*p = r->chain;
			break;
		}
	s->runner_count--;
	ht_runner_forget(s, r, 0);
	leave_term(s, r->term);
	free(r->stats);
	free(r);
}

void ht_runners_each(struct ht_switches *s, bool (*visit)(void *ctx, struct ht_runner *r), void *ctx)
{
	for (uint32_t i = 0; i <= s->bucket_mask; i++)
		for (struct ht_runner *r = s->buckets[i], *next; r; r = next) {
			next = r->chain;
			if (!visit(ctx, r))
				return;
		}
}

bool ht_runner_hold(struct ht_switches *s, struct ht_runner *r, const struct ht_held *h)
{
	if (r->held_count == HELD_EACH || s->held_count == HELD_ALL)
		return false;
	if (r->held_count == r->held_cap) {
		r->held_cap = r->held_cap ? 2 * r->held_cap : 8;
		r->held = ht_xrealloc(r->held, r->held_cap, sizeof(*r->held));
	}
	r->held[r->held_count++] = *h;
	s->held_count++;
	return true;
}

void ht_runner_forget(struct ht_switches *s, struct ht_runner *r, uint32_t but)
{
	s->held_count -= r->held_count - but;
	r->held_count = but;
	if (but)
		return;
	free(r->held);
	r->held = NULL;
	r->held_cap = 0;
}

static bool free_one(void *ctx, struct ht_runner *r)
{
	ht_runner_free(ctx, r);
	return true;
}

void ht_runners_release(struct ht_switches *s)
{
	ht_runners_each(s, free_one, s);
	for (struct ht_term *l = s->terms, *next; l; l = next) {
		next = l->next;
		free(l);
	}
	free(s->buckets);
}
