/* check_junit: verdicts as a JUnit report, which continuous integration reads: a rule is a test case. */
#ifndef HT_CHECK_JUNIT_H
#define HT_CHECK_JUNIT_H

#include "rules.h"

/* stacks[i]: what broke rule i, "" none. */
void ht_check_junit(struct ht_buf *out, const struct ht_judgement *v, size_t n, char *const *stacks, const char *trace);
/* "1,200, baseline 1,000, at most 1,020: 180 too many"; heap. */
char *ht_check_message(const struct ht_judgement *v);

#endif
