/* SPDX-License-Identifier: MIT */
/* References: posts, ends and replies from elsewhere. (With threads: test_server_threads.c.) */
#include "stream_support.h"

struct world {
    struct test_server t;
    struct test_calls calls;
};

static void open_ref(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    test_open(request, &w->calls);
    w->calls.ref = crier_stream_ref(w->calls.stream);
    assert_int_not_equal(w->calls.ref.generation, 0);
}

static void open_plain(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    test_open(request, &w->calls);
}

static void put_off(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    assert_int_equal(crier_response_header(request, "X-Mine", "1"), 0);
    w->calls.ref = crier_request_later(request);
    assert_int_not_equal(w->calls.ref.generation, 0);
    assert_int_equal(crier_request_later(request).generation, 0);
    assert_int_equal(crier_reply(request, 200, NULL, CRIER_SLICE("")), CRIER_EBUSY);
    assert_null(crier_stream_open(request));
}

static void plain(struct crier_request *request, void *ctx)
{
    assert_int_equal(crier_reply(request, 200, "text/plain", CRIER_SLICE("plain")), 0);
}

static void world_init(struct world *w, struct crier_server_options options)
{
    *w = (struct world){.calls = {0}};
    options.retry_ms = CRIER_OFF;
    options.heartbeat_ms = CRIER_OFF;
    test_server_init(&w->t, options);
    test_route(&w->t, "GET", "/", open_ref, w);
    test_route(&w->t, "GET", "/open", open_plain, w);
    test_route(&w->t, "GET", "/later", put_off, w);
    test_route(&w->t, "GET", "/plain", plain, w);
}

static int post(struct world *w, struct crier_ref ref, const char *data)
{
    const struct crier_event event = {.data = crier_slice_of(data)};

    return crier_server_post(w->t.server, ref, &event);
}

static void settle(struct world *w)
{
    assert_int_equal(crier_test_settle(w->t.server), 0);
}

static void expect_text(struct crier_test_peer *peer, const char *expected)
{
    char *text = test_text(peer, NULL);

    assert_string_equal(text, expected);
    free(text);
}

/* Invariant: posts are sent in order, with what the stream sends itself; asking for the
 * reference again gives the same one. */
