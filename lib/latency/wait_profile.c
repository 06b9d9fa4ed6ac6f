/* wait_profile: see wait_profile.h. Samples of one stack and equal labels are added up first, then become entries. */
#include "wait_profile.h"

#include <stdlib.h>

#include "fault_sites.h"
#include "hash_index.h"
#include "stall_causes.h"
#include "stacks.h"

enum { LABELS_MAX = 3 };

static const struct ht_profile_type contention_types[] = {{"contentions", "count"}, {"delay", "nanoseconds"}};
static const struct ht_profile_type stall_types[] = {{"stalls", "count"}, {"delay", "nanoseconds"}};
static const struct ht_profile_type fault_types[] = {{"faults", "count"}, {"space", "bytes"}};

/* What tells samples apart. */
struct sample_key {
	const char *name;    /* in place of a stack; one text, one address */
	uint64_t thread_tag; /* its name's string id << 32, or its tid; 0: no matter */
	uint64_t object;
	uint32_t node, module; /* module: id + 1, of memory that is a module's */
	uint8_t kind;
};

struct gathered {
	struct sample_key key;
	int64_t values[2];
};

struct gatherer {
	const struct ht_latency *l;
	const struct ht_stacks *stacks;
	unsigned labels;
	struct ht_index index;
	struct gathered *items;
	size_t count, cap;
	bool filtered;
};

static bool same_key(const struct sample_key *a, const struct sample_key *b)
{
	return a->name == b->name && a->thread_tag == b->thread_tag && a->object == b->object && a->node == b->node &&
	       a->module == b->module && a->kind == b->kind;
}

static uint32_t hash_key(const struct sample_key *k)
{
	uint64_t h = (uint64_t)(uintptr_t)k->name * 31 + k->thread_tag;
	return ht_mix(h * 31 + k->object + ((uint64_t)k->node << 32 | k->module) * 127 + k->kind);
}

/* Threads of one name are one, as the workers of a pool are. */
static uint64_t tag_of(const struct ht_latency *l, uint32_t thread)
{
	const struct ht_thread_info *t = ht_trace_thread(l->trace, thread);
	return !t ? 0 : t->name ? (uint64_t)t->name << 32 : t->tid;
}

static void add(struct gatherer *g, struct sample_key k, uint32_t thread, uint64_t amount)
{
	uint32_t v;
	/* A name alone matches no filter by functions. */
	if (k.name ? g->filtered : !ht_stacks_shown(g->stacks, k.node))
		return;
	k.thread_tag = g->labels & HT_WAIT_LABEL_THREAD ? tag_of(g->l, thread) : 0;
	k.object = g->labels & HT_WAIT_LABEL_LOCK ? k.object : 0;
	/* A lock's label says its kind, too. */
	k.kind = g->labels & HT_WAIT_LABEL_KIND || k.object ? k.kind : 0;
	if (!k.name)
		k.node = g->stacks->canon[k.node < g->stacks->node_count ? k.node : 0];
	const uint32_t hash = hash_key(&k);
	for (size_t i = ht_index_start(&g->index, hash); (v = ht_index_at(&g->index, &i, hash)) != HT_INDEX_NONE; i++)
		if (same_key(&g->items[v].key, &k))
			break;
	if (v == HT_INDEX_NONE) {
		if (g->count == g->cap) {
			g->cap = g->cap ? 2 * g->cap : 256;
			g->items = ht_xrealloc(g->items, g->cap, sizeof(*g->items));
		}
		v = (uint32_t)g->count++;
		g->items[v] = (struct gathered){.key = k};
		ht_index_insert(&g->index, hash, v);
	}
	g->items[v].values[0]++;
	g->items[v].values[1] += (int64_t)amount;
}

/* --- waits --------------------------------------------------------------------------------- */

static uint64_t within(const struct ht_latency *l, uint64_t begin, uint64_t end)
{
	begin = begin > l->from_ns ? begin : l->from_ns;
	end = end < l->to_ns ? end : l->to_ns;
	return end > begin ? end - begin : 0;
}

