/* SPDX-License-Identifier: MIT */
/*
 * Batches, read into a short account, in every split:
 *
 *     3:topic|type|key|data|retry|ttl;     a publication that began on line 3 (-: no topic)
 *     !slug@3                              the fault and its line
 *     ...                                  an unfinished last block was dropped
 */
#ifndef CRIER_TESTS_UNIT_HTTP_BATCHES_H
#define CRIER_TESTS_UNIT_HTTP_BATCHES_H

#include "support.h"

#include "http/batch.h"

struct setup {
    enum crier_batch_kind kind;
    size_t max_event;
    bool path_has_topic;
};

static const struct setup ndjson = {CRIER_BATCH_NDJSON, 1000, true};
static const struct setup stream = {CRIER_BATCH_EVENT_STREAM, 1000, true};

static inline void tell(struct crier_buf *text, const struct crier_batch_item *p)
{
    crier_buf_printf(text, "%llu:%s", (unsigned long long)p->line, p->has_topic ? "" : "-");
    crier_buf_append(text, p->topic);
    crier_buf_byte(text, '|');
    crier_buf_append(text, p->type);
    crier_buf_byte(text, '|');
    crier_buf_append(text, p->key);
    crier_buf_byte(text, '|');
    crier_buf_append(text, p->data);
    crier_buf_byte(text, '|');
    if (p->has_retry)
        crier_buf_u64(text, p->retry_ms);
    crier_buf_byte(text, '|');
    if (p->ttl_ms)
        crier_buf_u64(text, p->ttl_ms);
    crier_buf_byte(text, ';');
}

struct reading {
    struct crier_batch batch;
    struct crier_buf text;
    struct test_guard guard;
    int r;
};

static inline void read_all(struct reading *reading)
{
    struct crier_batch_item p;

    while ((reading->r = crier_batch_next(&reading->batch, &p)) == 0)
        tell(&reading->text, &p);
}

static inline void feed(struct reading *reading, struct crier_slice piece)
{
    if (reading->r < 0)
        return;
    crier_batch_feed(&reading->batch, test_guard_put(&reading->guard, piece));
    read_all(reading);
}

static inline void end(struct reading *reading)
{
    struct crier_batch_item p;

    if (reading->r >= 0) {
        crier_batch_end(&reading->batch);
        read_all(reading);
    }
    if (reading->r < 0) {
        assert_int_equal(crier_batch_next(&reading->batch, &p), reading->r); /* it stays */
        assert_non_null(reading->batch.fault_detail);
        crier_buf_printf(&reading->text, "!%s@%llu",
                         crier_problem_slug(reading->batch.fault).data,
                         (unsigned long long)reading->batch.fault_line);
    }
    if (reading->batch.incomplete)
        crier_buf_append(&reading->text, CRIER_SLICE("..."));
}

static inline void check_pieces(const struct setup *setup,
                                struct crier_slice body,
                                size_t first,
                                size_t step,
                                struct crier_slice expected)
{
    struct reading reading = {.r = CRIER_BATCH_MORE};

    assert_int_equal(crier_batch_init(&reading.batch, &crier_mem_libc, setup->kind,
                                      setup->max_event, setup->path_has_topic),
                     0);
    test_guard_init(&reading.guard, body.len ? body.len : 1);
    crier_buf_init(&reading.text, &crier_mem_libc);
    feed(&reading, crier_slice_sub(body, 0, first));
    for (size_t at = first; at < body.len; at += step)
        feed(&reading, crier_slice_sub(body, at, step));
    end(&reading);
    if (!crier_slice_eq(crier_buf_slice(&reading.text), expected))
        print_error("[%.*s] split at %zu, then every %zu\n", CRIER_SLICE_ARG(body), first,
                    step);
    assert_slice_equal(crier_buf_slice(&reading.text), expected);
    crier_buf_deinit(&reading.text);
    test_guard_deinit(&reading.guard);
    crier_batch_deinit(&reading.batch);
}

static void
check(const struct setup *setup, struct crier_slice body, struct crier_slice expected)
{
    check_pieces(setup, body, 0, 1, expected);
    for (size_t at = 0; at <= body.len; at++)
        check_pieces(setup, body, at, body.len + 1, expected);
}

struct row {
    struct crier_slice body, expected;
};

/* clang-format off */
#define ROW(body, expected) {{(body), sizeof(body) - 1}, {(expected), sizeof(expected) - 1}}
/* clang-format on */

#endif
