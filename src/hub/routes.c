/* SPDX-License-Identifier: MIT */
/*
 * A sorted list of routes (routes.h). Removal searches by order; sorting is a heap sort,
 * because the C library's qsort may allocate behind the injected allocator's back.
 */
#include "hub/routes.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

void crier_routes_deinit(struct crier_routes *routes, const struct crier_mem *mem)
{
    crier_mem_free(mem, routes->items);
    *routes = (struct crier_routes){0};
}

/* Room for `more`; 0 or -ENOMEM. */
static int reserve(struct crier_routes *routes, const struct crier_mem *mem, size_t more)
{
    if (more <= routes->cap - routes->count)
        return 0;

    size_t cap = routes->cap < 2 ? 2 : routes->cap + routes->cap / 2 + 1;
    if (cap < routes->count + more)
        cap = routes->count + more;
    void *items = crier_mem_resize(mem, routes->items, cap * sizeof(routes->items[0]));
    if (!items)
        return -ENOMEM;
    routes->items = items;
    routes->cap = cap;
    return 0;
}

int crier_routes_push(struct crier_routes *routes,
                      const struct crier_mem *mem,
                      struct crier_route *route)
{
    assert(routes->count == 0 || routes->items[routes->count - 1]->order < route->order);
    int r = reserve(routes, mem, 1);
    if (r < 0)
        return r;
    routes->items[routes->count++] = route;
    return 0;
}

void crier_routes_remove(struct crier_routes *routes,
                         const struct crier_mem *mem,
                         const struct crier_route *route)
{
    size_t low = 0, high = routes->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (routes->items[middle]->order < route->order)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low < routes->count && routes->items[low] == route);
    routes->count--;
    memmove(&routes->items[low], &routes->items[low + 1],
            (routes->count - low) * sizeof(routes->items[0]));
    if (routes->count == 0)
        crier_routes_deinit(routes, mem);
}

int crier_routes_join(struct crier_routes *routes,
                      const struct crier_mem *mem,
                      const struct crier_routes *from)
{
    if (from->count == 0)
        return 0;
    int r = reserve(routes, mem, from->count);
    if (r < 0)
        return r;
    memcpy(&routes->items[routes->count], from->items, from->count * sizeof(from->items[0]));
    routes->count += from->count;
    return 0;
}

static void sift_down(struct crier_route **items, size_t at, size_t count)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && items[child]->order < items[child + 1]->order)
            child++;
        if (items[at]->order >= items[child]->order)
            return;
        struct crier_route *route = items[at];
        items[at] = items[child];
        items[child] = route;
        at = child;
    }
}

static bool is_sorted(const struct crier_routes *routes)
{
    for (size_t i = 1; i < routes->count; i++)
        if (routes->items[i - 1]->order >= routes->items[i]->order)
            return false;
    return true;
}

void crier_routes_sort(struct crier_routes *routes)
{
    struct crier_route **items = routes->items;

    if (is_sorted(routes))
        return;
    for (size_t i = routes->count / 2; i-- > 0;)
        sift_down(items, i, routes->count);
    for (size_t last = routes->count - 1; last > 0; last--) {
        struct crier_route *route = items[0];
        items[0] = items[last];
        items[last] = route;
        sift_down(items, 0, last);
    }

    size_t kept = 1;
    for (size_t i = 1; i < routes->count; i++)
        if (items[i] != items[kept - 1])
            items[kept++] = items[i];
    routes->count = kept;
}

void crier_routes_check(const struct crier_routes *routes)
{
    assert(routes->count <= routes->cap);
    assert(is_sorted(routes));
    (void)routes;
}
