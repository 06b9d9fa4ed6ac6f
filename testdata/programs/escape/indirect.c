/*
 * An interpreter's loop: one indirect call goes to the function that allocates and to the one that frees. Neither calls the
 * other.
 * truth: op_new escapes-to-caller 1 run
 */
#include "escape.h"

static void *top;

static NOINLINE void op_new(size_t n)
{
	top = malloc(n);
	use(top);
}

static NOINLINE void op_drop(size_t n)
{
	use(&n);
	free(top);
	after();
}

static NOINLINE void run(void (*const *ops)(size_t), size_t n)
{
	for (size_t i = 0; ops[i]; i++)
		ops[i](n);
	after();
}

int main(void)
{
	static void (*const ops[])(size_t) = {op_new, op_drop, op_new, op_drop, NULL};
	for (size_t i = 0; i < TIMES; i++) {
		run(ops, i);
		elsewhere();
	}
	return 0;
}
