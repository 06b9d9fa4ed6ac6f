/* test_symbolize_common: what the symbolizer's tests share: fixtures, their functions, marker lines. */
#ifndef TEST_SYMBOLIZE_COMMON_H
#define TEST_SYMBOLIZE_COMMON_H

#include "symbolize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct function {
	char name[200];
	uint64_t address, size;
};
struct functions {
	struct function *list;
	size_t count;
};

/* A path of the fixture folder; static storage, four at a time. */
const char *fixture(const char *name);
bool fixture_exists(const char *name);
/* The sized functions of a file's symbol table, by nm. */
struct functions functions_of(const char *path);
const struct function *function_named(const struct functions *f, const char *name);
/* Line of the source file that holds "marker" in a comment of its own. */
uint32_t marker_line(const char *source, const char *marker);
bool ends_with(const char *text, const char *tail);

/* A symbolizer with one module 0 and the addresses lo, lo + 1 ... hi - 1 resolved. */
struct ht_symbolizer *resolve_range(const struct ht_symbolize_options *o, const char *path, uint64_t lo, uint64_t hi);
/* All bytes of all functions. */
struct ht_symbolizer *resolve_functions(const struct ht_symbolize_options *o, const char *path, const struct functions *f);

/* Of a file, by readelf; 20 bytes. */
size_t build_id(const char *path, uint8_t id[64]);
/* Both symbolizers say the same of every byte of every function. */
void assert_same(const struct ht_symbolizer *a, const struct ht_symbolizer *b, const struct functions *f);

#endif
