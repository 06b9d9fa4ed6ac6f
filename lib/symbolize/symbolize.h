/*
 * symbolize: link-time addresses of ELF files to functions, files, lines and chains of inlined frames.
 * The only folder that sees libelf and libdwarf.
 *
 * Contract: found, absent and broken are three answers. A module without debug information
 * falls back to its symbol table, without that to nothing, and says which. A broken or hostile
 * file gives a reason for its module, never a failure of the whole, and never memory or time
 * without bound: parsing runs in a child process with limits.
 *
 * Threads and processes: one thread at a time per symbolizer. ht_symbolizer_resolve forks. Other
 * threads may run meanwhile: the children use of this program only malloc, which glibc makes
 * whole in a forked child, and take no lock that another thread could have held. They are waited
 * for by pid; where SIGCHLD is ignored they end all the same. A child dies with the thread that called.
 *
 * Lifetimes: everything returned lives until ht_symbolizer_free.
 */
#ifndef HT_SYMBOLIZE_H
#define HT_SYMBOLIZE_H

#include "base.h"

struct ht_symbolizer;

enum ht_demangle { HT_DEMANGLE_SHORT, HT_DEMANGLE_FULL, HT_DEMANGLE_NONE };

struct ht_symbolize_options {
	const char *sysroot;		/* prefixed to module paths, NULL = none */
	const char *const *debug_dirs;	/* each may hold .build-id/xx/yyyy.debug or files by name; /usr/lib/debug always */
	size_t debug_dir_count;
	const char *source_root;
	bool no_inline;			/* physical functions alone, each with its line in that function */
	enum ht_demangle demangle;	/* SHORT: no parameter list, templates kept short but distinct */
	bool fetch;			/* ask the debuginfod servers in DEBUGINFOD_URLS for what is missing */
	bool cache;			/* keep and use answers by build-id in $XDG_CACHE_HOME/heaptide (sym_cache.h) */
	uint64_t split_size;		/* files over this are read by several children at once; 0 = 64 MiB */
	/* Bounds on the reading of one module; 0 = 20 s, 60 s, 1 GiB (beyond the size of the file). */
	unsigned cpu_seconds, wall_seconds;
	uint64_t memory;
};

/* How well a module could be read; one reason per module for the report's header. */
enum ht_symbols_kind {
	HT_SYMBOLS_DWARF,   /* functions, files, lines, inlined frames */
	HT_SYMBOLS_SYMTAB,  /* function names alone, from .symtab */
	HT_SYMBOLS_DYNSYM,  /* exported names alone */
	HT_SYMBOLS_NONE,    /* the file is there and has no names */
	HT_SYMBOLS_MISSING, /* no such file */
	HT_SYMBOLS_MISMATCH,/* another build-id */
	HT_SYMBOLS_BROKEN,  /* cannot be parsed; reason says how */
	HT_SYMBOLS_LIMIT,   /* over memory or time */
};

struct ht_symbol_frame {
	const char *function;  /* demangled as asked; NULL = unresolved */
	const char *linkage;   /* as in the symbol table or DW_AT_linkage_name, suffix included; NULL = same as function */
	const char *suffix;    /* clone suffix taken off the name: ".isra.0", "" = none */
	const char *file;      /* absolute where DWARF says so, NULL = unknown */
	uint32_t line;	       /* 0 unknown: of the call site for outer frames, of the address for the innermost */
	uint32_t start_line;   /* of the function's declaration, 0 unknown */
	bool inlined;	       /* this frame was inlined into the next one */
};
struct ht_symbol {
	const struct ht_symbol_frame *frames; /* innermost first; the last is the physical function */
	size_t count;			      /* 0: unresolved, see reason */
	const char *reason;		      /* why unresolved, "" if resolved */
};

struct ht_symbolizer *ht_symbolizer_new(const struct ht_symbolize_options *o);
void ht_symbolizer_free(struct ht_symbolizer *s);

/* Declares a module; id is the caller's, dense from 0. */
void ht_symbolizer_module(struct ht_symbolizer *s, uint32_t id, const char *path, const uint8_t *build_id,
			  size_t build_id_len);
/* Asks for an address (link-time; the caller has already taken 1 off return addresses). Cheap: resolved later. */
void ht_symbolizer_want(struct ht_symbolizer *s, uint32_t module, uint64_t address);
/* Resolves everything wanted so far, one child per module, several for a large one, as many at once as there are CPUs.
 * progress (may be NULL) counts modules. May be called again after further wants. Never fails as a whole. */
void ht_symbolizer_resolve(struct ht_symbolizer *s, void (*progress)(void *ctx, size_t done, size_t total), void *ctx);
/* After resolve. An address never wanted gives count 0. A module whose reading ended early (BROKEN,
 * LIMIT) may still have names: those that came before. */
struct ht_symbol ht_symbolizer_get(const struct ht_symbolizer *s, uint32_t module, uint64_t address);
/* reason (may be NULL): why not better, "" if there is nothing to say. */
enum ht_symbols_kind ht_symbolizer_kind(const struct ht_symbolizer *s, uint32_t module, const char **reason);

#endif
