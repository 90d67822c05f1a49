/* SPDX-License-Identifier: MIT */
/*
 * Watches: readers outside of any fan-out that sleep until an event they may want is appended.
 *
 *     awake --crier_memory_watch--> asleep, in one list --an event of interest--> awake, told
 *                  |                        |
 *                  '-- news: stays awake    '-- crier_memory_unwatch --> awake
 *
 * A watch holds nothing of history and never counts for retention. It is told once for each
 * sleep. What it learns when it wakes is up to where nothing was for it: `position`. So a
 * reader of a quiet topic does not look again at what others published meanwhile, nor is it
 * told of losses among that.
 *
 * A reader of one topic, as nearly all are, lies in the bucket of the topic's hash: an append
 * looks at those of its own topics, however many others sleep. The rest are asked one by one.
 *
 * Threads: going to sleep, waking and the look at the end are all under the mutex, so none can
 * miss another. `asleep` is atomic only so that its owner can ask without it; `position` is the
 * owner's while awake, and is stored before `asleep` is. An owner that goes away unwatches
 * first, awake or not: an appender may be about to tell it.
 */
#include "journal/watch.h"
#include "journal/memory.h"
#include <assert.h>

/* More than this to look through is news, without a look. */
enum { WATCH_LOOKS = 64 };

void crier_watches_init(struct crier_watches *watches)
{
    for (size_t i = 0; i < CRIER_WATCH_BUCKETS; i++)
        crier_list_init(&watches->buckets[i]);
    crier_list_init(&watches->rest);
    watches->count = 0;
}

static struct crier_list *bucket_of(struct crier_watches *watches, uint64_t hash)
{
    return &watches->buckets[hash % CRIER_WATCH_BUCKETS];
}

static bool
wants(const struct crier_watch *watch, const struct crier_segment *segment, uint32_t i)
{
    uint64_t hash = crier_segment_entry(segment, i)->topic;

    if (!watch->only)
        return crier_memory_interested(&watch->interest, segment, i);
    if (hash != CRIER_ENTRY_MANY)
        return hash == watch->only;
    const struct crier_stored *stored = crier_segment_at(segment, i);
    for (size_t t = 0; t < stored->topic_count; t++) {
        if (stored->topics[t].hash == watch->only)
            return true;
    }
    return false;
}

/* Is there an event for it after its position? */
static bool has_news(const struct crier_memory *memory, const struct crier_watch *watch)
{
    uint64_t end = atomic_load_explicit(&memory->end, memory_order_relaxed);
    const struct crier_segment *segment = NULL;

    if (watch->position >= end)
        return false;
    if (watch->position + 1 < memory->first || end - watch->position > WATCH_LOOKS)
        return true;
    for (uint64_t number = watch->position + 1; number <= end; number++) {
        if (!segment || number > crier_segment_last(segment))
            segment = crier_segments_find(&memory->segments, number);
        if (wants(watch, segment, (uint32_t)(number - segment->base)))
            return true;
    }
    return false;
}

bool crier_memory_watch(struct crier_journal *journal, struct crier_watch *watch)
{
    struct crier_memory *memory = crier_memory_of(journal);
    struct crier_watches *watches = &memory->watches;

    assert(!atomic_load(&watch->asleep));
    crier_memory_lock(memory);
    bool news = has_news(memory, watch);
    if (!news) {
        crier_list_push_back(watch->only ? bucket_of(watches, watch->only) : &watches->rest,
                             &watch->node);
        watches->count++;
        atomic_store_explicit(&watch->asleep, true, memory_order_relaxed);
    }
    crier_memory_unlock(memory);
    return !news;
}

static void leave(struct crier_watches *watches, struct crier_watch *watch, uint64_t position)
{
    crier_list_remove(&watch->node);
    watches->count--;
    watch->position = position;
    atomic_store_explicit(&watch->asleep, false, memory_order_release);
}

void crier_memory_unwatch(struct crier_journal *journal, struct crier_watch *watch)
{
    struct crier_memory *memory = crier_memory_of(journal);

    crier_memory_lock(memory);
    if (atomic_load_explicit(&watch->asleep, memory_order_relaxed))
        leave(&memory->watches, watch, atomic_load(&memory->end));
    crier_memory_unlock(memory);
}

static void rouse(struct crier_watches *watches, struct crier_watch *watch, uint64_t from)
{
    /* In this order: who is told finds itself awake, however late this thread goes on. */
    leave(watches, watch, from);
    watch->wake(watch->wake_ctx);
}

static void rouse_topic(struct crier_watches *watches, uint64_t hash, uint64_t from)
{
    crier_list_for_each_safe (node, bucket_of(watches, hash)) {
        struct crier_watch *watch = CRIER_CONTAINER(node, struct crier_watch, node);
        if (watch->only == hash)
            rouse(watches, watch, from);
    }
}

void crier_memory_rouse(struct crier_memory *memory)
{
    uint64_t end = atomic_load_explicit(&memory->end, memory_order_relaxed);
    struct crier_watches *watches = &memory->watches;
    const struct crier_segment *segment = crier_segments_tail(&memory->segments);
    uint32_t i = (uint32_t)(end - segment->base);

    if (!watches->count)
        return;
    crier_list_for_each_safe (node, &watches->rest) {
        struct crier_watch *watch = CRIER_CONTAINER(node, struct crier_watch, node);
        if (wants(watch, segment, i))
            rouse(watches, watch, end - 1);
    }
    const struct crier_stored *stored = crier_segment_at(segment, i);
    for (size_t t = 0; t < stored->topic_count; t++)
        rouse_topic(watches, stored->topics[t].hash, end - 1);
}

void crier_watches_check(const struct crier_watches *watches, uint64_t end)
{
    size_t count = 0;

    for (size_t i = 0; i <= CRIER_WATCH_BUCKETS; i++) {
        const struct crier_list *list =
            i < CRIER_WATCH_BUCKETS ? &watches->buckets[i] : &watches->rest;
        crier_list_for_each (node, list) {
            const struct crier_watch *watch = CRIER_CONTAINER(node, struct crier_watch, node);
            assert(atomic_load(&watch->asleep) && watch->position <= end);
            assert(watch->only ? watch->only % CRIER_WATCH_BUCKETS == i
                               : list == &watches->rest);
            (void)watch;
            count++;
        }
    }
    assert(count == watches->count);
    (void)count;
    (void)end;
}
