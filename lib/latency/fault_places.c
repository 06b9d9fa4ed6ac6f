/* fault_places: see fault_places.h. Here: the pass over the events, who inherits from whom, and what is no block. */
#include "fault_places.h"

#include <stdlib.h>
#include <string.h>

#include "fault_spots.h"

const char *const ht_fault_where_names[HT_FAULT_WHERES] = {
	[HT_FAULT_UNKNOWN] = "unknown", [HT_FAULT_BLOCK] = "block", [HT_FAULT_MAPPING] = "mapping",
	[HT_FAULT_MODULE] = "module",	[HT_FAULT_STACK] = "stack",	[HT_FAULT_RECORDER] = "recorder",
};

#define UNSTAMPED_NS UINT64_C(1000000) /* how much later than its time a free may be that has no stamp */
enum { FORK_DEPTH = 64 };

/* What happens in `ancestor` until then is the child's past, too. */
struct heir {
	uint32_t ancestor, child;
	uint64_t until_ns;
};

struct pass {
	struct ht_fault_spots spots;
	const struct ht_trace *trace;
	struct heir *heirs; /* by ancestor */
	size_t heir_count, heir_cap;
	uint32_t *image_of; /* per thread */
	uint64_t *last;	    /* per thread: time of its last event */
	uint64_t *realloc_seq; /* per thread: + 1, of the last realloc_free */
	uint64_t seen;
};

/* --- forks --------------------------------------------------------------------------------- */

static int by_ancestor(const void *a, const void *b)
{
	const struct heir *x = a, *y = b;
	if (x->ancestor != y->ancestor)
		return x->ancestor < y->ancestor ? -1 : 1;
	return (x->child > y->child) - (x->child < y->child);
}

static void find_heirs(struct pass *p)
{
	for (uint32_t child = 0; child < ht_trace_image_count(p->trace); child++) {
		uint32_t at = child;
		if (p->spots.first[child] == p->spots.first[child + 1])
			continue;
		for (unsigned depth = 0; depth < FORK_DEPTH; depth++) {
			const struct ht_image *m = ht_trace_image(p->trace, at);
			if (!m || m->kind != HT_IMAGE_FORK || !m->parent || m->parent - 1 >= at)
				break;
			at = m->parent - 1;
			if (p->heir_count == p->heir_cap) {
				p->heir_cap = p->heir_cap ? 2 * p->heir_cap : 16;
				p->heirs = ht_xrealloc(p->heirs, p->heir_cap, sizeof(*p->heirs));
			}
			p->heirs[p->heir_count++] = (struct heir){at, child, m->start_ns};
		}
	}
	if (p->heir_count)
		qsort(p->heirs, p->heir_count, sizeof(*p->heirs), by_ancestor);
}

/* The image itself, then its heirs at that time: the next one after *at, or false. *at is 0 at first. */
static bool next_image(const struct pass *p, uint32_t image, uint64_t time, size_t *at, uint32_t *out)
{
	if (!*at) {
		*at = 1;
		*out = image;
		return true;
	}
	for (; *at <= p->heir_count; ++*at) {
		const struct heir *h = &p->heirs[*at - 1];
		if (h->ancestor != image || h->until_ns < time)
			continue;
		*out = h->child;
		++*at;
		return true;
	}
	return false;
}

/* --- events -------------------------------------------------------------------------------- */

static void birth(struct pass *p, const struct ht_event_arrays *e, size_t i, uint32_t thread)
{
	const uint32_t image = p->image_of[thread];
	const struct ht_spot_block b = {
		.seq = e->seq[i],
		.address = e->address[i],
		.size = e->size[i],
		.death_ns = UINT64_MAX,
		.stack = e->stack[i],
		.image = image,
		.numbered = !(e->op[i] & HT_EVENT_UNPAIRED),
	};
	uint32_t to;
	for (size_t at = 0; b.address && next_image(p, image, e->time[i], &at, &to);)
		ht_fault_spots_birth(&p->spots, to, thread, p->last[thread], e->time[i], &b);
}

