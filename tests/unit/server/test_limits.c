/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "base/rng.h"
#include "server/limits.h"
#include "support.h"
#include <pthread.h>

static const struct crier_hash_key key = {1, 2};

static struct crier_limits *limits_of(uint64_t all, uint64_t per_address)
{
    struct crier_limits *limits;

    assert_int_equal(crier_limits_new(&crier_mem_libc, &key, all, per_address, &limits), 0);
    return limits;
}

static struct crier_ip v4(unsigned n)
{
    return (struct crier_ip){.family = 4, .bytes = {192, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

/* One address: its limit, then kind refusals that are counted, then a hard end. */
static void test_per_address(void **state)
{
    enum { LIMIT = 5, REFUSALS = 1000 };
    static struct crier_limit_ticket tickets[LIMIT + REFUSALS + 1];
    struct crier_limits *limits = limits_of(100000, LIMIT);
    struct crier_limit_ticket other = {0};
    struct crier_ip one = v4(1), two = v4(2);

    for (int i = 0; i < LIMIT; i++)
        assert_int_equal(crier_limits_enter(limits, &one, &tickets[i]), 0);
    for (int i = LIMIT; i < LIMIT + REFUSALS; i++) {
        assert_int_equal(crier_limits_enter(limits, &one, &tickets[i]), CRIER_LIMIT_ADDRESS);
        assert_true(tickets[i].counted);
    }
    assert_int_equal(crier_limits_count(limits), LIMIT + REFUSALS);
    assert_int_equal(crier_limits_enter(limits, &one, &tickets[LIMIT + REFUSALS]),
                     CRIER_LIMIT_ALL);
    assert_false(tickets[LIMIT + REFUSALS].counted);
    assert_null(tickets[LIMIT + REFUSALS].address);
    assert_int_equal(crier_limits_count(limits), LIMIT + REFUSALS);
    /* Another address is not concerned. */
    assert_int_equal(crier_limits_enter(limits, &two, &other), 0);
    for (int i = 0; i <= LIMIT + REFUSALS; i++)
        crier_limits_leave(limits, &tickets[i]);
    assert_int_equal(crier_limits_count(limits), 1);
    /* With the others gone there is room again. */
    assert_int_equal(crier_limits_enter(limits, &one, &tickets[0]), 0);
    crier_limits_leave(limits, &tickets[0]);
    crier_limits_leave(limits, &other);
    crier_limits_leave(limits, &other); /* a ticket that holds nothing */
    assert_int_equal(crier_limits_count(limits), 0);
    assert_null(crier_limits_free(limits));
    assert_null(crier_limits_free(NULL));
}

/* All addresses together: the same steps. */
static void test_all(void **state)
{
    enum { LIMIT = 10, REFUSALS = 1000 };
    static struct crier_limit_ticket tickets[LIMIT + REFUSALS + 1];
    struct crier_limits *limits = limits_of(LIMIT, 1000);

    for (unsigned i = 0; i <= LIMIT + REFUSALS; i++) {
        struct crier_ip ip = v4(i);

        assert_int_equal(crier_limits_enter(limits, &ip, &tickets[i]),
                         i < LIMIT ? 0 : CRIER_LIMIT_ALL);
        assert_int_equal(tickets[i].counted, i < LIMIT + REFUSALS);
    }
    assert_int_equal(crier_limits_count(limits), LIMIT + REFUSALS);
    for (unsigned i = 0; i <= LIMIT + REFUSALS; i++)
        crier_limits_leave(limits, &tickets[i]);
    crier_limits_free(limits);
}

/* IPv6 is counted by /64; a peer without an address in all only. */
static void test_keys(void **state)
{
    struct crier_limits *limits = limits_of(100, 1);
    struct crier_ip a = {.family = 6, .bytes = {0x20, 1, [7] = 1, [15] = 1}}, b = a, c = a,
                    none = {0};
    struct crier_limit_ticket ta = {0}, tb = {0}, tc = {0}, td = {0}, te = {0};

    b.bytes[15] = 2;
    c.bytes[7] = 2;
    assert_int_equal(crier_limits_enter(limits, &a, &ta), 0);
    assert_int_equal(crier_limits_enter(limits, &b, &tb), CRIER_LIMIT_ADDRESS);
    assert_int_equal(crier_limits_enter(limits, &c, &tc), 0);
    assert_int_equal(crier_limits_enter(limits, &none, &td), 0);
    assert_int_equal(crier_limits_enter(limits, &none, &te), 0);
    assert_false(crier_limits_warn_once(limits, &te));
    assert_int_equal(crier_limits_count(limits), 5);
    crier_limits_leave(limits, &ta);
    crier_limits_leave(limits, &tb);
    crier_limits_leave(limits, &tc);
    crier_limits_leave(limits, &td);
    crier_limits_leave(limits, &te);
    assert_int_equal(crier_limits_count(limits), 0);
    crier_limits_free(limits);
}

/* A connection that turns out to be someone else's counts there, and no longer here. */
static void test_move(void **state)
{
    struct crier_limits *limits = limits_of(100, 1);
    struct crier_ip proxy = v4(1), client = v4(2), nobody = v4(3);
    struct crier_limit_ticket a = {0}, b = {0}, c = {0}, d = {0};

    assert_int_equal(crier_limits_enter(limits, &proxy, &a), 0);
    assert_int_equal(crier_limits_move(limits, &client, &a), 0);
    assert_int_equal(crier_limits_count(limits), 1);
    assert_int_equal(crier_limits_enter(limits, &proxy, &b), 0);
    assert_int_equal(crier_limits_move(limits, &client, &b), CRIER_LIMIT_ADDRESS);
    assert_true(b.counted);
    assert_int_equal(crier_limits_enter(limits, &proxy, &c), 0);
    assert_int_equal(crier_limits_move(limits, &proxy, &c), 0); /* to where it was */
    /* A ticket that held nothing counts from then on. */
    assert_int_equal(crier_limits_move(limits, &nobody, &d), 0);
    assert_true(d.counted);
    assert_int_equal(crier_limits_count(limits), 4);
    crier_limits_leave(limits, &d);
    assert_int_equal(crier_limits_count(limits), 3);
    crier_limits_leave(limits, &a);
    crier_limits_leave(limits, &b);
    crier_limits_leave(limits, &c);
    assert_int_equal(crier_limits_count(limits), 0);
    crier_limits_free(limits);
}

/* One warning while an address stays at its limit or over it, however many refused connections
 * come and go meanwhile; another when it was below it and comes over it again. */
static void test_warn_once(void **state)
{
    struct crier_limits *limits = limits_of(100, 2);
    struct crier_ip ip = v4(1);
    struct crier_limit_ticket t[4] = {{0}};

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            int r = crier_limits_enter(limits, &ip, &t[i]);

            assert_int_equal(r, i < 2 ? 0 : CRIER_LIMIT_ADDRESS);
            assert_int_equal(crier_limits_warn_once(limits, &t[i]), i == 2);
        }
        crier_limits_leave(limits, &t[3]);
        assert_int_equal(crier_limits_enter(limits, &ip, &t[3]), CRIER_LIMIT_ADDRESS);
        assert_false(crier_limits_warn_once(limits, &t[3])); /* it has been over all the time */
        /* Back at the limit: the refused have left, those within it stay. No news. */
        crier_limits_leave(limits, &t[3]);
        crier_limits_leave(limits, &t[2]);
        assert_int_equal(crier_limits_enter(limits, &ip, &t[2]), CRIER_LIMIT_ADDRESS);
        assert_false(crier_limits_warn_once(limits, &t[2]));
        /* Below it, though not gone, and over it again: that is news. */
        crier_limits_leave(limits, &t[2]);
        crier_limits_leave(limits, &t[1]);
        assert_int_equal(crier_limits_enter(limits, &ip, &t[1]), 0);
        assert_int_equal(crier_limits_enter(limits, &ip, &t[2]), CRIER_LIMIT_ADDRESS);
        assert_true(crier_limits_warn_once(limits, &t[2]));
        for (int i = 0; i < 4; i++)
            crier_limits_leave(limits, &t[i]);
    }
    crier_limits_free(limits);
}

/* A server that ends with connections open frees what they held. */
static void test_free_with_tickets_out(void **state)
{
    struct crier_limits *limits = limits_of(100, 10);

    for (unsigned i = 0; i < 50; i++) {
        struct crier_limit_ticket ticket;
        struct crier_ip ip = v4(i);

        assert_int_equal(crier_limits_enter(limits, &ip, &ticket), 0);
    }
    crier_limits_free(limits);
}

static int enter_and_move(const struct crier_mem *mem, void *ctx)
{
    struct crier_limit_ticket ticket = {0};
    struct crier_limits *limits;
    struct crier_ip one = v4(1), two = v4(2);
    int r = crier_limits_new(mem, &key, 10, 10, &limits);

    if (r < 0)
        return r;
    r = crier_limits_enter(limits, &one, &ticket);
    assert_int_equal(crier_limits_count(limits), r == 0);
    if (r == 0) {
        r = crier_limits_move(limits, &two, &ticket);
        assert_int_equal(crier_limits_count(limits),
                         1); /* a failed move leaves it where it was */
    }
    crier_limits_leave(limits, &ticket);
    assert_int_equal(crier_limits_count(limits), 0);
    crier_limits_free(limits);
    return r;
}

static void test_memory(void **state)
{
    assert_true(test_mem_torture(enter_and_move, NULL) >= 3);
}

enum { THREADS = 4, HELD = 50, ROUNDS = 20000, ADDRESSES = 20 };

struct visitor {
    struct crier_limits *limits;
    uint64_t seed;
};

/* Comes, moves and goes at random; leaves with nothing. */
static void *visit(void *ctx)
{
    struct visitor *v = ctx;
    struct crier_limit_ticket held[HELD] = {{0}};
    struct crier_rng rng = {v->seed};

    for (int i = 0; i < ROUNDS; i++) {
        struct crier_limit_ticket *t = &held[crier_rng_between(&rng, 0, HELD - 1)];
        struct crier_ip ip = v4((unsigned)crier_rng_between(&rng, 0, ADDRESSES - 1));

        if (!t->counted)
            (void)!crier_limits_enter(v->limits, &ip, t);
        else if (crier_rng_between(&rng, 0, 2) == 0)
            (void)!crier_limits_move(v->limits, &ip, t);
        else
            crier_limits_leave(v->limits, t);
        (void)crier_limits_warn_once(v->limits, t);
    }
    for (int i = 0; i < HELD; i++)
        crier_limits_leave(v->limits, &held[i]);
    return NULL;
}

/* Four threads on few addresses: nothing is counted twice or forgotten. */
static void test_threads(void **state)
{
    struct crier_limits *limits = limits_of(100, 8);
    uint64_t seed = test_seed("limits");
    struct visitor visitors[THREADS];
    pthread_t threads[THREADS];
    struct crier_limit_ticket t = {0};

    for (unsigned i = 0; i < THREADS; i++) {
        visitors[i] = (struct visitor){limits, seed + i};
        assert_int_equal(pthread_create(&threads[i], NULL, visit, &visitors[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crier_limits_count(limits), 0);
    for (unsigned i = 0; i < ADDRESSES; i++) {
        struct crier_ip ip = v4(i);

        assert_int_equal(crier_limits_enter(limits, &ip, &t), 0);
        crier_limits_leave(limits, &t);
    }
    crier_limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_per_address), cmocka_unit_test(test_all),
        cmocka_unit_test(test_keys),        cmocka_unit_test(test_move),
        cmocka_unit_test(test_warn_once),   cmocka_unit_test(test_free_with_tickets_out),
        cmocka_unit_test(test_memory),      cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
