/* SPDX-License-Identifier: MIT */
/*
 * A store is made, opened again, refused; its transactions are kept whole or given up whole; it
 * fills up and has room again; its clock goes on. What leaves by itself: test_retain.c.
 */
#include "store_support.h"

#include <sys/wait.h>

/* ---- made, opened again ------------------------------------------------------------------- */

static void is_made(void **state)
{
    struct shop s;
    struct crier_id first, last;
    char path[SHOP_DIR + 32];
    struct stat st;

    shop_make(&s);
    shop_path(&s, "made", path);
    s.options.dir = path;
    shop_open(&s);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07, 0); /* nothing for others */
    const struct crier_store_totals *t = crier_store_totals(s.store);
    assert_int_equal(t->events, 0);
    assert_int_equal(t->end, 0);
    assert_int_equal(t->epoch, SHOP_EPOCH);
    assert_int_equal(t->start.ms, s.now.wall_ms);
    assert_int_equal(t->start.seq, SHOP_EPOCH * 10000);
    assert_int_equal(crier_id_cmp(t->start, t->last), 0);
    assert_int_equal(crier_store_clock(s.store, s.now), s.now.wall_ms);
    assert_int_equal(crier_store_ends(s.store, &first, &last), 0);
    assert_int_equal(first.ms + last.ms, 0);
    shop_drop(&s);
}

static void stays(void **state)
{
    struct shop s;
    struct crier_store_totals before;
    struct crier_id first, last;

    shop_make(&s);
    shop_open(&s);
    shop_publish(&s, "a");
    shop_begin(&s);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(shop_put(&s, i % 3 ? "a" : "b", (size_t)i), 0);
    shop_commit(&s);
    before = *crier_store_totals(s.store);
    assert_int_equal(before.events, 1001);
    assert_int_equal(before.topics, 2);
    s.options.epoch = 9; /* of new ones only */
    s.options.hash_key.k0 = 99;
    shop_reopen(&s);
    const struct crier_store_totals *t = crier_store_totals(s.store);
    assert_int_equal(t->events, before.events);
    assert_int_equal(t->bytes, before.bytes);
    assert_int_equal(t->topics, 2);
    assert_int_equal(t->end, 1001);
    assert_int_equal(t->epoch, SHOP_EPOCH);
    assert_int_equal(t->hash_key.k0, 1);
    assert_int_equal(crier_id_cmp(t->last, before.last), 0);
    assert_int_equal(shop_topic_events(&s, "a"), 667);
    assert_int_equal(shop_topic_events(&s, "b"), 334);
    assert_int_equal(crier_store_ends(s.store, &first, &last), 0);
    assert_int_equal(first.ms, t->start.ms);
    assert_int_equal(crier_id_cmp(last, t->last), 0);
    shop_verify(&s);
    shop_drop(&s);
}

/* ---- refused ------------------------------------------------------------------------------ */

static void assert_refused(struct shop *s, int want, const char *says)
{
    assert_int_equal(shop_try(s), want);
    crier_buf_byte(&s->fault, '\0');
    if (!strstr(s->fault.data, says))
        fail_msg("\"%s\" does not say \"%s\"", s->fault.data, says);
    if (!strstr(s->fault.data, s->options.dir))
        fail_msg("\"%s\" does not name the folder", s->fault.data);
}

