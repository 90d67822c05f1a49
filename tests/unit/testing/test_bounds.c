/* SPDX-License-Identifier: MIT */
/* What a server must not keep, must not forget, and must not sleep over. */
#include "server_support.h"

static void large(struct crier_request *request, void *ctx)
{
    const struct crier_slice *body = ctx;

    assert_int_equal(crier_reply(request, 200, "text/plain", *body), 0);
}

/* Invariant: memory does not grow with what was sent to a peer that reads all the time, but
 * never has all: it always asks for more than it has read. */
static void a_steady_reader_costs_nothing(void **state)
{
    const struct crier_slice ask =
        CRIER_SLICE("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    static char text[6000];
    struct crier_slice body = {text, sizeof(text)};
    struct crier_test_peer *peer;
    struct test_server t;
    struct test_mem mem;
    size_t early = 0, taken = 0;

    memset(text, 'x', sizeof(text));
    test_mem_init(&mem, 0);
    test_server_init(&t, (struct crier_server_options){.mem = &mem.mem});
    test_route(&t, "GET", "/large", large, &body);
    peer = test_peer(&t);
    crier_test_stall(peer, true);
    for (int i = 0; i < 8; i++)
        assert_int_equal(crier_test_send(peer, ask), 0);
    for (int i = 0; i < 400; i++) {
        assert_int_equal(crier_test_send(peer, ask), 0);
        taken += crier_test_take(peer, sizeof(text) + 100);
        if (i == 50)
            early = mem.bytes;
    }
    assert_true(taken > 2000000);
    assert_true(mem.bytes < early + 100000);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
    assert_int_equal(mem.alive, 0);
}

struct pair {
    struct test_calls one, other;
};

static void tell_the_other(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct pair *pair = ctx;

    if (pair->other.stream)
        assert_int_equal(crier_stream_sendf(pair->other.stream, NULL, "the other left"), 0);
}

static void open_one(struct crier_request *request, void *ctx)
{
    struct pair *pair = ctx;

    pair->one.stream = crier_stream_open(request, .on_close = tell_the_other, .ctx = pair);
}

static int fail_now(struct crier_stream *stream, void *ctx)
{
    return CRIER_EINVAL;
}

/* Invariant: what an on_close sends on another stream leaves at once, whenever it was called:
 * the server does not sleep over it. */
static void what_on_close_sends_leaves(void **state)
{
    struct crier_test_peer *one, *other;
    struct pair pair = {0};
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.stall_timeout_ms = 5000});
    test_route(&t, "GET", "/one", open_one, &pair);
    test_route(&t, "GET", "/other", test_open, &pair.other);
    other = test_get(&t, "/other");

    one = test_get(&t, "/one");
    assert_int_equal(crier_stream_pull(pair.one.stream, fail_now, NULL), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_int_equal(test_count(other, "the other left"), 1);
    crier_test_peer_free(one);

    one = test_get(&t, "/one");
    crier_test_stall(one, true);
    for (int i = 0; i < 60; i++)
        (void)crier_stream_sendf(pair.one.stream, NULL, "%01000d", i);
    assert_int_equal(crier_test_settle(t.server), 0);
    test_advance(&t, 6000);
    assert_int_equal(test_count(other, "the other left"), 2);
    crier_test_peer_free(one);
    crier_test_peer_free(other);
    test_server_deinit(&t);
}

static int nothing(struct crier_stream *stream, void *ctx)
{
    return 0;
}

/* Invariant: a foreign loop that took its time since the last step is told to wait that much
 * less. */
static void timeouts_count_from_now(void **state)
{
    struct test_calls calls = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", test_open, &calls);
    peer = test_get(&t, "/");
    assert_int_equal(crier_stream_every(calls.stream, 1000, nothing, NULL), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_int_equal(crier_server_timeout(t.server), 1000);
    crier_test_clock_advance(t.clock, 600);
    assert_int_equal(crier_server_timeout(t.server), 400);
    crier_test_clock_advance(t.clock, 600);
    assert_int_equal(crier_server_timeout(t.server), 0);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

struct turns {
    int first, second, swaps;
};

static int second_turn(struct crier_stream *stream, void *ctx)
{
    ((struct turns *)ctx)->second++;
    (void)crier_stream_sendf(stream, NULL, "second");
    return CRIER_DONE;
}

static int first_turn(struct crier_stream *stream, void *ctx)
{
    struct turns *turns = ctx;

    turns->first++;
    assert_int_equal(
        crier_stream_pull(stream, turns->first == 1 ? first_turn : second_turn, ctx), 0);
    return CRIER_DONE; /* of itself, not of what it has just set */
}

static int swap(struct crier_stream *stream, void *ctx)
{
    ((struct turns *)ctx)->swaps++;
    return crier_stream_pull(stream, swap, ctx);
}

/* Invariant: a pull that sets another, or itself anew, is followed by that; and one that only
 * ever does so does not keep the server from anything else. */
static void pulls_that_replace_themselves(void **state)
{
    struct test_calls calls = {0};
    struct turns turns = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", test_open, &calls);
    peer = test_get(&t, "/");
    assert_int_equal(crier_stream_pull(calls.stream, first_turn, &turns), 0);
    test_advance(&t, 100);
    test_advance(&t, 100);
    assert_int_equal(turns.first, 2);
    assert_int_equal(turns.second, 1);
    assert_received(peer, "data: second\n");

    assert_int_equal(crier_stream_pull(calls.stream, swap, &turns), 0);
    test_advance(&t, 100);
    assert_in_range(turns.swaps, 1, 1000);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_reader_costs_nothing),
        cmocka_unit_test(what_on_close_sends_leaves),
        cmocka_unit_test(timeouts_count_from_now),
        cmocka_unit_test(pulls_that_replace_themselves),
    };
    return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
