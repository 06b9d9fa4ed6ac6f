/*
 * analyze: random traces against brute force. The model keeps each block's life as intervals of
 * positions and, for every question, asks every block at every position: slow, and without any of
 * the ideas that the analysis is built on.
 */
#include <stdlib.h>
#include <string.h>

#include "analyze_fixture.h"

#define BLOCKS 600
#define EVENTS 1500
#define SITES 7
#define THREADS 5
#define IMAGES 3

struct life {
	uint64_t seq, size;
	unsigned site, thread, image;
	int from[3], to[3]; /* live after the events from[i] .. to[i] - 1 */
	int spans;
	bool dead, temporary;
	int died; /* position, when dead */
	unsigned births_at_birth;
};

struct model {
	struct fixture f;
	struct life blocks[BLOCKS];
	int block_count, position;
	uint64_t times[EVENTS + 64];
	unsigned births[THREADS];
	uint32_t nodes[SITES];
	unsigned ended; /* image that ended, IMAGES = none */
	unsigned seed;
};

static unsigned pick(struct model *m, unsigned n)
{
	m->seed = m->seed * 1103515245 + 12345;
	return (m->seed >> 16) % n;
}

static unsigned image_of(unsigned thread)
{
	return thread % IMAGES;
}

static void tick(struct model *m)
{
	m->times[m->position++] = m->f.now;
	m->f.now += pick(m, 3) * 500;
}

static void birth(struct model *m, unsigned thread, unsigned op)
{
	struct life *b = &m->blocks[m->block_count++];
	*b = (struct life){.site = pick(m, SITES), .thread = thread, .image = image_of(thread), .spans = 1};
	b->size = pick(m, 4) ? pick(m, 200) : 64;
	b->from[0] = m->position;
	b->to[0] = EVENTS + 64;
	b->births_at_birth = ++m->births[thread];
	struct ht_event e = {.op = (uint8_t)op, .thread = thread, .stack = m->nodes[b->site], .size = b->size};
	e.stamped = true;
	e.address = 0x1000 + (uint64_t)m->block_count * 16;
	e.time = m->f.now;
	m->f.now += 1000;
	b->seq = ht_trace_writer_event(m->f.writer, &e);
	m->f.now -= 1000;
	tick(m);
}

static struct life *live_block(struct model *m, unsigned image)
{
	for (int tries = 0; tries < 20 && m->block_count; tries++) {
		struct life *b = &m->blocks[m->block_count - 1 - (int)pick(m, (unsigned)(m->block_count < 40 ? m->block_count : 40))];
		if (!b->dead && b->image == image)
			return b;
	}
	return NULL;
}

static void death(struct model *m, struct life *b, unsigned thread, unsigned op)
{
	b->dead = true;
	b->died = m->position;
	b->to[b->spans - 1] = m->position;
	b->temporary = thread == b->thread && m->births[thread] - b->births_at_birth <= 1;
	struct ht_event e = {.op = (uint8_t)op, .thread = thread, .stack = m->nodes[0], .seq = b->seq, .time = m->f.now, .stamped = true};
	ht_trace_writer_event(m->f.writer, &e);
	tick(m);
}

static void undo(struct model *m, struct life *b, unsigned thread)
{
	struct ht_event e = {.op = HT_OP_REALLOC_UNDO, .thread = thread, .time = m->f.now, .stamped = true};
	b->dead = b->temporary = false;
	b->from[b->spans] = m->position;
	b->to[b->spans++] = EVENTS + 64;
	ht_trace_writer_event(m->f.writer, &e);
	tick(m);
}

static void end_image(struct model *m, unsigned image)
{
	m->ended = image;
	for (int i = 0; i < m->block_count; i++)
		if (m->blocks[i].image == image && !m->blocks[i].dead)
			m->blocks[i].to[m->blocks[i].spans - 1] = m->position;
	struct ht_image *x = &m->f.images[image];
	x->end_ns = m->f.now;
	x->wait_status = 0;
	struct ht_event e = {.op = HT_OP_IMAGE_END, .thread = image, .time = m->f.now, .stamped = true};
	ht_trace_writer_event(m->f.writer, &e);
	ht_trace_writer_image_update(m->f.writer, image, x);
	tick(m);
}

