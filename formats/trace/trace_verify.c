/*
 * trace_verify: every invariant of SPEC.md that a reader can check, in one walk over the events.
 * Memory follows the blocks that are live, not the length of the trace.
 *
 * Three maps hold the same live blocks:
 *   by_number:  birth number     -> address, image
 *   sizes:      birth number     -> size
 *   by_address: (address, image) -> birth number, unpaired      (where the address is known)
 * Once a block of the file is lost, deaths of unknown births are nobody's fault any more: `holes`.
 */
#include "trace_checkpoint.h"
#include "trace_livemap.h"
#include "trace_reader.h"
#include "trace_times.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What a REALLOC_UNDO of this thread would take back. */
struct last_realloc {
	uint64_t seq, address, size;
	bool open, known, unpaired; /* known: it ended a block that we had */
};

struct verifier {
	const struct ht_trace *t;
	void (*say)(void *ctx, const char *line);
	void *ctx;
	size_t max;
	uint64_t violations;
	int worst;
	bool holes;
	struct ht_livemap by_number, sizes, by_address;
	struct ht_livemap forks; /* (fork number, image) of FORK events */
	struct last_realloc *reallocs;
	/* by image: has it ended; blocks in by_number; and those of images that have not ended, together */
	bool *ended;
	uint64_t *live, live_count;
	uint64_t *bytes, live_bytes; /* the same of their sizes */
	uint64_t time;		     /* of the event we are at */
	struct ht_live_set set; /* what the checkpoints so far say */
	size_t checkpoint;
	bool no_checkpoints; /* one could not be used, so none behind it */
	struct ht_trace_totals sums;
	/* where we are */
	uint32_t sequence;
	size_t index;
};

static __attribute__((format(printf, 2, 3))) void violated(struct verifier *v, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	v->worst = HT_ERR_DAMAGED;
	if (v->violations++ < v->max && v->say)
		v->say(v->ctx, line);
}

