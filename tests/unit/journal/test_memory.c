/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

static const struct crier_now start_time = {UINT64_C(1763700000000), 5000};

static struct crier_id id(uint64_t ms, uint64_t n)
{
    return (struct crier_id){start_time.wall_ms + ms, TEST_SEQ + n};
}

static void assert_id(struct crier_id a, struct crier_id b)
{
    assert_int_equal(a.ms, b.ms);
    assert_int_equal(a.seq, b.seq);
}

/* An epoch of 1 to 999, or nothing is made. */
static void epochs(void **state)
{
    struct crier_journal *journal = NULL;

    assert_int_equal(
        crier_journal_new_memory(&crier_mem_libc, &test_key, NULL, 0, start_time, &journal),
        -EINVAL);
    assert_int_equal(
        crier_journal_new_memory(&crier_mem_libc, &test_key, NULL, 1000, start_time, &journal),
        -EINVAL);
    assert_null(journal);
    assert_int_equal(
        crier_journal_new_memory(&crier_mem_libc, &test_key, NULL, 999, start_time, &journal),
        0);
    crier_memory_check(journal);
    crier_journal_free(journal);
}

/* Ids only grow: within a millisecond by one, over 10,000 into the next, and when the wall
 * clock is set back by hours they stay ahead of it. */
static void ids(void **state)
{
    struct crier_now now = start_time;
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, now);

    assert_id(test_publish(journal, "a", now), id(0, 1)); /* n 0 is position 0 itself */
    now.wall_ms += 5;
    assert_id(test_publish(journal, "a", now), id(5, 0));
    now.wall_ms -= 3 * 3600 * 1000;
    assert_id(test_publish(journal, "a", now), id(5, 1));
    for (uint64_t n = 2; n < 10000; n++)
        assert_id(test_publish(journal, "a", now), id(5, n));
    assert_id(test_publish(journal, "a", now), id(6, 0));
    now.wall_ms = start_time.wall_ms + 7;
    assert_id(test_publish(journal, "a", now), id(7, 0));
    crier_memory_check(journal);
    crier_journal_free(journal);
}

/* Of one batch, nothing after the first that cannot be appended is; other batches are not touched. */
static void batch_ends_at_its_fault(void **state)
{
    struct crier_journal_limits limits = {.max_event_bytes = 20};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_draft drafts[] = {
        test_draft("a", "data: 1\n\n"), test_draft("a", "data: 0123456789012345\n\n"),
        test_draft("a", "data: 2\n\n"), test_draft("b", "data: 3\n\n")};
    const int one = 1, other = 2;

    drafts[0].batch = drafts[1].batch = drafts[2].batch = &one;
    drafts[3].batch = &other;
    crier_journal_append(journal, drafts, 4, start_time);
    assert_int_equal(drafts[0].result, 0);
    assert_int_equal(drafts[1].result, -EMSGSIZE);
    assert_int_equal(drafts[2].result, -ECANCELED);
    assert_int_equal(drafts[3].result, 0);
    assert_int_equal(test_stats(journal).events, 2);
    crier_memory_check(journal);
    crier_journal_free(journal);
}

/* Each draft has its own answer; one that is refused changes nothing for the others.
 */
static void batches(void **state)
{
    struct crier_journal_limits limits = {.max_event_bytes = 20};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    struct crier_draft drafts[] = {
        test_draft("a", "data: x\n\n"), test_draft("a", "data: 0123456789012345\n\n"),
        test_draft("b", "data: x\n\n"), test_draft("b", "data: y\n\n")};

    drafts[2].key = drafts[3].key = CRIER_SLICE("k");
    crier_journal_append(journal, drafts, 4, start_time);
    assert_int_equal(drafts[0].result, 0);
    assert_int_equal(drafts[1].result, -EMSGSIZE);
    assert_int_equal(drafts[2].result, 0);
    assert_int_equal(drafts[3].result, CRIER_APPEND_DUPLICATE);
    assert_id(drafts[3].ret_id, drafts[2].ret_id);
    struct crier_journal_stats stats = test_stats(journal);
    assert_int_equal(stats.events, 2);
    assert_int_equal(stats.duplicates, 1);
    assert_int_equal(stats.keys, 1);
    assert_id(stats.first, drafts[0].ret_id);
    assert_id(stats.last, drafts[2].ret_id);
    crier_journal_free(journal);
}

