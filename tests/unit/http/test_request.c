/* SPDX-License-Identifier: MIT */
/*
 * The request reader as a whole: texts and what they are read as, in every split; exact
 * pipelining; bounds; memory.
 */
#include "requests.h"

/* Well-formed requests are read as what they say. */
static void test_good(void **state)
{
    static const struct row rows[] = {
        ROW("", ""),
        ROW("\r\n", ""),
        ROW("G", "~"),
        ROW(GET HOST "\r\n", "GET / @h [K] \"\";"),
        ROW("\r\n\r\n" GET HOST "\r\n", "GET / @h [K] \"\";"),
        ROW(GET HOST "\r\n" GET HOST "\r\n", "GET / @h [K] \"\";GET / @h [K] \"\";"),
        ROW(GET HOST "\r\n\r\n" GET HOST "\r\n", "GET / @h [K] \"\";GET / @h [K] \"\";"),
        ROW("HEAD /x?a=1&b HTTP/1.1\r\nhOsT:h\r\n\r\n", "HEAD /x?a=1&b @h [K] \"\";"),
        ROW("PUT /x? HTTP/1.1\r\n" HOST "\r\n", "PUT /x? @h [K] \"\";"),
        ROW("DELETE /a?b?c HTTP/1.1\r\n" HOST "\r\n", "DELETE /a?b?c @h [K] \"\";"),
        ROW("PATCH / HTTP/1.1\r\n" HOST "\r\n", "PATCH / @h [K] \"\";"),
        ROW("TRACE / HTTP/1.1\r\n" HOST "\r\n", "OTHER / @h [K] \"\";"),
        ROW("FOO / HTTP/1.1\r\n" HOST "\r\n", "OTHER / @h [K] \"\";"),
        ROW("GETX / HTTP/1.1\r\n" HOST "\r\n", "OTHER / @h [K] \"\";"),
        ROW("get / HTTP/1.1\r\n" HOST "\r\n", "OTHER / @h [K] \"\";"),
        ROW("G / HTTP/1.1\r\n" HOST "\r\n", "OTHER / @h [K] \"\";"),
        ROW("DESCRIBE / HTTP/1.1\r\n" HOST "\r\n", "OTHER / @h [K] \"\";"),
        ROW("M-SEARCH / HTTP/1.1\r\n" HOST "\r\n", "OTHER / @h [K] \"\";"),
        ROW("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345 / HTTP/1.1\r\n" HOST "\r\n",
            "OTHER / @h [K] \"\";"),
        ROW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * @h [K] \"\";"),
        ROW("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", "GET /\xc3\xa4 @h [K] \"\";"),
        ROW("GET //x HTTP/1.1\r\n" HOST "\r\n", "GET //x @h [K] \"\";"),
        /* HTTP/1.0 may lack Host, and closes unless it asks not to. */
        ROW("GET / HTTP/1.0\r\n\r\n", "GET / @ [] \"\";"),
        ROW("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / @ [K] \"\";"),
        ROW("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET / @ [] \"\";"),
        ROW(GET HOST "Connection: x, Close\r\n\r\n", "GET / @h [] \"\";"),
        ROW(GET HOST "Connection: closed\r\n\r\n", "GET / @h [K] \"\";"),
        /* An upgrade is not taken up, and what follows is the next request. */
        ROW(GET HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" GET HOST "\r\n",
            "GET / @h [K] \"\";GET / @h [K] \"\";"),
        /* absolute-form overrides Host */
        ROW("GET http://example.org:80/x?y HTTP/1.1\r\n" HOST "\r\n",
            "GET /x?y @example.org:80 [K] \"\";"),
        ROW("GET HTTP://[::1]?y HTTP/1.1\r\n" HOST "\r\n", "GET /?y @[::1] [K] \"\";"),
        ROW("GET https://e HTTP/1.1\r\n" HOST "\r\n", "GET / @e [K] \"\";"),
        ROW("OPTIONS http://e HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * @e [K] \"\";"),
        /* bodies */
        ROW(POST "Content-Length: 5\r\n\r\nhello", "POST /e @h [LK] \"hello\";"),
        ROW(POST "Content-Length: 5\r\n\r\nhel", "POST /e @h [LK] \"hel~"),
        ROW(POST "Content-Length: 0\r\n\r\n" GET HOST "\r\n",
            "POST /e @h [LK] \"\";GET / @h [K] \"\";"),
        ROW(POST "Content-Length: 007\r\n\r\nabc\r\n12G", "POST /e @h [LK] \"abc\r\n12\";~"),
        ROW(POST "content-length:\t3 \r\n\r\nabc", "POST /e @h [LK] \"abc\";"),
        ROW(GET HOST "Content-Length: 1\r\n\r\nx" GET HOST "\r\n",
            "GET / @h [LK] \"x\";GET / @h [K] \"\";"),
        ROW(CHUNKED "5\r\nhello\r\n0\r\n\r\n" GET HOST "\r\n",
            "POST /e @h [K] \"hello\";GET / @h [K] \"\";"),
        ROW(CHUNKED
            "00000005;a=b;c=\"d\\\"\"\r\nhello\r\nA\r\n0123456789\r\n000\r\nX: y\r\n\r\n",
            "POST /e @h [K] \"hello0123456789\";"),
        ROW(POST "transfer-encoding:  CHUNKED \r\n\r\n0\r\n\r\n", "POST /e @h [K] \"\";"),
        ROW(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", "POST /e @h [LEK] \"~"),
        ROW(GET HOST "Expect: 100-continue\r\n\r\n", "GET / @h [K] \"\";"),
        ROW("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\n1",
            "POST / @ [L] \"1\";"),
        /* Last-Event-ID may hold anything a browser was given */
        ROW(GET HOST "Last-Event-ID: \xc3\xa4\xff\x01\x7f\r\n\r\n", "GET / @h [K] \"\";"),
        ROW(GET HOST "X: \xff\x80\r\n\r\n", "GET / @h [K] \"\";"),
        ROW(GET HOST "X:\r\nY: \t \r\n\r\n", "GET / @h [K] \"\";"),
    };

    CHECK_ROWS(rows);
}

