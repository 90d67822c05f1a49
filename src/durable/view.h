/* SPDX-License-Identifier: MIT */
/*
 * A view from inside (store.h says what it is for).
 *
 *     view.c    begin and end, one event, topics, extras
 *     find.c    walks through a filter's events, upwards or downwards
 *     read.c    oldest, newest, latest, slices
 *     place.c   positions, ids, times
 */
#ifndef CRIER_DURABLE_VIEW_H
#define CRIER_DURABLE_VIEW_H

#include "durable/file.h"

enum {
    CRIER_VIEW_MEMO = 1024,        /* topics whose answer is remembered for one call */
    CRIER_VIEW_POSTINGS = 16,      /* cursors kept for lists of topics */
    CRIER_VIEW_MERGE_TOPICS = 100, /* that patterns may fit, to be merged */
    CRIER_VIEW_MERGE_LOOKS = 512,  /* names looked at to find them */
};

/* The list of one topic: where the walk stands in it. */
struct crier_view_head {
    MDB_cursor *cursor;
    uint64_t number;
};

struct crier_view {
    struct crier_store *store;
    MDB_txn *txn;
    MDB_cursor *cursors[CRIER_TABLES];         /* opened when first needed; */
    bool current[CRIER_TABLES];                /* belongs to this transaction */
    MDB_cursor *postings[CRIER_VIEW_POSTINGS]; /* as `cursors`, for the heads */
    struct crier_view_head *heads;             /* memory for a walk's lists */
    size_t head_cap;
    size_t merge_looks;               /* CRIER_VIEW_MERGE_LOOKS; tests set 0: walk */
    struct crier_store_totals totals; /* of this transaction */
    uint64_t topic_serial;            /* the last one given */
    uint64_t end;                     /* see crier_view_limit */
    uint64_t at;                      /* number the cursor of `events` stands on; 0: on none */
    struct crier_buf frame;           /* of the event being shown */
    struct {
        uint64_t hash; /* 0: none */
        bool wanted;
    } memo[CRIER_VIEW_MEMO];
};

/* An event of history. */
struct crier_found {
    uint64_t number;
    struct crier_row row;
    uint64_t hashes[CRIER_TOPICS_PER_EVENT]; /* of those alive; others 0 */
    bool matches;
};

/* ---- view.c ------------------------------------------------------------------------------ */

/* A view on a transaction that was begun already, which it takes (on failure too). */
int crier_view_adopt(struct crier_store *store,
                     MDB_txn *txn,
                     struct crier_view **ret_view) CRIER_MUST_CHECK;

int crier_view_cursor(struct crier_view *view, int table, MDB_cursor **ret) CRIER_MUST_CHECK;
/* The first event held whose number is at least this; *ret_number 0: there is none. */
int crier_view_at_least(struct crier_view *view,
                        uint64_t number,
                        uint64_t *ret_number,
                        struct crier_row *ret_row) CRIER_MUST_CHECK;
/* The last one whose number is at most this; 0: there is none. */
int crier_view_at_most(struct crier_view *view,
                       uint64_t number,
                       uint64_t *ret_number,
                       struct crier_row *ret_row) CRIER_MUST_CHECK;
/* -ENOENT: it is not held. */
int crier_view_event(struct crier_view *view,
                     uint64_t number,
                     struct crier_row *ret_row) CRIER_MUST_CHECK;
/* What journals call the hash of a topic. */
uint64_t crier_view_hash(const struct crier_view *view, struct crier_slice topic);

/* ---- find.c ------------------------------------------------------------------------------ */

struct crier_find {
    struct crier_view *view;
    const struct crier_filter *filter;
    uint64_t clock_ms;
    bool down, walk;     /* walk: through `events`; else through the lists of topics */
    uint64_t from, last; /* last: looked at; 0: none yet */
    size_t count;        /* of view->heads: a heap, the next one first */
    size_t total;        /* behind these, the lists that are at their end */
    size_t fitting;      /* of them, found by patterns */
};

/* Upwards from the first after `from`, or downwards from the newest that is not after it.
 * Between begin and end the view may be asked for single events, ids and positions, but not for
 * another walk. */
int crier_find_begin(struct crier_find *find,
                     struct crier_view *view,
                     const struct crier_filter *filter,
                     bool down,
                     uint64_t from,
                     uint64_t clock_ms) CRIER_MUST_CHECK;
void crier_find_end(struct crier_find *find);
enum { CRIER_FIND_END = 1 };
/* The next event to be looked at: found->matches says whether it is one. 0, CRIER_FIND_END. */
int crier_find_next(struct crier_find *find, struct crier_found *found) CRIER_MUST_CHECK;
/* Type and ttl only. */
bool crier_find_rest(const struct crier_filter *filter,
                     const struct crier_row *row,
                     uint64_t clock_ms);
/* Looks at an event by itself; view->memo was cleared by crier_find_forget before. */
void crier_find_look(struct crier_view *view,
                     const struct crier_filter *filter,
                     uint64_t clock_ms,
                     struct crier_found *found);
void crier_find_forget(struct crier_view *view);
/* Stands a cursor of `postings` in a topic's list: on the first number that is at least this
 * (down: on the last that is at most this). -ENOENT: there is none. */
int crier_find_posting(MDB_cursor *cursor,
                       uint64_t serial,
                       bool down,
                       uint64_t number,
                       uint64_t *ret_number) CRIER_MUST_CHECK;
/* The next one of the same list. -ENOENT. */
int crier_find_posting_next(MDB_cursor *cursor,
                            bool down,
                            uint64_t *ret_number) CRIER_MUST_CHECK;
/* Calls fn for each topic under the filter's prefixes that its patterns fit (after max_looks
 * names, 0 for no bound: CRIER_FIND_END), until fn returns non-zero, which is returned. */
int crier_find_topics(struct crier_view *view,
                      const struct crier_filter *filter,
                      size_t max_looks,
                      int (*fn)(void *ctx, const struct crier_topic_row *row),
                      void *ctx) CRIER_MUST_CHECK;

#endif
