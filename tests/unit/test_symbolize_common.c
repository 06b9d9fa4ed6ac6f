/* test_symbolize_common: see its header. */
#include "test_symbolize_common.h"

#include <unistd.h>

const char *fixture(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", HT_ELF_DIR, name);
	return path;
}

bool fixture_exists(const char *name)
{
	return access(fixture(name), R_OK) == 0;
}

struct functions functions_of(const char *path)
{
	struct functions f = { calloc(4096, sizeof(struct function)), 0 };
	char command[700], line[600], type;
	unsigned long address, size;
	snprintf(command, sizeof(command), "nm -S '%s'", path);
	FILE *in = popen(command, "r");
	assert_non_null(in);
	while (f.count < 4096 && fgets(line, sizeof(line), in)) {
		struct function *one = &f.list[f.count];
		if (sscanf(line, "%lx %lx %c %199s", &address, &size, &type, one->name) != 4 || !strchr("tTwW", type))
			continue;
		one->address = address;
		one->size = size;
		f.count++;
	}
	pclose(in);
	assert_true(f.count > 0);
	return f;
}

const struct function *function_named(const struct functions *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (!strcmp(f->list[i].name, name))
			return &f->list[i];
	return NULL;
}

uint32_t marker_line(const char *source, const char *marker)
{
	char path[512], line[512], want[64], want_cxx[64];
	uint32_t number = 0, found = 0;
	snprintf(path, sizeof(path), "%s/%s", HT_ELF_SOURCES, source);
	snprintf(want, sizeof(want), "/* %s */", marker);
	snprintf(want_cxx, sizeof(want_cxx), "// %s\n", marker);
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		number++;
		if (strstr(line, want) || strstr(line, want_cxx))
			found = number;
	}
	fclose(in);
	assert_true(found > 0);
	return found;
}

bool ends_with(const char *text, const char *tail)
{
	size_t n = text ? strlen(text) : 0, m = strlen(tail);
	return n >= m && !strcmp(text + n - m, tail);
}

struct ht_symbolizer *resolve_range(const struct ht_symbolize_options *o, const char *path, uint64_t lo, uint64_t hi)
{
	struct ht_symbolizer *s = ht_symbolizer_new(o);
	ht_symbolizer_module(s, 0, path, NULL, 0);
	for (uint64_t a = lo; a < hi; a++)
		ht_symbolizer_want(s, 0, a);
	ht_symbolizer_resolve(s, NULL, NULL);
	return s;
}

struct ht_symbolizer *resolve_functions(const struct ht_symbolize_options *o, const char *path, const struct functions *f)
{
	struct ht_symbolizer *s = ht_symbolizer_new(o);
	ht_symbolizer_module(s, 0, path, NULL, 0);
	for (size_t i = 0; i < f->count; i++)
		for (uint64_t a = 0; a < f->list[i].size; a++)
			ht_symbolizer_want(s, 0, f->list[i].address + a);
	ht_symbolizer_resolve(s, NULL, NULL);
	return s;
}

size_t build_id(const char *path, uint8_t id[64])
{
	char command[700];
	unsigned byte;
	size_t n = 0;
	snprintf(command, sizeof(command), "readelf -n '%s' | sed -n 's/.*Build ID: //p'", path);
	FILE *in = popen(command, "r");
	assert_non_null(in);
	while (n < 64 && fscanf(in, "%2x", &byte) == 1)
		id[n++] = (uint8_t)byte;
	pclose(in);
	assert_int_equal(n, 20);
	return n;
}

void assert_same(const struct ht_symbolizer *a, const struct ht_symbolizer *b, const struct functions *f)
{
	for (size_t i = 0; i < f->count; i++)
		for (uint64_t at = f->list[i].address; at < f->list[i].address + f->list[i].size; at++) {
			struct ht_symbol x = ht_symbolizer_get(a, 0, at), y = ht_symbolizer_get(b, 0, at);
			assert_int_equal(x.count, y.count);
			for (size_t k = 0; k < x.count; k++) {
				const struct ht_symbol_frame *p = &x.frames[k], *q = &y.frames[k];
				assert_string_equal(p->function ? p->function : "-", q->function ? q->function : "-");
				assert_string_equal(p->file ? p->file : "-", q->file ? q->file : "-");
				assert_int_equal(p->line, q->line);
				assert_int_equal(p->start_line, q->start_line);
			}
		}
}
