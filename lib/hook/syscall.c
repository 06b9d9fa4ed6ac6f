/*
 * syscall: libc's function of that name, watched for one thing: that the program forbids itself system calls, on pain
 * of death, and does so past prctl (thread.c). Everything else leaves by a jump, without a frame: what is called through
 * here may return twice, as vfork does, on the same stack.
 */
#include "hook.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static __attribute__((noinline)) long restricts(long number, long a, long b, long c, long d, long e, long f)
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

HT_EXPORT long syscall(long number, long a, long b, long c, long d, long e, long f);
HT_EXPORT long syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (HT_UNLIKELY(number == SYS_prctl || number == SYS_seccomp || !ht_real_ready))
		return restricts(number, a, b, c, d, e, f);
	return ht_real.syscall(number, a, b, c, d, e, f);
}
