/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/rng.h"
#include "http/target.h"

/* Decodes as a reader of the RFC would by hand: false if there is a bad escape. */
static bool naive_decode(struct crier_slice text, bool plus, char *out, size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *high, *low;

        if (text.data[i] != '%') {
            out[len++] = plus && text.data[i] == '+' ? ' ' : text.data[i];
            continue;
        }
        if (i + 2 >= text.len)
            return false;
        high = memchr(digits, text.data[i + 1], 32);
        low = memchr(digits, text.data[i + 2], 32);
        if (!high || !low)
            return false;
        out[len++] = (char)((high - digits) % 16 * 16 + (low - digits) % 16);
        i += 2;
    }
    *ret_len = len;
    return true;
}

/* Decoding is the naive decoding, for random texts rich in percent signs. */
static void test_decode(void **state)
{
    static const char alphabet[] = "%%%%012389abefABEFgG+/x\xc3\xa4";
    struct crier_rng rng = {test_seed("percent")};
    struct test_guard guard;

    test_guard_init(&guard, 32);
    for (int i = 0; i < 100000; i++) {
        char text[16], expected[16];
        size_t len = crier_rng_between(&rng, 0, sizeof(text)), expected_len = 0;
        bool plus = crier_rng_between(&rng, 0, 1);
        struct crier_slice slice;
        struct crier_buf buf;
        bool valid;

        for (size_t k = 0; k < len; k++)
            text[k] = alphabet[crier_rng_between(&rng, 0, sizeof(alphabet) - 2)];
        slice = test_guard_put(&guard, (struct crier_slice){text, len});
        valid = naive_decode(slice, plus, expected, &expected_len);
        crier_buf_init(&buf, &crier_mem_libc);
        assert_int_equal(crier_percent_decode(&buf, slice, plus), valid ? 0 : -EINVAL);
        if (valid)
            assert_slice_equal(crier_buf_slice(&buf),
                               ((struct crier_slice){expected, expected_len}));
        else
            assert_int_equal(buf.len, 0);
        crier_buf_deinit(&buf);
    }
    test_guard_deinit(&guard);
}

/* Every byte encodes to something that decodes to it; only unreserved ones and '/' stay. */
static void test_encode(void **state)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool plain =
            c &&
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/", c);
        struct crier_buf encoded, decoded;

        crier_buf_init(&encoded, &crier_mem_libc);
        crier_buf_init(&decoded, &crier_mem_libc);
        crier_percent_encode(&encoded, (struct crier_slice){&byte, 1});
        assert_int_equal(encoded.len, plain ? 1 : 3);
        assert_int_equal(crier_percent_decode(&decoded, crier_buf_slice(&encoded), true), 0);
        assert_slice_equal(crier_buf_slice(&decoded), ((struct crier_slice){&byte, 1}));
        crier_buf_deinit(&encoded);
        crier_buf_deinit(&decoded);
    }
}

