/* SPDX-License-Identifier: MIT */
/*
 * Verify: stores as they are written are sound; a store that was damaged at random is refused when
 * it is opened, or its faults are told, or what it says of its events is what it said before. None
 * of it may crash. And faults that no damage to pages would make: tables that disagree.
 */
#include "view_support.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { DAMAGES = 300 };

struct told {
    unsigned faults;
    char first[300];
};

static void note(void *ctx, const char *fault)
{
    struct told *told = ctx;
    if (told->faults++ == 0)
        snprintf(told->first, sizeof(told->first), "%s", fault);
}

static void assert_sound(struct crier_store *store)
{
    struct told told = {0};
    int r = crier_store_verify(store, note, &told);

    if (told.faults)
        print_error("%s\n", told.first);
    assert_int_equal(r, 0);
    assert_int_equal(told.faults, 0);
}

static struct twins *history(const char *name, int rounds)
{
    struct twins *t = malloc(sizeof(*t));

    assert_non_null(t);
    twins_make(t, test_seed(name));
    t->large = 40;
    for (int i = 0; i < rounds; i++)
        twins_batch(t);
    return t;
}

static void forget_history(struct twins *t)
{
    twins_drop(t);
    free(t);
}

static void sound(void **state)
{
    struct twins *t = history("sound", 0);

    for (int i = 0; i < 60; i++) {
        assert_sound(t->store);
        twins_batch(t);
    }
    forget_history(t);
}

/* ---- tables that disagree ---------------------------------------------------------------- */

static void put(struct twins *t, MDB_txn *txn, int table, MDB_val key, MDB_val value)
{
    assert_int_equal(mdb_put(txn, t->store->tables[table], &key, &value, 0), 0);
}

static bool first_of(struct twins *t, MDB_txn *txn, int table, MDB_val *key, MDB_val *value)
{
    MDB_cursor *cursor;

    assert_int_equal(mdb_cursor_open(txn, t->store->tables[table], &cursor), 0);
    int rc = mdb_cursor_get(cursor, key, value, MDB_FIRST);
    mdb_cursor_close(cursor);
    return rc == 0;
}

/* Takes the first entry out of a table. */
static void drop_first(struct twins *t, MDB_txn *txn, int table)
{
    MDB_val key, value;

    assert_true(first_of(t, txn, table, &key, &value));
    unsigned char copy[512], data[8];
    memcpy(copy, key.mv_data, key.mv_size);
    key.mv_data = copy;
    bool list = table == CRIER_TABLE_POSTINGS || table == CRIER_TABLE_ORDER;
    if (list) {
        memcpy(data, value.mv_data, 8);
        value.mv_data = data;
    }
    assert_int_equal(mdb_del(txn, t->store->tables[table], &key, list ? &value : NULL), 0);
}

/* Gives the first entry of a table another value, or, an empty one, another key. */
static void bend_first(struct twins *t, MDB_txn *txn, int table)
{
    MDB_val key, value;
    unsigned char copy[512], data[4096];

    assert_true(first_of(t, txn, table, &key, &value));
    assert_true(value.mv_size <= sizeof(data));
    memcpy(copy, key.mv_data, key.mv_size);
    if (value.mv_size)
        memcpy(data, value.mv_data, value.mv_size);
    key.mv_data = copy;
    drop_first(t, txn, table);
    if (value.mv_size)
        data[table == CRIER_TABLE_EVENTS ? 0 : value.mv_size / 2] ^=
            1; /* not an event's text */
    else
        copy[key.mv_size - 1] ^= 1;
    value.mv_data = data;
    put(t, txn, table, key, value);
}

/* Each number of a topic's row, in turn. */
static void bend_topic(struct twins *t, MDB_txn *txn, int number)
{
    MDB_val key, value;
    unsigned char copy[512], data[CRIER_TOPIC_ROW_BYTES];

    assert_true(first_of(t, txn, CRIER_TABLE_TOPICS, &key, &value));
    assert_int_equal(value.mv_size, sizeof(data));
    memcpy(copy, key.mv_data, key.mv_size);
    memcpy(data, value.mv_data, sizeof(data));
    data[number * 8 + 7] ^= 1;
    key.mv_data = copy;
    value.mv_data = data;
    put(t, txn, CRIER_TABLE_TOPICS, key, value);
}

