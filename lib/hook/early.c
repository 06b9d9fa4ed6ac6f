/*
 * early: before the constructor. A small arena serves what the search for the real functions may ask for, and events of
 * other constructors and of the loader are kept, in order, until there is a ring.
 */
#include "sample.h"

/* Blocks are never taken back; each has its size 16 bytes before it. Recognised by address for ever. */
uint8_t ht_arena[64 << 10] __attribute__((aligned(16)));
static uint64_t arena_used;

void *ht_arena_alloc(size_t align, size_t n)
{
	if (align < 16)
		align = 16;
	if (n > sizeof(ht_arena) || align > 4096)
		return NULL;
	uint64_t room = ((n + 15) & ~15ull) + 16 + align;
	uint64_t at = __atomic_fetch_add(&arena_used, room, __ATOMIC_RELAXED);
	if (at + room > sizeof(ht_arena))
		return NULL;
	uintptr_t p = ((uintptr_t)ht_arena + at + 16 + align - 1) & ~(uintptr_t)(align - 1);
	((uint64_t *)p)[-2] = n;
	ht_sample_suspect((void *)p);
	return (void *)p;
}

size_t ht_arena_size(const void *p)
{
	return ((const uint64_t *)p)[-2];
}

#define EARLY 1024
static struct early {
	const void *address;
	uint64_t size, extra, pc, ticks;
	uint32_t op;
} early[EARLY];
static uint32_t early_count;

void ht_early_note(unsigned op, const void *p, size_t size, uint64_t extra, uint64_t pc)
{
	uint32_t i = __atomic_fetch_add(&early_count, 1, __ATOMIC_RELAXED);
	if (i < EARLY)
		early[i] = (struct early){p, size, extra, pc, ht_clock_ticks(), op};
}

HT_COLD void ht_early_flush(struct ht_thread *t)
{
	uint32_t n = early_count, kept = n < EARLY ? n : EARLY;
	for (uint32_t i = 0; i < kept; i++) {
		const struct early *e = &early[i];
		if (ht_process.options & HT_OPT_SAMPLED && !ht_sample_early(e->op, e->address, e->size))
			continue;
		struct ht_note note = {.op = e->op, .flags = HT_REC_STACK, .address = (uint64_t)e->address,
				       .size = e->size, .extra = e->extra};
		if (e->op <= HT_REC_REALLOC || e->op == HT_REC_FAILED)
			note.flags |= HT_REC_STAMP;
		if (e->extra)
			note.flags |= HT_REC_EXTRA;
		/* the caller alone is known: one frame, marked as cut */
		t->u.stack->aside_pc[0][0] = e->pc;
		struct ht_capture c = {.depth = 1, .end = HT_UNWIND_ALTSTACK, .aside = true};
		ht_unwind_learn(&t->u, e->pc, t);
		ht_note_captured(t, &note, &c);
	}
	t->w.slot->counted += n - kept;
	t->w.slot->lost[HT_RING_LOST_EARLY] += n - kept;
	early_count = 0;
}
