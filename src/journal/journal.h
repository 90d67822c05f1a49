/* SPDX-License-Identifier: MIT */
/*
 * The journal: the ordered, bounded history every reader is a position in. This page is the
 * interface; journal/memory.c is the memory journal, durable/durable.c the one on disk. A later
 * one (Redis Streams) stands behind the same table of functions.
 *
 * Positions. Events are numbered 1, 2, 3, ... in publish order (a memory journal begins anew
 * with each life of the process); a *position* p means "has seen everything up to and including
 * event p". Ids are what the outside sees; they grow with the numbers.
 *
 *        kept aside (bounded)         the window (segments)
 *     .. 17 ...... 240 ........ | 901 902 903 ........................ 1500 |
 *        ^ newest of topics       ^ first          ^ a worker's cursor      ^ end
 *          gone quiet
 *
 * Threads. submit, append, locate, scan, forget, topics, stats: any thread (they take the
 * mutex). crier_cursor_next reads what is published without the mutex; a cursor belongs to one
 * thread.
 *
 * Waiting. A journal on disk cannot always answer at once. Publishes are submitted as parcels
 * and come back; questions about the past are asked with a crier_wait, answered CRIER_WAIT, and
 * asked again when it wakes. Threads that may stand still use append, and ask without a wait.
 * The memory journal answers everything at once.
 */
#ifndef CRIER_JOURNAL_JOURNAL_H
#define CRIER_JOURNAL_JOURNAL_H

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/slice.h"
#include "crier/hub.h"
#include "event/id.h"
#include <stdatomic.h>

struct crier_mem;
struct crier_journal;
struct crier_segment;

enum {
    CRIER_TOPICS_PER_EVENT = 8,
    /* The framing of every record: eight hex digits, CRLF, the event, CRLF. One HTTP/1.1 chunk.
     */
    CRIER_FRAME_HEAD = 10,
    CRIER_FRAME_TAIL = 2,
};

/* ---- writing ------------------------------------------------------------- */

enum {
    CRIER_APPEND_DUPLICATE = 1, /* the key is known: ret_id is the first one's, nothing added */
    CRIER_APPEND_FULL = 2,      /* history cannot take it now: try later */
    CRIER_APPEND_UNKNOWN = 3,   /* it is in history or it is not: writing it failed too late */
};

/* One publish, or one DELETE. Everything is borrowed (until it is done) and copied. */
struct crier_draft {
    struct crier_slice topics[CRIER_TOPICS_PER_EVENT]; /* distinct, valid topics */
    size_t topic_count;                                /* 1.. */
    struct crier_slice type;                           /* empty: message */
    struct crier_slice sse; /* crier_event_append's bytes, without an id */
    size_t id_at;           /* where in sse the `id:` line belongs */
    uint64_t ttl_ms;        /* 0: as long as history */
    struct crier_slice key; /* idempotency key; empty: none */
    /* Not a publish: the history of topics[0] is forgotten, with what was put in before it. */
    bool forget;
    /* Drafts with the same one (not NULL), side by side, are one batch: after one that could
     * not be appended none of them is (-ECANCELED). */
    const void *batch;
    /* The same over several parcels: set when one of its drafts has failed, and looked at
     * before each. Borrowed for as long as any of them is on its way. NULL: none of that. */
    _Atomic bool *failed;
    /* answers */
    /* 0, CRIER_APPEND_..., -EMSGSIZE, -ECANCELED, -ENOMEM; -ENOSPC: the disk is full, it is not
     * published; -EIO: the disk has failed, nothing is published any more. */
    int result;
    struct crier_id ret_id; /* valid for 0 and CRIER_APPEND_DUPLICATE */
};

