/* SPDX-License-Identifier: MIT */
/* What Crier says on a stream, byte for byte (http-api.md, "Body of a stream"). */
#include "hub/notice.h"
#include "hub_support.h"

static const struct crier_dress plain = {CRIER_FORM_SSE, false};
static const struct crier_dress chunked = {CRIER_FORM_SSE, true};
static const struct crier_dress envelope = {CRIER_FORM_ENVELOPE, true};
static const struct crier_dress ndjson = {CRIER_FORM_NDJSON, false};
static const struct crier_dress ndjson_chunked = {CRIER_FORM_NDJSON, true};

static const struct crier_start at_5 = {.position = 3, .id = {1763700000123, 5}};
static const struct crier_start gap_5 = {
    .position = 3,
    .id = {1763700000123, 5},
    .gap = CRIER_GAP_EVICTED,
    .has_oldest = true,
    .oldest = {1763700000124, 0},
};

#define expect(buf, literal)                                                                   \
    do {                                                                                       \
        assert_int_equal(crier_buf_error(buf), 0);                                             \
        assert_slice_is(crier_buf_slice(buf), literal);                                        \
        crier_buf_clear(buf);                                                                  \
    } while (0)

static void test_opening(void **state)
{
    struct crier_buf buf;
    struct crier_slice none = {0};

    crier_buf_init(&buf, &crier_mem_libc);
    crier_notice_opening(&buf, plain, 2345, true, &at_5, none, false, 0);
    expect(&buf, "retry: 2345\nevent: crier:connected\nid: 1763700000123-5\n"
                 "data: {\"status\":\"ok\",\"resumed\":\"none\"}\n\n");
    crier_notice_opening(&buf, chunked, 2345, true, &at_5, CRIER_SLICE("x"), true, 0);
    expect(&buf, "00000060\r\nretry: 2345\nevent: crier:connected\nid: 1763700000123-5\n"
                 "data: {\"status\":\"ok\",\"resumed\":\"exact\"}\n\n\r\n");
    /* connected=0: only the retry, and no blank line. */
    crier_notice_opening(&buf, plain, 2000, false, &at_5, none, false, 0);
    expect(&buf, "retry: 2000\n");
    /* ... but a gap is told all the same, instead of connected. */
    crier_notice_opening(&buf, plain, 2000, false, &gap_5, CRIER_SLICE("1-1"), true, 0);
    expect(&buf,
           "retry: 2000\nevent: crier:gap\nid: 1763700000123-5\n"
           "data: "
           "{\"requested\":\"1-1\",\"oldest\":\"1763700000124-0\",\"reason\":\"evicted\"}\n\n");
    crier_notice_opening(&buf, envelope, 2000, true, &at_5, none, true, 0);
    expect(&buf, "00000060\r\nretry: 2000\nevent: crier:connected\nid: 1763700000123-5\n"
                 "data: {\"status\":\"ok\",\"resumed\":\"exact\"}\n\n\r\n");
    /* In NDJSON there is no retry, and nothing at all is no chunk: it would end the body. */
    crier_notice_opening(&buf, ndjson, 2000, true, &at_5, none, true, 1763700000123);
    expect(&buf, "{\"id\":\"1763700000123-5\",\"topic\":null,\"event\":\"crier:connected\","
                 "\"data\":\"{\\\"status\\\":\\\"ok\\\",\\\"resumed\\\":\\\"exact\\\"}\","
                 "\"time\":\"2025-11-21T04:40:00.123Z\"}\n");
    crier_notice_opening(&buf, ndjson_chunked, 2000, false, &at_5, none, true, 0);
    expect(&buf, "");
    crier_buf_deinit(&buf);
}

static void test_gap(void **state)
{
    struct crier_start unknown = at_5, lagged = gap_5;
    struct crier_buf buf;
    char text[65];

    unknown.gap = CRIER_GAP_UNKNOWN;
    lagged.gap = CRIER_GAP_LAGGED;
    crier_buf_init(&buf, &crier_mem_libc);
    crier_notice_gap(&buf, plain, &lagged, (struct crier_slice){0}, 0);
    expect(
        &buf,
        "event: crier:gap\nid: 1763700000123-5\n"
        "data: {\"requested\":null,\"oldest\":\"1763700000124-0\",\"reason\":\"lagged\"}\n\n");
    /* What a client sent is shown only as far as it can do no harm. */
    crier_notice_gap(&buf, plain, &unknown, CRIER_SLICE("a\"b\\c"), 0);
    expect(&buf,
           "event: crier:gap\nid: 1763700000123-5\n"
           "data: {\"requested\":\"a\\\"b\\\\c\",\"oldest\":null,\"reason\":\"unknown\"}\n\n");
    crier_notice_gap(&buf, plain, &unknown, CRIER_SLICE("a\nb"), 0);
    expect(&buf, "event: crier:gap\nid: 1763700000123-5\n"
                 "data: {\"requested\":null,\"oldest\":null,\"reason\":\"unknown\"}\n\n");
    crier_notice_gap(&buf, chunked, &unknown, CRIER_SLICE("caf\xc3\xa9"), 0);
    expect(&buf, "00000060\r\nevent: crier:gap\nid: 1763700000123-5\n"
                 "data: {\"requested\":null,\"oldest\":null,\"reason\":\"unknown\"}\n\n\r\n");
    /* 64 bytes that all need escaping still fit; 65 are not shown. */
    memset(text, '"', sizeof(text));
    crier_notice_gap(&buf, plain, &gap_5, (struct crier_slice){text, 64}, 0);
    assert_int_equal(crier_buf_error(&buf), 0);
    assert_true(crier_slice_find(crier_buf_slice(&buf), '\\') < buf.len);
    crier_buf_clear(&buf);
    crier_notice_gap(&buf, plain, &gap_5, (struct crier_slice){text, 65}, 0);
    assert_true(crier_slice_find(crier_buf_slice(&buf), '\\') == buf.len);
    crier_buf_clear(&buf);
    crier_notice_gap(&buf, ndjson, &lagged, (struct crier_slice){0}, 0);
    expect(&buf, "{\"id\":\"1763700000123-5\",\"topic\":null,\"event\":\"crier:gap\","
                 "\"data\":\"{\\\"requested\\\":null,\\\"oldest\\\":\\\"1763700000124-0\\\","
                 "\\\"reason\\\":\\\"lagged\\\"}\",\"time\":\"1970-01-01T00:00:00.000Z\"}\n");
    crier_buf_deinit(&buf);
}

