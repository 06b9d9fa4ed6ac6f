/*
 * A static buffer that grows from call to call.
 * truth: append reused
 */
#include "escape.h"

static char *bytes;
static size_t used, room;

static NOINLINE void append(char c)
{
	if (used == room) {
		room += 10;
		bytes = realloc(bytes, room);
	}
	bytes[used++] = c;
	use(bytes);
}

int main(void)
{
	for (size_t i = 0; i < 10 * TIMES; i++)
		append('x');
	return 0;
}
