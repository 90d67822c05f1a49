/* SPDX-License-Identifier: MIT */
/* The client as programs see it, against a scripted server in the same thread: real sockets,
 * but time is given, so nothing sleeps. */
#include "base/buf.h"
#include "crier/client.h"
#include "server.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 5000 };

struct world {
    struct test_mem mem;
    struct crier_clock clock;
    struct crier_now now;
    struct test_server server;
    char url[64];
    struct crier_client *client;
    struct crier_buf events; /* "data\n" of each */
    struct crier_buf reason; /* of the last end, with a NUL */
    unsigned opens, downs;
    struct crier_down down;
    int decision;
    char header[64];
    uint32_t retry_ms;
    struct crier_buf comments;
    const char *stop_in; /* the callback that stops the client */
};

static struct crier_now read_world(void *ctx)
{
    return ((struct world *)ctx)->now;
}

/* Everything may be called in a callback; what would go round in circles is refused. */
static void called(struct world *w, const char *name)
{
    struct crier_client *client = w->client;

    assert_int_equal(crier_client_step(client), CRIER_EBUSY);
    assert_int_equal(crier_client_run(client), CRIER_EBUSY);
    assert_ptr_equal(crier_client_free(client), client);
    assert_true(crier_client_fd(client) >= 0);
    (void)crier_client_timeout(client);
    (void)crier_client_last_event_id(client);
    assert_non_null(crier_client_reason(client));
    (void)crier_client_header(client, "content-type");
    if (w->stop_in && strcmp(w->stop_in, name) == 0) {
        w->stop_in = "";
        assert_int_equal(crier_client_stop(client), 0);
    } else {
        assert_true(!w->stop_in || w->stop_in[0]); /* nothing comes after stop */
    }
}

static void on_open(struct crier_client *client, void *ctx)
{
    struct world *w = ctx;
    struct crier_slice type = crier_client_header(client, "CONTENT-type");

    w->opens++;
    assert_null(crier_client_header(client, "x-absent").data);
    assert_non_null(type.data);
    assert_int_equal(type.data[type.len], '\0');
    (void)snprintf(w->header, sizeof(w->header), "%s", type.data);
    assert_string_equal(crier_client_reason(client), "");
    called(w, "open");
}

static void on_event(struct crier_client *client, const struct crier_item *item, void *ctx)
{
    struct world *w = ctx;

    assert_null(crier_client_header(client, "content-type").data);
    crier_buf_append(&w->events, item->data);
    crier_buf_byte(&w->events, '\n');
    called(w, "event");
}

static void on_comment(struct crier_client *client, struct crier_slice comment, void *ctx)
{
    struct world *w = ctx;

    crier_buf_append(&w->comments, comment);
    called(w, "comment");
}

static void on_retry(struct crier_client *client, uint32_t retry_ms, void *ctx)
{
    struct world *w = ctx;

    w->retry_ms = retry_ms;
    called(w, "retry");
}

static int on_down(struct crier_client *client, const struct crier_down *down, void *ctx)
{
    struct world *w = ctx;

    w->downs++;
    w->down = *down;
    crier_buf_clear(&w->reason);
    crier_buf_append(&w->reason, down->reason);
    crier_buf_byte(&w->reason, '\0');
    assert_string_equal(crier_client_reason(client), w->reason.data);
    called(w, "down");
    return w->decision;
}

