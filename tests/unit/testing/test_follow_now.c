/* SPDX-License-Identifier: MIT */
/* Where a stream of a handler's begins to follow: at the call, not some time later. */
#include "server_support.h"

static void join(struct crier_request *request, void *ctx)
{
    struct crier_hub *hub = ctx;
    struct crier_stream *stream = crier_stream_open(request);

    assert_int_equal(crier_hub_publishf(hub, "room", NULL, "before"), 0);
    assert_int_equal(crier_stream_sendf(stream, "hello", "own"), 0);
    assert_int_equal(crier_stream_follow(stream, hub, "room"), 0);
    assert_int_equal(crier_hub_publishf(hub, "room", NULL, "after"), 0);
}

/* Invariant: what a callback publishes after crier_stream_follow() reaches the stream, what it
 * published before does not; the first stream (whose server has not read the hub yet) as well as
 * the next one. */
static void what_the_handler_publishes_next_is_followed(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_test_peer *first, *second;
    struct test_server t;

    assert_non_null(hub);
    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", join, hub);

    first = test_get(&t, "/");
    assert_received(first, "event: hello\ndata: own\n\n");
    assert_not_received(first, "data: before");
    assert_int_equal(test_count(first, "data: after"), 1);

    second = test_get(&t, "/");
    assert_not_received(second, "data: before");
    assert_int_equal(test_count(second, "data: after"), 1);
    assert_int_equal(test_count(first, "data: before"), 1);
    assert_int_equal(test_count(first, "data: after"), 2);

    crier_test_peer_free(first);
    crier_test_peer_free(second);
    test_server_deinit(&t);
    crier_hub_free(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_handler_publishes_next_is_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
