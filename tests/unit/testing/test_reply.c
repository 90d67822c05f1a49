/* SPDX-License-Identifier: MIT */
/*
 * Plain answers: which statuses, types and headers there are, what is refused, and large ones to
 * peers that take them slowly.
 */
#include "request_support.h"

#define S(literal) CRIER_SLICE(literal)

/* What the next request is answered with, and what that call answered itself. */
struct wish {
    unsigned status;
    const char *type;
    struct crier_slice body;
    int result;
};

static void do_reply(struct crier_request *request, void *ctx)
{
    struct wish *wish = ctx;

    wish->result = crier_reply(request, wish->status, wish->type, wish->body);
}

static struct wish wish;

static struct crier_test_peer *
replied(struct test_server *t, const char *line, struct wish what)
{
    wish = what;
    return test_asked(t, line, "");
}

static void start(struct test_server *t, crier_handler *handler)
{
    test_server_init(t, (struct crier_server_options){0});
    test_route(t, "*", "/", handler, &wish);
}

static void statuses(void **state)
{
    static const unsigned bodiless[] = {204, 205, 304};
    struct crier_test_peer *peer;
    struct test_server t;

    start(&t, do_reply);
    peer = replied(&t, "GET /", (struct wish){200, "text/plain", S("hello"), 9});
    assert_int_equal(wish.result, 0);
    assert_received(peer, "HTTP/1.1 200 OK\r\n");
    assert_received(peer, "Content-Type: text/plain\r\n");
    assert_received(peer, "Content-Length: 5\r\n");
    assert_received(peer, "Cache-Control: no-store\r\n");
    assert_received(peer, "X-Content-Type-Options: nosniff\r\n");
    assert_received(peer, "Date: ");
    assert_string_equal(test_body(peer), "hello");
    crier_test_peer_free(peer);

    peer = replied(&t, "GET /", (struct wish){200, NULL, S(""), 9});
    assert_int_equal(wish.result, 0);
    assert_received(peer, "Content-Length: 0\r\n");
    assert_not_received(peer, "Content-Type:");
    crier_test_peer_free(peer);

    for (size_t i = 0; i < 3; i++) {
        peer = replied(&t, "GET /", (struct wish){bodiless[i], NULL, S(""), 9});
        assert_int_equal(wish.result, 0);
        assert_int_equal(test_status(peer), bodiless[i]);
        assert_not_received(peer, "Content-Type:");
        assert_not_received(peer, "chunked");
        assert_string_equal(test_body(peer), "");
        assert_int_equal(test_has(peer, "Content-Length: 0\r\n"), bodiless[i] == 205);
        assert_int_equal(test_has(peer, "Content-Length"), bodiless[i] == 205);
        /* The next answer begins right behind it. */
        wish = (struct wish){200, "text/plain", S("next"), 9};
        test_ask(peer, "GET /", "");
        assert_int_equal(test_status(peer), 200);
        crier_test_peer_free(peer);
    }
    peer = replied(&t, "GET /", (struct wish){599, "text/plain", S("x"), 9});
    assert_int_equal(test_status(peer), 599);
    crier_test_peer_free(peer);
    peer = replied(&t, "GET /", (struct wish){200, "text/plain", {NULL, 0}, 9});
    assert_received(peer, "Content-Type: text/plain\r\n");
    assert_received(peer, "Content-Length: 0\r\n");
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void not_valid(void **state)
{
    static const struct wish bad[] = {
        {0, "text/plain", {"x", 1}, 0},
        {100, NULL, {"", 0}, 0},
        {101, NULL, {"", 0}, 0},
        {199, "text/plain", {"x", 1}, 0},
        {600, "text/plain", {"x", 1}, 0},
        {4294967295u, NULL, {"", 0}, 0},
        {204, "text/plain", {"x", 1}, 0},
        {204, "text/plain", {"", 0}, 0},
        {205, "text/plain", {"", 0}, 0},
        {304, "text/plain", {"", 0}, 0},
        {204, NULL, {"x", 1}, 0},
        {200, NULL, {"x", 1}, 0},
        {200, "", {"x", 1}, 0},
        {200, "text/plain\r\nX: y", {"x", 1}, 0},
        {200, "text/plain\n", {"x", 1}, 0},
        {200, "text/\x7fplain", {"x", 1}, 0},
    };
    struct crier_test_peer *peer;
    struct test_server t;

    start(&t, do_reply);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        peer = replied(&t, "GET /", bad[i]);
        assert_int_equal(wish.result, CRIER_EINVAL);
        assert_int_equal(test_status(peer), 500); /* nothing has answered it */
        crier_test_peer_free(peer);
    }
    test_server_deinit(&t);
}

