/* SPDX-License-Identifier: MIT */
/* Small values as bytes: totals, classes and topic rows, and where they lie in the file.
 * Nothing here decides anything; every length is looked at before it is read. */
#include "durable/file.h"
#include <errno.h>
#include <string.h>

enum { TOTALS_BYTES = 8 * 24 };

int crier_file_error(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return -ENOSPC;
    case MDB_TXN_FULL:
        return -E2BIG;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
        return -EUCLEAN;
    case MDB_VERSION_MISMATCH:
        return -EPROTO;
    default:
        return rc > 0 ? -rc : -EIO;
    }
}

/* ---- totals ------------------------------------------------------------------------------ */

struct totals_bytes {
    unsigned char bytes[TOTALS_BYTES];
    size_t at;
};

static void put(struct totals_bytes *out, uint64_t value)
{
    crier_put_u64(out->bytes + out->at, value);
    out->at += 8;
}

static void put_id(struct totals_bytes *out, struct crier_id id)
{
    put(out, id.ms);
    put(out, id.seq);
}

static void put_loss(struct totals_bytes *out, const struct crier_loss *loss)
{
    put(out, loss->number);
    put_id(out, loss->id);
    put(out, loss->serial);
}

static void totals_write(const struct crier_store *store, struct totals_bytes *out)
{
    const struct crier_store_totals *t = &store->totals;

    *out = (struct totals_bytes){.at = 0};
    put(out, t->hash_key.k0);
    put(out, t->hash_key.k1);
    put(out, t->epoch);
    put(out, t->end);
    put_id(out, t->start);
    put_id(out, t->last);
    put(out, t->events);
    put(out, t->bytes);
    put(out, t->topics);
    put(out, t->kept_events);
    put(out, t->kept_bytes);
    put(out, t->clock_ms);
    put(out, t->wall_ms);
    put_loss(out, &t->root);
    put_loss(out, &t->lost);
    put(out, store->topic_serial);
}

static uint64_t get(const unsigned char **at)
{
    uint64_t value = crier_get_u64(*at);

    *at += 8;
    return value;
}

static struct crier_id get_id(const unsigned char **at)
{
    struct crier_id id;

    id.ms = get(at);
    id.seq = get(at);
    return id;
}

static struct crier_loss get_loss(const unsigned char **at)
{
    struct crier_loss loss;

    loss.number = get(at);
    loss.id = get_id(at);
    loss.serial = get(at);
    return loss;
}

int crier_totals_read(MDB_val value,
                      struct crier_store_totals *ret_totals,
                      uint64_t *ret_topic_serial)
{
    const unsigned char *at = value.mv_data;
    struct crier_store_totals t = {0};

    if (value.mv_size != TOTALS_BYTES)
        return -EUCLEAN;
    t.hash_key.k0 = get(&at);
    t.hash_key.k1 = get(&at);
    t.epoch = (unsigned)get(&at);
    t.end = get(&at);
    t.start = get_id(&at);
    t.last = get_id(&at);
    t.events = get(&at);
    t.bytes = get(&at);
    t.topics = get(&at);
    t.kept_events = get(&at);
    t.kept_bytes = get(&at);
    t.clock_ms = get(&at);
    t.wall_ms = get(&at);
    t.root = get_loss(&at);
    t.lost = get_loss(&at);
    uint64_t serial = get(&at);
    if (t.epoch < 1 || t.epoch > 999)
        return -EUCLEAN;
    if (ret_topic_serial)
        *ret_topic_serial = serial;
    *ret_totals = t;
    return 0;
}

/* ---- meta -------------------------------------------------------------------------------- */

int crier_meta_get(const struct crier_store *store, MDB_txn *txn, MDB_val key, MDB_val *ret)
{
    return crier_file_error(mdb_get(txn, store->tables[CRIER_TABLE_META], &key, ret));
}

int crier_meta_put(const struct crier_store *store, MDB_val key, MDB_val value)
{
    return crier_file_error(
        mdb_put(store->txn, store->tables[CRIER_TABLE_META], &key, &value, 0));
}

static MDB_val class_key(uint32_t class_id, unsigned char key[7])
{
    memcpy(key, "class", 5);
    key[5] = (unsigned char)(class_id >> 8);
    key[6] = (unsigned char)class_id;
    return crier_val(key, 7);
}

static int class_put(const struct crier_store *store, uint32_t class_id)
{
    const struct crier_class *c = &store->classes[class_id];
    unsigned char key[7], bytes[CRIER_CLASS_BYTES];

    crier_put_u64(bytes, c->events);
    crier_put_u64(bytes + 8, c->bytes);
    crier_put_u64(bytes + 16, c->kept_events);
    crier_put_u64(bytes + 24, c->kept_bytes);
    return crier_meta_put(store, class_key(class_id, key), crier_val(bytes, sizeof(bytes)));
}

