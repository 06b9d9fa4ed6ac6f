// Freed in a destructor, which may be inlined.
// truth: work stays
#include "escape.h"

namespace {
class Guard
{
public:
	explicit Guard(void *held) : held_(held) {}
	~Guard() { free(held_); }

private:
	void *held_;
};

NOINLINE void work(size_t n)
{
	void *p = malloc(n);
	Guard guard(p);
	use(p);
}
} // namespace

int main()
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
