/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

static const struct crier_now start_time = {1000000, 5000};

struct sleeper {
    struct crier_watch watch;
    int woken;
};

static void on_wake(void *ctx)
{
    struct sleeper *s = ctx;
    s->woken++;
}

/* Of one topic, or (NULL) of everything. */
static void set_up(struct sleeper *s, const struct crier_journal *journal, const char *topic)
{
    *s = (struct sleeper){.watch = {.wake = on_wake}};
    s->watch.wake_ctx = s;
    if (topic)
        s->watch.only = crier_journal_hash(journal, crier_slice_of(topic));
    else
        crier_interest_all(&s->watch.interest);
}

static bool asleep(const struct sleeper *s)
{
    return atomic_load(&s->watch.asleep);
}

/* Once for each sleep, for its topics only; it then knows how far there was nothing. */
static void wakes(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct crier_draft drafts[] = {test_draft("x", "data: x\n\n"),
                                   test_draft("a", "data: x\n\n"),
                                   test_draft("a", "data: x\n\n")};
    struct sleeper one, all, some;

    set_up(&one, journal, "a");
    set_up(&all, journal, NULL);
    set_up(&some, journal, NULL);
    crier_interest_clear(&some.watch.interest);
    crier_interest_add(&some.watch.interest, crier_journal_hash(journal, CRIER_SLICE("a")));
    assert_true(crier_journal_watch(journal, &one.watch));
    assert_true(crier_journal_watch(journal, &all.watch));
    assert_true(crier_journal_watch(journal, &some.watch));
    crier_memory_check(journal);
    test_publish(journal, "other", start_time);
    assert_true(asleep(&one) && asleep(&some) && !asleep(&all));
    assert_int_equal(all.woken, 1);
    assert_int_equal(all.watch.position, 0);
    crier_journal_append(journal, drafts, 3, start_time);
    assert_int_equal(one.woken, 1);
    assert_int_equal(some.woken, 1);
    assert_int_equal(one.watch.position, 2); /* "other" and "x" were not for it */
    assert_int_equal(some.watch.position, 2);
    assert_int_equal(all.woken, 1);
    assert_false(asleep(&one) || asleep(&some));
    crier_memory_check(journal);
    crier_journal_free(journal);
}

/* An event with several topics wakes those of each, once. */
static void several_topics(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct crier_draft draft = test_draft("a", "data: x\n\n");
    struct sleeper a, b, c;

    draft.topics[draft.topic_count++] = CRIER_SLICE("b");
    set_up(&a, journal, "a");
    set_up(&b, journal, "b");
    set_up(&c, journal, "c");
    assert_true(crier_journal_watch(journal, &a.watch));
    assert_true(crier_journal_watch(journal, &b.watch));
    assert_true(crier_journal_watch(journal, &c.watch));
    crier_journal_append(journal, &draft, 1, start_time);
    assert_int_equal(a.woken + b.woken, 2);
    assert_true(asleep(&c));
    /* What it has not looked at may be for it: then it does not sleep. */
    assert_false(crier_journal_watch(journal, &b.watch));
    b.watch.position = 1;
    assert_true(crier_journal_watch(journal, &b.watch));
    crier_journal_unwatch(journal, &b.watch);
    crier_journal_unwatch(journal, &c.watch);
    assert_int_equal(c.watch.position, 1);
    crier_journal_free(journal);
}

/* No sleep while there may be news: an event of its topic, or too much to look through. What is
 * not for it is passed over. */
static void news(void **state)
{
    struct crier_journal *journal = test_journal(
        &crier_mem_libc, (struct crier_journal_limits){.max_events = 100}, start_time);
    struct sleeper s;

    set_up(&s, journal, "a");
    test_publish(journal, "x", start_time);
    assert_true(crier_journal_watch(journal, &s.watch));
    crier_journal_unwatch(journal, &s.watch);
    assert_int_equal(s.watch.position, 1);
    crier_journal_unwatch(journal, &s.watch); /* again: nothing */
    test_publish(journal, "a", start_time);
    assert_false(crier_journal_watch(journal, &s.watch));
    assert_false(asleep(&s));
    s.watch.position = 2;
    for (int i = 0; i < 64; i++)
        test_publish(journal, "x", start_time);
    assert_true(crier_journal_watch(journal, &s.watch));
    crier_journal_unwatch(journal, &s.watch);
    s.watch.position = 2;
    test_publish(journal, "x", start_time);
    assert_false(crier_journal_watch(journal, &s.watch));
    /* Before the window: what was there is not known any more. */
    for (int i = 0; i < 100; i++)
        test_publish(journal, "x", start_time);
    s.watch.position = 66;
    assert_false(crier_journal_watch(journal, &s.watch));
    assert_int_equal(s.woken, 0);
    crier_journal_free(journal);
}

/* It holds nothing: a batch larger than history wakes it all the same. */
static void holds_nothing(void **state)
{
    struct crier_journal_limits limits = {.max_events = 2, .max_bytes = 1000};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_draft drafts[512];
    struct sleeper s, all;

    for (size_t i = 0; i < 512; i++)
        drafts[i] = test_draft(i == 3 ? "a" : "x", "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\n");
    set_up(&s, journal, "a");
    set_up(&all, journal, NULL);
    assert_true(crier_journal_watch(journal, &s.watch));
    assert_true(crier_journal_watch(journal, &all.watch));
    for (int i = 0; i < 20; i++)
        crier_journal_append(journal, drafts, 512, start_time);
    assert_int_equal(s.woken, 1);
    assert_int_equal(all.woken, 1);
    assert_int_equal(s.watch.position, 3);
    assert_int_equal(all.watch.position, 0);
    assert_true(test_stats(journal).held_bytes < 300 << 10);
    assert_int_equal(test_stats(journal).lapped, 0);
    crier_journal_free(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wakes),
        cmocka_unit_test(several_topics),
        cmocka_unit_test(news),
        cmocka_unit_test(holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
