/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

static const struct crier_now start_time = {1000000, 5000};

static bool match_nothing(const void *ctx, struct crier_slice topic)
{
    return false;
}

/* Patterns walk the index here, however few topics they fit. */
static struct crier_journal *walking_journal(const struct crier_mem *mem,
                                             struct crier_journal_limits limits,
                                             struct crier_now now)
{
    struct crier_journal *journal = test_journal(mem, limits, now);

    crier_memory_of(journal)->merge_looks = 0;
    return journal;
}

static bool match_q(const void *ctx, struct crier_slice topic)
{
    return crier_slice_starts(topic, CRIER_SLICE("q/"));
}

/* What a resume costs depends on what it finds: 10 events out of 100,000 in 10,000 topics are
 * about ten looks. */
static void cost_of_a_resume(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct test_filter f;
    struct test_seen seen = {0};
    char name[16];

    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "t/%d", i % 10000);
        test_publish(journal, name, start_time);
    }
    struct crier_scan scan = {.filter = test_filter_one(&f, journal, "t/77"), .until = 100000};
    assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, NULL), 0);
    assert_int_equal(seen.count, 10);
    assert_int_equal(scan.position, 100000);
    assert_true(scan.looks <= 12);

    /* A pattern that fits few of the topics is no dearer: "q/" and what follows. */
    for (int i = 0; i < 10; i++)
        test_publish(journal, i % 2 ? "q/a" : "q/b", start_time);
    struct crier_slice prefix = CRIER_SLICE("q");
    const struct crier_filter pattern = {
        .match = match_q, .prefixes = &prefix, .prefix_count = 1};
    seen = (struct test_seen){0};
    scan = (struct crier_scan){.filter = &pattern, .until = 100010};
    assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, NULL), 0);
    assert_int_equal(seen.count, 10);
    assert_int_equal(scan.position, 100010);
    assert_true(scan.looks <= 12);
    crier_journal_free(journal);
}

/* A slice looks at no more than max_looks, moves on even when nothing matches, and never past
 * until. */
static void bounded_slices(void **state)
{
    struct crier_journal *journal = walking_journal(
        &crier_mem_libc, (struct crier_journal_limits){.max_events = 50}, start_time);
    struct test_filter f;
    struct test_seen seen = {0};
    char name[16];

    for (int i = 0; i < 100; i++) { /* 50 kept aside, 50 in the window */
        snprintf(name, sizeof(name), "t/%d", i);
        test_publish(journal, name, start_time);
    }
    test_filter_all(&f);
    f.filter.match = match_nothing;
    struct crier_scan scan = {.filter = &f.filter, .until = 90, .max_looks = 7};
    for (uint64_t at = 0; at < 90; at = scan.position) {
        assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, NULL), 0);
        assert_int_equal(scan.looks, at + 7 <= 90 ? 7 : 90 - at);
        assert_int_equal(scan.position, at + scan.looks);
    }
    assert_int_equal(seen.count, 0);
    assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, NULL), 0);
    assert_int_equal(scan.looks, 0);
    f.filter.match = test_match_all;
    scan = (struct crier_scan){.filter = &f.filter, .until = 1000};
    assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, NULL), 0);
    assert_int_equal(seen.count, 100);
    assert_int_equal(scan.position, 100); /* until is beyond the end */
    crier_journal_free(journal);
}

struct taker {
    int answer;
    uint64_t at, calls;
};

static int answer_at(void *ctx, const struct crier_record *record)
{
    struct taker *taker = ctx;

    taker->calls++;
    return record->number == taker->at ? taker->answer : 0;
}

/* STOP leaves the event for the next slice, TAKEN does not. Both ways of looking agree. */
static void stop_and_taken(void **state)
{
    struct crier_journal *journal =
        walking_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct test_filter all, one;
    const struct crier_filter *filters[] = {test_filter_all(&all),
                                            test_filter_one(&one, journal, "a")};

    for (int i = 0; i < 100; i++)
        test_publish(journal, "a", start_time);
    for (int i = 0; i < 2; i++) {
        for (uint64_t at = 1; at <= 100; at += 9) {
            struct taker taker = {CRIER_SCAN_STOP, at, 0};
            struct crier_scan scan = {.filter = filters[i], .until = 100};
            assert_int_equal(crier_journal_scan(journal, &scan, answer_at, &taker, NULL), 0);
            assert_int_equal(scan.position, at - 1);
            assert_int_equal(taker.calls, at);
            scan.position = 0;
            taker.answer = CRIER_SCAN_TAKEN;
            assert_int_equal(crier_journal_scan(journal, &scan, answer_at, &taker, NULL), 0);
            assert_int_equal(scan.position, at);
        }
    }
    crier_memory_check(journal);
    crier_journal_free(journal);
}

