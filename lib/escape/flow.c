/* flow: see flow.h. Here: from bytes to a graph. */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

enum { MAX_EXTENTS = 6, MAX_BYTES = 96 << 10, MAX_EDGES = 4 << 20 };

struct builder {
	const struct ht_image_code *image;
	struct ht_extent extents[MAX_EXTENTS];
	size_t extent_count;
	struct ht_flow *flow;
	uint64_t entry; /* where the function begins: not in a part put elsewhere */
	int32_t cap;
	uint64_t *targets; /* per instruction: of a direct jump */
};

/* --- instructions ------------------------------------------------------------------------- */

/* A jump through the offset table, `jmp *disp(%rip)`, with endbr64 or bnd in front of it or not: to a setjmp? */
static bool returns_twice(const struct ht_image_code *m, uint64_t callee)
{
	const uint8_t *p = callee && m->twice_count ? ht_image_bytes(m, callee, 16) : NULL;
	int32_t distance;
	if (!p)
		return false;
	size_t i = !memcmp(p, "\xf3\x0f\x1e\xfa", 4) ? 4 : 0;
	i += p[i] == 0xf2;
	if (p[i] != 0xff || p[i + 1] != 0x25)
		return false;
	memcpy(&distance, p + i + 2, 4);
	for (size_t k = 0; k < m->twice_count; k++)
		if (m->twice[k] == callee + i + 6 + (uint64_t)(int64_t)distance)
			return true;
	return false;
}

/* Where a direct jump or call goes, 0: nowhere directly. */
static uint64_t target_of(const ZydisDecodedInstruction *in, uint64_t address)
{
	return in->raw.imm[0].is_relative ? address + in->length + (uint64_t)in->raw.imm[0].value.s : 0;
}

static uint8_t classify(const struct builder *b, const ZydisDecodedInstruction *in, uint64_t target)
{
	bool slot = in->raw.modrm.mod == 0 && in->raw.modrm.rm == 5; /* through a word at a fixed distance */
	switch (in->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return returns_twice(b->image, target) ? HT_FLOW_TWICE : HT_FLOW_CALL;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return target ? HT_FLOW_JUMP : slot ? HT_FLOW_LEAVE : HT_FLOW_ANY;
	case ZYDIS_CATEGORY_COND_BR:
		return HT_FLOW_BRANCH;
	case ZYDIS_CATEGORY_RET:
		return HT_FLOW_END;
	default:
		return in->mnemonic == ZYDIS_MNEMONIC_UD2 || in->mnemonic == ZYDIS_MNEMONIC_HLT ? HT_FLOW_END : HT_FLOW_PLAIN;
	}
}

static void add(struct builder *b, const ZydisDecodedInstruction *in, uint64_t address, bool first)
{
	struct ht_flow *f = b->flow;
	if (f->count == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 256;
		f->items = ht_xrealloc(f->items, (size_t)b->cap, sizeof(*f->items));
		b->targets = ht_xrealloc(b->targets, (size_t)b->cap, sizeof(*b->targets));
	}
	uint64_t target = target_of(in, address);
	uint8_t kind = classify(b, in, target);
	bool call = kind == HT_FLOW_CALL || kind == HT_FLOW_TWICE;
	f->twice |= kind == HT_FLOW_TWICE;
	f->items[f->count] = (struct ht_instruction){
		.address = address,
		.callee = call ? target : 0,
		.target = -1,
		.kind = kind,
		.length = in->length,
		.first = first,
	};
	b->targets[f->count++] = call ? 0 : target;
}

static bool disassemble(struct builder *b, const struct ht_extent *e)
{
	ZydisDecoder decoder;
	ZydisDecodedInstruction in;
	const uint8_t *code = e->end > e->start && e->end - e->start <= MAX_BYTES
				      ? ht_image_bytes(b->image, e->start, e->end - e->start)
				      : NULL;
	if (!code || ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	for (uint64_t at = e->start; at < e->end; at += in.length) {
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, code + (at - e->start), e->end - at, &in)))
			return false;
		add(b, &in, at, at == e->start);
	}
	b->flow->landing |= e->landing;
	return true;
}

/* --- extents ------------------------------------------------------------------------------ */

static const struct ht_extent *extent_of(const struct builder *b, uint64_t address)
{
	for (size_t i = 0; i < b->extent_count; i++)
		if (address >= b->extents[i].start && address < b->extents[i].end)
			return &b->extents[i];
	return NULL;
}

/* An extent that jumps into the middle of one of ours is a part of the function that the compiler put elsewhere. */
static bool belongs(const struct builder *b, int32_t from)
{
	for (int32_t i = from; i < b->flow->count; i++) {
		const struct ht_extent *e = b->targets[i] ? extent_of(b, b->targets[i]) : NULL;
		if (e && b->targets[i] != e->start)
			return true;
	}
	return false;
}

