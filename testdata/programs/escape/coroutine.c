/*
 * swapcontext between birth and death: the coroutine's stack is another one.
 * truth: work stays
 * truth: routine stays or unknown
 */
#include <ucontext.h>

#include "escape.h"

static ucontext_t outside, inside;

static NOINLINE void routine(void)
{
	for (size_t i = 0;; i++) {
		void *p = malloc(i);
		use(p);
		swapcontext(&inside, &outside);
		free(p);
		after();
	}
}

static NOINLINE void work(size_t n)
{
	void *p = malloc(n);
	use(p);
	swapcontext(&outside, &inside);
	free(p);
	after();
}

int main(void)
{
	static char stack[64 << 10];
	getcontext(&inside);
	inside.uc_stack.ss_sp = stack;
	inside.uc_stack.ss_size = sizeof(stack);
	makecontext(&inside, routine, 0);
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
