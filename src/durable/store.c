/* SPDX-License-Identifier: MIT */
/*
 * The store is opened in this order, so that nothing foreign or broken is touched:
 *
 *     folder ─▶ lock ─▶ the pages are looked at without LMDB ─▶ put back, if it was not synced
 *       ─▶ LMDB ─▶ is it ours, is it this version? ─▶ tables ─▶ totals, rules, classes
 *
 * A store that is new is made in one transaction, so that it is there whole or not at all.
 */
#include "base/mem.h"
#include "durable/file.h"
#include "durable/folder.h"
#include "hub/topic.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READERS = 512,
    FORMAT_BYTES = sizeof(CRIER_FORMAT_NAME) + 8,
};

static const struct {
    const char *name;
    unsigned flags;
} tables[CRIER_TABLES] = {
    [CRIER_TABLE_META] = {"meta", 0},
    [CRIER_TABLE_EVENTS] = {"events", 0},
    [CRIER_TABLE_TOPICS] = {"topics", 0},
    [CRIER_TABLE_POSTINGS] = {"postings", MDB_DUPSORT | MDB_DUPFIXED},
    [CRIER_TABLE_ORDER] = {"order", MDB_DUPSORT | MDB_DUPFIXED},
    [CRIER_TABLE_DEADLINES] = {"deadlines", 0},
    [CRIER_TABLE_KEYS] = {"keys", 0},
    [CRIER_TABLE_FLOORS] = {"floors", 0},
};

/* ---- opening ----------------------------------------------------------------------------- */

static void tell_access(struct crier_buf *fault, const struct crier_store *store)
{
    if (store->read_only)
        crier_buf_printf(fault,
                         "This user may not open the journal in '%s': be the hub's user, who "
                         "may read it and write its lock.mdb.",
                         store->dir);
    else
        crier_buf_printf(fault,
                         "The folder '%s' may not be written: give this user the right to, or "
                         "name another folder.",
                         store->dir);
}

static int tell(struct crier_buf *fault, const struct crier_store *store, int r)
{
    const char *dir = store->dir;

    switch (r) {
    case -EPROTO:
        crier_buf_printf(fault,
                         "'%s/data.mdb' has a format that this crier does not know: it was "
                         "written by another version. It was not touched.",
                         dir);
        break;
    case -EILSEQ:
        crier_buf_printf(fault,
                         "'%s/data.mdb' is not a journal of crier's. It was not touched: "
                         "name another folder.",
                         dir);
        break;
    case -EUCLEAN:
        crier_buf_printf(fault,
                         "'%s/data.mdb' is damaged: 'crier journal verify --data %s' says "
                         "where. Put a copy or an export in its place, or move the folder "
                         "away to begin anew.",
                         dir, dir);
        break;
    case -EACCES:
    case -EPERM:
    case -EROFS:
        tell_access(fault, store);
        return -EACCES;
    case -ESTALE:
        crier_buf_printf(fault,
                         "'%s/data.mdb' was not all synced when the power went: a hub that is "
                         "started on it, or 'crier journal compact', puts it back to what was.",
                         dir);
        break;
    case -ENOENT:
        crier_buf_printf(fault, "There is no journal in '%s'.", dir);
        break;
    case -ENOTDIR:
        crier_buf_printf(fault, "'%s' is a file: the journal has a folder of its own.", dir);
        break;
    case -ENOSPC:
        crier_buf_printf(fault,
                         "There is no room for the journal in '%s': the disk is full, or "
                         "the file is as large as it may be.",
                         dir);
        break;
    default:
        crier_buf_printf(fault, "The journal in '%s' cannot be opened: %s.", dir, strerror(-r));
        break;
    }
    return r;
}

static int open_env(struct crier_store *store, uint64_t max_file_bytes)
{
    unsigned flags = MDB_NOTLS;
    int r = crier_file_error(mdb_env_create(&store->env));

    if (r < 0)
        return r;
    if (store->read_only)
        flags |= MDB_RDONLY;
    if (store->sync != CRIER_SYNC_ALWAYS)
        flags |= MDB_NOSYNC;
    r = crier_file_error(mdb_env_set_maxdbs(store->env, CRIER_TABLES));
    if (r == 0)
        r = crier_file_error(mdb_env_set_maxreaders(store->env, READERS));
    /* 0: as large as the file is. */
    if (r == 0 && !store->read_only)
        r = crier_file_error(
            mdb_env_set_mapsize(store->env, crier_room_map(store, max_file_bytes)));
    if (r == 0)
        r = crier_file_error(mdb_env_open(store->env, store->dir, flags, 0640));
    if (r < 0) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
    return r;
}

