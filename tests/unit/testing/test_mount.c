/* SPDX-License-Identifier: MIT */
/*
 * Hubs that are mounted: the whole HTTP interface wherever it is mounted, several hubs that do not
 * know each other, who may do what, the operators' paths.
 */
#include "request_support.h"

#define S(literal) CRIER_SLICE(literal)

struct mounted {
    struct test_server t;
    struct crier_hub *hub, *other;
};

static struct crier_hub *new_hub(struct mounted *m)
{
    struct crier_hub *hub = crier_hub_new(.clock = crier_test_clock_of(m->t.clock));

    assert_non_null(hub);
    return hub;
}

static void start(struct mounted *m, struct crier_server_options options)
{
    test_server_init(&m->t, options);
    m->hub = new_hub(m);
    m->other = new_hub(m);
}

static void end(struct mounted *m)
{
    /* The server keeps what it needs of them. */
    crier_hub_free(m->hub);
    crier_hub_free(m->other);
    test_server_deinit(&m->t);
}

static void mount(struct mounted *m,
                  const char *path,
                  struct crier_hub *hub,
                  struct crier_mount_options options)
{
    options.size = sizeof(options);
    assert_int_equal(crier_server_mount_with(m->t.server, path, hub, &options), 0);
}

static void publish(struct crier_hub *hub, const char *topic, const char *data)
{
    assert_int_equal(crier_hub_publishf(hub, topic, NULL, "%s", data), 0);
}

/* ---- everywhere the same ---------------------------------------------------------------- */

/* "METHOD <path><rest>" */
static const char *at(const char *method, const char *path, const char *rest)
{
    static char line[200];

    snprintf(line, sizeof(line), "%s %s%s", method, path, rest);
    return line;
}

static void whole_interface(const char *mounted_at, const char *path)
{
    struct crier_test_peer *follower, *peer;
    struct mounted m;

    start(&m, (struct crier_server_options){.retry_ms = 2500});
    mount(&m, mounted_at, m.hub, (struct crier_mount_options){.may_publish = CRIER_LOCAL});
    crier_hub_free(m.hub);
    m.hub = NULL;
    follower = test_asked(&m.t, at("GET", path, "/news"), "");
    assert_int_equal(test_status(follower), 200);
    assert_received(follower, "Content-Type: text/event-stream\r\n");
    assert_received(follower, "event: crier:connected\n");
    assert_received(follower, "retry: 2500\n");
    peer = test_asked(&m.t, at("POST", path, "/news"), "Content-Length: 5\r\n\r\nhello");
    assert_int_equal(test_status(peer), 201);
    assert_received(peer, "\"topic\":\"news\"}");
    assert_received(follower, "data: hello\n\n");
    test_ask(peer, at("PUT", path, "/a%2Fb?event=tick&key=1"), "Content-Length: 1\r\n\r\nx");
    assert_received(peer, "\"topic\":\"a/b\"}");
    test_ask(peer, at("PUT", path, "/a/b?event=tick&key=1"), "Content-Length: 1\r\n\r\nx");
    assert_received(peer, "\"duplicate\":true");
    test_ask(peer, at("POST", path, ""),
             "Content-Type: application/x-ndjson\r\nContent-Length: 29\r\n\r\n"
             "{\"topic\":\"news\",\"data\":\"two\"}");
    assert_received(peer, "\"published\":1");
    assert_received(follower, "data: two\n\n");
    test_ask(peer, at("GET", path, "/**"), "Accept: application/json\r\n");
    assert_received(peer, "\"data\":\"hello\"");
    assert_received(peer, "\"event\":\"tick\"");
    test_ask(peer, at("GET", path, "?topic=news&topic=a/*"), "Accept: application/json\r\n");
    assert_received(peer, "\"data\":\"two\"");
    assert_received(peer, "\"topic\":\"a/b\"");
    test_ask(peer, at("HEAD", path, "/news"), "");
    assert_received(peer, "Content-Type: text/event-stream\r\n");
    assert_string_equal(test_body(peer), "");
    test_ask(peer, at("DELETE", path, "/news"), "");
    assert_int_equal(test_status(peer), 204);
    test_ask(peer, at("GET", path, "/news"), "Accept: application/json\r\n");
    assert_received(peer, "\r\n\r\n[]");
    test_ask(peer, at("OPTIONS", path, "/news"), "");
    assert_received(peer, "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n");
    test_ask(peer, at("OPTIONS", path, ""), "");
    assert_received(peer, "Allow: GET, HEAD, POST, PUT, OPTIONS\r\n");
    test_ask(peer, at("DELETE", path, ""), "");
    assert_int_equal(test_status(peer), 405);
    test_ask(peer, at("PATCH", path, "/news"), "");
    assert_int_equal(test_status(peer), 405);
    test_ask(peer, at("GET", path, ""), "");
    assert_int_equal(test_status(peer), 400);
    assert_received(peer, "\"code\":\"no-topic\"");
    test_ask(peer, at("GET", path, "/a//b"), "");
    assert_int_equal(test_status(peer), 400);
    test_ask(peer, at("GET", path, "/%zz"), "");
    assert_int_equal(test_status(peer), 400);
    /* The live page is crier serve's. */
    test_ask(peer, at("GET", path, "/news"), "Accept: text/html\r\n");
    assert_int_equal(test_status(peer), 406);
    crier_test_peer_free(peer);
    crier_test_peer_free(follower);
    end(&m);
}

