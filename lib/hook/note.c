/*
 * note: from an event to a record in the thread's ring: capture the stack, stamp, reserve, write, commit.
 * write_hot is the way of nearly all events; everything else is write_event's, a cold function beside it.
 */
#include "hook.h"

#include <elf.h>

HT_COLD uint64_t ht_clock_slow(void)
{
	struct {
		long sec, nsec;
	} t = {0, 0};
	if (ht_process.clock_gettime)
		ht_process.clock_gettime(1 /* CLOCK_MONOTONIC: the vdso's, no system call */, &t);
	return (uint64_t)t.sec * 1000000000u + (uint64_t)t.nsec;
}

/* A frame as ring.h packs it; `bad` collects what does not fit. */
HT_INLINE uint64_t pack(uint64_t pc, uint64_t guess, uint64_t delta, uint64_t *bad)
{
	*bad |= (pc >> 47) | (delta >> 19) | (delta & 7);
	return pc | guess << 47 | (delta >> 3) << 48;
}

HT_INLINE uint64_t cached_delta(const struct ht_stack *s, uint32_t i)
{
	return i >= 2 ? s->sp[i - 2] - s->sp[i - 1] : 0;
}

/* Inside a signal handler that interrupted a note: the second writer. */
HT_INLINE struct ht_ring_writer *writer(struct ht_thread *t)
{
	return HT_UNLIKELY(t->nested) ? &t->handler : &t->w;
}

HT_INLINE bool may_wait(const struct ht_thread *t)
{
	return !t->nested && !(ht_process.options & HT_OPT_DROP);
}

struct frames { /* what of a capture is to be written */
	uint32_t first, count; /* cached: frames [first, first + count); aside: the count leaf-most */
	uint32_t kept;	       /* the record's field */
	unsigned flags;
};

/* The rare cases: depth limit, a mirror that was cut before, asides. A stack that grows beyond the limit frame by frame
 * is let grow to twice the limit before it is cut: cutting at each event would write it afresh each time. */
static HT_COLD void choose_frames(struct ht_thread *t, const struct ht_capture *c, struct frames *f)
{
	uint32_t limit = ht_process.stack_depth;
	f->flags = HT_REC_STACK;
	if (c->aside) {
		f->flags |= HT_REC_ABS | HT_REC_ASIDE;
		f->first = 0;
		f->count = c->depth < limit ? c->depth : limit;
		f->kept = f->count < c->depth ? HT_UNWIND_DEPTH : c->end;
	} else if (c->kept > t->mirror_base && c->depth - c->kept <= limit && c->depth - t->mirror_base <= 2 * limit) {
		f->first = c->kept;
		f->count = c->depth - c->kept;
		f->kept = c->kept - t->mirror_base;
		if (f->kept > UINT16_MAX) /* cannot be said: write it afresh */
			goto absolute;
		return;
	} else {
absolute:
		f->flags |= HT_REC_ABS;
		f->count = c->depth < limit ? c->depth : limit;
		f->first = c->depth - f->count;
		f->kept = f->first ? HT_UNWIND_DEPTH : c->end;
		t->mirror_base = f->first;
	}
	if ((f->flags & HT_REC_ABS) && f->kept != HT_UNWIND_COMPLETE)
		writer(t)->slot->truncated++;
}

static HT_COLD void lose(struct ht_thread *t, enum ht_ring_lost why)
{
	writer(t)->slot->counted++;
	writer(t)->slot->lost[why]++;
	t->losses++;
	if (!t->nested) { /* a handler's ring has neither; and it may have interrupted a capture */
		t->tick = HT_TICK_NEVER; /* the stamp that others would inherit may be what was lost */
		t->u.depth = t->u.extras = 0; /* the collector's mirror missed a step: the next stack is absolute */
	}
	if (HT_LOAD_RELAXED(&t->w.seg->control) != HT_CONTROL_RUN)
		ht_turn_off(HT_OFF_STOPPED);
}

HT_INLINE uint64_t word0(const struct ht_note *n, const struct frames *f, unsigned flags)
{
	return n->op | (uint64_t)flags << 8 | (uint64_t)f->count << 16 | (uint64_t)f->kept << 32 |
	       (flags & HT_REC_SIZE ? 0 : n->size << 48);
}