/* Drafts that are handed in together. Zeroed, drafts and count set. */
struct crier_parcel {
    struct crier_draft *drafts;
    size_t count;
    /* Called once, if submit answered false, in any thread, without a mutex: it must be quick,
     * and wait for nothing; it may submit. The parcel, and what its drafts borrow, are the
     * caller's again. */
    void (*done)(struct crier_parcel *parcel);
    /* The journal's: */
    struct crier_parcel *next;
    struct crier_now now;
    bool refused; /* results are set: it is only waiting for its turn to come back */
    size_t bytes;
};

/* For a question that may have to wait for the disk. Zeroed but for wake; one question at a
 * time, and what it was asked with (filter, picks) stays until it is answered or given up. When
 * it is asked once more, a scan's `until` may have grown. CRIER_SINCE_NOW is answered at once.
 */
struct crier_wait {
    /* The same question, asked once more, is answered now (or has to wait again). Any thread,
     * under a mutex of the journal: it must only signal. */
    void (*wake)(struct crier_wait *wait);
    void *job; /* the journal's; NULL: nothing was asked */
};
enum { CRIER_WAIT = 4 };

/* ---- reading ------------------------------------------------------------- */

/* A view on one event. Borrows from the segment: valid until the cursor moves on (cursor) or
 * until the callback returns (scan). */
struct crier_record {
    uint64_t number; /* the event's number */
    struct crier_id id;
    uint64_t wall_ms; /* when it was published */
    uint64_t boot_ms;
    uint64_t expires_ms; /* boot clock; 0: with history */
    /* From a scan: those it is still history of (others were forgotten, or lost it). */
    struct crier_slice topics[CRIER_TOPICS_PER_EVENT];
    uint64_t topic_hashes[CRIER_TOPICS_PER_EVENT];
    size_t topic_count;
    struct crier_slice type;  /* empty: message */
    struct crier_slice frame; /* the event as one HTTP/1.1 chunk */
    struct crier_slice sse;   /* the event alone: a part of frame */
};

/* Which topics wake a sleeper: a Bloom filter over topic hashes, two bits each; all ones when
 * it follows a pattern. Only its owner writes it. */
struct crier_interest {
    _Atomic uint64_t bits[8];
};

/* A worker's place at the live end. Zeroed, then crier_journal_attach. */
struct crier_cursor {
    struct crier_journal *journal;
    struct crier_segment *segment; /* holds one reference, returned when crossed */
    uint32_t index;                /* of the next event in segment */
    _Atomic uint64_t position;     /* what this worker has read: retention looks at it */
    _Atomic bool asleep;           /* see sleep */
    _Atomic uint64_t moved_ms;     /* boot clock of its last tick: who stands still is lapped */
    struct crier_interest interest;
    /* Called by appenders, in any thread and under the mutex: it must only signal. */
    void (*wake)(void *ctx);
    void *wake_ctx;
    uint64_t lapped_at; /* set by next: the position it was lapped at, 0 if it was not */
    bool lapped;        /* the journal's, under its mutex: history has gone on without it */
    struct crier_cursor *next_cursor; /* the journal's list */
};

enum {
    CRIER_CURSOR_END = 1, /* nothing new */
    /* It had not moved for too long and history moved on without it: it stands at the end now,
     * and its streams lag from cursor->lapped_at. */
    CRIER_CURSOR_LAPPED = 2,
};

/* A reader that sleeps until an event it may want is appended: it holds no place and nothing
 * of history. Zeroed; only or interest, wake and wake_ctx set; then crier_journal_watch. */
struct crier_watch {
    uint64_t only; /* the hash of its one topic; 0: interest says */
    struct crier_interest interest;
    /* Called once, when it is roused, in any thread, under the mutex: it must only signal. */
    void (*wake)(void *ctx);
    void *wake_ctx;
    _Atomic bool asleep;
    /* Before it sleeps: how far its owner has looked. When it is awake again: so far there was
     * nothing for it. */
    uint64_t position;
    struct crier_list node; /* the journal's, while it is asleep */
};