static void at_events(void **state)
{
    whole_interface("/events", "/events");
}

static void at_a_b(void **state)
{
    whole_interface("/a/b", "/a/b");
}

static void at_a_pattern(void **state)
{
    whole_interface("/of/{tenant}/events", "/of/me%2Fyou/events");
}

static void at_the_top(void **state)
{
    struct crier_test_peer *peer;
    struct mounted m;

    start(&m, (struct crier_server_options){0});
    mount(&m, "/", m.hub, (struct crier_mount_options){.may_publish = CRIER_LOCAL});
    peer = test_asked(&m.t, "POST /news", "Content-Length: 5\r\n\r\nhello");
    assert_received(peer, "\"topic\":\"news\"}");
    test_ask(peer, "POST /a/b", "Content-Length: 5\r\n\r\nworld");
    assert_received(peer, "\"topic\":\"a/b\"}");
    test_ask(peer, "GET /?topic=news&topic=a/b", "Accept: application/json\r\n");
    assert_received(peer, "\"data\":\"hello\"");
    assert_received(peer, "\"data\":\"world\"");
    test_ask(peer, "GET /", "");
    assert_received(peer, "\"code\":\"no-topic\"");
    test_ask(peer, "GET /a/b?since=earliest", "");
    assert_received(peer, "data: world\n\n");
    crier_test_peer_free(peer);
    end(&m);
}

/* ---- two hubs --------------------------------------------------------------------------- */

static void two_hubs(void **state)
{
    struct crier_test_peer *one, *two, *peer;
    struct mounted m;
    const char *text;

    start(&m, (struct crier_server_options){0});
    mount(&m, "/one", m.hub, (struct crier_mount_options){.may_publish = CRIER_LOCAL});
    mount(&m, "/two", m.other, (struct crier_mount_options){.may_publish = CRIER_LOCAL});
    mount(&m, "/three", m.hub, (struct crier_mount_options){0});
    one = test_asked(&m.t, "GET /one/x", "");
    two = test_asked(&m.t, "GET /two/x", "");
    publish(m.hub, "x", "first");
    publish(m.other, "x", "second");
    assert_int_equal(crier_test_settle(m.t.server), 0);
    assert_received(one, "data: first\n\n");
    assert_not_received(one, "second");
    assert_received(two, "data: second\n\n");
    assert_not_received(two, "first");

    /* Pipelined to both and to what is no hub: answered in order, nothing lost. */
    peer = test_peer(&m.t);
#define PUT(path, data)                                                                        \
    "PUT " path " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n" data
    test_send(peer, PUT("/one/a1", "1") PUT("/two/a2", "2") PUT("/two/a3", "3")
                        PUT("/one/a4", "4") PUT("/none", "n") PUT("/two/a5", "5"));
    text = test_received(peer);
    for (int i = 1; i <= 4; i++) {
        char topic[40];

        snprintf(topic, sizeof(topic), "\"topic\":\"a%d\"", i);
        text = strstr(text, topic);
        assert_non_null(text);
    }
    assert_non_null(strstr(text, "404"));
    crier_test_peer_free(peer);
    peer = test_asked(&m.t, "GET /three/a*", "");
    assert_int_equal(test_status(peer), 400);
    test_ask(peer, "GET /three/*", "Accept: application/json\r\n");
    assert_received(peer, "\"topic\":\"a4\"");
    assert_not_received(peer, "\"topic\":\"a2\"");
    crier_test_peer_free(peer);
    crier_test_peer_free(one);
    crier_test_peer_free(two);
    end(&m);
}

