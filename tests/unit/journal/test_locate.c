/* SPDX-License-Identifier: MIT */
/* What each form of `since` answers, in small histories one can follow by eye. (test_model.c
 * asks the same of large ones.) */
#include "journal_support.h"

static const struct crier_now start_time = {1000000, 5000};

/* a1 a2 q3 | a4 a5 a6: q is quiet and kept aside, the first two of a are gone. */
static struct crier_journal *small_history(struct crier_id ids[7])
{
    struct crier_journal *journal = test_journal(
        &crier_mem_libc, (struct crier_journal_limits){.max_events = 3}, start_time);
    static const char *const topics[] = {"", "a", "a", "q", "a", "a", "a"};

    for (int i = 1; i <= 6; i++)
        ids[i] = test_publish(journal, topics[i], start_time);
    ids[0] = (struct crier_id){start_time.wall_ms, TEST_SEQ};
    return journal;
}

static void assert_start(const struct crier_start *start,
                         uint64_t position,
                         struct crier_id id,
                         enum crier_gap gap)
{
    assert_int_equal(start->position, position);
    assert_int_equal(crier_id_cmp(start->id, id), 0);
    assert_int_equal(start->gap, gap);
    assert_int_equal(start->until, 6);
}

static struct crier_since since_id(struct crier_id id)
{
    return (struct crier_since){.kind = CRIER_SINCE_ID, .id = id};
}

/* Now is the end; the earliest is the oldest matching that is held; 0-0 means the same. */
static void now_and_earliest(void **state)
{
    struct crier_id ids[7];
    struct crier_journal *journal = small_history(ids);
    struct test_filter f;
    struct crier_start s;

    s = test_locate(journal, test_filter_all(&f), (struct crier_since){.kind = CRIER_SINCE_NOW},
                    start_time);
    assert_start(&s, 6, ids[6], CRIER_GAP_NONE);
    s = test_locate(journal, &f.filter, (struct crier_since){.kind = CRIER_SINCE_EARLIEST},
                    start_time);
    assert_start(&s, 2, ids[2], CRIER_GAP_NONE);
    s = test_locate(journal, &f.filter, since_id((struct crier_id){0, 0}), start_time);
    assert_start(&s, 2, ids[2], CRIER_GAP_NONE);
    test_filter_one(&f, journal, "a");
    s = test_locate(journal, &f.filter, (struct crier_since){.kind = CRIER_SINCE_EARLIEST},
                    start_time);
    assert_start(&s, 3, ids[3], CRIER_GAP_NONE);
    test_filter_one(&f, journal, "nothing");
    s = test_locate(journal, &f.filter, (struct crier_since){.kind = CRIER_SINCE_EARLIEST},
                    start_time);
    assert_start(&s, 6, ids[6], CRIER_GAP_NONE);
    crier_journal_free(journal);
}

/* An id is exact as long as nothing of the topic is lost after it; the gap tells where it goes
 * on, and that id is exact again. */
static void by_id(void **state)
{
    struct crier_id ids[7];
    struct crier_journal *journal = small_history(ids);
    struct test_filter f;
    struct crier_start s;

    test_filter_one(&f, journal, "a");
    s = test_locate(journal, &f.filter, since_id(ids[1]), start_time);
    assert_start(&s, 3, ids[3], CRIER_GAP_EVICTED);
    assert_true(s.has_oldest);
    assert_int_equal(crier_id_cmp(s.oldest, ids[4]), 0);
    s = test_locate(journal, &f.filter, since_id(s.id), start_time);
    assert_start(&s, 3, ids[3], CRIER_GAP_NONE);
    s = test_locate(journal, &f.filter, since_id(ids[2]), start_time);
    assert_start(&s, 2, ids[2], CRIER_GAP_NONE);
    s = test_locate(journal, &f.filter, since_id(ids[5]), start_time);
    assert_start(&s, 5, ids[5], CRIER_GAP_NONE);
    /* The quiet topic has lost nothing, from its very start; position 0 has an id too. */
    test_filter_one(&f, journal, "q");
    s = test_locate(journal, &f.filter, since_id(ids[0]), start_time);
    assert_start(&s, 2, ids[0], CRIER_GAP_NONE);
    crier_journal_free(journal);
}

