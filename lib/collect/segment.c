/*
 * segment: the memory of one host. All of it that a target may touch is allocated here first, in this
 * process, so that neither a full machine nor a file size limit can hurt the target.
 *
 * Rings come in three classes and never move: a freed ring goes to its class's pool, and a bigger one
 * is cut into eight of the next class when the pool is empty and the cap is reached. A thread for which there is no bigger ring
 * is given more of the size that it has, out of what others are not likely to need.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "collector.h"

#define FIRST_SPARES 4u /* most images have one thread, and each spare costs its pages */
#define MOST_SPARES 64u
#define RESERVE 8u /* this part of the memory is not for chains */
#define PAGE 4096u

uint64_t ht_ring_class_bytes(unsigned class)
{
	return (uint64_t)HT_RING_MIN << 3 * class;
}

struct ht_slot *ht_host_slot(const struct ht_host *h, uint32_t index)
{
	return (struct ht_slot *)((uint8_t *)h->seg + h->slots_offset) + index;
}

/* --- rings -------------------------------------------------------------------------------- */

static void give_ring(struct ht_host *h, uint64_t offset, unsigned class)
{
	typeof(&h->free_rings[0]) f = &h->free_rings[class];
	if (f->count == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 16;
		f->offsets = ht_xrealloc(f->offsets, f->cap, sizeof(*f->offsets));
	}
	f->offsets[f->count++] = offset;
}

/* Written, not only allocated: such pages are mapped many at a time when they are read (ring_writer.c). */
static bool give_memory(const struct ht_host *h, uint64_t offset, uint64_t bytes)
{
	static const uint8_t zeros[HT_RING_MIN];
	for (ssize_t n; bytes; offset += (uint64_t)n, bytes -= (uint64_t)n) {
		n = pwrite(h->fd, zeros, bytes < sizeof(zeros) ? bytes : sizeof(zeros), (off_t)offset);
		if (n <= 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return false;
	}
	return true;
}

/* 0 = there is none. Offset 0 is the header's. */
static uint64_t take_ring(struct ht_host *h, unsigned class)
{
	typeof(&h->free_rings[0]) f = &h->free_rings[class];
	uint64_t bytes = ht_ring_class_bytes(class);
	if (f->count)
		return f->offsets[--f->count];
	if (bytes <= h->map_bytes - h->used && give_memory(h, h->used, bytes)) {
		uint64_t offset = h->used;
		h->used += bytes;
		return offset;
	}
	if (class + 1 == HT_RING_CLASSES)
		return 0;
	uint64_t big = take_ring(h, class + 1);
	for (unsigned i = 1; big && i < 8; i++)
		give_ring(h, big + i * bytes, class);
	return big;
}

/* --- slots -------------------------------------------------------------------------------- */

static bool add_spare(struct ht_collector *c, struct ht_host *h)
{
	uint32_t index;
	if (h->free_slot_count)
		index = h->free_slots[h->free_slot_count - 1];
	else if (h->next_slot < h->slot_count)
		index = h->next_slot;
	else
		return false;
	uint64_t offset = take_ring(h, 0);
	if (!offset)
		return false;
	if (h->free_slot_count)
		h->free_slot_count--;
	else
		h->next_slot++;
	struct ht_slot *s = ht_host_slot(h, index);
	memset(s, 0, sizeof(*s));
	h->ring_offset[index] = s->ring_offset = offset;
	h->ring_class[index] = 0;
	s->ring_size = HT_RING_MIN;
	h->serial[index] = s->serial = ++c->next_serial;
	HT_STORE_RELEASE(&s->state, HT_SLOT_SPARE); /* pairs with the compare-and-swap in ht_ring_take */
	h->spares[h->spare_count++] = index;
	return true;
}

void ht_host_replenish(struct ht_collector *c, struct ht_host *h)
{
	uint32_t spare = 0;
	for (uint32_t i = 0; i < h->spare_count; i++)
		spare += HT_LOAD_RELAXED(&ht_host_slot(h, h->spares[i])->state) == HT_SLOT_SPARE;
	if (spare * 2 < h->spare_target && h->spare_target < MOST_SPARES && h->lanes)
		h->spare_target *= spare || h->spare_target * 4 > MOST_SPARES ? 2 : 4; /* threads come in crowds */
	/* slots that were claimed and never written to stay in the list: it may be longer than the target */
	while (spare < h->spare_target && h->spare_count < h->slot_count && add_spare(c, h))
		spare++;
	HT_STORE_RELAXED(&h->seg->exhausted, !spare);
}

static void count_losses(struct ht_trace_totals *t, const struct ht_slot *s)
{
	for (unsigned i = 0; i < HT_RING_LOST_COUNT; i++)
		t->lost[i] += HT_LOAD_RELAXED(&s->lost[i]);
	t->counted += HT_LOAD_RELAXED(&s->counted);
	t->truncated_stacks += HT_LOAD_RELAXED(&s->truncated);
	t->guessed_frames += HT_LOAD_RELAXED(&s->guessed);
	t->nested_events += HT_LOAD_RELAXED(&s->nested);
	t->abandoned += HT_LOAD_RELAXED(&s->abandoned);
	t->blocked_ns += HT_LOAD_RELAXED(&s->blocked_ns);
	t->self_check_compared += HT_LOAD_RELAXED(&s->self_compared);
	t->self_check_differences += HT_LOAD_RELAXED(&s->self_differences);
}

void ht_host_retire(struct ht_collector *c, struct ht_lane *l, bool reuse)
{
	struct ht_host *h = l->host;
	struct ht_slot *s = l->slot;
	uint32_t index = l->index;
	count_losses(c->totals, s);
	if (!reuse)
		return; /* it stays claimed for ever */
	give_ring(h, h->ring_offset[index], h->ring_class[index]);
	for (unsigned i = 0; i < l->chained; i++)
		give_ring(h, l->chain[i].offset, l->chain[i].class);
	h->ring_offset[index] = 0;
	HT_STORE_RELEASE(&s->state, HT_SLOT_FREE);
	h->free_slots[h->free_slot_count++] = index;
}

/* --- growing ------------------------------------------------------------------------------ */

uint64_t ht_lane_chained(const struct ht_lane *l)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < l->chained; i++)
		bytes += ht_ring_class_bytes(l->chain[i].class);
	return bytes;
}

