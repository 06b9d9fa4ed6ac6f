// Freed in a destructor, which may be inlined.
// truth: work stays
#include "escape.h"

class Guard
{
public:
	explicit Guard(void *held) : held_(held) {}
	~Guard() { free(held_); }

private:
	void *held_;
};

static NOINLINE void work(size_t n)
{
	void *p = malloc(n);
	Guard guard(p);
	use(p);
}

int main()
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
