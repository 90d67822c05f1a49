/* SPDX-License-Identifier: MIT */
/*
 * What a handler sees of a request: each accessor, bodies of both framings up to their limit,
 * pipelining, HTTP/1.0.
 */
#include "request_support.h"

#define S(literal) CRIER_SLICE(literal)

static void assert_none(struct crier_slice s)
{
    assert_null(s.data);
    assert_int_equal(s.len, 0);
}

/* Handed out text ends in a NUL that is not counted. */
static void assert_text(struct crier_slice s, const char *text)
{
    assert_non_null(s.data);
    assert_slice_equal(s, crier_slice_of(text));
    assert_int_equal(s.data[s.len], '\0');
}

/* ---- accessors -------------------------------------------------------------------------- */

static void look(struct crier_request *request, void *ctx)
{
    struct crier_slice method, param, again;

    method = crier_request_method(request);
    param = crier_request_param(request, "name");
    assert_text(method, "REPORT");
    assert_text(crier_request_path(request), "/a/x%2Fy%20z/r/%73/t");
    assert_text(param, "x/y z");
    assert_text(crier_request_param(request, "rest"), "r/s/t");
    assert_none(crier_request_param(request, "nam"));
    assert_none(crier_request_param(request, ""));
    assert_none(crier_request_param(request, NULL));

    assert_text(crier_request_query(request, "a"), "1 2+3/&");
    assert_text(crier_request_query(request, "empty"), "");
    assert_text(crier_request_query(request, "bare"), "");
    assert_text(crier_request_query(request, "f[x]"), "y");
    assert_text(crier_request_query(request, "sp ace"), "z");
    assert_text(crier_request_query(request, "bad"), "100%");
    assert_text(crier_request_query(request, "worse"), "%zz %4");
    assert_none(crier_request_query(request, "b"));
    assert_none(crier_request_query(request, ""));
    assert_none(crier_request_query(request, NULL));
    again = crier_request_query(request, "nul");
    assert_int_equal(again.len, 3);
    assert_memory_equal(again.data, "x\0y\0", 4);

    assert_text(crier_request_header(request, "x-one"), "first");
    assert_text(crier_request_header(request, "X-EMPTY"), "");
    assert_text(crier_request_header(request, "host"), "localhost");
    assert_none(crier_request_header(request, "X-None"));
    assert_none(crier_request_header(request, ""));
    assert_none(crier_request_header(request, NULL));
    assert_text(crier_request_body(request), "");
    assert_text(crier_request_peer(request), "127.0.0.1");
    assert_text(crier_request_last_event_id(request), "\xc3\xa9 8");
    assert_true(crier_request_is_local(request));
    assert_ptr_equal(crier_request_server(request), ctx);

    /* Asking again gives the same, and takes nothing back. */
    again = crier_request_method(request);
    assert_text(again, "REPORT");
    for (int i = 0; i < 1000; i++)
        again = crier_request_param(request, "name");
    assert_text(again, "x/y z");
    assert_text(method, "REPORT");
    assert_text(param, "x/y z");
    assert_int_equal(crier_reply(request, 200, "text/plain", S("seen")), 0);
    assert_text(method, "REPORT");
}

static void accessors(void **state)
{
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "REPORT", "/a/{name}/{rest...}", look, t.server);
    assert_answer(
        &t,
        "REPORT /a/x%2Fy%20z/r/%73/t?a=1+2%2B3%2f%26&a=2&empty=&bare&f%5Bx%5D=y&sp+ace=z&"
        "bad=100%&worse=%zz+%4&nul=x%00y",
        "X-One: first\r\nX-One: second\r\nX-Empty:\r\nLast-Event-ID: \xc3\xa9 8\r\n", 200,
        "seen");
    test_server_deinit(&t);
}

static void say_id(struct crier_request *request, void *ctx)
{
    struct crier_slice id = crier_request_last_event_id(request);

    if (id.data)
        crier_replyf(request, 200, "text/plain", "[%.*s]", CRIER_SLICE_ARG(id));
    else
        crier_reply(request, 200, "text/plain", S("none"));
}

