/* SPDX-License-Identifier: MIT */
/*
 * The durable journal from inside: what its files share.
 *
 *   durable.c   the object: open, free, submit, counters
 *   writer.c    the writer: parcels become transactions
 *   settle.c    what has become of one
 *   apply.c     what a transaction means for memory: floors, keys, the window
 *   ask.c       scan, locate and topics: answered from memory, or asked of the reader
 *   reader.c    the reader: questions that only the disk can answer
 *   runs.c      what was read, shared
 *
 * Mutexes, in the order in which they may be taken: the window's (crier_memory_lock), jobs, the
 * runs' own. `queue` is taken alone.
 */
#ifndef CRIER_DURABLE_INSIDE_H
#define CRIER_DURABLE_INSIDE_H

#include "durable/durable.h"
#include "durable/runs.h"
#include "journal/memory.h"

/* ---- questions -------------------------------------------------------------------------- */

enum crier_job_kind {
    CRIER_JOB_LOCATE = 1,
    CRIER_JOB_GAP,  /* where does it go on behind a gap? */
    CRIER_JOB_READ, /* a run */
    CRIER_JOB_TOPIC,
    CRIER_JOB_TOPICS,
};

enum crier_job_state { CRIER_JOB_QUEUED = 0, CRIER_JOB_RUNNING, CRIER_JOB_DONE };

struct crier_job {
    struct crier_list node; /* in the queue while queued, in the answered when done */
    enum crier_job_kind kind;
    enum crier_job_state state; /* under the jobs' mutex */
    bool given_up;              /* whoever asked waits for it to be done, to free it */
    bool has_waited;            /* for room: it was counted */
    uint64_t serial;            /* the older one comes first */
    uint64_t done_ms;           /* when its answer was there (monotonic) */
    struct crier_wait *wait;
    /* The question. The filter and the picks are borrowed from who asks. */
    const struct crier_filter *filter;
    struct crier_since since;
    uint64_t position, until; /* READ, GAP: until is the limit */
    uint64_t clock_ms;
    const uint64_t *picks;
    size_t pick_count;
    struct crier_slice prefix, after; /* TOPICS; TOPIC: prefix is the name; in text */
    size_t limit;
    /* The answer. */
    int result;
    struct crier_start start;
    struct crier_run *run;
    struct crier_topic_info info;
    struct crier_buf topics; /* struct listed_topic and its name, one after the other */
    char text[];
};

struct crier_jobs {
    pthread_mutex_t mutex;
    pthread_cond_t work, done; /* there is something to do; a job that was waited for is done */
    struct crier_list queue;   /* those that need no room, */
    struct crier_list slices;  /* and those that do */
    uint64_t asked;            /* jobs so far */
    uint64_t reclaim_ms;    /* how long a run waits for who asked for it, if others need room */
    _Atomic size_t waiting; /* jobs in both; written under the mutex */
    struct crier_list answered; /* not fetched yet, oldest first */
    bool leaving;               /* floors are raised, and the commit they are for is not over */
    uint64_t left;              /* such commits that are over */
    pthread_cond_t over;        /* one is */
    bool stopping;
    _Atomic uint64_t reads, room_waits;
    pthread_t thread;
};

/* ---- the journal ------------------------------------------------------------------------ */

struct crier_durable {
    struct crier_memory memory; /* first: the window, and the journal itself */
    struct crier_journal_limits limits;
    enum crier_sync sync;
    uint64_t sync_ms;
    struct crier_store *store;
    struct crier_runs runs;
    struct crier_jobs jobs;

    /* What was submitted. Under `queue`. */
    pthread_mutex_t queue;
    pthread_cond_t filled;
    struct crier_parcel *first_parcel, **last_parcel;
    struct crier_now seen; /* the latest moment anybody has told */
    bool trim, stopping;
    _Atomic uint64_t pending_bytes;
    _Atomic uint64_t sync_tries; /* with an interval */
    _Atomic bool sync_due;       /* something is committed and not synced */
    pthread_t thread;

