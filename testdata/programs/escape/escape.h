/*
 * escape: what the programs of the catalogue share. Each says in its first comment what is true of the blocks of its
 * functions, in lines that tests/e2e/escape.sh reads:
 *
 *	truth: FUNCTION VERDICT [N SCOPE]	verdict as in JSON; N frames up, to the function SCOPE
 *	truth at -O2 -O3: ...			where compilers take away what could be told (at these levels alone)
 *	truth: FUNCTION VERDICT or unknown	"can't be known" is right, too; anything else is not
 *	options: --x=y				for heaptide escape
 *	link: -ldl				for the compiler
 */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stdlib.h>

#define NOINLINE __attribute__((noinline, noclone))

/* The compiler may know nothing of the block, so that it neither leaves it out nor moves it. */
static inline void use(void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* Something to do after a call, so that it is not the function's last act. */
static inline void after(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Other events between two calls. */
static NOINLINE __attribute__((unused)) void elsewhere(void)
{
	void *p = malloc(1);
	use(p);
	free(p);
	after();
}

enum { TIMES = 100 };

#endif
