/* SPDX-License-Identifier: MIT */
/* The trie of patterns, against asking every pattern. */
#include "hub/trie.h"
#include "hub_support.h"

enum { PATTERNS = 30, STEPS = 5000 };

/* Random patterns come and go; every topic finds exactly those that match it. */
static void test_random(void **state)
{
    struct crier_rng rng = {test_seed("trie")};
    struct crier_route routes[PATTERNS];
    char text[PATTERNS][64], topic_text[64];
    struct crier_slice patterns[PATTERNS];
    bool in[PATTERNS] = {false};
    uint64_t next = 1;
    struct test_mem t;
    struct crier_trie trie;

    test_mem_init(&t, 0);
    assert_int_equal(crier_trie_init(&trie, &t.mem, &test_key), 0);
    for (int step = 0; step < STEPS; step++) {
        size_t at = (size_t)crier_rng_between(&rng, 0, PATTERNS - 1);
        if (in[at]) {
            crier_trie_remove(&trie, patterns[at], &routes[at]);
        } else {
            patterns[at] = test_random_path(&rng, false, text[at]);
            routes[at] = (struct crier_route){.order = next++};
            assert_int_equal(crier_trie_add(&trie, patterns[at], &routes[at]), 0);
        }
        in[at] = !in[at];
        crier_trie_check(&trie);

        struct crier_slice topic = test_random_path(&rng, true, topic_text);
        struct crier_routes found = {0};
        assert_int_equal(crier_trie_collect(&trie, topic, &found), 0);
        crier_routes_sort(&found);
        size_t expected = 0;
        for (size_t i = 0; i < PATTERNS; i++)
            expected += in[i] && crier_selector_match(patterns[i], topic);
        assert_int_equal(found.count, expected);
        for (size_t i = 0; i < found.count; i++) {
            size_t k = (size_t)(found.items[i] - routes);
            assert_true(in[k] && crier_selector_match(patterns[k], topic));
        }
        crier_routes_deinit(&found, &t.mem);
    }
    for (size_t i = 0; i < PATTERNS; i++)
        if (in[i])
            crier_trie_remove(&trie, patterns[i], &routes[i]);
    assert_int_equal(trie.edges.count, 0);
    crier_trie_deinit(&trie);
    assert_int_equal(t.alive, 0);
}

static int run_oom(const struct crier_mem *mem, void *ctx)
{
    static const struct crier_slice patterns[] = {{"a/*/c", 5}, {"a/b/**", 6}, {"*/x/y/z", 7}};
    struct crier_route routes[3] = {{.order = 1}, {.order = 2}, {.order = 3}};
    struct crier_trie trie = {0};
    size_t added = 0;

    int r = crier_trie_init(&trie, mem, &test_key);
    while (r == 0 && added < 3) {
        r = crier_trie_add(&trie, patterns[added], &routes[added]);
        crier_trie_check(&trie);
        added += r == 0;
    }
    while (added > 0) {
        added--;
        crier_trie_remove(&trie, patterns[added], &routes[added]);
    }
    crier_trie_deinit(&trie);
    return r;
}

/* A pattern that cannot be added leaves no node behind. */
static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_oom, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
