/* SPDX-License-Identifier: MIT */
/*
 *                  [1]            invariant: due(parent) <= due(child), ties by `order`;
 *               /       \         heap[a->place] == a for each that is set
 *            [2]         [3]
 *           /   \       /   \     parent of i: i / 2; children: 2i, 2i + 1
 *         [4]   [5]   [6]   [7]
 */
#include "server/agenda.h"

#include "base/mem.h"
#include <assert.h>
#include <limits.h>

void crier_agenda_init(struct crier_agenda *agenda, const struct crier_mem *mem)
{
    *agenda = (struct crier_agenda){.mem = mem};
}

void crier_agenda_deinit(struct crier_agenda *agenda)
{
    if (agenda->mem)
        agenda->heap = crier_mem_free(agenda->mem, agenda->heap);
    agenda->count = agenda->room = 0;
}

static bool before(const struct crier_appointment *a, const struct crier_appointment *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void put(struct crier_agenda *agenda, size_t place, struct crier_appointment *a)
{
    agenda->heap[place] = a;
    a->place = place;
}

static void rise(struct crier_agenda *agenda, struct crier_appointment *a)
{
    size_t place = a->place;

    while (place > 1 && before(a, agenda->heap[place / 2])) {
        put(agenda, place, agenda->heap[place / 2]);
        place /= 2;
    }
    put(agenda, place, a);
}

static void sink(struct crier_agenda *agenda, struct crier_appointment *a)
{
    size_t place = a->place;

    for (;;) {
        size_t child = place * 2;

        if (child > agenda->count)
            break;
        if (child < agenda->count && before(agenda->heap[child + 1], agenda->heap[child]))
            child++;
        if (!before(agenda->heap[child], a))
            break;
        put(agenda, place, agenda->heap[child]);
        place = child;
    }
    put(agenda, place, a);
}

static int make_room(struct crier_agenda *agenda)
{
    size_t room = agenda->room ? agenda->room * 2 : 16;
    void *heap;

    if (agenda->count + 1 < agenda->room)
        return 0;
    heap = crier_mem_resize(agenda->mem, agenda->heap, room * sizeof(*agenda->heap));
    if (!heap)
        return -ENOMEM;
    agenda->heap = heap;
    agenda->room = room;
    return 0;
}

int crier_agenda_set(struct crier_agenda *agenda, struct crier_appointment *a, uint64_t due_ms)
{
    if (!a->place) {
        if (make_room(agenda) < 0)
            return -ENOMEM;
        put(agenda, ++agenda->count, a);
    }
    a->due_ms = due_ms;
    a->order = ++agenda->order;
    rise(agenda, a);
    sink(agenda, a);
    return 0;
}

void crier_agenda_clear(struct crier_agenda *agenda, struct crier_appointment *a)
{
    size_t place = a->place;
    struct crier_appointment *last;

    if (!place)
        return;
    a->place = 0;
    last = agenda->heap[agenda->count--];
    if (last == a)
        return;
    put(agenda, place, last);
    rise(agenda, last);
    sink(agenda, last);
}

struct crier_appointment *crier_agenda_next(struct crier_agenda *agenda, uint64_t now_ms)
{
    struct crier_appointment *first = agenda->count ? agenda->heap[1] : NULL;

    if (!first || first->due_ms > now_ms)
        return NULL;
    crier_agenda_clear(agenda, first);
    return first;
}

int crier_agenda_timeout(const struct crier_agenda *agenda, uint64_t now_ms)
{
    uint64_t due = agenda->count ? agenda->heap[1]->due_ms : 0;

    if (!agenda->count)
        return -1;
    if (due <= now_ms)
        return 0;
    return due - now_ms < INT_MAX ? (int)(due - now_ms) : INT_MAX;
}

void crier_agenda_check(const struct crier_agenda *agenda)
{
    for (size_t i = 1; i <= agenda->count; i++) {
        assert(agenda->heap[i]->place == i);
        assert(i == 1 || !before(agenda->heap[i], agenda->heap[i / 2]));
    }
    (void)agenda;
}