static void world_init(struct world *w, struct crier_client_options options)
{
    *w = (struct world){.clock = {read_world, w}, .now = {.wall_ms = 1000000, .boot_ms = 1000}};
    test_mem_init(&w->mem, 0);
    test_server_init(&w->server);
    crier_buf_init(&w->events, &crier_mem_libc);
    crier_buf_init(&w->comments, &crier_mem_libc);
    crier_buf_init(&w->reason, &crier_mem_libc);
    (void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/s", (unsigned)w->server.port);
    options.size = sizeof(options);
    options.mem = &w->mem.mem;
    options.clock = &w->clock;
    options.url = options.url ? options.url : w->url;
    options.proxy = "";
    options.on_open = on_open;
    options.on_event = on_event;
    options.on_comment = on_comment;
    options.on_retry = on_retry;
    options.on_down = on_down;
    options.ctx = w;
    w->client = crier_client_new_with(&options);
    assert_non_null(w->client);
}

static void world_deinit(struct world *w)
{
    assert_null(crier_client_free(w->client));
    assert_int_equal(w->mem.alive, 0);
    crier_buf_deinit(&w->events);
    crier_buf_deinit(&w->comments);
    crier_buf_deinit(&w->reason);
    test_server_deinit(&w->server);
}

/* Waits until the client has something to do, as a foreign loop would, and steps. */
static int step(struct world *w)
{
    struct pollfd p = {.fd = crier_client_fd(w->client), .events = POLLIN};
    int timeout = crier_client_timeout(w->client);

    (void)poll(&p, 1, timeout == 0 ? 0 : 5);
    return crier_client_step(w->client);
}

/* Steps until the server has a request. */
static void take_request(struct world *w)
{
    test_server_hang_up(&w->server);
    for (int i = 0; !test_server_turn(&w->server); i++) {
        assert_true(i < STEPS);
        assert_int_equal(step(w), 0);
    }
}

/* Steps until something else than 0 comes, or the next end. */
static int step_until_down(struct world *w)
{
    unsigned before = w->downs;
    int r = 0;

    for (int i = 0; r == 0 && w->downs == before; i++) {
        assert_true(i < STEPS);
        r = step(w);
    }
    return r;
}

static void step_until_events(struct world *w, const char *events)
{
    for (int i = 0; w->events.len < strlen(events); i++) {
        assert_true(i < STEPS);
        assert_int_equal(step(w), 0);
    }
    assert_slice_equal(crier_buf_slice(&w->events), crier_slice_of(events));
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

/* Between connections nothing is open until the delay is over; the first request has no id, the
 * second the one of the last whole event, whatever came after it. */
static void test_resume(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.first_delay_ms = 500});
    take_request(&w);
    assert_memory_equal(w.server.got, "GET /s HTTP/1.1\r\n", 17);
    assert_null(strstr(w.server.got, "Last-Event-ID"));
    test_server_say(&w.server, HEAD "id: 1\ndata: a\n\nid: 2\ndata: half");
    test_server_hang_up(&w.server);
    assert_int_equal(step_until_down(&w), 0);
    assert_slice_is(crier_buf_slice(&w.events), "a\n");
    assert_string_equal(w.header, "text/event-stream");
    assert_int_equal(w.down.kind, CRIER_DOWN_ENDED);
    assert_int_equal(w.down.status, 200);
    assert_true(w.down.will_retry);
    assert_in_range(w.down.delay_ms, 0, 500);
    assert_int_equal(crier_client_timeout(w.client), w.down.delay_ms);
    assert_slice_is(crier_client_last_event_id(w.client), "1");
    w.now.boot_ms += (uint64_t)w.down.delay_ms;
    take_request(&w);
    assert_non_null(strstr(w.server.got, "\r\nLast-Event-ID: 1\r\n"));
    test_server_say(&w.server, HEAD "id: 2\ndata: b\n\n");
    step_until_events(&w, "a\nb\n");
    assert_int_equal(w.opens, 2);
    assert_int_equal(w.downs, 1);
    assert_string_equal(crier_client_reason(w.client), "");
    world_deinit(&w);
}

/* A given last id is sent with the very first request, and so is the token; strings need not
 * outlive the call. */
static void test_given(void **state)
{
    struct world w;
    char id[] = "7-7", token[] = "secret";

    world_init(&w, (struct crier_client_options){.last_event_id = id, .bearer = token});
    memset(id, 'x', 3);
    memset(token, 'x', 6);
    take_request(&w);
    assert_non_null(strstr(w.server.got, "\r\nLast-Event-ID: 7-7\r\n"));
    assert_non_null(strstr(w.server.got, "\r\nAuthorization: Bearer secret\r\n"));
    world_deinit(&w);
}

/* Comments and retry are reported, and retry is the first delay from then on. */
static void test_retry(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.first_delay_ms = 1000000});
    take_request(&w);
    test_server_say(&w.server, HEAD ":hello\nretry: 20\n\ndata: x\n\n");
    step_until_events(&w, "x\n");
    assert_slice_is(crier_buf_slice(&w.comments), "hello");
    assert_int_equal(w.retry_ms, 20);
    test_server_hang_up(&w.server);
    assert_int_equal(step_until_down(&w), 0);
    assert_in_range(w.down.delay_ms, 0, 20);
    world_deinit(&w);
}

