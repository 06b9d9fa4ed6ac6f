/*
 * sym_sandbox: what a child gives up before it reads a file that somebody else wrote.
 *
 * Afterwards it holds two descriptors (SYM_FD_PARENT, SYM_FD_MODULE), cannot gain privileges, dump
 * core or write files, has its processor time and address space limited, dies with its parent,
 * and, on x86-64 and aarch64, every system call but those for memory, reading and the socket
 * fails with EPERM (test_symbolize_hostile.c: sandbox_holds).
 */
#ifndef HT_SYM_SANDBOX_H
#define HT_SYM_SANDBOX_H

#include "base.h"

enum { SYM_FD_PARENT = 3, SYM_FD_MODULE = 4 };

struct sym_limits {
	unsigned cpu_seconds;
	uint64_t memory; /* on top of what the process has mapped at the fork and of the file's size */
};

/* module may be -1. Never fails: what the kernel refuses is one wall less. */
void sym_sandbox_enter(int parent, int module, const struct sym_limits *limits);

#endif
