/* SPDX-License-Identifier: MIT */
/*
 * Retention by topic. A rule such as SELECTOR=10000,1GiB,7d holds, of all topics that the
 * selector matches together, at most so many events and encoded bytes, none older than that. A
 * topic belongs to the first rule whose selector matches it, else to history's own limits; a
 * rule has its own share, beside theirs.
 */
#ifndef CRIER_DURABLE_RULES_H
#define CRIER_DURABLE_RULES_H

#include "base/err.h"
#include "base/slice.h"
#include <stddef.h>

enum { CRIER_RULES = 64, CRIER_RULE_SELECTOR = 256 };

/* A limit that is not named is 0: there is none. At least one is. */
struct crier_rule {
    char selector[CRIER_RULE_SELECTOR + 1];
    uint64_t max_events, max_bytes, max_age_ms;
};

struct crier_buf;

struct crier_rules {
    struct crier_rule list[CRIER_RULES];
    size_t count;
};

/* Adds a rule as text. NULL: it was added. Otherwise a sentence for people (static text). */
const char *crier_rules_add(struct crier_rules *rules, struct crier_slice text);
/* All of them as text, each in a line, the same for equal rules: the store keeps it. */
void crier_rules_write(const struct crier_rules *rules, struct crier_buf *buf);
/* What that wrote. 0, -EINVAL. */
int crier_rules_read(struct crier_slice text, struct crier_rules *ret_rules);
/* Does every topic belong to the same rule in both? (Their limits may differ.) */
bool crier_rules_same_selectors(const struct crier_rules *a, const struct crier_rules *b);
/* Are their limits the same too? */
bool crier_rules_same(const struct crier_rules *a, const struct crier_rules *b);
/* The rule a topic belongs to, 1 .. count; 0: none. */
size_t crier_rules_find(const struct crier_rules *rules, struct crier_slice topic);

#endif
