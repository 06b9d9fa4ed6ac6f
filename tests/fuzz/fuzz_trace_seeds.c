/*
 * fuzz_trace_seeds DIRECTORY: writes the seeds of the trace fuzzers, small traces that differ in
 * what they hold, into DIRECTORY/trace_file, and each of their blocks, unpacked, into
 * DIRECTORY/trace_block. The files are kept under testdata/corpus/trace, so that traces of every
 * released version stay there; this program says how they came to be.
 */
#include "trace.h"
#include "trace_checkpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *directory;
static uint32_t asked; /* for, as the next header says */

static struct ht_trace_writer *begin(int *fd, const char *name, bool addresses)
{
	struct ht_trace_settings s = {
	    .start_utc_ns = 1750000000000000000u,
	    .start_monotonic_ns = 5000000000u,
	    .start_boottime_ns = 6000000000u,
	    .time_unit_ns = 1000,
	    .addresses = addresses,
	    .free_stacks = true,
	    .stack_depth = 256,
	    .clock = "tsc",
	    .command = "app\0-v\0",
	    .hostname = "box",
	    .events = asked,
	};
	char *path = ht_xasprintf("%s/trace_file/%s", directory, name);
	struct ht_diag d;
	*fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	struct ht_trace_writer *w = *fd < 0 ? NULL : ht_trace_writer_new(*fd, &s, &d);
	if (!w) {
		perror(path);
		exit(3);
	}
	free(path);
	return w;
}

static void end(struct ht_trace_writer *w, int fd, uint64_t counted)
{
	struct ht_trace_totals t = {.counted = counted, .recorded = counted};
	struct ht_diag d;
	if (ht_trace_writer_finish(w, &t, 0, &d)) {
		fprintf(stderr, "%s\n", d.text);
		exit(3);
	}
	close(fd);
}

/* Each block of a file as an input of fuzz_trace_block. */
static void split(const char *name)
{
	uint8_t head[HT_BLOCK_HEAD];
	struct ht_block_head h;
	struct ht_buf packed = {0}, raw = {0};
	void *zstd = NULL;
	char *path = ht_xasprintf("%s/trace_file/%s", directory, name);
	int fd = open(path, O_RDONLY);
	uint64_t at = 12;
	if (ht_pread_all(fd, head, 4, at) != 4)
		exit(3);
	for (at = head[0] | (uint64_t)head[1] << 8;
	     ht_pread_all(fd, head, HT_BLOCK_HEAD, at) == HT_BLOCK_HEAD;
	     at += HT_BLOCK_HEAD + h.packed_len) {
		if (!ht_block_head_get(&h, head))
			exit(3);
		packed.len = 0;
		ht_buf_reserve(&packed, h.packed_len + 1u);
		if (ht_pread_all(fd, packed.data, h.packed_len, at + HT_BLOCK_HEAD) !=
			h.packed_len ||
		    ht_block_unpack(&zstd, &h, packed.data, &raw, NULL) || h.kind == HT_KIND_END)
			continue;
		char *out = ht_xasprintf("%s/trace_block/%s.%u", directory, name, h.sequence);
		uint8_t start[5] = {h.kind, (uint8_t)h.count, (uint8_t)(h.count >> 8),
				    (uint8_t)h.births, (uint8_t)h.first_seq};
		int to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (to < 0 || ht_write_all(to, start, sizeof(start)) ||
		    ht_write_all(to, raw.data, raw.len))
			exit(3);
		close(to);
		free(out);
	}
	ht_block_unpack_release(zstd);
	ht_buf_release(&packed);
	ht_buf_release(&raw);
	close(fd);
	free(path);
}

static void put(struct ht_trace_writer *w, struct ht_event e)
{
	ht_trace_writer_event(w, &e);
}

