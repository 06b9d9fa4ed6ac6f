/* sym_worker: see sym_worker.h. Nothing is freed at the end: the process is. */
#include "sym_worker.h"

#include "sym_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PACKED_SYMBOLS_MAX (UINT64_C(256) << 20)

struct worker {
	const struct sym_task *task;
	struct sym_out out;
	struct sym_elf module, separate, common; /* the file, its debug file, dwz's alternate */
	struct sym_elf *debug_elf;		 /* whichever holds .debug_info */
	struct sym_debug debug, alternate;
	struct sym_table table;
	struct sym_namer namer;
	char refused[300]; /* a debug file that does not belong to the module */
	enum ht_symbols_kind kind;
	char reason[800];
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

static void refuse(struct worker *w, const char *path, const struct sym_elf *e, const uint8_t *id, size_t n)
{
	char is[130], asked[130];
	hex(is, sizeof(is), e->build_id, e->build_id_len);
	hex(asked, sizeof(asked), id, n);
	if (!*w->refused)
		snprintf(w->refused, sizeof(w->refused), "%.120s is not its debug file: build-id %.40s, not %.40s; ", path,
			 *is ? is : "(none)", *asked ? asked : "(none)");
}

/* Asks the parent for files until one has the build-id; false when there is none. */
static bool ask_for(struct worker *w, enum sym_file which, const char *name, const uint8_t *id, size_t n,
		    struct sym_elf *e)
{
	char path[SYM_PATH_SIZE];
	int fd;
	for (unsigned nth = 0; n && (fd = sym_out_ask_file(&w->out, which, nth, name, id, n, path)) >= 0; nth++) {
		if (sym_elf_open(e, fd, NULL))
			continue;
		if (same_id(e, id, n))
			return true;
		refuse(w, path, e, id, n);
	}
	return false;
}

/* .gnu_debuglink: name, NUL, zeros up to four, checksum of the file. Build-ids decide where both have one. */
static bool ask_for_link(struct worker *w, struct sym_elf *e)
{
	struct sym_span s = sym_elf_span(&w->module, ".gnu_debuglink", NULL);
	const char *name = sym_span_string(s, 0);
	uint64_t crc;
	char path[SYM_PATH_SIZE];
	int fd;
	if (!name || !*name || !sym_span_number(s, (strlen(name) + 4) & ~UINT64_C(3), 4, &crc))
		return false;
	const struct sym_elf *m = &w->module;
	for (unsigned nth = 0; (fd = sym_out_ask_file(&w->out, SYM_FILE_LINK, nth, name, NULL, 0, path)) >= 0; nth++) {
		if (sym_elf_open(e, fd, NULL))
			continue;
		if (m->build_id_len ? same_id(e, m->build_id, m->build_id_len) :
				      crc32_z(0, e->image, e->file_size) == crc)
			return true;
		if (m->build_id_len)
			refuse(w, path, e, m->build_id, m->build_id_len);
		else
			snprintf(w->refused, sizeof(w->refused), "%.200s is not its debug file: wrong checksum; ", path);
	}
	return false;
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
	snprintf(reason, sizeof(reason),
		 "build-id %.80s of the file is not the recorded %.80s; pass --sysroot or --debug-dir with the files of then",
		 *is ? is : "(none)", asked);
	finish(w, HT_SYMBOLS_MISMATCH, reason);
}

static void find_debug_file(struct worker *w)
{
	struct sym_elf *m = &w->module;
	if (sym_elf_find(m, ".debug_info"))
		w->debug_elf = m;
	else if (ask_for(w, SYM_FILE_DEBUG, "", m->build_id, m->build_id_len, &w->separate) ||
		 ask_for_link(w, &w->separate))
		w->debug_elf = &w->separate;
}

/* .gnu_debugdata: a small ELF file, packed, with the symbols that .dynsym has not. */
static bool add_packed_symbols(struct worker *w)
{
	static struct sym_elf inner;
	struct sym_span s = sym_elf_span(&w->module, ".gnu_debugdata", NULL);
	uint8_t *image;
	size_t size;
	return s.size && !sym_unpack_xz(s.data, s.size, PACKED_SYMBOLS_MAX, &image, &size) &&
	       !sym_elf_open_image(&inner, image, size, NULL) && sym_table_add(&w->table, &inner, ".symtab");
}

static void read_symbols(struct worker *w)
{
	char id[130];
	const char *what = "function names alone";
	w->kind = HT_SYMBOLS_NONE;
	if (sym_table_add(&w->table, &w->module, ".symtab") ||
	    (w->debug_elf && w->debug_elf != &w->module && sym_table_add(&w->table, w->debug_elf, ".symtab"))) {
		w->kind = HT_SYMBOLS_SYMTAB;
	} else {
		if (add_packed_symbols(w))
			w->kind = HT_SYMBOLS_SYMTAB;
		if (sym_table_add(&w->table, &w->module, ".dynsym") && w->kind == HT_SYMBOLS_NONE)
			w->kind = HT_SYMBOLS_DYNSYM;
	}
	sym_table_add_plt(&w->table, &w->module);
	sym_table_sort(&w->table);
	if (w->kind == HT_SYMBOLS_NONE)
		what = "no function symbols: stripped";
	else if (w->kind == HT_SYMBOLS_DYNSYM)
		what = "exported names alone";
	hex(id, sizeof(id), w->module.build_id, w->module.build_id_len);
	snprintf(w->reason, sizeof(w->reason), "%sno debug information, %s; %s (build-id %.40s)", w->refused, what,
		 w->task->advice ? w->task->advice : "pass --debug-dir", *id ? id : "none");
}

static void answer_from_symbols(struct worker *w)
{
	if (w->task->part)
		return;
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
	struct sym_span s = sym_elf_span(w->debug_elf, ".gnu_debugaltlink", NULL);
	const char *name = sym_span_string(s, 0);
	size_t n = name ? strlen(name) + 1 : 0;
	if (!name || n >= s.size || s.size - n > sizeof(w->module.build_id))
		return;
	if (!ask_for(w, SYM_FILE_ALTERNATE, name, s.data + n, s.size - n, &w->common)) {
		snprintf(w->reason, sizeof(w->reason),
			 "%sthe common debug file %.100s was not found: some names are missing; install or copy it to where the "
			 "debug file names it, or pass --debug-dir",
			 w->refused, name);
		return;
	}
	if (!sym_debug_open(&w->alternate, &w->common, false, NULL))
		w->debug.alternate = &w->alternate;
}

static void describe_debug(struct worker *w, const struct sym_lookup *l)
{
	if (w->reason[0])
		return;
	if (l->split.missing)
		snprintf(w->reason, sizeof(w->reason),
			 "split debug information: %zu of %zu units have lines but no inlined frames, first %.160s; keep the .dwo "
			 "files where they were, or pack them with dwp beside the program",
			 l->split.missing, l->split.missing + l->split.found, l->split.first_missing);
	else if (w->debug.errors)
		snprintf(w->reason, sizeof(w->reason), "debug information is damaged in %llu places, first: %s",
			 (unsigned long long)w->debug.errors, w->debug.first_error);
}

static void answer_from_debug(struct worker *w)
{
	struct ht_diag d = { .text = "" };
	int rc = sym_debug_open(&w->debug, w->debug_elf, false, &d);
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
		.split = { .out = &w->out },
		.part = w->task->part,
		.parts = w->task->parts,
	};
	size_t answered = sym_lookup_run(&l);
	describe_debug(w, &l);
	if (!answered && w->debug.errors && l.parts < 2)
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
