/* SPDX-License-Identifier: MIT */
/*
 * The router: topic to routes.
 *
 *     exact    topic hash -> the routes that name the topic           (always)
 *     trie     the patterns                                           (only if there are any)
 *     memo     topic hash -> exact and patterns merged, for topics seen lately
 *
 * Without patterns the exact list is the answer and nothing is remembered. With patterns the
 * merged answer is kept, an empty one too, so that a busy topic nobody follows costs one
 * look-up. A pattern that comes or goes bumps `generation`, which makes every memo stale at
 * once; a named topic that comes or goes drops that topic's memo only. The memos are bounded in
 * number and in bytes and are all thrown away when there are too many: whoever publishes
 * invents topic names.
 *
 * crier_router_wanted has only the 64-bit keyed hash. A memo that says "nobody" could be wrong
 * for another topic of the same hash; with a secret key that does not happen.
 *
 * Invariants: (1) a memo of the current generation is what exact and trie would answer; (2) an
 * exact entry has a route; (3) every list is sorted by order and without doubles.
 */
#include "hub/router.h"
#include "base/mem.h"
#include "hub/trie.h"
#include <assert.h>
#include <string.h>

enum {
    MEMO_TOPICS = 65536,           /* memos at most */
    MEMO_BYTES = 16 * 1024 * 1024, /* of memory at most: many feeds make a memo large */
};

struct exact {
    struct crier_map_node node;
    struct crier_routes routes;
    uint16_t len;
    char topic[];
};

struct memo {
    struct crier_map_node node;
    struct crier_list all;
    uint64_t generation;
    size_t count;
    uint16_t len;
    /* then `count` route pointers, then the topic */
    struct crier_route *routes[];
};

struct crier_router {
    const struct crier_mem *mem;
    const struct crier_journal *journal;
    struct crier_map exacts, memos;
    struct crier_list all_memos;
    struct crier_trie trie;
    struct crier_routes result; /* of the last match that could not be remembered */
    uint64_t next_order, generation;
    size_t patterns, memo_bytes;
};

/* ---- exact topics ----------------------------------------------------------------------- */

static struct exact *
find_exact(const struct crier_router *router, struct crier_slice topic, uint64_t hash)
{
    for (struct crier_map_node *n = crier_map_first(&router->exacts, hash); n;
         n = crier_map_next(n)) {
        struct exact *exact = CRIER_CONTAINER(n, struct exact, node);
        if (crier_slice_eq((struct crier_slice){exact->topic, exact->len}, topic))
            return exact;
    }
    return NULL;
}

static void drop_exact(struct crier_router *router, struct exact *exact)
{
    crier_map_remove(&router->exacts, &exact->node);
    crier_routes_deinit(&exact->routes, router->mem);
    crier_mem_free(router->mem, exact);
}

static struct exact *
new_exact(struct crier_router *router, struct crier_slice topic, uint64_t hash)
{
    struct exact *exact = crier_mem_zalloc(router->mem, sizeof(*exact) + topic.len);
    if (!exact)
        return NULL;
    exact->len = (uint16_t)topic.len;
    memcpy(exact->topic, topic.data, topic.len);
    if (crier_map_insert(&router->exacts, &exact->node, hash) < 0)
        return crier_mem_free(router->mem, exact);
    return exact;
}

/* ---- memos ------------------------------------------------------------------------------ */

static struct crier_slice memo_topic(const struct memo *memo)
{
    return (struct crier_slice){(const char *)(memo->routes + memo->count), memo->len};
}

static size_t memo_size(size_t count, size_t len)
{
    return sizeof(struct memo) + count * sizeof(struct crier_route *) + len;
}

static struct memo *
find_memo(const struct crier_router *router, struct crier_slice topic, uint64_t hash)
{
    for (struct crier_map_node *n = crier_map_first(&router->memos, hash); n;
         n = crier_map_next(n)) {
        struct memo *memo = CRIER_CONTAINER(n, struct memo, node);
        if (crier_slice_eq(memo_topic(memo), topic))
            return memo;
    }
    return NULL;
}

static void drop_memo(struct crier_router *router, struct memo *memo)
{
    if (!memo)
        return;
    router->memo_bytes -= memo_size(memo->count, memo->len);
    crier_map_remove(&router->memos, &memo->node);
    crier_list_remove(&memo->all);
    crier_mem_free(router->mem, memo);
}

