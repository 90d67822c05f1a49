/* SPDX-License-Identifier: MIT */
/* What the journal's tests share; header only. */
#ifndef CRIER_TESTS_UNIT_JOURNAL_SUPPORT_H
#define CRIER_TESTS_UNIT_JOURNAL_SUPPORT_H

#include "support.h"

#include "base/rng.h"
#include "journal/memory.h"

static const struct crier_hash_key test_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

enum { TEST_EPOCH = 7, TEST_SEQ = TEST_EPOCH * 10000 };

static inline struct crier_journal *test_journal(const struct crier_mem *mem,
                                                 struct crier_journal_limits limits,
                                                 struct crier_now now)
{
    struct crier_journal *journal = NULL;

    assert_int_equal(
        crier_journal_new_memory(mem, &test_key, &limits, TEST_EPOCH, now, &journal), 0);
    return journal;
}

/* A draft of one event with these bytes as its only data line. `text` must live on. */
static inline struct crier_draft test_draft(const char *topic, const char *sse)
{
    return (struct crier_draft){
        .topics = {crier_slice_of(topic)}, .topic_count = 1, .sse = crier_slice_of(sse)};
}

/* Publishes one event and answers its id. */
static inline struct crier_id
test_publish(struct crier_journal *journal, const char *topic, struct crier_now now)
{
    struct crier_draft draft = test_draft(topic, "data: x\n\n");

    crier_journal_append(journal, &draft, 1, now);
    assert_int_equal(draft.result, 0);
    return draft.ret_id;
}

/* Follows everything. */
static inline bool test_match_all(const void *ctx, struct crier_slice topic)
{
    return true;
}

/* A filter of one exact topic, or (NULL) of everything. The fields it points into are its own.
 */
struct test_filter {
    struct crier_filter filter;
    struct crier_slice topics[4];
    uint64_t hashes[4];
    struct crier_slice prefix;
};

static inline void
test_filter_add(struct test_filter *f, const struct crier_journal *journal, const char *topic)
{
    size_t n = f->filter.topic_count++;

    assert_true(n < 4);
    f->topics[n] = crier_slice_of(topic);
    f->hashes[n] = crier_journal_hash(journal, f->topics[n]);
    f->filter.topics = f->topics;
    f->filter.topic_hashes = f->hashes;
}

static inline const struct crier_filter *test_filter_all(struct test_filter *f)
{
    *f = (struct test_filter){.filter = {.match = test_match_all, .prefix_count = 1}};
    f->filter.prefixes = &f->prefix;
    return &f->filter;
}

static inline const struct crier_filter *
test_filter_one(struct test_filter *f, const struct crier_journal *journal, const char *topic)
{
    *f = (struct test_filter){0};
    test_filter_add(f, journal, topic);
    return &f->filter;
}

/* Collects the numbers of what a scan shows. */
struct test_seen {
    uint64_t numbers[512];
    size_t count;
    size_t stop_after; /* 0: never */
};

static inline int test_see(void *ctx, const struct crier_record *record)
{
    struct test_seen *seen = ctx;

    assert_true(seen->count < 512);
    seen->numbers[seen->count++] = record->number;
    return seen->stop_after && seen->count == seen->stop_after ? CRIER_SCAN_TAKEN : 0;
}

static inline struct crier_start test_locate(struct crier_journal *journal,
                                             const struct crier_filter *filter,
                                             struct crier_since since,
                                             struct crier_now now)
{
    struct crier_start start;

    assert_int_equal(crier_journal_locate(journal, filter, &since, now, NULL, &start), 0);
    return start;
}

static inline struct crier_journal_stats test_stats(struct crier_journal *journal)
{
    struct crier_journal_stats stats;

    crier_journal_get_stats(journal, &stats);
    return stats;
}

#endif
