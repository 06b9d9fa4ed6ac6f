/* test_trace_model: see test_trace_model.h. */
#include "test_trace_model.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Appends; the array doubles whenever its count is a power of two. */
#define PUSH(array, count, value)                                                                  \
	do {                                                                                       \
		if (!((count) & ((count)-1)))                                                      \
			(array) =                                                                  \
			    ht_xrealloc((array), (count) ? 2 * (count) : 1, sizeof(*(array)));     \
		(array)[(count)++] = (value);                                                      \
	} while (0)

uint64_t model_random(struct model *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random * 0x2545f4914f6cdd1du;
}

static uint64_t below(struct model *m, uint64_t n)
{
	return n ? (model_random(m) >> 11) % n : 0;
}

/* Small mostly, huge at times: all lengths of varint. */
static uint64_t any_number(struct model *m)
{
	return model_random(m) >> below(m, 64);
}

static uint32_t add_string(struct model *m, struct ht_trace_writer *w)
{
	char text[80];
	size_t n = 1 + below(m, sizeof(text) - 1);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)model_random(m); /* NULs, too */
	char *copy = ht_xcalloc(n + 1, 1);
	memcpy(copy, text, n);
	size_t count = m->string_count;
	PUSH(m->strings, count, copy);
	PUSH(m->string_lengths, m->string_count, n);
	uint32_t id = ht_trace_writer_string(w, text, n);
	assert_int_equal(id, m->string_count - 1);
	return id;
}

static uint32_t some_string(struct model *m)
{
	return (uint32_t)below(m, m->string_count);
}

static void add_image(struct model *m, struct ht_trace_writer *w)
{
	struct ht_image i = {
	    .pid = (uint32_t)any_number(m),
	    .parent = (uint32_t)below(m, m->image_count + 1),
	    .kind = m->image_count ? HT_IMAGE_EXEC : HT_IMAGE_FIRST,
	    .exe = some_string(m),
	    .argv = some_string(m),
	    .start_ns = 5,
	    .end_ns = below(m, 2) ? UINT64_MAX : 5 + (any_number(m) >> 20),
	    .wait_status = below(m, 2) ? -1 : (int32_t)below(m, 65536),
	};
	assert_int_equal(ht_trace_writer_image(w, &i), m->image_count);
	PUSH(m->images, m->image_count, i);
}

static void add_thread(struct model *m, struct ht_trace_writer *w)
{
	struct ht_thread_info t = {
	    .image = (uint32_t)below(m, m->image_count),
	    .tid = (uint32_t)any_number(m),
	    .serial = any_number(m),
	    .start_ns = any_number(m),
	    .end_ns = below(m, 2) ? UINT64_MAX : any_number(m),
	    .name = some_string(m),
	    .start_routine = (uint32_t)below(m, m->node_count),
	};
	assert_int_equal(ht_trace_writer_thread(w, &t), m->thread_count);
	size_t count = m->thread_count;
	PUSH(m->threads, count, t);
	PUSH(m->thread_time, m->thread_count, UINT64_MAX);
}

static void add_module(struct model *m, struct ht_trace_writer *w)
{
	struct ht_module o = {
	    .path = some_string(m),
	    .build_id_len = (uint8_t)below(m, HT_BUILD_ID_MAX + 1),
	    .size = any_number(m),
	    .bias = any_number(m),
	    .image = (uint32_t)below(m, m->image_count),
	    .text_vaddr = any_number(m),
	    .text_size = any_number(m),
	    .text_offset = any_number(m),
	};
	for (unsigned i = 0; i < o.build_id_len; i++)
		o.build_id[i] = (uint8_t)model_random(m);
	assert_int_equal(ht_trace_writer_module(w, &o), m->module_count);
	PUSH(m->modules, m->module_count, o);
}

