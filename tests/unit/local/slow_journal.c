/* SPDX-License-Identifier: MIT */
#include "slow_journal.h"

#include "support.h"

struct slow_job {
    struct crier_wait *wait;
    bool woken;
    struct slow_job *next;
};

static struct slow_journal *slow_of(struct crier_journal *journal)
{
    return CRIER_CONTAINER(journal, struct slow_journal, journal);
}

/* ---- writing ----------------------------------------------------------------------------- */

static void write_parcel(struct slow_journal *slow, struct crier_parcel *parcel)
{
    if (!slow->result) {
        crier_journal_append(slow->inner, parcel->drafts, parcel->count,
                             (struct crier_now){UINT64_C(1769860800000), 3600000});
        return;
    }
    for (size_t i = 0; i < parcel->count; i++)
        parcel->drafts[i].result = slow->result;
}

static bool
slow_submit(struct crier_journal *journal, struct crier_parcel *parcel, struct crier_now now)
{
    struct slow_journal *slow = slow_of(journal);

    (void)now;
    pthread_mutex_lock(&slow->mutex);
    if (slow->submits_at_once) {
        write_parcel(slow, parcel);
    } else {
        parcel->next = NULL;
        *slow->last = parcel;
        slow->last = &parcel->next;
        slow->held++;
        pthread_cond_broadcast(&slow->change);
    }
    bool at_once = slow->submits_at_once;
    pthread_mutex_unlock(&slow->mutex);
    return at_once;
}

bool slow_release(struct slow_journal *slow)
{
    pthread_mutex_lock(&slow->mutex);
    struct crier_parcel *parcel = slow->first;
    if (parcel) {
        slow->first = parcel->next;
        if (!slow->first)
            slow->last = &slow->first;
        slow->held--;
        write_parcel(slow, parcel);
    }
    pthread_mutex_unlock(&slow->mutex);
    if (parcel)
        parcel->done(parcel);
    return parcel != NULL;
}

void slow_await_held(struct slow_journal *slow, unsigned count)
{
    pthread_mutex_lock(&slow->mutex);
    while (slow->held < count)
        pthread_cond_wait(&slow->change, &slow->mutex);
    pthread_mutex_unlock(&slow->mutex);
}

/* ---- questions --------------------------------------------------------------------------- */

static struct slow_job **job_of(struct slow_journal *slow, const struct crier_wait *wait)
{
    struct slow_job **at = &slow->jobs;

    while (*at && (*at)->wait != wait)
        at = &(*at)->next;
    return at;
}

static void drop_job(struct slow_job **at, struct crier_wait *wait)
{
    struct slow_job *job = *at;

    *at = job->next;
    free(job);
    wait->job = NULL;
}

/* Has it to wait? */
static bool ask_locked(struct slow_journal *slow, struct crier_wait *wait)
{
    struct slow_job **at = job_of(slow, wait), *job = *at;

    assert_ptr_equal(wait->job, job);
    if (job && !job->woken)
        return true;
    if (job) {
        drop_job(at, wait);
        return false;
    }
    if (!slow->every || ++slow->count % slow->every)
        return false;
    job = calloc(1, sizeof(*job));
    assert_non_null(job);
    *job = (struct slow_job){.wait = wait, .next = slow->jobs};
    slow->jobs = wait->job = job;
    slow->asked++;
    pthread_cond_broadcast(&slow->change);
    return true;
}

/* 0: the inner one answers. */
static int ask(struct slow_journal *slow, struct crier_wait *wait)
{
    int r = 0;

    pthread_mutex_lock(&slow->mutex);
    if (wait && ask_locked(slow, wait))
        r = CRIER_WAIT;
    else if (slow->read_error)
        r = slow->read_error;
    pthread_mutex_unlock(&slow->mutex);
    return r;
}

static unsigned answer_locked(struct slow_journal *slow)
{
    unsigned count = 0;

    for (struct slow_job *job = slow->jobs; job; job = job->next) {
        if (job->woken)
            continue;
        job->woken = true;
        count++;
        job->wait->wake(job->wait);
    }
    return count;
}

unsigned slow_answer(struct slow_journal *slow)
{
    pthread_mutex_lock(&slow->mutex);
    unsigned count = answer_locked(slow);
    pthread_mutex_unlock(&slow->mutex);
    return count;
}

unsigned slow_open(struct slow_journal *slow)
{
    unsigned count = 0;

    pthread_mutex_lock(&slow->mutex);
    for (struct slow_job *job = slow->jobs; job; job = job->next)
        count++;
    pthread_mutex_unlock(&slow->mutex);
    return count;
}

static void slow_unwait(struct crier_journal *journal, struct crier_wait *wait)
{
    struct slow_journal *slow = slow_of(journal);

    pthread_mutex_lock(&slow->mutex);
    struct slow_job **at = job_of(slow, wait);
    if (*at)
        drop_job(at, wait);
    pthread_mutex_unlock(&slow->mutex);
}

