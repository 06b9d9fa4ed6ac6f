/* latency_locks: which locks were waited for, who made others wait, and what was allocated meanwhile. */
#include <stdio.h>
#include <stdlib.h>

#include "latency_views.h"
#include "lock_names.h"
#include "lock_use.h"
#include "stacks.h"
#include "text.h"

enum { ROWS = 12, THREADS = 64, WIDTH = 4 };
#define NOTHING "no lock was waited for"

struct state {
	struct ht_lock_use use;
	void *pass;
};

static size_t passes(struct ht_latency_show *x, struct ht_pass *out)
{
	struct state *s = ht_xcalloc(1, sizeof(*s));
	x->state = s;
	ht_lock_use_make(&s->use, x->l);
	if (!s->use.hold_count)
		return 0;
	out[0] = ht_lock_bytes_pass(&s->use, x->a->trace, &s->pass);
	return 1;
}

static void release(void *state)
{
	struct state *s = state;
	ht_lock_use_release(&s->use);
	if (s->pass)
		ht_lock_bytes_release(s->pass);
	free(s);
}

/* Threads and their time, for a cell that is emitted before the one after the next. */
static struct ht_value threads_of(const struct ht_latency *l, const struct ht_shares *shares, size_t row,
				  const char *count, const char *ns)
{
	static struct ht_emit_field fields[2][THREADS * WIDTH];
	static unsigned next;
	struct ht_emit_field *out = fields[next++ % 2];
	size_t n;
	const struct ht_share *s = ht_shares_of(shares, (uint32_t)row, &n);
	n = n < THREADS ? n : THREADS;
	for (size_t i = 0; i < n; i++) {
		struct ht_emit_field *f = &out[i * WIDTH];
		f[0] = (struct ht_emit_field){"tid", ht_number(ht_latency_tid(l, s[i].key))};
		f[1] = (struct ht_emit_field){"name", ht_latency_name(l, s[i].key)};
		f[2] = (struct ht_emit_field){count, ht_count(s[i].count)};
		f[3] = (struct ht_emit_field){ns, ht_number(s[i].ns)};
	}
	return ht_objects(out, WIDTH, n);
}

/* If holds whose beginning is not known are like the others. */
static uint64_t all_bytes(const struct ht_lock *k)
{
	return (uint64_t)((double)k->bytes_allocated_held * (double)(k->holds + k->holds_unknown) / (double)k->holds);
}

/* --- data --------------------------------------------------------------------------------- */

static void data_row(struct ht_latency_show *x, const struct ht_lock_use *u, size_t i, const char *name)
{
	struct ht_emitter *e = x->e;
	const struct ht_lock *k = &u->items[i];
	const struct ht_image *image = ht_trace_image(x->l->trace, k->image);
	bool held = k->holder != UINT32_MAX;
	ht_emit_cell(e, ht_hex(k->address));
	ht_emit_cell(e, ht_string(ht_wait_kind_names[k->kind]));
	ht_emit_cell(e, ht_string(name));
	ht_emit_cell(e, image ? ht_number(image->pid) : ht_null());
	ht_emit_cell(e, ht_count(k->waits));
	ht_emit_cell(e, ht_ns(k->wait_ns));
	ht_emit_cell(e, ht_ns(k->wait_max_ns));
	ht_emit_cell(e, ht_count(k->timeouts));
	ht_emit_cell(e, ht_count(k->holds));
	ht_emit_cell(e, ht_ns(k->hold_ns));
	ht_emit_cell(e, ht_ns(k->hold_max_ns));
	ht_emit_cell(e, ht_count(k->holds_unknown));
	ht_emit_cell(e, ht_latency_stack(x, k->wait_stack));
	ht_emit_cell(e, ht_latency_stack(x, k->hold_stack));
	ht_emit_cell(e, threads_of(x->l, &u->waiters, i, "waits", "wait_ns"));
	ht_emit_cell(e, threads_of(x->l, &u->holders, i, "holds", "hold_ns"));
	ht_emit_cell(e, held ? ht_number(ht_latency_tid(x->l, k->holder)) : ht_null());
	ht_emit_cell(e, ht_count(k->futile_wakes));
	ht_emit_cell(e, ht_count(k->convoys));
	ht_emit_cell(e, ht_count(k->convoy_handoffs));
	ht_emit_cell(e, ht_bytes(k->bytes_allocated_held));
	ht_emit_cell(e, ht_count(k->allocs_held));
	ht_emit_cell(e, k->holds ? ht_bytes(all_bytes(k)) : ht_null());
	ht_emit_cell(e, ht_count(k->wakers_unknown));
	ht_emit_row(e);
}

