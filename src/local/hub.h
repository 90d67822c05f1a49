/* SPDX-License-Identifier: MIT */
/* The hub (crier/hub.h), as servers and readers see it from inside. */
#ifndef CRIER_LOCAL_HUB_H
#define CRIER_LOCAL_HUB_H

#include "base/clock.h"
#include "crier/hub.h"
#include "journal/journal.h"

struct crier_hub {
    const struct crier_mem *mem;
    const struct crier_clock *clock; /* NULL: the system's */
    struct crier_hash_key hash_key;
    struct crier_journal_limits limits; /* none is 0 */
    struct crier_journal *journal;
    _Atomic size_t refs;
    _Atomic uint64_t aged_ms; /* boot clock: when history was last looked through for age */
};

/* A hub on a journal that is there already: takes it (and frees it in the end), but for its mem
 * and hash key nothing of it is looked at. limits are copied (0: the default). NULL: out of
 * memory, and nothing was taken. */
struct crier_hub *crier_hub_new_on(struct crier_journal *journal,
                                   const struct crier_clock *clock,
                                   const struct crier_journal_limits *limits) CRIER_MUST_CHECK;
/* All of these: any thread. */
struct crier_hub *crier_hub_ref(struct crier_hub *hub);   /* returns its argument; NULL: NULL */
struct crier_hub *crier_hub_unref(struct crier_hub *hub); /* returns NULL */
struct crier_now crier_hub_now(const struct crier_hub *hub);
/* Lets history age, if nobody has for a second. */
void crier_hub_age(struct crier_hub *hub, struct crier_now now);

#endif
