/* code: see code.h. Here: modules and functions are opened when they are asked for, and answers remembered. */
#include "code.h"

#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "hash_index.h"

struct module {
	bool tried, open;
	struct ht_image_code image;
};
struct function {
	uint32_t module;
	struct ht_extent extent;
	struct ht_flow *flow;
};
struct answer {
	uint64_t a, b;
	uint32_t module;
	uint8_t question, answer;
};

struct ht_code {
	const struct ht_trace *trace;
	const char *sysroot;
	uint64_t left; /* instructions */
	struct module *modules;
	uint32_t module_count;
	struct function *functions;
	uint32_t function_count, function_cap;
	struct ht_index by_start;
	struct answer *answers;
	uint32_t answer_count, answer_cap;
	struct ht_index by_question;
};

struct ht_code *ht_code_new(const struct ht_trace *t, const char *sysroot, uint64_t instructions)
{
	struct ht_code *c = ht_xcalloc(1, sizeof(*c));
	c->trace = t;
	c->sysroot = sysroot;
	c->left = instructions;
	c->module_count = ht_trace_module_count(t);
	c->modules = ht_xcalloc(c->module_count, sizeof(*c->modules));
	return c;
}

void ht_code_free(struct ht_code *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->module_count; i++) {
		if (c->modules[i].open)
			ht_image_close(&c->modules[i].image);
	}
	for (uint32_t i = 0; i < c->function_count; i++)
		ht_flow_free(c->functions[i].flow);
	ht_index_release(&c->by_start);
	ht_index_release(&c->by_question);
	free(c->modules);
	free(c->functions);
	free(c->answers);
	free(c);
}

static const struct ht_image_code *image_of(struct ht_code *c, uint32_t id)
{
	if (!id || id > c->module_count)
		return NULL;
	struct module *m = &c->modules[id - 1];
	if (!m->tried) {
		const struct ht_module *info = ht_trace_module(c->trace, id - 1);
		size_t n = info->build_id_len <= HT_BUILD_ID_MAX ? info->build_id_len : 0;
		char *path = ht_xasprintf("%s%s", c->sysroot ? c->sysroot : "", ht_trace_string(c->trace, info->path, NULL));
		m->tried = true;
		/* Without a build-id nobody knows whether it is the file that ran. */
		m->open = n && !ht_image_open(&m->image, path, info->build_id, n);
		free(path);
	}
	return m->open ? &m->image : NULL;
}

static bool extent_at(struct ht_code *c, struct ht_code_point p, struct ht_extent *e)
{
	const struct ht_image_code *m = image_of(c, p.module);
	return m && p.address && ht_image_extent(m, p.address - !p.exact, e);
}

/* A search through a function costs as much as reading this part of it. */
enum { SEARCHED = 16 };

static void charge(struct ht_code *c, uint64_t instructions)
{
	c->left -= instructions < c->left ? instructions : c->left;
}

static struct ht_flow *flow_of(struct ht_code *c, struct ht_code_point p)
{
	struct ht_extent e;
	if (!extent_at(c, p, &e))
		return NULL;
	uint32_t hash = ht_mix(e.start * 31 + p.module), v;
	for (size_t i = ht_index_start(&c->by_start, hash); (v = ht_index_at(&c->by_start, &i, hash)) != HT_INDEX_NONE; i++)
		if (c->functions[v].module == p.module && c->functions[v].extent.start == e.start)
			return c->functions[v].flow;
	if (!c->left)
		return NULL;
	if (c->function_count == c->function_cap) {
		c->function_cap = c->function_cap ? c->function_cap * 2 : 64;
		c->functions = ht_xrealloc(c->functions, c->function_cap, sizeof(*c->functions));
	}
	struct function *f = &c->functions[c->function_count];
	*f = (struct function){p.module, e, ht_flow_new(image_of(c, p.module), &e)};
	charge(c, f->flow ? (uint64_t)f->flow->count : 1);
	ht_index_insert(&c->by_start, hash, c->function_count++);
	return f->flow;
}

/* The call that the point names: the instruction that ends there. */
static int32_t call_at(const struct ht_flow *f, struct ht_code_point p)
{
	return p.exact ? ht_flow_at(f, p.address) : ht_flow_ending(f, p.address);
}

static enum ht_code_answer yes_if(bool v)
{
	return v ? HT_CODE_YES : HT_CODE_NO;
}

