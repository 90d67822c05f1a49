/* SPDX-License-Identifier: MIT */
#include "base/rng.h"
#include "net/wheel.h"
#include "support.h"

enum { TIMERS = 200 };

/* Never early, at most one slot late, each once; the timeout leads from one to the next. */
static void test_on_time(void **state)
{
    static const uint64_t delays[] = {0,     1,     127,   128,   129,   1000,
                                      65407, 65408, 65536, 65537, 200000};
    const uint64_t start = 1234567;

    for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
        struct crier_wheel wheel;
        struct crier_timer timer;
        uint64_t now = start;

        crier_wheel_init(&wheel, start);
        crier_timer_init(&timer);
        assert_int_equal(crier_wheel_timeout(&wheel, now), -1);
        crier_wheel_set(&wheel, &timer, start + delays[i]);
        while (!crier_wheel_expire(&wheel, now)) {
            int wait = crier_wheel_timeout(&wheel, now);

            /* As a loop does it: sleep for what it says. A sleep is never for nothing. */
            assert_true(wait > 0 && wait <= CRIER_WHEEL_SLOTS * CRIER_WHEEL_MS);
            now += (uint64_t)wait;
        }
        assert_true(now >= start + delays[i]);
        assert_true(now < start + delays[i] + 2 * CRIER_WHEEL_MS);
        assert_int_equal(timer.due_ms, 0);
        assert_int_equal(wheel.count, 0);
        assert_null(crier_wheel_expire(&wheel, now + 1000000));
    }
}

struct model {
    struct crier_wheel wheel;
    struct crier_timer timers[TIMERS];
    uint64_t due[TIMERS]; /* 0: not set */
    uint64_t now;
    size_t set;
};

static void model_set(struct model *m, size_t i, uint64_t due)
{
    m->set += m->due[i] == 0;
    m->due[i] = due;
    crier_wheel_set(&m->wheel, &m->timers[i], due);
}

static void model_clear(struct model *m, size_t i)
{
    m->set -= m->due[i] != 0;
    m->due[i] = 0;
    crier_wheel_clear(&m->wheel, &m->timers[i]);
}

/* Takes out what is due; now and then sets and clears others meanwhile. Every timer that comes
 * was due, and none stays that has been due for a slot. */
static void model_expire(struct model *m, struct crier_rng *rng)
{
    struct crier_timer *timer;

    while ((timer = crier_wheel_expire(&m->wheel, m->now))) {
        size_t i = (size_t)(timer - m->timers);

        assert_true(m->due[i] != 0 && m->due[i] <= m->now);
        m->due[i] = 0;
        m->set--;
        if (crier_rng_between(rng, 0, 3) == 0)
            model_clear(m, crier_rng_between(rng, 0, TIMERS - 1));
        if (crier_rng_between(rng, 0, 3) == 0)
            model_set(m, crier_rng_between(rng, 0, TIMERS - 1), m->now);
    }
    for (size_t i = 0; i < TIMERS; i++)
        assert_true(m->due[i] == 0 || m->due[i] + CRIER_WHEEL_MS > m->now);
    assert_int_equal(m->wheel.count, m->set);
}

/* Against the naive model: an array of due times. */
static void test_against_model(void **state)
{
    static const uint64_t spans[] = {100, 1000, 60000, 70000, 3600000, 5u * 24 * 3600000};
    struct crier_rng rng = {test_seed("wheel")};
    static struct model m;

    m.now = crier_rng_between(&rng, 0, 1u << 30);
    crier_wheel_init(&m.wheel, m.now);
    for (size_t i = 0; i < TIMERS; i++)
        crier_timer_init(&m.timers[i]);
    for (int step = 0; step < 20000; step++) {
        uint64_t span = spans[crier_rng_between(&rng, 0, 5)];
        size_t i = crier_rng_between(&rng, 0, TIMERS - 1);

        switch (crier_rng_between(&rng, 0, 9)) {
        case 0:
            model_clear(&m, i);
            break;
        case 1:
            m.now += crier_rng_between(&rng, 0, span);
            model_expire(&m, &rng);
            break;
        case 2:
        case 3:
            m.now += crier_rng_between(&rng, 0, 300);
            model_expire(&m, &rng);
            break;
        default:
            model_set(&m, i, m.now + crier_rng_between(&rng, 0, span));
        }
    }
}

