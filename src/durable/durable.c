/* SPDX-License-Identifier: MIT */
/*
 * The object itself: opened, handed parcels, asked for counters, freed.
 *
 * Its window is a memory journal that lies on the store (memory.h, `backed`): cursors and
 * watches are that one's own. Numbers go on over restarts; the window begins empty, behind what
 * the store holds.
 *
 * Ages count on the store's clock, which the system's boot clock is moved onto by a constant.
 *
 * Freed: nobody asks any more; what was submitted is written first, and comes back.
 */
#include "base/mem.h"
#include "durable/inside.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

enum { SYNC_MS = 100 };

/* Refused beyond what makes publishers wait: they do not all listen. */
#define PENDING_BEYOND (UINT64_C(64) << 20)

/* ---- submitting -------------------------------------------------------------------------- */

static void refuse(struct crier_parcel *parcel)
{
    parcel->refused = true;
    parcel->bytes = 0;
    for (size_t i = 0; i < parcel->count; i++)
        parcel->drafts[i].result = CRIER_APPEND_FULL;
}

static void see(struct crier_durable *d, struct crier_now now)
{
    if (now.boot_ms >= d->seen.boot_ms)
        d->seen = now;
}

static bool
submit(struct crier_journal *journal, struct crier_parcel *parcel, struct crier_now now)
{
    struct crier_durable *d = crier_durable_of(journal);

    parcel->next = NULL;
    parcel->now = now;
    parcel->refused = false;
    parcel->bytes = 0;
    for (size_t i = 0; i < parcel->count; i++)
        parcel->bytes += crier_draft_cost(&parcel->drafts[i]);
    if (atomic_load(&d->pending_bytes) > d->limits.pending_bytes + PENDING_BEYOND)
        refuse(parcel);
    atomic_fetch_add(&d->pending_bytes, parcel->bytes);

    pthread_mutex_lock(&d->queue);
    see(d, now);
    bool idle = !d->first_parcel;
    *d->last_parcel = parcel;
    d->last_parcel = &parcel->next;
    if (idle)
        pthread_cond_signal(&d->filled);
    pthread_mutex_unlock(&d->queue);
    return false;
}

static bool writable(struct crier_journal *journal)
{
    struct crier_durable *d = crier_durable_of(journal);
    struct crier_memory *memory = &d->memory;

    if (atomic_load(&d->pending_bytes) > d->limits.pending_bytes)
        return false;
    if (atomic_load_explicit(&memory->segments.stale_bytes, memory_order_relaxed) <=
        d->limits.unread_bytes)
        return true;
    crier_memory_lock(memory);
    crier_memory_release(memory);
    bool free = atomic_load_explicit(&memory->segments.stale_bytes, memory_order_relaxed) <=
                d->limits.unread_bytes;
    crier_memory_unlock(memory);
    return free;
}

static void trim(struct crier_journal *journal, struct crier_now now)
{
    struct crier_durable *d = crier_durable_of(journal);

    pthread_mutex_lock(&d->queue);
    see(d, now);
    d->trim = true;
    pthread_cond_signal(&d->filled);
    pthread_mutex_unlock(&d->queue);
}

/* Cursors count their standing still on the window's clock. */
static void awake(struct crier_cursor *cursor, struct crier_now now)
{
    struct crier_durable *d = crier_durable_of(cursor->journal);

    now.boot_ms = crier_store_clock(d->store, now);
    crier_memory_awake(cursor, now);
}

/* ---- counters ---------------------------------------------------------------------------- */

static enum crier_journal_state state(struct crier_journal *journal)
{
    struct crier_durable *d = crier_durable_of(journal);

    return (enum crier_journal_state)atomic_load(&d->state);
}

/* Under the window's mutex. */
static struct crier_disk_stats disk_stats(struct crier_durable *d)
{
    struct crier_disk_stats disk = d->disk;

    disk.durable = true;
    disk.file_bytes = d->totals.file_bytes;
    disk.free_bytes = d->totals.free_bytes;
    disk.max_file_bytes = d->totals.max_file_bytes;
    disk.window_events = d->memory.events;
    disk.window_bytes = d->memory.bytes;
    disk.pending_bytes = atomic_load(&d->pending_bytes);
    disk.reads = atomic_load_explicit(&d->jobs.reads, memory_order_relaxed);
    disk.read_waits = atomic_load_explicit(&d->jobs.room_waits, memory_order_relaxed);
    return disk;
}

static void stats(struct crier_journal *journal, struct crier_journal_stats *ret_stats)
{
    struct crier_durable *d = crier_durable_of(journal);
    const struct crier_memory *memory = &d->memory;

    crier_memory_lock(&d->memory);
    *ret_stats = (struct crier_journal_stats){
        .events = d->totals.events,
        .bytes = d->totals.bytes,
        .topics = d->totals.topics,
        .kept_events = d->totals.kept_events,
        .kept_bytes = d->totals.kept_bytes,
        .appended = d->disk.committed,
        .duplicates = d->duplicates,
        .evicted = d->totals.evicted,
        .expired = d->totals.expired,
        .forgotten = d->totals.forgotten,
        .full = d->full,
        .lapped = memory->lapped,
        .kept_dropped = d->totals.kept_dropped,
        .keys_dropped = memory->keys.dropped,
        .keys_expired = memory->keys.expired,
        .floors_dropped = memory->floors.dropped,
        .keys = memory->keys.map.count,
        .floors = memory->floors.map.count,
        .held_bytes = memory->segments.held_bytes,
        .first = d->oldest,
        .last = d->newest,
        .disk = disk_stats(d),
    };
    crier_memory_unlock(&d->memory);
    pthread_mutex_lock(&d->runs.mutex);
    ret_stats->disk.replay_bytes = d->runs.bytes;
    ret_stats->disk.shared_reads = d->runs.shared;
    pthread_mutex_unlock(&d->runs.mutex);
}

