/* SPDX-License-Identifier: MIT */
/*
 * What has become of a transaction.
 *
 *     committed ─▶ the window takes what was put ─▶ what has left leaves it ─▶ wake-ups
 *     failed ────▶ keys of it are forgotten ─▶ results: full, out of memory, or unknown
 *                                    └──────────▶ parcels go back
 */
#include "base/mem.h"
#include "durable/writer.h"
#include <time.h>

void crier_writer_note_failed(struct crier_writer *w, const struct crier_draft *draft)
{
    w->failed = draft->batch;
    if (draft->failed)
        atomic_store_explicit(draft->failed, true, memory_order_relaxed);
}

/* ---- after it ---------------------------------------------------------------------------- */

/* It is committed: it must come into the window. Without memory, less of the window stays. */
static void take_one(struct crier_memory *memory, const struct crier_put *put)
{
    uint64_t max_bytes = memory->limits.max_bytes;

    while (crier_memory_take(memory, put->draft, put->id, put->now, put->expires_ms) < 0) {
        memory->limits.max_bytes /= 2;
        crier_memory_retain(memory);
        crier_memory_release(memory);
        crier_memory_unlock(memory);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        crier_memory_lock(memory);
    }
    memory->limits.max_bytes = max_bytes;
    crier_memory_retain(memory);
    crier_memory_release(memory);
}

/* A copy for those who ask for counters. */
static void refresh_totals(struct crier_writer *w)
{
    struct crier_durable *d = w->d;
    struct crier_id oldest = {0, 0}, newest = {0, 0};

    if (crier_store_ends(d->store, &oldest, &newest) < 0)
        oldest = newest = (struct crier_id){0, 0};
    crier_memory_lock(&d->memory);
    d->totals = *crier_store_totals(d->store);
    d->oldest = oldest;
    d->newest = newest;
    crier_memory_unlock(&d->memory);
}

static void count_commit(struct crier_writer *w, uint64_t took_us)
{
    struct crier_disk_stats *disk = &w->d->disk;

    disk->commits++;
    disk->committed += w->put_count;
    if (w->put_count > disk->largest_commit)
        disk->largest_commit = w->put_count;
    disk->commit_us += took_us;
    disk->last_commit_us = took_us;
    if (took_us > disk->slowest_commit_us)
        disk->slowest_commit_us = took_us;
}

void crier_writer_committed(struct crier_writer *w, uint64_t took_us)
{
    struct crier_durable *d = w->d;
    struct crier_memory *memory = &d->memory;

    crier_memory_lock(memory);
    uint64_t from = atomic_load_explicit(&memory->end, memory_order_relaxed);
    crier_floors_saved(&memory->floors);
    for (size_t i = 0; i < w->put_count; i++)
        take_one(memory, &w->puts[i]);
    crier_apply_leavings(d, &w->leavings);
    crier_memory_retain(memory);
    crier_memory_release(memory);
    crier_memory_wake(memory, from);
    count_commit(w, took_us);
    crier_memory_unlock(memory);
    if (w->forgets)
        crier_runs_forget(&d->runs);
    refresh_totals(w);
    w->unsynced = d->sync == CRIER_SYNC_INTERVAL;
}

static void forget_keys(struct crier_writer *w)
{
    struct crier_durable *d = w->d;

    crier_memory_lock(&d->memory);
    for (size_t i = 0; i < w->put_count; i++) {
        const struct crier_draft *draft = w->puts[i].draft;
        const struct crier_key *key =
            draft->key.len ? crier_keys_find(&d->memory.keys, draft->topics[0], draft->key)
                           : NULL;
        if (key && crier_id_cmp(key->id, w->puts[i].id) == 0)
            crier_keys_remove(&d->memory.keys, key->node.hash, key->number);
    }
    crier_memory_unlock(&d->memory);
}

/* What those hear whose transaction has failed. */
int crier_writer_result(int r)
{
    if (r == -ENOSPC || r == -ENOMEM || r == -E2BIG)
        return r;
    return CRIER_APPEND_UNKNOWN;
}

void crier_writer_fail_all(struct crier_writer *w, int result)
{
    for (struct crier_parcel *p = w->parcels; p; p = p->next) {
        for (size_t i = 0; !p->refused && i < p->count; i++) {
            p->drafts[i].result = result;
            crier_writer_note_failed(w, &p->drafts[i]);
        }
    }
}

void crier_writer_failed(struct crier_writer *w, int r)
{
    struct crier_durable *d = w->d;
    int result = crier_writer_result(r);

    forget_keys(w);
    crier_writer_fail_all(w, result);
    w->more = false; /* tried again with the next parcel, or the next trim */
    w->last = crier_store_totals(d->store)->last;
    if (result == -ENOSPC)
        atomic_store(&d->state, CRIER_JOURNAL_FULL);
    else if (result == CRIER_APPEND_UNKNOWN)
        atomic_store(&d->state, CRIER_JOURNAL_FAILED);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static void count_results(struct crier_writer *w)
{
    struct crier_durable *d = w->d;

    crier_memory_lock(&d->memory);
    for (const struct crier_parcel *p = w->parcels; p; p = p->next) {
        for (size_t i = 0; i < p->count; i++) {
            int result = p->drafts[i].result;
            d->disk.refused_full += result == -ENOSPC;
            d->disk.refused_failed += result == -EIO;
            d->disk.unknown += result == CRIER_APPEND_UNKNOWN;
            d->full += result == CRIER_APPEND_FULL || result == -ENOMEM;
        }
    }
    crier_memory_unlock(&d->memory);
}

void crier_writer_give_back(struct crier_writer *w)
{
    struct crier_parcel *p = w->parcels;

    count_results(w);
    w->parcels = NULL;
    while (p) {
        struct crier_parcel *next = p->next;
        atomic_fetch_sub(&w->d->pending_bytes, p->bytes);
        p->done(p);
        p = next;
    }
}
