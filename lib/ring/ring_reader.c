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

/* What stands in a record, by its op; 0: there is no such op. PAD and LINK are dealt with apart. */
enum { PLAIN = 1 /* the words of ordinary ops */, ADDRESS = 2, WORDS = 4 /* as many as it says */, NAME = 8 };
static const uint8_t contents[256] = {
	[HT_REC_MALLOC] = PLAIN | ADDRESS,	[HT_REC_CALLOC] = PLAIN | ADDRESS,
	[HT_REC_ALIGNED] = PLAIN | ADDRESS,	[HT_REC_NEW] = PLAIN | ADDRESS,
	[HT_REC_REALLOC] = PLAIN | ADDRESS,	[HT_REC_FREE] = PLAIN | ADDRESS,
	[HT_REC_DELETE] = PLAIN | ADDRESS,	[HT_REC_REALLOC_FREE] = PLAIN | ADDRESS,
	[HT_REC_REALLOC_UNDO] = PLAIN,		[HT_REC_FAILED] = PLAIN,
	[HT_REC_MMAP] = PLAIN | ADDRESS,	[HT_REC_MUNMAP] = PLAIN | ADDRESS,
	[HT_REC_MREMAP] = PLAIN | ADDRESS,	[HT_REC_BRK] = PLAIN | ADDRESS,
	[HT_REC_THREAD_START] = PLAIN | ADDRESS, [HT_REC_THREAD_EXIT] = PLAIN,
	[HT_REC_FORK] = PLAIN,			[HT_REC_GENERATION] = PLAIN | ADDRESS,
	[HT_REC_FORKED] = PLAIN,		[HT_REC_MODULE] = WORDS,
	[HT_REC_NAME] = NAME,			[HT_REC_STRING] = WORDS,
	[HT_REC_REGION_BEGIN] = PLAIN,		[HT_REC_REGION_END] = PLAIN,
	[HT_REC_TASK] = PLAIN,			[HT_REC_LOG] = PLAIN,
	[HT_REC_MARK] = PLAIN,			[HT_REC_PAUSE] = PLAIN,
	[HT_REC_WAIT] = PLAIN | ADDRESS,	[HT_REC_WAKE] = PLAIN | ADDRESS,
	[HT_REC_STALL] = PLAIN | ADDRESS,
};

