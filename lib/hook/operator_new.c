/*
 * operator_new: the 22 replaceable forms of operator new and delete, as libheaptide-hook-new.so. Each
 * forwards to the next definition; exceptions of the real ones pass through.
 */
#include "hook.h"
#include "hook_new.h"

#include <link.h>

typedef void *new_fn(size_t, uintptr_t, uintptr_t);
typedef void delete_fn(void *, uintptr_t, uintptr_t);
static const struct ht_new_api *api;

#define NEW(name, align)                                                          \
	HT_EXPORT void *name(size_t size, uintptr_t a, uintptr_t b);              \
	HT_EXPORT void *name(size_t size, uintptr_t a, uintptr_t b)               \
	{                                                                         \
		static new_fn *real;                                              \
		if (HT_UNLIKELY(!real))                                           \
			real = (new_fn *)ht_symbol(#name, true);                 \
		struct ht_unwind_state from = HT_CALLER_STATE();                     \
		if (HT_UNLIKELY(!api))                                            \
			return real(size, a, b);                                  \
		uint64_t births = api->births();                                  \
		void *p = real(size, a, b);                                       \
		if (HT_LIKELY(p != NULL))                                         \
			api->born(p, size, (align), births, &from);               \
		return p;                                                         \
	}

#define DELETE(name)                                                              \
	HT_EXPORT void name(void *p, uintptr_t a, uintptr_t b);                   \
	HT_EXPORT void name(void *p, uintptr_t a, uintptr_t b)                    \
	{                                                                         \
		static delete_fn *real;                                           \
		if (HT_UNLIKELY(!real))                                           \
			real = (delete_fn *)ht_symbol(#name, true);              \
		struct ht_unwind_state from = HT_CALLER_STATE();                     \
		if (HT_LIKELY(api != NULL)) {                                     \
			api->died(p, &from);                                      \
			real(p, a, b);                                            \
			api->dead();                                              \
		} else {                                                          \
			real(p, a, b);                                            \
		}                                                                 \
	}

NEW(_Znwm, 0)				  /* operator new(size_t) */
NEW(_Znam, 0)
NEW(_ZnwmRKSt9nothrow_t, 0)
NEW(_ZnamRKSt9nothrow_t, 0)
NEW(_ZnwmSt11align_val_t, a)
NEW(_ZnamSt11align_val_t, a)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, a)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, a)
DELETE(_ZdlPv)				  /* operator delete(void *) */
DELETE(_ZdaPv)
DELETE(_ZdlPvm)				  /* sized */
DELETE(_ZdaPvm)
DELETE(_ZdlPvRKSt9nothrow_t)
DELETE(_ZdaPvRKSt9nothrow_t)
DELETE(_ZdlPvSt11align_val_t)
DELETE(_ZdaPvSt11align_val_t)
DELETE(_ZdlPvmSt11align_val_t)		  /* sized and aligned */
DELETE(_ZdaPvmSt11align_val_t)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)
DELETE(_ZdlPvmRKSt9nothrow_t)
DELETE(_ZdaPvmRKSt9nothrow_t)

/* The hook must know this object's text, to recognise its frames: the whole executable segment. */
static int find_text(struct dl_phdr_info *info, size_t size, void *out)
{
	(void)size;
	uintptr_t *range = out, me = (uintptr_t)find_text;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t low = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD && me >= low && me < low + p->p_memsz) {
			range[0] = low;
			range[1] = low + p->p_memsz;
			return 1;
		}
	}
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const struct ht_new_api *(*enter)(uintptr_t, uintptr_t) =
		(const struct ht_new_api *(*)(uintptr_t, uintptr_t))ht_symbol("heaptide_hook_new", false);
	uintptr_t text[2] = {0, 0};
	dl_iterate_phdr(find_text, text);
	if (enter)
		api = enter(text[0], text[1]);
}