/* What a subscription wants, as the journal has to know it. Pure; the hub makes it. */
struct crier_filter {
    /* Exact topics: found through the topic's own list of events, cost by events found. */
    const struct crier_slice *topics;
    const uint64_t *topic_hashes; /* crier_journal_hash of each */
    size_t topic_count;
    /* Patterns: each event's topics are shown to `match` (a topic's answer may be remembered by
     * the implementation for one call only). NULL: there are none. */
    bool (*match)(const void *ctx, struct crier_slice topic);
    const void *ctx;
    /* The literal text before the first wildcard of each pattern, without its last slash:
     * "" (everything), "orders", "orders/42". Floors are looked up under it. */
    const struct crier_slice *prefixes;
    size_t prefix_count;
    /* Types wanted; none: all. "message" stands for untyped. */
    const struct crier_slice *types;
    size_t type_count;
    /* Equal keys, equal filters: what is read for one may be shown to the other. Empty: not so.
     */
    struct crier_slice key;
};

bool crier_filter_type(const struct crier_filter *filter, struct crier_slice type);
/* Is it a topic of the filter? */
bool crier_filter_topic(const struct crier_filter *filter,
                        struct crier_slice topic,
                        uint64_t hash);
/* Does the event match (topic and type)? */
bool crier_filter_match(const struct crier_filter *filter, const struct crier_record *record);

enum crier_since_kind {
    CRIER_SINCE_NOW = 0,
    CRIER_SINCE_EARLIEST,
    CRIER_SINCE_LAST,    /* the newest `count` matching events */
    CRIER_SINCE_LATEST,  /* the newest event of each matching topic, at most `count` topics */
    CRIER_SINCE_AGO,     /* published at most `ms` ago */
    CRIER_SINCE_ID,      /* after `id`; tells gaps */
    CRIER_SINCE_UNKNOWN, /* a last id that is no id at all: a gap, everything held */
};

struct crier_since {
    enum crier_since_kind kind;
    uint64_t count;
    uint64_t ms;
    struct crier_id id;
};

enum crier_gap {
    CRIER_GAP_NONE = 0,
    CRIER_GAP_EVICTED, /* a later matching event has left history */
    CRIER_GAP_UNKNOWN, /* malformed, from the future, from another life, or no event's id */
    CRIER_GAP_LAGGED,  /* a stream fell behind what history holds */
};

/* Where a stream starts. */
struct crier_start {
    uint64_t position;
    struct crier_id id; /* the id that stands for this position: resuming after it is exact */
    enum crier_gap gap;
    bool has_oldest; /* with a gap: the oldest matching event held after the start */
    struct crier_id oldest;
    /* CRIER_SINCE_LATEST: the numbers of the events to send first, ascending, allocated with
     * the journal's mem (the caller takes it); after them the stream goes on at `until`. */
    uint64_t *picks;
    size_t pick_count;
    uint64_t until; /* the end of the journal when this was answered */
    /* How many losses the journal had counted by then. They are told (or need not be): a stream
     * that starts here hands the number to every scan, until its position has reached `until`.
     * Without it, a start among kept-aside events would be told the same gap at every slice. */
    uint64_t losses;
};

/* One bounded slice of reading the past. */
struct crier_scan {
    const struct crier_filter *filter;
    uint64_t position; /* in: start; out: up to here all has been looked at (or delivered) */
    uint64_t until;    /* never past it */
    uint32_t
        max_looks; /* index entries looked at, at most (0: no bound); the slice ends there */
    uint64_t now_boot_ms; /* events past their ttl are passed over */
    /* non-NULL: only these numbers (ascending), from those after position; no gap is told, and
     * position goes from pick to pick: all are done when it has reached the last one. */
    const uint64_t *picks;
    size_t pick_count;
    uint32_t looks; /* out: what it cost */
    /* In: crier_start.losses of the stream's start (or of its last CRIER_SCAN_GAP). 0 for a
     * stream that was live at `position`: every loss after it counts. Out, with CRIER_SCAN_GAP:
     * as in ret_gap. */
    uint64_t losses;
    struct crier_wait *wait; /* NULL: this thread may stand still */
};

