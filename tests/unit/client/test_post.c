/* SPDX-License-Identifier: MIT */
/* The publisher (and the call below it) against a server in the same thread; time is given. */
#include "client/post.h"
#include "support.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

enum { STEPS = 2000 };

struct world {
    struct crier_access access;
    struct crier_post post;
    struct crier_post_request request;
    int listener, server;
    char url[64], got[4096];
    size_t len;
};

static void world_init(struct world *w)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    *w = (struct world){.server = -1, .request = {.content_type = CRIER_SLICE("text/plain")}};
    w->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(w->listener >= 0);
    assert_int_equal(bind(w->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(w->listener, 8), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/events/t",
                   (unsigned)ntohs(address.sin_port));
    assert_null(crier_url_parse(crier_slice_of(w->url), &w->request.url));
    assert_int_equal(
        crier_access_init(&w->access, &crier_mem_libc,
                          &(struct crier_access_options){.proxy = "", .connect_ms = 10000}),
        0);
    w->request.access = &w->access;
    assert_int_equal(crier_post_init(&w->post, &crier_mem_libc), 0);
}

static void world_deinit(struct world *w)
{
    crier_post_deinit(&w->post);
    crier_access_deinit(&w->access);
    if (w->server >= 0)
        (void)close(w->server);
    (void)close(w->listener);
}

/* Steps until what the server got ends with `end`. */
static void step_until(struct world *w, const char *end)
{
    size_t end_len = strlen(end);

    for (int i = 0; i < STEPS; i++) {
        struct pollfd p = {.fd = w->server >= 0 ? w->server : w->listener, .events = POLLIN};

        if (w->len >= end_len && memcmp(w->got + w->len - end_len, end, end_len) == 0)
            return;
        assert_int_equal(crier_post_step(&w->post, 0), 0);
        if (poll(&p, 1, 1) == 0)
            continue;
        if (w->server < 0) {
            w->server = accept(w->listener, NULL, NULL);
        } else {
            ssize_t n = recv(w->server, w->got + w->len, sizeof(w->got) - 1 - w->len, 0);

            assert_true(n > 0);
            w->len += (size_t)n;
            w->got[w->len] = '\0';
        }
    }
    fail_msg("the server never got %s, but %s", end, w->got);
}

static void say(const struct world *w, const char *text)
{
    assert_int_equal(send(w->server, text, strlen(text), 0), (ssize_t)strlen(text));
}

static int step_to_answer(struct world *w)
{
    int r = 0;

    for (int i = 0; r == 0 && i < STEPS; i++) {
        struct pollfd p = {.fd = crier_post_fd(&w->post), .events = POLLIN};

        assert_int_equal(poll(&p, 1, 5000), 1);
        r = crier_post_step(&w->post, 0);
    }
    return r;
}

/* Steps until the head of the answer is there. */
static void step_to_head(struct world *w, uint64_t now_ms)
{
    for (int i = 0; w->post.status == 0; i++) {
        struct pollfd p = {.fd = crier_post_fd(&w->post), .events = POLLIN};

        assert_true(i < STEPS);
        assert_int_equal(poll(&p, 1, 5000), 1);
        assert_int_equal(crier_post_step(&w->post, now_ms), 0);
    }
}

/* Answers, and steps until the answer is there. */
static int answer(struct world *w, const char *text)
{
    say(w, text);
    assert_int_equal(shutdown(w->server, SHUT_WR), 0);
    return step_to_answer(w);
}

