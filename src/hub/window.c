/* SPDX-License-Identifier: MIT */
/*
 * A window is a buffer and its marks:
 *
 *                 begin                                        end
 *     feed  ........|== event 17 ==|= event 21 =|=== event 22 ===|
 *     marks                        ^17          ^21              ^22
 *                        ^ offset: place {mark 0, position 16, into 4}
 *
 * begin_number is what makes it more than a cache: every matching event after it that the
 * worker has read is in here, so a lagging reader whose position has reached it may go on from
 * here without missing one.
 *
 * Invariants: (1) marks ascend in end and number; (2) the last mark is the end, no marks means
 * no bytes; (3) begin < first mark's end; (4) begin_number < first mark's number.
 *
 * The pool keeps a few buffers of ordinary size. A feed owns none while it is idle.
 */
#include "hub/window.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum {
    SPARE_BYTES = 1024 * 1024, /* kept in the pool */
    SPARE_MOST = 256 * 1024,   /* of one: a larger buffer is freed */
};

static size_t window_memory(const struct crier_window *window)
{
    return sizeof(*window) + window->bytes.cap + window->mark_cap * sizeof(window->marks[0]);
}

void crier_window_init(struct crier_window *window, const struct crier_mem *mem)
{
    *window = (struct crier_window){0};
    crier_buf_init(&window->bytes, mem);
}

void crier_window_deinit(struct crier_window *window)
{
    if (window->marks)
        crier_mem_free(window->bytes.mem, window->marks);
    crier_buf_deinit(&window->bytes);
    window->marks = NULL;
    window->mark_count = window->mark_cap = 0;
}

void crier_window_reset(struct crier_window *window, uint64_t begin, uint64_t begin_number)
{
    crier_buf_clear(&window->bytes);
    window->mark_count = 0;
    window->begin = begin;
    window->begin_number = begin_number;
}

void crier_window_shrink(struct crier_window *window, size_t keep)
{
    const struct crier_mem *mem = window->bytes.mem;

    assert(window->bytes.len == 0);
    if (window_memory(window) <= keep)
        return;
    crier_window_deinit(window);
    crier_window_init(window, mem);
}

/* ---- the pool --------------------------------------------------------------------------- */

void crier_window_pool_init(struct crier_window_pool *pool, const struct crier_mem *mem)
{
    *pool = (struct crier_window_pool){.mem = mem};
}

void crier_window_pool_deinit(struct crier_window_pool *pool)
{
    while (pool->spare) {
        struct crier_window *window = pool->spare;
        pool->spare = window->next;
        crier_window_deinit(window);
        crier_mem_free(pool->mem, window);
    }
    pool->spare_bytes = 0;
}

struct crier_window *
crier_window_take(struct crier_window_pool *pool, uint64_t begin, uint64_t begin_number)
{
    struct crier_window *window = pool->spare;

    if (window) {
        pool->spare = window->next;
        pool->spare_bytes -= window_memory(window);
    } else {
        window = crier_mem_alloc(pool->mem, sizeof(*window));
        if (!window)
            return NULL;
        crier_window_init(window, pool->mem);
    }
    crier_window_reset(window, begin, begin_number);
    return window;
}

void crier_window_give(struct crier_window_pool *pool, struct crier_window *window)
{
    size_t memory = window_memory(window);

    if (memory > SPARE_MOST || pool->spare_bytes + memory > SPARE_BYTES) {
        crier_window_deinit(window);
        crier_mem_free(pool->mem, window);
        return;
    }
    crier_window_reset(window, 0, 0);
    window->next = pool->spare;
    pool->spare = window;
    pool->spare_bytes += memory;
}

/* ---- bytes and marks -------------------------------------------------------------------- */

uint64_t crier_window_end(const struct crier_window *window)
{
    return window->begin + window->bytes.len;
}

