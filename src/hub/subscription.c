/* SPDX-License-Identifier: MIT */
/*
 * A subscription is one allocation; every slice points into its last part:
 *
 *     | struct | selectors (exact, patterns) | types | prefixes | hashes | key bytes |
 *
 * The key is what makes two wishes equal: each selector and type behind its length (two bytes),
 * so that no concatenation can be read in two ways.
 *
 *     | n exact | exact... | n patterns | patterns... | n types | types... | form | chunked |
 *     `------------ selectors_key ------------------'                    |
 *     `------------ the filter's key ------------------------------------'
 *
 * Sorting goes by insertion into a small array on the stack: it drops doubles on the way and
 * stops as soon as there are too many, whatever an outsider sends.
 */
#include "hub/subscription.h"
#include "base/mem.h"
#include "hub/topic.h"
#include <assert.h>
#include <string.h>

/* A sorted set of slices of at most `limit` entries. */
struct slices {
    struct crier_slice items[CRIER_SUBSCRIPTION_SELECTORS];
    size_t count;
};

static_assert((int)CRIER_SUBSCRIPTION_TYPES <= (int)CRIER_SUBSCRIPTION_SELECTORS,
              "one array serves both");

struct parts {
    struct slices exact, patterns, types;
    size_t key_len;
};

static int slices_insert(struct slices *set, struct crier_slice item, size_t limit)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = crier_slice_cmp(set->items[middle], item);
        if (order == 0)
            return 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (set->count == limit)
        return -E2BIG;
    memmove(&set->items[low + 1], &set->items[low], (set->count - low) * sizeof(set->items[0]));
    set->items[low] = item;
    set->count++;
    return 0;
}

static int parts_collect(struct parts *parts, const struct crier_wish *wish)
{
    int r = 0;

    for (size_t i = 0; i < wish->selector_count && r == 0; i++) {
        struct crier_slice selector = wish->selectors[i];
        assert(crier_selector_fault(selector) == NULL);
        if (crier_selector_is_pattern(selector))
            r = slices_insert(&parts->patterns, selector, CRIER_SUBSCRIPTION_PATTERNS);
        else
            r = slices_insert(&parts->exact, selector, CRIER_SUBSCRIPTION_SELECTORS);
    }
    if (parts->exact.count + parts->patterns.count > CRIER_SUBSCRIPTION_SELECTORS)
        r = -E2BIG;
    for (size_t i = 0; i < wish->type_count && r == 0; i++) {
        struct crier_slice type = wish->types[i];
        if (type.len > UINT16_MAX)
            return -E2BIG;
        if (type.len == 0)
            type = CRIER_SLICE("message");
        r = slices_insert(&parts->types, type, CRIER_SUBSCRIPTION_TYPES);
    }
    return r;
}

static size_t slices_key_len(const struct slices *set)
{
    size_t len = 1;
    for (size_t i = 0; i < set->count; i++)
        len += 2 + set->items[i].len;
    return len;
}

/* Writes the set at *at and points out[] at the copies. */
static void slices_write(const struct slices *set, char **at, struct crier_slice *out)
{
    *(*at)++ = (char)set->count;
    for (size_t i = 0; i < set->count; i++) {
        struct crier_slice item = set->items[i];
        *(*at)++ = (char)(item.len >> 8);
        *(*at)++ = (char)(item.len & 0xff);
        memcpy(*at, item.data, item.len);
        out[i] = (struct crier_slice){*at, item.len};
        *at += item.len;
    }
}

static bool match_patterns(const void *ctx, struct crier_slice topic)
{
    const struct crier_subscription *subscription = ctx;

    for (size_t i = 0; i < subscription->pattern_count; i++)
        if (crier_selector_match(subscription->patterns[i], topic))
            return true;
    return false;
}

struct layout {
    struct crier_slice *selectors, *types, *prefixes;
    uint64_t *hashes;
    char *key;
};

