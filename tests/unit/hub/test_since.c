/* SPDX-License-Identifier: MIT */
#include "hub/since.h"
#include "support.h"

static const struct crier_now now = {.wall_ms = UINT64_C(1769860800000), .boot_ms = 100000};

static struct crier_since parse(const char *text)
{
    struct crier_since since = {.kind = CRIER_SINCE_UNKNOWN};

    assert_null(crier_since_fault(crier_slice_of(text), now, &since));
    return since;
}

/* Each form of the grammar; times and durations end up on the clock since boot. */
static void test_forms(void **state)
{
    struct crier_since since = parse("now");

    assert_int_equal(since.kind, CRIER_SINCE_NOW);
    assert_int_equal(parse("earliest").kind, CRIER_SINCE_EARLIEST);
    since = parse("latest");
    assert_int_equal(since.kind, CRIER_SINCE_LATEST);
    assert_int_equal(since.count, 1000);
    assert_int_equal(parse("last:1").count, 1);
    since = parse("last:1000");
    assert_int_equal(since.kind, CRIER_SINCE_LAST);
    assert_int_equal(since.count, 1000);
    since = parse("12-34");
    assert_int_equal(since.kind, CRIER_SINCE_ID);
    assert_int_equal(since.id.ms, 12);
    assert_int_equal(since.id.seq, 34);
    since = parse("30s");
    assert_int_equal(since.kind, CRIER_SINCE_AGO);
    assert_int_equal(since.ms, 30000);
    assert_int_equal(parse("250ms").ms, 250);
    assert_int_equal(parse("10m").ms, 600000);
    since = parse("2026-01-31T11:59:50Z");
    assert_int_equal(since.kind, CRIER_SINCE_AGO);
    assert_int_equal(since.ms, 10000);
    assert_int_equal(parse("2026-01-31T12:00:00Z").kind, CRIER_SINCE_NOW);
    assert_int_equal(parse("2036-01-31T12:00:00Z").kind, CRIER_SINCE_NOW);
}

/* What is none of them is told, and nothing is stored. */
static void test_faults(void **state)
{
    static const char *const bad[] = {"",          "NOW",    "last:",   "last:0",
                                      "last:1001", "last:x", "last:+1", "12",
                                      "12-",       "01-0",   "30",      "30 s",
                                      "1769-x",    "-5s",    " now",    "1960-01-01T00:00:00Z"};
    struct crier_since since = {.kind = CRIER_SINCE_LATEST, .count = 7};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(crier_since_fault(crier_slice_of(bad[i]), now, &since));
    assert_int_equal(since.kind, CRIER_SINCE_LATEST);
    assert_int_equal(since.count, 7);
}

/* A last id that is none is no error: it is unknown. */
static void test_last_id(void **state)
{
    struct crier_since since = crier_since_last_id(CRIER_SLICE("5-6"));

    assert_int_equal(since.kind, CRIER_SINCE_ID);
    assert_int_equal(since.id.ms, 5);
    assert_int_equal(since.id.seq, 6);
    assert_int_equal(crier_since_last_id(CRIER_SLICE("yesterday")).kind, CRIER_SINCE_UNKNOWN);
    assert_int_equal(crier_since_last_id(CRIER_SLICE("5-06")).kind, CRIER_SINCE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_last_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
