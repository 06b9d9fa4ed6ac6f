/*
 * A buffer that grows within one call, and is freed there.
 * truth: collect stays
 */
#include "escape.h"

static NOINLINE void collect(size_t n)
{
	char *bytes = NULL;
	for (size_t room = 10; room < n; room += 10) {
		bytes = realloc(bytes, room);
		use(bytes);
	}
	free(bytes);
	after();
}

int main(void)
{
	for (size_t i = 1; i < TIMES; i++) {
		collect(i * 5);
		elsewhere();
	}
	return 0;
}
