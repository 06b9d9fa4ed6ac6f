/*
 * trace_writer: a trace on its way to the file. Appends only: whatever the moment of a crash, the
 * file is a readable prefix. Dictionary records wait in columns of their own and always reach the
 * file before the events that may name them.
 *
 * After a failed write everything is accepted and discarded, so that the collector need not care
 * in the middle of its work; the partly written block is a truncated tail to every reader. Blocks get
 * small while there is little room, so that this tail is small, too.
 */
#include "trace_writer.h"
#include "trace_checkpoint.h"
#include "trace_totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define DICT_BYTES (1u << 20) /* of pending records of one kind, before they are written early */
_Static_assert(DICT_BYTES <= HT_RECORDS_MAX, "an entry takes a byte at least");
#define CHECKPOINT_EVENTS (1u << 20) /* that a reader decodes in 10 ms: nearer together is no use */
#define CHECKPOINT_MEMORY (16u << 20)
#define EVENT_BYTES 16 /* more than an event mostly takes, packed and with its part of the dictionaries */
#define COMMAND_MAX (1u << 20) /* of the command in the file header */
#define TEXT_MAX (64u << 10)   /* of each other text there */

/* --- the file header ----------------------------------------------------------------------- */

static void header_text(struct ht_buf *b, unsigned key, const char *s, size_t n)
{
	size_t most = key == HT_HEADER_COMMAND ? COMMAND_MAX : TEXT_MAX;
	if (n > most)
		n = most;
	if (!n)
		return;
	ht_buf_varint(b, key);
	ht_buf_varint(b, n);
	ht_buf_append(b, s, n);
}

static void header_number(struct ht_buf *b, unsigned key, uint64_t v)
{
	uint8_t bytes[10];
	header_text(b, key, (const char *)bytes, (size_t)(ht_put_varint(bytes, v) - bytes));
}

static void header_string(struct ht_buf *b, unsigned key, const char *s)
{
	if (s)
		header_text(b, key, s, strlen(s));
}

/* NUL-separated and ended by an empty string: without that end. */
static size_t command_length(const char *s)
{
	size_t n = 0;
	while (s && s[n])
		n += strlen(s + n) + 1;
	return n;
}

