/*
 * syscall: libc's function of that name, watched for one thing: that the program forbids itself system calls, on pain
 * of death, and does so past prctl (thread.c). Everything else leaves by a jump, without a frame: what is called
 * through here may return twice, as vfork does, on the same stack.
 */
#include "hook.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#pragma GCC visibility push(hidden)
/* The kernel's six arguments; the last lies on the stack, or nothing of the kind does. */
long ht_syscall_restricts(long number, long a, long b, long c, long d, long e, long f);
long ht_syscall_restricts(long number, long a, long b, long c, long d, long e, long f)
{
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	struct ht_unwind_state from = HT_CALLER_STATE();
	if (number == SYS_prctl)
		ht_seccomp_ahead(a, (unsigned long)b, &from);
	else if (number == SYS_seccomp && a == SECCOMP_SET_MODE_STRICT)
		ht_seccomp_ahead(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, &from);
	else if (number == SYS_seccomp && a == SECCOMP_SET_MODE_FILTER)
		ht_seccomp_ahead(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &from);
	return ht_real.syscall(number, a, b, c, d, e, f);
}
#pragma GCC visibility pop

/* By hand, since compilers write the argument on the stack anew to jump with it: where there is none, that is a
 * variable of the caller's, which other threads may write at the same time. */
HT_EXPORT __attribute__((naked)) long syscall(long number, ...);
HT_EXPORT __attribute__((naked)) long syscall(long number __attribute__((unused)), ...)
{
	__asm__("cmpq %0, %%rdi\n\t"
		"je ht_syscall_restricts\n\t"
		"cmpq %1, %%rdi\n\t"
		"je ht_syscall_restricts\n\t"
		"cmpb $0, ht_real_ready(%%rip)\n\t"
		"je ht_syscall_restricts\n\t"
		"jmp *ht_real+%c2(%%rip)"
		:
		: "i"(SYS_prctl), "i"(SYS_seccomp), "i"(offsetof(struct ht_real, syscall)));
}
