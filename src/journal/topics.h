/* SPDX-License-Identifier: MIT */
/* The topic table: every topic that history holds events of, each with its own ordered list of
 * their numbers. All under the journal's mutex. */
#ifndef CRIER_JOURNAL_TOPICS_H
#define CRIER_JOURNAL_TOPICS_H

#include "base/err.h"
#include "base/map.h"
#include "base/tree.h"
#include <stdbool.h>

#define CRIER_NUMBER_DEAD                                                                      \
    (UINT64_C(1)                                                                               \
     << 63) /* this entry of the list is no longer history                         \
                         */

struct crier_topic {
    struct crier_map_node node;
    struct crier_tree_node tree;
    uint64_t *numbers; /* ascending: numbers[head .. head + len) */
    uint32_t head, len, cap;
    uint32_t dead;   /* of len, marked CRIER_NUMBER_DEAD; never the first or the last */
    uint64_t bytes;  /* encoded, of the living */
    uint64_t few[2]; /* where numbers points while there are no more */
    uint32_t name_len;
    char name[];
};

struct crier_topics {
    const struct crier_mem *mem;
    struct crier_map map;
    struct crier_tree tree;
};

void crier_topics_init(struct crier_topics *topics, const struct crier_mem *mem);
void crier_topics_deinit(struct crier_topics *topics);
struct crier_topic *
crier_topics_find(const struct crier_topics *topics, uint64_t hash, struct crier_slice name);
/* Finds or makes the topic, with room for one more number. 0, -ENOMEM. */
int crier_topics_reserve(struct crier_topics *topics,
                         uint64_t hash,
                         struct crier_slice name,
                         struct crier_topic **ret_topic) CRIER_MUST_CHECK;
/* Frees the topic if it holds nothing. */
void crier_topics_release(struct crier_topics *topics, struct crier_topic *topic);

struct crier_slice crier_topic_name(const struct crier_topic *topic);
void crier_topic_push(struct crier_topic *topic,
                      uint64_t number,
                      uint64_t bytes); /* reserved before */
/* Takes a number out that is in the list; the caller releases the topic. */
void crier_topic_kill(struct crier_topics *topics,
                      struct crier_topic *topic,
                      uint64_t number,
                      uint64_t bytes);
uint64_t crier_topic_events(const struct crier_topic *topic);
uint64_t crier_topic_first(const struct crier_topic *topic); /* 0: it is empty */
uint64_t crier_topic_last(const struct crier_topic *topic);
/* The i-th entry: a number, perhaps with CRIER_NUMBER_DEAD. */
uint64_t crier_topic_at(const struct crier_topic *topic, size_t i);
/* Index of the first entry whose number is > position; len if there is none. */
size_t crier_topic_after(const struct crier_topic *topic, uint64_t position);
void crier_topic_check(const struct crier_topic *topic);

#endif
