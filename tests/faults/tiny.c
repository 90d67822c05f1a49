// SPDX-License-Identifier: MIT
/*
 * A tiny store on LMDB, for the tools to be tested on: its transactions are acknowledged as a
 * server would, and what is left of them can be looked at.
 *
 *     tiny write DIR COUNT always|nometasync|nosync    COUNT transactions
 *     tiny check DIR
 *
 * write: transaction n puts one to four entries (n, part), of up to three pages, and drops what
 * transaction n - 40 put, so that pages are used again. When it is committed it prints
 * "n SIZE", SIZE being that of the file FAULTS_LOG: an upper bound of where in the log the
 * promise was made. A failed transaction prints "n failed ERRNO" and the next one is tried.
 *
 * check: prints "n" for each transaction of which all is there, as it was put. Ends with 0; 3 and
 * a sentence if the store cannot be opened or read, or holds anything else than whole
 * transactions in a row.
 */
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEEP = 40, MOST = 3 * 4096, PARTS = 4 };

struct key {
    uint32_t number, part; /* big-endian */
};

static int refuse(const char *what, int code)
{
    fprintf(stderr, "tiny: %s: %s\n", what, mdb_strerror(code));
    return 3;
}

static uint32_t scatter(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x45d9f3bU;
    x = (x ^ (x >> 16)) * 0x45d9f3bU;
    return x ^ (x >> 16);
}

static unsigned parts_of(uint32_t number)
{
    return 1 + scatter(number) % PARTS;
}

/* What belongs to a key; its length. */
static size_t fill(uint32_t number, uint32_t part, unsigned char *bytes)
{
    uint32_t seed = scatter(number * PARTS + part + 7);
    size_t length = 1 + seed % MOST;

    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(scatter(seed + (uint32_t)(i / 64)) >> (i % 4 * 8));
    return length;
}

static struct key key_of(uint32_t number, uint32_t part)
{
    return (struct key){__builtin_bswap32(number), __builtin_bswap32(part)};
}

static int open_env(const char *dir, unsigned flags, MDB_env **ret_env)
{
    int code = mdb_env_create(ret_env);

    if (!code)
        code = mdb_env_set_mapsize(*ret_env, (size_t)1 << 30);
    if (!code)
        code = mdb_env_open(*ret_env, dir, flags, 0600);
    return code;
}

static int change(MDB_txn *txn, MDB_dbi dbi, uint32_t number)
{
    static unsigned char bytes[MOST];
    int code = 0;

    for (uint32_t part = 0; part < parts_of(number) && !code; part++) {
        struct key key = key_of(number, part);
        MDB_val name = {sizeof(key), &key}, value = {fill(number, part, bytes), bytes};
        code = mdb_put(txn, dbi, &name, &value, 0);
    }
    for (uint32_t part = 0; number > KEEP && part < parts_of(number - KEEP) && !code; part++) {
        struct key key = key_of(number - KEEP, part);
        MDB_val name = {sizeof(key), &key};
        code = mdb_del(txn, dbi, &name, NULL);
        code = code == MDB_NOTFOUND ? 0 : code; /* it had failed */
    }
    return code;
}

static int transact(MDB_env *env, uint32_t number)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    int code = mdb_txn_begin(env, NULL, 0, &txn);

    if (code)
        return code;
    code = mdb_dbi_open(txn, NULL, 0, &dbi);
    if (!code)
        code = change(txn, dbi, number);
    if (!code)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}

static int write_all(const char *dir, uint32_t count, const char *sync)
{
    unsigned flags = !strcmp(sync, "nosync")       ? MDB_NOSYNC
                     : !strcmp(sync, "nometasync") ? MDB_NOMETASYNC
                                                   : 0;
    const char *log = getenv("FAULTS_LOG");
    struct stat status = {0};
    MDB_env *env;
    int code = open_env(dir, flags, &env);

    if (code)
        return refuse("it cannot be opened", code);
    for (uint32_t number = 1; number <= count; number++) {
        code = transact(env, number);
        if (code)
            printf("%" PRIu32 " failed %d\n", number, code);
        else if (!log || stat(log, &status) == 0)
            printf("%" PRIu32 " %lld\n", number, (long long)status.st_size);
        fflush(stdout);
    }
    mdb_env_close(env);
    return 0;
}

/* The entry at the cursor is what it should be: the next part, or the first of a later number. */
static int look(const MDB_val *name, const MDB_val *value, struct key *last)
{
    static unsigned char bytes[MOST];
    struct key key;
    uint32_t number, part;

    if (name->mv_size != sizeof(key))
        return refuse("a foreign key", MDB_CORRUPTED);
    memcpy(&key, name->mv_data, sizeof(key));
    number = __builtin_bswap32(key.number);
    part = __builtin_bswap32(key.part);
    if (part ? number != last->number || part != last->part + 1
             : last->number &&
                   (number <= last->number || last->part + 1 != parts_of(last->number)))
        return refuse("half a transaction", MDB_CORRUPTED);
    if (value->mv_size != fill(number, part, bytes) ||
        memcmp(bytes, value->mv_data, value->mv_size) != 0)
        return refuse("other bytes than were put", MDB_CORRUPTED);
    if (part + 1 == parts_of(number))
        printf("%" PRIu32 "\n", number);
    *last = (struct key){number, part};
    return 0;
}

static int check(const char *dir)
{
    MDB_env *env;
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_dbi dbi;
    MDB_val name, value;
    struct key last = {0, 0};
    int code = open_env(dir, 0, &env), result = 0;

    if (code)
        return refuse("it cannot be opened", code);
    code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (!code)
        code = mdb_dbi_open(txn, NULL, 0, &dbi);
    if (!code)
        code = mdb_cursor_open(txn, dbi, &cursor);
    if (code)
        return refuse("it cannot be read", code);
    while (!result && !(code = mdb_cursor_get(cursor, &name, &value, MDB_NEXT)))
        result = look(&name, &value, &last);
    if (!result && code != MDB_NOTFOUND)
        result = refuse("it cannot be read", code);
    if (!result && last.number && last.part + 1 != parts_of(last.number))
        result = refuse("half a transaction", MDB_CORRUPTED);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return result;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "write"))
        return write_all(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), argv[4]);
    if (argc == 3 && !strcmp(argv[1], "check"))
        return check(argv[2]);
    fprintf(stderr,
            "usage: tiny write DIR COUNT always|nometasync|nosync, or tiny check DIR\n");
    return 2;
}
