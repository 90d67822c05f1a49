/* SPDX-License-Identifier: MIT */
/* Numbers gathered in any order, for since=latest: the newest event of each topic. */
#ifndef CRIER_JOURNAL_PICKS_H
#define CRIER_JOURNAL_PICKS_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct crier_mem;

struct crier_picks {
    const struct crier_mem *mem; /* set; the rest zeroed */
    uint64_t *numbers;           /* allocated with mem; whoever takes it frees it */
    size_t count, cap;
};

/* 0, -ENOMEM. */
int crier_picks_add(struct crier_picks *picks, uint64_t number) CRIER_MUST_CHECK;
/* Ascending, each once (an event may be the newest of several topics), and of too many the
 * newest. */
void crier_picks_sort(struct crier_picks *picks, uint64_t max);

#endif