static void map_event(struct pass *p, const struct ht_event_arrays *e, size_t i, uint32_t thread,
		      const struct ht_event_extra *x)
{
	const uint64_t time = e->time[i], address = e->address[i], size = e->size[i];
	uint32_t to;
	for (size_t at = 0; next_image(p, p->image_of[thread], time, &at, &to);) {
		switch (e->op[i] & HT_EVENT_OP) {
		case HT_OP_MREMAP:
			if (x)
				ht_fault_spots_map(&p->spots, to, time, x->extra, x->extra2, 0);
			ht_fault_spots_map(&p->spots, to, time, address, size, e->stack[i] + 1);
			break;
		case HT_OP_MMAP:
			ht_fault_spots_map(&p->spots, to, time, address, size, e->stack[i] + 1);
			break;
		default:
			ht_fault_spots_map(&p->spots, to, time, address, size, 0);
			break;
		}
	}
}

static void one_event(struct pass *p, const struct ht_event_arrays *e, size_t i, uint32_t thread,
		      const struct ht_event_extra *x)
{
	const unsigned op = e->op[i] & HT_EVENT_OP;
	const uint64_t late = e->time[i] + (e->op[i] & HT_EVENT_STAMPED ? 0 : UNSTAMPED_NS);
	uint32_t to;
	if (ht_op_is_birth(op)) {
		birth(p, e, i, thread);
	} else if (ht_op_is_death(op)) {
		ht_fault_spots_death(&p->spots, e->seq[i], late);
		if (op == HT_OP_REALLOC_FREE)
			p->realloc_seq[thread] = e->seq[i] + 1;
	} else if (op == HT_OP_FREE_UNKNOWN || op == HT_OP_REALLOC_FREE_UNKNOWN) {
		for (size_t at = 0; next_image(p, p->image_of[thread], e->time[i], &at, &to);)
			ht_fault_spots_free_at(&p->spots, to, e->address[i], late);
	} else if (op == HT_OP_REALLOC_UNDO) {
		if (p->realloc_seq[thread])
			ht_fault_spots_death(&p->spots, p->realloc_seq[thread] - 1, UINT64_MAX);
	} else if (op == HT_OP_MMAP || op == HT_OP_MUNMAP || op == HT_OP_MREMAP) {
		map_event(p, e, i, thread, x);
	}
	p->last[thread] = e->time[i];
}

static void events(struct pass *p, const struct ht_event_arrays *e)
{
	size_t i = 0, x = 0;
	for (size_t k = 0; k < e->run_count; k++)
		for (uint32_t n = e->runs[k].count; n && i < e->count; n--, i++) {
			while (x < e->extra_count && e->extras[x].event < i)
				x++;
			bool has = x < e->extra_count && e->extras[x].event == i;
			one_event(p, e, i, e->runs[k].thread, has ? &e->extras[x] : NULL);
		}
}

/* --- no block ------------------------------------------------------------------------------ */

struct segment {
	uint64_t begin, end;
	uint32_t image, module;
};

static int by_begin(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;
	if (x->image != y->image)
		return x->image < y->image ? -1 : 1;
	return (x->begin > y->begin) - (x->begin < y->begin);
}

static const struct segment *find_segment(const struct segment *s, size_t n, uint32_t image, uint64_t address)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s[middle].image < image || (s[middle].image == image && s[middle].begin <= address))
			low = middle + 1;
		else
			high = middle;
	}
	return low && s[low - 1].image == image && address < s[low - 1].end ? &s[low - 1] : NULL;
}

/* The kernel puts the main thread's stack above all that is mapped; x86-64, four levels of page tables, as programs
 * have them. */
static bool main_stack(uint64_t address)
{
	return address >= UINT64_C(0x7ffb00000000) && address < UINT64_C(0x800000000000);
}

