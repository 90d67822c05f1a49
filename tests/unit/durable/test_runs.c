/* SPDX-License-Identifier: MIT */
/* Runs: found by key and position, held, stale after a DELETE, let go of for room. */
#include "support.h"

#include "durable/runs.h"

static const struct crier_slice key = {"key", 3};

static struct crier_run *made(struct crier_runs *runs, uint64_t from, uint64_t to)
{
    struct crier_run *run = crier_run_new(runs, key, from);

    assert_non_null(run);
    crier_run_publish(runs, run, to);
    return run;
}

static void found(void **state)
{
    struct crier_runs runs;

    assert_int_equal(crier_runs_init(&runs, &crier_mem_libc, 1 << 20), 0);
    struct crier_run *run = made(&runs, 10, 20);
    assert_ptr_equal(crier_runs_find(&runs, key, 10), run);
    assert_ptr_equal(crier_runs_find(&runs, key, 19), run);
    assert_null(crier_runs_find(&runs, key, 9));
    assert_null(crier_runs_find(&runs, key, 20));
    assert_null(crier_runs_find(&runs, CRIER_SLICE("other"), 15));
    assert_null(crier_runs_find(&runs, CRIER_SLICE(""), 15));
    assert_int_equal(run->refs, 3);
    assert_int_equal(runs.shared, 2);
    assert_true(crier_run_share(&runs, run, key, 15));
    assert_false(crier_run_share(&runs, run, key, 20));
    assert_false(crier_run_share(&runs, run, CRIER_SLICE("other"), 15));
    for (int i = 0; i < 4; i++)
        crier_run_unref(&runs, run);
    assert_ptr_equal(crier_runs_find(&runs, key, 12), run); /* it stays */
    crier_run_unref(&runs, run);
    crier_runs_deinit(&runs);
}

static void room(void **state)
{
    struct crier_runs runs;

    assert_int_equal(crier_runs_init(&runs, &crier_mem_libc, 1000), 0);
    assert_true(crier_runs_make_room(&runs, 5000)); /* there is nothing else */
    struct crier_run *one = made(&runs, 0, 10), *two = made(&runs, 10, 20);
    uint64_t cost = runs.bytes / 2;
    assert_false(crier_runs_make_room(&runs, 1000));
    crier_run_unref(&runs, one);
    crier_run_unref(&runs, two);
    /* The one that was used last stays. */
    assert_ptr_equal(crier_runs_find(&runs, key, 0), one);
    crier_run_unref(&runs, one);
    assert_true(crier_runs_make_room(&runs, 1000 - cost));
    assert_int_equal(runs.bytes, cost);
    assert_null(crier_runs_find(&runs, key, 10));
    assert_true(crier_runs_make_room(&runs, 1000));
    assert_int_equal(runs.bytes, 0);
    crier_runs_deinit(&runs);
}

static void stale(void **state)
{
    struct crier_runs runs;

    assert_int_equal(crier_runs_init(&runs, &crier_mem_libc, 1 << 20), 0);
    struct crier_run *held = made(&runs, 0, 10), *idle = made(&runs, 10, 20);
    crier_run_unref(&runs, idle);
    crier_runs_forget(&runs);
    assert_true(crier_run_is_stale(&runs, held));
    assert_false(crier_run_share(&runs, held, key, 5));
    assert_null(crier_runs_find(&runs, key, 5));
    assert_null(crier_runs_find(&runs, key, 15));
    crier_run_unref(&runs, held); /* the last of it */
    assert_int_equal(runs.bytes, 0);
    /* Begun before a DELETE, published after it. */
    struct crier_run *late = crier_run_new(&runs, key, 0);
    crier_runs_forget(&runs);
    crier_run_publish(&runs, late, 10);
    assert_null(crier_runs_find(&runs, key, 5));
    crier_run_unref(&runs, late);
    struct crier_run *none = crier_run_new(&runs, CRIER_SLICE(""), 0);
    crier_run_publish(&runs, none, 10);
    crier_run_unref(&runs, none);
    assert_int_equal(runs.bytes, 0);
    crier_runs_deinit(&runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(found), cmocka_unit_test(room),
                                       cmocka_unit_test(stale)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
