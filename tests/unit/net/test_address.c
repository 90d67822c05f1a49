/* SPDX-License-Identifier: MIT */
#include "net/address.h"
#include "support.h"

static struct crier_ip ip_of(const char *text)
{
    struct crier_ip ip;

    assert_int_equal(crier_ip_parse(crier_slice_of(text), &ip), 0);
    return ip;
}

/* What --listen takes, and what it becomes. */
static void test_parse(void **state)
{
    static const struct {
        const char *text, *first, *second;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", NULL},
        {"0.0.0.0:80", "0.0.0.0:80", NULL},
        {"[::1]:8080", "[::1]:8080", NULL},
        {"[::]:0", "[::]:0", NULL},
        {"[2001:DB8:0:0:0:0:0:1]:65535", "[2001:db8::1]:65535", NULL},
        {"[::ffff:127.0.0.1]:1", "127.0.0.1:1", NULL},
        {":8080", "0.0.0.0:8080", "[::]:8080"},
        {"localhost:8080", "127.0.0.1:8080", "[::1]:8080"},
        {"LocalHost:0", "127.0.0.1:0", "[::1]:0"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_address found[2];
        char text[CRIER_ADDRESS_TEXT];
        size_t count = 0;

        assert_null(crier_address_parse(crier_slice_of(rows[i].text), found, &count));
        assert_int_equal(count, rows[i].second ? 2 : 1);
        assert_int_equal(crier_address_format(&found[0], text), strlen(rows[i].first));
        assert_string_equal(text, rows[i].first);
        if (rows[i].second) {
            crier_address_format(&found[1], text);
            assert_string_equal(text, rows[i].second);
        }
    }
}

/* What it does not take: each fault is a sentence that shows how to write one, and nothing is
 * written. */
static void test_parse_faults(void **state)
{
    const struct crier_slice rows[] = {
        {"", 0},
        {NULL, 0},
        CRIER_SLICE("8080"),
        CRIER_SLICE("127.0.0.1"),
        CRIER_SLICE("::1"),
        CRIER_SLICE("::1:8080"),
        CRIER_SLICE("[::1]"),
        CRIER_SLICE("[]:8080"),
        CRIER_SLICE("[::1:8080"),
        CRIER_SLICE("[localhost]:8080"),
        CRIER_SLICE("[fe80::1%eth0]:8080"),
        CRIER_SLICE("127.0.0.1:"),
        CRIER_SLICE("127.0.0.1:65536"),
        CRIER_SLICE("127.0.0.1:-1"),
        CRIER_SLICE("127.0.0.1:80 "),
        CRIER_SLICE(" 127.0.0.1:80"),
        CRIER_SLICE("127.0.0.1:http"),
        CRIER_SLICE("127.1:80"),
        CRIER_SLICE("127.0.0.256:80"),
        CRIER_SLICE("127.0.0.1\0:80"),
        CRIER_SLICE("example.org:80"),
        CRIER_SLICE("http://127.0.0.1:80"),
        CRIER_SLICE("*:80"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_address found[2] = {{.port = 4711}, {.port = 4711}};
        size_t count = 99;
        const char *fault = crier_address_parse(rows[i], found, &count);

        assert_non_null(fault);
        assert_non_null(strstr(fault, ":8080"));
        assert_int_equal(count, 99);
        assert_int_equal(found[0].port, 4711);
    }
}

/* An address alone: the standard spellings only, a mapped one is the IPv4 address. */
static void test_ip_parse(void **state)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "127.1",
                                      "0x7f.0.0.1",
                                      "[::1]",
                                      "::1%lo",
                                      "1.2.3.4:5",
                                      "1.2.3.4 ",
                                      "::ffff:1.2.3.256",
                                      "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
    struct crier_ip v4 = ip_of("192.0.2.1"), mapped = ip_of("::ffff:192.0.2.1"),
                    hex = ip_of("::ffff:c000:201"), ip = {.family = 9};
    char text[CRIER_ADDRESS_TEXT];

    assert_true(crier_ip_eq(&v4, &mapped) && crier_ip_eq(&v4, &hex));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(crier_ip_parse(crier_slice_of(bad[i]), &ip), -EINVAL);
    assert_int_equal(crier_ip_parse(CRIER_SLICE("::1\0"), &ip), -EINVAL);
    assert_int_equal(ip.family, 9); /* untouched */
    ip = (struct crier_ip){0};
    assert_int_equal(crier_ip_format(&ip, text), 7);
    assert_string_equal(text, "unknown");
}

/* The longest address fits. */
static void test_format_longest(void **state)
{
    struct crier_address a = {.ip = ip_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                              .port = 65535};
    char text[CRIER_ADDRESS_TEXT];

    crier_address_format(&a, text);
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void test_loopback(void **state)
{
    static const struct {
        const char *text;
        bool loopback;
    } rows[] = {
        {"127.0.0.1", true},  {"127.255.0.9", true}, {"::1", true}, {"::ffff:127.1.2.3", true},
        {"128.0.0.1", false}, {"0.0.0.0", false},    {"::", false}, {"::2", false},
        {"1::1", false},      {"0.0.0.1", false},
    };
    struct crier_ip none = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_ip ip = ip_of(rows[i].text);

        assert_int_equal(crier_ip_is_loopback(&ip), rows[i].loopback);
    }
    assert_false(crier_ip_is_loopback(&none));
}

/* Limits count IPv4 addresses one by one and IPv6 addresses by their /64. */
static void test_limit_key(void **state)
{
    struct crier_ip a = ip_of("2001:db8:1:2:3:4:5:6"), b = ip_of("2001:db8:1:2:ffff::"),
                    c = ip_of("2001:db8:1:3:3:4:5:6"), d = ip_of("192.0.2.1"),
                    e = ip_of("192.0.2.2");
    struct crier_ip ka = crier_ip_limit_key(&a), kb = crier_ip_limit_key(&b),
                    kc = crier_ip_limit_key(&c), kd = crier_ip_limit_key(&d),
                    ke = crier_ip_limit_key(&e);

    assert_true(crier_ip_eq(&ka, &kb));
    assert_false(crier_ip_eq(&ka, &kc));
    assert_false(crier_ip_eq(&kd, &ke));
}

/* To a sockaddr and back is the same; a mapped one and a unix one come back as told. */
static void test_sockaddr(void **state)
{
    static const char *const rows[] = {"192.0.2.1", "2001:db8::1", "::1", "0.0.0.0"};
    struct sockaddr_storage storage;
    struct crier_address back;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_address a = {.ip = ip_of(rows[i]), .port = 8080};

        assert_true(crier_address_to_sockaddr(&a, &storage) > 0);
        crier_address_from_sockaddr(&storage, &back);
        assert_true(crier_ip_eq(&a.ip, &back.ip));
        assert_int_equal(back.port, 8080);
    }
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};

    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    mapped.sin6_addr.s6_addr[12] = 127;
    memcpy(&storage, &mapped, sizeof(mapped));
    crier_address_from_sockaddr(&storage, &back);
    assert_int_equal(back.ip.family, 4);
    assert_true(crier_ip_is_loopback(&back.ip));
    storage.ss_family = AF_UNIX;
    crier_address_from_sockaddr(&storage, &back);
    assert_int_equal(back.ip.family, 0);
    assert_int_equal(crier_address_to_sockaddr(&back, &storage), 0);
}

