/* SPDX-License-Identifier: MIT */
/*
 * A trie of pattern segments. "*" is an edge like any other; "**" is no edge but a second list
 * at the node it hangs from:
 *
 *     orders / *  (a)        orders / 42 / **  (b)
 *
 *     root
 *      `- orders
 *          |- *      here: a
 *          `- 42     rest: b
 *
 * A topic is walked once; at each node the literal edge and the "*" edge are followed, so the
 * cost is bounded by the nodes whose path matches a beginning of the topic. All edges are in
 * one map, keyed by (parent, segment): a node takes no table of its own.
 *
 * Invariants: (1) a node other than the root has a route or a child; (2) `children` counts the
 * nodes whose parent it is; (3) every list is sorted (routes.h).
 *
 * What can fail: memory, in add (undone) and in collect.
 */
#include "hub/trie.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

struct crier_trie_node {
    struct crier_map_node edge;
    struct crier_trie_node *parent;
    uint64_t id;
    struct crier_routes here; /* patterns that end with this segment */
    struct crier_routes rest; /* patterns that go on with "**" */
    uint32_t children;
    uint16_t len;
    char segment[];
};

static struct crier_slice node_segment(const struct crier_trie_node *node)
{
    return (struct crier_slice){node->segment, node->len};
}

static uint64_t edge_hash(const struct crier_trie *trie,
                          const struct crier_trie_node *parent,
                          struct crier_slice segment)
{
    return crier_hash(&trie->key, segment) ^ (parent->id * UINT64_C(0x9e3779b97f4a7c15));
}

static struct crier_trie_node *find_child(const struct crier_trie *trie,
                                          const struct crier_trie_node *parent,
                                          struct crier_slice segment)
{
    struct crier_map_node *n = crier_map_first(&trie->edges, edge_hash(trie, parent, segment));

    for (; n; n = crier_map_next(n)) {
        struct crier_trie_node *node = CRIER_CONTAINER(n, struct crier_trie_node, edge);
        if (node->parent == parent && crier_slice_eq(node_segment(node), segment))
            return node;
    }
    return NULL;
}

static struct crier_trie_node *new_node(struct crier_trie *trie, struct crier_slice segment)
{
    struct crier_trie_node *node = crier_mem_zalloc(trie->mem, sizeof(*node) + segment.len);
    if (!node)
        return NULL;
    node->id = trie->next_id++;
    node->len = (uint16_t)segment.len;
    if (segment.len > 0)
        memcpy(node->segment, segment.data, segment.len);
    return node;
}

static struct crier_trie_node *
add_child(struct crier_trie *trie, struct crier_trie_node *parent, struct crier_slice segment)
{
    struct crier_trie_node *node = new_node(trie, segment);
    if (!node)
        return NULL;
    if (crier_map_insert(&trie->edges, &node->edge, edge_hash(trie, parent, segment)) < 0)
        return crier_mem_free(trie->mem, node);
    node->parent = parent;
    parent->children++;
    return node;
}

/* Removes the node, and its parents, as far as nothing is left in them. */
static void prune(struct crier_trie *trie, struct crier_trie_node *node)
{
    while (node->parent && node->children == 0 && node->here.count == 0 &&
           node->rest.count == 0) {
        struct crier_trie_node *parent = node->parent;
        crier_map_remove(&trie->edges, &node->edge);
        crier_mem_free(trie->mem, node);
        parent->children--;
        node = parent;
    }
}

int crier_trie_init(struct crier_trie *trie,
                    const struct crier_mem *mem,
                    const struct crier_hash_key *key)
{
    *trie = (struct crier_trie){.mem = mem, .key = *key, .next_id = 1};
    crier_map_init(&trie->edges, mem);
    trie->root = new_node(trie, (struct crier_slice){0});
    return trie->root ? 0 : -ENOMEM;
}

void crier_trie_deinit(struct crier_trie *trie)
{
    if (!trie->mem)
        return;
    assert(trie->edges.count == 0);
    crier_map_deinit(&trie->edges);
    trie->root = crier_mem_free(trie->mem, trie->root);
}

/* One segment of the pattern on from `node`: the child, or the node itself before a final "**".
 * *ret_routes: where a pattern that ends here belongs. NULL: there is no such child, or, with
 * `make`, no memory for it. */
static struct crier_trie_node *step(struct crier_trie *trie,
                                    struct crier_trie_node *node,
                                    struct crier_slice *pattern,
                                    bool make,
                                    struct crier_routes **ret_routes)
{
    struct crier_slice segment = crier_slice_cut(pattern, '/');

    if (crier_slice_eq(segment, CRIER_SLICE("**"))) {
        assert(!pattern->data);
        *ret_routes = &node->rest;
        return node;
    }
    struct crier_trie_node *child = find_child(trie, node, segment);
    if (!child && make)
        child = add_child(trie, node, segment);
    if (child)
        *ret_routes = &child->here;
    return child;
}

int crier_trie_add(struct crier_trie *trie,
                   struct crier_slice pattern,
                   struct crier_route *route)
{
    struct crier_trie_node *node = trie->root;
    struct crier_routes *routes = NULL;

    while (pattern.data) {
        struct crier_trie_node *next = step(trie, node, &pattern, true, &routes);
        if (!next) {
            prune(trie, node);
            return -ENOMEM;
        }
        node = next;
    }
    assert(routes);
    int r = crier_routes_push(routes, trie->mem, route);
    if (r < 0)
        prune(trie, node);
    return r;
}

void crier_trie_remove(struct crier_trie *trie,
                       struct crier_slice pattern,
                       struct crier_route *route)
{
    struct crier_trie_node *node = trie->root;
    struct crier_routes *routes = NULL;

    while (pattern.data) {
        node = step(trie, node, &pattern, false, &routes);
        assert(node);
    }
    assert(routes);
    crier_routes_remove(routes, trie->mem, route);
    prune(trie, node);
}

/* `topic` is what is left of the topic below `node`. At most 16 deep. */
static int collect(const struct crier_trie *trie,
                   const struct crier_trie_node *node,
                   struct crier_slice topic,
                   struct crier_routes *into)
{
    if (!topic.data)
        return crier_routes_join(into, trie->mem, &node->here);

    int r = crier_routes_join(into, trie->mem, &node->rest);
    if (r < 0 || node->children == 0)
        return r;

    struct crier_slice segment = crier_slice_cut(&topic, '/');
    const struct crier_trie_node *child = find_child(trie, node, segment);
    if (child)
        r = collect(trie, child, topic, into);
    if (r < 0)
        return r;
    child = find_child(trie, node, CRIER_SLICE("*"));
    return child ? collect(trie, child, topic, into) : 0;
}

int crier_trie_collect(const struct crier_trie *trie,
                       struct crier_slice topic,
                       struct crier_routes *into)
{
    return collect(trie, trie->root, topic, into);
}

void crier_trie_check(const struct crier_trie *trie)
{
    size_t children = trie->root->children;

    for (struct crier_map_node *n = crier_map_walk(&trie->edges, NULL); n;
         n = crier_map_walk(&trie->edges, n)) {
        const struct crier_trie_node *node = CRIER_CONTAINER(n, struct crier_trie_node, edge);
        assert(node->parent);
        assert(node->children > 0 || node->here.count > 0 || node->rest.count > 0);
        assert(find_child(trie, node->parent, node_segment(node)) == node);
        crier_routes_check(&node->here);
        crier_routes_check(&node->rest);
        children += node->children;
    }
    assert(children == trie->edges.count);
    (void)children;
}
