/*
 * Blocks that live for no time, for some milliseconds, and for more than a second.
 */
#include <stdlib.h>
#include <unistd.h>

enum { BLOCKS = 100 };
static void *held[BLOCKS];

__attribute__((noinline)) static void *brief(void)
{
	void *volatile p = malloc(10);
	return p;
}

__attribute__((noinline)) static void *longer(void)
{
	void *volatile p = malloc(20);
	return p;
}

__attribute__((noinline)) static void *longest(void)
{
	void *volatile p = malloc(30);
	return p;
}

static void hold(void *(*make)(void), unsigned us)
{
	for (int i = 0; i < BLOCKS; i++)
		held[i] = make();
	usleep(us);
	for (int i = 0; i < BLOCKS; i++)
		free(held[i]);
}

int main(void)
{
	for (int i = 0; i < BLOCKS; i++)
		free(brief());
	hold(longer, 5000);
	hold(longest, 1100000);
	return 0;
}
