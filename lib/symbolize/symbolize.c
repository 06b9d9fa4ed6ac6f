/* symbolize: the public face; see symbolize.h. Keeps what was asked and what was answered, per module. */
#include "symbolize.h"

#include "sym_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULES_MAX    (1u << 24)
#define CPU_SECONDS    20
#define WALL_SECONDS   60
#define MEMORY	       (UINT64_C(1) << 30)

struct module {
	char *path; /* NULL: never declared */
	uint8_t build_id[64];
	size_t build_id_len;
	uint64_t *wanted; /* not resolved yet, in any order, with repetitions */
	size_t wanted_count, wanted_cap;
	struct sym_answer *answers; /* resolved, ascending */
	size_t answer_count;
	enum ht_symbols_kind kind;
	char *reason;
};

struct ht_symbolizer {
	struct sym_places places;
	bool no_inline;
	enum ht_demangle demangle;
	struct sym_limits limits;
	unsigned wall_seconds;
	struct sym_arena arena;
	struct module *modules;
	size_t count, cap;
};

struct ht_symbolizer *ht_symbolizer_new(const struct ht_symbolize_options *o)
{
	struct ht_symbolizer *s = ht_xcalloc(1, sizeof(*s));
	s->places.sysroot = o->sysroot && *o->sysroot ? ht_xstrdup(o->sysroot) : NULL;
	s->places.debug_dirs = ht_xcalloc(o->debug_dir_count + 1, sizeof(char *));
	for (size_t i = 0; i < o->debug_dir_count; i++)
		s->places.debug_dirs[s->places.debug_dir_count++] = ht_xstrdup(o->debug_dirs[i]);
	s->no_inline = o->no_inline;
	s->demangle = o->demangle;
	s->limits.cpu_seconds = o->cpu_seconds ? o->cpu_seconds : CPU_SECONDS;
	s->limits.memory = o->memory ? o->memory : MEMORY;
	s->wall_seconds = o->wall_seconds ? o->wall_seconds : WALL_SECONDS;
	return s;
}

void ht_symbolizer_free(struct ht_symbolizer *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		free(s->modules[i].path);
		free(s->modules[i].wanted);
		free(s->modules[i].answers);
		free(s->modules[i].reason);
	}
	for (size_t i = 0; i < s->places.debug_dir_count; i++)
		free(s->places.debug_dirs[i]);
	free(s->places.debug_dirs);
	free((char *)s->places.sysroot);
	free(s->modules);
	sym_arena_release(&s->arena);
	free(s);
}

void ht_symbolizer_module(struct ht_symbolizer *s, uint32_t id, const char *path, const uint8_t *build_id,
			  size_t build_id_len)
{
	if (id >= MODULES_MAX)
		return;
	while (s->count <= id) {
		s->modules = sym_grow(s->modules, s->count, &s->cap, sizeof(*s->modules));
		s->modules[s->count++] = (struct module){ .kind = HT_SYMBOLS_NONE };
	}
	struct module *m = &s->modules[id];
	free(m->path);
	m->path = ht_xstrdup(path ? path : "");
	m->build_id_len = build_id_len <= sizeof(m->build_id) ? build_id_len : sizeof(m->build_id);
	if (m->build_id_len)
		memcpy(m->build_id, build_id, m->build_id_len);
}

void ht_symbolizer_want(struct ht_symbolizer *s, uint32_t module, uint64_t address)
{
	if (module >= s->count || !s->modules[module].path)
		return;
	struct module *m = &s->modules[module];
	/* Neighbours in a stack table repeat. */
	if (m->wanted_count && m->wanted[m->wanted_count - 1] == address)
		return;
	m->wanted = sym_grow(m->wanted, m->wanted_count, &m->wanted_cap, sizeof(*m->wanted));
	m->wanted[m->wanted_count++] = address;
}