/* Also if it is jumped to in its middle: a part put elsewhere that ends there. */
static void add_parts(struct builder *b)
{
	for (int32_t i = 0; i < b->flow->count && b->extent_count < MAX_EXTENTS; i++) {
		struct ht_extent e;
		uint64_t target = b->targets[i];
		if (!target || extent_of(b, target) || !ht_image_extent(b->image, target, &e))
			continue;
		int32_t count = b->flow->count;
		bool landing = b->flow->landing;
		bool whole = disassemble(b, &e);
		if (whole && (target != e.start || belongs(b, count))) {
			b->entry = target != e.start ? e.start : b->entry;
			b->extents[b->extent_count++] = e;
		} else {
			b->flow->count = count;
			b->flow->landing = landing;
		}
	}
}

struct placed {
	struct ht_instruction in;
	uint64_t target;
};

static int by_address(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	return (x->in.address > y->in.address) - (x->in.address < y->in.address);
}

static void sort(struct builder *b)
{
	struct ht_flow *f = b->flow;
	struct placed *p = ht_xcalloc((size_t)f->count, sizeof(*p));
	for (int32_t i = 0; i < f->count; i++)
		p[i] = (struct placed){f->items[i], b->targets[i]};
	qsort(p, (size_t)f->count, sizeof(*p), by_address);
	for (int32_t i = 0; i < f->count; i++) {
		f->items[i] = p[i].in;
		b->targets[i] = p[i].target;
	}
	free(p);
}

/* --- the graph ---------------------------------------------------------------------------- */

static void resolve_targets(struct builder *b)
{
	struct ht_flow *f = b->flow;
	for (int32_t i = 0; i < f->count; i++) {
		struct ht_instruction *in = &f->items[i];
		if (in->kind != HT_FLOW_JUMP && in->kind != HT_FLOW_BRANCH)
			continue;
		in->target = ht_flow_at(f, b->targets[i]);
		if (in->target < 0)
			in->kind = in->kind == HT_FLOW_JUMP ? HT_FLOW_LEAVE : HT_FLOW_ANY;
	}
}

static bool goes_on(const struct ht_instruction *in)
{
	return in->kind <= HT_FLOW_BRANCH;
}

static void mark_normal(struct ht_flow *f)
{
	int32_t *work = ht_xcalloc((size_t)f->count + 1, sizeof(*work)), n = 0;
	f->items[f->entry].normal = true;
	work[n++] = f->entry;
	while (n) {
		int32_t i = work[--n], next[2] = {-1, -1};
		if (goes_on(&f->items[i]) && i + 1 < f->count && !f->items[i + 1].first)
			next[0] = i + 1;
		next[1] = f->items[i].target;
		for (int k = 0; k < 2; k++)
			if (next[k] >= 0 && !f->items[next[k]].normal) {
				f->items[next[k]].normal = true;
				work[n++] = next[k];
			}
	}
	free(work);
}

static bool is_padding(const struct ht_image_code *m, const struct ht_instruction *in)
{
	const uint8_t *p = ht_image_bytes(m, in->address, in->length);
	size_t i = 0;
	while (p && i < in->length && (p[i] == 0x66 || p[i] == 0x2e))
		i++;
	return p && i < in->length && (p[i] == 0x90 || p[i] == 0xcc || (i + 1 < in->length && p[i] == 0x0f && p[i + 1] == 0x1f));
}

static void find_leaders(struct builder *b)
{
	struct ht_flow *f = b->flow;
	bool *is = ht_xcalloc((size_t)f->count, sizeof(*is));
	for (int32_t i = 0; i < f->count; i++) {
		is[i] |= f->items[i].first || (i && !goes_on(&f->items[i - 1]));
		if (f->items[i].target >= 0)
			is[f->items[i].target] = true;
	}
	for (int32_t i = 0; i + 1 < f->count; i++)
		if (is[i] && is_padding(b->image, &f->items[i]))
			is[i] = false, is[i + 1] = true;
	f->leaders = ht_xcalloc((size_t)f->count, sizeof(*f->leaders));
	f->orphans = ht_xcalloc((size_t)f->count, sizeof(*f->orphans));
	for (int32_t i = 0; i < f->count; i++) {
		if (is[i])
			f->leaders[f->leader_count++] = i;
		if (is[i] && !f->items[i].normal)
			f->orphans[f->orphan_count++] = i;
	}
	free(is);
}

/* The k-th successor, -1 behind the last. */
static int32_t successor(const struct ht_flow *f, int32_t i, int32_t k)
{
	const struct ht_instruction *in = &f->items[i];
	if (in->kind == HT_FLOW_ANY)
		return k < f->leader_count ? f->leaders[k] : -1;
	if (goes_on(in) && i + 1 < f->count && !f->items[i + 1].first) {
		if (!k)
			return i + 1;
		k--;
	}
	if (in->target >= 0)
		return k ? -1 : in->target;
	if (in->kind == HT_FLOW_CALL || in->kind == HT_FLOW_TWICE) {
		if (f->landing && k < f->orphan_count)
			return f->orphans[k];
		k -= f->landing ? f->orphan_count : 0;
		/* longjmp from whatever the call does, to behind any setjmp. */
		for (int32_t j = 0; f->twice && j + 1 < f->count; j++)
			if (f->items[j].kind == HT_FLOW_TWICE && !k--)
				return j + 1;
	}
	return -1;
}

