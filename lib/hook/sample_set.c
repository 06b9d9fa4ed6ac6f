/* sample_set: see sample_set.h. */
#include "sample_set.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define LEVELS 8
#define LINE 8		/* addresses */
#define FIRST_LINES 256 /* of level 0; level 7 has 4 M lines */

uint8_t ht_sample_filter[1u << HT_SAMPLE_FILTER_BITS];
static uint64_t first[FIRST_LINES * LINE] __attribute__((aligned(64)));
static uint64_t *levels[LEVELS] = {first};

static uint64_t lines_of(unsigned level)
{
	return (uint64_t)FIRST_LINES << 2 * level;
}

/* The level's memory, NULL = none. Untouched pages cost nothing. */
static uint64_t *level_at(unsigned level, bool make)
{
	uint64_t *at = HT_LOAD_ACQUIRE(&levels[level]), *none = NULL;
	if (at || !make)
		return at;
	uint64_t size = lines_of(level) * LINE * sizeof(uint64_t);
	long got = HT_SYSCALL6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
	if (got < 0 && got > -4096)
		return NULL;
	HT_SYSCALL3(SYS_madvise, got, size, MADV_NOHUGEPAGE);
	if (__atomic_compare_exchange_n(&levels[level], &none, (uint64_t *)got, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return (uint64_t *)got;
	HT_SYSCALL2(SYS_munmap, got, size);
	return none;
}

static uint64_t *line_of(uint64_t *level, unsigned number, uint64_t hash)
{
	return level + ((hash >> 20) & (lines_of(number) - 1)) * LINE;
}

static bool swap(uint64_t *place, uint64_t from, uint64_t to)
{
	return HT_LOAD_RELAXED(place) == from &&
	       __atomic_compare_exchange_n(place, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void count(uint64_t hash, int by)
{
	uint8_t *byte = &ht_sample_filter[hash >> (64 - HT_SAMPLE_FILTER_BITS)], now = HT_LOAD_RELAXED(byte);
	while (now != 255 && !__atomic_compare_exchange_n(byte, &now, (uint8_t)(now + by), false, __ATOMIC_RELAXED,
							  __ATOMIC_RELAXED))
		;
}

/* Replaces the first `from` in the lines of this address. */
static bool replace(uint64_t hash, uint64_t from, uint64_t to, bool grow)
{
	for (unsigned k = 0; k < LEVELS; k++) {
		uint64_t *level = level_at(k, grow);
		if (!level)
			return false;
		uint64_t *line = line_of(level, k, hash);
		for (unsigned i = 0; i < LINE; i++)
			if (swap(&line[i], from, to))
				return true;
	}
	return false;
}

HT_COLD bool ht_sample_add(const void *p)
{
	uint64_t hash = ht_sample_hash(p), address = (uint64_t)(uintptr_t)p;
	/* A block that vanished unseen may have left its address behind. */
	if (replace(hash, address, address, false))
		return true;
	count(hash, 1); /* before the address is there: whoever finds it may count it down */
	if (replace(hash, 0, address, true))
		return true;
	count(hash, -1);
	return false;
}

HT_COLD bool ht_sample_remove(const void *p)
{
	uint64_t hash = ht_sample_hash(p), address = (uint64_t)(uintptr_t)p;
	if (!address || !replace(hash, address, 0, false))
		return false;
	count(hash, -1);
	return true;
}
