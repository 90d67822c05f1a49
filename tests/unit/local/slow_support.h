/* SPDX-License-Identifier: MIT */
/* A hub over a slow journal, with a clock that stands still. */
#ifndef CRIER_TESTS_UNIT_SLOW_SUPPORT_H
#define CRIER_TESTS_UNIT_SLOW_SUPPORT_H

#include "local_support.h"
#include "slow_journal.h"

struct slow_hub {
    struct test_clock clock;
    struct crier_hub *hub;
    struct slow_journal *slow;
};

static inline void slow_hub_init(struct slow_hub *s, const struct crier_mem *mem)
{
    test_clock_init(&s->clock);
    s->hub = crier_hub_new(.clock = &s->clock.clock, .mem = mem);
    assert_non_null(s->hub);
    s->slow = slow_journal_new(s->hub->journal);
    s->hub->journal = &s->slow->journal;
}

/* What became of a submission. */
struct slow_outcome {
    unsigned calls;
    int result;
    bool has_receipt;
    struct crier_receipt receipt;
};

static inline void slow_done(int result, const struct crier_receipt *receipt, void *ctx)
{
    struct slow_outcome *outcome = ctx;

    outcome->calls++;
    outcome->result = result;
    outcome->has_receipt = receipt != NULL;
    if (receipt)
        outcome->receipt = *receipt;
}

static inline struct crier_publication slow_publication(const char *topic, const char *data)
{
    return (struct crier_publication){.size = sizeof(struct crier_publication),
                                      .topic = crier_slice_of(topic),
                                      .event = test_event(data)};
}

/* Straight into the journal, as by somebody else. */
static inline void slow_append(struct slow_hub *s, const char *topic, const char *data)
{
    s->slow->submits_at_once = true;
    test_publish(s->hub, topic, NULL, data);
    s->slow->submits_at_once = false;
}

#endif
