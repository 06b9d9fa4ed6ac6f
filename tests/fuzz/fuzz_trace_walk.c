/* fuzz_trace_walk: see fuzz_trace_walk.h. */
#include "fuzz_trace_walk.h"

#include <stdlib.h>
#include <string.h>

#define MUST(x)          \
	do {             \
		if (!(x)) \
			abort(); \
	} while (0)

static void dictionaries(const struct ht_trace *t)
{
	size_t n;
	for (uint32_t i = 0; i < ht_trace_module_count(t); i++) {
		const struct ht_module *m = ht_trace_module(t, i);
		MUST(m->build_id_len <= HT_BUILD_ID_MAX);
		const char *path = ht_trace_string(t, m->path, &n);
		MUST(path[n] == '\0' && strlen(path) <= n);
	}
	for (uint32_t i = 1; i < ht_trace_node_count(t); i++) {
		const struct ht_stack_node *node = &ht_trace_nodes(t)[i];
		MUST(node->parent < i && node->module <= ht_trace_module_count(t));
	}
	for (uint32_t i = 0; i < ht_trace_thread_count(t); i++) {
		const struct ht_thread_info *thread = ht_trace_thread(t, i);
		MUST(ht_trace_image(t, thread->image) && thread->start_routine < ht_trace_node_count(t));
		ht_trace_string(t, thread->name, NULL);
	}
	for (uint32_t i = 0; i < ht_trace_image_count(t); i++)
		MUST(ht_trace_image(t, i)->parent <= i);
	for (size_t i = 0; i < ht_trace_sample_count(t); i++)
		MUST(!ht_trace_samples(t)[i].image || ht_trace_image(t, ht_trace_samples(t)[i].image));
	MUST(ht_trace_nodes(t)[0].parent == 0 && !*ht_trace_string(t, 0, &n) && !n);
}

static void events(const struct ht_trace *t)
{
	struct ht_events e = {0};
	struct ht_diag d;
	for (size_t i = 0; i < ht_trace_block_count(t); i++) {
		const struct ht_block_info *b = ht_trace_block(t, i);
		if (ht_trace_block_decode(t, i, &e, &d)) {
			MUST(!e.count && d.text[0] && ht_trace_verdict(t) == HT_VERDICT_DAMAGED);
			continue;
		}
		MUST(e.count == b->events);
		for (size_t n = 0; n < e.count; n++) {
			const struct ht_event *v = &e.items[n];
			MUST(v->stack < ht_trace_node_count(t) && ht_trace_thread(t, v->thread));
			MUST(v->time / 2 <= b->last_ns && (!ht_op_is_death(v->op) || v->seq < b->first_seq + b->births));
		}
	}
	ht_events_release(&e);
}

static void checkpoints(const struct ht_trace *t)
{
	struct ht_live_set s = {0};
	struct ht_diag d;
	for (size_t c = 0; c < ht_trace_checkpoint_count(t); c++) {
		MUST(ht_trace_checkpoint_block(t, c) <= ht_trace_block_count(t));
		MUST(!ht_trace_checkpoint_load(t, c, &s, &d) || (!s.count && d.text[0]));
		for (size_t i = 0; i < s.count; i++) {
			const struct ht_live_block *b = &s.blocks[i];
			MUST(ht_op_is_birth(b->op) && b->stack < ht_trace_node_count(t) && ht_trace_thread(t, b->thread));
			MUST(b->seq < s.next_seq && (!i || b[-1].seq < b->seq));
		}
		for (size_t i = 0; i < s.realloc_count; i++)
			MUST(ht_trace_thread(t, s.reallocs[i].thread));
		for (size_t i = 0; i < s.thread_count; i++)
			MUST(ht_trace_thread(t, s.threads[i].thread) && (!i || s.threads[i - 1].thread < s.threads[i].thread));
	}
	ht_live_set_release(&s);
}

