/*
 * closure: which objects will the loader map when this program starts? The program, what LD_PRELOAD
 * names, and what they need, and those need, in turn. Asked for one thing: does any of them bring an
 * operator new of its own, and does another call it?
 */
#ifndef HT_CLOSURE_H
#define HT_CLOSURE_H

#include "base.h"

struct ht_closure_new {
	char who[256]; /* the first object other than the C++ runtime that exports operator new, "" = none */
	bool used;     /* an object other than that and the runtime imports it */
};
/*
 * With `who`, the program's allocations by new need not pass through malloc, and the second preload object is wanted;
 * unless `used`, nobody will miss them. preload: the value of LD_PRELOAD that the program will have, or NULL. An
 * object that cannot be found or read counts as one without.
 */
void ht_closure_new(const char *program, const char *preload, struct ht_closure_new *out);

#endif
