/* SPDX-License-Identifier: MIT */
/*
 * Every call inside every callback. One table of calls, one of callbacks; each pair runs in a
 * server of its own. Run under AddressSanitizer it shows that nothing is freed under anybody's
 * feet; in every build, that run, step and free are refused and on_close comes once.
 */
#include "stream_support.h"

enum place {
    IN_HANDLER,
    IN_ON_CLOSE,
    IN_TIMER,
    IN_PULL,
    IN_PERMISSION,
    IN_LOG,
    PLACES,
};

struct world {
    struct test_server t;
    struct crier_hub *hub, *second;
    enum place place;
    const struct call *call;
    int called, closed, opened;
    bool inside;
    struct crier_request *request; /* IN_HANDLER */
    struct crier_stream *own;      /* of the callback, if it has one */
    struct crier_stream *other;
    struct crier_ref other_ref, own_ref, later;
    struct crier_encoded *encoded;
    struct crier_event event;
};

struct call {
    const char *name;
    void (*make)(struct world *);
    bool cuts; /* peers may be cut off by it */
};

static int quiet_pull(struct crier_stream *stream, void *ctx)
{
    return 1000;
}

static int quiet_timer(struct crier_stream *stream, void *ctx)
{
    return 0;
}

/* Calls on a stream's handle: both streams. GONE, FULL and the like are fine, what counts is
 * that it holds. */
#define ON_STREAMS(name, expression)                                                           \
    static void name(struct world *w)                                                          \
    {                                                                                          \
        struct crier_stream *streams[] = {w->own, w->other};                                   \
                                                                                               \
        for (int i = 0; i < 2; i++) {                                                          \
            struct crier_stream *s = streams[i];                                               \
            (void)(expression);                                                                \
        }                                                                                      \
    }

ON_STREAMS(call_send, crier_stream_send(s, &w->event))
ON_STREAMS(call_sendf, crier_stream_sendf(s, "t", "%d", 1))
ON_STREAMS(call_send_large, crier_stream_sendf(s, "t", "%60000s", "x"))
ON_STREAMS(call_send_encoded, crier_stream_send_encoded(s, w->encoded))
ON_STREAMS(call_queued, crier_stream_queued(s))
ON_STREAMS(call_every, crier_stream_every(s, 1, quiet_timer, w))
ON_STREAMS(call_pull, crier_stream_pull(s, quiet_pull, w))
ON_STREAMS(call_unpull, crier_stream_pull(s, NULL, NULL))
ON_STREAMS(call_follow, crier_stream_follow(s, w->hub, "**"))
ON_STREAMS(call_follow_second, crier_stream_follow(s, w->second, "a"))
ON_STREAMS(call_finish, crier_stream_finish(s))
ON_STREAMS(call_finish_twice, crier_stream_finish(s) + crier_stream_finish(s))
ON_STREAMS(call_ref, crier_stream_ref(s).slot)

static void call_post(struct world *w)
{
    (void)crier_server_post(w->t.server, w->own_ref, &w->event);
    (void)crier_server_post_encoded(w->t.server, w->other_ref, w->encoded);
}

static void call_finish_by_ref(struct world *w)
{
    (void)crier_server_finish(w->t.server, w->own_ref);
    (void)crier_server_finish(w->t.server, w->other_ref);
}

static void call_reply_by_ref(struct world *w)
{
    (void)crier_server_reply(w->t.server, w->later, 200, "text/plain", CRIER_SLICE("late"));
}

static void call_run(struct world *w)
{
    assert_int_equal(crier_server_run(w->t.server), CRIER_EBUSY);
}

static void call_step(struct world *w)
{
    assert_int_equal(crier_server_step(w->t.server), CRIER_EBUSY);
}

static void call_free(struct world *w)
{
    assert_ptr_equal(crier_server_free(w->t.server), w->t.server);
}

static void call_stop(struct world *w)
{
    assert_int_equal(crier_server_stop(w->t.server), 0);
}

static void call_stop_twice(struct world *w)
{
    assert_int_equal(crier_server_stop(w->t.server), 0);
    assert_int_equal(crier_server_stop(w->t.server), 0);
}

static void call_finish_and_stop(struct world *w)
{
    call_finish(w);
    call_stop(w);
}

static void call_asking(struct world *w)
{
    struct crier_server_stats stats;

    assert_int_equal(crier_server_stats(w->t.server, &stats), 0);
    assert_string_equal(crier_server_error(w->t.server), "");
    (void)crier_server_port(w->t.server);
    (void)crier_server_timeout(w->t.server);
    assert_true(crier_server_fd(w->t.server) >= 0);
    assert_int_equal(crier_server_listen(w->t.server), 0);
}

