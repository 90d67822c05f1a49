/* SPDX-License-Identifier: MIT */
/*
 * The options of a reader, as what the hub understands: a subscription and a start. What is
 * wrong with them is a sentence; it is told by the reader's calls (reader.c).
 */
#include "local/wish.h"

#include "hub/since.h"
#include "hub/topic.h"

struct reading {
    struct crier_slice selectors[CRIER_SUBSCRIPTION_SELECTORS];
    struct crier_slice types[CRIER_SUBSCRIPTION_TYPES];
    struct crier_wish wish;
    struct crier_since since;
    const char *fault;
};

static int invalid(struct reading *reading, int error, const char *fault)
{
    reading->fault = fault;
    return error;
}

static int add_selector(struct reading *reading, const char *text)
{
    const char *fault = crier_selector_fault(crier_slice_of(text));

    if (fault)
        return invalid(reading, CRIER_EINVAL, fault);
    if (reading->wish.selector_count == CRIER_SUBSCRIPTION_SELECTORS)
        return invalid(reading, CRIER_E2BIG,
                       "A reader has at most 100 selectors: use a pattern.");
    reading->selectors[reading->wish.selector_count++] = crier_slice_of(text);
    return 0;
}

static int read_selectors(struct reading *reading, const struct crier_reader_options *options)
{
    int r = 0;

    if (options->selector)
        r = add_selector(reading, options->selector);
    for (size_t i = 0; i < options->selector_count && r == 0; i++)
        r = add_selector(reading, options->selectors[i]);
    if (r == 0 && !reading->wish.selector_count)
        return invalid(reading, CRIER_EINVAL,
                       "A reader needs a selector: a topic or a pattern.");
    return r;
}

static int read_types(struct reading *reading, const struct crier_reader_options *options)
{
    if (options->type_count > CRIER_SUBSCRIPTION_TYPES)
        return invalid(reading, CRIER_E2BIG, "A reader can name at most 100 event types.");
    for (size_t i = 0; i < options->type_count; i++) {
        struct crier_slice type = crier_slice_of(options->types[i]);

        if (crier_slice_find_eol(type) < type.len)
            return invalid(reading, CRIER_EINVAL,
                           "An event type cannot have CR or LF in it, so no event will ever "
                           "have this one.");
        reading->types[i] = type;
    }
    reading->wish.type_count = options->type_count;
    return 0;
}

/* What is empty is absent. */
static int read_start(struct reading *reading,
                      const struct crier_reader_options *options,
                      struct crier_now now)
{
    struct crier_slice last_id = crier_slice_of(options->last_id);
    struct crier_slice since = crier_slice_of(options->since);
    const char *fault = NULL;

    reading->since = (struct crier_since){.kind = CRIER_SINCE_NOW};
    if (since.len)
        fault = crier_since_fault(since, now, &reading->since);
    if (fault)
        return invalid(reading, CRIER_EINVAL, fault);
    if (last_id.len)
        reading->since = crier_since_last_id(last_id);
    return 0;
}

int crier_wish_read(struct crier_hub *hub,
                    const struct crier_reader_options *options,
                    struct crier_now now,
                    struct crier_subscription **ret_subscription,
                    struct crier_since *ret_since,
                    const char **ret_fault)
{
    struct reading reading = {.fault = NULL};
    int r;

    reading.wish = (struct crier_wish){.selectors = reading.selectors, .types = reading.types};
    r = read_selectors(&reading, options);
    if (r == 0)
        r = read_types(&reading, options);
    if (r == 0)
        r = read_start(&reading, options, now);
    if (r == 0)
        r = crier_subscription_new(hub->mem, hub->journal, &reading.wish, ret_subscription);
    if (r == CRIER_E2BIG && !reading.fault)
        (void)invalid(&reading, r, "A reader has at most 10 patterns: use wider ones.");
    if (reading.fault)
        *ret_fault = reading.fault;
    if (r == 0)
        *ret_since = reading.since;
    return r;
}
