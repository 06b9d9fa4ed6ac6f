/* labels: see labels.h. Open addressing, at most half full. */
#include "labels.h"

#include <stdlib.h>

#include "base.h"

static struct ht_label *place(const struct ht_labels *l, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & l->mask;
	while (l->places[i].hash && l->places[i].hash != hash)
		i = (i + 1) & l->mask;
	return &l->places[i];
}

static void grow(struct ht_labels *l)
{
	struct ht_labels bigger = {.mask = l->places ? 2 * l->mask + 1 : 255, .count = l->count};
	bigger.places = ht_xcalloc(bigger.mask + 1ull, sizeof(*bigger.places));
	for (uint32_t i = 0; l->places && i <= l->mask; i++)
		if (l->places[i].hash)
			*place(&bigger, l->places[i].hash) = l->places[i];
	free(l->places);
	*l = bigger;
}

void ht_labels_add(struct ht_labels *l, uint64_t hash, uint32_t string)
{
	if (!hash)
		return;
	if (!l->places || 2 * l->count > l->mask)
		grow(l);
	struct ht_label *p = place(l, hash);
	l->count += !p->hash;
	*p = (struct ht_label){hash, string};
}

uint32_t ht_labels_find(const struct ht_labels *l, uint64_t hash)
{
	return l->places && hash ? place(l, hash)->string : 0;
}

void ht_labels_release(struct ht_labels *l)
{
	free(l->places);
	*l = (struct ht_labels){0};
}
