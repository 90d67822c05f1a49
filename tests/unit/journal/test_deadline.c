/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

enum { COUNT = 1000 };

static bool is_even(void *ctx, uint64_t number)
{
    return number % 2 == 0;
}

/* They come out in the order of their times, and only when due; a sweep takes out the dead and
 * none else. */
static void in_order(void **state)
{
    struct crier_rng rng = {test_seed("in_order")};
    struct crier_deadlines deadlines;
    struct crier_deadline due;
    struct test_mem mem;
    uint64_t last = 0;
    size_t taken = 0, even = 0;

    test_mem_init(&mem, 0);
    crier_deadlines_init(&deadlines, &mem.mem);
    for (uint64_t n = 1; n <= COUNT; n++) {
        assert_int_equal(crier_deadlines_reserve(&deadlines), 0);
        crier_deadlines_add(&deadlines, crier_rng_between(&rng, 10, 500), n);
        crier_deadlines_check(&deadlines);
    }
    assert_false(crier_deadlines_take(&deadlines, 9, &due));
    for (uint64_t now = 10; now <= 250; now++) {
        while (crier_deadlines_take(&deadlines, now, &due)) {
            assert_true(due.ms >= last && due.ms == now);
            last = due.ms;
            taken++;
        }
    }
    for (size_t i = 0; i < deadlines.count; i++)
        even += deadlines.heap[i].number % 2 == 0;
    deadlines.live = deadlines.count;
    crier_deadlines_sweep(&deadlines, is_even, NULL);
    assert_int_equal(deadlines.count, COUNT - taken); /* too few dead: not worth it */
    deadlines.live = 0;
    crier_deadlines_sweep(&deadlines, is_even, NULL);
    assert_int_equal(deadlines.count, even);
    for (size_t i = 0; i < deadlines.count; i++)
        assert_int_equal(deadlines.heap[i].number % 2, 0);
    crier_deadlines_check(&deadlines);
    while (crier_deadlines_take(&deadlines, 1000, &due)) {
        assert_true(due.ms >= last);
        last = due.ms;
    }
    crier_deadlines_deinit(&deadlines);
    assert_int_equal(mem.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
