// Allocated by a constructor, freed by the destructor of the same object: the function that has it is one frame up.
// truth: Buffer::Buffer escapes-to-caller 1 work
#include "escape.h"

class Buffer
{
public:
	explicit Buffer(size_t n);
	~Buffer() { free(bytes_); }
	void *bytes() { return bytes_; }

private:
	void *bytes_;
};

inline Buffer::Buffer(size_t n) : bytes_(malloc(n)) {}

static NOINLINE void work(size_t n)
{
	Buffer b(n);
	use(b.bytes());
}

int main()
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
