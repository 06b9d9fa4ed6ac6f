// shapes: allocations in templates, lambdas, an anonymous namespace, a recursion and the standard library, all of known number:
// tests build it with several compilers and compare.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

static void *volatile keep;

namespace {
struct hidden {
	__attribute__((noinline)) int *make(int n) { return new int[n]; }
};
}
namespace lib {
struct small { int a[4]; };
struct big { int a[64]; };
template <class T> struct pool {
	std::vector<std::unique_ptr<T>> all;
	__attribute__((noinline)) T *get()
	{
		all.push_back(std::make_unique<T>());
		return all.back().get();
	}
};
}

__attribute__((noinline)) static void each(int n, const std::function<void(int)> &f)
{
	for (int i = 0; i < n; i++)
		f(i);
}

__attribute__((noinline)) static int tree(int depth)
{
	if (!depth)
		return 0;
	char *p = new char[8 + depth];
	keep = p;
	int sum = tree(depth - 1) + tree(depth - 1);
	delete[] p;
	return sum + 1;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 500;
	lib::pool<lib::small> small;
	lib::pool<lib::big> big;
	hidden h;
	std::map<std::string, int> index;
	for (int i = 0; i < n; i++) {
		small.get();
		if (i % 2)
			big.get();
		index["a key that is too long for the string " + std::to_string(i % 50)] = i;
		int *p = h.make(3);
		keep = p;
		delete[] p;
	}
	each(n, [&](int i) {
		std::string text("another one that is too long for it");
		keep = &text[0];
		if (i % 3 == 0)
			small.get();
	});
	std::vector<int> v;
	for (int i = 0; i < n; i++)
		v.push_back(i * 7 % 13);
	std::stable_sort(v.begin(), v.end());
	std::printf("%d\n", tree(10) > 0 && v[0] == 0);
}
