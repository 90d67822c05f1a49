/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "http/response.h"
#include <time.h>

/* A head is its lines, in order, each ended by CR LF. */
static void test_head(void **state)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_http_start_head(&buf, 200, UINT64_C(1763716983123));
    crier_http_header(&buf, CRIER_SLICE("Content-Type"), CRIER_SLICE("text/event-stream"));
    crier_http_header(&buf, CRIER_SLICE("Empty"), (struct crier_slice){NULL, 0});
    crier_http_header_u64(&buf, CRIER_SLICE("Content-Length"), UINT64_MAX);
    crier_http_end_head(&buf);
    assert_slice_is(crier_buf_slice(&buf), "HTTP/1.1 200 OK\r\n"
                                           "Date: Fri, 21 Nov 2025 09:23:03 GMT\r\n"
                                           "Content-Type: text/event-stream\r\n"
                                           "Empty: \r\n"
                                           "Content-Length: 18446744073709551615\r\n\r\n");
    crier_buf_deinit(&buf);
}

/* An unknown status has an empty reason, and still its space. */
static void test_unknown_status(void **state)
{
    struct crier_buf buf;

    assert_string_equal(crier_status_reason(404), "Not Found");
    assert_string_equal(crier_status_reason(999), "");
    crier_buf_init(&buf, &crier_mem_libc);
    crier_http_start_head(&buf, 299, 0);
    assert_slice_is(crier_buf_slice(&buf),
                    "HTTP/1.1 299 \r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
    crier_buf_deinit(&buf);
}

/* The date is the C library's, for every day from 1970 to 2110 (and so every leap year rule).
 */
static void test_dates(void **state)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    for (time_t day = 0; day < 140 * 366; day++) {
        time_t seconds = day * 86400 + (day * 7919) % 86400;
        char expected[80];
        struct tm tm;

        crier_buf_clear(&buf);
        crier_http_start_head(&buf, 204, (uint64_t)seconds * 1000 + 999);
        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof(expected),
                 "HTTP/1.1 204 No Content\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        assert_slice_equal(crier_buf_slice(&buf), crier_slice_of(expected));
    }
    crier_buf_deinit(&buf);
}

static int write_head(const struct crier_mem *mem, void *ctx)
{
    struct crier_buf buf;
    int r;

    crier_buf_init(&buf, mem);
    crier_http_start_head(&buf, 200, 0);
    crier_http_header(&buf, CRIER_SLICE("Content-Type"), CRIER_SLICE("text/event-stream"));
    crier_http_end_head(&buf);
    r = crier_buf_error(&buf);
    crier_buf_deinit(&buf);
    return r;
}

/* Out of memory is told by the buffer. */
static void test_no_memory(void **state)
{
    assert_true(test_mem_torture(write_head, NULL) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_unknown_status),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
