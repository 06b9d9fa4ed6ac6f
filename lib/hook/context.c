/*
 * context: a thread's slot in the segment and its private state.
 *
 * The state of slot n is context n, in reserved address space that is touched as it is used. Context
 * memory is MADV_WIPEONFORK: in a forked child it reads as zero, so the gate is shut and the cold
 * path takes a new slot there; in a vfork child, which shares our memory, nothing changes, and its
 * events go where they belong, into the parent's ring.
 */
#include "hook.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

__thread struct ht_self ht_self;

#define CHUNK 4
#define CHUNKS 1024
static struct ht_context *chunks[CHUNKS];

static HT_COLD struct ht_context *context_of(uint32_t slot)
{
	if (slot / CHUNK >= CHUNKS)
		return NULL;
	struct ht_context **place = &chunks[slot / CHUNK], *c = HT_LOAD_ACQUIRE(place);
	if (!c) {
		size_t size = CHUNK * sizeof(struct ht_context);
		long at = HT_SYSCALL6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at < 0 && at > -4096)
			return NULL;
		HT_SYSCALL3(SYS_madvise, at, size, MADV_WIPEONFORK);
		HT_SYSCALL3(SYS_madvise, at, size, MADV_DONTDUMP);
		HT_SYSCALL3(SYS_madvise, at, size, MADV_NOHUGEPAGE);
		c = (struct ht_context *)at;
		struct ht_context *none = NULL;
		if (!__atomic_compare_exchange_n(place, &none, c, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			HT_SYSCALL2(SYS_munmap, at, size);
			c = none;
		}
	}
	return &c[slot % CHUNK];
}

static void count_loss(enum ht_ring_lost why)
{
	struct ht_segment *seg = ht_process.seg;
	__atomic_fetch_add(&seg->counted, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&seg->lost[why], 1, __ATOMIC_RELAXED);
}

/* The second slot, for events of signal handlers that interrupt a note. */
HT_COLD bool ht_claim_handler(struct ht_thread *t)
{
	struct ht_slot *slot = ht_ring_take(t->w.seg);
	if (!slot)
		return false;
	slot->pid = t->w.slot->pid;
	slot->tid = t->w.slot->tid;
	slot->forked = t->w.slot->forked;
	slot->parent_serial = slot->fork_token = 0;
	slot->handler_of = t->w.slot->serial;
	ht_ring_open(&t->handler, t->w.seg, slot);
	return t->handler.base != NULL;
}

static void find_bounds(struct ht_unwinder *u)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	if (here >= ht_process.main_lo && here < ht_process.main_hi) {
		u->lo = ht_process.main_lo;
		u->hi = ht_process.main_hi;
		return;
	}
	/* glibc puts a thread's control block at the top of its stack's mapping. */
	uint64_t top = (uint64_t)__builtin_thread_pointer();
	uint64_t size = (uint64_t)ht_self.stack_kib << 10;
	if (size && here < top && top - here < size) {
		u->lo = top - size;
		u->hi = top;
	}
}

HT_COLD struct ht_thread *ht_claim(bool forked)
{
	struct ht_segment *seg = ht_process.seg;
	struct ht_thread *t = NULL;
	if (ht_self.claiming) { /* a signal handler, inside this very function */
		count_loss(HT_RING_LOST_NO_RING);
		return NULL;
	}
	ht_self.claiming = 1;
	HT_COMPILER_BARRIER();
	struct ht_slot *slot = ht_ring_claim(seg, &ht_self.waited_ms);
	if (!slot) {
		count_loss(HT_RING_LOST_NO_RING);
		goto out;
	}
	uint32_t index = (uint32_t)(slot - (struct ht_slot *)((uint8_t *)seg + seg->slots_offset));
	struct ht_context *c = context_of(index);
	slot->pid = (uint32_t)HT_SYSCALL0(SYS_getpid);
	slot->tid = (uint32_t)HT_SYSCALL0(SYS_gettid);
	slot->forked = forked;
	slot->parent_serial = ht_self.serial;
	slot->fork_token = forked ? ht_self.fork_token : 0;
	slot->handler_of = 0;
	if (!c) {
		slot->counted++;
		slot->lost[HT_RING_LOST_NO_CONTEXT]++;
		goto out; /* the slot stays claimed, and silent, until the thread is gone */
	}
	t = &c->thread;
	uint64_t *words = (uint64_t *)t;
	for (size_t i = 0; i < sizeof(*t) / 8; i++)
		words[i] = 0;
	t->u.stack = &c->stack;
	find_bounds(&t->u);
	ht_ring_open(&t->w, seg, slot);
	t->magic = HT_THREAD_MAGIC;
	static uint32_t claims;
	if (__atomic_fetch_add(&claims, 1, __ATOMIC_RELAXED) && !forked) /* with a second thread, order rests on stamps */
		__atomic_fetch_and(&ht_process.options, ~(uint32_t)HT_OPT_STAMP_COARSE, __ATOMIC_RELAXED);
	uint64_t creator = forked ? 0 : ht_self.serial;
	ht_self.serial = slot->serial;
	ht_self.fork_token = 0;
	ht_self.thread = t;
	struct ht_note start = {.op = HT_REC_THREAD_START, .flags = HT_REC_STAMP | HT_REC_EXTRA,
				.address = ht_self.start_routine, .extra = creator};
	t->gate = (uint64_t)__builtin_frame_address(0);
	ht_note_captured(t, &start, NULL);
	ht_leave(t);
out:
	HT_COMPILER_BARRIER();
	ht_self.claiming = 0;
	return t;
}