static const struct sym_answer *find_answer(const struct module *m, uint64_t address)
{
	size_t lo = 0, hi = m->answer_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->answers[mid].address < address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->answer_count && m->answers[lo].address == address ? &m->answers[lo] : NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Leaves in m->wanted, ascending and once each, what has no answer yet. */
static void settle_wanted(struct module *m)
{
	size_t out = 0;
	if (m->wanted_count)
		qsort(m->wanted, m->wanted_count, sizeof(*m->wanted), by_value);
	for (size_t i = 0; i < m->wanted_count; i++)
		if ((!out || m->wanted[out - 1] != m->wanted[i]) && !find_answer(m, m->wanted[i]))
			m->wanted[out++] = m->wanted[i];
	m->wanted_count = out;
}

static int by_address(const void *a, const void *b)
{
	const struct sym_answer *x = a, *y = b;
	return (x->address > y->address) - (x->address < y->address);
}

/* The module takes over the answers of its job. */
static void merge(struct module *m, struct sym_job *j)
{
	size_t n = m->answer_count + j->task.count;
	m->answers = ht_xrealloc(m->answers, n, sizeof(*m->answers));
	memcpy(m->answers + m->answer_count, j->answers, j->task.count * sizeof(*j->answers));
	if (m->answer_count)
		qsort(m->answers, n, sizeof(*m->answers), by_address);
	m->answer_count = n;
	m->wanted_count = 0;
	m->kind = j->kind;
	free(m->reason);
	m->reason = ht_xstrdup(j->reason);
	free(j->answers);
}

static struct sym_job make_job(const struct ht_symbolizer *s, const struct module *m)
{
	struct sym_job j = {
		.path = m->path,
		.task = { m->wanted, m->wanted_count, m->build_id, m->build_id_len, s->no_inline, s->demangle, s->limits },
		.wall_seconds = s->wall_seconds,
	};
	j.answers = ht_xcalloc(m->wanted_count, sizeof(*j.answers));
	for (size_t i = 0; i < m->wanted_count; i++)
		j.answers[i].address = m->wanted[i];
	return j;
}

void ht_symbolizer_resolve(struct ht_symbolizer *s, void (*progress)(void *ctx, size_t done, size_t total), void *ctx)
{
	struct sym_job *jobs = ht_xcalloc(s->count, sizeof(*jobs));
	struct module **owners = ht_xcalloc(s->count, sizeof(struct module *));
	size_t n = 0;
	for (size_t i = 0; i < s->count; i++) {
		struct module *m = &s->modules[i];
		settle_wanted(m);
		if (!m->wanted_count)
			continue;
		owners[n] = m;
		jobs[n++] = make_job(s, m);
	}
	sym_run_all(jobs, n, &s->places, &s->arena, progress, ctx);
	for (size_t i = 0; i < n; i++)
		merge(owners[i], &jobs[i]);
	free(owners);
	free(jobs);
}

struct ht_symbol ht_symbolizer_get(const struct ht_symbolizer *s, uint32_t module, uint64_t address)
{
	struct ht_symbol none = { NULL, 0, "never asked for" };
	if (module >= s->count)
		return none;
	const struct module *m = &s->modules[module];
	const struct sym_answer *a = find_answer(m, address);
	if (!a)
		return none;
	bool usable = m->kind == HT_SYMBOLS_DWARF || m->kind == HT_SYMBOLS_SYMTAB || m->kind == HT_SYMBOLS_DYNSYM;
	none.reason = usable || !*m->reason ? "no function is known at this address" : m->reason;
	return a->count ? (struct ht_symbol){ a->frames, a->count, "" } : none;
}

enum ht_symbols_kind ht_symbolizer_kind(const struct ht_symbolizer *s, uint32_t module, const char **reason)
{
	const struct module *m = module < s->count ? &s->modules[module] : NULL;
	if (reason)
		*reason = m && m->reason ? m->reason : "nothing was asked of it";
	return m ? m->kind : HT_SYMBOLS_NONE;
}
