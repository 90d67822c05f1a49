/* SPDX-License-Identifier: MIT */
/* What is asked about the memory journal as a whole: which id stands for a position, which
 * topics there are, how much of everything. All under the mutex. */
#include "journal/memory.h"
#include <errno.h>

/* The id that stands for a position. Positions in the window and next to what is kept aside
 * have one that was really given. For one in between, whose event is gone, an older one is
 * answered: it leads to the same events, and may tell a gap in vain, never hide one. */
struct crier_id crier_memory_id(const struct crier_memory *memory, uint64_t number)
{
    if (number == 0)
        return memory->start;
    if (number >= atomic_load_explicit(&memory->end, memory_order_relaxed))
        return memory->last;
    if (number + 1 == memory->first)
        return memory->before_first;
    /* The window, and before it what some worker has not read yet. */
    const struct crier_stored *stored = crier_segments_at(&memory->segments, number);
    if (stored)
        return stored->id;
    const struct crier_segment *next = crier_segments_find(&memory->segments, number + 1);
    if (next)
        return next->before;
    struct crier_kept_event *kept = crier_kept_find(&memory->kept, number + 1);
    if (kept)
        return kept->before;
    kept = crier_kept_before(&memory->kept, number + 1);
    return kept ? crier_kept_stored(kept)->id : memory->start;
}

static struct crier_id id_of_event(const struct crier_memory *memory, uint64_t number)
{
    struct crier_held held = crier_memory_held(memory, number);
    return held.stored ? held.stored->id : (struct crier_id){0, 0};
}

static struct crier_topic_info topic_info(const struct crier_memory *memory,
                                          const struct crier_topic *topic)
{
    return (struct crier_topic_info){
        .name = crier_topic_name(topic),
        .events = crier_topic_events(topic),
        .bytes = topic->bytes,
        .first = id_of_event(memory, crier_topic_first(topic)),
        .last = id_of_event(memory, crier_topic_last(topic)),
    };
}

int crier_memory_topic(struct crier_journal *journal,
                       struct crier_slice name,
                       struct crier_wait *wait,
                       struct crier_topic_info *ret_info)
{
    struct crier_memory *memory = crier_memory_of(journal);

    crier_memory_lock(memory);
    const struct crier_topic *topic =
        crier_topics_find(&memory->topics, crier_journal_hash(journal, name), name);
    if (topic) {
        *ret_info = topic_info(memory, topic);
        ret_info->name = name;
    }
    crier_memory_unlock(memory);
    return topic ? 0 : -ENOENT;
}

int crier_memory_topics(struct crier_journal *journal,
                        struct crier_slice prefix,
                        struct crier_slice after,
                        size_t limit,
                        struct crier_wait *wait,
                        crier_topic_fn *fn,
                        void *ctx)
{
    struct crier_memory *memory = crier_memory_of(journal);

    crier_memory_lock(memory);
    struct crier_tree_node *node = crier_slice_cmp(after, prefix) >= 0 && after.len
                                       ? crier_tree_after(&memory->topics.tree, after)
                                       : crier_tree_at_least(&memory->topics.tree, prefix);
    for (; limit && node && crier_slice_starts(node->key, prefix);
         limit--, node = crier_tree_next(node)) {
        struct crier_topic_info info =
            topic_info(memory, CRIER_CONTAINER(node, struct crier_topic, tree));
        if (!fn(ctx, &info))
            break;
    }
    crier_memory_unlock(memory);
    return 0;
}

static uint64_t oldest_number(const struct crier_memory *memory)
{
    const struct crier_kept_event *kept = crier_kept_after(&memory->kept, 0);
    return kept ? kept->number : memory->first;
}

static uint64_t newest_number(const struct crier_memory *memory)
{
    for (uint64_t n = atomic_load_explicit(&memory->end, memory_order_relaxed);
         n >= memory->first; n--) {
        if (crier_memory_held(memory, n).stored)
            return n;
    }
    const struct crier_kept_event *kept = crier_kept_before(&memory->kept, memory->first);
    return kept ? kept->number : 0;
}

void crier_memory_stats(struct crier_journal *journal, struct crier_journal_stats *ret_stats)
{
    struct crier_memory *memory = crier_memory_of(journal);

    crier_memory_lock(memory);
    *ret_stats = (struct crier_journal_stats){
        .events = memory->events + crier_kept_events(&memory->kept),
        .bytes = memory->bytes + memory->kept.bytes,
        .topics = memory->topics.tree.count,
        .kept_events = crier_kept_events(&memory->kept),
        .kept_bytes = memory->kept.bytes,
        .appended = memory->appended,
        .duplicates = memory->duplicates,
        .evicted = memory->evicted,
        .expired = memory->expired,
        .forgotten = memory->forgotten,
        .full = memory->full,
        .lapped = memory->lapped,
        .kept_dropped = memory->kept_dropped,
        .keys_dropped = memory->keys.dropped,
        .keys_expired = memory->keys.expired,
        .floors_dropped = memory->floors.dropped,
        .keys = memory->keys.map.count,
        .floors = memory->floors.map.count,
        .held_bytes = memory->segments.held_bytes,
    };
    if (ret_stats->events) {
        ret_stats->first = id_of_event(memory, oldest_number(memory));
        ret_stats->last = id_of_event(memory, newest_number(memory));
    }
    crier_memory_unlock(memory);
}
