/* SPDX-License-Identifier: MIT */
/*
 * Reading the past: from the window where that has it, else from a run, else the reader is
 * asked for one.
 *
 *     1 ............ on the disk ............ | first .... the window .... end |
 *          [ run ]      ^ position
 *
 * The order matters: first a run is found, then the floors are asked. A run that lacks an event
 * was read after that had left history, hence after its floor was raised; so whoever has the
 * run in hand sees the loss (apply.c).
 *
 * A run that was read before a DELETE is not shown after it; for what limits take out that is
 * not so: it was history when it was read.
 *
 * Threads: any. The window's mutex is held while it is decided, never while events are shown.
 */
#include "base/mem.h"
#include "durable/inside.h"
#include <assert.h>
#include <string.h>

/* ---- jobs -------------------------------------------------------------------------------- */

static struct crier_job *job_new(struct crier_durable *d,
                                 enum crier_job_kind kind,
                                 const struct crier_filter *filter,
                                 size_t text)
{
    const struct crier_mem *mem = d->memory.journal.mem;
    struct crier_job *job = crier_mem_zalloc(mem, sizeof(*job) + text);

    if (!job)
        return NULL;
    crier_list_init(&job->node);
    job->kind = kind;
    job->filter = filter;
    crier_buf_init(&job->topics, mem);
    return job;
}

/* Answers here and now (wait NULL: 0, the job has its answer), or puts it into the queue:
 * CRIER_WAIT. */
static int ask(struct crier_durable *d, struct crier_job *job, struct crier_wait *wait)
{
    struct crier_jobs *jobs = &d->jobs;

    if (!wait) {
        crier_job_answer(d, job);
        return 0;
    }
    job->wait = wait;
    wait->job = job;
    pthread_mutex_lock(&jobs->mutex);
    job->serial = ++jobs->asked;
    crier_list_push_back(job->kind == CRIER_JOB_READ ? &jobs->slices : &jobs->queue,
                         &job->node);
    jobs->waiting++;
    pthread_cond_signal(&jobs->work);
    pthread_mutex_unlock(&jobs->mutex);
    return CRIER_WAIT;
}

/* The job that was asked with this wait, taken from it, if it is done. */
static struct crier_job *take_done(struct crier_durable *d, struct crier_wait *wait)
{
    struct crier_job *job = wait->job;

    pthread_mutex_lock(&d->jobs.mutex);
    bool done = job->state == CRIER_JOB_DONE;
    if (done)
        crier_list_remove(&job->node);
    pthread_mutex_unlock(&d->jobs.mutex);
    if (!done)
        return NULL;
    wait->job = NULL;
    return job;
}

void crier_durable_unwait(struct crier_journal *journal, struct crier_wait *wait)
{
    struct crier_durable *d = crier_durable_of(journal);
    struct crier_jobs *jobs = &d->jobs;
    struct crier_job *job = wait->job;

    pthread_mutex_lock(&jobs->mutex);
    job->given_up = true;
    if (job->state == CRIER_JOB_QUEUED) {
        crier_list_remove(&job->node);
        jobs->waiting--;
    }
    while (job->state == CRIER_JOB_RUNNING)
        pthread_cond_wait(&jobs->done, &jobs->mutex);
    crier_list_remove(&job->node);
    pthread_mutex_unlock(&jobs->mutex);
    wait->job = NULL;
    crier_job_free(d, job);
    crier_reader_stir(d);
}

static uint64_t clock_of(const struct crier_durable *d, uint64_t boot_ms)
{
    return crier_store_clock(d->store, (struct crier_now){.boot_ms = boot_ms});
}

/* ---- locate ------------------------------------------------------------------------------ */

/* From memory alone: now, and an id of the window after which nothing is lost. */
static bool locate_here(struct crier_durable *d,
                        const struct crier_filter *filter,
                        const struct crier_since *since,
                        struct crier_start *ret_start)
{
    struct crier_memory *memory = &d->memory;
    struct crier_start start = {.id = since->id};
    bool here = false;

    crier_memory_lock(memory);
    start.until = atomic_load_explicit(&memory->end, memory_order_relaxed);
    start.losses = atomic_load_explicit(&memory->floors.losses, memory_order_relaxed);
    if (since->kind == CRIER_SINCE_NOW) {
        start.position = start.until;
        start.id = memory->last;
        here = true;
    } else if (since->kind == CRIER_SINCE_ID) {
        here = crier_memory_find_id(memory, since->id, &start.position) &&
               !crier_floors_after_id(&memory->floors, filter, since->id);
    }
    crier_memory_unlock(memory);
    if (here)
        *ret_start = start;
    return here;
}

static int take_start(struct crier_durable *d, struct crier_job *job, struct crier_start *ret)
{
    int r = job->result;

    if (r == 0) {
        *ret = job->start;
        job->start.picks = NULL; /* the caller's now */
    }
    crier_job_free(d, job);
    return r;
}

