/* SPDX-License-Identifier: MIT */
/* crier/testing.h itself: its clock, its peers, settling; and that every function of the library
 * takes NULL. */
#include "request_support.h"

#include <poll.h>

#define S(literal) CRIER_SLICE(literal)

/* ---- the clock -------------------------------------------------------------------------- */

static struct crier_now now_of(struct crier_test_clock *clock)
{
    const struct crier_clock *c = crier_test_clock_of(clock);

    return c->read(c->ctx);
}

static void the_clock(void **state)
{
    struct crier_test_clock *clock = crier_test_clock_new();

    assert_non_null(clock);
    assert_int_equal(now_of(clock).wall_ms, 1767225600000); /* date -d 2026-01-01T00:00:00Z */
    assert_int_equal(now_of(clock).boot_ms, 3600 * 1000);
    crier_test_clock_advance(clock, 1500);
    assert_int_equal(now_of(clock).wall_ms, 1767225601500);
    assert_int_equal(now_of(clock).boot_ms, 3601500);
    crier_test_clock_jump(clock, -3601500);
    assert_int_equal(now_of(clock).wall_ms, 1767222000000);
    assert_int_equal(now_of(clock).boot_ms, 3601500);
    crier_test_clock_jump(clock, 10);
    assert_int_equal(now_of(clock).wall_ms, 1767222000010);
    assert_int_equal(now_of(clock).boot_ms, 3601500);
    assert_null(crier_test_clock_free(clock));
}

/* Only the wall clock jumps: no patience ends, no timer comes, dates follow. */
static int tick(struct crier_stream *stream, void *ctx)
{
    return crier_stream_sendf(stream, NULL, "tick");
}