static void drop_all_memos(struct crier_router *router)
{
    crier_list_for_each_safe (node, &router->all_memos)
        drop_memo(router, CRIER_CONTAINER(node, struct memo, all));
}

/* Remembers the result; without memory it is simply not remembered. */
static const struct memo *
remember(struct crier_router *router, struct crier_slice topic, uint64_t hash)
{
    size_t size = memo_size(router->result.count, topic.len);
    if (size > MEMO_BYTES)
        return NULL;
    if (router->memos.count >= MEMO_TOPICS || router->memo_bytes + size > MEMO_BYTES)
        drop_all_memos(router);

    struct memo *memo = crier_mem_alloc(router->mem, size);
    if (!memo)
        return NULL;
    memo->generation = router->generation;
    memo->count = router->result.count;
    memo->len = (uint16_t)topic.len;
    if (memo->count > 0)
        memcpy(memo->routes, router->result.items, memo->count * sizeof(memo->routes[0]));
    memcpy((char *)(memo->routes + memo->count), topic.data, topic.len);
    if (crier_map_insert(&router->memos, &memo->node, hash) < 0)
        return crier_mem_free(router->mem, memo);
    crier_list_push_back(&router->all_memos, &memo->all);
    router->memo_bytes += size;
    return memo;
}

/* ---- adding and removing ---------------------------------------------------------------- */

static int add_topic(struct crier_router *router,
                     struct crier_slice topic,
                     uint64_t hash,
                     struct crier_route *route)
{
    struct exact *exact = find_exact(router, topic, hash);
    if (!exact)
        exact = new_exact(router, topic, hash);
    if (!exact)
        return -ENOMEM;

    int r = crier_routes_push(&exact->routes, router->mem, route);
    if (r < 0) {
        if (exact->routes.count == 0)
            drop_exact(router, exact);
        return r;
    }
    drop_memo(router, find_memo(router, topic, hash));
    return 0;
}

static void remove_topic(struct crier_router *router,
                         struct crier_slice topic,
                         uint64_t hash,
                         struct crier_route *route)
{
    struct exact *exact = find_exact(router, topic, hash);
    assert(exact);
    crier_routes_remove(&exact->routes, router->mem, route);
    if (exact->routes.count == 0)
        drop_exact(router, exact);
    drop_memo(router, find_memo(router, topic, hash));
}

static int
add_pattern(struct crier_router *router, struct crier_slice pattern, struct crier_route *route)
{
    int r = crier_trie_add(&router->trie, pattern, route);
    if (r < 0)
        return r;
    router->patterns++;
    router->generation++;
    return 0;
}

static void remove_pattern(struct crier_router *router,
                           struct crier_slice pattern,
                           struct crier_route *route)
{
    crier_trie_remove(&router->trie, pattern, route);
    router->patterns--;
    router->generation++;
}

/* Removes the route's first `topics` topics and `patterns` patterns. */
static void remove_some(struct crier_router *router,
                        struct crier_route *route,
                        size_t topics,
                        size_t patterns)
{
    const struct crier_subscription *subscription = route->subscription;

    for (size_t i = 0; i < topics; i++)
        remove_topic(router, subscription->filter.topics[i],
                     subscription->filter.topic_hashes[i], route);
    for (size_t i = 0; i < patterns; i++)
        remove_pattern(router, subscription->patterns[i], route);
    if (router->patterns == 0)
        drop_all_memos(router);
}

int crier_router_add(struct crier_router *router, struct crier_route *route)
{
    const struct crier_subscription *subscription = route->subscription;
    size_t topics = 0, patterns = 0;
    int r = 0;

    route->order = router->next_order++;
    while (r == 0 && topics < subscription->filter.topic_count) {
        r = add_topic(router, subscription->filter.topics[topics],
                      subscription->filter.topic_hashes[topics], route);
        topics += r == 0;
    }
    while (r == 0 && patterns < subscription->pattern_count) {
        r = add_pattern(router, subscription->patterns[patterns], route);
        patterns += r == 0;
    }
    if (r < 0)
        remove_some(router, route, topics, patterns);
    return r;
}

void crier_router_remove(struct crier_router *router, struct crier_route *route)
{
    remove_some(router, route, route->subscription->filter.topic_count,
                route->subscription->pattern_count);
}