/* Heads whose bytes are out of place. */
static void test_bad_bytes(void **state)
{
    static const struct row rows[] = {
        ROW("\n", "!bad-request"),
        ROW("\rG", "!bad-request"),
        ROW("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", "!bad-request"),
        ROW(" GET / HTTP/1.1\r\n", "!bad-request"),
        ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "!bad-request"),
        ROW("\x00\x01\x02", "!bad-request"),
        ROW("\x80", "!bad-request"),
        ROW("GET\r\n", "!bad-request"),
        ROW("GET\t/ HTTP/1.1\r\n", "!bad-request"),
        ROW("GET  / HTTP/1.1\r\n", "!bad-request"),
        ROW("GET /  HTTP/1.1\r\n", "!bad-request"),
        ROW("GET / HTTP/1.1 \r\n", "!bad-request"),
        ROW("GET /\r\n", "!bad-request"),
        ROW("GET /\n", "!bad-request"),
        ROW("GET / \r\n", "!bad-request"),
        ROW("GET /\tx HTTP/1.1\r\n", "!bad-request"),
        ROW("GET /#x HTTP/1.1\r\n", "!bad-request"),
        ROW("GET /\x7f HTTP/1.1\r\n", "!bad-request"),
        ROW("GET / HTTP/1.1\n", "!bad-request"),
        ROW("GET / HTTP/1.1\rHost: h\r\n\r\n", "!bad-request"),
        ROW("GET / http/1.1\r\n", "!bad-request"),
        ROW("GET / HTTP/1\r\n", "!bad-request"),
        ROW("GET / HTTP/1.10\r\n", "!bad-request"),
        ROW("GET / HTTP/+1.1\r\n", "!bad-request"),
        ROW("GET / RTSP/1.0\r\n", "!bad-request"),
        ROW(GET " " HOST "\r\n", "!bad-request"),
        ROW(GET "\t" HOST "\r\n", "!bad-request"),
        ROW(GET HOST " folded\r\n\r\n", "!bad-request"),
        ROW(GET HOST "\tfolded\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X : y\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X\t: y\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X-Invalid[]: y\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X\x80: y\r\n\r\n", "!bad-request"),
        ROW(GET HOST ": y\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X: a\0b\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X: a\x01"
                     "b\r\n\r\n",
            "!bad-request"),
        ROW(GET HOST "X: a\x7f\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X: a\rb\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X: a\nY: b\r\n\r\n", "!bad-request"),
        ROW(GET HOST "X: a\r\r\n\r\n", "!bad-request"),
        ROW(GET HOST "\rX: a\r\n\r\n", "!bad-request"),
        ROW(GET HOST "\n", "!bad-request"),
        ROW(GET HOST "\r\r", "!bad-request"),
        ROW(GET HOST "Last-Event-ID: a\0\r\n\r\n", "!bad-request"),
    };

    CHECK_ROWS(rows);
}

