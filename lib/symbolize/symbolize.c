/* symbolize: the public face; see symbolize.h. Keeps what was asked and what was answered, per module. */
#include "symbolize.h"

#include "sym_cache.h"
#include "sym_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULES_MAX    (1u << 24)
#define CPU_SECONDS    20
#define WALL_SECONDS   60
#define MEMORY	       (UINT64_C(1) << 30)
#define SPLIT_SIZE     (UINT64_C(64) << 20)

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
	uint64_t split_size;
	bool cache;
	char advice[160];
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
	s->split_size = o->split_size ? o->split_size : SPLIT_SIZE;
	s->cache = o->cache;
	const char *obstacle = o->fetch ? sym_fetch_obstacle() : NULL;
	s->places.fetch = o->fetch && !obstacle;
	snprintf(s->advice, sizeof(s->advice), "install its -dbgsym or -debuginfo package%s, or pass --debug-dir%s%s%s",
		 o->fetch ? "" : ", pass --debuginfod", obstacle ? " (--debuginfod: " : "", obstacle ? obstacle : "",
		 obstacle ? ")" : "");
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
	sym_fetch_close(s->places.servers);
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

/* The module takes over answers, ascending, which may be empty ones. */
static void take_answers(struct module *m, const struct sym_answer *answers, size_t count)
{
	size_t n = m->answer_count + count;
	m->answers = ht_xrealloc(m->answers, n, sizeof(*m->answers));
	memcpy(m->answers + m->answer_count, answers, count * sizeof(*answers));
	if (m->answer_count)
		qsort(m->answers, n, sizeof(*m->answers), by_address);
	m->answer_count = n;
	settle_wanted(m);
}

static void set_kind(struct module *m, enum ht_symbols_kind kind, const char *reason)
{
	m->kind = kind;
	free(m->reason);
	m->reason = ht_xstrdup(reason);
}

/* The parts of one module: where a later part has an answer, it is from debug information. */
static void merge(struct module *m, struct sym_job *parts, size_t n)
{
	struct sym_job *worst = &parts[0];
	for (size_t k = 1; k < n; k++) {
		for (size_t i = 0; i < parts[k].task.count; i++)
			if (parts[k].answers[i].count)
				parts[0].answers[i] = parts[k].answers[i];
		/* One part without an answer of its own in a good module is not bad; a crashed one is. */
		if (parts[k].kind > worst->kind || (parts[k].kind == worst->kind && !*worst->reason))
			worst = &parts[k];
	}
	set_kind(m, worst->kind, worst->reason);
	take_answers(m, parts[0].answers, parts[0].task.count);
	for (size_t k = 0; k < n; k++)
		free(parts[k].answers);
}

static struct sym_job make_job(const struct ht_symbolizer *s, const struct module *m, unsigned part, unsigned parts)
{
	struct sym_job j = {
		.path = m->path,
		.task = { m->wanted, m->wanted_count, m->build_id, m->build_id_len, s->no_inline, s->demangle, s->limits,
			  part, parts, s->places.fetch, s->advice },
		.wall_seconds = s->wall_seconds,
	};
	j.answers = ht_xcalloc(m->wanted_count, sizeof(*j.answers));
	for (size_t i = 0; i < m->wanted_count; i++)
		j.answers[i].address = m->wanted[i];
	return j;
}

static uint64_t size_and_close(int fd)
{
	struct stat st;
	uint64_t size = fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	if (fd >= 0)
		close(fd);
	return size;
}

/* Into how many children the reading of a module is split. */
static unsigned parts_of(struct ht_symbolizer *s, const struct module *m)
{
	static const enum sym_file others[] = { SYM_FILE_DEBUG, SYM_FILE_PACKAGE };
	struct sym_places here = s->places;
	char path[SYM_PATH_SIZE];
	here.fetch = false; /* never the network, for a size */
	bool large = size_and_close(sym_open_module(&here, m->path)) > s->split_size;
	for (size_t i = 0; i < HT_ARRAY_SIZE(others) && !large; i++) {
		struct sym_question q = { others[i], 0, "", m->build_id, m->build_id_len };
		large = size_and_close(sym_open_question(&here, m->path, &q, path, sizeof(path))) > s->split_size;
	}
	if (!large)
		return 1;
	size_t n = sym_processors();
	return n > 8 ? 8 : (unsigned)n;
}

static struct sym_cache_key cache_key(const struct ht_symbolizer *s, const struct module *m)
{
	return (struct sym_cache_key){ m->build_id, s->cache ? m->build_id_len : 0, s->demangle, s->no_inline };
}

/* Answers wanted addresses from the cache. */
static void use_cache(struct ht_symbolizer *s, struct module *m)
{
	struct sym_cache_key key = cache_key(s, m);
	struct sym_cached c = sym_cache_load(&key, &s->arena);
	size_t n = 0;
	for (size_t i = 0, at = 0; i < m->wanted_count && c.count; i++) {
		while (at < c.count && c.answers[at].address < m->wanted[i])
			at++;
		if (at < c.count && c.answers[at].address == m->wanted[i])
			c.answers[n++] = c.answers[at];
	}
	if (n) {
		take_answers(m, c.answers, n);
		set_kind(m, HT_SYMBOLS_DWARF, "");
	}
	free(c.answers);
}

/* What was found completely is worth keeping: nothing that is installed later could better it. */
static void fill_cache(struct ht_symbolizer *s, struct module *m)
{
	struct sym_cache_key key = cache_key(s, m);
	if (m->kind == HT_SYMBOLS_DWARF && !*m->reason)
		sym_cache_store(&key, m->answers, m->answer_count, &s->arena);
}

void ht_symbolizer_resolve(struct ht_symbolizer *s, void (*progress)(void *ctx, size_t done, size_t total), void *ctx)
{
	struct sym_job *jobs = NULL;
	struct module **owners = ht_xcalloc(s->count, sizeof(struct module *));
	size_t n = 0, cap = 0, owner_count = 0;
	for (size_t i = 0; i < s->count; i++) {
		struct module *m = &s->modules[i];
		settle_wanted(m);
		if (m->wanted_count)
			use_cache(s, m);
		if (!m->wanted_count)
			continue;
		owners[owner_count++] = m;
		unsigned parts = parts_of(s, m);
		for (unsigned k = 0; k < parts; k++) {
			jobs = sym_grow(jobs, n, &cap, sizeof(*jobs));
			jobs[n++] = make_job(s, m, k, parts);
		}
	}
	sym_run_all(jobs, n, &s->places, &s->arena, progress, ctx);
	for (size_t i = 0, at = 0; i < owner_count; i++) {
		size_t parts = jobs[at].task.parts;
		merge(owners[i], &jobs[at], parts);
		fill_cache(s, owners[i]);
		at += parts;
	}
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