/* One image, one thread, a module and a stack of two frames. */
static void dictionaries(struct ht_trace_writer *w)
{
	uint32_t exe = ht_trace_writer_string(w, "/bin/app", 8),
		 argv = ht_trace_writer_string(w, "app\0-v", 6);
	struct ht_image image = {.pid = 100,
				 .exe = exe,
				 .argv = argv,
				 .start_ns = 0,
				 .end_ns = UINT64_MAX,
				 .wait_status = -1};
	struct ht_module module = {.path = exe,
				   .build_id_len = 4,
				   .build_id = {0xde, 0xad, 0xbe, 0xef},
				   .size = 0x5000,
				   .bias = 0x555555554000,
				   .text_vaddr = 0x1000,
				   .text_size = 0x2000,
				   .text_offset = 0x1000};
	struct ht_stack_node outer = {.module = 1, .address = 0x1234},
			     leaf = {.parent = 1, .module = 1, .address = 0x1100, .cfa_delta = 6};
	struct ht_thread_info thread = {.tid = 100, .serial = 1, .end_ns = UINT64_MAX};
	ht_trace_writer_image(w, &image);
	ht_trace_writer_module(w, &module);
	ht_trace_writer_node(w, &outer);
	ht_trace_writer_node(w, &leaf);
	ht_trace_writer_thread(w, &thread);
}

static void seed_empty(void)
{
	int fd;
	struct ht_trace_writer *w = begin(&fd, "v2-empty", true);
	end(w, fd, 0);
}

/* The example of SPEC.md. */
static void seed_one(void)
{
	int fd;
	struct ht_trace_writer *w = begin(&fd, "v2-one", true);
	dictionaries(w);
	put(w, (struct ht_event){.op = HT_OP_MALLOC,
				 .stamped = true,
				 .stack = 2,
				 .time = 7250,
				 .size = 24,
				 .address = 0x5555555592a0});
	put(w, (struct ht_event){.op = HT_OP_CALLOC,
				 .stamped = true,
				 .stack = 2,
				 .time = 9000,
				 .size = 300,
				 .address = 0x5555555592c0});
	put(w, (struct ht_event){.op = HT_OP_FREE, .stack = 1, .seq = 0});
	end(w, fd, 3);
}

static void seed_every_op(const char *name, bool addresses)
{
	int fd;
	struct ht_trace_writer *w = begin(&fd, name, addresses);
	dictionaries(w);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t address = 0x7f0000001000 + round * 16;
		for (unsigned op = HT_OP_MALLOC; op < HT_OP_COUNT; op++) {
			struct ht_event e = {.op = (uint8_t)op,
					     .stamped = op % 2,
					     .stack = op % 3,
					     .time = 1000000u * round + op * 500};
			if (!ht_op_info[op].name[0] || ht_op_is_death(op) ||
			    op == HT_OP_REALLOC_UNDO)
				continue;
			e.address = address += 64;
			e.size = op * 11;
			e.extra = ht_op_info[op].columns & HT_OP_EXTRA_STRING || op == HT_OP_THREAD_START ? 1 : op;
			e.extra2 = 1;
			put(w, e);
		}
		uint64_t first = round * 5;
		put(w, (struct ht_event){.op = HT_OP_FREE, .seq = first + 1});
		put(w, (struct ht_event){.op = HT_OP_DELETE, .seq = first});
		put(w, (struct ht_event){.op = HT_OP_IMPLIED_FREE, .seq = first + 4});
		put(w, (struct ht_event){.op = HT_OP_REALLOC_FREE, .seq = first + 2});
		put(w, (struct ht_event){.op = HT_OP_REALLOC_UNDO});
		put(w, (struct ht_event){.op = HT_OP_REALLOC_FREE, .seq = first + 2});
	}
	end(w, fd, 0);
}