/* A key is its topic's, leaves with its event, and after its age. */
static void keys(void **state)
{
    struct crier_now now = start_time;
    struct crier_journal_limits limits = {.max_events = 3, .kept_bytes = 1, .key_age_ms = 1000};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, now);
    struct crier_draft a = test_draft("a", "data: x\n\n"), b = test_draft("b", "data: x\n\n");

    a.key = b.key = CRIER_SLICE("k");
    crier_journal_append(journal, &a, 1, now);
    crier_journal_append(journal, &b, 1, now);
    assert_int_equal(b.result, 0);
    now.boot_ms += 999;
    crier_journal_append(journal, &a, 1, now);
    assert_int_equal(a.result, CRIER_APPEND_DUPLICATE);
    now.boot_ms += 1;
    crier_journal_append(journal, &a, 1, now);
    assert_int_equal(a.result, 0);
    crier_journal_forget(journal, CRIER_SLICE("a"), now);
    crier_journal_append(journal, &a, 1, now);
    assert_int_equal(a.result, 0);
    for (int i = 0; i < 3; i++)
        test_publish(journal, "c", now);
    crier_journal_append(journal, &a, 1, now); /* its event was evicted */
    assert_int_equal(a.result, 0);
    crier_memory_check(journal);
    crier_journal_free(journal);
}

static bool list(void *ctx, const struct crier_topic_info *info)
{
    char *text = ctx;
    size_t len = strlen(text);

    snprintf(text + len, 200 - len, "%.*s:%d ", CRIER_SLICE_ARG(info->name), (int)info->events);
    return len < 30;
}

static void assert_topics(struct crier_journal *journal,
                          const char *prefix,
                          const char *after,
                          const char *expected)
{
    char text[200] = "";

    assert_int_equal(crier_journal_topics(journal, crier_slice_of(prefix),
                                          crier_slice_of(after), SIZE_MAX, NULL, list, text),
                     0);
    assert_string_equal(text, expected);
}

/* Topics that hold events, by name; a page goes on after its last name. */
static void topics(void **state)
{
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, start_time);
    struct crier_topic_info info;
    static const char *const names[] = {"b", "a/y", "a", "a/x", "ab", "a/x", "c"};

    for (size_t i = 0; i < 7; i++)
        test_publish(journal, names[i], start_time);
    crier_journal_forget(journal, CRIER_SLICE("c"), start_time);
    crier_journal_forget(journal, CRIER_SLICE("unknown"), start_time);
    assert_topics(journal, "", "", "a:1 a/x:2 a/y:1 ab:1 b:1 ");
    assert_topics(journal, "a/", "", "a/x:2 a/y:1 ");
    assert_topics(journal, "a/", "a/x", "a/y:1 ");
    assert_topics(journal, "a", "a/xx", "a/y:1 ab:1 ");
    assert_topics(journal, "", "b", "");
    assert_topics(journal, "b", "a", "b:1 ");
    assert_int_equal(crier_journal_topic(journal, CRIER_SLICE("a/x"), NULL, &info), 0);
    assert_slice_is(info.name, "a/x");
    assert_int_equal(info.events, 2);
    assert_id(info.first, id(0, 4));
    assert_id(info.last, id(0, 6));
    assert_int_equal(crier_journal_topic(journal, CRIER_SLICE("c"), NULL, &info), -ENOENT);
    crier_journal_free(journal);
}

/* A worker that does not read: first publishers are not to be read, then publishes are refused;
 * as soon as it has read, all is well again. */
