/* SPDX-License-Identifier: MIT */
/* One call against a server in the same thread; time is given. What the publisher and the
 * client do with calls is in their tests. */
#include "client/call.h"
#include "server.h"

enum { STEPS = 5000 };

struct world {
    struct test_server server;
    struct crier_access access;
    struct crier_call call;
    char text[64];
    struct crier_url url;
};

/* scheme: "http" or "https"; proxy: "" or "P": the server is the proxy to another. */
static void world_init(struct world *w, const char *scheme, const char *proxy)
{
    struct crier_access_options options = {.proxy = "", .insecure = true, .connect_ms = 1000};
    char there[40];

    test_server_init(&w->server);
    (void)snprintf(there, sizeof(there), "127.0.0.1:%u", (unsigned)w->server.port);
    if (proxy[0])
        options.proxy = there;
    (void)snprintf(w->text, sizeof(w->text), "%s://%s/x", scheme,
                   proxy[0] ? "there.invalid" : there);
    assert_null(crier_url_parse(crier_slice_of(w->text), &w->url));
    assert_int_equal(crier_access_init(&w->access, &crier_mem_libc, &options), 0);
    assert_int_equal(crier_call_init(&w->call, &crier_mem_libc), 0);
    assert_int_equal(crier_call_fd(&w->call), -1);
    assert_int_equal(crier_call_start(&w->call, &w->access, &w->url), 0);
    assert_true(crier_call_connecting(&w->call));
}

static void world_deinit(struct world *w)
{
    crier_call_deinit(&w->call);
    crier_call_deinit(&w->call);
    crier_access_deinit(&w->access);
    test_server_deinit(&w->server);
}

/* Moves bytes until the call is in that phase, and the server has taken the connection. */
static void reach(struct world *w, enum crier_call_phase phase)
{
    for (int i = 0; w->call.phase != phase || w->server.peer < 0; i++) {
        struct pollfd p = {.fd = crier_call_fd(&w->call),
                           .events = crier_call_events(&w->call)};

        assert_true(i < STEPS);
        (void)poll(&p, 1, 1);
        assert_int_equal(crier_call_io(&w->call, 100), 0);
        (void)test_server_turn(&w->server);
    }
}

/* Until next has an item, or is over. */
static int next(struct world *w, struct crier_reply_item *item)
{
    int r = CRIER_CALL_MORE;

    for (int i = 0; r == CRIER_CALL_MORE; i++) {
        struct pollfd p = {.fd = crier_call_fd(&w->call), .events = POLLIN};

        assert_true(i < STEPS);
        r = crier_call_next(&w->call, item);
        if (r != CRIER_CALL_MORE)
            break;
        (void)poll(&p, 1, 100);
        r = crier_call_io(&w->call, 200);
        r = r == 0 ? CRIER_CALL_MORE : r;
    }
    return r;
}

/* A request goes out, its answer comes in, and both are life. */
static void test_exchange(void **state)
{
    struct world w;
    struct crier_reply_item item;

    world_init(&w, "http", "");
    crier_call_request(&w.call, "GET");
    crier_buf_append(&w.call.out, CRIER_SLICE("\r\n"));
    assert_false(w.call.begun);
    reach(&w, CRIER_CALL_OPEN);
    assert_true(w.call.reached);
    while (!test_server_turn(&w.server))
        assert_int_equal(crier_call_io(&w.call, 150), 0);
    assert_true(w.call.begun);
    assert_int_equal(crier_call_unsent(&w.call), 0);
    assert_int_equal(crier_call_events(&w.call), POLLIN);
    assert_memory_equal(w.server.got, "GET /x HTTP/1.1\r\nHost: 127.0.0.1:", 33);
    test_server_say(&w.server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    assert_int_equal(next(&w, &item), 0);
    assert_int_equal(item.reply->status, 200);
    assert_int_equal(w.call.life_ms, 200);
    assert_int_equal(next(&w, &item), 0);
    assert_slice_is(item.body, "a");
    assert_int_equal(next(&w, &item), 0);
    assert_int_equal(item.kind, CRIER_REPLY_END);
    world_deinit(&w);
}

/* A server that hangs up half-way is told in words, and the call can be used again. */
static void test_cut(void **state)
{
    struct world w;
    struct crier_reply_item item;

    world_init(&w, "http", "");
    reach(&w, CRIER_CALL_OPEN);
    test_server_say(&w.server, "HTTP/1.1 200 OK\r\nContent-Le");
    test_server_hang_up(&w.server);
    assert_true(next(&w, &item) < 0);
    assert_true(w.call.fault[0]);
    assert_false(w.call.hopeless);
    assert_int_equal(crier_call_start(&w.call, &w.access, &w.url), 0);
    assert_string_equal(w.call.fault, "");
    reach(&w, CRIER_CALL_OPEN);
    world_deinit(&w);
}

/* Handshakes have their time, counted from the connection on. */
static void test_deadlines(void **state)
{
    static const struct {
        const char *scheme, *proxy, *fault;
        enum crier_call_phase phase;
    } rows[] = {
        {"https", "P", "the proxy does not answer", CRIER_CALL_TUNNELING},
        {"https", "", "the server does not answer the TLS handshake", CRIER_CALL_SHAKING},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;

        world_init(&w, rows[i].scheme, rows[i].proxy);
        reach(&w, rows[i].phase);
        assert_true(crier_call_connecting(&w.call));
        assert_false(w.call.reached);
        assert_int_equal(crier_call_deadline(&w.call), 1100);
        assert_int_equal(crier_call_io(&w.call, 1099), 0);
        assert_int_equal(crier_call_io(&w.call, 1100), -ETIMEDOUT);
        assert_string_equal(w.call.fault, rows[i].fault);
        world_deinit(&w);
    }
}

/* A proxy that does not let us through is told by its status; whether that may pass is for the
 * caller to judge. */
static void test_proxy(void **state)
{
    struct world w;
    int r = 0;

    world_init(&w, "https", "P");
    reach(&w, CRIER_CALL_TUNNELING);
    while (!test_server_turn(&w.server))
        assert_int_equal(crier_call_io(&w.call, 150), 0);
    assert_memory_equal(w.server.got, "CONNECT there.invalid:443 HTTP/1.1\r\n", 36);
    test_server_say(&w.server, "HTTP/1.1 599 X\r\n\r\n");
    for (int i = 0; r == 0; i++) {
        assert_true(i < STEPS);
        r = crier_call_io(&w.call, 150);
    }
    assert_int_equal(r, -ECONNABORTED);
    assert_int_equal(w.call.proxy_status, 599);
    assert_string_equal(w.call.fault, "the proxy does not connect to the server: 599");
    world_deinit(&w);
}

static int run_init(const struct crier_mem *mem, void *ctx)
{
    struct crier_call call;
    int r = crier_call_init(&call, mem);

    if (r == 0)
        crier_call_deinit(&call);
    return r;
}

static void test_memory(void **state)
{
    assert_int_equal(test_mem_torture(run_init, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange),  cmocka_unit_test(test_cut),
        cmocka_unit_test(test_proxy),     cmocka_unit_test(test_memory),
        cmocka_unit_test(test_deadlines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
