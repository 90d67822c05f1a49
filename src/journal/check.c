/* SPDX-License-Identifier: MIT */
/*
 * The memory journal's invariants, asserted. Slow: everything is counted again.
 *
 *  (1) segments are linked in order and their numbers dense, up to end
 *  (2) first <= end + 1; the event at first is alive; before_first is the id of event first - 1
 *  (3) ids grow with the numbers, all of this epoch; boot times never go back
 *  (4) the counters are the sums over what is alive; the limits hold
 *  (5) a (living event, living topic) pair is in the topic's list, and nothing else is
 *  (6) what is kept aside is the newest and only event of each topic it is alive in
 *  (7) a key belongs to an event that is held
 *  (8) a segment has a reference for the list and for each cursor in it
 */
#include "journal/memory.h"
#include <assert.h>

#ifndef NDEBUG

struct sums {
    uint64_t events, bytes, pairs, with_ttl;
    struct crier_id last;
    uint64_t last_boot_ms;
};

static void
check_event(const struct crier_memory *memory, struct crier_held held, struct sums *sums)
{
    const struct crier_stored *stored = held.stored;
    unsigned alive = crier_stored_alive(stored);

    assert(stored->id.seq / CRIER_EPOCH_IDS == memory->epoch);
    assert(crier_id_cmp(stored->id, sums->last) > 0);
    assert(stored->boot_ms >= sums->last_boot_ms && stored->boot_ms <= memory->boot_ms);
    sums->last = stored->id;
    sums->last_boot_ms = stored->boot_ms;
    if (!alive)
        return;
    sums->events++;
    sums->bytes += stored->sse_len;
    sums->with_ttl += stored->expires_ms != 0;
    for (size_t i = 0; i < stored->topic_count; i++) {
        if (!(alive >> i & 1))
            continue;
        const struct crier_topic *topic = crier_topics_find(
            &memory->topics, stored->topics[i].hash, crier_stored_topic(stored, i));
        assert(topic);
        size_t at = crier_topic_after(topic, held.number - 1);
        assert(at < topic->len && crier_topic_at(topic, at) == held.number);
        assert(!held.kept || topic->len == 1);
        sums->pairs++;
    }
}

static void check_events(const struct crier_memory *memory, uint64_t end, struct sums *sums)
{
    for (struct crier_kept_event *k = crier_kept_after(&memory->kept, 0); k;
         k = crier_kept_after(&memory->kept, k->number)) {
        struct crier_held held = {k->number, crier_kept_stored(k), k};
        assert(crier_id_cmp(k->before, held.stored->id) < 0);
        assert(crier_id_cmp(k->before, sums->last) >= 0);
        check_event(memory, held, sums);
    }
    assert(sums->events == crier_kept_events(&memory->kept) &&
           sums->bytes == memory->kept.bytes);
    assert(crier_id_cmp(memory->before_first, sums->last) >= 0);
    for (uint64_t n = memory->first; n <= end; n++)
        check_event(memory,
                    (struct crier_held){n, crier_segments_at(&memory->segments, n), NULL},
                    sums);
    assert(sums->events == memory->events + crier_kept_events(&memory->kept));
    assert(sums->bytes == memory->bytes + memory->kept.bytes);
    assert(sums->with_ttl == memory->deadlines.live);
    if (end)
        assert(crier_id_cmp(memory->last, sums->last) >= 0);
}

static void check_topics(const struct crier_memory *memory, uint64_t pairs)
{
    uint64_t living = 0;
    size_t count = 0;

    crier_tree_check(&memory->topics.tree);
    for (struct crier_tree_node *n =
             crier_tree_at_least(&memory->topics.tree, (struct crier_slice){NULL, 0});
         n; n = crier_tree_next(n)) {
        const struct crier_topic *topic = CRIER_CONTAINER(n, struct crier_topic, tree);
        uint64_t bytes = 0;
        crier_topic_check(topic);
        for (size_t i = 0; i < topic->len; i++) {
            uint64_t number = crier_topic_at(topic, i);
            if (!(number & CRIER_NUMBER_DEAD))
                bytes += crier_memory_held(memory, number).stored->sse_len;
        }
        assert(bytes == topic->bytes);
        living += crier_topic_events(topic);
        count++;
    }
    assert(living == pairs);
    assert(count == memory->topics.tree.count && count == memory->topics.map.count);
}

static void check_limits(const struct crier_memory *memory, uint64_t end)
{
    assert(memory->first >= 1 && memory->first <= end + 1);
    assert(memory->events <= memory->limits.max_events &&
           memory->bytes <= memory->limits.max_bytes);
    assert(memory->kept.cost <= memory->limits.kept_bytes);
    if (memory->first > 1 && crier_segments_at(&memory->segments, memory->first - 1)) {
        const struct crier_stored *before =
            crier_segments_at(&memory->segments, memory->first - 1);
        assert(crier_id_cmp(before->id, memory->before_first) == 0);
        (void)before;
    }
}

static void check_keys(const struct crier_memory *memory)
{
    crier_keys_check(&memory->keys);
    crier_list_for_each (node, &memory->keys.order) {
        const struct crier_key *key = CRIER_CONTAINER(node, struct crier_key, order);
        if (memory->backed)
            continue; /* their events may lie below */
        struct crier_held held = crier_memory_held(memory, key->number);
        assert(held.stored && held.stored->key == key->node.hash);
        assert(crier_id_cmp(held.stored->id, key->id) == 0);
    }
}

static void check_cursors(const struct crier_memory *memory, uint64_t end)
{
    for (const struct crier_cursor *c = memory->cursors; c; c = c->next_cursor) {
        uint32_t here = 0;
        for (const struct crier_cursor *o = memory->cursors; o; o = o->next_cursor)
            here += o->segment == c->segment;
        bool linked = false;
        for (size_t i = 0; i < memory->segments.count; i++)
            linked = linked || crier_segments_get(&memory->segments, i) == c->segment;
        assert(c->segment->refs >= here + linked);
        uint64_t position = atomic_load(&c->position);
        assert(position <= end);
        /* What a cursor has not read is there, unless it was lapped. */
        assert(c->lapped || position == end ||
               crier_segments_at(&memory->segments, position + 1));
        (void)position;
    }
}

void crier_memory_check(struct crier_journal *journal)
{
    struct crier_memory *memory = crier_memory_of(journal);
    struct sums sums = {.last = {0, 0}};

    crier_memory_lock(memory);
    uint64_t end = atomic_load(&memory->end);
    crier_segments_check(&memory->segments, end);
    crier_kept_check(&memory->kept, memory->first);
    crier_floors_check(&memory->floors, end);
    crier_deadlines_check(&memory->deadlines);
    check_limits(memory, end);
    check_events(memory, end, &sums);
    check_topics(memory, sums.pairs);
    check_keys(memory);
    check_cursors(memory, end);
    crier_watches_check(&memory->watches, end);
    crier_memory_unlock(memory);
}

#else

void crier_memory_check(struct crier_journal *journal)
{
    (void)journal; /* there are no assertions in this build */
}

#endif