/* Silence is a dead connection exactly when the idle time is over; a comment begins it anew. */
static void test_idle(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.idle_timeout_ms = 1000});
    take_request(&w);
    test_server_say(&w.server, HEAD);
    while (w.opens == 0)
        assert_int_equal(step(&w), 0);
    assert_int_equal(crier_client_timeout(w.client), 1000);
    w.now.boot_ms += 999;
    test_server_say(&w.server, ":x\n");
    while (w.comments.len == 0)
        assert_int_equal(step(&w), 0);
    w.now.boot_ms += 999;
    assert_int_equal(crier_client_step(w.client), 0);
    assert_int_equal(w.downs, 0);
    w.now.boot_ms += 1;
    assert_int_equal(crier_client_step(w.client), 0);
    assert_int_equal(w.downs, 1);
    assert_int_equal(w.down.kind, CRIER_DOWN_ENDED);
    world_deinit(&w);
}

/* A server that accepts and says nothing is given up too; never with CRIER_OFF. */
static void test_mute(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.idle_timeout_ms = 1000});
    take_request(&w);
    w.now.boot_ms += 1000;
    assert_int_equal(crier_client_step(w.client), 0);
    assert_int_equal(w.downs, 1);
    assert_string_equal(w.reason.data, "the server accepts connections but does not answer");
    assert_int_equal(w.down.kind, CRIER_DOWN_UNREACHABLE);
    world_deinit(&w);

    world_init(&w, (struct crier_client_options){.idle_timeout_ms = CRIER_OFF});
    take_request(&w);
    w.now.boot_ms += UINT64_C(1) << 50;
    assert_int_equal(crier_client_step(w.client), 0);
    assert_int_equal(crier_client_timeout(w.client), -1);
    assert_int_equal(w.downs, 0);
    world_deinit(&w);
}

/* Waits until something has come to the client, and steps. */
static void step_on(struct world *w)
{
    struct pollfd p = {.fd = crier_client_fd(w->client), .events = POLLIN};

    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(crier_client_step(w->client), 0);
}

/* Nor does a head that comes byte by byte keep it waiting. */
static void test_slow_head(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.idle_timeout_ms = 1000});
    take_request(&w);
    w.now.boot_ms += 999;
    test_server_say(&w.server, "HTTP/1.1 200 OK\r\n");
    step_on(&w);
    assert_int_equal(w.downs, 0);
    assert_int_equal(crier_client_timeout(w.client), 1);
    w.now.boot_ms++;
    assert_int_equal(crier_client_step(w.client), 0);
    assert_int_equal(w.downs, 1);
    assert_string_equal(w.reason.data, "the server accepts connections but does not answer");
    world_deinit(&w);
}

/* What it will not come back from is told by on_down, once, and by step from then on. */
static void test_over(void **state)
{
    static const struct {
        const char *answer, *reason;
        enum crier_down_kind kind;
        unsigned status;
    } rows[] = {
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 Not Found",
         CRIER_DOWN_REFUSED, 404},
        {HEAD "data: 0123456789012345678901234567890123456789\n\n",
         "an event is larger than 32 bytes", CRIER_DOWN_INVALID, 200},
        {HEAD ":0123456789012345678901234567890123456789", "an event is larger than 32 bytes",
         CRIER_DOWN_INVALID, 200},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;

        world_init(&w, (struct crier_client_options){.max_event_bytes = 32});
        take_request(&w);
        test_server_say(&w.server, rows[i].answer);
        assert_int_equal(step_until_down(&w), CRIER_OVER);
        assert_int_equal(crier_client_step(w.client), CRIER_OVER);
        assert_int_equal(crier_client_run(w.client), CRIER_OVER);
        assert_int_equal(crier_client_timeout(w.client), -1);
        assert_string_equal(crier_client_reason(w.client), rows[i].reason);
        assert_int_equal(w.down.kind, rows[i].kind);
        assert_int_equal(w.down.status, rows[i].status);
        assert_false(w.down.will_retry);
        assert_int_equal(w.downs, 1);
        assert_int_equal(w.events.len, 0);
        world_deinit(&w);
    }
}

/* on_down decides otherwise, both ways; who comes back although it had meant to stop does so
 * after the first delay at least. */
