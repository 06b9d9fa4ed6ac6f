/*
 * elf_objects: which variables of an ELF file lie at some addresses, from its symbol tables. The file is hostile input.
 */
#ifndef HT_ELF_OBJECTS_H
#define HT_ELF_OBJECTS_H

#include "base.h"

struct ht_elf_object {
	uint64_t address; /* asked: link-time */
	uint64_t start;	  /* of the variable that covers it */
	char *name;	  /* heap; NULL: none does. Not demangled */
};
/* Fills in what can be found; of several that cover an address the shortest. */
void ht_elf_objects_find(const char *path, struct ht_elf_object *objects, size_t count);

#endif
