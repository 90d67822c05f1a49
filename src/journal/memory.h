/* SPDX-License-Identifier: MIT */
/*
 * The memory journal's own header: what its files share. The picture is in memory.c.
 *
 *   memory.c   the object, append
 *   inform.c   ids of positions, topics, counters
 *   retain.c   what leaves history, and why; physical memory
 *   cursor.c   the workers' places at the live end
 *   watch.c    readers that sleep
 *   locate.c   where a stream starts
 *   scan.c     reading the past (with match.c and merge.c, which locate.c uses too)
 */
#ifndef CRIER_JOURNAL_MEMORY_H
#define CRIER_JOURNAL_MEMORY_H

#include "journal/deadline.h"
#include "journal/floor.h"
#include "journal/journal.h"
#include "journal/kept.h"
#include "journal/keys.h"
#include "journal/segment.h"
#include "journal/topics.h"
#include "journal/watch.h"
#include <pthread.h>

enum {
    CRIER_EPOCH_IDS = 10000,      /* sequence numbers of one epoch within a millisecond */
    CRIER_WAKE_BEHIND = 1 << 20,  /* a sleeper is woken when it has so much to read */
    CRIER_FULL_BEYOND = 64 << 20, /* refused when so much is over what makes it unwritable */
};

/* Names looked at, in all, to find the topics that patterns fit. */
enum { CRIER_MERGE_LOOKS = 512 };

/* With `backed`, the window is only what memory holds of a history that lies on a disk: what
 * leaves it is not lost, floors and keys are kept by whoever fills it (durable/durable.h), and
 * nothing is kept aside. */
struct crier_memory {
    struct crier_journal journal; /* first: the two are cast into each other */
    bool backed;
    struct crier_journal_limits limits;
    unsigned epoch;
    pthread_mutex_t mutex; /* guards all below, but for what is atomic */
    _Atomic uint64_t end;  /* number of the newest event that may be read */
    uint64_t first;        /* the window is first .. end */
    struct crier_id start; /* the id of position 0 */
    struct crier_id last;  /* of event end */
    struct crier_id before_first;
    uint64_t boot_ms;       /* the latest seen: never goes back */
    uint64_t events, bytes; /* alive in the window */
    struct crier_segments segments;
    struct crier_topics topics;
    size_t merge_looks; /* CRIER_MERGE_LOOKS; tests set 0: patterns always walk the index */
    struct crier_kept kept;
    struct crier_floors floors;
    struct crier_keys keys;
    struct crier_deadlines deadlines;
    struct crier_cursor *cursors;
    struct crier_watches watches;
    uint64_t appended, duplicates, evicted, expired, forgotten, full, lapped;
    uint64_t kept_dropped; /* of those evicted: for want of room aside */
};

/* An event of history, wherever it lies. stored NULL: there is none. */
struct crier_held {
    uint64_t number;
    struct crier_stored *stored;
    struct crier_kept_event *kept; /* NULL: it is in the window */
};

enum crier_leaving {
    CRIER_LEAVING_EVICTED = 1,
    CRIER_LEAVING_EXPIRED,
    CRIER_LEAVING_FORGOTTEN,
    /* Out of memory, not out of history; or out of that too, and what is to be noted of it was.
     */
    CRIER_LEAVING_MEMORY,
};

/* Where the window begins: nothing of what was before is in memory. */
struct crier_memory_past {
    unsigned epoch;
    uint64_t boot_ms;
    uint64_t end; /* number of the newest event there ever was */
    struct crier_id start, last;
};
/* journal (its ops may be another's), limits and backed are set. 0, -ENOMEM. */
int crier_memory_init(struct crier_memory *memory,
                      const struct crier_memory_past *past) CRIER_MUST_CHECK;
void crier_memory_deinit(struct crier_memory *memory);
struct crier_memory *crier_memory_of(struct crier_journal *journal);
void crier_memory_lock(struct crier_memory *memory);
void crier_memory_unlock(struct crier_memory *memory);
/* All of these under the mutex. */
void crier_memory_see(struct crier_memory *memory,
                      struct crier_now now); /* boot time, never backwards */
