/* SPDX-License-Identifier: MIT */
/*
 * Cursors: the workers' places at the live end.
 *
 *     segment --next--> segment --next--> segment (last)
 *        ^ cursor: holds one reference, reads index .. count without the mutex
 *
 * Reading takes no lock: `count` (acquire) says how many events of the segment are complete.
 * Only crossing into the next segment takes the mutex, to hand over the reference. `next` is
 * looked at before `count` is believed to be final.
 *
 * Sleep. The worker stores `asleep` and then looks at the journal's `end` once more; the
 * appender stores `end` and then looks at `asleep`. All four are sequentially consistent, so at
 * least one of the two sees the other: either the worker does not sleep, or it is woken.
 * (Release and acquire alone let both miss each other.) Whoever exchanges `asleep` from true to
 * false sends the wake-up, so there is one for each sleep.
 *
 * Threads. A cursor's plain fields are its worker's; `segment`, `lapped` and the list only
 * change under the mutex, so an appender may look at them there.
 */
#include "journal/memory.h"
#include <assert.h>

int crier_memory_attach(struct crier_journal *journal, struct crier_cursor *cursor)
{
    struct crier_memory *memory = crier_memory_of(journal);

    crier_memory_lock(memory);
    cursor->journal = journal;
    cursor->segment = crier_segments_tail(&memory->segments);
    crier_segment_ref(cursor->segment);
    cursor->index = atomic_load_explicit(&cursor->segment->count, memory_order_relaxed);
    cursor->lapped_at = 0;
    cursor->lapped = false;
    atomic_store(&cursor->position, atomic_load(&memory->end));
    atomic_store(&cursor->asleep, false);
    atomic_store(&cursor->moved_ms, memory->boot_ms);
    cursor->next_cursor = memory->cursors;
    memory->cursors = cursor;
    crier_memory_unlock(memory);
    return 0;
}

void crier_memory_detach(struct crier_journal *journal, struct crier_cursor *cursor)
{
    struct crier_memory *memory = crier_memory_of(journal);

    crier_memory_lock(memory);
    struct crier_cursor **link = &memory->cursors;
    while (*link != cursor) {
        assert(*link);
        link = &(*link)->next_cursor;
    }
    *link = cursor->next_cursor;
    crier_segment_unref(&memory->segments, cursor->segment);
    cursor->segment = NULL;
    cursor->journal = NULL;
    crier_memory_release(memory);
    crier_memory_unlock(memory);
}

/* The segment is read to its end and another follows. 0, CRIER_CURSOR_LAPPED. */
static int cross(struct crier_memory *memory, struct crier_cursor *cursor)
{
    struct crier_segment *old = cursor->segment;
    bool lapped;

    crier_memory_lock(memory);
    lapped = cursor->lapped;
    if (lapped) {
        /* What followed may be gone: on to the end, the hub tells its streams where from. */
        cursor->lapped = false;
        cursor->lapped_at = atomic_load_explicit(&cursor->position, memory_order_relaxed);
        cursor->segment = crier_segments_tail(&memory->segments);
        cursor->index = atomic_load_explicit(&cursor->segment->count, memory_order_relaxed);
        atomic_store_explicit(&cursor->position, atomic_load(&memory->end),
                              memory_order_release);
    } else {
        /* Found by number, not by `next`: an empty segment in between may have been freed. */
        cursor->segment = crier_segments_find(
            &memory->segments,
            atomic_load_explicit(&cursor->position, memory_order_relaxed) + 1);
        if (!cursor->segment)
            cursor->segment = crier_segments_tail(&memory->segments);
        cursor->index = 0;
    }
    crier_segment_ref(cursor->segment);
    crier_segment_unref(&memory->segments, old);
    crier_memory_unlock(memory);
    return lapped ? CRIER_CURSOR_LAPPED : 0;
}

static bool entry_wanted(const struct crier_segment *segment,
                         uint32_t i,
                         bool (*wanted)(void *, uint64_t),
                         void *ctx)
{
    uint64_t hash = crier_segment_entry(segment, i)->topic;

    if (!wanted)
        return true;
    if (hash != CRIER_ENTRY_MANY)
        return wanted(ctx, hash);
    const struct crier_stored *stored = crier_segment_at(segment, i);
    for (size_t t = 0; t < stored->topic_count; t++) {
        if (wanted(ctx, stored->topics[t].hash))
            return true;
    }
    return false;
}