/* A query is cut at '&' and each part at its first '='; empty parts are no parameters. */
static void test_query(void **state)
{
    static const struct {
        const char *query, *joined;
    } rows[] = {
        {"", ""},
        {"&", ""},
        {"a", "[a][]"},
        {"a=", "[a][]"},
        {"=a", "[][a]"},
        {"=", "[][]"},
        {"a=b&&c=d=e&", "[a][b][c][d=e]"},
        {"topic=a%26b&topic=c", "[topic][a%26b][topic][c]"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crier_slice query, name, value;
        struct test_guard guard;
        char joined[64] = "";
        size_t len = 0;

        test_guard_init(&guard, 64);
        query = test_guard_put(&guard, crier_slice_of(rows[i].query));
        while (crier_query_next(&query, &name, &value))
            len += (size_t)snprintf(joined + len, sizeof(joined) - len, "[%.*s][%.*s]",
                                    CRIER_SLICE_ARG(name), CRIER_SLICE_ARG(value));
        assert_string_equal(joined, rows[i].joined);
        test_guard_deinit(&guard);
    }
}

/* Authorities, each at a guard page: host, port (-1: none), local or not; or refused (NULL). */
static void test_authority(void **state)
{
    static const struct {
        const char *text, *host;
        int port;
        bool ipv6, local;
    } rows[] = {
        {"example.org", "example.org", -1, false, false},
        {"example.org:8080", "example.org", 8080, false, false},
        {"example.org:", "example.org", -1, false, false},
        {"h:0", "h", 0, false, false},
        {"h:65535", "h", 65535, false, false},
        {"h:00080", "h", 80, false, false},
        {"a_b~c.d-e!$&'()*+,;=", "a_b~c.d-e!$&'()*+,;=", -1, false, false},
        {"%41", "%41", -1, false, false},
        {"localhost", "localhost", -1, false, true},
        {"LocalHost:80", "LocalHost", 80, false, true},
        {"localhost.", "localhost.", -1, false, true},
        {"localhost..", "localhost..", -1, false, false},
        {"a.localhost", "a.localhost", -1, false, true},
        {"a.b.LOCALHOST.", "a.b.LOCALHOST.", -1, false, true},
        {".localhost", ".localhost", -1, false, false},
        {"xlocalhost", "xlocalhost", -1, false, false},
        {"localhost.example", "localhost.example", -1, false, false},
        {"%6cocalhost", "%6cocalhost", -1, false, false},
        {"127.0.0.1", "127.0.0.1", -1, false, true},
        {"127.255.255.255:1", "127.255.255.255", 1, false, true},
        {"128.0.0.1", "128.0.0.1", -1, false, false},
        {"127.1", "127.1", -1, false, false},
        {"127.0.0.1.example.org", "127.0.0.1.example.org", -1, false, false},
        {"127.0.0.256", "127.0.0.256", -1, false, false},
        {"2130706433", "2130706433", -1, false, false},
        {"[::1]", "::1", -1, true, true},
        {"[::1]:8080", "::1", 8080, true, true},
        {"[0:0:0:0:0:0:0:1]", "0:0:0:0:0:0:0:1", -1, true, true},
        {"[::0.0.0.1]", "::0.0.0.1", -1, true, true},
        {"[::2]", "::2", -1, true, false},
        {"[::ffff:127.0.0.1]", "::ffff:127.0.0.1", -1, true, false},
        {"", NULL, 0, false, false},
        {":80", NULL, 0, false, false},
        {"h:65536", NULL, 0, false, false},
        {"h:99999999999999999999", NULL, 0, false, false},
        {"h:+80", NULL, 0, false, false},
        {"h:8 0", NULL, 0, false, false},
        {"h:80:80", NULL, 0, false, false},
        {"u@h", NULL, 0, false, false},
        {"a b", NULL, 0, false, false},
        {"a/b", NULL, 0, false, false},
        {"%", NULL, 0, false, false},
        {"%4", NULL, 0, false, false},
        {"%4g", NULL, 0, false, false},
        {"\xc3\xa4", NULL, 0, false, false},
        {"::1", NULL, 0, false, false},
        {"[", NULL, 0, false, false},
        {"[]", NULL, 0, false, false},
        {"[::1", NULL, 0, false, false},
        {"[::1]x", NULL, 0, false, false},
        {"[::1]8080", NULL, 0, false, false},
        {"[127.0.0.1]", NULL, 0, false, false},
        {"[fe80::1%25lo]", NULL, 0, false, false},
        {"[v1.x]", NULL, 0, false, false},
        {"[::1]]", NULL, 0, false, false},
    };
    struct test_guard guard;

    test_guard_init(&guard, 64);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crier_authority authority = {.port = 7777};
        struct crier_slice text = test_guard_put(&guard, crier_slice_of(rows[i].text));
        int r = crier_authority_parse(text, &authority);

        if (r != (rows[i].host ? 0 : -EINVAL))
            print_error("%s\n", rows[i].text);
        assert_int_equal(r, rows[i].host ? 0 : -EINVAL);
        if (!rows[i].host) {
            assert_int_equal(authority.port, 7777);
            continue;
        }
        assert_slice_equal(authority.host, crier_slice_of(rows[i].host));
        assert_int_equal(authority.has_port ? authority.port : -1, rows[i].port);
        assert_int_equal(authority.is_ipv6, rows[i].ipv6);
        if (crier_authority_is_local(&authority) != rows[i].local)
            print_error("%s\n", rows[i].text);
        assert_int_equal(crier_authority_is_local(&authority), rows[i].local);
    }
    test_guard_deinit(&guard);
}

/* A host with a NUL in it is no host, and not local by what stands before it. */
static void test_authority_nul(void **state)
{
    struct crier_authority authority;

    assert_int_equal(crier_authority_parse(CRIER_SLICE("127.0.0.1\0"), &authority), -EINVAL);
    assert_int_equal(crier_authority_parse(CRIER_SLICE("[::1\0]"), &authority), -EINVAL);
    authority = (struct crier_authority){.host = CRIER_SLICE("127.0.0.1\0x")};
    assert_false(crier_authority_is_local(&authority));
}

