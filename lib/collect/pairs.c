/*
 * pairs: see pairs.h. Growing doubles the table where it lies: a fresh page costs more than all that is moved into it.
 * Large ones are of huge pages, which cost a fraction of that: all of a table is soon in use, as a hash has no order.
 */
#include "pairs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_LOG 9 /* lines of a new table: a short run must not pay for a large one */
#define HEAP_MAX (64u << 10) /* smaller tables come from the heap: unmapping interrupts the other processors */
#define PAGE 4096 /* the least there is */
#define HUGE_PAGE (2u << 20) /* where they are of another size, nothing but the alignment is in vain */
#define LINE_BYTES (HT_PAIRS_LINE * sizeof(struct ht_pair))

void ht_pairs_init(struct ht_pairs *p, uint64_t *used, uint64_t cap)
{
	*p = (struct ht_pairs){.shift = 64, .used = used, .cap = cap};
}

static uint64_t bytes_of(const struct ht_pairs *p)
{
	return p->table ? (p->mask + 1) * LINE_BYTES : 0;
}

static uint64_t passed_bytes(uint64_t table_bytes)
{
	return table_bytes / LINE_BYTES / 8;
}

static void give_back(struct ht_pair *table, uint64_t bytes)
{
	if (bytes <= HEAP_MAX)
		free(table);
	else
		munmap(table, bytes);
}

void ht_pairs_release(struct ht_pairs *p)
{
	uint64_t bytes = bytes_of(p);
	give_back(p->table, bytes);
	*p->used -= bytes + passed_bytes(bytes);
	free(p->passed);
	free(p->huge);
	*p = (struct ht_pairs){.shift = 64, .used = p->used, .cap = p->cap};
}

/* Zeros; from the size of a huge page on they begin with one. NULL: no memory. */
static void *map(uint64_t bytes)
{
	uint64_t more = bytes < HUGE_PAGE ? 0 : HUGE_PAGE;
	char *m = mmap(NULL, bytes + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return NULL;
	if (!more)
		return m;
	uint64_t before = -(uintptr_t)m % HUGE_PAGE;
	if (before)
		munmap(m, before);
	if (before < more)
		munmap(m + before + bytes, more - before);
	madvise(m + before, bytes, MADV_HUGEPAGE);
	return m + before;
}

/* Fresh memory that is read before it is written costs a page fault for each. */
static void touch(char *m, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += PAGE)
		*(volatile char *)(m + i) = 0;
}

/* The table with room for twice as much, the new half empty. NULL: no memory. */
static struct ht_pair *longer(const struct ht_pairs *p, uint64_t bytes)
{
	uint64_t had = bytes_of(p);
	if (had > HEAP_MAX && bytes < HUGE_PAGE) {
		void *m = mremap(p->table, had, bytes, MREMAP_MAYMOVE);
		if (m == MAP_FAILED)
			return NULL;
		touch((char *)m + had, bytes - had);
		return m;
	}
	struct ht_pair *t = bytes > HEAP_MAX ? map(bytes) : aligned_alloc(64, bytes);
	if (!t)
		return NULL;
	if (had >= HUGE_PAGE) { /* nothing is copied: its pages move there, and what is behind them becomes longer */
		if (mremap(p->table, had, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, t) != MAP_FAILED)
			return t;
		munmap(t, bytes);
		return NULL;
	}
	if (had)
		memcpy(t, p->table, had);
	if (bytes <= HEAP_MAX)
		memset((char *)t + had, 0, bytes - had);
	else
		touch((char *)t + had, bytes - had);
	give_back(p->table, had);
	return t;
}

/* Puts an entry into its line or behind, without touching the lines from first to last. */
static bool put_outside(struct ht_pairs *p, const struct ht_pair *e, uint64_t first, uint64_t last)
{
	uint64_t home = ht_pairs_home(p, ht_pair_address(e));
	for (uint64_t i = home;; i = (i + 1) & p->mask) {
		if (i >= first && i <= last)
			return false;
		struct ht_pair *line = ht_pairs_line(p, i);
		unsigned empty = ht_pairs_look(line, 0).empty;
		if (empty) {
			line[__builtin_ctz(empty)] = *e;
			ht_pairs_pass(p, home, i);
			return true;
		}
	}
}

/*
 * The table has just become twice as long. Its entries' homes are now at twice where they were, or one behind that, so
 * going down from what was the last line, a line is mostly emptied into ones that are done. The rest waits: what stood
 * in the first lines (or had come round to them), and what lies far behind its home.
 */