static void do_twice(struct crier_request *request, void *ctx)
{
    assert_int_equal(crier_reply(request, 99, NULL, S("")), CRIER_EINVAL);
    assert_int_equal(crier_reply(request, 201, "text/plain", S("first")), 0);
    assert_int_equal(crier_reply(request, 202, "text/plain", S("second")), CRIER_EBUSY);
    assert_int_equal(crier_replyf(request, 202, "text/plain", "third"), CRIER_EBUSY);
    assert_int_equal(crier_response_header(request, "X-A", "b"), CRIER_EBUSY);
    assert_int_equal(crier_response_status(request, 201), CRIER_EBUSY);
    assert_int_equal(crier_request_later(request).generation, 0);
    assert_null(crier_stream_open(request));
}

static void do_nothing(struct crier_request *request, void *ctx)
{
}

static void once(void **state)
{
    struct test_server t;

    start(&t, do_twice);
    assert_answer(&t, "GET /", "", 201, "\r\n\r\nfirst");
    test_server_deinit(&t);
    start(&t, do_nothing);
    assert_answer(&t, "GET /", "", 500, "\"code\":\"internal\"");
    test_server_deinit(&t);
}

static void do_format(struct crier_request *request, void *ctx)
{
    assert_int_equal(crier_replyf(request, 200, NULL, "%s", "x"), CRIER_EINVAL);
    assert_int_equal(crier_replyf(request, 200, "text/plain", "%d-%s-%c", 7, "x%s", 'c'), 0);
}

static void do_long_format(struct crier_request *request, void *ctx)
{
    assert_int_equal(crier_replyf(request, 200, "text/plain", "%0100000d", 7), 0);
}

static void do_empty_format(struct crier_request *request, void *ctx)
{
    assert_int_equal(crier_replyf(request, 204, NULL, "%s", ""), 0);
}

static void formats(void **state)
{
    struct test_server t;

    start(&t, do_format);
    assert_answer(&t, "GET /", "", 200, "\r\n\r\n7-x%s-c");
    test_server_deinit(&t);
    start(&t, do_long_format);
    assert_answer(&t, "GET /", "", 200, "Content-Length: 100000\r\n");
    test_server_deinit(&t);
    start(&t, do_empty_format);
    assert_answer(&t, "GET /", "", 204, "");
    test_server_deinit(&t);
}

/* ---- headers ---------------------------------------------------------------------------- */

static void do_headers(struct crier_request *request, void *ctx)
{
    static const char *const bad_names[] = {NULL,
                                            "",
                                            "a b",
                                            "a:",
                                            "a\r\nb",
                                            "a\n",
                                            "\x01",
                                            "caf\xc3\xa9",
                                            "Content-Length",
                                            "content-length",
                                            "Transfer-Encoding",
                                            "CONNECTION",
                                            "Keep-Alive",
                                            "Upgrade",
                                            "Trailer",
                                            "Content-Type"};
    static const char *const bad_values[] = {"a\rb", "a\nb",  "a\r\nX: y",
                                             "\n",   "a\x01", "\x7f"};

    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++)
        assert_int_equal(crier_response_header(request, bad_names[i], "x"), CRIER_EINVAL);
    for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++)
        assert_int_equal(crier_response_header(request, "X-A", bad_values[i]), CRIER_EINVAL);
    assert_int_equal(crier_response_header(request, "X-A", "1"), 0);
    assert_int_equal(crier_response_header(request, "X-A", "2"), 0);
    assert_int_equal(crier_response_header(request, "X-Empty", ""), 0);
    assert_int_equal(crier_response_header(request, "X-Trim", " \tx y\t"), 0);
    assert_int_equal(crier_response_header(request, "X-Bytes", "\xc3\xa9"), 0);
    assert_int_equal(crier_response_header(request, "Set-Cookie", "a=b; Path=/"), 0);
    assert_int_equal(crier_response_header(request, "cache-control", "max-age=60"), 0);
    assert_int_equal(crier_reply(request, 200, "text/plain", S("x")), 0);
}

