/* SPDX-License-Identifier: MIT */
/*
 * Reading a journal that has to look at its disk first: who asks waits, the worker does not, and
 * whoever leaves meanwhile gives the question up.
 */
#include "waits_support.h"

static const char json[] = "Accept: application/json\r\n";
static const char sse[] = "Accept: text/event-stream\r\n";

static void put(struct waits *w, const char *topic, const char *data)
{
    struct crier_receipt receipt;
    const struct crier_event event = {.data = crier_slice_of(data)};

    assert_int_equal(crier_hub_publish(w->hub, topic, &event, &receipt), 0);
}

/* Two events in a, one in b; from now on every question has to wait. */
static struct crier_test_peer *asking(struct waits *w)
{
    waits_init(w);
    put(w, "a", "one");
    put(w, "b", "two");
    put(w, "a", "three");
    slow_ask(w->slow, true);
    return test_peer(&w->t);
}

static void done(struct waits *w, struct crier_test_peer *peer)
{
    crier_test_peer_free(peer);
    waits_deinit(w);
}

/* What may have to wait, and what it answers in the end. */
static const struct {
    const char *what, *headers, *expected;
} questions[] = {
    {"GET /events/a?since=earliest", json, "\"data\":\"three\","},
    {"GET /events/*?since=latest", json, "\"data\":\"two\""},
    {"GET /events/a?limit=1&since=earliest", json, "Link: </events/a?since="},
    {"HEAD /events/a?since=earliest", sse, "Crier-Last-Event-ID: "},
    {"GET /events/a?since=earliest", sse, "data: three"},
    {"GET /events/*?since=latest", sse, "data: two"},
    {"GET /-/topics/a", "", "\"events\":2"},
    {"GET /-/topics", "", "\"topic\":\"b\",\"subscribers\":0,\"events\":1,"},
};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

static void everybody_waits(void **state)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct waits w;
        struct crier_test_peer *peer = asking(&w), *other = test_peer(&w.t);

        send_request(peer, questions[i].what, questions[i].headers, NULL);
        assert_int_equal(crier_test_received(peer).len, 0);
        assert_int_equal(slow_waiting(w.slow), 1);
        send_request(other, "GET /-/health", "", NULL);
        assert_received(other, "\"status\":\"ok\"");
        /* Nothing is asked twice, and no patience runs out. */
        for (int n = 0; n < 10; n++)
            test_advance(&w.t, 3600 * 1000 / 10);
        assert_int_equal(slow_waiting(w.slow), 1);
        assert_int_equal(w.slow->questions, 1);
        waits_wake_all(&w);
        assert_received(peer, questions[i].expected);
        assert_int_equal(slow_waiting(w.slow), 0);
        crier_test_peer_free(other);
        done(&w, peer);
    }
}

/* What many pages hold while they wait for more is bounded: they end early, and lead on. */
static void pages_end_early(void **state)
{
    enum { PEERS = 8, EVENTS = 20, BYTES = 1000, MOST = 20000 };
    struct crier_test_peer *first, *peers[PEERS];
    const struct crier_worker *worker;
    char data[BYTES + 1];
    struct waits w;
    size_t most = 0;

    memset(data, 'x', BYTES);
    data[BYTES] = '\0';
    first = asking(&w);
    slow_ask(w.slow, false);
    for (int i = 0; i < EVENTS; i++)
        put(&w, "c", data);
    slow_ask(w.slow, true);
    w.slow->looks = 1;
    w.t.server->settings.max_pages_bytes = MOST;
    worker = &w.t.server->workers[0];
    for (int i = 0; i < PEERS; i++) {
        peers[i] = test_peer(&w.t);
        send_request(peers[i],
                     i ? "GET /events/c?since=earliest" : "GET /events/c?since=last:9", json,
                     NULL);
    }
    while (slow_wake(w.slow)) {
        waits_settle(&w);
        most = worker->page_bytes > most ? worker->page_bytes : most;
    }
    assert_true(most > 0 && most < MOST + (size_t)PEERS * 2 * BYTES);
    for (int i = 0; i < PEERS; i++) {
        assert_received(peers[i], "HTTP/1.1 200 OK");
        assert_received(peers[i], "\"data\":\"xxx");
        if (i)
            assert_received(peers[i], "rel=\"next\"");
        crier_test_peer_free(peers[i]);
    }
    waits_settle(&w);
    assert_int_equal(worker->page_bytes, 0);
    done(&w, first);
}

