/* SPDX-License-Identifier: MIT */
/*
 * A journal that takes its time, as one on disk does: a memory journal behind it, and a test
 * that says when parcels come back, with which results, and when questions are answered.
 *
 *   slow_hold      from now on parcels stay until slow_release
 *   slow_release   the oldest ones come back, with this result (0: they are appended)
 *   slow_ask       from now on each question has to wait until slow_wake, once
 *   slow_wake      all that wait may be asked once more
 *
 * As a durable one does, it cancels what comes after a draft of the same batch that failed, as
 * long as anything of that batch is with it. Any thread may release and wake.
 */
#ifndef CRIER_TESTS_UNIT_SLOW_JOURNAL_H
#define CRIER_TESTS_UNIT_SLOW_JOURNAL_H

#include "support.h"

#include "journal/memory.h"
#include <pthread.h>

enum { SLOW_MOST = 4096 };

struct slow_job {
    struct crier_wait *wait;
    bool woken;
};

struct slow_journal {
    struct crier_journal journal;
    struct crier_journal *inner;
    pthread_mutex_t mutex;
    bool hold, ask;
    struct crier_parcel *parcels[SLOW_MOST]; /* [first .. last): held */
    struct crier_now nows[SLOW_MOST];
    size_t first, last;
    const void *failed[SLOW_MOST]; /* batches that have */
    size_t failed_count;
    struct slow_job *jobs[SLOW_MOST];
    size_t job_count;
    size_t questions, waits, unwaits; /* how often */
    uint32_t looks;                   /* at most, for each scan; 0: as many as it likes */
    int error;                        /* answered to the next question that waited */
    enum crier_journal_state state;
    struct crier_disk_stats disk;
};

static inline struct slow_journal *slow_of(struct crier_journal *journal)
{
    return (struct slow_journal *)journal;
}

/* ---- parcels ---------------------------------------------------------------------------- */

static inline bool
slow_submit(struct crier_journal *journal, struct crier_parcel *parcel, struct crier_now now)
{
    struct slow_journal *slow = slow_of(journal);
    bool hold;

    pthread_mutex_lock(&slow->mutex);
    hold = slow->hold || slow->last > slow->first;
    if (hold) {
        assert_true(slow->last < SLOW_MOST);
        slow->parcels[slow->last] = parcel;
        slow->nows[slow->last++] = now;
    }
    pthread_mutex_unlock(&slow->mutex);
    return !hold && slow->inner->ops->submit(slow->inner, parcel, now);
}

static inline bool slow_has_failed(const struct slow_journal *slow, const void *batch)
{
    for (size_t i = 0; batch && i < slow->failed_count; i++) {
        if (slow->failed[i] == batch)
            return true;
    }
    return false;
}

static inline void slow_append(struct slow_journal *slow,
                               struct crier_draft *draft,
                               struct crier_now now,
                               int result)
{
    struct crier_parcel one = {.drafts = draft, .count = 1};

    if (slow_has_failed(slow, draft->batch)) {
        draft->result = -ECANCELED;
        return;
    }
    if (result == 0)
        assert_true(slow->inner->ops->submit(slow->inner, &one, now));
    else
        draft->result = result;
    if (draft->result != 0 && draft->result != CRIER_APPEND_DUPLICATE && draft->batch) {
        assert_true(slow->failed_count < SLOW_MOST);
        slow->failed[slow->failed_count++] = draft->batch;
    }
}

/* The oldest comes back: its drafts from the nth on (from 0) have this result, those before it
 * are appended. false: there is none. */
static inline bool slow_release_from(struct slow_journal *slow, size_t nth, int result)
{
    struct crier_parcel *parcel = NULL;

    pthread_mutex_lock(&slow->mutex);
    if (slow->first < slow->last) {
        struct crier_now now = slow->nows[slow->first];

        parcel = slow->parcels[slow->first++];
        for (size_t i = 0; i < parcel->count; i++)
            slow_append(slow, &parcel->drafts[i], now, i < nth ? 0 : result);
        if (slow->first == slow->last)
            slow->first = slow->last = slow->failed_count = 0;
    }
    pthread_mutex_unlock(&slow->mutex);
    if (parcel)
        parcel->done(parcel);
    return parcel != NULL;
}

