/* SPDX-License-Identifier: MIT */
/*
 * An intrusive hash map: nodes live inside the caller's structs, the caller computes the
 * (keyed) hash and compares the keys. Buckets are chains; the table doubles when it is full.
 *
 *     struct thing { struct crier_map_node node; struct crier_slice name; };
 *     for (struct crier_map_node *n = crier_map_first(&map, hash); n; n = crier_map_next(n))
 *         if (crier_slice_eq(CRIER_CONTAINER(n, struct thing, node)->name, name)) ...
 */
#ifndef CRIER_BASE_MAP_H
#define CRIER_BASE_MAP_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct crier_mem;

struct crier_map_node {
    struct crier_map_node *next; /* in its bucket */
    uint64_t hash;
};

struct crier_map {
    const struct crier_mem *mem;
    struct crier_map_node **buckets;
    size_t mask; /* buckets - 1; 0 while there are none */
    size_t count;
};

/* Borrows mem; allocates nothing. */
void crier_map_init(struct crier_map *map, const struct crier_mem *mem);
/* Frees the table, not the nodes. Zeroed is fine; idempotent. */
void crier_map_deinit(struct crier_map *map);
/* 0; -ENOMEM only for the very first node (a table that cannot grow gets longer chains). */
int crier_map_insert(struct crier_map *map,
                     struct crier_map_node *node,
                     uint64_t hash) CRIER_MUST_CHECK;
/* node is in map. The table never shrinks. */
void crier_map_remove(struct crier_map *map, struct crier_map_node *node);
/* The first node with exactly this hash, and the next one with the same. */
struct crier_map_node *crier_map_first(const struct crier_map *map, uint64_t hash);
struct crier_map_node *crier_map_next(const struct crier_map_node *node);
/* Walks all nodes in no order; starts with NULL. Removing the current node while walking is
 * not allowed: collect first, or restart. */
struct crier_map_node *crier_map_walk(const struct crier_map *map,
                                      const struct crier_map_node *node);

#endif
