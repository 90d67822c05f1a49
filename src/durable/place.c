/* SPDX-License-Identifier: MIT */
/*
 * Positions, ids and times.
 *
 *     number    17 . . . 240 . . . . . . 901 902 903 . 905 .       (the end is 906)
 *                    ^ a hole: nothing is held here any more
 *
 * Ids and clocks ascend with the numbers, so that a binary search over the numbers finds an id
 * or a time: the number in the middle stands for the first event held from there on. A hole
 * costs no more than its number has bits.
 *
 * An id that comes back is
 *
 *     an event's                        its number
 *     before the start, after the last  unknown
 *     between two neighbours            unknown: nobody ever had it
 *     in a hole                         by order: just before the next event held
 *
 * In a hole all positions are alike, so "just before the next event held" skips nothing and
 * repeats nothing. The id that stands for a position in a hole is made up: the one right before
 * that of the next event held, which is in the hole again (ids only grow, and the event that
 * left had one between), and so comes back as the same position.
 */
#include "durable/view.h"

enum { EPOCH_IDS = 10000 };

struct place {
    uint64_t number; /* 0: none */
    struct crier_row row;
};

/* What is sought: the first event held of which this is true; it stays true from there on. */
typedef bool later_fn(const struct crier_row *row, const void *than);

static bool later_id(const struct crier_row *row, const void *id)
{
    return crier_id_cmp(row->id, *(const struct crier_id *)id) > 0;
}

static bool not_earlier(const struct crier_row *row, const void *clock_ms)
{
    return row->clock_ms >= *(const uint64_t *)clock_ms;
}

static int
search(struct crier_view *view, later_fn *later, const void *than, struct place *ret_place)
{
    uint64_t low = 1, high = view->end + 1;
    struct place at;

    ret_place->number = 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int r = crier_view_at_least(view, middle, &at.number, &at.row);
        if (r < 0)
            return r;
        if (at.number && !later(&at.row, than)) {
            low = at.number + 1;
            continue;
        }
        if (at.number)
            *ret_place = at;
        high = middle;
    }
    return 0;
}

/* The id right before an event's, which is not the first ever. */
static struct crier_id id_before(const struct crier_view *view, struct crier_id id)
{
    struct crier_id before = {id.ms, id.seq - 1};

    if (id.seq % EPOCH_IDS == 0)
        before = (struct crier_id){id.ms - 1,
                                   (uint64_t)view->totals.epoch * EPOCH_IDS + EPOCH_IDS - 1};
    return crier_id_cmp(before, view->totals.start) < 0 ? view->totals.start : before;
}

/* The id of a position that is neither the first nor the last ever. */
static int id_within(struct crier_view *view, uint64_t position, struct crier_id *ret_id)
{
    uint64_t limit = view->end;
    struct place next;

    view->end = view->totals.end; /* what is past a limit still tells of what is before it */
    int r = crier_view_at_least(view, position, &next.number, &next.row);
    view->end = limit;
    if (r < 0)
        return r;
    if (!next.number)
        *ret_id = view->totals.last;
    else if (next.number == position)
        *ret_id = next.row.id;
    else
        *ret_id = id_before(view, next.row.id);
    return 0;
}

int crier_view_id(struct crier_view *view, uint64_t position, struct crier_id *ret_id)
{
    if (position > view->end)
        position = view->end;
    if (position == 0 || position == view->totals.end) {
        *ret_id = position ? view->totals.last : view->totals.start;
        return 0;
    }
    return id_within(view, position, ret_id);
}

/* The event held before `next` (none: the newest). */
static int before(struct crier_view *view, const struct place *next, struct place *ret_place)
{
    return crier_view_at_most(view, next->number ? next->number - 1 : view->end,
                              &ret_place->number, &ret_place->row);
}

int crier_view_position(struct crier_view *view, struct crier_id id, uint64_t *ret_position)
{
    struct crier_id last;
    struct place next, previous;

    int r = crier_view_id(view, view->end, &last);
    if (r < 0)
        return r;
    if (id.seq / EPOCH_IDS != view->totals.epoch || crier_id_cmp(id, view->totals.start) < 0 ||
        crier_id_cmp(id, last) > 0)
        return -ENOENT;
    r = search(view, later_id, &id, &next);
    if (r == 0)
        r = before(view, &next, &previous);
    if (r < 0)
        return r;
    if (!previous.number)
        previous.row.id = view->totals.start;
    if (crier_id_cmp(previous.row.id, id) == 0 && previous.number)
        *ret_position = previous.number;
    else if (!next.number)
        *ret_position = view->end;
    else if (crier_id_cmp(previous.row.id, id) != 0 && previous.number + 1 == next.number)
        return -ENOENT;
    else
        *ret_position = next.number - 1;
    return 0;
}

int crier_view_before(struct crier_view *view, uint64_t clock_ms, uint64_t *ret_position)
{
    struct place next;

    int r = search(view, not_earlier, &clock_ms, &next);
    if (r < 0)
        return r;
    *ret_position = next.number ? next.number - 1 : view->end;
    return 0;
}
