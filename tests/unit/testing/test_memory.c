/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of a whole scenario fails in turn: what comes back is an error or a refusal,
 * nothing leaks, and once there is memory again everything works as before.
 */
#include "request_support.h"

#define S(literal) CRIER_SLICE(literal)

struct scene {
    struct test_mem mem;
    struct crier_test_clock *clock;
    struct crier_hub *hub;
    struct crier_server *server;
    int opened, closed; /* streams, on_close */
    struct crier_stream *stream;
    struct crier_ref ref, request;
    bool broken; /* it cannot serve: memory was out before it ran */
};

static bool fine_or_out(int r)
{
    return r == 0 || r == CRIER_ENOMEM;
}

#define assert_fine_or_out(r) assert_true(fine_or_out(r))

/* ---- handlers --------------------------------------------------------------------------- */

static void ask_everything(struct crier_request *request, void *ctx)
{
    struct crier_slice name = crier_request_param(request, "name");
    struct crier_slice body = crier_request_body(request);

    (void)crier_request_method(request);
    (void)crier_request_path(request);
    (void)crier_request_query(request, "q");
    (void)crier_request_header(request, "Host");
    (void)crier_request_peer(request);
    (void)crier_request_last_event_id(request);
    assert_slice_is(body, "body"); /* never half of it */
    if (name.data)
        assert_slice_is(name, "a b");
    assert_fine_or_out(crier_response_header(request, "X-A", "b"));
    if (crier_reply(request, 200, "text/plain", body) != 0)
        assert_fine_or_out(crier_replyf(request, 200, "text/plain", "%s", "again"));
}

static void put_off(struct crier_request *request, void *ctx)
{
    struct scene *scene = ctx;

    scene->request = crier_request_later(request);
}

static void closed(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct scene *scene = ctx;

    scene->closed++;
    scene->stream = NULL;
}

static int tick(struct crier_stream *stream, void *ctx)
{
    return crier_stream_sendf(stream, "tick", "%d", 1);
}

static int pull(struct crier_stream *stream, void *ctx)
{
    (void)crier_stream_sendf(stream, "pull", "%d", 1);
    return CRIER_DONE;
}

static void open_stream(struct crier_request *request, void *ctx)
{
    struct scene *scene = ctx;
    struct crier_stream *stream;

    scene->opened++;
    (void)crier_response_header(request, "X-A", "b");
    stream = crier_stream_open(request, .on_close = closed, .ctx = scene);
    scene->stream = stream;
    assert_fine_or_out(crier_stream_every(stream, 1000, tick, NULL));
    assert_fine_or_out(crier_stream_pull(stream, pull, NULL));
    assert_fine_or_out(crier_stream_follow(stream, scene->hub, "x/*"));
    assert_fine_or_out(crier_stream_send(stream, &(struct crier_event){.data = S("first")}));
    scene->ref = crier_stream_ref(stream);
}

/* ---- the stage -------------------------------------------------------------------------- */

static void routes(struct scene *s)
{
    s->broken =
        crier_server_route(s->server, "POST", "/ask/{name}", ask_everything, NULL) < 0 ||
        crier_server_route(s->server, "GET", "/later", put_off, s) < 0 ||
        crier_server_route(s->server, "GET", "/stream", open_stream, s) < 0 ||
        crier_server_static(s->server, "/static", "text/plain", S("constant")) < 0 ||
        crier_server_mount(s->server, "/e", s->hub, .may_publish = CRIER_LOCAL) < 0 ||
        crier_server_mount_admin(s->server, "/-", s->hub) < 0;
}

/* false: memory was out, and it was said. */
static bool set_up(struct scene *s, size_t fail_at)
{
    *s = (struct scene){0};
    test_mem_init(&s->mem, fail_at);
    s->clock = crier_test_clock_new();
    s->hub = crier_hub_new(.mem = &s->mem.mem, .clock = crier_test_clock_of(s->clock));
    s->server = crier_server_new(.mem = &s->mem.mem, .clock = crier_test_clock_of(s->clock),
                                 .hosts = "a.example", .cors = "http://a.example",
                                 .bye = &(struct crier_event){.data = S("bye")});
    if (!s->hub || !s->server)
        return false;
    routes(s);
    if (s->broken)
        assert_int_equal(crier_server_step(s->server), CRIER_ENOMEM);
    return !s->broken;
}

static void strike(struct scene *s)
{
    crier_hub_free(s->hub);
    assert_null(crier_server_free(s->server));
    crier_test_clock_free(s->clock);
    assert_int_equal(s->opened, s->closed);
    assert_int_equal(s->mem.alive, 0);
}

