/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "durable/rules.h"

static void limits(void **state)
{
    static struct crier_rules rules;

    rules.count = 0;
    assert_null(crier_rules_add(&rules, CRIER_SLICE("orders/1=10")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("orders/**=7d,1GiB,1000")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("a=b=5B")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("*=2KiB")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("x/*=3MiB,250ms")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("y=1TiB")));
    assert_int_equal(rules.count, 6);
    assert_int_equal(rules.list[0].max_events, 10);
    assert_int_equal(rules.list[0].max_bytes, 0);
    assert_int_equal(rules.list[0].max_age_ms, 0);
    assert_int_equal(rules.list[1].max_events, 1000);
    assert_int_equal(rules.list[1].max_bytes, UINT64_C(1) << 30);
    assert_int_equal(rules.list[1].max_age_ms, UINT64_C(7) * 86400 * 1000);
    assert_string_equal(rules.list[2].selector, "a=b");
    assert_int_equal(rules.list[2].max_bytes, 5);
    assert_int_equal(rules.list[3].max_bytes, 2048);
    assert_int_equal(rules.list[4].max_bytes, 3 << 20);
    assert_int_equal(rules.list[4].max_age_ms, 250);
    assert_int_equal(rules.list[5].max_bytes, UINT64_C(1) << 40);
}

/* The first rule that matches has the topic. */
static void first_has_it(void **state)
{
    static struct crier_rules rules;

    rules.count = 0;
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a")), 0);
    assert_null(crier_rules_add(&rules, CRIER_SLICE("a/b=1")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("a/*=1")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("a/**=1")));
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a/b")), 1);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a/c")), 2);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a/b/c")), 3);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("b")), 0);
}

static void refused(void **state)
{
    static const char *const texts[] = {
        "",
        "=",
        "a",
        "a=",
        "=5",
        "a=0",
        "a=0B",
        "a=0s",
        "a=00",
        "a=5,",
        "a=,5",
        "a=5,6",
        "a=5B,6MiB",
        "a=5s,6d",
        "a=5,6B,7s,8",
        "a=-5",
        "a=+5",
        "a= 5",
        "a=5 ",
        "a=0x5",
        "a=1.5GiB",
        "a=5XiB",
        "a=B",
        "a=KiB",
        "a=s",
        "a=18446744073709551616",
        "a=18446744073709551615KiB",
        "a=18446744073709551615d",
        "a//b=5",
        "/a=5",
        "a/**/b=5",
        "../a=5",
        "a\n=5",
        "a=5\n",
    };
    struct crier_rules rules = {.count = 0};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *fault = crier_rules_add(&rules, crier_slice_of(texts[i]));
        if (!fault)
            fail_msg("'%s' was taken", texts[i]);
        assert_true(strlen(fault) > 20);
        assert_int_equal(rules.count, 0);
    }
    assert_non_null(crier_rules_add(&rules, (struct crier_slice){NULL, 0}));
}

static void too_many(void **state)
{
    static struct crier_rules rules;
    char text[400];

    rules.count = 0;
    for (int i = 0; i < CRIER_RULES; i++) {
        snprintf(text, sizeof(text), "topic/%d=5", i);
        assert_null(crier_rules_add(&rules, crier_slice_of(text)));
        /* Nor the same again, whatever its limits. */
        snprintf(text, sizeof(text), "topic/%d=7d", i);
        assert_non_null(crier_rules_add(&rules, crier_slice_of(text)));
    }
    assert_non_null(crier_rules_add(&rules, CRIER_SLICE("more=5")));
    assert_int_equal(rules.count, CRIER_RULES);
    /* The longest selector there is, and one more. */
    rules.count = 0;
    memset(text, 'x', sizeof(text));
    memcpy(text + CRIER_RULE_SELECTOR, "=5", 2);
    assert_null(crier_rules_add(&rules, (struct crier_slice){text, CRIER_RULE_SELECTOR + 2}));
    assert_int_equal(strlen(rules.list[0].selector), CRIER_RULE_SELECTOR);
    memset(text, 'y', sizeof(text));
    memcpy(text + CRIER_RULE_SELECTOR + 1, "=5", 2);
    assert_non_null(
        crier_rules_add(&rules, (struct crier_slice){text, CRIER_RULE_SELECTOR + 3}));
}

static void as_text(void **state)
{
    static const char *const none[] = {"making anew", "a=5", "a=5\n\n", "a\n", "a=5\na=6\n"};
    static struct crier_rules rules, read;
    struct crier_buf text;

    memset(&rules, 0, sizeof(rules));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("a/*=1,3KiB,2h")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("b=c=1h")));
    crier_buf_init(&text, &crier_mem_libc);
    crier_rules_write(&rules, &text);
    assert_int_equal(crier_rules_read(crier_buf_slice(&text), &read), 0);
    assert_memory_equal(&read, &rules, sizeof(rules));
    assert_true(crier_rules_same_selectors(&read, &rules));
    read.list[1].max_events = 5;
    assert_true(crier_rules_same_selectors(&read, &rules));
    read.list[1].selector[0] = 'x';
    assert_false(crier_rules_same_selectors(&read, &rules));
    read = rules;
    read.count = 1;
    assert_false(crier_rules_same_selectors(&read, &rules));
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(crier_rules_read(crier_slice_of(none[i]), &read), -EINVAL);
        assert_int_equal(read.count, 1); /* untouched */
    }
    assert_int_equal(crier_rules_read((struct crier_slice){NULL, 0}, &read), 0);
    assert_int_equal(read.count, 0);
    crier_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),   cmocka_unit_test(first_has_it), cmocka_unit_test(refused),
        cmocka_unit_test(too_many), cmocka_unit_test(as_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