static bool may_chain(const struct ht_host *h, unsigned class)
{
	return h->free_rings[class].count || h->map_bytes - h->used >= ht_ring_class_bytes(class) + h->map_bytes / RESERVE;
}

/* A bigger one, else another of the same size. */
static void offer(struct ht_host *h, struct ht_lane *l)
{
	unsigned class = l->chained ? l->chain[l->chained - 1].class : h->ring_class[l->index];
	if (HT_LOAD_RELAXED(&l->slot->offer))
		return;
	uint64_t offset = 0;
	if (l->chained < HT_CHAIN && class + 1u < HT_RING_CLASSES)
		offset = take_ring(h, class + 1u);
	if (offset)
		class++;
	else if (l->chained < HT_CHAIN && may_chain(h, class))
		offset = take_ring(h, class);
	if (!offset) {
		h->hungry = true;
		return;
	}
	l->chain[l->chained].offset = offset;
	l->chain[l->chained++].class = (uint8_t)class;
	ht_ring_offer(l->slot, offset, ht_ring_class_bytes(class));
}

void ht_host_offer(struct ht_collector *c, struct ht_host *h)
{
	if (!HT_LOAD_ACQUIRE(&h->seg->starving)) /* pairs with the writer's release */
		return;
	HT_STORE_RELAXED(&h->seg->starving, 0);
	for (size_t i = 0; i < c->lane_count; i++) {
		struct ht_lane *l = c->lanes[i];
		if (l->host != h || !HT_LOAD_RELAXED(&l->slot->starving))
			continue;
		HT_STORE_RELAXED(&l->slot->starving, 0);
		offer(h, l);
	}
}

