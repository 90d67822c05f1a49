/* SPDX-License-Identifier: MIT */
/*
 * An intrusive tree ordered by a byte-string key (a treap whose priorities are the keyed
 * hashes of the keys, so that no outsider can unbalance it). For listings by name.
 */
#ifndef CRIER_BASE_TREE_H
#define CRIER_BASE_TREE_H

#include "base/slice.h"

struct crier_tree_node {
    struct crier_tree_node *left, *right, *parent;
    struct crier_slice
        key; /* borrows: the owner keeps the bytes while the node is in the tree */
    uint64_t priority;
};

struct crier_tree {
    struct crier_tree_node *root;
    size_t count;
};

/* key must not be in the tree yet; priority is a keyed hash of it. */
void crier_tree_insert(struct crier_tree *tree,
                       struct crier_tree_node *node,
                       struct crier_slice key,
                       uint64_t priority);
void crier_tree_remove(struct crier_tree *tree, struct crier_tree_node *node);
struct crier_tree_node *crier_tree_find(const struct crier_tree *tree, struct crier_slice key);
/* The first node whose key is >= key (or > key), or NULL. */
struct crier_tree_node *crier_tree_at_least(const struct crier_tree *tree,
                                            struct crier_slice key);
struct crier_tree_node *crier_tree_after(const struct crier_tree *tree, struct crier_slice key);
/* In order, or NULL. */
struct crier_tree_node *crier_tree_next(const struct crier_tree_node *node);
/* Asserts order, heap and links. */
void crier_tree_check(const struct crier_tree *tree);

#endif
