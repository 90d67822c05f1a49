/* SPDX-License-Identifier: MIT */
/*
 * From a topic to the routes (subscriptions) that match it. Exact topics by keyed hash,
 * patterns in a trie of segments, results memoised per topic (bounded; forgotten when a pattern
 * comes or goes). The cost of a look-up depends on the routes that match. One thread (or under
 * a mutex).
 */
#ifndef CRIER_HUB_ROUTER_H
#define CRIER_HUB_ROUTER_H

#include "base/list.h"
#include "hub/subscription.h"

struct crier_route {
    const struct crier_subscription *subscription; /* borrowed while the route is in */
    void *owner;
    /* the router's own */
    uint64_t order; /* of being added: results are sorted by it */
};

struct crier_router; /* opaque: router.c */

int crier_router_new(const struct crier_mem *mem,
                     const struct crier_journal *journal,
                     struct crier_router **ret) CRIER_MUST_CHECK;
struct crier_router *crier_router_free(struct crier_router *);
int crier_router_add(struct crier_router *, struct crier_route *)
    CRIER_MUST_CHECK; /* 0, -ENOMEM (nothing was added) */
void crier_router_remove(struct crier_router *, struct crier_route *);
/* May any route match a topic with this hash? Never false when one does. */
bool crier_router_wanted(struct crier_router *, uint64_t topic_hash);
/* The routes that match, each once, in the order they were added. Valid until the next call.
 * -ENOMEM. */
int crier_router_match(struct crier_router *,
                       struct crier_slice topic,
                       uint64_t topic_hash,
                       struct crier_route *const **ret_routes,
                       size_t *ret_count) CRIER_MUST_CHECK;
void crier_router_check(const struct crier_router *); /* asserts the invariants */

#endif