static void record(const struct ht_trace *t, const struct ht_time_block *b, uint32_t thread, uint32_t stack,
		   uint64_t before, uint64_t time)
{
	MUST(ht_trace_thread(t, thread) && stack < ht_trace_node_count(t));
	MUST(time >= b->first_ns && time <= b->last_ns && before <= time);
}

static void times(const struct ht_trace *t)
{
	struct ht_time_records r = {0};
	struct ht_diag d;
	for (size_t i = 0; i < ht_trace_time_block_count(t); i++) {
		const struct ht_time_block *b = ht_trace_time_block(t, i);
		int err = ht_trace_time_decode(t, i, &r, &d);
		size_t n = r.wait_count + r.wake_count + r.stall_count + r.fault_count + r.switch_count +
			   r.schedstat_count;
		if (err) {
			MUST(!n && d.text[0] && ht_trace_verdict(t) == HT_VERDICT_DAMAGED);
			continue;
		}
		MUST(n == b->count);
		for (size_t k = 0; k < r.wait_count; k++) {
			const struct ht_wait *x = &r.waits[k];
			record(t, b, x->thread, x->stack, k ? x[-1].end_ns : 0, x->end_ns);
			MUST(x->begin_ns <= x->end_ns && x->fd >= -1 && ht_wait_kind_names[x->kind] &&
			     ht_wait_call_names[x->call] && x->outcome < HT_OUTCOMES);
		}
		for (size_t k = 0; k < r.wake_count; k++) {
			const struct ht_wake *x = &r.wakes[k];
			record(t, b, x->thread, x->stack, k ? x[-1].time_ns : 0, x->time_ns);
			MUST(x->kind < HT_WAIT_KINDS && x->call < HT_CALL_COUNT);
		}
		for (size_t k = 0; k < r.stall_count; k++) {
			const struct ht_stall *x = &r.stalls[k];
			record(t, b, x->thread, x->stack, k ? x[-1].end_ns : 0, x->end_ns);
			MUST(x->begin_ns <= x->end_ns && x->op < HT_OP_COUNT);
		}
		for (size_t k = 0; k < r.fault_count; k++) {
			const struct ht_fault *x = &r.faults[k];
			record(t, b, x->thread, x->stack, k ? x[-1].time_ns : 0, x->time_ns);
		}
		for (size_t k = 0; k < r.switch_count; k++) {
			const struct ht_switch *x = &r.switches[k];
			record(t, b, x->thread, 0, k ? x[-1].time_ns : 0, x->time_ns);
			MUST(x->how <= HT_SWITCH_PREEMPTED);
		}
		for (size_t k = 0; k < r.schedstat_count; k++) {
			const struct ht_schedstat *x = &r.schedstats[k];
			record(t, b, x->thread, 0, k ? x[-1].time_ns : 0, x->time_ns);
		}
	}
	ht_time_records_release(&r);
}

static void symbols(const struct ht_trace *t)
{
	struct ht_buf out = {0};
	struct ht_diag d = {0};
	uint32_t format;
	for (uint32_t i = 0; i <= ht_trace_module_count(t) && i < 1000; i++) {
		out.len = 0;
		int err = ht_trace_symbols(t, i, &format, &out, &d);
		MUST(err >= 0 || (!out.len && d.text[0]));
	}
	ht_buf_release(&out);
}

void fuzz_trace_walk(const uint8_t *data, size_t size)
{
	struct ht_trace *t;
	struct ht_diag d = {0};
	uint64_t violations;
	int err = fuzz_trace_open(&t, data, size, &d);
	if (err) {
		MUST(!t && d.text[0] && (err == HT_ERR_NOT_A_TRACE || err == HT_ERR_VERSION));
		return;
	}
	MUST((ht_trace_verdict(t) != HT_VERDICT_OK) == (ht_trace_verdict_text(t)[0] != '\0'));
	dictionaries(t);
	events(t);
	checkpoints(t);
	times(t);
	symbols(t);
	ht_trace_verify(t, NULL, NULL, 0, &violations);
	ht_trace_close(t);
}