static int slow_locate(struct crier_journal *journal,
                       const struct crier_filter *filter,
                       const struct crier_since *since,
                       struct crier_now now,
                       struct crier_wait *wait,
                       struct crier_start *ret)
{
    int r = ask(slow_of(journal), wait);

    return r ? r : crier_journal_locate(slow_of(journal)->inner, filter, since, now, NULL, ret);
}

static int slow_scan(struct crier_journal *journal,
                     struct crier_scan *scan,
                     crier_scan_fn *fn,
                     void *ctx,
                     struct crier_start *ret_gap)
{
    int r = ask(slow_of(journal), scan->wait);

    return r ? r : crier_journal_scan(slow_of(journal)->inner, scan, fn, ctx, ret_gap);
}

static int slow_topic(struct crier_journal *journal,
                      struct crier_slice name,
                      struct crier_wait *wait,
                      struct crier_topic_info *ret)
{
    int r = ask(slow_of(journal), wait);

    return r ? r : crier_journal_topic(slow_of(journal)->inner, name, NULL, ret);
}

static int slow_topics(struct crier_journal *journal,
                       struct crier_slice prefix,
                       struct crier_slice after,
                       size_t limit,
                       struct crier_wait *wait,
                       crier_topic_fn *fn,
                       void *ctx)
{
    int r = ask(slow_of(journal), wait);

    return r ? r
             : crier_journal_topics(slow_of(journal)->inner, prefix, after, limit, NULL, fn,
                                    ctx);
}

/* ---- the rest ---------------------------------------------------------------------------- */

static void *run(void *ctx)
{
    struct slow_journal *slow = ctx;
    bool over = false;

    while (!over) {
        pthread_mutex_lock(&slow->mutex);
        while (!slow->first && !answer_locked(slow) && !slow->over)
            pthread_cond_wait(&slow->change, &slow->mutex);
        over = slow->over && !slow->first;
        pthread_mutex_unlock(&slow->mutex);
        (void)slow_release(slow);
    }
    return NULL;
}

void slow_start(struct slow_journal *slow)
{
    slow->threaded = true;
    assert_int_equal(pthread_create(&slow->thread, NULL, run, slow), 0);
}

static void slow_free(struct crier_journal *journal)
{
    struct slow_journal *slow = slow_of(journal);
    sem_t *freed = slow->freed;

    if (slow->threaded) {
        pthread_mutex_lock(&slow->mutex);
        slow->over = true;
        pthread_cond_broadcast(&slow->change);
        pthread_mutex_unlock(&slow->mutex);
        pthread_join(slow->thread, NULL);
    }
    while (slow_release(slow))
        continue;
    assert_null(slow->jobs);
    crier_journal_free(slow->inner);
    pthread_cond_destroy(&slow->change);
    pthread_mutex_destroy(&slow->mutex);
    free(slow);
    if (freed)
        sem_post(freed);
}

static bool slow_writable(struct crier_journal *journal)
{
    return crier_journal_writable(slow_of(journal)->inner);
}

/* The inner one's: its cursors are its own. */
static int slow_attach(struct crier_journal *journal, struct crier_cursor *cursor)
{
    return crier_journal_attach(slow_of(journal)->inner, cursor);
}

static bool slow_watch(struct crier_journal *journal, struct crier_watch *watch)
{
    return crier_journal_watch(slow_of(journal)->inner, watch);
}

static void slow_unwatch(struct crier_journal *journal, struct crier_watch *watch)
{
    crier_journal_unwatch(slow_of(journal)->inner, watch);
}

static enum crier_journal_state slow_state(struct crier_journal *journal)
{
    return slow_of(journal)->state;
}

static void slow_trim(struct crier_journal *journal, struct crier_now now)
{
    crier_journal_trim(slow_of(journal)->inner, now);
}

static void slow_stats(struct crier_journal *journal, struct crier_journal_stats *ret)
{
    struct slow_journal *slow = slow_of(journal);

    crier_journal_get_stats(slow->inner, ret);
    ret->disk = (struct crier_disk_stats){.durable = true,
                                          .file_bytes = 40960,
                                          .free_bytes = 8192,
                                          .pending_bytes = 77,
                                          .commits = 5,
                                          .refused_full = 1,
                                          .refused_failed = 10,
                                          .unknown = 100};
}

static const struct crier_journal_ops slow_ops = {
    .free = slow_free,
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
    .stats = slow_stats,
};

struct slow_journal *slow_journal_new(struct crier_journal *inner)
{
    struct slow_journal *slow = calloc(1, sizeof(*slow));

    assert_non_null(slow);
    slow->journal = (struct crier_journal){
        .ops = &slow_ops, .mem = inner->mem, .hash_key = inner->hash_key, .may_wait = true};
    slow->inner = inner;
    slow->last = &slow->first;
    pthread_mutex_init(&slow->mutex, NULL);
    pthread_cond_init(&slow->change, NULL);
    return slow;
}
