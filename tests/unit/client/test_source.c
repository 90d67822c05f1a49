/* SPDX-License-Identifier: MIT */
/* The source against a scripted server in the same thread: real sockets, but time is given, so
 * nothing sleeps. */
#include "client/source.h"
#include "support.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

enum { STEPS = 2000 };

struct world {
    struct test_mem mem;
    struct crier_now now;
    int listener, server; /* server: the connection accepted last, or -1 */
    char url[64];
    struct crier_source *source;
    struct crier_buf events; /* "data\n" of each */
    unsigned opens, downs;
    struct crier_buf reason;
    uint64_t delay_ms;
    bool enough;
};

static void on_open(void *ctx)
{
    ((struct world *)ctx)->opens++;
}

static bool on_event(void *ctx, const struct crier_item *event)
{
    struct world *w = ctx;

    crier_buf_append(&w->events, event->data);
    crier_buf_byte(&w->events, '\n');
    return !w->enough;
}

static void on_down(void *ctx, const struct crier_source_down *down)
{
    struct world *w = ctx;

    w->downs++;
    w->delay_ms = down->delay_ms;
    crier_buf_clear(&w->reason);
    crier_buf_append(&w->reason, down->reason);
}

static void world_init(struct world *w, struct crier_source_options options)
{
    static const struct crier_source_handlers handlers = {
        .open = on_open, .event = on_event, .down = on_down};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    *w = (struct world){.server = -1, .now = {.wall_ms = 1000000, .boot_ms = 1000}};
    test_mem_init(&w->mem, 0);
    crier_buf_init(&w->events, &crier_mem_libc);
    crier_buf_init(&w->reason, &crier_mem_libc);
    w->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(w->listener >= 0);
    assert_int_equal(bind(w->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(w->listener, 8), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/s",
                   (unsigned)ntohs(address.sin_port));
    options.url = crier_slice_of(w->url);
    options.handlers = &handlers;
    options.ctx = w;
    options.seed = 1;
    assert_int_equal(crier_source_new(&w->mem.mem, &options, &w->source), 0);
}

static void world_deinit(struct world *w)
{
    crier_source_free(w->source);
    assert_int_equal(w->mem.alive, 0);
    crier_buf_deinit(&w->events);
    crier_buf_deinit(&w->reason);
    (void)close(w->listener);
    if (w->server >= 0)
        (void)close(w->server);
}

static int step(struct world *w)
{
    return crier_source_step(w->source, w->now);
}

/* Steps until the server has a request; returns it in text. */
static void accept_request(struct world *w, char *text, size_t size)
{
    struct pollfd p = {.fd = w->listener, .events = POLLIN};
    size_t len = 0;

    if (w->server >= 0)
        (void)close(w->server);
    for (int i = 0; i < STEPS && poll(&p, 1, 1) == 0; i++)
        assert_int_equal(step(w), 0);
    w->server = accept(w->listener, NULL, NULL);
    assert_true(w->server >= 0);
    p.fd = w->server;
    for (int i = 0; i < STEPS && (len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4) != 0); i++) {
        assert_int_equal(step(w), 0);
        if (poll(&p, 1, 1) > 0) {
            ssize_t n = recv(w->server, text + len, size - 1 - len, 0);

            assert_true(n > 0);
            len += (size_t)n;
        }
    }
    text[len] = '\0';
}

