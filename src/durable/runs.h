/* SPDX-License-Identifier: MIT */
/*
 * Runs: stretches of the past, read from the disk for one filter, encoded and ready to be sent.
 *
 *     from                                   to
 *       | event  event     event        event|       all that match in (from, to], in order
 *
 * A run is shared: whoever follows the same (filters with equal keys) and stands inside of it
 * reads it from memory. So a thousand clients that come back together read the disk once.
 */
#ifndef CRIER_DURABLE_RUNS_H
#define CRIER_DURABLE_RUNS_H

#include "base/list.h"
#include "journal/segment.h"
#include <pthread.h>

struct crier_run_event {
    uint64_t number;
    _Alignas(8) unsigned char stored[]; /* a struct crier_stored */
};

struct crier_run {
    struct crier_list age;    /* in crier_runs.ages, least lately used first */
    struct crier_list bucket; /* those of filters with this hash */
    uint32_t refs;            /* under the mutex of the runs */
    uint64_t from, to;
    uint64_t forgotten; /* crier_runs.forgotten when it was read */
    size_t cost;        /* memory of all of it */
    size_t used, size;  /* bytes of area */
    char *area;         /* crier_run_events, one after the other */
    size_t key_len;
    char key[];
};

enum { CRIER_RUN_BUCKETS = 256 };

struct crier_runs {
    const struct crier_mem *mem;
    pthread_mutex_t mutex;
    struct crier_list ages, buckets[CRIER_RUN_BUCKETS];
    uint64_t bytes, max_bytes; /* of all, those in use included */
    _Atomic uint64_t
        forgotten;   /* DELETEs so far: what was read before one is not shown after it */
    uint64_t shared; /* times one was found */
};

int crier_runs_init(struct crier_runs *runs,
                    const struct crier_mem *mem,
                    uint64_t max_bytes) CRIER_MUST_CHECK;
void crier_runs_deinit(struct crier_runs *runs); /* none may be held */

/* Makes room for a run of `bytes` by letting go of those nobody holds; false: too much is held.
 */
bool crier_runs_make_room(struct crier_runs *runs, size_t bytes);
/* The run of a filter that goes on from `position`, held; NULL: there is none. */
struct crier_run *
crier_runs_find(struct crier_runs *runs, struct crier_slice key, uint64_t position);
/* Holds it once more, if a reader of that filter at `position` can go on from it. */
bool crier_run_share(struct crier_runs *runs,
                     struct crier_run *run,
                     struct crier_slice key,
                     uint64_t position);
/* An empty run, held by the caller and not to be found yet. NULL: out of memory. */
struct crier_run *crier_run_new(struct crier_runs *runs, struct crier_slice key, uint64_t from);
/* Copies a record to its end. 0, -ENOMEM. */
int crier_run_add(struct crier_runs *runs,
                  struct crier_run *run,
                  const struct crier_record *record) CRIER_MUST_CHECK;
/* It is complete up to `to`; to be found from now on, if it has a key. */
void crier_run_publish(struct crier_runs *runs, struct crier_run *run, uint64_t to);
void crier_run_ref(struct crier_runs *runs, struct crier_run *run);
void crier_run_unref(struct crier_runs *runs, struct crier_run *run);
/* Was it read before the last DELETE? */
bool crier_run_is_stale(const struct crier_runs *runs, const struct crier_run *run);
/* A DELETE is committed: runs read before are stale. */
void crier_runs_forget(struct crier_runs *runs);

const struct crier_stored *crier_run_stored(const struct crier_run_event *run_event);
/* The event after `run_event` (NULL: the first); NULL: there are no more. */
struct crier_run_event *crier_run_next(const struct crier_run *run,
                                       const struct crier_run_event *run_event);

#endif