static void test_decisions(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.first_delay_ms = 700});
    w.decision = CRIER_DECIDE_RETRY;
    take_request(&w);
    test_server_say(&w.server, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(step_until_down(&w), 0);
    assert_false(w.down.will_retry);
    assert_in_range(w.down.delay_ms, 700, 30000);
    w.now.boot_ms += (uint64_t)w.down.delay_ms - 1;
    assert_int_equal(crier_client_timeout(w.client), 1);
    w.now.boot_ms++;
    take_request(&w);
    w.decision = CRIER_DECIDE_STOP;
    test_server_say(&w.server, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(step_until_down(&w), CRIER_OVER);
    assert_true(w.down.will_retry);
    assert_string_equal(crier_client_reason(w.client), "503 Service Unavailable");
    world_deinit(&w);
}

/* A refusal whose words never end is concluded all the same. */
static void test_endless_refusal(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.idle_timeout_ms = 100000});
    take_request(&w);
    test_server_say(&w.server,
                    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\r\nbla bla");
    while (crier_client_timeout(w.client) > 3000)
        assert_int_equal(step(&w), 0);
    assert_int_equal(w.downs, 0);
    w.now.boot_ms += 3000;
    assert_int_equal(crier_client_step(w.client), 0);
    assert_int_equal(w.downs, 1);
    assert_string_equal(w.reason.data, "503 Service Unavailable");
    assert_true(w.down.delay_ms >= 7000);
    world_deinit(&w);
}

/* What was sent and is no GET is not sent again, and says so; what never left is. */
static void test_repeat(void **state)
{
    struct world w;
    struct crier_client_options post = {
        .method = "POST", .body = CRIER_SLICE("hello"), .content_type = "text/plain"};

    world_init(&w, post);
    take_request(&w);
    assert_memory_equal(w.server.got, "POST /s HTTP/1.1\r\n", 18);
    assert_non_null(strstr(w.server.got, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(w.server.got, "\r\nContent-Length: 5\r\n\r\nhello"));
    test_server_say(&w.server, HEAD "data: x\n\n");
    step_until_events(&w, "x\n");
    test_server_hang_up(&w.server);
    assert_int_equal(step_until_down(&w), CRIER_OVER);
    assert_false(w.down.will_retry);
    assert_non_null(strstr(w.reason.data, "; a POST request is not sent again by itself"));
    world_deinit(&w);

    post.repeat = true;
    world_init(&w, post);
    take_request(&w);
    test_server_hang_up(&w.server);
    assert_int_equal(step_until_down(&w), 0);
    assert_true(w.down.will_retry);
    world_deinit(&w);

    post.repeat = false;
    world_init(&w, post);
    (void)close(w.server.listener);
    assert_int_equal(step_until_down(&w), 0);
    assert_string_equal(w.reason.data, "connection refused");
    assert_true(w.down.will_retry);
    w.server.listener = -1;
    world_deinit(&w);
}

/* The status that is told is that of the answer there was: after a redirect to nowhere, none. */
static void test_redirected_away(void **state)
{
    struct test_server gone;
    struct world w;
    char text[128];

    test_server_init(&gone);
    test_server_deinit(&gone);
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:%u/\r\n\r\n",
                   (unsigned)gone.port);
    world_init(&w, (struct crier_client_options){.first_delay_ms = 1000});
    take_request(&w);
    test_server_say(&w.server, text);
    assert_int_equal(step_until_down(&w), 0);
    assert_int_equal(w.down.kind, CRIER_DOWN_UNREACHABLE);
    assert_int_equal(w.down.status, 0);
    world_deinit(&w);
}

/* A stream in a coding that was not asked for is refused in words, on whichever line it is. */
static void test_codings(void **state)
{
    static const struct {
        const char *headers, *reason;
    } rows[] = {
        {"Content-Encoding: gzip\r\n",
         "the stream is compressed (gzip), which was not asked for"},
        {"Content-Encoding: identity\r\nContent-Encoding: br\r\n",
         "the stream is compressed (br), which was not asked for"},
        {"Transfer-Encoding: gzip, chunked\r\n",
         "the stream is transferred as gzip, chunked, which was not asked for"},
        {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
         "the stream is transferred as gzip, which was not asked for"},
        {"Content-Encoding:\r\nContent-Encoding: Identity\r\nTransfer-Encoding: Chunked\r\n",
         ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s\r\n",
                       rows[i].headers);
        world_init(&w, (struct crier_client_options){.first_delay_ms = 1000});
        take_request(&w);
        test_server_say(&w.server, text);
        if (rows[i].reason[0]) {
            assert_int_equal(step_until_down(&w), CRIER_OVER);
            assert_int_equal(w.down.kind, CRIER_DOWN_REFUSED);
            assert_string_equal(w.reason.data, rows[i].reason);
        } else {
            step_on(&w);
            assert_int_equal(w.downs, 0);
        }
        assert_int_equal(w.opens, rows[i].reason[0] == '\0');
        world_deinit(&w);
    }
}