/* Versions, methods and targets that are not served. */
static void test_bad_lines(void **state)
{
    static const struct row rows[] = {
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!http-version"),
        ROW("GET / HTTP/9.9\r\n", "!http-version"),
        ROW("GET / HTTP/1.2\r\n", "!http-version"),
        ROW("GET / HTTP/0.9\r\n", "!bad-request"),
        ROW("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n", "!not-implemented"),
        ROW("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456 / HTTP/1.1\r\n", "!not-implemented"),
        ROW("GET h:443 HTTP/1.1\r\n" HOST "\r\n", "!bad-request"),
        ROW("GET x HTTP/1.1\r\n" HOST "\r\n", "!bad-request"),
        ROW("GET ?x HTTP/1.1\r\n" HOST "\r\n", "!bad-request"),
        ROW("GET * HTTP/1.1\r\n" HOST "\r\n", "!bad-request"),
        ROW("OPTIONS ** HTTP/1.1\r\n" HOST "\r\n", "!bad-request"),
        ROW("GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n", "!bad-request"),
        ROW("GET http:/x HTTP/1.1\r\n" HOST "\r\n", "!bad-request"),
        ROW("GET http:///x HTTP/1.1\r\n" HOST "\r\n", "!bad-host"),
        ROW("GET http://u@h/ HTTP/1.1\r\n" HOST "\r\n", "!bad-host"),
        ROW("GET http://h:99999/ HTTP/1.1\r\n" HOST "\r\n", "!bad-host"),
    };

    CHECK_ROWS(rows);
}

/* A body that breaks is refused after what was good of it. */
static void test_bad_chunks(void **state)
{
    static const struct row rows[] = {
        ROW(CHUNKED "0x5\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "+5\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "-5\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED " 5\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "5 \r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "5 ;a\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "1_0\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED ";a\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "5\nhello\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "5\rhello\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "5;a\nhello\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "5;a\rb\r\nhello\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "5;a\0\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "5\r\nhelloXX", "POST /e @h [K] \"hello!bad-request"),
        ROW(CHUNKED "5\r\nhello\n", "POST /e @h [K] \"hello!bad-request"),
        ROW(CHUNKED "5\r\nhello\rX", "POST /e @h [K] \"hello!bad-request"),
        ROW(CHUNKED "11111111111111111\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "00000000000000005\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "0fffffffffffffff\r\nx", "POST /e @h [K] \"x~"),
        ROW(CHUNKED "ffffffffffffffff\r\nx", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "0\r\nX : y\r\n\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "0\r\n X: y\r\n\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "0\r\nX: y\n\r\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "0\r\n\n", "POST /e @h [K] \"!bad-request"),
        ROW(CHUNKED "0\r\nGET / HTTP/1.1\r\n", "POST /e @h [K] \"!bad-request"),
    };

    CHECK_ROWS(rows);
}

/* Each bound is met by exactly its size and passed by one byte more. */
static void test_limits(void **state)
{
    static const struct crier_http_limits limits = {
        .target_bytes = 4,
        .head_bytes = 57,
        .headers = 3,
        .chunk_extension_bytes = 3,
        .trailer_bytes = 6,
    };

    check_limited(CRIER_SLICE("GET /abc HTTP/1.1\r\n" HOST "\r\n"), &limits,
                  "GET /abc @h [K] \"\";");
    check_limited(CRIER_SLICE("GET /abcd"), &limits, "!target-too-long");
    check_limited(CRIER_SLICE(GET HOST "Xaaaaaaaaaaaaaaaaaaaaaaaaa: y\r\n\r\n"), &limits,
                  "!head-too-large");
    check_limited(CRIER_SLICE(GET HOST "Xaaaaaaaaaaaaaaaaaaaaaaaa: y\r\n\r\n"), &limits,
                  "GET / @h [K] \"\";");
    check_limited(CRIER_SLICE(GET HOST "A:\r\nB:\r\n\r\n"), &limits, "GET / @h [K] \"\";");
    check_limited(CRIER_SLICE(GET HOST "A:\r\nB:\r\nC"), &limits, "!head-too-large");
}

static const struct crier_http_limits body_limits = {
    .target_bytes = 100,
    .head_bytes = 1000,
    .headers = 10,
    .chunk_extension_bytes = 4,
    .trailer_bytes = 6,
};