static void posts(void **state)
{
    struct crier_event bad = {.data = CRIER_SLICE("x"), .type = CRIER_SLICE("a\nb")};
    struct crier_encoded *encoded;
    struct crier_test_peer *peer;
    struct crier_ref again;
    struct world w;

    world_init(&w, (struct crier_server_options){0});
    peer = test_get(&w.t, "/");
    again = crier_stream_ref(w.calls.stream);
    assert_memory_equal(&again, &w.calls.ref, sizeof(again));
    assert_int_equal(post(&w, again, "1"), 0);
    assert_int_equal(
        crier_encoded_new(&(struct crier_event){.data = CRIER_SLICE("2")}, NULL, &encoded), 0);
    assert_int_equal(crier_server_post_encoded(w.t.server, again, encoded), 0);
    crier_encoded_unref(encoded);
    assert_int_equal(crier_server_post(w.t.server, again, &bad), CRIER_EINVAL);
    assert_int_equal(crier_server_post_encoded(w.t.server, again, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_post(NULL, again, &bad), CRIER_ENOMEM);
    assert_int_equal(crier_server_finish(NULL, again), CRIER_ENOMEM);
    settle(&w);
    expect_text(peer, ":\ndata: 1\n\ndata: 2\n\n");
    crier_test_peer_free(peer);
    test_server_deinit(&w.t);
}

/* Invariant: what a reference meant is gone with it, and never becomes something else. */
static void stale(void **state)
{
    struct crier_test_peer *peers[2];
    struct crier_ref old, zero = {0, 0}, junk = {.slot = UINT64_MAX, .generation = 5};
    struct world w, other;

    world_init(&w, (struct crier_server_options){0});
    world_init(&other, (struct crier_server_options){0});
    assert_int_equal(post(&w, junk, "x"), CRIER_GONE); /* it does not even run */
    peers[0] = test_get(&w.t, "/");
    old = w.calls.ref;
    assert_int_equal(post(&other, old, "x"), CRIER_GONE);
    peers[1] = test_get(&other.t, "/");
    assert_int_equal(post(&other, old, "x"), CRIER_GONE);
    assert_int_equal(crier_server_finish(other.t.server, old), CRIER_GONE);
    crier_test_peer_free(peers[1]);
    assert_int_equal(post(&w, zero, "x"), CRIER_GONE);
    assert_int_equal(post(&w, junk, "x"), CRIER_GONE);
    assert_int_equal(crier_server_finish(w.t.server, zero), CRIER_GONE);
    assert_int_equal(crier_server_finish(w.t.server, junk), CRIER_GONE);
    assert_int_equal(crier_server_reply(w.t.server, old, 200, "text/plain", CRIER_SLICE("x")),
                     CRIER_GONE);

    crier_test_drop(peers[0]);
    assert_int_equal(w.calls.closed, 1);
    assert_int_equal(post(&w, old, "x"), CRIER_GONE);
    assert_int_equal(crier_server_finish(w.t.server, old), CRIER_GONE);
    crier_test_peer_free(peers[0]);
    peers[0] = test_get(&w.t, "/");
    assert_int_equal(w.calls.ref.slot, old.slot); /* the place is used again */
    assert_int_equal(post(&w, old, "old"), CRIER_GONE);
    assert_int_equal(post(&w, w.calls.ref, "new"), 0);
    settle(&w);
    expect_text(peers[0], ":\ndata: new\n\n");
    crier_test_peer_free(peers[0]);
    test_server_deinit(&w.t);
    test_server_deinit(&other.t);
}

/* Invariant: a letter that is on its way when its stream goes is nobody's, though another has
 * the place. */
static void overtaken(void **state)
{
    struct crier_test_peer *peer;
    struct world w;

    world_init(&w, (struct crier_server_options){0});
    peer = test_get(&w.t, "/");
    assert_int_equal(post(&w, w.calls.ref, "late"), 0);
    crier_test_drop(peer);
    crier_test_peer_free(peer);
    assert_int_equal(w.calls.closed, 1);
    peer = test_get(&w.t, "/");
    settle(&w);
    expect_text(peer, ":\n");
    crier_test_peer_free(peer);
    test_server_deinit(&w.t);
}

/* Invariant: after finish, from wherever, nothing is taken; what was taken before is sent. */
static void posts_and_finish(void **state)
{
    struct crier_test_peer *peer;
    struct world w;

    world_init(&w, (struct crier_server_options){0});
    peer = test_get(&w.t, "/");
    assert_int_equal(post(&w, w.calls.ref, "1"), 0);
    assert_int_equal(crier_server_finish(w.t.server, w.calls.ref), 0);
    assert_int_equal(post(&w, w.calls.ref, "late"), CRIER_GONE);
    assert_int_equal(crier_server_finish(w.t.server, w.calls.ref), 0); /* again: nothing */
    settle(&w);
    expect_text(peer, ":\ndata: 1\n\n");
    assert_true(crier_test_ended(peer));
    assert_int_equal(w.calls.why, CRIER_CLOSE_FINISHED);
    assert_int_equal(crier_server_finish(w.t.server, w.calls.ref), CRIER_GONE);
    crier_test_peer_free(peer);

    peer = test_get(&w.t, "/");
    assert_int_equal(post(&w, w.calls.ref, "1"), 0);
    assert_int_equal(crier_stream_sendf(w.calls.stream, NULL, "2"), 0);
    assert_int_equal(crier_stream_finish(w.calls.stream), 0);
    assert_int_equal(post(&w, w.calls.ref, "late"), CRIER_GONE);
    settle(&w);
    expect_text(peer, ":\ndata: 2\n\ndata: 1\n\n");
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    test_server_deinit(&w.t);
    assert_int_equal(w.calls.closed, 2);
}

static int post_and_finish(struct crier_stream *stream, void *ctx)
{
    struct world *w = ctx;

    assert_int_equal(post(w, w->calls.ref, "posted"), 0);
    assert_int_equal(crier_stream_finish(stream), 0);
    return 0;
}

/* Invariant: the same in the last moment: posted and finished in one callback. */
static void posted_at_last(void **state)
{
    struct crier_test_peer *peer;
    struct world w;

    for (int pull = 0; pull < 2; pull++) {
        world_init(&w, (struct crier_server_options){0});
        peer = test_get(&w.t, "/");
        if (pull)
            assert_int_equal(crier_stream_pull(w.calls.stream, post_and_finish, &w), 0);
        else
            assert_int_equal(crier_stream_every(w.calls.stream, 5, post_and_finish, &w), 0);
        test_advance(&w.t, 5);
        expect_text(peer, ":\ndata: posted\n\n");
        assert_int_equal(w.calls.closed, 1);
        crier_test_peer_free(peer);
        test_server_deinit(&w.t);
    }
}

/* Invariant: posted and waiting bytes count together; room comes back as the peer takes, not
 * only when all is out. */
static void full(void **state)
{
    enum { LIMIT = 20000 };
    struct test_wire wire;
    struct world w;
    int accepted = 0, r, taken = 0;
    char data[1000] = "";

    memset(data, 'x', sizeof(data) - 1);
    world_init(&w, (struct crier_server_options){.queue_bytes = LIMIT});
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    /* Nobody reads the letters. */
    while ((r = post(&w, w.calls.ref, data)) == 0)
        accepted++;
    assert_int_equal(r, CRIER_FULL);
    assert_int_equal(accepted, LIMIT / (999 + 8));
    settle(&w);
    while ((r = post(&w, w.calls.ref, data)) == 0) {
        settle(&w);
        accepted++;
        assert_true(crier_stream_queued(w.calls.stream) <= LIMIT + 20);
        assert_true(accepted < 100);
    }
    assert_int_equal(r, CRIER_FULL);
    while (crier_stream_queued(w.calls.stream) > LIMIT / 2) {
        assert_true(test_wire_take(&wire, 1000) > 0);
        taken++;
    }
    assert_int_equal(post(&w, w.calls.ref, data), 0);
    test_wire_take_all(&wire);
    assert_int_equal(crier_stream_queued(w.calls.stream), 0);
    assert_true(taken > 0);
    test_wire_close(&wire);
    test_server_deinit(&w.t);
}

/* Invariant: what waited before the reference was asked for counts too. */
static void full_before(void **state)
{
    struct crier_test_peer *peer;
    struct world w;
    struct crier_ref ref;
    char data[400] = "";

    world_init(&w, (struct crier_server_options){.queue_bytes = 1000});
    peer = test_get(&w.t, "/open");
    crier_test_stall(peer, true);
    while (crier_stream_sendf(w.calls.stream, NULL, "%*s", 400, "x") == 0)
        settle(&w);
    ref = crier_stream_ref(w.calls.stream);
    assert_int_not_equal(ref.generation, 0);
    memset(data, 'x', sizeof(data) - 1);
    assert_int_equal(post(&w, ref, data), CRIER_FULL);
    crier_test_peer_free(peer);
    test_server_deinit(&w.t);
}

static struct crier_ref closing_ref;

static void post_to_closing(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct world *w = ctx;

    assert_int_equal(post(w, closing_ref, "x"), CRIER_GONE);
    assert_int_equal(crier_server_finish(w->t.server, closing_ref), CRIER_GONE);
    assert_int_equal(crier_stream_ref(stream).generation, 0);
    w->calls.closed++;
}

static void open_closing(struct crier_request *request, void *ctx)
{
    closing_ref =
        crier_stream_ref(crier_stream_open(request, .on_close = post_to_closing, .ctx = ctx));
    assert_int_not_equal(closing_ref.generation, 0);
}

/* Invariant: inside on_close the reference is gone already; at the server's end too. */
static void in_on_close(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct crier_test_peer *peer;
        struct world w;

        world_init(&w, (struct crier_server_options){0});
        test_route(&w.t, "GET", "/closing", open_closing, &w);
        peer = test_get(&w.t, "/closing");
        if (how == 0)
            crier_test_drop(peer);
        else if (how == 1)
            assert_int_equal(crier_server_finish(w.t.server, closing_ref), 0);
        if (how < 2) {
            settle(&w);
            assert_int_equal(w.calls.closed, 1);
        }
        assert_int_equal(w.calls.closed, how < 2);
        test_server_deinit(&w.t);
        assert_int_equal(w.calls.closed, 1);
        crier_test_peer_free(peer);
    }
}

