/* SPDX-License-Identifier: MIT */
/* The queue of a stream: what it takes, what it refuses, and that nothing in it is lost. */
#include "stream_support.h"

struct sender {
    struct test_server t;
    struct test_calls calls;
    struct crier_test_peer *peer;
};

static void sender_init(struct sender *s, struct crier_server_options options)
{
    *s = (struct sender){.peer = NULL};
    options.retry_ms = 1000;
    options.heartbeat_ms = options.heartbeat_ms ? options.heartbeat_ms : CRIER_OFF;
    test_server_init(&s->t, options);
    test_route(&s->t, "GET", "/", test_open, &s->calls);
    s->peer = test_get(&s->t, "/");
    assert_received(s->peer, "retry: 1000\n\r\n");
}

static void sender_deinit(struct sender *s)
{
    crier_test_peer_free(s->peer);
    test_server_deinit(&s->t);
    assert_int_equal(s->calls.closed, 1);
}

static void expect_text(struct sender *s, const char *expected)
{
    char *text = test_text(s->peer, NULL);

    assert_string_equal(text, expected);
    free(text);
}

static void settle(struct sender *s)
{
    assert_int_equal(crier_test_settle(s->t.server), 0);
}

/* Invariant: each call writes the event as the codec does. */
static void layout(void **state)
{
    struct crier_encoded *encoded;
    struct sender s;

    sender_init(&s, (struct crier_server_options){0});
    assert_int_equal(
        crier_stream_send(s.calls.stream, &(struct crier_event){.data = CRIER_SLICE("a\r\nb"),
                                                                .type = CRIER_SLICE("t"),
                                                                .id = CRIER_SLICE("7"),
                                                                .comment = CRIER_SLICE("c"),
                                                                .retry_ms = 5,
                                                                .flags = CRIER_RETRY}),
        0);
    assert_int_equal(crier_stream_sendf(s.calls.stream, "", "%s", ""), 0);
    assert_int_equal(crier_stream_sendf(s.calls.stream, "u", "%d\n%d", 1, 2), 0);
    assert_int_equal(
        crier_encoded_new(&(struct crier_event){.data = CRIER_SLICE("e")}, NULL, &encoded), 0);
    assert_int_equal(crier_stream_send_encoded(s.calls.stream, encoded), 0);
    assert_int_equal(crier_stream_send_encoded(s.calls.stream, NULL), CRIER_ENOMEM);
    crier_encoded_unref(encoded);
    settle(&s);
    expect_text(&s, "retry: 1000\n"
                    ": c\nretry: 5\nevent: t\nid: 7\ndata: a\ndata: b\n\n"
                    "data: \n\n"
                    "event: u\ndata: 1\ndata: 2\n\n"
                    "data: e\n\n");
    sender_deinit(&s);
}

/* Invariant: what could start a line of its own is refused, and nothing is queued. */
static void refusals(void **state)
{
    static const struct crier_slice bad[] = {{"a\nb", 3}, {"\r", 1}, {"a\0b", 3}, {"\n", 1}};
    struct sender s;

    sender_init(&s, (struct crier_server_options){0});
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct crier_event event = {.data = CRIER_SLICE("x"), .type = bad[i]};

        assert_int_equal(crier_stream_send(s.calls.stream, &event), CRIER_EINVAL);
        event = (struct crier_event){.data = CRIER_SLICE("x"), .id = bad[i]};
        assert_int_equal(crier_stream_send(s.calls.stream, &event), CRIER_EINVAL);
    }
    assert_int_equal(crier_stream_sendf(s.calls.stream, "a\nb", "x"), CRIER_EINVAL);
    assert_int_equal(crier_stream_queued(s.calls.stream), 0);
    settle(&s);
    expect_text(&s, "retry: 1000\n");
    sender_deinit(&s);
}

/* Invariant: an event of no bytes is nothing, above all not the end of the body. */
static void nothing(void **state)
{
    struct sender s;

    sender_init(&s, (struct crier_server_options){0});
    assert_int_equal(crier_stream_send(s.calls.stream, &(struct crier_event){0}), 0);
    settle(&s);
    assert_int_equal(crier_stream_sendf(s.calls.stream, NULL, "x"), 0);
    settle(&s);
    expect_text(&s, "retry: 1000\ndata: x\n\n");
    sender_deinit(&s);
}

