/* SPDX-License-Identifier: MIT */
/*
 * Pages of LMDB files: files LMDB wrote are sound, whatever it did in them; files that were
 * damaged at random are told, or LMDB reads them through without a fault of the process.
 */
#include "support.h"

#include "base/rng.h"
#include "durable/pages.h"
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>

enum { ROUNDS = 150, DAMAGES = 500, MAP = 64 << 20 };

struct base {
    char dir[64];
    char file[96], copy[96];
    MDB_env *env;
    MDB_dbi plain, lists;
    struct crier_rng rng;
    unsigned faults;
    char first[256];
};

static uint64_t roll(struct base *b, uint64_t low, uint64_t high)
{
    return crier_rng_between(&b->rng, low, high);
}

static void note(void *ctx, const char *fault)
{
    struct base *b = ctx;
    if (b->faults++ == 0)
        snprintf(b->first, sizeof(b->first), "%s", fault);
}

static MDB_env *env_open(const char *file, unsigned flags)
{
    MDB_env *env = NULL;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, MAP), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    int rc = mdb_env_open(env, file, MDB_NOSUBDIR | MDB_NOSYNC | MDB_NOLOCK | flags, 0600);
    if (rc == 0)
        return env;
    mdb_env_close(env);
    return NULL;
}

static void base_make(struct base *b, uint64_t seed)
{
    MDB_txn *txn;

    memset(b, 0, sizeof(*b));
    b->rng = (struct crier_rng){seed};
    snprintf(b->dir, sizeof(b->dir), "/tmp/crier-pages-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->file, sizeof(b->file), "%s/data.mdb", b->dir);
    snprintf(b->copy, sizeof(b->copy), "%s/copy.mdb", b->dir);
    b->env = env_open(b->file, 0);
    assert_non_null(b->env);
    assert_int_equal(mdb_txn_begin(b->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "plain", MDB_CREATE, &b->plain), 0);
    assert_int_equal(
        mdb_dbi_open(txn, "lists", MDB_CREATE | MDB_DUPSORT | MDB_DUPFIXED, &b->lists), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void base_drop(struct base *b)
{
    if (b->env)
        mdb_env_close(b->env);
    unlink(b->file);
    unlink(b->copy);
    assert_int_equal(rmdir(b->dir), 0);
}

static void put_random(struct base *b, MDB_txn *txn)
{
    static char bytes[30000];
    uint64_t number = __builtin_bswap64(roll(b, 1, 3000)), list = roll(b, 1, 6);
    char key[300];
    MDB_val k = {8, &number},
            v = {roll(b, 0, 100) ? roll(b, 0, 300) : roll(b, 1000, 30000), bytes};
    MDB_val lk = {8, &list}, lv = {8, &number};

    (void)mdb_put(txn, b->plain, &k, &v, 0);
    (void)mdb_put(txn, b->lists, &lk, &lv, MDB_NODUPDATA);
    memset(key, 'k', sizeof(key));
    memcpy(key, &number, 8);
    k = (MDB_val){roll(b, 1, 300), key};
    v.mv_size = 40;
    (void)mdb_put(txn, b->plain, &k, &v, 0);
}

static void drop_random(struct base *b, MDB_txn *txn)
{
    uint64_t number = __builtin_bswap64(roll(b, 1, 3000)), list = roll(b, 1, 6);
    MDB_val k = {8, &number}, lk = {8, &list}, lv = {8, &number};
    int rc = mdb_del(txn, b->plain, &k, NULL);
    assert_true(rc == 0 || rc == MDB_NOTFOUND);
    rc = mdb_del(txn, b->lists, &lk, &lv);
    assert_true(rc == 0 || rc == MDB_NOTFOUND);
}

static void base_round(struct base *b)
{
    MDB_txn *txn;
    uint64_t puts = roll(b, 0, 60), drops = roll(b, 0, 50);

    assert_int_equal(mdb_txn_begin(b->env, NULL, 0, &txn), 0);
    for (uint64_t i = 0; i < puts; i++)
        put_random(b, txn);
    for (uint64_t i = 0; i < drops; i++)
        drop_random(b, txn);
    if (roll(b, 0, 9) == 0)
        mdb_txn_abort(txn);
    else
        assert_int_equal(mdb_txn_commit(txn), 0);
}

static void assert_sound(struct base *b, const char *file)
{
    int r = crier_pages_check(&crier_mem_libc, file, 0, note, b);
    if (b->faults)
        print_error("%s\n", b->first);
    assert_int_equal(r, 0);
    assert_int_equal(b->faults, 0);
    assert_int_equal(crier_pages_check_roots(&crier_mem_libc, file, note, b), 0);
}

/* ---- what LMDB writes is sound ----------------------------------------------------------- */

static void sound(void **state)
{
    struct base b;

    base_make(&b, test_seed("sound"));
    assert_sound(&b, b.file);
    for (int i = 0; i < ROUNDS; i++) {
        base_round(&b);
        assert_sound(&b, b.file);
    }
    assert_int_equal(mdb_env_copy2(b.env, b.copy, MDB_CP_COMPACT), 0);
    assert_sound(&b, b.copy);
    base_drop(&b);
}

/* A reader's own snapshot, while another commits. */
static void snapshots(void **state)
{
    struct base b;
    MDB_txn *txn;

    base_make(&b, test_seed("snapshots"));
    for (int i = 0; i < 20; i++)
        base_round(&b);
    assert_int_equal(mdb_txn_begin(b.env, NULL, MDB_RDONLY, &txn), 0);
    uint64_t id = mdb_txn_id(txn);
    mdb_txn_abort(txn);
    assert_int_equal(crier_pages_check(&crier_mem_libc, b.file, id, note, &b), 0);
    assert_int_equal(crier_pages_check(&crier_mem_libc, b.file, id - 1, note, &b), 0);
    assert_int_equal(crier_pages_check(&crier_mem_libc, b.file, id - 2, note, &b), -ESTALE);
    assert_int_equal(crier_pages_check(&crier_mem_libc, "/tmp/none.mdb", 0, note, &b), -ENOENT);
    base_drop(&b);
}

static int check_with(const struct crier_mem *mem, void *ctx)
{
    struct base *b = ctx;
    return crier_pages_check(mem, b->file, 0, note, b);
}

static void out_of_memory(void **state)
{
    struct base b;

    base_make(&b, test_seed("out_of_memory"));
    for (int i = 0; i < 5; i++)
        base_round(&b);
    assert_true(test_mem_torture(check_with, &b) > 3);
    base_drop(&b);
}

/* ---- damage ------------------------------------------------------------------------------ */

static unsigned char *slurp(const char *file, size_t *ret_size)
{
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    unsigned char *bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_size = (size_t)st.st_size;
    return bytes;
}

static void spill(const char *file, const unsigned char *bytes, size_t size)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* Damages bytes in place; answers the size that is left. */
static size_t damage(struct base *b, unsigned char *bytes, size_t size)
{
    size_t page = (size_t)roll(b, 0, size / 4096 - 1) * 4096;
    size_t at = page + (size_t)(roll(b, 0, 1) ? roll(b, 0, 40) : roll(b, 0, 4095));

    switch (roll(b, 0, 6)) {
    case 0:
        return (size_t)roll(b, 0, size - 1);
    case 1:
        memset(bytes + page, 0, 4096);
        break;
    case 2: /* a page in the place of another */
        memcpy(bytes + page, bytes + (size_t)roll(b, 0, size / 4096 - 1) * 4096, 4096);
        break;
    case 3:
        bytes[at] = (unsigned char)roll(b, 0, 255);
        break;
    default:
        bytes[at] ^= (unsigned char)(1u << roll(b, 0, 7));
        break;
    }
    return size;
}

static uint64_t walk_table(MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    uint64_t sum = 0;

    assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
    for (int way = 0; way < 2; way++) {
        int rc = mdb_cursor_get(cursor, &k, &v, way ? MDB_LAST : MDB_FIRST);
        while (rc == 0) {
            for (size_t i = 0; i < k.mv_size; i++)
                sum += ((unsigned char *)k.mv_data)[i];
            for (size_t i = 0; i < v.mv_size; i++)
                sum += ((unsigned char *)v.mv_data)[i];
            rc = mdb_cursor_get(cursor, &k, &v, way ? MDB_PREV : MDB_NEXT);
        }
        assert_int_equal(rc, MDB_NOTFOUND);
    }
    mdb_cursor_close(cursor);
    return sum;
}

/* What passed is read and written by LMDB itself. */
static void use(struct base *b)
{
    struct base other = *b;
    MDB_txn *txn;

    other.env = env_open(b->copy, 0);
    assert_non_null(other.env);
    assert_int_equal(mdb_txn_begin(other.env, NULL, 0, &txn), 0);
    int one = mdb_dbi_open(txn, "plain", 0, &other.plain);
    int two = mdb_dbi_open(txn, "lists", 0, &other.lists);
    if (one == 0)
        walk_table(txn, other.plain);
    if (two == 0)
        walk_table(txn, other.lists);
    if (one == 0 && two == 0) {
        for (int i = 0; i < 40; i++)
            put_random(&other, txn);
    }
    mdb_txn_abort(txn);
    mdb_env_close(other.env);
}

static void damaged(void **state)
{
    struct base b;
    size_t size, told = 0;

    base_make(&b, test_seed("damaged"));
    for (int i = 0; i < 40; i++)
        base_round(&b);
    unsigned char *bytes = slurp(b.file, &size), *work = malloc(size);
    assert_non_null(work);
    for (int i = 0; i < DAMAGES; i++) {
        memcpy(work, bytes, size);
        size_t left = damage(&b, work, size);
        spill(b.copy, work, left);
        b.faults = 0;
        int r = crier_pages_check(&crier_mem_libc, b.copy, 0, note, &b);
        assert_true(r == 0 || r == -EUCLEAN);
        assert_int_equal(r == 0, b.faults == 0);
        told += r != 0;
        if (r == 0)
            use(&b);
        r = crier_pages_check_roots(&crier_mem_libc, b.copy, note, &b);
        assert_true(r == 0 || r == -EUCLEAN);
    }
    print_message("%zu of %d damages told\n", told, DAMAGES);
    assert_true(told > DAMAGES / 4);
    free(work);
    free(bytes);
    base_drop(&b);
}

/* Every number of the newest meta's trees counts, and what it says of the file. */
static void counters(void **state)
{
    struct base b;
    size_t size;

    base_make(&b, test_seed("counters"));
    for (int i = 0; i < 40; i++)
        base_round(&b);
    unsigned char *bytes = slurp(b.file, &size);
    uint64_t txns[2];
    memcpy(&txns[0], bytes + 16 + 128, 8);
    memcpy(&txns[1], bytes + 4096 + 16 + 128, 8);
    unsigned char *trees = bytes + (txns[1] > txns[0] ? 4096 : 0) + 16 + 24;
    for (size_t at = 0; at < 96; at += at % 48 == 0 ? 4 : at % 48 < 8 ? 2 : 8) {
        trees[at] ^= 1;
        spill(b.copy, bytes, size);
        b.faults = 0;
        assert_int_equal(crier_pages_check(&crier_mem_libc, b.copy, 0, note, &b),
                         at == 48 ? 0 : -EUCLEAN); /* there, it is unused */
        trees[at] ^= 1;
    }
    free(bytes);
    base_drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound),   cmocka_unit_test(snapshots), cmocka_unit_test(out_of_memory),
        cmocka_unit_test(damaged), cmocka_unit_test(counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