/* Asks; what comes is this status, a refusal for want of memory, or nothing (cut off). */
static struct crier_test_peer *ask(struct scene *s, const char *text, int status)
{
    struct crier_test_peer *peer = crier_test_connect(s->server);
    int got;

    if (!peer) { /* only because it could not start */
        assert_int_equal(crier_server_step(s->server), CRIER_ENOMEM);
        s->broken = true;
        return NULL;
    }
    got = crier_test_send(peer, crier_slice_of(text));
    assert_true(got == 0 || got == CRIER_GONE);
    got = test_status(peer);
    if (got != status && got != 500 && got != 503 && !(got == 0 && crier_test_ended(peer)))
        fail_msg("%s: %s", text, test_received(peer));
    if (got != status && !s->mem.failed)
        fail_msg("%s: %s", text, test_received(peer));
    return peer;
}

#define HOST " HTTP/1.1\r\nHost: localhost\r\n"
#define ASK "POST /ask/a%20b?q=1+2" HOST "Last-Event-ID: 7\r\nContent-Length: 4\r\n\r\nbody"

/* Nothing fails any more: all is as it was. */
static void works_again(struct scene *s)
{
    struct crier_test_peer *peer;

    s->mem.fail_at = 0;
    s->mem.failed = false;
    if (s->broken || !s->server || !s->hub)
        return;
    peer = ask(s, ASK, 200);
    if (s->broken)
        return;
    assert_received(peer, "\r\n\r\nbody");
    crier_test_peer_free(peer);
    assert_int_equal(crier_hub_publishf(s->hub, "x/again", NULL, "again"), 0);
    peer = ask(s, "GET /e/x/again?since=last:1" HOST "\r\n", 200);
    assert_received(peer, "data: again\n\n");
    crier_test_peer_free(peer);
    assert_int_equal(crier_test_settle(s->server), 0);
}

static void torture(const char *name, void (*play)(struct scene *))
{
    size_t nth = 0;
    bool failed;

    do {
        struct scene s;

        if (set_up(&s, ++nth))
            play(&s);
        failed = s.mem.failed;
        works_again(&s);
        strike(&s);
    } while (failed);
    print_message("%s: %zu allocations\n", name, nth - 1);
    assert_true(nth > 30);
}

/* ---- plays ------------------------------------------------------------------------------ */

static void play_requests(struct scene *s)
{
    crier_test_peer_free(ask(s, ASK, 200));
    crier_test_peer_free(ask(s, "GET /static" HOST "If-None-Match: *\r\n\r\n", 304));
    crier_test_peer_free(ask(s, "HEAD /static" HOST "\r\n", 200));
    crier_test_peer_free(ask(s, "DELETE /static" HOST "\r\n", 405));
    crier_test_peer_free(ask(s, "GET /none" HOST "\r\n", 404));
    crier_test_peer_free(ask(s,
                             "OPTIONS /static" HOST "Origin: http://a.example\r\n"
                             "Access-Control-Request-Method: GET\r\n\r\n",
                             204));
    crier_test_peer_free(ask(s,
                             "POST /ask/a%20b" HOST "Transfer-Encoding: chunked\r\n\r\n"
                             "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
                             200));
}

static void requests(void **state)
{
    torture("requests", play_requests);
}

static void play_later(struct scene *s)
{
    struct crier_test_peer *peer = ask(s, "GET /later" HOST "\r\n", 0);

    /* Put off, or answered that memory is out. */
    if (s->request.generation) {
        int r = crier_server_reply(s->server, s->request, 200, "text/plain", S("late"));

        assert_true(fine_or_out(r) || r == CRIER_GONE);
        assert_int_equal(crier_test_settle(s->server), 0);
        if (r == CRIER_ENOMEM) {
            r = crier_server_reply(s->server, s->request, 200, "text/plain", S("late"));
            assert_int_equal(r, 0);
            assert_int_equal(crier_test_settle(s->server), 0);
        }
        if (r == 0)
            assert_true(test_status(peer) == 200 || crier_test_ended(peer));
    }
    crier_test_peer_free(peer);
}

static void later(void **state)
{
    torture("later", play_later);
}

static void publish(struct scene *s, const char *topic, const char *data)
{
    int r = crier_hub_publishf(s->hub, topic, "type", "%s", data);

    assert_true(fine_or_out(r) || r == CRIER_EWOULDBLOCK);
    assert_int_equal(crier_test_settle(s->server), 0);
}