struct meddling {
    struct crier_journal *journal;
    uint64_t seen[64];
    size_t count;
};

/* While the second event is shown, the third is forgotten. */
static int forget_third(void *ctx, const struct crier_record *record)
{
    struct meddling *m = ctx;

    m->seen[m->count++] = record->number;
    if (record->number == 2)
        crier_journal_forget(m->journal, CRIER_SLICE("b/x"), start_time);
    return 0;
}

/* An event that is forgotten while a slice runs is not passed over in silence: the slice ends
 * before it and the next one tells. */
static void forgotten_meanwhile(void **state)
{
    struct crier_journal *journal =
        walking_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct meddling m = {.journal = journal};
    struct test_filter f;
    struct crier_start gap;
    static const char *const topics[] = {"a", "a", "b/x", "a"};

    for (int i = 0; i < 4; i++)
        test_publish(journal, topics[i], start_time);
    struct crier_scan scan = {.filter = test_filter_all(&f), .until = 4};
    assert_int_equal(crier_journal_scan(journal, &scan, forget_third, &m, &gap), 0);
    assert_int_equal(scan.position, 2);
    assert_int_equal(m.count, 2);
    assert_int_equal(crier_journal_scan(journal, &scan, forget_third, &m, &gap),
                     CRIER_SCAN_GAP);
    assert_int_equal(m.count, 2);
    assert_int_equal(gap.position, 3);
    scan.position = gap.position;
    assert_int_equal(crier_journal_scan(journal, &scan, forget_third, &m, &gap), 0);
    assert_int_equal(m.count, 3);
    assert_int_equal(m.seen[2], 4);
    crier_journal_free(journal);
}

/* The same for exact topics: what was pinned is shown, the rest is told. */
static void forgotten_between_rounds(void **state)
{
    struct crier_journal *journal =
        walking_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct meddling m = {.journal = journal};
    struct test_filter f;
    struct crier_start gap;

    for (int i = 0; i < 40; i++)
        test_publish(journal, "b/x", start_time);
    struct crier_scan scan = {.filter = test_filter_one(&f, journal, "b/x"), .until = 40};
    assert_int_equal(crier_journal_scan(journal, &scan, forget_third, &m, &gap), 0);
    assert_true(m.count >= 2 && m.count < 40);
    assert_int_equal(scan.position, m.count);
    assert_int_equal(crier_journal_scan(journal, &scan, forget_third, &m, &gap),
                     CRIER_SCAN_GAP);
    assert_int_equal(gap.position, 40);
    assert_false(gap.has_oldest);
    crier_journal_free(journal);
}

/* History moves on under a reader: what it holds stays readable. */
static int flood(void *ctx, const struct crier_record *record)
{
    struct meddling *m = ctx;
    char *copy = malloc(record->frame.len);

    for (int i = 0; i < 2000; i++)
        test_publish(m->journal, "noise", start_time);
    memcpy(copy, record->frame.data, record->frame.len); /* a use after free shows here */
    assert_memory_equal(copy + record->frame.len - 2, "\r\n", 2);
    free(copy);
    m->seen[m->count++] = record->number;
    return m->count == 5 ? CRIER_SCAN_TAKEN : 0;
}

static void pinned(void **state)
{
    struct crier_journal_limits limits = {.max_events = 10, .max_bytes = 1000, .kept_bytes = 1};
    struct crier_journal *journal = walking_journal(&crier_mem_libc, limits, start_time);
    struct test_filter all, one;
    const struct crier_filter *filters[] = {test_filter_all(&all),
                                            test_filter_one(&one, journal, "a")};

    for (int i = 0; i < 2; i++) {
        struct meddling m = {.journal = journal};
        struct crier_start s;
        for (int n = 0; n < 10; n++)
            test_publish(journal, "a", start_time);
        s = test_locate(journal, filters[i], (struct crier_since){.kind = CRIER_SINCE_EARLIEST},
                        start_time);
        struct crier_scan scan = {
            .filter = filters[i], .position = s.position, .until = s.until, .losses = s.losses};
        assert_int_equal(crier_journal_scan(journal, &scan, flood, &m, NULL), 0);
        assert_true(m.count >= 5);
        crier_memory_check(journal);
    }
    crier_journal_free(journal);
}

