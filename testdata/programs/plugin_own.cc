/*
 * plugin_own: a C++ plugin that brings its own operator new: blocks come from malloc with a header
 * that its operator delete insists on. If somebody else's delete or new gets between, it aborts.
 * (So it does without any recorder when it is opened before plugin_std in one process: libstdc++
 * then binds to it.)
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

extern "C" __attribute__((visibility("default"))) long plugin_work(int rounds);
extern "C" __attribute__((visibility("default"))) long plugin_exhaust(void);

static long live;
static void *volatile sink; /* keeps compilers from dropping what is made and deleted at once */

static void *take(size_t size)
{
	uint64_t *p = size < SIZE_MAX / 2 ? static_cast<uint64_t *>(malloc(size + 16)) : nullptr;

	if (!p)
		return nullptr;
	p[0] = 0x6f776e206e657721ull;
	p[1] = size;
	live++;
	return p + 2;
}

static void give(void *block)
{
	uint64_t *p = static_cast<uint64_t *>(block);

	if (!p)
		return;
	if (p[-2] != 0x6f776e206e657721ull) {
		fputs("plugin_own: a foreign block in operator delete\n", stderr);
		abort();
	}
	p[-2] = 0;
	live--;
	free(p - 2);
}

__attribute__((visibility("default"))) void *operator new(size_t size)
{
	void *p = take(size);

	if (!p)
		throw std::bad_alloc();
	return p;
}

__attribute__((visibility("default"))) void *operator new(size_t size,
							  const std::nothrow_t &) noexcept
{
	return take(size);
}

__attribute__((visibility("default"))) void operator delete(void *p) noexcept
{
	give(p);
}

__attribute__((visibility("default"))) void operator delete(void *p, size_t) noexcept
{
	give(p);
}

long plugin_work(int rounds)
{
	std::vector<int *> v;

	for (int i = 0; i < rounds; i++)
		v.push_back(new int(i));
	for (int *p : v) {
		sink = p;
		delete p;
	}
	v = std::vector<int *>();
	return live;
}

long plugin_exhaust(void)
{
	volatile size_t huge = size_t{1} << 62;
	long good = 0;

	try {
		sink = ::operator new(huge);
		::operator delete(sink);
	} catch (const std::bad_alloc &) {
		good++;
	}
	sink = ::operator new(huge, std::nothrow);
	good += sink == nullptr;
	return good;
}