static void add_node(struct model *m, struct ht_trace_writer *w)
{
	struct ht_stack_node n = {
	    .parent = (uint32_t)below(m, m->node_count),
	    .module = (uint32_t)below(m, m->module_count + 1),
	    .address = any_number(m),
	    .cfa_delta = (uint32_t)any_number(m),
	    .flags = (uint8_t)below(m, 4),
	    .end = (uint8_t)below(m, 7),
	};
	assert_int_equal(ht_trace_writer_node(w, &n), m->node_count);
	PUSH(m->nodes, m->node_count, n);
}

static void add_dictionaries(struct model *m, struct ht_trace_writer *w)
{
	for (unsigned i = 0; i < 5; i++)
		add_string(m, w);
	if (m->image_count < m->o.images)
		add_image(m, w);
	add_module(m, w);
	for (unsigned i = 0; i < 20; i++)
		add_node(m, w);
	if (m->thread_count < m->o.threads)
		add_thread(m, w);
	if (!below(m, 3)) {
		uint32_t id = (uint32_t)below(m, m->image_count);
		m->images[id].wait_status = (int32_t)below(m, 65536);
		ht_trace_writer_image_update(w, id, &m->images[id]);
		id = (uint32_t)below(m, m->thread_count);
		m->threads[id].name = some_string(m);
		ht_trace_writer_thread_update(w, id, &m->threads[id]);
	}
	struct ht_sample s = {.time = any_number(m) >> 8,
			      .image = (uint32_t)below(m, m->image_count),
			      .rss_bytes = any_number(m),
			      .threads = (uint32_t)any_number(m)};
	ht_trace_writer_sample(w, &s);
	PUSH(m->samples, m->sample_count, s);
}

/* --- events ----------------------------------------------------------------------------------- */

static struct ht_event base_event(struct model *m, uint32_t thread, bool stamped)
{
	struct ht_event e = {.thread = thread, .stamped = stamped, .new_machine = !below(m, 5)};
	uint64_t unit = m->o.time_unit_ns;
	e.stack = (uint32_t)below(m, m->node_count);
	if (m->thread_time[thread] == UINT64_MAX || stamped) {
		m->now += below(m, 3000);
		/* threads may step back by up to a millisecond */
		e.time = m->now - (m->now > 1000000 && !below(m, 9) ? below(m, 1000000) : 0);
		m->thread_time[thread] = e.time / unit * unit;
	}
	return e;
}

static void emit(struct model *m, struct ht_trace_writer *w, struct ht_event *e)
{
	/* an unstamped event's time is the writer's to know, but for a thread's first */
	uint64_t seq = ht_trace_writer_event(w, e);
	if (ht_op_is_birth(e->op)) {
		assert_int_equal(seq, m->next_seq);
		m->next_seq++;
	}
	e->time = m->thread_time[e->thread];
	if (ht_op_is_birth(e->op) && !m->o.addresses && !e->unpaired)
		e->address = 0;
	m->totals.events++;
	PUSH(m->events, m->event_count, *e);
}

static void model_birth(struct model *m, struct ht_trace_writer *w, uint32_t thread,
			bool realloc_half)
{
	static const uint8_t ops[] = {HT_OP_MALLOC, HT_OP_CALLOC, HT_OP_ALIGNED, HT_OP_NEW,
				      HT_OP_REALLOC};
	struct ht_event e = base_event(m, thread, below(m, 10) != 0);
	e.op = realloc_half ? HT_OP_REALLOC : ops[below(m, 5)];
	e.size = any_number(m);
	m->next_address += 16 * (1 + below(m, 1000));
	e.address = m->next_address + (m->o.odd_addresses ? below(m, 16) : 0);
	if (!below(m, 200))
		e.address = m->next_address =
		    m->next_address * 2 / 3 * 2 / 16 * 16 + 0x7f0000000000;
	e.unpaired = !below(m, 20);
	if (e.op == HT_OP_ALIGNED || e.op == HT_OP_NEW)
		e.extra = any_number(m);
	m->totals.births++;
	m->totals.requested_bytes += e.size;
	struct model_block block = {m->next_seq, e.address, m->threads[thread].image, e.unpaired};
	emit(m, w, &e);
	PUSH(m->live, m->live_count, block);
}

