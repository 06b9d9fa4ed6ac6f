/*
 * map: the program's own changes of its address space. An allocator's inner calls do not pass here
 * (glibc's go to the kernel directly); those of allocators that do are recorded as what they are.
 */
#include "hook.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>

static void note_map(unsigned op, uint64_t address, uint64_t size, uint64_t extra, uint64_t extra2,
		     const struct ht_unwind_state *from)
{
	struct ht_note n = {.op = op, .flags = HT_REC_STACK | HT_REC_STAMP | HT_REC_EXTRA, .address = address,
			    .size = size, .extra = extra, .extra2 = extra2};
	ht_event(&n, from);
}

HT_INLINE bool wanted(void)
{
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	return ht_recording() && (ht_process.options & HT_OPT_MAP);
}

HT_EXPORT void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t off)
{
	bool note = wanted();
	if (HT_UNLIKELY(!ht_real.mmap)) { /* inside our own dlsym */
		long r = HT_SYSCALL6(9, at, size, prot, flags, fd, off);
		return r < 0 && r > -4096 ? MAP_FAILED : (void *)r;
	}
	void *p = ht_real.mmap(at, size, prot, flags, fd, off);
	if (note && p != MAP_FAILED) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		uint64_t how = (uint64_t)(uint8_t)prot | (uint64_t)(uint32_t)(flags & 0xffffff) << 8;
		note_map(HT_REC_MMAP, (uint64_t)p, size, how | (fd >= 0 && !(flags & MAP_ANONYMOUS) ? 1ull << 32 : 0), 0,
			 &from);
	}
	return p;
}
HT_EXPORT void *mmap64(void *at, size_t size, int prot, int flags, int fd, off_t off)
	__attribute__((alias("mmap")));

HT_EXPORT int munmap(void *at, size_t size)
{
	/* before the real call, as with free: the range may be mapped again at once */
	if (wanted()) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		note_map(HT_REC_MUNMAP, (uint64_t)at, size, 0, 0, &from);
	}
	if (HT_UNLIKELY(!ht_real.munmap))
		return HT_SYSCALL2(11, at, size) == 0 ? 0 : -1;
	return ht_real.munmap(at, size);
}

HT_EXPORT void *mremap(void *at, size_t old_size, size_t size, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	void *to = flags & MREMAP_FIXED ? va_arg(ap, void *) : NULL;
	va_end(ap);
	bool note = wanted();
	void *p = ht_real.mremap(at, old_size, size, flags, to);
	if (note && p != MAP_FAILED) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		note_map(HT_REC_MREMAP, (uint64_t)p, size, (uint64_t)at, old_size, &from);
	}
	return p;
}

HT_EXPORT int brk(void *to);
HT_EXPORT int brk(void *to)
{
	bool note = wanted();
	int rc = ht_real.brk(to);
	if (note && rc == 0) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		note_map(HT_REC_BRK, (uint64_t)to, 0, 0, 0, &from);
	}
	return rc;
}

HT_EXPORT void *sbrk(intptr_t by);
HT_EXPORT void *sbrk(intptr_t by)
{
	bool note = wanted();
	void *old = ht_real.sbrk(by);
	if (note && by && old != (void *)-1) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		note_map(HT_REC_BRK, (uint64_t)old + (uint64_t)by, by > 0 ? (uint64_t)by : 0, by < 0 ? (uint64_t)-by : 0, 0,
			 &from);
	}
	return old;
}
