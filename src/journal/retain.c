/* SPDX-License-Identifier: MIT */
/*
 * What leaves history.
 *
 *     window --(events, bytes)--> newest of its topic? --yes--> kept aside
 *       |                               | no                       | (bound; a newer event)
 *       |                               v                          v
 *       +--(age; DELETE)----------> floor noted <------------------+
 *       +--(its own ttl)----------> nothing to note
 *
 * An event leaves topic by topic: it may be the newest of one and old in another. When it has
 * left its last topic it is gone: no longer counted, and its key is free again. The bytes stay
 * where they are until every worker has read the segment they lie in.
 *
 * Age is a bound for everything: what is older than max_age_ms is not kept aside either.
 *
 * Physical memory. A segment wholly before the window is *stale*. It is dropped from the list
 * as soon as no cursor has anything to read in it. A cursor that stands in the way, awake, and
 * has not moved for lap_ms is lapped: it no longer counts, and learns so when it comes to the
 * end of the segment it holds (which is its own until then: it may be reading it this moment).
 * A sleeping cursor is never lapped: it is woken before it is CRIER_WAKE_BEHIND behind, so what
 * it holds is little, and from then on it counts as awake.
 *
 * Nothing here can fail: without memory to keep an event aside, it leaves.
 */
#include "journal/memory.h"
#include <assert.h>

/* ---- one event ----------------------------------------------------------- */

/* It has left its last topic. */
static void gone(struct crier_memory *memory, struct crier_held held, enum crier_leaving why)
{
    memory->evicted += why == CRIER_LEAVING_EVICTED;
    memory->expired += why == CRIER_LEAVING_EXPIRED;
    memory->forgotten += why == CRIER_LEAVING_FORGOTTEN;
    if (held.stored->key)
        crier_keys_remove(&memory->keys, held.stored->key, held.number);
    if (held.stored->expires_ms)
        memory->deadlines.live--;
    if (held.kept) {
        crier_kept_remove(&memory->kept, held.kept);
        return;
    }
    memory->events--;
    memory->bytes -= held.stored->sse_len;
}

/* Takes the event out of the lists of the topics in mask, and notes their floors. */
static void leave_topics(struct crier_memory *memory,
                         struct crier_held held,
                         unsigned mask,
                         enum crier_leaving why)
{
    const struct crier_stored *stored = held.stored;

    for (size_t i = 0; i < stored->topic_count; i++) {
        if (!(mask >> i & 1))
            continue;
        struct crier_slice name = crier_stored_topic(stored, i);
        uint64_t hash = stored->topics[i].hash;
        if (why == CRIER_LEAVING_EVICTED || why == CRIER_LEAVING_FORGOTTEN)
            crier_floors_raise(&memory->floors, hash, name, held.number, stored->id);
        struct crier_topic *topic = crier_topics_find(&memory->topics, hash, name);
        assert(topic);
        crier_topic_kill(&memory->topics, topic, held.number, stored->sse_len);
        crier_topics_release(&memory->topics, topic);
    }
}

void crier_memory_drop(struct crier_memory *memory,
                       struct crier_held held,
                       unsigned mask,
                       enum crier_leaving why)
{
    unsigned alive = crier_stored_alive(held.stored);

    assert((alive & mask) == mask && mask);
    leave_topics(memory, held, mask, why);
    /* After the floors: a reader without the mutex that sees the bit gone sees the loss
     * counted. */
    atomic_store_explicit(&held.stored->alive, (uint8_t)(alive & ~mask), memory_order_release);
    if (alive == mask)
        gone(memory, held, why);
}

/* ---- the window ---------------------------------------------------------- */

/* Of which of its topics is it the newest event? */
static unsigned newest_of(const struct crier_memory *memory,
                          uint64_t number,
                          const struct crier_stored *stored,
                          unsigned alive)
{
    unsigned mask = 0;
    for (size_t i = 0; i < stored->topic_count; i++) {
        if (!(alive >> i & 1))
            continue;
        const struct crier_topic *topic = crier_topics_find(
            &memory->topics, stored->topics[i].hash, crier_stored_topic(stored, i));
        if (crier_topic_last(topic) == number)
            mask |= 1u << i;
    }
    return mask;
}

/* Keeps the event aside for the topics it is the newest of; answers which. */
static unsigned keep_aside(struct crier_memory *memory,
                           uint64_t number,
                           const struct crier_stored *stored,
                           unsigned alive)
{
    unsigned mask = newest_of(memory, number, stored, alive);

    if (!mask)
        return 0;
    if (crier_kept_cost(stored) > memory->limits.kept_bytes) {
        memory->kept_dropped++;
        return 0;
    }
    if (crier_kept_add(&memory->kept, number, memory->before_first, stored, mask) < 0)
        return 0;
    memory->events--;
    memory->bytes -= stored->sse_len;
    return mask;
}