static bool is_lock(unsigned kind)
{
	return kind == HT_WAIT_MUTEX || kind == HT_WAIT_RWLOCK || kind == HT_WAIT_SPIN;
}

static bool is_sync(unsigned kind)
{
	return kind >= HT_WAIT_MUTEX && kind <= HT_WAIT_ONCE;
}

static void gather_waits(struct gatherer *g, enum ht_wait_profile_kind kind)
{
	for (size_t i = 0; i < g->l->wait_count; i++) {
		const struct ht_waited *w = &g->l->waits[i];
		const uint64_t ns = within(g->l, w->w.begin_ns, w->w.end_ns);
		struct sample_key k = {
			.object = is_sync(w->w.kind) ? w->w.object : 0,
			.node = w->w.stack,
			.kind = w->w.kind,
		};
		if (kind == HT_WAIT_PROFILE_BLOCK ? !is_sync(w->w.kind) : kind == HT_WAIT_PROFILE_IO && is_sync(w->w.kind))
			continue;
		if (kind == HT_WAIT_PROFILE_MUTEX) {
			if (!is_lock(w->w.kind))
				continue;
			k.node = w->wake ? g->l->wakes[w->wake - 1].stack : 0;
			k.name = w->wake ? NULL : "(unlock not seen)";
		}
		add(g, k, w->w.thread, ns);
	}
}

/* --- processors, allocator, memory --------------------------------------------------------- */

static bool timed_out(const struct ht_wait *w)
{
	return w->kind == HT_WAIT_SLEEP || w->outcome == HT_OUTCOME_TIMEOUT;
}

static void gather_runnable(struct gatherer *g)
{
	for (size_t t = 0; t < g->l->thread_count; t++) {
		const struct ht_latency_thread *x = &g->l->threads[t];
		for (size_t i = 0; i < x->span_count; i++) {
			const struct ht_span *s = &x->spans[i], *before = i ? s - 1 : NULL;
			struct sample_key k = {.node = 0};
			if (s->state != HT_STATE_RUNNABLE)
				continue;
			const struct ht_waited *w = before && before->wait ? &g->l->waits[before->wait - 1] : NULL;
			if (before && before->state == HT_STATE_RUNNING)
				k.name = "(preempted)";
			else if (w && before->state == HT_STATE_BLOCKED && w->wake)
				k.node = g->l->wakes[w->wake - 1].stack;
			else
				k.name = w && timed_out(&w->w) ? "(timer)" : "(waker not seen)";
			if (w && !k.name) {
				k.kind = w->w.kind;
				k.object = is_sync(w->w.kind) ? w->w.object : 0;
			}
			add(g, k, x->id, s->end_ns - s->begin_ns);
		}
	}
}

static void gather_stalls(struct gatherer *g)
{
	for (size_t i = 0; i < g->l->stall_count; i++) {
		const struct ht_stall *s = &g->l->stalls[i];
		struct ht_stall_parts parts;
		ht_stall_parts(g->l, s, &parts);
		if (!parts.explained)
			add(g, (struct sample_key){.node = s->stack}, s->thread, parts.ns);
	}
}

static void gather_faults(struct gatherer *g, const struct ht_fault_places *places)
{
	static const char *const names[HT_FAULT_WHERES] = {
		[HT_FAULT_UNKNOWN] = "(memory of unknown use)", [HT_FAULT_MODULE] = "(module)",
		[HT_FAULT_STACK] = "(stack of the main thread)", [HT_FAULT_RECORDER] = "(heaptide)"};
	for (size_t i = 0; i < g->l->fault_count; i++) {
		const struct ht_fault_place *p = &places->items[i];
		struct sample_key k = {.name = names[p->where]};
		if (!k.name)
			k.node = p->what;
		else if (p->where == HT_FAULT_MODULE)
			k.module = p->what + 1;
		add(g, k, g->l->faults[i].thread, HT_FAULT_PAGE);
	}
}

/* --- entries ------------------------------------------------------------------------------- */

