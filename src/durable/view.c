/* SPDX-License-Identifier: MIT */
/*
 * Views: begin and end, one event, topics.
 *
 *     idle | view | view |  --  | ...     begin takes one out (or makes one), end puts it back
 *
 * A view that is put back keeps its reader's place in lock.mdb, its cursors and its scratch,
 * but no transaction: LMDB calls that reset, and renew makes it a look at what is newest. So a
 * slice of the past costs no memory and no system call. The places are atomic pointers: whoever
 * takes one out has it alone, in any thread (the environment is opened with MDB_NOTLS).
 *
 * A view knows no more of the totals than its own transaction: the writer's are newer, and
 * another thread's.
 *
 * What can fail: memory; a reader's place (-EAGAIN is not told apart: -EIO); -EUCLEAN, what is
 * read makes no sense.
 */
#include "durable/view.h"
#include "base/mem.h"
#include <assert.h>

enum { FRAME_KEPT = 1 << 20 }; /* larger scratch is not kept for the next */

/* ---- begin and end ----------------------------------------------------------------------- */

static struct crier_view *view_free(struct crier_view *view)
{
    for (size_t i = 0; i < CRIER_TABLES; i++) {
        if (view->cursors[i])
            mdb_cursor_close(view->cursors[i]);
    }
    for (size_t i = 0; i < CRIER_VIEW_POSTINGS; i++) {
        if (view->postings[i])
            mdb_cursor_close(view->postings[i]);
    }
    if (view->txn)
        mdb_txn_abort(view->txn);
    crier_buf_deinit(&view->frame);
    crier_mem_free(view->store->mem, view->heads);
    return crier_mem_free(view->store->mem, view);
}

void crier_views_free(struct crier_store *store)
{
    for (size_t i = 0; i < CRIER_VIEWS_IDLE; i++) {
        struct crier_view *view = atomic_exchange(&store->idle_views[i], NULL);
        if (view)
            view_free(view);
    }
}

static struct crier_view *take_idle(struct crier_store *store)
{
    for (size_t i = 0; i < CRIER_VIEWS_IDLE; i++) {
        if (!atomic_load_explicit(&store->idle_views[i], memory_order_relaxed))
            continue;
        struct crier_view *view =
            atomic_exchange_explicit(&store->idle_views[i], NULL, memory_order_acquire);
        if (view)
            return view;
    }
    return NULL;
}

static bool put_idle(struct crier_store *store, struct crier_view *view)
{
    for (size_t i = 0; i < CRIER_VIEWS_IDLE; i++) {
        struct crier_view *none = NULL;
        if (atomic_compare_exchange_strong_explicit(&store->idle_views[i], &none, view,
                                                    memory_order_release, memory_order_relaxed))
            return true;
    }
    return false;
}

/* Takes txn; NULL: begins one. */
static int view_make(struct crier_store *store, MDB_txn *txn, struct crier_view **ret_view)
{
    struct crier_view *view = crier_mem_zalloc(store->mem, sizeof(*view));
    int r = 0;

    if (!view) {
        if (txn)
            mdb_txn_abort(txn);
        return -ENOMEM;
    }
    view->store = store;
    view->merge_looks = CRIER_VIEW_MERGE_LOOKS;
    crier_buf_init(&view->frame, store->mem);
    if (!txn)
        r = crier_file_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
    if (r < 0) {
        view_free(view);
        return r;
    }
    view->txn = txn;
    *ret_view = view;
    return 0;
}

static int read_totals(struct crier_view *view)
{
    MDB_val key = {sizeof("totals") - 1, (void *)(uintptr_t) "totals"}, value;
    int r = crier_file_error(
        mdb_get(view->txn, view->store->tables[CRIER_TABLE_META], &key, &value));

    if (r == 0)
        r = crier_totals_read(value, &view->totals, &view->topic_serial);
    if (r == 0)
        view->end = view->totals.end;
    return r == -ENOENT ? -EUCLEAN : r;
}

/* Takes the view on failure. */
static int view_start(struct crier_view *view, struct crier_view **ret_view)
{
    memset(view->current, 0, sizeof(view->current));
    view->at = 0;
    int r = read_totals(view);
    if (r < 0) {
        view_free(view);
        return r;
    }
    *ret_view = view;
    return 0;
}

int crier_view_begin(struct crier_store *store, struct crier_view **ret_view)
{
    struct crier_view *view = take_idle(store);

    if (!view) {
        int r = view_make(store, NULL, &view);
        return r < 0 ? r : view_start(view, ret_view);
    }
    int r = crier_file_error(mdb_txn_renew(view->txn));
    if (r < 0) {
        view_free(view);
        return r;
    }
    return view_start(view, ret_view);
}