/* The window's oldest event leaves it. Its alive bits stay set: a reader that is in the segment
 * this moment may still take it. */
static void evict(struct crier_memory *memory, bool aged)
{
    uint64_t number = memory->first;
    struct crier_held held = {number, crier_segments_at(&memory->segments, number), NULL};
    unsigned alive = crier_stored_alive(held.stored);
    enum crier_leaving why = memory->backed ? CRIER_LEAVING_MEMORY : CRIER_LEAVING_EVICTED;
    unsigned kept = 0;

    if (alive && !aged && !memory->backed)
        kept = keep_aside(memory, number, held.stored, alive);
    if (alive & ~kept)
        leave_topics(memory, held, alive & ~kept, why);
    if (alive && !kept)
        gone(memory, held, why);
    memory->first++;
    memory->before_first = held.stored->id;
}

static bool too_old(const struct crier_memory *memory, const struct crier_stored *stored)
{
    if (memory->backed)
        return false; /* its disk lets it age */
    return memory->boot_ms - stored->boot_ms >= memory->limits.max_age_ms;
}

static bool held_number(void *ctx, uint64_t number)
{
    return crier_memory_held(ctx, number).stored != NULL;
}

static void expire(struct crier_memory *memory)
{
    struct crier_deadline due;

    while (crier_deadlines_take(&memory->deadlines, memory->boot_ms, &due)) {
        struct crier_held held = crier_memory_held(memory, due.number);
        if (held.stored)
            crier_memory_drop(memory, held, crier_stored_alive(held.stored),
                              CRIER_LEAVING_EXPIRED);
    }
    crier_deadlines_sweep(&memory->deadlines, held_number, memory);
}

static void retain_window(struct crier_memory *memory)
{
    uint64_t end = atomic_load_explicit(&memory->end, memory_order_relaxed);

    while (memory->first <= end) {
        const struct crier_stored *stored = crier_segments_at(&memory->segments, memory->first);
        bool aged = too_old(memory, stored);
        bool over = memory->events > memory->limits.max_events ||
                    memory->bytes > memory->limits.max_bytes;
        if (!aged && !over && crier_stored_alive(stored))
            break; /* dead ones at its start leave the window at once */
        evict(memory, aged);
    }
}

static void retain_kept(struct crier_memory *memory)
{
    for (struct crier_kept_event *event;
         (event = crier_kept_after(&memory->kept, 0)) != NULL;) {
        struct crier_held held = {event->number, crier_kept_stored(event), event};
        bool aged = too_old(memory, held.stored);
        if (memory->kept.cost <= memory->limits.kept_bytes && !aged)
            return;
        memory->kept_dropped += !aged;
        crier_memory_drop(memory, held, crier_stored_alive(held.stored), CRIER_LEAVING_EVICTED);
    }
}

void crier_memory_retain(struct crier_memory *memory)
{
    expire(memory);
    retain_window(memory);
    retain_kept(memory);
    crier_keys_expire(&memory->keys, memory->boot_ms, memory->limits.key_age_ms);
    crier_segments_age(&memory->segments, memory->first);
}

void crier_memory_forget(struct crier_memory *memory,
                         struct crier_slice name,
                         enum crier_leaving why)
{
    uint64_t hash = crier_journal_hash(&memory->journal, name);
    struct crier_topic *topic;

    /* From the front, where leaving costs nothing; the last one frees the topic. */
    while ((topic = crier_topics_find(&memory->topics, hash, name)) != NULL) {
        struct crier_held held = crier_memory_held(memory, crier_topic_first(topic));
        for (size_t i = 0; i < held.stored->topic_count; i++) {
            if (crier_slice_eq(crier_stored_topic(held.stored, i), name)) {
                crier_memory_drop(memory, held, 1u << i, why);
                break;
            }
        }
    }
}

/* ---- physical memory ----------------------------------------------------- */

/* Has the cursor something to read in this segment, and is it still counted? */
static bool in_the_way(struct crier_memory *memory,
                       struct crier_cursor *cursor,
                       const struct crier_segment *segment)
{
    if (cursor->lapped || atomic_load_explicit(&cursor->position, memory_order_acquire) >=
                              crier_segment_last(segment))
        return false;
    uint64_t moved = atomic_load_explicit(&cursor->moved_ms, memory_order_relaxed);
    if (atomic_load(&cursor->asleep) || memory->boot_ms < moved ||
        memory->boot_ms - moved <= memory->limits.lap_ms)
        return true;
    cursor->lapped = true;
    memory->lapped++;
    return false;
}

void crier_memory_release(struct crier_memory *memory)
{
    while (memory->segments.stale > 0) {
        const struct crier_segment *oldest = crier_segments_get(&memory->segments, 0);
        for (struct crier_cursor *c = memory->cursors; c; c = c->next_cursor) {
            if (in_the_way(memory, c, oldest))
                return;
        }
        crier_segments_drop(&memory->segments);
    }
}