/* Two images that fork, several threads, two blocks of events, an update of each dictionary. */
static void seed_fork(void)
{
	int fd;
	struct ht_diag d;
	struct ht_trace_writer *w = begin(&fd, "v2-fork", true);
	dictionaries(w);
	for (uint64_t i = 0; i < 20; i++)
		put(w, (struct ht_event){.op = HT_OP_MALLOC,
					 .stamped = true,
					 .stack = 2,
					 .time = 100000 * i,
					 .size = 100 + i,
					 .address = 0x555555560000 + 128 * i});
	put(w, (struct ht_event){.op = HT_OP_FORK, .stamped = true, .time = 2000000, .extra = 1});
	ht_trace_writer_flush(w, &d);
	struct ht_image child = {.pid = 101,
				 .parent = 1,
				 .kind = HT_IMAGE_FORK,
				 .fork_number = 1,
				 .exe = 1,
				 .argv = 2,
				 .start_ns = 2100000,
				 .end_ns = UINT64_MAX,
				 .wait_status = -1};
	uint32_t image = ht_trace_writer_image(w, &child);
	struct ht_thread_info thread = {
	    .image = image, .tid = 101, .serial = 2, .start_ns = 2100000, .end_ns = UINT64_MAX};
	uint32_t id = ht_trace_writer_thread(w, &thread);
	put(w, (struct ht_event){
		   .op = HT_OP_IMAGE_START, .stamped = true, .thread = id, .time = 2100000});
	for (uint64_t i = 0; i < 20; i++) {
		if (i % 2)
			put(w, (struct ht_event){.op = HT_OP_FREE, .seq = i});
		else
			put(w, (struct ht_event){.op = HT_OP_FREE_UNKNOWN,
						 .thread = id,
						 .address = 0x555555560000 + 128 * i});
	}
	put(w, (struct ht_event){.op = HT_OP_MALLOC,
				 .stamped = true,
				 .unpaired = true,
				 .thread = id,
				 .stack = 1,
				 .time = 2200000,
				 .size = 1 << 20,
				 .address = 0x7fff00000010});
	put(w,
	    (struct ht_event){.op = HT_OP_FREE_UNKNOWN, .thread = id, .address = 0x7fff00000010});
	put(w,
	    (struct ht_event){
		.op = HT_OP_IMAGE_END, .stamped = true, .thread = id, .time = 2300000, .extra = 1});
	child.end_ns = 2300000;
	child.wait_status = 0;
	ht_trace_writer_image_update(w, image, &child);
	thread.end_ns = 2300000;
	thread.name = ht_trace_writer_string(w, "worker", 6);
	ht_trace_writer_thread_update(w, id, &thread);
	struct ht_sample sample = {
	    .time = 2250000, .image = image, .rss_bytes = 123456, .threads = 2};
	ht_trace_writer_sample(w, &sample);
	end(w, fd, 45);
}

/* A block as an input of fuzz_trace_block. */
static void put_block_seed(const char *name, const struct ht_block_head *h, const struct ht_buf *raw)
{
	char *path = ht_xasprintf("%s/trace_block/%s", directory, name);
	uint8_t start[5] = {h->kind, (uint8_t)h->count, (uint8_t)(h->count >> 8), (uint8_t)h->births,
			    (uint8_t)h->first_seq};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || ht_write_all(fd, start, sizeof(start)) || ht_write_all(fd, raw->data, raw->len))
		exit(3);
	close(fd);
	free(path);
}

/* The writer makes none of so few events. */
static void seed_checkpoint(void)
{
	struct ht_encoder c;
	struct ht_block_head h;
	struct ht_buf raw = {0};
	ht_encoder_init(&c, 1000, true, 1 << 20, false);
	ht_encoder_threads(&c, 3);
	c.node_limit = 9;
	for (uint32_t i = 0; i < 60; i++) {
		struct ht_event e = {.op = i % 3 == 2 ? HT_OP_FREE : HT_OP_MALLOC,
				     .stamped = true,
				     .thread = i % 3,
				     .stack = i % 9,
				     .time = 700u * i,
				     .seq = i / 3,
				     .size = 10u * i,
				     .address = 0x555500000000u + 64u * i};
		if (i % 20 == 11)
			e.op = HT_OP_REALLOC_FREE;
		if (i % 20 == 14)
			e.op = HT_OP_REALLOC_FREE_UNKNOWN;
		if (!ht_encoder_make_room(&c))
			exit(3);
		ht_encoder_put(&c, &e);
	}
	ht_checkpoint_build(&c, 0, &h, &raw);
	put_block_seed("v2-checkpoint", &h, &raw);
	ht_encoder_release(&c);
	ht_buf_release(&raw);
}

/* Symbols, and what a tool left behind that did not come to its end. */
static void seed_symbols(void)
{
	struct ht_trace_appender *a;
	struct ht_diag d;
	int fd;
	struct ht_trace_writer *w = begin(&fd, "v2-symbols", true);
	char *path = ht_xasprintf("%s/trace_file/v2-symbols", directory);
	dictionaries(w);
	end(w, fd, 0);
	if (ht_trace_appender_open(&a, path, &d) || ht_trace_appender_symbols(a, 0, 1, "main\0run", 8, &d) ||
	    ht_trace_appender_symbols(a, 0, 2, "main\0walk", 9, &d) || ht_trace_appender_finish(a, &d)) {
		fprintf(stderr, "%s\n", d.text);
		exit(3);
	}
	fd = open(path, O_WRONLY | O_APPEND);
	if (fd < 0 || ht_write_all(fd, HT_BLOCK_MAGIC "\x07", 5))
		exit(3);
	close(fd);
	free(path);
}