enum { QUEUE = 1000 };

/* Fills the peer's end of the wire: what is sent from here on stays in the queue. */
static uint64_t clog_up(struct sender *s)
{
    static char filler[300];
    uint64_t count = 0;

    memset(filler, 'f', sizeof(filler));
    crier_test_stall(s->peer, true);
    while (crier_stream_queued(s->calls.stream) == 0) {
        assert_int_equal(
            crier_stream_sendf(s->calls.stream, NULL, "%.*s", (int)sizeof(filler), filler), 0);
        count++;
        settle(s);
        assert_true(count < 1000);
    }
    return count;
}

static uint64_t full_count(struct sender *s)
{
    struct crier_server_stats stats;

    assert_int_equal(crier_server_stats(s->t.server, &stats), 0);
    return stats.full;
}

/* Invariant: not one byte more than queue_bytes waits, but for one event alone; a refused event
 * changes nothing; nothing that was taken is lost or reordered. */
static void full(void **state)
{
    struct sender s;
    char data[QUEUE + 1] = "", *text, *at;
    uint64_t clogged;
    size_t room;
    int sent = 0;

    sender_init(&s, (struct crier_server_options){.queue_bytes = QUEUE});
    clogged = clog_up(&s);
    assert_int_equal(full_count(&s), 0);
    assert_true(crier_stream_queued(s.calls.stream) <= QUEUE + 20);
    memset(data, 'x', QUEUE);
    /* One event as large as the rest of the room, to the byte: 8 bytes of event, 12 of chunk. */
    while (crier_stream_queued(s.calls.stream) + 40 > QUEUE) {
        crier_test_stall(s.peer, false);
        clogged += clog_up(&s);
        data[0]++;
        assert_true(data[0] != 0);
    }
    memset(data, 'x', QUEUE);
    room = QUEUE - crier_stream_queued(s.calls.stream);
    assert_int_equal(crier_stream_sendf(s.calls.stream, NULL, "%.*s", (int)(room - 19), data),
                     CRIER_FULL);
    assert_int_equal(crier_stream_queued(s.calls.stream), QUEUE - room);
    assert_int_equal(full_count(&s), 1);
    assert_int_equal(crier_stream_sendf(s.calls.stream, NULL, "%.*s", (int)(room - 20), data),
                     0);
    assert_int_equal(crier_stream_queued(s.calls.stream), QUEUE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(crier_stream_sendf(s.calls.stream, NULL, "lost"), CRIER_FULL);
    assert_int_equal(full_count(&s), 4);

    crier_test_stall(s.peer, false);
    assert_int_equal(crier_stream_queued(s.calls.stream), 0);
    /* Alone it fits, whatever its size. */
    assert_int_equal(crier_stream_sendf(s.calls.stream, NULL, "%*s", 3 * QUEUE, "alone"), 0);
    assert_int_equal(crier_stream_sendf(s.calls.stream, NULL, "lost"), CRIER_FULL);
    settle(&s);
    text = test_text(s.peer, NULL);
    for (at = text; (at = strstr(at, "data: f")) != NULL; at++)
        sent++;
    assert_int_equal(sent, clogged);
    assert_null(strstr(text, "lost"));
    at = strstr(text, "data: xxxx");
    assert_non_null(at);
    assert_int_equal(strspn(at + 6, "x"), room - 20);
    assert_non_null(strstr(at, "alone\n\n"));
    free(text);
    sender_deinit(&s);
}

/* Invariant: a large event comes whole, also in the smallest of steps. */
static void one_mib(void **state)
{
    enum { SIZE = 1024 * 1024 };
    static char data[SIZE];
    struct sender s;
    char *text;

    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)('a' + i * 7 % 26);
    sender_init(&s, (struct crier_server_options){0});
    assert_int_equal(
        crier_stream_send(s.calls.stream, &(struct crier_event){.data = {data, SIZE}}), 0);
    settle(&s);
    text = test_text(s.peer, NULL);
    assert_int_equal(strlen(text), 12 + 6 + SIZE + 2);
    assert_memory_equal(text + 12 + 6, data, SIZE);
    free(text);
    sender_deinit(&s);
}