/* Extensions are counted over the whole body, trailers without their blank line's LF. */
static void test_body_limits(void **state)
{
    check_limited(CRIER_SLICE(CHUNKED "1;ab\r\nx\r\n1;c\r\ny\r\n0\r\n\r\n"), &body_limits,
                  "POST /e @h [K] \"xy\";");
    check_limited(CRIER_SLICE(CHUNKED "1;ab\r\nx\r\n1;abc"), &body_limits,
                  "POST /e @h [K] \"x!bad-request");
    check_limited(CRIER_SLICE(CHUNKED "0\r\nA:b\r\n\r\n"), &body_limits,
                  "POST /e @h [K] \"\";");
    check_limited(CRIER_SLICE(CHUNKED "0\r\nA:bc\r\n\r\n"), &body_limits,
                  "POST /e @h [K] \"!head-too-large");
}

/* Reads `start`, then `c` without end: the account when it was refused, and how many bytes that
 * took. */
static size_t read_endless(const char *start, char c, const char *expected)
{
    struct account a;
    size_t total = 0;

    account_init(&a, NULL, 4096);
    account_feed(&a, crier_slice_of(start));
    for (; a.r == CRIER_HTTP_MORE && total < 1000000; total++)
        account_feed(&a, (struct crier_slice){&c, 1});
    assert_slice_equal(account_end(&a), crier_slice_of(expected));
    assert_true(a.mem.bytes < 128 * 1024);
    account_deinit(&a);
    return total;
}

/* What never ends is refused as soon as its bound is passed. */
static void test_endless(void **state)
{
    assert_int_equal(read_endless("GET ", '/', "!target-too-long"), 8 * 1024 + 1);
    assert_int_equal(read_endless("", 'A', "!not-implemented"), 33);
    assert_int_equal(read_endless(GET "X: ", 'y', "!head-too-large"), 32 * 1024 + 1 - 19);
    assert_int_equal(read_endless(GET, 'y', "!head-too-large"), 32 * 1024 + 1 - 16);
    read_endless(CHUNKED "1;", 'y', "POST /e @h [K] \"!bad-request");
    read_endless(CHUNKED "0\r\nX:", 'y', "POST /e @h [K] \"!head-too-large");
    read_endless(CHUNKED, '0', "POST /e @h [K] \"!bad-request");
}

/* A real target of 8 KiB passes, in a head of nearly 32. */
static void test_large(void **state)
{
    struct crier_buf raw, expected;

    crier_buf_init(&raw, &crier_mem_libc);
    crier_buf_init(&expected, &crier_mem_libc);
    crier_buf_append(&raw, CRIER_SLICE("GET /"));
    crier_buf_append(&expected, CRIER_SLICE("GET /"));
    for (size_t i = 1; i < 8 * 1024; i++) {
        crier_buf_byte(&raw, 'x');
        crier_buf_byte(&expected, 'x');
    }
    crier_buf_append(&raw, CRIER_SLICE(" HTTP/1.1\r\n" HOST));
    crier_buf_append(&expected, CRIER_SLICE(" @h [K] \"\";"));
    for (size_t i = 0; i < 127; i++)
        crier_buf_printf(&raw, "X-%03zu: %0180d\r\n", i, 7);
    crier_buf_append(&raw, CRIER_SLICE("\r\n"));
    crier_buf_byte(&expected, '\0');
    check_requests(crier_buf_slice(&raw), expected.data);
    crier_buf_deinit(&raw);
    crier_buf_deinit(&expected);
}

/* 10,000 requests in a row, with and without bodies, in pieces of a prime length: each is read
 * once, in order, and nothing is left over. */
static void test_pipelined(void **state)
{
    struct crier_buf raw, expected;
    struct account a;

    crier_buf_init(&raw, &crier_mem_libc);
    crier_buf_init(&expected, &crier_mem_libc);
    for (int i = 0; i < 10000; i += 4) {
        crier_buf_printf(&raw, "GET /%d HTTP/1.1\r\n" HOST "\r\n", i);
        crier_buf_printf(&raw, "PUT /%d HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\n%04d",
                         i + 1, i);
        crier_buf_printf(&raw,
                         "POST /%d HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                         "4\r\n%04d\r\n1\r\n.\r\n0\r\n\r\n\r\n",
                         i + 2, i);
        crier_buf_printf(&raw, "HEAD /%d HTTP/1.0\r\n\r\n", i + 3);
        crier_buf_printf(
            &expected,
            "GET /%d @h [K] \"\";PUT /%d @h [LK] \"%04d\";POST /%d @h [K] \"%04d.\";"
            "HEAD /%d @ [] \"\";",
            i, i + 1, i, i + 2, i, i + 3);
    }
    assert_int_equal(crier_buf_error(&raw) | crier_buf_error(&expected), 0);
    account_init(&a, NULL, 1009);
    for (size_t at = 0; at < raw.len; at += 1009)
        account_feed(&a, crier_slice_sub(crier_buf_slice(&raw), at, 1009));
    assert_slice_equal(account_end(&a), crier_buf_slice(&expected));
    assert_int_equal(a.ends, 10000);
    account_deinit(&a);
    crier_buf_deinit(&raw);
    crier_buf_deinit(&expected);
}

