/* pairs: see pairs.h. Growing doubles the table; large ones ask for huge pages, as half of their cost is faults. */
#include "pairs.h"

#include <stdlib.h>
#include <sys/mman.h>

#define FIRST_LOG 11 /* entries of a new table: a short run must not pay for a large one */
#define HEAP_MAX (64u << 10) /* smaller tables come from the heap: unmapping interrupts the other processors */
#define HUGE_MIN (4u << 20)

void ht_pairs_init(struct ht_pairs *p, uint64_t *used, uint64_t cap)
{
	*p = (struct ht_pairs){.shift = 64, .used = used, .cap = cap};
}

static uint64_t bytes_of(const struct ht_pairs *p)
{
	return p->table ? (p->mask + 1) * sizeof(*p->table) : 0;
}

static struct ht_pair *new_table(uint64_t bytes)
{
	if (bytes <= HEAP_MAX)
		return calloc(1, bytes);
	void *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return NULL;
	if (bytes >= HUGE_MIN)
		madvise(m, bytes, MADV_HUGEPAGE);
	return m;
}

static void drop_table(struct ht_pairs *p)
{
	uint64_t bytes = bytes_of(p);
	if (bytes <= HEAP_MAX)
		free(p->table);
	else
		munmap(p->table, bytes);
	*p->used -= bytes;
}

void ht_pairs_release(struct ht_pairs *p)
{
	drop_table(p);
	*p = (struct ht_pairs){.shift = 64, .used = p->used, .cap = p->cap};
}

static void copy_all(struct ht_pairs *to, const struct ht_pairs *from)
{
	for (uint64_t i = 0; from->table && i <= from->mask; i++) {
		if (!from->table[i].lo)
			continue;
		uint64_t at = ht_pairs_home(to, from->table[i].lo >> 20 << 3);
		while (to->table[at].lo)
			at = (at + 1) & to->mask;
		to->table[at] = from->table[i];
	}
}

bool ht_pairs_grow(struct ht_pairs *p)
{
	unsigned log = p->table ? 65 - p->shift : FIRST_LOG;
	if (log > 40)
		return false;
	struct ht_pairs n = *p;
	uint64_t entries = 1ull << log, bytes = entries * sizeof(*n.table);
	if (*p->used + bytes > p->cap)
		return false;
	n.table = new_table(bytes);
	if (!n.table)
		return false;
	n.mask = entries - 1;
	n.shift = 64 - log;
	n.grow_at = entries / 8 * 5;
	copy_all(&n, p);
	*p->used += bytes;
	drop_table(p);
	*p = n;
	return true;
}

/* Moves later entries of the run into the hole while that brings them nearer to their home. */
void ht_pairs_remove(struct ht_pairs *p, struct ht_pair *e)
{
	uint64_t hole = (uint64_t)(e - p->table);
	for (uint64_t i = (hole + 1) & p->mask; p->table[i].lo; i = (i + 1) & p->mask) {
		uint64_t home = ht_pairs_home(p, p->table[i].lo >> 20 << 3);
		if (((i - home) & p->mask) >= ((i - hole) & p->mask)) {
			p->table[hole] = p->table[i];
			hole = i;
		}
	}
	p->table[hole] = (struct ht_pair){0};
	p->count--;
}