/* The living event with that number; stored NULL if it has left. */
struct crier_held crier_memory_held(const struct crier_memory *memory, uint64_t number);
/* The id that stands for position `number`; see locate.c. */
struct crier_id crier_memory_id(const struct crier_memory *memory, uint64_t number);

/* The id after `last`. */
struct crier_id crier_memory_next_id(unsigned epoch, struct crier_id last, uint64_t wall_ms);
/* With `backed`: event end + 1, as it was written below, comes into the window. The caller
 * retains, releases and wakes. 0, -ENOMEM. */
int crier_memory_take(struct crier_memory *memory,
                      const struct crier_draft *draft,
                      struct crier_id id,
                      struct crier_now now,
                      uint64_t expires_ms) CRIER_MUST_CHECK;

/* retain.c */
/* The event is no longer history of the topics in `mask`. */
void crier_memory_drop(struct crier_memory *memory,
                       struct crier_held held,
                       unsigned mask,
                       enum crier_leaving why);
void crier_memory_retain(struct crier_memory *memory); /* ttl, age, events, bytes, kept-aside */
void crier_memory_release(struct crier_memory *memory); /* segments that all have read */
/* Every event of the topic leaves it. */
void crier_memory_forget(struct crier_memory *memory,
                         struct crier_slice topic,
                         enum crier_leaving why);

/* cursor.c */
int crier_memory_attach(struct crier_journal *journal, struct crier_cursor *cursor);
void crier_memory_detach(struct crier_journal *journal, struct crier_cursor *cursor);
int crier_memory_next(struct crier_cursor *cursor,
                      struct crier_record *ret_record,
                      bool (*wanted)(void *, uint64_t),
                      void *ctx);
bool crier_memory_sleep(struct crier_cursor *cursor);
void crier_memory_awake(struct crier_cursor *cursor, struct crier_now now);
void crier_memory_wake(struct crier_memory *memory, uint64_t from); /* of events after `from` */
/* Is event i of the segment on a topic of interest? */
bool crier_memory_interested(const struct crier_interest *interest,
                             const struct crier_segment *segment,
                             uint32_t i);

/* watch.c */
bool crier_memory_watch(struct crier_journal *journal, struct crier_watch *watch);
void crier_memory_unwatch(struct crier_journal *journal, struct crier_watch *watch);
void crier_memory_rouse(struct crier_memory *memory); /* of the newest event */

/* locate.c */
/* The event of the window that has this id. false: there is none. */
bool crier_memory_find_id(const struct crier_memory *memory,
                          struct crier_id id,
                          uint64_t *ret_number);
int crier_memory_locate(struct crier_journal *journal,
                        const struct crier_filter *filter,
                        const struct crier_since *since,
                        struct crier_now now,
                        struct crier_wait *wait,
                        struct crier_start *ret_start);
/* The start after a gap: just before the oldest matching event after `position`, or `limit`.
 * 0, -ENOMEM. */
int crier_memory_gap_start(struct crier_memory *memory,
                           const struct crier_filter *filter,
                           uint64_t position,
                           uint64_t limit,
                           struct crier_start *ret_start) CRIER_MUST_CHECK;

/* scan.c */
/* Under the mutex, which it lets go of now and then: reads on from a position in the window (or
 * the first pick after it is). With `backed`, ends early where the window has moved past it. */
int crier_memory_read(struct crier_memory *memory,
                      struct crier_scan *scan,
                      crier_scan_fn *fn,
                      void *ctx);
int crier_memory_scan(struct crier_journal *journal,
                      struct crier_scan *scan,
                      crier_scan_fn *fn,
                      void *ctx,
                      struct crier_start *ret_gap);

/* inform.c */
int crier_memory_topic(struct crier_journal *journal,
                       struct crier_slice name,
                       struct crier_wait *wait,
                       struct crier_topic_info *ret_info);
int crier_memory_topics(struct crier_journal *journal,
                        struct crier_slice prefix,
                        struct crier_slice after,
                        size_t limit,
                        struct crier_wait *wait,
                        crier_topic_fn *fn,
                        void *ctx);
void crier_memory_stats(struct crier_journal *journal, struct crier_journal_stats *ret_stats);

/* check.c: asserts every invariant. Slow; for tests. Takes the mutex. */
void crier_memory_check(struct crier_journal *journal);

#endif