static void model_death(struct model *m, struct ht_trace_writer *w, uint32_t thread)
{
	static const uint8_t ops[] = {HT_OP_FREE, HT_OP_DELETE, HT_OP_IMPLIED_FREE,
				      HT_OP_REALLOC_FREE};
	size_t which = below(m, 3) ? m->live_count - 1 : below(m, m->live_count);
	struct model_block block = m->live[which];
	if (block.image != m->threads[thread].image)
		return;
	struct ht_event e = base_event(m, thread, !below(m, 8));
	unsigned choice = (unsigned)below(m, 4);
	e.op = ops[choice];
	e.seq = block.seq;
	if (block.unpaired) {
		e.op = choice == 3 ? HT_OP_REALLOC_FREE_UNKNOWN : HT_OP_FREE_UNKNOWN;
		e.seq = 0;
		e.address = block.address;
	}
	m->totals.deaths += ht_op_is_death(e.op);
	emit(m, w, &e);
	m->live[which] = m->live[--m->live_count];
	if (choice != 3)
		return;
	unsigned follows = (unsigned)below(m, 3); /* a new block, nothing, or it failed */
	if (follows == 0)
		model_birth(m, w, thread, true);
	if (follows != 2)
		return;
	struct ht_event undo = base_event(m, thread, false);
	undo.op = HT_OP_REALLOC_UNDO;
	emit(m, w, &undo);
	PUSH(m->live, m->live_count, block);
}

static void model_other(struct model *m, struct ht_trace_writer *w, uint32_t thread)
{
	static const uint8_t ops[] = {HT_OP_FREE_UNKNOWN, HT_OP_REALLOC_FREE_UNKNOWN,
				      HT_OP_FAILED,	  HT_OP_MMAP,
				      HT_OP_MUNMAP,	  HT_OP_MREMAP,
				      HT_OP_BRK,	  HT_OP_THREAD_START,
				      HT_OP_THREAD_EXIT,  HT_OP_FORK,
				      HT_OP_IMAGE_START,  HT_OP_MARK,
				      HT_OP_REGION_BEGIN,
				      HT_OP_REGION_END,	  HT_OP_TASK,
				      HT_OP_LOG,	  HT_OP_PAUSE};
	struct ht_event e = base_event(m, thread, !below(m, 2));
	e.op = ops[below(m, HT_ARRAY_SIZE(ops))];
	unsigned has = ht_op_info[e.op].columns;
	if (has & HT_OP_HAS_ADDRESS)
		e.address = any_number(m) | 1ULL << 63; /* nobody's block */
	if (has & HT_OP_HAS_SIZE)
		e.size = any_number(m);
	if (has & HT_OP_HAS_EXTRA)
		e.extra = any_number(m);
	if (has & HT_OP_HAS_EXTRA2)
		e.extra2 = any_number(m);
	if (has & HT_OP_EXTRA_STRING)
		e.extra = some_string(m);
	if (has & HT_OP_EXTRA2_STRING)
		e.extra2 = some_string(m);
	if (e.op == HT_OP_THREAD_START)
		e.extra = below(m, m->thread_count + 1);
	emit(m, w, &e);
}

