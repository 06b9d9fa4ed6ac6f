/*
 * help: the three kinds of help. The overview and the command screens are generated from the
 * tables; the manual is the man page, shown by man(1) where there is one.
 */
#ifndef HT_HELP_H
#define HT_HELP_H

#include "command.h"

/* The commands by purpose. */
void ht_help_overview(const struct ht_command *const *commands);
/* One screen: usage, summary, options. */
void ht_help_command(const struct ht_command *c);
/* Opens the man page of a command (NULL: of heaptide); without man(1) and without the page prints
 * the screen. Returns an exit status. */
int ht_help_manual(const char *name, const struct ht_command *const *commands);

#endif