/* The same, of the event we are at. */
#define VIOLATED(v, fmt, ...)                                                                      \
	violated(v, "block %u, event %zu: " fmt, (v)->sequence, (v)->index, ##__VA_ARGS__)

static uint32_t image_of(const struct verifier *v, const struct ht_event *e)
{
	const struct ht_thread_info *thread = ht_trace_thread(v->t, e->thread);
	return thread ? thread->image : 0;
}

static void count_live(struct verifier *v, uint32_t image, int change, uint64_t size)
{
	uint64_t bytes = change < 0 ? -size : size;
	v->live[image] += (uint64_t)change;
	v->bytes[image] += bytes;
	v->sums.left_blocks += (uint64_t)change;
	v->sums.left_bytes += bytes;
	if (v->ended[image])
		return;
	v->live_count += (uint64_t)change;
	v->live_bytes += bytes;
	if (v->live_bytes > v->sums.peak_bytes) {
		v->sums.peak_bytes = v->live_bytes;
		v->sums.peak_ns = v->time;
	}
}

static uint64_t size_of(const struct verifier *v, uint64_t seq)
{
	const struct ht_live *size = ht_livemap_get(&v->sizes, seq, 0);
	return size ? size->value : 0;
}

static void end_block(struct verifier *v, uint64_t seq, uint64_t address, uint32_t image)
{
	if (ht_livemap_get(&v->by_number, seq, 0))
		count_live(v, image, -1, size_of(v, seq));
	ht_livemap_remove(&v->by_number, seq, 0);
	ht_livemap_remove(&v->sizes, seq, 0);
	if (address)
		ht_livemap_remove(&v->by_address, address, image);
}

static void begin_block(struct verifier *v, uint64_t seq, uint64_t address, uint64_t size, uint32_t image,
			bool unpaired)
{
	struct ht_live *there = address ? ht_livemap_get(&v->by_address, address, image) : NULL;
	if (there) {
		uint64_t older = there->value;
		/* nobody told the collector how an unpaired block ended */
		if (!there->extra && !v->holes)
			VIOLATED(v,
				 "block %" PRIu64 " is born at %#" PRIx64 ", where block %" PRIu64
				 " is live",
				 seq, address, older);
		end_block(v, older, address, image);
	}
	if (!ht_livemap_get(&v->by_number, seq, 0))
		count_live(v, image, 1, size);
	ht_livemap_put(&v->by_number, seq, 0, address, image);
	ht_livemap_put(&v->sizes, seq, 0, size, 0);
	if (address)
		ht_livemap_put(&v->by_address, address, image, seq, unpaired);
}

static void birth(struct verifier *v, const struct ht_event *e)
{
	v->sums.births++;
	v->sums.requested_bytes += e->size;
	if (!e->address && (e->unpaired || v->t->settings.addresses) && !v->holes)
		VIOLATED(v, "block %" PRIu64 " is born without an address", e->seq);
	begin_block(v, e->seq, e->address, e->size, image_of(v, e), e->unpaired);
}

static void death(struct verifier *v, const struct ht_event *e)
{
	uint32_t image = image_of(v, e);
	struct ht_live *block = ht_livemap_get(&v->by_number, e->seq, 0);
	struct last_realloc last = {.seq = e->seq, .size = size_of(v, e->seq), .open = true, .known = block != NULL};
	v->sums.deaths++;
	v->sums.implied_frees += e->op == HT_OP_IMPLIED_FREE;
	if (!block && !v->holes)
		VIOLATED(v, "%s of block %" PRIu64 ", which is not live", ht_op_info[e->op].name,
			 e->seq);
	if (block) {
		last.address = block->value;
		if (block->extra != image)
			VIOLATED(v, "block %" PRIu64 " of image %u ends in image %u", e->seq,
				 block->extra, image);
		struct ht_live *at =
		    last.address ? ht_livemap_get(&v->by_address, last.address, block->extra)
				 : NULL;
		last.unpaired = at && at->extra;
		if (last.unpaired)
			VIOLATED(v, "block %" PRIu64 " is unpaired, but its end names it", e->seq);
		end_block(v, e->seq, last.address, block->extra);
	}
	if (e->op == HT_OP_REALLOC_FREE)
		v->reallocs[e->thread] = last;
}

static void unknown_death(struct verifier *v, const struct ht_event *e)
{
	uint32_t image = image_of(v, e);
	struct ht_live *there = ht_livemap_get(&v->by_address, e->address, image);
	struct last_realloc last = {.address = e->address, .open = true, .known = there != NULL};
	v->sums.unknown_frees++;
	if (there) {
		last.seq = there->value;
		last.size = size_of(v, last.seq);
		last.unpaired = there->extra;
		if (!last.unpaired && !v->holes)
			VIOLATED(v, "%s of %#" PRIx64 ", where block %" PRIu64 " is live",
				 ht_op_info[e->op].name, e->address, there->value);
		end_block(v, last.seq, e->address, image);
	}
	if (e->op == HT_OP_REALLOC_FREE_UNKNOWN)
		v->reallocs[e->thread] = last;
}

static void undo(struct verifier *v, const struct ht_event *e)
{
	struct last_realloc *last = &v->reallocs[e->thread];
	v->sums.undone_reallocs++;
	if (!last->open && !v->holes)
		VIOLATED(v, "thread %u undoes a realloc that it did not begin", e->thread);
	if (last->open && last->known)
		begin_block(v, last->seq, last->address, last->size, image_of(v, e), last->unpaired);
	last->open = false;
}

static void end_image(struct verifier *v, uint32_t image)
{
	if (v->ended[image])
		return;
	v->ended[image] = true;
	v->live_count -= v->live[image];
	v->live_bytes -= v->bytes[image];
}

static void event(struct verifier *v, const struct ht_event *e)
{
	v->sums.events++;
	v->time = e->time;
	if (v->ended[image_of(v, e)] && !v->holes)
		VIOLATED(v, "%s in image %u, which has ended", ht_op_info[e->op].name, image_of(v, e));
	if (ht_op_is_birth(e->op))
		birth(v, e);
	else if (ht_op_is_death(e->op))
		death(v, e);
	else if (e->op == HT_OP_FREE_UNKNOWN || e->op == HT_OP_REALLOC_FREE_UNKNOWN)
		unknown_death(v, e);
	else if (e->op == HT_OP_REALLOC_UNDO)
		undo(v, e);
	else if (e->op == HT_OP_FAILED)
		v->sums.failed_calls++;
	else if (e->op == HT_OP_IMAGE_END)
		end_image(v, image_of(v, e));
	else if (e->op == HT_OP_FORK)
		ht_livemap_put(&v->forks, e->extra, image_of(v, e), 0, 0);
}

/* --- checkpoints ------------------------------------------------------------------------------- */

static bool is_open(const struct ht_live_set *s, uint64_t seq)
{
	for (size_t i = 0; i < s->realloc_count; i++)
		if (s->reallocs[i].known && s->reallocs[i].block.seq == seq)
			return true;
	return false;
}

/* The set must be what is live here, and what may be taken back. */
static void compare_set(struct verifier *v, size_t c)
{
	uint64_t count = 0, next_seq = v->set.next_seq, open = 0;
	for (size_t i = 0; i < v->set.count; i++) {
		const struct ht_live_block *b = &v->set.blocks[i];
		struct ht_live *there = b->op ? ht_livemap_get(&v->by_number, b->seq, 0) : NULL;
		if (!b->op)
			continue;
		if (!there && is_open(&v->set, b->seq)) {
			open++;
		} else if (!there || there->value != b->address || there->extra != v->t->threads[b->thread].image) {
			violated(v, "checkpoint %zu: block %" PRIu64 " is not live there", c, b->seq);
			return;
		}
		count++;
	}
	if (next_seq != v->sums.births || count - open != v->live_count)
		violated(v,
			 "checkpoint %zu has %" PRIu64 " blocks in front of birth %" PRIu64 ", but %" PRIu64
			 " are live and birth %" PRIu64 " is next",
			 c, count - open, next_seq, v->live_count, v->sums.births);
}

/* Those that stand in front of block i of events. */
static void checkpoints(struct verifier *v, size_t i)
{
	struct ht_diag d;
	for (; v->checkpoint < v->t->checkpoint_count && v->t->checkpoints[v->checkpoint].block <= i; v->checkpoint++) {
		if (v->no_checkpoints)
			continue;
		if (ht_checkpoint_apply(v->t, v->checkpoint, &v->set, &d)) {
			violated(v, "%s", d.text);
			v->no_checkpoints = true;
		} else if (!v->holes) {
			compare_set(v, v->checkpoint);
		}
	}
}

static void one_block(struct verifier *v, size_t i, struct ht_events *events)
{
	const struct ht_block_info *b = ht_trace_block(v->t, i);
	struct ht_diag d;
	uint64_t first = UINT64_MAX, last = 0;
	v->sequence = b->sequence;
	v->index = 0;
	if (b->first_seq != v->sums.births) {
		if (!v->holes)
			violated(v, "block %u: its births begin with %" PRIu64 ", not %" PRIu64,
				 b->sequence, b->first_seq, v->sums.births);
		v->sums.births = b->first_seq;
	}
	int err = ht_trace_block_decode(v->t, i, events, &d);
	if (err) {
		violated(v, "%s", d.text);
		v->holes = true;
		return;
	}
	for (size_t n = 0; n < events->count; n++) {
		const struct ht_event *e = &events->items[n];
		first = e->time < first ? e->time : first;
		last = e->time > last ? e->time : last;
		v->index = n;
		event(v, e);
	}
	if (events->count && (first != b->first_ns || last != b->last_ns))
		violated(v,
			 "block %u: its times are %" PRIu64 " to %" PRIu64 " ns, not %" PRIu64
			 " to %" PRIu64,
			 b->sequence, first, last, b->first_ns, b->last_ns);
}

/* Waits, switches and so on stand apart from all that. */
static void all_times(struct verifier *v)
{
	struct ht_time_records r = {0};
	struct ht_diag d;
	for (size_t i = 0; i < ht_trace_time_block_count(v->t); i++) {
		int err = ht_times_check(v->t, i, &r, &v->sums, &d);
		if (err)
			violated(v, "%s", d.text);
		v->holes |= err < 0;
	}
	ht_time_records_release(&r);
}

static void check_total(struct verifier *v, const char *name, uint64_t footer, uint64_t found)
{
	if (footer != found)
		violated(v, "the footer tells %" PRIu64 " %s, the blocks hold %" PRIu64, footer,
			 name, found);
}

static void check_totals(struct verifier *v)
{
	const struct ht_trace_totals *f = &v->t->totals, *s = &v->sums;
	uint64_t lost = 0;
	for (unsigned i = 0; i < HT_LOST_COUNT; i++)
		lost += f->lost[i];
	if (f->counted != f->recorded + lost)
		violated(v,
			 "the hook counted %" PRIu64 " events, but %" PRIu64
			 " recorded and %" PRIu64 " lost make %" PRIu64,
			 f->counted, f->recorded, lost, f->recorded + lost);
	check_total(v, "events", f->events, s->events);
	check_total(v, "births", f->births, s->births);
	check_total(v, "deaths", f->deaths, s->deaths);
	check_total(v, "requested bytes", f->requested_bytes, s->requested_bytes);
	check_total(v, "implied frees", f->implied_frees, s->implied_frees);
	check_total(v, "unknown frees", f->unknown_frees, s->unknown_frees);
	check_total(v, "failed calls", f->failed_calls, s->failed_calls);
	check_total(v, "undone reallocs", f->undone_reallocs, s->undone_reallocs);
	check_total(v, "waits", f->waits, s->waits);
	check_total(v, "waits in calls on descriptors and sleeps", f->io_waits, s->io_waits);
	check_total(v, "wakes", f->wakes, s->wakes);
	check_total(v, "stalls", f->stalls, s->stalls);
	check_total(v, "faults", f->faults, s->faults);
	check_total(v, "switches", f->switches, s->switches);
	if (!f->levels_known)
		return;
	check_total(v, "bytes at the peak", f->peak_bytes, s->peak_bytes);
	check_total(v, "ns as its time", f->peak_ns, s->peak_ns);
	check_total(v, "blocks left", f->left_blocks, s->left_blocks);
	check_total(v, "bytes left", f->left_bytes, v->sums.left_bytes);
}

/* What was not asked for is not there. */
static void check_classes(struct verifier *v)
{
	const struct ht_trace_totals *s = &v->sums;
	const struct {
		enum ht_event_class class;
		const char *what;
		uint64_t there;
	} all[] = {
		{HT_CLASS_ALLOC, "allocations", s->births},
		{HT_CLASS_SYNC, "waits for locks and threads", s->waits - s->io_waits},
		{HT_CLASS_IO, "waits in calls on descriptors and sleeps", s->io_waits},
		{HT_CLASS_SCHED, "switches", s->switches},
		{HT_CLASS_FAULT, "faults", s->faults},
	};
	const uint32_t asked = v->t->settings.events;
	for (size_t i = 0; asked && i < HT_ARRAY_SIZE(all); i++)
		if (all[i].there && !(asked >> all[i].class & 1))
			violated(v, "there are %" PRIu64 " %s, but the header does not name '%s'", all[i].there, all[i].what,
				 ht_event_class_names[all[i].class]);
}

static void check_images(struct verifier *v)
{
	for (uint32_t i = 0; i < v->t->image_count; i++) {
		const struct ht_image *image = &v->t->images[i];
		if (image->kind == HT_IMAGE_FORK && image->fork_number && image->parent &&
		    !ht_livemap_get(&v->forks, image->fork_number, image->parent - 1))
			violated(v,
				 "image %u names fork %" PRIu64
				 " of image %u, which has no such event",
				 i, image->fork_number, image->parent - 1);
		if (image->end_ns < image->start_ns)
			violated(v, "image %u ends before it starts", i);
	}
}

int ht_trace_verify_watched(const struct ht_trace *t, void (*say)(void *ctx, const char *line),
			    void *ctx, size_t max, uint64_t *violations, ht_trace_progress *progress)
{
	struct verifier v = {.t = t, .say = say, .ctx = ctx, .max = max};
	struct ht_events events = {0};
	enum ht_verdict verdict = t->verdict;
	v.holes = verdict == HT_VERDICT_DAMAGED;
	v.reallocs = ht_xcalloc(t->thread_count, sizeof(*v.reallocs));
	v.ended = ht_xcalloc(t->image_count + 1, sizeof(*v.ended));
	v.live = ht_xcalloc(t->image_count + 1, sizeof(*v.live));
	v.bytes = ht_xcalloc(t->image_count + 1, sizeof(*v.bytes));
	if (verdict != HT_VERDICT_OK)
		violated(&v, "%s", t->text);
	if (verdict == HT_VERDICT_TRUNCATED)
		v.worst = HT_ERR_TRUNCATED;
	for (size_t i = 0; i < t->block_count; i++) {
		checkpoints(&v, i);
		one_block(&v, i, &events);
		if (progress)
			progress(ctx, "blocks", i + 1, t->block_count);
	}
	checkpoints(&v, t->block_count);
	all_times(&v);
	check_classes(&v);
	if (verdict == HT_VERDICT_OK && !v.holes) {
		if (t->has_footer)
			check_totals(&v);
		check_images(&v);
	}
	ht_events_release(&events);
	ht_livemap_release(&v.by_number);
	ht_livemap_release(&v.sizes);
	ht_livemap_release(&v.by_address);
	ht_livemap_release(&v.forks);
	ht_live_set_release(&v.set);
	free(v.reallocs);
	free(v.ended);
	free(v.live);
	free(v.bytes);
	if (violations)
		*violations = v.violations;
	return v.worst;
}

int ht_trace_verify(const struct ht_trace *t, void (*say)(void *ctx, const char *line), void *ctx,
		    size_t max, uint64_t *violations)
{
	return ht_trace_verify_watched(t, say, ctx, max, violations, NULL);
}