static int open_tables(struct crier_store *store, MDB_txn *txn, unsigned flags)
{
    int r = 0;

    for (int i = 0; r == 0 && i < CRIER_TABLES; i++)
        r = crier_file_error(
            mdb_dbi_open(txn, tables[i].name, tables[i].flags | flags, &store->tables[i]));
    return r;
}

/* Is anything in the file at all? */
static int is_empty(MDB_txn *txn, bool *ret_empty)
{
    MDB_stat stat;
    MDB_dbi main;
    int r = crier_file_error(mdb_dbi_open(txn, NULL, 0, &main));

    if (r == 0)
        r = crier_file_error(mdb_stat(txn, main, &stat));
    if (r == 0)
        *ret_empty = stat.ms_entries == 0;
    return r;
}

static int check_format(const struct crier_store *store, MDB_txn *txn)
{
    static const char name[] = CRIER_FORMAT_NAME;
    MDB_val value;
    int r = crier_meta_get(store, txn, crier_val("format", 6), &value);

    if (r == -ENOENT || (r == 0 && (value.mv_size < sizeof(name) ||
                                    memcmp(value.mv_data, name, sizeof(name)) != 0)))
        return -EILSEQ;
    if (r < 0)
        return r;
    if (value.mv_size != FORMAT_BYTES)
        return -EPROTO;
    return crier_get_u64((const char *)value.mv_data + sizeof(name)) == CRIER_FORMAT_VERSION
               ? 0
               : -EPROTO;
}

/* What is there must be ours before anything else is opened. */
static int open_ours(struct crier_store *store, MDB_txn *txn)
{
    int r = crier_file_error(
        mdb_dbi_open(txn, tables[CRIER_TABLE_META].name, 0, &store->tables[CRIER_TABLE_META]));

    if (r == -ENOENT || r == -EINVAL || r == -EIO) /* -EIO: of another kind of table */
        return -EILSEQ;
    if (r == 0)
        r = check_format(store, txn);
    if (r < 0)
        return r;
    r = open_tables(store, txn, 0);
    return r == -ENOENT || r == -EIO ? -EUCLEAN : r;
}

static int read_totals(struct crier_store *store, MDB_txn *txn)
{
    MDB_val value;
    int r = crier_meta_get(store, txn, crier_val("totals", 6), &value);

    if (r == 0)
        r = crier_totals_read(value, &store->totals, &store->topic_serial);
    return r == -ENOENT ? -EUCLEAN : r;
}

static int
make_new(struct crier_store *store, const struct crier_store_options *o, struct crier_now now)
{
    static const char name[] = CRIER_FORMAT_NAME;
    unsigned char format[FORMAT_BYTES];

    memcpy(format, name, sizeof(name));
    crier_put_u64(format + sizeof(name), CRIER_FORMAT_VERSION);
    store->totals = (struct crier_store_totals){
        .hash_key = o->hash_key,
        .epoch = o->epoch,
        .start = {now.wall_ms, (uint64_t)o->epoch * 10000},
        .last = {now.wall_ms, (uint64_t)o->epoch * 10000},
        .clock_ms = now.wall_ms,
        .wall_ms = now.wall_ms,
    };
    int r = open_tables(store, store->txn, MDB_CREATE);
    if (r == 0)
        r = crier_meta_put(store, crier_val("format", 6), crier_val(format, FORMAT_BYTES));
    return r == 0 ? crier_store_save(store) : r;
}

static bool may_make(const struct crier_store_options *o)
{
    return !o->read_only && o->epoch > 0;
}

/* Opens what is there, or makes it, in one transaction. */
static int open_or_make(struct crier_store *store,
                        const struct crier_store_options *o,
                        struct crier_now now)
{
    bool empty = false;
    int r = crier_file_error(
        mdb_txn_begin(store->env, NULL, store->read_only ? MDB_RDONLY : 0, &store->txn));

    if (r < 0)
        return r;
    r = is_empty(store->txn, &empty);
    if (r == 0 && empty)
        r = may_make(o) ? make_new(store, o, now) : -ENOENT;
    else if (r == 0)
        r = open_ours(store, store->txn);
    if (r == 0 && !empty)
        r = read_totals(store, store->txn);
    for (uint32_t i = 0; r == 0 && !empty && i < CRIER_CLASSES; i++)
        r = crier_class_get(store, store->txn, i);
    if (r < 0)
        mdb_txn_abort(store->txn);
    else
        r = crier_file_error(mdb_txn_commit(store->txn));
    store->txn = NULL;
    return r;
}