/* Origins: which parse, and which are the same as a Host. */
static void test_origin(void **state)
{
    static const struct {
        const char *origin, *host;
        bool valid, same;
    } rows[] = {
        {"http://h", "h", true, true},
        {"http://h", "H:80", true, true},
        {"http://h:80", "h", true, true},
        {"https://h", "h:443", true, true},
        {"https://h", "h", true, true}, /* behind a TLS proxy */
        {"https://h", "h:80", true, false},
        {"http://h:8080", "h:8080", true, true},
        {"http://h:8080", "h", true, false},
        {"http://h", "h:8080", true, false},
        {"http://h", "i", true, false},
        {"http://h.i", "h", true, false},
        {"http://[::1]:80", "[0::1]", true, true},
        {"http://[::1]", "[::2]", true, false},
        {"HTTP://h", "h", true, true},
        {"null", "null", true, false},
        {"chrome-extension://h", "h", true, false},
        {"http://h/", "h", false, false},
        {"http://h?x", "h", false, false},
        {"http://u@h", "h", false, false},
        {"http://", "h", false, false},
        {"http:h", "h", false, false},
        {"http:/h", "h", false, false},
        {"://h", "h", false, false},
        {"1http://h", "h", false, false},
        {"h", "h", false, false},
        {"", "h", false, false},
        {"null ", "h", false, false},
        {"http://h http://i", "h", false, false},
        {"http://h:99999", "h", false, false},
    };
    struct test_guard guard;

    test_guard_init(&guard, 64);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crier_slice text = test_guard_put(&guard, crier_slice_of(rows[i].origin));
        struct crier_authority host;
        struct crier_origin origin;
        int r = crier_origin_parse(text, &origin);

        if (r != (rows[i].valid ? 0 : -EINVAL))
            print_error("%s\n", rows[i].origin);
        assert_int_equal(r, rows[i].valid ? 0 : -EINVAL);
        if (r < 0)
            continue;
        assert_int_equal(crier_authority_parse(crier_slice_of(rows[i].host), &host), 0);
        if (crier_origin_matches_host(&origin, &host) != rows[i].same)
            print_error("%s and %s\n", rows[i].origin, rows[i].host);
        assert_int_equal(crier_origin_matches_host(&origin, &host), rows[i].same);
        assert_int_equal(origin.is_null, strcmp(rows[i].origin, "null") == 0);
    }
    test_guard_deinit(&guard);
}

static int run_decode(const struct crier_mem *mem, void *ctx)
{
    struct crier_buf buf;
    int r;

    crier_buf_init(&buf, mem);
    r = crier_percent_decode(&buf, CRIER_SLICE("%41bc"), false);
    crier_percent_encode(&buf,
                         CRIER_SLICE("a very long text with many spaces in it, more than one "
                                     "allocation holds"));
    if (r == 0)
        r = crier_buf_error(&buf);
    crier_buf_deinit(&buf);
    return r;
}

/* Out of memory is told. */
static void test_no_memory(void **state)
{
    assert_true(test_mem_torture(run_decode, NULL) >= 2);
}

/* As browsers decode: what is no escape stands for itself, and nothing is read past the end. */
static void test_percent_next(void **state)
{
    static const struct {
        struct crier_slice raw, text;
    } rows[] = {
        {{"", 0}, {"", 0}},       {{"a+b", 3}, {"a+b", 3}},         {{"%41%4a", 6}, {"AJ", 2}},
        {{"%", 1}, {"%", 1}},     {{"%4", 2}, {"%4", 2}},           {{"%zz%", 4}, {"%zz%", 4}},
        {{"%%41", 4}, {"%A", 2}}, {{"%C3%a9", 6}, {"\xc3\xa9", 2}}, {{"x%00y", 5}, {"x\0y", 3}},
    };
    struct test_guard guard;

    test_guard_init(&guard, 16);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crier_slice rest = test_guard_put(&guard, rows[i].raw);
        char text[16];
        size_t len = 0;

        while (rest.len)
            text[len++] = crier_percent_next(&rest);
        assert_slice_equal(((struct crier_slice){text, len}), rows[i].text);
    }
    test_guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percent_next), cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode),       cmocka_unit_test(test_query),
        cmocka_unit_test(test_authority),    cmocka_unit_test(test_authority_nul),
        cmocka_unit_test(test_origin),       cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
