/* SPDX-License-Identifier: MIT */
/* What is read once, when a store is opened: the keys that memory works with. */
#include "durable/file.h"

/* Puts the cursor on the oldest of the newest `most` keys that are young enough; false: there
 * are none. */
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
