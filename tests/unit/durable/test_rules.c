/* SPDX-License-Identifier: MIT */
/* Retention rules: every fault, sizes, ages, whose a topic is, as text and back. */
#include "support.h"

#include "base/buf.h"
#include "durable/rules.h"

static const char *add(struct crier_rules *rules, const char *rule)
{
    return crier_rules_add(rules, crier_slice_of(rule));
}

static void good(void **state)
{
    struct crier_rules rules = {.count = 0};

    assert_null(add(&rules, "orders/**=10000,1GiB,7d"));
    assert_int_equal(rules.list[0].max_events, 10000);
    assert_int_equal(rules.list[0].max_bytes, 1 << 30);
    assert_int_equal(rules.list[0].max_age_ms, 7 * 24 * 3600 * 1000);
    assert_null(add(&rules, "a=5m"));
    assert_int_equal(rules.list[1].max_events, 0);
    assert_int_equal(rules.list[1].max_age_ms, 300000);
    /* The last '=' counts: a topic may have some. */
    assert_null(add(&rules, "a=b=c=12B"));
    assert_string_equal(rules.list[2].selector, "a=b=c");
    assert_int_equal(rules.list[2].max_bytes, 12);
    assert_null(add(&rules, "t=15TiB"));
    assert_int_equal(rules.list[3].max_bytes, UINT64_C(15) << 40);
    assert_null(add(&rules, "u=18446744073709551615,16777215TiB"));
    assert_true(rules.list[4].max_events == UINT64_MAX);
}

static void faults(void **state)
{
    static const struct {
        const char *rule, *says;
    } bad[] = {
        {"", "is a topic or pattern"},
        {"orders", "is a topic or pattern"},
        {"=1", NULL},
        {"a//b=1", NULL},
        {"a/b*=1", NULL},
        {"a=", "A limit of a retention rule is"},
        {"a=1,", "A limit of a retention rule is"},
        {"a=,1", "A limit of a retention rule is"},
        {"a=x", "A limit of a retention rule is"},
        {"a=-1", "A limit of a retention rule is"},
        {"a=1 ", "A limit of a retention rule is"},
        {"a=GiB", "A limit of a retention rule is"},
        {"a=1gib", "A limit of a retention rule is"},
        {"a=16777216TiB", "A limit of a retention rule is"}, /* 2^64 */
        {"a=18446744073709551616", "A limit of a retention rule is"},
        {"a=0", "cannot be 0"},
        {"a=0B", "cannot be 0"},
        {"a=0s", "cannot be 0"},
        {"a=1,2", "each kind of limit once"},
        {"a=1B,2KiB", "each kind of limit once"},
        {"a=1s,2m", "each kind of limit once"},
        {"there/**=5", "two retention rules for one selector"},
    };
    struct crier_rules rules = {.count = 0};

    assert_null(add(&rules, "there/**=1"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *fault = add(&rules, bad[i].rule);
        if (!fault || (bad[i].says && !strstr(fault, bad[i].says)))
            fail_msg("%s: %s", bad[i].rule, fault ? fault : "taken");
        assert_int_equal(rules.count, 1);
    }
}

static void fill(struct crier_rules *rules)
{
    char rule[40];

    rules->count = 0;
    for (int i = 0; i < CRIER_RULES; i++) {
        snprintf(rule, sizeof(rule), "topic/%d/**=%d,%dB,%dms", i, i + 1, i + 2, i + 3);
        assert_null(add(rules, rule));
    }
}

static void at_most_64(void **state)
{
    struct crier_rules rules;

    fill(&rules);
    const char *fault = add(&rules, "one/more=1");
    assert_non_null(fault);
    assert_non_null(strstr(fault, "64"));
    assert_int_equal(rules.count, CRIER_RULES);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("topic/63/x")), 64);
}

static void first_that_fits(void **state)
{
    struct crier_rules rules = {.count = 0};

    assert_null(add(&rules, "a/b=1"));
    assert_null(add(&rules, "a/*=1"));
    assert_null(add(&rules, "a/**=1"));
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a/b")), 1);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a/c")), 2);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a/c/d")), 3);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a")), 0);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("b")), 0);
}

/* As text, and back; the text of equal rules is equal. */
static void as_text(void **state)
{
    static const char *const odd[] = {"a=b=1", "*=18446744073709551615",
                                      "b=18446744073709551615B", "c/\xc3\xbc=1ms"};
    struct crier_rules rules, again;
    struct crier_buf one, two;

    fill(&rules);
    rules.count -= 4;
    for (size_t i = 0; i < 4; i++)
        assert_null(add(&rules, odd[i]));
    crier_buf_init(&one, &crier_mem_libc);
    crier_buf_init(&two, &crier_mem_libc);
    crier_rules_write(&rules, &one);
    assert_int_equal(crier_rules_read(crier_buf_slice(&one), &again), 0);
    assert_true(crier_rules_same(&rules, &again));
    crier_rules_write(&again, &two);
    assert_slice_equal(crier_buf_slice(&one), crier_buf_slice(&two));
    again.count = 7;
    assert_int_equal(crier_rules_read(CRIER_SLICE("a=1\nb=1"), &again), -EINVAL);
    assert_int_equal(crier_rules_read(CRIER_SLICE("making anew"), &again), -EINVAL);
    assert_int_equal(crier_rules_read(CRIER_SLICE("a=1\na=2\n"), &again), -EINVAL);
    assert_int_equal(again.count, 7);
    assert_int_equal(crier_rules_read(CRIER_SLICE(""), &again), 0);
    assert_int_equal(again.count, 0);
    crier_buf_deinit(&one);
    crier_buf_deinit(&two);
}

static void same(void **state)
{
    struct crier_rules a = {.count = 0}, b = {.count = 0};

    assert_true(crier_rules_same(&a, &b));
    assert_null(add(&a, "x=1"));
    assert_false(crier_rules_same_selectors(&a, &b));
    assert_null(add(&b, "x=2B"));
    assert_true(crier_rules_same_selectors(&a, &b));
    assert_false(crier_rules_same(&a, &b));
    /* What lies behind the text of a selector does not count. */
    b = a;
    memset(b.list[0].selector + 2, 'x', 50);
    assert_true(crier_rules_same(&a, &b));
    assert_null(add(&a, "y=1"));
    assert_null(add(&a, "z=1"));
    assert_null(add(&b, "z=1"));
    assert_null(add(&b, "y=1"));
    assert_false(crier_rules_same_selectors(&a, &b)); /* the first one that fits takes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),       cmocka_unit_test(faults),
        cmocka_unit_test(at_most_64), cmocka_unit_test(first_that_fits),
        cmocka_unit_test(as_text),    cmocka_unit_test(same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
