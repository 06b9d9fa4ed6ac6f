/*
 * allocator_names: which functions belong to the allocator family, so that the callsite is the code
 * that asked. Names are matched in full or by prefix, demangled or not, without their parameters.
 * Copying helpers of libc (strdup and kin) belong to it: whoever calls strdup asked for the copy.
 */
#include <string.h>

#include "stacks.h"

static const char *const exact[] = {
	"malloc",	  "calloc",	    "realloc",	      "reallocarray",	   "free",
	"cfree",	  "memalign",	    "posix_memalign", "aligned_alloc",	   "valloc",
	"pvalloc",	  "free_sized",	    "free_aligned_sized",
	"__libc_malloc",  "__libc_calloc",  "__libc_realloc", "__libc_free",	   "__libc_memalign",
	"__libc_valloc",  "__libc_pvalloc", "__libc_reallocarray",
	"strdup",	  "strndup",	    "__strdup",	      "__strndup",	   "wcsdup",
	"g_malloc",	  "g_malloc0",	    "g_realloc",      "g_free",		   "g_strdup",
	"g_malloc_n",	  "g_malloc0_n",    "g_realloc_n",    "g_try_malloc",	   "g_slice_alloc",
	"__rust_alloc",	  "__rust_dealloc", "__rust_realloc", "__rust_alloc_zeroed",
	"__rdl_alloc",	  "__rdl_dealloc",  "__rdl_realloc",  "__rdl_alloc_zeroed",
	"_Znwm",	  "_Znam",	    "_ZdlPv",	      "_ZdaPv",		   "_ZdlPvm",
	"_ZdaPvm",	  "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t",
	"_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t",
};

static const char *const prefixes[] = {
	"operator new",
	"operator delete",
	"std::allocator<",
	"std::allocator_traits<",
	"std::__new_allocator<",
	"__gnu_cxx::new_allocator<",
	"__gnu_cxx::__alloc_traits<",
	"std::__allocate_guarded<",
	"std::__detail::_Hashtable_alloc<",
	"std::__1::allocator<",
	"std::__1::allocator_traits<",
	"std::__1::__libcpp_allocate",
	"std::__1::__libcpp_operator_new",
	"std::__1::__allocate_at_least",
	"_ZNSaI",
	"_ZNSt16allocator_traitsI",
	"_ZNSt15__new_allocatorI",
	"_ZN9__gnu_cxx13new_allocatorI",
	"_ZN9__gnu_cxx14__alloc_traitsI",
	"alloc::alloc::",
	"<alloc::alloc::Global",
};

bool ht_allocator_function(const char *function)
{
	if (!function)
		return false;
	size_t n = strcspn(function, "(");
	for (size_t i = 0; i < HT_ARRAY_SIZE(exact); i++)
		if (strlen(exact[i]) == n && !memcmp(exact[i], function, n))
			return true;
	for (size_t i = 0; i < HT_ARRAY_SIZE(prefixes); i++)
		if (!strncmp(function, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static void append_quoted(struct ht_buf *out, const char *name)
{
	for (size_t n = strcspn(name, "("); n; n--, name++) {
		if (strchr("\\.+*?()|[]{}^$", *name))
			ht_buf_byte(out, '\\');
		ht_buf_byte(out, (uint8_t)*name);
	}
}

/* Functions that are of the family only by options.allocators. Frames of one function share its name. */
static void append_others(struct ht_buf *out, const struct ht_stacks *s)
{
	const char *last = NULL;
	for (uint32_t i = 0; i < s->frame_count; i++) {
		const struct ht_frame *f = &s->frames[i];
		if (!f->allocator || f->function == last || ht_allocator_function(f->function))
			continue;
		last = f->function;
		ht_buf_byte(out, '|');
		append_quoted(out, f->function);
	}
}

/* The names in the tables hold no character that is special in a regular expression. */
void ht_allocator_pattern(struct ht_buf *out, const struct ht_stacks *s)
{
	for (size_t i = 0; i < HT_ARRAY_SIZE(exact); i++)
		ht_buf_printf(out, "%s%s", i ? "|" : "", exact[i]);
	for (size_t i = 0; i < HT_ARRAY_SIZE(prefixes); i++)
		ht_buf_printf(out, "|%s.*", prefixes[i]);
	append_others(out, s);
}