/* ---- replies ---------------------------------------------------------------------------- */

/* Invariant: a reply comes once, in its turn; a pipelined request waits for it. */
static void later(void **state)
{
    struct crier_test_peer *peer;
    struct world w;
    struct crier_slice got;

    world_init(&w, (struct crier_server_options){0});
    peer = test_peer(&w.t);
    assert_int_equal(
        crier_test_send(peer, CRIER_SLICE("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                          "GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n")),
        0);
    test_advance(&w.t, 1000000); /* no timeout is about it */
    assert_string_equal(crier_test_received(peer).data, "");
    assert_int_equal(crier_server_reply(w.t.server, w.calls.ref, 200, "a\nb", CRIER_SLICE("")),
                     CRIER_EINVAL);
    assert_int_equal(crier_server_reply(w.t.server, w.calls.ref, 99, NULL, CRIER_SLICE("")),
                     CRIER_EINVAL);
    assert_int_equal(crier_server_reply(NULL, w.calls.ref, 200, NULL, CRIER_SLICE("")),
                     CRIER_ENOMEM);
    assert_int_equal(post(&w, w.calls.ref, "no stream"), CRIER_GONE);
    assert_int_equal(crier_server_finish(w.t.server, w.calls.ref), CRIER_GONE);
    assert_int_equal(
        crier_server_reply(w.t.server, w.calls.ref, 201, "text/x", CRIER_SLICE("first")), 0);
    assert_int_equal(
        crier_server_reply(w.t.server, w.calls.ref, 200, "text/x", CRIER_SLICE("second")),
        CRIER_GONE);
    settle(&w);
    assert_int_equal(
        crier_server_reply(w.t.server, w.calls.ref, 200, "text/x", CRIER_SLICE("third")),
        CRIER_GONE);
    got = crier_test_received(peer);
    assert_true(strncmp(got.data, "HTTP/1.1 201 ", 13) == 0);
    assert_received(peer, "\r\nX-Mine: 1\r\n");
    assert_received(peer, "\r\n\r\nfirstHTTP/1.1 200 OK\r\n");
    assert_string_equal(got.data + got.len - 5, "plain");
    assert_not_received(peer, "second");
    /* And the connection goes on. */
    crier_test_forget(peer);
    assert_int_equal(crier_test_get(peer, "/later"), 0);
    assert_int_equal(crier_server_reply(w.t.server, w.calls.ref, 204, NULL, CRIER_SLICE("")),
                     0);
    settle(&w);
    assert_received(peer, "HTTP/1.1 204 ");
    crier_test_peer_free(peer);
    test_server_deinit(&w.t);
}

/* Invariant: a client that has left is answered by nobody, however and whenever it left. */
static void later_left(void **state)
{
    static const char request[] = "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n";

    for (int how = 0; how < 4; how++) {
        struct crier_test_peer *peer;
        struct test_wire wire;
        struct world w;

        world_init(&w, (struct crier_server_options){0});
        if (how < 2) {
            peer = test_get(&w.t, "/later");
            if (how == 0)
                crier_test_drop(peer);
            else
                crier_test_close(peer);
            crier_test_peer_free(peer);
        } else { /* together with the request */
            wire = test_wire_open(&w.t, SOCK_STREAM);
            assert_int_equal(send(wire.fd, request, strlen(request), 0), strlen(request));
            assert_int_equal(how == 2 ? shutdown(wire.fd, SHUT_WR) : close(wire.fd), 0);
            settle(&w);
            if (how == 3)
                wire.fd = -1;
            test_wire_close(&wire);
        }
        settle(&w);
        assert_int_equal(
            crier_server_reply(w.t.server, w.calls.ref, 200, "text/x", CRIER_SLICE("x")),
            CRIER_GONE);
        test_server_deinit(&w.t);
    }
}

/* Invariant: a server that is freed or stopped with requests put off ends them. */
static void later_and_the_end(void **state)
{
    struct crier_test_peer *peer;
    struct world w;

    world_init(&w, (struct crier_server_options){0});
    peer = test_get(&w.t, "/later");
    assert_int_equal(
        crier_server_reply(w.t.server, w.calls.ref, 200, "text/x", CRIER_SLICE("unsent")), 0);
    test_server_deinit(&w.t);
    crier_test_peer_free(peer);

    world_init(&w, (struct crier_server_options){.grace_ms = 1000});
    peer = test_get(&w.t, "/later");
    assert_int_equal(crier_server_stop(w.t.server), 0);
    settle(&w);
    assert_int_equal(
        crier_server_reply(w.t.server, w.calls.ref, 200, "text/x", CRIER_SLICE("in time")), 0);
    (void)crier_test_settle(w.t.server);
    assert_received(peer, "in time");
    crier_test_peer_free(peer);
    (void)crier_test_settle(w.t.server);
    assert_int_equal(
        crier_server_reply(w.t.server, w.calls.ref, 200, "text/x", CRIER_SLICE("x")),
        CRIER_GONE);
    test_server_deinit(&w.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts),
        cmocka_unit_test(stale),
        cmocka_unit_test(overtaken),
        cmocka_unit_test(posts_and_finish),
        cmocka_unit_test(posted_at_last),
        cmocka_unit_test(full),
        cmocka_unit_test(full_before),
        cmocka_unit_test(in_on_close),
        cmocka_unit_test(later),
        cmocka_unit_test(later_left),
        cmocka_unit_test(later_and_the_end),
    };
    return cmocka_run_group_tests_name("refs", tests, NULL, NULL);
}
