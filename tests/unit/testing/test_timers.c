/* SPDX-License-Identifier: MIT */
/* crier_stream_every and crier_stream_pull. */
#include "stream_support.h"

struct puller {
    struct test_server t;
    struct test_calls calls;
    struct crier_test_peer *peer;
};

static void puller_init(struct puller *p, struct crier_server_options options)
{
    *p = (struct puller){.peer = NULL};
    options.retry_ms = CRIER_OFF;
    options.heartbeat_ms = CRIER_OFF;
    test_server_init(&p->t, options);
    test_route(&p->t, "GET", "/", test_open, &p->calls);
    p->peer = test_get(&p->t, "/");
    assert_received(p->peer, ":\n\r\n");
}

static void puller_deinit(struct puller *p)
{
    crier_test_peer_free(p->peer);
    test_server_deinit(&p->t);
    assert_int_equal(p->calls.closed, 1);
}

static void expect_text(struct puller *p, const char *expected)
{
    char *text = test_text(p->peer, NULL);

    assert_string_equal(text, expected);
    free(text);
}

/* A callback that counts, and answers what it is told to. */
struct step {
    struct puller *p;
    int calls;
    int result;
    int stop_at; /* DONE at this call */
    const char *say;
    int (*fn)(struct crier_stream *, void *);
    void *ctx;
    int64_t ms;
};

static int count(struct crier_stream *stream, void *ctx)
{
    struct step *step = ctx;

    assert_int_equal(step->p->calls.closed, 0); /* never after on_close */
    step->calls++;
    if (step->say)
        (void)crier_stream_sendf(stream, NULL, "%s%d", step->say, step->calls);
    return step->calls == step->stop_at ? CRIER_DONE : step->result;
}

/* ---- every ------------------------------------------------------------------------------ */

/* Invariant: timers are independent; what they return but DONE does not matter; those due at
 * once come in the order they were set. */
static void several(void **state)
{
    struct puller p;
    struct step a = {.p = &p, .say = "a", .result = CRIER_FULL}, b = {.p = &p, .say = "b"},
                c = {.p = &p, .say = "c", .stop_at = 2, .result = CRIER_ENOMEM};

    puller_init(&p, (struct crier_server_options){0});
    assert_int_equal(crier_stream_every(p.calls.stream, 100, count, &a), 0);
    assert_int_equal(crier_stream_every(p.calls.stream, 100, count, &b), 0);
    assert_int_equal(crier_stream_every(p.calls.stream, 50, count, &c), 0);
    for (int i = 0; i < 20; i++)
        test_advance(&p.t, 10);
    expect_text(&p, ":\ndata: c1\n\ndata: a1\n\ndata: b1\n\ndata: c2\n\n"
                    "data: a2\n\ndata: b2\n\n");
    puller_deinit(&p);
}

/* Invariant: what is no time is refused; the longest there is never comes. */
static void times(void **state)
{
    static const int64_t bad[] = {0, -1, CRIER_OFF, INT64_MIN};
    struct puller p;
    struct step never = {.p = &p};

    puller_init(&p, (struct crier_server_options){0});
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(crier_stream_every(p.calls.stream, bad[i], count, &never),
                         CRIER_EINVAL);
    assert_int_equal(crier_stream_every(p.calls.stream, 1, NULL, &never), CRIER_EINVAL);
    assert_int_equal(crier_stream_every(p.calls.stream, INT64_MAX, count, &never), 0);
    test_advance(&p.t, 1);
    test_advance(&p.t, UINT32_MAX);
    assert_int_equal(never.calls, 0);
    puller_deinit(&p);
}

static int set_another(struct crier_stream *stream, void *ctx)
{
    struct step *step = ctx;

    step->calls++;
    assert_int_equal(crier_stream_every(stream, step->ms, step->fn, step->ctx), 0);
    return CRIER_DONE;
}

/* Invariant: a timer set inside one comes a full time later, however it is due. */
static void inside(void **state)
{
    struct puller p;
    struct step b = {.p = &p, .say = "b"}, a = {.fn = count, .ctx = &b, .ms = 1};

    puller_init(&p, (struct crier_server_options){0});
    assert_int_equal(crier_stream_every(p.calls.stream, 10, set_another, &a), 0);
    test_advance(&p.t, 10);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0);
    for (int i = 0; i < 3; i++)
        test_advance(&p.t, 1);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 3);
    puller_deinit(&p);
}

