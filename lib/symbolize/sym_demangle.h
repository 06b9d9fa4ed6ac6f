/*
 * sym_demangle: C++, Rust (both manners) and D names as people write them, by libiberty, bounded.
 *
 *   full    void ns::table<std::pair<int, long> >::grow<4ul>(unsigned long)
 *   short   ns::table<std::pair<int, long> >::grow<4ul>
 *   none    _ZN2ns5tableISt4pairIilEE4growILm4EEEvm
 *
 * Short drops the parameter list and return type, and cuts template argument lists that are
 * longer than 48 bytes after their first arguments: "<int, ..#1f03ac>", where the digits are
 * a hash of what was cut, so that two different names stay different.
 */
#ifndef HT_SYM_DEMANGLE_H
#define HT_SYM_DEMANGLE_H

#include "symbolize.h"

/* A fresh string, or NULL when name (a clone suffix already removed) is no mangled name or its
 * plain form would be longer than 16 KiB. */
char *sym_demangle(const char *name, enum ht_demangle how);
/* Cuts the template arguments of a name that came from debug information, in place. */
void sym_shorten(char *name);

#endif
