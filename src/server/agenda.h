/* SPDX-License-Identifier: MIT */
/*
 * Appointments to the millisecond, for the timers of programs: the wheel (net/wheel.h) is made
 * for a hundred thousand patient timeouts, and is up to a slot late. A binary heap; setting and
 * clearing cost O(log n). Pure: time is given. One thread.
 */
#ifndef CRIER_SERVER_AGENDA_H
#define CRIER_SERVER_AGENDA_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crier_mem;

struct crier_appointment {
    uint64_t due_ms; /* boot clock */
    uint64_t order;  /* of equal ones the first that was set comes first */
    size_t place;    /* in the heap, from 1; 0: not set */
};

struct crier_agenda {
    const struct crier_mem *mem;
    struct crier_appointment *
        *heap; /* [1 .. count]; a parent is never later than its children */
    size_t count, room;
    uint64_t order;
};

/* Borrows mem; allocates nothing. */
void crier_agenda_init(struct crier_agenda *, const struct crier_mem *);
void crier_agenda_deinit(struct crier_agenda *);
/* Sets or moves. 0; -ENOMEM: it is as it was. One that was taken out by next() can always be
 * set again before another is. */
int crier_agenda_set(struct crier_agenda *,
                     struct crier_appointment *,
                     uint64_t due_ms) CRIER_MUST_CHECK;
void crier_agenda_clear(struct crier_agenda *, struct crier_appointment *); /* not set: fine */
/* Takes out the first that is due, or NULL. */
struct crier_appointment *crier_agenda_next(struct crier_agenda *, uint64_t now_ms);
/* Milliseconds until one is due; -1: nothing is set. */
int crier_agenda_timeout(const struct crier_agenda *, uint64_t now_ms);
void crier_agenda_check(const struct crier_agenda *); /* asserts order and places */

#endif