/* ---- looking up ------------------------------------------------------------------------- */

bool crier_router_wanted(struct crier_router *router, uint64_t topic_hash)
{
    if (crier_map_first(&router->exacts, topic_hash))
        return true;
    if (router->patterns == 0)
        return false;

    struct crier_map_node *n = crier_map_first(&router->memos, topic_hash);
    if (!n)
        return true;
    for (; n; n = crier_map_next(n)) {
        const struct memo *memo = CRIER_CONTAINER(n, struct memo, node);
        if (memo->count > 0 || memo->generation != router->generation)
            return true;
    }
    return false;
}

static int compute(struct crier_router *router, struct crier_slice topic, uint64_t topic_hash)
{
    const struct exact *exact = find_exact(router, topic, topic_hash);
    int r = 0;

    router->result.count = 0;
    if (exact)
        r = crier_routes_join(&router->result, router->mem, &exact->routes);
    if (r == 0)
        r = crier_trie_collect(&router->trie, topic, &router->result);
    if (r == 0)
        crier_routes_sort(&router->result);
    return r;
}

static int match_patterns(struct crier_router *router,
                          struct crier_slice topic,
                          uint64_t topic_hash,
                          struct crier_route *const **ret_routes,
                          size_t *ret_count)
{
    const struct memo *memo = find_memo(router, topic, topic_hash);

    if (memo && memo->generation != router->generation) {
        drop_memo(router, find_memo(router, topic, topic_hash));
        memo = NULL;
    }
    if (!memo) {
        int r = compute(router, topic, topic_hash);
        if (r < 0)
            return r;
        memo = remember(router, topic, topic_hash);
    }
    *ret_routes = memo ? memo->routes : router->result.items;
    *ret_count = memo ? memo->count : router->result.count;
    return 0;
}

int crier_router_match(struct crier_router *router,
                       struct crier_slice topic,
                       uint64_t topic_hash,
                       struct crier_route *const **ret_routes,
                       size_t *ret_count)
{
    if (router->patterns > 0)
        return match_patterns(router, topic, topic_hash, ret_routes, ret_count);

    const struct exact *exact = find_exact(router, topic, topic_hash);
    *ret_routes = exact ? exact->routes.items : NULL;
    *ret_count = exact ? exact->routes.count : 0;
    return 0;
}

/* ---- life ------------------------------------------------------------------------------- */

int crier_router_new(const struct crier_mem *mem,
                     const struct crier_journal *journal,
                     struct crier_router **ret)
{
    struct crier_router *router = crier_mem_zalloc(mem, sizeof(*router));
    if (!router)
        return -ENOMEM;
    router->mem = mem;
    router->journal = journal;
    router->generation = router->next_order = 1;
    crier_map_init(&router->exacts, mem);
    crier_map_init(&router->memos, mem);
    crier_list_init(&router->all_memos);
    int r = crier_trie_init(&router->trie, mem, &journal->hash_key);
    if (r < 0) {
        crier_router_free(router);
        return r;
    }
    *ret = router;
    return 0;
}

struct crier_router *crier_router_free(struct crier_router *router)
{
    if (!router)
        return NULL;
    assert(router->exacts.count == 0);
    drop_all_memos(router);
    crier_map_deinit(&router->exacts);
    crier_map_deinit(&router->memos);
    crier_trie_deinit(&router->trie);
    crier_routes_deinit(&router->result, router->mem);
    return crier_mem_free(router->mem, router);
}

void crier_router_check(const struct crier_router *router)
{
    size_t bytes = 0;

    crier_trie_check(&router->trie);
    for (struct crier_map_node *n = crier_map_walk(&router->exacts, NULL); n;
         n = crier_map_walk(&router->exacts, n)) {
        const struct exact *exact = CRIER_CONTAINER(n, struct exact, node);
        assert(exact->routes.count > 0);
        crier_routes_check(&exact->routes);
    }
    for (struct crier_map_node *n = crier_map_walk(&router->memos, NULL); n;
         n = crier_map_walk(&router->memos, n)) {
        const struct memo *memo = CRIER_CONTAINER(n, struct memo, node);
        bytes += memo_size(memo->count, memo->len);
        assert(memo->generation <= router->generation);
    }
    assert(bytes == router->memo_bytes && bytes <= MEMO_BYTES);
    (void)bytes;
}
