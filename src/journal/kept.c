/* SPDX-License-Identifier: MIT */
/*
 * Kept-aside events.
 *
 *     slots  | 17 | -- | 240 | 300 | -- | 812 |      -- has left
 *
 * The window evicts in order, so every event that comes is newer than all that are here and
 * goes to the end; they leave from anywhere (their topic got a newer event, their ttl is over)
 * and leave an empty slot behind; when half of the slots are empty they are put together again.
 *
 * Each is a copy of its own, so that one quiet topic does not hold a whole segment. A reader
 * that looks at one without the mutex holds a reference.
 *
 * Invariants: numbers ascend; the first and the last slot are taken; gone <= len / 2 or few;
 * bytes and cost are the sums over the slots that are taken.
 *
 * What can fail: crier_kept_add, before anything changed.
 */
#include "journal/kept.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum { SLACK = 8 };

void crier_kept_init(struct crier_kept *kept, const struct crier_mem *mem)
{
    memset(kept, 0, sizeof(*kept));
    kept->mem = mem;
}

void crier_kept_deinit(struct crier_kept *kept)
{
    for (size_t i = 0; i < kept->len; i++) {
        if (kept->slots[kept->head + i].event)
            crier_kept_unref(kept, kept->slots[kept->head + i].event);
    }
    kept->slots = crier_mem_free(kept->mem, kept->slots);
    kept->head = kept->len = kept->cap = kept->gone = 0;
}

struct crier_stored *crier_kept_stored(struct crier_kept_event *event)
{
    return (struct crier_stored *)(void *)event->stored;
}

size_t crier_kept_cost(const struct crier_stored *stored)
{
    return sizeof(struct crier_kept_event) + sizeof(struct crier_kept_slot) + stored->size;
}

uint64_t crier_kept_events(const struct crier_kept *kept)
{
    return kept->len - kept->gone;
}

/* Puts the taken slots together at the start. */
static void compact(struct crier_kept *kept)
{
    size_t n = 0;
    for (size_t i = 0; i < kept->len; i++) {
        struct crier_kept_slot slot = kept->slots[kept->head + i];
        if (slot.event)
            kept->slots[n++] = slot;
    }
    kept->head = 0;
    kept->len = n;
    kept->gone = 0;
}

static int make_room(struct crier_kept *kept)
{
    if (kept->head + kept->len < kept->cap)
        return 0;
    if (kept->head + kept->gone > kept->cap / 2) {
        compact(kept);
        return 0;
    }
    size_t cap = kept->cap ? kept->cap * 2 : 16;
    struct crier_kept_slot *slots =
        crier_mem_resize(kept->mem, kept->slots, cap * sizeof(slots[0]));
    if (!slots)
        return -ENOMEM;
    kept->slots = slots;
    kept->cap = cap;
    return 0;
}

int crier_kept_add(struct crier_kept *kept,
                   uint64_t number,
                   struct crier_id before,
                   const struct crier_stored *stored,
                   unsigned alive)
{
    int r = make_room(kept);
    if (r < 0)
        return r;
    struct crier_kept_event *event = crier_mem_alloc(kept->mem, sizeof(*event) + stored->size);
    if (!event)
        return -ENOMEM;
    assert(!kept->len || kept->slots[kept->head + kept->len - 1].number < number);

    event->number = number;
    event->before = before;
    event->refs = 1;
    memcpy(event->stored, stored, stored->size);
    atomic_init(&crier_kept_stored(event)->alive, (uint8_t)alive);
    kept->slots[kept->head + kept->len++] = (struct crier_kept_slot){number, event};
    kept->bytes += stored->sse_len;
    kept->cost += crier_kept_cost(stored);
    return 0;
}

