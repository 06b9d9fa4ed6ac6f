/* heritage: a forked image begins with the blocks of its parent, which it may only free. See walk.h. */
#include <stdlib.h>

#include "walk.h"

static int by_parent_and_number(const void *pa, const void *pb)
{
	const struct ht_fork_link *a = pa, *b = pb;
	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->child < b->child ? -1 : a->child > b->child;
}

void ht_walk_collect_forks(struct ht_walk *w)
{
	uint32_t n = ht_trace_image_count(w->trace);
	w->forks = ht_xcalloc(n, sizeof(*w->forks));
	for (uint32_t i = 0; i < n; i++) {
		const struct ht_image *m = ht_trace_image(w->trace, i);
		if (m->kind == HT_IMAGE_FORK && m->parent && m->parent - 1 < n && m->parent - 1 != i)
			w->forks[w->fork_count++] = (struct ht_fork_link){m->parent - 1, i, m->fork_number};
	}
	qsort(w->forks, w->fork_count, sizeof(*w->forks), by_parent_and_number);
}

/* What an image holds by inheritance is known if its fork was read, and the same is true of its parent
 * where that is a forked one. Otherwise the parent's own births may stand behind the child's frees
 * in the file. Without addresses nothing inherited can be found at all. */
bool ht_walk_heritage_known(const struct ht_walk *w, uint32_t image)
{
	return ht_trace_image(w->trace, image)->kind != HT_IMAGE_FORK || w->heritage_known[image];
}

/* The children that refer to this fork get their inheritance; number 0 would name those whose fork
 * was not seen, and they get theirs at their own start. */
void ht_walk_fork(struct ht_walk *w, uint32_t image, uint64_t number)
{
	struct ht_fork_link key = {.parent = image, .number = number};
	size_t lo = 0, hi = w->fork_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (by_parent_and_number(&w->forks[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; number && lo < w->fork_count; lo++) {
		const struct ht_fork_link *f = &w->forks[lo];
		if (f->parent != image || f->number != number)
			return;
		ht_live_inherit(&w->live, image, f->child);
		w->heritage_known[f->child] = ht_walk_heritage_known(w, image) && ht_trace_settings(w->trace)->addresses;
	}
}

void ht_walk_image_start(struct ht_walk *w, uint32_t image)
{
	const struct ht_image *m = ht_trace_image(w->trace, image);
	if (m->kind == HT_IMAGE_FORK && !m->fork_number && m->parent &&
	    m->parent - 1 < w->live.image_count && m->parent - 1 != image)
		ht_live_inherit(&w->live, m->parent - 1, image);
}