HT_INLINE uint64_t *write_words(uint64_t *q, const struct ht_note *n, unsigned flags, uint64_t ticks)
{
	unsigned has = ht_record_words[n->op];
	if (flags & HT_REC_STAMP)
		*q++ = ticks;
	if (has & HT_HAS_ADDRESS)
		*q++ = n->address;
	if (flags & HT_REC_SIZE)
		*q++ = n->size;
	if (flags & HT_REC_EXTRA) {
		*q++ = n->extra;
		*q++ = n->extra2;
	}
	return q;
}

/* The new frames of the cached stack, leaf first. False: one does not fit a word. */
HT_INLINE bool write_frames(const struct ht_stack *s, const struct frames *f, unsigned flags, uint64_t *q)
{
	uint64_t bad = 0, guess = 0;
	for (uint32_t i = f->first + f->count; i-- > f->first;) {
		uint64_t delta = HT_UNLIKELY(i == f->first && (flags & HT_REC_ABS)) ? 0 : cached_delta(s, i);
		*q++ = pack(s->pc[i], guess, delta, &bad);
		guess = (s->need[i] >> 1) & 1;
	}
	return !bad;
}

/* Frames that do not fit one word each, and asides: two words a frame. */
static HT_COLD bool write_wide(struct ht_thread *t, const struct ht_note *n, const struct frames *f, unsigned flags,
			       uint64_t ticks, unsigned level)
{
	struct ht_ring_writer *w = writer(t);
	const struct ht_stack *s = t->u.stack;
	bool aside = flags & HT_REC_ASIDE;
	uint32_t count = f->count; /* fits: the depth limit is HT_DEPTH_MAX */
	flags |= HT_REC_WIDE;
	uint64_t *p = ht_ring_reserve(w, 8 * (6 + 2 * (uint64_t)count), may_wait(t));
	if (!p)
		return false;
	uint64_t *q = write_words(p + 1, n, flags, ticks);
	for (uint32_t j = 0; j < count; j++) {
		uint32_t i = f->first + count - 1 - j;
		uint64_t delta = 0, guess = 0;
		if (aside)
			delta = j + 2 < count ? s->aside_sp[level][j + 2] - s->aside_sp[level][j + 1] : 0;
		else
			delta = i > f->first || !(flags & HT_REC_ABS) ? cached_delta(s, i) : 0;
		if (!aside && j)
			guess = (s->need[i + 1] >> 1) & 1;
		*q++ = (aside ? s->aside_pc[level][j] : s->pc[i]) | guess << 63;
		*q++ = (uint64_t)((int64_t)delta >> 3);
	}
	w->slot->counted++;
	ht_ring_commit(w, p, (uint64_t)((uint8_t *)q - (uint8_t *)p), word0(n, f, flags));
	return true;
}

static HT_COLD bool write_generation(struct ht_thread *t)
{
	uint32_t now = HT_LOAD_RELAXED(&ht_unwind_generation);
	uint64_t *p = ht_ring_reserve(writer(t), 16, may_wait(t));
	if (!p)
		return false;
	p[1] = t->generation[t->nested] = now;
	ht_ring_commit(writer(t), p, 16, HT_REC_GENERATION);
	return true;
}

/*
 * A death may inherit its ring's last stamp, but only while its thread is the only one that notes anything: two deaths of one
 * address on two threads, each somewhere within a tick, could not be told apart. Here stands who that is: tick << 32 | the
 * number of its slot, | FOLLOWS if another one was there in the tick before, | SEVERAL if one has joined it.
 *
 * Whoever notes something in a tick says so before that is to be seen; and whoever learns an address by that has seen
 * the word, too. A tick is said to have been entered by its first stamp, which is taken while it stands. The word does not
 * go back: a thread that lost the processor on its way here, while others went on to a later tick, is not alone.
 */
#define FOLLOWS (1u << 31)
#define SEVERAL (1u << 30)
#define NOT_ALONE UINT64_MAX
uint64_t ht_alone __attribute__((aligned(64)));

/* What the word becomes when the thread of `mine` enters a tick. */
static uint64_t entered(uint64_t now, uint64_t mine)
{
	uint32_t last = (uint32_t)(now >> 32), tick = (uint32_t)(mine >> 32);
	bool by_me_alone = ((now ^ mine) & (SEVERAL - 1)) == 0 && !(now & SEVERAL);
	if (tick == HT_TICK_STALE) /* no tick at all: everybody stamps */
		return SEVERAL;
	if (last == tick)
		return by_me_alone ? now : now | SEVERAL;
	if (last != HT_TICK_STALE && (int32_t)(last - tick) > 0)
		return now;
	return mine | (by_me_alone || (last != tick - 1 && last != HT_TICK_STALE) ? 0 : FOLLOWS);
}

