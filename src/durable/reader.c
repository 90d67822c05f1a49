/* SPDX-License-Identifier: MIT */
/*
 * The reader: one thread that looks into the file, so that no worker ever waits for a disk.
 *
 *     ask ──▶ queue ──▶ RUNNING: one short view of the store ──▶ DONE ──wake──▶ asked again
 *              │                        │
 *              └── given up: freed      └── given up: freed when it is done
 *
 * Each question is answered in a view of its own: a long one would stop the file's pages from
 * being used again. A run is as large as there is room for it among those who wait, and no
 * larger than a few moments of reading.
 *
 * What is lost meanwhile: the losses counted are looked at before the view is begun, so that
 * whatever is taken out later counts as news to whoever starts here. A gap is told when what it
 * is about has left, not while that is being committed: its oldest event is one that stays.
 *
 * The one who gives up a question that is being answered waits until that is done: its filter is
 * in use.
 */
#include "base/mem.h"
#include "durable/inside.h"
#include <assert.h>
#include <string.h>
#include <time.h>

enum {
    RUN_MIN = 64 << 10,
    RUN_MAX = 256 << 10,
    RUN_LOOKS = 65536,
    RECLAIM_MS = 1000,
};

/* ---- starts ----------------------------------------------------------------------------- */

struct locating {
    struct crier_durable *d;
    struct crier_view *view;
    const struct crier_filter *filter;
    uint64_t end, clock_ms, losses;
};

static int start_at(const struct locating *l, uint64_t position, struct crier_start *ret_start)
{
    struct crier_start start = {.position = position, .until = l->end, .losses = l->losses};
    int r = crier_view_id(l->view, position, &start.id);

    if (r == 0)
        *ret_start = start;
    return r;
}

/* Just before the oldest matching event after `position`, or at the end. */
static int
start_before_oldest(const struct locating *l, uint64_t position, struct crier_start *ret_start)
{
    struct crier_id id;
    uint64_t number;
    int r = crier_view_oldest(l->view, l->filter, position, l->clock_ms, &number, &id);

    return r < 0 ? r : start_at(l, number ? number - 1 : l->end, ret_start);
}

static int start_at_gap(const struct locating *l,
                        uint64_t position,
                        uint64_t limit,
                        enum crier_gap gap,
                        struct crier_start *ret_start)
{
    struct crier_id oldest;
    uint64_t number;
    int r = crier_view_oldest(l->view, l->filter, position, l->clock_ms, &number, &oldest);

    if (r < 0)
        return r;
    uint64_t to = number ? number - 1 : l->end;
    r = start_at(l, to < limit ? to : limit, ret_start);
    if (r < 0)
        return r;
    ret_start->gap = gap;
    ret_start->has_oldest = number != 0;
    if (number)
        ret_start->oldest = oldest;
    return 0;
}

static int
start_at_last(const struct locating *l, uint64_t count, struct crier_start *ret_start)
{
    uint64_t number;
    int r = crier_view_newest(l->view, l->filter, count, l->clock_ms, &number);

    return r < 0 ? r : start_at(l, number ? number - 1 : l->end, ret_start);
}

static int
start_at_latest(const struct locating *l, uint64_t count, struct crier_start *ret_start)
{
    uint64_t *picks;
    size_t pick_count;
    int r = crier_view_latest(l->view, l->filter, count, l->clock_ms, &picks, &pick_count);

    if (r < 0)
        return r;
    r = start_at(l, pick_count ? picks[0] - 1 : l->end, ret_start);
    if (r < 0) {
        crier_mem_free(l->d->memory.journal.mem, picks);
        return r;
    }
    ret_start->picks = picks;
    ret_start->pick_count = pick_count;
    return 0;
}

static int start_ago(const struct locating *l, uint64_t ms, struct crier_start *ret_start)
{
    uint64_t position;
    int r = crier_view_before(l->view, l->clock_ms > ms ? l->clock_ms - ms : 0, &position);

    return r < 0 ? r : start_before_oldest(l, position, ret_start);
}

static int start_at_id(const struct locating *l,
                       struct crier_id id,
                       bool lost,
                       struct crier_start *ret_start)
{
    uint64_t position;
    int r;