int crier_view_adopt(struct crier_store *store, MDB_txn *txn, struct crier_view **ret_view)
{
    struct crier_view *view;

    int r = view_make(store, txn, &view);
    return r < 0 ? r : view_start(view, ret_view);
}

struct crier_view *crier_view_end(struct crier_view *view)
{
    if (!view)
        return NULL;
    mdb_txn_reset(view->txn);
    if (view->frame.cap > FRAME_KEPT)
        crier_buf_deinit(&view->frame);
    crier_buf_clear(&view->frame);
    if (!put_idle(view->store, view))
        view_free(view);
    return NULL;
}

void crier_view_limit(struct crier_view *view, uint64_t end)
{
    if (end < view->end)
        view->end = end;
}

/* ---- one event --------------------------------------------------------------------------- */

int crier_view_cursor(struct crier_view *view, int table, MDB_cursor **ret)
{
    MDB_cursor **cursor = &view->cursors[table];
    int r = 0;

    if (!*cursor)
        r = crier_file_error(mdb_cursor_open(view->txn, view->store->tables[table], cursor));
    else if (!view->current[table])
        r = crier_file_error(mdb_cursor_renew(view->txn, *cursor));
    if (r < 0)
        return r;
    view->current[table] = true;
    *ret = *cursor;
    return 0;
}

/* What the cursor's call found: a row, within the limit. */
static int take_row(struct crier_view *view,
                    int rc,
                    const MDB_val *key,
                    const MDB_val *value,
                    uint64_t *ret_number,
                    struct crier_row *ret_row)
{
    int r = crier_file_error(rc);

    view->at = 0;
    if (r == -ENOENT) {
        *ret_number = 0;
        return 0;
    }
    if (r < 0)
        return r;
    if (key->mv_size != 8 || crier_get_u64(key->mv_data) == 0)
        return -EUCLEAN;
    uint64_t number = crier_get_u64(key->mv_data);
    if (number > view->end) {
        *ret_number = 0;
        return 0;
    }
    r = crier_row_read((struct crier_slice){value->mv_data, value->mv_size}, ret_row);
    if (r < 0)
        return r;
    view->at = *ret_number = number;
    return 0;
}

int crier_view_at_least(struct crier_view *view,
                        uint64_t number,
                        uint64_t *ret_number,
                        struct crier_row *ret_row)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes}, value = {0, NULL};
    MDB_cursor *cursor = NULL;

    int r = crier_view_cursor(view, CRIER_TABLE_EVENTS, &cursor);
    if (r < 0)
        return r;
    crier_put_u64(bytes, number);
    bool next = view->at && view->at + 1 == number;
    int rc = mdb_cursor_get(cursor, &key, &value, next ? MDB_NEXT : MDB_SET_RANGE);
    return take_row(view, rc, &key, &value, ret_number, ret_row);
}

int crier_view_at_most(struct crier_view *view,
                       uint64_t number,
                       uint64_t *ret_number,
                       struct crier_row *ret_row)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes}, value = {0, NULL};
    MDB_cursor *cursor = NULL;
    int rc = 0;

    int r = crier_view_cursor(view, CRIER_TABLE_EVENTS, &cursor);
    if (r < 0)
        return r;
    if (number > view->end)
        number = view->end;
    if (!view->at || view->at != number + 1) {
        crier_put_u64(bytes, number + 1);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        if (rc != 0 && rc != MDB_NOTFOUND)
            return crier_file_error(rc);
    }
    /* It stands on the first one that is too new, or there is none. */
    rc = mdb_cursor_get(cursor, &key, &value, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
    return take_row(view, rc, &key, &value, ret_number, ret_row);
}

int crier_view_event(struct crier_view *view, uint64_t number, struct crier_row *ret_row)
{
    uint64_t found = 0;

    if (number == 0 || number > view->end)
        return -ENOENT;
    int r = crier_view_at_least(view, number, &found, ret_row);
    if (r < 0)
        return r;
    return found == number ? 0 : -ENOENT;
}

uint64_t crier_view_hash(const struct crier_view *view, struct crier_slice topic)
{
    uint64_t hash = crier_hash(&view->totals.hash_key, topic);
    return hash ? hash : 1; /* as crier_journal_hash */
}

int crier_view_extras(struct crier_view *view,
                      uint64_t number,
                      struct crier_slice *ret_key,
                      uint64_t *ret_ttl_ms)
{
    struct crier_row row;

    int r = crier_view_event(view, number, &row);
    if (r < 0)
        return r;
    *ret_key = row.key;
    *ret_ttl_ms = row.expires_ms ? row.expires_ms - row.clock_ms : 0;
    return 0;
}

