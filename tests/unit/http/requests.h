/* SPDX-License-Identifier: MIT */
/*
 * Reading a text as requests, in any split, into a short account that tests compare:
 *
 *     GET /path?query @host [LEK] "body";     L: has a length, E: expects 100-continue,
 *                                             K: keep alive
 *     !slug                                   refused
 *     ~                                       in the middle of a request
 */
#ifndef CRIER_TESTS_UNIT_HTTP_REQUESTS_H
#define CRIER_TESTS_UNIT_HTTP_REQUESTS_H

#include "support.h"

#include "base/buf.h"
#include "http/request.h"

struct account {
    struct test_mem mem; /* the reader's */
    struct crier_http_reader *reader;
    struct test_guard guard;
    struct crier_buf text;
    size_t heads, ends;
    bool body_open;
    int r;
};

static inline const char *method_name(enum crier_method method)
{
    switch (method) {
    case CRIER_METHOD_OTHER:
        return "OTHER";
    case CRIER_METHOD_GET:
        return "GET";
    case CRIER_METHOD_HEAD:
        return "HEAD";
    case CRIER_METHOD_POST:
        return "POST";
    case CRIER_METHOD_PUT:
        return "PUT";
    case CRIER_METHOD_DELETE:
        return "DELETE";
    case CRIER_METHOD_OPTIONS:
        return "OPTIONS";
    case CRIER_METHOD_PATCH:
        return "PATCH";
    }
    return "?";
}

static inline void
account_init(struct account *a, const struct crier_http_limits *limits, size_t max)
{
    *a = (struct account){.r = CRIER_HTTP_MORE};
    test_mem_init(&a->mem, 0);
    assert_int_equal(crier_http_reader_new(&a->mem.mem, limits, &a->reader), 0);
    test_guard_init(&a->guard, max);
    crier_buf_init(&a->text, &crier_mem_libc);
}

static inline void account_deinit(struct account *a)
{
    crier_http_reader_free(a->reader);
    assert_int_equal(a->mem.bytes, 0);
    test_guard_deinit(&a->guard);
    crier_buf_deinit(&a->text);
}

static inline void account_head(struct account *a, const struct crier_http_request *q)
{
    crier_buf_printf(&a->text, "%s %.*s", method_name(q->method), CRIER_SLICE_ARG(q->path));
    if (q->query.data)
        crier_buf_printf(&a->text, "?%.*s", CRIER_SLICE_ARG(q->query));
    crier_buf_printf(&a->text, " @%.*s [%s%s%s] \"", CRIER_SLICE_ARG(q->host),
                     q->has_length ? "L" : "", q->expect_continue ? "E" : "",
                     q->keep_alive ? "K" : "");
    a->heads++;
}

static inline void account_item(struct account *a, const struct crier_http_item *item)
{
    switch (item->kind) {
    case CRIER_HTTP_HEAD:
        assert_int_equal(a->heads, a->ends);
        account_head(a, item->request);
        break;
    case CRIER_HTTP_BODY:
        assert_true(item->body.len > 0);
        crier_buf_append(&a->text, item->body);
        break;
    case CRIER_HTTP_END:
        crier_buf_append(&a->text, CRIER_SLICE("\";"));
        a->ends++;
        assert_int_equal(a->heads, a->ends);
        break;
    }
    assert_int_equal(crier_http_in_request(a->reader), a->heads != a->ends);
}

/* Reads one piece, which lies right before a guard page. */
static inline void account_feed(struct account *a, struct crier_slice piece)
{
    struct crier_slice input = test_guard_put(&a->guard, piece);
    struct crier_http_item item;

    if (a->r < 0)
        return;
    while ((a->r = crier_http_next(a->reader, &input, &item)) == 0)
        account_item(a, &item);
    assert_true(a->r < 0 || input.len == 0);
}

static inline struct crier_slice account_end(struct account *a)
{
    if (a->r < 0) {
        struct crier_slice input = {NULL, 0};
        struct crier_http_item item;

        assert_int_equal(a->r, -EPROTO);
        assert_true(crier_http_fault_detail(a->reader)[0] != '\0');
        assert_int_equal(crier_http_next(a->reader, &input, &item), -EPROTO); /* it stays */
        crier_buf_byte(&a->text, '!');
        crier_buf_append(&a->text, crier_problem_slug(crier_http_fault(a->reader)));
    } else if (crier_http_in_request(a->reader)) {
        crier_buf_byte(&a->text, '~');
    }
    return crier_buf_slice(&a->text);
}

/* Reads raw in pieces: `first` bytes, then pieces of `step`; compares the account. */
static inline void check_pieces(struct crier_slice raw,
                                const struct crier_http_limits *limits,
                                size_t first,
                                size_t step,
                                const char *expected)
{
    struct account a;

    account_init(&a, limits, raw.len ? raw.len : 1);
    account_feed(&a, crier_slice_sub(raw, 0, first));
    for (size_t at = first; at < raw.len; at += step)
        account_feed(&a, crier_slice_sub(raw, at, step));
    if (!crier_slice_eq(account_end(&a), crier_slice_of(expected)))
        print_error("[%.*s] split at %zu, then every %zu\n", CRIER_SLICE_ARG(raw), first, step);
    assert_slice_equal(crier_buf_slice(&a.text), crier_slice_of(expected));
    account_deinit(&a);
}

/* Whole, a byte at a time, and at every split point: the account is always this one. */
static inline void check_limited(struct crier_slice raw,
                                 const struct crier_http_limits *limits,
                                 const char *expected)
{
    check_pieces(raw, limits, raw.len, 1, expected);
    check_pieces(raw, limits, 0, 1, expected);
    for (size_t at = 0; at <= raw.len && raw.len < 1000; at++)
        check_pieces(raw, limits, at, raw.len, expected);
}

static inline void check_requests(struct crier_slice raw, const char *expected)
{
    check_limited(raw, NULL, expected);
}

#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /e HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

struct row {
    struct crier_slice raw;
    const char *expected;
};

/* clang-format off */
#define ROW(raw, expected) {{(raw), sizeof(raw) - 1}, (expected)}
/* clang-format on */

static inline void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_requests(rows[i].raw, rows[i].expected);
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#endif
