/* SPDX-License-Identifier: MIT */
/*
 * A binary min-heap of (time, event number). An event that leaves history before its ttl is
 * over stays here as a dead entry, found out when it comes up; when more than half of a large
 * heap is dead, it is swept, so that memory follows what history holds.
 */
#include "journal/deadline.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum { SLACK = 64 };

void crier_deadlines_init(struct crier_deadlines *deadlines, const struct crier_mem *mem)
{
    memset(deadlines, 0, sizeof(*deadlines));
    deadlines->mem = mem;
}

void crier_deadlines_deinit(struct crier_deadlines *deadlines)
{
    deadlines->heap = crier_mem_free(deadlines->mem, deadlines->heap);
    deadlines->count = deadlines->cap = deadlines->live = 0;
}

int crier_deadlines_reserve(struct crier_deadlines *deadlines)
{
    if (deadlines->count < deadlines->cap)
        return 0;
    size_t cap = deadlines->cap ? deadlines->cap * 2 : 16;
    struct crier_deadline *heap =
        crier_mem_resize(deadlines->mem, deadlines->heap, cap * sizeof(heap[0]));
    if (!heap)
        return -ENOMEM;
    deadlines->heap = heap;
    deadlines->cap = cap;
    return 0;
}

static void sift_down(struct crier_deadlines *deadlines, size_t i)
{
    struct crier_deadline *heap = deadlines->heap, moved = heap[i];

    for (size_t child; (child = 2 * i + 1) < deadlines->count; i = child) {
        if (child + 1 < deadlines->count && heap[child + 1].ms < heap[child].ms)
            child++;
        if (moved.ms <= heap[child].ms)
            break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

void crier_deadlines_add(struct crier_deadlines *deadlines, uint64_t ms, uint64_t number)
{
    assert(deadlines->count < deadlines->cap);
    size_t i = deadlines->count++;

    for (; i > 0 && deadlines->heap[(i - 1) / 2].ms > ms; i = (i - 1) / 2)
        deadlines->heap[i] = deadlines->heap[(i - 1) / 2];
    deadlines->heap[i] = (struct crier_deadline){ms, number};
    deadlines->live++;
}

bool crier_deadlines_take(struct crier_deadlines *deadlines,
                          uint64_t now,
                          struct crier_deadline *ret_deadline)
{
    if (!deadlines->count || deadlines->heap[0].ms > now)
        return false;
    *ret_deadline = deadlines->heap[0];
    struct crier_deadline last = deadlines->heap[--deadlines->count];
    if (deadlines->count) {
        deadlines->heap[0] = last;
        sift_down(deadlines, 0);
    }
    return true;
}

void crier_deadlines_sweep(struct crier_deadlines *deadlines,
                           bool (*held)(void *ctx, uint64_t number),
                           void *ctx)
{
    size_t n = 0;

    if (deadlines->count <= 2 * deadlines->live + SLACK)
        return;
    for (size_t i = 0; i < deadlines->count; i++) {
        if (held(ctx, deadlines->heap[i].number))
            deadlines->heap[n++] = deadlines->heap[i];
    }
    deadlines->count = n;
    for (size_t i = n / 2; i-- > 0;)
        sift_down(deadlines, i);
}

void crier_deadlines_check(const struct crier_deadlines *deadlines)
{
    assert(deadlines->live <= deadlines->count && deadlines->count <= deadlines->cap);
    for (size_t i = 1; i < deadlines->count; i++)
        assert(deadlines->heap[(i - 1) / 2].ms <= deadlines->heap[i].ms);
}