/* From behind the call; where unwinding or longjmp may go on from the call itself, from there, too. */
static bool goes(struct ht_flow *f, int32_t call, bool exact, int32_t to, bool forward)
{
	bool last = call + 1 >= f->count; /* there is nothing behind it: it does not return */
	if (exact)
		return ht_flow_reaches(f, call, to, -1, forward);
	if (!last && ht_flow_reaches(f, call + 1, to, -1, forward))
		return true;
	for (int32_t i = 0; f->landing && i < f->orphan_count; i++)
		if (ht_flow_reaches(f, f->orphans[i], to, -1, forward))
			return true;
	for (int32_t i = 0; f->twice && i + 1 < f->count; i++)
		if (f->items[i].kind == HT_FLOW_TWICE && ht_flow_reaches(f, i + 1, to, -1, forward))
			return true;
	return false;
}

static enum ht_code_answer reaches(struct ht_flow *f, struct ht_code_point from, struct ht_code_point to, bool forward)
{
	int32_t a = call_at(f, from), b = call_at(f, to);
	return a < 0 || b < 0 ? HT_CODE_UNKNOWN : yes_if(goes(f, a, from.exact, b, forward));
}

enum question { PATH, FORWARD, AROUND, TAIL, CALLS };

static enum ht_code_answer ask(struct ht_code *c, enum question q, struct ht_code_point a, struct ht_code_point b)
{
	struct ht_extent e;
	struct ht_flow *f = flow_of(c, a);
	if (!f || (q != TAIL && a.module != b.module))
		return HT_CODE_UNKNOWN;
	charge(c, (uint64_t)f->count / SEARCHED);
	if (q == PATH || q == FORWARD)
		return reaches(f, a, b, q == FORWARD);
	int32_t at = call_at(f, a);
	if (at < 0)
		return HT_CODE_UNKNOWN;
	if (q == AROUND) {
		int32_t to = call_at(f, b);
		return to < 0 ? HT_CODE_UNKNOWN : yes_if(to != at && ht_flow_reaches(f, f->entry, to, at, false));
	}
	if (q == TAIL)
		return yes_if(goes(f, at, a.exact, HT_FLOW_OUT, false));
	uint64_t callee = f->items[at].callee;
	return callee && extent_at(c, b, &e) ? yes_if(callee == e.start) : HT_CODE_UNKNOWN;
}

static enum ht_code_answer answer(struct ht_code *c, enum question q, struct ht_code_point a, struct ht_code_point b)
{
	uint32_t hash = ht_mix(a.address * UINT64_C(0x9e3779b97f4a7c15) + b.address * 8 + q + ((uint64_t)a.module << 40)), v;
	for (size_t i = ht_index_start(&c->by_question, hash);
	     (v = ht_index_at(&c->by_question, &i, hash)) != HT_INDEX_NONE; i++) {
		const struct answer *k = &c->answers[v];
		if (k->a == a.address && k->b == b.address && k->module == a.module && k->question == q)
			return (enum ht_code_answer)k->answer;
	}
	enum ht_code_answer got = c->left ? ask(c, q, a, b) : HT_CODE_UNKNOWN;
	if (c->answer_count == c->answer_cap) {
		c->answer_cap = c->answer_cap ? c->answer_cap * 2 : 256;
		c->answers = ht_xrealloc(c->answers, c->answer_cap, sizeof(*c->answers));
	}
	c->answers[c->answer_count] = (struct answer){a.address, b.address, a.module, (uint8_t)q, (uint8_t)got};
	ht_index_insert(&c->by_question, hash, c->answer_count++);
	return got;
}

enum ht_code_answer ht_code_path(struct ht_code *c, struct ht_code_point from, struct ht_code_point to)
{
	return answer(c, PATH, from, to);
}

enum ht_code_answer ht_code_forward(struct ht_code *c, struct ht_code_point from, struct ht_code_point to)
{
	return answer(c, FORWARD, from, to);
}

enum ht_code_answer ht_code_around(struct ht_code *c, struct ht_code_point via, struct ht_code_point to)
{
	return answer(c, AROUND, via, to);
}

enum ht_code_answer ht_code_tail(struct ht_code *c, struct ht_code_point from)
{
	return answer(c, TAIL, from, (struct ht_code_point){0});
}

enum ht_code_answer ht_code_calls(struct ht_code *c, struct ht_code_point call, struct ht_code_point inside)
{
	return answer(c, CALLS, call, inside);
}