/* Heartbeat and end, in every form and framing. */
static void test_private_bytes(void **state)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_notice_heartbeat(&buf, plain);
    expect(&buf, ":\n");
    crier_notice_heartbeat(&buf, chunked);
    expect(&buf, "00000002\r\n:\n\r\n");
    crier_notice_heartbeat(&buf, ndjson);
    expect(&buf, "\n");
    crier_notice_heartbeat(&buf, ndjson_chunked);
    expect(&buf, "00000001\r\n\n\r\n");
    crier_notice_end(&buf, plain, 3000);
    expect(&buf, "retry: 3000\n");
    crier_notice_end(&buf, chunked, 3000);
    expect(&buf, "0000000c\r\nretry: 3000\n\r\n0\r\n\r\n");
    crier_notice_end(&buf, ndjson, 3000);
    expect(&buf, "");
    crier_notice_end(&buf, ndjson_chunked, 3000);
    expect(&buf, "0\r\n\r\n");
    crier_notice_frame(&buf, chunked, CRIER_SLICE(""));
    expect(&buf, "");
    crier_notice_frame(&buf, plain, CRIER_SLICE("xy"));
    expect(&buf, "xy");
    crier_notice_frame(&buf, chunked, CRIER_SLICE("0123456789abcdef"));
    expect(&buf, "00000010\r\n0123456789abcdef\r\n");
    crier_buf_deinit(&buf);
}

#define FRAME "00000021\r\nevent: t\nid: 17-3\ndata: x\ndata: y\n\n\r\n"

static const struct crier_record record = {
    .number = 1,
    .id = {17, 3},
    .wall_ms = 1763700000123,
    .topics = {{"a/b", 3}},
    .topic_count = 1,
    .type = {"t", 1},
    .frame = {FRAME, sizeof(FRAME) - 1},
    .sse = {&FRAME[CRIER_FRAME_HEAD], sizeof(FRAME) - 1 - CRIER_FRAME_HEAD - CRIER_FRAME_TAIL},
};

#define JSON                                                                                   \
    "{\"id\":\"17-3\",\"topic\":\"a/b\",\"event\":\"t\",\"data\":\"x\\ny\","                   \
    "\"time\":\"2025-11-21T04:40:00.123Z\"}"

/* One event: the journal's own bytes, or the JSON forms, in the framing asked for. */
static void test_event(void **state)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_notice_event(&buf, chunked, &record);
    expect(&buf, FRAME);
    crier_notice_event(&buf, plain, &record);
    expect(&buf, "event: t\nid: 17-3\ndata: x\ndata: y\n\n");
    crier_notice_event(&buf, ndjson, &record);
    expect(&buf, JSON "\n");
    crier_notice_event(&buf, ndjson_chunked, &record);
    expect(&buf, "00000058\r\n" JSON "\n\r\n");
    crier_notice_event(&buf, envelope, &record);
    expect(&buf, "00000068\r\nid: 17-3\ndata: " JSON "\n\n\r\n");
    crier_buf_deinit(&buf);
}

static int run_oom(const struct crier_mem *mem, void *ctx)
{
    struct crier_buf buf;

    crier_buf_init(&buf, mem);
    crier_notice_opening(&buf, ndjson_chunked, 1, true, &gap_5, CRIER_SLICE("x"), true, 0);
    crier_notice_event(&buf, envelope, &record);
    crier_notice_end(&buf, envelope, 1);
    int r = crier_buf_error(&buf);
    crier_buf_deinit(&buf);
    return r;
}

/* Out of memory stays in the buffer. */
static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_oom, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opening),       cmocka_unit_test(test_gap),
        cmocka_unit_test(test_private_bytes), cmocka_unit_test(test_event),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