static HT_COLD void enter_tick(struct ht_thread *t, uint32_t tick)
{
	uint64_t mine = (uint64_t)tick << 32 | (t->w.slot->serial & (SEVERAL - 1)), now = HT_LOAD_RELAXED(&ht_alone), then;
	do
		then = entered(now, mine);
	while (then != now && !__atomic_compare_exchange_n(&ht_alone, &now, then, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	t->entered = tick;
	t->alone = then >> 32 == tick ? mine : NOT_ALONE;
}

/* Any event, on either ring. */
static HT_COLD void write_event(struct ht_thread *t, const struct ht_note *n, const struct ht_capture *c)
{
	struct ht_ring_writer *w = writer(t);
	unsigned flags = n->flags & ~(unsigned)HT_REC_STACK, has = ht_record_words[n->op];
	struct frames f = {0, 0, 0, 0};
	if (c) {
		if (t->generation[t->nested] != t->u.generation && !write_generation(t)) {
			lose(t, HT_RING_LOST_FULL); /* a frame of the new generation must not come before it */
			return;
		}
		f.flags = HT_REC_STACK;
		f.first = f.kept = c->kept;
		f.count = c->depth - c->kept;
		if (!c->kept || c->aside || t->mirror_base || c->depth > ht_process.stack_depth || f.kept > UINT16_MAX)
			choose_frames(t, c, &f);
		t->plain_depth = t->mirror_base || ht_process.options & HT_OPT_SELF_CHECK ? 0 : ht_process.stack_depth;
	}
	/* Whoever does not stamp inherits its ring's last stamp, which is at most one tick old. */
	uint32_t tick = HT_LOAD_RELAXED(&t->w.seg->tick);
	uint64_t ticks = 0;
	if (t->nested || tick != t->tick)
		flags |= HT_REC_STAMP;
	if (flags & HT_REC_STAMP) {
		/* stamps of a ring ascend: a handler may have noted something since n->ticks */
		ticks = n->ticks && !t->nested && n->ticks >= t->stamp ? n->ticks : ht_clock_now();
		while (tick != HT_LOAD_RELAXED(&t->w.seg->tick)) {
			tick = HT_LOAD_RELAXED(&t->w.seg->tick);
			ticks = n->ticks && ticks == n->ticks ? ticks : ht_clock_now();
		}
		if (tick != t->entered)
			enter_tick(t, tick);
		if (!t->nested) { /* a stamp of before is not to be inherited: it may be of another tick */
			t->tick = tick != HT_TICK_STALE && !n->ticks ? tick : HT_TICK_NEVER;
		}
	}
	flags |= f.flags;
	if (n->size > UINT16_MAX)
		flags |= HT_REC_SIZE;
	uint64_t *p = NULL;
	if (!(flags & HT_REC_ASIDE)) {
		uint64_t bytes = 8 * (1 + (uint64_t)f.count + !!(flags & HT_REC_STAMP) + (has & HT_HAS_ADDRESS) +
				      !!(flags & HT_REC_SIZE) + (flags & HT_REC_EXTRA ? 2u : 0u));
		p = ht_ring_reserve(w, bytes, may_wait(t));
		if (!p) {
			lose(t, HT_RING_LOST_FULL);
			return;
		}
		uint64_t *q = write_words(p + 1, n, flags, ticks);
		if (write_frames(t->u.stack, &f, flags, q)) {
			w->slot->counted++;
			ht_ring_commit(w, p, bytes, word0(n, &f, flags));
			goto stamped;
		}
	}
	if (!write_wide(t, n, &f, flags, ticks, c ? c->level : 0)) {
		lose(t, HT_RING_LOST_FULL);
		return;
	}
stamped:
	if (flags & HT_REC_STAMP && !t->nested)
		t->stamp = ticks;
}

static HT_COLD void self_check(struct ht_thread *t, const struct ht_capture *c, const struct ht_unwind_state *from)
{
	int equal = ht_unwind_check(&t->u, from, c);
	if (equal >= 0)
		t->w.slot->self_compared++;
	if (equal == 0)
		t->w.slot->self_differences++;
}

HT_INLINE void capture(struct ht_thread *t, const struct ht_unwind_state *from, uint64_t plain, struct ht_capture *c)
{
	if (plain)
		*c = (struct ht_capture){.kept = (uint32_t)plain, .depth = (uint32_t)(plain >> 32), .end = t->u.end};
	else
		ht_unwind_capture(&t->u, from, t, c);
	if (HT_UNLIKELY(ht_process.options & HT_OPT_SELF_CHECK))
		self_check(t, c, from);
}

void ht_note(struct ht_thread *t, const struct ht_note *n, const struct ht_unwind_state *from)
{
	struct ht_capture c = {0};
	if (n->flags & HT_REC_STACK)
		capture(t, from, 0, &c);
	write_event(t, n, n->flags & HT_REC_STACK ? &c : NULL);
}

void ht_note_captured(struct ht_thread *t, const struct ht_note *n, const struct ht_capture *c)
{
	write_event(t, n, n->flags & HT_REC_STACK ? c : NULL);
}

/* ---- the way of nearly all events ---- */

static HT_COLD void write_rare(struct ht_thread *t, unsigned op, unsigned flags, uint64_t address, uint64_t size,
			       const struct ht_unwind_state *from, uint64_t plain)
{
	struct ht_note n = {.op = op, .flags = flags, .address = address, .size = size};
	struct ht_capture c;
	if (flags & HT_REC_STACK)
		capture(t, from, plain, &c);
	write_event(t, &n, flags & HT_REC_STACK ? &c : NULL);
}

/* plain: as ht_unwind_capture_plain has it. Everything stays in registers; flags is a constant. That the depth limit holds,
 * that the mirror is whole and that nothing is to be checked is all in plain_depth; a new generation or a loss begin
 * with a stack of which nothing was kept. */
HT_INLINE void write_hot(struct ht_thread *t, unsigned op, unsigned flags, uint64_t address, uint64_t size,
			 const struct ht_unwind_state *from)
{
	uint64_t plain = 0, kept = 0, depth = 0, fresh = 0, ticks = 0;
	if (flags & HT_REC_STACK) {
		plain = ht_unwind_capture_plain(&t->u, from);
		kept = (uint32_t)plain;
		depth = plain >> 32;
		fresh = depth - kept;
		if (HT_UNLIKELY(depth - 1 >= t->plain_depth)) /* 0, too */
			goto rare;
	}
	if (HT_UNLIKELY((address & ~HT_SHORT_ADDRESS) | size >> 32 | fresh / (HT_SHORT_NEW + 1) | kept / (HT_SHORT_KEPT + 1)) ||
	    (!(flags & HT_REC_STAMP) && HT_UNLIKELY(HT_LOAD_RELAXED(&t->w.seg->tick) != t->tick)))
		goto rare;
	uint64_t bytes = 8 * (1 + !!(flags & HT_REC_STAMP) + fresh);
	uint64_t *p = ht_ring_reserve(&t->w, bytes, !(ht_process.options & HT_OPT_DROP)), *q = p + 1;
	if (HT_UNLIKELY(!p)) {
		lose(t, HT_RING_LOST_FULL);
		return;
	}
	if (flags & HT_REC_STAMP) {
		ticks = ht_clock_now();
		uint64_t tick = HT_LOAD_RELAXED(&t->w.seg->tick); /* it stood before the stamp, too, if it was entered then */
		if (HT_UNLIKELY(tick != t->entered || ticks - t->stamp >= HT_SHORT_GAP))
			goto rare;
		t->tick = HT_LIKELY(tick != HT_TICK_STALE) ? tick : HT_TICK_NEVER;
		*q++ = (uint32_t)ticks | size << 32;
	}
	if (flags & HT_REC_STACK) {
		const uint64_t *pc = t->u.stack->pc, *sp = t->u.stack->sp;
		uint64_t bad = 0;
		for (uint64_t i = depth; i-- > kept;) { /* kept >= 2 */
			uint64_t delta = sp[i - 2] - sp[i - 1];
			bad |= delta;
			*q++ = pc[i] | delta << 45; /* delta / 8 above pc:47 and guess:1 */
		}
		if (HT_UNLIKELY(bad >> 19)) /* a multiple of 8 it is: plain rows are */
			goto rare;
	}
	unsigned code = op;
	if (op >= HT_REC_FREE)
		code = HT_SHORT_DEATH + 4 * (op - HT_REC_FREE) + (flags & HT_REC_STAMP ? HT_SHORT_STAMP : 0) +
		       (flags & HT_REC_STACK ? HT_SHORT_STACK : 0);
	t->w.slot->counted++; /* next to the commit, so that what is thrown out before it is neither */
	ht_ring_commit(&t->w, p, bytes, ht_short_word(code, fresh, kept, address));
	if (flags & HT_REC_STAMP)
		t->stamp = ticks; /* when it is in the ring: the next one may count from it */
	return;
rare:
	write_rare(t, op, flags, address, size, from, plain);
}

void ht_note_birth(struct ht_thread *t, unsigned op, uint64_t address, uint64_t size, const struct ht_unwind_state *from)
{
	write_hot(t, op, HT_REC_STACK | HT_REC_STAMP, address, size, from);
}

void ht_note_death(struct ht_thread *t, unsigned op, uint64_t address, bool stamp, const struct ht_unwind_state *from)
{
	if (stamp)
		write_hot(t, op, HT_REC_STACK | HT_REC_STAMP, address, 0, from);
	else
		write_hot(t, op, HT_REC_STACK, address, 0, from);
}

void ht_note_plain_death(struct ht_thread *t, unsigned op, uint64_t address, bool stamp)
{
	if (stamp)
		write_hot(t, op, HT_REC_STAMP, address, 0, NULL);
	else
		write_hot(t, op, 0, address, 0, NULL);
}

void ht_note_name(struct ht_thread *t, const char *name)
{
	uint64_t words[2] = {0, 0};
	char *to = (char *)words;
	for (unsigned i = 0; i < 15 && name[i]; i++)
		to[i] = name[i];
	uint64_t *p = ht_ring_reserve(&t->w, 24, may_wait(t));
	if (!p)
		return;
	p[1] = words[0];
	p[2] = words[1];
	ht_ring_commit(&t->w, p, 24, HT_REC_NAME);
}

/* ---- modules ---- */

/* Modules told of already: start address and generation. A lost entry only means telling twice. */
#define SEEN 512
static uint64_t seen[SEEN];

static void describe(const struct ht_cfi_module *m, struct ht_ring_module *r)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)m->start;
	r->start = m->start;
	r->end = m->end;
	r->bias = m->bias;
	if (eh->e_ident[0] != 0x7f || eh->e_ident[1] != 'E' || eh->e_phentsize != sizeof(Elf64_Phdr) ||
	    eh->e_phoff + (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr) > 4096)
		return;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(m->start + eh->e_phoff);
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_X) && !r->text_size) {
			r->text_vaddr = ph[i].p_vaddr;
			r->text_size = ph[i].p_memsz;
			r->text_offset = ph[i].p_offset;
		}
		if (ph[i].p_type != PT_NOTE)
			continue;
		uint64_t at = m->bias + ph[i].p_vaddr, end = at + ph[i].p_memsz;
		while (at >= m->start && at + sizeof(Elf64_Nhdr) <= end && end <= m->end) {
			const Elf64_Nhdr *nh = (const Elf64_Nhdr *)at;
			uint64_t desc = at + sizeof(*nh) + ((nh->n_namesz + 3u) & ~3u);
			if (nh->n_type == NT_GNU_BUILD_ID && nh->n_namesz == 4 && nh->n_descsz <= 32 &&
			    desc + nh->n_descsz <= end) {
				r->build_id_len = nh->n_descsz;
				ht_copy(r->build_id, (const void *)desc, nh->n_descsz);
			}
			at = desc + ((nh->n_descsz + 3u) & ~3u);
		}
	}
}

