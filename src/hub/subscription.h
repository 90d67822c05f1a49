/* SPDX-License-Identifier: MIT */
/*
 * A subscription: what one or more streams follow, and in which form they get it. Canonical
 * (selectors and types sorted, without doubles), so that equal wishes share a feed. Immutable.
 */
#ifndef CRIER_HUB_SUBSCRIPTION_H
#define CRIER_HUB_SUBSCRIPTION_H

#include "base/map.h"
#include "journal/journal.h"

enum {
    CRIER_SUBSCRIPTION_SELECTORS = 100,
    CRIER_SUBSCRIPTION_PATTERNS = 10,
    CRIER_SUBSCRIPTION_TYPES = 100,
};

enum crier_form {
    CRIER_FORM_SSE = 0,
    CRIER_FORM_ENVELOPE = 1, /* SSE whose data is the JSON object (envelope=1) */
    CRIER_FORM_NDJSON = 2,
};

/* What a request asks for; borrowed. Selectors are valid (crier_selector_fault). */
struct crier_wish {
    const struct crier_slice *selectors;
    size_t selector_count;
    const struct crier_slice *types; /* event=; none: all; "message" for untyped */
    size_t type_count;
    enum crier_form form;
    bool chunked; /* HTTP/1.1: each event is one chunk */
};

struct crier_subscription {
    const struct crier_mem *mem;
    struct crier_filter filter; /* points into this allocation */
    const struct crier_slice
        *selectors; /* exact ones first (== filter.topics), then patterns; each part sorted */
    size_t selector_count;
    const struct crier_slice *patterns; /* the second part */
    size_t pattern_count;
    enum crier_form form;
    bool chunked;
    struct crier_slice key; /* canonical bytes: equal keys, equal subscriptions */
    struct crier_slice
        selectors_key; /* its part that says which selectors, whatever types and form */
    uint64_t hash;     /* of key, by the journal's hash key */
};

/* One allocation. 0; -E2BIG: more than 100 selectors, 10 patterns or 100 types (after doubles
 * are gone); -ENOMEM. */
int crier_subscription_new(const struct crier_mem *mem,
                           const struct crier_journal *journal,
                           const struct crier_wish *wish,
                           struct crier_subscription **ret) CRIER_MUST_CHECK;
struct crier_subscription *crier_subscription_free(struct crier_subscription *);

#endif