/* The first entry of order is in another class. */
static void move_class(struct twins *t, MDB_txn *txn, int table)
{
    MDB_val key, value;
    unsigned char copy[512], data[8];

    assert_true(first_of(t, txn, table, &key, &value));
    memcpy(copy, key.mv_data, key.mv_size);
    memcpy(data, value.mv_data, 8);
    drop_first(t, txn, table);
    copy[key.mv_size - 1] ^= 1;
    key.mv_data = copy;
    value.mv_data = data;
    put(t, txn, table, key, value);
}

static void told_after(struct twins *t, void (*harm)(struct twins *, MDB_txn *, int), int table)
{
    struct told told = {0};
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(t->store->env, NULL, 0, &txn), 0);
    harm(t, txn, table);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_int_equal(crier_store_verify(t->store, note, &told), -EUCLEAN);
    assert_true(told.faults > 0);
    print_message("    %s\n", told.first);
}

static void disagreeing(void **state)
{
    static const int tables[] = {CRIER_TABLE_EVENTS,    CRIER_TABLE_TOPICS,
                                 CRIER_TABLE_POSTINGS,  CRIER_TABLE_ORDER,
                                 CRIER_TABLE_DEADLINES, CRIER_TABLE_KEYS};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        struct twins *t = history("disagreeing", 30);
        assert_sound(t->store);
        told_after(t, drop_first, tables[i]);
        forget_history(t);
        t = history("disagreeing", 30);
        told_after(t, bend_first, tables[i]);
        forget_history(t);
    }
    for (int number = 0; number < 5; number++) {
        struct twins *t = history("disagreeing", 30);
        told_after(t, bend_topic, number);
        forget_history(t);
    }
    struct twins *t = history("disagreeing", 30);
    told_after(t, move_class, CRIER_TABLE_ORDER);
    forget_history(t);
}

/* ---- damage ------------------------------------------------------------------------------ */