static void serve(struct world *w, const char *text)
{
    assert_int_equal(send(w->server, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* Waits for the bytes on the source's own connection, then steps once. */
static int step_when_ready(struct world *w)
{
    struct pollfd p = {.fd = crier_source_fd(w->source), .events = POLLIN};

    assert_int_equal(poll(&p, 1, 5000), 1);
    return step(w);
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

/* Between connections nothing is open until the delay is over; the first request has no id, the
 * second the one of the last whole event, whatever came after it. */
static void test_resume(void **state)
{
    struct world w;
    char request[2048];

    world_init(&w, (struct crier_source_options){.backoff = {.first_ms = 500}});
    accept_request(&w, request, sizeof(request));
    assert_memory_equal(request, "GET /s HTTP/1.1\r\n", 17);
    assert_null(strstr(request, "Last-Event-ID"));
    serve(&w, HEAD "id: 1\ndata: a\n\nid: 2\ndata: half");
    (void)close(w.server);
    w.server = -1;
    while (w.downs == 0)
        assert_int_equal(step_when_ready(&w), 0);
    assert_slice_is(crier_buf_slice(&w.events), "a\n");
    assert_true(w.delay_ms <= 500);
    assert_int_equal(crier_source_fd(w.source), -1);
    assert_int_equal(crier_source_timeout(w.source, w.now), w.delay_ms);
    w.now.boot_ms += w.delay_ms;
    accept_request(&w, request, sizeof(request));
    assert_non_null(strstr(request, "\r\nLast-Event-ID: 1\r\n"));
    serve(&w, HEAD "id: 2\ndata: b\n\n");
    while (w.events.len < 4)
        assert_int_equal(step_when_ready(&w), 0);
    assert_slice_is(crier_buf_slice(&w.events), "a\nb\n");
    assert_int_equal(w.opens, 2);
    world_deinit(&w);
}

/* A given last id is sent with the very first request, and so is the token. */
static void test_given(void **state)
{
    struct world w;
    char request[2048];

    world_init(&w, (struct crier_source_options){.last_id = CRIER_SLICE("7-7"),
                                                 .token = CRIER_SLICE("secret")});
    accept_request(&w, request, sizeof(request));
    assert_non_null(strstr(request, "\r\nLast-Event-ID: 7-7\r\n"));
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer secret\r\n"));
    world_deinit(&w);
}

/* Silence is a dead connection exactly when the idle time is over; a comment begins it anew. */
static void test_idle(void **state)
{
    struct world w;
    char request[2048];

    world_init(&w, (struct crier_source_options){.idle_ms = 1000});
    accept_request(&w, request, sizeof(request));
    serve(&w, HEAD);
    while (w.opens == 0)
        assert_int_equal(step_when_ready(&w), 0);
    assert_int_equal(crier_source_timeout(w.source, w.now), 1000);
    w.now.boot_ms += 999;
    serve(&w, ":\n");
    assert_int_equal(step_when_ready(&w), 0);
    w.now.boot_ms += 999;
    assert_int_equal(step(&w), 0);
    assert_int_equal(w.downs, 0);
    w.now.boot_ms += 1;
    assert_int_equal(step(&w), 0);
    assert_int_equal(w.downs, 1);
    world_deinit(&w);
}

/* A server that accepts and says nothing is given up too. */
static void test_mute(void **state)
{
    struct world w;
    char request[2048];

    world_init(&w, (struct crier_source_options){.idle_ms = 1000});
    accept_request(&w, request, sizeof(request));
    w.now.boot_ms += 1000;
    assert_int_equal(step(&w), 0);
    assert_int_equal(w.downs, 1);
    assert_slice_is(crier_buf_slice(&w.reason),
                    "the server accepts connections but does not answer");
    world_deinit(&w);
}

/* The end is told by step, once and for good, with its reason; a handler's own wish has none.
 */
static void test_over(void **state)
{
    static const struct {
        const char *answer, *reason;
        bool enough;
    } rows[] = {
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 Not Found", false},
        {HEAD "data: x\n\ndata: never\n\n", "", true},
        {HEAD "data: 0123456789012345678901234567890123456789\n\n",
         "an event is larger than 32 bytes", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;
        char request[2048];
        int r = 0;

        world_init(&w, (struct crier_source_options){.max_event_bytes = 32});
        w.enough = rows[i].enough;
        accept_request(&w, request, sizeof(request));
        serve(&w, rows[i].answer);
        for (int n = 0; r == 0 && n < STEPS; n++)
            r = step_when_ready(&w);
        assert_int_equal(r, CRIER_SOURCE_OVER);
        assert_int_equal(step(&w), CRIER_SOURCE_OVER);
        assert_int_equal(crier_source_fd(w.source), -1);
        assert_slice_equal(crier_source_reason(w.source), crier_slice_of(rows[i].reason));
        assert_int_equal(w.downs, 0);
        assert_slice_equal(crier_buf_slice(&w.events),
                           rows[i].enough ? CRIER_SLICE("x\n") : CRIER_SLICE(""));
        world_deinit(&w);
    }
}

/* A refusal whose words never end is concluded all the same. */
static void test_endless_refusal(void **state)
{
    struct world w;
    char request[2048];

    world_init(&w, (struct crier_source_options){.idle_ms = 100000});
    accept_request(&w, request, sizeof(request));
    serve(&w, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\r\nbla bla");
    assert_int_equal(step_when_ready(&w), 0);
    assert_int_equal(w.downs, 0);
    w.now.boot_ms += 10000;
    assert_int_equal(step(&w), 0);
    assert_int_equal(w.downs, 1);
    assert_slice_is(crier_buf_slice(&w.reason), "503 Service Unavailable");
    assert_true(w.delay_ms >= 7000);
    world_deinit(&w);
}

static int run_new(const struct crier_mem *mem, void *ctx)
{
    const struct crier_source_options options = {.url = CRIER_SLICE("http://a/"),
                                                 .token = CRIER_SLICE("t"),
                                                 .last_id = CRIER_SLICE("1"),
                                                 .handlers = ctx};
    struct crier_source *source;
    int r = crier_source_new(mem, &options, &source);

    if (r == 0)
        crier_source_free(source);
    return r;
}

/* Making one frees everything when memory ends half-way; a bad URL is -EINVAL. */
static void test_memory(void **state)
{
    const struct crier_source_handlers handlers = {.event = on_event};
    const struct crier_source_options bad = {.url = CRIER_SLICE("https://a/"),
                                             .handlers = &handlers};
    struct crier_source *source = NULL;

    assert_true(test_mem_torture(run_new, (void *)(uintptr_t)&handlers) >= 5);
    assert_int_equal(crier_source_new(&crier_mem_libc, &bad, &source), -EINVAL);
    assert_null(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume), cmocka_unit_test(test_given),
        cmocka_unit_test(test_idle),   cmocka_unit_test(test_mute),
        cmocka_unit_test(test_over),   cmocka_unit_test(test_endless_refusal),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
