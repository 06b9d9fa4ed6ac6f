/*
 * massif: see massif.h. The curve becomes snapshots; the one at the peak is detailed and carries the stacks
 * as a tree, callsites first. As in Massif, branches below 1 % of the snapshot are told together, and
 * trees are cut at 30 frames, which is as deep as ms_print likes to go.
 */
#include "massif.h"

#include <inttypes.h>
#include <stdlib.h>

#include "profile_frames.h"
#include "sink.h"

enum { DEEPEST = 30 };
static const double smallest_share = 0.01;

struct stack {
	const struct ht_profile_line *lines[DEEPEST]; /* leaf first; NULL: no name */
	uint32_t locations[DEEPEST];
	unsigned count;
	int64_t bytes;
};

/* Stacks stacks[first .. last-1] that share a frame. */
struct branch {
	size_t first, last;
	int64_t bytes;
};

struct tree {
	const struct ht_profile *profile;
	const struct stack *stacks; /* sorted by frames */
	struct ht_sink *out;
	int64_t smallest; /* bytes that a branch needs to be told on its own */
};

/* --- stacks ------------------------------------------------------------------------------- */

static struct stack stack_of(const struct ht_profile *p, const struct ht_profile_sample *s)
{
	struct ht_profile_walk w = ht_profile_walk(p, s);
	struct stack stack = {.bytes = s->values[HT_WHOLE_PEAK_SPACE]};
	while (stack.count < DEEPEST && ht_profile_next(&w)) {
		stack.locations[stack.count] = w.number;
		stack.lines[stack.count++] = w.line;
	}
	return stack;
}

static int compare_frames(const struct stack *a, const struct stack *b, unsigned i)
{
	if (a->locations[i] != b->locations[i])
		return a->locations[i] < b->locations[i] ? -1 : 1;
	return a->lines[i] < b->lines[i] ? -1 : a->lines[i] > b->lines[i];
}

static int compare_stacks(const void *pa, const void *pb)
{
	const struct stack *a = pa, *b = pb;
	for (unsigned i = 0; i < a->count && i < b->count; i++) {
		int order = compare_frames(a, b, i);
		if (order)
			return order;
	}
	return a->count < b->count ? -1 : a->count > b->count;
}

/* --- the tree ----------------------------------------------------------------------------- */

static int by_bytes(const void *pa, const void *pb)
{
	const struct branch *a = pa, *b = pb;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return a->first < b->first ? -1 : a->first > b->first;
}

/* The branches below the frames in front of `depth`; stacks that end there belong to none. */
static struct branch *branches_of(const struct tree *t, const struct branch *b, unsigned depth, size_t *count)
{
	struct branch *list = NULL;
	*count = 0;
	for (size_t i = b->first, next; i < b->last; i = next) {
		struct branch found = {.first = i};
		next = i + 1;
		if (t->stacks[i].count <= depth)
			continue;
		while (next < b->last && !compare_frames(&t->stacks[i], &t->stacks[next], depth))
			next++;
		found.last = next;
		for (size_t k = i; k < next; k++)
			found.bytes += t->stacks[k].bytes;
		list = ht_xrealloc(list, *count + 1, sizeof(*list));
		list[(*count)++] = found;
	}
	if (list)
		qsort(list, *count, sizeof(*list), by_bytes);
	return list;
}

/* The frames below b's own one, which is the caller's to write: it needs their number. */
static void write_branches(const struct tree *t, const struct branch *b, unsigned depth, const char *name,
			   int64_t left_out)
{
	struct ht_buf *text = &t->out->text;
	size_t count, large = 0;
	int64_t rest = 0;
	struct branch *list = branches_of(t, b, depth, &count);
	while (large < count && list[large].bytes >= t->smallest)
		large++;
	for (size_t i = large; i < count; i++)
		rest += list[i].bytes;
	ht_buf_printf(text, "%*sn%zu: %" PRId64 " %s\n", (int)depth, "",
		      large + (large < count) + (left_out > 0), b->bytes, name);
	for (size_t i = 0; i < large; i++) {
		const struct stack *s = &t->stacks[list[i].first];
		struct ht_buf frame = {0};
		ht_profile_frame_text(&frame, t->profile, &t->profile->locations[s->locations[depth]],
				      s->lines[depth]);
		ht_buf_byte(&frame, '\0');
		/* '#' begins a comment in this format. */
		for (char *c = (char *)frame.data; *c; c++)
			if (*c == '#' || (unsigned char)*c < ' ')
				*c = '?';
		write_branches(t, &list[i], depth + 1, (char *)frame.data, 0);
		ht_buf_release(&frame);
	}
	if (large < count)
		ht_buf_printf(text, "%*sn0: %" PRId64 " in %zu place%s, all below massif's threshold (%.2f%%)\n",
			      (int)depth + 1, "", rest, count - large, count - large == 1 ? "" : "s",
			      smallest_share * 100);
	if (left_out > 0)
		ht_buf_printf(text, "%*sn0: %" PRId64 " left out by the selection\n", (int)depth + 1, "", left_out);
	free(list);
	ht_sink_some(t->out);
}

static void write_tree(struct ht_sink *out, const struct ht_profile *p, int64_t bytes)
{
	struct stack *stacks = ht_xcalloc(p->sample_count, sizeof(*stacks));
	struct branch all = {.bytes = bytes};
	int64_t sum = 0;
	for (size_t i = 0; i < p->sample_count; i++) {
		if (!p->samples[i].values[HT_WHOLE_PEAK_SPACE])
			continue;
		stacks[all.last] = stack_of(p, &p->samples[i]);
		sum += stacks[all.last++].bytes;
	}
	qsort(stacks, all.last, sizeof(*stacks), compare_stacks);
	struct tree t = {p, stacks, out, (int64_t)(smallest_share * (double)bytes)};
	write_branches(&t, &all, 0, "(heap allocation functions) malloc/new/new[], --alloc-fns, etc.", bytes - sum);
	free(stacks);
}

/* --- snapshots ---------------------------------------------------------------------------- */

static void write_snapshot(struct ht_sink *out, const struct ht_profile *p, size_t i)
{
	const struct ht_profile_point *at = &p->points[i];
	struct ht_buf *b = &out->text;
	bool peak = i == p->peak_point;
	ht_buf_printf(b, "#-----------\nsnapshot=%zu\n#-----------\ntime=%.3f\n", i, (double)at->time_ns / 1e6);
	ht_buf_printf(b, "mem_heap_B=%" PRId64 "\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=%s\n", at->bytes,
		      peak ? "peak" : "empty");
	if (peak)
		write_tree(out, p, at->bytes);
}

/* A line of its own, without what begins a comment. */
static void write_line(struct ht_buf *b, const char *label, const char *text)
{
	ht_buf_printf(b, "%s: ", label);
	for (; *text; text++)
		ht_buf_byte(b, *text == '#' || (unsigned char)*text < ' ' ? '?' : (uint8_t)*text);
	ht_buf_byte(b, '\n');
}

static int write_profile(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d)
{
	struct ht_sink out = {.fd = fd};
	(void)value_index;
	write_line(&out.text, "desc", "(recorded by heaptide)");
	write_line(&out.text, "cmd", p->command);
	write_line(&out.text, "time_unit", "ms");
	for (size_t i = 0; i < p->point_count; i++)
		write_snapshot(&out, p, i);
	return ht_sink_end(&out, d);
}

const struct ht_exporter ht_exporter_massif = {
	.name = "massif",
	.extension = ".massif",
	.summary = "for ms_print: live bytes over time, and who held the peak",
	.whole = true,
	.write_profile = write_profile,
};
