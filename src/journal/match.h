/* SPDX-License-Identifier: MIT */
/*
 * Finding a filter's events: by looking at each of them (match), or by merging the lists of its
 * topics (merge), where they are named or the patterns fit few.
 */
#ifndef CRIER_JOURNAL_MATCH_H
#define CRIER_JOURNAL_MATCH_H

#include "journal/memory.h"

enum {
    CRIER_MATCH_MEMO = 1024,
    CRIER_MATCH_TYPES = 16,
    CRIER_MERGE_INLINE = 100, /* also: topics that patterns may fit, to be merged */
};

/* ---- looking ------------------------------------------------------------- */

enum crier_match {
    CRIER_MATCH_NO = 0,
    CRIER_MATCH_YES,
    CRIER_MATCH_LOST, /* it was one, but was forgotten, or left from among the kept-aside */
};

/* A filter, and what is already known of topics: one call's. */
struct crier_matcher {
    const struct crier_filter *filter;
    uint64_t now_ms;                   /* events past their ttl do not match */
    size_t type_count;                 /* 0: types are not to be looked at in the index */
    uint32_t types[CRIER_MATCH_TYPES]; /* crier_type_hash */
    struct {
        uint64_t hash; /* 0: none */
        bool wanted;
    } memo[CRIER_MATCH_MEMO];
};

void crier_matcher_init(struct crier_matcher *matcher,
                        const struct crier_memory *memory,
                        const struct crier_filter *filter,
                        uint64_t now_ms);
/* *ret_alive: the topics it is alive in. */
enum crier_match crier_matcher_look(struct crier_matcher *matcher,
                                    const struct crier_stored *stored,
                                    unsigned *ret_alive);
/* The same for event i of a segment; most are answered from the index alone. */
enum crier_match crier_matcher_entry(struct crier_matcher *matcher,
                                     const struct crier_segment *segment,
                                     uint32_t i,
                                     unsigned *ret_alive);
/* Type and ttl only: for events found through their topic. */
bool crier_match_rest(const struct crier_filter *filter,
                      const struct crier_stored *stored,
                      uint64_t now_ms);

/* ---- merging ------------------------------------------------------------- */

struct crier_merge_head {
    const struct crier_topic *topic;
    size_t at;
    uint64_t number;
};

/* The numbers of all events of the filter's topics, each once, in order. Valid for as long as
 * the mutex is held. */
struct crier_merge {
    const struct crier_mem *mem;
    bool down;                      /* newest first */
    struct crier_merge_head *heads; /* a heap: the next one first */
    size_t count, room;
    uint64_t last;
    struct crier_merge_head few[CRIER_MERGE_INLINE];
};

enum { CRIER_MERGE_MANY = 1 };
/* Upwards from the first after `position`, or downwards from the newest. 0; CRIER_MERGE_MANY:
 * the filter's patterns may fit more topics than it pays to merge; -ENOMEM. */
int crier_merge_init(struct crier_merge *merge,
                     const struct crier_memory *memory,
                     const struct crier_filter *filter,
                     bool down,
                     uint64_t position) CRIER_MUST_CHECK;
void crier_merge_deinit(struct crier_merge *merge);
/* The next number; 0: there are no more. */
uint64_t crier_merge_next(struct crier_merge *merge);

#endif