static void one_step(struct model *m)
{
	unsigned thread = pick(m, THREADS), what = pick(m, 100);
	if (image_of(thread) == m->ended)
		return;
	if (what < 46) {
		birth(m, thread, HT_OP_MALLOC + pick(m, 4));
		return;
	}
	struct life *b = live_block(m, image_of(thread));
	if (!b)
		return;
	if (what < 86) {
		death(m, b, thread, pick(m, 2) ? HT_OP_FREE : HT_OP_DELETE);
	} else if (what < 94) {
		death(m, b, thread, HT_OP_REALLOC_FREE);
		birth(m, thread, HT_OP_REALLOC);
	} else if (b->spans < 3) {
		death(m, b, thread, HT_OP_REALLOC_FREE);
		unsigned other = (thread + 1) % THREADS;
		if (image_of(other) != m->ended)
			birth(m, other, HT_OP_CALLOC);
		undo(m, b, thread);
	}
	if (pick(m, 200) == 0)
		fixture_cut(&m->f);
}

static void make(struct model *m, unsigned seed)
{
	*m = (struct model){.seed = seed, .ended = IMAGES};
	fixture_begin(&m->f);
	for (unsigned i = 0; i < IMAGES; i++)
		fixture_image(&m->f, 100 + i, i ? 1 : 0, 0);
	for (unsigned i = 0; i < THREADS; i++)
		fixture_thread(&m->f, image_of(i), 200 + i, "");
	for (unsigned i = 0; i < SITES; i++)
		m->nodes[i] = fixture_node(&m->f, 0, 0, 0x1000 + i * 16);
	while (m->position < EVENTS - 8 && m->block_count < BLOCKS - 4) {
		one_step(m);
		if (m->position > EVENTS / 2 && m->ended == IMAGES)
			end_image(m, 1);
	}
	fixture_open(&m->f);
}

/* --- brute force -------------------------------------------------------------------------- */

struct question {
	int from, to; /* positions of the population: births in [from, to), nothing after to */
	int thread;   /* -1 all */
	int image, site;
};

static bool in(const struct question *q, const struct life *b)
{
	return b->from[0] >= q->from && b->from[0] < q->to && (q->thread < 0 || (int)b->thread == q->thread) &&
	       (q->image < 0 || (int)b->image == q->image) && (q->site < 0 || (int)b->site == q->site);
}

static bool live(const struct life *b, int position)
{
	for (int i = 0; i < b->spans; i++)
		if (position >= b->from[i] && position < b->to[i])
			return true;
	return false;
}

static uint64_t level(const struct model *m, const struct question *q, int position, uint64_t *objects)
{
	uint64_t bytes = 0;
	*objects = 0;
	for (int i = 0; i < m->block_count; i++)
		if (in(q, &m->blocks[i]) && live(&m->blocks[i], position)) {
			bytes += m->blocks[i].size;
			++*objects;
		}
	return bytes;
}

static int peak_of(const struct model *m, const struct question *q, uint64_t *bytes)
{
	int at = -1;
	*bytes = 0;
	for (int p = q->from; p < q->to; p++) {
		uint64_t objects, now = level(m, q, p, &objects);
		if (now > *bytes) {
			*bytes = now;
			at = p;
		}
	}
	return at;
}

