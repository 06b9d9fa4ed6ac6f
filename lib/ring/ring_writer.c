/*
 * ring_writer: the slow path of a slot: half full, full, another ring offered, the end of the ring or of the part that
 * is mapped reached. Everything that may make a system call is here: one futex wake when the collector sleeps, a bounded
 * futex wait when the ring is full.
 */
#include "ring_writer.h"

#include <linux/futex.h>
#include <linux/time_types.h>
#include <sys/syscall.h>
#include <time.h>

/* A collector that shows signs of life is waited for longer: dropping would be worse than being slow. One that has to share its
 * processor may be kept off it, heartbeat and all, for 400 ms (seen: one core, a busy program in another session). */
#define STILL_NS 1000000000ull	  /* without a sign of life: drop, and wait no more until there is room */
#define ALIVE_NS 10000000000ull	  /* an event, with signs of life */
#define CLAIM_NS 1000000000ull	  /* a thread that waits for its slot, with signs of life */
#define GIVE_UP_NS 10000000000ull /* a heartbeat that stands still so long is death */

/* A page that is first touched by a write costs a page fault, over 1 us here. A read of memory that the collector has filled maps
 * all pages of 64 KiB around it, for writing, too. */
#define MAPPED_AT_ONCE (512u << 10)
#define FAULT_AROUND (64u << 10)

