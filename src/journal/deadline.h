/* SPDX-License-Identifier: MIT */
/* Which event's ttl is over next: a heap. Under the journal's mutex. */
#ifndef CRIER_JOURNAL_DEADLINE_H
#define CRIER_JOURNAL_DEADLINE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crier_mem;

struct crier_deadline {
    uint64_t ms;
    uint64_t number;
};

struct crier_deadlines {
    const struct crier_mem *mem;
    struct crier_deadline *heap;
    size_t count, cap;
    size_t live; /* of events still in history; the others are swept out now and then */
};

void crier_deadlines_init(struct crier_deadlines *deadlines, const struct crier_mem *mem);
void crier_deadlines_deinit(struct crier_deadlines *deadlines);
int crier_deadlines_reserve(struct crier_deadlines *deadlines)
    CRIER_MUST_CHECK; /* room for one; 0, -ENOMEM */
void crier_deadlines_add(struct crier_deadlines *deadlines, uint64_t ms, uint64_t number);
/* Takes out the next one that is due at `now`; false: none is. `live` is the caller's to keep.
 */
bool crier_deadlines_take(struct crier_deadlines *deadlines,
                          uint64_t now,
                          struct crier_deadline *ret_deadline);
/* Keeps only those that `held` answers true for, if most are not held any more. */
void crier_deadlines_sweep(struct crier_deadlines *deadlines,
                           bool (*held)(void *ctx, uint64_t number),
                           void *ctx);
void crier_deadlines_check(const struct crier_deadlines *deadlines);

#endif
