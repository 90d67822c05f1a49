/* SPDX-License-Identifier: MIT */
/* What leaves: by random operations and reopenings with rules, step by step. The file is verified
 * (every counter, every list) and each share compared with its limits; who is newest stays. */
#include "store_support.h"

#include "base/rng.h"

enum { ROUNDS = 150, TOPICS = 6 };

static const char *const names[TOPICS] = {"a/x", "a/y", "b", "c/1", "c/2", "free"};

static void publish(struct shop *s, struct crier_rng *rng, uint64_t *newest)
{
    struct crier_slice topics[2];
    size_t first = (size_t)crier_rng_between(rng, 0, TOPICS - 1);
    size_t second = (size_t)crier_rng_between(rng, 0, TOPICS - 1);
    size_t count = second != first && crier_rng_between(rng, 0, 4) == 0 ? 2 : 1;
    uint64_t ttl =
        crier_rng_between(rng, 0, 5) == 0 ? crier_rng_between(rng, 1, 3000) : (uint64_t)0;

    topics[0] = crier_slice_of(names[first]);
    topics[1] = crier_slice_of(names[second]);
    assert_int_equal(shop_put(s, topics, count, (size_t)crier_rng_between(rng, 0, 100), ttl),
                     0);
    newest[first] = ttl ? 0 : crier_store_totals(s->store)->end;
    if (count == 2)
        newest[second] = newest[first];
}

/* Few at a time, until there is nothing more to be done. */
static void retain(struct shop *s, struct crier_rng *rng)
{
    int r;

    do {
        size_t most = (size_t)crier_rng_between(rng, 1, 9);
        struct crier_store_totals before = *crier_store_totals(s->store);
        r = crier_store_retain(s->store, crier_store_clock(s->store, s->now), most, shop_left,
                               s);
        assert_true(r >= 0);
        assert_true(before.events - crier_store_totals(s->store)->events <= most);
    } while (r > 0);
}

static void within_limits(struct shop *s)
{
    const struct crier_store_totals *t = crier_store_totals(s->store);
    struct crier_store_share share;
    uint64_t events = 0, kept_bytes = 0, kept = 0;

    for (size_t i = 0; crier_store_share(s->store, i, &share); i++) {
        assert_true(share.events <= (share.rule ? share.rule->max_events : 7));
        events += share.events + share.kept_events;
        kept += share.kept_events;
        kept_bytes += share.kept_bytes;
    }
    assert_int_equal(events, t->events);
    assert_int_equal(kept, t->kept_events);
    assert_int_equal(kept_bytes, t->kept_bytes);
    assert_true(kept_bytes <= crier_journal_limits_filled(&s->limits).kept_bytes);
    /* left[0]: what had left before it was opened. */
    assert_int_equal(t->end, t->events + t->evicted + t->expired + t->forgotten + s->left[0]);
}

static void newest_stay(struct shop *s, const uint64_t *newest)
{
    struct crier_topic_info info;
    struct crier_view *view;

    assert_int_equal(crier_view_begin(s->store, &view), 0);
    for (size_t i = 0; i < TOPICS; i++) {
        if (newest[i])
            assert_int_equal(crier_view_topic(view, crier_slice_of(names[i]), &info), 0);
    }
    crier_view_end(view);
}

static void operations(struct shop *s, struct crier_rng *rng, uint64_t *newest)
{
    struct crier_store_totals before, after;

    assert_int_equal(crier_store_begin(s->store), 0);
    for (uint64_t n = crier_rng_between(rng, 0, 25); n > 0; n--)
        publish(s, rng, newest);
    if (crier_rng_between(rng, 0, 6) == 0) {
        size_t topic = (size_t)crier_rng_between(rng, 0, TOPICS - 1);
        assert_int_equal(
            crier_store_forget(s->store, crier_slice_of(names[topic]), shop_left, s), 0);
        newest[topic] = 0;
    }
    s->now.boot_ms += 100;
    s->now.wall_ms += 100;
    retain(s, rng);
    assert_int_equal(crier_store_commit(s->store, s->now), 0);
    within_limits(s);
    newest_stay(s, newest);
    shop_verify(s);
    if (crier_rng_between(rng, 0, 5))
        return;
    before = *crier_store_totals(s->store);
    shop_reopen(s);
    after = *crier_store_totals(s->store);
    assert_true(before.events == after.events && before.bytes == after.bytes &&
                before.kept_bytes == after.kept_bytes && before.end == after.end);
    s->left[0] = before.end - after.events;
}

static void shares(void **state)
{
    struct crier_rng rng = {test_seed("retain")};
    uint64_t newest[TOPICS] = {0};
    struct shop s;

    shop_init(&s);
    s.limits.max_events = 7;
    shop_rule(&s, "a/*=5");
    shop_rule(&s, "b=1,2KiB");
    shop_rule(&s, "c/**=9,1d");
    shop_open(&s);
    for (int i = 0; i < ROUNDS; i++)
        operations(&s, &rng, newest);
    shop_end(&s);
}

/* By age all of it goes, what is kept aside too; kept_bytes holds over all shares. */
static void ages_and_kept(void **state)
{
    struct shop s;

    shop_init(&s);
    s.limits.max_events = 2;
    s.limits.kept_bytes = 100;
    shop_rule(&s, "r/*=1,10s");
    shop_open(&s);
    assert_int_equal(crier_store_begin(s.store), 0);
    for (int i = 0; i < TOPICS; i++) {
        char topic[20];
        snprintf(topic, sizeof(topic), "r/%d", i);
        assert_int_equal(shop_put_one(&s, topic, 1), 0);
        assert_int_equal(shop_put_one(&s, names[i], 1), 0);
    }
    uint64_t clock_ms = crier_store_clock(s.store, s.now);
    assert_int_equal(crier_store_retain(s.store, clock_ms, 1000, shop_left, &s), 0);
    const struct crier_store_totals *t = crier_store_totals(s.store);
    assert_true(t->kept_events > 0 && t->kept_bytes <= 100);
    assert_int_equal(t->kept_events, TOPICS - 1 + TOPICS - 2 - t->kept_dropped);
    s.now.boot_ms += 10000;
    assert_int_equal(crier_store_retain(s.store, clock_ms + 10000, 1000, shop_left, &s), 0);
    struct crier_store_share share;
    assert_true(crier_store_share(s.store, 1, &share));
    assert_int_equal(share.events + share.kept_events, 0);
    assert_true(crier_store_share(s.store, 0, &share));
    assert_int_equal(share.events, 2);
    assert_int_equal(crier_store_commit(s.store, s.now), 0);
    shop_verify(&s);
    shop_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares),
                                       cmocka_unit_test(ages_and_kept)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
