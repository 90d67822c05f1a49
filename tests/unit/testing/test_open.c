/* SPDX-License-Identifier: MIT */
/* How streams begin: heads, first bytes, versions, HEAD, options, and openings that fail. */
#include "stream_support.h"

static void open_and_send(struct crier_request *request, void *ctx)
{
    struct test_calls *calls = ctx;

    test_open(request, ctx);
    assert_int_equal(crier_stream_sendf(calls->stream, NULL, "1"), 0);
    assert_int_equal(crier_stream_sendf(calls->stream, NULL, "2"), 0);
}

/* Invariant: head and first byte leave in one write; so does all that one callback sends. */
static void one_write(void **state)
{
    struct test_calls calls = {0};
    struct test_server t;
    struct test_wire wire;

    test_server_init(&t, (struct crier_server_options){.retry_ms = 2500});
    test_route(&t, "GET", "/", test_open, &calls);
    test_route(&t, "GET", "/send", open_and_send, &calls);

    wire = test_wire_open(&t, SOCK_SEQPACKET);
    test_wire_get(&wire, "/");
    test_wire_take(&wire, 65536);
    assert_non_null(strstr(wire.got.data, "\r\n\r\n0000000c\r\nretry: 2500\n\r\n"));
    for (int i = 0; i < 50; i++)
        assert_int_equal(crier_stream_sendf(calls.stream, NULL, "%d", i), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    test_wire_take(&wire, 65536);
    assert_non_null(strstr(wire.got.data, "data: 0\n"));
    assert_non_null(strstr(wire.got.data, "data: 49\n"));
    assert_int_equal(test_wire_take(&wire, 65536), 0);
    test_wire_close(&wire);

    wire = test_wire_open(&t, SOCK_SEQPACKET);
    test_wire_get(&wire, "/send");
    test_wire_take(&wire, 65536);
    assert_non_null(strstr(wire.got.data, "\r\n\r\n0000000c\r\nretry: 2500\n\r\n"
                                          "00000009\r\ndata: 1\n\n\r\n"
                                          "00000009\r\ndata: 2\n\n\r\n"));
    test_wire_close(&wire);
    test_server_deinit(&t);
}

/* Invariant: HTTP/1.0 gets no chunks, and the end of the connection as the end. */
static void http_1_0(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.retry_ms = 2500});
    test_route(&t, "GET", "/", open_and_send, &calls);
    peer = test_peer(&t);
    assert_int_equal(crier_test_send(peer, CRIER_SLICE("GET / HTTP/1.0\r\n"
                                                       "Connection: keep-alive\r\n\r\n")),
                     0);
    assert_not_received(peer, "Transfer-Encoding");
    assert_received(peer, "Connection: close\r\n");
    assert_received(peer, "\r\n\r\nretry: 2500\ndata: 1\n\ndata: 2\n\n");
    crier_test_forget(peer);
    assert_int_equal(crier_stream_finish(calls.stream), 0);
    assert_true(crier_test_settle(t.server) == 0 && crier_test_ended(peer));
    assert_string_equal(crier_test_received(peer).data, "");
    assert_int_equal(calls.closed, 1);
    assert_int_equal(calls.why, CRIER_CLOSE_FINISHED);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static int never(struct crier_stream *stream, void *ctx)
{
    fail();
    return 0;
}

struct head_calls {
    struct test_calls calls;
    struct crier_hub *hub;
};

static void open_for_head(struct crier_request *request, void *ctx)
{
    struct head_calls *h = ctx;
    struct crier_stream *s;
    struct crier_ref ref;

    test_open(request, &h->calls);
    s = h->calls.stream;
    assert_int_equal(crier_stream_sendf(s, NULL, "dropped"), 0);
    assert_int_equal(crier_stream_every(s, 1, never, NULL), 0);
    assert_int_equal(crier_stream_pull(s, never, NULL), 0);
    assert_int_equal(crier_stream_follow(s, h->hub, "a"), 0);
    ref = crier_stream_ref(s);
    assert_int_not_equal(ref.generation, 0);
    assert_int_equal(crier_server_post(crier_request_server(request), ref,
                                       &(struct crier_event){.data = CRIER_SLICE("dropped")}),
                     0);
    h->calls.ref = ref;
    assert_int_equal(crier_stream_queued(s), 0);
    assert_int_equal(h->calls.closed, h->calls.count - 1);
}