static void what_is_no_mount(void **state)
{
    struct mounted m;

    start(&m, (struct crier_server_options){0});
    assert_int_equal(crier_server_mount(NULL, "/a", m.hub), CRIER_ENOMEM);
    mount(&m, "/a", m.hub, (struct crier_mount_options){0});
    assert_int_equal(crier_server_mount(m.t.server, "/a", m.other), CRIER_EEXIST);
    assert_int_equal(crier_server_mount_admin(m.t.server, "/a/", m.hub), CRIER_EEXIST);
    assert_int_equal(crier_server_mount(m.t.server, "a", m.hub), CRIER_EINVAL);
    assert_int_equal(crier_server_mount(m.t.server, NULL, m.hub), CRIER_EINVAL);
    assert_int_equal(crier_server_step(m.t.server), CRIER_EEXIST); /* the first one */
    end(&m);
}

/* Invariant: a hub that could not be made is told by run, as all that was wrong before. */
static void no_hub(void **state)
{
    struct mounted m;

    start(&m, (struct crier_server_options){0});
    assert_int_equal(crier_server_mount(m.t.server, "/a", NULL), CRIER_ENOMEM);
    assert_non_null(strstr(crier_server_error(m.t.server), "a hub at /a: it is NULL"));
    assert_int_equal(crier_server_step(m.t.server), CRIER_ENOMEM);
    end(&m);
}

/* Invariant: two servers in one process do not know each other. */
static void two_servers(void **state)
{
    struct crier_server_stats stats;
    struct crier_test_peer *peer;
    struct mounted one, two;

    start(&one, (struct crier_server_options){0});
    start(&two, (struct crier_server_options){0});
    mount(&one, "/one", one.hub, (struct crier_mount_options){0});
    mount(&two, "/two", two.hub, (struct crier_mount_options){0});
    assert_answer(&two.t, "GET /one/a", "", 404, "");
    peer = test_get(&one.t, "/one/a");
    assert_received(peer, "200 OK");
    assert_int_equal(crier_server_stats(two.t.server, &stats), 0);
    assert_int_equal(stats.streams, 0);
    assert_int_equal(crier_server_stop(two.t.server), 0);
    assert_int_equal(crier_test_settle(two.t.server), CRIER_STOPPED);
    assert_false(crier_test_ended(peer));
    assert_int_equal(crier_server_stats(one.t.server, &stats), 0);
    assert_int_equal(stats.streams, 1);
    crier_test_peer_free(peer);
    end(&one);
    end(&two);
}

/* ---- who may ---------------------------------------------------------------------------- */

#define PROXIED "X-Forwarded-For: 192.0.2.1\r\n"
#define ONE "Content-Length: 1\r\n\r\nx"

static void defaults(void **state)
{
    struct mounted m;

    start(&m, (struct crier_server_options){0});
    mount(&m, "/e", m.hub, (struct crier_mount_options){0});
    /* Nobody publishes, not even from here. */
    assert_answer(&m.t, "POST /e/x", ONE, 403, "\"code\":\"not-allowed\"");
    assert_answer(&m.t, "PUT /e/x", ONE, 403, "not-allowed");
    assert_answer(&m.t, "DELETE /e/x", "", 403, "not-allowed");
    assert_answer(&m.t, "POST /e", "Content-Type: application/x-ndjson\r\n" ONE, 403,
                  "not-allowed");
    /* Everybody follows topics; patterns, whose they are is not known, are followed from here. */
    assert_answer(&m.t, "GET /e/x", PROXIED, 200, "crier:connected");
    assert_answer(&m.t, "HEAD /e/x", PROXIED, 200, "");
    assert_answer(&m.t, "GET /e?topic=x&topic=y", PROXIED, 200, "crier:connected");
    assert_answer(&m.t, "GET /e/**", "", 200, "crier:connected");
    assert_answer(&m.t, "GET /e/x/*", "", 200, "crier:connected");
    assert_answer(&m.t, "GET /e/**", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "GET /e/%2A", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "HEAD /e/**", PROXIED, 403, "");
    assert_answer(&m.t, "GET /e/x/*", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "GET /e/*/x", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "GET /e?topic=x&topic=*", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "GET /e?topic=x&topic=y/%2a%2A", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "GET /e/**", PROXIED "Accept: application/json\r\n", 403,
                  "not-allowed");
    end(&m);
}