static void unchain(struct ht_lane *l)
{
	l->chained--;
	memmove(&l->chain[0], &l->chain[1], l->chained * sizeof(l->chain[0]));
}

void ht_host_move(struct ht_host *h, struct ht_lane *l)
{
	unsigned class = l->chain[0].class;
	give_ring(h, h->ring_offset[l->index], h->ring_class[l->index]);
	h->ring_offset[l->index] = l->chain[0].offset;
	h->ring_class[l->index] = (uint8_t)class;
	ht_ring_reader_move(&l->reader, (uint8_t *)h->seg + l->chain[0].offset, ht_ring_class_bytes(class));
	unchain(l);
	l->linked = false;
}

/* --- the whole ---------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* The largest map, up to what was asked, that this process may make. */
static bool size_file(struct ht_host *h, uint64_t rings)
{
	h->slots_offset = (uint32_t)round_up(sizeof(struct ht_segment), 64);
	if (rings < FIRST_SPARES * HT_RING_MIN)
		rings = FIRST_SPARES * HT_RING_MIN;
	for (; rings >= FIRST_SPARES * HT_RING_MIN; rings /= 2) {
		uint64_t slots = rings / HT_RING_MIN;
		h->slot_count = slots < 64 ? 64 : slots > 4096 ? 4096 : (uint32_t)slots;
		h->used = round_up(h->slots_offset + h->slot_count * sizeof(struct ht_slot), PAGE);
		h->map_bytes = h->used + round_up(rings, PAGE);
		if (!ftruncate(h->fd, (off_t)h->map_bytes))
			return !fallocate(h->fd, 0, 0, (off_t)h->used);
		if (errno != EFBIG)
			return false;
	}
	return false;
}

static uint32_t options_of(const struct ht_collector *c)
{
	uint32_t o = c->settings->hook_options;
	if (!c->clock.tsc)
		o |= HT_OPT_NO_TSC;
	if (c->settings->follow & HT_FOLLOW_FORK)
		o |= HT_OPT_FOLLOW_FORK;
	if (c->settings->follow & HT_FOLLOW_EXEC)
		o |= HT_OPT_FOLLOW_EXEC;
	return o;
}

