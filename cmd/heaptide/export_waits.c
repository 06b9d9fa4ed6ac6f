/* export_waits: see export_waits.h. */
#include "export_waits.h"

#include <stdlib.h>

#include "command.h"
#include "progress.h"
#include "recorded.h"

static struct {
	struct ht_latency *latency;
	struct ht_fault_places places;
	struct ht_wait_profile waits;
} made;

static const struct {
	const char *what;
	uint32_t needs, helps; /* classes: without the first there are none, without the second fewer */
} kinds[HT_WAIT_PROFILES] = {
    [HT_WAIT_PROFILE_MUTEX] = {"waits for locks", HT_CLASS_BIT(SYNC), 0},
    [HT_WAIT_PROFILE_BLOCK] = {"waits for locks and threads", HT_CLASS_BIT(SYNC), 0},
    [HT_WAIT_PROFILE_IO] = {"waits for files, sockets and timers", HT_CLASS_BIT(IO), 0},
    [HT_WAIT_PROFILE_SCHED] = {"waits for a processor", HT_CLASS_BIT(SCHED), HT_CLASS_BIT(SYNC)},
    [HT_WAIT_PROFILE_STALL] = {"stalls of the allocator", HT_CLASS_BIT(STALL), 0},
    [HT_WAIT_PROFILE_FAULT] = {"page faults", HT_CLASS_BIT(FAULT), 0},
};

static void hint_events(struct ht_diag *d, uint32_t classes)
{
	char *option = ht_classes_option(classes);
	ht_hint(d, "`heaptide record --events=%s` records them", option);
	free(option);
}

bool ht_export_say_unrecorded(const struct ht_trace *t, const char *what, uint32_t needs, uint32_t helps)
{
	struct ht_diag d = {0};
	if (!ht_unrecorded(t, needs))
		return false;
	ht_fail(&d, HT_OK, "the profile is empty: %s were not recorded", what);
	hint_events(&d, ht_unrecorded(t, needs | helps));
	ht_message(&d);
	return true;
}

/* Nothing of the kind is an empty profile: it opens everywhere. */
static void say_if_empty(const struct ht_analysis *a, enum ht_wait_profile_kind kind)
{
	struct ht_diag d = {0};
	const struct ht_selection *s = &a->options.selection;
	bool selected = s->from_ns || s->to_ns != UINT64_MAX || s->thread || s->process || s->focus || s->ignore || s->module;
	const uint32_t needs = kinds[kind].needs, all = needs | kinds[kind].helps;
	if (ht_export_say_unrecorded(a->trace, kinds[kind].what, needs, kinds[kind].helps))
		return;
	ht_fail(&d, HT_OK, "the profile is empty: there are no %s in %s", kinds[kind].what,
		selected ? "what is selected" : "this trace");
	if (ht_recorded(a->trace, all) == HT_RECORDED_UNKNOWN)
		hint_events(&d, all);
	ht_message(&d);
}

int ht_export_waits(const struct ht_profile **out, struct ht_analysis *a, enum ht_wait_profile_kind kind,
		    unsigned labels, const char *const *comments, size_t comment_count, size_t *value_index,
		    struct ht_diag *d)
{
	const struct ht_latency_options o = {
	    .selection = a->options.selection, .jobs = a->options.jobs, .progress = ht_progress};
	struct ht_latency empty = {.trace = a->trace};
	int code = ht_latency_read(&made.latency, a->trace, &o, d);
	if (code < 0) {
		ht_progress_end();
		return code;
	}
	const struct ht_latency *l = made.latency ? made.latency : &empty;
	if (kind == HT_WAIT_PROFILE_FAULT)
		ht_fault_places_find(&made.places, l, ht_progress, NULL);
	ht_progress_end();
	ht_wait_profile_make(&made.waits, kind, labels, l, a->stacks, &made.places);
	if (!made.waits.made.count)
		say_if_empty(a, kind);
	*value_index = made.waits.made.main;
	*out = ht_made_profile(a, &made.waits.made, comments, comment_count);
	return 0;
}

void ht_export_waits_free(const struct ht_profile *p)
{
	ht_profile_free(p);
	ht_wait_profile_release(&made.waits);
	ht_fault_places_release(&made.places);
	ht_latency_free(made.latency);
	made.latency = NULL;
}
