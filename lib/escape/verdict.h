/*
 * verdict: what is concluded from the fates of a callsite's blocks.
 *
 *	certain   by events alone: another thread, another function's frame, a stack too short for the frame
 *	likely    also by what the code can do, or by signs; each sign is counted
 *	unknown   nothing tells, and that is said, with the reason
 *
 * That a block left the frame that allocated it can be certain. That it stayed never is.
 */
#ifndef HT_VERDICT_H
#define HT_VERDICT_H

#include "code.h"
#include "fates.h"

enum ht_verdict_kind {
	HT_STAYS,	 /* freed while the activation that allocated it was there, by every sign */
	HT_REUSED,	 /* freed by a later activation of the same function */
	HT_TO_CALLER,	 /* freed in a caller, or in what that called for it */
	HT_UPWARD,	 /* freed elsewhere on the same thread */
	HT_TO_THREAD,	 /* freed by another thread */
	HT_KEPT,	 /* not freed at the end */
	HT_UNKNOWN,
	HT_MIXED,	 /* rows alone */
};
enum { HT_VERDICTS = HT_MIXED + 1 };
extern const char *const ht_verdict_names[HT_VERDICTS]; /* as in JSON */

enum ht_sign {
	HT_SIGN_PATH = 1,      /* the code leads from the allocation to the free without returning */
	HT_SIGN_ONLY_WAY = 2,  /* and to the free through the allocation alone */
	HT_SIGN_ONE_CALL = 4,  /* no caller can have called the function again in between */
	HT_SIGN_NOTHING_LEFT = 8, /* between calls, nothing was ever seen outstanding */
	HT_SIGN_LAST = 16,     /* the last block was freed the same way */
};

enum ht_unknown { HT_UNKNOWN_NOT, HT_UNKNOWN_SIGNS, HT_UNKNOWN_STACK, HT_UNKNOWN_MACHINE, HT_UNKNOWN_UNSEEN };

struct ht_verdict_of {
	enum ht_verdict_kind kind;
	bool certain;
	unsigned signs;	   /* STAYS: enum ht_sign */
	enum ht_unknown why;
	int frames_up;	   /* -1: not known, or means nothing */
	const struct ht_frame *by;    /* who freed, NULL unknown */
	const struct ht_frame *scope; /* TO_CALLER, UPWARD: the innermost function that was there at both ends, NULL unknown */
	uint32_t starter;  /* TO_THREAD: node */
};

struct ht_row_verdict {
	struct ht_verdict_of main; /* of the largest share; kind MIXED when no share is large enough */
	uint64_t blocks[HT_VERDICTS]; /* by kind */
	double share;	   /* of main.kind's blocks; MIXED: of the largest kind's */
	bool others;	   /* main's details are not those of all its blocks */
	uint64_t details_blocks; /* of how many they are */
};

struct ht_verdicts {
	struct ht_row_verdict *rows; /* as fates' rows */
	uint64_t blocks[HT_VERDICTS], known, all;
};
/* code NULL: none at hand. */
void ht_verdicts_reach(struct ht_verdicts *v, const struct ht_fates *f, struct ht_code *code);
void ht_verdicts_release(struct ht_verdicts *v);

#endif
