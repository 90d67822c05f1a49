/* SPDX-License-Identifier: MIT */
/*
 * The transaction under way. What is put goes into `events` at once; what it means for topics
 * is gathered, and written when a table is to be read, or at the end:
 *
 *     put ──▶ events          touched: topic ──▶ its row as it will be, numbers to be added
 *        └──▶ added: class ──▶ numbers                    │ flush
 *                   │ flush                               ▼
 *                   └──▶ order                    topics, postings
 *
 * So a topic's row is written once however many events it gets, and numbers go in by the
 * hundred (they are ascending).
 *
 * Leaving goes the other way: event by event, each out of its topics' postings, and out of
 * everything with its last.
 *
 * What can fail: memory and the disk; then the transaction is given up, and what it counted is
 * put back.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "durable/file.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- life -------------------------------------------------------------------------------- */

void crier_changes_init(struct crier_store *store)
{
    crier_map_init(&store->touched, store->mem);
    crier_buf_init(&store->scratch, store->mem);
    crier_buf_init(&store->copy, store->mem);
    for (size_t i = 0; i < CRIER_CLASSES; i++)
        crier_buf_init(&store->added[i], store->mem);
}

static void clear(struct crier_store *store)
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

static void close_cursors(struct crier_store *store)
{
    for (size_t i = 0; i < CRIER_TABLES; i++) {
        if (store->cursors[i])
            mdb_cursor_close(store->cursors[i]);
        store->cursors[i] = NULL;
    }
}

void crier_changes_deinit(struct crier_store *store)
{
    if (store->txn)
        crier_store_abort(store);
    clear(store);
    crier_map_deinit(&store->touched);
    crier_buf_deinit(&store->scratch);
    crier_buf_deinit(&store->copy);
    for (size_t i = 0; i < CRIER_CLASSES; i++)
        crier_buf_deinit(&store->added[i]);
}

int crier_store_begin(struct crier_store *store)
{
    assert(!store->txn);
    int r = crier_file_error(mdb_txn_begin(store->env, NULL, 0, &store->txn));

    if (r < 0)
        return r;
    store->before = store->totals;
    store->before_serial = store->topic_serial;
    memcpy(store->before_classes, store->classes, sizeof(store->classes));
    r = crier_room_begin(store);
    if (r < 0)
        crier_store_abort(store);
    return r;
}

/* Counters as they were; the size of the file is what it is. */
static void undo(struct crier_store *store)
{
    store->totals = store->before;
    store->topic_serial = store->before_serial;
    memcpy(store->classes, store->before_classes, sizeof(store->classes));
    clear(store);
}

void crier_store_abort(struct crier_store *store)
{
    close_cursors(store);
    mdb_txn_abort(store->txn);
    store->txn = NULL;
    undo(store);
}

/* LMDB says EIO when a write was cut short, as by a disk that became full in its middle.
 * Whether it is, another write behind the file's end tells. */
static bool is_disk_full(const struct crier_store *store)
{
    static const char zeros[65536];
    mdb_filehandle_t fd;
    struct stat st;

    if (mdb_env_get_fd(store->env, &fd) != 0 || fstat(fd, &st) < 0)
        return false;
    errno = 0;
    ssize_t n = pwrite(fd, zeros, sizeof(zeros), st.st_size);
    bool full = n >= 0 ? n < (ssize_t)sizeof(zeros) : errno == ENOSPC || errno == EDQUOT;
    return ftruncate(fd, st.st_size) == 0 && full;
}

int crier_store_commit(struct crier_store *store, struct crier_now now)
{
    int r;

    store->totals.clock_ms = crier_store_clock(store, now);
    store->totals.wall_ms = now.wall_ms;
    r = crier_batch_flush(store);
    if (r == 0)
        r = crier_store_save(store);
    if (r < 0) {
        crier_store_abort(store);
        return r;
    }
    close_cursors(store);
    r = crier_file_error(mdb_txn_commit(store->txn));
    store->txn = NULL;
    if (r < 0) {
        undo(store);
        return r == -EIO && is_disk_full(store) ? -ENOSPC : r;
    }
    clear(store);
    crier_store_measure(store);
    return 0;
}

int crier_batch_cursor(struct crier_store *store, int table, MDB_cursor **ret)
{
    if (!store->cursors[table]) {
        int r = crier_file_error(
            mdb_cursor_open(store->txn, store->tables[table], &store->cursors[table]));
        if (r < 0)
            return r;
    }
    *ret = store->cursors[table];
    return 0;
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
    crier_room_take_topic(store);
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

/* ---- writing what was gathered ----------------------------------------------------------- */

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

int crier_batch_flush_numbers(struct crier_store *store)
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
    int r = crier_batch_flush_numbers(store);

    for (struct crier_touched *t = store->touched_list; r == 0 && t; t = t->next) {
        if (t->dirty)
            r = flush_row(store, t);
    }
    return r;
}