void model_write(struct model *m, const struct model_options *o, int fd, bool finish)
{
	static const struct ht_trace_settings settings = {
	    .start_utc_ns = 1700000000123456789u,
	    .start_monotonic_ns = 42,
	    .start_boottime_ns = 43,
	    .sample_bytes = 0,
	    .free_stacks = true,
	    .stack_depth = 256,
	    .clock = "tsc",
	    .sched = "",
	    .command = "prog\0--flag\0",
	    .hostname = "host",
	    .flags = "shadowed_by=libfoo.so",
	};
	struct ht_diag d;
	memset(m, 0, sizeof(*m));
	m->o = *o;
	m->random = o->seed * 0x9e3779b97f4a7c15u + 1;
	m->settings = settings;
	m->settings.addresses = o->addresses;
	m->settings.time_unit_ns = o->time_unit_ns;
	m->next_address = 0x555500000000;
	m->string_count = m->node_count = 1;
	m->strings = ht_xcalloc(1, sizeof(*m->strings));
	m->strings[0] = ht_xstrdup("");
	m->string_lengths = ht_xcalloc(1, sizeof(size_t));
	m->nodes = ht_xcalloc(1, sizeof(*m->nodes));
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &m->settings, &d);
	assert_non_null(w);
	for (unsigned i = 0; i < (o->dictionary_every ? 1 : o->threads + o->images); i++)
		add_dictionaries(m, w);
	for (size_t i = 0; m->event_count < o->events; i++) {
		if (o->dictionary_every && i % o->dictionary_every == 0)
			add_dictionaries(m, w);
		uint32_t thread = (uint32_t)below(m, m->thread_count);
		uint64_t dice = below(m, 20);
		if (dice < 10 || !m->live_count)
			model_birth(m, w, thread, false);
		else if (dice < 18)
			model_death(m, w, thread);
		else
			model_other(m, w, thread);
		if (o->flush_every && i % o->flush_every == o->flush_every - 1)
			assert_int_equal(ht_trace_writer_flush(w, &d), 0);
	}
	m->totals.counted = m->totals.recorded = m->event_count;
	m->totals.blocked_ns = 77;
	if (finish) {
		assert_int_equal(ht_trace_writer_finish(w, &m->totals, 256, &d), 0);
	} else {
		assert_int_equal(ht_trace_writer_flush(w, &d), 0);
		ht_trace_writer_abandon(w);
	}
}

void model_release(struct model *m)
{
	for (size_t i = 0; i < m->string_count; i++)
		free(m->strings[i]);
	free(m->strings);
	free(m->string_lengths);
	free(m->events);
	free(m->nodes);
	free(m->modules);
	free(m->threads);
	free(m->thread_time);
	free(m->images);
	free(m->samples);
	free(m->live);
	memset(m, 0, sizeof(*m));
}

/* --- comparing ---------------------------------------------------------------------------------
 */

static void compare_event(const struct ht_event *a, const struct ht_event *b, size_t i)
{
	if (a->op == b->op && a->stamped == b->stamped && a->new_machine == b->new_machine &&
	    a->unpaired == b->unpaired && a->thread == b->thread && a->stack == b->stack &&
	    a->time == b->time && a->seq == b->seq && a->address == b->address &&
	    a->size == b->size && a->extra == b->extra && a->extra2 == b->extra2)
		return;
	fail_msg("event %zu: op %u/%u thread %u/%u stack %u/%u time %llu/%llu seq %llu/%llu "
		 "address %llx/%llx size "
		 "%llu/%llu extra %llu/%llu",
		 i, a->op, b->op, a->thread, b->thread, a->stack, b->stack,
		 (unsigned long long)a->time, (unsigned long long)b->time,
		 (unsigned long long)a->seq, (unsigned long long)b->seq,
		 (unsigned long long)a->address, (unsigned long long)b->address,
		 (unsigned long long)a->size, (unsigned long long)b->size,
		 (unsigned long long)a->extra, (unsigned long long)b->extra);
}

void model_compare_events(const struct model *m, const struct ht_trace *t, size_t count)
{
	struct ht_events events = {0};
	struct ht_diag d;
	size_t at = 0;
	for (size_t i = 0; i < ht_trace_block_count(t); i++) {
		if (ht_trace_block_decode(t, i, &events, &d))
			fail_msg("%s", d.text);
		assert_true(at + events.count <= m->event_count);
		for (size_t n = 0; n < events.count; n++, at++)
			compare_event(&m->events[at], &events.items[n], at);
	}
	assert_int_equal(at, count);
	ht_events_release(&events);
}

#define SAME(a, b, field) assert_int_equal((a)->field, (b)->field)

