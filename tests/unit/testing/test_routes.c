/* SPDX-License-Identifier: MIT */
/*
 * From a request to its handler: methods, 404, 405 with Allow, 501, HEAD and OPTIONS, CORS, the
 * names a server answers for; constant bytes and files.
 */
#include "request_support.h"

#include <sys/stat.h>

#define S(literal) CRIER_SLICE(literal)

static void say_method(struct crier_request *request, void *ctx)
{
    crier_replyf(request, 200, "text/plain", "%s:%s", (const char *)ctx,
                 crier_request_method(request).data);
}

static void
say(struct test_server *t, const char *method, const char *pattern, const char *what)
{
    test_route(t, method, pattern, say_method, (void *)(uintptr_t)what);
}

/* ---- methods ---------------------------------------------------------------------------- */

static void methods(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    say(&t, "GET", "/a", "get");
    say(&t, "PATCH", "/a", "patch");
    say(&t, "REPORT", "/a", "report");
    say(&t, "X-OWN", "/a", "own");
    say(&t, "*", "/any", "any");
    say(&t, "HEAD", "/head", "head");
    say(&t, "OPTIONS", "/options", "options");
    assert_answer(&t, "GET /a", "", 200, "\r\n\r\nget:GET");
    assert_answer(&t, "PATCH /a", "", 200, "\r\n\r\npatch:PATCH");
    assert_answer(&t, "REPORT /a", "", 200, "\r\n\r\nreport:REPORT");
    assert_answer(&t, "X-OWN /a", "Content-Length: 2\r\n\r\nhi", 200, "own:X-OWN");
    assert_answer(&t, "QUERY /any", "", 200, "any:QUERY");
    assert_answer(&t, "DELETE /any", "", 200, "any:DELETE");
    assert_answer(&t, "BREW /any", "", 200, "any:BREW");
    assert_answer(&t, "OPTIONS /any", "", 200, "any:OPTIONS");
    assert_answer(&t, "OPTIONS /options", "", 200, "options:OPTIONS");

    /* HEAD: GET's head, without its body. */
    peer = test_asked(&t, "HEAD /a", "");
    assert_received(peer, "HTTP/1.1 200 OK\r\n");
    assert_received(peer, "Content-Length: 8\r\n");
    assert_received(peer, "Content-Type: text/plain\r\n");
    assert_string_equal(test_body(peer), "");
    crier_test_peer_free(peer);
    peer = test_asked(&t, "HEAD /any", "");
    assert_received(peer, "Content-Length: 8\r\n");
    assert_string_equal(test_body(peer), "");
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void refused(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    say(&t, "GET", "/a", "get");
    say(&t, "POST", "/a", "post");
    say(&t, "REPORT", "/b", "report");
    assert_answer(&t, "GET /none", "", 404, "\"code\":\"not-found\"");
    assert_answer(&t, "GET /a/", "", 404, "");
    assert_answer(&t, "POST /none", "Content-Length: 2\r\n\r\nhi", 404, "Connection: close");
    assert_answer(&t, "DELETE /a", "", 405, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    assert_answer(&t, "PATCH /a", "", 405, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    assert_answer(&t, "HEAD /b", "", 405, "Allow: REPORT, OPTIONS\r\n");
    /* A method that another route has is known here; others are not, wherever they go. */
    assert_answer(&t, "REPORT /a", "", 405, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    assert_answer(&t, "REPORT /none", "", 404, "");
    assert_answer(&t, "BREW /a", "", 501, "\"code\":\"not-implemented\"");
    assert_answer(&t, "PROPFIND /none", "", 501, "");
    assert_answer(&t, "GET /%zz", "", 400, "\"code\":\"bad-request\"");
    assert_answer(&t, "GET /a%2", "", 400, "");
    /* A refusal leaves the connection as it is. */
    peer = test_asked(&t, "DELETE /a", "");
    test_ask(peer, "GET /a", "");
    assert_int_equal(test_status(peer), 200);
    /* What it says is of this program, not of another one's paths. */
    test_ask(peer, "GET /none", "");
    assert_not_received(peer, "/events");
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void options(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    say(&t, "GET", "/a", "get");
    say(&t, "POST", "/a", "post");
    peer = test_asked(&t, "OPTIONS /a", "");
    assert_received(peer, "HTTP/1.1 204 No Content\r\n");
    assert_received(peer, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    assert_not_received(peer, "Content-Length");
    assert_not_received(peer, "Access-Control");
    crier_test_peer_free(peer);
    assert_answer(&t, "OPTIONS /none", "", 404, "");
    assert_answer(&t, "OPTIONS *", "", 204, "Allow: ");
    test_server_deinit(&t);
}

/* ---- CORS ------------------------------------------------------------------------------- */

#define PREFLIGHT                                                                              \
    "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a, x-b\r\n"

static void preflight(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t,
                     (struct crier_server_options){.cors = "https://a.example http://b.test"});
    say(&t, "GET", "/a", "get");
    say(&t, "PUT", "/a", "put");
    say(&t, "*", "/any", "any");
    peer = test_asked(&t, "OPTIONS /a", "Origin: https://a.example\r\n" PREFLIGHT);
    assert_received(peer, "HTTP/1.1 204 No Content\r\n");
    assert_received(peer, "Access-Control-Allow-Origin: https://a.example\r\n");
    assert_received(peer, "Access-Control-Allow-Credentials: true\r\n");
    assert_received(peer, "Access-Control-Allow-Methods: GET, HEAD, PUT, OPTIONS\r\n");
    assert_received(peer, "Access-Control-Allow-Headers: x-a, x-b\r\n");
    assert_received(peer, "Vary: Origin\r\n");
    assert_int_equal(test_count(peer, "Access-Control-Allow-Origin"), 1);
    /* Another origin: nothing is allowed, nothing is given away. */
    test_ask(peer, "OPTIONS /a", "Origin: https://c.example\r\n" PREFLIGHT);
    assert_received(peer, "HTTP/1.1 204 No Content\r\n");
    assert_not_received(peer, "Access-Control");
    test_ask(peer, "OPTIONS /a", "Origin: http://a.example\r\n" PREFLIGHT);
    assert_not_received(peer, "Access-Control");
    /* A route for every method cannot know what a browser asks first. */
    test_ask(peer, "OPTIONS /any", "Origin: http://b.test\r\n" PREFLIGHT);
    assert_received(peer, "HTTP/1.1 204 No Content\r\n");
    assert_received(peer, "Access-Control-Allow-Origin: http://b.test\r\n");
    assert_received(peer, "Access-Control-Allow-Methods: PUT\r\n");
    crier_test_peer_free(peer);

    /* Plain answers and refusals carry it too, or the page could not read them. */
    assert_answer(&t, "GET /a", "Origin: http://b.test\r\n", 200,
                  "Access-Control-Allow-Origin: http://b.test\r\n");
    assert_answer(&t, "GET /none", "Origin: http://b.test\r\n", 404,
                  "Access-Control-Allow-Origin: http://b.test\r\n");
    peer = test_asked(&t, "GET /a", "Origin: http://c.example\r\n");
    assert_int_equal(test_status(peer), 200);
    assert_not_received(peer, "Access-Control");
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void cors_for_all(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.cors = "*", .hosts = "a.example"});
    say(&t, "GET", "/a", "get");
    peer = test_peer(&t);
    test_send(peer, "GET /a HTTP/1.1\r\nHost: a.example\r\nOrigin: https://x.example\r\n\r\n");
    assert_received(peer, "Access-Control-Allow-Origin: *\r\n");
    assert_not_received(peer, "Access-Control-Allow-Credentials");
    crier_test_forget(peer);
    test_send(peer, "GET /a HTTP/1.1\r\nHost: a.example\r\nOrigin: null\r\n\r\n");
    assert_not_received(peer, "Access-Control");
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* ---- the names it answers for ----------------------------------------------------------- */

static int ask_host(struct test_server *t, const char *host, const char *text)
{
    struct crier_test_peer *peer = test_peer(t);
    char request[200];
    int status;

    snprintf(request, sizeof(request), "GET /a HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    test_send(peer, request);
    status = test_status(peer);
    if (!test_has(peer, text))
        fail_msg("no \"%s\" in:\n%s\n", text, test_received(peer));
    assert_not_received(peer, "--");
    crier_test_peer_free(peer);
    return status;
}

static void rebinding(void **state)
{
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    say(&t, "GET", "/a", "get");
    assert_int_equal(ask_host(&t, "localhost:8080", ""), 200);
    assert_int_equal(ask_host(&t, "127.0.0.1", ""), 200);
    assert_int_equal(ask_host(&t, "evil.example", ".hosts"), 421);
    assert_int_equal(ask_host(&t, "localhost.evil.example", "unknown-host"), 421);
    test_server_deinit(&t);

    test_server_init(&t, (struct crier_server_options){.hosts = "a.example B.example"});
    say(&t, "GET", "/a", "get");
    assert_int_equal(ask_host(&t, "a.example", ""), 200);
    assert_int_equal(ask_host(&t, "b.EXAMPLE:99", ""), 200);
    assert_int_equal(ask_host(&t, "a.example.", ""), 200);
    assert_int_equal(ask_host(&t, "localhost", ""), 200);
    assert_int_equal(ask_host(&t, "c.example", ""), 421);
    test_server_deinit(&t);

    test_server_init(&t, (struct crier_server_options){.hosts = "*"});
    say(&t, "GET", "/a", "get");
    assert_int_equal(ask_host(&t, "evil.example", ""), 200);
    test_server_deinit(&t);
}

/* ---- constant bytes --------------------------------------------------------------------- */

static void etag_of(struct crier_test_peer *peer, char etag[32])
{
    const char *at = strstr(test_received(peer), "ETag: ");

    assert_non_null(at);
    assert_int_equal(sscanf(at, "ETag: %31s", etag), 1);
    assert_true(etag[0] == '"' && etag[strlen(etag) - 1] == '"');
}

static void constant(void **state)
{
    char etag[32], other[32], line[200];
    struct crier_test_peer *peer;
    struct test_server t;
    char body[] = "body { }\n";

    test_server_init(&t, (struct crier_server_options){0});
    assert_int_equal(crier_server_static(t.server, "/a.css", "text/css", crier_slice_of(body)),
                     0);
    assert_int_equal(crier_server_static(t.server, "/b.css", "text/css", S("other")), 0);
    assert_int_equal(crier_server_static(t.server, "/empty", "text/plain", S("")), 0);
    memset(body, 'x', sizeof(body) - 1); /* it was copied */
    peer = test_asked(&t, "GET /a.css", "");
    assert_int_equal(test_status(peer), 200);
    assert_received(peer, "Content-Type: text/css\r\n");
    assert_received(peer, "Cache-Control: no-cache\r\n");
    assert_int_equal(test_count(peer, "Cache-Control"), 1);
    assert_string_equal(test_body(peer), "body { }\n");
    etag_of(peer, etag);
    test_ask(peer, "GET /b.css", "");
    etag_of(peer, other);
    assert_string_not_equal(etag, other);
    test_ask(peer, "HEAD /a.css", "");
    assert_received(peer, "Content-Length: 9\r\n");
    assert_received(peer, etag);
    assert_string_equal(test_body(peer), "");
    test_ask(peer, "GET /empty", "");
    assert_received(peer, "Content-Length: 0\r\n");
    test_ask(peer, "POST /a.css", "");
    assert_int_equal(test_status(peer), 405);
    assert_received(peer, "Allow: GET, HEAD, OPTIONS\r\n");

    /* RFC 9110, 13.1.2: a list, "*", compared weakly. */
    static const char *const same[] = {
        "%s",         "W/%s",       "\"x\", %s",
        "\"x\",W/%s", "*",          "%s, \"x\"",
        " %s ",       "\"a,b\",%s", "\"x\"\r\nIf-None-Match: %s"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        char value[100];
        const char *at = strstr(same[i], "%s");

        if (at)
            snprintf(value, sizeof(value), "%.*s%s%s", (int)(at - same[i]), same[i], etag,
                     at + 2);
        else
            snprintf(value, sizeof(value), "%s", same[i]);
        snprintf(line, sizeof(line), "If-None-Match: %s\r\n", value);
        test_ask(peer, "GET /a.css", line);
        if (test_status(peer) != 304)
            fail_msg("%s: %s", line, test_received(peer));
        assert_received(peer, etag);
        assert_not_received(peer, "Content-Length");
        assert_not_received(peer, "\r\nContent-Type");
        assert_string_equal(test_body(peer), "");
    }
    snprintf(line, sizeof(line), "If-None-Match: %s\r\n", other);
    test_ask(peer, "GET /a.css", line);
    assert_int_equal(test_status(peer), 200);
    snprintf(line, sizeof(line), "If-None-Match: %.*s\r\n", (int)strlen(etag) - 1, etag);
    test_ask(peer, "GET /a.css", line);
    assert_int_equal(test_status(peer), 200);
    test_ask(peer, "GET /a.css", "If-None-Match:\r\n");
    assert_int_equal(test_status(peer), 200);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void write_file(const char *path, const char *bytes, off_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(bytes, file) >= 0);
    assert_int_equal(fclose(file), 0);
    if (len)
        assert_int_equal(truncate(path, len), 0);
}

static void files(void **state)
{
    static const struct {
        const char *name, *type;
    } types[] = {
        {"a.html", "text/html; charset=utf-8"},
        {"a.css", "text/css; charset=utf-8"},
        {"a.js", "text/javascript"},
        {"a.json", "application/json"},
        {"a.svg", "image/svg+xml"},
        {"a.png", "image/png"},
        {"a.txt", "text/plain; charset=utf-8"},
        {"a.unknown", "application/octet-stream"},
        {"html", "application/octet-stream"},
        {"A.HTML", "text/html; charset=utf-8"},
        {"a.tar.html", "text/html; charset=utf-8"},
    };
    char folder[] = "/tmp/crier-test-XXXXXX", path[100], site[100], line[110];
    struct crier_test_peer *peer;
    struct test_server t;

    assert_non_null(mkdtemp(folder));
    test_server_init(&t, (struct crier_server_options){0});
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, types[i].name);
        snprintf(site, sizeof(site), "/%s", types[i].name);
        write_file(path, "content", 0);
        assert_int_equal(crier_server_file(t.server, site, path), 0);
        unlink(path); /* read now, not later */
    }
    snprintf(path, sizeof(path), "%s/most.bin", folder);
    write_file(path, "", 16 << 20);
    assert_int_equal(crier_server_file(t.server, "/most.bin", path), 0);
    unlink(path);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        snprintf(line, sizeof(line), "GET /%s", types[i].name);
        peer = test_asked(&t, line, "");
        assert_received(peer, types[i].type);
        assert_string_equal(test_body(peer), "content");
        crier_test_peer_free(peer);
    }
    peer = test_asked(&t, "GET /most.bin", "");
    assert_received(peer, "Content-Length: 16777216\r\n");
    assert_int_equal(strlen(test_received(peer)) + (16 << 20), crier_test_received(peer).len);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
    assert_int_equal(rmdir(folder), 0);
}

static void assert_no_file(const char *file, int result, const char *sentence)
{
    struct crier_server *server = crier_server_new();

    assert_int_equal(crier_server_file(server, "/a", file), result);
    if (!strstr(crier_server_error(server), sentence))
        fail_msg("%s", crier_server_error(server));
    assert_int_equal(crier_server_run(server), result);
    assert_int_equal(crier_server_step(server), result);
    crier_server_free(server);
}

static void no_files(void **state)
{
    char folder[] = "/tmp/crier-test-XXXXXX", path[100];

    assert_non_null(mkdtemp(folder));
    assert_no_file("/nowhere/a", CRIER_ENOENT, "cannot read /nowhere/a: ");
    assert_no_file("", CRIER_ENOENT, "cannot read");
    assert_no_file(NULL, CRIER_ENOENT, "cannot read");
    assert_no_file(folder, CRIER_EINVAL, "no file");
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_no_file(path, CRIER_EINVAL, "no file"); /* and is not waited for */
    unlink(path);
    snprintf(path, sizeof(path), "%s/large", folder);
    write_file(path, "", (16 << 20) + 1);
    assert_no_file(path, CRIER_EMSGSIZE, "large");
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- what a route may be ---------------------------------------------------------------- */

static void assert_route_fault(int (*add)(struct crier_server *), const char *sentence)
{
    struct crier_server *server = crier_server_new();

    assert_int_equal(add(server), CRIER_EINVAL);
    if (!strstr(crier_server_error(server), sentence))
        fail_msg("\"%s\" does not say \"%s\"", crier_server_error(server), sentence);
    /* The first one stays, and is what run and step answer. */
    assert_int_equal(crier_server_route(server, "GET", "/", NULL, NULL), CRIER_EINVAL);
    assert_non_null(strstr(crier_server_error(server), sentence));
    assert_int_equal(crier_server_listen(server), CRIER_EINVAL);
    assert_int_equal(crier_server_run(server), CRIER_EINVAL);
    assert_int_equal(crier_server_step(server), CRIER_EINVAL);
    assert_null(crier_test_connect(server));
    crier_server_free(server);
}

static int bad_pattern(struct crier_server *server)
{
    return crier_server_route(server, "GET", "a{b", say_method, NULL);
}

static int bad_method(struct crier_server *server)
{
    return crier_server_route(server, "GET POST", "/", say_method, NULL);
}

static int long_method(struct crier_server *server)
{
    return crier_server_route(server, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "/",
                              say_method, NULL);
}

static int no_method(struct crier_server *server)
{
    return crier_server_route(server, NULL, "/", say_method, NULL);
}

static int no_pattern(struct crier_server *server)
{
    return crier_server_route(server, "GET", NULL, say_method, NULL);
}

static int no_handler(struct crier_server *server)
{
    return crier_server_route(server, "GET", "/x", NULL, NULL);
}

static int no_type(struct crier_server *server)
{
    return crier_server_static(server, "/x", NULL, S("a"));
}

static int bad_type(struct crier_server *server)
{
    return crier_server_static(server, "/x", "text/plain\r\nX: y", S("a"));
}

static int control_type(struct crier_server *server)
{
    return crier_server_static(server, "/x", "text/\x01plain", S("a"));
}

static int no_path(struct crier_server *server)
{
    return crier_server_static(server, NULL, "text/plain", S("a"));
}

static void faults(void **state)
{
    struct test_server t;

    assert_route_fault(bad_pattern, "a{b");
    assert_route_fault(bad_method, "GET POST");
    assert_route_fault(long_method, "method");
    assert_route_fault(no_method, "method");
    assert_route_fault(no_pattern, "pattern");
    assert_route_fault(no_handler, "/x");
    assert_route_fault(no_type, "/x has no content type");
    assert_route_fault(bad_type, "/x has no content type");
    assert_route_fault(control_type, "/x has no content type");
    assert_route_fault(no_path, "pattern");

    test_server_init(&t, (struct crier_server_options){0});
    test_route(&t, "GET", "/a", say_method, NULL);
    assert_int_equal(crier_server_route(t.server, "GET", "/a", say_method, NULL), CRIER_EEXIST);
    assert_non_null(strstr(crier_server_error(t.server), "GET /a"));
    assert_int_equal(crier_server_step(t.server), CRIER_EEXIST);
    test_server_deinit(&t);
}

/* Once it runs nothing can be added, and trying does no harm. */
static void not_while_it_runs(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){0});
    say(&t, "GET", "/a", "get");
    assert_answer(&t, "GET /a", "", 200, "");
    assert_int_equal(crier_server_route(t.server, "GET", "/b", say_method, NULL), CRIER_EBUSY);
    assert_int_equal(crier_server_route(t.server, "GET", "/b", NULL, NULL), CRIER_EBUSY);
    assert_int_equal(crier_server_static(t.server, "/b", "text/plain", S("")), CRIER_EBUSY);
    assert_int_equal(crier_server_static(t.server, "/b", NULL, S("")), CRIER_EBUSY);
    assert_int_equal(crier_server_file(t.server, "/b", "/nowhere/b"), CRIER_EBUSY);
    assert_int_equal(crier_server_mount(t.server, "/b", hub), CRIER_EBUSY);
    assert_int_equal(crier_server_mount_admin(t.server, "/b", hub), CRIER_EBUSY);
    assert_string_equal(crier_server_error(t.server), "");
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_answer(&t, "GET /a", "", 200, "get:GET");
    test_server_deinit(&t);
    crier_hub_free(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods),           cmocka_unit_test(refused),
        cmocka_unit_test(options),           cmocka_unit_test(preflight),
        cmocka_unit_test(cors_for_all),      cmocka_unit_test(rebinding),
        cmocka_unit_test(constant),          cmocka_unit_test(files),
        cmocka_unit_test(no_files),          cmocka_unit_test(faults),
        cmocka_unit_test(not_while_it_runs),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
