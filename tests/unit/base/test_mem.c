/* SPDX-License-Identifier: MIT */
#include "support.h"

/* Invariant: NULL means out of memory and nothing else; zalloc is zeroed; free is forgiving. */
static void libc_allocator(void **state)
{
    const struct crier_mem *mem = &crier_mem_libc;
    unsigned char *p = crier_mem_zalloc(mem, 100);

    assert_non_null(p);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    memset(p, 7, 100);
    p = crier_mem_resize(mem, p, 10000);
    assert_non_null(p);
    assert_int_equal(p[0], 7);
    assert_int_equal(p[99], 7);
    assert_null(crier_mem_free(mem, p));
    assert_null(crier_mem_free(mem, NULL));

    p = crier_mem_alloc(mem, 0);
    assert_non_null(p);
    crier_mem_free(mem, p);
    p = crier_mem_zalloc(mem, 0);
    assert_non_null(p);
    crier_mem_free(mem, p);
}

/* Invariant: a failed allocation gives NULL, a failed resize also leaves the old bytes alone.
 */
static void failure_is_null(void **state)
{
    struct test_mem t;
    char *p;

    test_mem_init(&t, 2);
    p = crier_mem_zalloc(&t.mem, 8);
    assert_non_null(p);
    p[0] = 'x';
    assert_null(crier_mem_resize(&t.mem, p, 16));
    assert_int_equal(p[0], 'x');
    crier_mem_free(&t.mem, p);
    assert_int_equal(t.alive, 0);

    test_mem_init(&t, 1);
    assert_null(crier_mem_zalloc(&t.mem, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libc_allocator),
        cmocka_unit_test(failure_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
