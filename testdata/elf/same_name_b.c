/* The other of two files with a static function of the same name. */
#include "sink.h"

/*
 * Further down than its twin, so that a line number of the wrong file would be seen.
 */
static __attribute__((noinline)) int same_name(int x)
{
	return sink(x) - 1; /* B */
}

int call_b(int x)
{
	return same_name(x) * 3;
}
