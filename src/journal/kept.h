/* SPDX-License-Identifier: MIT */
/* Kept aside: the newest events of topics gone quiet, after the window has passed them. All
 * under the journal's mutex, but for the contents of an event that a reader holds. */
#ifndef CRIER_JOURNAL_KEPT_H
#define CRIER_JOURNAL_KEPT_H

#include "journal/segment.h"

struct crier_kept_event {
    uint64_t number;
    struct crier_id before; /* id of event number - 1 */
    uint32_t refs;          /* the store's, and one of each reader */
    _Alignas(16) unsigned char stored[];
};

struct crier_kept_slot {
    uint64_t number;
    struct crier_kept_event *event; /* NULL: it has left */
};

struct crier_kept {
    const struct crier_mem *mem;
    struct crier_kept_slot *slots; /* ascending: slots[head .. head + len) */
    size_t head, len, cap;
    size_t gone;    /* empty slots; never the first or the last */
    uint64_t bytes; /* encoded */
    uint64_t cost;  /* memory */
};

void crier_kept_init(struct crier_kept *kept, const struct crier_mem *mem);
void crier_kept_deinit(struct crier_kept *kept);
/* Copies the event, alive only for the topics of `alive`; number is larger than all before.
 * 0, -ENOMEM. */
int crier_kept_add(struct crier_kept *kept,
                   uint64_t number,
                   struct crier_id before,
                   const struct crier_stored *stored,
                   unsigned alive) CRIER_MUST_CHECK;
struct crier_stored *crier_kept_stored(struct crier_kept_event *event);
size_t crier_kept_cost(const struct crier_stored *stored); /* what keeping it takes */
uint64_t crier_kept_events(const struct crier_kept *kept);
struct crier_kept_event *crier_kept_find(const struct crier_kept *kept, uint64_t number);
/* The oldest event after `position` (0: of all), or NULL. */
struct crier_kept_event *crier_kept_after(const struct crier_kept *kept, uint64_t position);
/* The newest event before `number`, or NULL. */
struct crier_kept_event *crier_kept_before(const struct crier_kept *kept, uint64_t number);
/* The oldest event with an id after `id`, or NULL. */
struct crier_kept_event *crier_kept_after_id(const struct crier_kept *kept, struct crier_id id);
/* The oldest event published at or after boot time `ms`, or NULL. */
struct crier_kept_event *crier_kept_since(const struct crier_kept *kept, uint64_t ms);
void crier_kept_remove(struct crier_kept *kept, struct crier_kept_event *event);
void crier_kept_unref(struct crier_kept *kept, struct crier_kept_event *event);
void crier_kept_check(const struct crier_kept *kept, uint64_t first);

#endif
