/* SPDX-License-Identifier: MIT */
/*
 * An intrusive hash map.
 *
 *     buckets[hash & mask] -> node -> node -> NULL
 *
 * Invariants
 *   (1) there are 0 or 2^k buckets; mask is their number - 1
 *   (2) a node hangs in the bucket of its hash, nodes of one hash in no order
 *   (3) count <= buckets, except after a table could not be doubled
 *
 * The map owns its table, never the nodes. Growth is the only thing that can fail, and only
 * the first table is needed: later a failure costs longer chains, not the insertion.
 */
#include "base/map.h"

#include "base/mem.h"
#include <assert.h>

enum { FIRST_BUCKETS = 8 };

void crier_map_init(struct crier_map *map, const struct crier_mem *mem)
{
    *map = (struct crier_map){.mem = mem};
}

void crier_map_deinit(struct crier_map *map)
{
    if (map->buckets)
        crier_mem_free(map->mem, map->buckets);
    *map = (struct crier_map){.mem = map->mem};
}

static size_t bucket_count(const struct crier_map *map)
{
    return map->buckets ? map->mask + 1 : 0;
}

static void link_node(struct crier_map *map, struct crier_map_node *node)
{
    struct crier_map_node **bucket = &map->buckets[node->hash & map->mask];

    node->next = *bucket;
    *bucket = node;
}

static int grow(struct crier_map *map)
{
    size_t old_count = bucket_count(map);
    size_t new_count = old_count ? old_count * 2 : FIRST_BUCKETS;
    struct crier_map_node **old = map->buckets;
    struct crier_map_node **table;

    if (new_count > PTRDIFF_MAX / sizeof(*table))
        return -ENOMEM;
    table = crier_mem_zalloc(map->mem, new_count * sizeof(*table));
    if (!table)
        return -ENOMEM;
    map->buckets = table;
    map->mask = new_count - 1;
    for (size_t i = 0; i < old_count; i++) {
        for (struct crier_map_node *node = old[i], *next; node; node = next) {
            next = node->next;
            link_node(map, node);
        }
    }
    crier_mem_free(map->mem, old);
    return 0;
}

int crier_map_insert(struct crier_map *map, struct crier_map_node *node, uint64_t hash)
{
    if (map->count >= bucket_count(map)) {
        int r = grow(map);

        if (r < 0 && !map->buckets)
            return r;
    }
    node->hash = hash;
    link_node(map, node);
    map->count++;
    return 0;
}

void crier_map_remove(struct crier_map *map, struct crier_map_node *node)
{
    struct crier_map_node **link = &map->buckets[node->hash & map->mask];

    while (*link != node) {
        assert(*link); /* node is in this map */
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

static struct crier_map_node *with_hash(struct crier_map_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct crier_map_node *crier_map_first(const struct crier_map *map, uint64_t hash)
{
    return map->buckets ? with_hash(map->buckets[hash & map->mask], hash) : NULL;
}

struct crier_map_node *crier_map_next(const struct crier_map_node *node)
{
    return with_hash(node->next, node->hash);
}

struct crier_map_node *crier_map_walk(const struct crier_map *map,
                                      const struct crier_map_node *node)
{
    size_t i = 0;

    if (node) {
        if (node->next)
            return node->next;
        i = (size_t)(node->hash & map->mask) + 1;
    }
    for (; i < bucket_count(map); i++) {
        if (map->buckets[i])
            return map->buckets[i];
    }
    return NULL;
}
