/* SPDX-License-Identifier: MIT */
/* The readers that sleep until something is appended for them. All under the journal's mutex,
 * but for what is atomic. */
#ifndef CRIER_JOURNAL_WATCH_H
#define CRIER_JOURNAL_WATCH_H

#include "base/list.h"
#include "journal/journal.h"

enum { CRIER_WATCH_BUCKETS = 256 };

struct crier_watches {
    struct crier_list buckets[CRIER_WATCH_BUCKETS]; /* of one topic, by its hash */
    struct crier_list rest;                         /* by interest */
    size_t count;
};

void crier_watches_init(struct crier_watches *watches);
void crier_watches_check(const struct crier_watches *watches, uint64_t end);

#endif
