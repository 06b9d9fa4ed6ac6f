// The same in a std::vector.
#include <cstdio>
#include <vector>

static unsigned long grown;

__attribute__((noinline)) static void collect(unsigned size)
{
	std::vector<char> v;
#ifdef CAPACITY
	v.reserve(CAPACITY);
#endif
	for (unsigned k = 0; k < size; k++) {
		grown += v.size() == v.capacity() && v.capacity() > 0;
		v.push_back('x');
	}
}

int main(int argc, char **)
{
	for (unsigned i = 0; i < 1000; i++)
		collect((20 + i * 7919 % 480) * (i % 50 == 0 ? 8 : 1));
	if (argc > 1)
		std::printf("%lu\n", grown);
	return 0;
}