static void headers(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    start(&t, do_headers);
    peer = test_asked(&t, "GET /", "");
    assert_int_equal(test_status(peer), 200);
    assert_received(peer, "\r\nX-A: 1\r\nX-A: 2\r\n");
    assert_received(peer, "\r\nX-Trim: x y\r\n");
    assert_received(peer, "\r\nX-Bytes: \xc3\xa9\r\n");
    assert_received(peer, "\r\nSet-Cookie: a=b; Path=/\r\n");
    assert_received(peer, "\r\ncache-control: max-age=60\r\n");
    assert_not_received(peer, "Cache-Control:");
    assert_int_equal(test_count(peer, "Content-Length"), 1);
    assert_int_equal(test_count(peer, "X-Empty:"), 1);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void do_stream(struct crier_request *request, void *ctx)
{
    assert_int_equal(crier_response_status(request, 199), CRIER_EINVAL);
    assert_int_equal(crier_response_status(request, 204), CRIER_EINVAL);
    assert_int_equal(crier_response_status(request, 205), CRIER_EINVAL);
    assert_int_equal(crier_response_status(request, 304), CRIER_EINVAL);
    assert_int_equal(crier_response_status(request, 600), CRIER_EINVAL);
    assert_int_equal(crier_response_status(request, 503), 0);
    assert_int_equal(crier_response_header(request, "X-A", "b"), 0);
    assert_int_equal(crier_response_header(request, "Cache-Control", "no-cache"), 0);
    assert_int_equal(crier_response_header(request, "X-Accel-Buffering", "yes"), 0);
    assert_non_null(crier_stream_open(request));
    assert_int_equal(crier_reply(request, 200, NULL, S("")), CRIER_EBUSY);
}

/* A stream's head takes them too, and a status of its own. */
static void headers_of_a_stream(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    start(&t, do_stream);
    peer = test_asked(&t, "GET /", "");
    assert_int_equal(test_status(peer), 503);
    assert_received(peer, "Content-Type: text/event-stream\r\n");
    assert_received(peer, "X-A: b\r\n");
    assert_received(peer, "Cache-Control: no-cache\r\n");
    assert_received(peer, "X-Accel-Buffering: yes\r\n");
    assert_int_equal(test_count(peer, "Cache-Control"), 1);
    assert_int_equal(test_count(peer, "X-Accel-Buffering"), 1);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* ---- slow peers ------------------------------------------------------------------------- */

static void a_large_reply_to_a_slow_peer(void **state)
{
    struct crier_server_stats stats;
    struct crier_test_peer *peer, *stuck;
    struct test_server t;
    size_t len = 3 << 20;
    char *body = malloc(len);

    assert_non_null(body);
    for (size_t i = 0; i < len; i++)
        body[i] = (char)('a' + i % 23);
    start(&t, do_reply);
    wish = (struct wish){200, "text/plain", {body, len}, 9};
    peer = test_peer(&t);
    crier_test_stall(peer, true);
    test_send(peer, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_int_equal(crier_test_received(peer).len, 0);
    test_advance(&t, 29000);
    crier_test_stall(peer, false);
    assert_true(crier_test_ended(peer));
    assert_int_equal(test_count(peer, "HTTP/1.1 200 OK"), 2);
    assert_memory_equal(test_body(peer), body, len);
    assert_true(crier_test_received(peer).len > 2 * len);
    assert_memory_equal(test_received(peer) + crier_test_received(peer).len - len, body, len);
    crier_test_peer_free(peer);

    /* One that takes nothing for stall_timeout_ms is let go, in the middle of its answer. */
    stuck = test_peer(&t);
    crier_test_stall(stuck, true);
    test_send(stuck, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    test_advance(&t, 29999);
    assert_int_equal(crier_server_stats(t.server, &stats), 0);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.stalled, 0);
    test_advance(&t, 2000);
    assert_int_equal(crier_server_stats(t.server, &stats), 0);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.stalled, 1);
    crier_test_stall(stuck, false);
    assert_true(crier_test_ended(stuck));
    assert_true(crier_test_received(stuck).len < len);
    crier_test_peer_free(stuck);
    free(body);
    test_server_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(not_valid),
        cmocka_unit_test(once),
        cmocka_unit_test(formats),
        cmocka_unit_test(headers),
        cmocka_unit_test(headers_of_a_stream),
        cmocka_unit_test(a_large_reply_to_a_slow_peer),
    };
    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
