/* SPDX-License-Identifier: MIT */
/* A store in a folder of its own, for tests; header only. */
#ifndef CRIER_TESTS_UNIT_DURABLE_ANCHOR_SUPPORT_H
#define CRIER_TESTS_UNIT_DURABLE_ANCHOR_SUPPORT_H

#include "durable/file.h"
#include "durable_support.h"

struct shop {
    char dir[TEST_DIR];
    struct crier_store *store;
    struct crier_now now;
    struct crier_journal_limits limits;
    struct crier_rules rules;
    enum crier_sync sync;
    uint64_t max_file_bytes;
    bool read_only;
    char fault[600];
    uint64_t left[4]; /* by why; gone */
};

static inline void shop_init(struct shop *s)
{
    memset(s, 0, sizeof(*s));
    s->now = (struct crier_now){.wall_ms = UINT64_C(1763700000000), .boot_ms = 1000};
    s->sync = CRIER_SYNC_NONE;
    test_dir_make(s->dir);
}

static inline void shop_rule(struct shop *s, const char *text)
{
    assert_null(crier_rules_add(&s->rules, crier_slice_of(text)));
}

static inline int shop_try(struct shop *s, struct crier_store **ret_store)
{
    struct crier_store_options options = {.dir = s->dir,
                                          .read_only = s->read_only,
                                          .sync = s->sync,
                                          .max_file_bytes = s->max_file_bytes,
                                          .rules = &s->rules,
                                          .limits = &s->limits,
                                          .hash_key = {1, 2},
                                          .epoch = 7};
    struct crier_buf fault;

    crier_buf_init(&fault, &crier_mem_libc);
    int r = crier_store_open(&crier_mem_libc, &options, s->now, ret_store, &fault);
    snprintf(s->fault, sizeof(s->fault), "%.*s", (int)fault.len, fault.data ? fault.data : "");
    crier_buf_deinit(&fault);
    return r;
}

static inline void shop_open(struct shop *s)
{
    int r = shop_try(s, &s->store);

    if (r < 0)
        fail_msg("%d: %s", r, s->fault);
}

static inline void shop_refused(struct shop *s, int expected)
{
    struct crier_store *store = NULL;

    assert_int_equal(shop_try(s, &store), expected);
    assert_null(store);
    assert_true(s->fault[0] && s->fault[strlen(s->fault) - 1] == '.');
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

static inline void shop_tell(void *ctx, const char *fault)
{
    print_error("%s\n", fault);
}

static inline void shop_verify(struct shop *s)
{
    assert_int_equal(crier_store_verify(s->store, shop_tell, NULL), 0);
}

static inline void shop_end(struct shop *s)
{
    shop_close(s);
    test_dir_remove(s->dir);
}

static inline void shop_left(void *ctx, const struct crier_store_leaving *leaving)
{
    struct shop *s = ctx;

    s->left[leaving->why] += leaving->gone;
}

/* Within a transaction. `data` bytes of text. */
static inline int shop_put(
    struct shop *s, const struct crier_slice *topics, size_t count, size_t data, uint64_t ttl)
{
    const struct crier_store_totals *t = crier_store_totals(s->store);
    char id[CRIER_ID_TEXT];
    struct crier_buf sse;

    crier_buf_init(&sse, &crier_mem_libc);
    crier_buf_append(&sse, CRIER_SLICE("data: "));
    for (size_t i = 0; i < data; i++)
        crier_buf_byte(&sse, 'x');
    crier_buf_append(&sse, CRIER_SLICE("\n\n"));
    uint64_t clock_ms = crier_store_clock(s->store, s->now);
    struct crier_store_event event = {
        .number = t->end + 1,
        .id = {t->last.ms, t->last.seq + 1},
        .wall_ms = s->now.wall_ms,
        .clock_ms = clock_ms,
        .expires_ms = ttl ? clock_ms + ttl : 0,
        .topics = topics,
        .topic_count = count,
        .sse = crier_buf_slice(&sse),
    };
    event.bytes = sse.len + sizeof("id: \n") - 1 + crier_id_format(event.id, id);
    int r = crier_store_put(s->store, &event, shop_left, s);
    crier_buf_deinit(&sse);
    return r;
}

static inline int shop_put_one(struct shop *s, const char *topic, size_t data)
{
    struct crier_slice name = crier_slice_of(topic);

    return shop_put(s, &name, 1, data, 0);
}

static inline void shop_publish(struct shop *s, const char *topic)
{
    assert_int_equal(crier_store_begin(s->store), 0);
    assert_int_equal(shop_put_one(s, topic, 10), 0);
    assert_int_equal(crier_store_commit(s->store, s->now), 0);
}

static inline void shop_path(const struct shop *s, const char *name, char path[TEST_DIR + 20])
{
    snprintf(path, TEST_DIR + 20, "%s/%s", s->dir, name);
}

#endif
