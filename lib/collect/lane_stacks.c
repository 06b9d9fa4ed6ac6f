/*
 * lane_stacks: a record says how many frames of its thread's previous stack it keeps and which new ones follow; the lane's
 * mirror holds the nodes of the stack as it stands. Each frame is looked up under its caller's node:
 *
 *   lane's frames   (caller's node, frame word) → node, of the lane's view alone, two-way; small, in the processor's cache
 *   interner        the same over all views (intern.h), then the table of all nodes
 */
#include <stdlib.h>
#include <string.h>

#include "collector.h"

#define FRAMES_FIRST 256u      /* a short-lived thread must not pay for much */
#define FRAMES_MOST (1u << 17) /* 2 MiB: more than the second level of any processor's cache */

/* What one frame's look-up has at hand. */
struct step {
	struct ht_collector *c;
	struct ht_lane *l;
	uint64_t wanted; /* pc of a module that may still come */
};

static void empty(struct ht_frames *f)
{
	memset(f->table, 0xff, (f->mask + 1ull) * sizeof(*f->table)); /* a refused caller's frame is refused: holds */
	f->missed = 0;
}

void ht_frames_release(struct ht_collector *c, struct ht_frames *f)
{
	if (f->table)
		c->memory_used -= (f->mask + 1ull) * sizeof(*f->table);
	free(f->table);
}

HT_INLINE struct ht_frame_place *place_of(const struct ht_frames *f, uint64_t word, uint32_t parent)
{
	/* word's product does not wait for the caller's node, which the frame before this one yields */
	return &f->table[(word * 0x9e3779b97f4a7c15ull + parent * 0xd6e8feb86659fd93ull) >> f->shift];
}
HT_INLINE struct ht_frame_place *other_place(const struct ht_frames *f, const struct ht_frame_place *p)
{
	return f->table + ((size_t)(p - f->table) ^ 1);
}

/* A new frame's place; who was there moves next door, within the cache line. */
static void remember(struct ht_frames *f, const struct ht_frame_place *frame)
{
	struct ht_frame_place *p = place_of(f, frame->word, frame->parent);
	if (p->node != HT_NODE_REFUSED)
		*other_place(f, p) = *p;
	*p = *frame;
}

/* Makes the table, or makes it twice as big, where it lies: fresh pages cost more than what is put into them. A place's frames are
 * then at home at twice where they were, or one behind that; so from the end on each pair goes to places that are done. */
static HT_COLD void resize(struct ht_collector *c, struct ht_frames *f, uint32_t entries)
{
	uint32_t old = f->table ? f->mask + 1 : 0;
	uint64_t bytes = entries * sizeof(*f->table), had = old * sizeof(*f->table);
	f->missed = 0;
	if (old && c->memory_used + bytes - had > c->memory_cap)
		return;
	c->memory_used += bytes - had;
	f->table = ht_xrealloc(f->table, entries, sizeof(*f->table));
	f->mask = entries - 1;
	f->shift = (uint8_t)__builtin_clzll((uint64_t)f->mask);
	if (!old)
		empty(f);
	for (uint32_t i = old; i > 0; i -= 2) {
		struct ht_frame_place pair[2] = {f->table[i - 2], f->table[i - 1]};
		memset(&f->table[2 * i - 4], 0xff, 4 * sizeof(*f->table));
		for (unsigned k = 0; k < 2; k++)
			if (pair[k].node != HT_NODE_REFUSED)
				remember(f, &pair[k]);
	}
}

/* Resolves a frame that was not seen before; 0: its module may still come. */
static HT_COLD uint32_t new_frame(struct step *s, struct ht_node_cache *key, unsigned end)
{
	struct ht_space *space = s->l->image->space;
	uint64_t pc = key->pc & ~(1ull << 63);
	const struct ht_mapping *m = ht_space_find(space, s->l->generation, pc - 1);
	if (!m && !s->l->resolved && !ht_drain_alone(s->c, s->l, true)) {
		s->wanted = pc;
		return 0;
	}
	if (!m)
		m = ht_space_settle(space, s->l->generation, pc - 1);
	bool known = m->module != HT_NO_MODULE;
	struct ht_stack_node n = {
		.parent = key->parent,
		.module = known ? m->module + 1 : 0,
		.address = known ? pc - m->bias : pc,
		.cfa_delta = key->delta ^ end << 28,
		.flags = key->pc >> 63 ? HT_FRAME_GUESS : 0,
		.end = (uint8_t)end,
	};
	key->node = ht_intern_node(&s->c->intern, &n);
	if (key->node != HT_NODE_REFUSED)
		ht_intern_remember(&s->c->intern, key);
	return key->node;
}

/* The node of a frame under its caller's. end: why the stack ends, for the outermost frame. */
static uint32_t find_node(struct step *s, struct ht_node_cache *key, unsigned end)
{
	if (key->parent == HT_NODE_REFUSED)
		return HT_NODE_REFUSED;
	key->view = s->l->view;
	key->delta ^= end << 28;
	uint32_t node = ht_intern_cached(&s->c->intern, key);
	return node ? node : new_frame(s, key, end);
}

static struct ht_node_cache split(uint64_t word, uint32_t parent)
{
	return (struct ht_node_cache){
		.pc = (word & ((1ull << 47) - 1)) | (word >> 47 & 1) << 63,
		.delta = (uint32_t)(word >> 48),
		.parent = parent,
	};
}

