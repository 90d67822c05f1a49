/* SPDX-License-Identifier: MIT */
/*
 * An event leaves: topic by topic out of their postings, and with its last out of everything.
 *
 *     row: alive = topics it is still held under
 *       drop(mask) ──▶ each topic in mask: postings, row of the topic
 *            ├── some stay ──▶ the row is written again
 *            └── none stays ─▶ events, order, deadlines, keys; its class counts one less
 *
 * What was put in the same transaction is in the tables before it can leave.
 *
 * What can fail: memory and the disk; -EUCLEAN: the tables contradict each other.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "durable/file.h"
#include <assert.h>
#include <string.h>

int crier_batch_row(struct crier_store *store, uint64_t number, struct crier_row *ret_row)
{
    unsigned char bytes[8];
    MDB_cursor *cursor = NULL;
    MDB_val key = {8, bytes}, value;
    int r = crier_batch_cursor(store, CRIER_TABLE_EVENTS, &cursor);

    crier_put_u64(bytes, number);
    if (r == 0)
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_SET));
    if (r < 0)
        return r;
    crier_buf_clear(&store->copy);
    crier_buf_add(&store->copy, value.mv_data, value.mv_size);
    r = crier_buf_error(&store->copy);
    return r < 0 ? r : crier_row_read(crier_buf_slice(&store->copy), ret_row);
}

int crier_batch_rewrite(struct crier_store *store, uint64_t number, const struct crier_row *row)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes};

    crier_put_u64(bytes, number);
    crier_buf_clear(&store->scratch);
    crier_row_write(&store->scratch, row);
    int r = crier_buf_error(&store->scratch);
    if (r < 0)
        return r;
    MDB_val value = {store->scratch.len, store->scratch.data};
    return crier_file_error(
        mdb_put(store->txn, store->tables[CRIER_TABLE_EVENTS], &key, &value, 0));
}

static int del_dup(struct crier_store *store, int table, MDB_val key, uint64_t number)
{
    unsigned char bytes[8];
    MDB_val value = {8, bytes};
    MDB_cursor *cursor = NULL;
    int r = crier_batch_cursor(store, table, &cursor);

    crier_put_u64(bytes, number);
    if (r == 0)
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_GET_BOTH));
    if (r == 0)
        r = crier_file_error(mdb_cursor_del(cursor, 0));
    return r == -ENOENT ? -EUCLEAN : r;
}

int crier_batch_order(struct crier_store *store, uint32_t class_id, uint64_t number, bool add)
{
    unsigned char key[4], bytes[8];

    crier_class_key(class_id, key);
    if (!add)
        return del_dup(store, CRIER_TABLE_ORDER, crier_val(key, 4), number);
    MDB_val k = {4, key}, value = {8, bytes};
    crier_put_u64(bytes, number);
    return crier_file_error(
        mdb_put(store->txn, store->tables[CRIER_TABLE_ORDER], &k, &value, 0));
}

/* The first or the last number of a topic's postings. Where there is but one, LMDB leaves the
 * value as MDB_SET has found it: it must be the same variable. */
static int
end_of(struct crier_store *store, uint64_t serial, MDB_cursor_op op, uint64_t *ret_number)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes}, value;
    MDB_cursor *cursor = NULL;
    int r = crier_batch_cursor(store, CRIER_TABLE_POSTINGS, &cursor);

    crier_put_u64(bytes, serial);
    if (r == 0)
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_SET));
    if (r == 0)
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, op));
    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    *ret_number = crier_get_u64(value.mv_data);
    return 0;
}

/* The event is one less of the topic's. */
static int
leave_topic(struct crier_store *store, struct crier_slice name, uint64_t number, uint64_t bytes)
{
    struct crier_touched *touched;
    unsigned char serial[8];
    int r = crier_batch_touch(store, name, false, &touched);

    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    struct crier_topic_row *row = crier_touched_row(touched);
    crier_put_u64(serial, row->serial);
    r = del_dup(store, CRIER_TABLE_POSTINGS, crier_val(serial, 8), number);
    if (r < 0)
        return r;
    if (row->events < 1 || row->bytes < bytes)
        return -EUCLEAN;
    row->events--;
    row->bytes -= bytes;
    if (row->kept == number)
        row->kept = 0;
    store->totals.topics -= row->events == 0;
    if (row->events && row->first == number)
        r = end_of(store, row->serial, MDB_FIRST_DUP, &row->first);
    if (r == 0 && row->events && row->last == number)
        r = end_of(store, row->serial, MDB_LAST_DUP, &row->last);
    return r;
}

static void count_gone(struct crier_store *store,
                       const struct crier_row *row,
                       uint64_t bytes,
                       enum crier_store_why why)
{
    struct crier_store_totals *t = &store->totals;
    struct crier_class *c = &store->classes[row->class_id & ~(uint32_t)CRIER_CLASS_KEPT];

    t->events--;
    t->bytes -= bytes;
    t->evicted += why == CRIER_STORE_EVICTED;
    t->expired += why == CRIER_STORE_EXPIRED;
    t->forgotten += why == CRIER_STORE_FORGOTTEN;
    if (row->class_id & CRIER_CLASS_KEPT) {
        c->kept_events--;
        c->kept_bytes -= bytes;
        t->kept_events--;
        t->kept_bytes -= bytes;
    } else {
        c->events--;
        c->bytes -= bytes;
    }
}