static void anyone_and_local(void **state)
{
    struct mounted m;

    start(&m, (struct crier_server_options){0});
    mount(&m, "/anyone", m.hub,
          (struct crier_mount_options){.may_publish = CRIER_ANYONE,
                                       .may_subscribe = CRIER_ANYONE});
    mount(
        &m, "/local", m.hub,
        (struct crier_mount_options){.may_publish = CRIER_LOCAL, .may_subscribe = CRIER_LOCAL});
    assert_answer(&m.t, "POST /anyone/x", PROXIED ONE, 201, "");
    assert_answer(&m.t, "DELETE /anyone/x", PROXIED, 204, "");
    assert_answer(&m.t, "GET /anyone/**", PROXIED, 200, "crier:connected");
    assert_answer(&m.t, "POST /local/x", PROXIED ONE, 403, "not-allowed");
    assert_answer(&m.t, "POST /local/x", ONE, 201, "");
    assert_answer(&m.t, "GET /local/x", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "GET /local/x", "", 200, "crier:connected");
    end(&m);
}

/* Pages of other origins neither publish nor read, unless .cors names them. */
static void cross_origin(void **state)
{
    struct crier_test_peer *peer;
    struct mounted m;

    start(&m, (struct crier_server_options){.cors = "https://good.example"});
    mount(&m, "/e", m.hub, (struct crier_mount_options){.may_publish = CRIER_ANYONE});
    peer = test_asked(&m.t, "POST /e/x", "Origin: https://bad.example\r\n" ONE);
    assert_int_equal(test_status(peer), 403);
    assert_received(peer, "\"code\":\"cross-origin\"");
    assert_received(peer, ".cors");
    assert_not_received(peer, "--");
    assert_not_received(peer, "Access-Control");
    crier_test_peer_free(peer);
    assert_answer(&m.t, "POST /e/x", "Origin: null\r\n" ONE, 403, "cross-origin");
    assert_answer(&m.t, "POST /e/x", "Sec-Fetch-Site: cross-site\r\n" ONE, 403, "cross-origin");
    assert_answer(&m.t, "DELETE /e/x", "Origin: https://bad.example\r\n", 403, "cross-origin");
    assert_answer(&m.t, "POST /e/x", "Sec-Fetch-Site: same-origin\r\n" ONE, 201, "");
    assert_answer(&m.t, "POST /e/x", "Origin: https://good.example\r\n" ONE, 201,
                  "Access-Control-Allow-Origin: https://good.example\r\n");
    assert_answer(&m.t, "POST /e/x", "Origin: http://localhost:3000\r\n" ONE, 201, "");
    assert_answer(&m.t, "GET /e/x", "Origin: https://bad.example\r\n", 403, "cross-origin");
    assert_answer(&m.t, "GET /e/x", "Origin: https://good.example\r\n", 200,
                  "Access-Control-Allow-Origin: https://good.example\r\n");
    end(&m);
}

/* ---- hooks ------------------------------------------------------------------------------ */

struct hook {
    int calls;
    char topic[64];
    bool local, has_topic, answer;
    struct crier_request *kept;
};

static bool ask_hook(void *ctx, const struct crier_visit *visit)
{
    struct hook *hook = ctx;
    struct crier_slice method = crier_request_method(visit->request);

    hook->calls++;
    hook->local = visit->local;
    hook->has_topic = visit->topic.len > 0;
    snprintf(hook->topic, sizeof(hook->topic), "%.*s", CRIER_SLICE_ARG(visit->topic));
    /* All that can be asked of a request can be asked here; it cannot be answered. */
    assert_non_null(method.data);
    assert_slice_is(crier_request_query(visit->request, "who"), "me +1");
    assert_slice_is(crier_request_header(visit->request, "Authorization"), "Bearer x");
    assert_slice_is(crier_request_param(visit->request, "tenant"), "t/1");
    assert_slice_is(crier_request_body(visit->request), "");
    assert_slice_is(crier_request_peer(visit->request), "127.0.0.1");
    assert_int_equal(crier_request_is_local(visit->request), visit->local);
    assert_non_null(crier_request_server(visit->request));
    assert_int_equal(crier_reply(visit->request, 200, NULL, S("")), CRIER_EBUSY);
    assert_int_equal(crier_response_header(visit->request, "X-A", "b"), CRIER_EBUSY);
    assert_int_equal(crier_request_later(visit->request).generation, 0);
    assert_null(crier_stream_open(visit->request));
    assert_int_equal(crier_server_step(crier_request_server(visit->request)), CRIER_EBUSY);
    return hook->answer;
}