/* A module's, a string's or a name's: its words. */
static enum ht_read read_words(uint64_t w, const uint64_t *p, uint64_t limit, struct ht_record *out, uint64_t *length)
{
	unsigned what = contents[w & 0xff];
	if (!what)
		return HT_READ_DAMAGED;
	unsigned n = what & NAME ? 2 : (unsigned)(w >> 16) & 0xffff;
	*length = 8ull * (1 + n);
	if (*length > limit)
		return HT_READ_DAMAGED;
	*out = (struct ht_record){.op = (uint8_t)w, .flags = (uint8_t)(w >> 8), .count = (uint16_t)n, .words = p + 1};
	return HT_READ_RECORD;
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

/* The short form: what its code stands for. words 0: nothing. */
struct short_form {
	uint8_t op, flags, words, frames; /* words besides frames; the mask of `new` */
};
#define BIRTH(op) [op] = {op, HT_REC_STACK | HT_REC_STAMP, 2, HT_SHORT_NEW}
#define DEATH(op)                                                                                                       \
	[HT_SHORT_DEATH + 4 * (op - HT_REC_FREE)] = {op, 0, 1, 0},                                                       \
	[HT_SHORT_DEATH + 4 * (op - HT_REC_FREE) + 1] = {op, HT_REC_STACK, 1, HT_SHORT_NEW},                             \
	[HT_SHORT_DEATH + 4 * (op - HT_REC_FREE) + 2] = {op, HT_REC_STAMP, 2, 0},                                        \
	[HT_SHORT_DEATH + 4 * (op - HT_REC_FREE) + 3] = {op, HT_REC_STAMP | HT_REC_STACK, 2, HT_SHORT_NEW}
static const struct short_form short_forms[32] = {
	BIRTH(HT_REC_MALLOC), BIRTH(HT_REC_CALLOC), BIRTH(HT_REC_NEW),	      BIRTH(HT_REC_REALLOC),
	DEATH(HT_REC_FREE),   DEATH(HT_REC_DELETE), DEATH(HT_REC_REALLOC_FREE),
};

/* Decodes one, of at most `most` words; ticks: the last stamp, and then its own. Its words; 0: it cannot be right. */
HT_INLINE uint64_t read_short(uint64_t w, const uint64_t *p, uint64_t most, uint64_t *ticks, struct ht_record *restrict out)
{
	const struct short_form *f = &short_forms[w & 31];
	unsigned frames = (unsigned)(w >> 7) & f->frames;
	uint64_t length = f->words + frames;
	if (HT_UNLIKELY(!f->words || length > most))
		return 0;
	/* No branch on whether it is stamped: births and deaths take turns as they like. */
	uint64_t stamped = -(uint64_t)(f->words - 1), second = HT_LOAD_RELAXED(&p[f->words - 1]) & stamped;
	int32_t later = (int32_t)(((uint32_t)second - (uint32_t)*ticks) & (uint32_t)stamped);
	*ticks += later > 0 ? (uint32_t)later : 0;
	out->op = f->op;
	out->flags = f->flags;
	out->frames = out->count = (uint16_t)frames;
	out->kept = (uint16_t)(w >> 11 & HT_SHORT_KEPT);
	out->address = w >> 17 & ~7ull;
	out->size = second >> 32;
	out->extra = out->extra2 = 0;
	out->ticks = *ticks;
	out->words = p + f->words;
	return length;
}

/* The next record, which must end at `stop`; NONE: it was padding. */
HT_INLINE enum ht_read read_one(struct ht_ring_reader *r, uint64_t stop, struct ht_record *restrict out)
{
	const uint64_t *p = (const uint64_t *)(r->base + (r->at & r->mask)), *q = p + 1;
	uint64_t w = HT_LOAD_RELAXED(p); /* once: what is checked is what is used */
	uint64_t limit = stop - r->at < HT_RECORD_MAX ? stop - r->at : HT_RECORD_MAX, length;
	unsigned what = contents[w & 0xff];
	if (w & HT_REC_SHORT) {
		length = 8 * read_short(w, p, limit / 8, &r->ticks, out);
		if (!length)
			return HT_READ_DAMAGED;
	} else if (HT_LIKELY(what & PLAIN)) {
		bool stamp = w >> 8 & HT_REC_STAMP, size = w >> 8 & HT_REC_SIZE, extra = w >> 8 & HT_REC_EXTRA;
		unsigned frames = w >> 8 & HT_REC_STACK ? (unsigned)(w >> 16) & 0xffff : 0;
		unsigned count = w >> 8 & HT_REC_WIDE ? 2 * frames : frames;
		length = 8ull * (1 + stamp + !!(what & ADDRESS) + size + 2u * extra + count);
		if (HT_UNLIKELY(length > limit))
			return HT_READ_DAMAGED;
		out->op = (uint8_t)w;
		out->flags = (uint8_t)(w >> 8);
		out->frames = (uint16_t)frames;
		out->kept = (uint16_t)(w >> 32);
		out->count = (uint16_t)count;
		if (stamp) {
			uint64_t ticks = HT_LOAD_RELAXED(q++);
			if (ticks > r->ticks) /* a handler's record may stand before the one it interrupted */
				r->ticks = ticks;
		}
		out->address = what & ADDRESS ? HT_LOAD_RELAXED(q++) : 0;
		out->size = size ? HT_LOAD_RELAXED(q++) : w >> 48;
		out->extra = extra ? HT_LOAD_RELAXED(q++) : 0;
		out->extra2 = extra ? HT_LOAD_RELAXED(q++) : 0;
		out->words = q;
	} else if ((w & 0xff) == HT_REC_PAD || (w & 0xff) == HT_REC_LINK) {
		return step_over(r, w, stop - r->at);
	} else {
		enum ht_read e = read_words(w, p, limit, out, &length);
		if (e != HT_READ_RECORD)
			return e;
	}
	out->ticks = r->ticks;
	r->at += length;
	out->end = r->at;
	return HT_READ_RECORD;
}

enum ht_read ht_ring_read_some(struct ht_ring_reader *reader, struct ht_record *out, unsigned most, unsigned *count)
{
	struct ht_ring_reader r = *reader; /* in registers */
	enum ht_read e = HT_READ_RECORD;
	unsigned n = 0;
	while (n < most && e == HT_READ_RECORD) {
		if (r.at == r.head) {
			e = HT_READ_NONE;
			break;
		}
		uint64_t stop = r.at + room(&r, r.at);
		if (stop == r.at) {
			e = HT_READ_DAMAGED; /* a whole turn without a LINK */
			break;
		}
		while (n < most && r.at < stop && (e = read_one(&r, stop, &out[n])) == HT_READ_RECORD)
			n++;
		if (e == HT_READ_NONE)
			e = HT_READ_RECORD;
	}
	reader->at = r.at;
	reader->ticks = r.ticks;
	*count = n;
	return e;
}

/* Ops of births and deaths, as bits. */
#define PLAIN_OPS (1u << HT_REC_MALLOC | 1u << HT_REC_CALLOC | 1u << HT_REC_NEW | 1u << HT_REC_REALLOC | 1u << HT_REC_FREE | \
		   1u << HT_REC_DELETE | 1u << HT_REC_REALLOC_FREE)

