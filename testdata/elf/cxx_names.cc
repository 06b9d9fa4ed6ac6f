// cxx_names: what C++ does to names: namespaces, templates, lambdas, local classes, constructors.
#include "sink.h"

#define INLINE inline __attribute__((always_inline))
#define APART  __attribute__((noinline))

namespace outer {
namespace {
template <class T, int N> struct box {
	T value;
	INLINE int peek(int x) { return sink(x + N); } // PEEK
	APART int get(int x) { return peek(x) + static_cast<int>(value); } // GET
};
}

namespace inner {
struct shape {
	int sides;
	APART explicit shape(int n) : sides(sink(n)) {}
	APART virtual ~shape() { sink(sides); }
	APART virtual int area(int a) { return sink(a) * sides; } // AREA
	APART int operator<<(int n) const { return sink(sides << n); } // SHIFT
};
INLINE int helper(int x) { return sink(x) * 3; } // HELPER
}

template <class F> APART int apply(F f, int x) { return f(x) + 1; }

APART int use_lambda(int x)
{
	auto twice = [x](int y) { return sink(x * y); }; // LAMBDA
	return apply(twice, x) + apply([](int y) { return sink(y) - 1; }, x);
}

APART int use_local(int x)
{
	struct local {
		int base;
		APART int method(int y) { return sink(base + y); } // METHOD
	};
	local l = { x };
	return l.method(x) + inner::helper(x); // CALL_HELPER
}
}

extern "C" int cxx_entry(int x)
{
	outer::box<int, 3> a = { 4 };
	outer::box<char, 7> b = { 'b' };
	outer::inner::shape s(x);
	return a.get(x) + b.get(x) + s.area(x) + (s << 2) + outer::use_lambda(x) + outer::use_local(x);
}