/* Ids that were never given: of another life, from the future, before the start, or between the
 * window's. */
static void unknown_ids(void **state)
{
    struct crier_id ids[7];
    struct crier_journal *journal = small_history(ids);
    struct test_filter f;
    struct crier_id bad[] = {{ids[5].ms, ids[5].seq + 10000},
                             {ids[5].ms, ids[5].seq % 10000},
                             {ids[6].ms, ids[6].seq + 1},
                             {ids[0].ms - 1, ids[0].seq},
                             {0, 1},
                             {UINT64_MAX, TEST_SEQ}};

    test_filter_all(&f);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct crier_start s = test_locate(journal, &f.filter, since_id(bad[i]), start_time);
        assert_start(&s, 2, ids[2], CRIER_GAP_UNKNOWN);
        assert_int_equal(crier_id_cmp(s.oldest, ids[3]), 0);
    }
    struct crier_start s = test_locate(
        journal, &f.filter, (struct crier_since){.kind = CRIER_SINCE_UNKNOWN}, start_time);
    assert_start(&s, 2, ids[2], CRIER_GAP_UNKNOWN);
    /* In the window, between two events. */
    struct crier_now later = {start_time.wall_ms + 10, start_time.boot_ms};
    test_publish(journal, "a", later);
    s = test_locate(journal, &f.filter,
                    since_id((struct crier_id){start_time.wall_ms + 5, TEST_SEQ}), later);
    assert_int_equal(s.gap, CRIER_GAP_UNKNOWN);
    /* With nothing held that matches, it goes on at the end. */
    test_filter_one(&f, journal, "nothing");
    s = test_locate(journal, &f.filter, (struct crier_since){.kind = CRIER_SINCE_UNKNOWN},
                    later);
    assert_int_equal(s.position, 7);
    assert_false(s.has_oldest);
    crier_journal_free(journal);
}

/* Ids of forgotten and expired events are known as long as the window reaches them. */
static void ids_of_the_gone(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct test_filter f;
    struct crier_now later = {start_time.wall_ms + 100, start_time.boot_ms + 100};
    struct crier_draft brief = test_draft("b", "data: x\n\n");

    brief.ttl_ms = 50;
    test_publish(journal, "b", start_time);
    struct crier_id forgotten = test_publish(journal, "a", start_time);
    crier_journal_append(journal, &brief, 1, start_time);
    test_publish(journal, "b", start_time);
    crier_journal_forget(journal, CRIER_SLICE("a"), start_time);
    test_filter_one(&f, journal, "b");
    struct crier_start s = test_locate(journal, &f.filter, since_id(forgotten), later);
    assert_int_equal(s.gap, CRIER_GAP_NONE);
    assert_int_equal(s.position, 2);
    s = test_locate(journal, &f.filter, since_id(brief.ret_id), later);
    assert_int_equal(s.gap, CRIER_GAP_NONE);
    /* Whoever had not seen the forgotten one is told. */
    test_filter_one(&f, journal, "a");
    s = test_locate(journal, &f.filter,
                    since_id((struct crier_id){start_time.wall_ms, TEST_SEQ + 1}), later);
    assert_int_equal(s.gap, CRIER_GAP_EVICTED);
    assert_false(s.has_oldest);
    crier_journal_free(journal);
}

