/* SPDX-License-Identifier: MIT */
#include "client/reply.h"
#include "support.h"

/* What an answer came to: status, headers, body, and how it ended, as one text. */
struct heard {
    struct crier_buf text;
    bool ended;
};

static void hear(struct heard *h, const struct crier_reply_item *item)
{
    switch (item->kind) {
    case CRIER_REPLY_HEAD:
        crier_buf_printf(&h->text, "%u", item->reply->status);
        for (size_t i = 0; i < item->reply->header_count; i++)
            crier_buf_printf(&h->text, "|%.*s=%.*s",
                             CRIER_SLICE_ARG(item->reply->headers[i].name),
                             CRIER_SLICE_ARG(item->reply->headers[i].value));
        crier_buf_byte(&h->text, '>');
        return;
    case CRIER_REPLY_BODY:
        assert_true(item->body.len > 0);
        crier_buf_append(&h->text, item->body);
        return;
    case CRIER_REPLY_END:
        assert_false(h->ended);
        h->ended = true;
        return;
    }
}

/* 0, or the error. */
static int feed(struct crier_reply_reader *reader, struct heard *h, struct crier_slice bytes)
{
    struct crier_reply_item item;
    int r;

    while ((r = crier_reply_next(reader, &bytes, &item)) == 0)
        hear(h, &item);
    assert_true(r < 0 || bytes.len == 0);
    return r < 0 ? r : 0;
}

/* Reads text cut at a and b, then the end of the stream. The outcome is written as "...!" when
 * it was cut, "...?" when it was malformed, "...." when it is whole. */
static void read_split(
    struct heard *h, struct test_guard *guard, struct crier_slice text, size_t a, size_t b)
{
    const struct crier_slice parts[] = {crier_slice_sub(text, 0, a),
                                        crier_slice_sub(text, a, b - a),
                                        crier_slice_sub(text, b, text.len)};
    struct crier_reply_reader *reader;
    int r = 0;

    crier_buf_init(&h->text, &crier_mem_libc);
    h->ended = false;
    assert_int_equal(crier_reply_reader_new(&crier_mem_libc, &reader), 0);
    for (size_t i = 0; r == 0 && i < 3; i++)
        r = feed(reader, h, test_guard_put(guard, parts[i]));
    if (r < 0) {
        assert_int_equal(r, -EPROTO);
        assert_true(strlen(crier_reply_fault(reader)) > 0);
        crier_buf_byte(&h->text, '?');
    } else {
        crier_buf_byte(&h->text, crier_reply_finish(reader) == 0 ? '.' : '!');
    }
    crier_reply_reader_free(reader);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct {
    const char *text, *heard;
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200|Content-Length=5>hello."},
    {"HTTP/1.1 204 No Content\r\n\r\n", "204>."},
    {"HTTP/1.1 200 OK\r\nContent-Type:  text/event-stream \r\nX: \r\n\r\nto the end",
     "200|Content-Type=text/event-stream|X=>to the end."},
    {"HTTP/1.0 200 OK\r\n\r\n", "200>."},
    {CHUNKED "5\r\nhello\r\n6;ext=\"x\"\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
     "200|Transfer-Encoding=chunked>hello world."},
    {CHUNKED "0\r\n\r\nleft over", "200|Transfer-Encoding=chunked>."},
    {CHUNKED "5\r\nhel", "200|Transfer-Encoding=chunked>hel!"},
    {CHUNKED, "200|Transfer-Encoding=chunked>!"},
    {CHUNKED "x\r\n", "200|Transfer-Encoding=chunked>?"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 Not "
     "Found\r\nContent-Length: 1\r\n\r\nx",
     "404|Content-Length=1>x."},
    {"HTTP/1.1 199 X\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 204 No\r\n\r\n", "204>."},
    {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "?"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "200|Content-Length=9>hello!"},
    {"HTTP/1.1 200 OK\r\nLast-Event-ID: \xc3\xbc\r\nContent-Length: 0\r\n\r\n",
     "200|Last-Event-ID=\xc3\xbc|Content-Length=0>."},
    {"SSH-2.0-x\r\n", "?"},
    /* llhttp takes it for a final answer, and for an interim one it has a body. */
    {"HTTP/1.1 001 None\r\n\r\nbody", "?"},
    {"HTTP/1.1 2", "!"},
    {"", "!"},
};

/* However an answer is split over reads, it is the same answer. */
static void test_every_split(void **state)
{
    struct test_guard guard;

    test_guard_init(&guard, 4096);
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct crier_slice text = crier_slice_of(answers[i].text);

        for (size_t a = 0; a <= text.len; a++) {
            for (size_t b = a; b <= text.len; b++) {
                struct heard h;

                read_split(&h, &guard, text, a, b);
                assert_slice_equal(crier_buf_slice(&h.text), crier_slice_of(answers[i].heard));
                crier_buf_deinit(&h.text);
            }
        }
    }
    test_guard_deinit(&guard);
}