static void a_jump_moves_no_timer(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer, *other;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", test_open, &calls);
    peer = test_get(&t, "/");
    assert_int_equal(crier_stream_every(calls.stream, 1000, tick, NULL), 0);
    crier_test_clock_jump(t.clock, 86400000);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_not_received(peer, "tick");
    crier_test_clock_jump(t.clock, -2 * 86400000);
    test_advance(&t, 1000);
    assert_int_equal(test_count(peer, "tick"), 1);
    other = test_asked(&t, "GET /none", "");
    assert_received(other, "Date: Wed, 31 Dec 2025 00:00:01 GMT\r\n");
    crier_test_peer_free(other);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* ---- peers ------------------------------------------------------------------------------ */

static void say(struct crier_request *request, void *ctx)
{
    crier_reply(request, 200, "text/plain", S("hello"));
}

static void talking(void **state)
{
    struct crier_test_peer *peer, *other;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", say, NULL);
    peer = test_peer(&t);
    other = test_peer(&t);
    assert_string_equal(crier_test_received(peer).data, "");
    assert_int_equal(crier_test_received(peer).len, 0);
    assert_false(crier_test_ended(peer));
    assert_int_equal(crier_test_send(peer, (struct crier_slice){NULL, 0}), 0);
    assert_int_equal(crier_test_get(peer, "/"), 0);
    assert_received(peer, "hello");
    assert_int_equal(crier_test_received(other).len, 0);
    assert_int_equal(strlen(crier_test_received(peer).data), crier_test_received(peer).len);
    crier_test_forget(peer);
    assert_string_equal(crier_test_received(peer).data, "");
    /* A peer that is new has the clock's whole time for its first request. */
    test_advance(&t, 9000);
    crier_test_peer_free(other);
    crier_test_clock_advance(t.clock, 20000);
    other = test_peer(&t);
    test_advance(&t, 9999);
    assert_false(crier_test_ended(other));
    test_advance(&t, 1000);
    assert_true(crier_test_ended(other));
    assert_int_equal(test_status(other), 408);
    assert_int_equal(crier_test_send(other, S("GET / HTTP/1.1\r\n")), CRIER_GONE);
    crier_test_peer_free(other);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void closing(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", test_open, &calls);
    /* In an orderly way; at once; with the peer; with bytes nobody read. */
    peer = test_get(&t, "/");
    crier_test_close(peer);
    assert_int_equal(calls.closed, 1);
    assert_int_equal(calls.why, CRIER_CLOSE_PEER);
    assert_true(crier_test_ended(peer));
    assert_received(peer, "text/event-stream"); /* what came before stays */
    assert_int_equal(crier_test_send(peer, S("x")), CRIER_GONE);
    crier_test_close(peer);
    crier_test_drop(peer);
    crier_test_peer_free(peer);

    peer = test_get(&t, "/");
    crier_test_drop(peer);
    assert_int_equal(calls.closed, 2);
    assert_int_equal(calls.why, CRIER_CLOSE_PEER);
    assert_true(crier_test_ended(peer));
    assert_int_equal(crier_test_send(peer, S("x")), CRIER_GONE);
    assert_int_equal(crier_test_get(peer, "/"), CRIER_GONE);
    crier_test_drop(peer);
    crier_test_close(peer);
    crier_test_stall(peer, true);
    crier_test_stall(peer, false);
    crier_test_forget(peer);
    crier_test_peer_free(peer);

    peer = test_get(&t, "/");
    crier_test_peer_free(peer);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_int_equal(calls.closed, 3);

    peer = test_get(&t, "/");
    crier_test_stall(peer, true);
    for (int i = 0; i < 100; i++)
        (void)crier_stream_sendf(calls.stream, NULL, "%01000d", i);
    crier_test_drop(peer);
    assert_int_equal(calls.closed, 4);
    assert_int_equal(calls.why, CRIER_CLOSE_PEER);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void stalling(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer;
    struct test_server t;
    int sent = 0;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", test_open, &calls);
    peer = test_get(&t, "/");
    crier_test_forget(peer);
    crier_test_stall(peer, true);
    while (crier_stream_sendf(calls.stream, NULL, "%01000d.", sent) == 0) {
        sent++;
        assert_int_equal(crier_test_settle(t.server), 0);
        assert_true(sent < 10000);
    }
    assert_true(crier_stream_queued(calls.stream) > 0);
    assert_int_equal(crier_test_received(peer).len, 0);
    assert_false(crier_test_ended(peer));
    crier_test_stall(peer, false);
    assert_int_equal(test_count(peer, "data: 000"), sent);
    assert_int_equal(crier_stream_queued(calls.stream), 0);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* A server whose peer has to take answers first reads no further: that is told. */
static void sending_too_much(void **state)
{
    static char body[1 << 20];
    struct crier_test_peer *peer;
    struct test_server t;
    int r = 0;

    memset(body, 'x', sizeof(body));
    test_server_init(&t, (struct crier_server_options){0});
    assert_int_equal(crier_server_static(t.server, "/", "text/plain",
                                         (struct crier_slice){body, sizeof(body)}),
                     0);
    peer = test_peer(&t);
    crier_test_stall(peer, true);
    for (int i = 0; i < 10000 && r == 0; i++)
        r = crier_test_get(peer, "/");
    assert_int_equal(r, CRIER_FULL);
    crier_test_stall(peer, false);
    assert_true(test_count(peer, "HTTP/1.1 200 OK") > 1);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* A server that listens too serves both. */
static void beside_real_ones(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", say, NULL);
    assert_int_equal(crier_server_listen(t.server), 0);
    assert_true(crier_server_port(t.server) > 0);
    peer = test_get(&t, "/");
    assert_received(peer, "hello");
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_true(crier_server_port(t.server) > 0);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
    /* One that does not listen never begins to: peers come in memory only. */
    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", say, NULL);
    peer = test_get(&t, "/");
    assert_received(peer, "hello");
    assert_int_equal(crier_server_port(t.server), 0);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* A server that is freed first takes its peers' connections with it, not its peers. */
static void the_server_goes_first(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", test_open, &calls);
    peer = test_get(&t, "/");
    test_server_deinit(&t);
    assert_int_equal(calls.closed, 1);
    assert_int_equal(calls.why, CRIER_CLOSE_STOPPED);
    assert_null(crier_test_peer_free(peer));
}

/* ---- NULL ------------------------------------------------------------------------------- */

static void nothing(struct crier_request *request, void *ctx)
{
}

static bool no_topic(void *ctx, const struct crier_topic_info *info)
{
    fail();
    return false;
}

static void not_done(int result, const struct crier_receipt *receipt, void *ctx)
{
    fail();
}

static void null_servers(void **state)
{
    const struct crier_ref ref = {1, 1};
    struct crier_server_stats stats = {.connections = 7};

    assert_null(crier_server_free(NULL));
    assert_string_not_equal(crier_server_error(NULL), "");
    assert_int_equal(crier_server_listen(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_port(NULL), 0);
    assert_int_equal(crier_server_run(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_step(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_fd(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_timeout(NULL), 0);
    assert_int_equal(crier_server_stop(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_stats(NULL, &stats), CRIER_ENOMEM);
    assert_int_equal(stats.connections, 7);
    assert_int_equal(crier_server_route(NULL, "GET", "/", nothing, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_static(NULL, "/", "text/plain", S("")), CRIER_ENOMEM);
    assert_int_equal(crier_server_file(NULL, "/", "/dev/null"), CRIER_ENOMEM);
    assert_int_equal(crier_server_mount_with(NULL, "/", NULL, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_mount_admin_with(NULL, "/", NULL, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_reply(NULL, ref, 200, NULL, S("")), CRIER_ENOMEM);
    assert_int_equal(crier_server_post(NULL, ref, &(struct crier_event){.data = S("")}),
                     CRIER_ENOMEM);
    assert_int_equal(crier_server_post_encoded(NULL, ref, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_server_finish(NULL, ref), CRIER_ENOMEM);
}

static void null_requests(void **state)
{
    assert_null(crier_request_method(NULL).data);
    assert_null(crier_request_path(NULL).data);
    assert_null(crier_request_param(NULL, "a").data);
    assert_null(crier_request_query(NULL, "a").data);
    assert_null(crier_request_header(NULL, "a").data);
    assert_null(crier_request_body(NULL).data);
    assert_null(crier_request_peer(NULL).data);
    assert_null(crier_request_last_event_id(NULL).data);
    assert_false(crier_request_is_local(NULL));
    assert_null(crier_request_server(NULL));
    assert_int_equal(crier_response_header(NULL, "a", "b"), CRIER_ENOMEM);
    assert_int_equal(crier_response_status(NULL, 200), CRIER_ENOMEM);
    assert_int_equal(crier_reply(NULL, 200, NULL, S("")), CRIER_ENOMEM);
    assert_int_equal(crier_replyf(NULL, 200, "text/plain", "%d", 1), CRIER_ENOMEM);
    assert_int_equal(crier_request_later(NULL).generation, 0);
}

static void null_streams(void **state)
{
    assert_null(crier_stream_open(NULL));
    assert_null(crier_stream_open_with(NULL, NULL));
    assert_int_equal(crier_stream_send(NULL, &(struct crier_event){.data = S("")}),
                     CRIER_ENOMEM);
    assert_int_equal(crier_stream_sendf(NULL, NULL, "%d", 1), CRIER_ENOMEM);
    assert_int_equal(crier_stream_send_encoded(NULL, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_queued(NULL), 0);
    assert_int_equal(crier_stream_every(NULL, 1000, tick, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_pull(NULL, tick, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_follow(NULL, NULL, "a"), CRIER_ENOMEM);
    assert_int_equal(crier_stream_follow_with(NULL, NULL, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_finish(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_stream_ref(NULL).generation, 0);
}

static void null_hubs(void **state)
{
    const struct crier_publication publication = {.topic = S("a"), .event = {.data = S("x")}};
    struct crier_reader *reader = crier_reader_new(NULL, .selector = "a");
    struct crier_hub_stats stats;
    struct crier_message message;

    assert_null(crier_hub_free(NULL));
    assert_int_equal(crier_hub_publish(NULL, "a", &publication.event, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_hub_publishf(NULL, "a", NULL, "x"), CRIER_ENOMEM);
    assert_int_equal(crier_hub_publish_with(NULL, &publication, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_hub_submit(NULL, &publication, not_done, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_hub_forget(NULL, S("a")), CRIER_ENOMEM);
    assert_int_equal(crier_hub_topics(NULL, S(""), S(""), 0, no_topic, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_hub_stats(NULL, &stats), CRIER_ENOMEM);
    assert_null(reader);
    assert_null(crier_reader_free(NULL));
    assert_int_equal(crier_reader_next(NULL, &message), CRIER_ENOMEM);
    assert_int_equal(crier_reader_fd(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_reader_position(NULL).ms, 0);
    assert_non_null(crier_reader_error(NULL));
}

static void null_events(void **state)
{
    struct crier_item item;

    assert_null(crier_encoded_ref(NULL));
    assert_null(crier_encoded_unref(NULL));
    assert_null(crier_encoded_bytes(NULL).data);
    assert_null(crier_parser_free(NULL));
    assert_int_equal(crier_parser_feed(NULL, S("")), CRIER_ENOMEM);
    assert_int_equal(crier_parser_next(NULL, &item), CRIER_ENOMEM);
    assert_int_equal(crier_parser_end(NULL), CRIER_ENOMEM);
    assert_null(crier_parser_last_id(NULL).data);
    assert_null(crier_slice_of(NULL).data);
}

static void null_kit(void **state)
{
    assert_null(crier_test_clock_free(NULL));
    assert_null(crier_test_clock_of(NULL));
    crier_test_clock_advance(NULL, 1);
    crier_test_clock_jump(NULL, 1);
    assert_null(crier_test_connect(NULL));
    assert_null(crier_test_peer_free(NULL));
    assert_int_equal(crier_test_send(NULL, S("x")), CRIER_ENOMEM);
    assert_int_equal(crier_test_get(NULL, "/"), CRIER_ENOMEM);
    assert_string_equal(crier_test_received(NULL).data, "");
    crier_test_forget(NULL);
    assert_true(crier_test_ended(NULL));
    crier_test_stall(NULL, true);
    crier_test_close(NULL);
    crier_test_drop(NULL);
    assert_int_equal(crier_test_settle(NULL), CRIER_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock),        cmocka_unit_test(a_jump_moves_no_timer),
        cmocka_unit_test(talking),          cmocka_unit_test(closing),
        cmocka_unit_test(stalling),         cmocka_unit_test(sending_too_much),
        cmocka_unit_test(beside_real_ones), cmocka_unit_test(the_server_goes_first),
        cmocka_unit_test(null_servers),     cmocka_unit_test(null_requests),
        cmocka_unit_test(null_streams),     cmocka_unit_test(null_hubs),
        cmocka_unit_test(null_events),      cmocka_unit_test(null_kit),
    };
    return cmocka_run_group_tests_name("kit", tests, NULL, NULL);
}
