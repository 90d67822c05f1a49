/* SPDX-License-Identifier: MIT */
/* test_model.c against the memory journal. */
#include "journal_support.h"

enum { KIND_DURABLE = 0 };

struct kind {
    int none;
};

static const struct crier_mem *kind_mem(struct test_mem *mem)
{
    return &mem->mem;
}

static void kind_init(struct kind *kind, uint64_t seed)
{
}

static void kind_deinit(struct kind *kind)
{
}

static struct crier_journal *kind_open(struct kind *kind,
                                       const struct crier_mem *mem,
                                       struct crier_journal_limits limits,
                                       struct crier_now now)
{
    return test_journal(mem, limits, now);
}

/* What keeping an event aside counts. */
static uint64_t
kind_kept_cost(const struct crier_draft *draft, struct crier_id id, uint64_t bytes)
{
    return sizeof(struct crier_kept_event) + sizeof(struct crier_kept_slot) +
           crier_stored_size(draft, id);
}

static void kind_trim(struct crier_journal *journal, struct crier_now now)
{
    crier_journal_trim(journal, now);
}

static int kind_scan(struct kind *kind,
                     struct crier_journal *journal,
                     struct crier_scan *scan,
                     crier_scan_fn *fn,
                     void *ctx,
                     struct crier_start *ret_gap)
{
    return crier_journal_scan(journal, scan, fn, ctx, ret_gap);
}

static struct crier_start kind_locate(struct kind *kind,
                                      struct crier_journal *journal,
                                      const struct crier_filter *filter,
                                      struct crier_since since,
                                      struct crier_now now)
{
    return test_locate(journal, filter, since, now);
}