static int reserve_mark(struct crier_window *window)
{
    if (window->mark_count < window->mark_cap)
        return 0;
    size_t cap = window->mark_cap == 0 ? 8 : 2 * window->mark_cap;
    void *marks =
        crier_mem_resize(window->bytes.mem, window->marks, cap * sizeof(window->marks[0]));
    if (!marks)
        return -ENOMEM;
    window->marks = marks;
    window->mark_cap = cap;
    return 0;
}

int crier_window_append(struct crier_window *window,
                        struct crier_dress dress,
                        const struct crier_record *record)
{
    size_t len = window->bytes.len;

    assert(window->mark_count == 0
               ? window->begin_number < record->number
               : window->marks[window->mark_count - 1].number < record->number);
    int r = reserve_mark(window);
    if (r < 0)
        return r;
    crier_notice_event(&window->bytes, dress, record);
    r = crier_buf_error(&window->bytes);
    if (r < 0) {
        window->bytes.len = len;
        window->bytes.failed = false;
        return r;
    }
    window->marks[window->mark_count++] =
        (struct crier_mark){crier_window_end(window), record->number};
    return 0;
}

struct crier_slice crier_window_from(const struct crier_window *window, uint64_t offset)
{
    assert(offset >= window->begin && offset <= crier_window_end(window));
    size_t at = (size_t)(offset - window->begin);
    return (struct crier_slice){window->bytes.data + at, window->bytes.len - at};
}

/* Index of the first mark that ends after the offset. */
static size_t mark_after(const struct crier_window *window, uint64_t offset)
{
    size_t low = 0, high = window->mark_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (window->marks[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where the event of this mark begins. */
static uint64_t mark_begin(const struct crier_window *window, size_t mark)
{
    return mark == 0 ? window->begin : window->marks[mark - 1].end;
}

struct crier_place crier_window_place(const struct crier_window *window, uint64_t offset)
{
    struct crier_place place;

    assert(offset >= window->begin && offset <= crier_window_end(window));
    place.mark = mark_after(window, offset);
    uint64_t begin = mark_begin(window, place.mark);
    place.into = offset - begin;
    place.event = crier_window_from(window, begin);
    if (place.mark < window->mark_count) {
        place.position = window->marks[place.mark].number - 1;
        place.event.len = (size_t)(window->marks[place.mark].end - begin);
    } else {
        place.position =
            place.mark == 0 ? window->begin_number : window->marks[place.mark - 1].number;
    }
    return place;
}

size_t crier_window_count(const struct crier_window *window, uint64_t from, uint64_t to)
{
    size_t first = mark_after(window, from);

    if (to == crier_window_end(window))
        return window->mark_count - first;
    return mark_after(window, to) - first;
}

bool crier_window_find(const struct crier_window *window,
                       uint64_t position,
                       uint64_t *ret_offset)
{
    size_t low = 0, high = window->mark_count;

    if (position < window->begin_number)
        return false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (window->marks[middle].number <= position)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_offset = mark_begin(window, low);
    return true;
}

void crier_window_drop(struct crier_window *window, size_t events)
{
    if (events == 0)
        return;
    assert(events <= window->mark_count);
    struct crier_mark last = window->marks[events - 1];

    crier_buf_consume(&window->bytes, (size_t)(last.end - window->begin));
    window->mark_count -= events;
    memmove(window->marks, window->marks + events,
            window->mark_count * sizeof(window->marks[0]));
    window->begin = last.end;
    window->begin_number = last.number;
}

void crier_window_check(const struct crier_window *window)
{
    uint64_t end = window->begin, number = window->begin_number;

    assert(window->mark_count <= window->mark_cap);
    for (size_t i = 0; i < window->mark_count; i++) {
        assert(window->marks[i].end > end);
        assert(window->marks[i].number > number);
        end = window->marks[i].end;
        number = window->marks[i].number;
    }
    assert(end == crier_window_end(window));
    (void)end;
    (void)number;
}
