/* analyze_fixture: see analyze_fixture.h. */
#include "analyze_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fixture_begin(struct fixture *f)
{
	const struct ht_trace_settings settings = {
		.start_utc_ns = UINT64_C(1700000000000000000),
		.time_unit_ns = 1,
		.addresses = true,
		.free_stacks = true,
		.stack_depth = 256,
		.clock = "tsc",
		.sched = "",
		.command = "./program\0--flag\0",
		.hostname = "somewhere",
		.flags = "",
	};
	*f = (struct fixture){.fd = memfd_create("trace", 0), .now = 1000, .address = 0x10000};
	assert_true(f->fd >= 0);
	struct ht_diag d;
	f->writer = ht_trace_writer_new(f->fd, &settings, &d);
	assert_non_null(f->writer);
}

struct ht_trace *fixture_open(struct fixture *f)
{
	struct ht_diag d;
	struct ht_trace_totals totals = {0};
	char path[64];
	memcpy(totals.lost, f->lost, sizeof(totals.lost));
	assert_int_equal(ht_trace_writer_finish(f->writer, &totals, 0, &d), 0);
	f->writer = NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	if (ht_trace_open(&f->trace, path, &d) < 0)
		fail_msg("%s", d.text);
	assert_string_equal(ht_trace_verdict_text(f->trace), "");
	return f->trace;
}

void fixture_end(struct fixture *f)
{
	if (f->trace)
		ht_trace_close(f->trace);
	close(f->fd);
}

uint32_t fixture_string(struct fixture *f, const char *s)
{
	return *s ? ht_trace_writer_string(f->writer, s, strlen(s)) : 0;
}

uint32_t fixture_image(struct fixture *f, uint32_t pid, uint32_t parent_plus_1, uint64_t fork_number)
{
	struct ht_image m = {
		.pid = pid,
		.parent = parent_plus_1,
		.kind = fork_number ? HT_IMAGE_FORK : parent_plus_1 ? HT_IMAGE_EXEC : HT_IMAGE_FIRST,
		.fork_number = fork_number,
		.start_ns = f->now,
		.end_ns = UINT64_MAX,
		.wait_status = -1,
	};
	uint32_t id = ht_trace_writer_image(f->writer, &m);
	assert_true(id < HT_ARRAY_SIZE(f->images));
	f->images[id] = m;
	return id;
}

uint32_t fixture_thread(struct fixture *f, uint32_t image, uint32_t tid, const char *name)
{
	struct ht_thread_info t = {
		.image = image,
		.tid = tid,
		.serial = f->thread_count,
		.start_ns = f->now,
		.end_ns = UINT64_MAX,
		.name = fixture_string(f, name),
	};
	uint32_t id = ht_trace_writer_thread(f->writer, &t);
	assert_true(id < HT_ARRAY_SIZE(f->threads));
	f->threads[id] = t;
	f->thread_count = id + 1;
	return id;
}

uint32_t fixture_module(struct fixture *f, const char *path, const char *build_id)
{
	struct ht_module m = {
		.path = fixture_string(f, path),
		.build_id_len = (uint8_t)strlen(build_id),
		.size = 0x100000,
		.bias = 0x555555000000,
		.text_vaddr = 0x1000,
		.text_size = 0xff000,
		.text_offset = 0x1000,
	};
	memcpy(m.build_id, build_id, strlen(build_id));
	return ht_trace_writer_module(f->writer, &m);
}

uint32_t fixture_node(struct fixture *f, uint32_t parent, uint32_t module, uint64_t address)
{
	const struct ht_stack_node n = {.parent = parent, .module = module, .address = address};
	return ht_trace_writer_node(f->writer, &n);
}

static uint64_t put(struct fixture *f, struct ht_event *e)
{
	e->time = f->now;
	e->stamped = true;
	f->now += 1000;
	return ht_trace_writer_event(f->writer, e);
}

uint64_t fixture_birth_at(struct fixture *f, uint32_t thread, uint32_t stack, uint64_t size, uint64_t address,
			  bool unpaired)
{
	struct ht_event e = {
		.op = HT_OP_MALLOC,
		.thread = thread,
		.stack = stack,
		.size = size,
		.address = address,
		.unpaired = unpaired,
	};
	return put(f, &e);
}

uint64_t fixture_birth(struct fixture *f, uint32_t thread, uint32_t stack, uint64_t size)
{
	f->address += 0x1000;
	return fixture_birth_at(f, thread, stack, size, f->address, false);
}

void fixture_death(struct fixture *f, uint32_t thread, uint32_t stack, uint64_t seq)
{
	fixture_event(f, HT_OP_FREE, thread, stack, seq);
}

uint64_t fixture_event(struct fixture *f, unsigned op, uint32_t thread, uint32_t stack, uint64_t v)
{
	struct ht_event e = {.op = (uint8_t)op, .thread = thread, .stack = stack};
	uint8_t columns = ht_op_info[op].columns;
	if (columns & HT_OP_HAS_FREED)
		e.seq = v;
	else if (columns & HT_OP_HAS_ADDRESS)
		e.address = v;
	else if (columns & HT_OP_HAS_SIZE)
		e.size = v;
	else
		e.extra = v;
	if (columns & HT_OP_HAS_BIRTH)
		e.address = f->address += 0x1000;
	return put(f, &e);
}

void fixture_image_end(struct fixture *f, uint32_t image, uint32_t thread)
{
	struct ht_image *m = &f->images[image];
	m->end_ns = f->now;
	m->wait_status = 0;
	fixture_event(f, HT_OP_IMAGE_END, thread, 0, 1);
	ht_trace_writer_image_update(f->writer, image, m);
}

void fixture_cut(struct fixture *f)
{
	assert_int_equal(ht_trace_writer_flush(f->writer, NULL), 0);
}

struct ht_analysis *fixture_analyze(struct fixture *f, const struct ht_analysis_options *o)
{
	struct ht_analysis *a = NULL;
	struct ht_diag d;
	if (ht_analyze(&a, f->trace, o, &d) < 0)
		fail_msg("%s", d.text);
	return a;
}

struct ht_analysis *fixture_stacks(struct fixture *f)
{
	struct ht_analysis_options o;
	ht_analysis_options_init(&o);
	o.other_passes = ht_no_passes;
	return fixture_analyze(f, &o);
}
