/* SPDX-License-Identifier: MIT */
/*
 * The k-way merge of topic lists: a heap of one head for each topic, by number.
 *
 *     news    17 . 901 ...... 1200 ...              heads: 901, 905
 *     sport       . 905 907 ........... 1490        -->  901, 905, 907, 1200, ...
 *
 * An event of two of the topics comes up in both lists, one after the other, and is told once.
 */
#include "base/mem.h"
#include "journal/match.h"

/* Does a come before b? */
static bool earlier(const struct crier_merge *merge, size_t a, size_t b)
{
    return merge->down ? merge->heads[a].number > merge->heads[b].number
                       : merge->heads[a].number < merge->heads[b].number;
}

static void swap(struct crier_merge *merge, size_t a, size_t b)
{
    struct crier_merge_head head = merge->heads[a];
    merge->heads[a] = merge->heads[b];
    merge->heads[b] = head;
}

static void sift_down(struct crier_merge *merge, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < merge->count; i = child) {
        if (child + 1 < merge->count && earlier(merge, child + 1, child))
            child++;
        if (!earlier(merge, child, i))
            return;
        swap(merge, i, child);
    }
}

/* Moves the head to the living entry at `at` or after it. false: its list is at its end. */
static bool settle(const struct crier_merge *merge, struct crier_merge_head *head)
{
    for (; head->at < head->topic->len; head->at += merge->down ? SIZE_MAX : 1) {
        head->number = crier_topic_at(head->topic, head->at);
        if (!(head->number & CRIER_NUMBER_DEAD))
            return true;
    }
    return false; /* downwards, the step below 0 has wrapped around */
}

static void add(struct crier_merge *merge, const struct crier_topic *topic, uint64_t position)
{
    struct crier_merge_head head = {.topic = topic};

    head.at = merge->down ? topic->len - 1 : crier_topic_after(topic, position);
    if (settle(merge, &head))
        merge->heads[merge->count++] = head;
}

static void add_named(struct crier_merge *merge,
                      const struct crier_memory *memory,
                      const struct crier_filter *filter,
                      uint64_t position)
{
    for (size_t i = 0; i < filter->topic_count; i++) {
        const struct crier_topic *topic =
            crier_topics_find(&memory->topics, filter->topic_hashes[i], filter->topics[i]);
        if (topic)
            add(merge, topic, position);
    }
}

/* The topics that patterns fit, found by name under the patterns' prefixes. false: too many.
 * One that was added already comes up twice, and is told once. */
static bool add_fitting(struct crier_merge *merge,
                        const struct crier_memory *memory,
                        const struct crier_filter *filter,
                        uint64_t position)
{
    size_t looks = memory->merge_looks;

    for (size_t i = 0; i < filter->prefix_count; i++) {
        struct crier_slice prefix = filter->prefixes[i];
        struct crier_tree_node *node = crier_tree_at_least(&memory->topics.tree, prefix);

        for (; node && crier_slice_starts(node->key, prefix); node = crier_tree_next(node)) {
            if (looks-- == 0)
                return false;
            if (!filter->match(filter->ctx, node->key))
                continue;
            if (merge->count == merge->room)
                return false;
            add(merge, CRIER_CONTAINER(node, struct crier_topic, tree), position);
        }
    }
    return true;
}

int crier_merge_init(struct crier_merge *merge,
                     const struct crier_memory *memory,
                     const struct crier_filter *filter,
                     bool down,
                     uint64_t position)
{
    if (filter->match && !memory->merge_looks)
        return CRIER_MERGE_MANY;
    merge->mem = memory->journal.mem;
    merge->down = down;
    merge->count = 0;
    merge->last = 0;
    merge->heads = merge->few;
    merge->room = CRIER_MERGE_INLINE;
    if (filter->topic_count > merge->room) {
        merge->room = filter->topic_count;
        merge->heads = crier_mem_alloc(merge->mem, merge->room * sizeof(merge->heads[0]));
        if (!merge->heads)
            return -ENOMEM;
    }
    add_named(merge, memory, filter, position);
    if (filter->match && !add_fitting(merge, memory, filter, position)) {
        crier_merge_deinit(merge);
        return CRIER_MERGE_MANY;
    }
    for (size_t i = merge->count / 2; i-- > 0;)
        sift_down(merge, i);
    return 0;
}

void crier_merge_deinit(struct crier_merge *merge)
{
    if (merge->heads != merge->few)
        crier_mem_free(merge->mem, merge->heads);
    merge->heads = merge->few;
    merge->count = 0;
}

uint64_t crier_merge_next(struct crier_merge *merge)
{
    while (merge->count) {
        struct crier_merge_head *head = &merge->heads[0];
        uint64_t number = head->number;
        head->at += merge->down ? SIZE_MAX : 1;
        if (!settle(merge, head))
            *head = merge->heads[--merge->count];
        sift_down(merge, 0);
        if (number != merge->last) {
            merge->last = number;
            return number;
        }
    }
    return 0;
}