static void call_routes(struct world *w)
{
    /* The server runs: whatever else is wrong with them is no fault of its own. */
    assert_int_equal(crier_server_route(w->t.server, "GET", "/x", NULL, NULL), CRIER_EBUSY);
    assert_int_equal(crier_server_static(w->t.server, "/x", NULL, CRIER_SLICE("")),
                     CRIER_EBUSY);
    assert_int_equal(crier_server_file(w->t.server, "/x", "/nowhere"), CRIER_EBUSY);
    assert_int_equal(crier_server_mount(w->t.server, "/x", w->hub), CRIER_EBUSY);
    assert_int_equal(crier_server_mount_admin(w->t.server, "", w->hub), CRIER_EBUSY);
}

static void call_hub(struct world *w)
{
    struct crier_hub_stats stats;

    assert_int_equal(crier_hub_publishf(w->hub, "a", NULL, "hello"), 0);
    assert_int_equal(crier_hub_publishf(w->second, "a", NULL, "%9000s", "hello"), 0);
    assert_int_equal(crier_hub_forget(w->hub, CRIER_SLICE("a")), 0);
    assert_int_equal(crier_hub_stats(w->hub, &stats), 0);
}

static void call_free_hub(struct world *w)
{
    w->second = crier_hub_free(w->second);
}

static void call_answers(struct world *w)
{
    (void)crier_response_header(w->request, "X-A", "b");
    (void)crier_response_status(w->request, 203);
    (void)crier_reply(w->request, 200, "text/plain", CRIER_SLICE("x"));
    (void)crier_replyf(w->request, 200, "text/plain", "%d", 1);
    (void)crier_request_later(w->request);
    assert_null(crier_stream_open(w->request));
}

static void call_request(struct world *w)
{
    if (!w->request)
        return;
    assert_slice_is(crier_request_method(w->request), "GET");
    (void)crier_request_path(w->request);
    (void)crier_request_param(w->request, "x");
    (void)crier_request_query(w->request, "x");
    (void)crier_request_header(w->request, "Host");
    (void)crier_request_body(w->request);
    (void)crier_request_peer(w->request);
    (void)crier_request_last_event_id(w->request);
    assert_true(crier_request_is_local(w->request));
    assert_ptr_equal(crier_request_server(w->request), w->t.server);
}

static const struct call calls[] = {
    {"send", call_send, false},
    {"sendf", call_sendf, false},
    {"send, large", call_send_large, false},
    {"send_encoded", call_send_encoded, false},
    {"queued", call_queued, false},
    {"every", call_every, false},
    {"pull", call_pull, false},
    {"pull NULL", call_unpull, false},
    {"follow", call_follow, false},
    {"follow a second hub", call_follow_second, false},
    {"finish", call_finish, true},
    {"finish twice", call_finish_twice, true},
    {"ref", call_ref, false},
    {"post", call_post, false},
    {"finish by reference", call_finish_by_ref, true},
    {"reply by reference", call_reply_by_ref, false},
    {"run", call_run, false},
    {"step", call_step, false},
    {"free", call_free, false},
    {"stop", call_stop, true},
    {"stop twice", call_stop_twice, true},
    {"finish and stop", call_finish_and_stop, true},
    {"asking", call_asking, false},
    {"routes", call_routes, false},
    {"the hub", call_hub, false},
    {"free of the hub", call_free_hub, false},
    {"answers", call_answers, false},
    {"the request", call_request, false},
};

/* ---- callbacks -------------------------------------------------------------------------- */

static void visit(struct world *w, enum place place)
{
    if (w->place != place || w->inside || w->called == 3)
        return;
    w->inside = true; /* a line of the log inside it is not the place */
    w->called++;
    w->call->make(w);
    w->inside = false;
}

static void closed(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct world *w = ctx;

    w->closed++;
    if (stream == w->other)
        w->other = NULL;
    visit(w, IN_ON_CLOSE);
    if (stream == w->own)
        w->own = NULL;
}

static int timer(struct crier_stream *stream, void *ctx)
{
    struct world *w = ctx;

    visit(w, IN_TIMER);
    return 0;
}

static int pull(struct crier_stream *stream, void *ctx)
{
    struct world *w = ctx;

    visit(w, IN_PULL);
    return 5;
}

static void log_line(void *ctx, enum crier_log_level level, struct crier_slice line)
{
    struct world *w = ctx;

    if (w->t.server && w->other)
        visit(w, IN_LOG);
}

static bool permit(void *ctx, const struct crier_visit *a_visit)
{
    struct world *w = ctx;

    w->request = a_visit->request;
    visit(w, IN_PERMISSION);
    w->request = NULL;
    return true;
}

static void open_other(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    w->other = crier_stream_open(request, .on_close = closed, .ctx = w);
    assert_non_null(w->other);
    w->opened++;
    w->other_ref = crier_stream_ref(w->other);
}