/* The newest n of the whole subscription; with fewer, all there are; with none, the end. */
static void last_n(void **state)
{
    struct crier_id ids[7];
    struct crier_journal *journal = small_history(ids);
    struct test_filter f;
    static const uint64_t all[] = {6, 5, 4, 3, 2, 2}, only_a[] = {6, 5, 4, 3, 3, 3};

    for (uint64_t n = 0; n < 6; n++) {
        struct crier_since since = {.kind = CRIER_SINCE_LAST, .count = n};
        struct crier_start s = test_locate(journal, test_filter_all(&f), since, start_time);
        assert_start(&s, all[n], ids[all[n]], CRIER_GAP_NONE);
        s = test_locate(journal, test_filter_one(&f, journal, "a"), since, start_time);
        assert_start(&s, only_a[n], ids[only_a[n]], CRIER_GAP_NONE);
    }
    crier_journal_free(journal);
}

/* The newest of each topic, each event once, of too many the newest. */
static void latest(void **state)
{
    struct crier_id ids[7];
    struct crier_journal *journal = small_history(ids);
    struct test_filter f;
    struct crier_since since = {.kind = CRIER_SINCE_LATEST, .count = 1000};
    struct crier_draft both = test_draft("x", "data: x\n\n");

    struct crier_start s = test_locate(journal, test_filter_all(&f), since, start_time);
    assert_start(&s, 2, ids[2], CRIER_GAP_NONE);
    assert_int_equal(s.pick_count, 2);
    assert_int_equal(s.picks[0], 3);
    assert_int_equal(s.picks[1], 6);
    crier_mem_free(&crier_mem_libc, s.picks);
    both.topics[both.topic_count++] = CRIER_SLICE("a");
    crier_journal_append(journal, &both, 1, start_time);
    since.count = 1;
    s = test_locate(journal, &f.filter, since, start_time);
    assert_int_equal(s.pick_count, 1);
    assert_int_equal(s.picks[0], 7);
    assert_int_equal(s.position, 6);
    crier_mem_free(&crier_mem_libc, s.picks);
    s = test_locate(journal, test_filter_one(&f, journal, "nothing"), since, start_time);
    assert_int_equal(s.pick_count, 0);
    assert_int_equal(s.position, 7);
    crier_mem_free(&crier_mem_libc, s.picks);
    crier_journal_free(journal);
}

/* A start among the kept-aside, in sight of others' losses, is told no gap by its first scan; a
 * loss that comes later is told. */
static void gap_told_once(void **state)
{
    struct crier_id ids[7];
    struct crier_journal *journal = small_history(ids);
    struct test_filter f;
    struct crier_start gap, s;
    struct test_seen seen = {.stop_after = 1};

    test_filter_one(&f, journal, "q");
    test_filter_add(&f, journal, "a");
    for (int i = 0; i < 3; i++)
        test_publish(journal, "a", start_time); /* 4, 5, 6 are lost, 3 is not */
    s = test_locate(journal, &f.filter, since_id(ids[2]), start_time);
    assert_int_equal(s.gap, CRIER_GAP_EVICTED);
    assert_int_equal(s.position, 2);
    struct crier_scan scan = {
        .filter = &f.filter, .position = s.position, .until = 9, .losses = s.losses};
    assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, &gap), 0);
    assert_int_equal(scan.position, 3);
    test_publish(journal, "a", start_time); /* 7 is lost */
    assert_int_equal(crier_journal_scan(journal, &scan, test_see, &seen, &gap), CRIER_SCAN_GAP);
    assert_int_equal(gap.gap, CRIER_GAP_LAGGED);
    assert_int_equal(gap.position, 7);
    assert_true(gap.has_oldest);
    crier_journal_free(journal);
}

/* The id before a kept-aside event is a real one, long after its own event has left memory: a
 * resume there is exact. */