static uint64_t now_ns(void)
{
	struct timespec t = {0, 0};
	HT_SYSCALL2(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void ht_ring_wake(struct ht_segment *seg)
{
	if (HT_LOAD_ACQUIRE(&seg->sleeping) == 1 && ht_cas_u32(&seg->sleeping, 1, 0))
		HT_SYSCALL3(SYS_futex, &seg->sleeping, FUTEX_WAKE, 1);
}

struct ht_slot *ht_ring_take(struct ht_segment *seg)
{
	struct ht_slot *slots = (struct ht_slot *)((uint8_t *)seg + seg->slots_offset), *taken = NULL;
	for (uint32_t i = 0; i < seg->slot_count; i++) {
		if (HT_LOAD_RELAXED(&slots[i].state) != HT_SLOT_SPARE)
			continue;
		if (taken)
			return taken;
		if (ht_cas_u32(&slots[i].state, HT_SLOT_SPARE, HT_SLOT_CLAIMED))
			taken = &slots[i];
	}
	ht_ring_wake(seg); /* that was the last one, or there was none */
	return taken;
}

struct ht_slot *ht_ring_claim(struct ht_segment *seg, uint32_t *waited_ms)
{
	static uint32_t still; /* the heartbeat that a thread has seen stand still: nobody waits for it again */
	struct __kernel_timespec slice = {0, 250000};
	uint32_t beat = HT_LOAD_RELAXED(&seg->heartbeat);
	struct ht_slot *slot = beat == HT_LOAD_RELAXED(&still) ? NULL : ht_ring_take(seg);
	if (slot || beat == HT_LOAD_RELAXED(&still) || *waited_ms >= CLAIM_NS / 1000000)
		return slot;
	uint64_t begin = now_ns(), now = begin, sign = begin, end = begin + CLAIM_NS - *waited_ms * 1000000ull;
	while (!slot && now < end && !HT_LOAD_RELAXED(&seg->exhausted) && HT_LOAD_RELAXED(&seg->control) == HT_CONTROL_RUN) {
		HT_SYSCALL2(SYS_nanosleep, &slice, 0);
		slice.tv_nsec += slice.tv_nsec < 4000000 ? slice.tv_nsec : 0;
		slot = ht_ring_take(seg);
		now = now_ns();
		if (HT_LOAD_RELAXED(&seg->heartbeat) != beat) {
			beat = HT_LOAD_RELAXED(&seg->heartbeat);
			sign = now;
		}
		if (!slot && now - sign >= STILL_NS)
			HT_STORE_RELAXED(&still, beat);
	}
	*waited_ms += (uint32_t)((now - begin) / 1000000);
	return slot;
}

static bool inside(const struct ht_segment *seg, uint64_t offset, uint64_t size)
{
	return size >= HT_RING_MIN && (size & (size - 1)) == 0 && offset <= seg->map_bytes &&
	       size <= seg->map_bytes - offset;
}

/* Has the pages of the next positions mapped, up to `end`, at most, which is a turn of the ring from its first position. */
static void map_ahead(struct ht_ring_writer *w, uint64_t end)
{
	uint64_t from = w->mapped, until = w->mapped + MAPPED_AT_ONCE < end ? w->mapped + MAPPED_AT_ONCE : end;
	for (; from < until; from += FAULT_AROUND)
		(void)*(volatile uint8_t *)(w->base + (from & w->mask));
	w->mapped = until == end ? UINT64_MAX : until;
}

/* The fast path may go on up to `limit`, in this turn of the ring. */
static void open_until(struct ht_ring_writer *w, uint64_t limit)
{
	uint64_t turn = w->head & ~w->mask, end = turn + w->mask + 1;
	while (w->mapped < w->head + HT_RECORD_MAX)
		map_ahead(w, w->start + w->mask + 1);
	limit = limit < w->mapped ? limit : w->mapped;
	w->origin = (uint8_t *)((uintptr_t)w->base - turn);
	w->limit = limit < end ? limit : end;
}

void ht_ring_open(struct ht_ring_writer *w, struct ht_segment *seg, struct ht_slot *slot)
{
	uint64_t size = slot->ring_size, offset = slot->ring_offset;
	*w = (struct ht_ring_writer){.slot = slot, .seg = seg};
	if (!inside(seg, offset, size))
		return; /* limit 0: every reserve goes to the slow path and gives up */
	w->base = (uint8_t *)seg + offset;
	w->mask = size - 1;
	w->head = w->start = w->mapped = HT_LOAD_RELAXED(&slot->head);
	open_until(w, w->head + size / 2);
}

static uint64_t fill(const struct ht_ring_writer *w)
{
	uint64_t tail = HT_LOAD_ACQUIRE(&w->slot->tail); /* pairs with the collector's release */
	if (tail < w->start)
		tail = w->start; /* still reading the ring before this one */
	return tail > w->head ? 0 : w->head - tail;
}

static void starve(struct ht_ring_writer *w)
{
	HT_STORE_RELAXED(&w->slot->starving, 1);
	HT_STORE_RELEASE(&w->seg->starving, 1); /* pairs with the collector's acquire: it finds the slot's */
	ht_ring_wake(w->seg);
}

/* Sleeps until the collector has taken something out, or offers another ring, within the bounds. False: drop. */
static bool wait_for_room(struct ht_ring_writer *w, uint64_t need)
{
	uint64_t size = w->mask + 1, begin = now_ns(), now = begin, sign = begin;
	uint32_t beat = HT_LOAD_RELAXED(&w->seg->heartbeat);
	bool room = false;
	if (w->in_vain_ns >= STILL_NS) {
		if (++w->dropped % 4096 == 0 && beat == w->last_beat && now - w->last_room_ns > GIVE_UP_NS)
			HT_STORE_RELAXED(&w->seg->control, HT_CONTROL_STOP); /* nobody is there any more */
		return false;
	}
	while (!room && now - begin < ALIVE_NS && now - sign < STILL_NS) {
		struct __kernel_timespec slice = {0, 5000000};
		uint32_t *word = (uint32_t *)&w->slot->tail;
		uint32_t seen = HT_LOAD_ACQUIRE(word);
		HT_STORE_RELAXED(&w->slot->waiting, 1);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* waiting before the last look; pairs with the collector's */
		room = fill(w) + need <= size || HT_LOAD_RELAXED(&w->slot->offer);
		if (!room) {
			starve(w); /* again: there may have been no ring to offer */
			HT_SYSCALL4(SYS_futex, word, FUTEX_WAIT, seen, &slice);
			room = fill(w) + need <= size || HT_LOAD_RELAXED(&w->slot->offer);
		}
		HT_STORE_RELAXED(&w->slot->waiting, 0);
		now = now_ns();
		if (HT_LOAD_RELAXED(&w->seg->heartbeat) != beat) {
			beat = HT_LOAD_RELAXED(&w->seg->heartbeat);
			sign = now;
		}
	}
	w->slot->blocked_ns += now - begin;
	w->in_vain_ns = room ? 0 : w->in_vain_ns + (now - begin);
	w->last_beat = beat;
	w->last_room_ns = now;
	return room;
}

/* To the ring in w->next. Each step may be the last one before a jump throws us out, and may be done twice. */
static void move(struct ht_ring_writer *w)
{
	uint64_t offset = w->next & ~63ull, size = 1ull << (w->next & 63);
	if (HT_LOAD_RELAXED(&w->slot->offer) == w->next)
		HT_STORE_RELAXED(&w->slot->offer, 0);
	w->limit = 0; /* whoever comes finds the way here, or to what follows */
	HT_COMPILER_BARRIER();
	if (w->head == w->link_at)
		ht_ring_commit(w, (uint64_t *)(w->base + (w->head & w->mask)), 8, HT_REC_LINK | 8ull << 32);
	else
		HT_STORE_RELEASE(&w->slot->head, w->head);
	HT_COMPILER_BARRIER();
	w->base = (uint8_t *)w->seg + offset;
	w->mask = size - 1;
	w->start = w->mapped = w->link_at + 8;
	HT_COMPILER_BARRIER();
	w->next = 0;
}

void ht_ring_heal(struct ht_ring_writer *w)
{
	if (w->next)
		move(w);
}

/* Moves to the ring that the collector offers: a bigger one, or when this one is full one of its size. The LINK always
 * fits: `need` keeps 8 bytes free. */
static bool take_offer(struct ht_ring_writer *w, bool full)
{
	uint64_t offer = HT_LOAD_ACQUIRE(&w->slot->offer); /* pairs with the release when it has its memory */
	uint64_t offset = offer & ~63ull, size = 1ull << (offer & 63);
	if (!offer || (size == w->mask + 1 && !full))
		return false;
	if (!inside(w->seg, offset, size) || size < w->mask + 1) {
		HT_STORE_RELAXED(&w->slot->offer, 0);
		return false;
	}
	w->link_at = w->head;
	HT_COMPILER_BARRIER();
	w->next = offer;
	HT_COMPILER_BARRIER();
	move(w);
	open_until(w, w->head + size / 2);
	return true;
}

uint64_t *ht_ring_reserve_slow(struct ht_ring_writer *w, uint64_t bytes, bool may_wait)
{
	if (!w->base || bytes > HT_RECORD_MAX)
		return NULL;
	for (;;) {
		uint64_t size = w->mask + 1, off = w->head & w->mask;
		uint64_t pad = off + bytes > size ? size - off : 0, need = pad + bytes + 8;
		if (HT_LOAD_RELAXED(&w->seg->control) != HT_CONTROL_RUN)
			return NULL;
		uint64_t used = fill(w);
		if (used >= size / 2) {
			starve(w);
			if (take_offer(w, used + need > size))
				continue;
		}
		if (used + need > size) {
			if (!may_wait || !wait_for_room(w, need))
				return NULL;
			continue;
		}
		w->in_vain_ns = 0;
		uint64_t room = used < size / 2 ? size / 2 - used : size - 8 - used;
		open_until(w, w->head + (room < pad + bytes ? pad + bytes : room));
		if (!pad)
			return (uint64_t *)(w->base + off);
		ht_ring_commit(w, (uint64_t *)(w->base + off), pad, HT_REC_PAD | pad << 32);
	}
}