HT_COLD bool ht_note_module(void *thread, const struct ht_cfi_module *m)
{
	struct ht_thread *t = thread;
	uint64_t key = m->start | (HT_LOAD_RELAXED(&ht_unwind_generation) & 0xfff) | 1ull << 63;
	uint64_t *place = &seen[(m->start >> 12) % SEEN];
	if (HT_LOAD_ACQUIRE(place) == key)
		return true;
	const char *name = m->name[0] ? m->name : ht_process.exe;
	size_t path = ht_strlen(name);
	if (path > 4000)
		path = 4000;
	uint64_t words = sizeof(struct ht_ring_module) / 8 + (path + 7) / 8, bytes = 8 + 8 * words;
	uint64_t *p = ht_ring_reserve(writer(t), bytes, may_wait(t));
	if (!p)
		return false;
	struct ht_ring_module *r = (struct ht_ring_module *)(p + 1);
	for (uint64_t i = 1; i <= words; i++)
		p[i] = 0;
	r->generation = HT_LOAD_RELAXED(&ht_unwind_generation);
	describe(m, r);
	r->path_len = path;
	ht_copy(r + 1, name, path);
	ht_ring_commit(writer(t), p, bytes, HT_REC_MODULE | words << 16);
	HT_STORE_RELEASE(place, key); /* after the record: whoever sees it may rely on the record */
	return true;
}
