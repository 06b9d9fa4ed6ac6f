/* site_groups: see site_groups.h. */
#include "site_groups.h"

#include <stdlib.h>

void ht_site_groups_init(struct ht_site_groups *g, const struct ht_stacks *stacks)
{
	*g = (struct ht_site_groups){.stacks = stacks};
	g->group_of = ht_xcalloc(stacks->key_count + 1ull, sizeof(*g->group_of));
}

void ht_site_groups_release(struct ht_site_groups *g)
{
	free(g->group_of);
	*g = (struct ht_site_groups){0};
}

static uint32_t group(struct ht_site_groups *g, uint32_t frame)
{
	uint32_t *of = &g->group_of[g->stacks->keys[frame]];
	if (!*of)
		*of = ++g->count;
	return *of - 1;
}

uint32_t ht_site_group(struct ht_site_groups *g, uint32_t node)
{
	return group(g, ht_stacks_callsite_index(g->stacks, node < g->stacks->node_count ? node : 0));
}

uint32_t ht_site_group_of_frame(struct ht_site_groups *g, uint32_t node)
{
	const struct ht_stacks *s = g->stacks;
	return group(g, s->locations[s->location[node < s->node_count ? node : 0]].first);
}
