/*
 * calls_table: what calls that may block answer, in every way that they may end. The program prints one line a case;
 * the same whether anybody looks on or not. No line depends on time, on a pid or on who was faster.
 *
 *	calls_table.c	main, and helpers
 *	calls_ended.c	blocking calls that a signal interrupts or lets go on, a timeout ends, a cancellation ends
 *	calls_answer.c	results, errors, modes, bytes, processes
 */
#ifndef CALLS_TABLE_H
#define CALLS_TABLE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* Prints "NAME result errno", the errno by its name; it is only meaningful for those that failed, and printed for all:
 * who succeeds leaves it alone. */
void show(const char *name, long result);
/* SHOW(call): with an errno of before that no call gives. */
#define SHOW(call)                        \
	do {                              \
		errno = 9999;             \
		show(#call, (long)(call)); \
	} while (0)

/* What blocking calls block on: made anew for each case. */
struct place {
	int empty[2];	/* a pipe without data */
	int full[2];	/* one that is full */
	int pair[2];	/* sockets without data */
	int stuffed[2]; /* sockets, [0] of which is full */
	int listener;	/* nobody comes */
	int epoll;	/* watches empty[0] */
	int locked, lock; /* a file, locked through the first */
	char fifo[64];	/* that nobody else has open */
	pid_t child;	/* sleeps for ever */
};
void place_make(struct place *p);
void place_clear(struct place *p);
extern struct place place;

void ended(void);   /* calls_ended.c */
void answers(void); /* calls_answer.c */

/* A child that runs f; its wait status in words. */
void in_child(const char *name, void (*f)(void));

#endif
