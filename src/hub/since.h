/* SPDX-License-Identifier: MIT */
/*
 * Where to start, as text: `since` is "now", "earliest", "last:N" (1 to 1,000), "latest" (the
 * newest event of each topic), a duration back ("30s"), an RFC 3339 time, or an event id.
 */
#ifndef CRIER_HUB_SINCE_H
#define CRIER_HUB_SINCE_H

#include "journal/journal.h"

/* NULL: *ret_since is what it says. Otherwise a sentence for people (static text). */
const char *
crier_since_fault(struct crier_slice text, struct crier_now now, struct crier_since *ret_since);
/* A last event id: after it, or (it is none, which is never an error) everything behind a gap.
 */
struct crier_since crier_since_last_id(struct crier_slice text);

#endif
