/*
 * closure: which objects will the loader map when this program starts? The program, what LD_PRELOAD
 * names, and what they need, and those need, in turn. Asked for one thing: does any of them bring an
 * operator new of its own?
 */
#ifndef HT_CLOSURE_H
#define HT_CLOSURE_H

#include "base.h"

/*
 * Does an object other than the C++ runtime define operator new (_Znwm)? Then the program's
 * allocations by new need not pass through malloc, and the second preload object is wanted. preload: the
 * value of LD_PRELOAD that the program will have, or NULL. who (n > 0): the first such object. An object that
 * cannot be found or read counts as one that does not.
 */
bool ht_closure_own_new(const char *program, const char *preload, char *who, size_t n);

#endif