    if (id.ms == 0 && id.seq == 0)
        return start_before_oldest(l, 0, ret_start);
    r = crier_view_position(l->view, id, &position);
    if (r == -ENOENT)
        return start_at_gap(l, 0, l->end, CRIER_GAP_UNKNOWN, ret_start);
    if (r < 0)
        return r;
    if (lost)
        return start_at_gap(l, position, l->end, CRIER_GAP_EVICTED, ret_start);
    r = start_at(l, position, ret_start);
    if (r == 0)
        ret_start->id = id;
    return r;
}

static int locate(const struct locating *l,
                  const struct crier_since *since,
                  bool lost,
                  struct crier_start *ret_start)
{
    switch (since->kind) {
    case CRIER_SINCE_NOW:
        return start_at(l, l->end, ret_start);
    case CRIER_SINCE_EARLIEST:
        return start_before_oldest(l, 0, ret_start);
    case CRIER_SINCE_LAST:
        return start_at_last(l, since->count, ret_start);
    case CRIER_SINCE_LATEST:
        return start_at_latest(l, since->count, ret_start);
    case CRIER_SINCE_AGO:
        return start_ago(l, since->ms, ret_start);
    case CRIER_SINCE_ID:
        return start_at_id(l, since->id, lost, ret_start);
    case CRIER_SINCE_UNKNOWN:
        return start_at_gap(l, 0, l->end, CRIER_GAP_UNKNOWN, ret_start);
    }
    assert(false);
    return -EINVAL;
}

/* What memory knows, asked before the view is begun; for an id also whether anything after it is
 * lost. */
static bool look_at_memory(struct locating *l, const struct crier_job *job)
{
    struct crier_memory *memory = &l->d->memory;
    bool lost = false;

    crier_memory_lock(memory);
    l->end = atomic_load_explicit(&memory->end, memory_order_relaxed);
    l->losses = atomic_load_explicit(&memory->floors.losses, memory_order_relaxed);
    if (job->kind == CRIER_JOB_LOCATE && job->since.kind == CRIER_SINCE_ID)
        lost = crier_floors_after_id(&memory->floors, job->filter, job->since.id);
    crier_memory_unlock(memory);
    return lost;
}

/* What is told as lost may be leaving this moment: its floor is raised before the commit
 * (apply.c). Until that is over the view would still have it, and the gap would begin with it.
 */
static void wait_until_left(struct crier_durable *d)
{
    struct crier_jobs *jobs = &d->jobs;

    pthread_mutex_lock(&jobs->mutex);
    for (uint64_t left = jobs->left; jobs->leaving && jobs->left == left;)
        pthread_cond_wait(&jobs->over, &jobs->mutex);
    pthread_mutex_unlock(&jobs->mutex);
}

static int answer_start(struct crier_durable *d, struct crier_job *job)
{
    struct locating l = {.d = d, .filter = job->filter, .clock_ms = job->clock_ms};
    bool lost = look_at_memory(&l, job);

    if (lost || job->kind == CRIER_JOB_GAP)
        wait_until_left(d);
    int r = crier_view_begin(d->store, &l.view);

    if (r < 0)
        return r;
    crier_view_limit(l.view, l.end);
    if (job->kind == CRIER_JOB_GAP)
        r = start_at_gap(&l, job->position, job->until, CRIER_GAP_LAGGED, &job->start);
    else
        r = locate(&l, &job->since, lost, &job->start);
    crier_view_end(l.view);
    return r;
}

/* ---- runs ------------------------------------------------------------------------------- */

struct filling {
    struct crier_durable *d;
    struct crier_run *run;
    size_t size;
    bool failed;
};

static int fill(void *ctx, const struct crier_record *record)
{
    struct filling *f = ctx;

    if (crier_run_add(&f->d->runs, f->run, record) < 0) {
        f->failed = f->run->used == 0;
        return CRIER_SCAN_STOP;
    }
    return f->run->used >= f->size ? CRIER_SCAN_TAKEN : 0;
}

static size_t run_size(struct crier_durable *d)
{
    uint64_t share = d->runs.max_bytes / 4 / (d->jobs.waiting + 1);

    return share < RUN_MIN ? RUN_MIN : share > RUN_MAX ? RUN_MAX : (size_t)share;
}

