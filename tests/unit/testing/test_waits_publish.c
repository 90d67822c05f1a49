/* SPDX-License-Identifier: MIT */
/*
 * Publishing to a journal that takes its time: answers come when what they answer is in it, in
 * the order of the requests, and the worker does not stand still meanwhile.
 */
#include "waits_support.h"

static const char ndjson[] = "Content-Type: application/x-ndjson\r\n";
static const char json[] = "Accept: application/json\r\n";

static struct crier_test_peer *holding(struct waits *w)
{
    waits_init(w);
    slow_hold(w->slow, true);
    return test_peer(&w->t);
}

static void done(struct waits *w, struct crier_test_peer *peer)
{
    crier_test_peer_free(peer);
    waits_deinit(w);
}

static void one_publish(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w), *other;

    send_request(peer, "POST /events/a", "", "one");
    assert_int_equal(slow_held(w.slow), 1);
    assert_int_equal(crier_test_received(peer).len, 0);
    /* Everybody else is served. */
    other = test_peer(&w.t);
    send_request(other, "GET /-/health", "", NULL);
    assert_received(other, "200 OK");
    crier_test_peer_free(other);
    waits_release(&w, 0);
    assert_received(peer, "201 Created");
    assert_int_equal(waits_events(&w), 1);
    done(&w, peer);
}

static void pipelined(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_request(peer, "POST /events/a", "", "1");
    send_request(peer, "POST /events/b", "", "2");
    send_request(peer, "PUT /events/c", "", "3");
    /* All three are on their way at once. */
    assert_int_equal(slow_held(w.slow), 3);
    waits_release(&w, 0);
    assert_int_equal(test_count(peer, "201 Created"), 1);
    waits_release(&w, 0);
    assert_int_equal(test_count(peer, "201 Created"), 2);
    waits_release(&w, 0);
    assert_order(peer, "\"topic\":\"a\"", "\"topic\":\"b\"", "\"topic\":\"c\"");
    done(&w, peer);
}

/* Whatever is asked behind a publish is answered after it, and sees it. */
static void other_answers_wait(void **state)
{
    static const struct {
        const char *what, *headers, *body, *expected;
    } others[] = {
        {"GET /events/a", json, NULL, "\"data\":\"one\""},
        {"GET /-/topics/a", "", NULL, "\"events\":1"},
        {"GET /-/topics", "", NULL, "\"events\":1"},
        {"GET /-/health", "", NULL, "{\"status\":\"ok\"}"},
        {"HEAD /events/a?since=earliest", "Accept: text/event-stream\r\n", NULL,
         "text/event-stream"},
        {"GET /events/a?since=earliest", "Accept: text/event-stream\r\n", NULL, "data: one"},
        {"GET /nothing", "", NULL, "404 Not Found"},
        {"POST /nothing", "", "x", "404 Not Found"},
        {"POST /events/", "", "x", "no-topic"},
        {"POST /events/a?nonsense=1", "", "x", "bad-parameter"},
        {"POST /events/a", "", "\xff", "bad-body"},
        {"POST /events/a", "Expect: 100-continue\r\n", "x", "100 Continue"},
        {"OPTIONS /events/a", "", NULL, "Allow:"},
        {"POST /events", ndjson, "{\"topic\":\"b\",\"data\":\"x\"}\n", "\"published\":1"},
        {"DELETE /events/a", "", NULL, "204 No Content"},
        {"DELETE /events/a%zz", "", NULL, "bad-topic"},
        {"BREW /events/a", "", NULL, "501 Not Implemented"},
        {"GET  /events/a", "", NULL, "bad-request"},
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct waits w;
        struct crier_test_peer *peer = holding(&w);

        send_request(peer, "POST /events/a", "", "one");
        send_request(peer, others[i].what, others[i].headers, others[i].body);
        assert_int_equal(crier_test_received(peer).len, 0);
        waits_release_all(&w);
        assert_order(peer, "201 Created", others[i].expected);
        done(&w, peer);
    }
}

/* And what is behind that goes on. */
static void it_goes_on(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_request(peer, "POST /events/a", "", "1");
    send_request(peer, "POST /events/a", "", "\xff");
    send_request(peer, "GET /-/health", "", NULL);
    send_request(peer, "POST /events/b", "", "2");
    assert_int_equal(slow_held(w.slow), 1);
    waits_release_all(&w);
    assert_order(peer, "201 Created", "bad-body", "\"status\":\"ok\"", "\"topic\":\"b\"");
    done(&w, peer);
}