/* Options that make no sense are told by the first step, whatever on_down wishes. */
static void test_invalid(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.url = "ftp://a/"});
    w.decision = CRIER_DECIDE_RETRY;
    assert_int_equal(crier_client_timeout(w.client), 0);
    assert_int_equal(crier_client_step(w.client), CRIER_OVER);
    assert_int_equal(w.downs, 1);
    assert_int_equal(w.down.kind, CRIER_DOWN_INVALID);
    assert_false(w.down.will_retry);
    assert_non_null(strstr(w.reason.data, "must begin with http://"));
    assert_int_equal(crier_client_step(w.client), CRIER_OVER);
    world_deinit(&w);
}

/* Stopped inside any callback, no other comes, and step says so for good. */
static void test_stop_inside(void **state)
{
    static const char *const places[] = {"open", "event", "comment", "retry", "down"};

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        struct world w;
        int r = 0;

        world_init(&w, (struct crier_client_options){.first_delay_ms = 1});
        w.stop_in = places[i];
        take_request(&w);
        test_server_say(&w.server, HEAD ":c\nretry: 1\ndata: x\n\n:d\nretry: 2\ndata: y\n\n");
        test_server_hang_up(&w.server);
        for (int n = 0; r == 0; n++) {
            assert_true(n < STEPS);
            r = step(&w);
        }
        assert_int_equal(r, CRIER_STOPPED);
        assert_string_equal(w.stop_in, "");
        assert_int_equal(crier_client_step(w.client), CRIER_STOPPED);
        assert_int_equal(crier_client_run(w.client), CRIER_STOPPED);
        world_deinit(&w);
    }
}

