// A container that belongs to an object and grows from call to call.
// truth: Log::add reused
// options: --allocators=^(std|__gnu_cxx)::
#include <vector>

#include "escape.h"

class Log
{
public:
	NOINLINE void add(size_t n)
	{
		lines_.push_back(n);
		use(lines_.data());
	}

private:
	std::vector<size_t> lines_;
};

int main()
{
	static Log log;
	for (size_t i = 0; i < 5000; i++)
		log.add(i);
	return 0;
}