static void test_cidr(void **state)
{
    static const struct {
        const char *range, *ip;
        bool inside;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.2", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "10.0.0.1", false},
        {"::1/128", "::1", true},
        {"::1/128", "::2", false},
        {"::ffff:10.0.0.0/104", "10.9.9.9", true},
        {"::ffff:10.0.0.0/104", "11.9.9.9", false},
        {"10.0.0.0/8", "::ffff:10.0.0.1", true},
    };
    static const char *const bad[] = {
        "",           "/8",          "10.0.0.0/",          "10.0.0.0/33",
        "::/129",     "10.1.0.0/8",  "fd00::1/8",          "10.0.0.0/8/8",
        "10.0.0/8",   "10.0.0.0/-1", "::ffff:10.0.0.0/90", "localhost",
        "10.0.0.0/ 8"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_ip ip = ip_of(rows[i].ip);
        struct crier_cidr cidr;

        assert_null(crier_cidr_parse(crier_slice_of(rows[i].range), &cidr));
        assert_int_equal(crier_cidr_contains(&cidr, &ip), rows[i].inside);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct crier_cidr cidr = {.bits = 99};

        assert_non_null(crier_cidr_parse(crier_slice_of(bad[i]), &cidr));
        assert_int_equal(cidr.bits, 99);
    }
    struct crier_cidr all = {0};
    struct crier_ip none = {0};

    assert_false(crier_cidr_contains(&all, &none)); /* a unix socket is in no range */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),    cmocka_unit_test(test_parse_faults),
        cmocka_unit_test(test_ip_parse), cmocka_unit_test(test_format_longest),
        cmocka_unit_test(test_loopback), cmocka_unit_test(test_limit_key),
        cmocka_unit_test(test_sockaddr), cmocka_unit_test(test_cidr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