static void check_counters(const struct model *m, const struct question *q, int peak, const struct ht_counters *c,
			   int instant)
{
	uint64_t allocs = 0, bytes = 0, frees = 0, temporary = 0, left = 0, left_bytes = 0, objects, own;
	for (int i = 0; i < m->block_count; i++) {
		const struct life *b = &m->blocks[i];
		if (!in(q, b))
			continue;
		bool dead = b->dead && b->died < q->to;
		allocs++;
		bytes += b->size;
		frees += dead;
		temporary += dead && b->temporary;
		left += !dead;
		left_bytes += dead ? 0 : b->size;
	}
	assert_int_equal(c->allocs, allocs);
	assert_int_equal(c->bytes, bytes);
	assert_int_equal(c->frees, frees);
	assert_int_equal(c->temporary, temporary);
	assert_int_equal(c->leaked_objects, left);
	assert_int_equal(c->leaked_bytes, left_bytes);
	assert_int_equal(c->peak_bytes, peak < 0 ? 0 : level(m, q, peak, &objects));
	assert_int_equal(c->peak_objects, peak < 0 ? 0 : objects);
	int own_at = peak_of(m, q, &own);
	assert_int_equal(c->own_peak_bytes, own);
	if (own_at >= 0)
		assert_int_equal(c->own_peak_time_ns, m->times[own_at]);
	if (instant >= 0) {
		assert_int_equal(c->live_bytes, level(m, q, instant, &objects));
		assert_int_equal(c->live_objects, objects);
	}
}

static void check(struct model *m, struct question q, const struct ht_analysis_options *o, int instant)
{
	struct ht_analysis *a = fixture_analyze(&m->f, o);
	uint64_t bytes;
	int peak = peak_of(m, &q, &bytes);
	q.image = q.site = -1;
	check_counters(m, &q, peak, &a->totals.c, instant);
	if (peak >= 0)
		assert_int_equal(a->totals.peak_time_ns, m->times[peak]);
	for (q.image = 0; q.image < IMAGES; q.image++)
		check_counters(m, &q, peak, &a->images[q.image].c, instant);
	q.image = -1;
	struct ht_rows rows;
	uint64_t sum = 0;
	ht_analysis_rows(a, HT_METRIC_PEAK, false, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		for (q.site = 0; q.site < SITES && m->nodes[q.site] != rows.items[i].node;)
			q.site++;
		check_counters(m, &q, peak, &rows.items[i].self, instant);
		sum += rows.items[i].self.peak_bytes;
	}
	assert_int_equal(sum, bytes);
	assert_int_equal(rows.sum.peak_bytes, bytes);
	assert_int_equal(rows.sum.allocs, a->totals.c.allocs);
	assert_int_equal(a->totals.c.allocs, a->totals.c.frees + a->totals.c.leaked_objects);
	ht_rows_release(&rows);
	ht_analysis_free(a);
}

/* The position in front of the first event later than ns. */
static int position_after(const struct model *m, uint64_t ns)
{
	int p = 0;
	while (p < m->position && m->times[p] <= ns)
		p++;
	return p;
}

static int position_of(const struct model *m, uint64_t ns)
{
	int p = 0;
	while (p < m->position && m->times[p] < ns)
		p++;
	return p;
}

static void random_traces(void **state)
{
	(void)state;
	static struct model m;
	for (unsigned seed = 1; seed <= 12; seed++) {
		make(&m, seed * 7919);
		struct ht_analysis_options o;
		struct question all = {0, m.position, -1, -1, -1};
		ht_analysis_options_init(&o);
		o.sites = true;
		o.by = seed % 2 ? HT_BY_STACK : HT_BY_LINE;
		o.jobs = seed % 3;
		check(&m, all, &o, -1);
		struct question one = all;
		one.thread = (int)(seed % THREADS);
		char tid[16] = "200";
		tid[2] = (char)('0' + one.thread);
		o.selection.thread = tid;
		check(&m, one, &o, -1);
		o.selection.thread = NULL;
		uint64_t from = m.times[m.position / 4], to = m.times[m.position * 3 / 4], at = m.times[m.position / 3];
		o.selection.from_ns = from;
		o.selection.to_ns = to;
		o.selection.at = HT_AT_TIME;
		o.selection.at_ns = at;
		struct question window = {position_of(&m, from), position_after(&m, to), -1, -1, -1};
		check(&m, window, &o, position_after(&m, at) - 1);
		o.selection.at = HT_AT_PEAK;
		uint64_t bytes;
		check(&m, window, &o, peak_of(&m, &window, &bytes));
		fixture_end(&m.f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_traces)};
	return cmocka_run_group_tests_name("analyze against brute force", tests, NULL, NULL);
}