static void put_le(uint8_t *at, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

static void build_header(struct ht_buf *b, const struct ht_trace_settings *s)
{
	uint8_t fixed[HT_FILE_FIXED] = HT_FILE_MAGIC;
	ht_buf_append(b, fixed, sizeof(fixed));
	header_number(b, HT_HEADER_START_UTC, s->start_utc_ns);
	header_number(b, HT_HEADER_START_MONOTONIC, s->start_monotonic_ns);
	header_number(b, HT_HEADER_START_BOOTTIME, s->start_boottime_ns);
	header_number(b, HT_HEADER_TIME_UNIT, s->time_unit_ns ? s->time_unit_ns : 1000);
	header_number(b, HT_HEADER_ADDRESSES, s->addresses);
	header_number(b, HT_HEADER_SAMPLE_BYTES, s->sample_bytes);
	header_number(b, HT_HEADER_FREE_STACKS, s->free_stacks);
	header_number(b, HT_HEADER_STACK_DEPTH, s->stack_depth);
	header_string(b, HT_HEADER_CLOCK, s->clock);
	header_string(b, HT_HEADER_SCHED, s->sched);
	header_text(b, HT_HEADER_COMMAND, s->command, command_length(s->command));
	header_string(b, HT_HEADER_HOSTNAME, s->hostname);
	header_string(b, HT_HEADER_FLAGS, s->flags);
	struct ht_buf events = {0};
	ht_classes_text(&events, s->events);
	header_text(b, HT_HEADER_EVENTS, (const char *)events.data, events.len);
	ht_buf_release(&events);
	put_le(b->data + 8, HT_TRACE_VERSION, 2);
	put_le(b->data + 10, 0, 2);
	put_le(b->data + 12, b->len + 8, 4);
	uint8_t hash[8];
	put_le(hash, ht_trace_hash(b->data, b->len), 8);
	ht_buf_append(b, hash, sizeof(hash));
}

/* --- blocks out ---------------------------------------------------------------------------- */

static void put_bytes(struct ht_trace_writer *w, const struct ht_buf *b)
{
	if (!w->error && ht_write_all(w->fd, b->data, b->len))
		w->error = errno ? errno : EIO;
	if (!w->error)
		w->bytes += b->len;
}

/* Readers keep what they find in other blocks, so that one must not unpack to much more than it is in the file. */
static bool is_kept(unsigned kind)
{
	return kind != HT_KIND_EVENTS && !ht_times_kind(kind);
}

void ht_writer_block(struct ht_trace_writer *w, struct ht_block_head *h)
{
	if (w->error)
		return;
	h->sequence = w->sequence++;
	w->packed.len = 0;
	ht_block_pack(w->packer, h, w->raw.data, w->raw.len, is_kept(h->kind), &w->packed);
	put_bytes(w, &w->packed);
	ht_footer_add(&w->index, h);
	if (h->last_ns > w->duration)
		w->duration = h->last_ns;
}

static void put_table(struct ht_trace_writer *w, struct ht_table_out *o, uint64_t first,
		      uint64_t first_ns, uint64_t last_ns)
{
	if (!o->count)
		return;
	ht_table_build(o, &w->raw);
	struct ht_block_head h = {.kind = o->table->kind,
				  .first_seq = first,
				  .count = o->count,
				  .first_ns = first_ns,
				  .last_ns = last_ns};
	ht_writer_block(w, &h);
	ht_table_clear(o);
}

static void put_strings(struct ht_trace_writer *w)
{
	if (!w->pending_strings)
		return;
	struct ht_column_out c[] = {
	    {HT_COL_STRING_LENGTH, HT_ENC_VARINT, w->string_lengths.data, w->string_lengths.len},
	    {HT_COL_STRING_BYTES, HT_ENC_BYTES, w->string_bytes.data, w->string_bytes.len},
	};
	ht_columns_build(&w->raw, c, HT_ARRAY_SIZE(c));
	struct ht_block_head h = {.kind = HT_KIND_STRINGS,
				  .count = w->pending_strings,
				  .first_seq = w->string_count - w->pending_strings};
	ht_writer_block(w, &h);
	w->string_lengths.len = w->string_bytes.len = 0;
	w->pending_strings = 0;
}

void ht_writer_dictionaries(struct ht_trace_writer *w)
{
	/* in the order in which they refer to each other */
	put_strings(w);
	put_table(w, &w->images, w->image_count, 0, 0);
	put_table(w, &w->modules, w->module_count - w->modules.count, 0, 0);
	put_table(w, &w->nodes, w->node_count - w->nodes.count, 0, 0);
	put_table(w, &w->threads, w->thread_count, 0, 0);
	put_table(w, &w->samples, 0, w->sample_first, w->sample_last);
}

/* What the file may still grow by. File systems without a bound say that they have 0 blocks. */
static uint64_t room_left(const struct ht_trace_writer *w)
{
	struct statvfs v;
	struct rlimit r;
	uint64_t room = UINT64_MAX;
	if (!fstatvfs(w->fd, &v) && v.f_blocks && v.f_frsize && v.f_bavail < UINT64_MAX / v.f_frsize)
		room = (uint64_t)v.f_bavail * v.f_frsize;
	if (!getrlimit(RLIMIT_FSIZE, &r) && r.rlim_cur != RLIM_INFINITY) {
		uint64_t left = r.rlim_cur > w->bytes ? r.rlim_cur - w->bytes : 0;
		room = left < room ? left : room;
	}
	return room;
}

/* Blocks get small as the disk gets full (from 16 MiB left on), so that little goes with the one that does not fit.
 * Elsewhere they are big: small ones from the start made the traces of jq and python3 10 % bigger. */
static void size_blocks(struct ht_trace_writer *w)
{
	ht_encoder_limit(&w->events, room_left(w) / 4 / EVENT_BYTES);
}

/* Behind a block of events, where it costs little and would save a reader something. */
static void put_checkpoint(struct ht_trace_writer *w)
{
	struct ht_block_head h;
	struct ht_encoder *c = &w->events;
	if (w->events_since < CHECKPOINT_EVENTS || c->survivors.off || w->error ||
	    !ht_checkpoint_pays(c, w->bytes - w->bytes_then))
		return;
	ht_checkpoint_build(c, w->checkpoints, &h, &w->raw);
	if (c->survivors.off)
		return;
	ht_writer_block(w, &h);
	w->checkpoints++;
	w->events_since = 0;
	w->bytes_then = w->bytes;
}

static void put_events(struct ht_trace_writer *w)
{
	struct ht_block_head h;
	if (!ht_encoder_events(&w->events))
		return;
	ht_writer_dictionaries(w);
	ht_encoder_finish_block(&w->events, &h, &w->raw);
	ht_writer_block(w, &h);
	w->events_since += h.count;
	put_checkpoint(w);
	size_blocks(w);
}

/* --- the calls ------------------------------------------------------------------------------ */

struct ht_trace_writer *ht_trace_writer_new(int fd, const struct ht_trace_settings *s,
					    struct ht_diag *d)
{
	struct ht_buf header = {0};
	struct ht_trace_writer *w = ht_xcalloc(1, sizeof(*w));
	w->fd = fd;
	w->packer = ht_block_packer_new();
	w->images.table = &ht_image_table;
	w->modules.table = &ht_module_table;
	w->nodes.table = &ht_node_table;
	w->threads.table = &ht_thread_table;
	w->samples.table = &ht_sample_table;
	w->string_count = w->node_count = 1; /* "" and "no stack" */
	ht_encoder_init(&w->events, s->time_unit_ns ? s->time_unit_ns : 1000, s->addresses,
			s->checkpoint_memory ? s->checkpoint_memory : CHECKPOINT_MEMORY, s->sized_ends);
	build_header(&header, s);
	put_bytes(w, &header);
	size_blocks(w);
	ht_buf_release(&header);
	if (w->error) {
		ht_fail(d, HT_ERR_SYSTEM, "the trace's header cannot be written: %s",
			strerror(w->error));
		ht_trace_writer_abandon(w);
		return NULL;
	}
	return w;
}

uint32_t ht_trace_writer_string(struct ht_trace_writer *w, const char *s, size_t n)
{
	if (!n)
		return 0;
	if (n > HT_STRING_MAX)
		n = HT_STRING_MAX;
	if (w->string_bytes.len >= DICT_BYTES || w->string_lengths.len >= DICT_BYTES)
		ht_writer_dictionaries(w);
	ht_buf_varint(&w->string_lengths, n);
	ht_buf_append(&w->string_bytes, s, n);
	w->pending_strings++;
	return w->string_count++;
}

static void put_record(struct ht_trace_writer *w, struct ht_table_out *o, const void *record,
		       uint32_t id)
{
	if (o->bytes >= DICT_BYTES)
		ht_writer_dictionaries(w);
	ht_table_put(o, record, id);
}

uint32_t ht_trace_writer_module(struct ht_trace_writer *w, const struct ht_module *m)
{
	put_record(w, &w->modules, m, w->module_count);
	return w->module_count++;
}

uint32_t ht_trace_writer_node(struct ht_trace_writer *w, const struct ht_stack_node *n)
{
	put_record(w, &w->nodes, n, w->node_count);
	w->events.node_limit = w->node_count + 1;
	return w->node_count++;
}

void ht_trace_writer_thread_update(struct ht_trace_writer *w, uint32_t id,
				   const struct ht_thread_info *t)
{
	struct ht_thread_record r = {id, *t};
	put_record(w, &w->threads, &r, id);
}

uint32_t ht_trace_writer_thread(struct ht_trace_writer *w, const struct ht_thread_info *t)
{
	ht_trace_writer_thread_update(w, w->thread_count, t);
	ht_encoder_threads(&w->events, w->thread_count + 1);
	w->events.threads[w->thread_count].image = t->image;
	return w->thread_count++;
}

void ht_trace_writer_image_update(struct ht_trace_writer *w, uint32_t id, const struct ht_image *i)
{
	struct ht_image_record r = {id, *i};
	put_record(w, &w->images, &r, id);
}

uint32_t ht_trace_writer_image(struct ht_trace_writer *w, const struct ht_image *i)
{
	ht_trace_writer_image_update(w, w->image_count, i);
	return w->image_count++;
}

void ht_trace_writer_sample(struct ht_trace_writer *w, const struct ht_sample *s)
{
	put_record(w, &w->samples, s, 0);
	if (w->samples.count == 1)
		w->sample_first = w->sample_last = s->time;
	if (s->time < w->sample_first)
		w->sample_first = s->time;
	if (s->time > w->sample_last)
		w->sample_last = s->time;
}

uint64_t ht_trace_writer_event(struct ht_trace_writer *w, struct ht_event *e)
{
	if (__builtin_expect(!w->events.room, 0) && !ht_encoder_make_room(&w->events)) {
		put_events(w);
		ht_encoder_make_room(&w->events);
	}
	return ht_encoder_put(&w->events, e);
}

void ht_trace_writer_lives(struct ht_trace_writer *w, const struct ht_birth_death *e, size_t n)
{
	while (n) {
		if (__builtin_expect(!w->events.room, 0) && !ht_encoder_make_room(&w->events)) {
			put_events(w);
			ht_encoder_make_room(&w->events);
		}
		size_t some = n < w->events.room ? n : w->events.room;
		ht_encoder_put_lives(&w->events, e, some);
		e += some;
		n -= some;
	}
}

uint64_t ht_trace_writer_births(const struct ht_trace_writer *w)
{
	return w->events.next_seq;
}

int ht_trace_writer_flush(struct ht_trace_writer *w, struct ht_diag *d)
{
	put_events(w);
	ht_times_flush(w);
	ht_writer_dictionaries(w);
	if (w->error)
		return ht_fail(d, HT_ERR_SYSTEM, "the trace cannot be written: %s",
			       strerror(w->error));
	return 0;
}

uint64_t ht_trace_writer_bad_references(const struct ht_trace_writer *w)
{
	return w->events.bad_references;
}

uint64_t ht_trace_writer_bytes(const struct ht_trace_writer *w)
{
	return w->bytes;
}

/* --- the end -------------------------------------------------------------------------------- */

/* What the writer knows better than its caller. */
static void own_totals(const struct ht_trace_writer *w, struct ht_trace_totals *t)
{
	const uint64_t *ops = w->events.ops;
	t->births = w->events.next_seq;
	t->requested_bytes = w->events.requested_bytes;
	t->deaths = t->events = 0;
	for (unsigned op = 0; op < HT_OP_COUNT; op++) {
		t->events += ops[op];
		t->deaths += ht_op_is_death(op) ? ops[op] : 0;
	}
	t->implied_frees = ops[HT_OP_IMPLIED_FREE];
	t->unknown_frees = ops[HT_OP_FREE_UNKNOWN] + ops[HT_OP_REALLOC_FREE_UNKNOWN];
	t->failed_calls = ops[HT_OP_FAILED];
	t->undone_reallocs = ops[HT_OP_REALLOC_UNDO];
	const struct ht_encoder_level *l = &w->events.level;
	ht_times_totals(&w->times, t);
	t->levels_known = l->known;
	t->peak_bytes = l->known ? l->peak : 0;
	t->peak_ns = l->known ? l->peak_time * w->events.unit : 0;
	t->left_blocks = l->known ? t->births - t->deaths + l->revived : 0;
	t->left_bytes = l->known ? l->now + l->left : 0;
}

static void put_footer(struct ht_trace_writer *w, const struct ht_trace_totals *t, int exit_status)
{
	uint64_t offset = w->bytes;
	for (size_t i = 0; i < ht_total_key_count; i++)
		ht_footer_total(&w->index, ht_total_keys[i].key,
			       *(const uint64_t *)((const char *)t + ht_total_keys[i].offset));
	ht_footer_total(&w->index, HT_TOTAL_EXIT_STATUS, (uint32_t)exit_status + 1u);
	ht_footer_total(&w->index, HT_TOTAL_DURATION, w->duration);
	struct ht_block_head h = {.kind = HT_KIND_FOOTER, .count = ht_footer_build(&w->index, &w->raw)};
	ht_writer_block(w, &h);
	w->raw.len = 0;
	struct ht_block_head end = {.kind = HT_KIND_END, .first_seq = offset};
	ht_writer_block(w, &end);
}

int ht_trace_writer_finish(struct ht_trace_writer *w, struct ht_trace_totals *t,
			   int exit_status, struct ht_diag *d)
{
	int err = ht_trace_writer_flush(w, d);
	if (!err) {
		own_totals(w, t);
		put_footer(w, t, exit_status);
	}
	if (!err && w->error)
		err = ht_fail(d, HT_ERR_SYSTEM, "the trace's footer cannot be written: %s",
			      strerror(w->error));
	ht_trace_writer_abandon(w);
	return err;
}

void ht_trace_writer_abandon(struct ht_trace_writer *w)
{
	if (!w)
		return;
	ht_encoder_release(&w->events);
	ht_block_packer_free(w->packer);
	struct ht_table_out *tables[] = {&w->images, &w->modules, &w->nodes, &w->threads,
					 &w->samples};
	for (size_t i = 0; i < HT_ARRAY_SIZE(tables); i++)
		ht_table_release(tables[i]);
	ht_footer_release(&w->index);
	ht_times_release(&w->times);
	ht_buf_release(&w->string_lengths);
	ht_buf_release(&w->string_bytes);
	ht_buf_release(&w->raw);
	ht_buf_release(&w->packed);
	free(w);
}
