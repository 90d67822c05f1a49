/* SPDX-License-Identifier: MIT */
/* What a head's parts must be together, through the reader; what passes is in test_request.c
 * and test_head.c. */
#include "requests.h"

/* What the fields say together. */
static void test_bad_fields(void **state)
{
    static const struct row rows[] = {
        ROW(GET "\r\n", "!bad-host"),
        ROW(GET HOST HOST "\r\n", "!bad-host"),
        ROW("GET / HTTP/1.0\r\n" HOST HOST "\r\n", "!bad-host"),
        ROW("GET http://e/ HTTP/1.1\r\n\r\n", "!bad-host"),
        ROW(GET "Host:\r\n\r\n", "!bad-host"),
        ROW(GET "Host: a b\r\n\r\n", "!bad-host"),
        ROW(GET "Host: a/b\r\n\r\n", "!bad-host"),
        ROW(GET "Host: a, b\r\n\r\n", "!bad-host"),
        ROW(GET "Host: u@h\r\n\r\n", "!bad-host"),
        ROW(GET "Host: h:65536\r\n\r\n", "!bad-host"),
        ROW(GET "Host: \xc3\xa4\r\n\r\n", "!bad-host"),
        ROW(GET HOST "Authorization: a\r\nauthorization: a\r\n\r\n", "!bad-credentials"),
        ROW(GET HOST "Expect: 200-ok\r\n\r\n", "!expectation-failed"),
        ROW(GET HOST "Expect: 100-continue, x\r\n\r\n", "!expectation-failed"),
        ROW(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length: 5, 5\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length: +5\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length: -5\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length: 0x5\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length: 5 5\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length: 1.0\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length:\r\n\r\nhello", "!bad-request"),
        ROW(POST "Content-Length: 18446744073709551616\r\n\r\n", "!bad-request"),
        ROW(POST "Content-Length: 99999999999999999999999\r\n\r\n", "!bad-request"),
        ROW(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", "!bad-request"),
        ROW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding:\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: chunked, gzip\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: gzip\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: identity\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "!bad-request"),
        ROW(POST "Transfer-Encoding: chunked,\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: chunked;a=b\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", "!bad-request"),
        ROW(POST "Transfer-Encoding: \x0b"
                 "chunked\r\n\r\n",
            "!bad-request"),
        ROW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
            "!bad-request"),
        ROW(POST "Transfer-Encoding: xchunked\r\n\r\n", "!not-implemented"),
        ROW(POST "Transfer-Encoding: foo\r\n\r\n", "!not-implemented"),
        ROW(POST "Transfer-Encoding: foo, chunked\r\n\r\n", "!not-implemented"),
        ROW(POST "Transfer-Encoding: chunked, foo\r\n\r\n", "!not-implemented"),
        ROW(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "!not-implemented"),
        ROW(POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
            "!not-implemented"),
    };

    CHECK_ROWS(rows);
}

/* Of several faults the first in the order of check.c is told: framing before Host. */
static void test_order(void **state)
{
    static const struct row rows[] = {
        ROW("POST x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "!bad-request"),
        ROW("POST / HTTP/1.1\r\nTransfer-Encoding: foo\r\nExpect: x\r\n\r\n",
            "!not-implemented"),
        ROW("POST / HTTP/1.1\r\nExpect: x\r\n\r\n", "!bad-host"),
    };

    CHECK_ROWS(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_fields),
        cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
