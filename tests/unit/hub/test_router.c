/* SPDX-License-Identifier: MIT */
/* The router, against a naive one that asks every route. */
#include "hub/router.h"
#include "hub_support.h"

static struct crier_subscription *subscribe(const struct crier_journal *journal,
                                            const struct crier_slice *selectors,
                                            size_t count)
{
    struct crier_wish wish = {.selectors = selectors, .selector_count = count};
    struct crier_subscription *subscription;

    assert_int_equal(crier_subscription_new(&crier_mem_libc, journal, &wish, &subscription), 0);
    return subscription;
}

static struct crier_route make_route(const struct crier_journal *journal, const char *words)
{
    struct crier_slice selectors[8];
    size_t count = test_words(words, selectors, 8);

    return (struct crier_route){.subscription = subscribe(journal, selectors, count)};
}

static void free_route(struct crier_route *route)
{
    struct crier_subscription *subscription = (void *)(uintptr_t)route->subscription;
    crier_subscription_free(subscription);
}

static size_t match(struct crier_router *router,
                    const struct crier_journal *journal,
                    const char *topic,
                    struct crier_route *const **ret_routes)
{
    struct crier_slice name = crier_slice_of(topic);
    size_t count = 99;

    assert_int_equal(
        crier_router_match(router, name, crier_journal_hash(journal, name), ret_routes, &count),
        0);
    return count;
}

/* A route that matches in several ways is answered once; the answer is in the order of adding.
 */
static void test_once_and_in_order(void **state)
{
    struct crier_journal journal = test_key_journal();
    struct crier_route routes[3] = {
        make_route(&journal, "a/b a/* **"),
        make_route(&journal, "a/b"),
        make_route(&journal, "*/b x"),
    };
    struct crier_route *const *found;
    struct crier_router *router;

    assert_int_equal(crier_router_new(&crier_mem_libc, &journal, &router), 0);
    assert_false(crier_router_wanted(router, crier_journal_hash(&journal, CRIER_SLICE("a/b"))));
    for (int i = 0; i < 3; i++)
        assert_int_equal(crier_router_add(router, &routes[2 - i]), 0);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(match(router, &journal, "a/b", &found), 3);
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(found[i], &routes[2 - i]);
    }
    assert_int_equal(match(router, &journal, "q/r", &found), 1);
    assert_ptr_equal(found[0], &routes[0]);

    crier_router_remove(router, &routes[0]);
    /* A memo of "nobody" makes the topic unwanted, until somebody comes. */
    assert_int_equal(match(router, &journal, "q/r", &found), 0);
    assert_false(crier_router_wanted(router, crier_journal_hash(&journal, CRIER_SLICE("q/r"))));
    crier_router_remove(router, &routes[2]);
    assert_int_equal(match(router, &journal, "a/b", &found), 1);
    crier_router_remove(router, &routes[1]);
    crier_router_check(router);
    crier_router_free(router);
    for (int i = 0; i < 3; i++)
        free_route(&routes[i]);
}

enum { ROUTES = 40, STEPS = 4000 };

struct naive {
    struct crier_route routes[ROUTES];
    bool in[ROUTES];
    uint64_t order[ROUTES], next;
};

static bool naive_match(const struct crier_route *route, struct crier_slice topic)
{
    for (size_t i = 0; i < route->subscription->selector_count; i++)
        if (crier_selector_match(route->subscription->selectors[i], topic))
            return true;
    return false;
}

/* The answer for the topic is exactly the naive one: same routes, same order. */
static void compare(struct crier_router *router,
                    const struct crier_journal *journal,
                    const struct naive *naive,
                    struct crier_slice topic)
{
    uint64_t hash = crier_journal_hash(journal, topic), order = 0;
    bool wanted = crier_router_wanted(router, hash);
    struct crier_route *const *found;
    size_t count, expected = 0;

    assert_int_equal(crier_router_match(router, topic, hash, &found, &count), 0);
    for (size_t i = 0; i < ROUTES; i++)
        expected += naive->in[i] && naive_match(&naive->routes[i], topic);
    assert_int_equal(count, expected);
    if (expected > 0)
        assert_true(wanted);
    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)(found[i] - naive->routes);
        assert_true(at < ROUTES && naive->in[at] && naive_match(found[i], topic));
        assert_true(naive->order[at] > order);
        order = naive->order[at];
    }
}

static void toggle(struct crier_router *router,
                   const struct crier_journal *journal,
                   struct naive *naive,
                   struct crier_rng *rng)
{
    size_t at = (size_t)crier_rng_between(rng, 0, ROUTES - 1);
    struct crier_slice selectors[4];
    char text[4][64];