static void compare_images(const struct model *m, const struct ht_trace *t)
{
	assert_int_equal(ht_trace_image_count(t), m->image_count);
	for (uint32_t i = 0; i < m->image_count; i++) {
		const struct ht_image *a = &m->images[i], *b = ht_trace_image(t, i);
		SAME(a, b, pid);
		SAME(a, b, parent);
		SAME(a, b, kind);
		SAME(a, b, fork_number);
		SAME(a, b, exe);
		SAME(a, b, argv);
		SAME(a, b, start_ns);
		SAME(a, b, end_ns);
		SAME(a, b, wait_status);
	}
}

static void compare_threads(const struct model *m, const struct ht_trace *t)
{
	assert_int_equal(ht_trace_thread_count(t), m->thread_count);
	for (uint32_t i = 0; i < m->thread_count; i++) {
		const struct ht_thread_info *a = &m->threads[i], *b = ht_trace_thread(t, i);
		SAME(a, b, image);
		SAME(a, b, tid);
		SAME(a, b, serial);
		SAME(a, b, start_ns);
		SAME(a, b, end_ns);
		SAME(a, b, name);
		SAME(a, b, start_routine);
	}
}

static void compare_modules(const struct model *m, const struct ht_trace *t)
{
	assert_int_equal(ht_trace_module_count(t), m->module_count);
	for (uint32_t i = 0; i < m->module_count; i++) {
		const struct ht_module *a = &m->modules[i], *b = ht_trace_module(t, i);
		SAME(a, b, path);
		SAME(a, b, build_id_len);
		assert_memory_equal(a->build_id, b->build_id, HT_BUILD_ID_MAX);
		SAME(a, b, size);
		SAME(a, b, bias);
		SAME(a, b, image);
		SAME(a, b, text_vaddr);
		SAME(a, b, text_size);
		SAME(a, b, text_offset);
	}
}

static void compare_nodes(const struct model *m, const struct ht_trace *t)
{
	assert_int_equal(ht_trace_node_count(t), m->node_count);
	for (uint32_t i = 0; i < m->node_count; i++) {
		const struct ht_stack_node *a = &m->nodes[i], *b = &ht_trace_nodes(t)[i];
		SAME(a, b, parent);
		SAME(a, b, module);
		SAME(a, b, address);
		SAME(a, b, cfa_delta);
		SAME(a, b, flags);
		SAME(a, b, end);
	}
}

void model_compare_dictionaries(const struct model *m, const struct ht_trace *t)
{
	for (uint32_t i = 0; i < m->string_count; i++) {
		size_t n;
		const char *s = ht_trace_string(t, i, &n);
		assert_int_equal(n, m->string_lengths[i]);
		assert_memory_equal(s, m->strings[i], n + 1);
	}
	assert_string_equal(ht_trace_string(t, (uint32_t)m->string_count, NULL), "");
	compare_images(m, t);
	compare_threads(m, t);
	compare_modules(m, t);
	compare_nodes(m, t);
	assert_int_equal(ht_trace_sample_count(t), m->sample_count);
	for (size_t i = 0; i < m->sample_count; i++) {
		const struct ht_sample *a = &m->samples[i], *b = &ht_trace_samples(t)[i];
		SAME(a, b, time);
		SAME(a, b, image);
		SAME(a, b, rss_bytes);
		SAME(a, b, threads);
	}
}

/* --- files -------------------------------------------------------------------------------------
 */

int model_file(const void *bytes, size_t n)
{
	int fd = memfd_create("trace", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ht_write_all(fd, bytes, n), 0);
	return fd;
}

int model_open(struct ht_trace **t, const void *bytes, size_t n, struct ht_diag *d)
{
	return ht_trace_open_fd(t, model_file(bytes, n), "test.tide", d);
}

uint8_t *model_bytes(int fd, size_t *n)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	*n = (size_t)st.st_size;
	uint8_t *p = ht_xmalloc(*n);
	assert_int_equal(ht_pread_all(fd, p, *n, 0), (int64_t)*n);
	return p;
}

int model_reopen(struct ht_trace **t, int fd, struct ht_diag *d)
{
	return ht_trace_open_fd(t, dup(fd), "test.tide", d);
}
