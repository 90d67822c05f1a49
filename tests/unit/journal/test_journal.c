/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

static bool starts_with_a(const void *ctx, struct crier_slice topic)
{
    return crier_slice_starts(topic, CRIER_SLICE("a/"));
}

/* "message" stands for untyped; no types means all. */
static void types(void **state)
{
    struct crier_slice two[] = {CRIER_SLICE("message"), CRIER_SLICE("alpha")};
    struct crier_filter filter = {.types = two, .type_count = 2};

    assert_true(crier_filter_type(&filter, CRIER_SLICE("")));
    assert_true(crier_filter_type(&filter, CRIER_SLICE("message")));
    assert_true(crier_filter_type(&filter, CRIER_SLICE("alpha")));
    assert_false(crier_filter_type(&filter, CRIER_SLICE("beta")));
    filter.type_count = 0;
    assert_true(crier_filter_type(&filter, CRIER_SLICE("beta")));
}

/* An event matches by any of its topics, named or by pattern, and its type. */
static void matches(void **state)
{
    struct crier_slice topic = CRIER_SLICE("news"), type = CRIER_SLICE("alpha");
    uint64_t hash = 5;
    struct crier_filter filter = {.topics = &topic, .topic_hashes = &hash, .topic_count = 1};
    struct crier_record record = {.topics = {CRIER_SLICE("a/b"), CRIER_SLICE("news")},
                                  .topic_hashes = {4, 5},
                                  .topic_count = 2};

    assert_true(crier_filter_match(&filter, &record));
    record.topic_count = 1;
    assert_false(crier_filter_match(&filter, &record));
    filter.match = starts_with_a;
    assert_true(crier_filter_match(&filter, &record));
    filter.types = &type;
    filter.type_count = 1;
    assert_false(crier_filter_match(&filter, &record));
    record.type = CRIER_SLICE("alpha");
    assert_true(crier_filter_match(&filter, &record));
    record.topics[0] = CRIER_SLICE("b");
    assert_false(crier_filter_match(&filter, &record));
}

/* NULL and an unattached cursor are fine to let go. */
static void nothing_to_free(void **state)
{
    struct crier_cursor cursor = {0};

    crier_journal_free(NULL);
    crier_journal_detach(&cursor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(matches),
        cmocka_unit_test(nothing_to_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
