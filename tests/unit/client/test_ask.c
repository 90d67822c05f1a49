/* SPDX-License-Identifier: MIT */
#include "client/ask.h"
#include "support.h"

static struct crier_url url_of(const char *text)
{
    struct crier_url url;

    assert_null(crier_url_parse(crier_slice_of(text), &url));
    return url;
}

/* The request of those options, as it goes to hop. */
static void check(const struct crier_client_options *options,
                  const struct crier_hop *hop,
                  const char *last_id,
                  const char *expected)
{
    struct crier_settings settings;
    struct crier_access access;
    struct crier_call call;

    assert_int_equal(crier_settings_init(&settings, &crier_mem_libc, options), 0);
    assert_string_equal(settings.fault, "");
    assert_int_equal(crier_access_init(&access, &crier_mem_libc,
                                       &(struct crier_access_options){.proxy = options->proxy}),
                     0);
    assert_int_equal(crier_call_init(&call, &crier_mem_libc), 0);
    assert_int_equal(crier_call_start(&call, &access, &hop->url), 0);
    crier_ask(&call, &settings, hop, crier_slice_of(last_id));
    assert_slice_equal(crier_buf_slice(&call.out), crier_slice_of(expected));
    crier_call_deinit(&call);
    crier_access_deinit(&access);
    crier_settings_deinit(&settings);
}

#define AGENT "User-Agent: crier/" CRIER_VERSION "\r\n"
#define DEFAULTS AGENT "Accept: text/event-stream\r\nCache-Control: no-cache\r\n"

/* A plain GET; then with an id and a token; then with a program's own defaults. */
static void test_get(void **state)
{
    struct crier_hop hop = {.url = url_of("http://127.0.0.1:81/a?b"), .trusted = true};
    const struct crier_client_header headers[] = {{"accept", "x/y", false},
                                                  {"User-agent", "me", false},
                                                  {"CACHE-control", "no-store", false},
                                                  {"Authorization", "Basic x", false}};
    struct crier_client_options o = {.url = "http://127.0.0.1:81/a?b", .proxy = ""};

    check(&o, &hop, "", "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:81\r\n" DEFAULTS "\r\n");
    o.bearer = "t";
    check(&o, &hop, "7",
          "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:81\r\n" DEFAULTS
          "Last-Event-ID: 7\r\nAuthorization: Bearer t\r\n\r\n");
    o.headers = headers;
    o.header_count = 4;
    check(&o, &hop, "",
          "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:81\r\naccept: x/y\r\nUser-agent: me\r\n"
          "CACHE-control: no-store\r\nAuthorization: Basic x\r\n\r\n");
}

/* A body has its type and length; it, what speaks of it, and what is secret stay behind when
 * the request has become a GET or has left its origin. */
static void test_post(void **state)
{
    struct crier_hop hop = {.url = url_of("http://127.0.0.1/"), .trusted = true};
    const struct crier_client_header headers[] = {
        {"Cookie", "c", false}, {"X-Key", "k", true}, {"Content-Language", "de", false}};
    struct crier_client_options o = {.url = "http://127.0.0.1/",
                                     .proxy = "",
                                     .method = "POST",
                                     .body = CRIER_SLICE("hi"),
                                     .content_type = "text/plain",
                                     .headers = headers,
                                     .header_count = 3};

    check(&o, &hop, "",
          "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" DEFAULTS
          "Cookie: c\r\nX-Key: k\r\nContent-Language: de\r\nContent-Type: text/plain\r\n"
          "Content-Length: 2\r\n\r\nhi");
    hop.trusted = false;
    check(&o, &hop, "",
          "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" DEFAULTS
          "Content-Language: de\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
    hop.as_get = true;
    check(&o, &hop, "", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" DEFAULTS "\r\n");
    o = (struct crier_client_options){.url = "http://a/", .proxy = "", .method = "PUT"};
    hop.as_get = false;
    check(&o, &hop, "",
          "PUT / HTTP/1.1\r\nHost: 127.0.0.1\r\n" DEFAULTS "Content-Length: 0\r\n\r\n");
}

/* A proxy is told the whole URL, and its own credentials. */
static void test_proxy(void **state)
{
    struct crier_hop hop = {.url = url_of("http://example.org:81/a"), .trusted = true};
    struct crier_client_options o = {.url = "http://example.org:81/a",
                                     .proxy = "http://a:b@127.0.0.1:1"};

    check(&o, &hop, "",
          "GET http://example.org:81/a HTTP/1.1\r\nHost: example.org:81\r\n"
          "Proxy-Authorization: Basic YTpi\r\n" DEFAULTS "\r\n");
}

/* Where redirects lead: trust is lost for good when the origin changes; a body when it says
 * so. */
static void test_redirect(void **state)
{
    static const struct {
        const char *method;
        unsigned status;
        bool as_get;
    } rows[] = {
        {"POST", 301, true},  {"POST", 302, true}, {"POST", 303, true}, {"POST", 307, false},
        {"POST", 308, false}, {"PUT", 301, false}, {"PUT", 302, false}, {"PUT", 303, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_hop hop = {.url = url_of("http://a/"), .trusted = true};
        struct crier_url same = url_of("http://a/b"), secure = url_of("https://a/"),
                         home = url_of("http://a/");
        struct crier_settings settings;

        assert_int_equal(crier_settings_init(&settings, &crier_mem_libc,
                                             &(struct crier_client_options){
                                                 .url = "http://a/", .method = rows[i].method}),
                         0);
        crier_hop_redirect(&hop, &settings, &same, rows[i].status);
        assert_int_equal(hop.as_get, rows[i].as_get);
        assert_true(hop.trusted);
        crier_hop_redirect(&hop, &settings, &secure, 307);
        assert_false(hop.trusted);
        crier_hop_redirect(&hop, &settings, &home, 307);
        assert_false(hop.trusted);
        assert_int_equal(hop.as_get, rows[i].as_get);
        crier_settings_deinit(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_redirect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
