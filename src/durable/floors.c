/* SPDX-License-Identifier: MIT */
/*
 * The image of the floor table (journal/floor.h). A hub raises floors in memory and writes what
 * changed; who has no such table (an import) raises them here.
 */
#include "base/hash.h"
#include "durable/file.h"
#include <stdlib.h>
#include <string.h>

/* ---- one --------------------------------------------------------------------------------- */

int crier_store_put_floor(struct crier_store *store,
                          uint64_t hash,
                          const struct crier_loss *loss)
{
    unsigned char bytes[8], out[32];
    MDB_val key = {8, bytes}, value = {sizeof(out), out};

    crier_put_u64(bytes, hash);
    crier_put_u64(out, loss->number);
    crier_put_u64(out + 8, loss->id.ms);
    crier_put_u64(out + 16, loss->id.seq);
    crier_put_u64(out + 24, loss->serial);
    return crier_file_error(
        mdb_put(store->txn, store->tables[CRIER_TABLE_FLOORS], &key, &value, 0));
}

int crier_store_drop_floor(struct crier_store *store, uint64_t hash)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes};

    crier_put_u64(bytes, hash);
    int r =
        crier_file_error(mdb_del(store->txn, store->tables[CRIER_TABLE_FLOORS], &key, NULL));
    return r == -ENOENT ? 0 : r; /* it may have come and gone since the last transaction */
}

void crier_store_set_floors(struct crier_store *store,
                            const struct crier_loss *root,
                            const struct crier_loss *lost)
{
    store->totals.root = *root;
    store->totals.lost = *lost;
}

/* An entry that is there already may be of a later loss. */
static int
raise_one(struct crier_store *store, uint64_t hash, const struct crier_loss *loss, bool prefix)
{
    unsigned char bytes[8];
    MDB_val key = {8, bytes}, value;
    struct crier_loss least = prefix ? store->totals.lost : (struct crier_loss){0};

    crier_put_u64(bytes, hash);
    int r =
        crier_file_error(mdb_get(store->txn, store->tables[CRIER_TABLE_FLOORS], &key, &value));
    if (r == 0 && value.mv_size == 32)
        least.number = crier_get_u64(value.mv_data);
    if (r < 0 && r != -ENOENT)
        return r;
    return least.number >= loss->number ? 0 : crier_store_put_floor(store, hash, loss);
}

int crier_store_raise_floors(struct crier_store *store,
                             const struct crier_store_leaving *leaving)
{
    struct crier_loss *root = &store->totals.root;
    struct crier_loss loss = {leaving->number, leaving->id, root->serial + 1};
    int r = 0;

    for (size_t i = 0; r == 0 && i < leaving->topic_count; i++) {
        struct crier_slice topic = leaving->topics[i];
        r = raise_one(store, leaving->topic_hashes[i], &loss, false);
        for (size_t at = topic.len; r == 0 && at-- > 0;) {
            if (topic.data[at] == '/')
                r = raise_one(
                    store,
                    crier_floor_prefix(&store->totals.hash_key, crier_slice_sub(topic, 0, at)),
                    &loss, true);
        }
    }
    root->serial = loss.serial;
    if (loss.number > root->number) {
        root->number = loss.number;
        root->id = loss.id;
    }
    return r;
}

/* ---- all of them, once ------------------------------------------------------------------- */

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
