/* SPDX-License-Identifier: MIT */
/*
 * Verify: stores as they are written are sound; a store that was damaged at random is refused
 * when it is opened, or its faults are told, or what it says of its events is what it said
 * before. None of it may crash. And faults that no damage to pages would make: tables that disagree.
 */
#include "view_support.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
    twins_make_limited(t, test_seed(name), 250); /* so that some is kept aside */
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
    static unsigned char data[1 << 16];
    unsigned char copy[512];

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

/* Even what a view cannot begin without. */
static void no_totals(void **state)
{
    struct twins *t = history("no_totals", 3);
    struct told told = {0};
    MDB_val key = {6, (void *)(uintptr_t) "totals"}, value = {3, (void *)(uintptr_t) "bad"};
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(t->store->env, NULL, 0, &txn), 0);
    put(t, txn, CRIER_TABLE_META, key, value);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_int_equal(crier_store_verify(t->store, note, &told), -EUCLEAN);
    assert_int_equal(told.faults, 1);
    forget_history(t);
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

/* What a store says of its events, but for their text, times and keys: LMDB has no checksums. */
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
    assert_true(tally.refused + tally.told > DAMAGES / 8);
    free(work);
    free(bytes);
    twins_remove_dir(dir);
    forget_history(t);
}

/* ---- compacting -------------------------------------------------------------------------- */

/* Another process reads the old file, and has it open until the pipe is closed. */
static pid_t keep_open(const char *dir, int *ret_pipe)
{
    int begun[2], end[2];
    char byte;

    assert_int_equal(pipe(begun), 0);
    assert_int_equal(pipe(end), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        MDB_env *env;
        MDB_txn *txn;
        /* The lock of the folder is not this process's. */
        for (int fd = 3; fd < 256; fd++) {
            if (fd != begun[1] && fd != end[0])
                close(fd);
        }
        if (mdb_env_create(&env) || mdb_env_open(env, dir, MDB_RDONLY, 0600) ||
            mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) || write(begun[1], "x", 1) != 1)
            _exit(1);
        _exit(read(end[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(begun[1]);
    close(end[0]);
    assert_int_equal(read(begun[0], &byte, 1), 1);
    close(begun[0]);
    *ret_pipe = end[1];
    return pid;
}

static void reopen(struct twins *t, enum crier_sync sync)
{
    struct crier_journal_limits limits = crier_journal_limits_filled(NULL);
    struct crier_store_options options = {.dir = t->dir,
                                          .sync = sync,
                                          .max_file_bytes = UINT64_C(256) << 20,
                                          .limits = &limits,
                                          .hash_key = {1, 2},
                                          .epoch = TWIN_EPOCH};
    struct crier_buf fault;

    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_store_open(&crier_mem_libc, &options, t->now, &t->store, &fault), 0);
    crier_buf_deinit(&fault);
}

static void compact_once(struct twins *t)
{
    uint64_t before = 0, after = 0, sum = sum_store(t->store);
    struct crier_buf fault;
    char path[400];

    /* What a crash left. */
    snprintf(path, sizeof(path), "%s/compact.mdb", t->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_store_compact(t->store, &before, &after, &fault), 0);
    crier_buf_deinit(&fault);
    assert_true(after <= before && after > 0);
    assert_int_equal(access(path, F_OK), -1);
    reopen(t, CRIER_SYNC_NONE);
    assert_sound(t->store);
    assert_true(sum_store(t->store) == sum);
}

static void compacted(void **state)
{
    struct twins *t = history("compacted", 60);
    int end, status;

    twins_begin(t);
    for (unsigned i = 0; i < 8; i++)
        twins_forget(t, i);
    twins_commit(t);
    compact_once(t);
    twins_batch(t);
    pid_t pid = keep_open(t->dir, &end);
    compact_once(t);
    for (int i = 0; i < 5; i++) {
        twins_batch(t);
        assert_sound(t->store);
    }
    close(end);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    forget_history(t);
}

/* Does the folder's watch tell of this before that? */
static bool came_before(int watch, const char *first, const char *then)
{
    _Alignas(struct inotify_event) char bytes[1 << 14];
    ssize_t n = read(watch, bytes, sizeof(bytes));
    bool seen = false;

    assert_true(n > 0);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (const void *)(bytes + at);
        if ((event->mask & IN_DELETE) && strcmp(event->name, first) == 0)
            seen = true;
        if ((event->mask & IN_MOVED_TO) && strcmp(event->name, then) == 0)
            return seen;
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    return false;
}

/* What would be put back after a power cut is gone before the file it belongs to is. */
static void anchored(void **state)
{
    struct twins *t = history("anchored", 10);
    uint64_t before, after, sum = sum_store(t->store);
    struct crier_buf fault;

    crier_store_close(t->store);
    reopen(t, CRIER_SYNC_INTERVAL);
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    assert_true(watch >= 0);
    assert_true(inotify_add_watch(watch, t->dir, IN_DELETE | IN_MOVED_TO) >= 0);
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_store_compact(t->store, &before, &after, &fault), 0);
    crier_buf_deinit(&fault);
    assert_true(came_before(watch, "synced", "data.mdb"));
    close(watch);
    reopen(t, CRIER_SYNC_INTERVAL);
    assert_true(sum_store(t->store) == sum);
    forget_history(t);
}

/* ---- out of memory ----------------------------------------------------------------------- */

static int verify_with(const struct crier_mem *mem, void *ctx)
{
    struct twins *t = ctx;
    const struct crier_mem *own = t->store->mem;
    struct told told = {0};

    crier_views_free(t->store);
    t->store->mem = mem;
    int r = crier_store_verify(t->store, note, &told);
    crier_views_free(t->store);
    t->store->mem = own;
    return r;
}

static void out_of_memory(void **state)
{
    struct twins *t = history("out_of_memory", 3);

    assert_true(test_mem_torture(verify_with, t) > 10);
    forget_history(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound),         cmocka_unit_test(disagreeing),
        cmocka_unit_test(no_totals),     cmocka_unit_test(damaged),
        cmocka_unit_test(compacted),     cmocka_unit_test(anchored),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