#define CREDENTIALS "Authorization: Bearer x\r\n"
#define WHO "who=me+%2B1"

static void assert_hook(struct mounted *m,
                        struct hook *hook,
                        const char *line,
                        const char *headers,
                        const char *topic)
{
    hook->calls = 0;
    hook->answer = false;
    assert_answer(&m->t, line, headers, 403, "\"code\":\"not-allowed\"");
    assert_int_equal(hook->calls, 1);
    assert_string_equal(hook->topic, topic);
    assert_true(hook->local);
    hook->answer = true;
}

static void hooks(void **state)
{
    struct hook publish_hook = {0}, *hook = &publish_hook;
    struct crier_test_peer *peer;
    struct mounted m;

    start(&m, (struct crier_server_options){0});
    mount(&m, "/{tenant}/e", m.hub,
          (struct crier_mount_options){
              .may_publish = ask_hook, .may_subscribe = ask_hook, .ctx = hook});
#define NDJSON "Content-Type: application/x-ndjson\r\n"
    assert_hook(&m, hook, "POST /t%2F1/e/a/b?" WHO, CREDENTIALS ONE, "a/b");
    assert_hook(&m, hook, "PUT /t%2F1/e/a%2F%62?" WHO, CREDENTIALS ONE, "a/b");
    assert_hook(&m, hook, "DELETE /t%2F1/e/a?" WHO, CREDENTIALS, "a");
    assert_hook(&m, hook, "POST /t%2F1/e?" WHO, CREDENTIALS NDJSON ONE, "");
    /* Each line may name a topic of its own: who answers must not take the path's for it. */
    assert_hook(&m, hook, "POST /t%2F1/e/a?" WHO, CREDENTIALS NDJSON ONE, "");
    assert_hook(&m, hook, "POST /t%2F1/e/a?" WHO,
                CREDENTIALS "Content-Type: Application/X-NDJSON; charset=utf-8\r\n" ONE, "");
    assert_hook(&m, hook, "POST /t%2F1/e/a?" WHO,
                CREDENTIALS "Content-Type: text/event-stream\r\n" ONE, "a");
    assert_hook(&m, hook, "GET /t%2F1/e/a/**?" WHO, CREDENTIALS, "a/**");
    assert_hook(&m, hook, "GET /t%2F1/e?topic=a&" WHO, CREDENTIALS, "");
    /* A path's topic is the only one; the query's is none then. */
    assert_hook(&m, hook, "GET /t%2F1/e/a?topic=b&" WHO, CREDENTIALS, "a");
    assert_answer(&m.t, "GET /t%2F1/e/a?topic=b&" WHO, CREDENTIALS, 200, "crier:connected");
    hook->calls = 0;
    assert_answer(&m.t, "HEAD /t%2F1/e/a?" WHO, CREDENTIALS, 200, "");
    assert_int_equal(hook->calls, 1);
    /* What is no request for it is not asked about; what is refused before neither. */
    hook->calls = 0;
    assert_answer(&m.t, "OPTIONS /t%2F1/e/a", "", 204, "");
    assert_answer(&m.t, "PATCH /t%2F1/e/a", "", 405, "");
    assert_answer(&m.t, "POST /t%2F1/e/%zz", ONE, 400, "");
    assert_int_equal(hook->calls, 0);
    /* A refused one with its body to come closes; the next connection is fine. */
    hook->answer = false;
    peer = test_asked(&m.t, "POST /t%2F1/e/a?" WHO, CREDENTIALS "Content-Length: 10\r\n");
    assert_int_equal(test_status(peer), 403);
    assert_received(peer, "Connection: close\r\n");
    crier_test_peer_free(peer);
    hook->answer = true;
    peer = test_asked(&m.t, "POST /t%2F1/e/a?" WHO, CREDENTIALS PROXIED ONE);
    assert_int_equal(hook->local, false);
    crier_test_peer_free(peer);
    end(&m);
}

