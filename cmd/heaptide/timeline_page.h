/* timeline_page: the page that timeline_text.c and timeline_waits.c write together. */
#ifndef HT_TIMELINE_PAGE_H
#define HT_TIMELINE_PAGE_H

#include "timeline_out.h"

struct ht_page {
	const struct ht_timeline_made *made;
	const struct ht_timeline *t;
	struct ht_output *out;
	struct ht_buf *b;	/* out's */
	size_t width, columns;	/* of the page, of the lanes */
	size_t rows;		/* for lanes, at most */
	bool coloured, states;	/* states: they are known */
	bool used[HT_LANE_CLASSES];
};

/* Left-aligned, cut. */
void ht_page_cell(struct ht_page *p, const char *text, size_t columns);
/* The longest waits that somebody else could have made shorter: two lines each. */
void ht_page_waits(struct ht_page *p);

#endif