/* Called for each matching event, in order. 0: go on. CRIER_SCAN_STOP: this one was not taken,
 * position stays before it. CRIER_SCAN_TAKEN: taken, and stop. Runs WITHOUT the mutex, with the
 * event pinned. */
enum { CRIER_SCAN_STOP = 1, CRIER_SCAN_TAKEN = 2 };
typedef int crier_scan_fn(void *ctx, const struct crier_record *record);

enum {
    /* From scan: a matching event after position is gone; *ret_gap says where it goes on. */
    CRIER_SCAN_GAP = 3,
};

typedef bool crier_topic_fn(void *ctx, const struct crier_topic_info *info); /* false: stop */

struct crier_journal_stats {
    uint64_t events, bytes; /* history now, kept-aside included */
    uint64_t topics;
    uint64_t kept_events, kept_bytes; /* of these, kept aside */
    uint64_t appended, duplicates, evicted, expired, forgotten, full, lapped;
    uint64_t kept_dropped;   /* of those evicted: the newest of a topic, but kept_bytes */
    uint64_t keys_dropped;   /* by max_keys: a repeat would be published again */
    uint64_t keys_expired;   /* by key_age_ms */
    uint64_t floors_dropped; /* by max_floors: gaps may be told in vain from then on */
    uint64_t keys, floors;
    uint64_t held_bytes; /* memory of segments, read or not */
    struct crier_id first, last;
    struct crier_disk_stats {
        bool durable;                         /* false: there is no disk, and all below is 0 */
        uint64_t file_bytes, free_bytes;      /* free: inside the file, to be used again */
        uint64_t max_file_bytes;              /* the file does not grow beyond */
        uint64_t window_events, window_bytes; /* of history, also in memory */
        uint64_t commits, committed;          /* transactions, and events in them */
        uint64_t largest_commit;              /* events */
        uint64_t commit_us, slowest_commit_us, last_commit_us; /* times: in all, most, last */
        uint64_t refused_full, refused_failed, unknown;        /* publishes */
        uint64_t pending_bytes;       /* submitted, not committed yet */
        uint64_t reads, shared_reads; /* slices read from disk; found read already */
        uint64_t read_waits;          /* by replay_bytes: a read had to wait for room */
        uint64_t replay_bytes;        /* memory of slices now */
    } disk;
};

enum crier_journal_state {
    CRIER_JOURNAL_OK = 0,
    CRIER_JOURNAL_FULL,   /* the disk is full: publishes are refused until there is room */
    CRIER_JOURNAL_FAILED, /* the disk has failed: they are refused until a restart */
};

struct crier_journal_limits {
    uint64_t max_events, max_bytes, max_age_ms; /* 0: the defaults (100,000; 256 MiB; 24 h) */
    uint64_t kept_bytes;                        /* 32 MiB */
    uint64_t unread_bytes;         /* over the limits for workers that have not read: 64 MiB */
    uint64_t lap_ms;               /* 2,000 */
    uint64_t max_event_bytes;      /* 1 MiB encoded */
    uint64_t max_keys, key_age_ms; /* 100,000; 10 min */
    uint64_t max_floors;           /* 100,000 */
    /* A journal on disk: */
    uint64_t window_bytes;  /* of history that are in memory too: 32 MiB */
    uint64_t replay_bytes;  /* of what lagging readers are given from the disk: 16 MiB */
    uint64_t pending_bytes; /* submitted and not committed; beyond, publishers wait: 32 MiB */
};