/* Invariant: a HEAD gets GET's head and nothing else; its stream takes what is sent, and is
 * closed as finished when the handler returns; the connection goes on. */
static void head(void **state)
{
    struct head_calls h = {.hub = crier_hub_new()};
    struct crier_test_peer *peer;
    struct test_server t;
    struct crier_slice got;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", open_for_head, &h);
    test_route(&t, "GET", "/next", test_open, &h.calls);
    peer = test_peer(&t);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(
            crier_test_send(peer, CRIER_SLICE("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")),
            0);
        got = crier_test_received(peer);
        assert_received(peer, "HTTP/1.1 200 OK\r\n");
        assert_received(peer, "Content-Type: text/event-stream\r\n");
        assert_string_equal(got.data + got.len - 4, "\r\n\r\n");
        assert_int_equal(test_count(peer, "\r\n\r\n"), 1);
        assert_int_equal(h.calls.closed, i);
        assert_int_equal(h.calls.why, CRIER_CLOSE_FINISHED);
        assert_non_null(h.calls.closed_stream);
        assert_int_equal(crier_server_post(t.server, h.calls.ref,
                                           &(struct crier_event){.data = CRIER_SLICE("late")}),
                         CRIER_GONE);
        crier_test_forget(peer);
        test_advance(&t, 5000);
    }
    assert_int_equal(crier_test_get(peer, "/next"), 0);
    assert_received(peer, "200 OK");
    assert_int_equal(crier_stream_sendf(h.calls.stream, NULL, "x"), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_received(peer, "data: x\n\n");
    assert_not_received(peer, "dropped");
    crier_test_peer_free(peer);
    test_server_deinit(&t);
    assert_int_equal(h.calls.closed, 3);
    crier_hub_free(h.hub);
}

static void open_dressed(struct crier_request *request, void *ctx)
{
    assert_int_equal(crier_response_header(request, "X-Mine", "1"), 0);
    assert_int_equal(crier_response_header(request, "Cache-Control", "private"), 0);
    assert_int_equal(crier_response_header(request, "Content-Length", "1"), CRIER_EINVAL);
    assert_int_equal(crier_response_status(request, 204), CRIER_EINVAL);
    assert_int_equal(crier_response_status(request, 203), 0);
    test_open(request, ctx);
    assert_int_equal(crier_response_header(request, "X-Late", "1"), CRIER_EBUSY);
    assert_int_equal(crier_response_status(request, 200), CRIER_EBUSY);
    assert_int_equal(crier_reply(request, 200, NULL, CRIER_SLICE("")), CRIER_EBUSY);
    assert_int_equal(crier_request_later(request).generation, 0);
}

/* Invariant: the program's headers and status are the stream's; its Cache-Control replaces
 * ours. */