/* After END the input stands at the byte after the message, whatever that is. */
static void test_stops_at_end(void **state)
{
    static const char raw[] = POST "Content-Length: 2\r\n\r\nabGARBAGE";
    struct crier_slice input = CRIER_SLICE(raw);
    struct crier_http_reader *reader;
    struct crier_http_item item;

    assert_int_equal(crier_http_reader_new(&crier_mem_libc, NULL, &reader), 0);
    do {
        assert_int_equal(crier_http_next(reader, &input, &item), 0);
    } while (item.kind != CRIER_HTTP_END);
    assert_slice_is(input, "GARBAGE");
    crier_http_reader_free(reader);
}

/* A TLS hello is told apart: the sentence says what is wrong. */
static void test_tls_detail(void **state)
{
    struct account a;

    account_init(&a, NULL, 10);
    account_feed(&a, CRIER_SLICE("\x16\x03\x01"));
    assert_int_equal(a.r, -EPROTO);
    assert_non_null(strstr(crier_http_fault_detail(a.reader), "plain HTTP"));
    account_deinit(&a);
}

/* The request can be looked at after END, and goes, with a large head's memory, on reset. */
static void test_reset(void **state)
{
    struct crier_slice input = CRIER_SLICE(GET HOST "\r\n");
    struct crier_http_reader *reader;
    const struct crier_http_request *request;
    struct crier_http_item item;
    struct test_mem mem;
    struct crier_buf raw;
    size_t before;

    test_mem_init(&mem, 0);
    assert_int_equal(crier_http_reader_new(&mem.mem, NULL, &reader), 0);
    before = mem.bytes;
    assert_int_equal(crier_http_next(reader, &input, &item), 0);
    request = item.request;
    assert_int_equal(crier_http_next(reader, &input, &item), 0);
    assert_int_equal(crier_http_next(reader, &input, &item), CRIER_HTTP_MORE);
    assert_slice_is(request->host, "h");

    crier_buf_init(&raw, &crier_mem_libc);
    crier_buf_printf(&raw, GET HOST "X: %020000d\r\n", 1);
    for (int i = 0; i < 100; i++)
        crier_buf_printf(&raw, "X-%d: y\r\n", i);
    crier_buf_append(&raw, CRIER_SLICE("\r\n"));
    input = crier_buf_slice(&raw);
    assert_int_equal(crier_http_next(reader, &input, &item), 0);
    assert_true(mem.bytes > before + 20000);
    assert_int_equal(crier_http_next(reader, &input, &item), 0);
    crier_http_reset(reader);
    assert_true(mem.bytes <= before + 8 * 1024);
    crier_buf_deinit(&raw);
    crier_http_reader_free(reader);
}

static int run_reader(const struct crier_mem *mem, void *ctx)
{
    struct crier_http_reader *reader;
    struct crier_http_item item;
    struct crier_slice input = CRIER_SLICE(
        CHUNKED "3\r\nabc\r\n0\r\n\r\n" GET HOST "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n"
                "F: 1\r\nG: 2\r\nH: 3\r\nI: 4\r\nJ: 5\r\n"
                "K: 1\r\nL: 2\r\nM: 3\r\nN: 4\r\nO: 5\r\n"
                "P: 1\r\nQ: 2\r\nR: 3\r\nS: 4\r\nT: 5\r\n\r\n");
    int r;

    r = crier_http_reader_new(mem, NULL, &reader);
    if (r < 0)
        return r;
    do {
        r = crier_http_next(reader, &input, &item);
    } while (r == 0);
    if (r < 0)
        assert_int_equal(crier_http_fault(reader), CRIER_PROBLEM_INTERNAL);
    crier_http_reader_free(reader);
    return r == CRIER_HTTP_MORE ? 0 : r;
}

/* Each allocation may fail: the reader says so and frees all. */
static void test_no_memory(void **state)
{
    assert_true(test_mem_torture(run_reader, NULL) >= 4);
    assert_null(crier_http_reader_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad_bytes),
        cmocka_unit_test(test_bad_lines),  cmocka_unit_test(test_bad_chunks),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_body_limits),
        cmocka_unit_test(test_endless),    cmocka_unit_test(test_large),
        cmocka_unit_test(test_pipelined),  cmocka_unit_test(test_stops_at_end),
        cmocka_unit_test(test_tls_detail), cmocka_unit_test(test_reset),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