int crier_class_read(MDB_val value, struct crier_class *ret_class)
{
    const unsigned char *at = value.mv_data;

    if (value.mv_size != CRIER_CLASS_BYTES)
        return -EUCLEAN;
    *ret_class = (struct crier_class){crier_get_u64(at), crier_get_u64(at + 8),
                                      crier_get_u64(at + 16), crier_get_u64(at + 24)};
    return 0;
}

bool crier_class_meta_key_read(MDB_val key, uint32_t *ret_class_id)
{
    const unsigned char *at = key.mv_data;

    if (key.mv_size != 7 || memcmp(at, "class", 5) != 0)
        return false;
    *ret_class_id = (uint32_t)at[5] << 8 | at[6];
    return true;
}

int crier_class_key_read(MDB_val key, uint32_t *ret_class_id)
{
    const unsigned char *at = key.mv_data;

    if (key.mv_size != 4)
        return -EUCLEAN;
    *ret_class_id =
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return 0;
}

int crier_class_get(struct crier_store *store, MDB_txn *txn, uint32_t class_id)
{
    struct crier_class *c = &store->classes[class_id];
    unsigned char key[7];
    MDB_val value;
    int r = crier_meta_get(store, txn, class_key(class_id, key), &value);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    return crier_class_read(value, c);
}

int crier_store_save(struct crier_store *store)
{
    struct totals_bytes totals;
    int r;

    totals_write(store, &totals);
    r = crier_meta_put(store, crier_val("totals", 6), crier_val(totals.bytes, TOTALS_BYTES));
    for (uint32_t i = 0; r == 0 && i <= store->rules.count; i++) {
        if (memcmp(&store->classes[i], &store->before_classes[i], sizeof(store->classes[i])))
            r = class_put(store, i);
    }
    return r;
}

/* ---- topic rows, classes ----------------------------------------------------------------- */

void crier_topic_row_write(const struct crier_topic_row *row,
                           unsigned char out[CRIER_TOPIC_ROW_BYTES])
{
    crier_put_u64(out, row->serial);
    crier_put_u64(out + 8, row->events);
    crier_put_u64(out + 16, row->bytes);
    crier_put_u64(out + 24, row->first);
    crier_put_u64(out + 32, row->last);
    crier_put_u64(out + 40, row->kept);
}

int crier_topic_row_read(MDB_val value, struct crier_topic_row *ret_row)
{
    const unsigned char *at = value.mv_data;

    if (value.mv_size != CRIER_TOPIC_ROW_BYTES)
        return -EUCLEAN;
    *ret_row = (struct crier_topic_row){crier_get_u64(at),      crier_get_u64(at + 8),
                                        crier_get_u64(at + 16), crier_get_u64(at + 24),
                                        crier_get_u64(at + 32), crier_get_u64(at + 40)};
    return 0;
}

int crier_topic_row_get(const struct crier_store *store,
                        MDB_txn *txn,
                        struct crier_slice name,
                        struct crier_topic_row *ret_row)
{
    MDB_val key = crier_val(name.data, name.len), value;
    int r = crier_file_error(mdb_get(txn, store->tables[CRIER_TABLE_TOPICS], &key, &value));

    return r < 0 ? r : crier_topic_row_read(value, ret_row);
}

int crier_row_get(const struct crier_store *store,
                  MDB_txn *txn,
                  uint64_t number,
                  struct crier_row *ret_row)
{
    unsigned char bytes[8];
    MDB_val key = crier_val(bytes, 8), value;

    crier_put_u64(bytes, number);
    int r = crier_file_error(mdb_get(txn, store->tables[CRIER_TABLE_EVENTS], &key, &value));
    if (r < 0)
        return r;
    return crier_row_read((struct crier_slice){value.mv_data, value.mv_size}, ret_row);
}

uint32_t crier_store_class(const struct crier_store *store, struct crier_slice topic)
{
    return (uint32_t)crier_rules_find(&store->rules, topic);
}

uint64_t crier_store_max_age(const struct crier_store *store, struct crier_slice topic)
{
    uint64_t max = crier_store_class_limits(store, crier_store_class(store, topic)).max_age_ms;

    return max ? max : UINT64_MAX;
}

struct crier_rule crier_store_class_limits(const struct crier_store *store, uint32_t class_id)
{
    if (class_id)
        return store->rules.list[class_id - 1];
    return (struct crier_rule){.max_events = store->limits.max_events,
                               .max_bytes = store->limits.max_bytes,
                               .max_age_ms = store->limits.max_age_ms};
}
