/* SPDX-License-Identifier: MIT */
/*
 * What a transaction gathers for each topic and class (batch.c): a topic's row as it will be,
 * and numbers, ascending, for the lists. Written when a table is to be read, or at the end.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "durable/file.h"
#include <string.h>

struct crier_touched {
    struct crier_map_node node;
    struct crier_touched *next;
    struct crier_topic_row row;
    struct crier_buf numbers;          /* to be added to its postings; */
    struct crier_touched *next_filled; /* then it is in the store's list of those */
    bool stored;                       /* it has a row in the file */
    bool dirty;
    size_t name_len;
    char name[];
};

void crier_touched_clear(struct crier_store *store)
{
    struct crier_touched *touched;

    while ((touched = store->touched_list) != NULL) {
        store->touched_list = touched->next;
        crier_map_remove(&store->touched, &touched->node);
        crier_buf_deinit(&touched->numbers);
        crier_mem_free(store->mem, touched);
    }
    for (size_t i = 0; i <= store->rules.count; i++)
        crier_buf_clear(&store->added[i]);
    store->filled = NULL;
    store->unflushed = false;
}

/* ---- topics ------------------------------------------------------------------------------ */

static struct crier_touched *
find_touched(const struct crier_store *store, uint64_t hash, struct crier_slice name)
{
    for (struct crier_map_node *n = crier_map_first(&store->touched, hash); n;
         n = crier_map_next(n)) {
        struct crier_touched *touched = CRIER_CONTAINER(n, struct crier_touched, node);
        if (crier_slice_eq((struct crier_slice){touched->name, touched->name_len}, name))
            return touched;
    }
    return NULL;
}

static int touch_new(struct crier_store *store,
                     uint64_t hash,
                     struct crier_slice name,
                     bool make,
                     struct crier_touched **ret)
{
    struct crier_topic_row row = {0};
    int r = crier_topic_row_get(store, store->txn, name, &row);

    if (r < 0 && (r != -ENOENT || !make))
        return r;
    struct crier_touched *touched = crier_mem_zalloc(store->mem, sizeof(*touched) + name.len);
    if (!touched)
        return -ENOMEM;
    touched->name_len = name.len;
    memcpy(touched->name, name.data, name.len);
    if (crier_map_insert(&store->touched, &touched->node, hash) < 0) {
        crier_mem_free(store->mem, touched);
        return -ENOMEM;
    }
    touched->stored = r == 0;
    touched->row = row;
    crier_buf_init(&touched->numbers, store->mem);
    touched->next = store->touched_list;
    store->touched_list = touched;
    *ret = touched;
    return 0;
}

int crier_batch_touch(struct crier_store *store,
                      struct crier_slice name,
                      bool make,
                      struct crier_touched **ret)
{
    uint64_t hash = crier_hash(&store->totals.hash_key, name);
    struct crier_touched *touched = find_touched(store, hash, name);
    int r = 0;

    if (!touched)
        r = touch_new(store, hash, name, make, &touched);
    if (r < 0)
        return r;
    if (!touched->row.events && !make)
        return -ENOENT;
    *ret = touched;
    return 0;
}

struct crier_topic_row *crier_touched_row(struct crier_touched *touched)
{
    touched->dirty = true;
    return &touched->row;
}

/* ---- writing what was gathered ------------------------------------------------------------ */

/* Numbers, ascending, all larger than what is there: many at once. */
static int
add_numbers(struct crier_store *store, int table, MDB_val key, const struct crier_buf *numbers)
{
    MDB_val values[2] = {{8, numbers->data}, {numbers->len / 8, NULL}};
    MDB_cursor *cursor = NULL;
    int r = crier_batch_cursor(store, table, &cursor);

    if (r < 0)
        return r;
    if (numbers->len == 8)
        return crier_file_error(mdb_cursor_put(cursor, &key, &values[0], 0));
    return crier_file_error(mdb_cursor_put(cursor, &key, values, MDB_MULTIPLE));
}

static int flush_row(struct crier_store *store, struct crier_touched *touched)
{
    unsigned char bytes[CRIER_TOPIC_ROW_BYTES];
    MDB_val key = crier_val(touched->name, touched->name_len), value = {sizeof(bytes), bytes};
    MDB_dbi table = store->tables[CRIER_TABLE_TOPICS];
    int r = 0;

    if (touched->row.events) {
        crier_topic_row_write(&touched->row, bytes);
        r = crier_file_error(mdb_put(store->txn, table, &key, &value, 0));
    } else if (touched->stored) {
        r = crier_file_error(mdb_del(store->txn, table, &key, NULL));
    }
    touched->stored = touched->row.events != 0;
    touched->dirty = false;
    return r;
}

static int flush_topic(struct crier_store *store, struct crier_touched *touched)
{
    unsigned char serial[8];
    int r = 0;

    if (touched->numbers.len) {
        crier_put_u64(serial, touched->row.serial);
        r = add_numbers(store, CRIER_TABLE_POSTINGS, crier_val(serial, 8), &touched->numbers);
        crier_buf_clear(&touched->numbers);
    }
    return r;
}

int crier_touched_flush(struct crier_store *store)
{
    int r = 0;

    if (!store->unflushed)
        return 0;
    for (; r == 0 && store->filled; store->filled = store->filled->next_filled)
        r = flush_topic(store, store->filled);
    for (uint32_t i = 0; r == 0 && i <= store->rules.count; i++) {
        unsigned char key[4];
        if (!store->added[i].len)
            continue;
        crier_class_key(i, key);
        r = add_numbers(store, CRIER_TABLE_ORDER, crier_val(key, 4), &store->added[i]);
        crier_buf_clear(&store->added[i]);
    }
    store->unflushed = false;
    return r;
}

int crier_batch_flush(struct crier_store *store)
{
    int r = crier_touched_flush(store);

    for (struct crier_touched *t = store->touched_list; r == 0 && t; t = t->next) {
        if (t->dirty)
            r = flush_row(store, t);
    }
    return r;
}

int crier_touched_add(struct crier_store *store, struct crier_touched *touched, uint64_t number)
{
    unsigned char bytes[8];

    crier_put_u64(bytes, number);
    if (!touched->numbers.len) {
        touched->next_filled = store->filled;
        store->filled = touched;
    }
    crier_buf_add(&touched->numbers, bytes, sizeof(bytes));
    store->unflushed = true;
    return crier_buf_error(&touched->numbers);
}

int crier_touched_order(struct crier_store *store, uint32_t class_id, uint64_t number)
{
    unsigned char bytes[8];

    crier_put_u64(bytes, number);
    crier_buf_add(&store->added[class_id], bytes, sizeof(bytes));
    store->unflushed = true;
    return crier_buf_error(&store->added[class_id]);
}
