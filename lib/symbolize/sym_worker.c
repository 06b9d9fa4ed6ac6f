/* sym_worker: see sym_worker.h. Nothing is freed at the end: the process is. */
#include "sym_worker.h"

#include "sym_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct worker {
	const struct sym_task *task;
	struct sym_out out;
	struct sym_elf module, separate, common; /* the file, its debug file, dwz's alternate */
	struct sym_elf *debug_elf;		 /* whichever holds .debug_info */
	struct sym_debug debug, alternate;
	struct sym_table table;
	struct sym_namer namer;
	enum ht_symbols_kind kind;
	char reason[400];
};

static _Noreturn void finish(struct worker *w, enum ht_symbols_kind kind, const char *reason)
{
	sym_out_kind(&w->out, kind, reason);
	sym_out_done(&w->out);
	_exit(0);
}

static bool same_id(const struct sym_elf *e, const uint8_t *id, size_t n)
{
	return e->build_id_len == n && !memcmp(e->build_id, id, n);
}

static void hex(char *out, size_t size, const uint8_t *id, size_t n)
{
	size_t at = 0;
	out[0] = '\0';
	for (size_t i = 0; i < n && at + 3 < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%02x", id[i]);
}

/* Asks the parent for a file of that build-id and opens it; false when there is none that fits. */
static bool ask_for(struct worker *w, enum sym_file which, const char *name, const uint8_t *id, size_t n,
		    struct sym_elf *e)
{
	if (!n)
		return false;
	int fd = sym_out_ask_file(&w->out, which, name, id, n);
	if (fd < 0)
		return false;
	if (sym_elf_open(e, fd, NULL))
		return false;
	return same_id(e, id, n);
}

static void open_module(struct worker *w)
{
	const struct sym_task *t = w->task;
	struct ht_diag d;
	if (sym_elf_open(&w->module, SYM_FD_MODULE, &d))
		finish(w, HT_SYMBOLS_BROKEN, d.text);
	/* dwz's files are of type REL, but nothing that was loaded into a process is. */
	if (w->module.type != ET_EXEC && w->module.type != ET_DYN)
		finish(w, HT_SYMBOLS_BROKEN, "neither a program nor a shared library");
	if (!t->build_id_len || same_id(&w->module, t->build_id, t->build_id_len))
		return;
	/* The file was replaced since; the debug file of the right build may still be there. */
	struct sym_elf right;
	if (ask_for(w, SYM_FILE_DEBUG, "", t->build_id, t->build_id_len, &right)) {
		w->module = right;
		return;
	}
	char is[130], asked[130], reason[400];
	hex(is, sizeof(is), w->module.build_id, w->module.build_id_len);
	hex(asked, sizeof(asked), t->build_id, t->build_id_len);
	snprintf(reason, sizeof(reason), "build-id %.80s of the file is not the recorded %.80s", *is ? is : "(none)", asked);
	finish(w, HT_SYMBOLS_MISMATCH, reason);
}

static void find_debug_file(struct worker *w)
{
	struct sym_elf *m = &w->module;
	if (sym_elf_find(m, ".debug_info"))
		w->debug_elf = m;
	else if (ask_for(w, SYM_FILE_DEBUG, "", m->build_id, m->build_id_len, &w->separate))
		w->debug_elf = &w->separate;
}

static void read_symbols(struct worker *w)
{
	w->kind = HT_SYMBOLS_NONE;
	if (sym_table_add(&w->table, &w->module, ".symtab") ||
	    (w->debug_elf && w->debug_elf != &w->module && sym_table_add(&w->table, w->debug_elf, ".symtab")))
		w->kind = HT_SYMBOLS_SYMTAB;
	else if (sym_table_add(&w->table, &w->module, ".dynsym"))
		w->kind = HT_SYMBOLS_DYNSYM;
	sym_table_add_plt(&w->table, &w->module);
	sym_table_sort(&w->table);
	if (w->kind == HT_SYMBOLS_NONE)
		snprintf(w->reason, sizeof(w->reason), "stripped: no function symbols");
	else if (w->kind == HT_SYMBOLS_DYNSYM)
		snprintf(w->reason, sizeof(w->reason), "no debug information and no .symtab: exported names alone");
	else
		snprintf(w->reason, sizeof(w->reason), "no debug information: function names alone");
}

static void answer_from_symbols(struct worker *w)
{
	for (size_t i = 0; i < w->task->count; i++) {
		struct sym_wire_frame f;
		if (sym_frame_of_symbol(&w->table, &w->namer, w->task->addresses[i], &f))
			sym_out_answer(&w->out, (uint32_t)i, &f, 1);
	}
	sym_out_kind(&w->out, w->kind, w->reason);
	sym_out_flush(&w->out);
}

/* .gnu_debugaltlink: name, NUL, build-id of the file that dwz moved common parts to. */
static void tie_alternate(struct worker *w)
{
	struct sym_section *s = sym_elf_find(w->debug_elf, ".gnu_debugaltlink");
	if (!s || sym_elf_load(w->debug_elf, s, NULL))
		return;
	size_t n = strnlen((const char *)s->data, s->size);
	if (n + 1 >= s->size || s->size - n - 1 > sizeof(w->module.build_id))
		return;
	if (!ask_for(w, SYM_FILE_ALTERNATE, (const char *)s->data, s->data + n + 1, s->size - n - 1, &w->common)) {
		snprintf(w->reason, sizeof(w->reason), "the common debug file %.200s was not found: some names are missing",
			 (const char *)s->data);
		return;
	}
	if (!sym_debug_open(&w->alternate, &w->common, NULL))
		sym_debug_tie(&w->debug, &w->alternate);
}

static void describe_debug(struct worker *w, const struct sym_lookup *l)
{
	if (w->reason[0])
		return;
	if (l->split_units)
		snprintf(w->reason, sizeof(w->reason),
			 "split debug information (.dwo): %zu units gave lines but no inlined frames", l->split_units);
	else if (w->debug.errors)
		snprintf(w->reason, sizeof(w->reason), "debug information is damaged in %llu places, first: %s",
			 (unsigned long long)w->debug.errors, w->debug.first_error);
}

static void answer_from_debug(struct worker *w)
{
	struct ht_diag d = { .text = "" };
	int rc = sym_debug_open(&w->debug, w->debug_elf, &d);
	if (rc == HT_ABSENT)
		return;
	if (rc) {
		/* Damaged in this part alone, a module with names from its symbol table is not lost. */
		if (rc == HT_ERR_LIMIT)
			finish(w, HT_SYMBOLS_LIMIT, d.text);
		finish(w, w->kind == HT_SYMBOLS_NONE ? HT_SYMBOLS_BROKEN : w->kind, d.text);
	}
	w->reason[0] = '\0';
	tie_alternate(w);
	struct sym_lookup l = {
		.debug = &w->debug,
		.table = &w->table,
		.namer = &w->namer,
		.out = &w->out,
		.addresses = w->task->addresses,
		.count = w->task->count,
		.no_inline = w->task->no_inline,
		.answered = ht_xcalloc(w->task->count, sizeof(bool)),
	};
	size_t answered = sym_lookup_run(&l);
	describe_debug(w, &l);
	if (!answered && w->debug.errors)
		finish(w, w->kind == HT_SYMBOLS_NONE ? HT_SYMBOLS_BROKEN : w->kind, w->reason);
	finish(w, HT_SYMBOLS_DWARF, w->reason);
}

_Noreturn void sym_worker_run(const struct sym_task *t, int parent, int module)
{
	static struct worker w; /* large, and one per process */
	sym_sandbox_enter(parent, module, &t->limits);
	w.task = t;
	w.out.fd = SYM_FD_PARENT;
	w.namer.out = &w.out;
	w.namer.demangle = t->demangle;
	open_module(&w);
	find_debug_file(&w);
	read_symbols(&w);
	answer_from_symbols(&w);
	if (w.debug_elf)
		answer_from_debug(&w);
	finish(&w, w.kind, w.reason);
}