int crier_durable_locate(struct crier_journal *journal,
                         const struct crier_filter *filter,
                         const struct crier_since *since,
                         struct crier_now now,
                         struct crier_wait *wait,
                         struct crier_start *ret_start)
{
    struct crier_durable *d = crier_durable_of(journal);
    struct crier_job *job;

    if (wait && wait->job) {
        job = take_done(d, wait);
        return job ? take_start(d, job, ret_start) : CRIER_WAIT;
    }
    if (locate_here(d, filter, since, ret_start))
        return 0;
    job = job_new(d, CRIER_JOB_LOCATE, filter, 0);
    if (!job)
        return -ENOMEM;
    job->since = *since;
    job->clock_ms = clock_of(d, now.boot_ms);
    return ask(d, job, wait) == CRIER_WAIT ? CRIER_WAIT : take_start(d, job, ret_start);
}

/* ---- scan -------------------------------------------------------------------------------- */

struct scanning {
    struct crier_durable *d;
    struct crier_scan *scan;
    crier_scan_fn *fn;
    void *ctx;
    struct crier_start *ret_gap;
    uint64_t limit;
    uint64_t clock_ms; /* 0: an event that has begun is completed, whatever its ttl */
};

static bool is_past_ttl(const struct crier_record *record, uint64_t clock_ms)
{
    return record->expires_ms && record->expires_ms <= clock_ms;
}

/* Shows what a run has after the position, without the mutex, and lets go of it. */
static void show_run(const struct scanning *s, struct crier_run *run)
{
    struct crier_scan *scan = s->scan;
    uint64_t to = run->to < s->limit ? run->to : s->limit;
    struct crier_record record;
    int r = 0;

    for (struct crier_run_event *event = NULL;
         r == 0 && (event = crier_run_next(run, event)) != NULL;) {
        if (event->number <= scan->position)
            continue;
        if (event->number > to)
            break;
        scan->looks++;
        const struct crier_stored *stored = crier_run_stored(event);
        crier_stored_view(stored, event->number, (1u << stored->topic_count) - 1, &record);
        if (is_past_ttl(&record, s->clock_ms))
            continue;
        r = s->fn(s->ctx, &record);
        scan->position = r == CRIER_SCAN_STOP ? event->number - 1 : event->number;
    }
    if (r == 0 && to > scan->position)
        scan->position = to;
    crier_run_unref(&s->d->runs, run);
    crier_reader_stir(s->d);
}

/* The number that is to be looked at next; 0: there is none up to the limit. */
static uint64_t next_number(const struct scanning *s)
{
    const struct crier_scan *scan = s->scan;

    if (!scan->picks)
        return scan->position < s->limit ? scan->position + 1 : 0;
    for (size_t i = 0; i < scan->pick_count; i++) {
        if (scan->picks[i] > scan->position)
            return scan->picks[i] <= s->limit ? scan->picks[i] : 0;
    }
    return 0;
}

static int finish(struct scanning *s, struct crier_job *job)
{
    int r = job->result;

    if (r == 0 && job->kind == CRIER_JOB_GAP) {
        *s->ret_gap = job->start;
        s->scan->losses = job->start.losses;
        r = CRIER_SCAN_GAP;
    } else if (r == 0) {
        struct crier_run *run = job->run;
        job->run = NULL;
        show_run(s, run);
    }
    crier_job_free(s->d, job);
    return r;
}

static int ask_for(struct scanning *s, enum crier_job_kind kind)
{
    struct crier_scan *scan = s->scan;
    struct crier_job *job = job_new(s->d, kind, scan->filter, 0);

    if (!job)
        return -ENOMEM;
    job->position = scan->position;
    job->until = s->limit;
    job->clock_ms = s->clock_ms;
    if (kind == CRIER_JOB_READ) {
        job->picks = scan->picks;
        job->pick_count = scan->pick_count;
    }
    return ask(s->d, job, scan->wait) == CRIER_WAIT ? CRIER_WAIT : finish(s, job);
}

static bool is_lost(const struct scanning *s)
{
    const struct crier_scan *scan = s->scan;

    return !scan->picks &&
           crier_floors_after(&s->d->memory.floors, scan->filter, scan->position, scan->losses);
}

/* Does a run that was read for this question still answer it? */
static struct crier_run *run_of(const struct scanning *s, struct crier_job *job)
{
    struct crier_run *run = job ? job->run : NULL;

    if (!run || job->result < 0 || run->from > s->scan->position ||
        run->to <= s->scan->position || crier_run_is_stale(&s->d->runs, run))
        return NULL;
    job->run = NULL;
    return run;
}

