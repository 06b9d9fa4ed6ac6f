/* One of two files with a static function of the same name. */
#include "sink.h"

static __attribute__((noinline)) int same_name(int x)
{
	return sink(x) + 1; /* A */
}

int call_a(int x)
{
	return same_name(x) * 2;
}
