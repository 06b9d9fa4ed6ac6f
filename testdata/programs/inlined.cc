/*
 * inlined: a program with known allocation sites, some of them in functions that the compiler
 * inlines. What a profile of it must say is known by heart: make_table 1000 blocks of 2048 kept,
 * parse_line 20,000 blocks of 96 freed, store_name 3,000 blocks of 320 of which every third is
 * kept.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

static void *volatile kept[2000];

INLINE void *take_bytes(size_t n)
{
	void *p = malloc(n);

	memset(p, 1, n);
	return p;
}

INLINE void keep(unsigned i, void *p)
{
	kept[i] = p;
}

extern "C" NOINLINE void make_table()
{
	for (unsigned i = 0; i < 1000; i++)
		keep(i, take_bytes(2048));
}

extern "C" NOINLINE void parse_line(unsigned n)
{
	void *volatile p = take_bytes(96);

	static_cast<char *>(p)[0] = static_cast<char>(n);
	free(p);
}

extern "C" NOINLINE void store_name(unsigned n)
{
	void *p = take_bytes(320);

	if (n % 3 == 0)
		keep(1000 + n / 3, p);
	else
		free(p);
}

int main(int argc, char **)
{
	unsigned scale = static_cast<unsigned>(argc);

	make_table();
	for (unsigned i = 0; i < 20000 * scale; i++)
		parse_line(i);
	for (unsigned i = 0; i < 3000; i++)
		store_name(i);
	puts("done");
	return 0;
}
