/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

static const struct crier_now start_time = {1000000, 5000};

static uint64_t events_of(struct crier_journal *journal, const char *topic)
{
    struct crier_topic_info info;

    return crier_journal_topic(journal, crier_slice_of(topic), NULL, &info) == 0 ? info.events
                                                                                 : 0;
}

static bool lost(struct crier_journal *journal, const char *topic)
{
    struct crier_memory *memory = crier_memory_of(journal);
    struct test_filter f;

    return crier_floors_after(&memory->floors, test_filter_one(&f, journal, topic), 0, 0);
}

static void
publish_n(struct crier_journal *journal, const char *topic, int n, struct crier_now now)
{
    while (n-- > 0)
        test_publish(journal, topic, now);
}

/* A quiet topic outlives a noisy one, whole while the window has it, then by its newest event;
 * which leaves when there is a newer one. */
static void quiet_topics(void **state)
{
    struct crier_journal_limits limits = {.max_events = 10};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);

    publish_n(journal, "quiet", 3, start_time);
    publish_n(journal, "noisy", 100, start_time);
    assert_int_equal(events_of(journal, "quiet"), 1);
    assert_int_equal(events_of(journal, "noisy"), 10);
    assert_int_equal(test_stats(journal).kept_events, 1);
    assert_int_equal(test_stats(journal).evicted, 92);
    assert_int_equal(test_stats(journal).kept_dropped, 0);
    crier_memory_check(journal);
    publish_n(journal, "quiet", 1, start_time);
    assert_int_equal(events_of(journal, "quiet"), 1);
    assert_int_equal(test_stats(journal).kept_events, 0);
    crier_memory_check(journal);
    crier_journal_free(journal);
}

/* Room aside is bounded: the oldest leave first, and that is told. */
static void bounded_aside(void **state)
{
    struct crier_journal_limits limits = {.max_events = 1, .kept_bytes = 1000};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    char name[8];

    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        publish_n(journal, name, 1, start_time);
        crier_memory_check(journal);
    }
    assert_true(lost(journal, "t0") && !events_of(journal, "t0"));
    assert_true(!lost(journal, "t48") && events_of(journal, "t48"));
    struct crier_journal_stats stats = test_stats(journal);
    assert_true(stats.kept_events >= 2);
    /* 50 less the one in the window and those that are aside. */
    assert_int_equal(stats.kept_dropped, 49 - stats.kept_events);
    crier_journal_free(journal);
    /* One that would never fit is not even tried. */
    limits.kept_bytes = 1;
    journal = test_journal(&crier_mem_libc, limits, start_time);
    publish_n(journal, "a", 1, start_time);
    publish_n(journal, "b", 1, start_time);
    assert_int_equal(test_stats(journal).kept_dropped, 1);
    assert_int_equal(test_stats(journal).kept_events, 0);
    crier_journal_free(journal);
}

/* Age is a bound for all, kept aside or not. */
static void age(void **state)
{
    struct crier_journal_limits limits = {.max_events = 2, .max_age_ms = 1000};
    struct crier_now now = start_time;
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, now);

    publish_n(journal, "quiet", 1, now);
    publish_n(journal, "noisy", 2, now);
    assert_int_equal(test_stats(journal).kept_events, 1);
    now.boot_ms += 999;
    crier_journal_trim(journal, now);
    assert_int_equal(test_stats(journal).events, 3);
    now.boot_ms += 1;
    now.wall_ms -= 100000; /* the wall clock has no say */
    crier_journal_trim(journal, now);
    assert_int_equal(test_stats(journal).events, 0);
    assert_int_equal(test_stats(journal).kept_dropped, 0);
    assert_int_equal(test_stats(journal).topics, 0);
    assert_true(lost(journal, "quiet") && lost(journal, "noisy"));
    crier_memory_check(journal);
    crier_journal_free(journal);
}

/* An event past its own ttl leaves no floor, in the window or aside; a ttl is capped by the age
 * of history. */