/* The clock goes on from where it was, by what the wall says has passed. */
static void set_clock(struct crier_store *store, struct crier_now now)
{
    const struct crier_store_totals *t = &store->totals;
    uint64_t passed = now.wall_ms > t->wall_ms ? now.wall_ms - t->wall_ms : 0;

    store->clock_shift = t->clock_ms + passed - now.boot_ms;
}

uint64_t crier_store_clock(const struct crier_store *store, struct crier_now now)
{
    return now.boot_ms + store->clock_shift;
}

/* With an interval, an anchor; else there is none, and none is left behind. */
static int set_anchor(struct crier_store *store)
{
    int r;

    if (store->read_only)
        return 0;
    if (store->sync != CRIER_SYNC_INTERVAL)
        return crier_anchor_remove(store->dir);
    r = crier_anchor_open(&store->anchor, store->dir);
    return r < 0 ? r : crier_anchor_move(&store->anchor, store->env);
}

static int
open_all(struct crier_store *store, const struct crier_store_options *o, struct crier_now now)
{
    bool restored = false, made;
    int r = 0;

    if (store->read_only) {
        r = crier_anchor_is_needed(store->dir);
        r = r > 0 ? -ESTALE : r;
    } else {
        r = crier_anchor_restore(store->dir, &restored);
    }
    if (r == 0)
        r = crier_file_look(store);
    made = r > 0;
    if (made)
        r = may_make(o) ? 0 : -ENOENT;
    if (r == 0)
        r = open_env(store, o->max_file_bytes);
    if (r == 0)
        r = open_or_make(store, o, now);
    if (r == 0 && made)
        r = crier_folder_sync(store->dir);
    if (r < 0)
        return r;
    set_clock(store, now);
    crier_store_measure(store);
    /* The anchor first: what is written from here on must not use pages again that the state it
     * would be put back to needs. */
    r = set_anchor(store);
    return r == 0 ? crier_store_apply_rules(store, o->rules) : r;
}

static struct crier_store *store_new(const struct crier_mem *mem,
                                     const struct crier_store_options *o)
{
    struct crier_store *store = crier_mem_zalloc(mem, sizeof(*store));
    size_t len = strlen(o->dir) + 1;

    if (!store)
        return NULL;
    store->mem = mem;
    store->lock_fd = -1;
    store->anchor.fd = -1;
    store->read_only = o->read_only;
    store->sync = o->read_only ? CRIER_SYNC_ALWAYS : o->sync;
    store->limits = crier_journal_limits_filled(o->limits);
    store->rules.count = CRIER_RULES; /* until they are read: every class is looked at */
    crier_changes_init(store);
    store->dir = crier_mem_alloc(mem, len);
    if (!store->dir)
        return crier_store_close(store);
    memcpy(store->dir, o->dir, len);
    return store;
}

int crier_store_open(const struct crier_mem *mem,
                     const struct crier_store_options *options,
                     struct crier_now now,
                     struct crier_store **ret_store,
                     struct crier_buf *fault)
{
    struct crier_store *store = store_new(mem, options);
    int r = 0;

    if (!store)
        return -ENOMEM;
    if (!store->read_only) {
        r = crier_folder_make(store->dir, fault);
        if (r == 0)
            r = crier_folder_lock(store->dir, &store->lock_fd, fault);
        if (r < 0) {
            crier_store_close(store);
            return r;
        }
    }
    r = open_all(store, options, now);
    if (r < 0) {
        r = tell(fault, store, r);
        crier_store_close(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

/* Should this fail, the last synced state is what a power cut leaves. */
static void sync_for_good(struct crier_store *store)
{
    bool anchored = store->anchor.fd >= 0;
    int r = store->sync == CRIER_SYNC_ALWAYS ? 0 : crier_store_sync(store);

    crier_anchor_close(&store->anchor);
    if (anchored && r == 0)
        r = crier_anchor_remove(store->dir);
    (void)r;
}

struct crier_store *crier_store_close(struct crier_store *store)
{
    if (!store)
        return NULL;
    crier_changes_deinit(store);
    if (store->env) {
        sync_for_good(store);
        crier_views_free(store);
        mdb_env_close(store->env);
    }
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    crier_mem_free(store->mem, store->dir);
    return crier_mem_free(store->mem, store);
}

/* ---- what is known of it ----------------------------------------------------------------- */

const struct crier_store_totals *crier_store_totals(const struct crier_store *store)
{
    return &store->totals;
}

int crier_store_sync(struct crier_store *store)
{
    if (store->anchor.fd >= 0)
        return crier_anchor_move(&store->anchor, store->env);
    return mdb_env_sync(store->env, 1) == 0 ? 0 : -EIO;
}
