/* SPDX-License-Identifier: MIT */
/*
 * The rules are not those the store was left with: `order` and the classes are made anew, a
 * bounded number of events a transaction.
 *
 *     rules := "making anew" ─▶ order emptied ─▶ events, thousands at a time ─▶ rules := new
 *
 * Cut off in the middle, it begins again with the next start.
 */
#include "base/mem.h"
#include "durable/file.h"
#include <string.h>

enum { AT_ONCE = 8192, AT_LEAST = 16 };

static const char making_anew[] = "making anew";

static int put_rules(struct crier_store *store, struct crier_slice text)
{
    MDB_val key = crier_val("rules", 5),
            value = crier_val(text.data ? text.data : "", text.len);

    return crier_file_error(
        mdb_put(store->txn, store->tables[CRIER_TABLE_META], &key, &value, 0));
}

/* What the file was last written with. *ret_whole: every event is in its class by them. */
static int
stored_rules(const struct crier_store *store, struct crier_rules *ret_rules, bool *ret_whole)
{
    MDB_val key = crier_val("rules", 5), value;
    MDB_txn *txn;
    int r = crier_file_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));

    if (r < 0)
        return r;
    r = crier_file_error(mdb_get(txn, store->tables[CRIER_TABLE_META], &key, &value));
    *ret_whole = r == 0 && crier_rules_read((struct crier_slice){value.mv_data, value.mv_size},
                                            ret_rules) == 0;
    mdb_txn_abort(txn);
    return r == -ENOENT ? 0 : r;
}

static int commit(struct crier_store *store, int r)
{
    if (r == 0)
        r = crier_store_save(store);
    if (r < 0) {
        crier_store_abort(store);
        return r;
    }
    for (size_t i = 0; i < CRIER_TABLES; i++) {
        if (store->cursors[i])
            mdb_cursor_close(store->cursors[i]);
        store->cursors[i] = NULL;
    }
    r = crier_file_error(mdb_txn_commit(store->txn));
    store->txn = NULL;
    return r;
}

static int drop_class(struct crier_store *store, unsigned class_id)
{
    unsigned char key[7] = {
        'c', 'l', 'a', 's', 's', (unsigned char)(class_id >> 8), (unsigned char)class_id};
    MDB_val k = {7, key};
    int r = crier_file_error(mdb_del(store->txn, store->tables[CRIER_TABLE_META], &k, NULL));

    return r == -ENOENT ? 0 : r;
}

static int empty_order(struct crier_store *store)
{
    int r = crier_store_begin(store);

    if (r < 0)
        return r;
    r = put_rules(store, (struct crier_slice){making_anew, sizeof(making_anew) - 1});
    if (r == 0)
        r = crier_file_error(mdb_drop(store->txn, store->tables[CRIER_TABLE_ORDER], 0));
    for (unsigned i = 0; r == 0 && i < CRIER_CLASSES; i++)
        r = drop_class(store, i);
    memset(store->classes, 0, sizeof(store->classes));
    memset(store->before_classes, 0, sizeof(store->before_classes));
    return commit(store, r);
}

static int put_back(struct crier_store *store, uint64_t number, struct crier_row *row)
{
    uint32_t class_id = crier_store_class(store, row->topics[0]);
    uint32_t kept = row->class_id & CRIER_CLASS_KEPT;
    struct crier_class *c = &store->classes[class_id];
    uint64_t bytes = crier_row_bytes(row);
    int r = 0;

    if (row->class_id != (class_id | kept)) {
        row->class_id = class_id | kept;
        r = crier_batch_rewrite(store, number, row);
    }
    if (kept) {
        c->kept_events++;
        c->kept_bytes += bytes;
    } else {
        c->events++;
        c->bytes += bytes;
    }
    return r == 0 ? crier_batch_order(store, row->class_id, number, true) : r;
}

/* The first number after *number. 0, -ENOENT. */
static int next_number(struct crier_store *store, uint64_t *number)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes}, value;
    MDB_cursor *cursor = NULL;
    int r = crier_batch_cursor(store, CRIER_TABLE_EVENTS, &cursor);

    crier_put_u64(bytes, *number + 1);
    if (r == 0)
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
    if (r == 0)
        *number = crier_get_u64(key.mv_data);
    return r;
}

/* 0: there are more; -ENOENT: that was all. */
static int put_back_some(struct crier_store *store, int most, uint64_t *number)
{
    struct crier_row row;
    int r = crier_store_begin(store);

    if (r < 0)
        return r;
    for (int n = 0; r == 0 && n < most; n++) {
        r = next_number(store, number);
        if (r == 0)
            r = crier_batch_row(store, *number, &row);
        if (r == 0)
            r = put_back(store, *number, &row);
    }
    if (r < 0 && r != -ENOENT)
        return commit(store, r);
    bool last = r == -ENOENT;
    r = commit(store, 0);
    return r < 0 ? r : last ? -ENOENT : 0;
}

static int finish(struct crier_store *store, struct crier_slice text)
{
    int r = crier_store_begin(store);

    return r < 0 ? r : commit(store, put_rules(store, text));
}

static int make_anew(struct crier_store *store, struct crier_slice text)
{
    uint64_t number = 0;
    int most = AT_ONCE, r = empty_order(store);

    while (r == 0) {
        uint64_t from = number;
        r = put_back_some(store, most, &number);
        /* A file that is nearly full has room for less at once. */
        if ((r == -ENOSPC || r == -E2BIG) && most > AT_LEAST) {
            most /= 2;
            number = from;
            r = 0;
        }
    }
    return r == -ENOENT ? finish(store, text) : r;
}

/* New limits for the same selectors change nothing but the text. */
static int put_in_force(struct crier_store *store, bool anew)
{
    struct crier_buf text;
    int r;

    crier_buf_init(&text, store->mem);
    crier_rules_write(&store->rules, &text);
    r = crier_buf_error(&text);
    if (r == 0)
        r = anew ? make_anew(store, crier_buf_slice(&text))
                 : finish(store, crier_buf_slice(&text));
    crier_buf_deinit(&text);
    return r;
}

int crier_store_apply_rules(struct crier_store *store, const struct crier_rules *wanted)
{
    struct crier_rules rules = {.count = 0};
    bool whole = false;
    int r = stored_rules(store, &rules, &whole);

    if (r < 0)
        return r;
    store->rules = wanted ? *wanted : rules;
    if (store->read_only || (whole && (!wanted || crier_rules_same(&rules, wanted))))
        return 0;
    return put_in_force(store, !whole || !crier_rules_same_selectors(&rules, &store->rules));
}

bool crier_store_share(struct crier_store *store, size_t i, struct crier_store_share *ret_share)
{
    const struct crier_class *c = &store->classes[i < CRIER_CLASSES ? i : 0];

    if (i > store->rules.count)
        return false;
    *ret_share = (struct crier_store_share){.rule = i ? &store->rules.list[i - 1] : NULL,
                                            .events = c->events,
                                            .bytes = c->bytes,
                                            .kept_events = c->kept_events,
                                            .kept_bytes = c->kept_bytes};
    return true;
}