static void put_times(struct ht_trace_writer *w, unsigned i)
{
	uint32_t thread = i % 4;
	uint64_t now = 4096 * (i + 1) + i * i, lock = 0x555555558000 + 40 * (i % 7);
	struct ht_wait wait = {.kind = (uint8_t)(i % HT_WAIT_KINDS), .call = (uint8_t)(i % HT_CALL_COUNT),
			       .outcome = (uint8_t)(i % HT_OUTCOMES), .flags = i % 3, .fd = i % 5 ? -1 : (int32_t)i,
			       .thread = thread, .stack = i % 3, .begin_ns = now - 700 * (i % 6), .end_ns = now,
			       .object = lock, .detail = i % 4 ? 0 : 100000 * i};
	struct ht_wake wake = {.kind = HT_WAIT_MUTEX, .call = HT_CALL_MUTEX_UNLOCK, .flags = i % 2 ? HT_WAITED_ALL : 0,
			       .thread = thread, .stack = 2, .time_ns = now - 30, .object = lock};
	struct ht_stall stall = {.op = (uint8_t)(HT_OP_MALLOC + i % 3), .bound = i % 2, .thread = thread, .stack = 1,
				 .begin_ns = now - 1500, .end_ns = now, .address = 0x555555560000 + 64 * i,
				 .size = 1 << i % 20};
	struct ht_fault fault = {.thread = thread, .stack = i % 3, .time_ns = now,
				 .address = 0x7ffff7000000 + 4096 * i};
	struct ht_switch to = {.how = i / 4 % 2 ? 1 + i % 2 : 0, .cpu = (uint16_t)(i % 3), .thread = thread,
			       .time_ns = now};
	struct ht_schedstat stat = {.thread = thread, .time_ns = now, .running_ns = 1000 * i, .runnable_ns = 10 * i,
				    .slices = i};
	ht_trace_writer_wait(w, &wait);
	ht_trace_writer_switch(w, &to);
	if (i % 3 == 0)
		ht_trace_writer_wake(w, &wake);
	if (i % 5 == 0)
		ht_trace_writer_stall(w, &stall);
	if (i % 7 == 0)
		ht_trace_writer_fault(w, &fault);
	if (i % 10 == 0)
		ht_trace_writer_schedstat(w, &stat);
}

/* Where time went: each kind of record, several threads, the words that there are. */
static void seed_times(void)
{
	int fd;
	struct ht_trace_writer *w = begin(&fd, "v2-times", true);
	dictionaries(w);
	for (uint32_t i = 1; i < 4; i++) {
		struct ht_thread_info thread = {.tid = 100 + i, .serial = 1 + i, .end_ns = UINT64_MAX};
		ht_trace_writer_thread(w, &thread);
	}
	put(w, (struct ht_event){.op = HT_OP_MALLOC, .stamped = true, .stack = 2, .time = 5000, .size = 8,
				 .address = 0x1000});
	for (unsigned i = 0; i < 60; i++)
		put_times(w, i);
	end(w, fd, 0);
}

/* A header that says what was asked for; the others are from before it did. */
static void seed_asked(void)
{
	int fd;
	asked = 1u << HT_CLASS_ALLOC | 1u << HT_CLASS_SYNC | 1u << HT_CLASS_FAULT;
	struct ht_trace_writer *w = begin(&fd, "v2-asked", true);
	asked = 0;
	dictionaries(w);
	put(w, (struct ht_event){.op = HT_OP_MALLOC, .stamped = true, .stack = 2, .time = 5000, .size = 8,
				 .address = 0x1000});
	end(w, fd, 1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: fuzz_trace_seeds DIRECTORY\n");
		return 2;
	}
	directory = argv[1];
	seed_empty();
	seed_one();
	seed_every_op("v2-every-op", true);
	seed_every_op("v2-no-addresses", false);
	seed_fork();
	seed_checkpoint();
	seed_symbols();
	seed_times();
	seed_asked();
	split("v2-every-op");
	split("v2-no-addresses");
	split("v2-fork");
	split("v2-symbols");
	split("v2-times");
	return 0;
}
