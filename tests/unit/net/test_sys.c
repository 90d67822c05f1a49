/* SPDX-License-Identifier: MIT */
#include "net/sys.h"
#include "support.h"

/* The boot clock never goes back; the wall clock is of this century and not in seconds. */
static void test_now(void **state)
{
    struct crier_now last = crier_sys_now();

    assert_true(last.wall_ms > 1600000000000u && last.wall_ms < 10000000000000u);
    for (int i = 0; i < 1000; i++) {
        struct crier_now now = crier_sys_now();

        assert_true(now.boot_ms >= last.boot_ms);
        last = now;
    }
}

/* All bytes are drawn, of large requests too, and not the same twice. */
static void test_random(void **state)
{
    static unsigned char a[100000], b[100000];
    bool last_set = false;

    for (int i = 0; i < 20; i++) {
        assert_int_equal(crier_sys_random(a, sizeof(a)), 0);
        last_set |= a[sizeof(a) - 1] != 0;
    }
    assert_true(last_set);
    assert_int_equal(crier_sys_random(b, sizeof(b)), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(crier_sys_random(a, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_now),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