static void headers(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", open_dressed, &calls);
    peer = test_get(&t, "/");
    assert_received(peer, "HTTP/1.1 203 ");
    assert_received(peer, "\r\nX-Mine: 1\r\n");
    assert_received(peer, "\r\nCache-Control: private\r\n");
    assert_int_equal(test_count(peer, "Cache-Control"), 1);
    assert_not_received(peer, "X-Late");
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static struct crier_stream_options wish;

static void open_as_wished(struct crier_request *request, void *ctx)
{
    assert_non_null(crier_stream_open_with(request, &wish));
}

static void expect_beginning(struct test_server *t, const char *text)
{
    struct crier_test_peer *peer = test_get(t, "/");
    char *body = test_text(peer, NULL);

    assert_string_equal(body, text);
    free(body);
    crier_test_peer_free(peer);
}

static unsigned drawn_retry(struct test_server *t)
{
    struct crier_test_peer *peer = test_get(t, "/");
    char *body = test_text(peer, NULL);
    unsigned retry = 0;

    assert_int_equal(sscanf(body, "retry: %u\n", &retry), 1);
    free(body);
    crier_test_peer_free(peer);
    return retry;
}

/* Invariant: retry is the stream's, else the server's, else drawn; OFF is none, and a comment
 * comes as the first byte. */
static void retry(void **state)
{
    struct test_server t;
    unsigned lowest = UINT32_MAX, highest = 0;

    wish = (struct crier_stream_options){.size = sizeof(wish)};
    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", open_as_wished, NULL);
    for (int i = 0; i < 40; i++) {
        unsigned r = drawn_retry(&t);

        assert_in_range(r, 2000, 4000);
        lowest = r < lowest ? r : lowest;
        highest = r > highest ? r : highest;
    }
    assert_true(lowest < highest);
    wish.retry_ms = 1234;
    expect_beginning(&t, "retry: 1234\n");
    wish.retry_ms = CRIER_OFF;
    expect_beginning(&t, ":\n");
    test_server_deinit(&t);

    wish = (struct crier_stream_options){.size = sizeof(wish)};
    test_server_init(&t, (struct crier_server_options){.retry_ms = CRIER_OFF});
    test_route(&t, "GET", "/", open_as_wished, NULL);
    expect_beginning(&t, ":\n");
    wish.retry_ms = 1234;
    expect_beginning(&t, "retry: 1234\n");
    test_server_deinit(&t);
}

static void open_twice(struct crier_request *request, void *ctx)
{
    struct test_calls *calls = ctx;

    test_open(request, ctx);
    assert_null(crier_stream_open(request, .on_close = test_on_close, .ctx = calls + 1));
    assert_int_equal(calls[1].closed, 1);
    assert_null(calls[1].closed_stream);
    assert_int_equal(calls[1].why, CRIER_CLOSE_ERROR);
}

static void reply_and_open(struct crier_request *request, void *ctx)
{
    struct test_calls *calls = ctx;

    assert_int_equal(crier_reply(request, 200, "text/plain", CRIER_SLICE("plain")), 0);
    assert_null(crier_stream_open(request, .on_close = test_on_close, .ctx = calls));
}

/* Invariant: on_close comes for an opening that fails too, with no stream; nothing else does. */
static void failed(void **state)
{
    struct test_calls calls[3] = {{0}};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/twice", open_twice, calls);
    test_route(&t, "GET", "/reply", reply_and_open, &calls[2]);
    peer = test_get(&t, "/twice");
    assert_received(peer, "200 OK");
    assert_int_equal(calls[0].closed, 0);
    crier_test_peer_free(peer);
    peer = test_get(&t, "/reply");
    assert_received(peer, "plain");
    assert_int_equal(calls[2].closed, 1);
    assert_int_equal(calls[2].why, CRIER_CLOSE_ERROR);
    crier_test_peer_free(peer);
    assert_null(crier_stream_open(NULL, .on_close = test_on_close, .ctx = &calls[2]));
    assert_int_equal(calls[2].closed, 2);
    assert_null(crier_stream_open(NULL));
    test_server_deinit(&t);
    assert_int_equal(calls[0].closed, 1);
    assert_int_equal(calls[1].closed, 1);
    assert_int_equal(calls[2].closed, 2);
}

/* Invariant: all stream calls take NULL. */
static void null_handles(void **state)
{
    assert_int_equal(crier_stream_send(NULL, &(struct crier_event){0}), CRIER_ENOMEM);
    assert_int_equal(crier_stream_sendf(NULL, NULL, "x"), CRIER_ENOMEM);
    assert_int_equal(crier_stream_send_encoded(NULL, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_queued(NULL), 0);
    assert_int_equal(crier_stream_every(NULL, 1, never, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_pull(NULL, never, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_follow(NULL, NULL, "a"), CRIER_ENOMEM);
    assert_int_equal(crier_stream_finish(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_ref(NULL).generation, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_write),    cmocka_unit_test(http_1_0), cmocka_unit_test(head),
        cmocka_unit_test(headers),      cmocka_unit_test(retry),    cmocka_unit_test(failed),
        cmocka_unit_test(null_handles),
    };
    return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