/* Invariant: a peer that is slow, but never catches up nor stands still, costs no more memory
 * than its queue. */
static void slow_for_ever(void **state)
{
    enum { LIMIT = 8192, TAKEN = 700, ROUNDS = 3000 };
    struct test_calls calls = {0};
    struct test_mem mem;
    struct test_server t;
    struct test_wire wire;
    struct test_body body;
    unsigned next = 0, seen = 0;
    size_t most = 0, before;
    char *at;

    test_mem_init(&mem, 0);
    test_server_init(&t, (struct crier_server_options){
                             .mem = &mem.mem, .queue_bytes = LIMIT, .retry_ms = CRIER_OFF});
    test_route(&t, "GET", "/", test_open, &calls);
    wire = test_wire_open(&t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    before = mem.bytes;
    for (int i = 0; i < ROUNDS; i++) {
        while (crier_stream_sendf(calls.stream, NULL, "%u %*s", next, 100, "x") == 0)
            next++;
        assert_true(crier_stream_queued(calls.stream) <= LIMIT);
        test_wire_take(&wire, TAKEN);
        most = mem.bytes - before > most ? mem.bytes - before : most;
    }
    assert_true(wire.got.len > 20 * LIMIT); /* it does go on */
    assert_true(most < 8 * LIMIT);
    assert_int_equal(crier_stream_finish(calls.stream), 0);
    test_wire_take_all(&wire);
    body = test_body_of(crier_buf_slice(&wire.got));
    assert_true(body.over);
    for (at = body.text.data; (at = strstr(at, "data: ")) != NULL; at++)
        assert_int_equal(strtoul(at + 6, NULL, 10), seen++);
    assert_int_equal(seen, next);
    crier_buf_deinit(&body.text);
    test_wire_close(&wire);
    test_server_deinit(&t);
    assert_int_equal(calls.why, CRIER_CLOSE_FINISHED);
    assert_int_equal(mem.alive, 0);
}

static int send_one(struct crier_stream *stream, int i)
{
    const struct crier_event event = {.data = CRIER_SLICE("x"), .id = CRIER_SLICE("1")};

    return i == 0 ? crier_stream_send(stream, &event)
                  : crier_stream_sendf(stream, "t", "%5000s", "y");
}

/* Invariant: without memory a send is refused, nothing of it is queued, and the stream goes on;
 * beside a hub too. */
static void without_memory(void **state)
{
    for (int i = 0; i < 4; i++) {
        struct test_mem mem;
        struct sender s;
        struct crier_hub *hub = crier_hub_new();
        size_t failed = 0, queued;
        int r;

        test_mem_init(&mem, 0);
        sender_init(&s, (struct crier_server_options){.mem = &mem.mem});
        if (i >= 2)
            assert_int_equal(crier_stream_follow(s.calls.stream, hub, "a"), 0);
        settle(&s);
        crier_test_forget(s.peer);
        queued = crier_stream_queued(s.calls.stream);
        for (mem.fail_at = mem.calls + 1; (r = send_one(s.calls.stream, i % 2)) != 0;
             mem.fail_at = mem.calls + ++failed + 1) {
            assert_int_equal(r, CRIER_ENOMEM);
            assert_int_equal(crier_stream_queued(s.calls.stream), queued);
            assert_true(failed < 20);
        }
        mem.fail_at = 0;
        assert_true(failed > 0);
        settle(&s);
        assert_int_equal(test_count(s.peer, "data: "), 1);
        assert_int_equal(s.calls.closed, 0);
        sender_deinit(&s);
        crier_hub_free(hub);
        assert_int_equal(mem.alive, 0);
    }
}

/* Invariant: a comment when nothing went out for heartbeat_ms, and only then. */
static void heartbeats(void **state)
{
    struct sender s;

    sender_init(&s, (struct crier_server_options){.heartbeat_ms = 10000});
    for (int i = 0; i < 4; i++) {
        test_advance(&s.t, 6000);
        assert_int_equal(crier_stream_sendf(s.calls.stream, NULL, "%d", i), 0);
        settle(&s);
    }
    test_advance(&s.t, 9000);
    expect_text(&s, "retry: 1000\ndata: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n");
    test_advance(&s.t, 1600); /* the wheel may be a slot late */
    expect_text(&s, "retry: 1000\ndata: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n:\n");
    test_advance(&s.t, 10600);
    expect_text(&s, "retry: 1000\ndata: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n:\n:\n");
    sender_deinit(&s);

    sender_init(&s, (struct crier_server_options){0}); /* OFF */
    test_advance(&s.t, 3600000);
    expect_text(&s, "retry: 1000\n");
    sender_deinit(&s);
}

/* Invariant: a peer that takes nothing is given up; what it takes counts. */
static void stalled(void **state)
{
    struct sender s;
    struct crier_server_stats stats;

    sender_init(&s, (struct crier_server_options){.stall_timeout_ms = 20000});
    clog_up(&s);
    test_advance(&s.t, 15000);
    crier_test_stall(s.peer, false);
    test_advance(&s.t, 30000);
    assert_int_equal(s.calls.closed, 0);
    clog_up(&s);
    test_advance(&s.t, 19000);
    assert_int_equal(s.calls.closed, 0);
    test_advance(&s.t, 1600);
    assert_int_equal(s.calls.closed, 1);
    assert_int_equal(s.calls.why, CRIER_CLOSE_STALLED);
    assert_int_equal(crier_server_stats(s.t.server, &stats), 0);
    assert_int_equal(stats.stalled, 1);
    assert_int_equal(stats.streams, 0);
    sender_deinit(&s);
}

/* Invariant: a stream that is too old has its clean end, with what was queued; a tenth of its
 * age is drawn. */
static void too_old(void **state)
{
    struct sender s;
    bool over;
    char *text;

    sender_init(&s, (struct crier_server_options){.max_age_ms = 100000});
    test_advance(&s.t, 89000);
    assert_int_equal(s.calls.closed, 0);
    assert_int_equal(crier_stream_sendf(s.calls.stream, NULL, "last"), 0);
    test_advance(&s.t, 11600);
    assert_int_equal(s.calls.closed, 1);
    assert_int_equal(s.calls.why, CRIER_CLOSE_EXPIRED);
    text = test_text(s.peer, &over);
    assert_true(over);
    assert_string_equal(text, "retry: 1000\ndata: last\n\nretry: 1000\n");
    free(text);
    assert_true(crier_test_ended(s.peer));
    sender_deinit(&s);
}

/* Invariant: age counts for a peer, too, that is always behind and never stands still. */
static void too_old_and_slow(void **state)
{
    struct test_calls calls = {0};
    struct test_server t;
    struct test_wire wire;

    test_server_init(
        &t, (struct crier_server_options){.max_age_ms = 100000, .stall_timeout_ms = 30000});
    test_route(&t, "GET", "/", test_open, &calls);
    wire = test_wire_open(&t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    for (int i = 0; i < 60 && calls.closed == 0; i++) {
        for (int n = 0; n < 30; n++)
            (void)crier_stream_sendf(calls.stream, NULL, "%*s", 2000, "x");
        test_advance(&t, 4000);
        test_wire_take(&wire, 8000);
    }
    assert_int_equal(calls.closed, 1);
    assert_int_equal(calls.why, CRIER_CLOSE_EXPIRED);
    test_wire_close(&wire);
    test_server_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),           cmocka_unit_test(refusals),
        cmocka_unit_test(nothing),          cmocka_unit_test(full),
        cmocka_unit_test(one_mib),          cmocka_unit_test(slow_for_ever),
        cmocka_unit_test(without_memory),   cmocka_unit_test(heartbeats),
        cmocka_unit_test(stalled),          cmocka_unit_test(too_old),
        cmocka_unit_test(too_old_and_slow),
    };
    return cmocka_run_group_tests_name("send", tests, NULL, NULL);
}