/* Of one image: the images of a trace choose apart, and the same again when the seed is given. */
static uint64_t seed_of(const struct ht_collector *c)
{
	uint64_t seed = c->settings->sample_seed;
	if (!seed && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = (uint64_t)getpid() << 32 ^ ht_clock_ticks();
	return seed + ((uint64_t)c->next_view << 32);
}

static void fill_header(struct ht_collector *c, struct ht_host *h)
{
	struct ht_segment *s = h->seg;
	s->map_bytes = h->map_bytes;
	s->slot_count = h->slot_count;
	s->slots_offset = h->slots_offset;
	s->options = options_of(c);
	s->stack_depth = c->settings->stack_depth;
	s->sample_bytes = c->settings->sample_bytes;
	s->sample_seed = seed_of(c);
	s->call_ticks = c->tick_ticks * HT_CALL_NS / 1000000;
	s->stall_ticks = c->tick_ticks * c->settings->stall_ns / 1000000;
	s->image_token = ++c->next_view;
	s->tick = HT_TICK_STALE;
	s->control = HT_CONTROL_RUN;
	s->heartbeat = 1;
	s->magic = HT_SEG_MAGIC;
}

struct ht_host *ht_host_new(struct ht_collector *c, struct ht_diag *d)
{
	struct ht_host *h = ht_xcalloc(1, sizeof(*h));
	h->fd = memfd_create("heaptide", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint64_t rings = c->settings->ring_memory ? c->settings->ring_memory : ht_collect_default_rings();
	if (h->fd < 0 || !size_file(h, rings))
		goto failed;
	h->seg = mmap(NULL, h->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
	if (h->seg == MAP_FAILED)
		goto failed;
	fcntl(h->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	fill_header(c, h);
	h->ring_offset = ht_xcalloc(h->slot_count, sizeof(*h->ring_offset));
	h->ring_class = ht_xcalloc(h->slot_count, sizeof(*h->ring_class));
	h->serial = ht_xcalloc(h->slot_count, sizeof(*h->serial));
	h->spares = ht_xcalloc(h->slot_count, sizeof(*h->spares));
	h->free_slots = ht_xcalloc(h->slot_count, sizeof(*h->free_slots));
	h->spare_target = FIRST_SPARES;
	ht_host_replenish(c, h);
	ht_beat_add(c->beat, h->seg);
	h->next = c->hosts;
	c->hosts = h;
	return h;
failed:
	ht_fail(d, HT_ERR_SYSTEM, "shared memory: %s%s", strerror(errno), errno == EFBIG ? " (ulimit -f)" : "");
	if (h->fd >= 0)
		close(h->fd);
	free(h);
	return NULL;
}

/* The kernel refuses to seal a file against writing while a writable mapping of it exists. Ours must go first. */
bool ht_host_mapped(struct ht_collector *c, struct ht_host *h)
{
	ht_beat_remove(c->beat, h->seg);
	munmap(h->seg, h->map_bytes);
	bool mapped = fcntl(h->fd, F_ADD_SEALS, F_SEAL_WRITE) && errno == EBUSY;
	h->seg = mmap(NULL, h->map_bytes, PROT_READ | (mapped ? PROT_WRITE : 0), mapped ? MAP_SHARED : MAP_PRIVATE,
		      h->fd, 0);
	if (h->seg == MAP_FAILED)
		h->seg = NULL;
	if (mapped && h->seg)
		ht_beat_add(c->beat, h->seg);
	return mapped && h->seg;
}

/* A slot that was claimed by nobody we heard of: what it counted and did not lose, it wrote after the end; or was killed before
 * it wrote the first. */
static void count_unheard(struct ht_trace_totals *t, const struct ht_slot *s)
{
	uint64_t lost_before = 0, lost = 0, counted = t->counted;
	for (unsigned i = 0; i < HT_RING_LOST_COUNT; i++)
		lost_before += t->lost[i];
	count_losses(t, s);
	for (unsigned i = 0; i < HT_RING_LOST_COUNT; i++)
		lost += t->lost[i];
	uint64_t unread = t->counted - counted - (lost - lost_before);
	if (unread >> 62)
		return;
	if (HT_LOAD_RELAXED(&s->head))
		t->lost[HT_LOST_AFTER_CLOSE] += unread;
	else
		t->counted -= unread;
}

/* Lanes are gone by now. */
void ht_host_free(struct ht_collector *c, struct ht_host *h)
{
	for (uint32_t i = 0; h->seg && i < h->spare_count; i++)
		count_unheard(c->totals, ht_host_slot(h, h->spares[i]));
	if (h->seg) {
		c->totals->exec_not_attached += HT_LOAD_RELAXED(&h->seg->exec_not_attached);
		c->totals->counted += HT_LOAD_RELAXED(&h->seg->counted);
		for (unsigned i = 0; i < HT_RING_LOST_COUNT; i++)
			c->totals->lost[i] += HT_LOAD_RELAXED(&h->seg->lost[i]);
	}
	for (struct ht_host **p = &c->hosts; *p; p = &(*p)->next)
		if (*p == h) {
			*p = h->next;
			break;
		}
	if (h->seg) {
		ht_beat_remove(c->beat, h->seg);
		munmap(h->seg, h->map_bytes);
	}
	close(h->fd);
	for (unsigned i = 0; i < HT_RING_CLASSES; i++)
		free(h->free_rings[i].offsets);
	free(h->ring_offset);
	free(h->ring_class);
	free(h->serial);
	free(h->spares);
	free(h->free_slots);
	free(h->forks);
	free(h);
}
