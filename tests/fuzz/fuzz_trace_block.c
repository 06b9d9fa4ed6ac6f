/*
 * fuzz_trace_block: what stands behind checksum and compression. The input is a kind, a count and a
 * block's payload; it is put with good checksums behind good dictionaries, so that mutations reach
 * the column decoders.
 *
 *   byte 0: kind   bytes 1..2: count   3: births   4: a first id   5..: payload
 */
#include "fuzz_trace_walk.h"
#include "trace_layout.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A trace's beginning: header and dictionaries, without a footer. */
static void prefix(struct ht_buf *b)
{
	struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = true};
	struct ht_diag d;
	int fd = fuzz_trace_memory();
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	uint32_t name = ht_trace_writer_string(w, "/bin/app", 8);
	struct ht_image image = {.pid = 1, .exe = name, .end_ns = UINT64_MAX};
	struct ht_module module = {.path = name};
	struct ht_thread_info thread = {.tid = 1};
	ht_trace_writer_image(w, &image);
	ht_trace_writer_module(w, &module);
	for (uint32_t i = 0; i < 8; i++) {
		struct ht_stack_node node = {.parent = i, .module = 1, .address = i};
		ht_trace_writer_node(w, &node);
		ht_trace_writer_thread(w, &thread);
	}
	ht_trace_writer_flush(w, &d);
	ht_buf_reserve(b, ht_trace_writer_bytes(w));
	b->len = ht_trace_writer_bytes(w);
	if (ht_pread_all(fd, b->data, b->len, 0) != (int64_t)b->len)
		abort();
	ht_trace_writer_abandon(w);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ht_buf start, file;
	if (size < 5 || size > 1 << 20)
		return 0;
	if (!start.len)
		prefix(&start);
	file.len = 0;
	ht_buf_append(&file, start.data, start.len);
	struct ht_block_head h = {
	    .kind = data[0],
	    .sequence = 5, /* strings, images, modules, nodes, threads stand before it */
	    .count = data[1] | (uint32_t)data[2] << 8,
	    .births = data[3],
	    .first_seq = data[4],
	    .last_ns = 1u << 30,
	};
	if (h.kind == HT_KIND_EVENTS)
		h.first_seq = 0;
	struct ht_block_packer *p = ht_block_packer_new();
	bool kept = h.kind != HT_KIND_EVENTS && !(h.kind >= HT_KIND_SCHED && h.kind <= HT_KIND_STALLS);
	ht_block_pack(p, &h, data + 5, size - 5, kept, &file);
	ht_block_packer_free(p);
	fuzz_trace_walk(file.data, file.len);
	return 0;
}
