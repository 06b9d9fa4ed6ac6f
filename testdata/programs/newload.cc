/*
 * newload: every form of operator new and delete, ROUNDS times each, with sizes that nothing else
 * uses: 1111 new, 2222 new[], 3333 nothrow, 4352 aligned, 5632 aligned nothrow [], each deleted but
 * the last block of each form. (libstdc++ rounds aligned requests up to a multiple of the
 * alignment, which these are.) Under an allocator whose operator new does not call malloc, a
 * recorder that watches malloc alone sees none of them.
 */
#include <cstdio>
#include <cstdlib>
#include <new>

static void *volatile block;

static __attribute__((noinline)) void one_round(bool last)
{
	const std::align_val_t align{256};

	block = ::operator new(1111);
	if (!last)
		::operator delete (block, size_t{1111});
	block = ::operator new[](2222);
	if (!last)
		::operator delete[](block);
	block = ::operator new(3333, std::nothrow);
	if (!last)
		::operator delete(block, std::nothrow);
	block = ::operator new(4352, align);
	if (!last)
		::operator delete (block, size_t{4352}, align);
	block = ::operator new[](5632, align, std::nothrow);
	if (!last)
		::operator delete[](block, align, std::nothrow);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1000;

	for (int i = 1; i <= rounds; i++)
		one_round(i == rounds);
	printf("%d rounds\n", rounds);
	return 0;
}