struct crier_journal_ops {
    void (*free)(struct crier_journal *);
    bool (*submit)(struct crier_journal *, struct crier_parcel *, struct crier_now now);
    bool (*writable)(struct crier_journal *);
    int (*attach)(struct crier_journal *, struct crier_cursor *);
    void (*detach)(struct crier_journal *, struct crier_cursor *);
    int (*next)(struct crier_cursor *,
                struct crier_record *ret_record,
                bool (*wanted)(void *, uint64_t),
                void *ctx);
    bool (*sleep)(struct crier_cursor *);
    void (*awake)(struct crier_cursor *, struct crier_now now);
    bool (*watch)(struct crier_journal *, struct crier_watch *);
    void (*unwatch)(struct crier_journal *, struct crier_watch *);
    int (*locate)(struct crier_journal *,
                  const struct crier_filter *,
                  const struct crier_since *,
                  struct crier_now,
                  struct crier_wait *,
                  struct crier_start *ret);
    int (*scan)(struct crier_journal *,
                struct crier_scan *,
                crier_scan_fn *,
                void *ctx,
                struct crier_start *ret_gap);
    int (*topic)(struct crier_journal *,
                 struct crier_slice name,
                 struct crier_wait *,
                 struct crier_topic_info *ret);
    int (*topics)(struct crier_journal *,
                  struct crier_slice prefix,
                  struct crier_slice after,
                  size_t limit,
                  struct crier_wait *,
                  crier_topic_fn *,
                  void *ctx);
    void (*unwait)(struct crier_journal *, struct crier_wait *); /* NULL: it never waits */
    enum crier_journal_state (*state)(struct crier_journal *);   /* NULL: always OK */
    void (*trim)(struct crier_journal *, struct crier_now now);
    void (*stats)(struct crier_journal *, struct crier_journal_stats *ret);
};

struct crier_journal {
    const struct crier_journal_ops *ops;
    const struct crier_mem *mem;
    struct crier_hash_key hash_key;
    /* It may answer CRIER_WAIT, and submit false: threads that must not stand still neither
     * append nor ask without a wait. */
    bool may_wait;
};

/* The same limits with the defaults filled in; NULL: all of them. */
struct crier_journal_limits
crier_journal_limits_filled(const struct crier_journal_limits *limits);
/* The memory journal. epoch is drawn by the caller, 1..999 (docs/architecture.md, Ids): the
 * sequence within each millisecond starts at epoch x 10,000. limits are copied (0: default).
 * 0, -ENOMEM, -EINVAL. */
int crier_journal_new_memory(const struct crier_mem *mem,
                             const struct crier_hash_key *key,
                             const struct crier_journal_limits *limits,
                             unsigned epoch,
                             struct crier_now now,
                             struct crier_journal **ret_journal) CRIER_MUST_CHECK;

/* ---- the calls, with their contracts ---------------------------------------- */

/* Takes; NULL is fine. No cursor may be attached, no watch asleep. */
void crier_journal_free(struct crier_journal *);
uint64_t crier_journal_hash(const struct crier_journal *, struct crier_slice topic);

/* Appends all drafts in order. true: it is done, each draft has its result. false: the parcel
 * is the journal's until its `done` is called; parcels come back in the order they were handed
 * in. An event is seen by readers before its publisher hears of it, and never before a crash
 * could no longer take it back. */
bool crier_journal_submit(struct crier_journal *, struct crier_parcel *, struct crier_now now);
/* The same, standing still until it is done. */
void crier_journal_append(struct crier_journal *,
                          struct crier_draft *drafts,
                          size_t count,
                          struct crier_now now);
/* false: workers have not read what is over the limits; publishing connections are not to be
 * read until it is true again. */
bool crier_journal_writable(struct crier_journal *);

/* Places the cursor at the end. wake and wake_ctx are set by the caller before. 0, -ENOMEM. */
int crier_journal_attach(struct crier_journal *, struct crier_cursor *) CRIER_MUST_CHECK;
void crier_journal_detach(struct crier_cursor *);
/* The next event, or CRIER_CURSOR_END, or CRIER_CURSOR_LAPPED. Published is published: an event
 * is delivered here though it was forgotten, evicted or past its ttl by then. `wanted(ctx,
 * topic_hash)` is asked first for each topic of an event; an event nobody wants is passed over
 * for that one look. NULL wants all. The record is valid until the next call. */
