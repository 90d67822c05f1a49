/* SPDX-License-Identifier: MIT */
#include "server_support.h"

/* Invariant: head and first body byte come together; events are whole chunks; the end is clean
 * and on_close comes once, with its reason. */
static void a_stream_from_open_to_finish(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.retry_ms = 2500});
    test_route(&t, "GET", "/events", test_open, &calls);
    peer = test_get(&t, "/events");
    assert_received(peer, "HTTP/1.1 200 OK\r\n");
    assert_received(peer, "Content-Type: text/event-stream\r\n");
    assert_received(peer, "X-Accel-Buffering: no\r\n");
    assert_received(peer, "\r\n\r\n0000000c\r\nretry: 2500\n\r\n");
    crier_test_forget(peer);

    assert_int_equal(crier_stream_sendf(calls.stream, "tick", "%d", 1), 0);
    assert_int_equal(
        crier_stream_send(calls.stream, &(struct crier_event){.data = CRIER_SLICE(" a\nb")}),
        0);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_string_equal(crier_test_received(peer).data,
                        "00000015\r\nevent: tick\ndata: 1\n\n\r\n"
                        "00000012\r\ndata:  a\ndata: b\n\n\r\n");
    crier_test_forget(peer);

    assert_int_equal(crier_stream_finish(calls.stream), 0);
    assert_int_equal(crier_stream_sendf(calls.stream, NULL, "late"), CRIER_GONE);
    assert_int_equal(calls.closed, 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_string_equal(crier_test_received(peer).data, "0\r\n\r\n");
    assert_true(crier_test_ended(peer));
    assert_int_equal(calls.closed, 1);
    assert_int_equal(calls.why, CRIER_CLOSE_FINISHED);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
    assert_int_equal(calls.closed, 1);
}

static int tick(struct crier_stream *stream, void *ctx)
{
    int *ticks = ctx;

    return ++*ticks == 3 ? CRIER_DONE : crier_stream_sendf(stream, NULL, "tick %d", *ticks);
}

/* Invariant: a timer comes when it is due, never before; it ends by CRIER_DONE. */
static void timers(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer;
    struct test_server t;
    int ticks = 0;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", test_open, &calls);
    peer = test_get(&t, "/");
    assert_int_equal(crier_stream_every(calls.stream, 0, tick, &ticks), CRIER_EINVAL);
    assert_int_equal(crier_stream_every(calls.stream, 1000, tick, &ticks), 0);
    test_advance(&t, 999);
    assert_int_equal(ticks, 0);
    test_advance(&t, 1);
    assert_received(peer, "data: tick 1\n\n");
    /* What was missed is not made up for. */
    test_advance(&t, 5500);
    assert_int_equal(ticks, 2);
    test_advance(&t, 499);
    assert_int_equal(ticks, 2);
    test_advance(&t, 1);
    assert_int_equal(ticks, 3);
    test_advance(&t, 60000);
    assert_int_equal(ticks, 3);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
    assert_int_equal(calls.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_from_open_to_finish),
        cmocka_unit_test(timers),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