static void number(struct ht_flow *f)
{
	struct {
		int32_t at, next;
	} *stack = ht_xcalloc((size_t)f->count + 1, sizeof(*stack));
	uint32_t clock = 0;
	int32_t depth = 0;
	stack[depth].at = f->entry;
	f->items[f->entry].pre = ++clock;
	while (depth >= 0) {
		int32_t to = successor(f, stack[depth].at, stack[depth].next++);
		if (to < 0) {
			f->items[stack[depth--].at].post = ++clock;
		} else if (!f->items[to].pre) {
			f->items[to].pre = ++clock;
			stack[++depth].at = to;
			stack[depth].next = 0;
		}
	}
	free(stack);
}

static bool too_many_edges(const struct ht_flow *f)
{
	uint64_t edges = 0;
	for (int32_t i = 0; i < f->count; i++)
		edges += f->items[i].kind == HT_FLOW_ANY				? (uint64_t)f->leader_count
			 : f->items[i].kind == HT_FLOW_CALL && (f->landing || f->twice) ? (uint64_t)f->orphan_count + 2
											: 1;
	return edges > MAX_EDGES;
}

struct ht_flow *ht_flow_new(const struct ht_image_code *m, const struct ht_extent *e)
{
	struct builder b = {.image = m, .extents = {*e}, .extent_count = 1, .entry = e->start};
	b.flow = ht_xcalloc(1, sizeof(*b.flow));
	bool good = disassemble(&b, e) && b.flow->count;
	if (good) {
		add_parts(&b);
		if (b.extent_count > 1)
			sort(&b);
		b.flow->entry = ht_flow_at(b.flow, b.entry);
		resolve_targets(&b);
		mark_normal(b.flow);
		find_leaders(&b);
		good = !too_many_edges(b.flow);
	}
	if (good) {
		number(b.flow);
		b.flow->seen = ht_xcalloc((size_t)b.flow->count, sizeof(*b.flow->seen));
		b.flow->work = ht_xcalloc((size_t)b.flow->count + 1, sizeof(*b.flow->work));
	}
	free(b.targets);
	if (good)
		return b.flow;
	ht_flow_free(b.flow);
	return NULL;
}

void ht_flow_free(struct ht_flow *f)
{
	if (!f)
		return;
	free(f->items);
	free(f->seen);
	free(f->work);
	free(f->leaders);
	free(f->orphans);
	free(f);
}

/* --- asking ------------------------------------------------------------------------------- */

int32_t ht_flow_at(const struct ht_flow *f, uint64_t address)
{
	int32_t lo = 0, hi = f->count;
	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;
		if (f->items[mid].address < address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < f->count && f->items[lo].address == address ? lo : -1;
}

int32_t ht_flow_ending(const struct ht_flow *f, uint64_t address)
{
	int32_t lo = 0, hi = f->count;
	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;
		if (f->items[mid].address + f->items[mid].length < address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < f->count && f->items[lo].address + f->items[lo].length == address ? lo : -1;
}

static bool is_back(const struct ht_flow *f, int32_t from, int32_t to)
{
	const struct ht_instruction *a = &f->items[from], *b = &f->items[to];
	return b->pre <= a->pre && b->post >= a->post;
}

bool ht_flow_reaches(struct ht_flow *f, int32_t from, int32_t to, int32_t barrier, bool forward)
{
	bool any = false, pads = false;
	uint32_t now = ++f->searches;
	int32_t n = 0;
	f->seen[from] = now;
	f->work[n++] = from;
	while (n) {
		int32_t i = f->work[--n], next;
		const struct ht_instruction *in = &f->items[i];
		if (i == to || (to == HT_FLOW_OUT && (in->kind == HT_FLOW_LEAVE || in->kind == HT_FLOW_ANY)))
			return true;
		if (i == barrier)
			continue;
		/* All indirect jumps go to the same places, and all calls land in the same. */
		bool again = !forward && ((in->kind == HT_FLOW_ANY && any) || (in->kind == HT_FLOW_CALL && pads));
		any |= in->kind == HT_FLOW_ANY;
		pads |= in->kind == HT_FLOW_CALL;
		for (int32_t k = 0; (next = successor(f, i, k)) >= 0; k++) {
			if (f->seen[next] != now && !(forward && is_back(f, i, next))) {
				f->seen[next] = now;
				f->work[n++] = next;
			}
			if (again)
				break;
		}
	}
	return false;
}
