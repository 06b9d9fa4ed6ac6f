/*
 * known: a program of known numbers, for the views of reports. What it must say is known by heart:
 *
 *	main	keep_large	4 blocks of 100,000 bytes, kept
 *		wait_short	50 blocks of 200 bytes, each freed after 5 ms or more
 *	worker	burn		3,000 blocks of 48 bytes, freed at once
 *		hold_all	1,000 blocks of 1,024 bytes at once, freed one after the other
 *
 * The threads do not overlap. The peak is when hold_all has all its blocks: 4 * 100,000 + 1000 * 1024.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))

static void *volatile kept[4];
static void *volatile held[1000];

static NOINLINE void keep_large(int i)
{
	kept[i] = malloc(100000); /* keep_large's line */
}

static NOINLINE void wait_short(void)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	void *volatile p = malloc(200); /* wait_short's line */
	nanosleep(&pause, NULL);
	free(p);
}

static NOINLINE void burn(void)
{
	void *volatile p = malloc(48); /* burn's line */
	free(p);
}

static NOINLINE void hold_all(void)
{
	for (int i = 0; i < 1000; i++)
		held[i] = malloc(1024); /* hold_all's line */
	for (int i = 0; i < 1000; i++)
		free(held[i]);
}

static void *work(void *unused)
{
	for (int i = 0; i < 3000; i++)
		burn();
	hold_all();
	return unused;
}

int main(void)
{
	pthread_t worker;
	for (int i = 0; i < 4; i++)
		keep_large(i);
	for (int i = 0; i < 50; i++)
		wait_short();
	pthread_create(&worker, NULL, work, NULL);
	pthread_setname_np(worker, "worker");
	pthread_join(worker, NULL);
	return 0;
}
