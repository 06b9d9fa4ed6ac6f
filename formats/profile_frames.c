/* profile_frames: see profile_frames.h. */
#include "profile_frames.h"

#include <inttypes.h>
#include <string.h>

struct ht_profile_walk ht_profile_walk(const struct ht_profile *p, const struct ht_profile_sample *s)
{
	return (struct ht_profile_walk){
		.profile = p,
		.sample = s,
		.at = s->callsite,
		.next_line = s->callsite_line,
	};
}

bool ht_profile_next(struct ht_profile_walk *w)
{
	const struct ht_profile_sample *s = w->sample;
	if (w->at >= s->location_count)
		return false;
	w->number = s->locations[w->at];
	w->location = &w->profile->locations[w->number];
	w->line = w->next_line < w->location->line_count ? &w->location->lines[w->next_line] : NULL;
	if (++w->next_line >= w->location->line_count) {
		w->at++;
		w->next_line = 0;
	}
	return true;
}

static const char *module_of(const struct ht_profile *p, const struct ht_profile_location *l)
{
	return l->mapping ? p->mappings[l->mapping - 1].file : "";
}

char *ht_profile_address_name(const struct ht_profile *p, const struct ht_profile_location *l)
{
	const char *base = ht_base_name(module_of(p, l));
	if (!*base)
		return ht_xasprintf("[0x%" PRIx64 "]", l->address);
	return ht_xasprintf("[%s+0x%" PRIx64 "]", base, l->address);
}

void ht_profile_frame_text(struct ht_buf *out, const struct ht_profile *p, const struct ht_profile_location *l,
			   const struct ht_profile_line *line)
{
	const struct ht_profile_function *f = line ? &p->functions[line->function] : NULL;
	const char *module = module_of(p, l);
	ht_buf_printf(out, "0x%" PRIX64 ": %s", l->address, f ? f->name : "???");
	if (f && *f->file && line->line)
		ht_buf_printf(out, " (%s:%u)", ht_base_name(f->file), line->line);
	else if (*module)
		ht_buf_printf(out, " (in %s)", module);
}