static int finish(struct crier_stream *stream, void *ctx)
{
    struct step *step = ctx;

    step->calls++;
    assert_int_equal(crier_stream_sendf(stream, NULL, "end"), 0);
    assert_int_equal(crier_stream_finish(stream), 0);
    assert_int_equal(crier_stream_finish(stream), 0);
    assert_int_equal(crier_stream_sendf(stream, NULL, "late"), CRIER_GONE);
    assert_int_equal(crier_stream_every(stream, 1, finish, ctx), CRIER_GONE);
    assert_int_equal(crier_stream_pull(stream, finish, ctx), CRIER_GONE);
    return step->result;
}

/* Invariant: finish ends all timers at once, those due in the same moment too. */
static void finish_in_timer(void **state)
{
    struct puller p;
    struct step f = {.result = 0}, other = {.p = &p}, pulled = {.p = &p, .result = 1000};
    bool over;
    char *text;

    puller_init(&p, (struct crier_server_options){0});
    assert_int_equal(crier_stream_pull(p.calls.stream, count, &pulled), 0);
    assert_int_equal(crier_test_settle(p.t.server), 0);
    assert_int_equal(pulled.calls, 1);
    assert_int_equal(crier_stream_every(p.calls.stream, 1000, finish, &f), 0);
    assert_int_equal(crier_stream_every(p.calls.stream, 1000, count, &other), 0);
    test_advance(&p.t, 1000);
    text = test_text(p.peer, &over);
    assert_string_equal(text, ":\ndata: end\n\n");
    assert_true(over);
    free(text);
    test_advance(&p.t, 5000);
    assert_int_equal(f.calls, 1);
    assert_int_equal(other.calls, 0);
    assert_int_equal(pulled.calls, 1);
    assert_int_equal(p.calls.why, CRIER_CLOSE_FINISHED);
    puller_deinit(&p);
}

/* Invariant: no timer and no pull after the peer has left, or stands still for ever. */
static void peer_leaves(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct puller p;
        struct step a = {.p = &p, .say = "a"}, b = {.p = &p, .result = 10};

        puller_init(&p, (struct crier_server_options){0});
        assert_int_equal(crier_stream_every(p.calls.stream, 10, count, &a), 0);
        assert_int_equal(crier_stream_pull(p.calls.stream, count, &b), 0);
        test_advance(&p.t, 10);
        assert_int_equal(a.calls, 1);
        crier_test_clock_advance(p.t.clock, 10);
        if (how == 0)
            crier_test_close(p.peer);
        else if (how == 1)
            crier_test_drop(p.peer);
        else
            p.peer = crier_test_peer_free(p.peer);
        test_advance(&p.t, 1000);
        assert_int_equal(p.calls.closed, 1);
        assert_int_equal(p.calls.why, CRIER_CLOSE_PEER);
        puller_deinit(&p);
    }
}

/* ---- pull ------------------------------------------------------------------------------- */

/* Invariant: 0 without having sent: after 10 ms; n: after n; DONE: not again. */
static void pull_answers(void **state)
{
    struct puller p;
    struct step step = {.p = &p};

    puller_init(&p, (struct crier_server_options){0});
    assert_int_equal(crier_stream_pull(p.calls.stream, count, &step), 0);
    assert_int_equal(step.calls, 0); /* not from inside the call */
    assert_int_equal(crier_test_settle(p.t.server), 0);
    assert_int_equal(step.calls, 1);
    test_advance(&p.t, 9);
    assert_int_equal(step.calls, 1);
    step.result = 500;
    test_advance(&p.t, 1);
    assert_int_equal(step.calls, 2);
    test_advance(&p.t, 499);
    assert_int_equal(step.calls, 2);
    step.result = 30 * 3600 * 1000; /* more than a day: a day */
    test_advance(&p.t, 1);
    assert_int_equal(step.calls, 3);
    test_advance(&p.t, 24 * 3600 * 1000 - 1);
    assert_int_equal(step.calls, 3);
    step.stop_at = 4;
    test_advance(&p.t, 1);
    assert_int_equal(step.calls, 4);
    test_advance(&p.t, 1000000);
    assert_int_equal(step.calls, 4);
    assert_int_equal(p.calls.closed, 0);
    assert_int_equal(crier_stream_pull(p.calls.stream, count, &step), 0);
    assert_int_equal(crier_stream_pull(p.calls.stream, NULL, NULL), 0);
    test_advance(&p.t, 1000);
    assert_int_equal(step.calls, 4);
    puller_deinit(&p);
}