static bool is_ready(const struct world *w)
{
    struct pollfd p = {.fd = crier_client_fd(w->client), .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

/* Stopped when it is over already, its descriptor is quiet after the next step. */
static void test_stop_after(void **state)
{
    struct world w;

    world_init(&w, (struct crier_client_options){.url = "ftp://a/"});
    assert_int_equal(crier_client_step(w.client), CRIER_OVER);
    assert_false(is_ready(&w));
    assert_int_equal(crier_client_stop(w.client), 0);
    assert_true(is_ready(&w));
    assert_int_equal(crier_client_step(w.client), CRIER_OVER);
    assert_false(is_ready(&w));
    world_deinit(&w);
}

/* A child that a program has forked holds what the client has closed: the descriptor for
 * foreign loops forgets it all the same. */
static void test_fork(void **state)
{
    struct world w;
    int hold[2];
    pid_t child;
    char byte;

    world_init(&w, (struct crier_client_options){.first_delay_ms = 1000});
    take_request(&w);
    assert_int_equal(pipe(hold), 0);
    child = fork();
    if (child == 0) {
        (void)close(hold[1]);
        _exit((int)read(hold[0], &byte, 1));
    }
    assert_true(child > 0);
    (void)close(hold[0]);
    test_server_say(&w.server, HEAD);
    assert_int_equal(shutdown(w.server.peer, SHUT_RDWR), 0);
    assert_int_equal(step_until_down(&w), 0);
    assert_false(is_ready(&w));
    (void)close(hold[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    world_deinit(&w);
}

static void *stop_elsewhere(void *client)
{
    assert_int_equal(crier_client_stop(client), 0);
    return NULL;
}

/* Stopped from another thread, a run that would wait for ever ends, and nothing is told. */
static void test_stop_elsewhere(void **state)
{
    struct world w;
    pthread_t thread;

    world_init(&w, (struct crier_client_options){.idle_timeout_ms = CRIER_OFF});
    take_request(&w);
    assert_int_equal(pthread_create(&thread, NULL, stop_elsewhere, w.client), 0);
    assert_int_equal(crier_client_run(w.client), CRIER_STOPPED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w.downs, 0);
    world_deinit(&w);
}

/* Nothing is there to be asked of nothing. */
static void test_null(void **state)
{
    assert_null(crier_client_free(NULL));
    assert_int_equal(crier_client_run(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_client_step(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_client_fd(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_client_timeout(NULL), CRIER_ENOMEM);
    assert_int_equal(crier_client_stop(NULL), CRIER_ENOMEM);
    assert_null(crier_client_last_event_id(NULL).data);
    assert_null(crier_client_header(NULL, "a").data);
    assert_string_equal(crier_client_reason(NULL), "");
}

/* Without any callbacks, from options of an unknown size: it still runs. */
static void test_bare(void **state)
{
    struct crier_client *client = crier_client_new_with(NULL);

    assert_non_null(client);
    assert_int_equal(crier_client_run(client), CRIER_OVER);
    assert_string_equal(crier_client_reason(client), "there is no URL to follow");
    assert_null(crier_client_free(client));
}

/* ---- memory ---- */

struct life {
    struct test_server server;
    struct crier_now now;
    int r;
};

static struct crier_now read_life(void *ctx)
{
    return ((struct life *)ctx)->now;
}

/* Steps until the server has the next request, or the client is over. */
static bool life_takes(struct life *life, struct crier_client *client)
{
    test_server_hang_up(&life->server);
    for (int i = 0; life->r == 0 && !test_server_turn(&life->server); i++) {
        struct pollfd p = {.fd = crier_client_fd(client), .events = POLLIN};

        assert_true(i < STEPS);
        (void)poll(&p, 1, 1);
        life->now.boot_ms += 100;
        life->r = crier_client_step(client);
    }
    return life->r == 0;
}

static void live(struct life *life, struct crier_client *client)
{
    if (!life_takes(life, client))
        return;
    test_server_say(&life->server, "HTTP/1.1 307 X\r\nLocation: ./b/../c\r\n\r\n");
    if (!life_takes(life, client))
        return;
    test_server_say(&life->server, "HTTP/1.1 503 X\r\nContent-Type: application/json\r\n"
                                   "Content-Length: 13\r\n\r\n{\"title\":\"a\"}");
    if (!life_takes(life, client))
        return;
    test_server_say(&life->server, HEAD "id: 1\nevent: e\nretry: 1\n:c\ndata: x\n\n");
    if (!life_takes(life, client))
        return;
    test_server_say(&life->server, "HTTP/1.1 204 X\r\n\r\n");
    while (life->r == 0)
        life->r = crier_client_step(client);
}

static void note_comment(struct crier_client *client, struct crier_slice comment, void *ctx)
{
}

/* The server goes away once the event has come. */
static void hang_up(struct crier_client *client, const struct crier_item *item, void *ctx)
{
    struct life *life = ctx;

    (void)shutdown(life->server.peer, SHUT_RDWR);
}

static int run_life(const struct crier_mem *mem, void *ctx)
{
    static const struct crier_client_header headers[] = {{"X-A", "b", false},
                                                         {"Cookie", "c", false}};
    struct life life = {.now = {.wall_ms = 1, .boot_ms = 1}};
    struct crier_clock clock = {read_life, &life};
    struct crier_client *client;
    char url[64];

    test_server_init(&life.server);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/s", (unsigned)life.server.port);
    client = crier_client_new(.mem = mem, .clock = &clock, .url = url, .headers = headers,
                              .header_count = 2, .bearer = "t", .last_event_id = "1",
                              .proxy = "", .ca_file = "none", .first_delay_ms = 1,
                              .on_comment = note_comment, .on_event = hang_up, .ctx = &life);
    if (client)
        live(&life, client);
    else
        life.r = CRIER_ENOMEM;
    if (life.r == CRIER_ENOMEM && client)
        assert_string_equal(crier_client_reason(client), "out of memory");
    assert_null(crier_client_free(client));
    test_server_deinit(&life.server);
    return life.r == CRIER_OVER ? 0 : life.r;
}

/* Through redirect, refusal, stream and end: whichever allocation fails, step says so, and
 * everything is freed. */
static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_life, NULL) >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_stop_after),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_redirected_away),
        cmocka_unit_test(test_codings),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_over),
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_endless_refusal),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_stop_inside),
        cmocka_unit_test(test_stop_elsewhere),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