static int answer_run(struct crier_durable *d, struct crier_job *job)
{
    struct crier_slice key = job->picks ? (struct crier_slice){NULL, 0} : job->filter->key;
    struct filling f = {.d = d, .size = run_size(d)};
    struct crier_view *view;
    /* Nothing is left out for its ttl here: those who read the run look at that. */
    struct crier_view_slice slice = {.filter = job->filter,
                                     .position = job->position,
                                     .until = job->until,
                                     .picks = job->picks,
                                     .pick_count = job->pick_count,
                                     .max_looks = RUN_LOOKS};

    f.run = crier_runs_find(&d->runs, key, job->position);
    if (f.run) { /* somebody else has just asked the same */
        job->run = f.run;
        return 0;
    }
    f.run = crier_run_new(&d->runs, key, job->position);
    if (!f.run)
        return -ENOMEM;
    int r = crier_view_begin(d->store, &view);
    if (r == 0) {
        r = crier_view_read(view, &slice, fill, &f);
        crier_view_end(view);
    }
    if (r == 0 && f.failed)
        r = -ENOMEM;
    if (r < 0) {
        crier_run_unref(&d->runs, f.run);
        return r;
    }
    atomic_fetch_add_explicit(&d->jobs.reads, 1, memory_order_relaxed);
    crier_run_publish(&d->runs, f.run, slice.position);
    job->run = f.run;
    return 0;
}

/* ---- topics ------------------------------------------------------------------------------ */

static bool add_topic(void *ctx, const struct crier_topic_info *info)
{
    struct crier_job *job = ctx;
    struct crier_topic_info copy = *info;

    copy.name.data = NULL; /* follows */
    crier_buf_add(&job->topics, (const char *)&copy, sizeof(copy));
    crier_buf_append(&job->topics, info->name);
    return --job->limit > 0 && crier_buf_error(&job->topics) == 0;
}

static int answer_topics(struct crier_durable *d, struct crier_job *job)
{
    struct crier_view *view;
    int r = crier_view_begin(d->store, &view);

    if (r < 0)
        return r;
    if (job->kind == CRIER_JOB_TOPIC) {
        r = crier_view_topic(view, job->prefix, &job->info);
    } else if (job->limit) {
        r = crier_view_topics(view, job->prefix, job->after, add_topic, job);
        if (r == 0)
            r = crier_buf_error(&job->topics);
    }
    crier_view_end(view);
    return r;
}

/* ---- the thread -------------------------------------------------------------------------- */

void crier_job_answer(struct crier_durable *d, struct crier_job *job)
{
    switch (job->kind) {
    case CRIER_JOB_LOCATE:
    case CRIER_JOB_GAP:
        job->result = answer_start(d, job);
        break;
    case CRIER_JOB_READ:
        job->result = answer_run(d, job);
        break;
    case CRIER_JOB_TOPIC:
    case CRIER_JOB_TOPICS:
        job->result = answer_topics(d, job);
        break;
    }
}

void crier_job_free(struct crier_durable *d, struct crier_job *job)
{
    if (job->run)
        crier_run_unref(&d->runs, job->run);
    crier_mem_free(d->memory.journal.mem, job->start.picks);
    crier_buf_deinit(&job->topics);
    crier_mem_free(d->memory.journal.mem, job);
}

static uint64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Runs that nobody has come for in a while are given up: they are read again if need be. */
static void reclaim(struct crier_durable *d)
{
    uint64_t now = monotonic_ms();

    crier_list_for_each (node, &d->jobs.answered) {
        struct crier_job *job = CRIER_CONTAINER(node, struct crier_job, node);
        if (now - job->done_ms < d->jobs.reclaim_ms)
            break;
        if (job->run)
            crier_run_unref(&d->runs, job->run);
        job->run = NULL;
    }
}

/* Is there room for the run it asks for? */
static bool may_run(struct crier_durable *d, struct crier_job *job)
{
    if (crier_runs_make_room(&d->runs, run_size(d)))
        return true;
    if (!job->has_waited)
        atomic_fetch_add_explicit(&d->jobs.room_waits, 1, memory_order_relaxed);
    job->has_waited = true;
    return false;
}

static struct crier_job *first_of(struct crier_list *list)
{
    return crier_list_empty(list) ? NULL : CRIER_CONTAINER(list->next, struct crier_job, node);
}

/* The oldest that can be answered now: those that read nothing need no room. */
static struct crier_job *next_job(struct crier_durable *d)
{
    struct crier_jobs *jobs = &d->jobs;
    struct crier_job *job = first_of(&jobs->queue), *read = first_of(&jobs->slices);

    if (read && (!job || read->serial < job->serial) && may_run(d, read))
        job = read;
    if (job) {
        crier_list_remove(&job->node);
        jobs->waiting--;
    }
    return job;
}

