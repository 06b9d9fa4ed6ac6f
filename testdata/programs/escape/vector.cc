// A container that grows and ends in one function.
// truth: work stays
// options: --allocators=^(std|__gnu_cxx)::
#include <vector>

#include "escape.h"

static NOINLINE void work(size_t n)
{
	std::vector<size_t> v;
	for (size_t i = 0; i < n; i++) {
		v.push_back(i);
		use(v.data());
	}
}

int main()
{
	for (size_t i = 0; i < TIMES; i++) {
		work(i);
		elsewhere();
	}
	return 0;
}