/* END comes as soon as the answer is whole, not only when the connection ends. */
static void test_end_is_prompt(void **state)
{
    const struct crier_slice whole[] = {
        CRIER_SLICE("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        CRIER_SLICE(CHUNKED "1\r\nx\r\n0\r\n\r\n"),
        CRIER_SLICE("HTTP/1.1 204 No Content\r\n\r\n"),
    };

    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
        struct crier_reply_reader *reader;
        struct heard h = {.ended = false};

        crier_buf_init(&h.text, &crier_mem_libc);
        assert_int_equal(crier_reply_reader_new(&crier_mem_libc, &reader), 0);
        assert_int_equal(feed(reader, &h, crier_slice_sub(whole[i], 0, whole[i].len - 1)), 0);
        assert_false(h.ended);
        assert_int_equal(feed(reader, &h, crier_slice_sub(whole[i], whole[i].len - 1, 1)), 0);
        assert_true(h.ended);
        crier_buf_deinit(&h.text);
        crier_reply_reader_free(reader);
    }
}

/* A head without end is refused at its bound, by bytes and by headers; errors stay until a
 * reset. */
static void test_bounds(void **state)
{
    const struct crier_slice lines[] = {CRIER_SLICE("A: b\r\n"), CRIER_SLICE("x")};

    for (size_t i = 0; i < 2; i++) {
        struct crier_reply_reader *reader;
        struct heard h = {.ended = false};
        size_t fed = 0;
        int r;

        crier_buf_init(&h.text, &crier_mem_libc);
        assert_int_equal(crier_reply_reader_new(&crier_mem_libc, &reader), 0);
        assert_int_equal(feed(reader, &h, CRIER_SLICE("HTTP/1.1 200 OK\r\nX: ")), 0);
        while ((r = feed(reader, &h, lines[i])) == 0 && fed < 200000)
            fed += lines[i].len;
        assert_int_equal(r, -EPROTO);
        assert_int_equal(feed(reader, &h, CRIER_SLICE("x")), -EPROTO);
        crier_reply_reset(reader);
        assert_int_equal(feed(reader, &h, CRIER_SLICE("HTTP/1.1 204 x\r\n\r\n")), 0);
        assert_true(h.ended);
        crier_buf_deinit(&h.text);
        crier_reply_reader_free(reader);
    }
}

/* What is not counted as a header has its bound too: the status line, and answers before the
 * answer. */
static void test_endless(void **state)
{
    const struct crier_slice parts[] = {CRIER_SLICE("x"),
                                        CRIER_SLICE("HTTP/1.1 100 Continue\r\n\r\n")};
    const char *const starts[] = {"HTTP/1.1 200 ", ""};

    for (size_t i = 0; i < 2; i++) {
        struct crier_reply_reader *reader;
        struct heard h = {.ended = false};
        size_t fed = 0;
        int r;

        assert_int_equal(crier_reply_reader_new(&crier_mem_libc, &reader), 0);
        assert_int_equal(feed(reader, &h, crier_slice_of(starts[i])), 0);
        while ((r = feed(reader, &h, parts[i])) == 0 && fed < 300000)
            fed += parts[i].len;
        assert_int_equal(r, -EPROTO);
        assert_string_equal(crier_reply_fault(reader), "the head of the answer does not end");
        crier_reply_reader_free(reader);
    }
}

/* Values are followed by a NUL, whatever came after them. */
static void test_values(void **state)
{
    struct crier_slice text =
        CRIER_SLICE("HTTP/1.1 200 OK\r\nA:  b c \t \r\nB:\r\nC: d\r\n\r\n");
    struct crier_reply_reader *reader;
    struct crier_reply_item item;

    assert_int_equal(crier_reply_reader_new(&crier_mem_libc, &reader), 0);
    assert_int_equal(crier_reply_next(reader, &text, &item), 0);
    assert_string_equal(crier_reply_header(item.reply, CRIER_SLICE("a")).data, "b c");
    assert_string_equal(crier_reply_header(item.reply, CRIER_SLICE("b")).data, "");
    assert_string_equal(crier_reply_header(item.reply, CRIER_SLICE("c")).data, "d");
    crier_reply_reader_free(reader);
}

static int run_whole(const struct crier_mem *mem, void *ctx)
{
    struct crier_slice text = CRIER_SLICE(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx");
    struct crier_reply_reader *reader;
    struct crier_reply_item item;
    int r = crier_reply_reader_new(mem, &reader);

    if (r < 0)
        return r;
    while ((r = crier_reply_next(reader, &text, &item)) == 0)
        assert_true(item.kind > 0);
    crier_reply_reader_free(reader);
    return r == CRIER_REPLY_MORE ? 0 : r;
}

/* Out of memory is -ENOMEM, not a malformed answer. */
static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_whole, NULL) >= 2);
}

/* Headers are found by name without regard to case; the first counts. */
static void test_header(void **state)
{
    const struct crier_header headers[] = {
        {CRIER_SLICE("Retry-After"), CRIER_SLICE("1")},
        {CRIER_SLICE("retry-after"), CRIER_SLICE("2")},
    };
    const struct crier_reply reply = {.status = 200, .headers = headers, .header_count = 2};

    assert_slice_is(crier_reply_header(&reply, CRIER_SLICE("RETRY-AFTER")), "1");
    assert_null(crier_reply_header(&reply, CRIER_SLICE("retry")).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endless),     cmocka_unit_test(test_values),
        cmocka_unit_test(test_every_split), cmocka_unit_test(test_end_is_prompt),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_memory),
        cmocka_unit_test(test_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
