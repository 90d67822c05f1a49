/* SPDX-License-Identifier: MIT */
/*
 * Presence: one entry for each distinct set of selectors, whatever types, form or framing its
 * streams have; found by the subscription's selectors_key. Entries hang in a router of their
 * own, which answers "who follows this topic", and every named topic in a tree, for listings in
 * order.
 *
 * Threads: the mutex covers all but an entry's count. A count goes up only under the mutex; it
 * goes down without it unless it may reach zero, so an entry that is looked up under the mutex
 * cannot vanish. What can fail: memory, in join (undone) and in the router's answer (then
 * entries are walked).
 */
#include "server/presence.h"
#include "base/mem.h"
#include "base/tree.h"
#include "hub/router.h"
#include "hub/topic.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct crier_presence {
    const struct crier_mem *mem;
    struct crier_journal *journal;
    pthread_mutex_t mutex;
    struct crier_map entries; /* by selectors_key */
    struct crier_router *router;
    struct crier_tree topics; /* struct topic */
};

struct crier_presence_entry {
    struct crier_map_node node;
    struct crier_subscription *subscription; /* its selectors only */
    struct crier_route route;
    _Atomic uint64_t streams;
};

struct topic {
    struct crier_tree_node node;
    uint64_t entries; /* that name it */
    char name[];
};

int crier_presence_new(const struct crier_mem *mem,
                       struct crier_journal *journal,
                       struct crier_presence **ret)
{
    struct crier_presence *presence = crier_mem_zalloc(mem, sizeof(*presence));
    if (!presence)
        return -ENOMEM;
    presence->mem = mem;
    presence->journal = journal;
    crier_map_init(&presence->entries, mem);
    int r = crier_router_new(mem, journal, &presence->router);
    if (r == 0 && pthread_mutex_init(&presence->mutex, NULL) != 0) {
        presence->router = crier_router_free(presence->router);
        r = -ENOMEM;
    }
    if (r < 0) {
        crier_mem_free(mem, presence);
        return r;
    }
    *ret = presence;
    return 0;
}

struct crier_presence *crier_presence_free(struct crier_presence *presence)
{
    if (!presence)
        return NULL;
    assert(presence->entries.count == 0 && presence->topics.count == 0);
    crier_map_deinit(&presence->entries);
    crier_router_free(presence->router);
    pthread_mutex_destroy(&presence->mutex);
    return crier_mem_free(presence->mem, presence);
}

/* ---- named topics ----------------------------------------------------------------------- */

static void drop_topic(struct crier_presence *presence, struct crier_slice name)
{
    struct crier_tree_node *node = crier_tree_find(&presence->topics, name);
    assert(node);
    struct topic *topic = CRIER_CONTAINER(node, struct topic, node);

    if (--topic->entries > 0)
        return;
    crier_tree_remove(&presence->topics, node);
    crier_mem_free(presence->mem, topic);
}

static int add_topic(struct crier_presence *presence, struct crier_slice name, uint64_t hash)
{
    struct crier_tree_node *node = crier_tree_find(&presence->topics, name);
    if (node) {
        CRIER_CONTAINER(node, struct topic, node)->entries++;
        return 0;
    }
    struct topic *topic = crier_mem_zalloc(presence->mem, sizeof(*topic) + name.len);
    if (!topic)
        return -ENOMEM;
    topic->entries = 1;
    memcpy(topic->name, name.data, name.len);
    crier_tree_insert(&presence->topics, &topic->node,
                      (struct crier_slice){topic->name, name.len}, hash);
    return 0;
}

static void
drop_topics(struct crier_presence *presence, const struct crier_filter *filter, size_t count)
{
    for (size_t i = 0; i < count; i++)
        drop_topic(presence, filter->topics[i]);
}

static int add_topics(struct crier_presence *presence, const struct crier_filter *filter)
{
    for (size_t i = 0; i < filter->topic_count; i++) {
        int r = add_topic(presence, filter->topics[i], filter->topic_hashes[i]);
        if (r < 0) {
            drop_topics(presence, filter, i);
            return r;
        }
    }
    return 0;
}

/* ---- entries ---------------------------------------------------------------------------- */

static struct crier_presence_entry *find_entry(struct crier_presence *presence,
                                               const struct crier_subscription *subscription,
                                               uint64_t hash)
{
    for (struct crier_map_node *n = crier_map_first(&presence->entries, hash); n;
         n = crier_map_next(n)) {
        struct crier_presence_entry *entry =
            CRIER_CONTAINER(n, struct crier_presence_entry, node);
        if (crier_slice_eq(entry->subscription->selectors_key, subscription->selectors_key))
            return entry;
    }
    return NULL;
}

/* A subscription to the same selectors and nothing else. */
static int copy_selectors(struct crier_presence *presence,
                          const struct crier_subscription *subscription,
                          struct crier_subscription **ret)
{
    struct crier_wish wish = {
        .selectors = subscription->selectors,
        .selector_count = subscription->selector_count,
    };
    return crier_subscription_new(presence->mem, presence->journal, &wish, ret);
}

