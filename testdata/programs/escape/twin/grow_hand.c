/*
 * The same by hand: allocate a larger block, copy, free the old one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
		size_t room = b->room ? b->room * 2 : CAPACITY;
		char *larger = malloc(room);
		if (b->bytes) {
			grown++;
			memcpy(larger, b->bytes, b->used);
			free(b->bytes);
		}
		b->bytes = larger;
		b->room = room;
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
