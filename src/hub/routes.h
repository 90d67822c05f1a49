/* SPDX-License-Identifier: MIT */
/* A list of routes, sorted by the order in which they were added. The router's building block.
 */
#ifndef CRIER_HUB_ROUTES_H
#define CRIER_HUB_ROUTES_H

#include "hub/router.h"

struct crier_mem;

struct crier_routes {
    struct crier_route **items;
    size_t count, cap;
};

void crier_routes_deinit(struct crier_routes *routes, const struct crier_mem *mem);
/* At the end: the route is newer than all in the list. 0 or -ENOMEM. */
int crier_routes_push(struct crier_routes *routes,
                      const struct crier_mem *mem,
                      struct crier_route *route) CRIER_MUST_CHECK;
/* The route is in the list. Gives memory back when the list is empty. */
void crier_routes_remove(struct crier_routes *routes,
                         const struct crier_mem *mem,
                         const struct crier_route *route);
/* Appends all of `from`, in no order (crier_routes_sort mends it). 0 or -ENOMEM. */
int crier_routes_join(struct crier_routes *routes,
                      const struct crier_mem *mem,
                      const struct crier_routes *from) CRIER_MUST_CHECK;
/* Sorts by order and drops doubles. */
void crier_routes_sort(struct crier_routes *routes);
void crier_routes_check(const struct crier_routes *routes);

#endif