static int register_entry(struct crier_presence *presence,
                          struct crier_presence_entry *entry,
                          uint64_t hash)
{
    int r = add_topics(presence, &entry->subscription->filter);
    if (r < 0)
        return r;
    r = crier_router_add(presence->router, &entry->route);
    if (r == 0) {
        r = crier_map_insert(&presence->entries, &entry->node, hash);
        if (r < 0)
            crier_router_remove(presence->router, &entry->route);
    }
    if (r < 0)
        drop_topics(presence, &entry->subscription->filter,
                    entry->subscription->filter.topic_count);
    return r;
}

static void free_entry(struct crier_presence *presence, struct crier_presence_entry *entry)
{
    crier_subscription_free(entry->subscription);
    crier_mem_free(presence->mem, entry);
}

static int new_entry(struct crier_presence *presence,
                     const struct crier_subscription *subscription,
                     uint64_t hash,
                     struct crier_presence_entry **ret)
{
    struct crier_presence_entry *entry = crier_mem_zalloc(presence->mem, sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    int r = copy_selectors(presence, subscription, &entry->subscription);
    if (r == 0) {
        entry->route =
            (struct crier_route){.subscription = entry->subscription, .owner = entry};
        atomic_init(&entry->streams, 0);
        r = register_entry(presence, entry, hash);
    }
    if (r < 0) {
        free_entry(presence, entry);
        return r;
    }
    *ret = entry;
    return 0;
}

static void drop_entry(struct crier_presence *presence, struct crier_presence_entry *entry)
{
    const struct crier_filter *filter = &entry->subscription->filter;

    crier_router_remove(presence->router, &entry->route);
    crier_map_remove(&presence->entries, &entry->node);
    drop_topics(presence, filter, filter->topic_count);
    free_entry(presence, entry);
}

int crier_presence_join(struct crier_presence *presence,
                        const struct crier_subscription *subscription,
                        struct crier_presence_entry **ret)
{
    uint64_t hash = crier_hash(&presence->journal->hash_key, subscription->selectors_key);
    struct crier_presence_entry *entry;
    int r = 0;

    pthread_mutex_lock(&presence->mutex);
    entry = find_entry(presence, subscription, hash);
    if (!entry)
        r = new_entry(presence, subscription, hash, &entry);
    if (r == 0) {
        atomic_fetch_add(&entry->streams, 1);
        *ret = entry;
    }
    pthread_mutex_unlock(&presence->mutex);
    return r;
}

void crier_presence_leave(struct crier_presence *presence, struct crier_presence_entry *entry)
{
    if (!entry)
        return;

    uint64_t streams = atomic_load(&entry->streams);
    while (streams > 1)
        if (atomic_compare_exchange_weak(&entry->streams, &streams, streams - 1))
            return;

    pthread_mutex_lock(&presence->mutex);
    if (atomic_fetch_sub(&entry->streams, 1) == 1)
        drop_entry(presence, entry);
    pthread_mutex_unlock(&presence->mutex);
}

/* ---- answers ---------------------------------------------------------------------------- */

static uint64_t count_by_walking(struct crier_presence *presence, struct crier_slice topic)
{
    uint64_t streams = 0;

    for (struct crier_map_node *n = crier_map_walk(&presence->entries, NULL); n;
         n = crier_map_walk(&presence->entries, n)) {
        struct crier_presence_entry *entry =
            CRIER_CONTAINER(n, struct crier_presence_entry, node);
        for (size_t i = 0; i < entry->subscription->selector_count; i++) {
            if (crier_selector_match(entry->subscription->selectors[i], topic)) {
                streams += atomic_load(&entry->streams);
                break;
            }
        }
    }
    return streams;
}

uint64_t crier_presence_count(struct crier_presence *presence, struct crier_slice topic)
{
    struct crier_route *const *routes;
    uint64_t streams = 0;
    size_t count;

    pthread_mutex_lock(&presence->mutex);
    if (crier_router_match(presence->router, topic,
                           crier_journal_hash(presence->journal, topic), &routes,
                           &count) == 0) {
        for (size_t i = 0; i < count; i++) {
            struct crier_presence_entry *entry = routes[i]->owner;
            streams += atomic_load(&entry->streams);
        }
    } else {
        streams = count_by_walking(presence, topic);
    }
    pthread_mutex_unlock(&presence->mutex);
    return streams;
}

void crier_presence_topics(struct crier_presence *presence,
                           struct crier_slice prefix,
                           struct crier_slice after,
                           bool (*fn)(void *ctx, struct crier_slice topic),
                           void *ctx)
{
    pthread_mutex_lock(&presence->mutex);
    struct crier_tree_node *node = crier_slice_cmp(after, prefix) >= 0
                                       ? crier_tree_after(&presence->topics, after)
                                       : crier_tree_at_least(&presence->topics, prefix);
    while (node && crier_slice_starts(node->key, prefix) && fn(ctx, node->key))
        node = crier_tree_next(node);
    pthread_mutex_unlock(&presence->mutex);
}
