/* SPDX-License-Identifier: MIT */
/*
 * The topic table.
 *
 *     numbers |  gone  | 17  40  41*  58  90 |  room  |        * dead
 *             0       head                head + len  cap
 *
 * A resume of a topic is a binary search in its list and a walk: its cost is that of the events
 * found, however large history is. Events leave from the front (evicted in order) at no cost;
 * one that leaves from the middle (its ttl is over) is only marked, and the list is put
 * together again when half of it is dead, so that leaving is cheap in any order.
 *
 * Invariants: numbers ascend; the first and the last entry are alive; a topic that holds
 * nothing is not in the table (except between reserve and push); dead <= len / 2 or few.
 *
 * What can fail: crier_topics_reserve, before anything changed.
 */
#include "journal/topics.h"
#include "base/list.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum { FEW = 2, SLACK = 8 };

void crier_topics_init(struct crier_topics *topics, const struct crier_mem *mem)
{
    topics->mem = mem;
    crier_map_init(&topics->map, mem);
    topics->tree = (struct crier_tree){0};
}

static void topic_free(struct crier_topics *topics, struct crier_topic *topic)
{
    if (topic->numbers != topic->few)
        crier_mem_free(topics->mem, topic->numbers);
    crier_mem_free(topics->mem, topic);
}

void crier_topics_deinit(struct crier_topics *topics)
{
    while (topics->tree.root) {
        struct crier_topic *topic =
            CRIER_CONTAINER(topics->tree.root, struct crier_topic, tree);
        crier_tree_remove(&topics->tree, &topic->tree);
        crier_map_remove(&topics->map, &topic->node);
        topic_free(topics, topic);
    }
    crier_map_deinit(&topics->map);
}

struct crier_slice crier_topic_name(const struct crier_topic *topic)
{
    return (struct crier_slice){topic->name, topic->name_len};
}

struct crier_topic *
crier_topics_find(const struct crier_topics *topics, uint64_t hash, struct crier_slice name)
{
    for (struct crier_map_node *n = crier_map_first(&topics->map, hash); n;
         n = crier_map_next(n)) {
        struct crier_topic *topic = CRIER_CONTAINER(n, struct crier_topic, node);
        if (crier_slice_eq(crier_topic_name(topic), name))
            return topic;
    }
    return NULL;
}

static struct crier_topic *
topic_new(struct crier_topics *topics, uint64_t hash, struct crier_slice name)
{
    struct crier_topic *topic = crier_mem_zalloc(topics->mem, sizeof(*topic) + name.len);
    if (!topic)
        return NULL;
    topic->numbers = topic->few;
    topic->cap = FEW;
    topic->name_len = (uint32_t)name.len;
    memcpy(topic->name, name.data, name.len);
    if (crier_map_insert(&topics->map, &topic->node, hash) < 0)
        return crier_mem_free(topics->mem, topic);
    crier_tree_insert(&topics->tree, &topic->tree, crier_topic_name(topic), hash);
    return topic;
}

/* Moves the list to `cap` entries (never fewer than it has). 0, -ENOMEM. */
static int set_cap(struct crier_topics *topics, struct crier_topic *topic, uint32_t cap)
{
    assert(cap >= topic->len);
    uint64_t *numbers = topic->few;
    if (cap > FEW) {
        numbers = crier_mem_alloc(topics->mem, cap * sizeof(numbers[0]));
        if (!numbers)
            return -ENOMEM;
    } else {
        cap = FEW;
    }
    memmove(numbers, topic->numbers + topic->head, topic->len * sizeof(numbers[0]));
    if (topic->numbers != topic->few)
        crier_mem_free(topics->mem, topic->numbers);
    topic->numbers = numbers;
    topic->head = 0;
    topic->cap = cap;
    return 0;
}

static int make_room(struct crier_topics *topics, struct crier_topic *topic)
{
    if (topic->head + topic->len < topic->cap)
        return 0;
    if (topic->head > 0 && topic->head >= topic->cap / 2) {
        memmove(topic->numbers, topic->numbers + topic->head,
                topic->len * sizeof(topic->numbers[0]));
        topic->head = 0;
        return 0;
    }
    return set_cap(topics, topic, topic->cap * 2);
}

