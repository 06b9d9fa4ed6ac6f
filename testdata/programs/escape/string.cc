// std::string growth, inside of libstdc++.
// truth: work stays
// options: --allocators=^(std|__gnu_cxx)::
#include <string>

#include "escape.h"

static NOINLINE void work(size_t n)
{
	std::string s;
	for (size_t i = 0; i < n; i++) {
		s += 'x';
		use(&s);
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