static int send_nothing(struct crier_stream *stream, void *ctx)
{
    struct step *step = ctx;

    assert_true(++step->calls < 1000);
    return crier_stream_send(stream, &(struct crier_event){0});
}

/* Invariant: an event of no bytes is not something that was sent: it cannot keep the server
 * busy for ever. */
static void pull_nothing(void **state)
{
    struct puller p;
    struct step step = {.p = &p};

    puller_init(&p, (struct crier_server_options){0});
    assert_int_equal(crier_stream_pull(p.calls.stream, send_nothing, &step), 0);
    assert_int_equal(crier_test_settle(p.t.server), 0);
    assert_int_equal(step.calls, 1);
    test_advance(&p.t, 10);
    assert_int_equal(step.calls, 2);
    puller_deinit(&p);
}

/* Invariant: an error ends the stream. */
static void pull_error(void **state)
{
    struct puller p;
    struct step step = {.p = &p, .result = CRIER_ENOENT};

    puller_init(&p, (struct crier_server_options){0});
    assert_int_equal(crier_stream_pull(p.calls.stream, count, &step), 0);
    assert_int_equal(crier_test_settle(p.t.server), 0);
    assert_int_equal(step.calls, 1);
    assert_int_equal(p.calls.closed, 1);
    assert_int_equal(p.calls.why, CRIER_CLOSE_ERROR);
    assert_true(crier_test_ended(p.peer));
    puller_deinit(&p);
}

static int pull_again(struct crier_stream *stream, void *ctx)
{
    struct step *step = ctx;

    step->calls++;
    assert_int_equal(crier_stream_pull(stream, step->fn, step->ctx), 0);
    return step->result;
}

/* Invariant: who is set inside stays set, whatever the one that set it returns; the same
 * function with another context too. */
static void pull_replaced(void **state)
{
    static const int results[] = {CRIER_DONE, 0, 100000, CRIER_ENOMEM};

    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        struct puller p;
        struct step last = {.p = &p, .stop_at = 1},
                    second = {.fn = count, .ctx = &last, .result = results[i]},
                    first = {.fn = pull_again, .ctx = &second, .result = results[i]};

        puller_init(&p, (struct crier_server_options){0});
        assert_int_equal(crier_stream_pull(p.calls.stream, pull_again, &first), 0);
        assert_int_equal(crier_test_settle(p.t.server), 0);
        assert_int_equal(first.calls, 1);
        assert_int_equal(second.calls, 1);
        assert_int_equal(last.calls, 1);
        assert_int_equal(p.calls.closed, 0);
        first = (struct step){.fn = NULL, .result = results[i]};
        assert_int_equal(crier_stream_pull(p.calls.stream, pull_again, &first), 0);
        assert_int_equal(crier_test_settle(p.t.server), 0);
        test_advance(&p.t, 200000);
        assert_int_equal(first.calls, 1);
        assert_int_equal(p.calls.closed, 0);
        puller_deinit(&p);
    }
}

static int send_block(struct crier_stream *stream, void *ctx)
{
    struct step *step = ctx;

    assert_int_equal(step->p->calls.closed, 0);
    assert_true(crier_stream_queued(stream) == 0); /* there is room */
    step->calls++;
    return crier_stream_sendf(stream, NULL, "%d%*s", step->calls, 1000, "x");
}

/* Invariant: a peer that takes nothing is asked nothing for; one that goes on gets everything
 * in order. */
static void pull_stalled(void **state)
{
    struct puller p;
    struct step step = {.p = &p};
    int before;
    char *text, *at;

    puller_init(&p, (struct crier_server_options){.stall_timeout_ms = 100000});
    crier_test_stall(p.peer, true);
    assert_int_equal(crier_stream_pull(p.calls.stream, send_block, &step), 0);
    assert_int_equal(crier_test_settle(p.t.server), 0);
    assert_in_range(step.calls, 3, 500);
    before = step.calls;
    for (int i = 0; i < 5; i++)
        test_advance(&p.t, 1000);
    assert_int_equal(step.calls, before);
    step.fn = NULL;
    /* It would go on for ever now. */
    assert_int_equal(crier_stream_pull(p.calls.stream, NULL, NULL), 0);
    crier_test_stall(p.peer, false);
    assert_int_equal(step.calls, before);
    text = test_text(p.peer, NULL);
    at = text;
    for (int i = 1; i <= before; i++) {
        at = strstr(at, "data: ");
        assert_non_null(at);
        assert_int_equal(strtol(at + 6, NULL, 10), i);
        at++;
    }
    free(text);
    puller_deinit(&p);
}

