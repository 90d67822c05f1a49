/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/rng.h"

/* Invariant: the same seed gives the same numbers for ever (seeds in bug reports): the first
 * outputs of splitmix64 from seed 0 and 1234567, as published. */
static void known_values(void **state)
{
    struct crier_rng rng = {0};

    assert_true(crier_rng_next(&rng) == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(crier_rng_next(&rng) == UINT64_C(0x6e789e6aa1b965f4));
    rng.state = 1234567;
    assert_true(crier_rng_next(&rng) == UINT64_C(6457827717110365317));
    assert_true(crier_rng_next(&rng) == UINT64_C(3203168211198807973));
}

/* Invariant: always within the bounds, and each value comes up. */
static void between(void **state)
{
    struct crier_rng rng = {test_seed("between")};
    unsigned seen[6] = {0};

    for (int i = 0; i < 6000; i++) {
        uint64_t value = crier_rng_between(&rng, 10, 15);

        assert_in_range(value, 10, 15);
        seen[value - 10]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 700, 1300);
    assert_int_equal(crier_rng_between(&rng, 5, 5), 5);
    assert_true(crier_rng_between(&rng, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    assert_true(crier_rng_between(&rng, UINT64_MAX - 1, UINT64_MAX) >= UINT64_MAX - 1);
    /* The whole range has 2^64 values, which no uint64_t counts. */
    assert_true(crier_rng_between(&rng, 0, UINT64_MAX) !=
                crier_rng_between(&rng, 0, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