static void ttl(void **state)
{
    struct crier_journal_limits limits = {.max_events = 5, .max_age_ms = 1000};
    struct crier_now now = start_time;
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, now);
    struct crier_draft drafts[] = {
        test_draft("aside", "data: x\n\n"), test_draft("a", "data: x\n\n"),
        test_draft("a", "data: x\n\n"), test_draft("a", "data: x\n\n")};

    drafts[0].ttl_ms = 100;
    drafts[2].ttl_ms = 100;
    drafts[3].ttl_ms = 100000;
    crier_journal_append(journal, drafts, 1, now);
    publish_n(journal, "b", 5, now);
    assert_int_equal(test_stats(journal).kept_events, 1);
    crier_journal_append(journal, drafts + 1, 3, now);
    now.boot_ms += 100;
    crier_journal_trim(journal, now);
    crier_memory_check(journal);
    assert_int_equal(test_stats(journal).expired, 2);
    assert_int_equal(events_of(journal, "aside"), 0);
    assert_int_equal(events_of(journal, "a"), 2);
    assert_false(lost(journal, "aside"));
    assert_false(lost(journal, "a"));
    now.boot_ms += 900;
    crier_journal_trim(journal, now);
    assert_int_equal(test_stats(journal).events, 0);
    assert_int_equal(test_stats(journal).expired, 3);
    crier_journal_free(journal);
}

/* Forgetting takes an event from one topic; it goes on in its others, and is gone with the
 * last. */
static void forget(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct crier_draft draft = test_draft("a", "data: x\n\n");

    draft.topics[draft.topic_count++] = CRIER_SLICE("b");
    crier_journal_append(journal, &draft, 1, start_time);
    publish_n(journal, "a", 4, start_time);
    crier_journal_forget(journal, CRIER_SLICE("a"), start_time);
    crier_memory_check(journal);
    assert_int_equal(events_of(journal, "a"), 0);
    assert_int_equal(events_of(journal, "b"), 1);
    assert_int_equal(test_stats(journal).events, 1);
    assert_int_equal(test_stats(journal).forgotten, 4);
    assert_true(lost(journal, "a"));
    assert_false(lost(journal, "b"));
    crier_journal_forget(journal, CRIER_SLICE("b"), start_time);
    assert_int_equal(test_stats(journal).events, 0);
    assert_int_equal(test_stats(journal).bytes, 0);
    assert_int_equal(test_stats(journal).forgotten, 5);
    crier_memory_check(journal);
    crier_journal_free(journal);
}

/* First and last of the counters are of what is held, wherever that is. */
static void first_and_last(void **state)
{
    struct crier_journal_limits limits = {.max_events = 5};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_id quiet = test_publish(journal, "quiet", start_time), last;

    publish_n(journal, "a", 4, start_time);
    last = test_publish(journal, "a", start_time);
    publish_n(journal, "b", 2, start_time);
    crier_journal_forget(journal, CRIER_SLICE("b"), start_time);
    assert_int_equal(crier_id_cmp(test_stats(journal).first, quiet), 0);
    assert_int_equal(crier_id_cmp(test_stats(journal).last, last), 0);
    crier_journal_forget(journal, CRIER_SLICE("a"), start_time);
    assert_int_equal(crier_id_cmp(test_stats(journal).first, quiet), 0);
    assert_int_equal(crier_id_cmp(test_stats(journal).last, quiet), 0);
    crier_journal_forget(journal, CRIER_SLICE("quiet"), start_time);
    assert_int_equal(test_stats(journal).last.ms, 0);
    crier_memory_check(journal);
    crier_journal_free(journal);
}

/* An event may be larger than all of history: it is delivered and gone. */
static void larger_than_history(void **state)
{
    struct crier_journal_limits limits = {.max_bytes = 1000, .kept_bytes = 1000};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_cursor cursor = {0};
    struct crier_record record;
    char *bytes = calloc(1, 100000);
    struct crier_draft draft = {
        .topics = {CRIER_SLICE("a")}, .topic_count = 1, .sse = {bytes, 100000}};

    assert_int_equal(crier_journal_attach(journal, &cursor), 0);
    crier_journal_append(journal, &draft, 1, start_time);
    assert_int_equal(draft.result, 0);
    assert_int_equal(test_stats(journal).events, 0);
    assert_true(lost(journal, "a"));
    crier_memory_check(journal);
    assert_int_equal(crier_cursor_next(&cursor, &record, NULL, NULL), 0);
    assert_true(record.sse.len > 100000);
    assert_int_equal(crier_cursor_next(&cursor, &record, NULL, NULL), CRIER_CURSOR_END);
    crier_journal_detach(&cursor);
    crier_journal_free(journal);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_topics),
        cmocka_unit_test(bounded_aside),
        cmocka_unit_test(age),
        cmocka_unit_test(ttl),
        cmocka_unit_test(forget),
        cmocka_unit_test(larger_than_history),
        cmocka_unit_test(first_and_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
