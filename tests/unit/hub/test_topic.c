/* SPDX-License-Identifier: MIT */
/* Topics and selectors: the rules as a table, matching against a naive matcher. */
#include "hub_support.h"

enum verdict { BAD = 0, SELECTOR = 1, TOPIC = 2 };

struct row {
    struct crier_slice text;
    enum verdict verdict;
};

#define ROW(text, verdict)                                                                     \
    {                                                                                          \
        {text, sizeof(text) - 1}, verdict                                                      \
    }

static const struct row rows[] = {
    ROW("news", TOPIC),
    ROW("orders/42/status", TOPIC),
    ROW("a b", TOPIC),
    ROW("caf\xc3\xa9", TOPIC),
    ROW("\xc2\xa0", TOPIC), /* U+00A0 is no control */
    ROW("\xf0\x9f\x98\x80/x", TOPIC),
    ROW("...", TOPIC),
    ROW("a/.b", TOPIC),
    ROW("a/b./c", TOPIC),
    ROW("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", TOPIC),
    ROW("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", BAD),
    ROW("", BAD),
    ROW("/", BAD),
    ROW("/a", BAD),
    ROW("a/", BAD),
    ROW("a//b", BAD),
    ROW(".", BAD),
    ROW("..", BAD),
    ROW("a/./b", BAD),
    ROW("a/..", BAD),
    ROW("../a", BAD),
    ROW("a\0b", BAD),
    ROW("a\nb", BAD),
    ROW("a\tb", BAD),
    ROW("\x1f", BAD),
    ROW("a\x7f", BAD),
    ROW("\xc2\x80", BAD), /* C1: first and last */
    ROW("a\xc2\x9f", BAD),
    ROW("\xff", BAD),
    ROW("a\xc3", BAD),            /* cut */
    ROW("\xc0\xaf", BAD),         /* overlong slash */
    ROW("\xed\xa0\x80", BAD),     /* surrogate */
    ROW("\xf4\x90\x80\x80", BAD), /* above U+10FFFF */
    ROW("*", SELECTOR),
    ROW("**", SELECTOR),
    ROW("a/*", SELECTOR),
    ROW("*/a", SELECTOR),
    ROW("a/*/c", SELECTOR),
    ROW("*/*/**", SELECTOR),
    ROW("a/**", SELECTOR),
    ROW("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/**", SELECTOR),
    ROW("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/**", BAD),
    ROW("**/a", BAD),
    ROW("a/**/b", BAD),
    ROW("**/**", BAD),
    ROW("**x", BAD),
    ROW("x**", BAD),
    ROW("***", BAD),
    ROW("a*", BAD),
    ROW("*a", BAD),
    ROW("a/b*c/d", BAD),
};

/* Every row is what it says; each fault has a sentence that ends like one. */
static void test_rules(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *topic = crier_topic_fault(rows[i].text);
        const char *selector = crier_selector_fault(rows[i].text);
        if ((topic == NULL) != (rows[i].verdict == TOPIC) ||
            (selector == NULL) != (rows[i].verdict != BAD))
            fail_msg("row %zu [%.*s]", i, CRIER_SLICE_ARG(rows[i].text));
        if (topic)
            assert_int_equal(topic[strlen(topic) - 1], '.');
        if (selector)
            assert_int_equal(selector[strlen(selector) - 1], '.');
    }
}

/* 256 bytes are a topic, 257 are not; nothing behind the end is looked at. */
static void test_length(void **state)
{
    struct test_guard guard;
    char text[CRIER_TOPIC_BYTES + 1];

    test_guard_init(&guard, sizeof(text));
    memset(text, 'x', sizeof(text));
    assert_null(crier_topic_fault(test_guard_put(&guard, (struct crier_slice){text, 256})));
    assert_non_null(crier_topic_fault(test_guard_put(&guard, (struct crier_slice){text, 257})));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crier_slice at = test_guard_put(&guard, rows[i].text);
        assert_int_equal(crier_selector_fault(at) == NULL, rows[i].verdict != BAD);
    }
    test_guard_deinit(&guard);
}

/* Literally what http-api.md says: "*" is one whole segment, a final "**" one or more. */
static void test_match_table(void **state)
{
    static const struct {
        const char *selector, *topic;
        bool match;
    } table[] = {
        {"a", "a", true},         {"a", "b", false},         {"a", "a/b", false},
        {"a/b", "a", false},      {"a/b", "a/b", true},      {"*", "a", true},
        {"*", "a/b", false},      {"a/*", "a/b", true},      {"a/*", "a", false},
        {"a/*", "a/b/c", false},  {"*/b", "a/b", true},      {"*/b", "a/c", false},
        {"**", "a", true},        {"**", "a/b/c", true},     {"a/**", "a", false},
        {"a/**", "a/b", true},    {"a/**", "a/b/c", true},   {"a/**", "b/c", false},
        {"a/*/c", "a/b/c", true}, {"a/*/c", "a/b/d", false}, {"*/**", "a", false},
        {"*/**", "a/b", true},    {"ab", "a", false},        {"a", "ab", false},
        {"a/*/**", "a/b", false}, {"a/*/**", "a/b/c", true},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (crier_selector_match(crier_slice_of(table[i].selector),
                                 crier_slice_of(table[i].topic)) != table[i].match)
            fail_msg("%s and %s", table[i].selector, table[i].topic);
}

/* The naive matcher: recursion over the text itself. */
static bool naive_match(const char *selector, const char *topic)
{
    if (strcmp(selector, "**") == 0)
        return *topic != '\0';

    size_t want = strcspn(selector, "/"), got = strcspn(topic, "/");
    bool star = want == 1 && selector[0] == '*';
    if (got == 0 || (!star && (want != got || memcmp(selector, topic, want) != 0)))
        return false;
    if (selector[want] == '\0' || topic[got] == '\0')
        return selector[want] == topic[got];
    return naive_match(selector + want + 1, topic + got + 1);
}

static void test_match_random(void **state)
{
    struct crier_rng rng = {test_seed("selector match")};
    size_t matches = 0;

    for (int i = 0; i < 50000; i++) {
        char a[64], b[64];
        struct crier_slice selector = test_random_path(&rng, false, a);
        struct crier_slice topic = test_random_path(&rng, true, b);
        a[selector.len] = b[topic.len] = '\0';
        assert_null(crier_selector_fault(selector));
        assert_null(crier_topic_fault(topic));
        bool match = crier_selector_match(selector, topic);
        if (match != naive_match(a, b))
            fail_msg("%s and %s", a, b);
        matches += match;
    }
    assert_in_range(matches, 1000, 49000);
}

/* The prefix is the literal segments before the first wildcard; a topic is all prefix. */
static void test_prefix(void **state)
{
    assert_slice_is(crier_selector_prefix(CRIER_SLICE("orders/*/x")), "orders");
    assert_slice_is(crier_selector_prefix(CRIER_SLICE("orders/42/**")), "orders/42");
    assert_slice_is(crier_selector_prefix(CRIER_SLICE("**")), "");
    assert_slice_is(crier_selector_prefix(CRIER_SLICE("*/a")), "");
    assert_slice_is(crier_selector_prefix(CRIER_SLICE("a/b")), "a/b");
    assert_true(crier_selector_is_pattern(CRIER_SLICE("a/*")));
    assert_false(crier_selector_is_pattern(CRIER_SLICE("a/b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),       cmocka_unit_test(test_length),
        cmocka_unit_test(test_match_table), cmocka_unit_test(test_match_random),
        cmocka_unit_test(test_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