/* A plain one in the long form: as read_short. 0: it is none. */
static __attribute__((noinline)) uint64_t read_long(uint64_t w, const uint64_t *p, uint64_t most, uint64_t *ticks, struct ht_record *r)
{
	unsigned op = w & 0xff, flags = w >> 8 & 0xff;
	if (op >= 32 || !(PLAIN_OPS >> op & 1) || flags & ~(unsigned)(HT_REC_STACK | HT_REC_STAMP))
		return 0;
	unsigned stamp = flags / HT_REC_STAMP, frames = flags & HT_REC_STACK ? w >> 16 & 0xffff : 0;
	uint64_t length = 2 + stamp + frames;
	if (length > most || length > HT_RECORD_MAX / 8)
		return 0;
	const uint64_t *q = p + 1;
	if (stamp) {
		uint64_t said = HT_LOAD_RELAXED(q++);
		*ticks = said > *ticks ? said : *ticks;
	}
	r->op = (uint8_t)op;
	r->flags = (uint8_t)flags;
	r->frames = r->count = (uint16_t)frames;
	r->kept = (uint16_t)(w >> 32);
	r->address = HT_LOAD_RELAXED(&q[0]);
	r->words = q + 1;
	r->ticks = *ticks;
	r->size = w >> 48;
	r->extra = r->extra2 = 0;
	return length;
}

unsigned ht_ring_read_plain(struct ht_ring_reader *reader, struct ht_record *out, unsigned most)
{
	const uint64_t *p = (const uint64_t *)(reader->base + (reader->at & reader->mask));
	uint64_t at = reader->at, ticks = reader->ticks, left = at == reader->head ? 0 : room(reader, at) / 8; /* nothing wraps in it */
	struct ht_record *r = out, *end = out + most;
	for (uint64_t length = 1; r < end && left && length;) {
		uint64_t w = HT_LOAD_RELAXED(p); /* once: what is checked is what is used */
		length = HT_LIKELY(w & HT_REC_SHORT) ? read_short(w, p, left, &ticks, r) : read_long(w, p, left, &ticks, r);
		p += length;
		left -= length;
		at += 8 * length;
		r->end = at;
		r += length != 0;
	}
	reader->at = at;
	reader->ticks = ticks;
	return (unsigned)(r - out);
}

enum ht_read ht_ring_read(struct ht_ring_reader *r, struct ht_record *out)
{
	unsigned count;
	return ht_ring_read_some(r, out, 1, &count);
}

static void wake(struct ht_slot *slot)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* what there is before the look at waiting; pairs with wait_for_room */
	if (HT_UNLIKELY(HT_LOAD_RELAXED(&slot->waiting)))
		HT_SYSCALL3(SYS_futex, &slot->tail, FUTEX_WAKE, INT_MAX);
}

void ht_ring_release(struct ht_ring_reader *r, struct ht_slot *slot, uint64_t pos)
{
	r->tail = pos;
	HT_STORE_RELEASE(&slot->tail, pos); /* pairs with the acquire in the writer's fill() */
	wake(slot);
}

void ht_ring_offer(struct ht_slot *slot, uint64_t offset, uint64_t size)
{
	HT_STORE_RELEASE(&slot->offer, offset | (uint64_t)__builtin_ctzll(size)); /* pairs with the acquire in take_offer */
	wake(slot);
}
