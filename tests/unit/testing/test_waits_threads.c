/* SPDX-License-Identifier: MIT */
/*
 * Parcels come back and questions are answered in another thread, at any moment: for the
 * sanitizers.
 */
#include "waits_support.h"

static const char json[] = "Accept: application/json\r\n";

struct disk {
    struct slow_journal *slow;
    _Atomic bool over;
};

static void *work_on(void *arg)
{
    struct disk *disk = arg;

    while (!atomic_load(&disk->over)) {
        bool any = slow_release(disk->slow, 0);

        any = slow_wake(disk->slow) || any;
        if (!any)
            usleep(10);
    }
    return NULL;
}

/* Until the peer has got this so often. The other thread goes on by itself. */
static void wait_for(struct waits *w, struct crier_test_peer *peer, const char *text, int count)
{
    while (test_count(peer, text) < count) {
        assert_false(crier_test_ended(peer));
        usleep(10);
        waits_settle(w);
    }
}

static void one_round(struct waits *w, int round)
{
    struct crier_test_peer *peer = test_peer(&w->t), *fickle = test_peer(&w->t), *follower;

    follower = test_get(&w->t, "/events/a?since=earliest");
    for (int i = 0; i < 5; i++) {
        send_request(peer, "POST /events/a", "", "x");
        send_request(fickle, "POST /events/b", "", "y");
    }
    send_request(peer, "GET /events/a?since=last:3", json, NULL);
    send_request(peer, "DELETE /events/c", "", NULL);
    send_request(peer, "GET /-/topics", "", NULL);
    send_request(fickle, "GET /events/b?since=earliest", round % 2 ? json : "", NULL);
    crier_test_peer_free(fickle);
    waits_settle(w);
    wait_for(w, peer, "\"topics\":[", 1);
    assert_int_equal(test_count(peer, "201 Created"), 5);
    assert_order(peer, "201 Created", "\"data\":\"x\"", "204 No Content", "\"topics\":[");
    wait_for(w, follower, "data: x", 5 * (round + 1));
    crier_test_peer_free(follower);
    crier_test_peer_free(peer);
    waits_settle(w);
}

static void anything_at_any_moment(void **state)
{
    enum { ROUNDS = 40 };
    struct waits w;
    struct disk disk;
    pthread_t thread;

    waits_init(&w);
    disk = (struct disk){.slow = w.slow};
    slow_hold(w.slow, true);
    slow_ask(w.slow, true);
    assert_int_equal(pthread_create(&thread, NULL, work_on, &disk), 0);
    for (int i = 0; i < ROUNDS; i++)
        one_round(&w, i);
    /* It ends while something is on its way. */
    struct crier_test_peer *peer = test_peer(&w.t);
    send_request(peer, "POST /events/a", "", "x");
    send_request(peer, "GET /events/a", json, NULL);
    w.t.server = crier_server_free(w.t.server);
    assert_null(w.t.server);
    atomic_store(&disk.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waits_events(&w), ROUNDS * 10 + 1);
    crier_test_peer_free(peer);
    waits_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
