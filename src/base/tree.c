/* SPDX-License-Identifier: MIT */
/*
 * A treap: a search tree by key that is a heap by priority.
 *
 *              (m, 90)                 left  < node by key
 *             /       \                right > node by key
 *        (c, 71)     (t, 55)           node >= its children by priority
 *           \
 *          (f, 20)
 *
 * With priorities that are a secret function of the key its shape is that of a tree built in
 * random order, whatever order the keys really came in: depth O(log n), and no outsider can
 * choose keys that make it deep.
 *
 * Invariants (crier_tree_check)
 *   (1) keys strictly ascend from left to right
 *   (2) no child's priority exceeds its parent's
 *   (3) node->left->parent == node, node->right->parent == node, root->parent == NULL
 *   (4) count is the number of nodes
 *
 * Nodes belong to the caller; nothing here allocates or fails.
 */
#include "base/tree.h"

#include <assert.h>

/* The pointer that points at node: the root, or a child of its parent. */
static struct crier_tree_node **link_to(struct crier_tree *tree, struct crier_tree_node *node)
{
    if (!node->parent)
        return &tree->root;
    return node->parent->left == node ? &node->parent->left : &node->parent->right;
}

static void
put(struct crier_tree_node **link, struct crier_tree_node *parent, struct crier_tree_node *node)
{
    *link = node;
    if (node)
        node->parent = parent;
}

/*
 *        parent               child
 *        /    \               /   \
 *     child    c    ---->    a   parent      and its mirror image
 *     /   \                      /    \
 *    a     b                    b      c
 */
static void rotate_up(struct crier_tree *tree, struct crier_tree_node *child)
{
    struct crier_tree_node *parent = child->parent;
    struct crier_tree_node **link = link_to(tree, parent);
    struct crier_tree_node *above = parent->parent;

    if (parent->left == child) {
        put(&parent->left, parent, child->right);
        put(&child->right, child, parent);
    } else {
        put(&parent->right, parent, child->left);
        put(&child->left, child, parent);
    }
    put(link, above, child);
}

void crier_tree_insert(struct crier_tree *tree,
                       struct crier_tree_node *node,
                       struct crier_slice key,
                       uint64_t priority)
{
    struct crier_tree_node *parent = NULL;
    struct crier_tree_node **link = &tree->root;

    while (*link) {
        int order = crier_slice_cmp(key, (*link)->key);

        assert(order != 0);
        parent = *link;
        link = order < 0 ? &parent->left : &parent->right;
    }
    *node = (struct crier_tree_node){.parent = parent, .key = key, .priority = priority};
    *link = node;
    tree->count++;
    while (node->parent && node->parent->priority < priority)
        rotate_up(tree, node);
}

void crier_tree_remove(struct crier_tree *tree, struct crier_tree_node *node)
{
    /* Let the stronger child up until there is at most one. */
    while (node->left && node->right) {
        if (node->left->priority > node->right->priority)
            rotate_up(tree, node->left);
        else
            rotate_up(tree, node->right);
    }
    put(link_to(tree, node), node->parent, node->left ? node->left : node->right);
    tree->count--;
    *node = (struct crier_tree_node){.key = node->key};
}

/* The first node whose key compares to key as at least `least` (0: >=, 1: >). */
static struct crier_tree_node *
first_from(const struct crier_tree *tree, struct crier_slice key, int least)
{
    struct crier_tree_node *node = tree->root;
    struct crier_tree_node *best = NULL;

    while (node) {
        if (crier_slice_cmp(node->key, key) >= least) {
            best = node;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}

struct crier_tree_node *crier_tree_find(const struct crier_tree *tree, struct crier_slice key)
{
    struct crier_tree_node *node = crier_tree_at_least(tree, key);

    return node && crier_slice_eq(node->key, key) ? node : NULL;
}

struct crier_tree_node *crier_tree_at_least(const struct crier_tree *tree,
                                            struct crier_slice key)
{
    return first_from(tree, key, 0);
}

struct crier_tree_node *crier_tree_after(const struct crier_tree *tree, struct crier_slice key)
{
    return first_from(tree, key, 1);
}

static struct crier_tree_node *leftmost(struct crier_tree_node *node)
{
    while (node && node->left)
        node = node->left;
    return node;
}

struct crier_tree_node *crier_tree_next(const struct crier_tree_node *node)
{
    if (node->right)
        return leftmost(node->right);
    while (node->parent && node->parent->right == node)
        node = node->parent;
    return node->parent;
}

void crier_tree_check(const struct crier_tree *tree)
{
    size_t count = 0;

    assert(!tree->root || !tree->root->parent);
    for (struct crier_tree_node *node = leftmost(tree->root), *next; node; node = next) {
        next = crier_tree_next(node);
        assert(!next || crier_slice_cmp(node->key, next->key) < 0);
        assert(!node->left || node->left->parent == node);
        assert(!node->right || node->right->parent == node);
        assert(!node->parent || node->parent->priority >= node->priority);
        count++;
    }
    assert(count == tree->count);
    (void)count;
}
