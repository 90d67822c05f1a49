/* SPDX-License-Identifier: MIT */
/*
 * Listening, running, stepping, stopping: every answer of theirs, and that nothing blocks.
 */
#include "request_support.h"

#include "net/listener.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define S(literal) CRIER_SLICE(literal)

static const struct crier_event bye = {.data = {"bye", 3}, .type = {"end", 3}};

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

/* A blocking connection to the loopback port. */
static int dial(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* ---- faults ----------------------------------------------------------------------------- */

static void assert_fault(struct crier_server_options options, const char *sentence)
{
    struct crier_server *server;

    options.size = sizeof(options);
    server = crier_server_new_with(&options);
    assert_non_null(server);
    if (!strstr(crier_server_error(server), sentence))
        fail_msg("\"%s\" does not say \"%s\"", crier_server_error(server), sentence);
    assert_int_equal(crier_server_listen(server), CRIER_EINVAL);
    assert_int_equal(crier_server_fd(server), CRIER_EINVAL);
    assert_int_equal(crier_server_timeout(server), 0);
    assert_int_equal(crier_server_step(server), CRIER_EINVAL);
    assert_int_equal(crier_server_run(server), CRIER_EINVAL);
    assert_int_equal(crier_server_run(server), CRIER_EINVAL);
    assert_int_equal(crier_server_port(server), 0);
    assert_null(crier_test_connect(server));
    assert_int_equal(crier_server_stop(server), 0);
    assert_int_equal(crier_server_step(server), CRIER_EINVAL);
    assert_null(crier_server_free(server));
}

static void bad_options(void **state)
{
    assert_fault((struct crier_server_options){.port = 70000}, ".port");
    assert_fault((struct crier_server_options){.host = ""}, ".host");
    assert_fault((struct crier_server_options){.host = "example.org"}, ".host");
    assert_fault((struct crier_server_options){.workers = -1}, ".workers");
    assert_fault((struct crier_server_options){.cors = "x"}, ".cors");
    assert_fault((struct crier_server_options){.bye = &(struct crier_event){.id = {"\n", 1}}},
                 ".bye");
    assert_fault((struct crier_server_options){.max_body = -7}, ".max_body");
}

/* A struct of an older release: what it did not have has its default. */
static void smaller_options(void **state)
{
    struct crier_server_options options = {.host = "::1", .hosts = "not a \x01 name"};
    char url[40];
    struct crier_server *server;

    options.size = offsetof(struct crier_server_options, hosts);
    server = crier_server_new_with(&options);
    assert_string_equal(crier_server_error(server), "");
    crier_server_free(server);
    options.size = sizeof(size_t);
    options.host = "nowhere";
    server = crier_server_new_with(&options);
    assert_string_equal(crier_server_error(server), "");
    crier_server_free(server);
    server = crier_server_new_with(NULL);
    assert_string_equal(crier_server_error(server), "");
    assert_int_equal(crier_server_listen(server), 0);
    assert_true(crier_server_port(server) > 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", crier_server_port(server));
    assert_string_equal(crier_server_url(server), url);
    crier_server_free(server);
}

static void a_port_in_use(void **state)
{
    struct crier_server *first = crier_server_new(), *second;
    char sentence[100];
    int port;

    assert_int_equal(crier_server_port(first), 0);
    assert_int_equal(crier_server_listen(first), 0);
    assert_int_equal(crier_server_listen(first), 0);
    port = crier_server_port(first);
    assert_true(port > 0);
    snprintf(sentence, sizeof(sentence), "cannot listen on 127.0.0.1:%d: address in use", port);

    second = crier_server_new(.port = port);
    assert_int_equal(crier_server_step(second), CRIER_EADDRINUSE);
    assert_string_equal(crier_server_error(second), sentence);
    assert_int_equal(crier_server_step(second), CRIER_EADDRINUSE);
    assert_int_equal(crier_server_fd(second), CRIER_EADDRINUSE);
    crier_server_free(second);
    second = crier_server_new(.port = port, .stop_on_signals = true);
    assert_int_equal(crier_server_run(second), CRIER_EADDRINUSE);
    assert_string_equal(crier_server_error(second), sentence);
    assert_int_equal(crier_server_port(second), 0);
    crier_server_free(second);
    /* Its port is free again when it is. */
    crier_server_free(first);
    first = crier_server_new(.port = port);
    assert_int_equal(crier_server_listen(first), 0);
    assert_int_equal(crier_server_port(first), port);
    crier_server_free(first);
}

static void hosts(void **state)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "*", "127.0.0.2"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct crier_server *server = crier_server_new(.host = names[i]);

        assert_int_equal(crier_server_listen(server), 0);
        assert_true(crier_server_port(server) > 0);
        if (i != 3)
            close(dial(crier_server_port(server)));
        crier_server_free(server);
    }
}