static void id_before_the_kept(void **state)
{
    struct crier_journal_limits limits = {.max_events = 10, .max_bytes = 10000};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_id ids[3];
    struct test_filter f;

    for (int i = 0; i < 3; i++)
        ids[i] = test_publish(journal, "quiet", start_time);
    for (int i = 0; i < 3000; i++)
        test_publish(journal, "noisy", start_time);
    assert_null(crier_segments_at(&crier_memory_of(journal)->segments, 3));
    struct crier_start s =
        test_locate(journal, test_filter_one(&f, journal, "quiet"),
                    (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, start_time);
    assert_int_equal(s.position, 2);
    assert_int_equal(crier_id_cmp(s.id, ids[1]), 0);
    s = test_locate(journal, &f.filter, since_id(s.id), start_time);
    assert_int_equal(s.position, 2);
    assert_int_equal(s.gap, CRIER_GAP_NONE);
    s = test_locate(journal, &f.filter, since_id(ids[0]), start_time);
    assert_int_equal(s.gap, CRIER_GAP_EVICTED);
    crier_journal_free(journal);
}

enum { MANY = 150 };

/* Every form for more topics than merging has room for, failing one allocation after the other:
 * -ENOMEM, and the answer untouched; or all is well. */
static int locate_many(const struct crier_mem *mem, void *ctx)
{
    static const enum crier_since_kind kinds[] = {CRIER_SINCE_EARLIEST, CRIER_SINCE_LAST,
                                                  CRIER_SINCE_LATEST, CRIER_SINCE_AGO,
                                                  CRIER_SINCE_UNKNOWN};
    struct crier_journal *journal = ctx;
    const struct crier_mem *own = journal->mem;
    struct crier_slice topics[MANY];
    uint64_t hashes[MANY];
    char names[MANY][8];
    struct crier_filter filter = {
        .topics = topics, .topic_hashes = hashes, .topic_count = MANY};
    int result = 0;

    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        topics[i] = crier_slice_of(names[i]);
        hashes[i] = crier_journal_hash(journal, topics[i]);
    }
    journal->mem = mem; /* for these calls only */
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && result == 0; i++) {
        struct crier_since since = {.kind = kinds[i], .count = 1000, .ms = UINT64_MAX};
        struct crier_start s = {.position = 12345};
        result = crier_journal_locate(journal, &filter, &since, start_time, NULL, &s);
        assert_int_equal(s.position, result ? 12345 : 0);
        if (result == 0) {
            assert_int_equal(s.pick_count, kinds[i] == CRIER_SINCE_LATEST ? MANY : 0);
            crier_mem_free(mem, s.picks);
        }
    }
    if (result == 0) {
        struct crier_scan scan = {.filter = &filter, .until = MANY};
        struct test_seen seen = {0};
        result = crier_journal_scan(journal, &scan, test_see, &seen, NULL);
        assert_true(result < 0 || seen.count == MANY);
    }
    journal->mem = own;
    return result;
}

static void out_of_memory(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    char name[8];

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        test_publish(journal, name, start_time);
    }
    assert_true(test_mem_torture(locate_many, journal) >= 5);
    crier_journal_free(journal);
}

/* Published at or after a moment of the boot clock; ids and the wall clock have no say. */
static void by_time(void **state)
{
    struct crier_now now = start_time;
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, now);
    struct test_filter f;

    test_filter_all(&f);
    for (int i = 0; i < 10; i++) {
        test_publish(journal, "a", now);
        now.boot_ms += 10;
        now.wall_ms -= 1000;
    }
    for (uint64_t ms = 4990; ms < 5110; ms++) {
        struct crier_start s =
            test_locate(journal, &f.filter,
                        (struct crier_since){.kind = CRIER_SINCE_AGO,
                                             .ms = now.boot_ms > ms ? now.boot_ms - ms : 0},
                        now);
        uint64_t before = ms <= 5000 ? 0 : (ms - 5000 + 9) / 10;
        assert_int_equal(s.position, before < 10 ? before : 10);
    }
    crier_journal_free(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(now_and_earliest),
        cmocka_unit_test(by_id),
        cmocka_unit_test(unknown_ids),
        cmocka_unit_test(ids_of_the_gone),
        cmocka_unit_test(last_n),
        cmocka_unit_test(latest),
        cmocka_unit_test(gap_told_once),
        cmocka_unit_test(by_time),
        cmocka_unit_test(id_before_the_kept),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