/* Index of the first slot after position, taken or not. */
static size_t slot_after(const struct crier_kept *kept, uint64_t position)
{
    size_t low = 0, high = kept->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kept->slots[kept->head + middle].number <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct crier_kept_event *crier_kept_find(const struct crier_kept *kept, uint64_t number)
{
    size_t i = number ? slot_after(kept, number - 1) : kept->len;
    if (i == kept->len || kept->slots[kept->head + i].number != number)
        return NULL;
    return kept->slots[kept->head + i].event;
}

struct crier_kept_event *crier_kept_after(const struct crier_kept *kept, uint64_t position)
{
    for (size_t i = slot_after(kept, position); i < kept->len; i++) {
        if (kept->slots[kept->head + i].event)
            return kept->slots[kept->head + i].event;
    }
    return NULL;
}

struct crier_kept_event *crier_kept_before(const struct crier_kept *kept, uint64_t number)
{
    for (size_t i = number ? slot_after(kept, number - 1) : 0; i > 0; i--) {
        if (kept->slots[kept->head + i - 1].event)
            return kept->slots[kept->head + i - 1].event;
    }
    return NULL;
}

/* The oldest event that is not `before` what is looked for. Empty slots cannot be asked: the
 * search steps over them to the next taken one (the last slot always is). */
static struct crier_kept_event *search(const struct crier_kept *kept,
                                       bool (*before)(const struct crier_stored *,
                                                      const void *),
                                       const void *what)
{
    size_t low = 0, high = kept->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2, at = middle;
        while (!kept->slots[kept->head + at].event)
            at++;
        if (before(crier_kept_stored(kept->slots[kept->head + at].event), what))
            low = at + 1;
        else
            high = middle;
    }
    while (low < kept->len && !kept->slots[kept->head + low].event)
        low++;
    return low < kept->len ? kept->slots[kept->head + low].event : NULL;
}

static bool before_id(const struct crier_stored *stored, const void *what)
{
    const struct crier_id *id = what;
    return crier_id_cmp(stored->id, *id) <= 0;
}

struct crier_kept_event *crier_kept_after_id(const struct crier_kept *kept, struct crier_id id)
{
    return search(kept, before_id, &id);
}

static bool before_ms(const struct crier_stored *stored, const void *what)
{
    const uint64_t *ms = what;
    return stored->boot_ms < *ms;
}

struct crier_kept_event *crier_kept_since(const struct crier_kept *kept, uint64_t ms)
{
    return search(kept, before_ms, &ms);
}

static void trim_ends(struct crier_kept *kept)
{
    while (kept->len && !kept->slots[kept->head].event) {
        kept->head++;
        kept->len--;
        kept->gone--;
    }
    while (kept->len && !kept->slots[kept->head + kept->len - 1].event) {
        kept->len--;
        kept->gone--;
    }
    if (!kept->len)
        kept->head = 0;
}

void crier_kept_remove(struct crier_kept *kept, struct crier_kept_event *event)
{
    const struct crier_stored *stored = crier_kept_stored(event);
    size_t i = slot_after(kept, event->number - 1);
    assert(i < kept->len && kept->slots[kept->head + i].event == event);

    kept->bytes -= stored->sse_len;
    kept->cost -= crier_kept_cost(stored);
    kept->slots[kept->head + i].event = NULL;
    kept->gone++;
    trim_ends(kept);
    if (kept->gone > kept->len / 2 && kept->gone > SLACK)
        compact(kept);
    crier_kept_unref(kept, event);
}

void crier_kept_unref(struct crier_kept *kept, struct crier_kept_event *event)
{
    assert(event->refs > 0);
    if (--event->refs == 0)
        crier_mem_free(kept->mem, event);
}

void crier_kept_check(const struct crier_kept *kept, uint64_t first)
{
    uint64_t last = 0, bytes = 0, cost = 0;
    size_t gone = 0;

    assert(kept->head + kept->len <= kept->cap);
    for (size_t i = 0; i < kept->len; i++) {
        const struct crier_kept_slot *slot = &kept->slots[kept->head + i];
        assert(slot->number > last && slot->number < first);
        last = slot->number;
        if (!slot->event) {
            assert(i > 0 && i + 1 < kept->len);
            gone++;
            continue;
        }
        const struct crier_stored *stored = crier_kept_stored(slot->event);
        assert(slot->event->number == slot->number && slot->event->refs >= 1);
        assert(crier_stored_alive(stored) != 0);
        bytes += stored->sse_len;
        cost += crier_kept_cost(stored);
    }
    assert(gone == kept->gone && (gone <= SLACK || gone <= kept->len / 2));
    assert(bytes == kept->bytes && cost == kept->cost);
    (void)first;
    (void)last;
    (void)gone;
    (void)bytes;
    (void)cost;
}
