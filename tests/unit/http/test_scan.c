/* SPDX-License-Identifier: MIT */
/* The raw look at a head. What it refuses is tested through the reader (test_request.c); here
 * is what it tells of what it accepts. */
#include "support.h"

#include "http/scan.h"

static const struct crier_http_limits limits = {
    .target_bytes = 100,
    .head_bytes = 1000,
    .headers = 10,
    .chunk_extension_bytes = 10,
    .trailer_bytes = 10,
};

/* Where the target is, how many fields there are, and where the head ends, in every split. */
static void test_places(void **state)
{
    static const char raw[] = "OPTIONS /a?b HTTP/1.0\r\nA: b\r\nC:\r\n\r\nrest";
    struct crier_slice bytes = CRIER_SLICE(raw);

    for (size_t at = 0; at <= bytes.len; at++) {
        struct crier_refusal refusal = {CRIER_PROBLEM_NONE, NULL};
        struct crier_scan scan;
        size_t used = 0, more = 0;
        int r;

        crier_scan_start(&scan);
        r = crier_scan_head(&scan, &limits, crier_slice_sub(bytes, 0, at), &refusal, &used);
        if (r == CRIER_HTTP_MORE)
            r = crier_scan_head(&scan, &limits, crier_slice_sub(bytes, used, bytes.len),
                                &refusal, &more);
        assert_int_equal(r, 0);
        assert_int_equal(used + more, bytes.len - 4);
        assert_int_equal(scan.bytes, bytes.len - 4);
        assert_slice_is(crier_slice_sub(bytes, scan.target_at, scan.target_len), "/a?b");
        assert_int_equal(scan.fields.count, 2);
        assert_int_equal(scan.minor, '0');
        assert_int_equal(refusal.problem, CRIER_PROBLEM_NONE);
    }
}

/* Blank lines before a request are taken off, the request's first byte is not. */
static void test_lead(void **state)
{
    struct crier_slice input = CRIER_SLICE("\r\n\r\nGET");
    struct crier_refusal refusal;
    struct crier_scan scan;

    crier_scan_start(&scan);
    assert_int_equal(crier_scan_lead(&scan, &input, &refusal), 0);
    assert_slice_is(input, "GET");
    input = CRIER_SLICE("\r");
    assert_int_equal(crier_scan_lead(&scan, &input, &refusal), CRIER_HTTP_MORE);
    input = CRIER_SLICE("x");
    assert_int_equal(crier_scan_lead(&scan, &input, &refusal), -EPROTO);
    assert_int_equal(refusal.problem, CRIER_PROBLEM_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_lead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