/* Events past their ttl are passed over before anyone has trimmed them. */
static void past_ttl(void **state)
{
    struct crier_journal *journal =
        walking_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct crier_draft draft = test_draft("a", "data: x\n\n");
    struct test_filter all, one;
    const struct crier_filter *filters[] = {test_filter_all(&all),
                                            test_filter_one(&one, journal, "a")};

    draft.ttl_ms = 10;
    crier_journal_append(journal, &draft, 1, start_time);
    for (int i = 0; i < 4; i++) {
        struct test_seen seen = {0};
        struct crier_scan scan = {.filter = filters[i % 2], .until = 1};
        scan.now_boot_ms = start_time.boot_ms + (i < 2 ? 9 : 10);
        assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, NULL), 0);
        assert_int_equal(seen.count, i < 2 ? 1 : 0);
    }
    crier_journal_free(journal);
}

/* Picks: those that are gone, or no longer match, are passed over; no gap is told. */
static void picks(void **state)
{
    struct crier_journal *journal = walking_journal(
        &crier_mem_libc, (struct crier_journal_limits){.max_events = 3}, start_time);
    struct test_filter f;
    struct test_seen seen = {0};
    uint64_t numbers[] = {1, 2, 4, 5, 6};
    static const char *const topics[] = {"quiet", "a", "a", "a", "b", "a"};

    for (int i = 0; i < 6; i++)
        test_publish(journal, topics[i], start_time);
    test_filter_one(&f, journal, "a");
    test_filter_add(&f, journal, "quiet");
    struct crier_scan scan = {
        .filter = &f.filter, .until = 6, .picks = numbers, .pick_count = 5, .max_looks = 2};
    for (int i = 0; i < 3; i++)
        assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, NULL), 0);
    assert_int_equal(scan.position, 6);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.numbers[0], 1); /* kept aside; 2 is gone, 5 is b's */
    assert_int_equal(seen.numbers[1], 4);
    assert_int_equal(seen.numbers[2], 6);
    crier_journal_free(journal);
}

/* After a gap a stream is not led past `until`, its worker's place. */
static void gap_before_until(void **state)
{
    struct crier_journal_limits limits = {.max_events = 5, .kept_bytes = 1};
    struct crier_journal *journal = walking_journal(&crier_mem_libc, limits, start_time);
    struct test_filter f;
    struct crier_start gap;

    for (int i = 0; i < 20; i++)
        test_publish(journal, "a", start_time);
    struct crier_scan scan = {
        .filter = test_filter_one(&f, journal, "a"), .position = 3, .until = 12};
    assert_int_equal(crier_journal_scan(journal, &scan, test_see, NULL, &gap), CRIER_SCAN_GAP);
    assert_int_equal(gap.position, 12);
    assert_true(gap.has_oldest);
    assert_int_equal(scan.position, 3);
    scan.until = 20;
    scan.losses = 0;
    assert_int_equal(crier_journal_scan(journal, &scan, test_see, NULL, &gap), CRIER_SCAN_GAP);
    assert_int_equal(gap.position, 15);
    crier_journal_free(journal);
}

/* A position whose event, and all around it, has left memory still has an id: an older one,
 * never a younger, so that a resume with it hides nothing. */
static void id_of_nowhere(void **state)
{
    struct crier_journal_limits limits = {.max_events = 5, .max_bytes = 1000};
    struct crier_journal *journal = walking_journal(&crier_mem_libc, limits, start_time);
    struct test_filter f;
    struct crier_start gap;
    struct crier_id ids[1001], start = {start_time.wall_ms, TEST_SEQ};

    for (int i = 1; i <= 1000; i++)
        ids[i] = test_publish(journal, i == 500 ? "quiet" : "a", start_time);
    struct crier_scan scan = {.filter = test_filter_one(&f, journal, "a")};
    for (uint64_t until = 100; until < 1000; until += 100) {
        scan.until = until;
        scan.losses = 0;
        assert_int_equal(crier_journal_scan(journal, &scan, test_see, NULL, &gap),
                         CRIER_SCAN_GAP);
        assert_int_equal(gap.position, until);
        assert_true(crier_id_cmp(gap.id, ids[until]) <= 0);
        assert_true(crier_id_cmp(gap.id, until < 500 ? start : ids[500]) >= 0);
    }
    crier_journal_free(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_of_a_resume), cmocka_unit_test(bounded_slices),
        cmocka_unit_test(stop_and_taken),   cmocka_unit_test(forgotten_meanwhile),
        cmocka_unit_test(pinned),           cmocka_unit_test(forgotten_between_rounds),
        cmocka_unit_test(past_ttl),         cmocka_unit_test(picks),
        cmocka_unit_test(gap_before_until), cmocka_unit_test(id_of_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
