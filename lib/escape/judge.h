/*
 * judge: what one fate says, before the signs of its whole callsite are looked at. Private to lib/escape.
 *
 *	birth   _start main parse str_dup │ malloc			callsite: the first frame outside of the allocator
 *	death   _start main parse │ drop │ free
 *			   └ pivot: the innermost frame that may be the same at both ends
 */
#ifndef HT_JUDGE_H
#define HT_JUDGE_H

#include "verdict.h"

enum ht_judgement {
	HT_JUDGED,	  /* verdict holds, whatever the signs */
	HT_MAY_STAY,	  /* the allocating frame may still have been there */
	HT_MAY_STAY_LOOP, /* the same, but only round a loop that may lie outside of the inlined function */
};
struct ht_judged {
	enum ht_judgement what;
	struct ht_verdict_of v; /* MAY_STAY: what it is if not */
	unsigned signs;		/* MAY_STAY: those that the fate has by itself */
	bool again_possible;	/* MAY_STAY: the code also lets a later activation free */
	bool code_asked;	/* the code could be asked */
};
/* Where fates are looked at, those of one birth one after the other. code NULL: none at hand. */
struct ht_desk;
struct ht_desk *ht_desk_new(const struct ht_fates *f, struct ht_code *code);
void ht_desk_free(struct ht_desk *b);
struct ht_judged ht_judge(struct ht_desk *b, const struct ht_fate *fate);

#endif
