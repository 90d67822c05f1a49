/* SPDX-License-Identifier: MIT */
/* The store as a file: refusals that touch nothing, room, rules, readers that die. */
#include "store_support.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum { MOST = 4 << 20 };

struct bytes {
    char *data;
    ssize_t len;
};

static struct bytes slurp(const struct shop *s)
{
    struct bytes b = {malloc(MOST), 0};
    char path[TEST_DIR + 20];

    shop_path(s, "data.mdb", path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && b.data);
    b.len = read(fd, b.data, MOST);
    close(fd);
    return b;
}

static void spill(const struct shop *s, const void *data, size_t len)
{
    char path[TEST_DIR + 20];

    shop_path(s, "data.mdb", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
}

/* Refused, and every byte is what it was. */
static void refused_untouched(struct shop *s, int expected)
{
    struct bytes before = slurp(s);

    for (int read_only = 0; read_only < 2; read_only++) {
        s->read_only = read_only;
        shop_refused(s, expected);
        struct bytes after = slurp(s);
        assert_true(after.len == before.len &&
                    memcmp(after.data, before.data, (size_t)before.len) == 0);
        free(after.data);
    }
    s->read_only = false;
    free(before.data);
}

/* Makes an LMDB file by other means, or changes one. kind: NULL for the main table. */
static void with_lmdb(const struct shop *s,
                      const char *table,
                      unsigned flags,
                      const char *key,
                      const void *value,
                      size_t len)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = crier_val(key, strlen(key)), v = crier_val(value, len);

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
    assert_int_equal(mdb_env_open(env, s->dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, flags, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void foreign(void **state)
{
    static const struct {
        const char *table, *key;
        unsigned flags;
    } kinds[] = {{NULL, "key", 0},
                 {NULL, "meta", 0}, /* no table, but an entry */
                 {"meta", "other", MDB_CREATE},
                 {"meta", "format", MDB_CREATE},
                 {"events", "x", MDB_CREATE},
                 {NULL, "key", MDB_DUPSORT}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct shop s;

        shop_init(&s);
        with_lmdb(&s, kinds[i].table, kinds[i].flags, kinds[i].key, "a value", 7);
        /* With entries where ours has tables only: it is told as damaged. */
        refused_untouched(&s, kinds[i].table ? -EILSEQ : -EUCLEAN);
        shop_end(&s);
    }
}

static void another_version(void **state)
{
    unsigned char format[sizeof(CRIER_FORMAT_NAME) + 8] = CRIER_FORMAT_NAME;
    struct shop s;

    shop_init(&s);
    shop_open(&s);
    shop_publish(&s, "a");
    shop_close(&s);
    crier_put_u64(format + sizeof(CRIER_FORMAT_NAME), CRIER_FORMAT_VERSION + 1);
    with_lmdb(&s, "meta", 0, "format", format, sizeof(format));
    refused_untouched(&s, -EPROTO);
    with_lmdb(&s, "meta", 0, "format", format, sizeof(format) - 3);
    refused_untouched(&s, -EPROTO);
    shop_end(&s);
}

/* What cannot be a file of LMDB's at all, and files that were cut off. */
static void damaged(void **state)
{
    static char junk[70000];
    struct shop s;

    shop_init(&s);
    memset(junk, 'j', sizeof(junk));
    spill(&s, junk, sizeof(junk));
    struct crier_store *store = NULL;
    struct bytes before = slurp(&s);
    assert_true(shop_try(&s, &store) < 0);
    struct bytes after = slurp(&s);
    assert_true(before.len == after.len && memcmp(before.data, after.data, sizeof(junk)) == 0);
    free(before.data);
    free(after.data);
    spill(&s, "", 0);
    shop_open(&s);
    for (int i = 0; i < 300; i++)
        shop_publish(&s, "a/b");
    shop_close(&s);
    struct bytes whole = slurp(&s);
    for (ssize_t len = 4096; len <= whole.len / 2; len += 4096 * 3) {
        spill(&s, whole.data, (size_t)len);
        refused_untouched(&s, -EUCLEAN);
    }
    free(whole.data);
    shop_end(&s);
}

static void blank_is_made(void **state)
{
    static char zeros[20000];
    struct shop s;

    shop_init(&s);
    spill(&s, zeros, sizeof(zeros));
    s.read_only = true;
    struct crier_store *store;
    assert_true(shop_try(&s, &store) < 0);
    s.read_only = false;
    shop_open(&s);
    shop_publish(&s, "a");
    shop_reopen(&s);
    assert_int_equal(crier_store_totals(s.store)->events, 1);
    shop_end(&s);
}

static void folders(void **state)
{
    char dir[TEST_DIR];
    struct shop s;

    shop_init(&s);
    memcpy(dir, s.dir, sizeof(dir));
    s.read_only = true;
    shop_refused(&s, -ENOENT);
    s.read_only = false;
    spill(&s, "x", 1);
    assert_true(snprintf(s.dir, sizeof(s.dir), "%.200s/data.mdb", dir) > 0);
    shop_refused(&s, -ENOTDIR);
    assert_true(snprintf(s.dir, sizeof(s.dir), "%.200s/not/there", dir) > 0);
    shop_refused(&s, -ENOENT);
    memcpy(s.dir, dir, sizeof(dir));
    shop_end(&s);
}

/* By a child that may not write there. */
static void not_writable(void **state)
{
    struct shop s;
    int status;

    shop_init(&s);
    assert_int_equal(chmod(s.dir, 0555), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct crier_store *store;
        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
            _exit(77);
        int r = shop_try(&s, &store);
        _exit(r == -EACCES && strstr(s.fault, "may not be written") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(s.dir, 0755), 0);
    test_dir_remove(s.dir);
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void second_and_reader(void **state)
{
    struct crier_store *reader;
    uint64_t process;
    struct shop s;

    shop_init(&s);
    assert_int_equal(crier_store_holder(s.dir, &process), 0);
    assert_int_equal(process, 0);
    shop_open(&s);
    shop_publish(&s, "a");
    assert_int_equal(crier_store_holder(s.dir, &process), 0);
    assert_int_equal(process, getpid());
    shop_refused(&s, -EBUSY);
    assert_non_null(strstr(s.fault, "in use by process"));
    pid_t child = fork(); /* LMDB: one file, one time in a process */
    assert_true(child >= 0);
    if (child == 0) {
        s.read_only = true;
        int r = shop_try(&s, &reader);
        _exit(r == 0 && crier_store_totals(reader)->events == 1 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    shop_end(&s);
}

/* Whoever was killed while it read keeps no page for ever. */
static void killed_reader(void **state)
{
    struct crier_store *reader;
    struct crier_view *view;
    int ready[2], status;
    char byte;
    struct shop s;

    shop_init(&s);
    shop_open(&s);
    shop_publish(&s, "a");
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        s.read_only = true;
        if (shop_try(&s, &reader) == 0 && crier_view_begin(reader, &view) == 0)
            (void)!write(ready[1], "x", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    s.limits.max_events = 10;
    for (int i = 0; i < 600; i++)
        shop_publish(&s, "a");
    uint64_t size = crier_store_totals(s.store)->file_bytes;
    for (int i = 0; i < 600; i++)
        shop_publish(&s, "a");
    assert_true(crier_store_totals(s.store)->file_bytes < size + size / 4);
    close(ready[0]);
    close(ready[1]);
    shop_end(&s);
}

static void abort_restores(void **state)
{
    struct crier_store_totals before;
    struct shop s;

    shop_init(&s);
    s.limits.max_events = 5;
    shop_rule(&s, "r/**=3");
    shop_open(&s);
    for (int i = 0; i < 6; i++)
        shop_publish(&s, i % 2 ? "r/a" : "b");
    before = *crier_store_totals(s.store);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(crier_store_begin(s.store), 0);
        for (int n = 0; n < 20; n++)
            assert_int_equal(shop_put_one(&s, n % 2 ? "r/a" : "new", 10), 0);
        assert_int_equal(crier_store_forget(s.store, CRIER_SLICE("b"), shop_left, &s), 0);
        assert_true(crier_store_retain(s.store, crier_store_clock(s.store, s.now), 1000,
                                       shop_left, &s) >= 0);
        crier_store_abort(s.store);
        assert_memory_equal(&before, crier_store_totals(s.store), sizeof(before));
        struct crier_store_share share;
        assert_true(crier_store_share(s.store, 1, &share));
        assert_int_equal(share.events, 3);
    }
    shop_verify(&s);
    shop_reopen(&s);
    assert_int_equal(crier_store_totals(s.store)->end, 6);
    shop_end(&s);
}

/* Full: nothing of the transaction is kept; to forget is possible; then it goes on. */
static void full(void **state)
{
    char topic[20];
    int r = 0, n = 0;
    struct shop s;

    shop_init(&s);
    s.max_file_bytes = 2 << 20;
    shop_open(&s);
    for (int round = 0; round < 4; round++) {
        for (r = 0; r == 0; n++) {
            uint64_t end = crier_store_totals(s.store)->end;
            snprintf(topic, sizeof(topic), "t/%d", n / 10);
            assert_int_equal(crier_store_begin(s.store), 0);
            for (int i = 0; r == 0 && i < 5; i++)
                r = shop_put_one(&s, topic, 300);
            if (r < 0)
                crier_store_abort(s.store);
            else
                r = crier_store_commit(s.store, s.now);
            assert_int_equal(crier_store_totals(s.store)->end, r == 0 ? end + 5 : end);
        }
        assert_int_equal(r, -ENOSPC);
        shop_verify(&s);
        for (int i = 0; i < 3; i++) {
            snprintf(topic, sizeof(topic), "t/%d", round * 10 + i);
            assert_int_equal(crier_store_begin(s.store), 0);
            assert_int_equal(crier_store_forget(s.store, crier_slice_of(topic), shop_left, &s),
                             0);
            assert_int_equal(crier_store_commit(s.store, s.now), 0);
        }
        /* Pages are free for the transaction after the next. */
        for (int i = 0; i < 2; i++)
            shop_publish(&s, "other");
        if (round == 1)
            shop_reopen(&s);
    }
    assert_true(crier_store_totals(s.store)->file_bytes <= 2 << 20);
    shop_verify(&s);
    shop_end(&s);
}

static uint64_t share_of(struct shop *s, size_t i)
{
    struct crier_store_share share;

    assert_true(crier_store_share(s->store, i, &share));
    return share.events;
}

static void rules_change(void **state)
{
    struct crier_store_share share;
    struct shop s;

    shop_init(&s);
    shop_open(&s);
    assert_int_equal(crier_store_begin(s.store), 0);
    for (int i = 0; i < 9000; i++) /* more than one step of making anew */
        assert_int_equal(shop_put_one(&s, i % 3 ? "a" : "b", 1), 0);
    assert_int_equal(crier_store_commit(s.store, s.now), 0);
    assert_int_equal(share_of(&s, 0), 9000);
    assert_false(crier_store_share(s.store, 1, &share));
    shop_rule(&s, "b=100000");
    shop_reopen(&s);
    assert_int_equal(share_of(&s, 0), 6000);
    assert_int_equal(share_of(&s, 1), 3000);
    shop_verify(&s);
    /* The limits alone: nothing but the text is written. */
    s.rules.list[0].max_events = 5;
    shop_close(&s);
    struct bytes before = slurp(&s);
    shop_open(&s);
    assert_int_equal(share_of(&s, 1), 3000);
    shop_close(&s);
    struct bytes after = slurp(&s);
    int pages = 0;
    for (ssize_t at = 0; at < after.len; at += 4096)
        pages += at >= before.len || memcmp(before.data + at, after.data + at, 4096) != 0;
    assert_in_range(pages, 1, 12);
    free(before.data);
    free(after.data);
    /* Cut off in the middle: it begins again. */
    with_lmdb(&s, "meta", 0, "rules", "making anew", 11);
    shop_open(&s);
    assert_int_equal(share_of(&s, 1), 3000);
    shop_verify(&s);
    s.rules.count = 0;
    shop_reopen(&s);
    assert_int_equal(share_of(&s, 0), 9000);
    shop_verify(&s);
    shop_end(&s);
}

static void clock_goes_on(void **state)
{
    struct shop s;

    shop_init(&s);
    shop_open(&s);
    uint64_t at = crier_store_clock(s.store, s.now);
    assert_int_equal(at, s.now.wall_ms);
    s.now.boot_ms += 500;
    s.now.wall_ms += 90000; /* set: does not count */
    assert_int_equal(crier_store_clock(s.store, s.now), at + 500);
    shop_publish(&s, "a");
    s.now.wall_ms -= 3600000;
    s.now.boot_ms = 3;
    shop_reopen(&s);
    assert_int_equal(crier_store_clock(s.store, s.now), at + 500);
    shop_publish(&s, "a");
    s.now.wall_ms += 7000;
    shop_reopen(&s);
    assert_int_equal(crier_store_clock(s.store, s.now), at + 7500);
    shop_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign),           cmocka_unit_test(another_version),
        cmocka_unit_test(damaged),           cmocka_unit_test(blank_is_made),
        cmocka_unit_test(folders),           cmocka_unit_test(not_writable),
        cmocka_unit_test(second_and_reader), cmocka_unit_test(killed_reader),
        cmocka_unit_test(abort_restores),    cmocka_unit_test(full),
        cmocka_unit_test(rules_change),      cmocka_unit_test(clock_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
