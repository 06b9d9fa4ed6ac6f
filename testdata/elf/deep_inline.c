/*
 * deep_inline: nine functions, each inlined into the next, around one call; two calls of the same
 * chain from two places; a function that gcc clones. The markers (L1, L2...) are looked for by
 * test_symbolize_names.c, which expects each frame on the line that bears its marker.
 */
#include "sink.h"

#define INLINE static inline __attribute__((always_inline))

INLINE int level9(int x) { return sink(x); }	     /* L9 */
INLINE int level8(int x) { return level9(x + 1); }   /* L8 */
INLINE int level7(int x) { return level8(x ^ 3); }   /* L7 */
INLINE int level6(int x) { return level7(x + 5); }   /* L6 */
INLINE int level5(int x) { return level6(x * 3); }   /* L5 */
INLINE int level4(int x)
{
	int sum = 0;
	for (int i = 0; i < x; i++) {
		int local = sum + i;
		sum += level5(local); /* L4 */
	}
	return sum;
}
INLINE int level3(int x) { return level4(x - 2); } /* L3 */
INLINE int level2(int x) { return level3(x + 9); } /* L2 */
INLINE int level1(int x) { return level2(x | 1); } /* L1 */

int deep_entry(int x)
{
	return level1(x); /* L0 */
}

int deep_twice(int x)
{
	int a = level3(x);
	int b = level3(x + 1);
	return a * b;
}

/* The rare half of this becomes deep_rare.part.0 or deep_rare.cold at -O2. */
static __attribute__((noinline)) int deep_rare(int x, int never)
{
	if (__builtin_expect(never > 1000000, 0)) {
		for (int i = 0; i < 64; i++)
			x += sink(i) * sink(x);
		die(x);
	}
	return x + sink(never);
}

int deep_clone(int x)
{
	return deep_rare(x, 7) + deep_rare(x + 1, 7);
}