static void data(struct ht_latency_show *x, const struct ht_lock_use *u, char *const *names, const uint32_t *chosen,
		 size_t shown, size_t count)
{
	static const struct ht_column columns[] = {
	    {.key = "lock"},	       {.key = "kind"},		 {.key = "name"},	   {.key = "pid"},
	    {.key = "waits"},	       {.key = "wait_ns"},	 {.key = "wait_max_ns"},   {.key = "timeouts"},
	    {.key = "holds"},	       {.key = "hold_ns"},	 {.key = "hold_max_ns"},   {.key = "holds_unknown"},
	    {.key = "wait_stack"},     {.key = "hold_stack"},	 {.key = "waiters"},	   {.key = "holders"},
	    {.key = "holder_tid"},     {.key = "futile_wakes"},	 {.key = "convoys"},	   {.key = "convoy_handoffs"},
	    {.key = "bytes_allocated_held"}, {.key = "allocs_held"}, {.key = "bytes_allocated_estimate"},
	    {.key = "unknown_wakers"}, {0}};
	ht_emit_table(x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		data_row(x, u, chosen[i], names[chosen[i]]);
	ht_emit_table_end(x->e, count - shown);
}

/* --- text --------------------------------------------------------------------------------- */

static void say_where(const struct ht_latency_show *x, const char *what, uint32_t node, const char *by)
{
	struct ht_buf line = {0};
	char *chain = ht_latency_chain(x, node, 3), *site = ht_latency_site(x, node);
	ht_buf_printf(&line, "  %-12s %s (%s)%s", what, chain, site, by);
	ht_buf_byte(&line, '\0');
	char *fit = ht_text_fit((char *)line.data, 100, false);
	ht_emit_text(x->e, "%s\n", fit);
	free(fit);
	free(chain);
	free(site);
	ht_buf_release(&line);
}

static void say_lock(const struct ht_latency_show *x, const struct ht_lock *k, const char *name)
{
	struct ht_emitter *e = x->e;
	struct ht_buf clean = {0};
	ht_text_clean(&clean, name ? name : "");
	ht_emit_text(e, "%s 0x%llx%s%.*s\n", ht_wait_kind_names[k->kind], (unsigned long long)k->address,
		     name ? "  " : "", (int)clean.len, clean.data ? (char *)clean.data : "");
	ht_buf_release(&clean);
	ht_emit_text(e, "  %s in %s wait%s, the longest %s", ht_text_ns(k->wait_ns).s, ht_text_count(k->waits).s,
		     k->waits == 1 ? "" : "s", ht_text_ns(k->wait_max_ns).s);
	ht_emit_text(e, "\n");
	if (k->holds)
		ht_emit_text(e, "  held %s in %s holds, the longest %s", ht_text_ns(k->hold_ns).s,
			     ht_text_count(k->holds).s, ht_text_ns(k->hold_max_ns).s);
	if (k->holds_unknown)
		ht_emit_text(e, "%s%s whose beginning is not known", k->holds ? "; and " : "  held ",
			     ht_text_count(k->holds_unknown).s);
	if (k->holds || k->holds_unknown)
		ht_emit_text(e, "\n");
	if (k->wait_stack)
		say_where(x, "waited in", k->wait_stack, "");
	if (k->hold_stack) {
		char *by = k->holder == UINT32_MAX ? ht_xstrdup("")
						   : ht_xasprintf(" by %s", ht_latency_thread_name(x->l, k->holder));
		say_where(x, "let go in", k->hold_stack, by);
		free(by);
	}
	if (k->allocs_held)
		ht_emit_text(e, "  %-12s %s in %s holds, so about %s in all\n", "allocated",
			     ht_text_bytes(k->bytes_allocated_held).s, ht_text_count(k->holds).s,
			     ht_text_bytes(all_bytes(k)).s);
	if (k->convoys)
		ht_emit_text(e, "  %-12s %s, %s hand-offs to one of %d or more who waited\n",
			     k->convoys == 1 ? "convoy" : "convoys", ht_text_count(k->convoys).s,
			     ht_text_count(k->convoy_handoffs).s, HT_CONVOY_WAITERS);
	if (k->futile_wakes)
		ht_emit_text(e, "  %-12s %s: woken, only to sleep again\n", "futile wakes",
			     ht_text_count(k->futile_wakes).s);
}

/* Those that the filters leave: where most of their waiting was done decides. */
static size_t choose(const struct ht_latency_show *x, const struct ht_lock_use *u, uint32_t *chosen)
{
	size_t n = 0;
	for (size_t i = 0; i < u->count; i++)
		if (ht_stacks_shown(x->a->stacks, u->items[i].wait_stack))
			chosen[n++] = (uint32_t)i;
	return n;
}

static int show(struct ht_latency_show *x, struct ht_diag *d)
{
	static const struct ht_lock_use none;
	const struct state *s = x->state;
	const struct ht_lock_use *u = s ? &s->use : &none;
	uint32_t *chosen = ht_xcalloc(u->count + 1, sizeof(*chosen));
	size_t count = choose(x, u, chosen), shown = count < x->limit ? count : x->limit;
	(void)d;
	char **names = ht_lock_names(x->a, u);
	if (x->e->format != HT_EMIT_TEXT)
		data(x, u, names, chosen, shown, count);
	for (size_t i = 0; i < shown && x->e->format == HT_EMIT_TEXT; i++)
		say_lock(x, &u->items[chosen[i]], names[chosen[i]]);
	if (x->e->format == HT_EMIT_TEXT && shown < count)
		ht_emit_text(x->e, "and %s more locks\n", ht_text_count(count - shown).s);
	if (!count && u->count)
		ht_emit_text(x->e, "no lock is left by the filters\n");
	else if (!count)
		ht_latency_nothing(x, NOTHING, HT_CLASS_BIT(SYNC));
	for (size_t i = 0; i < u->count; i++)
		free(names[i]);
	free(names);
	free(chosen);
	return 0;
}

const struct ht_latency_view ht_latency_locks = {
    .name = "locks",
    .needs = HT_CLASS_BIT(SYNC),
    .nothing = NOTHING,
    .next = "latency --view=scheduler",
    .rows = ROWS,
    .times = true,
    .states = true,
    .idle = HT_CHOICE_ALLOCATORS | HT_CHOICES_OF_NAMES,
    .passes = passes,
    .show = show,
    .release = release,
};