int crier_topics_reserve(struct crier_topics *topics,
                         uint64_t hash,
                         struct crier_slice name,
                         struct crier_topic **ret_topic)
{
    struct crier_topic *topic = crier_topics_find(topics, hash, name);
    if (!topic)
        topic = topic_new(topics, hash, name);
    if (!topic)
        return -ENOMEM;
    int r = make_room(topics, topic);
    if (r < 0) {
        crier_topics_release(topics, topic);
        return r;
    }
    *ret_topic = topic;
    return 0;
}

void crier_topics_release(struct crier_topics *topics, struct crier_topic *topic)
{
    if (topic->len)
        return;
    crier_tree_remove(&topics->tree, &topic->tree);
    crier_map_remove(&topics->map, &topic->node);
    topic_free(topics, topic);
}

void crier_topic_push(struct crier_topic *topic, uint64_t number, uint64_t bytes)
{
    assert(topic->head + topic->len < topic->cap);
    assert(number > crier_topic_last(topic));
    topic->numbers[topic->head + topic->len++] = number;
    topic->bytes += bytes;
}

/* Puts the living together. */
static void compact(struct crier_topic *topic)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < topic->len; i++) {
        uint64_t number = topic->numbers[topic->head + i];
        if (!(number & CRIER_NUMBER_DEAD))
            topic->numbers[n++] = number;
    }
    topic->head = 0;
    topic->len = n;
    topic->dead = 0;
}

static void trim_ends(struct crier_topic *topic)
{
    while (topic->len && (topic->numbers[topic->head] & CRIER_NUMBER_DEAD)) {
        topic->head++;
        topic->len--;
        topic->dead--;
    }
    while (topic->len && (topic->numbers[topic->head + topic->len - 1] & CRIER_NUMBER_DEAD)) {
        topic->len--;
        topic->dead--;
    }
    if (!topic->len)
        topic->head = 0;
}

void crier_topic_kill(struct crier_topics *topics,
                      struct crier_topic *topic,
                      uint64_t number,
                      uint64_t bytes)
{
    size_t i = crier_topic_after(topic, number - 1);
    assert(i < topic->len && crier_topic_at(topic, i) == number);
    assert(topic->bytes >= bytes);

    topic->numbers[topic->head + i] |= CRIER_NUMBER_DEAD;
    topic->dead++;
    topic->bytes -= bytes;
    trim_ends(topic);
    if (topic->dead > topic->len / 2 && topic->dead > SLACK)
        compact(topic);
    if (topic->cap > SLACK && topic->len < topic->cap / 4) {
        int r = set_cap(topics, topic, topic->cap / 2);
        (void)r; /* it only stays larger than it need be */
    }
}

uint64_t crier_topic_events(const struct crier_topic *topic)
{
    return topic->len - topic->dead;
}

uint64_t crier_topic_first(const struct crier_topic *topic)
{
    return topic->len ? topic->numbers[topic->head] : 0;
}

uint64_t crier_topic_last(const struct crier_topic *topic)
{
    return topic->len ? topic->numbers[topic->head + topic->len - 1] : 0;
}

uint64_t crier_topic_at(const struct crier_topic *topic, size_t i)
{
    assert(i < topic->len);
    return topic->numbers[topic->head + i];
}

size_t crier_topic_after(const struct crier_topic *topic, uint64_t position)
{
    size_t low = 0, high = topic->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((crier_topic_at(topic, middle) & ~CRIER_NUMBER_DEAD) <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void crier_topic_check(const struct crier_topic *topic)
{
    uint32_t dead = 0;
    uint64_t last = 0;

    assert(topic->len > 0 && topic->head + topic->len <= topic->cap);
    for (size_t i = 0; i < topic->len; i++) {
        uint64_t number = crier_topic_at(topic, i);
        dead += (number & CRIER_NUMBER_DEAD) != 0;
        assert((number & ~CRIER_NUMBER_DEAD) > last);
        last = number & ~CRIER_NUMBER_DEAD;
    }
    assert(dead == topic->dead);
    assert(dead <= SLACK || dead <= topic->len / 2);
    assert(!(crier_topic_first(topic) & CRIER_NUMBER_DEAD));
    assert(!(crier_topic_last(topic) & CRIER_NUMBER_DEAD));
    (void)dead;
    (void)last;
}
