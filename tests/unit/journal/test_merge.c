/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

#include "journal/match.h"

enum { TOPICS = 150, EVENTS = 900 };

static char names[TOPICS][8];

/* Each event once and in order, upwards and downwards, for few topics and for more than the
 * heads that need no memory; the model is the array of which topics each event has. */
static void against_a_model(void **state)
{
    static bool has[EVENTS + 1][TOPICS];
    struct crier_rng rng = {test_seed("against_a_model")};
    struct crier_now now = {1000, 1000};
    struct test_mem mem;

    test_mem_init(&mem, 0);
    struct crier_journal *journal =
        test_journal(&mem.mem, (struct crier_journal_limits){0}, now);
    for (size_t t = 0; t < TOPICS; t++)
        snprintf(names[t], sizeof(names[t]), "t%zu", t);
    for (size_t n = 1; n <= EVENTS; n++) {
        struct crier_draft draft = {.sse = CRIER_SLICE("data: x\n\n"),
                                    .topic_count = crier_rng_between(&rng, 1, 3)};
        size_t t = crier_rng_between(&rng, 0, TOPICS - 1);
        for (size_t i = 0; i < draft.topic_count; i++, t = (t + 37) % TOPICS) {
            draft.topics[i] = crier_slice_of(names[t]);
            has[n][t] = true;
        }
        draft.ttl_ms = n % 4 ? 0 : 5; /* every fourth leaves holes in the lists */
        crier_journal_append(journal, &draft, 1, now);
    }
    now.boot_ms += 10;
    crier_journal_trim(journal, now);

    for (int round = 0; round < 200; round++) {
        struct crier_slice topics[TOPICS];
        uint64_t hashes[TOPICS], position = crier_rng_between(&rng, 0, EVENTS);
        struct crier_filter filter = {.topics = topics, .topic_hashes = hashes};
        bool wanted[TOPICS] = {false}, down = round % 2;
        filter.topic_count = round % 10 ? crier_rng_between(&rng, 1, 5) : TOPICS;
        for (size_t i = 0; i < filter.topic_count; i++) {
            size_t t =
                filter.topic_count == TOPICS ? i : crier_rng_between(&rng, 0, TOPICS - 1);
            topics[i] = crier_slice_of(names[t]);
            hashes[i] = crier_journal_hash(journal, topics[i]);
            wanted[t] = true;
        }
        struct crier_merge merge;
        assert_int_equal(
            crier_merge_init(&merge, crier_memory_of(journal), &filter, down, position), 0);
        for (size_t i = 1; i <= EVENTS; i++) {
            uint64_t n = down ? EVENTS + 1 - i : i;
            bool expected = false;
            for (size_t t = 0; t < TOPICS; t++)
                expected = expected || (has[n][t] && wanted[t]);
            if (expected && n % 4 && (down || n > position))
                assert_int_equal(crier_merge_next(&merge), n);
        }
        assert_int_equal(crier_merge_next(&merge), 0);
        crier_merge_deinit(&merge);
    }
    crier_journal_free(journal);
    assert_int_equal(mem.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