/* Under the window's mutex; comes back without it. job: what was asked before, or NULL. */
static int scan_on(struct scanning *s, struct crier_job *job)
{
    struct crier_memory *memory = &s->d->memory;
    struct crier_scan *scan = s->scan;
    uint64_t end = atomic_load_explicit(&memory->end, memory_order_relaxed);
    struct crier_run *run = NULL;

    s->limit = scan->until < end ? scan->until : end;
    uint64_t next = next_number(s);
    if (next && next < memory->first) {
        run = run_of(s, job);
        if (!run && !scan->picks)
            run = crier_runs_find(&s->d->runs, scan->filter->key, scan->position);
    }
    bool lost = next && is_lost(s);
    if (next >= memory->first && next && !lost) {
        int r = crier_memory_read(memory, scan, s->fn, s->ctx);
        crier_memory_unlock(memory);
        return r;
    }
    crier_memory_unlock(memory);
    if (run && lost) {
        crier_run_unref(&s->d->runs, run);
        run = NULL;
    }
    if (!next)
        return 0;
    if (lost)
        return ask_for(s, CRIER_JOB_GAP);
    if (!run)
        return ask_for(s, CRIER_JOB_READ);
    show_run(s, run);
    return 0;
}

int crier_durable_scan(struct crier_journal *journal,
                       struct crier_scan *scan,
                       crier_scan_fn *fn,
                       void *ctx,
                       struct crier_start *ret_gap)
{
    struct crier_durable *d = crier_durable_of(journal);
    struct scanning s = {.d = d, .scan = scan, .fn = fn, .ctx = ctx, .ret_gap = ret_gap};
    struct crier_job *job = NULL;
    uint64_t boot_ms = scan->now_boot_ms;

    s.clock_ms = boot_ms ? clock_of(d, boot_ms) : 0;
    scan->looks = 0;
    if (scan->wait && scan->wait->job) {
        job = take_done(d, scan->wait);
        if (!job)
            return CRIER_WAIT;
        if (job->kind == CRIER_JOB_GAP || job->result < 0) {
            s.limit = scan->until;
            return finish(&s, job);
        }
    }
    crier_memory_lock(&d->memory);
    scan->now_boot_ms = s.clock_ms; /* the window's events are on the store's clock */
    int r = scan_on(&s, job);
    scan->now_boot_ms = boot_ms;
    if (job) {
        bool held = job->run != NULL;
        crier_job_free(d, job);
        if (held)
            crier_reader_stir(d);
    }
    return r;
}

/* ---- topics ------------------------------------------------------------------------------ */

static int take_topic(struct crier_durable *d,
                      struct crier_job *job,
                      struct crier_slice name,
                      struct crier_topic_info *ret_info)
{
    int r = job->result;

    if (r == 0) {
        *ret_info = job->info;
        ret_info->name = name;
    }
    crier_job_free(d, job);
    return r;
}

int crier_durable_topic(struct crier_journal *journal,
                        struct crier_slice name,
                        struct crier_wait *wait,
                        struct crier_topic_info *ret_info)
{
    struct crier_durable *d = crier_durable_of(journal);
    struct crier_job *job;

    if (wait && wait->job) {
        job = take_done(d, wait);
        return job ? take_topic(d, job, name, ret_info) : CRIER_WAIT;
    }
    job = job_new(d, CRIER_JOB_TOPIC, NULL, name.len);
    if (!job)
        return -ENOMEM;
    memcpy(job->text, name.data, name.len);
    job->prefix = (struct crier_slice){job->text, name.len};
    return ask(d, job, wait) == CRIER_WAIT ? CRIER_WAIT : take_topic(d, job, name, ret_info);
}

static int
take_topics(struct crier_durable *d, struct crier_job *job, crier_topic_fn *fn, void *ctx)
{
    struct crier_slice rest = crier_buf_slice(&job->topics);
    struct crier_topic_info info;
    int r = job->result;

    while (r == 0 && rest.len) {
        memcpy(&info, rest.data, sizeof(info));
        info.name.data = rest.data + sizeof(info);
        rest = crier_slice_sub(rest, sizeof(info) + info.name.len, rest.len);
        if (!fn(ctx, &info))
            break;
    }
    crier_job_free(d, job);
    return r;
}

int crier_durable_topics(struct crier_journal *journal,
                         struct crier_slice prefix,
                         struct crier_slice after,
                         size_t limit,
                         struct crier_wait *wait,
                         crier_topic_fn *fn,
                         void *ctx)
{
    struct crier_durable *d = crier_durable_of(journal);
    struct crier_job *job;

    if (wait && wait->job) {
        job = take_done(d, wait);
        return job ? take_topics(d, job, fn, ctx) : CRIER_WAIT;
    }
    job = job_new(d, CRIER_JOB_TOPICS, NULL, prefix.len + after.len);
    if (!job)
        return -ENOMEM;
    if (prefix.len)
        memcpy(job->text, prefix.data, prefix.len);
    if (after.len)
        memcpy(job->text + prefix.len, after.data, after.len);
    job->prefix = (struct crier_slice){job->text, prefix.len};
    job->after = (struct crier_slice){job->text + prefix.len, after.len};
    job->limit = limit;
    return ask(d, job, wait) == CRIER_WAIT ? CRIER_WAIT : take_topics(d, job, fn, ctx);
}
