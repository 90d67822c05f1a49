/* SPDX-License-Identifier: MIT */
/*
 * A journal on a disk that is as slow as the test wants: a memory journal behind parcels that are
 * held until they are released, and questions that wait until they are answered. Either the test
 * does both by hand, or a thread does (slow_start), as a disk's would.
 */
#ifndef CRIER_TESTS_UNIT_SLOW_JOURNAL_H
#define CRIER_TESTS_UNIT_SLOW_JOURNAL_H

#include "journal/journal.h"
#include <pthread.h>
#include <semaphore.h>

struct slow_job;

struct slow_journal {
    struct crier_journal journal;
    struct crier_journal *inner;
    pthread_mutex_t mutex;
    pthread_cond_t change; /* a parcel or a question has come; or it ends */
    struct crier_parcel *first, **last;
    unsigned held; /* parcels */
    struct slow_job *jobs;
    unsigned asked;       /* questions that have to wait (or had to) */
    unsigned every;       /* each so-manieth question has to wait; 0: none, 1: all */
    unsigned count;       /* of questions */
    int read_error;       /* < 0: what questions are answered */
    int result;           /* of every draft instead of being appended; 0: it is appended */
    bool submits_at_once; /* parcels are done when they are submitted */
    bool threaded, over;
    enum crier_journal_state state;
    pthread_t thread;
    sem_t *freed; /* posted when it is freed; may be NULL */
};

/* Takes the inner one; never NULL. */
struct slow_journal *slow_journal_new(struct crier_journal *inner);
/* Writes the first of the parcels that are held. false: there is none. */
bool slow_release(struct slow_journal *slow);
/* Stands still until so many parcels are held. */
void slow_await_held(struct slow_journal *slow, unsigned count);
/* Wakes all who wait. How many? */
unsigned slow_answer(struct slow_journal *slow);
/* How many questions are open, woken or not? */
unsigned slow_open(struct slow_journal *slow);
/* From now on a thread releases and answers. */
void slow_start(struct slow_journal *slow);

#endif
