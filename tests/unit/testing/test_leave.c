/* SPDX-License-Identifier: MIT */
/*
 * Peers that leave at every stage, in every way. Whatever happens: on_close comes exactly once,
 * with its reason, and no callback of the stream after it.
 */
#include "stream_support.h"

enum how { CLOSES, DROPS, VANISHES, HOWS };

enum stage {
    WITH_REQUEST,   /* its end came together with the request */
    OPENED,         /* nothing was sent but the head */
    IDLE,           /* all was sent */
    QUEUED,         /* something is queued, nothing is stuck */
    STUCK,          /* the peer takes nothing, and the queue is not empty */
    STUCK_FINISHED, /* the same, and it is finished */
    FINISHED,       /* finish was called; nothing went out yet */
    ENDED,          /* the end is out */
    FOLLOWING,      /* a hub's event is half out */
    JOINING,        /* follow was called; it has not begun */
    STOPPING,       /* the server stops, and the end could not leave */
    STAGES,
};

struct world {
    struct test_server t;
    struct crier_hub *hub;
    struct crier_stream *stream;
    int opened, closed, ticks;
    enum crier_close why;
    enum stage stage;
};

static void on_close(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct world *w = ctx;

    assert_non_null(stream);
    assert_ptr_equal(stream, w->stream);
    assert_int_equal(crier_stream_sendf(stream, NULL, "x"), CRIER_GONE);
    assert_int_equal(crier_stream_queued(stream), 0);
    assert_int_equal(crier_stream_finish(stream), CRIER_GONE);
    assert_string_not_equal(crier_close_name(why), "unknown");
    w->stream = NULL;
    w->closed++;
    w->why = why;
}

static int tick(struct crier_stream *stream, void *ctx)
{
    struct world *w = ctx;

    assert_int_equal(w->closed, 0);
    assert_ptr_equal(stream, w->stream);
    w->ticks++;
    return 0;
}

static int pull(struct crier_stream *stream, void *ctx)
{
    (void)tick(stream, ctx);
    return 10;
}

static void open_stream(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    w->stream = crier_stream_open(request, .on_close = on_close, .ctx = w);
    assert_non_null(w->stream);
    w->opened++;
    assert_int_equal(crier_stream_every(w->stream, 5, tick, w), 0);
    assert_int_equal(crier_stream_pull(w->stream, pull, w), 0);
    if (w->stage == FOLLOWING || w->stage == WITH_REQUEST)
        assert_int_equal(crier_stream_follow(w->stream, w->hub, "a"), 0);
}

static void stick(struct world *w)
{
    for (int i = 0; i < 100 && crier_stream_queued(w->stream) == 0; i++) {
        assert_int_equal(crier_stream_sendf(w->stream, NULL, "%5000s", "x"), 0);
        assert_int_equal(crier_test_settle(w->t.server), 0);
    }
    assert_true(crier_stream_queued(w->stream) > 0);
}

static void reach(struct world *w)
{
    switch (w->stage) {
    case IDLE:
        assert_int_equal(crier_stream_sendf(w->stream, NULL, "x"), 0);
        assert_int_equal(crier_test_settle(w->t.server), 0);
        break;
    case QUEUED:
        assert_int_equal(crier_stream_sendf(w->stream, NULL, "x"), 0);
        break;
    case STUCK:
    case STUCK_FINISHED:
        stick(w);
        if (w->stage == STUCK_FINISHED)
            assert_int_equal(crier_stream_finish(w->stream), 0);
        break;
    case FINISHED:
    case ENDED:
        assert_int_equal(crier_stream_finish(w->stream), 0);
        if (w->stage == ENDED)
            assert_int_equal(crier_test_settle(w->t.server), 0);
        break;
    case FOLLOWING:
        assert_int_equal(crier_hub_publishf(w->hub, "a", NULL, "%100000s", "x"), 0);
        assert_int_equal(crier_test_settle(w->t.server), 0);
        break;
    case JOINING:
        assert_int_equal(crier_stream_follow(w->stream, w->hub, "a"), 0);
        break;
    case STOPPING:
        stick(w);
        assert_int_equal(crier_server_stop(w->t.server), 0);
        assert_int_equal(crier_test_settle(w->t.server), 0);
        break;
    case WITH_REQUEST:
    case OPENED:
    case STAGES:
        break;
    }
}

static void leave(struct world *w, struct test_wire *wire, enum how how)
{
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};

    if (how == CLOSES) {
        assert_int_equal(shutdown(wire->fd, SHUT_WR), 0);
        return;
    }
    if (how == DROPS)
        (void)setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(wire->fd);
    wire->fd = -1;
}

