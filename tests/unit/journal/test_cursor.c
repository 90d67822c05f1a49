/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

static const struct crier_now start_time = {1000000, 5000};

struct worker {
    struct crier_cursor cursor;
    int woken;
};

static void on_wake(void *ctx)
{
    struct worker *w = ctx;
    w->woken++;
}

static void attach(struct crier_journal *journal, struct worker *w, const char *topic)
{
    *w = (struct worker){0};
    w->cursor.wake = on_wake;
    w->cursor.wake_ctx = w;
    if (topic)
        crier_cursor_interest_add(&w->cursor,
                                  crier_journal_hash(journal, crier_slice_of(topic)));
    else
        crier_cursor_interest_all(&w->cursor);
    assert_int_equal(crier_journal_attach(journal, &w->cursor), 0);
}

/* Reads to the end; answers how many events there were. */
static uint64_t read_all(struct worker *w)
{
    struct crier_record record;
    uint64_t count = 0;

    for (;; count++) {
        int r = crier_cursor_next(&w->cursor, &record, NULL, NULL);
        if (r) {
            assert_int_equal(r, CRIER_CURSOR_END);
            return count;
        }
    }
}

/* It starts at the end and sees each later event once, over segments, whatever became of it. */
static void reads_on(void **state)
{
    struct crier_journal_limits limits = {.max_events = 10, .max_bytes = 1000};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_draft draft = test_draft("a", "data: x\n\n");
    struct worker w;
    struct crier_record record;

    test_publish(journal, "a", start_time);
    attach(journal, &w, NULL);
    assert_int_equal(read_all(&w), 0);
    for (int i = 0; i < 3000; i++)
        test_publish(journal, "a", start_time);
    assert_true(crier_memory_of(journal)->segments.count > 2);
    assert_int_equal(read_all(&w), 3000);
    assert_int_equal(w.cursor.position, 3001);
    draft.topics[draft.topic_count++] = CRIER_SLICE("b");
    crier_journal_append(journal, &draft, 1, start_time);
    crier_journal_forget(journal, CRIER_SLICE("a"), start_time);
    assert_int_equal(crier_cursor_next(&w.cursor, &record, NULL, NULL), 0);
    assert_int_equal(record.topic_count, 2);
    assert_slice_is(record.sse, "id: 1000000-73002\ndata: x\n\n");
    crier_journal_trim(journal, start_time);
    crier_memory_check(journal);
    assert_true(crier_memory_of(journal)->segments.count <= 2);
    crier_journal_detach(&w.cursor);
    crier_journal_free(journal);
}

static bool wanted_hash(void *ctx, uint64_t hash)
{
    const uint64_t *wanted = ctx;
    return hash == *wanted;
}

/* An event nobody wants is passed over; one of several topics is asked for by each. */
static void wanted_only(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    uint64_t hash = crier_journal_hash(journal, CRIER_SLICE("b"));
    struct crier_draft draft = test_draft("a", "data: x\n\n");
    struct crier_record record;
    struct worker w;

    attach(journal, &w, NULL);
    test_publish(journal, "a", start_time);
    test_publish(journal, "b", start_time);
    test_publish(journal, "a", start_time);
    draft.topics[draft.topic_count++] = CRIER_SLICE("b");
    crier_journal_append(journal, &draft, 1, start_time);
    test_publish(journal, "a", start_time);
    assert_int_equal(crier_cursor_next(&w.cursor, &record, wanted_hash, &hash), 0);
    assert_int_equal(record.number, 2);
    assert_int_equal(crier_cursor_next(&w.cursor, &record, wanted_hash, &hash), 0);
    assert_int_equal(record.number, 4);
    assert_int_equal(crier_cursor_next(&w.cursor, &record, wanted_hash, &hash),
                     CRIER_CURSOR_END);
    assert_int_equal(w.cursor.position, 5);
    crier_journal_detach(&w.cursor);
    crier_journal_free(journal);
}

/* One wake-up for each sleep, only for what interests it, one for a whole batch; no sleep while
 * there is news. */
static void wakes(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct crier_draft drafts[] = {test_draft("x", "data: x\n\n"),
                                   test_draft("a", "data: x\n\n"),
                                   test_draft("a", "data: x\n\n")};
    struct worker w, all;

    attach(journal, &w, "a");
    attach(journal, &all, NULL);
    test_publish(journal, "a", start_time);
    assert_int_equal(w.woken, 0); /* it is awake */
    assert_false(crier_cursor_sleep(&w.cursor));
    assert_int_equal(read_all(&w), 1);
    assert_true(crier_cursor_sleep(&w.cursor));
    assert_int_equal(read_all(&all), 1);
    assert_true(crier_cursor_sleep(&all.cursor));
    test_publish(journal, "other", start_time);
    assert_int_equal(w.woken, 0);
    assert_int_equal(all.woken, 1);
    crier_journal_append(journal, drafts, 3, start_time);
    assert_int_equal(w.woken, 1);
    test_publish(journal, "a", start_time);
    assert_int_equal(w.woken, 1);
    assert_int_equal(all.woken, 1);
    crier_cursor_awake(&w.cursor, start_time);
    assert_int_equal(read_all(&w), 5);
    crier_cursor_interest_clear(&w.cursor);
    assert_true(crier_cursor_sleep(&w.cursor));
    test_publish(journal, "a", start_time);
    assert_int_equal(w.woken, 1);
    crier_memory_check(journal);
    crier_journal_detach(&w.cursor);
    crier_journal_detach(&all.cursor);
    crier_journal_free(journal);
}