static void play_stream(struct scene *s)
{
    struct crier_test_peer *peer = ask(s, "GET /stream" HOST "Last-Event-ID: 1-1\r\n\r\n", 200);
    int r;

    if (s->broken)
        return;
    publish(s, "x/1", "one");
    crier_test_clock_advance(s->clock, 1000);
    assert_int_equal(crier_test_settle(s->server), 0);
    r = crier_stream_sendf(s->stream, "more", "%s", "text");
    assert_true(fine_or_out(r) || r == CRIER_GONE);
    r = crier_server_post(s->server, s->ref, &(struct crier_event){.data = S("posted")});
    assert_true(fine_or_out(r) || r == CRIER_GONE);
    publish(s, "x/2", "two");
    if (s->stream)
        r = crier_stream_finish(s->stream);
    assert_int_equal(crier_test_settle(s->server), 0);
    assert_null(s->stream); /* it was closed, one way or another */
    crier_test_peer_free(peer);
}

static void stream(void **state)
{
    torture("stream", play_stream);
}

#define PUBLISH(path, data)                                                                    \
    "POST " path HOST                                                                          \
    "Crier-Event: type\r\nIdempotency-Key: k\r\nContent-Length: 5\r\n\r\n" data
#define BATCH                                                                                  \
    "POST /e" HOST "Content-Type: application/x-ndjson\r\nContent-Length: 31\r\n\r\n"          \
    "{\"topic\":\"x/b\",\"data\":\"batch\"}\n"

static void play_mount(struct scene *s)
{
    struct crier_test_peer *follower, *many;

    follower = ask(s, "GET /e/x/1?event=type&lastEventId=1-1" HOST "\r\n", 200);
    many = ask(s, "GET /e?topic=x/*&topic=y&envelope=1" HOST "\r\n", 200);
    crier_test_peer_free(ask(s, PUBLISH("/e/x/1", "hello"), 201));
    crier_test_peer_free(ask(s, PUBLISH("/e/x/1", "hello"), 201));
    crier_test_peer_free(ask(s, BATCH, 201));
    crier_test_peer_free(
        ask(s, "GET /e/x/*?since=earliest" HOST "Accept: application/json\r\n\r\n", 200));
    crier_test_peer_free(ask(s, "HEAD /e/x" HOST "\r\n", 200));
    crier_test_peer_free(ask(s, "GET /-/topics" HOST "\r\n", 200));
    crier_test_peer_free(ask(s, "GET /-/stats" HOST "\r\n", 200));
    crier_test_peer_free(ask(s, "GET /-/problems/busy" HOST "\r\n", 200));
    crier_test_peer_free(ask(s, "DELETE /e/x/1" HOST "\r\n", 204));
    crier_test_peer_free(follower);
    crier_test_peer_free(many);
}

static void mounted(void **state)
{
    torture("mount", play_mount);
}

static void play_stop(struct scene *s)
{
    struct crier_test_peer *stream, *follower, *owed;
    int r = 0;

    stream = ask(s, "GET /stream" HOST "\r\n", 200);
    follower = ask(s, "GET /e/x/1" HOST "\r\n", 200);
    owed = ask(s, "GET /later" HOST "\r\n", 0);
    if (!s->broken) {
        publish(s, "x/1", "one");
        assert_int_equal(crier_server_stop(s->server), 0);
        r = crier_test_settle(s->server);
        for (int i = 0; i < 20 && r == 0; i++) {
            crier_test_clock_advance(s->clock, 1000);
            r = crier_test_settle(s->server);
        }
        assert_true(r == CRIER_STOPPED || r == CRIER_CUT);
        s->broken = true; /* it has ended */
    }
    crier_test_peer_free(stream);
    crier_test_peer_free(follower);
    crier_test_peer_free(owed);
}

static void stop(void **state)
{
    torture("stop", play_stop);
}

/* ---- out for good ------------------------------------------------------------------------ */

/* From the nth allocation on none succeeds, until the play is over. */
static void out_for_a_while(void **state)
{
    static void (*const plays[])(struct scene *) = {play_requests, play_stream, play_mount};

    for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++) {
        size_t before = 0, nth = 0;
        bool failed;

        do {
            struct scene s;

            if (set_up(&s, 0)) {
                before = s.mem.calls;
                s.mem.fail_at = before + ++nth;
                s.mem.stay = true;
                plays[i](&s);
            }
            failed = s.mem.failed;
            s.mem.stay = false;
            works_again(&s);
            strike(&s);
        } while (failed);
        assert_true(before > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests), cmocka_unit_test(later), cmocka_unit_test(stream),
        cmocka_unit_test(mounted),  cmocka_unit_test(stop),  cmocka_unit_test(out_for_a_while),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
