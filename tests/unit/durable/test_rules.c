/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "durable/rules.h"
#include "support.h"

static size_t rules_of(struct crier_rules *rules, const char *const *texts)
{
    *rules = (struct crier_rules){.count = 0};
    for (size_t i = 0; texts[i]; i++)
        assert_null(crier_rules_add(rules, crier_slice_of(texts[i])));
    return rules->count;
}

/* Each limit by its form, in any order; the first rule that matches has the topic. */
static void test_add_and_find(void **state)
{
    static const char *const texts[] = {"orders/1=10", "orders/**=7d,1GiB,1000", "a=b=1MiB",
                                        NULL};
    static struct crier_rules rules;

    assert_int_equal(rules_of(&rules, texts), 3);
    assert_int_equal(rules.list[0].max_events, 10);
    assert_int_equal(rules.list[0].max_bytes, 0);
    assert_int_equal(rules.list[1].max_events, 1000);
    assert_int_equal(rules.list[1].max_bytes, 1 << 30);
    assert_int_equal(rules.list[1].max_age_ms, 7 * 86400000);
    assert_string_equal(rules.list[2].selector, "a=b");
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("orders/1")), 1);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("orders/2/x")), 2);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("orders")), 0);
    assert_int_equal(crier_rules_find(&rules, CRIER_SLICE("a=b")), 3);
}

/* What was written is read: selectors alone. Anything else is no rules. */
static void test_write_and_read(void **state)
{
    static const char *const texts[] = {"a/*=1", "b c=1h", NULL};
    static const char *const none[] = {"", "making anew", "a\n\n", "a//b\n"};
    static struct crier_rules rules, read;
    struct crier_buf text;

    (void)rules_of(&rules, texts);
    crier_buf_init(&text, &crier_mem_libc);
    crier_rules_write(&rules, &text);
    crier_rules_read(&read, crier_buf_slice(&text));
    assert_int_equal(read.count, 2);
    assert_string_equal(read.list[0].selector, "a/*");
    assert_string_equal(read.list[1].selector, "b c");
    assert_int_equal(read.list[1].max_age_ms, 0);
    crier_buf_deinit(&text);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        crier_rules_read(&read, crier_slice_of(none[i]));
        assert_int_equal(read.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_find),
        cmocka_unit_test(test_write_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