static unsigned char *slurp(const char *dir, size_t *ret_size)
{
    char path[400];
    struct stat st;

    snprintf(path, sizeof(path), "%s/data.mdb", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    unsigned char *bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_size = (size_t)st.st_size;
    return bytes;
}

static void spill(const char *dir, const unsigned char *bytes, size_t size)
{
    char path[400];

    snprintf(path, sizeof(path), "%s/data.mdb", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static size_t damage(struct twins *t, unsigned char *bytes, size_t size)
{
    size_t page = (size_t)twins_roll(t, 0, size / 4096 - 1) * 4096;
    size_t at = page + (size_t)twins_roll(t, 0, twins_chance(t, 30) ? 40 : 4095);

    switch (twins_roll(t, 0, 9)) {
    case 0:
        return (size_t)twins_roll(t, 1, size - 1);
    case 1:
        memset(bytes + page, 0, 4096);
        break;
    case 2:
        memcpy(bytes + page, bytes + (size_t)twins_roll(t, 0, size / 4096 - 1) * 4096, 4096);
        break;
    case 3:
        bytes[at] = (unsigned char)twins_roll(t, 0, 255);
        break;
    default:
        bytes[at] ^= (unsigned char)(1u << twins_roll(t, 0, 7));
        break;
    }
    return size;
}

/* What a store says of its events, but for their text, times and keys: these are what they are. */
static int sum_event(void *ctx, const struct crier_record *record)
{
    static const struct crier_hash_key key = {5, 6};
    uint64_t *sum = ctx;

    *sum = *sum * 31 + record->number;
    for (size_t i = 0; i < record->topic_count; i++)
        *sum = *sum * 31 + crier_hash(&key, record->topics[i]);
    *sum = *sum * 31 + crier_hash(&key, record->type);
    return 0;
}

static uint64_t sum_store(struct crier_store *store)
{
    struct twin_want want = {.matched = ~0u};
    struct crier_view *view;
    uint64_t sum = 0;

    want.filter = (struct crier_filter){
        .match = twin_match, .ctx = &want, .prefixes = want.prefixes, .prefix_count = 1};
    assert_int_equal(crier_view_begin(store, &view), 0);
    struct crier_view_slice slice = {.filter = &want.filter, .until = UINT64_MAX};
    assert_int_equal(crier_view_read(view, &slice, sum_event, &sum), 0);
    crier_view_end(view);
    return sum;
}

struct tally {
    unsigned refused, told, same;
};

static void open_damaged(struct twins *t, const char *dir, uint64_t sum, struct tally *tally)
{
    struct crier_journal_limits limits = crier_journal_limits_filled(NULL);
    struct crier_store_options options = {.dir = dir,
                                          .sync = CRIER_SYNC_NONE,
                                          .max_file_bytes = UINT64_C(256) << 20,
                                          .limits = &limits,
                                          .hash_key = {1, 2},
                                          .epoch = TWIN_EPOCH};
    struct crier_store *store = NULL;
    struct crier_buf fault;
    struct told told = {0};

    crier_buf_init(&fault, &crier_mem_libc);
    int r = crier_store_open(&crier_mem_libc, &options, t->now, &store, &fault);
    if (r < 0)
        assert_true(fault.len > 0);
    crier_buf_deinit(&fault);
    if (r < 0) {
        tally->refused++;
        return;
    }
    r = crier_store_verify(store, note, &told);
    assert_true(r == 0 || r == -EUCLEAN);
    assert_int_equal(r == 0, told.faults == 0);
    if (r == 0)
        assert_true(sum_store(store) == sum);
    tally->told += r != 0;
    tally->same += r == 0;
    crier_store_close(store);
}

static void damaged(void **state)
{
    struct twins *t = history("damaged", 80);
    char dir[] = "/tmp/crier-damage-XXXXXX";
    struct tally tally = {0};
    size_t size;

    assert_non_null(mkdtemp(dir));
    uint64_t sum = sum_store(t->store);
    unsigned char *bytes = slurp(t->dir, &size), *work = malloc(size);
    assert_non_null(work);
    for (int i = 0; i < DAMAGES; i++) {
        memcpy(work, bytes, size);
        spill(dir, work, damage(t, work, size));
        open_damaged(t, dir, sum, &tally);
    }
    print_message("%d damages: %u refused, %u told, %u of no consequence\n", DAMAGES,
                  tally.refused, tally.told, tally.same);
    assert_true(tally.refused + tally.told > DAMAGES / 5);
    free(work);
    free(bytes);
    twins_remove_dir(dir);
    forget_history(t);
}

/* ---- compacting -------------------------------------------------------------------------- */

static void compacted(void **state)
{
    struct twins *t = history("compacted", 60);
    uint64_t before = 0, after = 0;
    struct crier_buf fault;
    struct crier_journal_limits limits = crier_journal_limits_filled(NULL);

    twins_begin(t);
    for (unsigned i = 0; i < 8; i++)
        twins_forget(t, i);
    twins_commit(t);
    uint64_t sum = sum_store(t->store);
    /* What a crash left. */
    char path[400];
    snprintf(path, sizeof(path), "%s/compact.mdb", t->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_store_compact(t->store, &before, &after, &fault), 0);
    assert_true(after < before && after > 0);
    assert_int_equal(access(path, F_OK), -1);

    struct crier_store_options options = {.dir = t->dir,
                                          .sync = CRIER_SYNC_NONE,
                                          .max_file_bytes = UINT64_C(256) << 20,
                                          .limits = &limits,
                                          .hash_key = {1, 2},
                                          .epoch = TWIN_EPOCH};
    assert_int_equal(crier_store_open(&crier_mem_libc, &options, t->now, &t->store, &fault), 0);
    crier_buf_deinit(&fault);
    assert_sound(t->store);
    assert_true(sum_store(t->store) == sum);
    forget_history(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound),
        cmocka_unit_test(disagreeing),
        cmocka_unit_test(damaged),
        cmocka_unit_test(compacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