static void full(void **state)
{
    struct crier_journal_limits limits = {.max_events = 10,
                                          .max_bytes = 1 << 20,
                                          .unread_bytes = 1 << 20,
                                          .kept_bytes = 1,
                                          .lap_ms = 1 << 30};
    struct crier_journal *journal = test_journal(&crier_mem_libc, limits, start_time);
    size_t len = 200 << 10;
    char *bytes = calloc(1, len);
    struct crier_draft draft = {
        .topics = {CRIER_SLICE("a")}, .topic_count = 1, .sse = {bytes, len}};
    struct crier_cursor cursor = {0};
    struct crier_record record;
    uint64_t published = 0, read = 0;
    int r;

    assert_int_equal(crier_journal_attach(journal, &cursor), 0);
    for (draft.result = 0; draft.result == 0; published += draft.result == 0) {
        bool writable = crier_journal_writable(journal);
        assert_int_equal(writable, published * len < (2 << 20));
        crier_journal_append(journal, &draft, 1, start_time);
    }
    assert_int_equal(draft.result, CRIER_APPEND_FULL);
    assert_true(published * len > (64 << 20) && published * len < (68 << 20));
    assert_int_equal(test_stats(journal).full, 1);
    assert_true(test_stats(journal).held_bytes < (70 << 20));
    while ((r = crier_cursor_next(&cursor, &record, NULL, NULL)) == 0)
        read++;
    assert_int_equal(r, CRIER_CURSOR_END);
    assert_int_equal(read, published);
    assert_true(crier_journal_writable(journal));
    assert_true(test_stats(journal).held_bytes < (2 << 20));
    crier_journal_append(journal, &draft, 1, start_time);
    assert_int_equal(draft.result, 0);
    crier_memory_check(journal);
    crier_journal_detach(&cursor);
    crier_journal_free(journal);
    free(bytes);
}

/* One allocation fails, wherever: every draft has an answer, the journal is whole, and goes on.
 */
static void out_of_memory(void **state)
{
    size_t refused = 0;

    for (size_t nth = 1;; nth++) {
        struct crier_journal_limits limits = {
            .max_events = 20, .kept_bytes = 2000, .max_floors = 8};
        struct crier_journal *journal = NULL;
        struct crier_now now = start_time;
        struct test_mem mem;
        test_mem_init(&mem, nth);
        int r =
            crier_journal_new_memory(&mem.mem, &test_key, &limits, TEST_EPOCH, now, &journal);
        assert_int_equal(r, journal ? 0 : -ENOMEM);
        for (int i = 0; journal && i < 120; i++) {
            char name[3][16];
            struct crier_draft draft = {.topic_count = 1 + (size_t)i % 3,
                                        .sse = CRIER_SLICE("data: x\n\n")};
            for (int t = 0; t < 3; t++) {
                snprintf(name[t], sizeof(name[t]), "t%d/%d", t, i % (7 + t));
                draft.topics[t] = crier_slice_of(name[t]);
            }
            draft.key = i % 4 ? (struct crier_slice){NULL, 0} : crier_slice_of(name[1]);
            draft.ttl_ms = i % 5 ? 0 : 10;
            crier_journal_append(journal, &draft, 1, now);
            assert_true(draft.result == 0 || draft.result == CRIER_APPEND_DUPLICATE ||
                        draft.result == -ENOMEM);
            assert_true(draft.result != -ENOMEM || mem.failed);
            refused += draft.result == -ENOMEM;
            now.boot_ms++;
            now.wall_ms++;
            crier_memory_check(journal);
        }
        crier_journal_free(journal);
        assert_int_equal(mem.alive, 0);
        if (!mem.failed)
            break;
    }
    assert_true(refused > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs),  cmocka_unit_test(ids),
        cmocka_unit_test(batches), cmocka_unit_test(batch_ends_at_its_fault),
        cmocka_unit_test(keys),    cmocka_unit_test(topics),
        cmocka_unit_test(full),    cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