static enum crier_close expected(const struct world *w, enum how how)
{
    /* All was out before the peer left; or it stays to read on, and then all goes out. */
    if (w->stage == ENDED)
        return CRIER_CLOSE_FINISHED;
    return CRIER_CLOSE_PEER;
}

static void run_one(enum stage stage, enum how how)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct world w = {.stage = stage};
    struct test_wire wire;
    int ticks;

    test_server_init(&w.t, (struct crier_server_options){.queue_bytes = 1 << 20});
    w.hub = crier_hub_new(.clock = crier_test_clock_of(w.t.clock));
    test_route(&w.t, "GET", "/", open_stream, &w);
    wire = test_wire_open(&w.t, SOCK_STREAM);
    assert_int_equal(send(wire.fd, request, strlen(request), 0), strlen(request));
    if (stage != WITH_REQUEST) {
        assert_int_equal(crier_test_settle(w.t.server), 0);
        assert_non_null(w.stream);
        reach(&w);
    }
    leave(&w, &wire, how);
    (void)crier_test_settle(w.t.server);
    assert_int_equal(w.opened, 1);
    assert_int_equal(w.closed, 1);
    if (w.why != expected(&w, how))
        print_error("stage %d, how %d: %s\n", (int)stage, (int)how, crier_close_name(w.why));
    assert_int_equal(w.why, expected(&w, how));
    ticks = w.ticks;
    for (int i = 0; i < 5; i++) {
        crier_test_clock_advance(w.t.clock, 1000);
        (void)crier_test_settle(w.t.server);
    }
    assert_int_equal(w.ticks, ticks);
    test_wire_close(&wire);
    assert_null(crier_server_free(w.t.server));
    assert_int_equal(w.closed, 1);
    crier_hub_free(w.hub);
    crier_test_clock_free(w.t.clock);
}

static void every_stage(void **state)
{
    for (int stage = 0; stage < STAGES; stage++) {
        for (int how = 0; how < HOWS; how++)
            run_one((enum stage)stage, (enum how)how);
    }
}

/* Invariant: freeing the server at any stage tells each stream that it was stopped. */
static void freed(void **state)
{
    for (int stage = OPENED; stage < STAGES; stage++) {
        struct world w = {.stage = (enum stage)stage};
        struct test_wire wire;

        test_server_init(&w.t, (struct crier_server_options){.queue_bytes = 1 << 20});
        w.hub = crier_hub_new(.clock = crier_test_clock_of(w.t.clock));
        test_route(&w.t, "GET", "/", open_stream, &w);
        wire = test_wire_open(&w.t, SOCK_STREAM);
        test_wire_get(&wire, "/");
        reach(&w);
        assert_null(crier_server_free(w.t.server));
        assert_int_equal(w.closed, 1);
        if (w.why != (stage == ENDED ? CRIER_CLOSE_FINISHED : CRIER_CLOSE_STOPPED))
            print_error("stage %d: %s\n", stage, crier_close_name(w.why));
        assert_int_equal(w.why, stage == ENDED ? CRIER_CLOSE_FINISHED : CRIER_CLOSE_STOPPED);
        test_wire_close(&wire);
        crier_hub_free(w.hub);
        crier_test_clock_free(w.t.clock);
    }
}

/* Invariant: what a client sends behind its request does not disturb the stream, nor its clean
 * end. */
static void talks_on(void **state)
{
    struct world w = {.stage = IDLE};
    struct test_wire wire;
    struct test_body body;

    test_server_init(&w.t, (struct crier_server_options){.retry_ms = CRIER_OFF});
    test_route(&w.t, "GET", "/", open_stream, &w);
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_send(&wire, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    test_wire_send(&wire, "garbage");
    assert_int_equal(w.opened, 1);
    reach(&w);
    test_wire_send(&wire, "more garbage");
    assert_int_equal(w.closed, 0);
    assert_int_equal(crier_stream_finish(w.stream), 0);
    test_wire_take_all(&wire);
    body = test_body_of(crier_buf_slice(&wire.got));
    assert_string_equal(body.text.data, ":\ndata: x\n\n");
    assert_true(body.over && wire.ended);
    crier_buf_deinit(&body.text);
    assert_int_equal(w.why, CRIER_CLOSE_FINISHED);
    test_wire_close(&wire);
    test_server_deinit(&w.t);
    assert_int_equal(w.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage),
        cmocka_unit_test(freed),
        cmocka_unit_test(talks_on),
    };
    return cmocka_run_group_tests_name("leave", tests, NULL, NULL);
}