/* The header, else the query; what is empty counts as absent, as everywhere. */
static void last_event_id(void **state)
{
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/", say_id, NULL);
    assert_answer(&t, "GET /", "", 200, "\r\n\r\nnone");
    assert_answer(&t, "GET /?lastEventId=a%20b", "", 200, "[a b]");
    assert_answer(&t, "GET /?lastEventId=a", "Last-Event-ID: b\r\n", 200, "[b]");
    assert_answer(&t, "GET /?lastEventId=a", "Last-Event-ID:\r\n", 200, "[a]");
    test_server_deinit(&t);
}

static void say_local(struct crier_request *request, void *ctx)
{
    crier_replyf(request, 200, "text/plain", "local=%d", crier_request_is_local(request));
}

/* Over loopback, for a loopback host, through no proxy. */
static void local(void **state)
{
    struct test_server t;
    struct crier_test_peer *peer;

    test_server_init(&t, (struct crier_server_options){.hosts = "a.example"});
    test_route(&t, "GET", "/", say_local, NULL);
    assert_answer(&t, "GET /", "", 200, "local=1");
    assert_answer(&t, "GET /", "X-Forwarded-For: 192.0.2.1\r\n", 200, "local=0");
    assert_answer(&t, "GET /", "Forwarded: for=192.0.2.1\r\n", 200, "local=0");
    assert_answer(&t, "GET /", "Via: 1.1 proxy\r\n", 200, "local=0");
    assert_answer(&t, "GET /", "X-Real-IP: 192.0.2.1\r\n", 200, "local=0");
    peer = test_peer(&t);
    test_send(peer, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_received(peer, "local=0");
    crier_test_forget(peer);
    test_send(peer, "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
    assert_received(peer, "local=1");
    crier_test_forget(peer);
    test_send(peer, "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_received(peer, "local=0");
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* ---- bodies ----------------------------------------------------------------------------- */

struct bodies {
    int calls;
    size_t len;
    char text[64];
};

static void take_body(struct crier_request *request, void *ctx)
{
    struct bodies *bodies = ctx;
    struct crier_slice body = crier_request_body(request);

    bodies->calls++;
    bodies->len = body.len;
    assert_non_null(body.data);
    assert_int_equal(body.data[body.len], '\0');
    if (body.len < sizeof(bodies->text))
        memcpy(bodies->text, body.data, body.len + 1);
    assert_ptr_equal(crier_request_body(request).data, body.data);
    crier_replyf(request, 200, "text/plain", "%zu", body.len);
}

static void bodies_of_both_framings(void **state)
{
    struct bodies bodies = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "*", "/", take_body, &bodies);
    peer = test_asked(&t, "POST /", "");
    assert_received(peer, "\r\n\r\n0");
    assert_string_equal(bodies.text, "");
    test_ask(peer, "POST /", "Content-Length: 0\r\n");
    assert_received(peer, "\r\n\r\n0");
    test_ask(peer, "PATCH /", "Content-Length: 5\r\n\r\nhello");
    assert_string_equal(bodies.text, "hello");
    test_ask(peer, "PUT /",
             "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: r\r\n");
    assert_string_equal(bodies.text, "hello");
    test_ask(peer, "PUT /", "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    assert_string_equal(bodies.text, "");
    /* A GET may have one. */
    test_ask(peer, "GET /", "Content-Length: 2\r\n\r\nhi");
    assert_string_equal(bodies.text, "hi");
    assert_int_equal(bodies.calls, 6);
    /* In any split. */
    crier_test_forget(peer);
    for (const char *c = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc";
         *c; c++)
        assert_int_equal(crier_test_send(peer, (struct crier_slice){c, 1}), 0);
    assert_string_equal(bodies.text, "abc");
    assert_received(peer, "\r\n\r\n3");
    assert_false(crier_test_ended(peer));
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* test_ask ends every request with an empty line: a body it carries is followed by two bytes that
 * are none of a request, and passed over (RFC 9112, 2.2). */
static void up_to_the_limit(void **state)
{
    struct bodies bodies = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.max_body = 10});
    test_route(&t, "POST", "/", take_body, &bodies);
    peer = test_asked(&t, "POST /", "Content-Length: 10\r\n\r\n0123456789");
    assert_int_equal(test_status(peer), 200);
    test_ask(peer, "POST /",
             "Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n4\r\n6789\r\n0\r\n");
    assert_int_equal(test_status(peer), 200);
    assert_int_equal(bodies.len, 10);
    assert_int_equal(bodies.calls, 2);
    /* One more: refused by its head alone, before any of the body. */
    test_ask(peer, "POST /", "Content-Length: 11\r\n");
    assert_int_equal(test_status(peer), 413);
    assert_received(peer, "Connection: close\r\n");
    assert_received(peer, "\"code\":\"too-large\"");
    crier_test_peer_free(peer);
    peer = test_asked(&t, "POST /",
                      "Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n5\r\n6789X\r\n0\r\n");
    assert_int_equal(test_status(peer), 413);
    assert_received(peer, "Connection: close\r\n");
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    assert_int_equal(bodies.calls, 2);
    test_server_deinit(&t);
}

static void the_default_limit(void **state)
{
    struct bodies bodies = {0};
    struct crier_test_peer *peer;
    struct test_server t;
    size_t len = 1 << 20;
    char *body = malloc(len);

    assert_non_null(body);
    memset(body, 'x', len);
    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "POST", "/", take_body, &bodies);
    peer = test_peer(&t);
    test_send(peer, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n");
    assert_int_equal(crier_test_send(peer, (struct crier_slice){body, len}), 0);
    assert_received(peer, "\r\n\r\n1048576");
    assert_int_equal(bodies.len, len);
    crier_test_peer_free(peer);
    free(body);
    test_server_deinit(&t);
}

/* Expect: 100-continue is answered before the body comes, but not where it is refused. */
static void expect_continue(void **state)
{
    struct bodies bodies = {0};
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.max_body = 10});
    test_route(&t, "POST", "/", take_body, &bodies);
    peer = test_asked(&t, "POST /", "Content-Length: 5\r\nExpect: 100-continue\r\n");
    assert_string_equal(test_received(peer), "HTTP/1.1 100 Continue\r\n\r\n");
    crier_test_forget(peer);
    test_send(peer, "hello");
    assert_int_equal(test_status(peer), 200);
    assert_string_equal(bodies.text, "hello");
    test_ask(peer, "POST /", "Content-Length: 11\r\nExpect: 100-continue\r\n");
    assert_int_equal(test_status(peer), 413);
    crier_test_peer_free(peer);
    peer = test_asked(&t, "POST /none", "Content-Length: 5\r\nExpect: 100-continue\r\n");
    assert_int_equal(test_status(peer), 404);
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    assert_answer(&t, "POST /", "Content-Length: 5\r\nExpect: tea\r\n", 417, "");
    test_server_deinit(&t);
}

/* ---- several requests over one connection ----------------------------------------------- */

static void say_path(struct crier_request *request, void *ctx)
{
    crier_replyf(request, 200, "text/plain", "<%.*s>",
                 CRIER_SLICE_ARG(crier_request_path(request)));
}

static void note_ref(struct crier_request *request, void *ctx)
{
    struct crier_ref *ref = ctx;

    *ref = crier_request_later(request);
}

static void pipelined(void **state)
{
    struct crier_test_peer *peer;
    struct crier_ref ref = {0};
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "*", "/{x}", say_path, NULL);
    test_route(&t, "GET", "/later", note_ref, &ref);
    peer = test_peer(&t);
    test_send(peer, "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    "POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nxyz"
                    "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    "GET /c HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    "HEAD /d HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    "PUT /e HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    "GET /f HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_received(peer, "</a>");
    assert_received(peer, "</b>");
    assert_not_received(peer, "</c>");
    assert_int_equal(crier_server_reply(t.server, ref, 200, "text/plain", S("<late>")), 0);
    assert_int_equal(crier_server_reply(t.server, ref, 200, "text/plain", S("<twice>")),
                     CRIER_GONE);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_true(crier_test_ended(peer));
    assert_int_equal(test_count(peer, "HTTP/1.1 200"), 6);
    assert_true(strstr(test_received(peer), "</b>") < strstr(test_received(peer), "<late>"));
    assert_true(strstr(test_received(peer), "<late>") < strstr(test_received(peer), "</c>"));
    assert_true(strstr(test_received(peer), "</c>") < strstr(test_received(peer), "</e>"));
    assert_not_received(peer, "</d>");
    assert_not_received(peer, "</f>");
    assert_int_equal(test_count(peer, "Connection: close"), 1);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* Views of a request that is answered later stay good until then, whatever else is read. */
struct later {
    struct crier_request *request;
    struct crier_slice body, path;
    struct crier_ref ref;
};

static void put_off(struct crier_request *request, void *ctx)
{
    struct later *later = ctx;

    *later = (struct later){request, crier_request_body(request), crier_request_path(request),
                            crier_request_later(request)};
    assert_true(later->ref.generation != 0);
    assert_int_equal(crier_request_later(request).generation, 0);
    assert_int_equal(crier_reply(request, 200, NULL, S("")), CRIER_EBUSY);
    assert_int_equal(crier_response_header(request, "X-A", "b"), CRIER_EBUSY);
    assert_null(crier_stream_open(request));
}

static void answered_later(void **state)
{
    struct crier_test_peer *peer, *other;
    struct later later = {0};
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "POST", "/later/{x}", put_off, &later);
    test_route(&t, "*", "/{x}", say_path, NULL);
    peer = test_peer(&t);
    test_send(peer, "POST /later/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"
                    "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n");
    other = test_asked(&t, "GET /other", "");
    assert_received(other, "</other>");
    test_advance(&t, 600000); /* no patience ends here: the program answers when it likes */
    assert_false(crier_test_ended(peer));
    assert_text(later.body, "body");
    assert_text(later.path, "/later/x");
    assert_int_equal(crier_server_reply(t.server, later.ref, 99, NULL, S("")), CRIER_EINVAL);
    assert_int_equal(crier_server_reply(t.server, later.ref, 200, "a\r\nb", S("")),
                     CRIER_EINVAL);
    assert_int_equal(crier_server_reply(t.server, later.ref, 201, "text/plain", S("done")), 0);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_received(peer, "HTTP/1.1 201 Created\r\n");
    assert_received(peer, "\r\n\r\ndone");
    assert_received(peer, "</next>");
    assert_int_equal(crier_server_reply(t.server, later.ref, 200, NULL, S("")), CRIER_GONE);

    /* Who leaves meanwhile is gone. */
    test_ask(peer, "POST /later/y", "Content-Length: 0\r\n");
    crier_test_drop(peer);
    assert_int_equal(crier_server_reply(t.server, later.ref, 200, NULL, S("")), CRIER_GONE);
    assert_int_equal(crier_server_reply(t.server, (struct crier_ref){0, 0}, 200, NULL, S("")),
                     CRIER_GONE);
    crier_test_peer_free(peer);
    crier_test_peer_free(other);
    test_server_deinit(&t);
}

/* HTTP/1.0: one request unless kept alive, no chunked framing, no 100. */
static void http10(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "*", "/{x}", say_path, NULL);
    peer = test_peer(&t);
    test_send(peer, "GET /a HTTP/1.0\r\n\r\n");
    assert_received(peer, "HTTP/1.1 200 OK\r\n");
    assert_received(peer, "Connection: close\r\n");
    assert_received(peer, "Content-Length: 4\r\n");
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    peer = test_peer(&t);
    test_send(peer, "POST /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n"
                    "Expect: 100-continue\r\n\r\nhi");
    assert_received(peer, "Connection: keep-alive\r\n");
    assert_not_received(peer, "100 Continue");
    assert_false(crier_test_ended(peer));
    crier_test_forget(peer);
    test_send(peer, "GET /b HTTP/1.0\r\n\r\n");
    assert_received(peer, "</b>");
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accessors),       cmocka_unit_test(last_event_id),
        cmocka_unit_test(local),           cmocka_unit_test(bodies_of_both_framings),
        cmocka_unit_test(up_to_the_limit), cmocka_unit_test(the_default_limit),
        cmocka_unit_test(expect_continue), cmocka_unit_test(pipelined),
        cmocka_unit_test(answered_later),  cmocka_unit_test(http10),
    };
    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
