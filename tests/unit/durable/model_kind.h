/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/journal/test_model.c against the durable journal: a small window, so that much is
 * read from the disk; half of the questions wait, the others stand still.
 */
#include "../journal/journal_support.h"
#include "durable_support.h"

enum { KIND_DURABLE = 1 };

struct kind {
    struct crier_rng rng;
    char dir[TEST_DIR];
    struct test_wait wait;
};

/* Allocated from several threads: what test_mem counts would race. */
static const struct crier_mem *kind_mem(struct test_mem *mem)
{
    return &crier_mem_libc;
}

static void kind_init(struct kind *kind, uint64_t seed)
{
    kind->rng.state = seed * 31 + 1;
    test_dir_make(kind->dir);
    test_wait_init(&kind->wait);
}

static void kind_deinit(struct kind *kind)
{
    test_wait_deinit(&kind->wait);
    test_dir_remove(kind->dir);
}

static struct crier_journal *kind_open(struct kind *kind,
                                       const struct crier_mem *mem,
                                       struct crier_journal_limits limits,
                                       struct crier_now now)
{
    limits.window_bytes = crier_rng_between(&kind->rng, 1, 3000);
    limits.replay_bytes = crier_rng_between(&kind->rng, 1, 200000);
    return test_durable(kind->dir, mem, limits, now);
}

static uint64_t
kind_kept_cost(const struct crier_draft *draft, struct crier_id id, uint64_t bytes)
{
    return bytes;
}

static void kind_trim(struct crier_journal *journal, struct crier_now now)
{
    test_trim(journal, now);
}

static int kind_scan(struct kind *kind,
                     struct crier_journal *journal,
                     struct crier_scan *scan,
                     crier_scan_fn *fn,
                     void *ctx,
                     struct crier_start *ret_gap)
{
    bool waits = crier_rng_between(&kind->rng, 0, 1);
    int r;

    scan->wait = waits ? &kind->wait.wait : NULL;
    while ((r = crier_journal_scan(journal, scan, fn, ctx, ret_gap)) == CRIER_WAIT)
        test_wait_for(&kind->wait);
    scan->wait = NULL;
    return r;
}

static struct crier_start kind_locate(struct kind *kind,
                                      struct crier_journal *journal,
                                      const struct crier_filter *filter,
                                      struct crier_since since,
                                      struct crier_now now)
{
    struct crier_wait *wait = crier_rng_between(&kind->rng, 0, 1) ? &kind->wait.wait : NULL;
    struct crier_start start;
    int r;

    while ((r = crier_journal_locate(journal, filter, &since, now, wait, &start)) == CRIER_WAIT)
        test_wait_for(&kind->wait);
    assert_int_equal(r, 0);
    return start;
}