int crier_cursor_next(struct crier_cursor *,
                      struct crier_record *ret_record,
                      bool (*wanted)(void *ctx, uint64_t topic_hash),
                      void *ctx) CRIER_MUST_CHECK;
/* Before epoll_wait: announces sleep and looks once more. false: there is news, do not sleep.
 */
bool crier_cursor_sleep(struct crier_cursor *);
/* After epoll_wait, and each tick. */
void crier_cursor_awake(struct crier_cursor *, struct crier_now now);
void crier_cursor_interest_add(struct crier_cursor *, uint64_t topic_hash);
void crier_cursor_interest_all(struct crier_cursor *);
void crier_cursor_interest_clear(struct crier_cursor *);
void crier_interest_add(struct crier_interest *, uint64_t topic_hash);
void crier_interest_all(struct crier_interest *);
void crier_interest_clear(struct crier_interest *);
bool crier_interest_has(const struct crier_interest *, uint64_t topic_hash);

/* Sleeps until an event it may want is appended. false: there may be one after its position, or
 * much to look through: it stays awake. */
bool crier_journal_watch(struct crier_journal *, struct crier_watch *) CRIER_MUST_CHECK;
/* Awake again, if it is not; wake is not called any more. */
void crier_journal_unwatch(struct crier_journal *, struct crier_watch *);

/* Where does a stream that asks for `since` start? wait NULL: this thread may stand still. 0;
 * CRIER_WAIT; -ENOMEM; -EIO and the like: the disk cannot be read. */
int crier_journal_locate(struct crier_journal *,
                         const struct crier_filter *,
                         const struct crier_since *,
                         struct crier_now now,
                         struct crier_wait *wait,
                         struct crier_start *ret_start) CRIER_MUST_CHECK;
/* Reads on from scan->position. 0: the slice ended (at until, at max_looks, or by fn: position
 * says). CRIER_SCAN_GAP: nothing was called; *ret_gap has position, id, gap = LAGGED, oldest.
 * CRIER_WAIT: nothing was called, the scan is as it was. -ENOMEM, -EIO. */
int crier_journal_scan(struct crier_journal *,
                       struct crier_scan *scan,
                       crier_scan_fn *fn,
                       void *ctx,
                       struct crier_start *ret_gap) CRIER_MUST_CHECK;

/* Forgets a topic's history (unknown: nothing happens). Resumes from before get a gap. As a
 * draft's result: 0, CRIER_APPEND_FULL or _UNKNOWN, -ENOSPC, -EIO. */
int crier_journal_forget(struct crier_journal *,
                         struct crier_slice topic,
                         struct crier_now now);
/* 0, -ENOENT, CRIER_WAIT, -EIO; its name is the argument. */
int crier_journal_topic(struct crier_journal *,
                        struct crier_slice name,
                        struct crier_wait *wait,
                        struct crier_topic_info *ret_info) CRIER_MUST_CHECK;
/* Topics that hold events, by name, after `after` (exclusive), with the prefix, at most `limit`
 * (or until fn returns false). Under a mutex: fn must be quick. 0, CRIER_WAIT (fn was not
 * called), -ENOMEM, -EIO. */
int crier_journal_topics(struct crier_journal *,
                         struct crier_slice prefix,
                         struct crier_slice after,
                         size_t limit,
                         struct crier_wait *wait,
                         crier_topic_fn *fn,
                         void *ctx) CRIER_MUST_CHECK;
/* Gives up what was asked, if anything was; wake is not called any more. May stand still for a
 * moment, while the question is being worked on. */
void crier_journal_unwait(struct crier_journal *, struct crier_wait *wait);
/* Any thread; without a mutex. */
enum crier_journal_state crier_journal_state(struct crier_journal *);
/* Retention by age and ttl, and what became free because workers read on; once a second by
 * someone. */
void crier_journal_trim(struct crier_journal *, struct crier_now now);
void crier_journal_get_stats(struct crier_journal *, struct crier_journal_stats *ret_stats);

#endif
