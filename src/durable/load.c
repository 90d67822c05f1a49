/* SPDX-License-Identifier: MIT */
/* What is read once, when a store is opened: the floors and the keys that memory works with. */
#include "base/mem.h"
#include "durable/file.h"
#include <stdlib.h>
#include <string.h>

/* ---- floors ------------------------------------------------------------------------------ */

struct floor {
    uint64_t hash;
    struct crier_loss loss;
};

static int by_serial(const void *a, const void *b)
{
    const struct floor *one = a, *two = b;

    return (one->loss.serial > two->loss.serial) - (one->loss.serial < two->loss.serial);
}

static int read_floor(MDB_val key, MDB_val value, struct floor *ret)
{
    const unsigned char *at = value.mv_data;

    if (key.mv_size != 8 || value.mv_size != 32)
        return -EUCLEAN;
    ret->hash = crier_get_u64(key.mv_data);
    ret->loss = (struct crier_loss){.number = crier_get_u64(at),
                                    .id = {crier_get_u64(at + 8), crier_get_u64(at + 16)},
                                    .serial = crier_get_u64(at + 24)};
    return 0;
}

static int collect_floors(struct crier_store *store, MDB_txn *txn, struct crier_buf *floors)
{
    struct floor floor;
    MDB_cursor *cursor;
    MDB_val key, value;
    int r = crier_file_error(mdb_cursor_open(txn, store->tables[CRIER_TABLE_FLOORS], &cursor));

    if (r < 0)
        return r;
    while ((r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) == 0) {
        r = read_floor(key, value, &floor);
        if (r < 0)
            break;
        crier_buf_add(floors, &floor, sizeof(floor));
    }
    mdb_cursor_close(cursor);
    return r == -ENOENT ? crier_buf_error(floors) : r;
}

int crier_store_each_floor(struct crier_store *store,
                           int (*fn)(void *ctx, uint64_t hash, const struct crier_loss *loss),
                           void *ctx)
{
    struct crier_buf floors;
    MDB_txn *txn;
    int r = crier_file_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));

    if (r < 0)
        return r;
    crier_buf_init(&floors, store->mem);
    r = collect_floors(store, txn, &floors);
    mdb_txn_abort(txn);
    struct floor *list = (void *)floors.data;
    size_t count = floors.len / sizeof(list[0]);
    if (r == 0 && count)
        qsort(list, count, sizeof(list[0]), by_serial);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = fn(ctx, list[i].hash, &list[i].loss);
    crier_buf_deinit(&floors);
    return r;
}

/* ---- keys -------------------------------------------------------------------------------- */

/* Puts the cursor on the oldest of the newest `most` keys that are young enough; false: there are
 * none. */
static int find_first(struct crier_store *store,
                      MDB_txn *txn,
                      MDB_cursor *cursor,
                      size_t most,
                      uint64_t since_clock_ms,
                      uint64_t *ret_number)
{
    struct crier_row row;
    MDB_val key, value;
    uint64_t first = 0;
    int r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_LAST));

    for (size_t n = 0; r == 0 && n < most; n++) {
        uint64_t number = crier_get_u64(key.mv_data);
        r = crier_row_get(store, txn, number, &row);
        if (r < 0)
            return r == -ENOENT ? -EUCLEAN : r;
        if (row.clock_ms <= since_clock_ms)
            break;
        first = number;
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_PREV));
    }
    *ret_number = first;
    return r == -ENOENT ? 0 : r;
}

static int each_key(struct crier_store *store,
                    MDB_txn *txn,
                    MDB_cursor *cursor,
                    uint64_t first,
                    int (*fn)(void *ctx, const struct crier_store_key *key),
                    void *ctx)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes}, value;
    struct crier_row row;
    int r;

    crier_put_u64(bytes, first);
    for (r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_SET)); r == 0;
         r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        uint64_t number = crier_get_u64(key.mv_data);
        r = crier_row_get(store, txn, number, &row);
        if (r < 0 || !row.key.len)
            return r < 0 && r != -ENOENT ? r : -EUCLEAN;
        r = fn(ctx, &(struct crier_store_key){.number = number,
                                              .clock_ms = row.clock_ms,
                                              .id = row.id,
                                              .topic = row.topics[0],
                                              .key = row.key});
        if (r < 0)
            return r;
    }
    return r == -ENOENT ? 0 : r;
}

int crier_store_each_key(struct crier_store *store,
                         size_t most,
                         uint64_t since_clock_ms,
                         int (*fn)(void *ctx, const struct crier_store_key *key),
                         void *ctx)
{
    uint64_t first = 0;
    MDB_cursor *cursor;
    MDB_txn *txn;
    int r = crier_file_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));

    if (r < 0)
        return r;
    r = crier_file_error(mdb_cursor_open(txn, store->tables[CRIER_TABLE_KEYS], &cursor));
    if (r == 0) {
        r = find_first(store, txn, cursor, most, since_clock_ms, &first);
        if (r == 0 && first)
            r = each_key(store, txn, cursor, first, fn, ctx);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return r;
}