static void close_after(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_request(peer, "POST /events/a", "", "1");
    send_request(peer, "POST /events/b", "Connection: close\r\n", "2");
    assert_int_equal(slow_held(w.slow), 2);
    waits_release(&w, 0);
    assert_false(crier_test_ended(peer));
    waits_release(&w, 0);
    assert_order(peer, "201 Created", "201 Created", "Connection: close", "\"topic\":\"b\"");
    assert_true(crier_test_ended(peer));
    done(&w, peer);
}

/* A client that has said all it wanted to say: everything is still answered. */
static void half_closed(bool slow)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);
    const char *two =
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1"
        "POST /events/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n2";

    slow_hold(w.slow, slow);
    send_text(peer, two);
    crier_test_close(peer);
    waits_release_all(&w);
    assert_order(peer, "201 Created", "\"topic\":\"a\"", "201 Created", "\"topic\":\"b\"");
    assert_true(crier_test_ended(peer));
    done(&w, peer);
}

static void half_closed_slow(void **state)
{
    half_closed(true);
}

static void half_closed_fast(void **state)
{
    half_closed(false);
}

static void results(void **state)
{
    static const struct {
        int result;
        const char *status, *code, *text, *forget;
    } cases[] = {
        {CRIER_APPEND_FULL, "503", "\"journal-full\"", "not published", "not forgotten"},
        {-ENOMEM, "503", "\"journal-full\"", "not published", "not forgotten"},
        {-ENOSPC, "503", "\"journal-full\"", "not published: the disk is full",
         "not forgotten: the disk is full"},
        {-EIO, "503", "\"journal-failed\"", "not published: the journal's disk has failed",
         "not forgotten: the journal's disk has failed"},
        {CRIER_APPEND_UNKNOWN, "503", "\"outcome-unknown\"", "not known whether",
         "not known whether"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct waits w;
        struct crier_test_peer *peer = holding(&w);

        send_request(peer, "POST /events/a", "", "1");
        send_request(peer, "POST /events", ndjson,
                     "{\"topic\":\"a\",\"data\":\"x\"}\n{\"topic\":\"a\",\"data\":\"y\"}\n");
        waits_release(&w, cases[i].result);
        assert_received(peer, cases[i].status);
        assert_received(peer, cases[i].code);
        assert_received(peer, cases[i].text);
        assert_received(peer, "Retry-After: ");
        crier_test_forget(peer);
        assert_true(slow_release_from(w.slow, 1, cases[i].result));
        waits_settle(&w);
        assert_received(peer, cases[i].code);
        assert_received(peer, "\"published\":1,");
        crier_test_forget(peer);
        send_request(peer, "DELETE /events/a", "", NULL);
        waits_release(&w, cases[i].result);
        assert_received(peer, cases[i].code);
        assert_received(peer, cases[i].forget);
        done(&w, peer);
    }
}

static void deletes(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_request(peer, "POST /events/a", "", "1");
    send_request(peer, "DELETE /events/a", "", NULL);
    send_request(peer, "POST /events/a", "", "2");
    assert_int_equal(slow_held(w.slow), 3);
    waits_release(&w, 0);
    assert_not_received(peer, "204 No Content");
    waits_release_all(&w);
    assert_order(peer, "201 Created", "204 No Content", "201 Created");
    assert_int_equal(waits_events(&w), 1);
    done(&w, peer);
}

/* ---- batches ---------------------------------------------------------------------------- */

static const char batch_head[] = "POST /events/a HTTP/1.1\r\nHost: localhost\r\n"
                                 "Content-Type: text/event-stream\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n";

static void send_block(struct crier_test_peer *peer, const char *data)
{
    char chunk[128];

    snprintf(chunk, sizeof(chunk), "%zx\r\ndata: %s\n\n\r\n", strlen(data) + 8, data);
    send_text(peer, chunk);
}

/* It is read on while parcels of it are on their way, and answered when all are back. */
static void batch(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_text(peer, batch_head);
    send_block(peer, "1");
    send_block(peer, "2");
    send_block(peer, "3");
    assert_int_equal(slow_held(w.slow), 3);
    send_text(peer, "0\r\n\r\n");
    assert_int_equal(crier_test_received(peer).len, 0);
    waits_release(&w, 0);
    waits_release(&w, 0);
    assert_int_equal(crier_test_received(peer).len, 0);
    waits_release(&w, 0);
    assert_received(peer, "{\"published\":3,\"duplicates\":0,");
    send_request(peer, "GET /-/health", "", NULL); /* the connection goes on */
    assert_received(peer, "\"status\":\"ok\"");
    done(&w, peer);
}

/* A line that is none: what is before it is published, and counted once it is. */
static void batch_bad_line(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_request(peer, "POST /events/a", ndjson,
                 "{\"data\":\"1\"}\n{\"data\":\"2\"}\n{\"nonsense\":1}\n{\"data\":\"4\"}\n");
    assert_int_equal(slow_held(w.slow), 1);
    assert_int_equal(crier_test_received(peer).len, 0);
    waits_release(&w, 0);
    assert_received(peer, "400 Bad Request");
    assert_received(peer, "\"published\":2,");
    assert_received(peer, "\"line\":3");
    assert_int_equal(waits_events(&w), 2);
    done(&w, peer);
}

/* One could not be appended: those that are with the journal are cancelled there, those that
 * are not are not handed in, and the answer comes without more being sent. */
static void batch_fails(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_text(peer, batch_head);
    send_block(peer, "1");
    send_block(peer, "2");
    send_block(peer, "3");
    waits_release(&w, 0);
    assert_true(slow_release(w.slow, CRIER_APPEND_FULL));
    send_block(peer, "4"); /* told of the failure in the same step as this is read */
    assert_int_equal(crier_test_received(peer).len, 0);
    while (slow_held(w.slow))
        waits_release(&w, 0);
    assert_received(peer, "\"journal-full\"");
    assert_received(peer, "\"published\":1,");
    assert_int_equal(waits_events(&w), 1);
    assert_true(crier_test_ended(peer));
    done(&w, peer);
}

/* What had failed before a bad line is what is told. */
static void batch_fails_before_bad_line(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_request(peer, "POST /events/a", ndjson, "{\"data\":\"1\"}\n{\"nonsense\":1}\n");
    waits_release(&w, -ENOSPC);
    assert_received(peer, "\"journal-full\"");
    assert_received(peer, "\"published\":0,");
    assert_not_received(peer, "\"line\"");
    done(&w, peer);
}

/* Its peer ends in the middle: what was complete is published. */
static void batch_cut(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_text(peer, batch_head);
    send_block(peer, "1");
    crier_test_close(peer);
    assert_int_equal(slow_held(w.slow), 1);
    waits_release(&w, 0);
    assert_int_equal(waits_events(&w), 1);
    assert_true(crier_test_ended(peer));
    done(&w, peer);
}

/* So many lines that the connection must not be read on. */
static void batch_is_bounded(void **state)
{
    enum { LINES = 3 * CRIER_CONN_LINES };
    struct waits w;
    struct crier_test_peer *peer = holding(&w);
    struct crier_buf body;
    char counts[64];

    crier_buf_init(&body, &crier_mem_libc);
    for (int i = 0; i < LINES; i++)
        crier_buf_append(&body, CRIER_SLICE("{\"data\":\"\"}\n"));
    send_text(peer, "POST /events/a HTTP/1.1\r\nHost: localhost\r\n"
                    "Content-Type: application/x-ndjson\r\n");
    snprintf(counts, sizeof(counts), "Content-Length: %zu\r\n\r\n", body.len);
    send_text(peer, counts);
    slow_hold(w.slow, true);
    for (size_t at = 0; at < body.len; at += 4096) {
        size_t *waiting = &w.t.server->workers[0].waiting;

        assert_int_equal(
            crier_test_send(peer, crier_slice_sub(crier_buf_slice(&body), at, 4096)), 0);
        /* What was looked at already may add a little. */
        assert_true(*waiting < CRIER_CONN_LINES + 4096);
        if (*waiting >= CRIER_CONN_LINES)
            waits_release_all(&w);
    }
    waits_release_all(&w);
    snprintf(counts, sizeof(counts), "{\"published\":%d,", (int)LINES);
    assert_received(peer, counts);
    crier_buf_deinit(&body);
    done(&w, peer);
}

static void pipeline_is_bounded(void **state)
{
    enum { MANY = CRIER_CONN_PIPELINE + 500 };
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    for (int i = 0; i < CRIER_CONN_PIPELINE + 10; i++)
        send_request(peer, "POST /events/a", "", "x");
    assert_int_equal(w.t.server->workers[0].waiting, CRIER_CONN_PIPELINE);
    waits_release_all(&w);
    for (int i = CRIER_CONN_PIPELINE + 10; i < MANY; i++)
        send_request(peer, "POST /events/a", "", "x");
    waits_release_all(&w);
    assert_int_equal(test_count(peer, "201 Created"), MANY);
    assert_int_equal(waits_events(&w), MANY);
    done(&w, peer);
}

/* ---- ends ------------------------------------------------------------------------------- */

/* The connection is gone before its publishes are back. */
static void gone(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w), *other = test_peer(&w.t);

    send_request(peer, "POST /events/a", "", "1");
    send_request(other, "POST /events/b", "", "2");
    send_request(peer, "POST /events/a", "", "3");
    send_request(peer, "DELETE /events/c", "", NULL);
    crier_test_drop(peer);
    waits_release_all(&w);
    assert_received(other, "201 Created");
    assert_int_equal(waits_events(&w), 3);
    crier_test_peer_free(other);
    done(&w, peer);
}

