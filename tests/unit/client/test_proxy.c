/* SPDX-License-Identifier: MIT */
#include "client/proxy.h"
#include "support.h"

struct variable {
    const char *name, *value;
};

/* An environment: variables up to one without a name. */
static const char *get(void *ctx, const char *name)
{
    for (const struct variable *v = ctx; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v->value;
    return NULL;
}

static struct crier_url url_of(const char *text)
{
    struct crier_url url;

    assert_null(crier_url_parse(crier_slice_of(text), &url));
    return url;
}

/* The host of the proxy that leads to url, or "" for none. */
static void
check(const char *given, struct variable *environment, const char *text, const char *expected)
{
    struct crier_proxies proxies;
    struct crier_url url = url_of(text);
    const struct crier_proxy *proxy;

    crier_proxies_init(&proxies, &crier_mem_libc);
    assert_int_equal(crier_proxies_set(&proxies, given, get, environment), 0);
    proxy = crier_proxies_for(&proxies, &url);
    assert_slice_equal(proxy ? proxy->url.host : CRIER_SLICE(""), crier_slice_of(expected));
    crier_proxies_deinit(&proxies);
    crier_proxies_deinit(&proxies);
}

/* Each scheme has its variables, lower case first, all_proxy last; HTTP_PROXY is none. */
static void test_environment(void **state)
{
    struct variable none[] = {{NULL, NULL}};
    struct variable all[] = {{"http_proxy", "h"},  {"https_proxy", "s:81"}, {"all_proxy", "a"},
                             {"HTTPS_PROXY", "S"}, {"HTTP_PROXY", "H"},     {"ALL_PROXY", "A"},
                             {NULL, NULL}};
    struct variable upper[] = {
        {"HTTPS_PROXY", "S"}, {"HTTP_PROXY", "H"}, {"ALL_PROXY", "A"}, {NULL, NULL}};
    struct variable empty[] = {{"http_proxy", " "}, {"all_proxy", "a"}, {NULL, NULL}};

    check(NULL, none, "http://x/", "");
    check(NULL, all, "http://x/", "h");
    check(NULL, all, "https://x/", "s");
    check(NULL, upper, "http://x/", "A");
    check(NULL, upper, "https://x/", "S");
    check(NULL, empty, "http://x/", "a");
    check("", all, "http://x/", "");
    check("given:1", all, "https://x/", "given");
}

/* What is on this machine is asked for without the environment's proxy, which is not; one that
 * was given is used. */
static void test_loopback(void **state)
{
    static const char *const here[] = {
        "http://localhost/",   "https://LOCALHOST:81/", "http://localhost./",
        "http://a.localhost/", "http://127.0.0.1/",     "https://127.1.2.3/",
        "http://[::1]/",
    };
    static const char *const elsewhere[] = {"http://localhost.x/", "http://alocalhost/",
                                            "http://128.0.0.1/", "http://[::2]/"};
    struct variable all[] = {{"all_proxy", "a"}, {NULL, NULL}};

    for (size_t i = 0; i < sizeof(here) / sizeof(*here); i++) {
        check(NULL, all, here[i], "");
        check("given", all, here[i], "given");
    }
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++)
        check(NULL, all, elsewhere[i], "a");
}

/* no_proxy: names and all under them, addresses as they are, a port if there is one. */
static void test_exceptions(void **state)
{
    static const struct {
        const char *list, *url;
        bool excepted;
    } rows[] = {
        {"", "http://a/", false},
        {"*", "http://a/", true},
        {"b, a", "http://a/", true},
        {"example.org", "http://example.org/", true},
        {"example.org", "http://www.EXAMPLE.org/", true},
        {".example.org", "http://example.org/", true},
        {".example.org", "http://www.example.org/", true},
        {"example.org", "http://badexample.org/", false},
        {"www.example.org", "http://example.org/", false},
        {"example.org:81", "http://example.org/", false},
        {"example.org:80", "http://example.org/", true},
        {"example.org:443", "https://example.org/", true},
        {"127.0.0.1", "http://127.0.0.1:8080/", true},
        {"127.0.0.1:8080", "http://127.0.0.1:8080/", true},
        {"127.0.0.1:8081", "http://127.0.0.1:8080/", false},
        {"0.0.1", "http://127.0.0.1/", false},
        {"1", "http://127.0.0.1/", false},
        {"::1", "http://[::1]/", true},
        {"[::1]", "http://[0:0::1]/", true},
        {"[::1]:81", "http://[::1]:81/", true},
        {"[::1]:82", "http://[::1]:81/", false},
        {" ,,a b,:,", "http://a/", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_url url = url_of(rows[i].url);

        assert_int_equal(crier_proxy_excepts(crier_slice_of(rows[i].list), &url),
                         rows[i].excepted);
    }
}

/* A user name and password are percent-decoded and become Basic credentials (RFC 4648 10 has
 * the lengths). */
static void test_credentials(void **state)
{
    static const struct {
        const char *proxy, *value;
    } rows[] = {
        {"http://p:1", ""},
        {"http://a:b@p:1", "Basic YTpi"},
        {"a:bc@p:1", "Basic YTpiYw=="},
        {"http://a:bcd@p", "Basic YTpiY2Q="},
        {"http://a@p", "Basic YTo="},
        {"http://a%40b:c%3Ad@p/", "Basic YUBiOmM6ZA=="},
        {"http://a@b:c@p", "Basic YUBiOmM="},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_proxies proxies;

        crier_proxies_init(&proxies, &crier_mem_libc);
        assert_int_equal(crier_proxies_set(&proxies, rows[i].proxy, NULL, NULL), 0);
        assert_null(proxies.http.fault);
        assert_slice_is(proxies.http.url.host, "p");
        assert_slice_equal(crier_buf_slice(&proxies.http.authorization),
                           crier_slice_of(rows[i].value));
        crier_proxies_deinit(&proxies);
    }
}

/* What is no http proxy has a sentence, and is still the one that would be taken. */
static void test_faults(void **state)
{
    static const char *const bad[] = {"socks5://p:1", "https://p", "http://", "http://p:x",
                                      "http://[p",    "p q",       "a%4@p"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct crier_proxies proxies;
        struct crier_url url = url_of("http://x/");

        crier_proxies_init(&proxies, &crier_mem_libc);
        assert_int_equal(crier_proxies_set(&proxies, bad[i], NULL, NULL), 0);
        assert_non_null(crier_proxies_for(&proxies, &url)->fault);
        crier_proxies_deinit(&proxies);
    }
}

static int run_set(const struct crier_mem *mem, void *ctx)
{
    struct crier_proxies proxies;
    int r;

    crier_proxies_init(&proxies, mem);
    r = crier_proxies_set(&proxies, NULL, get, ctx);
    crier_proxies_deinit(&proxies);
    return r;
}

static void test_memory(void **state)
{
    struct variable all[] = {
        {"http_proxy", "u:p@h"}, {"https_proxy", "u:p@s"}, {"no_proxy", "n"}, {NULL, NULL}};

    assert_true(test_mem_torture(run_set, all) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment), cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_exceptions),  cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_faults),      cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