static void open_puller(struct crier_request *request, void *ctx)
{
    struct step *step = ctx;
    struct crier_stream *s = crier_stream_open(request, .queue_bytes = 1 << 20);

    assert_non_null(s);
    assert_int_equal(crier_stream_pull(s, step->fn, step), 0);
}

/* Sends without an end; takes what it sends itself. */
struct flood {
    struct step step;
    struct test_wire *wire;
    uint64_t bytes;
};

static int flood(struct crier_stream *stream, void *ctx)
{
    struct flood *f = ctx;
    char sink[65536];

    while (recv(f->wire->fd, sink, sizeof(sink), 0) > 0) {
    }
    f->bytes += 1006;
    return crier_stream_sendf(stream, NULL, "%*s", 1000, "x");
}

/* Invariant: a stream whose peer takes all has its share of a tick, and no more; another one
 * has its own. */
static void pull_is_fair(void **state)
{
    static const char *const methods[] = {"POST", "PUT"};
    struct test_server t;
    struct test_wire wires[2];
    struct flood floods[2] = {{.wire = &wires[0]}, {.wire = &wires[1]}};

    test_server_init(&t, (struct crier_server_options){.heartbeat_ms = CRIER_OFF});
    for (int i = 0; i < 2; i++) {
        floods[i].step.fn = flood;
        test_route(&t, methods[i], "/", open_puller, &floods[i]);
    }
    for (int i = 0; i < 2; i++) {
        char text[100];
        int len = snprintf(text, sizeof(text),
                           "%s / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
                           methods[i]);

        wires[i] = test_wire_open(&t, SOCK_STREAM);
        assert_int_equal(send(wires[i].fd, text, (size_t)len, 0), len);
    }
    for (int i = 0; i < 10; i++) {
        uint64_t before[2] = {floods[0].bytes, floods[1].bytes};

        assert_int_equal(crier_server_step(t.server), 0);
        for (int k = 0; k < 2; k++) {
            assert_true(floods[k].bytes > before[k]);
            assert_true(floods[k].bytes - before[k] <= 66 * 1024);
        }
        assert_int_equal(crier_server_timeout(t.server), 0);
    }
    for (int i = 0; i < 2; i++)
        test_wire_close(&wires[i]);
    test_server_deinit(&t);
}

static int finish_first(struct crier_stream *stream, void *ctx)
{
    struct step *step = ctx;

    step->calls++;
    assert_int_equal(crier_stream_sendf(stream, NULL, "bye"), 0);
    assert_int_equal(crier_stream_finish(stream), 0);
    return step->result;
}

/* Invariant: finish inside pull ends the pull, whatever it returns, and cleanly. */
static void finish_in_pull(void **state)
{
    static const int results[] = {0, 50, CRIER_DONE, CRIER_ENOMEM};

    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        struct puller p;
        struct step step = {.result = results[i]};
        bool over;
        char *text;

        puller_init(&p, (struct crier_server_options){0});
        assert_int_equal(crier_stream_pull(p.calls.stream, finish_first, &step), 0);
        assert_int_equal(crier_test_settle(p.t.server), 0);
        assert_int_equal(p.calls.closed, 1);
        assert_int_equal(p.calls.why, CRIER_CLOSE_FINISHED);
        assert_int_equal(step.calls, 1);
        text = test_text(p.peer, &over);
        assert_string_equal(text, ":\ndata: bye\n\n");
        assert_true(over);
        free(text);
        puller_deinit(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several),       cmocka_unit_test(times),
        cmocka_unit_test(inside),        cmocka_unit_test(finish_in_timer),
        cmocka_unit_test(peer_leaves),   cmocka_unit_test(pull_answers),
        cmocka_unit_test(pull_nothing),  cmocka_unit_test(pull_error),
        cmocka_unit_test(pull_replaced), cmocka_unit_test(pull_stalled),
        cmocka_unit_test(pull_is_fair),  cmocka_unit_test(finish_in_pull),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
