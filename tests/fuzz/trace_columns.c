/*
 * trace_columns TRACE...: where the bytes of a trace go, and what its events cost to decode and to encode again.
 * For whoever works on the format: one line for each column of the events (bytes an event before and after
 * packing it alone), one for each kind of block, and nanoseconds of CPU an event; likewise of what the blocks about
 * time hold, by the record.
 */
#include "trace_checkpoint.h"
#include "trace_times.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[HT_COL_EV_COUNT] = {
	"params",     "thread_id", "thread_start", "run_thread",    "run_length",    "op",
	"time",	      "birth_stack", "other_stack", "size",	    "freed",	     "birth_address",
	"other_address", "extra",  "extra2",	   "other_size",    "far_time",	     "far_address"};

struct sum {
	uint64_t events, raw[HT_COLUMNS_MAX], packed[HT_COLUMNS_MAX];
};

static double cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void add_columns(struct sum *s, unsigned count, const struct ht_buf *raw, struct ht_block_packer *p)
{
	struct ht_columns c;
	struct ht_diag d;
	struct ht_buf out = {0};
	if (ht_columns_parse(&c, raw->data, raw->len, &d))
		return;
	for (unsigned i = 0; i < count; i++) {
		struct ht_block_head h = {.kind = HT_KIND_EVENTS};
		out.len = 0;
		if (!ht_cursor_left(&c.at[i]))
			continue;
		ht_block_pack(p, &h, c.at[i].at, ht_cursor_left(&c.at[i]), false, &out);
		s->raw[i] += h.raw_len;
		s->packed[i] += h.packed_len;
	}
	ht_buf_release(&out);
}

/* Twice: the first time the arrays' memory is new. */
static double decode(const struct ht_trace *t, struct sum *s)
{
	struct ht_event_arrays a = {0};
	struct ht_block_packer *p = ht_block_packer_new();
	double ns = 0;
	for (int round = 0; round < 2; round++) {
		double start = cpu_ns(), spent = 0;
		for (size_t i = 0; i < ht_trace_block_count(t); i++) {
			if (ht_trace_block_arrays(t, i, &a, NULL))
				continue;
			double pause = cpu_ns();
			if (!round) {
				s->events += a.count;
				add_columns(s, HT_COL_EV_COUNT, &a.raw, p);
			}
			spent += cpu_ns() - pause;
		}
		ns = cpu_ns() - start - spent;
	}
	ht_block_packer_free(p);
	ht_event_arrays_release(&a);
	return ns;
}

static double encode(const struct ht_trace *t)
{
	struct ht_diag d;
	struct ht_events events = {0};
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, ht_trace_settings(t), &d);
	double ns = 0;
	for (uint32_t i = 1; w && i < ht_trace_node_count(t); i++)
		ht_trace_writer_node(w, &ht_trace_nodes(t)[i]);
	for (uint32_t i = 0; w && i < ht_trace_thread_count(t); i++)
		ht_trace_writer_thread(w, ht_trace_thread(t, i));
	for (size_t i = 0; w && i < ht_trace_block_count(t); i++) {
		if (ht_trace_block_decode(t, i, &events, NULL))
			continue;
		double start = cpu_ns();
		for (size_t k = 0; k < events.count; k++)
			ht_trace_writer_event(w, &events.items[k]);
		ns += cpu_ns() - start;
	}
	ht_trace_writer_abandon(w);
	ht_events_release(&events);
	close(fd);
	return ns;
}

/* By kind, dictionaries and all. */
static void print_blocks(const struct ht_trace *t, double events)
{
	struct ht_found footer, end, *list;
	struct ht_loader l = {0};
	uint64_t bytes[256] = {0};
	int64_t n = ht_trace_find_footer(t, &footer, &end) ? ht_trace_load_index(t, &l, &footer, &list) : 0;
	for (int64_t i = 0; i < n; i++)
		bytes[list[i].head.kind] += HT_BLOCK_HEAD + list[i].head.packed_len;
	for (unsigned k = 0; k < 256; k++)
		if (bytes[k])
			printf("  blocks of kind %-3u        %9.4f bytes an event\n", k, (double)bytes[k] / events);
	if (n > 0)
		free(list);
	ht_loader_release(&l);
}

/* One kind of those about time: its records are those of both series. */
static void print_times(const struct ht_trace *t, unsigned kind)
{
	static const char *const kinds[] = {"switches, schedstats", "waits, wakes", "stalls, faults"};
	const uint8_t *encodings;
	struct ht_time_records r = {0};
	struct ht_loader l = {0};
	struct ht_diag d;
	struct sum s = {0};
	struct ht_block_packer *p = ht_block_packer_new();
	uint64_t bytes = 0, blocks = 0, first = 0;
	double ns = 0;
	for (size_t i = 0; i < ht_trace_time_block_count(t); i++) {
		const struct ht_time_block *b = ht_trace_time_block(t, i);
		struct ht_found f = {.offset = b->offset};
		uint8_t head[HT_BLOCK_HEAD];
		if (b->kind != kind || ht_pread_all(t->fd, head, sizeof(head), b->offset) != sizeof(head) ||
		    !ht_block_head_get(&f.head, head) || ht_trace_read_block(t, &f, &l.zstd, &l.packed, &l.raw, &d))
			continue;
		double start = cpu_ns();
		if (ht_trace_time_decode(t, i, &r, NULL))
			continue;
		ns += cpu_ns() - start;
		first += r.wait_count + r.stall_count + r.switch_count;
		s.events += b->count;
		blocks++;
		bytes += HT_BLOCK_HEAD + f.head.packed_len;
		add_columns(&s, ht_times_columns(kind, &encodings), &l.raw, p);
	}
	double n = (double)s.events;
	if (blocks)
		printf("  %s: %llu in %llu blocks (%llu of the first), %.3f bytes a record; decode %.2f ns\n",
		       kinds[kind - HT_KIND_SCHED], (unsigned long long)s.events, (unsigned long long)blocks,
		       (unsigned long long)first, (double)bytes / n, ns / n);
	for (unsigned i = 0; i < HT_COLUMNS_MAX; i++)
		if (s.raw[i])
			printf("    column %2u %9.4f bytes a record, packed %.4f\n", i, (double)s.raw[i] / n,
			       (double)s.packed[i] / n);
	ht_block_packer_free(p);
	ht_loader_release(&l);
	ht_time_records_release(&r);
}

static int show(const char *path)
{
	struct ht_trace *t;
	struct ht_diag d;
	struct sum s = {0};
	if (ht_trace_open(&t, path, &d)) {
		fprintf(stderr, "trace_columns: %s\n", d.text);
		return 1;
	}
	double decoded = decode(t, &s), encoded = encode(t), n = s.events ? (double)s.events : 1;
	printf("%s: %llu events, %.4f bytes an event; decode %.2f ns, encode and pack %.2f ns\n", path,
	       (unsigned long long)s.events, (double)ht_trace_file_bytes(t) / n, decoded / n, encoded / n);
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++)
		if (s.raw[i])
			printf("  column %2u %-15s %9.4f bytes an event, packed %.4f\n", i, names[i], (double)s.raw[i] / n,
			       (double)s.packed[i] / n);
	print_blocks(t, n);
	for (unsigned kind = HT_KIND_SCHED; kind <= HT_KIND_STALLS; kind++)
		print_times(t, kind);
	ht_trace_close(t);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;
	for (int i = 1; i < argc; i++)
		failed |= show(argv[i]);
	return failed;
}