/* ---- life -------------------------------------------------------------------------------- */

static void stop_writer(struct crier_durable *d)
{
    pthread_mutex_lock(&d->queue);
    d->stopping = true;
    pthread_cond_signal(&d->filled);
    pthread_mutex_unlock(&d->queue);
    pthread_join(d->thread, NULL);
}

/* What is there is let go of, in the reverse order of how it was made. */
static void durable_deinit(struct crier_durable *d, int stage)
{
    if (stage >= 4) {
        stop_writer(d);
        crier_reader_stop(d);
    }
    if (stage >= 3) {
        pthread_mutex_destroy(&d->queue);
        pthread_cond_destroy(&d->filled);
    }
    if (stage >= 2)
        crier_runs_deinit(&d->runs);
    if (stage >= 1)
        crier_memory_deinit(&d->memory);
    crier_store_close(d->store);
    crier_mem_free(d->memory.journal.mem, d);
}

static void durable_free(struct crier_journal *journal)
{
    durable_deinit(crier_durable_of(journal), 4);
}

static const struct crier_journal_ops durable_ops = {
    .free = durable_free,
    .submit = submit,
    .writable = writable,
    .attach = crier_memory_attach,
    .detach = crier_memory_detach,
    .next = crier_memory_next,
    .sleep = crier_memory_sleep,
    .awake = awake,
    .watch = crier_memory_watch,
    .unwatch = crier_memory_unwatch,
    .locate = crier_durable_locate,
    .scan = crier_durable_scan,
    .topic = crier_durable_topic,
    .topics = crier_durable_topics,
    .unwait = crier_durable_unwait,
    .state = state,
    .trim = trim,
    .stats = stats,
};

/* The window: the store's end, and as much as window_bytes. */
static int init_window(struct crier_durable *d, struct crier_now now)
{
    struct crier_memory *memory = &d->memory;

    memory->backed = true;
    memory->journal.ops = &durable_ops;
    memory->journal.may_wait = true;
    memory->journal.hash_key = d->totals.hash_key;
    memory->limits = d->limits;
    memory->limits.max_events = UINT64_MAX;
    memory->limits.max_bytes = d->limits.window_bytes;
    memory->limits.max_age_ms = UINT64_MAX;
    return crier_memory_init(
        memory, &(struct crier_memory_past){.epoch = d->totals.epoch,
                                            .boot_ms = crier_store_clock(d->store, now),
                                            .end = d->totals.end,
                                            .start = d->totals.start,
                                            .last = d->totals.last});
}

static int init_queue(struct crier_durable *d, struct crier_now now)
{
    pthread_condattr_t attr;

    d->last_parcel = &d->first_parcel;
    d->seen = now;
    if (pthread_mutex_init(&d->queue, NULL) != 0)
        return -ENOMEM;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->filled, &attr);
    pthread_condattr_destroy(&attr);
    return 0;
}

/* Their threads take no signals: these are the program's. */
static int start_threads(struct crier_durable *d)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = crier_reader_start(d);
    if (r == 0) {
        r = -pthread_create(&d->thread, NULL, crier_writer_run, d);
        if (r < 0)
            crier_reader_stop(d);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

static int start(struct crier_durable *d, struct crier_now now, int *stage)
{
    int r;

    d->totals = *crier_store_totals(d->store);
    r = crier_store_ends(d->store, &d->oldest, &d->newest);
    if (r == 0)
        r = init_window(d, now);
    if (r < 0)
        return r;
    *stage = 1;
    r = crier_apply_load(d);
    if (r == 0)
        r = crier_runs_init(&d->runs, d->memory.journal.mem, d->limits.replay_bytes);
    if (r < 0)
        return r;
    *stage = 2;
    r = init_queue(d, now);
    if (r < 0)
        return r;
    *stage = 3;
    return start_threads(d);
}

int crier_durable_open(const struct crier_mem *mem,
                       const struct crier_hash_key *hash_key,
                       unsigned epoch,
                       const struct crier_durable_options *options,
                       struct crier_now now,
                       struct crier_journal **ret_journal,
                       struct crier_buf *fault)
{
    struct crier_durable *d = crier_mem_zalloc(mem, sizeof(*d));
    int r, stage = 0;

    if (!d)
        return -ENOMEM;
    d->memory.journal.mem = mem;
    d->limits = crier_journal_limits_filled(options->limits);
    d->sync = options->sync;
    d->sync_ms = options->sync_ms ? options->sync_ms : SYNC_MS;
    static const struct crier_rules none;
    struct crier_store_options store = {
        .dir = options->dir,
        .sync = options->sync,
        .max_file_bytes = options->max_file_bytes,
        .rules = options->rules ? options->rules : &none,
        .limits = &d->limits,
        .hash_key = *hash_key,
        .epoch = epoch,
    };
    r = crier_store_open(mem, &store, now, &d->store, fault);
    if (r == 0)
        r = start(d, now, &stage);
    if (r < 0) {
        durable_deinit(d, stage);
        return r;
    }
    *ret_journal = &d->memory.journal;
    return 0;
}
