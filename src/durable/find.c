/* SPDX-License-Identifier: MIT */
/*
 * Walking through a filter's events, in either direction, in one of two ways:
 *
 *   merge   the filter's topics are named, or its patterns fit few of those that history holds:
 *           their lists (`postings`) are walked together, the next number first. It costs what
 *           the events found cost, however large history is.
 *
 *               news    17 . 901 ...... 1200 ...              heads: 901, 905
 *               sport       . 905 907 ........... 1490        -->  901, 905, 907, 1200, ...
 *
 *   walk    the patterns may fit many: each row of `events` is read, and its topics are shown
 *           to the patterns. What they say of a topic is remembered (1,024 places, found by
 *           its keyed hash: a wrong guess only costs asking again).
 *
 * Both tell each event once. A head is a cursor of its own in `postings`; the view keeps some
 * of them from one call to the next.
 *
 * What can fail: memory for heads; -EUCLEAN, a list names an event that is not there.
 */
#include "base/mem.h"
#include "durable/view.h"

/* ---- one topic's list -------------------------------------------------------------------- */

static int take_posting(int rc, const MDB_val *value, uint64_t *ret_number)
{
    int r = crier_file_error(rc);
    if (r < 0)
        return r;
    if (value->mv_size != 8)
        return -EUCLEAN;
    *ret_number = crier_get_u64(value->mv_data);
    return 0;
}

/* The last number of the list that is below `number`, or (rc MDB_NOTFOUND) its last. */
static int
step_back(MDB_cursor *cursor, int rc, MDB_val *key, MDB_val *value, uint64_t *ret_number)
{
    if (rc == 0)
        return take_posting(mdb_cursor_get(cursor, key, value, MDB_PREV_DUP), value,
                            ret_number);
    if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(cursor, key, value, MDB_SET);
    if (rc == 0)
        rc = mdb_cursor_get(cursor, key, value, MDB_LAST_DUP);
    return take_posting(rc, value, ret_number);
}

int crier_find_posting(
    MDB_cursor *cursor, uint64_t serial, bool down, uint64_t number, uint64_t *ret_number)
{
    unsigned char key_bytes[8], value_bytes[8];
    MDB_val key = {8, key_bytes}, value = {8, value_bytes};

    crier_put_u64(key_bytes, serial);
    crier_put_u64(value_bytes, number);
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_GET_BOTH_RANGE);
    if (!down || (rc == 0 && value.mv_size == 8 && crier_get_u64(value.mv_data) == number))
        return take_posting(rc, &value, ret_number);
    return step_back(cursor, rc, &key, &value, ret_number);
}

int crier_find_posting_next(MDB_cursor *cursor, bool down, uint64_t *ret_number)
{
    MDB_val key = {0, NULL}, value = {0, NULL};

    int rc = mdb_cursor_get(cursor, &key, &value, down ? MDB_PREV_DUP : MDB_NEXT_DUP);
    return take_posting(rc, &value, ret_number);
}

/* ---- the topics patterns fit ------------------------------------------------------------- */

struct fitting {
    const struct crier_filter *filter;
    size_t looks, max_looks; /* names looked at */
    int (*fn)(void *ctx, const struct crier_topic_row *row);
    void *ctx;
};

/* The cursor stands on the first topic that is not before the prefix. */
static int walk_prefix(struct fitting *fitting,
                       struct crier_slice prefix,
                       MDB_cursor *cursor,
                       MDB_val key,
                       MDB_val value)
{
    const struct crier_filter *filter = fitting->filter;
    struct crier_topic_row row;
    int r;

    do {
        struct crier_slice name = {key.mv_data, key.mv_size};
        if (!crier_slice_starts(name, prefix))
            return 0;
        if (fitting->max_looks && fitting->looks++ == fitting->max_looks)
            return CRIER_FIND_END;
        if (filter->match(filter->ctx, name)) {
            r = crier_topic_row_read(value, &row);
            if (r == 0)
                r = fitting->fn(fitting->ctx, &row);
            if (r != 0)
                return r;
        }
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
    } while (r == 0);
    return r == -ENOENT ? 0 : r;
}