static void batch_gone(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);

    send_text(peer, batch_head);
    send_block(peer, "1");
    send_block(peer, "2");
    crier_test_drop(peer);
    waits_release(&w, 0);
    waits_release(&w, CRIER_APPEND_FULL);
    assert_int_equal(waits_events(&w), 1);
    done(&w, peer);
}

/* No patience runs out while it is the journal that takes its time. */
static void no_timeouts(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w), *half = test_peer(&w.t);

    send_request(peer, "POST /events/a", "", "1");
    send_request(peer, "GET /-/health", "", NULL);
    send_text(half, batch_head);
    send_block(half, "1");
    for (int i = 0; i < 100; i++)
        test_advance(&w.t, 60000);
    waits_release_all(&w);
    assert_order(peer, "201 Created", "\"status\":\"ok\"");
    send_block(half, "2");
    send_text(half, "0\r\n\r\n");
    waits_release_all(&w);
    assert_received(half, "\"published\":2,");
    /* But afterwards it does. */
    test_advance(&w.t, 24 * 3600 * 1000);
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(half);
    done(&w, peer);
}

static void drain(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w), *follower, *open = test_peer(&w.t);

    follower = test_get(&w.t, "/events/**");
    send_request(peer, "POST /events/a", "", "last words");
    send_text(open, batch_head);
    send_block(open, "1");
    crier_server_stop(w.t.server);
    waits_settle(&w);
    assert_int_equal(crier_test_received(peer).len, 0);
    assert_false(crier_test_ended(follower));
    waits_release(&w, 0);
    waits_release(&w, 0);
    crier_test_clock_advance(w.t.clock, 1000);
    assert_received(peer, "201 Created");
    assert_received(open, "\"draining\"");
    assert_received(open, "\"published\":1,");
    assert_received(follower, "data: last words");
    assert_int_equal(crier_test_settle(w.t.server), CRIER_STOPPED);
    crier_test_peer_free(follower);
    crier_test_peer_free(open);
    done(&w, peer);
}

