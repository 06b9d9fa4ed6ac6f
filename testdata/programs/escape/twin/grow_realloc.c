/*
 * Buffers that grow by realloc, to many different sizes. CAPACITY: what they begin with. With an argument, it prints how
 * often they grew.
 */
#include <stdio.h>
#include <stdlib.h>

#ifndef CAPACITY
#define CAPACITY 16
#endif

struct buffer {
	char *bytes;
	size_t used, room;
};
static unsigned long grown;

__attribute__((noinline)) static void append(struct buffer *b, char c)
{
	if (b->used == b->room) {
		grown += b->room > 0;
		b->room = b->room ? b->room * 2 : CAPACITY;
		b->bytes = realloc(b->bytes, b->room);
	}
	b->bytes[b->used++] = c;
}

int main(int argc, char **argv)
{
	(void)argv;
	for (unsigned i = 0; i < 1000; i++) {
		struct buffer b = {0};
		unsigned size = 20 + i * 7919 % 480;
		if (i % 50 == 0)
			size *= 8;
		for (unsigned k = 0; k < size; k++)
			append(&b, 'x');
		free(b.bytes);
	}
	if (argc > 1)
		printf("%lu\n", grown);
	return 0;
}