static const char *keep(struct ht_wait_profile *p, char *text)
{
	if (p->text_count == p->text_cap) {
		p->text_cap = p->text_cap ? 2 * p->text_cap : 64;
		p->texts = ht_xrealloc(p->texts, p->text_cap, sizeof(*p->texts));
	}
	return p->texts[p->text_count++] = text;
}

static size_t make_labels(struct ht_wait_profile *p, const struct ht_latency *l, const struct sample_key *k,
			  unsigned wanted, struct ht_profile_label *out)
{
	size_t n = 0;
	if (k->thread_tag >> 32)
		out[n++] = (struct ht_profile_label){
			.key = "thread", .str = ht_trace_string(l->trace, (uint32_t)(k->thread_tag >> 32), NULL)};
	else if (k->thread_tag)
		out[n++] = (struct ht_profile_label){
			.key = "thread", .str = keep(p, ht_xasprintf("%u", (unsigned)k->thread_tag))};
	if (k->object)
		out[n++] = (struct ht_profile_label){
			.key = "lock",
			.str = keep(p, ht_xasprintf("%s 0x%llx", ht_wait_kind_names[k->kind], (unsigned long long)k->object)),
		};
	if (wanted & HT_WAIT_LABEL_KIND && k->kind)
		out[n++] = (struct ht_profile_label){.key = "kind", .str = ht_wait_kind_names[k->kind]};
	return n;
}

static void make_entries(struct ht_wait_profile *p, const struct gatherer *g)
{
	struct ht_profile_label *labels;
	struct memory {
		int64_t values[2];
		struct ht_profile_label labels[LABELS_MAX];
	} *memory = ht_xcalloc(g->count + 1, sizeof(*memory));
	p->entries = ht_xcalloc(g->count + 1, sizeof(*p->entries));
	p->memory = memory;
	for (size_t i = 0; i < g->count; i++) {
		const struct sample_key *k = &g->items[i].key;
		memory[i].values[0] = g->items[i].values[0];
		memory[i].values[1] = g->items[i].values[1];
		labels = memory[i].labels;
		p->entries[i] = (struct ht_profile_entry){
			.node = k->node,
			.name = k->name,
			.values = memory[i].values,
			.labels = labels,
			.label_count = make_labels(p, g->l, k, g->labels, labels),
		};
		if (k->module) {
			const struct ht_module *m = ht_trace_module(g->l->trace, k->module - 1);
			const char *path = m ? ht_trace_string(g->l->trace, m->path, NULL) : "";
			p->entries[i].name = keep(p, ht_xasprintf("(module %s)", ht_base_name(path)));
		}
	}
}

void ht_wait_profile_make(struct ht_wait_profile *p, enum ht_wait_profile_kind kind, unsigned labels,
			  const struct ht_latency *l, const struct ht_stacks *stacks, const struct ht_fault_places *places)
{
	struct gatherer g = {
		.l = l,
		.stacks = stacks,
		.labels = labels,
		.filtered = stacks->has_focus || stacks->has_module,
	};
	*p = (struct ht_wait_profile){.text_count = 0};
	switch (kind) {
	case HT_WAIT_PROFILE_SCHED:
		gather_runnable(&g);
		break;
	case HT_WAIT_PROFILE_STALL:
		gather_stalls(&g);
		break;
	case HT_WAIT_PROFILE_FAULT:
		gather_faults(&g, places);
		break;
	default:
		gather_waits(&g, kind);
		break;
	}
	make_entries(p, &g);
	p->made = (struct ht_profile_made){
		.types = kind == HT_WAIT_PROFILE_STALL	 ? stall_types
			 : kind == HT_WAIT_PROFILE_FAULT ? fault_types
							 : contention_types,
		.type_count = 2,
		.main = 1,
		.entries = p->entries,
		.count = g.count,
		.drop_allocator = kind == HT_WAIT_PROFILE_FAULT,
	};
	free(g.items);
	ht_index_release(&g.index);
}

void ht_wait_profile_release(struct ht_wait_profile *p)
{
	for (size_t i = 0; i < p->text_count; i++)
		free(p->texts[i]);
	free(p->texts);
	free(p->entries);
	free(p->memory);
	*p = (struct ht_wait_profile){.text_count = 0};
}