/* The next request of the connection comes after. */
static void in_order(void **state)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct waits w;
        struct crier_test_peer *peer = asking(&w);

        if (i == 4 || i == 5) { /* a stream is the last thing a connection carries */
            done(&w, peer);
            continue;
        }
        send_request(peer, questions[i].what, questions[i].headers, NULL);
        send_request(peer, "GET /-/health", "", NULL);
        send_request(peer, questions[i].what, questions[i].headers, NULL);
        assert_int_equal(crier_test_received(peer).len, 0);
        waits_wake_all(&w);
        assert_order(peer, questions[i].expected, "\"status\":\"ok\"", questions[i].expected);
        done(&w, peer);
    }
}

static void given_up(void **state)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct waits w;
        struct crier_test_peer *peer = asking(&w);

        send_request(peer, questions[i].what, questions[i].headers, NULL);
        assert_int_equal(slow_waiting(w.slow), 1);
        crier_test_drop(peer);
        assert_int_equal(slow_waiting(w.slow), 0);
        done(&w, peer);
    }
}

/* It has been woken, but not been told yet, when it goes. */
static void given_up_awake(void **state)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct waits w;
        struct crier_test_peer *peer = asking(&w);

        send_request(peer, questions[i].what, questions[i].headers, NULL);
        assert_int_equal(slow_wake(w.slow), 1);
        w.t.server = crier_server_free(w.t.server);
        assert_null(w.t.server);
        assert_int_equal(slow_waiting(w.slow), 0);
        done(&w, peer);
    }
}

/* A client that has only closed its sending side still wants the answer. */
static void half_closed(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = asking(&w);

    send_request(peer, "GET /events/a?since=earliest", json, NULL);
    crier_test_close(peer);
    assert_int_equal(slow_waiting(w.slow), 1);
    waits_wake_all(&w);
    assert_received(peer, "\"data\":\"three\",");
    assert_true(crier_test_ended(peer));
    done(&w, peer);
}

static void unreadable(void **state)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct waits w;
        struct crier_test_peer *peer = asking(&w);

        send_request(peer, questions[i].what, questions[i].headers, NULL);
        w.slow->error = -EIO;
        waits_wake_all(&w);
        assert_received(peer, "503 Service Unavailable");
        if (strncmp(questions[i].what, "HEAD", 4) != 0)
            assert_received(peer, "\"code\":\"journal-failed\"");
        done(&w, peer);
    }
}

/* The second slice of a page fails, too. */
static void unreadable_later(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = asking(&w);

    send_request(peer, "GET /events/a?since=earliest", json, NULL);
    assert_int_equal(slow_wake(w.slow), 1);
    waits_settle(&w);
    w.slow->error = -EIO;
    waits_wake_all(&w);
    assert_received(peer, "\"code\":\"journal-failed\"");
    done(&w, peer);
}

/* ---- streams ---------------------------------------------------------------------------- */

/* A stream that lags waits slice by slice, and goes on live. */
static void stream_reads_on(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = asking(&w);

    send_request(peer, "GET /events/a?since=earliest", sse, NULL);
    assert_int_equal(slow_wake(w.slow), 1); /* located */
    waits_settle(&w);
    assert_received(peer, "crier:connected");
    assert_not_received(peer, "data: one");
    assert_int_equal(slow_waiting(w.slow), 1);
    put(&w, "a", "four");
    waits_settle(&w);
    assert_int_equal(slow_waiting(w.slow), 1);
    waits_wake_all(&w);
    put(&w, "a", "five");
    waits_wake_all(&w);
    assert_order(peer, "data: one", "data: three", "data: four", "data: five");
    assert_int_equal(test_count(peer, "data: four"), 1);
    assert_int_equal(slow_waiting(w.slow), 0);
    done(&w, peer);
}