static inline bool slow_release(struct slow_journal *slow, int result)
{
    return slow_release_from(slow, 0, result);
}

static inline void slow_release_all(struct slow_journal *slow)
{
    while (slow_release(slow, 0)) {
    }
}

static inline void slow_hold(struct slow_journal *slow, bool hold)
{
    pthread_mutex_lock(&slow->mutex);
    slow->hold = hold;
    pthread_mutex_unlock(&slow->mutex);
}

static inline size_t slow_held(struct slow_journal *slow)
{
    pthread_mutex_lock(&slow->mutex);
    size_t held = slow->last - slow->first;
    pthread_mutex_unlock(&slow->mutex);
    return held;
}

/* ---- questions -------------------------------------------------------------------------- */

static inline void slow_drop(struct slow_journal *slow, struct slow_job *job)
{
    for (size_t i = 0; i < slow->job_count; i++) {
        if (slow->jobs[i] == job)
            slow->jobs[i] = slow->jobs[--slow->job_count];
    }
    job->wait->job = NULL;
    free(job);
}

/* 0: ask the inner one; CRIER_WAIT; or an error. */
static inline int slow_question(struct slow_journal *slow, struct crier_wait *wait)
{
    int r = 0;

    pthread_mutex_lock(&slow->mutex);
    slow->questions++;
    if (wait && wait->job) {
        struct slow_job *job = wait->job;

        assert_true(job->woken); /* it is not to be asked before */
        slow_drop(slow, job);
        r = slow->error;
        slow->error = 0;
    } else if (wait && slow->ask) {
        struct slow_job *job = malloc(sizeof(*job));

        assert_true(slow->job_count < SLOW_MOST);
        *job = (struct slow_job){.wait = wait};
        wait->job = job;
        slow->jobs[slow->job_count++] = job;
        slow->waits++;
        r = CRIER_WAIT;
    }
    pthread_mutex_unlock(&slow->mutex);
    return r;
}

static inline void slow_ask(struct slow_journal *slow, bool ask)
{
    pthread_mutex_lock(&slow->mutex);
    slow->ask = ask;
    pthread_mutex_unlock(&slow->mutex);
}

/* How many there were. */
static inline size_t slow_wake(struct slow_journal *slow)
{
    size_t woken = 0;

    pthread_mutex_lock(&slow->mutex);
    for (size_t i = 0; i < slow->job_count; i++) {
        struct slow_job *job = slow->jobs[i];

        if (job->woken)
            continue;
        job->woken = true;
        woken++;
        job->wait->wake(job->wait);
    }
    pthread_mutex_unlock(&slow->mutex);
    return woken;
}

/* How many wait now, or have been woken and not asked again. */
static inline size_t slow_waiting(struct slow_journal *slow)
{
    pthread_mutex_lock(&slow->mutex);
    size_t waiting = slow->job_count;
    pthread_mutex_unlock(&slow->mutex);
    return waiting;
}

static inline void slow_unwait(struct crier_journal *journal, struct crier_wait *wait)
{
    struct slow_journal *slow = slow_of(journal);

    pthread_mutex_lock(&slow->mutex);
    slow->unwaits++;
    slow_drop(slow, wait->job);
    pthread_mutex_unlock(&slow->mutex);
}

static inline int slow_locate(struct crier_journal *journal,
                              const struct crier_filter *filter,
                              const struct crier_since *since,
                              struct crier_now now,
                              struct crier_wait *wait,
                              struct crier_start *ret)
{
    struct slow_journal *slow = slow_of(journal);
    int r = since->kind == CRIER_SINCE_NOW ? 0 : slow_question(slow, wait);

    return r ? r : slow->inner->ops->locate(slow->inner, filter, since, now, NULL, ret);
}

