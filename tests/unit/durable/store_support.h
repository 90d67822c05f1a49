/* SPDX-License-Identifier: MIT */
/* What the tests of writing a store share: a folder, a store in it, a clock. Header only. */
#ifndef CRIER_TESTS_UNIT_DURABLE_STORE_SUPPORT_H
#define CRIER_TESTS_UNIT_DURABLE_STORE_SUPPORT_H

#include "support.h"

#include "base/buf.h"
#include "durable/file.h"
#include "event/id.h"
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

enum { SHOP_DIR = 256, SHOP_EPOCH = 7 };

struct shop {
    char dir[SHOP_DIR];
    const struct crier_mem *mem;
    struct crier_now now;
    struct crier_journal_limits limits;
    struct crier_store_options options;
    struct crier_store *store;
    struct crier_buf fault;
    unsigned left; /* so often `left` was called */
};

static inline void shop_make(struct shop *s)
{
    const char *tmp = getenv("TMPDIR");

    *s = (struct shop){.mem = &crier_mem_libc,
                       .now = {.wall_ms = UINT64_C(1763700000000), .boot_ms = 5000},
                       .limits = {.max_events = 1 << 20,
                                  .max_bytes = UINT64_C(1) << 40,
                                  .max_age_ms = UINT64_C(1) << 40}};
    snprintf(s->dir, sizeof(s->dir), "%s/crier-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    s->options = (struct crier_store_options){.dir = s->dir,
                                              .sync = CRIER_SYNC_NONE,
                                              .max_file_bytes = 16 << 20,
                                              .hash_key = {1, 2},
                                              .epoch = SHOP_EPOCH};
    crier_buf_init(&s->fault, &crier_mem_libc);
}

static inline int shop_try(struct shop *s)
{
    s->options.limits = &s->limits;
    crier_buf_clear(&s->fault);
    return crier_store_open(s->mem, &s->options, s->now, &s->store, &s->fault);
}

static inline void shop_open(struct shop *s)
{
    int r = shop_try(s);

    if (r < 0)
        fail_msg("%d: %.*s", r, CRIER_SLICE_ARG(crier_buf_slice(&s->fault)));
}

static inline void shop_close(struct shop *s)
{
    s->store = crier_store_close(s->store);
}

static inline void shop_reopen(struct shop *s)
{
    shop_close(s);
    shop_open(s);
}

static inline int shop_remove_one(const char *path, const struct stat *st, int t, struct FTW *f)
{
    (void)st, (void)t, (void)f;
    return remove(path);
}