/* ---- putting ----------------------------------------------------------------------------- */

static int put_bare(struct crier_store *store, int table, const void *key, size_t size)
{
    MDB_val k = crier_val(key, size), empty = {0, NULL};

    return crier_file_error(mdb_put(store->txn, store->tables[table], &k, &empty, 0));
}

static int
put_event(struct crier_store *store, const struct crier_store_event *e, uint32_t class_id)
{
    struct crier_row row = {.id = e->id,
                            .wall_ms = e->wall_ms,
                            .clock_ms = e->clock_ms,
                            .expires_ms = e->expires_ms,
                            .class_id = class_id,
                            .alive = (1u << e->topic_count) - 1,
                            .topic_count = e->topic_count,
                            .key = e->key,
                            .type = e->type,
                            .sse = e->sse,
                            .id_at = e->id_at};
    unsigned char number[8], deadline[16];
    MDB_cursor *cursor = NULL;

    memcpy(row.topics, e->topics, e->topic_count * sizeof(row.topics[0]));
    crier_put_u64(number, e->number);
    crier_buf_clear(&store->scratch);
    crier_row_write(&store->scratch, &row);
    int r = crier_buf_error(&store->scratch);
    if (r == 0)
        r = crier_batch_cursor(store, CRIER_TABLE_EVENTS, &cursor);
    if (r < 0)
        return r;
    MDB_val key = {8, number}, value = {store->scratch.len, store->scratch.data};
    r = crier_file_error(mdb_cursor_put(cursor, &key, &value, MDB_APPEND));
    if (r == 0 && e->expires_ms) {
        crier_deadline_key(e->expires_ms, e->number, deadline);
        r = put_bare(store, CRIER_TABLE_DEADLINES, deadline, sizeof(deadline));
    }
    if (r == 0 && e->key.len)
        r = put_bare(store, CRIER_TABLE_KEYS, number, sizeof(number));
    return r;
}

/* The topic has one more. What was kept aside for it has made way. */
static int put_topic(struct crier_store *store,
                     const struct crier_store_event *e,
                     size_t i,
                     crier_store_left_fn *left,
                     void *ctx)
{
    struct crier_touched *touched;
    unsigned char number[8];
    struct crier_row kept;
    int r = crier_batch_touch(store, e->topics[i], true, &touched);

    if (r < 0)
        return r;
    struct crier_topic_row *row = crier_touched_row(touched);
    if (!row->events) {
        row->serial = ++store->topic_serial;
        row->first = e->number;
        store->totals.topics++;
    }
    uint64_t aside = row->kept;
    row->events++;
    row->bytes += e->bytes;
    row->last = e->number;
    crier_put_u64(number, e->number);
    if (!touched->numbers.len) {
        touched->next_filled = store->filled;
        store->filled = touched;
    }
    crier_buf_add(&touched->numbers, number, sizeof(number));
    store->unflushed = true;
    r = crier_buf_error(&touched->numbers);
    if (r < 0 || !aside)
        return r;
    r = crier_batch_row(store, aside, &kept);
    for (size_t t = 0; r == 0 && t < kept.topic_count; t++) {
        if (crier_slice_eq(kept.topics[t], e->topics[i]))
            return crier_batch_drop(store, aside, 1u << t, CRIER_STORE_EVICTED, left, ctx);
    }
    return r < 0 ? r : -EUCLEAN;
}

int crier_store_put(struct crier_store *store,
                    const struct crier_store_event *event,
                    crier_store_left_fn *left,
                    void *ctx)
{
    uint32_t class_id = crier_store_class(store, event->topics[0]);
    struct crier_store_totals *t = &store->totals;
    unsigned char number[8];
    int r = crier_room_take(store, event);

    assert(event->number == t->end + 1);
    if (r == 0)
        r = put_event(store, event, class_id);
    if (r < 0)
        return r;
    t->events++;
    t->bytes += event->bytes;
    t->end = event->number;
    t->last = event->id;
    store->classes[class_id].events++;
    store->classes[class_id].bytes += event->bytes;
    crier_put_u64(number, event->number);
    crier_buf_add(&store->added[class_id], number, sizeof(number));
    store->unflushed = true;
    r = crier_buf_error(&store->added[class_id]);
    for (size_t i = 0; r == 0 && i < event->topic_count; i++)
        r = put_topic(store, event, i, left, ctx);
    return r;
}