static inline int slow_scan(struct crier_journal *journal,
                            struct crier_scan *scan,
                            crier_scan_fn *fn,
                            void *ctx,
                            struct crier_start *ret_gap)
{
    struct slow_journal *slow = slow_of(journal);
    int r = slow_question(slow, scan->wait);

    if (slow->looks)
        scan->max_looks = slow->looks;
    return r ? r : slow->inner->ops->scan(slow->inner, scan, fn, ctx, ret_gap);
}

static inline int slow_topic(struct crier_journal *journal,
                             struct crier_slice name,
                             struct crier_wait *wait,
                             struct crier_topic_info *ret)
{
    struct slow_journal *slow = slow_of(journal);
    int r = slow_question(slow, wait);

    return r ? r : slow->inner->ops->topic(slow->inner, name, NULL, ret);
}

static inline int slow_topics(struct crier_journal *journal,
                              struct crier_slice prefix,
                              struct crier_slice after,
                              size_t limit,
                              struct crier_wait *wait,
                              crier_topic_fn *fn,
                              void *ctx)
{
    struct slow_journal *slow = slow_of(journal);
    int r = slow_question(slow, wait);

    return r ? r : slow->inner->ops->topics(slow->inner, prefix, after, limit, NULL, fn, ctx);
}

/* ---- the rest is the inner one's -------------------------------------------------------- */

static inline void slow_free(struct crier_journal *journal)
{
    struct slow_journal *slow = slow_of(journal);

    assert_int_equal(slow->job_count, 0);
    assert_int_equal(slow->first, slow->last);
    crier_journal_free(slow->inner);
    pthread_mutex_destroy(&slow->mutex);
    free(slow);
}

static inline bool slow_writable(struct crier_journal *journal)
{
    return crier_journal_writable(slow_of(journal)->inner);
}

/* A cursor or a watch is the inner one's from then on. */
static inline int slow_attach(struct crier_journal *journal, struct crier_cursor *cursor)
{
    return crier_journal_attach(slow_of(journal)->inner, cursor);
}

static inline bool slow_watch(struct crier_journal *journal, struct crier_watch *watch)
{
    return crier_journal_watch(slow_of(journal)->inner, watch);
}

static inline void slow_unwatch(struct crier_journal *journal, struct crier_watch *watch)
{
    crier_journal_unwatch(slow_of(journal)->inner, watch);
}

static inline enum crier_journal_state slow_state(struct crier_journal *journal)
{
    return slow_of(journal)->state;
}

static inline void slow_trim(struct crier_journal *journal, struct crier_now now)
{
    crier_journal_trim(slow_of(journal)->inner, now);
}

static inline void slow_stats(struct crier_journal *journal, struct crier_journal_stats *ret)
{
    crier_journal_get_stats(slow_of(journal)->inner, ret);
    ret->disk = slow_of(journal)->disk;
}

static inline struct slow_journal *slow_journal_new(const struct crier_journal_limits *limits,
                                                    struct crier_now now)
{
    static const struct crier_journal_ops ops = {.free = slow_free,
                                                 .submit = slow_submit,
                                                 .writable = slow_writable,
                                                 .attach = slow_attach,
                                                 .watch = slow_watch,
                                                 .unwatch = slow_unwatch,
                                                 .locate = slow_locate,
                                                 .scan = slow_scan,
                                                 .topic = slow_topic,
                                                 .topics = slow_topics,
                                                 .unwait = slow_unwait,
                                                 .state = slow_state,
                                                 .trim = slow_trim,
                                                 .stats = slow_stats};
    const struct crier_hash_key key = {UINT64_C(0x0706050403020100),
                                       UINT64_C(0x0f0e0d0c0b0a0908)};
    struct slow_journal *slow = calloc(1, sizeof(*slow));

    assert_non_null(slow);
    assert_int_equal(
        crier_journal_new_memory(&crier_mem_libc, &key, limits, 7, now, &slow->inner), 0);
    slow->journal =
        (struct crier_journal){.ops = &ops, .mem = slow->inner->mem, .hash_key = key};
    assert_int_equal(pthread_mutex_init(&slow->mutex, NULL), 0);
    return slow;
}

#endif
