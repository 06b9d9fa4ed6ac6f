/*
 * sym_cache: answers kept from one run to the next, one file per build-id and manner of asking:
 *
 *	$XDG_CACHE_HOME/heaptide/symbols-1/BUILD-ID.MANNER        (or ~/.cache/heaptide/...)
 *	"HTSYMS1\n" | payload length u64 | FNV-1a of the payload u64 | count u32 | addresses u64 each | records
 *
 * The records are those of sym_wire.h, one ANSWER per address that has one. Files appear whole, by rename, and the last
 * of several writers wins. Nothing is believed: a file that is not as it should be is as good as none, and one that
 * belongs to another user is not opened. At most 64 MiB a file and 512 MiB in all; the longest unused go first.
 * Everything may be deleted at any time.
 */
#ifndef HT_SYM_CACHE_H
#define HT_SYM_CACHE_H

#include "sym_reply.h"

struct sym_cache_key {
	const uint8_t *build_id;
	size_t build_id_len; /* 0: nothing is kept */
	enum ht_demangle demangle;
	bool no_inline;
};

struct sym_cached {
	struct sym_answer *answers; /* ascending by address; to be freed; the frames are the arena's */
	size_t count;
};

struct sym_cached sym_cache_load(const struct sym_cache_key *k, struct sym_arena *arena);
/* Adds answers, ascending, to what is kept. Failure is silent: the next run reads again. */
void sym_cache_store(const struct sym_cache_key *k, const struct sym_answer *answers, size_t count,
		     struct sym_arena *arena);

#endif
