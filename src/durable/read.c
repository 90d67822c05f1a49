/* SPDX-License-Identifier: MIT */
/*
 * What a view answers of a filter's events: the oldest, the newest, the newest of each topic,
 * and the past itself, a slice at a time. All stand on find.c; nothing here knows tables, but
 * for the newest of each topic, which looks at the ends of the topics' lists only.
 *
 * What can fail: memory; -EUCLEAN.
 */
#include "base/mem.h"
#include "durable/view.h"
#include "journal/picks.h"
#include <stdlib.h>

/* ---- the oldest and the newest ----------------------------------------------------------- */

/* The count-th that matches, or the last there is; number 0: none. */
static int find_nth(struct crier_find *find, uint64_t count, struct crier_found *ret_found)
{
    struct crier_found found;
    int r = 0;

    ret_found->number = 0;
    while (count && (r = crier_find_next(find, &found)) == 0) {
        if (!found.matches)
            continue;
        *ret_found = found;
        count--;
    }
    crier_find_end(find);
    return r < 0 ? r : 0;
}

int crier_view_oldest(struct crier_view *view,
                      const struct crier_filter *filter,
                      uint64_t position,
                      uint64_t clock_ms,
                      uint64_t *ret_number,
                      struct crier_id *ret_id)
{
    struct crier_find find;
    struct crier_found found = {.number = 0};

    if (position >= view->end) {
        *ret_number = 0;
        *ret_id = (struct crier_id){0, 0};
        return 0;
    }
    int r = crier_find_begin(&find, view, filter, false, position, clock_ms);
    if (r == 0)
        r = find_nth(&find, 1, &found);
    if (r < 0)
        return r;
    *ret_number = found.number;
    *ret_id = found.number ? found.row.id : (struct crier_id){0, 0};
    return 0;
}

int crier_view_newest(struct crier_view *view,
                      const struct crier_filter *filter,
                      uint64_t count,
                      uint64_t clock_ms,
                      uint64_t *ret_number)
{
    struct crier_find find;
    struct crier_found found = {.number = 0};

    int r = crier_find_begin(&find, view, filter, true, view->end, clock_ms);
    if (r == 0)
        r = find_nth(&find, count, &found);
    if (r < 0)
        return r;
    *ret_number = found.number;
    return 0;
}

/* ---- the newest of each topic ------------------------------------------------------------ */

struct picks {
    struct crier_view *view;
    const struct crier_filter *filter;
    uint64_t clock_ms;
    struct crier_picks list;
};

/* 0: it was taken; 1: it does not match. */
static int try_pick(struct picks *picks, uint64_t number)
{
    struct crier_row row;

    int r = crier_view_event(picks->view, number, &row);
    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    if (!crier_find_rest(picks->filter, &row, picks->clock_ms))
        return 1;
    return crier_picks_add(&picks->list, number);
}

static int pick(void *ctx, const struct crier_topic_row *topic)
{
    struct picks *picks = ctx;
    struct crier_view *view = picks->view;
    uint64_t number = topic->last;
    MDB_cursor *cursor;

    if (topic->first > view->end)
        return 0;
    /* Most often its newest is wanted, and its list need not be looked at. */
    if (number <= view->end) {
        int taken = try_pick(picks, number);
        if (taken <= 0)
            return taken;
        number--;
    }
    int r = crier_view_cursor(view, CRIER_TABLE_POSTINGS, &cursor);
    if (r == 0)
        r = crier_find_posting(cursor, topic->serial, true,
                               number < view->end ? number : view->end, &number);
    while (r == 0) {
        r = try_pick(picks, number);
        if (r <= 0)
            return r;
        r = crier_find_posting_next(cursor, true, &number);
    }
    return r == -ENOENT ? 0 : r;
}

