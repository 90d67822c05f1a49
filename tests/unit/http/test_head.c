/* SPDX-License-Identifier: MIT */
/* A complete head: what the request then holds. Refusals are tested through the reader. */
#include "support.h"

#include "http/head.h"
#include "http/request.h"

struct fixture {
    struct crier_http_reader *reader;
    const struct crier_http_request *request;
    struct crier_slice raw;
};

static const struct crier_http_request *read_head(struct fixture *f, const char *raw)
{
    struct crier_http_item item;

    f->raw = crier_slice_of(raw);
    assert_int_equal(crier_http_reader_new(&crier_mem_libc, NULL, &f->reader), 0);
    assert_int_equal(crier_http_next(f->reader, &f->raw, &item), 0);
    assert_int_equal(item.kind, CRIER_HTTP_HEAD);
    f->request = item.request;
    return item.request;
}

/* Names and values are as sent, but for the white space around values; a header that is there
 * with no value is not one that is missing. */
static void test_headers(void **state)
{
    struct fixture f;
    const struct crier_http_request *q = read_head(
        &f, "GET / HTTP/1.1\r\nhost: h\r\nEmpty:\r\nBlank: \t\r\nX:a\r\nx: \t b c\xff \r\n"
            "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n");

    assert_int_equal(q->header_count, 7);
    assert_slice_is(q->headers[0].name, "host");
    assert_slice_is(q->headers[4].name, "x");
    assert_slice_is(q->headers[4].value, "b c\xff");
    assert_slice_is(crier_http_request_header(q, CRIER_SLICE("X")), "a");
    assert_int_equal(crier_http_request_header_count(q, CRIER_SLICE("X")), 2);
    assert_non_null(crier_http_request_header(q, CRIER_SLICE("empty")).data);
    assert_non_null(crier_http_request_header(q, CRIER_SLICE("blank")).data);
    assert_int_equal(crier_http_request_header(q, CRIER_SLICE("blank")).len, 0);
    assert_null(crier_http_request_header(q, CRIER_SLICE("missing")).data);
    assert_slice_is(crier_http_request_header(q, CRIER_SLICE("Connection")), "keep-alive");
    assert_slice_is(crier_http_request_header(q, CRIER_SLICE("Content-Length")), "0");
    assert_int_equal(crier_http_request_header_count(q, CRIER_SLICE("missing")), 0);
    crier_http_reader_free(f.reader);
}

/* The target is kept as sent, next to what was read from it. */
static void test_target(void **state)
{
    struct fixture f;
    const struct crier_http_request *q = read_head(
        &f, "POST http://A.example:81/p%20q?x=%3D HTTP/1.1\r\nHost: b\r\nContent-Length: "
            "18446744073709551615\r\n\r\n");

    assert_int_equal(q->method, CRIER_METHOD_POST);
    assert_int_equal(q->minor, 1);
    assert_slice_is(q->target, "http://A.example:81/p%20q?x=%3D");
    assert_slice_is(q->path, "/p%20q");
    assert_slice_is(q->query, "x=%3D");
    assert_slice_is(q->host, "A.example:81");
    assert_true(q->has_length && q->has_body && q->length == UINT64_MAX);
    crier_http_reader_free(f.reader);
}

/* Without a query its data is NULL; with an empty one it is not. */
static void test_query(void **state)
{
    struct fixture f;

    assert_null(read_head(&f, "GET / HTTP/1.0\r\n\r\n")->query.data);
    assert_null(f.request->host.data);
    assert_int_equal(f.request->minor, 0);
    crier_http_reader_free(f.reader);
    assert_non_null(read_head(&f, "GET /? HTTP/1.0\r\n\r\n")->query.data);
    assert_int_equal(f.request->query.len, 0);
    crier_http_reader_free(f.reader);
}

/* A chunked body is one, though its length is not known. */
static void test_chunked(void **state)
{
    struct fixture f;
    const struct crier_http_request *q =
        read_head(&f, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: "
                      "100-continue\r\n\r\n");

    assert_true(q->has_body && !q->has_length && q->length == 0 && q->expect_continue);
    crier_http_reader_free(f.reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_chunked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
