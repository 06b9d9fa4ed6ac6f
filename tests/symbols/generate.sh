#!/bin/sh
# generate.sh UNIT ITEMS: a C++ unit on standard output, whose functions inline seven levels of templates and what they use
# of the standard library. Everything is local to the unit, so that copies of its object may be linked together.
unit=$1 items=$2
cat <<X
#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>
namespace {
X
i=1
while [ $i -le "$items" ]; do
	cat <<X
struct item_$i { long key; std::string text; bool operator<(const item_$i &o) const { return key < o.key; } };
template <int N> struct step_$i {
	static inline long go(std::vector<item_$i> &v, long x)
	{
		if (x % N)
			v.push_back({x, std::to_string(x)});
		return step_$i<N - 1>::go(v, x + N) + (long)v.size();
	}
};
template <> struct step_$i<0> {
	static inline long go(std::vector<item_$i> &v, long x) { std::sort(v.begin(), v.end()); return x; }
};
__attribute__((used, noinline)) long work_${unit}_$i(long x)
{
	std::vector<item_$i> v;
	std::map<std::string, item_$i> m;
	long s = step_$i<7>::go(v, x);
	for (auto &e : v)
		m[e.text] = e;
	std::function<long(long)> f = [&](long y) { return y + s + (long)m.size(); };
	for (auto it = m.begin(); it != m.end(); ++it)
		s += f(it->second.key);
	return s;
}
X
	i=$((i + 1))
done
echo '}'