/* Nothing can be done: until there is something new, or, for want of room, a while. */
static void rest(struct crier_durable *d)
{
    struct crier_jobs *jobs = &d->jobs;
    struct timespec until;

    if (!jobs->waiting) {
        pthread_cond_wait(&jobs->work, &jobs->mutex);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(jobs->reclaim_ms / 1000);
    until.tv_nsec += (long)(jobs->reclaim_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&jobs->work, &jobs->mutex, &until);
    reclaim(d);
}

static void done(struct crier_jobs *jobs, struct crier_job *job)
{
    job->state = CRIER_JOB_DONE;
    job->done_ms = monotonic_ms();
    crier_list_push_back(&jobs->answered, &job->node);
    if (job->given_up)
        pthread_cond_broadcast(&jobs->done);
    else
        job->wait->wake(job->wait);
}

/* Whoever waits for the same run has it now, too: a herd needs the room of one. */
static void share(struct crier_durable *d, struct crier_run *run)
{
    struct crier_slice key = {run->key, run->key_len};
    struct crier_jobs *jobs = &d->jobs;

    if (!key.len)
        return;
    crier_list_for_each_safe (node, &jobs->slices) {
        struct crier_job *job = CRIER_CONTAINER(node, struct crier_job, node);
        if (job->picks || !crier_run_share(&d->runs, run, job->filter->key, job->position))
            continue;
        crier_list_remove(&job->node);
        jobs->waiting--;
        job->run = run;
        done(jobs, job);
    }
}

static void work_on(struct crier_durable *d, struct crier_job *job)
{
    struct crier_jobs *jobs = &d->jobs;

    job->state = CRIER_JOB_RUNNING;
    pthread_mutex_unlock(&jobs->mutex);
    crier_job_answer(d, job);
    pthread_mutex_lock(&jobs->mutex);
    if (job->run)
        share(d, job->run);
    done(jobs, job);
}

static void *reader_run(void *ctx)
{
    struct crier_durable *d = ctx;
    struct crier_jobs *jobs = &d->jobs;
    struct crier_job *job;

    pthread_mutex_lock(&jobs->mutex);
    while (!jobs->stopping) {
        job = next_job(d);
        if (job)
            work_on(d, job);
        else
            rest(d);
    }
    pthread_mutex_unlock(&jobs->mutex);
    return NULL;
}

int crier_reader_start(struct crier_durable *d)
{
    struct crier_jobs *jobs = &d->jobs;

    pthread_condattr_t attr;

    jobs->reclaim_ms = RECLAIM_MS;
    crier_list_init(&jobs->queue);
    crier_list_init(&jobs->slices);
    crier_list_init(&jobs->answered);
    pthread_mutex_init(&jobs->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->work, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&jobs->done, NULL);
    pthread_cond_init(&jobs->over, NULL);
    int r = pthread_create(&jobs->thread, NULL, reader_run, d);
    if (r == 0)
        return 0;
    pthread_mutex_destroy(&jobs->mutex);
    pthread_cond_destroy(&jobs->work);
    pthread_cond_destroy(&jobs->done);
    pthread_cond_destroy(&jobs->over);
    return -r;
}

void crier_reader_stop(struct crier_durable *d)
{
    struct crier_jobs *jobs = &d->jobs;

    pthread_mutex_lock(&jobs->mutex);
    assert(crier_list_empty(&jobs->queue) && crier_list_empty(&jobs->slices));
    jobs->stopping = true;
    pthread_cond_signal(&jobs->work);
    pthread_mutex_unlock(&jobs->mutex);
    pthread_join(jobs->thread, NULL);
    pthread_mutex_destroy(&jobs->mutex);
    pthread_cond_destroy(&jobs->work);
    pthread_cond_destroy(&jobs->done);
    pthread_cond_destroy(&jobs->over);
}

void crier_reader_stir(struct crier_durable *d)
{
    struct crier_jobs *jobs = &d->jobs;

    pthread_mutex_lock(&jobs->mutex);
    if (jobs->waiting)
        pthread_cond_signal(&jobs->work);
    pthread_mutex_unlock(&jobs->mutex);
}

void crier_reader_leaving(struct crier_durable *d, bool leaving)
{
    struct crier_jobs *jobs = &d->jobs;

    pthread_mutex_lock(&jobs->mutex);
    if (jobs->leaving) {
        jobs->left++;
        pthread_cond_broadcast(&jobs->over);
    }
    jobs->leaving = leaving;
    pthread_mutex_unlock(&jobs->mutex);
}
