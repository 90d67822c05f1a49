/* SPDX-License-Identifier: MIT */
/* Sorted lists of routes. */
#include "base/rng.h"
#include "hub/routes.h"
#include "support.h"

/* Sorting random pieces gives every route once, in order. */
static void test_sort(void **state)
{
    struct crier_rng rng = {test_seed("routes")};
    struct crier_route routes[50];

    for (size_t i = 0; i < 50; i++)
        routes[i] = (struct crier_route){.order = i + 1};
    for (int round = 0; round < 500; round++) {
        struct crier_routes list = {0}, piece = {0};
        bool in[50] = {false};
        size_t expected = 0;

        for (uint64_t n = crier_rng_between(&rng, 0, 5); n > 0; n--) {
            for (size_t i = 0; i < 50; i++) {
                if (crier_rng_between(&rng, 0, 3) > 0)
                    continue;
                assert_int_equal(crier_routes_push(&piece, &crier_mem_libc, &routes[i]), 0);
                expected += !in[i];
                in[i] = true;
            }
            crier_routes_check(&piece);
            assert_int_equal(crier_routes_join(&list, &crier_mem_libc, &piece), 0);
            crier_routes_deinit(&piece, &crier_mem_libc);
        }
        crier_routes_sort(&list);
        crier_routes_check(&list);
        assert_int_equal(list.count, expected);
        for (size_t i = 0; i < list.count; i++)
            assert_true(in[list.items[i]->order - 1]);
        crier_routes_deinit(&list, &crier_mem_libc);
    }
}

/* Removing keeps the order; the last one takes the memory with it. */
static void test_remove(void **state)
{
    struct crier_route routes[3] = {{.order = 1}, {.order = 2}, {.order = 3}};
    struct crier_routes list = {0};

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(crier_routes_push(&list, &crier_mem_libc, &routes[i]), 0);
    crier_routes_remove(&list, &crier_mem_libc, &routes[1]);
    crier_routes_check(&list);
    assert_ptr_equal(list.items[0], &routes[0]);
    assert_ptr_equal(list.items[1], &routes[2]);
    crier_routes_remove(&list, &crier_mem_libc, &routes[2]);
    crier_routes_remove(&list, &crier_mem_libc, &routes[0]);
    assert_null(list.items);
}

static int run_oom(const struct crier_mem *mem, void *ctx)
{
    struct crier_route routes[5];
    struct crier_routes list = {0};
    int r = 0;

    for (size_t i = 0; i < 5 && r == 0; i++) {
        routes[i] = (struct crier_route){.order = i + 1};
        r = crier_routes_push(&list, mem, &routes[i]);
        crier_routes_check(&list);
    }
    crier_routes_deinit(&list, mem);
    return r;
}

static void test_memory(void **state)
{
    assert_in_range(test_mem_torture(run_oom, NULL), 2, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