static struct layout lay_out(struct crier_subscription *subscription, const struct parts *parts)
{
    struct layout layout;

    layout.selectors = (struct crier_slice *)(void *)(subscription + 1);
    layout.types = layout.selectors + parts->exact.count + parts->patterns.count;
    layout.prefixes = layout.types + parts->types.count;
    layout.hashes = (uint64_t *)(void *)(layout.prefixes + parts->patterns.count);
    layout.key = (char *)(layout.hashes + parts->exact.count);
    return layout;
}

static void fill_key(struct crier_subscription *subscription,
                     const struct parts *parts,
                     const struct layout *layout)
{
    char *at = layout->key;

    slices_write(&parts->exact, &at, layout->selectors);
    slices_write(&parts->patterns, &at, layout->selectors + parts->exact.count);
    subscription->selectors_key = (struct crier_slice){layout->key, (size_t)(at - layout->key)};
    slices_write(&parts->types, &at, layout->types);
    /* What is read from the journal does not depend on how it is dressed. */
    subscription->filter.key = (struct crier_slice){layout->key, (size_t)(at - layout->key)};
    *at++ = (char)subscription->form;
    *at++ = (char)subscription->chunked;
    assert((size_t)(at - layout->key) == parts->key_len);
    subscription->key = (struct crier_slice){layout->key, parts->key_len};
}

static void fill_filter(struct crier_subscription *subscription,
                        const struct parts *parts,
                        const struct layout *layout,
                        const struct crier_journal *journal)
{
    struct crier_filter *filter = &subscription->filter;

    for (size_t i = 0; i < parts->exact.count; i++)
        layout->hashes[i] = crier_journal_hash(journal, layout->selectors[i]);
    filter->topics = layout->selectors;
    filter->topic_hashes = layout->hashes;
    filter->topic_count = parts->exact.count;

    subscription->patterns = layout->selectors + parts->exact.count;
    subscription->pattern_count = parts->patterns.count;
    for (size_t i = 0; i < parts->patterns.count; i++)
        layout->prefixes[i] = crier_selector_prefix(subscription->patterns[i]);
    filter->match = parts->patterns.count > 0 ? match_patterns : NULL;
    filter->ctx = subscription;
    filter->prefixes = layout->prefixes;
    filter->prefix_count = parts->patterns.count;

    filter->types = layout->types;
    filter->type_count = parts->types.count;
}

int crier_subscription_new(const struct crier_mem *mem,
                           const struct crier_journal *journal,
                           const struct crier_wish *wish,
                           struct crier_subscription **ret)
{
    struct parts parts;
    parts.exact.count = parts.patterns.count = parts.types.count = 0;
    int r = parts_collect(&parts, wish);
    if (r < 0)
        return r;
    parts.key_len = slices_key_len(&parts.exact) + slices_key_len(&parts.patterns) +
                    slices_key_len(&parts.types) + 2;

    size_t slices = parts.exact.count + 2 * parts.patterns.count + parts.types.count;
    struct crier_subscription *subscription =
        crier_mem_zalloc(mem, sizeof(*subscription) + slices * sizeof(struct crier_slice) +
                                  parts.exact.count * sizeof(uint64_t) + parts.key_len);
    if (!subscription)
        return -ENOMEM;

    struct layout layout = lay_out(subscription, &parts);
    subscription->mem = mem;
    subscription->form = wish->form;
    subscription->chunked = wish->chunked;
    subscription->selectors = layout.selectors;
    subscription->selector_count = parts.exact.count + parts.patterns.count;
    fill_key(subscription, &parts, &layout);
    fill_filter(subscription, &parts, &layout, journal);
    subscription->hash = crier_hash(&journal->hash_key, subscription->key);
    *ret = subscription;
    return 0;
}

struct crier_subscription *crier_subscription_free(struct crier_subscription *subscription)
{
    if (subscription)
        crier_mem_free(subscription->mem, subscription);
    return NULL;
}
