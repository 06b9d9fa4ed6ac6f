/* plugin_std: a C++ plugin on libstdc++'s operator new, for plugin_host. */
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <vector>

extern "C" __attribute__((visibility("default"))) long plugin_work(int rounds);
extern "C" __attribute__((visibility("default"))) long plugin_exhaust(void);

static void *volatile sink; /* keeps compilers from dropping what is made and deleted at once */

struct alignas(128) wide {
	char room[128];
};

long plugin_work(int rounds)
{
	std::map<std::string, std::vector<int>> m;
	long sum = 0;

	for (int i = 0; i < rounds; i++)
		m["a key that is too long for the string itself " + std::to_string(i % 50)]
		    .push_back(i);
	for (const auto &entry : m)
		sum += static_cast<long>(entry.first.size() * entry.second.size());
	wide *w = new wide();
	sink = w;
	sum += reinterpret_cast<unsigned long>(w) % 128 == 0;
	delete w;
	return sum;
}

/* 1 for each form that behaves as the standard says when there is no memory. */
long plugin_exhaust(void)
{
	volatile size_t huge = size_t{1} << 62;
	long good = 0;

	try {
		sink = new char[huge];
		delete[] static_cast<char *>(sink);
	} catch (const std::bad_alloc &) {
		good++;
	}
	sink = new (std::nothrow) char[huge];
	good += sink == nullptr;
	delete[] static_cast<char *>(sink);
	try {
		sink = ::operator new(huge, std::align_val_t(64));
		::operator delete(sink, std::align_val_t(64));
	} catch (const std::bad_alloc &) {
		good++;
	}
	return good;
}
