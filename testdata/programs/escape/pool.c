/*
 * A pool: blocks are taken from a list, given back to it, and freed when it is drained.
 * truth: get escapes-upward 2 main
 */
#include "escape.h"

struct node {
	struct node *next;
};
static struct node *free_list;

static NOINLINE struct node *get(void)
{
	struct node *n = free_list;
	if (n) {
		free_list = n->next;
		return n;
	}
	n = malloc(sizeof(*n));
	use(n);
	return n;
}

static NOINLINE void put(struct node *n)
{
	n->next = free_list;
	free_list = n;
}

static NOINLINE void work(void)
{
	struct node *held[TIMES];
	for (size_t i = 0; i < TIMES; i++)
		held[i] = get();
	for (size_t i = 0; i < TIMES; i++)
		put(held[i]);
	use(held);
}

static NOINLINE void drain(void)
{
	while (free_list) {
		struct node *n = free_list;
		free_list = n->next;
		free(n);
	}
	use(&free_list);
}

static NOINLINE void stop(void)
{
	drain();
	use(&free_list);
}

int main(void)
{
	for (size_t i = 0; i < 10; i++)
		work();
	stop();
	return 0;
}