/* What was published is delivered live, whatever became of it since: a DELETE or a short ttl
 * takes an event out of history, not away from those who follow. */
int crier_memory_next(struct crier_cursor *cursor,
                      struct crier_record *ret_record,
                      bool (*wanted)(void *, uint64_t),
                      void *ctx)
{
    for (;;) {
        const struct crier_segment *segment = cursor->segment;
        bool last = !atomic_load_explicit(&segment->next, memory_order_acquire);
        uint32_t count = atomic_load_explicit(&segment->count, memory_order_acquire);

        while (cursor->index < count) {
            uint32_t i = cursor->index++;
            atomic_store_explicit(&cursor->position, segment->base + i, memory_order_release);
            if (!entry_wanted(segment, i, wanted, ctx))
                continue;
            const struct crier_stored *stored = crier_segment_at(segment, i);
            crier_stored_view(stored, segment->base + i, (1u << stored->topic_count) - 1,
                              ret_record);
            return 0;
        }
        if (last)
            return CRIER_CURSOR_END;
        int r = cross(crier_memory_of(cursor->journal), cursor);
        if (r)
            return r;
    }
}

bool crier_memory_sleep(struct crier_cursor *cursor)
{
    struct crier_memory *memory = crier_memory_of(cursor->journal);

    atomic_store(&cursor->asleep, true);
    if (atomic_load(&memory->end) ==
        atomic_load_explicit(&cursor->position, memory_order_relaxed))
        return true;
    atomic_store(&cursor->asleep, false);
    return false;
}

void crier_memory_awake(struct crier_cursor *cursor, struct crier_now now)
{
    atomic_store_explicit(&cursor->moved_ms, now.boot_ms, memory_order_relaxed);
    atomic_store(&cursor->asleep, false);
}

/* ---- waking -------------------------------------------------------------- */

bool crier_memory_interested(const struct crier_interest *interest,
                             const struct crier_segment *segment,
                             uint32_t i)
{
    uint64_t hash = crier_segment_entry(segment, i)->topic;

    if (hash != CRIER_ENTRY_MANY)
        return crier_interest_has(interest, hash);
    const struct crier_stored *stored = crier_segment_at(segment, i);
    for (size_t t = 0; t < stored->topic_count; t++) {
        if (crier_interest_has(interest, stored->topics[t].hash))
            return true;
    }
    return false;
}

/* Has it CRIER_WAKE_BEHIND of stored bytes to read? */
static bool far_behind(const struct crier_memory *memory, const struct crier_cursor *cursor)
{
    const struct crier_segment *segment = cursor->segment,
                               *tail = crier_segments_tail(&memory->segments);
    uint64_t index =
        atomic_load_explicit(&cursor->position, memory_order_acquire) + 1 - segment->base;
    uint32_t count = atomic_load_explicit(&segment->count, memory_order_relaxed);
    uint64_t read =
        index < count ? crier_segment_entry(segment, (uint32_t)index)->offset : segment->used;

    return tail->bytes_before + tail->used - segment->bytes_before - read >= CRIER_WAKE_BEHIND;
}

static bool
has_news(const struct crier_memory *memory, const struct crier_cursor *cursor, uint64_t from)
{
    uint64_t end = atomic_load_explicit(&memory->end, memory_order_relaxed);
    uint64_t position = atomic_load_explicit(&cursor->position, memory_order_acquire);
    const struct crier_segment *segment = NULL;

    if (cursor->lapped)
        return true;
    /* What it has not read is still linked. (It may have read some: asleep is set for a moment
     * by a worker that then finds news itself.) */
    for (uint64_t number = (from > position ? from : position) + 1; number <= end; number++) {
        if (!segment || number > crier_segment_last(segment))
            segment = crier_segments_find(&memory->segments, number);
        if (crier_memory_interested(&cursor->interest, segment,
                                    (uint32_t)(number - segment->base)))
            return true;
    }
    return far_behind(memory, cursor);
}

void crier_memory_wake(struct crier_memory *memory, uint64_t from)
{
    for (struct crier_cursor *c = memory->cursors; c; c = c->next_cursor) {
        if (!atomic_load(&c->asleep) || !has_news(memory, c, from) ||
            !atomic_exchange(&c->asleep, false))
            continue;
        /* It may have slept for long: it is given its time from now. */
        atomic_store_explicit(&c->moved_ms, memory->boot_ms, memory_order_relaxed);
        if (c->wake)
            c->wake(c->wake_ctx);
    }
}
