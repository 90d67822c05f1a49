/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

#include "journal/match.h"

struct asked {
    size_t times;
};

static bool even_topic(const void *ctx, struct crier_slice topic)
{
    struct asked *asked = (struct asked *)(uintptr_t)ctx;

    asked->times++;
    return (topic.data[topic.len - 1] - '0') % 2 == 0;
}

/* The memo changes no answer, and spares nearly all questions: far more topics than it has
 * places for, each event held against the plain filter. */
static void memo(void **state)
{
    struct asked asked = {0};
    struct crier_slice type = CRIER_SLICE("alpha");
    struct crier_filter filter = {
        .match = even_topic, .ctx = &asked, .types = &type, .type_count = 1};
    struct crier_rng rng = {test_seed("memo")};
    struct crier_now now = {1000, 1000};
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, now);
    struct crier_matcher matcher;
    char name[16];
    size_t yes = 0;

    for (int n = 0; n < 6000; n++) {
        snprintf(name, sizeof(name), "t/%d",
                 (int)crier_rng_between(&rng, 0, n < 3000 ? 20 : 3000));
        struct crier_draft draft = test_draft(name, "data: x\n\n");
        if (n % 5 == 0)
            draft.topics[draft.topic_count++] = CRIER_SLICE("odd/1");
        draft.type = n % 3 ? type : CRIER_SLICE("beta");
        crier_journal_append(journal, &draft, 1, now);
    }
    const struct crier_memory *memory = crier_memory_of(journal);
    crier_matcher_init(&matcher, memory, &filter, 0);
    for (uint64_t n = 1; n <= 6000; n++) {
        const struct crier_segment *segment = crier_segments_find(&memory->segments, n);
        uint32_t i = (uint32_t)(n - segment->base);
        struct crier_record record;
        unsigned alive = 0;
        crier_stored_view(crier_segment_at(segment, i), n, 3, &record);
        asked.times = 0;
        enum crier_match match = crier_matcher_entry(&matcher, segment, i, &alive);
        assert_true(n < 1000 || n > 3000 || asked.times == 0);
        assert_int_equal(match == CRIER_MATCH_YES, crier_filter_match(&filter, &record));
        yes += match == CRIER_MATCH_YES;
    }
    assert_true(yes > 1000 && yes < 4000);
    crier_journal_free(journal);
}

/* Forgotten is told apart from past its ttl and from never wanted. */
static void lost(void **state)
{
    struct crier_now now = {1000, 1000};
    struct crier_journal *journal =
        test_journal(&crier_mem_libc, (struct crier_journal_limits){0}, now);
    const struct crier_memory *memory = crier_memory_of(journal);
    struct crier_draft drafts[] = {test_draft("a", "data: x\n\n"),
                                   test_draft("a", "data: x\n\n"),
                                   test_draft("b", "data: x\n\n")};
    struct crier_matcher matcher;
    struct test_filter f;
    unsigned alive;

    test_publish(journal, "z", now); /* keeps the window's start where it is */
    drafts[1].ttl_ms = 10;
    crier_journal_append(journal, drafts, 3, now);
    crier_matcher_init(&matcher, memory, test_filter_one(&f, journal, "a"), 1000);
    assert_int_equal(
        crier_matcher_look(&matcher, crier_segments_at(&memory->segments, 2), &alive),
        CRIER_MATCH_YES);
    assert_int_equal(
        crier_matcher_look(&matcher, crier_segments_at(&memory->segments, 4), &alive),
        CRIER_MATCH_NO);
    crier_journal_forget(journal, CRIER_SLICE("a"), now);
    assert_int_equal(
        crier_matcher_look(&matcher, crier_segments_at(&memory->segments, 2), &alive),
        CRIER_MATCH_LOST);
    assert_int_equal(
        crier_matcher_look(&matcher, crier_segments_at(&memory->segments, 3), &alive),
        CRIER_MATCH_LOST);
    crier_matcher_init(&matcher, memory, &f.filter, 1010);
    assert_int_equal(
        crier_matcher_look(&matcher, crier_segments_at(&memory->segments, 3), &alive),
        CRIER_MATCH_NO);
    crier_journal_free(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memo),
        cmocka_unit_test(lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
