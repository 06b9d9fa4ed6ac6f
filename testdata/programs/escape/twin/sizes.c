/*
 * Blocks of many sizes. Prints how many bytes were requested of hold, how many it got, and how many blocks were under 16.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long requested, usable, tiny;

__attribute__((noinline)) static void hold(size_t n)
{
	void *volatile p = malloc(n);
	requested += n;
	usable += malloc_usable_size(p);
	tiny += n < 16;
}

int main(void)
{
	for (size_t n = 0; n < 3000; n++)
		hold(n % 500);
	for (size_t n = 0; n < 10; n++)
		hold(150000 + n * 10000);
	printf("%lu %lu %lu\n", requested, usable, tiny);
	return 0;
}
