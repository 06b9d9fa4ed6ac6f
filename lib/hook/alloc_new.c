/* alloc_new: operator new and delete, for the second preload object. Its malloc is timed, its own work is not. */
#include "blocks.h"
#include "hook_new.h"

/* ---- operator new and delete, for the second preload object ---- */

static bool blocks_noted(void)
{
	return ht_recording() && ht_process.options & HT_OPT_ALLOC;
}

static bool is_sampled(void)
{
	return ht_state == HT_SAMPLING || (ht_state == HT_CLOCKED && ht_process.options & HT_OPT_SAMPLED);
}

/* After the real operator new: unless it came to malloc, which has noted the block. */
static void new_born(void *p, size_t size, size_t align, uint64_t born_before, const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_self.thread;
	if (is_sampled() && (ht_self.sampler.left != born_before || ht_sample_passes(size)))
		return; /* it came to malloc, which has drawn for it; or it is not in the sample */
	if (!blocks_noted() || (t && t->births != born_before && t->last_birth == (uint64_t)p))
		return;
	ht_birth(HT_REC_NEW, p, size, align, from);
}

static uint64_t new_births(void)
{
	if (is_sampled())
		return ht_self.sampler.left;
	return ht_self.thread ? ht_self.thread->births : 0;
}

static void new_died(void *p, const struct ht_unwind_state *from)
{
	if (!blocks_noted() || !p || (is_sampled() && !ht_sample_dies(p)))
		return;
	ht_death(HT_REC_DELETE, p, from);
	ht_self.deleting = p;
}

static void new_dead(void)
{
	ht_self.deleting = NULL;
}

const struct ht_new_api *heaptide_hook_new(uintptr_t text_low, uintptr_t text_high)
{
	static const struct ht_new_api api = {new_births, new_born, new_died, new_dead};
	ht_unwind_second_object(text_low, text_high);
	ht_process.new_hooked = true;
	if (ht_process.seg)
		__atomic_fetch_or(&ht_process.seg->flags, HT_FLAG_NEW_HOOKED, __ATOMIC_RELAXED);
	return &api;
}

