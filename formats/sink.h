/*
 * sink: where exporters of text write to: a buffer before a descriptor. The first failure is kept, what
 * comes after it is dropped, and ht_sink_end says it.
 */
#ifndef HT_SINK_H
#define HT_SINK_H

#include <errno.h>
#include <string.h>

#include "base.h"

struct ht_sink {
	int fd;
	struct ht_buf text; /* append here, then ht_sink_some */
	int error;	    /* errno */
};

static inline void ht_sink_flush(struct ht_sink *s)
{
	if (!s->error && s->text.len && ht_write_all(s->fd, s->text.data, s->text.len) < 0)
		s->error = errno;
	s->text.len = 0;
}

/* Between lines: writes when there is much to write. */
static inline void ht_sink_some(struct ht_sink *s)
{
	if (s->text.len >= 65536)
		ht_sink_flush(s);
}

static inline int ht_sink_end(struct ht_sink *s, struct ht_diag *d)
{
	ht_sink_flush(s);
	ht_buf_release(&s->text);
	return s->error ? ht_fail(d, HT_ERR_SYSTEM, "cannot be written: %s", strerror(s->error)) : 0;
}

#endif