int crier_find_topics(struct crier_view *view,
                      const struct crier_filter *filter,
                      size_t max_looks,
                      int (*fn)(void *ctx, const struct crier_topic_row *row),
                      void *ctx)
{
    struct fitting fitting = {filter, 0, max_looks, fn, ctx};
    MDB_cursor *cursor;

    int r = crier_view_cursor(view, CRIER_TABLE_TOPICS, &cursor);
    for (size_t i = 0; r == 0 && filter->match && i < filter->prefix_count; i++) {
        struct crier_slice prefix = filter->prefixes[i];
        MDB_val key = {prefix.len, (void *)(uintptr_t)prefix.data}, value = {0, NULL};
        if (prefix.len > (size_t)mdb_env_get_maxkeysize(view->store->env))
            continue; /* no topic is as long */
        r = crier_file_error(
            mdb_cursor_get(cursor, &key, &value, prefix.len ? MDB_SET_RANGE : MDB_FIRST));
        if (r == 0)
            r = walk_prefix(&fitting, prefix, cursor, key, value);
        else if (r == -ENOENT)
            r = 0;
    }
    return r;
}

/* ---- heads ------------------------------------------------------------------------------- */

/* Does a come before b? */
static bool earlier(const struct crier_find *find, size_t a, size_t b)
{
    const struct crier_view_head *heads = find->view->heads;
    return find->down ? heads[a].number > heads[b].number : heads[a].number < heads[b].number;
}

static void swap(struct crier_find *find, size_t a, size_t b)
{
    struct crier_view_head *heads = find->view->heads, head = heads[a];
    heads[a] = heads[b];
    heads[b] = head;
}

static void sift_down(struct crier_find *find, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < find->count; i = child) {
        if (child + 1 < find->count && earlier(find, child + 1, child))
            child++;
        if (!earlier(find, child, i))
            return;
        swap(find, i, child);
    }
}

static int head_cursor(struct crier_view *view, size_t i, MDB_cursor **ret_cursor)
{
    MDB_cursor *cursor = i < CRIER_VIEW_POSTINGS ? view->postings[i] : NULL;

    if (cursor) {
        view->postings[i] = NULL; /* the head's, until it is at its end */
        *ret_cursor = cursor;
        return crier_file_error(mdb_cursor_renew(view->txn, cursor));
    }
    return crier_file_error(
        mdb_cursor_open(view->txn, view->store->tables[CRIER_TABLE_POSTINGS], ret_cursor));
}

static int head_room(struct crier_find *find)
{
    struct crier_view *view = find->view;

    if (find->total < view->head_cap)
        return 0;
    size_t cap = view->head_cap ? view->head_cap * 2 : 16;
    struct crier_view_head *heads =
        crier_mem_resize(view->store->mem, view->heads, cap * sizeof(heads[0]));
    if (!heads)
        return -ENOMEM;
    view->heads = heads;
    view->head_cap = cap;
    return 0;
}

static int add_head(struct crier_find *find, const struct crier_topic_row *row)
{
    struct crier_view *view = find->view;
    struct crier_view_head head = {NULL, 0};

    if (find->down ? row->first > find->from : row->last <= find->from)
        return 0;
    int r = head_room(find);
    if (r == 0)
        r = head_cursor(view, find->total, &head.cursor);
    if (head.cursor)
        view->heads[find->total++] = head;
    if (r < 0)
        return r;
    /* All that are there have begun: they are the first `total`. */
    find->count = find->total;
    r = crier_find_posting(head.cursor, row->serial, find->down,
                           find->down ? find->from : find->from + 1,
                           &view->heads[find->total - 1].number);
    return r == -ENOENT ? -EUCLEAN : r;
}

static int add_fitting(void *ctx, const struct crier_topic_row *row)
{
    struct crier_find *find = ctx;

    if (find->fitting++ == CRIER_VIEW_MERGE_TOPICS)
        return CRIER_FIND_END;
    return add_head(find, row);
}