/* A body of known length goes as it is, with its headers; the answer is kept. */
static void test_one(void **state)
{
    struct world w;

    world_init(&w);
    w.request.has_length = true;
    w.request.length = 5;
    w.request.token = CRIER_SLICE("secret");
    w.request.key = CRIER_SLICE("k 1");
    assert_int_equal(crier_post_start(&w.post, &w.request, 0), 0);
    crier_post_add(&w.post, CRIER_SLICE("hello"));
    crier_post_end(&w.post);
    step_until(&w, "\r\n\r\nhello");
    assert_memory_equal(w.got, "POST /events/t HTTP/1.1\r\n", 25);
    assert_non_null(strstr(w.got, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(w.got, "\r\nContent-Length: 5\r\n"));
    assert_non_null(strstr(w.got, "\r\nAuthorization: Bearer secret\r\n"));
    assert_non_null(strstr(w.got, "\r\nIdempotency-Key: k 1\r\n"));
    assert_int_equal(
        answer(&w, "HTTP/1.1 201 Created\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nok"),
        CRIER_POST_ANSWERED);
    assert_int_equal(w.post.status, 201);
    assert_slice_is(crier_buf_slice(&w.post.type), "a/b");
    assert_slice_is(crier_buf_slice(&w.post.body), "ok");
    assert_int_equal(crier_post_fd(&w.post), -1);
    world_deinit(&w);
}

/* A growing body leaves piece by piece, each as a chunk; an empty piece does not end it, end
 * does, once. */
static void test_chunks(void **state)
{
    struct world w;

    world_init(&w);
    assert_int_equal(crier_post_start(&w.post, &w.request, 0), 0);
    step_until(&w, "\r\nTransfer-Encoding: chunked\r\n\r\n");
    crier_post_add(&w.post, CRIER_SLICE("0123456789abcdef"));
    crier_post_add(&w.post, CRIER_SLICE(""));
    step_until(&w, "\r\n\r\n10\r\n0123456789abcdef\r\n");
    crier_post_add(&w.post, CRIER_SLICE("x"));
    crier_post_end(&w.post);
    crier_post_end(&w.post);
    step_until(&w, "abcdef\r\n1\r\nx\r\n0\r\n\r\n");
    assert_int_equal(answer(&w, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
                     CRIER_POST_ANSWERED);
    world_deinit(&w);
}

/* An answer before the body's end is the answer, also when its body is cut off. */
static void test_early(void **state)
{
    struct world w;

    world_init(&w);
    assert_int_equal(crier_post_start(&w.post, &w.request, 0), 0);
    step_until(&w, "chunked\r\n\r\n");
    crier_post_add(&w.post, CRIER_SLICE("x"));
    step_until(&w, "1\r\nx\r\n");
    assert_int_equal(answer(&w, "HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\nwo"),
                     CRIER_POST_ANSWERED);
    assert_int_equal(w.post.status, 400);
    assert_slice_is(crier_buf_slice(&w.post.body), "wo");
    assert_true(w.post.early);
    world_deinit(&w);
}

/* Whether it came before the end does not change when the end is added after it. */
static void test_early_end(void **state)
{
    struct world w;

    world_init(&w);
    assert_int_equal(crier_post_start(&w.post, &w.request, 0), 0);
    step_until(&w, "chunked\r\n\r\n");
    say(&w, "HTTP/1.1 201 Created\r\n\r\n");
    step_to_head(&w, 0);
    crier_post_end(&w.post);
    assert_int_equal(answer(&w, "x"), CRIER_POST_ANSWERED);
    assert_true(w.post.early);
    world_deinit(&w);
}

/* Asks, and takes the whole request. */
static void world_ask(struct world *w)
{
    world_init(w);
    assert_int_equal(crier_post_start(&w->post, &w->request, 0), 0);
    crier_post_end(&w->post);
    step_until(w, "\r\n\r\n0\r\n\r\n");
}

/* An answer that never ends is one: once what is kept of it is full, and at once when it is a
 * stream. */
static void test_endless(void **state)
{
    static const struct {
        const char *head;
        size_t kept;
    } rows[] = {
        {"HTTP/1.1 201 Created\r\n\r\n", 64 * 1024},
        {"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; x=y\r\n\r\n", 0},
    };
    char *body = test_malloc(64 * 1024 + 1);

    memset(body, 'x', 64 * 1024);
    body[64 * 1024] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;

        world_ask(&w);
        say(&w, rows[i].head);
        if (rows[i].kept > 0)
            say(&w, body);
        assert_int_equal(step_to_answer(&w), CRIER_POST_ANSWERED);
        assert_int_equal(w.post.body.len, rows[i].kept);
        assert_false(w.post.early);
        assert_int_equal(crier_post_fd(&w.post), -1);
        world_deinit(&w);
    }
    test_free(body);
}

/* Or when half a minute has passed since its head, however much comes; and before its head, a
 * byte now and then is no answer. */
static void test_slow_answer(void **state)
{
    struct world w;

    world_ask(&w);
    say(&w, "HTTP/1.1 201 Created\r\n");
    assert_int_equal(poll(&(struct pollfd){crier_post_fd(&w.post), POLLIN, 0}, 1, 5000), 1);
    assert_int_equal(crier_post_step(&w.post, 59000), 0);
    assert_int_equal(crier_post_timeout(&w.post, 59000), 1000);
    say(&w, "\r\nx");
    step_to_head(&w, 59999);
    assert_int_equal(crier_post_timeout(&w.post, 59999), 30000);
    say(&w, "x");
    assert_int_equal(crier_post_step(&w.post, 89998), 0);
    assert_int_equal(crier_post_timeout(&w.post, 89998), 1);
    assert_int_equal(crier_post_step(&w.post, 89999), CRIER_POST_ANSWERED);
    assert_int_equal(w.post.status, 201);
    world_deinit(&w);
    world_ask(&w);
    say(&w, "H");
    assert_int_equal(crier_post_step(&w.post, 59999), 0);
    assert_int_equal(crier_post_step(&w.post, 60000), -ETIMEDOUT);
    world_deinit(&w);
}

/* Time runs only while it is the server's turn: not between two pieces, but once the body has
 * ended. */
static void test_time(void **state)
{
    struct world w;

    world_init(&w);
    assert_int_equal(crier_post_start(&w.post, &w.request, 0), 0);
    step_until(&w, "chunked\r\n\r\n");
    assert_int_equal(crier_post_timeout(&w.post, 0), -1);
    assert_int_equal(crier_post_step(&w.post, 3600000), 0);
    crier_post_end(&w.post);
    assert_int_equal(crier_post_step(&w.post, 3600000), 0);
    assert_int_equal(crier_post_step(&w.post, 3659999), 0);
    assert_int_equal(crier_post_step(&w.post, 3660000), -ETIMEDOUT);
    assert_non_null(strstr(w.post.call.fault, "no answer"));
    world_deinit(&w);
}

static int run_init(const struct crier_mem *mem, void *ctx)
{
    struct crier_post post;
    int r = crier_post_init(&post, mem);

    crier_post_deinit(&post);
    return r;
}

static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_init, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),         cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_early),       cmocka_unit_test(test_time),
        cmocka_unit_test(test_early_end),   cmocka_unit_test(test_endless),
        cmocka_unit_test(test_slow_answer), cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
