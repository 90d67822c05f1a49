/* SPDX-License-Identifier: MIT */
#include "client/backoff.h"
#include "support.h"

enum { ROUNDS = 2000 };

static uint64_t seed;

/* The delay after `failures` failures in a row, and the bound it was drawn under. */
static uint64_t
delay_after(const struct crier_backoff_options *options, unsigned failures, uint64_t salt)
{
    struct crier_backoff b;

    crier_backoff_init(&b, options, seed + salt);
    for (unsigned i = 0; i < failures; i++)
        (void)crier_backoff_down(&b, 0);
    return crier_backoff_down(&b, 0);
}

/* Full jitter: after n failures the delay lies in 0 .. min(first x 2^n, max), and uses all of
 * that range. */
static void test_bounds(void **state)
{
    const struct crier_backoff_options options = {.first_ms = 100, .max_ms = 3000};
    static const uint64_t bounds[] = {100, 200, 400, 800, 1600, 3000, 3000, 3000};

    for (unsigned n = 0; n < sizeof(bounds) / sizeof(*bounds); n++) {
        uint64_t least = UINT64_MAX, most = 0;

        for (uint64_t round = 0; round < ROUNDS; round++) {
            uint64_t delay = delay_after(&options, n, round);

            assert_true(delay <= bounds[n]);
            least = delay < least ? delay : least;
            most = delay > most ? delay : most;
        }
        assert_true(least <= bounds[n] / 10);
        assert_true(most >= bounds[n] - bounds[n] / 10);
    }
}

/* The defaults: 1 s at first, never more than 30 s, however long it goes on. */
static void test_defaults(void **state)
{
    const struct crier_backoff_options options = {0};
    struct crier_backoff b;

    crier_backoff_init(&b, &options, seed);
    assert_true(crier_backoff_down(&b, 0) <= 1000);
    for (unsigned i = 0; i < 200; i++)
        assert_true(crier_backoff_down(&b, 0) <= 30000);
}

/* Only a connection that held a healthy minute forgets the failures before it. */
static void test_healthy(void **state)
{
    const struct crier_backoff_options options = {
        .first_ms = 100, .max_ms = 100000, .healthy_ms = 60000};
    struct crier_backoff b;

    crier_backoff_init(&b, &options, seed);
    for (unsigned i = 0; i < 8; i++)
        (void)crier_backoff_down(&b, 1000);
    crier_backoff_up(&b, 2000);
    (void)crier_backoff_down(&b, 2000 + 59999);
    assert_int_equal(b.failures, 9);
    crier_backoff_up(&b, 100000);
    assert_true(crier_backoff_down(&b, 100000 + 60000) <= 100);
    assert_int_equal(b.failures, 1);
}

/* A server's `retry:` does not send a client away for ever. */
static void test_retry_bound(void **state)
{
    const struct crier_backoff_options options = {.first_ms = 0};
    struct crier_backoff b;

    crier_backoff_init(&b, &options, 1);
    crier_backoff_retry(&b, UINT32_MAX);
    for (int i = 0; i < 100; i++)
        assert_in_range(crier_backoff_down(&b, 0), 0, 24 * 3600 * 1000);
}

/* `retry:` replaces the first delay for good, also by one longer than the longest. */
static void test_retry(void **state)
{
    const struct crier_backoff_options options = {.first_ms = 100000, .max_ms = 200000};
    uint64_t most = 0;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct crier_backoff b;
        uint64_t delay;

        crier_backoff_init(&b, &options, seed + round);
        crier_backoff_retry(&b, 10);
        assert_true(crier_backoff_down(&b, 0) <= 10);
        assert_true(crier_backoff_down(&b, 0) <= 20);
        crier_backoff_retry(&b, 500000);
        delay = crier_backoff_down(&b, 0);
        assert_true(delay <= 500000);
        most = delay > most ? delay : most;
        crier_backoff_retry(&b, 0);
        assert_true(crier_backoff_down(&b, 0) <= 8); /* 1 << the third failure */
    }
    assert_true(most > 200000);
}

/* Retry-After is never undercut, holds once, and sends nobody away for more than a day. */
static void test_after(void **state)
{
    const struct crier_backoff_options options = {.first_ms = 10, .max_ms = 10};
    struct crier_backoff b;

    crier_backoff_init(&b, &options, seed);
    crier_backoff_after(&b, 5000);
    assert_in_range(crier_backoff_down(&b, 0), 5000, 5010);
    assert_in_range(crier_backoff_down(&b, 0), 0, 10);
    crier_backoff_after(&b, UINT64_MAX);
    assert_in_range(crier_backoff_down(&b, 0), CRIER_BACKOFF_ASKED_MAX_MS,
                    CRIER_BACKOFF_ASKED_MAX_MS + 10);
}

/* Values at the edge of the type do not overflow. */
static void test_extremes(void **state)
{
    const struct crier_backoff_options options = {.first_ms = UINT64_MAX / 2,
                                                  .max_ms = UINT64_MAX - 1};
    struct crier_backoff b;

    crier_backoff_init(&b, &options, seed);
    for (unsigned i = 0; i < 100; i++)
        assert_true(crier_backoff_down(&b, 0) < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_healthy),     cmocka_unit_test(test_retry),
        cmocka_unit_test(test_retry_bound), cmocka_unit_test(test_after),
        cmocka_unit_test(test_extremes),
    };

    seed = test_seed("backoff");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