static bool by_recorder(const struct ht_trace *t, uint32_t node)
{
	static const char name[] = "libheaptide-hook";
	const struct ht_stack_node *n = node < ht_trace_node_count(t) ? &ht_trace_nodes(t)[node] : NULL;
	const struct ht_module *m = n && n->module ? ht_trace_module(t, n->module - 1) : NULL;
	return m && !strncmp(ht_base_name(ht_trace_string(t, m->path, NULL)), name, sizeof(name) - 1);
}

/* A module's load address is that of the first image that loaded it; forked ones have it, too. */
static void name_modules(const struct ht_latency *l, const struct pass *p, struct ht_fault_place *places)
{
	const uint32_t n = ht_trace_module_count(l->trace);
	struct segment *s = ht_xcalloc(n + 1ull, sizeof(*s));
	for (uint32_t i = 0; i < n; i++) {
		const struct ht_module *m = ht_trace_module(l->trace, i);
		s[i] = (struct segment){m->bias, m->bias + m->size, m->image, i};
	}
	qsort(s, n, sizeof(*s), by_begin);
	for (size_t i = 0; i < l->fault_count; i++) {
		const uint64_t address = l->faults[i].address;
		uint32_t image = p->image_of[l->faults[i].thread];
		const struct segment *found = NULL;
		if (places[i].where != HT_FAULT_UNKNOWN)
			continue;
		for (unsigned depth = 0; !found && depth < FORK_DEPTH; depth++) {
			const struct ht_image *m = ht_trace_image(l->trace, image);
			found = find_segment(s, n, image, address);
			if (!m || m->kind != HT_IMAGE_FORK || !m->parent)
				break;
			image = m->parent - 1;
		}
		if (found)
			places[i] = (struct ht_fault_place){found->module, HT_FAULT_MODULE};
		else if (main_stack(address))
			places[i].where = HT_FAULT_STACK;
		else if (by_recorder(l->trace, l->faults[i].stack))
			places[i].where = HT_FAULT_RECORDER;
	}
	free(s);
}

/* --- the whole ----------------------------------------------------------------------------- */

static void walk(struct pass *p, struct ht_fault_places *out, uint64_t to_ns,
		 void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total), void *ctx)
{
	const size_t count = ht_trace_block_count(p->trace);
	struct ht_event_arrays e = {0};
	struct ht_diag d;
	for (size_t i = 0; i < count && ht_trace_block(p->trace, i)->first_ns <= to_ns; i++) {
		if (progress)
			progress(ctx, "events", i, count);
		if (ht_trace_block_arrays(p->trace, i, &e, &d) < 0)
			out->damaged_blocks++;
		else
			events(p, &e);
	}
	ht_event_arrays_release(&e);
}

void ht_fault_places_find(struct ht_fault_places *out, const struct ht_latency *l,
			  void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total), void *progress_ctx)
{
	const uint32_t threads = ht_trace_thread_count(l->trace);
	struct pass p = {.trace = l->trace};
	*out = (struct ht_fault_places){.no_addresses = !ht_trace_settings(l->trace)->addresses};
	out->items = ht_xcalloc(l->fault_count + 1, sizeof(*out->items));
	if (!l->fault_count)
		return;
	p.image_of = ht_xcalloc(threads + 1ull, sizeof(*p.image_of));
	p.last = ht_xcalloc(threads + 1ull, sizeof(*p.last));
	p.realloc_seq = ht_xcalloc(threads + 1ull, sizeof(*p.realloc_seq));
	for (uint32_t i = 0; i < threads; i++)
		p.image_of[i] = ht_trace_thread(l->trace, i)->image;
	ht_fault_spots_init(&p.spots, l, out->items);
	find_heirs(&p);
	walk(&p, out, l->to_ns, progress, progress_ctx);
	ht_fault_spots_finish(&p.spots);
	name_modules(l, &p, out->items);
	ht_fault_spots_release(&p.spots);
	free(p.heirs);
	free(p.image_of);
	free(p.last);
	free(p.realloc_seq);
}

void ht_fault_places_release(struct ht_fault_places *p)
{
	free(p->items);
	*p = (struct ht_fault_places){0};
}