/* ---- stepping --------------------------------------------------------------------------- */

static void say(struct crier_request *request, void *ctx)
{
    crier_reply(request, 200, "text/plain", S("hello"));
}

/* Over a real socket, by the descriptor alone: it tells of all there is to do. */
static void by_descriptor(void **state)
{
    struct crier_server *server = crier_server_new();
    char answer[1000] = "";
    size_t len = 0;
    int fd, peer;

    assert_int_equal(crier_server_route(server, "GET", "/", say, NULL), 0);
    assert_int_equal(crier_server_timeout(server), 0); /* step has something to say */
    fd = crier_server_fd(server);
    assert_true(fd >= 0);
    assert_true(crier_server_port(server) > 0);
    assert_int_equal(crier_server_step(server), 0);
    assert_false(readable(fd));
    assert_int_equal(crier_server_timeout(server), -1);
    peer = dial(crier_server_port(server));
    assert_true(peer >= 0);
    assert_true(readable(fd));
    assert_int_equal(crier_server_step(server), 0);
    assert_true(crier_server_timeout(server) > 0); /* the head has its time */
    assert_int_equal(send(peer, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35, 0), 35);
    while (!strstr(answer, "hello")) {
        ssize_t n;

        assert_int_equal(crier_server_fd(server), fd);
        if (readable(fd))
            assert_int_equal(crier_server_step(server), 0);
        n = recv(peer, answer + len, sizeof(answer) - len - 1, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
    }
    /* From any thread: the stop makes it readable. (It may have been so in vain before: the
     * kernel tells when it has sent.) */
    for (int i = 0; i < 100 && readable(fd); i++)
        assert_int_equal(crier_server_step(server), 0);
    assert_false(readable(fd));
    assert_int_equal(crier_server_stop(server), 0);
    assert_true(readable(fd));
    assert_int_equal(crier_test_settle(server), CRIER_STOPPED);
    assert_int_equal(crier_server_step(server), CRIER_STOPPED);
    assert_int_equal(crier_server_run(server), 0);
    assert_int_equal(crier_server_timeout(server), 0);
    assert_true(crier_server_fd(server) < 0);
    assert_int_equal(crier_server_port(server), 0);
    assert_string_equal(crier_server_error(server), "");
    assert_int_equal(recv(peer, answer, sizeof(answer), 0), 0); /* an orderly end */
    close(peer);
    assert_null(crier_test_connect(server));
    crier_server_free(server);
}

/* What comes from outside the loop makes it readable too: publishes, answers by reference. */
static void later(struct crier_request *request, void *ctx)
{
    struct crier_ref *ref = ctx;

    *ref = crier_request_later(request);
}

static void assert_rests(struct crier_server *server)
{
    assert_int_equal(crier_test_settle(server), 0);
    for (int i = 0; i < 100 && readable(crier_server_fd(server)); i++)
        assert_int_equal(crier_server_step(server), 0);
    assert_false(readable(crier_server_fd(server)));
}

static void told_from_outside(void **state)
{
    struct crier_test_peer *follower, *peer;
    struct crier_ref ref = {0};
    struct crier_hub *hub;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    hub = crier_hub_new(.clock = crier_test_clock_of(t.clock));
    assert_int_equal(crier_server_mount(t.server, "/e", hub), 0);
    test_route(&t, "*", "/later", later, &ref);
    follower = test_asked(&t, "GET /e/x", "");
    peer = test_asked(&t, "HEAD /later", "");
    assert_rests(t.server);
    assert_int_equal(crier_hub_publishf(hub, "x", NULL, "news"), 0);
    assert_true(readable(crier_server_fd(t.server)));
    assert_int_equal(crier_server_step(t.server), 0);
    assert_received(follower, "data: news\n");
    assert_rests(t.server);
    assert_int_equal(crier_server_reply(t.server, ref, 200, "text/plain", S("hello")), 0);
    assert_true(readable(crier_server_fd(t.server)));
    assert_int_equal(crier_server_step(t.server), 0);
    assert_received(peer, "Content-Length: 5\r\n");
    assert_not_received(peer, "hello");
    test_ask(peer, "GET /later", ""); /* the connection goes on */
    assert_int_equal(crier_server_reply(t.server, ref, 204, NULL, S("")), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_int_equal(test_status(peer), 204);
    crier_test_peer_free(peer);
    crier_test_peer_free(follower);
    crier_hub_free(hub);
    test_server_deinit(&t);
}

/* A handler may answer by reference at once, before it returns. */
static void at_once(struct crier_request *request, void *ctx)
{
    struct crier_server *server = crier_request_server(request);
    struct crier_ref ref;

    assert_int_equal(crier_response_header(request, "X-A", "b"), 0);
    ref = crier_request_later(request);
    assert_int_equal(crier_server_reply(server, ref, 200, "text/plain", S("at once")), 0);
    assert_int_equal(crier_server_reply(server, ref, 200, "text/plain", S("twice")),
                     CRIER_GONE);
}

static void answered_by_its_handler(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "*", "/", at_once, NULL);
    peer = test_peer(&t);
    test_send(peer, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
                    "GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(test_count(peer, "\r\n\r\nat once"), 3);
    assert_int_equal(test_count(peer, "X-A: b\r\n"), 3);
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void one_worker_only(void **state)
{
    struct crier_server *server = crier_server_new(.workers = 2);

    assert_int_equal(crier_server_step(server), CRIER_EINVAL);
    assert_int_equal(crier_server_fd(server), CRIER_EINVAL);
    assert_non_null(strstr(crier_server_error(server), "several workers"));
    assert_null(crier_test_connect(server));
    /* That is all: it can be run. */
    assert_int_equal(crier_server_stop(server), 0);
    assert_int_equal(crier_server_run(server), 0);
    assert_int_equal(crier_server_run(server), 0);
    crier_server_free(server);
}

static void stopped_before_it_runs(void **state)
{
    struct crier_server *server = crier_server_new();

    assert_int_equal(crier_server_stop(server), 0);
    assert_int_equal(crier_server_run(server), 0);
    crier_server_free(server);
    server = crier_server_new();
    assert_int_equal(crier_server_stop(server), 0);
    assert_int_equal(crier_server_stop(server), 0);
    assert_int_equal(crier_server_run(server), 0); /* nobody was cut off */
    crier_server_free(server);
}

/* ---- inside callbacks ------------------------------------------------------------------- */

static void call_all(struct crier_request *request, void *ctx)
{
    struct crier_server *server = crier_request_server(request);

    assert_int_equal(crier_server_run(server), CRIER_EBUSY);
    assert_int_equal(crier_server_step(server), CRIER_EBUSY);
    assert_ptr_equal(crier_server_free(server), server);
    assert_int_equal(crier_test_settle(server), CRIER_EBUSY);
    assert_true(crier_server_fd(server) >= 0);
    assert_int_equal(crier_server_route(server, "GET", "/x", say, NULL), CRIER_EBUSY);
    assert_int_equal(crier_server_stop(server), 0);
    crier_reply(request, 200, "text/plain", S("alive"));
}

static void inside_a_callback(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", call_all, NULL);
    peer = test_peer(&t);
    test_send(peer, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_received(peer, "alive");
    assert_int_equal(crier_test_settle(t.server), CRIER_STOPPED);
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* ---- a clean stop ----------------------------------------------------------------------- */

struct streams {
    struct test_server t;
    struct crier_hub *hub;
    struct test_calls plain, following;
    struct crier_test_peer *peers[5]; /* plain, following, mounted, mounted NDJSON, idle */
};

static void open_following(struct crier_request *request, void *ctx)
{
    struct streams *s = ctx;

    test_open(request, &s->following);
    assert_int_equal(crier_stream_follow(s->following.stream, s->hub, "x"), 0);
}

static void open_streams(struct streams *s, struct crier_server_options options)
{
    *s = (struct streams){0};
    options.retry_ms = 2500;
    test_server_init(&s->t, options);
    s->hub = crier_hub_new(.clock = crier_test_clock_of(s->t.clock));
    test_route(&s->t, "GET", "/plain", test_open, &s->plain);
    test_route(&s->t, "GET", "/following", open_following, s);
    test_route(&s->t, "GET", "/say", say, NULL);
    assert_int_equal(crier_server_mount(s->t.server, "/e", s->hub, .may_publish = CRIER_ANYONE),
                     0);
    assert_int_equal(crier_server_mount_admin(s->t.server, "/-", s->hub), 0);
    s->peers[0] = test_get(&s->t, "/plain");
    s->peers[1] = test_get(&s->t, "/following");
    s->peers[2] = test_get(&s->t, "/e/x");
    s->peers[3] = test_asked(&s->t, "GET /e/x", "Accept: application/x-ndjson\r\n");
    s->peers[4] = test_asked(&s->t, "GET /say", "");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(test_status(s->peers[i]), 200);
        assert_received(s->peers[i], i == 3 ? "" : "retry: 2500\n");
        crier_test_forget(s->peers[i]);
    }
}

static void close_streams(struct streams *s)
{
    for (int i = 0; i < 5; i++)
        crier_test_peer_free(s->peers[i]);
    crier_hub_free(s->hub);
    test_server_deinit(&s->t);
    assert_int_equal(s->plain.closed, 1);
    assert_int_equal(s->following.closed, 1);
}

/* What is queued and published, then `bye`, when to come back, and the clean end, for each. */
static void everybody_is_told(void **state)
{
    struct streams s;

    open_streams(&s, (struct crier_server_options){.bye = &bye});
    assert_int_equal(crier_stream_sendf(s.plain.stream, NULL, "queued"), 0);
    assert_int_equal(crier_hub_publishf(s.hub, "x", NULL, "published"), 0);
    assert_int_equal(crier_server_stop(s.t.server), 0);
    assert_int_equal(crier_test_settle(s.t.server), CRIER_STOPPED);
    for (int i = 0; i < 4; i++) {
        const char *text = test_received(s.peers[i]);

        assert_true(crier_test_ended(s.peers[i]));
        assert_received(s.peers[i], i == 0 ? "data: queued\n" : "published");
        assert_int_equal(test_count(s.peers[i], "event: end\ndata: bye\n\n"), i < 3);
        if (i < 3) {
            assert_true(strstr(text, i ? "published" : "queued") < strstr(text, "bye"));
            assert_true(strstr(text, "bye") < strstr(text, "retry: 2500\n"));
        }
        assert_non_null(strstr(text, "\r\n0\r\n\r\n"));
    }
    assert_true(crier_test_ended(s.peers[4]));
    assert_int_equal(s.plain.why, CRIER_CLOSE_STOPPED);
    assert_int_equal(s.following.why, CRIER_CLOSE_STOPPED);
    assert_int_equal(crier_server_step(s.t.server), CRIER_STOPPED);
    close_streams(&s);
}

/* Who takes nothing holds the end up for grace_ms, no longer; new requests are sent away. */
static void who_takes_nothing_is_cut(void **state)
{
    static char large[200000];
    struct crier_test_peer *peer;
    struct streams s;

    open_streams(&s, (struct crier_server_options){.grace_ms = 3000, .queue_bytes = 1 << 20});
    memset(large, 'x', sizeof(large) - 1);
    crier_test_stall(s.peers[0], true);
    assert_int_equal(crier_stream_sendf(s.plain.stream, NULL, "%s", large), 0);
    assert_int_equal(crier_server_stop(s.t.server), 0);
    assert_int_equal(crier_test_settle(s.t.server), 0);
    assert_true(crier_test_ended(s.peers[2]));
    assert_int_equal(s.following.closed, 1);
    assert_int_equal(s.plain.closed, 0);
    assert_int_equal(crier_stream_sendf(s.plain.stream, NULL, "late"), CRIER_GONE);

    peer = test_get(&s.t, "/plain"); /* an EventSource gives up for good on anything but 200 */
    assert_int_equal(test_status(peer), 200);
    assert_received(peer, "retry: ");
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    assert_answer(&s.t, "GET /say", "", 503, "\"code\":\"draining\"");
    assert_answer(&s.t, "GET /say", "", 503, "Retry-After: ");
    assert_answer(&s.t, "POST /e/x", "Content-Length: 1\r\n\r\nx", 503, "draining");
    assert_answer(&s.t, "GET /-/health", "", 503, "{\"status\":\"draining\"}");
    test_advance(&s.t, 2999);
    assert_int_equal(s.plain.closed, 0);
    crier_test_clock_advance(s.t.clock, 1);
    assert_int_equal(crier_test_settle(s.t.server), CRIER_CUT);
    assert_int_equal(crier_server_step(s.t.server), CRIER_CUT);
    assert_int_equal(crier_server_run(s.t.server), CRIER_CUT);
    assert_int_equal(s.plain.closed, 1);
    assert_int_equal(s.plain.why, CRIER_CLOSE_STOPPED);
    close_streams(&s);
}

static void a_second_stop_cuts_off(void **state)
{
    static char large[200000];
    struct streams s;

    open_streams(&s, (struct crier_server_options){.queue_bytes = 1 << 20});
    memset(large, 'x', sizeof(large) - 1);
    crier_test_stall(s.peers[0], true);
    assert_int_equal(crier_stream_sendf(s.plain.stream, NULL, "%s", large), 0);
    assert_int_equal(crier_server_stop(s.t.server), 0);
    assert_int_equal(crier_test_settle(s.t.server), 0);
    assert_int_equal(crier_server_stop(s.t.server), 0);
    assert_int_equal(crier_test_settle(s.t.server), CRIER_CUT);
    close_streams(&s);
}

/* A request that is answered later is waited for as well. */
static void what_is_owed_is_paid(void **state)
{
    struct crier_test_peer *peer;
    struct crier_ref ref = {0};
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", later, &ref);
    peer = test_asked(&t, "GET /", "");
    assert_int_equal(crier_server_stop(t.server), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    test_advance(&t, 4000);
    assert_int_equal(crier_server_reply(t.server, ref, 200, "text/plain", S("owed")), 0);
    assert_int_equal(crier_test_settle(t.server), CRIER_STOPPED);
    assert_received(peer, "owed");
    crier_test_peer_free(peer);
    test_server_deinit(&t);

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", later, &ref);
    peer = test_asked(&t, "GET /", "");
    assert_int_equal(crier_server_stop(t.server), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    crier_test_clock_advance(t.clock, 5000);
    assert_int_equal(crier_test_settle(t.server), CRIER_CUT);
    assert_int_equal(crier_server_reply(t.server, ref, 200, NULL, S("")), CRIER_GONE);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* One that has just come is told, too; one that never says anything is not waited for. */
static void who_has_just_come(void **state)
{
    struct crier_test_peer *silent, *late;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", say, NULL);
    silent = test_peer(&t);
    late = test_peer(&t);
    assert_int_equal(crier_server_stop(t.server), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    test_ask(late, "GET /", "");
    assert_int_equal(test_status(late), 503);
    assert_received(late, "\"code\":\"draining\"");
    assert_false(crier_test_ended(silent));
    crier_test_clock_advance(t.clock, 200);
    assert_int_equal(crier_test_settle(t.server), CRIER_STOPPED);
    assert_true(crier_test_ended(silent));
    assert_int_equal(crier_test_received(silent).len, 0);
    crier_test_peer_free(silent);
    crier_test_peer_free(late);
    test_server_deinit(&t);
}

/* ---- real threads, real signals ---------------------------------------------------------- */

static void *stop_it(void *ctx)
{
    struct crier_server *server = ctx;
    char answer[1000];
    int peer = dial(crier_server_port(server));

    assert_true(peer >= 0);
    assert_int_equal(send(peer, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35, 0), 35);
    assert_true(recv(peer, answer, sizeof(answer), 0) > 0);
    crier_server_stop(server);
    while (recv(peer, answer, sizeof(answer), 0) > 0) {
    }
    close(peer);
    return NULL;
}

static void run_with(int workers)
{
    struct crier_server *server = crier_server_new(.workers = workers);
    struct sigaction before, after;
    sigset_t mask_before, mask_after;
    pthread_t thread;

    sigaction(SIGINT, NULL, &before);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    assert_int_equal(crier_server_route(server, "GET", "/", say, NULL), 0);
    assert_int_equal(crier_server_listen(server), 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_it, server), 0);
    assert_int_equal(crier_server_run(server), 0);
    pthread_join(thread, NULL);
    sigaction(SIGINT, NULL, &after);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&mask_before, i), sigismember(&mask_after, i));
    assert_true(before.sa_handler == after.sa_handler);
    crier_server_free(server);
}

static void runs_and_stops(void **state)
{
    run_with(1);
    run_with(3);
}

enum how { RUN, STEP, PEERS };

static int until_it_stops(struct crier_server *server, enum how how)
{
    int r = 0;

    if (how == RUN)
        return crier_server_run(server);
    while (r == 0) {
        struct pollfd p = {.fd = crier_server_fd(server), .events = POLLIN};

        poll(&p, 1, crier_server_timeout(server));
        r = crier_server_step(server);
    }
    return r == CRIER_STOPPED ? 0 : r;
}

/* In a child: SIGTERM comes while it serves; its mask and its handlers are what they were. */
static int stopped_by_signal(int signal, enum how how)
{
    struct crier_server *server = crier_server_new(.stop_on_signals = true);
    struct crier_test_peer *peer = NULL;
    sigset_t set;

    if (crier_server_route(server, "GET", "/", say, NULL) || crier_server_listen(server))
        return 10;
    if (how == PEERS) {
        peer = crier_test_connect(server);
        if (!peer || crier_test_get(peer, "/") != 0)
            return 11;
    } else if (how == STEP && crier_server_step(server) != 0) {
        return 12;
    }
    /* For run it is pending when the server begins: blocked here, read there. */
    if (how == RUN) {
        sigemptyset(&set);
        sigaddset(&set, signal);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
    kill(getpid(), signal);
    if (until_it_stops(server, how) != 0)
        return 13;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    if (sigismember(&set, signal) != (how == RUN))
        return 14;
    crier_test_peer_free(peer);
    crier_server_free(server);
    return 0;
}

static int in_a_child(int (*child)(int, enum how), int signal, enum how how)
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20); /* a child that hangs is a failure, not a hang */
        _exit(child(signal, how));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

/* Its mask is given back where it could not even begin. */
static int failed_with_signals(int signal, enum how how)
{
    struct crier_server *first = crier_server_new(), *server;
    sigset_t set;
    int r;

    if (crier_server_listen(first))
        return 10;
    server = crier_server_new(.port = crier_server_port(first), .stop_on_signals = true);
    r = how == RUN ? crier_server_run(server) : crier_server_step(server);
    if (r != CRIER_EADDRINUSE)
        return 11;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    if (sigismember(&set, signal))
        return 12;
    kill(getpid(), signal); /* and is not swallowed */
    return 13;
}

static int not_asked_to(int signal, enum how how)
{
    struct crier_server *server = crier_server_new();

    if (crier_server_step(server) != 0)
        return 10;
    kill(getpid(), signal);
    return 11;
}

static void signals(void **state)
{
    for (enum how how = RUN; how <= PEERS; how++) {
        assert_int_equal(in_a_child(stopped_by_signal, SIGTERM, how), 0);
        assert_int_equal(in_a_child(stopped_by_signal, SIGINT, how), 0);
    }
    assert_int_equal(in_a_child(failed_with_signals, SIGTERM, RUN), 100 + SIGTERM);
    assert_int_equal(in_a_child(failed_with_signals, SIGTERM, STEP), 100 + SIGTERM);
    assert_int_equal(in_a_child(not_asked_to, SIGTERM, STEP), 100 + SIGTERM);
    assert_int_equal(in_a_child(not_asked_to, SIGINT, STEP), 100 + SIGINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_options),
        cmocka_unit_test(smaller_options),
        cmocka_unit_test(a_port_in_use),
        cmocka_unit_test(hosts),
        cmocka_unit_test(by_descriptor),
        cmocka_unit_test(told_from_outside),
        cmocka_unit_test(answered_by_its_handler),
        cmocka_unit_test(one_worker_only),
        cmocka_unit_test(stopped_before_it_runs),
        cmocka_unit_test(inside_a_callback),
        cmocka_unit_test(everybody_is_told),
        cmocka_unit_test(who_takes_nothing_is_cut),
        cmocka_unit_test(a_second_stop_cuts_off),
        cmocka_unit_test(what_is_owed_is_paid),
        cmocka_unit_test(who_has_just_come),
        cmocka_unit_test(runs_and_stops),
        cmocka_unit_test(signals),
    };
    return cmocka_run_group_tests_name("running", tests, NULL, NULL);
}
