/* fault_sites: see fault_sites.h. */
#include "fault_sites.h"

#include <stdlib.h>

#include "site_groups.h"

struct maker {
	struct ht_fault_rows *r;
	size_t cap;
	const struct ht_stacks *stacks;
	struct ht_site_groups sites[HT_FAULT_WHERES];
	uint32_t *row_of[HT_FAULT_WHERES]; /* per group, row + 1 */
	uint32_t *row_of_module;	   /* per module id, row + 1 */
	uint32_t row_of_rest[HT_FAULT_WHERES];
};

static uint32_t *place_of(struct maker *m, uint8_t where, uint32_t what, enum ht_fault_by by)
{
	if (by == HT_FAULTS_BY_CODE)
		return &m->row_of[0][ht_site_group_of_frame(&m->sites[0], what)];
	if (where == HT_FAULT_BLOCK || where == HT_FAULT_MAPPING)
		return &m->row_of[where][ht_site_group(&m->sites[where], what)];
	return where == HT_FAULT_MODULE ? &m->row_of_module[what] : &m->row_of_rest[where];
}

static void add(struct maker *m, uint8_t where, uint32_t what, enum ht_fault_by by)
{
	struct ht_fault_rows *r = m->r;
	uint32_t *at = place_of(m, where, what, by);
	if (!*at) {
		bool block = by == HT_FAULTS_BY_SITE && (where == HT_FAULT_BLOCK || where == HT_FAULT_MAPPING);
		size_t n;
		if (r->count == m->cap) {
			m->cap = m->cap ? 2 * m->cap : 64;
			r->items = ht_xrealloc(r->items, m->cap, sizeof(*r->items));
		}
		r->items[r->count] = (struct ht_fault_row){
			.frame = block			     ? ht_stacks_callsite(m->stacks, what)
				 : by == HT_FAULTS_BY_CODE ? ht_stacks_frames(m->stacks, what, &n)
							     : NULL,
			.node = block || by == HT_FAULTS_BY_CODE ? what : 0,
			.module = !block && where == HT_FAULT_MODULE ? what + 1 : 0,
			.where = where,
		};
		*at = (uint32_t)++r->count;
	}
	r->items[*at - 1].faults++;
	r->by_where[where]++;
	r->faults++;
}

static int by_faults(const void *a, const void *b)
{
	const struct ht_fault_row *x = a, *y = b;
	if (x->faults != y->faults)
		return x->faults > y->faults ? -1 : 1;
	if (x->where != y->where)
		return x->where < y->where ? -1 : 1;
	if (x->frame && y->frame)
		return ht_frame_order(x->frame, y->frame);
	return (x->module > y->module) - (x->module < y->module);
}

void ht_fault_rows_make(struct ht_fault_rows *r, const struct ht_latency *l, const struct ht_fault_places *p,
			const struct ht_stacks *stacks, enum ht_fault_by by)
{
	struct maker m = {.r = r, .stacks = stacks};
	*r = (struct ht_fault_rows){0};
	for (unsigned k = 0; k < HT_FAULT_WHERES; k++) {
		ht_site_groups_init(&m.sites[k], stacks);
		m.row_of[k] = ht_xcalloc(stacks->key_count + 1ull, sizeof(*m.row_of[k]));
	}
	m.row_of_module = ht_xcalloc(ht_trace_module_count(l->trace) + 1ull, sizeof(*m.row_of_module));
	const bool filtered = stacks->has_focus || stacks->has_ignore || stacks->has_module;
	for (size_t i = 0; i < l->fault_count; i++) {
		const struct ht_fault_place *at = &p->items[i];
		bool code = by == HT_FAULTS_BY_CODE, stack = code || at->where == HT_FAULT_BLOCK || at->where == HT_FAULT_MAPPING;
		uint32_t what = code ? l->faults[i].stack : at->what;
		if (stack ? !ht_stacks_shown(stacks, what) : filtered)
			r->hidden++;
		else
			add(&m, code ? HT_FAULT_UNKNOWN : at->where, what, by);
	}
	if (r->count)
		qsort(r->items, r->count, sizeof(*r->items), by_faults);
	for (unsigned k = 0; k < HT_FAULT_WHERES; k++) {
		ht_site_groups_release(&m.sites[k]);
		free(m.row_of[k]);
	}
	free(m.row_of_module);
}

void ht_fault_rows_release(struct ht_fault_rows *r)
{
	free(r->items);
	*r = (struct ht_fault_rows){0};
}
