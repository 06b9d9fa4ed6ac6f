/*
 * rt: the ground under everything that runs inside the target. Compiler and kernel headers
 * only: atomics with their order in the name, branch hints, raw system calls that leave errno alone.
 *
 * The law (see lib/README.md): no malloc, no lock, no libc call but the forwarded one, no system call on
 * the hot path, no printing, never abort.
 */
#ifndef HT_RT_H
#define HT_RT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HT_LIKELY(x) __builtin_expect(!!(x), 1)
#define HT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define HT_INLINE static inline __attribute__((always_inline))
#define HT_COLD __attribute__((noinline, cold))
#define HT_EXPORT __attribute__((visibility("default")))

#define HT_LOAD_RELAXED(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define HT_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define HT_STORE_RELAXED(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define HT_STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
/* Orders our own stores against a signal handler on this thread; no instruction. */
#define HT_COMPILER_BARRIER() __asm__ volatile("" ::: "memory")

HT_INLINE bool ht_cas_u32(uint32_t *p, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* The cheap clock: ticks of the TSC (x86-64) or of cntvct (aarch64). Calibrated by the collector. */
HT_INLINE uint64_t ht_clock_ticks(void)
{
#if defined(__x86_64__)
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
#elif defined(__aarch64__)
	uint64_t v;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
#error "heaptide's hook knows x86-64 and aarch64"
#endif
}

/* Fetches the line of p, to be written soon; never faults. The builtin would fetch it for reading where the processor is not known
 * to have prefetchw; one that does not have it does nothing. */
HT_INLINE void ht_prefetch_to_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* Raw system calls: the result, or -errno. errno itself is the program's. */
HT_INLINE long ht_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#else
	register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
			x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#endif
}
#define HT_SYSCALL0(n) ht_syscall6((n), 0, 0, 0, 0, 0, 0)
#define HT_SYSCALL1(n, a) ht_syscall6((n), (long)(a), 0, 0, 0, 0, 0)
#define HT_SYSCALL2(n, a, b) ht_syscall6((n), (long)(a), (long)(b), 0, 0, 0, 0)
#define HT_SYSCALL3(n, a, b, c) ht_syscall6((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define HT_SYSCALL4(n, a, b, c, d) ht_syscall6((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define HT_SYSCALL6(n, a, b, c, d, e, f) \
	ht_syscall6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* memcpy and friends without libc (the compiler may still emit calls, which libc serves without
 * lock or allocation). */
HT_INLINE size_t ht_strlen(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}
HT_INLINE void ht_copy(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;
	while (n--)
		*d++ = *s++;
}
HT_INLINE bool ht_starts_with(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

#endif
