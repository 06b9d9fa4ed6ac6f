/* latency_worst: which thread waited longest for one lock, and who had it: below the view "threads". */
#include <stdlib.h>

#include "latency_views.h"
#include "lock_names.h"
#include "shares.h"
#include "text.h"
#include "wait_sites.h"

enum { SCREEN = 100 };

static bool is_contention(const struct ht_waited *w)
{
	return w->object && (w->w.kind == HT_WAIT_MUTEX || w->w.kind == HT_WAIT_RWLOCK || w->w.kind == HT_WAIT_SPIN);
}

/* Who waited longest for one lock; NULL: nobody did. */
static const struct ht_share *find_worst(const struct ht_latency *l, struct ht_shares *by_lock)
{
	const struct ht_share *worst = NULL;
	for (size_t i = 0; i < l->wait_count; i++)
		if (is_contention(&l->waits[i]))
			ht_shares_add(by_lock, l->waits[i].object, l->waits[i].w.thread, 1,
				      ht_wait_ns(l, &l->waits[i].w));
	ht_shares_sort(by_lock);
	for (size_t i = 0; i < by_lock->count; i++)
		if (!worst || by_lock->items[i].ns > worst->ns)
			worst = &by_lock->items[i];
	return worst;
}

static void say_holder(const struct ht_latency_show *x, const struct ht_share *worst)
{
	const struct ht_latency *l = x->l;
	struct ht_shares stacks = {0}, threads = {0};
	for (size_t i = 0; i < l->wait_count; i++) {
		const struct ht_waited *w = &l->waits[i];
		if (w->object != worst->row || w->w.thread != worst->key || !w->wake)
			continue;
		const struct ht_wake *wake = &l->wakes[w->wake - 1];
		ht_shares_add(&stacks, 0, wake->stack, 1, ht_wait_ns(l, &w->w));
		ht_shares_add(&threads, 0, wake->thread, 1, ht_wait_ns(l, &w->w));
	}
	ht_shares_sort(&stacks);
	ht_shares_sort(&threads);
	if (threads.count) {
		uint32_t node = ht_shares_most(&stacks, 0, 0);
		char *chain = ht_latency_chain(x, node, 2), *site = ht_latency_site(x, node);
		struct ht_buf name = {0};
		ht_text_clean(&name, ht_latency_thread_name(l, ht_shares_most(&threads, 0, 0)));
		ht_buf_byte(&name, '\0');
		char *line = ht_xasprintf("       mostly let go by %s in %s (%s)", (char *)name.data, chain, site);
		char *fit = ht_text_fit(line, SCREEN, false);
		ht_emit_text(x->e, ";\n%s", fit);
		free(fit);
		free(line);
		ht_buf_release(&name);
		free(chain);
		free(site);
	}
	ht_shares_release(&stacks);
	ht_shares_release(&threads);
}

static void say_lock(const struct ht_latency_show *x, const struct ht_wait *w)
{
	const struct ht_thread_info *info = ht_trace_thread(x->l->trace, w->thread);
	char *name = info ? ht_lock_name(x->a, w->object, info->image) : NULL;
	if (name)
		ht_emit_clean(x->e, "", name, "");
	else
		ht_emit_text(x->e, "0x%llx", (unsigned long long)w->object);
	free(name);
}

void ht_latency_say_worst(const struct ht_latency_show *x)
{
	struct ht_shares by_lock = {0};
	const struct ht_share *worst = find_worst(x->l, &by_lock);
	if (worst) {
		const struct ht_waited *w = x->l->waits;
		while (w->object != worst->row)
			w++;
		ht_emit_clean(x->e, "worst: ", ht_latency_thread_name(x->l, worst->key), " waited ");
		ht_emit_text(x->e, "%s for %s ", ht_text_ns(worst->ns).s, ht_wait_kind_names[w->w.kind]);
		say_lock(x, &w->w);
		ht_emit_text(x->e, " in %s wait%s", ht_text_count(worst->count).s, worst->count == 1 ? "" : "s");
		say_holder(x, worst);
		ht_emit_newline(x->e);
	}
	ht_shares_release(&by_lock);
}
