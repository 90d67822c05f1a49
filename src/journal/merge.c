/* SPDX-License-Identifier: MIT */
/*
 * The k-way merge of topic lists: a heap of one head for each topic, by number.
 *
 *     news    17 . 901 ...... 1200 ...
 *     sport       . 905 907 ........... 1490        heads: 901, 905  -->  901, 905, 907, 1200,
 * ...
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

int crier_merge_init(struct crier_merge *merge,
                     const struct crier_memory *memory,
                     const struct crier_filter *filter,
                     bool down,
                     uint64_t position)
{
    merge->mem = memory->journal.mem;
    merge->down = down;
    merge->count = 0;
    merge->last = 0;
    merge->heads = merge->few;
    if (filter->topic_count > CRIER_MERGE_INLINE) {
        merge->heads =
            crier_mem_alloc(merge->mem, filter->topic_count * sizeof(merge->heads[0]));
        if (!merge->heads)
            return -ENOMEM;
    }
    for (size_t i = 0; i < filter->topic_count; i++) {
        struct crier_merge_head head = {0};
        head.topic =
            crier_topics_find(&memory->topics, filter->topic_hashes[i], filter->topics[i]);
        if (!head.topic)
            continue;
        head.at = down ? head.topic->len - 1 : crier_topic_after(head.topic, position);
        if (settle(merge, &head))
            merge->heads[merge->count++] = head;
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
