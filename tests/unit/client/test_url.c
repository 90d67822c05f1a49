/* SPDX-License-Identifier: MIT */
#include "client/url.h"
#include "support.h"

static struct crier_url url_of(const char *text)
{
    struct crier_url url;

    assert_null(crier_url_parse(crier_slice_of(text), &url));
    return url;
}

/* What is taken apart can be put together as a request needs it: the target, and Host without
 * the default port. */
static void test_parts(void **state)
{
    static const struct {
        const char *text, *host, *target;
        uint16_t port;
    } rows[] = {
        {"http://localhost", "localhost", "/", 80},
        {"HTTP://localhost:8080", "localhost:8080", "/", 8080},
        {"http://localhost:80/", "localhost", "/", 80},
        {"https://localhost", "localhost", "/", 443},
        {"HTTPS://localhost:443/", "localhost", "/", 443},
        {"https://localhost:80/", "localhost:80", "/", 80},
        {"http://localhost:443/", "localhost:443", "/", 443},
        {"http://[::1]:8080/a/b?c=d&e", "[::1]:8080", "/a/b?c=d&e", 8080},
        {"http://127.0.0.1?x", "127.0.0.1", "/?x", 80},
        {"http://a/b?", "a", "/b?", 80},
        {"http://a/b#c?d", "a", "/b", 80},
        {"http://a/z\xc3\xbc", "a", "/z%C3%BC", 80},
        {"http://a/%7e?q=/?", "a", "/%7e?q=/?", 80},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_url url = url_of(rows[i].text);
        struct crier_buf buf;

        crier_buf_init(&buf, &crier_mem_libc);
        crier_url_host(&buf, &url);
        assert_slice_equal(crier_buf_slice(&buf), crier_slice_of(rows[i].host));
        crier_buf_clear(&buf);
        crier_url_target(&buf, &url);
        assert_slice_equal(crier_buf_slice(&buf), crier_slice_of(rows[i].target));
        assert_int_equal(url.port, rows[i].port);
        crier_buf_deinit(&buf);
    }
}

/* Everything else has a sentence, and leaves the result alone. */
static void test_faults(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"", "must begin with http://"},
        {"localhost:8080", "must begin with http://"},
        {"ftp://a/", "must begin with http://"},
        {"http:/a", "must begin with http://"},
        {"https:/a", "must begin with http://"},
        {"https://", "names no host"},
        {"http://", "names no host"},
        {"http:///a", "names no host"},
        {"http://a:port/", "malformed"},
        {"http://a:99999/", "malformed"},
        {"http://a:0/", "port 0"},
        {"http://[::1", "malformed"},
        {"http://.example.org/", "a host name"},
        {"http://.", "a host name"},
        {"http://*/", "a host name"},
        {"http://*.example.org/", "a host name"},
        {"http://a..b/", "a host name"},
        {"http://a../", "a host name"},
        {"http://user:secret@a/", "user name"},
        {"http://a/b c", "white space"},
        {"http://a/b\r\nX: y", "white space"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_url url = {.port = 7};
        const char *fault = crier_url_parse(crier_slice_of(rows[i].text), &url);

        assert_non_null(fault);
        assert_non_null(strstr(fault, rows[i].words));
        assert_int_equal(url.port, 7);
    }
}

/* A host name has 253 bytes at most, and may end in a dot that is not counted. */
static void test_long_host(void **state)
{
    char text[300] = "http://";
    struct crier_url url;

    memset(text + 7, 'a', 253);
    assert_null(crier_url_parse(crier_slice_of(text), &url));
    text[7 + 253] = '.';
    assert_null(crier_url_parse(crier_slice_of(text), &url));
    assert_int_equal(url.host.len, 254);
    text[7 + 253] = 'a';
    assert_non_null(strstr(crier_url_parse(crier_slice_of(text), &url), "253 bytes"));
    assert_int_equal(url.host.len, 254);
}

/* RFC 3986 5.4: its own table of references, for the base http://a/b/c/d;p?q. */
static void test_resolve(void **state)
{
    static const struct {
        const char *reference, *result;
    } rows[] = {
        {"g:h", "g:h"},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {";x", "http://a/b/c/;x"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
    };
    struct crier_url base = url_of("http://a/b/c/d;p?q");

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_buf buf;

        crier_buf_init(&buf, &crier_mem_libc);
        crier_url_resolve(&buf, &base, crier_slice_of(rows[i].reference));
        assert_slice_equal(crier_buf_slice(&buf), crier_slice_of(rows[i].result));
        crier_buf_deinit(&buf);
    }
}

/* What names no scheme keeps that of its base. */
static void test_resolve_secure(void **state)
{
    static const struct {
        const char *reference, *result;
    } rows[] = {
        {"//g/h", "https://g/h"},
        {"/g", "https://a:8443/g"},
        {"http://g", "http://g"},
    };
    struct crier_url base = url_of("https://a:8443/b");

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_buf buf;

        crier_buf_init(&buf, &crier_mem_libc);
        crier_url_resolve(&buf, &base, crier_slice_of(rows[i].reference));
        assert_slice_equal(crier_buf_slice(&buf), crier_slice_of(rows[i].result));
        crier_buf_deinit(&buf);
    }
}

static int run_resolve(const struct crier_mem *mem, void *ctx)
{
    struct crier_url base = url_of("http://a:81/b/c/d");
    struct crier_buf buf;
    int r;

    crier_buf_init(&buf, mem);
    crier_url_resolve(&buf, &base, CRIER_SLICE("../g"));
    r = crier_buf_error(&buf);
    crier_buf_deinit(&buf);
    return r;
}

/* Out of memory is noticed wherever it happens, also in the merged path nobody sees. */
static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_resolve, NULL) >= 2);
}

/* Credentials stay within scheme, host and port: anything else is another origin. */
static void test_same_origin(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"http://a", "http://a:80/x?y", true},
        {"http://Example.org:81", "http://example.ORG:81/", true},
        {"http://a", "http://a:81", false},
        {"http://a", "http://b", false},
        {"http://a", "http://a.b", false},
        {"http://[::1]", "http://[::1]/x", true},
        {"http://127.0.0.1", "http://localhost", false},
        {"http://a", "https://a", false},
        {"http://a:443", "https://a", false},
        {"https://a", "https://a:443/b", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_url a = url_of(rows[i].a), b = url_of(rows[i].b);

        assert_int_equal(crier_url_same_origin(&a, &b), rows[i].same);
        assert_int_equal(crier_url_same_origin(&b, &a), rows[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_faults),
        cmocka_unit_test(test_long_host),      cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_memory),         cmocka_unit_test(test_same_origin),
        cmocka_unit_test(test_resolve_secure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