    _Atomic int state; /* enum crier_journal_state */

    /* Under the window's mutex: copies of what the writer knows. */
    struct crier_store_totals totals;
    struct crier_id oldest, newest;
    struct crier_disk_stats disk; /* what is counted here and not found elsewhere */
    uint64_t duplicates, full;
};

static inline struct crier_durable *crier_durable_of(struct crier_journal *journal)
{
    return CRIER_CONTAINER(journal, struct crier_durable, memory.journal);
}

/* writer.c */
void *crier_writer_run(void *durable);
/* What it costs to keep a draft until it is committed. */
size_t crier_draft_cost(const struct crier_draft *draft);

/* apply.c: what leaves history in a transaction, gathered until it is committed. */
struct crier_leavings {
    const struct crier_mem *mem;
    struct crier_map topics;  /* struct lost_topic, by hash: the newest loss of each */
    struct crier_list lost;   /* the same, in order */
    struct crier_buf numbers; /* of events that may be in the window: struct left_number */
    struct crier_buf keys;    /* of events that are gone: struct left_key, and its texts */
    uint64_t window_first;    /* events before it are in no window */
    bool any;                 /* anything has left */
    bool failed;              /* out of memory */
};

void crier_leavings_init(struct crier_leavings *leavings, const struct crier_mem *mem);
void crier_leavings_deinit(struct crier_leavings *leavings);
void crier_leavings_clear(struct crier_leavings *leavings, uint64_t window_first);
/* A crier_store_left_fn; ctx: the leavings. */
void crier_leavings_add(void *ctx, const struct crier_store_leaving *leaving);
/* Does the event with this number leave, and its key with it? */
bool crier_leavings_free_key(const struct crier_leavings *leavings, uint64_t number);
/* Before the commit: raises floors in memory, then writes what changed of them. Early on
 * purpose: whoever does not find an event any more must see that it is lost. */
int crier_apply_floors(struct crier_durable *d,
                       struct crier_leavings *leavings) CRIER_MUST_CHECK;
/* After it, under the window's mutex: out of the window, out of the keys. */
void crier_apply_leavings(struct crier_durable *d, const struct crier_leavings *leavings);
/* At the start: floors and keys as the store has them. */
int crier_apply_load(struct crier_durable *d) CRIER_MUST_CHECK;

/* ask.c */
int crier_durable_locate(struct crier_journal *journal,
                         const struct crier_filter *filter,
                         const struct crier_since *since,
                         struct crier_now now,
                         struct crier_wait *wait,
                         struct crier_start *ret_start);
int crier_durable_scan(struct crier_journal *journal,
                       struct crier_scan *scan,
                       crier_scan_fn *fn,
                       void *ctx,
                       struct crier_start *ret_gap);
int crier_durable_topic(struct crier_journal *journal,
                        struct crier_slice name,
                        struct crier_wait *wait,
                        struct crier_topic_info *ret_info);
int crier_durable_topics(struct crier_journal *journal,
                         struct crier_slice prefix,
                         struct crier_slice after,
                         size_t limit,
                         struct crier_wait *wait,
                         crier_topic_fn *fn,
                         void *ctx);
void crier_durable_unwait(struct crier_journal *journal, struct crier_wait *wait);

/* reader.c */
int crier_reader_start(struct crier_durable *d) CRIER_MUST_CHECK;
/* No wait has a job any more. */
void crier_reader_stop(struct crier_durable *d);
/* Answers the question in this thread. */
void crier_job_answer(struct crier_durable *d, struct crier_job *job);
void crier_job_free(struct crier_durable *d, struct crier_job *job);
/* Room for runs has come back. */
void crier_reader_stir(struct crier_durable *d);
/* The writer raises floors for a commit; false: that commit is over. */
void crier_reader_leaving(struct crier_durable *d, bool leaving);

#endif
