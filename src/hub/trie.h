/* SPDX-License-Identifier: MIT */
/* Patterns by segments: which routes have a pattern that matches a topic? Part of the router.
 */
#ifndef CRIER_HUB_TRIE_H
#define CRIER_HUB_TRIE_H

#include "base/hash.h"
#include "base/map.h"
#include "hub/routes.h"

struct crier_trie_node;

struct crier_trie {
    const struct crier_mem *mem;
    struct crier_hash_key key;
    struct crier_map edges; /* every node but the root, by (parent, segment) */
    struct crier_trie_node *root;
    uint64_t next_id;
};

int crier_trie_init(struct crier_trie *trie,
                    const struct crier_mem *mem,
                    const struct crier_hash_key *key) CRIER_MUST_CHECK;
void crier_trie_deinit(struct crier_trie *trie); /* no pattern is in it; zeroed is fine */
/* 0; -ENOMEM: the trie is as it was. The route is newer than all others. */
int crier_trie_add(struct crier_trie *trie,
                   struct crier_slice pattern,
                   struct crier_route *route) CRIER_MUST_CHECK;
void crier_trie_remove(struct crier_trie *trie,
                       struct crier_slice pattern,
                       struct crier_route *route);
/* Appends the routes that match, in no order and possibly several times. 0 or -ENOMEM. */
int crier_trie_collect(const struct crier_trie *trie,
                       struct crier_slice topic,
                       struct crier_routes *into) CRIER_MUST_CHECK;
void crier_trie_check(const struct crier_trie *trie);

#endif