/* The time to drain is up, or the server is freed at once: parcels come back all the same. */
static void *release_in_a_while(void *arg)
{
    struct slow_journal *slow = arg;

    while (!slow_held(slow))
        usleep(100);
    usleep(10000); /* so that it is waited for, most of the time; nothing depends on it */
    slow_release_all(slow);
    return NULL;
}

static void freed_in_flight(void **state)
{
    struct waits w;
    struct crier_test_peer *peer = holding(&w);
    pthread_t thread;

    send_request(peer, "POST /events/a", "", "1");
    send_request(peer, "POST /events/a", "", "2");
    assert_int_equal(pthread_create(&thread, NULL, release_in_a_while, w.slow), 0);
    w.t.server = crier_server_free(w.t.server);
    assert_null(w.t.server);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waits_events(&w), 2);
    done(&w, peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_publish),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(other_answers_wait),
        cmocka_unit_test(it_goes_on),
        cmocka_unit_test(close_after),
        cmocka_unit_test(half_closed_slow),
        cmocka_unit_test(half_closed_fast),
        cmocka_unit_test(results),
        cmocka_unit_test(deletes),
        cmocka_unit_test(batch),
        cmocka_unit_test(batch_bad_line),
        cmocka_unit_test(batch_fails),
        cmocka_unit_test(batch_fails_before_bad_line),
        cmocka_unit_test(batch_cut),
        cmocka_unit_test(batch_is_bounded),
        cmocka_unit_test(pipeline_is_bounded),
        cmocka_unit_test(gone),
        cmocka_unit_test(batch_gone),
        cmocka_unit_test(no_timeouts),
        cmocka_unit_test(drain),
        cmocka_unit_test(freed_in_flight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