/* ---- operators -------------------------------------------------------------------------- */

static bool by_token(void *ctx, const struct crier_visit *visit)
{
    struct crier_slice given = crier_request_header(visit->request, "Authorization");

    return given.data && strcmp(given.data, "Bearer x") == 0;
}

static void admin(void **state)
{
    struct crier_test_peer *peer, *follower;
    struct mounted m;

    start(&m, (struct crier_server_options){0});
    mount(&m, "/e", m.hub, (struct crier_mount_options){0});
    assert_int_equal(crier_server_mount_admin(m.t.server, "/-", m.hub), 0);
    assert_int_equal(
        crier_server_mount_admin(m.t.server, "/ops/other", m.other, .may_subscribe = by_token),
        0);
    publish(m.hub, "a/b", "x");
    publish(m.other, "c", "y");
    follower = test_asked(&m.t, "GET /e/followed", "");
    peer = test_asked(&m.t, "GET /-/health", "");
    assert_received(peer, "\r\n\r\n{\"status\":\"ok\"}\n");
    test_ask(peer, "GET /-/topics", "");
    assert_received(peer, "a/b");
    assert_received(peer, "followed");
    assert_not_received(peer, "\"c\"");
    test_ask(peer, "GET /-/topics/a/b", "");
    assert_int_equal(test_status(peer), 200);
    test_ask(peer, "GET /-/topics/c", "");
    assert_int_equal(test_status(peer), 404);
    test_ask(peer, "GET /-/stats", "");
    assert_int_equal(test_status(peer), 200);
    assert_received(peer, "Content-Type: application/json\r\n");
    test_ask(peer, "GET /-/problems/not-allowed", "");
    assert_int_equal(test_status(peer), 200);
    assert_received(peer, "Content-Type: text/html; charset=utf-8\r\n");
    test_ask(peer, "GET /-/problems/none", "");
    assert_int_equal(test_status(peer), 404);
    test_ask(peer, "GET /-", "");
    assert_int_equal(test_status(peer), 404);
    test_ask(peer, "GET /-/", "");
    assert_int_equal(test_status(peer), 404);
    test_ask(peer, "GET /-/healthy", "");
    assert_int_equal(test_status(peer), 404);
    test_ask(peer, "POST /-/health", "");
    assert_int_equal(test_status(peer), 405);
    assert_received(peer, "Allow: GET, HEAD, OPTIONS\r\n");
    test_ask(peer, "HEAD /-/stats", "");
    assert_int_equal(test_status(peer), 200);
    assert_string_equal(test_body(peer), "");
    crier_test_peer_free(peer);
    /* From elsewhere: only whether it lives, and what a refusal means. */
    assert_answer(&m.t, "GET /-/health", PROXIED, 200, "ok");
    assert_answer(&m.t, "GET /-/problems/busy", PROXIED, 200, "");
    assert_answer(&m.t, "GET /-/topics", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "GET /-/topics/a/b", PROXIED, 403, "not-allowed");
    assert_answer(&m.t, "GET /-/stats", PROXIED, 403, "not-allowed");
    /* A program's own rule, from wherever. */
    assert_answer(&m.t, "GET /ops/other/topics", "", 403, "not-allowed");
    assert_answer(&m.t, "GET /ops/other/topics", PROXIED "Authorization: Bearer x\r\n", 200,
                  "\"c\"");
    assert_answer(&m.t, "GET /ops/other/health", PROXIED, 200, "ok");
    crier_test_peer_free(follower);
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_events),    cmocka_unit_test(at_a_b),
        cmocka_unit_test(at_a_pattern), cmocka_unit_test(at_the_top),
        cmocka_unit_test(two_hubs),     cmocka_unit_test(what_is_no_mount),
        cmocka_unit_test(no_hub),       cmocka_unit_test(two_servers),
        cmocka_unit_test(defaults),     cmocka_unit_test(anyone_and_local),
        cmocka_unit_test(cross_origin), cmocka_unit_test(hooks),
        cmocka_unit_test(admin),
    };
    return cmocka_run_group_tests_name("mount", tests, NULL, NULL);
}
