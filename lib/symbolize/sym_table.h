/*
 * sym_table: the function symbols of one module in address order.
 *
 * A symbol covers an address when the address lies within its size, or, for a symbol without
 * size (assembly), up to the next symbol of its section. Several names may cover one address
 * (aliases); the table is asked with the name that the debug information has, if any, but gives
 * "malloc" for "__libc_malloc"; otherwise it prefers sized to unsized, global to weak to local,
 * and few leading underscores.
 */
#ifndef HT_SYM_TABLE_H
#define HT_SYM_TABLE_H

#include "sym_elf.h"

struct sym_function {
	uint64_t address, size, end; /* end: of its section */
	const char *name;
	uint32_t rank; /* lower is preferred among aliases */
};

struct sym_table {
	struct sym_function *functions;
	size_t count, cap;
};

/* Adds the functions of the section called name (".symtab", ".dynsym"); how many there were. */
size_t sym_table_add(struct sym_table *t, struct sym_elf *e, const char *name);
/* x86-64: names the stubs of the procedure linkage table after what they call, "name@plt". */
void sym_table_add_plt(struct sym_table *t, struct sym_elf *e);
/* Call once after the last add. */
void sym_table_sort(struct sym_table *t);
/* linkage and bare are the names to prefer, either may be NULL. NULL when nothing covers address. */
const struct sym_function *sym_table_find(const struct sym_table *t, uint64_t address, const char *linkage,
					  const char *bare);

/*
 * The length of name without its clone suffix (".isra.0", ".part.1.cold", ".constprop.0",
 * ".lto_priv.0", ".llvm.123") and without a version ("@GLIBC_2.2.5"; "@plt" stays).
 */
size_t sym_base_length(const char *name);

#endif
