/*
 * badalloc: exceptions that pass through the allocator's callers, then ordinary work.
 *
 *	badalloc [CAUGHT [AFTER]]
 *
 * Asks CAUGHT times for more memory than there is, at varying depths, catches bad_alloc, and then
 *makes AFTER blocks of 4242 bytes by new and deletes them. A recorder whose guard is left set by
 *the exceptions loses the second part or takes it for calls of its own.
 */
#include <cstdio>
#include <cstdlib>
#include <new>

static char *volatile block;
static volatile size_t huge = size_t{1} << 62;

static __attribute__((noinline)) int ask(int depth)
{
	volatile char room[32];

	room[0] = 1;
	if (depth == 0)
		block = new char[huge];
	else
		return ask(depth - 1) + room[0];
	return 0;
}

static __attribute__((noinline)) void ordinary_work()
{
	block = new char[4242];
	block[0] = 1;
	delete[] block;
}

int main(int argc, char **argv)
{
	int wanted = argc > 1 ? atoi(argv[1]) : 1000, after = argc > 2 ? atoi(argv[2]) : 10000,
	    caught = 0;

	for (int i = 0; i < wanted; i++) {
		try {
			ask(i % 20);
		} catch (const std::bad_alloc &) {
			caught++;
		}
	}
	for (int i = 0; i < after; i++)
		ordinary_work();
	printf("%d caught, then %d blocks\n", caught, after);
	return caught != wanted;
}
