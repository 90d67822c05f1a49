/* SPDX-License-Identifier: MIT */
/*
 * Hubs on disk in a server's callbacks: there nobody waits for a disk; what is submitted is
 * answered later. And those that cannot be used: told where they are mounted or followed.
 */
#include "request_support.h"

#include "local/hub.h"
#include "local/slow_journal.h"

struct desk {
    struct test_server t;
    struct crier_hub *hub;
    struct slow_journal *slow;
    struct crier_ref ref;
    int published, submitted, followed;
};

static void start(struct desk *desk)
{
    *desk = (struct desk){.followed = 77};
    test_server_init(&desk->t, (struct crier_server_options){.workers = 1});
    desk->hub = crier_hub_new(.clock = crier_test_clock_of(desk->t.clock));
    assert_non_null(desk->hub);
    desk->slow = slow_journal_new(desk->hub->journal);
    desk->hub->journal = &desk->slow->journal;
}

static void end(struct desk *desk)
{
    test_server_deinit(&desk->t);
    crier_hub_free(desk->hub);
}

static void answer(int result, const struct crier_receipt *receipt, void *ctx)
{
    struct desk *desk = ctx;

    assert_int_equal(
        crier_server_reply(desk->t.server, desk->ref, result < 0 ? 503 : 200, "text/plain",
                           receipt ? CRIER_SLICE("published") : CRIER_SLICE("not published")),
        0);
}

static void take(struct crier_request *request, void *ctx)
{
    struct desk *desk = ctx;
    struct crier_publication p = {.size = sizeof(p), .topic = CRIER_SLICE("a")};

    p.event.data = crier_request_body(request);
    desk->published = crier_hub_publish_with(desk->hub, &p, NULL);
    desk->ref = crier_request_later(request);
    desk->submitted = crier_hub_submit(desk->hub, &p, answer, desk);
}

static void submitted_in_a_callback(void **state)
{
    struct crier_test_peer *peer;
    struct desk desk;

    (void)state;
    start(&desk);
    test_route(&desk.t, "POST", "/", take, &desk);
    peer = test_asked(&desk.t, "POST /", "Content-Length: 2\r\n");
    test_send(peer, "hi");
    assert_int_equal(crier_test_settle(desk.t.server), 0);
    assert_int_equal(desk.published, CRIER_EWOULDBLOCK);
    assert_int_equal(desk.submitted, 0);
    assert_int_equal(crier_stepping, 0);
    assert_int_equal(test_status(peer), 0);
    assert_int_equal(desk.slow->held, 1);
    assert_true(slow_release(desk.slow));
    assert_int_equal(crier_test_settle(desk.t.server), 0);
    assert_int_equal(test_status(peer), 200);
    assert_string_equal(test_body(peer), "published");

    desk.slow->result = -ENOSPC;
    test_ask(peer, "POST /", "Content-Length: 2\r\n");
    test_send(peer, "hi");
    assert_int_equal(crier_test_settle(desk.t.server), 0);
    assert_true(slow_release(desk.slow));
    assert_int_equal(crier_test_settle(desk.t.server), 0);
    assert_int_equal(test_status(peer), 503);
    crier_test_peer_free(peer);
    end(&desk);
}

static void follow(struct crier_request *request, void *ctx)
{
    struct desk *desk = ctx;

    desk->followed = crier_stream_follow(crier_stream_open(request), desk->hub, "a");
}

static void hubs_that_cannot_be_used(void **state)
{
    struct crier_hub *refused = crier_hub_new(.dir = "");
    struct crier_test_peer *peer;
    struct desk desk;

    (void)state;
    start(&desk);
    crier_hub_free(desk.hub);
    desk.hub = refused;
    test_route(&desk.t, "GET", "/follow", follow, &desk);
    peer = test_asked(&desk.t, "GET /follow", "");
    assert_int_equal(crier_test_settle(desk.t.server), 0);
    assert_int_equal(desk.followed, CRIER_EINVAL);
    crier_test_peer_free(peer);
    end(&desk);

    struct test_server t;
    test_server_init(&t, (struct crier_server_options){.workers = 1});
    refused = crier_hub_new(.dir = "");
    assert_int_equal(crier_server_mount(t.server, "/a", refused), CRIER_EINVAL);
    assert_string_equal(crier_server_error(t.server),
                        "cannot mount a hub at /a: the option .dir is empty: name a folder");
    assert_int_equal(crier_server_run(t.server), CRIER_EINVAL);
    crier_hub_free(refused);
    test_server_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submitted_in_a_callback),
        cmocka_unit_test(hubs_that_cannot_be_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