    if (naive->in[at]) {
        crier_router_remove(router, &naive->routes[at]);
        free_route(&naive->routes[at]);
        naive->in[at] = false;
        return;
    }
    size_t count = (size_t)crier_rng_between(rng, 1, 4);
    for (size_t i = 0; i < count; i++)
        selectors[i] = test_random_path(rng, crier_rng_between(rng, 0, 2) > 0, text[i]);
    naive->routes[at] =
        (struct crier_route){.subscription = subscribe(journal, selectors, count)};
    assert_int_equal(crier_router_add(router, &naive->routes[at]), 0);
    naive->in[at] = true;
    naive->order[at] = ++naive->next;
}

static void test_random(void **state)
{
    struct crier_rng rng = {test_seed("router")};
    struct crier_journal journal = test_key_journal();
    struct naive naive = {0};
    struct crier_router *router;
    char text[64];

    assert_int_equal(crier_router_new(&crier_mem_libc, &journal, &router), 0);
    for (int step = 0; step < STEPS; step++) {
        if (crier_rng_between(&rng, 0, 2) == 0)
            toggle(router, &journal, &naive, &rng);
        for (int i = 0; i < 4; i++)
            compare(router, &journal, &naive, test_random_path(&rng, true, text));
        crier_router_check(router);
    }
    for (size_t i = 0; i < ROUTES; i++) {
        if (!naive.in[i])
            continue;
        crier_router_remove(router, &naive.routes[i]);
        free_route(&naive.routes[i]);
    }
    crier_router_check(router);
    crier_router_free(router);
}

/* More topics than memos are kept: the memos are forgotten, the answers stay right. */
static void test_memos_are_bounded(void **state)
{
    struct crier_journal journal = test_key_journal();
    struct crier_route route = make_route(&journal, "t/*");
    struct crier_route *const *found;
    struct crier_router *router;
    struct test_mem t;
    char topic[32];
    size_t most = 0;

    test_mem_init(&t, 0);
    assert_int_equal(crier_router_new(&t.mem, &journal, &router), 0);
    assert_int_equal(crier_router_add(router, &route), 0);
    for (int i = 0; i < 70000; i++) {
        snprintf(topic, sizeof(topic), "%c/%d", "tu"[i % 2], i);
        assert_int_equal(match(router, &journal, topic, &found), i % 2 == 0);
        most = t.alive > most ? t.alive : most;
    }
    assert_in_range(most, 65536, 65536 + 100);
    assert_in_range(t.alive, 1, 10000);
    crier_router_check(router);
    crier_router_remove(router, &route);
    crier_router_free(router);
    assert_int_equal(t.alive, 0);
    free_route(&route);
}

static int run_oom(const struct crier_mem *mem, void *ctx)
{
    const struct crier_journal *journal = ctx;
    struct crier_route routes[2] = {make_route(journal, "a/b c x/** a/*"),
                                    make_route(journal, "a/b a/*/c **")};
    struct crier_route *const *found;
    struct crier_router *router = NULL;
    size_t count, added = 0;

    int r = crier_router_new(mem, journal, &router);
    while (r == 0 && added < 2) {
        r = crier_router_add(router, &routes[added]);
        crier_router_check(router);
        added += r == 0;
    }
    if (r == 0) {
        /* A memo that cannot be made is no failure, a result that cannot be made is. */
        r = crier_router_match(router, CRIER_SLICE("a/b"),
                               crier_journal_hash(journal, CRIER_SLICE("a/b")), &found, &count);
        if (r == 0)
            assert_int_equal(count, 2);
    }
    while (added > 0)
        crier_router_remove(router, &routes[--added]);
    if (router)
        crier_router_check(router);
    crier_router_free(router);
    free_route(&routes[0]);
    free_route(&routes[1]);
    return r;
}

/* Each allocation in turn fails: a route is in as a whole or not at all. */
static void test_memory(void **state)
{
    struct crier_journal journal = test_key_journal();
    size_t failed = 0;

    for (size_t nth = 1; nth < 100; nth++) {
        struct test_mem t;
        test_mem_init(&t, nth);
        int r = run_oom(&t.mem, &journal);
        assert_int_equal(t.alive, 0);
        assert_true(r == 0 || (r == -ENOMEM && t.failed));
        failed += r != 0;
    }
    assert_in_range(failed, 8, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_and_in_order),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_memos_are_bounded),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