static inline void shop_drop(struct shop *s)
{
    shop_close(s);
    crier_buf_deinit(&s->fault);
    assert_int_equal(nftw(s->dir, shop_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void shop_pass(struct shop *s, uint64_t ms)
{
    s->now.wall_ms += ms;
    s->now.boot_ms += ms;
}

static inline void shop_path(const struct shop *s, const char *name, char path[SHOP_DIR + 32])
{
    snprintf(path, SHOP_DIR + 32, "%s/%s", s->dir, name);
}

/* ---- events ------------------------------------------------------------------------------ */

static inline void shop_left(void *ctx, const struct crier_store_leaving *leaving)
{
    struct shop *s = ctx;

    assert_true(leaving->topic_count > 0);
    s->left++;
}

struct shop_event {
    const char *topics[CRIER_TOPICS_PER_EVENT];
    size_t topic_count;
    size_t size; /* of its text */
    uint64_t ttl_ms;
    const char *key;
};

/* Encoded bytes of the last one put. */
static inline uint64_t shop_bytes(size_t size, struct crier_id id)
{
    char text[CRIER_ID_TEXT];

    return sizeof("data: \n\n") - 1 + size + 5 + crier_id_format(id, text);
}

static inline int
shop_put_to(struct shop *s, const struct shop_event *e, crier_store_left_fn *left, void *ctx)
{
    static char sse[1 << 21];
    const struct crier_store_totals *t = crier_store_totals(s->store);
    uint64_t clock_ms = crier_store_clock(s->store, s->now);
    struct crier_slice topics[CRIER_TOPICS_PER_EVENT];
    struct crier_id id = {t->last.ms, t->last.seq + 1};

    assert_true(e->size < sizeof(sse) - 100);
    if (id.seq == (SHOP_EPOCH + 1) * 10000)
        id = (struct crier_id){id.ms + 1, SHOP_EPOCH * 10000};
    if (s->now.wall_ms > id.ms)
        id = (struct crier_id){s->now.wall_ms, SHOP_EPOCH * 10000};
    memset(sse, 'x', 7 + e->size);
    memcpy(sse, "data: ", 6);
    memcpy(sse + 6 + e->size, "\n\n", 2);
    for (size_t i = 0; i < e->topic_count; i++)
        topics[i] = crier_slice_of(e->topics[i]);
    struct crier_store_event event = {
        .number = t->end + 1,
        .id = id,
        .wall_ms = s->now.wall_ms,
        .clock_ms = clock_ms,
        .expires_ms = e->ttl_ms ? clock_ms + e->ttl_ms : 0,
        .topics = topics,
        .topic_count = e->topic_count,
        .key = crier_slice_of(e->key),
        .sse = {sse, e->size + 8},
        .bytes = shop_bytes(e->size, id),
    };
    return crier_store_put(s->store, &event, left, ctx);
}

static inline int shop_put(struct shop *s, const char *topic, size_t size)
{
    struct shop_event e = {.topics = {topic}, .topic_count = 1, .size = size};

    return shop_put_to(s, &e, shop_left, s);
}

static inline void shop_begin(struct shop *s)
{
    assert_int_equal(crier_store_begin(s->store), 0);
}

static inline void shop_commit(struct shop *s)
{
    assert_int_equal(crier_store_commit(s->store, s->now), 0);
}

static inline void shop_publish(struct shop *s, const char *topic)
{
    shop_begin(s);
    assert_int_equal(shop_put(s, topic, 20), 0);
    shop_commit(s);
}

static inline int shop_forget(struct shop *s, const char *topic)
{
    return crier_store_forget(s->store, crier_slice_of(topic), shop_left, s);
}

/* Forgets a topic in transactions of so many. */
static inline void shop_forget_slowly(struct shop *s, const char *topic, size_t at_once)
{
    int r = 1;

    while (r > 0) {
        shop_begin(s);
        r = crier_store_forget_some(s->store, crier_slice_of(topic), at_once, shop_left, s);
        assert_true(r >= 0);
        shop_commit(s);
    }
}

/* All that must leave, in transactions of so many. */
static inline void
shop_retain(struct shop *s, size_t at_once, crier_store_left_fn *left, void *ctx)
{
    int r = 1;

    while (r > 0) {
        shop_begin(s);
        r = crier_store_retain(s->store, crier_store_clock(s->store, s->now), at_once, left,
                               ctx);
        assert_true(r >= 0);
        shop_commit(s);
    }
}

/* ---- what it looks like -------------------------------------------------------------------- */

static inline uint64_t shop_topic_events(struct shop *s, const char *topic)
{
    struct crier_topic_row row = {0};
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(s->store->env, NULL, MDB_RDONLY, &txn), 0);
    int r = crier_topic_row_get(s->store, txn, crier_slice_of(topic), &row);
    mdb_txn_abort(txn);
    assert_true(r == 0 || r == -ENOENT);
    return r < 0 ? 0 : row.events;
}

static inline void shop_tell(void *ctx, const char *fault)
{
    (void)ctx;
    print_error("%s\n", fault);
}

static inline void shop_verify(struct shop *s)
{
    assert_int_equal(crier_store_verify(s->store, shop_tell, NULL), 0);
}

#endif