/* A frame is not where it is looked for first. */
static __attribute__((noinline)) uint32_t look_further(struct step *s, uint64_t word, uint32_t parent)
{
	struct ht_frames *f = &s->l->frames;
	const struct ht_frame_place *p = other_place(f, place_of(f, word, parent));
	if (p->word == word && p->parent == parent)
		return p->node;
	struct ht_node_cache key = split(word, parent);
	uint32_t node = find_node(s, &key, 0);
	if (node && node != HT_NODE_REFUSED)
		remember(f, &(struct ht_frame_place){word, parent, node});
	if (++f->missed > f->mask / 2 && f->mask < FRAMES_MOST - 1)
		resize(s->c, f, (f->mask + 1) * 2);
	return node;
}

/* An outermost frame, or one of two words. */
static __attribute__((noinline)) uint32_t unusual(struct step *s, const struct ht_record *r, unsigned i, uint32_t parent,
						  unsigned end)
{
	struct ht_node_cache key;
	if (r->flags & HT_REC_WIDE) {
		uint64_t delta = HT_LOAD_RELAXED(&r->words[2 * i + 1]);
		key = (struct ht_node_cache){.pc = HT_LOAD_RELAXED(&r->words[2 * i]),
					     .delta = delta >> 28 ? 0 : (uint32_t)delta,
					     .parent = parent};
	} else {
		key = split(HT_LOAD_RELAXED(&r->words[i]), parent);
	}
	return find_node(s, &key, end);
}

static HT_COLD void prepare(struct ht_collector *c, struct ht_lane *l)
{
	if (!l->frames.table)
		resize(c, &l->frames, FRAMES_FIRST);
	else
		empty(&l->frames);
	l->frames.view = l->view;
}

enum ht_want ht_stack_apply(struct ht_collector *c, struct ht_lane *l, const struct ht_record *r, uint32_t *leaf, uint64_t *wanted)
{
	struct step s = {c, l, 0};
	bool absolute = r->flags & (HT_REC_ABS | HT_REC_ASIDE), aside = r->flags & HT_REC_ASIDE;
	uint32_t depth = absolute ? 0 : r->kept;
	unsigned end = absolute ? r->kept & 7 : 0;
	if (depth > l->depth)
		return HT_WANT_NEVER; /* keeps what it never had */
	if (HT_UNLIKELY(l->frames.view != l->view || !l->frames.table))
		prepare(c, l);
	if (HT_UNLIKELY(!aside && depth + r->frames > l->mirror_cap)) {
		l->mirror_cap = (depth + r->frames) * 2 + 64;
		l->mirror = ht_xrealloc(l->mirror, l->mirror_cap, sizeof(*l->mirror));
	}
	uint32_t node = depth ? l->mirror[depth - 1] : 0;
	bool wide = r->flags & HT_REC_WIDE;
	for (unsigned i = r->frames; i-- > 0; end = 0) {
		if (HT_UNLIKELY(wide || end)) {
			node = unusual(&s, r, i, node, end);
		} else {
			uint64_t word = HT_LOAD_RELAXED(&r->words[i]);
			const struct ht_frame_place *p = place_of(&l->frames, word, node);
			node = HT_LIKELY(p->word == word && p->parent == node) ? p->node : look_further(&s, word, node);
		}
		if (HT_UNLIKELY(!node)) {
			*wanted = s.wanted;
			return HT_WANT_MODULE;
		}
		if (!aside)
			l->mirror[depth] = node;
		depth++;
	}
	if (!aside)
		l->depth = depth;
	*leaf = node;
	return HT_WANT_NOTHING;
}

/* The stack of one plain record: ht_stack_apply without what there cannot be. */
unsigned ht_stack_apply_plain(struct ht_collector *c, struct ht_lane *l, const struct ht_record *r, unsigned n, uint32_t *leaf)
{
	struct step s = {c, l, 0};
	unsigned i = 0;
	if (HT_UNLIKELY(l->frames.view != l->view || !l->frames.table))
		prepare(c, l);
	for (; i < n; i++, r++) {
		if (!(r->flags & HT_REC_STACK)) {
			leaf[i] = 0;
			continue;
		}
		uint32_t depth = r->kept, frames = r->frames;
		if (HT_UNLIKELY(depth > l->depth))
			break; /* keeps what it never had */
		if (HT_UNLIKELY(depth + frames > l->mirror_cap)) {
			l->mirror_cap = (depth + frames) * 2 + 64;
			l->mirror = ht_xrealloc(l->mirror, l->mirror_cap, sizeof(*l->mirror));
		}
		uint32_t *mirror = l->mirror, node = depth ? mirror[depth - 1] : 0;
		for (unsigned k = frames; k-- > 0;) {
			uint64_t word = HT_LOAD_RELAXED(&r->words[k]);
			const struct ht_frame_place *p = place_of(&l->frames, word, node);
			node = HT_LIKELY(p->word == word && p->parent == node) ? p->node : look_further(&s, word, node);
			if (HT_UNLIKELY(!node))
				return i;
			mirror[depth++] = node;
		}
		l->depth = depth;
		leaf[i] = node == HT_NODE_REFUSED ? 0 : node;
	}
	return i;
}
