/* SPDX-License-Identifier: MIT */
/* The tunnel through a proxy at the other end of a pair of sockets. */
#include "client/tunnel.h"
#include "support.h"
#include <sys/socket.h>

struct world {
    struct crier_proxies proxies;
    struct crier_tunnel tunnel;
    struct crier_transport transport;
    int proxy;
};

static void world_init(struct world *w, const char *proxy, const char *text)
{
    struct crier_url url;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    crier_transport_init(&w->transport);
    w->transport.fd = pair[0];
    w->proxy = pair[1];
    crier_proxies_init(&w->proxies, &crier_mem_libc);
    assert_int_equal(crier_proxies_set(&w->proxies, proxy, NULL, NULL), 0);
    crier_tunnel_init(&w->tunnel, &crier_mem_libc);
    assert_null(crier_url_parse(crier_slice_of(text), &url));
    assert_int_equal(crier_tunnel_start(&w->tunnel, &w->proxies.https, &url), 0);
    assert_true(crier_tunnel_unsent(&w->tunnel));
    assert_int_equal(crier_tunnel_step(&w->tunnel, &w->transport), CRIER_TUNNEL_WAIT);
    assert_false(crier_tunnel_unsent(&w->tunnel));
}

static void world_deinit(struct world *w)
{
    crier_tunnel_deinit(&w->tunnel);
    crier_tunnel_deinit(&w->tunnel);
    crier_transport_close(&w->transport);
    crier_proxies_deinit(&w->proxies);
    (void)close(w->proxy);
}

/* What the proxy is asked. */
static void test_request(void **state)
{
    static const struct {
        const char *proxy, *url, *request;
    } rows[] = {
        {"p", "https://example.org/a",
         "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"},
        {"a:b@p", "https://[::1]:81/",
         "CONNECT [::1]:81 HTTP/1.1\r\nHost: [::1]:81\r\n"
         "Proxy-Authorization: Basic YTpi\r\n\r\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;
        char text[512];
        ssize_t n;

        world_init(&w, rows[i].proxy, rows[i].url);
        n = recv(w.proxy, text, sizeof(text), 0);
        assert_true(n > 0);
        assert_int_equal(n, strlen(rows[i].request));
        assert_memory_equal(text, rows[i].request, (size_t)n);
        world_deinit(&w);
    }
}

/* Whatever it answers, and in any split: open, or why not. */
static void test_answers(void **state)
{
    static const struct {
        const char *answer;
        int r;
        unsigned status;
        const char *fault;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", 0, 200, NULL},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 299 Odd\r\nA: b\r\n\r\n", 0, 299, NULL},
        {"HTTP/1.1 407 X\r\nContent-Length: 3\r\n\r\n", -ECONNABORTED, 407, NULL},
        {"HTTP/1.1 503 X\r\nRetry-After: 7\r\n\r\n", -ECONNABORTED, 503, NULL},
        {"hello\r\n\r\n", -EPROTO, 0, "not well-formed"},
        {"HTTP/1.1 20", -ECONNRESET, 0, "closed the connection"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;
        int r = CRIER_TUNNEL_WAIT;

        world_init(&w, "p", "https://a/");
        for (const char *at = rows[i].answer; r == CRIER_TUNNEL_WAIT && *at; at++) {
            assert_int_equal(send(w.proxy, at, 1, 0), 1);
            r = crier_tunnel_step(&w.tunnel, &w.transport);
        }
        if (r == CRIER_TUNNEL_WAIT) {
            assert_int_equal(shutdown(w.proxy, SHUT_WR), 0);
            r = crier_tunnel_step(&w.tunnel, &w.transport);
        }
        assert_int_equal(r, rows[i].r);
        assert_int_equal(w.tunnel.status, rows[i].status);
        assert_slice_equal(crier_tunnel_retry_after(&w.tunnel),
                           rows[i].status == 503 ? CRIER_SLICE("7") : CRIER_SLICE(""));
        if (rows[i].fault)
            assert_non_null(strstr(w.tunnel.fault, rows[i].fault));
        world_deinit(&w);
    }
}

static int run_start(const struct crier_mem *mem, void *ctx)
{
    struct crier_proxies *proxies = ctx;
    struct crier_tunnel tunnel;
    struct crier_url url;
    int r;

    assert_null(crier_url_parse(CRIER_SLICE("https://a/"), &url));
    crier_tunnel_init(&tunnel, mem);
    r = crier_tunnel_start(&tunnel, &proxies->https, &url);
    crier_tunnel_deinit(&tunnel);
    return r;
}

static void test_memory(void **state)
{
    struct crier_proxies proxies;

    crier_proxies_init(&proxies, &crier_mem_libc);
    assert_int_equal(crier_proxies_set(&proxies, "a:b@p", NULL, NULL), 0);
    assert_true(test_mem_torture(run_start, &proxies) >= 2);
    crier_proxies_deinit(&proxies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
