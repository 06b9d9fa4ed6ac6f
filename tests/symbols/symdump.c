/*
 * symdump: addresses on standard input, one a line in hex, to what the symbolizer says of them, for comparison with
 * other symbolizers. One line an address: ADDRESS, then for each frame, innermost first, "\tNAME\tLINKAGE\tFILE\tLINE"
 * with "??" and 0 for what is unknown, and NAME is "=" where LINKAGE is a mangled name. Standard error: how well the
 * module could be read, in how many milliseconds.
 *
 *	symdump [-d DEBUG_DIR]... [-c] [-b BUILD_ID] FILE
 *
 * -c uses the cache, -b says what build-id FILE must have.
 */
#include "symbolize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void print(uint64_t address, struct ht_symbol s)
{
	printf("%llx", (unsigned long long)address);
	for (size_t i = 0; i < s.count; i++) {
		const struct ht_symbol_frame *f = &s.frames[i];
		const char *linkage = f->linkage ? f->linkage : f->function;
		const char *plain = f->function ? f->function : "??";
		if (linkage && !strncmp(linkage, "_Z", 2))
			plain = "=";
		printf("\t%s\t%s\t%s\t%u", plain, linkage ? linkage : "??", f->file ? f->file : "??", f->line);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	const char *dirs[16];
	struct ht_symbolize_options o = { .debug_dirs = dirs, .demangle = HT_DEMANGLE_FULL };
	uint8_t id[64];
	size_t id_len = 0;
	unsigned byte;
	int c;
	while ((c = getopt(argc, argv, "d:cb:")) != -1) {
		if (c == 'd' && o.debug_dir_count < HT_ARRAY_SIZE(dirs))
			dirs[o.debug_dir_count++] = optarg;
		else if (c == 'c')
			o.cache = true;
		else if (c == 'b')
			for (id_len = 0; id_len < sizeof(id) && sscanf(optarg + 2 * id_len, "%2x", &byte) == 1; id_len++)
				id[id_len] = (uint8_t)byte;
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	uint64_t *addresses = NULL;
	size_t n = 0, cap = 0;
	char line[64];
	while (fgets(line, sizeof(line), stdin)) {
		if (n == cap)
			addresses = ht_xrealloc(addresses, cap = cap ? 2 * cap : 1024, sizeof(*addresses));
		addresses[n++] = strtoull(line, NULL, 16);
	}
	uint64_t start = now_ns();
	struct ht_symbolizer *s = ht_symbolizer_new(&o);
	ht_symbolizer_module(s, 0, argv[optind], id, id_len);
	for (size_t i = 0; i < n; i++)
		ht_symbolizer_want(s, 0, addresses[i]);
	ht_symbolizer_resolve(s, NULL, NULL);
	const char *reason;
	int kind = ht_symbolizer_kind(s, 0, &reason);
	fprintf(stderr, "kind %d, %llu ms: %s\n", kind, (unsigned long long)((now_ns() - start) / 1000000), reason);
	for (size_t i = 0; i < n; i++)
		print(addresses[i], ht_symbolizer_get(s, 0, addresses[i]));
	ht_symbolizer_free(s);
	free(addresses);
	return 0;
}
