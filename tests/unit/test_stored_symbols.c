/*
 * stored_symbols: what is stored for a module of this very program comes back as the symbolizer gave it, in every
 * form of names; and a record that anybody may have written is refused or read, never trusted.
 */
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyze_fixture.h"
#include "stored_symbols.h"

/* --- addresses of this program ------------------------------------------------------------ */

static int first_base(struct dl_phdr_info *info, size_t size, void *out)
{
	(void)size;
	*(uint64_t *)out = info->dlpi_addr;
	return 1;
}

static __attribute__((noinline)) int known_function(int a)
{
	return a * 3 + 1;
}

static uint64_t link_time(const void *address)
{
	uint64_t base = 0;
	dl_iterate_phdr(first_base, &base);
	return (uint64_t)(uintptr_t)address - base;
}

static const char *line_of_source(void *ctx, const char *path, uint32_t line, bool *newer)
{
	static char text[32];
	(void)path;
	*newer = true;
	++*(unsigned *)ctx;
	snprintf(text, sizeof(text), "line %u", line);
	return line < 100000 ? text : NULL;
}

/* A trace with one block by known_function, made into a record. */
static void make(struct fixture *f, struct ht_stored_result *out, unsigned *asked)
{
	static char path[4096];
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	fixture_begin(f);
	uint32_t image = fixture_image(f, 5, 0, 0), t = fixture_thread(f, image, 5, "");
	uint32_t m = fixture_module(f, path, "") + 1;
	uint32_t root = fixture_node(f, 0, m, link_time((void *)(uintptr_t)known_function) + 1);
	fixture_birth(f, t, fixture_node(f, root, m, 3), 10); /* 2 is in no function */
	fixture_open(f);
	struct ht_analysis_options o;
	struct ht_source_reader reader = {line_of_source, asked};
	ht_analysis_options_init(&o);
	ht_stored_symbols_make(f->trace, &o, &reader, out);
}

static void comes_back(void **state)
{
	struct fixture f;
	struct ht_stored_result r;
	struct ht_stored_symbols *s;
	unsigned asked = 0;
	(void)state;
	assert_int_equal(known_function(1), 4);
	make(&f, &r, &asked);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.modules[0].kind, HT_SYMBOLS_DWARF);
	assert_int_equal(r.modules[0].addresses, 2);
	assert_int_equal(r.modules[0].resolved, 1);
	assert_true(r.source_lines > 3 && asked >= r.source_lines);
	assert_int_equal(ht_stored_symbols_parse(&s, r.modules[0].bytes.data, r.modules[0].bytes.len), 0);
	assert_int_equal(ht_stored_symbols_kind(s, NULL), HT_SYMBOLS_DWARF);
	const uint64_t address = link_time((void *)(uintptr_t)known_function);
	struct ht_symbol wanted = ht_symbolizer_get(r.symbolizers[0], 0, address);
	for (int d = HT_DEMANGLE_SHORT; d <= HT_DEMANGLE_NONE; d++) {
		struct ht_symbol got = ht_stored_symbols_get(s, address, (enum ht_demangle)d, false);
		assert_int_equal(got.count, wanted.count);
		assert_string_equal(got.frames[0].function, "known_function");
		assert_string_equal(got.frames[0].file, wanted.frames[0].file);
		assert_int_equal(got.frames[0].line, wanted.frames[0].line);
		assert_int_equal(got.frames[0].start_line, wanted.frames[0].start_line);
		assert_string_equal(got.reason, "");
	}
	struct ht_symbol none = ht_stored_symbols_get(s, 2, HT_DEMANGLE_SHORT, false);
	assert_int_equal(none.count, 0);
	assert_string_equal(none.reason, ht_symbolizer_get(r.symbolizers[0], 0, 2).reason);
	assert_int_equal(ht_stored_symbols_get(s, address + 1, HT_DEMANGLE_SHORT, false).count, 0);
	ht_stored_symbols_free(s);
	ht_stored_result_release(&r);
	fixture_end(&f);
}

/* Cut off everywhere, every byte changed, and counts that promise more than there is. */
static void hostile(void **state)
{
	struct fixture f;
	struct ht_stored_result r;
	struct ht_stored_symbols *s;
	unsigned asked = 0, refused = 0, read = 0;
	(void)state;
	make(&f, &r, &asked);
	const struct ht_buf *good = &r.modules[0].bytes;
	uint8_t *bad = ht_xmalloc(good->len);
	for (size_t n = 0; n < good->len; n++)
		assert_int_equal(ht_stored_symbols_parse(&s, good->data, n), HT_ERR_DAMAGED);
	for (size_t i = 0; i < good->len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(bad, good->data, good->len);
			bad[i] ^= (uint8_t)(1u << bit);
			if (ht_stored_symbols_parse(&s, bad, good->len)) {
				refused++;
				continue;
			}
			read++;
			const uint64_t address = link_time((void *)(uintptr_t)known_function);
			for (int d = HT_DEMANGLE_SHORT; d <= HT_DEMANGLE_NONE; d++) {
				struct ht_symbol got = ht_stored_symbols_get(s, address, (enum ht_demangle)d, bit & 1);
				for (size_t k = 0; k < got.count; k++)
					assert_non_null(got.frames[k].function);
			}
			ht_stored_symbols_free(s);
		}
	}
	assert_true(refused > 20 && read > 20);
	static const uint8_t many[] = {0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 'x'};
	assert_int_equal(ht_stored_symbols_parse(&s, many, sizeof(many)), HT_ERR_DAMAGED);
	free(bad);
	ht_stored_result_release(&r);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
