/* stress_plugin: what stress opens, calls and closes; its stacks must not outlive its mapping. */
#include <stdexcept>
#include <string>
#include <vector>

extern "C" __attribute__((visibility("default"))) int plugin_run(int depth, int seed);

static __attribute__((noinline)) int grow(std::vector<std::string> &v, int depth, int seed)
{
	v.push_back(std::string(static_cast<size_t>(20 + (seed * 31 + depth) % 200), 'p'));
	if (depth == 0) {
		if (seed % 3 == 0)
			throw std::runtime_error("a message long enough to be allocated by itself");
		return static_cast<int>(v.size());
	}
	return grow(v, depth - 1, seed) + 1;
}

int plugin_run(int depth, int seed)
{
	std::vector<std::string> v;

	try {
		return grow(v, depth, seed);
	} catch (const std::runtime_error &e) {
		return static_cast<int>(v.size());
	}
}
