/*
 * elfview: what doctor and record must know of an ELF file before it runs, read by hand: headers,
 * the dynamic section's names, which symbols are defined or wanted. The file is hostile input: every offset
 * and count is checked against its size, and nothing is allocated by a count that was not.
 */
#ifndef HT_ELFVIEW_H
#define HT_ELFVIEW_H

#include "base.h"

enum { HT_ELF_NEEDED_MAX = 64 };

struct ht_elf_view {
	bool is_elf;	    /* the rest is meaningless without */
	bool is_64, little; /* class and byte order */
	uint16_t machine, type;
	bool readable; /* 64-bit, this byte order, headers make sense: what follows was read */
	bool has_dynamic;
	char interpreter[256];		    /* PT_INTERP, "" = none */
	char needed[HT_ELF_NEEDED_MAX][128]; /* DT_NEEDED, cut at 127 bytes */
	size_t needed_count;
	char rpath[1024]; /* DT_RUNPATH, else DT_RPATH; "" = none, or longer */
	char build_id[65];
	bool has_debug_info, has_debug_link, has_symtab;
	/* Symbols that the file itself defines: exported ones decide what the loader binds to. */
	bool exports_malloc, defines_malloc, defines_asan, defines_tsan, defines_msan;
	bool exports_new, imports_new; /* operator new, in the dynamic symbols */
};

/* 0, or HT_ERR_SYSTEM when the file cannot be read. A file that is no ELF is no error. */
int ht_elf_view_read(struct ht_elf_view *v, const char *path, struct ht_diag *d);
/* "x86-64", "aarch64", "i386", ... or "machine 123". */
const char *ht_elf_machine_name(uint16_t machine);
/* Of this build. */
uint16_t ht_elf_native_machine(void);

#endif