int crier_store_ends(struct crier_store *store,
                     struct crier_id *ret_first,
                     struct crier_id *ret_last)
{
    struct crier_id ends[2] = {{0, 0}, {0, 0}};
    struct crier_view *view;
    struct crier_row row;
    uint64_t number;

    int r = crier_view_begin(store, &view);
    if (r < 0)
        return r;
    r = crier_view_at_least(view, 1, &number, &row);
    if (r == 0 && number)
        ends[0] = row.id;
    if (r == 0)
        r = crier_view_at_most(view, view->end, &number, &row);
    if (r == 0 && number)
        ends[1] = row.id;
    crier_view_end(view);
    if (r < 0)
        return r;
    *ret_first = ends[0];
    *ret_last = ends[1];
    return 0;
}

/* ---- topics ------------------------------------------------------------------------------ */

/* Takes what is past the view's limit out of a topic's row. 0; -ENOENT: nothing is left. */
static int cut_topic(struct crier_view *view, struct crier_topic_row *topic)
{
    uint64_t number;
    struct crier_row row;
    MDB_cursor *cursor = NULL;

    if (topic->last <= view->end)
        return 0;
    int r = crier_view_cursor(view, CRIER_TABLE_POSTINGS, &cursor);
    if (r == 0)
        r = crier_find_posting(cursor, topic->serial, false, view->end + 1, &number);
    while (r == 0) {
        r = crier_row_get(view->store, view->txn, number, &row);
        if (r < 0)
            return r == -ENOENT ? -EUCLEAN : r;
        topic->events--;
        topic->bytes -= crier_row_bytes(&row);
        r = crier_find_posting_next(cursor, false, &number);
    }
    if (r != -ENOENT)
        return r;
    return crier_find_posting(cursor, topic->serial, true, view->end, &topic->last);
}

static int topic_info(struct crier_view *view,
                      struct crier_slice name,
                      struct crier_topic_row topic,
                      struct crier_topic_info *ret_info)
{
    struct crier_row first, last;

    int r = cut_topic(view, &topic);
    if (r < 0)
        return r;
    r = crier_view_event(view, topic.first, &first);
    if (r == 0)
        r = crier_view_event(view, topic.last, &last);
    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    *ret_info = (struct crier_topic_info){.name = name,
                                          .events = topic.events,
                                          .bytes = topic.bytes,
                                          .first = first.id,
                                          .last = last.id};
    return 0;
}

int crier_view_topic(struct crier_view *view,
                     struct crier_slice name,
                     struct crier_topic_info *ret_info)
{
    struct crier_topic_row topic;

    if (name.len == 0 || name.len > (size_t)mdb_env_get_maxkeysize(view->store->env))
        return -ENOENT;
    int r = crier_topic_row_get(view->store, view->txn, name, &topic);
    return r < 0 ? r : topic_info(view, name, topic, ret_info);
}

/* The first topic with the prefix, after `after`. */
static int first_topic(struct crier_view *view,
                       struct crier_slice prefix,
                       struct crier_slice after,
                       MDB_cursor **ret_cursor,
                       MDB_val *key,
                       MDB_val *value)
{
    bool passed = after.len && crier_slice_cmp(after, prefix) >= 0;
    struct crier_slice from = passed ? after : prefix;
    /* No name is as long as a key may be: whatever is longer sorts as its beginning does. */
    size_t max = (size_t)mdb_env_get_maxkeysize(view->store->env);

    int r = crier_view_cursor(view, CRIER_TABLE_TOPICS, ret_cursor);
    if (r < 0)
        return r;
    *key = (MDB_val){from.len < max ? from.len : max, (void *)(uintptr_t)from.data};
    int rc = mdb_cursor_get(*ret_cursor, key, value, from.len ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && passed &&
        crier_slice_eq((struct crier_slice){key->mv_data, key->mv_size}, after))
        rc = mdb_cursor_get(*ret_cursor, key, value, MDB_NEXT);
    return crier_file_error(rc);
}

int crier_view_topics(struct crier_view *view,
                      struct crier_slice prefix,
                      struct crier_slice after,
                      crier_topic_fn *fn,
                      void *ctx)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    struct crier_topic_row topic;
    struct crier_topic_info info;

    int r = first_topic(view, prefix, after, &cursor, &key, &value);
    while (r == 0) {
        struct crier_slice name = {key.mv_data, key.mv_size};
        if (!crier_slice_starts(name, prefix))
            return 0;
        r = crier_topic_row_read(value, &topic);
        if (r == 0)
            r = topic_info(view, name, topic, &info);
        if (r == 0 && !fn(ctx, &info))
            return 0;
        if (r < 0 && r != -ENOENT)
            return r;
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
    }
    return r == -ENOENT ? 0 : r;
}
