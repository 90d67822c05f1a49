/* SPDX-License-Identifier: MIT */
/*
 * How large the file may be. LMDB never writes over what it has committed: letting an event
 * leave takes pages too, before it gives any back. So that a full file can have room again, the
 * last of them are only for what leaves:
 *
 *     0 ─────── used ─────────┬── free, to be used again ──┬── not there yet ──▶ max_file_bytes
 *                             └──────────── room ──────────┘
 *                             │ may be put into   │ RESERVE│
 *
 * A transaction counts what it puts, generously, and is refused (-ENOSPC) what would go into
 * the reserve: the bytes that are new, and the pages that are written again for a few of them,
 * of which there are no more than the tables have. Free pages are counted exactly only where
 * there is little room beside them.
 */
#include "durable/file.h"
#include "durable/folder.h"
#include <string.h>
#include <sys/stat.h>

enum {
    FILE_32 = 1 << 30,
    MAP_LEAST = 1 << 20,
    MEASURE_EVERY = 256,
    RESERVE_SHARE = 8, /* of the file */
    RESERVE_LEAST = 256 << 10,
    EACH_TAKES = 48, /* pages: every transaction */
    /* A topic in it, or an entry that may lie anywhere (a deadline). */
    TOPIC_AGAIN = 4,
    TOPIC_TAKES = 768, /* bytes */
    ENTRY_AGAIN = 1,
    ENTRY_TAKES = 64,
    ROW_TAKES = 128, /* bytes, beside its own */
};

static uint64_t reserve_of(uint64_t bytes)
{
    uint64_t reserve = bytes / RESERVE_SHARE;

    return reserve < RESERVE_LEAST ? RESERVE_LEAST : reserve;
}

/* A file that is larger already must not become so, but have room to let leave. */
static uint64_t with_reserve(const struct crier_store *store, uint64_t size)
{
    char path[CRIER_FOLDER_PATH];
    struct stat st;

    if (crier_folder_path(path, store->dir, "data.mdb") < 0 || stat(path, &st) < 0)
        return size;
    uint64_t bytes = (uint64_t)st.st_size + reserve_of((uint64_t)st.st_size);
    return bytes > size ? bytes : size;
}

size_t crier_room_map(struct crier_store *store, uint64_t max_file_bytes)
{
    uint64_t size = max_file_bytes ? max_file_bytes : CRIER_STORE_FILE_BYTES;

    if (sizeof(void *) == 4 && size > FILE_32)
        size = FILE_32;
    if (size < MAP_LEAST)
        size = MAP_LEAST;
    store->max_bytes = (size + 65535) & ~(uint64_t)65535;
    return (size_t)((with_reserve(store, store->max_bytes) + 65535) & ~(uint64_t)65535);
}

/* ---- free pages -------------------------------------------------------------------------- */

/* There may be many lists of them; of each the first number is read. LMDB shows them only to
 * transactions that read. */
static uint64_t count_free(MDB_txn *txn)
{
    uint64_t pages = 0;
    MDB_cursor *cursor;
    MDB_val key, value;

    if (mdb_cursor_open(txn, 0, &cursor) != 0) /* 0: the table of free pages */
        return 0;
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        size_t count;
        memcpy(&count, value.mv_data, sizeof(count));
        pages += count;
    }
    mdb_cursor_close(cursor);
    return pages;
}

static uint64_t free_bytes(struct crier_store *store, uint64_t page_size)
{
    MDB_txn *txn;

    if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0)
        return 0;
    uint64_t pages = count_free(txn);
    mdb_txn_abort(txn);
    return pages * page_size;
}

/* Free pages are counted now and then. */
void crier_store_measure(struct crier_store *store)
{
    struct crier_store_totals *t = &store->totals;
    mdb_filehandle_t fd;
    MDB_stat stat;
    struct stat st;

    if (mdb_env_get_fd(store->env, &fd) != 0 || fstat(fd, &st) < 0 ||
        mdb_env_stat(store->env, &stat) != 0)
        return;
    t->file_bytes = (uint64_t)st.st_size;
    t->max_file_bytes = store->max_bytes;
    if (store->measured++ % MEASURE_EVERY == 0) {
        int dead;
        /* A reader that was killed would keep pages from being used again for ever. */
        (void)mdb_reader_check(store->env, &dead);
        t->free_bytes = free_bytes(store, stat.ms_psize);
    }
}

/* ---- a transaction ----------------------------------------------------------------------- */

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void take(struct crier_store *store, uint64_t bytes)
{
    store->room_bytes = less(store->room_bytes, bytes);
}

/* Pages of the tables that are written anywhere, not only at their end. Of long lists in
 * postings LMDB's numbers do not tell: their entries do. */
static int count_scattered(struct crier_store *store, uint64_t page, uint64_t *ret_pages)
{
    static const int tables[] = {CRIER_TABLE_TOPICS, CRIER_TABLE_POSTINGS,
                                 CRIER_TABLE_DEADLINES};
    uint64_t pages = 0;
    MDB_stat stat;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        int r = crier_file_error(mdb_stat(store->txn, store->tables[tables[i]], &stat));
        if (r < 0)
            return r;
        pages += stat.ms_branch_pages + stat.ms_leaf_pages;
        if (tables[i] == CRIER_TABLE_POSTINGS)
            pages += stat.ms_entries * 16 / page;
    }
    *ret_pages = pages;
    return 0;
}

int crier_room_begin(struct crier_store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    int r = crier_file_error(mdb_env_info(store->env, &info));

    if (r == 0)
        r = crier_file_error(mdb_env_stat(store->env, &stat));
    if (r == 0)
        r = count_scattered(store, stat.ms_psize, &store->scattered);
    if (r < 0)
        return r;
    uint64_t page = stat.ms_psize, used = (info.me_last_pgno + 1) * page;
    uint64_t reserve = reserve_of(store->max_bytes);
    if (used + 2 * reserve > store->max_bytes)
        used = less(used, free_bytes(store, page));
    uint64_t room = less(store->max_bytes, used);
    store->page_size = page;
    store->room_bytes = less(room, reserve);
    take(store, EACH_TAKES * page);
    return 0;
}

/* Pages of scattered tables are written again: each once at most. */
static void take_again(struct crier_store *store, uint64_t pages)
{
    if (pages > store->scattered)
        pages = store->scattered;
    store->scattered -= pages;
    take(store, pages * store->page_size);
}

void crier_room_take_topic(struct crier_store *store)
{
    take(store, TOPIC_TAKES);
    take_again(store, TOPIC_AGAIN);
}

int crier_room_take(struct crier_store *store, const struct crier_store_event *event)
{
    uint64_t row = event->sse.len + event->key.len + event->type.len + ROW_TAKES;

    for (size_t i = 0; i < event->topic_count; i++)
        row += event->topics[i].len;
    if (row > store->page_size / 4) /* pages of its own, or badly filled ones */
        row = 2 * row + store->page_size;
    take(store, row + row / 4);
    if (event->expires_ms) {
        take(store, ENTRY_TAKES);
        take_again(store, ENTRY_AGAIN);
    }
    return store->room_bytes ? 0 : -ENOSPC;
}