static int add_named(struct crier_find *find)
{
    const struct crier_filter *filter = find->filter;
    size_t max = (size_t)mdb_env_get_maxkeysize(find->view->store->env);
    struct crier_topic_row row;

    for (size_t i = 0; i < filter->topic_count; i++) {
        if (filter->topics[i].len == 0 || filter->topics[i].len > max)
            continue;
        int r =
            crier_topic_row_get(find->view->store, find->view->txn, filter->topics[i], &row);
        if (r == 0)
            r = add_head(find, &row);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

/* 0; CRIER_FIND_END: patterns may fit too many. */
static int add_all(struct crier_find *find)
{
    struct crier_view *view = find->view;

    if (find->filter->match && !view->merge_looks)
        return CRIER_FIND_END;
    int r = add_named(find);
    if (r == 0 && find->filter->match)
        r = crier_find_topics(view, find->filter, view->merge_looks, add_fitting, find);
    return r;
}

/* ---- begin and end ----------------------------------------------------------------------- */

void crier_find_end(struct crier_find *find)
{
    struct crier_view *view = find->view;
    size_t kept = 0;

    for (size_t i = 0; i < find->total; i++) {
        while (kept < CRIER_VIEW_POSTINGS && view->postings[kept])
            kept++;
        if (kept < CRIER_VIEW_POSTINGS)
            view->postings[kept] = view->heads[i].cursor;
        else
            mdb_cursor_close(view->heads[i].cursor);
    }
    find->total = find->count = 0;
}

void crier_find_forget(struct crier_view *view)
{
    memset(view->memo, 0, sizeof(view->memo));
}

int crier_find_begin(struct crier_find *find,
                     struct crier_view *view,
                     const struct crier_filter *filter,
                     bool down,
                     uint64_t from,
                     uint64_t clock_ms)
{
    *find = (struct crier_find){
        .view = view, .filter = filter, .clock_ms = clock_ms, .down = down, .from = from};

    if (down && from > view->end)
        find->from = view->end;
    int r = add_all(find);
    if (r != 0)
        crier_find_end(find);
    if (r < 0)
        return r;
    find->walk = r == CRIER_FIND_END;
    if (find->walk)
        crier_find_forget(view);
    for (size_t i = find->count / 2; i-- > 0;)
        sift_down(find, i);
    return 0;
}

/* ---- looking ----------------------------------------------------------------------------- */

bool crier_find_rest(const struct crier_filter *filter,
                     const struct crier_row *row,
                     uint64_t clock_ms)
{
    if (row->expires_ms && row->expires_ms <= clock_ms)
        return false;
    return crier_filter_type(filter, row->type);
}

static bool topic_wanted(struct crier_view *view,
                         const struct crier_filter *filter,
                         struct crier_slice topic,
                         uint64_t hash)
{
    size_t slot = hash % CRIER_VIEW_MEMO;

    if (view->memo[slot].hash != hash) {
        view->memo[slot].wanted = crier_filter_topic(filter, topic, hash);
        view->memo[slot].hash = hash;
    }
    return view->memo[slot].wanted;
}

static void hash_topics(const struct crier_view *view, struct crier_found *found)
{
    for (size_t i = 0; i < found->row.topic_count; i++) {
        bool alive = found->row.alive >> i & 1;
        found->hashes[i] = alive ? crier_view_hash(view, found->row.topics[i]) : 0;
    }
}

void crier_find_look(struct crier_view *view,
                     const struct crier_filter *filter,
                     uint64_t clock_ms,
                     struct crier_found *found)
{
    bool wanted = false;

    hash_topics(view, found);
    for (size_t i = 0; !wanted && i < found->row.topic_count; i++)
        wanted = found->hashes[i] &&
                 topic_wanted(view, filter, found->row.topics[i], found->hashes[i]);
    found->matches = wanted && crier_find_rest(filter, &found->row, clock_ms);
}

static int walk_next(struct crier_find *find, struct crier_found *found)
{
    struct crier_view *view = find->view;
    uint64_t number;
    int r;

    if (find->down)
        r = crier_view_at_most(view, find->last ? find->last - 1 : find->from, &number,
                               &found->row);
    else
        r = crier_view_at_least(view, (find->last ? find->last : find->from) + 1, &number,
                                &found->row);
    if (r < 0)
        return r;
    if (!number)
        return CRIER_FIND_END;
    find->last = found->number = number;
    crier_find_look(view, find->filter, find->clock_ms, found);
    return 0;
}

/* Takes the next number off the heap. 0: there is none. */
static int take_number(struct crier_find *find, uint64_t *ret_number)
{
    struct crier_view_head *heads = find->view->heads;
    uint64_t number = heads[0].number;

    int r = crier_find_posting_next(heads[0].cursor, find->down, &heads[0].number);
    if (r == -ENOENT)
        swap(find, 0, --find->count);
    else if (r < 0)
        return r;
    sift_down(find, 0);
    *ret_number = number;
    return 0;
}

static int merge_next(struct crier_find *find, struct crier_found *found)
{
    struct crier_view *view = find->view;
    uint64_t number = find->last;

    while (number == find->last) {
        if (!find->count || (!find->down && view->heads[0].number > view->end))
            return CRIER_FIND_END;
        int r = take_number(find, &number);
        if (r < 0)
            return r;
    }
    int r = crier_view_event(view, number, &found->row);
    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    find->last = found->number = number;
    found->matches = crier_find_rest(find->filter, &found->row, find->clock_ms);
    if (found->matches)
        hash_topics(view, found);
    return 0;
}

int crier_find_next(struct crier_find *find, struct crier_found *found)
{
    return find->walk ? walk_next(find, found) : merge_next(find, found);
}