static void open_own(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    w->own = crier_stream_open(request, .on_close = closed, .ctx = w);
    assert_non_null(w->own);
    w->opened++;
    w->own_ref = crier_stream_ref(w->own);
    w->request = request;
    visit(w, IN_HANDLER);
    w->request = NULL;
    (void)crier_stream_every(w->own, 10, timer, w);
    (void)crier_stream_every(w->own, 10, timer, w);
    (void)crier_stream_pull(w->own, pull, w);
}

static void put_off(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    w->later = crier_request_later(request);
}

static void step_on(struct world *w, int64_t ms)
{
    int r;

    crier_test_clock_advance(w->t.clock, (uint64_t)ms);
    r = crier_test_settle(w->t.server);
    if (r < 0)
        print_error("\"%s\" in %d: %s\n", w->call->name, (int)w->place,
                    crier_server_error(w->t.server));
    assert_true(r >= 0);
}

static void run_one(enum place place, const struct call *call, int ending)
{
    struct world w = {.place = place, .call = call};
    static const char *const paths[] = {"/other", "/later", "/own", "/hub/a"};
    struct crier_test_peer *peers[4];

    w.event = (struct crier_event){.data = CRIER_SLICE("x"), .type = CRIER_SLICE("t")};
    assert_int_equal(crier_encoded_new(&w.event, NULL, &w.encoded), 0);
    test_server_init(&w.t, (struct crier_server_options){.on_log = log_line,
                                                         .log_ctx = &w,
                                                         .log_level = CRIER_LOG_DEBUG,
                                                         .grace_ms = 1000});
    w.hub = crier_hub_new(.clock = crier_test_clock_of(w.t.clock));
    w.second = crier_hub_new(.clock = crier_test_clock_of(w.t.clock));
    test_route(&w.t, "GET", "/other", open_other, &w);
    test_route(&w.t, "GET", "/own", open_own, &w);
    test_route(&w.t, "GET", "/later", put_off, &w);
    assert_int_equal(crier_server_mount(w.t.server, "/hub", w.hub, .may_subscribe = permit,
                                        .may_publish = permit, .ctx = &w),
                     0);
    for (int i = 0; i < 4; i++) {
        peers[i] = crier_test_connect(w.t.server); /* NULL: a stop has ended it */
        if (peers[i])
            (void)crier_test_get(peers[i], paths[i]);
    }
    step_on(&w, 10);
    step_on(&w, 10);
    if (ending == 0)
        crier_test_drop(peers[2]);
    else if (ending == 1 && w.own && w.closed == 0)
        (void)crier_stream_finish(w.own);
    step_on(&w, 10);
    (void)crier_server_stop(w.t.server);
    for (int i = 0; i < 4; i++)
        step_on(&w, 400);
    w.inside = w.inside || w.place == IN_LOG;
    assert_null(crier_server_free(w.t.server));
    w.t.server = NULL;
    if (w.called == 0)
        print_error("%s was not called in %d\n", call->name, (int)place);
    assert_true(w.called > 0);
    assert_int_equal(w.closed, w.opened);
    for (int i = 0; i < 4; i++)
        crier_test_peer_free(peers[i]);
    crier_hub_free(w.hub);
    crier_hub_free(w.second);
    crier_encoded_unref(w.encoded);
    crier_test_clock_free(w.t.clock);
}

static void every_call_everywhere(void **state)
{
    for (int place = 0; place < PLACES; place++) {
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
            for (int ending = 0; ending < 3; ending++)
                run_one((enum place)place, &calls[i], ending);
        }
    }
}

/* Invariant: the same while nothing runs: a line of the log is a callback all the same. */
static void line_without_run(void *ctx, enum crier_log_level level, struct crier_slice line)
{
    struct world *w = ctx;

    if (!w->t.server)
        return;
    w->called++;
    assert_int_equal(crier_server_run(w->t.server), CRIER_EBUSY);
    assert_int_equal(crier_server_step(w->t.server), CRIER_EBUSY);
    assert_ptr_equal(crier_server_free(w->t.server), w->t.server);
    (void)crier_server_route(w->t.server, "GET", "no slash", NULL, NULL);
}

static void lines_without_run(void **state)
{
    struct world w = {.called = 0};

    test_server_init(&w.t,
                     (struct crier_server_options){.on_log = line_without_run, .log_ctx = &w});
    assert_true(crier_server_route(w.t.server, "GET", "no slash", open_own, NULL) < 0);
    assert_int_equal(w.called, 1);
    test_server_deinit(&w.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_everywhere),
        cmocka_unit_test(lines_without_run),
    };
    return cmocka_run_group_tests_name("callbacks", tests, NULL, NULL);
}
