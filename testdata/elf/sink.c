#include "sink.h"

volatile int sunk;

__attribute__((noinline)) int sink(int x)
{
	sunk += x;
	return sunk;
}

__attribute__((noinline)) void die(int x)
{
	sunk = x;
	for (;;)
		sunk++;
}