static void write_file(const struct shop *s, const char *name, const void *bytes, size_t len)
{
    char path[SHOP_DIR + 32];

    shop_path(s, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static char *read_file(const struct shop *s, const char *name, size_t *ret_len)
{
    char path[SHOP_DIR + 32];
    struct stat st;

    shop_path(s, name, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

/* It is refused, and the file is what it was. */
static void assert_untouched(struct shop *s, int want, const char *says)
{
    size_t len, now_len;
    char *before = read_file(s, "data.mdb", &len);

    for (int i = 0; i < 2; i++) {
        s->options.read_only = i == 1;
        assert_refused(s, want, says);
        char *now = read_file(s, "data.mdb", &now_len);
        assert_int_equal(now_len, len);
        assert_memory_equal(now, before, len);
        free(now);
    }
    s->options.read_only = false;
    free(before);
}

static void no_folder(void **state)
{
    struct shop s;
    char path[SHOP_DIR + 32];

    shop_make(&s);
    write_file(&s, "file", "text", 4);
    shop_path(&s, "file", path);
    s.options.dir = path;
    assert_refused(&s, -ENOTDIR, "is a file");
    shop_path(&s, "not/there", path);
    assert_refused(&s, -ENOENT, "cannot be made");
    s.options.dir = "";
    assert_int_equal(shop_try(&s), -ENOENT);
    assert_true(s.fault.len > 0);
    s.options.dir = s.dir;
    s.options.read_only = true;
    assert_refused(&s, -ENOENT, "no journal");
    shop_path(&s, "lock", path);
    assert_int_equal(access(path, F_OK), -1); /* who only reads makes nothing */
    shop_drop(&s);
}

/* In a process that is nobody's, since root may write everything. Its exit status: 0, or the
 * negative of what opening answered. */
static int open_as_nobody(struct shop *s)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && setuid(65534) < 0)
            _exit(255);
        int r = shop_try(s);
        crier_store_close(s->store);
        crier_buf_byte(&s->fault, '\0');
        _exit(r == -EACCES && !strstr(s->fault.data, s->options.dir) ? 254 : -r);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void not_writable(void **state)
{
    struct shop s;
    char path[SHOP_DIR + 32];

    shop_make(&s);
    shop_path(&s, "sub", path);
    assert_int_equal(chmod(s.dir, 0755), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    s.options.dir = path;
    assert_int_equal(chmod(path, 0555), 0);
    assert_int_equal(open_as_nobody(&s), EACCES);
    shop_path(&s, "other", path); /* cannot be made in there */
    assert_int_equal(chmod(s.dir, 0555), 0);
    assert_int_equal(open_as_nobody(&s), EACCES);
    assert_int_equal(chmod(s.dir, 0755), 0);
    /* The folder may be written, its file may not. */
    shop_path(&s, "sub", path);
    assert_int_equal(chmod(path, 0777), 0);
    shop_open(&s);
    shop_close(&s);
    shop_path(&s, "sub/data.mdb", path);
    assert_int_equal(chmod(path, 0444), 0);
    shop_path(&s, "sub/lock", path);
    assert_int_equal(chmod(path, 0666), 0);
    shop_path(&s, "sub", path);
    assert_int_equal(open_as_nobody(&s), EACCES);
    shop_drop(&s);
}

static void no_lmdb(void **state)
{
    static const char text[] = "This is a letter to somebody, and no history.\n";
    struct shop s;
    char path[SHOP_DIR + 32];

    shop_make(&s);
    write_file(&s, "data.mdb", text, sizeof(text));
    assert_untouched(&s, -EILSEQ, "not a journal");
    char *much = calloc(1, 3 << 20);
    assert_non_null(much);
    memset(much, 'x', 3 << 20);
    write_file(&s, "data.mdb", much, 3 << 20);
    free(much);
    assert_untouched(&s, -EILSEQ, "not a journal");
    shop_path(&s, "data.mdb", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(&s, -EILSEQ, "not a journal");
    shop_drop(&s);
}

/* An LMDB file of something else: with such a table, or such an entry beside tables. */
static void make_foreign(const struct shop *s, const char *table, unsigned flags)
{
    MDB_val key = {8, (void *)"abcdefgh"}, value = {5, (void *)"hello"};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
    assert_int_equal(mdb_env_open(env, s->dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, table ? flags | MDB_CREATE : 0, &dbi), 0);
    if (!table) {
        key = (MDB_val){4, (void *)"meta"};
    }
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void foreign(void **state)
{
    static const struct {
        const char *table;
        unsigned flags;
    } kinds[] = {{"other", 0},
                 {"meta", 0},
                 {"meta", MDB_DUPSORT},
                 {"meta", MDB_DUPSORT | MDB_DUPFIXED},
                 {"meta", MDB_INTEGERKEY},
                 {NULL, 0}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct shop s;

        shop_make(&s);
        make_foreign(&s, kinds[i].table, kinds[i].flags);
        assert_untouched(&s, -EILSEQ, "not a journal");
        shop_drop(&s);
    }
}

/* Gives an entry of meta another value (NULL: takes it out), behind the store's back. */
static void bend_meta(struct shop *s, const char *name, const void *bytes, size_t len)
{
    MDB_val key = {strlen(name), (void *)(uintptr_t)name};
    MDB_val value = {len, (void *)(uintptr_t)bytes};

    shop_open(s);
    shop_begin(s);
    int rc = bytes ? mdb_put(s->store->txn, s->store->tables[CRIER_TABLE_META], &key, &value, 0)
                   : mdb_del(s->store->txn, s->store->tables[CRIER_TABLE_META], &key, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(mdb_txn_commit(s->store->txn), 0);
    s->store->txn = NULL;
    shop_close(s);
}

static void other_version(void **state)
{
    unsigned char format[sizeof(CRIER_FORMAT_NAME) + 8] = CRIER_FORMAT_NAME;
    struct shop s;

    shop_make(&s);
    crier_put_u64(format + sizeof(CRIER_FORMAT_NAME), CRIER_FORMAT_VERSION + 1);
    bend_meta(&s, "format", format, sizeof(format));
    assert_untouched(&s, -EPROTO, "another version");
    shop_drop(&s);
    shop_make(&s);
    bend_meta(&s, "format", "crier journal\0 and more of it", 30);
    assert_untouched(&s, -EPROTO, "another version");
    shop_drop(&s);
    shop_make(&s);
    bend_meta(&s, "format", "crier journey\0\0\0\0\0\0\0\0\1", 22);
    assert_untouched(&s, -EILSEQ, "not a journal");
    shop_drop(&s);
}

static void totals_damaged(void **state)
{
    static const unsigned char zeros[8 * 24];
    struct shop s;

    shop_make(&s);
    bend_meta(&s, "totals", NULL, 0);
    assert_untouched(&s, -EUCLEAN, "verify");
    shop_drop(&s);
    shop_make(&s);
    bend_meta(&s, "totals", zeros, 17);
    assert_untouched(&s, -EUCLEAN, "verify");
    shop_drop(&s);
    shop_make(&s);
    bend_meta(&s, "totals", zeros, sizeof(zeros)); /* no epoch is 0 */
    assert_untouched(&s, -EUCLEAN, "verify");
    shop_drop(&s);
}

static void class_damaged(void **state)
{
    MDB_val key = {7, (void *)"class\0\0"}, value = {3, (void *)"abc"};
    struct shop s;

    shop_make(&s);
    shop_open(&s);
    shop_begin(&s);
    assert_int_equal(mdb_put(s.store->txn, s.store->tables[CRIER_TABLE_META], &key, &value, 0),
                     0);
    assert_int_equal(mdb_txn_commit(s.store->txn), 0);
    s.store->txn = NULL;
    shop_close(&s);
    assert_untouched(&s, -EUCLEAN, "verify");
    shop_drop(&s);
}

static void table_missing(void **state)
{
    for (int table = CRIER_TABLE_EVENTS; table < CRIER_TABLES; table++) {
        struct shop s;

        shop_make(&s);
        shop_open(&s);
        shop_publish(&s, "a");
        shop_begin(&s);
        assert_int_equal(mdb_drop(s.store->txn, s.store->tables[table], 1), 0);
        assert_int_equal(mdb_txn_commit(s.store->txn), 0);
        s.store->txn = NULL;
        shop_close(&s);
        assert_untouched(&s, -EUCLEAN, "verify");
        shop_drop(&s);
    }
}

/* Cut off anywhere it is refused, or, before its first page, made anew. */
static void truncated(void **state)
{
    struct shop s;
    size_t len;

    shop_make(&s);
    shop_open(&s);
    for (int i = 0; i < 20; i++)
        shop_publish(&s, i % 2 ? "a" : "b");
    shop_close(&s);
    char *whole = read_file(&s, "data.mdb", &len);
    for (size_t cut = 20; cut < len; cut += cut < 10000 ? 611 : 4096) {
        write_file(&s, "data.mdb", whole, cut);
        int r = shop_try(&s);
        if (r == 0) {
            /* Only a page that nothing uses may be missing. */
            shop_verify(&s);
            assert_int_equal(crier_store_totals(s.store)->events, 20);
            shop_close(&s);
            continue;
        }
        assert_true(r == -EUCLEAN || r == -EILSEQ);
        assert_true(s.fault.len > 0);
    }
    free(whole);
    shop_drop(&s);
}

static void second_is_refused(void **state)
{
    struct shop s, second;
    char pid[32];

    shop_make(&s);
    shop_open(&s);
    shop_publish(&s, "a");
    second = s;
    second.store = NULL;
    crier_buf_init(&second.fault, &crier_mem_libc);
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    assert_refused(&second, -EBUSY, pid);
    assert_refused(&second, -EBUSY, pid); /* the first attempt took nothing away */
    shop_close(&s);
    shop_open(&second);
    assert_int_equal(crier_store_totals(second.store)->events, 1);
    shop_close(&second);
    crier_buf_deinit(&second.fault);
    shop_drop(&s);
}

/* Another process reads while this one writes (LMDB allows no second in one). */
static void read_beside(void **state)
{
    struct shop s;
    int status;

    shop_make(&s);
    shop_open(&s);
    shop_publish(&s, "a");
    shop_close(&s); /* none of it may be open in a fork */
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char byte;
        close(pipes[1]);
        if (read(pipes[0], &byte, 1) != 1)
            _exit(1);
        s.options.read_only = true;
        if (shop_try(&s) < 0)
            _exit(2);
        bool right = crier_store_totals(s.store)->events == 2;
        shop_close(&s);
        _exit(right ? 0 : 3);
    }
    shop_open(&s);
    shop_publish(&s, "b");
    assert_int_equal(write(pipes[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(pipes[0]);
    close(pipes[1]);
    shop_publish(&s, "c");
    shop_drop(&s);
}

/* ---- whole or not at all ------------------------------------------------------------------ */

/* Some of everything, not committed. */
static void stir(struct shop *s)
{
    struct shop_event e = {.topics = {"a", "new"}, .topic_count = 2, .ttl_ms = 5, .key = "k"};
    struct crier_loss loss = {3, {5, 6}, 7};

    assert_int_equal(shop_put(s, "a", 10), 0);
    assert_int_equal(shop_put_to(s, &e, shop_left, s), 0);
    assert_int_equal(shop_forget(s, "b"), 0);
    assert_int_equal(crier_store_put_floor(s->store, 17, &loss), 0);
    crier_store_set_floors(s->store, &loss, &loss);
    assert_true(crier_store_retain(s->store, UINT64_MAX / 2, 100, shop_left, s) >= 0);
}

static int no_floor(void *ctx, uint64_t hash, const struct crier_loss *loss)
{
    (void)ctx, (void)hash, (void)loss;
    return -EEXIST;
}

static void aborts(void **state)
{
    struct shop s;
    struct crier_store_totals before;
    struct crier_class class;

    shop_make(&s);
    shop_open(&s);
    for (int i = 0; i < 4; i++)
        shop_publish(&s, i % 2 ? "a" : "b");
    before = *crier_store_totals(s.store);
    class = s.store->classes[0];
    uint64_t serial = s.store->topic_serial;
    for (int i = 0; i < 2; i++) {
        shop_begin(&s);
        stir(&s);
        crier_store_abort(s.store);
        assert_memory_equal(crier_store_totals(s.store), &before, sizeof(before));
        assert_memory_equal(&s.store->classes[0], &class, sizeof(class));
        assert_int_equal(s.store->topic_serial, serial);
    }
    assert_int_equal(shop_topic_events(&s, "a"), 2);
    assert_int_equal(shop_topic_events(&s, "b"), 2);
    assert_int_equal(crier_store_each_floor(s.store, no_floor, NULL), 0);
    shop_verify(&s);
    shop_publish(&s, "a"); /* the same number again */
    assert_int_equal(crier_store_totals(s.store)->end, 5);
    shop_reopen(&s);
    assert_int_equal(crier_store_totals(s.store)->events, 5);
    shop_verify(&s);
    /* Closed in the middle is given up, too. */
    shop_begin(&s);
    stir(&s);
    shop_reopen(&s);
    assert_int_equal(crier_store_totals(s.store)->events, 5);
    shop_drop(&s);
}

/* Each allocation fails once: then nothing of the transaction is kept. */
static int without_memory(const struct crier_mem *mem, void *ctx)
{
    struct shop *s = ctx;
    struct shop_event e = {.topics = {"a", "b"}, .topic_count = 2, .ttl_ms = 9, .key = "k"};

    s->mem = mem;
    s->store = NULL;
    int r = shop_try(s);
    if (r < 0)
        return r;
    uint64_t events = crier_store_totals(s->store)->events;
    r = crier_store_begin(s->store);
    assert_int_equal(r, 0);
    for (int i = 0; r == 0 && i < 5; i++)
        r = shop_put_to(s, &e, shop_left, s);
    if (r == 0)
        r = shop_forget(s, "b");
    if (r == 0)
        r = shop_forget(s, "a");
    if (r < 0)
        crier_store_abort(s->store);
    else
        r = crier_store_commit(s->store, s->now);
    assert_int_equal(crier_store_totals(s->store)->events, events);
    shop_close(s);
    return r;
}

static void out_of_memory(void **state)
{
    struct shop s;

    shop_make(&s);
    assert_true(test_mem_torture(without_memory, &s) > 5);
    s.mem = &crier_mem_libc;
    shop_open(&s);
    shop_verify(&s);
    shop_drop(&s);
}

/* ---- full --------------------------------------------------------------------------------- */

/* Puts until there is no room; answers how many transactions of `count` events went in. */
static unsigned fill(struct shop *s, unsigned topics, size_t count, size_t size)
{
    for (unsigned n = 0;; n++) {
        struct crier_store_totals before = *crier_store_totals(s->store);
        char topic[32];
        int r = 0;

        shop_begin(s);
        for (size_t i = 0; r == 0 && i < count; i++) {
            snprintf(topic, sizeof(topic), "t/%u", (unsigned)(before.end + i) % topics);
            r = shop_put(s, topic, size);
        }
        if (r < 0)
            crier_store_abort(s->store);
        else
            r = crier_store_commit(s->store, s->now);
        if (r == 0)
            continue;
        assert_int_equal(r, -ENOSPC);
        assert_int_equal(crier_store_totals(s->store)->end, before.end);
        assert_int_equal(crier_store_totals(s->store)->bytes, before.bytes);
        return n;
    }
}

static void assert_has_room_again(struct shop *s, unsigned topics, size_t count, size_t size)
{
    unsigned again = fill(s, topics, count, size);

    assert_true(again > 0);
    shop_verify(s);
}

static void full_then_forget(void **state)
{
    static const unsigned topics[] = {1, 7, 500, 4000};

    for (size_t i = 0; i < 4; i++) {
        struct shop s;

        shop_make(&s);
        s.options.max_file_bytes = 4 << 20;
        shop_open(&s);
        assert_true(fill(&s, topics[i], 64, 300) > 5);
        /* With smaller ones, to the last page. */
        fill(&s, topics[i], 1, 300);
        shop_forget_slowly(&s, "t/0", 16);
        assert_int_equal(shop_topic_events(&s, "t/0"), 0);
        for (unsigned t = 0; t < topics[i]; t++) {
            char topic[32];
            snprintf(topic, sizeof(topic), "t/%u", t);
            shop_forget_slowly(&s, topic, 16);
        }
        assert_has_room_again(&s, topics[i], 1, 300);
        shop_drop(&s);
    }
}

/* The oldest of many topics lie far apart: many pages are touched to let them leave. */
static void full_then_retain(void **state)
{
    struct shop s;

    shop_make(&s);
    s.options.max_file_bytes = 4 << 20;
    shop_open(&s);
    fill(&s, 3000, 64, 300);
    fill(&s, 3000, 1, 300);
    s.limits.max_events = 100;
    s.limits.kept_bytes = 1000;
    shop_reopen(&s);
    shop_retain(&s, 16, shop_left, &s);
    assert_true(crier_store_totals(s.store)->events < 110);
    assert_has_room_again(&s, 3000, 64, 300);
    shop_drop(&s);
}

/* New rules must not need a larger file either. */
static void full_then_new_rules(void **state)
{
    struct crier_rules rules = {.count = 0};
    struct shop s;

    shop_make(&s);
    s.options.max_file_bytes = 4 << 20;
    shop_open(&s);
    fill(&s, 3000, 64, 20);
    fill(&s, 3000, 1, 20);
    assert_null(crier_rules_add(&rules, CRIER_SLICE("t/1=5")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("t/*=50,1h")));
    s.options.rules = &rules;
    shop_reopen(&s);
    shop_verify(&s);
    shop_drop(&s);
}

/* ---- the clock ---------------------------------------------------------------------------- */

static void clock_goes_on(void **state)
{
    struct shop s;

    shop_make(&s);
    shop_open(&s);
    uint64_t start = crier_store_clock(s.store, s.now);
    shop_pass(&s, 1000);
    assert_int_equal(crier_store_clock(s.store, s.now), start + 1000);
    s.now.wall_ms -= 3600 * 1000; /* set back: nothing */
    assert_int_equal(crier_store_clock(s.store, s.now), start + 1000);
    shop_publish(&s, "a");
    s.now.boot_ms = 17; /* a reboot, an hour by the wall */
    s.now.wall_ms += 3600 * 1000;
    shop_reopen(&s);
    assert_int_equal(crier_store_clock(s.store, s.now), start + 1000 + 3600 * 1000);
    shop_publish(&s, "a");
    s.now.wall_ms -= UINT64_C(86400) * 1000; /* set back while it was down: it stands still */
    s.now.boot_ms = 0;
    shop_reopen(&s);
    assert_int_equal(crier_store_clock(s.store, s.now), start + 1000 + 3600 * 1000);
    s.now.wall_ms += UINT64_C(86400) * 365 * 1000; /* set forth while it runs: nothing */
    assert_int_equal(crier_store_clock(s.store, s.now), start + 1000 + 3600 * 1000);
    shop_drop(&s);
}

/* ---- keys, floors ------------------------------------------------------------------------- */

struct keys {
    unsigned count;
    uint64_t numbers[20];
};

static int take_key(void *ctx, const struct crier_store_key *key)
{
    struct keys *keys = ctx;
    char text[16];

    snprintf(text, sizeof(text), "key %u", (unsigned)key->number);
    assert_slice_equal(key->key, crier_slice_of(text));
    assert_slice_is(key->topic, "a");
    keys->numbers[keys->count++] = key->number;
    return 0;
}

static struct keys keys_of(struct shop *s, size_t most, uint64_t since_ms)
{
    struct keys keys = {0};

    assert_int_equal(crier_store_each_key(s->store, most, since_ms, take_key, &keys), 0);
    return keys;
}

static void newest_keys(void **state)
{
    struct shop s;
    struct keys keys;

    shop_make(&s);
    shop_open(&s);
    assert_int_equal(keys_of(&s, 100, 0).count, 0);
    uint64_t start = crier_store_clock(s.store, s.now);
    for (unsigned i = 1; i <= 9; i++) {
        char text[16];
        struct shop_event e = {.topics = {"a"}, .topic_count = 1, .key = i % 2 ? text : NULL};
        snprintf(text, sizeof(text), "key %u", i);
        shop_pass(&s, 10);
        shop_begin(&s);
        assert_int_equal(shop_put_to(&s, &e, shop_left, &s), 0);
        shop_commit(&s);
    }
    shop_reopen(&s);
    keys = keys_of(&s, 100, 0); /* 1 3 5 7 9 */
    assert_int_equal(keys.count, 5);
    assert_int_equal(keys.numbers[0], 1);
    assert_int_equal(keys.numbers[4], 9);
    keys = keys_of(&s, 2, 0);
    assert_int_equal(keys.count, 2);
    assert_int_equal(keys.numbers[0], 7);
    assert_int_equal(keys_of(&s, 0, 0).count, 0);
    keys = keys_of(&s, 100, start + 50); /* event 5's time: those later */
    assert_int_equal(keys.count, 2);
    assert_int_equal(keys_of(&s, 100, start + 90).count, 0);
    shop_begin(&s);
    assert_int_equal(shop_forget(&s, "a"), 0);
    shop_commit(&s);
    assert_int_equal(keys_of(&s, 100, 0).count, 0);
    shop_verify(&s);
    shop_drop(&s);
}

static int next_floor(void *ctx, uint64_t hash, const struct crier_loss *loss)
{
    uint64_t *serial = ctx;

    assert_true(loss->serial > *serial);
    assert_int_equal(hash, 1000 - loss->serial);
    *serial = loss->serial;
    return 0;
}

static void floors_in_order(void **state)
{
    struct crier_loss root = {5, {6, 7}, 8}, lost = {9, {10, 11}, 12};
    struct shop s;
    uint64_t serial = 0;

    shop_make(&s);
    shop_open(&s);
    shop_begin(&s);
    for (uint64_t i = 1; i <= 50; i++) {
        struct crier_loss loss = {i, {i, i}, i};
        assert_int_equal(crier_store_put_floor(s.store, 1000 - i, &loss), 0);
    }
    assert_int_equal(crier_store_drop_floor(s.store, 950), 0);
    assert_int_equal(crier_store_drop_floor(s.store, 12345), 0);
    crier_store_set_floors(s.store, &root, &lost);
    shop_commit(&s);
    shop_reopen(&s);
    assert_int_equal(crier_store_each_floor(s.store, next_floor, &serial), 0);
    assert_int_equal(serial, 49);
    assert_memory_equal(&crier_store_totals(s.store)->root, &root, sizeof(root));
    assert_memory_equal(&crier_store_totals(s.store)->lost, &lost, sizeof(lost));
    assert_int_equal(crier_store_each_floor(s.store, no_floor, NULL), -EEXIST);
    shop_drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made),          cmocka_unit_test(stays),
        cmocka_unit_test(no_folder),        cmocka_unit_test(not_writable),
        cmocka_unit_test(no_lmdb),          cmocka_unit_test(foreign),
        cmocka_unit_test(other_version),    cmocka_unit_test(totals_damaged),
        cmocka_unit_test(class_damaged),    cmocka_unit_test(table_missing),
        cmocka_unit_test(truncated),        cmocka_unit_test(second_is_refused),
        cmocka_unit_test(read_beside),      cmocka_unit_test(aborts),
        cmocka_unit_test(out_of_memory),    cmocka_unit_test(full_then_forget),
        cmocka_unit_test(full_then_retain), cmocka_unit_test(full_then_new_rules),
        cmocka_unit_test(clock_goes_on),    cmocka_unit_test(newest_keys),
        cmocka_unit_test(floors_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