static int del_bare(struct crier_store *store, int table, const void *key, size_t size)
{
    MDB_val k = crier_val(key, size);
    int r = crier_file_error(mdb_del(store->txn, store->tables[table], &k, NULL));

    return r == -ENOENT ? -EUCLEAN : r;
}

/* Out of everything. */
static int gone(struct crier_store *store,
                uint64_t number,
                const struct crier_row *row,
                enum crier_store_why why)
{
    unsigned char bytes[8], deadline[16];
    int r = crier_batch_order(store, row->class_id, number, false);

    crier_put_u64(bytes, number);
    if (r == 0)
        r = del_bare(store, CRIER_TABLE_EVENTS, bytes, sizeof(bytes));
    if (r == 0 && row->expires_ms) {
        crier_deadline_key(row->expires_ms, number, deadline);
        r = del_bare(store, CRIER_TABLE_DEADLINES, deadline, sizeof(deadline));
    }
    if (r == 0 && row->key.len)
        r = del_bare(store, CRIER_TABLE_KEYS, bytes, sizeof(bytes));
    if (r == 0)
        count_gone(store, row, crier_row_bytes(row), why);
    return r;
}

static uint64_t topic_hash(const struct crier_store *store, struct crier_slice topic)
{
    uint64_t hash = crier_hash(&store->totals.hash_key, topic);

    return hash ? hash : 1; /* as crier_journal_hash */
}

int crier_batch_drop(struct crier_store *store,
                     uint64_t number,
                     unsigned mask,
                     enum crier_store_why why,
                     crier_store_left_fn *left,
                     void *ctx)
{
    struct crier_store_leaving leaving = {.number = number, .why = why};
    struct crier_row row;
    int r = crier_batch_flush_numbers(store);

    if (r == 0)
        r = crier_batch_row(store, number, &row);
    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    mask &= row.alive;
    for (size_t i = 0; r == 0 && i < row.topic_count; i++) {
        if (!(mask >> i & 1))
            continue;
        r = leave_topic(store, row.topics[i], number, crier_row_bytes(&row));
        leaving.topic_hashes[leaving.topic_count] = topic_hash(store, row.topics[i]);
        leaving.topics[leaving.topic_count++] = row.topics[i];
    }
    row.alive &= ~mask;
    if (r == 0)
        r = row.alive ? crier_batch_rewrite(store, number, &row)
                      : gone(store, number, &row, why);
    if (r < 0)
        return r;
    leaving.id = row.id;
    leaving.gone = !row.alive;
    leaving.key = row.key;
    leaving.first_topic = row.topics[0];
    left(ctx, &leaving);
    return 0;
}

/* What the topic holds, oldest first, at least `most` of it if there are so many. */
static int
collect(struct crier_store *store, uint64_t serial, size_t most, struct crier_buf *numbers)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes}, value;
    MDB_cursor *cursor = NULL;
    int r = crier_batch_cursor(store, CRIER_TABLE_POSTINGS, &cursor);

    crier_put_u64(bytes, serial);
    if (r == 0)
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_SET));
    if (r == 0)
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_GET_MULTIPLE));
    while (r == 0) {
        crier_buf_add(numbers, value.mv_data, value.mv_size);
        if (numbers->len / 8 >= most)
            break;
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT_MULTIPLE));
    }
    return r == 0 || r == -ENOENT ? crier_buf_error(numbers) : r;
}

static int forget_one(struct crier_store *store,
                      uint64_t number,
                      struct crier_slice topic,
                      crier_store_left_fn *left,
                      void *ctx)
{
    struct crier_row row;
    int r = crier_batch_row(store, number, &row);

    for (size_t i = 0; r == 0 && i < row.topic_count; i++) {
        if ((row.alive >> i & 1) && crier_slice_eq(row.topics[i], topic))
            return crier_batch_drop(store, number, 1u << i, CRIER_STORE_FORGOTTEN, left, ctx);
    }
    return r == 0 || r == -ENOENT ? -EUCLEAN : r;
}

int crier_store_forget_some(struct crier_store *store,
                            struct crier_slice topic,
                            size_t max_events,
                            crier_store_left_fn *left,
                            void *ctx)
{
    struct crier_touched *touched;
    struct crier_buf numbers;
    int r = crier_batch_touch(store, topic, false, &touched);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    crier_buf_init(&numbers, store->mem);
    r = crier_batch_flush_numbers(store);
    if (r == 0)
        r = collect(store, crier_touched_row(touched)->serial, max_events, &numbers);
    size_t count = numbers.len / 8;
    for (size_t i = 0; r == 0 && i < count && i < max_events; i++)
        r = forget_one(store, crier_get_u64(numbers.data + 8 * i), topic, left, ctx);
    crier_buf_deinit(&numbers);
    return r < 0 ? r : crier_touched_row(touched)->events > 0;
}

int crier_store_forget(struct crier_store *store,
                       struct crier_slice topic,
                       crier_store_left_fn *left,
                       void *ctx)
{
    return crier_store_forget_some(store, topic, SIZE_MAX, left, ctx);
}