static void stream_is_gone(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = asking(&w);

    send_request(peer, "GET /events/a?since=earliest", sse, NULL);
    assert_int_equal(slow_wake(w.slow), 1);
    waits_settle(&w);
    assert_int_equal(slow_waiting(w.slow), 1);
    crier_test_drop(peer);
    assert_int_equal(slow_waiting(w.slow), 0);
    done(&w, peer);
}

static void stream_unreadable(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = asking(&w), *other = test_peer(&w.t);

    send_request(peer, "GET /events/a?since=earliest", sse, NULL);
    assert_int_equal(slow_wake(w.slow), 1);
    waits_settle(&w);
    send_request(other, "GET /-/stats", "", NULL);
    assert_received(other, "\"lagging\":1,\"disk_waits\":1,");
    w.slow->error = -EIO;
    waits_wake_all(&w);
    assert_true(crier_test_ended(peer));
    crier_test_forget(other);
    send_request(other, "GET /-/stats", "", NULL);
    assert_received(other, "\"unreadable\":1,");
    assert_received(other, "\"broken\":0,");
    assert_received(other, "\"disk_waits\":0,");
    crier_test_peer_free(other);
    done(&w, peer);
}

static void stream_drains(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = asking(&w);

    send_request(peer, "GET /events/a?since=earliest", sse, NULL);
    assert_int_equal(slow_wake(w.slow), 1);
    waits_settle(&w);
    crier_server_stop(w.t.server);
    waits_settle(&w);
    assert_false(crier_test_ended(peer));
    while (slow_wake(w.slow))
        (void)crier_test_settle(w.t.server); /* it stops in the end */
    assert_order(peer, "data: one", "data: three");
    assert_true(crier_test_ended(peer));
    crier_test_clock_advance(w.t.clock, 1000);
    assert_int_equal(crier_test_settle(w.t.server), CRIER_STOPPED);
    done(&w, peer);
}

/* ---- the hub about itself --------------------------------------------------------------- */

static void health(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = asking(&w);

    w.slow->state = CRIER_JOURNAL_FULL;
    send_request(peer, "GET /-/health", "", NULL);
    assert_order(peer, "200 OK", "{\"status\":\"degraded\",\"reason\":\"journal-full\"}");
    w.slow->state = CRIER_JOURNAL_FAILED;
    send_request(peer, "GET /-/health", "", NULL);
    assert_received(peer, "{\"status\":\"degraded\",\"reason\":\"journal-failed\"}");
    done(&w, peer);
}

static void stats(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = asking(&w), *follower = test_peer(&w.t);

    send_request(peer, "GET /-/stats", "", NULL);
    assert_not_received(peer, "\"disk\":");
    assert_received(peer, "\"lag_events\":0,");
    crier_test_forget(peer);
    send_request(follower, "GET /events/a?since=earliest", sse, NULL);
    assert_int_equal(slow_wake(w.slow), 1);
    test_advance(&w.t, 1000);
    w.slow->disk = (struct crier_disk_stats){
        .durable = true, .file_bytes = 1, .commits = 5, .slowest_commit_us = 9, .unknown = 13};
    send_request(peer, "GET /-/stats", "", NULL);
    assert_received(peer, "\"lag_events\":3,");
    assert_order(peer, "\"disk\":{\"state\":\"ok\",\"file_bytes\":1,", "\"commits\":5,",
                 "\"slowest_commit_us\":9,", "\"outcome_unknown\":13,", "\"replay_bytes\":0}");
    crier_test_peer_free(follower);
    done(&w, peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_waits),
        cmocka_unit_test(in_order),
        cmocka_unit_test(pages_end_early),
        cmocka_unit_test(given_up),
        cmocka_unit_test(given_up_awake),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(unreadable_later),
        cmocka_unit_test(stream_reads_on),
        cmocka_unit_test(stream_is_gone),
        cmocka_unit_test(stream_unreadable),
        cmocka_unit_test(stream_drains),
        cmocka_unit_test(health),
        cmocka_unit_test(stats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