static int pick_all(struct picks *picks)
{
    const struct crier_filter *filter = picks->filter;
    size_t max = (size_t)mdb_env_get_maxkeysize(picks->view->store->env);
    struct crier_topic_row row;

    for (size_t i = 0; i < filter->topic_count; i++) {
        if (filter->topics[i].len == 0 || filter->topics[i].len > max)
            continue;
        int r =
            crier_topic_row_get(picks->view->store, picks->view->txn, filter->topics[i], &row);
        if (r == 0)
            r = pick(picks, &row);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return crier_find_topics(picks->view, filter, 0, pick, picks);
}

int crier_view_latest(struct crier_view *view,
                      const struct crier_filter *filter,
                      uint64_t count,
                      uint64_t clock_ms,
                      uint64_t **ret_numbers,
                      size_t *ret_count)
{
    struct picks picks = {
        .view = view, .filter = filter, .clock_ms = clock_ms, .list.mem = view->store->mem};

    int r = pick_all(&picks);
    if (r == 0)
        crier_picks_sort(&picks.list, count);
    if (r < 0 || !picks.list.count)
        picks.list.numbers = crier_mem_free(view->store->mem, picks.list.numbers);
    if (r < 0)
        return r;
    *ret_numbers = picks.list.numbers;
    *ret_count = picks.list.count;
    return 0;
}

/* ---- slices ------------------------------------------------------------------------------ */

struct slice {
    struct crier_view *view;
    struct crier_view_slice *what;
    crier_scan_fn *fn;
    void *ctx;
    uint64_t limit;
    uint32_t looks;
    bool done; /* by fn or by max_looks */
};

static int show(struct slice *slice, const struct crier_found *found)
{
    const struct crier_row *row = &found->row;
    struct crier_buf *frame = &slice->view->frame;
    struct crier_record record = {.number = found->number,
                                  .id = row->id,
                                  .wall_ms = row->wall_ms,
                                  .boot_ms = row->clock_ms,
                                  .expires_ms = row->expires_ms,
                                  .type = row->type};

    for (size_t i = 0; i < row->topic_count; i++) {
        if (!(row->alive >> i & 1))
            continue;
        record.topics[record.topic_count] = row->topics[i];
        record.topic_hashes[record.topic_count++] = found->hashes[i];
    }
    crier_buf_clear(frame);
    record.sse = crier_row_frame(frame, row);
    if (crier_buf_error(frame) < 0)
        return -ENOMEM;
    record.frame = crier_buf_slice(frame);
    int r = slice->fn(slice->ctx, &record);
    slice->what->position = r == CRIER_SCAN_STOP ? found->number - 1 : found->number;
    slice->done = slice->done || r != 0;
    return 0;
}

/* Looks at an event; the last look that is allowed ends the slice. */
static int look(struct slice *slice, const struct crier_found *found)
{
    slice->looks++;
    slice->done = slice->what->max_looks && slice->looks >= slice->what->max_looks;
    if (found->matches)
        return show(slice, found);
    slice->what->position = found->number;
    return 0;
}

static int read_on(struct slice *slice)
{
    struct crier_view_slice *what = slice->what;
    struct crier_find find;
    struct crier_found found;

    int r = crier_find_begin(&find, slice->view, what->filter, false, what->position,
                             what->clock_ms);
    if (r < 0)
        return r;
    while (r == 0 && !slice->done) {
        r = crier_find_next(&find, &found);
        if (r == 0 && found.number > slice->limit)
            r = CRIER_FIND_END;
        if (r == 0)
            r = look(slice, &found);
    }
    crier_find_end(&find);
    if (r == CRIER_FIND_END)
        what->position = slice->limit;
    return r < 0 ? r : 0;
}

static int read_picks(struct slice *slice)
{
    const struct crier_view_slice *what = slice->what;
    struct crier_found found;

    crier_find_forget(slice->view);
    for (size_t i = 0; i < what->pick_count && !slice->done; i++) {
        if (what->picks[i] <= what->position)
            continue;
        if (what->picks[i] > slice->limit)
            break;
        found.number = what->picks[i];
        found.matches = false;
        int r = crier_view_event(slice->view, found.number, &found.row);
        if (r < 0 && r != -ENOENT)
            return r;
        if (r == 0)
            crier_find_look(slice->view, what->filter, what->clock_ms, &found);
        r = look(slice, &found);
        if (r < 0)
            return r;
    }
    return 0;
}

int crier_view_read(struct crier_view *view,
                    struct crier_view_slice *what,
                    crier_scan_fn *fn,
                    void *ctx)
{
    struct slice slice = {.view = view, .what = what, .fn = fn, .ctx = ctx};

    slice.limit = what->until < view->end ? what->until : view->end;
    if (what->position >= slice.limit)
        return 0;
    return what->picks ? read_picks(&slice) : read_on(&slice);
}