/* The timeout never sleeps past a timer by more than a slot, whatever is set. */
static void test_timeout_is_never_late(void **state)
{
    struct crier_rng rng = {test_seed("timeout")};
    static struct crier_wheel wheel;
    struct crier_timer timers[20];

    for (int round = 0; round < 500; round++) {
        uint64_t now = crier_rng_between(&rng, 0, 1000000), first = UINT64_MAX;
        int wait;

        crier_wheel_init(&wheel, now);
        now += crier_rng_between(&rng, 0, 1000);
        for (int i = 0; i < 20; i++) {
            uint64_t due =
                now + crier_rng_between(&rng, 0, 1u << crier_rng_between(&rng, 5, 25));

            crier_timer_init(&timers[i]);
            crier_wheel_set(&wheel, &timers[i], due);
            first = due < first ? due : first;
        }
        wait = crier_wheel_timeout(&wheel, now);
        assert_true(wait >= 0 && now + (uint64_t)wait < first + 2 * CRIER_WHEEL_MS);
    }
}

/* A leap of an hour, or of most of time, is one walk over the slots: this ends. */
static void test_leap(void **state)
{
    static struct crier_wheel wheel;
    struct crier_timer soon, hour, never;

    crier_timer_init(&soon);
    crier_timer_init(&hour);
    crier_timer_init(&never);
    crier_wheel_init(&wheel, 1000);
    crier_wheel_set(&wheel, &soon, 2000);
    crier_wheel_set(&wheel, &hour, 3600000);
    crier_wheel_set(&wheel, &never, UINT64_MAX);
    assert_ptr_equal(crier_wheel_expire(&wheel, 3000000), &soon);
    assert_null(crier_wheel_expire(&wheel, 3000000));
    assert_ptr_equal(crier_wheel_expire(&wheel, UINT64_MAX / 2), &hour);
    assert_null(crier_wheel_expire(&wheel, UINT64_MAX / 2));
    crier_wheel_set(&wheel, &soon, UINT64_MAX / 2 + 1000);
    assert_ptr_equal(crier_wheel_expire(&wheel, UINT64_MAX / 2 + 2000), &soon);
    assert_int_equal(wheel.count, 1);
}

/* A clock that is handed in a little older than before does no harm. */
static void test_backwards(void **state)
{
    static struct crier_wheel wheel;
    struct crier_timer timer;

    crier_timer_init(&timer);
    crier_wheel_init(&wheel, 10000);
    crier_wheel_set(&wheel, &timer, 20000);
    assert_null(crier_wheel_expire(&wheel, 15000));
    assert_null(crier_wheel_expire(&wheel, 12000));
    assert_ptr_equal(crier_wheel_expire(&wheel, 20200), &timer);
}

/* A timer that sets itself for "now" again and again does not keep the loop busy. */
static void test_set_again_while_expiring(void **state)
{
    static struct crier_wheel wheel;
    struct crier_timer timer;
    int fired = 0;

    crier_timer_init(&timer);
    crier_wheel_init(&wheel, 0);
    crier_wheel_set(&wheel, &timer, 0);
    for (struct crier_timer *t; (t = crier_wheel_expire(&wheel, 1000)) && fired < 10; fired++)
        crier_wheel_set(&wheel, t, 1000);
    assert_int_equal(fired, 1);
    assert_ptr_equal(crier_wheel_expire(&wheel, 1200), &timer);
}

/* Two due at once: the first clears, or moves away, the other, which then does not come. */
static void test_clear_while_expiring(void **state)
{
    static struct crier_wheel wheel;
    struct crier_timer a, b, c, *first;

    crier_timer_init(&a);
    crier_timer_init(&b);
    crier_timer_init(&c);
    crier_wheel_init(&wheel, 0);
    crier_wheel_set(&wheel, &a, 500);
    crier_wheel_set(&wheel, &b, 500);
    crier_wheel_set(&wheel, &c, 500);
    first = crier_wheel_expire(&wheel, 1000);
    assert_ptr_equal(first, &a);
    crier_wheel_clear(&wheel, &b);
    crier_wheel_clear(&wheel, &b); /* not set: fine */
    crier_wheel_set(&wheel, &c, 100000);
    assert_null(crier_wheel_expire(&wheel, 1000));
    assert_int_equal(wheel.count, 1);
    assert_ptr_equal(crier_wheel_expire(&wheel, 100200), &c);
}

/* A zeroed timer is one that is not set. */
static void test_zeroed(void **state)
{
    static struct crier_wheel wheel;
    struct crier_timer timer = {0};

    crier_wheel_init(&wheel, 0);
    crier_wheel_clear(&wheel, &timer);
    crier_wheel_set(&wheel, &timer, 10);
    assert_ptr_equal(crier_wheel_expire(&wheel, 1000), &timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_time),
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_timeout_is_never_late),
        cmocka_unit_test(test_leap),
        cmocka_unit_test(test_backwards),
        cmocka_unit_test(test_set_again_while_expiring),
        cmocka_unit_test(test_clear_while_expiring),
        cmocka_unit_test(test_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