static void spread(struct ht_pairs *p, uint64_t old_lines)
{
	struct ht_buf rest = {0};
	uint64_t first = old_lines < 64 ? old_lines : 64;
	ht_buf_append(&rest, p->table, first * LINE_BYTES);
	memset(p->table, 0, first * LINE_BYTES);
	for (uint64_t i = old_lines; i-- > first;) {
		struct ht_pair line[HT_PAIRS_LINE];
		memcpy(line, ht_pairs_line(p, i), LINE_BYTES);
		memset(ht_pairs_line(p, i), 0, LINE_BYTES);
		for (unsigned k = 0; k < HT_PAIRS_LINE; k++)
			if (line[k].lo && (i == first || !put_outside(p, &line[k], first, i - 1)))
				ht_buf_append(&rest, &line[k], sizeof(line[k]));
	}
	const struct ht_pair *e = (const struct ht_pair *)rest.data;
	for (size_t i = 0; i < rest.len / sizeof(*e); i++) {
		if (!e[i].lo)
			continue;
		struct ht_pair *place = ht_pairs_seek(p, ht_pair_address(&e[i]));
		*place = e[i];
		ht_pairs_pass(p, ht_pairs_home(p, ht_pair_address(&e[i])), ht_pairs_line_of(p, place));
	}
	ht_buf_release(&rest);
}

bool ht_pairs_grow(struct ht_pairs *p)
{
	unsigned log = p->table ? 65 - p->shift : FIRST_LOG;
	uint64_t lines = 1ull << log, had = bytes_of(p), bytes = lines * LINE_BYTES;
	uint64_t more = bytes + passed_bytes(bytes) - had - passed_bytes(had);
	if (log > 38 || *p->used + more > p->cap)
		return false;
	struct ht_pair *t = longer(p, bytes);
	if (!t)
		return false;
	*p->used += more;
	free(p->passed);
	p->passed = ht_xcalloc(1, passed_bytes(bytes));
	p->table = t;
	p->mask = lines - 1;
	p->shift = 64 - log;
	p->grow_at = lines * HT_PAIRS_LINE / 2;
	if (had)
		spread(p, lines / 2);
	return true;
}

void ht_pairs_epoch(struct ht_pairs *p, uint64_t seq, uint64_t birth_ns)
{
	if (birth_ns < p->epoch_ns) { /* far too late: no time so far is sure */
		p->young = p->epoch_seq = seq + 1;
		return;
	}
	p->young = birth_ns - p->epoch_ns < 2 * HT_PAIRS_EPOCH ? p->epoch_seq : seq;
	p->epoch_seq = seq;
	p->epoch_ns = birth_ns;
}

/* --- blocks of 16 MiB and more: few, and their mmap and munmap cost more than looking through them ------------- */

static size_t find_huge(const struct ht_pairs *p, uint64_t address)
{
	size_t i = p->huge_count;
	while (i-- > 0 && p->huge[i].address != address)
		;
	return i; /* SIZE_MAX: not there, which cannot be */
}

void ht_pairs_add_huge(struct ht_pairs *p, uint64_t address, uint64_t size)
{
	if (p->huge_count == p->huge_cap) {
		p->huge_cap = p->huge_cap ? 2 * p->huge_cap : 16;
		p->huge = ht_xrealloc(p->huge, p->huge_cap, sizeof(*p->huge));
	}
	p->huge[p->huge_count++] = (struct ht_huge_block){address, size};
}

uint64_t ht_pairs_huge_size(const struct ht_pairs *p, uint64_t address)
{
	size_t i = find_huge(p, address);
	return i < p->huge_count ? p->huge[i].size : 0;
}

void ht_pairs_remove_huge(struct ht_pairs *p, uint64_t address)
{
	size_t i = find_huge(p, address);
	if (i < p->huge_count)
		p->huge[i] = p->huge[--p->huge_count];
}

void ht_pairs_close_gap(struct ht_pairs *p, uint64_t line)
{
	struct ht_pair *hole = ht_pairs_line(p, line) + __builtin_ctz(ht_pairs_look(ht_pairs_line(p, line), 0).empty);
	for (uint64_t i = (line + 1) & p->mask; i != line; i = (i + 1) & p->mask) {
		struct ht_pair *e = ht_pairs_line(p, i);
		bool full = !ht_pairs_look(e, 0).empty;
		for (unsigned k = 0; k < HT_PAIRS_LINE; k++) {
			uint64_t home = ht_pairs_home(p, ht_pair_address(&e[k]));
			if (!e[k].lo || ((i - home) & p->mask) < ((i - line) & p->mask))
				continue;
			*hole = e[k];
			e[k] = (struct ht_pair){0};
			hole = &e[k];
			line = i;
			break;
		}
		if (line == i && !(full && ht_pairs_is_passed(p, i)))
			return;
		if (!full)
			break;
	}
	p->passed[line / 64] &= ~(1ull << line % 64); /* nothing behind it belongs there */
}
