/* ring_reader: see ring_reader.h. Decodes one record with one bounds check for all its words. */
#include "ring_reader.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>

void ht_ring_reader_init(struct ht_ring_reader *r, const void *base, uint64_t size, uint64_t pos)
{
	*r = (struct ht_ring_reader){
		.base = base, .mask = size - 1, .start = pos, .tail = pos, .at = pos, .head = pos};
}

void ht_ring_reader_move(struct ht_ring_reader *r, const void *base, uint64_t size)
{
	r->base = base;
	r->mask = size - 1;
	r->start = r->at;
}

bool ht_ring_head(struct ht_ring_reader *r, const struct ht_slot *slot, uint64_t slack)
{
	uint64_t head = HT_LOAD_ACQUIRE(&slot->head); /* pairs with ht_ring_publish */
	if (head < r->head || head % 8 || head - r->tail > r->mask + 1 + slack)
		return false;
	r->head = head;
	return true;
}

/* Bytes from pos on that one record may take: up to the ring's end, the head, and what one turn holds. */
static uint64_t room(const struct ht_ring_reader *r, uint64_t pos)
{
	uint64_t begin = r->tail > r->start ? r->tail : r->start;
	uint64_t to_end = r->mask + 1 - (pos & r->mask), to_head = r->head - pos;
	uint64_t turn = r->mask + 1 - (pos - begin);
	uint64_t n = to_end < to_head ? to_end : to_head;
	return n < turn ? n : turn;
}

/* Which ops there are, one bit each; PAD and LINK are dealt with apart. */
#define BIT(op) (1ull << (op))
static const uint64_t known_ops =
	BIT(HT_REC_MALLOC) | BIT(HT_REC_CALLOC) | BIT(HT_REC_ALIGNED) | BIT(HT_REC_NEW) | BIT(HT_REC_REALLOC) |
	BIT(HT_REC_FREE) | BIT(HT_REC_DELETE) | BIT(HT_REC_REALLOC_FREE) | BIT(HT_REC_REALLOC_UNDO) |
	BIT(HT_REC_FAILED) | BIT(HT_REC_MMAP) | BIT(HT_REC_MUNMAP) | BIT(HT_REC_MREMAP) | BIT(HT_REC_BRK) |
	BIT(HT_REC_THREAD_START) | BIT(HT_REC_THREAD_EXIT) | BIT(HT_REC_FORK) | BIT(HT_REC_GENERATION) |
	BIT(HT_REC_MODULE) | BIT(HT_REC_NAME) | BIT(HT_REC_FORKED);

/* A record's shape, out of its first word. */
struct shape {
	bool plain;	/* has the fixed words of ordinary ops */
	unsigned fixed; /* their number */
	unsigned count; /* words of frames, of a module, of a name */
};

static struct shape shape_of(uint64_t w, unsigned op, unsigned flags)
{
	unsigned n = (unsigned)(w >> 16) & 0xffff;
	struct shape s = {.plain = op != HT_REC_MODULE && op != HT_REC_NAME};
	if (s.plain) {
		s.fixed = !!(flags & HT_REC_STAMP) + !!(ht_record_words[op] & HT_HAS_ADDRESS) +
			  !!(flags & HT_REC_SIZE) + 2 * !!(flags & HT_REC_EXTRA);
		if (flags & HT_REC_STACK)
			s.count = flags & HT_REC_WIDE ? 2 * n : n;
	} else {
		s.count = op == HT_REC_MODULE ? n : 2;
	}
	return s;
}

static const uint64_t *read_fixed(struct ht_ring_reader *r, const uint64_t *q, unsigned op, unsigned flags,
				  struct ht_record *out)
{
	if (flags & HT_REC_STAMP) {
		uint64_t ticks = HT_LOAD_RELAXED(q++);
		if (ticks > r->ticks) /* a handler's record may stand before the one it interrupted */
			r->ticks = ticks;
	}
	out->address = ht_record_words[op] & HT_HAS_ADDRESS ? HT_LOAD_RELAXED(q++) : 0;
	if (flags & HT_REC_SIZE)
		out->size = HT_LOAD_RELAXED(q++);
	out->extra = out->extra2 = 0;
	if (flags & HT_REC_EXTRA) {
		out->extra = HT_LOAD_RELAXED(q++);
		out->extra2 = HT_LOAD_RELAXED(q++);
	}
	return q;
}

/* r->at stands on a PAD or LINK. */
static enum ht_read step_over(struct ht_ring_reader *r, uint64_t w, uint64_t limit)
{
	uint64_t length = w >> 32;
	if (length < 8 || length % 8 || length > limit)
		return HT_READ_DAMAGED;
	r->at += length;
	return (w & 0xff) == HT_REC_LINK ? HT_READ_LINK : HT_READ_NONE;
}

enum ht_read ht_ring_read(struct ht_ring_reader *r, struct ht_record *out)
{
	for (;;) {
		if (r->at == r->head)
			return HT_READ_NONE;
		uint64_t limit = room(r, r->at);
		if (limit < 8)
			return HT_READ_DAMAGED; /* a whole turn without a LINK */
		const uint64_t *p = (const uint64_t *)(r->base + (r->at & r->mask));
		uint64_t w = HT_LOAD_RELAXED(p); /* once: what is checked is what is used */
		unsigned op = w & 0xff, flags = (w >> 8) & 0xff;
		if (op == HT_REC_PAD || op == HT_REC_LINK) {
			enum ht_read e = step_over(r, w, limit);
			if (e == HT_READ_NONE)
				continue;
			return e;
		}
		if (op >= 64 || !(known_ops >> op & 1))
			return HT_READ_DAMAGED;
		struct shape s = shape_of(w, op, flags);
		uint64_t length = 8ull * (1 + s.fixed + s.count);
		if (length > limit || length > HT_RECORD_MAX)
			return HT_READ_DAMAGED;
		out->op = (uint8_t)op;
		out->flags = (uint8_t)flags;
		out->frames = s.plain && flags & HT_REC_STACK ? (uint16_t)(w >> 16) : 0;
		out->kept = (uint16_t)(w >> 32);
		out->count = (uint16_t)s.count;
		out->size = w >> 48;
		out->words = s.plain ? read_fixed(r, p + 1, op, flags, out) : p + 1;
		out->ticks = r->ticks;
		r->at += length;
		out->end = r->at;
		return HT_READ_RECORD;
	}
}

void ht_ring_release(struct ht_ring_reader *r, struct ht_slot *slot, uint64_t pos)
{
	r->tail = pos;
	HT_STORE_RELEASE(&slot->tail, pos); /* pairs with the acquire in the writer's fill() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* tail before the look at waiting; pairs with wait_for_room */
	if (HT_UNLIKELY(HT_LOAD_RELAXED(&slot->waiting)))
		HT_SYSCALL3(SYS_futex, &slot->tail, FUTEX_WAKE, INT_MAX);
}
