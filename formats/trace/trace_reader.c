/* trace_reader: the questions to an open trace. Unknown ids give NULL or "", never a fault. */
#include "trace_reader.h"

#include <stdlib.h>
#include <unistd.h>

void ht_trace_close(struct ht_trace *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		close(t->fd);
	for (size_t i = 0; i < HT_ARRAY_SIZE(t->texts); i++)
		free(t->texts[i]);
	ht_buf_release(&t->string_bytes);
	free(t->strings);
	free(t->nodes);
	free(t->modules);
	free(t->threads);
	free(t->images);
	free(t->samples);
	free(t->blocks);
	free(t->defined);
	free(t->symbols);
	free(t->times);
	free(t->checkpoints);
	free(t->path);
	free(t);
}

enum ht_verdict ht_trace_verdict(const struct ht_trace *t)
{
	return __atomic_load_n(&t->late, __ATOMIC_ACQUIRE) ? HT_VERDICT_DAMAGED : t->verdict;
}

const char *ht_trace_verdict_text(const struct ht_trace *t)
{
	if (t->verdict != HT_VERDICT_DAMAGED && __atomic_load_n(&t->late, __ATOMIC_ACQUIRE))
		return t->late_text;
	return t->text;
}

const struct ht_trace_settings *ht_trace_settings(const struct ht_trace *t)
{
	return &t->settings;
}

const struct ht_trace_totals *ht_trace_totals(const struct ht_trace *t, bool *has_footer)
{
	if (has_footer)
		*has_footer = t->has_footer;
	return &t->totals;
}

int ht_trace_exit_status(const struct ht_trace *t)
{
	return t->exit_status;
}

uint64_t ht_trace_file_bytes(const struct ht_trace *t)
{
	return t->size;
}

uint64_t ht_trace_duration_ns(const struct ht_trace *t)
{
	return t->duration;
}

const char *ht_trace_string(const struct ht_trace *t, uint32_t id, size_t *n)
{
	if (id >= t->string_count)
		id = 0;
	if (n)
		*n = t->strings[id].length;
	return (const char *)t->string_bytes.data + t->strings[id].offset;
}

uint32_t ht_trace_module_count(const struct ht_trace *t)
{
	return (uint32_t)t->module_count;
}

const struct ht_module *ht_trace_module(const struct ht_trace *t, uint32_t id)
{
	return id < t->module_count ? &t->modules[id] : NULL;
}

uint32_t ht_trace_node_count(const struct ht_trace *t)
{
	return (uint32_t)t->node_count;
}

const struct ht_stack_node *ht_trace_nodes(const struct ht_trace *t)
{
	return t->nodes;
}

uint32_t ht_trace_thread_count(const struct ht_trace *t)
{
	return (uint32_t)t->thread_count;
}

const struct ht_thread_info *ht_trace_thread(const struct ht_trace *t, uint32_t id)
{
	return id < t->thread_count ? &t->threads[id] : NULL;
}

uint32_t ht_trace_image_count(const struct ht_trace *t)
{
	return (uint32_t)t->image_count;
}

const struct ht_image *ht_trace_image(const struct ht_trace *t, uint32_t id)
{
	return id < t->image_count ? &t->images[id] : NULL;
}

size_t ht_trace_sample_count(const struct ht_trace *t)
{
	return t->sample_count;
}

const struct ht_sample *ht_trace_samples(const struct ht_trace *t)
{
	return t->samples;
}

size_t ht_trace_block_count(const struct ht_trace *t)
{
	return t->block_count;
}

const struct ht_block_info *ht_trace_block(const struct ht_trace *t, size_t i)
{
	return i < t->block_count ? &t->blocks[i] : NULL;
}

/* Blocks' last times need not ascend (threads may be told late), so no bisection; there are few thousand. */
size_t ht_trace_block_at_time(const struct ht_trace *t, uint64_t ns)
{
	size_t i = 0;
	while (i < t->block_count && t->blocks[i].last_ns < ns)
		i++;
	return i;
}

size_t ht_trace_block_of_birth(const struct ht_trace *t, uint64_t seq)
{
	size_t lo = 0, hi = t->block_count; /* numbers ascend: the first block whose births reach beyond seq */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (t->blocks[mid].first_seq + t->blocks[mid].births <= seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->block_count && t->blocks[lo].first_seq <= seq ? lo : t->block_count;
}