/* A sleeper that nothing interests is woken when it is 1 MiB behind, so that it holds no more.
 */
static void woken_when_behind(void **state)
{
    struct crier_journal_limits limits = {.max_events = 1, .max_bytes = 64 << 10, .lap_ms = 1};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_now now = start_time;
    struct worker w;
    uint64_t published = 0;

    attach(journal, &w, NULL);
    crier_cursor_interest_clear(&w.cursor);
    assert_true(crier_cursor_sleep(&w.cursor));
    for (; !w.woken; published++) {
        now.boot_ms += 10;
        test_publish(journal, "a", now);
        assert_true(published < 20000);
    }
    struct crier_journal_stats stats = test_stats(journal);
    assert_true(stats.held_bytes > (1 << 20) && stats.held_bytes < (1 << 20) + (500 << 10));
    assert_int_equal(stats.lapped, 0); /* asleep is not standing still */
    crier_cursor_awake(&w.cursor, now);
    assert_int_equal(read_all(&w), published);
    crier_journal_detach(&w.cursor);
    crier_journal_free(journal);
}

/* A worker that stands still for longer than lap_ms no longer holds history. It reads the
 * segment it has, then learns that it was lapped and where, and goes on at the end. */
static void lapped(void **state)
{
    struct crier_journal_limits limits = {.max_events = 10, .max_bytes = 1000, .lap_ms = 2000};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_now now = start_time;
    struct crier_record record;
    struct worker w, other;
    uint64_t last = 0;
    int r;

    attach(journal, &w, NULL);
    attach(journal, &other, NULL);
    for (int i = 0; i < 2000; i++)
        test_publish(journal, "a", now);
    assert_int_equal(read_all(&other), 2000);
    now.boot_ms += 2000;
    crier_cursor_awake(&other.cursor, now);
    crier_journal_trim(journal, now);
    assert_int_equal(test_stats(journal).lapped, 0);
    assert_true(crier_memory_of(journal)->segments.count > 2);
    now.boot_ms += 1;
    crier_journal_trim(journal, now);
    assert_int_equal(test_stats(journal).lapped, 1);
    assert_true(crier_memory_of(journal)->segments.count <= 2);
    crier_memory_check(journal);
    crier_cursor_awake(&w.cursor, now);
    while ((r = crier_cursor_next(&w.cursor, &record, NULL, NULL)) == 0)
        assert_int_equal(record.number, ++last);
    assert_int_equal(r, CRIER_CURSOR_LAPPED);
    assert_true(last > 0 && last < 2000);
    assert_int_equal(w.cursor.lapped_at, last);
    assert_int_equal(w.cursor.position, 2000);
    assert_int_equal(crier_cursor_next(&w.cursor, &record, NULL, NULL), CRIER_CURSOR_END);
    test_publish(journal, "a", now);
    assert_int_equal(read_all(&w), 1);
    crier_memory_check(journal);
    crier_journal_detach(&w.cursor);
    crier_journal_detach(&other.cursor);
    crier_journal_free(journal);
}

/* Woken after a long sleep, it has its whole time to come: it is not lapped at once. */
static void time_from_the_wake(void **state)
{
    struct crier_journal_limits limits = {.max_events = 1, .max_bytes = 1000, .lap_ms = 2000};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_now now = start_time;
    struct worker w;

    attach(journal, &w, NULL);
    assert_true(crier_cursor_sleep(&w.cursor));
    now.boot_ms += 3600 * 1000;
    for (int i = 0; i < 2000; i++)
        test_publish(journal, "a", now);
    assert_int_equal(w.woken, 1);
    assert_int_equal(test_stats(journal).lapped, 0);
    now.boot_ms += 2001;
    crier_journal_trim(journal, now);
    assert_int_equal(test_stats(journal).lapped, 1);
    crier_journal_detach(&w.cursor);
    crier_journal_free(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_on), cmocka_unit_test(wanted_only),
        cmocka_unit_test(wakes),    cmocka_unit_test(woken_when_behind),
        cmocka_unit_test(lapped),   cmocka_unit_test(time_from_the_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
