/* SPDX-License-Identifier: MIT */
/*
 * The store: history in one LMDB file. It knows tables, transactions and bytes; ids, floors,
 * keys and who reads what are the durable journal's (durable.h). docs/journal-format.md
 * describes the file.
 *
 *     DIR/lock        who has the folder open for writing (locked, with the process's number)
 *     DIR/data.mdb    the file          DIR/lock.mdb    LMDB's own table of readers
 *
 * Threads. Everything that writes (begin to commit or abort) is one thread's: the writer's. A
 * view is any thread's own; views see what was committed when they were begun. Counters
 * (crier_store_totals) are the writer's.
 *
 * What can fail: every call, with a negative errno value. -ENOSPC: the disk is full, or the
 * file has reached max_file_bytes: nothing of the transaction is kept, and it may be tried
 * again. Of max_file_bytes an eighth (256 KiB at least) is never put into: letting events leave
 * takes pages before it gives any back. It needs few as long as few leave at once. -E2BIG: too
 * much for one transaction (LMDB's bound): split it. Anything else out of commit (-EIO):
 * nothing is certain any more.
 */
#ifndef CRIER_DURABLE_STORE_H
#define CRIER_DURABLE_STORE_H

#include "base/buf.h"
#include "durable/rules.h"
#include "journal/floor.h"
#include "journal/journal.h"

struct crier_store;

/* When a commit is safe from a power cut. None loses anything to a crash of the process. */
enum crier_sync {
    CRIER_SYNC_ALWAYS = 0, /* before it returns */
    CRIER_SYNC_INTERVAL,   /* when crier_store_sync is called next */
    CRIER_SYNC_NONE,       /* when the system likes */
};

struct crier_store_options {
    const char *dir; /* made if it is not there */
    /* Only reads, also while another process writes: no lock is taken, nothing is made. */
    bool read_only;
    enum crier_sync sync;
    /* 0: CRIER_STORE_FILE_BYTES. An eighth of it (256 KiB at least) is left to transactions
     * that put nothing: to let events leave takes pages before it gives any. */
    uint64_t max_file_bytes;
    const struct crier_rules *rules; /* copied; NULL: those it was last written with */
    const struct crier_journal_limits
        *limits; /* of what no rule takes, and kept_bytes; filled */
    /* For a new store. */
    struct crier_hash_key hash_key;
    unsigned epoch; /* 1 .. 999; 0: none is made, what is there is opened */
};

/* The version of the file's format (docs/journal-format.md). */
enum { CRIER_STORE_FORMAT = 1 };

/* 64 GiB: of addresses, not of memory or disk. */
#define CRIER_STORE_FILE_BYTES (UINT64_C(64) << 30)

/* Opens DIR, makes what is missing. Refused, and told in `fault` (a sentence that names the
 * folder or file and says what to do; *appended*):
 *   -ENOTDIR   DIR is a file            -EACCES  it may not be written
 *   -EBUSY     another process has it   -EILSEQ  an LMDB file of something else
 *   -EPROTO    an unknown version       -EUCLEAN damaged
 *   -ENOENT    read_only and there is none            -ENOMEM, -EIO, -ENOSPC, ... */
int crier_store_open(const struct crier_mem *mem,
                     const struct crier_store_options *options,
                     struct crier_now now,
                     struct crier_store **ret_store,
                     struct crier_buf *fault) CRIER_MUST_CHECK;
/* Takes; NULL is fine; returns NULL. No view may be open. */
struct crier_store *crier_store_close(struct crier_store *store);

/* ---- what is known of it ----------------------------------------------------------------- */

/* All of it is the last commit's (between begin and commit: what the commit will make it). */
struct crier_store_totals {
    struct crier_hash_key
        hash_key;                /* drawn when it was made: floors are kept under its hashes */
    unsigned epoch;              /* the same for ids */
    uint64_t end;                /* number of the newest event ever; 0: there was none */
    struct crier_id start, last; /* ids of position 0 and of event `end` */
    uint64_t events, bytes, topics; /* history now, kept aside included; bytes encoded */
    uint64_t kept_events, kept_bytes;
    uint64_t evicted, expired, forgotten, kept_dropped; /* since it was opened */
    uint64_t file_bytes;                                /* of data.mdb */
    uint64_t free_bytes;     /* of these, to be used again; counted now and then */
    uint64_t max_file_bytes; /* as asked for; 0: only read */
    /* The store's clock when it was last committed, and the wall's. See crier_store_clock. */
    uint64_t clock_ms, wall_ms;
    struct crier_loss root, lost; /* floors (journal/floor.h): of everything, of the rest */
};

const struct crier_store_totals *crier_store_totals(const struct crier_store *store);
/* The ids of the oldest and of the newest event held; 0-0: none. Reads. */
int crier_store_ends(struct crier_store *store,
                     struct crier_id *ret_first,
                     struct crier_id *ret_last) CRIER_MUST_CHECK;

/* The store's clock, in ms: ages and ttls are counted on it. It goes on over restarts and
 * reboots by what the wall clock says has passed meanwhile (never back), and within one life by
 * the boot clock alone. Never small: seven days before now is no trouble. Set when it is
 * opened. */
uint64_t crier_store_clock(const struct crier_store *store, struct crier_now now);
/* How old an event of a topic may become, by its rule or else by the limits; UINT64_MAX: any
 * age. */
uint64_t crier_store_max_age(const struct crier_store *store, struct crier_slice topic);

/* ---- writing: one thread ----------------------------------------------------------------- */

/* An event to be put; everything borrowed for the call. */
struct crier_store_event {
    uint64_t number; /* totals.end + 1 */
    struct crier_id id;
    uint64_t wall_ms;
    uint64_t clock_ms;                /* when, by the store's clock */
    uint64_t expires_ms;              /* by the store's clock; 0: with history */
    const struct crier_slice *topics; /* 1 .. CRIER_TOPICS_PER_EVENT */
    size_t topic_count;
    struct crier_slice type, key;
    struct crier_slice sse; /* without an id line */
    size_t id_at;           /* where in sse it belongs */
    uint64_t bytes;         /* that count for limits: encoded, the id line included */
};

/* An event that leaves history, of these topics of its; the last of its topics when `gone`. */
struct crier_store_leaving {
    uint64_t number;
    struct crier_id id;
    enum crier_store_why {
        CRIER_STORE_EVICTED = 1, /* a limit: its floors are to be raised */
        CRIER_STORE_EXPIRED,     /* its own ttl: no loss */
        CRIER_STORE_FORGOTTEN,   /* DELETE: its floors are to be raised */
    } why;
    struct crier_slice topics[CRIER_TOPICS_PER_EVENT];
    uint64_t
        topic_hashes[CRIER_TOPICS_PER_EVENT]; /* as crier_journal_hash, by totals.hash_key */
    size_t topic_count;
    bool gone; /* it was its last */
    /* The key it was published with (empty: none), and the topic that belongs to it: its first.
     * Only told when gone. */
    struct crier_slice key, first_topic;
};
typedef void crier_store_left_fn(void *ctx, const struct crier_store_leaving *leaving);

/* Begins the one write transaction. Nothing is seen by views, and totals may be undone, until
 * it is committed. */
int crier_store_begin(struct crier_store *store) CRIER_MUST_CHECK;
/* left: an event kept aside for a topic that has a newer one now. */
int crier_store_put(struct crier_store *store,
                    const struct crier_store_event *event,
                    crier_store_left_fn *left,
                    void *ctx) CRIER_MUST_CHECK;
/* Forgets a topic's events put so far. An unknown topic is fine. */
int crier_store_forget(struct crier_store *store,
                       struct crier_slice topic,
                       crier_store_left_fn *left,
                       void *ctx) CRIER_MUST_CHECK;
/* The same of its oldest max_events, for a file with room for less than all of it in one
 * transaction (-ENOSPC). 1: it holds more; 0: that was all. */
int crier_store_forget_some(struct crier_store *store,
                            struct crier_slice topic,
                            size_t max_events,
                            crier_store_left_fn *left,
                            void *ctx) CRIER_MUST_CHECK;
/* Lets events leave: past their ttl, over the limits of their class, too old; at most
 * `max_events` of them (looks that take none out count too). 1: there are more; 0: none. */
int crier_store_retain(struct crier_store *store,
                       uint64_t clock_ms,
                       size_t max_events,
                       crier_store_left_fn *left,
                       void *ctx) CRIER_MUST_CHECK;
/* Floors that changed (crier_floors in memory is what counts; this is its image on disk). */
int crier_store_put_floor(struct crier_store *store,
                          uint64_t hash,
                          const struct crier_loss *loss) CRIER_MUST_CHECK;
int crier_store_drop_floor(struct crier_store *store, uint64_t hash) CRIER_MUST_CHECK;
/* The same for one that leaves, where there is no table in memory. */
int crier_store_raise_floors(struct crier_store *store,
                             const struct crier_store_leaving *leaving) CRIER_MUST_CHECK;
void crier_store_set_floors(struct crier_store *store,
                            const struct crier_loss *root,
                            const struct crier_loss *lost);
/* Ends the transaction; on failure everything since begin is undone (or, out of -EIO, unknown).
 * now: for totals.clock_ms and wall_ms. */
int crier_store_commit(struct crier_store *store, struct crier_now now) CRIER_MUST_CHECK;
void crier_store_abort(struct crier_store *store);
/* Makes what was committed safe from a power cut (CRIER_SYNC_INTERVAL; harmless otherwise). */
int crier_store_sync(struct crier_store *store) CRIER_MUST_CHECK;

/* ---- what is read once, at the start ----------------------------------------------------- */

/* Every floor, least lately raised first. */
int crier_store_each_floor(struct crier_store *store,
                           int (*fn)(void *ctx, uint64_t hash, const struct crier_loss *loss),
                           void *ctx) CRIER_MUST_CHECK;
/* The newest `most` keys of events in history that are younger than age_ms, oldest first. */
struct crier_store_key {
    uint64_t number, clock_ms;
    struct crier_id id;
    struct crier_slice topic, key;
};
int crier_store_each_key(struct crier_store *store,
                         size_t most,
                         uint64_t since_clock_ms,
                         int (*fn)(void *ctx, const struct crier_store_key *key),
                         void *ctx) CRIER_MUST_CHECK;

/* ---- views: reading, any thread ---------------------------------------------------------- */

struct crier_view;

/* A short look at history as it was last committed. Short: what is overwritten meanwhile cannot
 * be used again before it ends. */
int crier_view_begin(struct crier_store *store, struct crier_view **ret_view) CRIER_MUST_CHECK;
/* Takes; returns NULL. */
struct crier_view *crier_view_end(struct crier_view *view);
/* Events later than this number do not exist for the view from now on. */
void crier_view_limit(struct crier_view *view, uint64_t end);

/* In all of these, `clock_ms`: events past their ttl by then do not match.
 *
 * The oldest matching event after `position`; *ret_number 0: there is none. */
int crier_view_oldest(struct crier_view *view,
                      const struct crier_filter *filter,
                      uint64_t position,
                      uint64_t clock_ms,
                      uint64_t *ret_number,
                      struct crier_id *ret_id) CRIER_MUST_CHECK;
/* The count-th newest matching event, or the oldest if there are fewer; 0: none. */
int crier_view_newest(struct crier_view *view,
                      const struct crier_filter *filter,
                      uint64_t count,
                      uint64_t clock_ms,
                      uint64_t *ret_number) CRIER_MUST_CHECK;
/* The newest matching event of each matching topic, of too many the newest; ascending;
 * allocated with the store's mem (the caller takes it); NULL: none. */
int crier_view_latest(struct crier_view *view,
                      const struct crier_filter *filter,
                      uint64_t count,
                      uint64_t clock_ms,
                      uint64_t **ret_numbers,
                      size_t *ret_count) CRIER_MUST_CHECK;
/* The position an id stands for. 0; -ENOENT: no event ever had it. Between two events that are
 * held, with none lost in between, only ids that were given are known; where events have left,
 * ids are taken by order. The id of position 0 is known; older ones and newer than the newest
 * are not, nor those of another epoch. */
int crier_view_position(struct crier_view *view,
                        struct crier_id id,
                        uint64_t *ret_position) CRIER_MUST_CHECK;
/* The newest position before everything that was published at clock_ms or later. */
int crier_view_before(struct crier_view *view,
                      uint64_t clock_ms,
                      uint64_t *ret_position) CRIER_MUST_CHECK;
/* The id that stands for a position: its event's, or, where that has left, one just before the
 * id of the next event held, or of the end. */
int crier_view_id(struct crier_view *view,
                  uint64_t position,
                  struct crier_id *ret_id) CRIER_MUST_CHECK;

/* One bounded slice of the past. Calls fn for each matching event after *position, in order, up
 * to `until`, until fn returns non-zero (that event counts as taken, but for CRIER_SCAN_STOP)
 * or max_looks entries were looked at. *position: up to here all has been looked at. picks:
 * only these numbers. Records borrow from the view's scratch: valid until fn returns; their
 * frames are complete. fn may ask the view for extras, ids and positions. boot_ms and
 * expires_ms are the store's clock. */
struct crier_view_slice {
    const struct crier_filter *filter;
    uint64_t position, until;
    uint64_t clock_ms;
    const uint64_t *picks;
    size_t pick_count;
    uint32_t max_looks; /* 0: no bound */
};
int crier_view_read(struct crier_view *view,
                    struct crier_view_slice *slice,
                    crier_scan_fn *fn,
                    void *ctx) CRIER_MUST_CHECK;

/* As crier_journal_topics and crier_journal_topic. */
int crier_view_topics(struct crier_view *view,
                      struct crier_slice prefix,
                      struct crier_slice after,
                      crier_topic_fn *fn,
                      void *ctx) CRIER_MUST_CHECK;
int crier_view_topic(struct crier_view *view,
                     struct crier_slice name,
                     struct crier_topic_info *ret_info) CRIER_MUST_CHECK;
/* The idempotency key and the ttl an event was published with, for export; -ENOENT. The key is
 * valid while the view is. */
int crier_view_extras(struct crier_view *view,
                      uint64_t number,
                      struct crier_slice *ret_key,
                      uint64_t *ret_ttl_ms) CRIER_MUST_CHECK;

/* ---- for the operator -------------------------------------------------------------------- */

/* What a share of history holds: that of what no rule takes, then that of each rule in force
 * (those the file was last written with). */
struct crier_store_share {
    const struct crier_rule *rule; /* NULL: of what no rule takes; lives as long as the store */
    uint64_t events, bytes;        /* without those kept aside */
    uint64_t kept_events, kept_bytes;
};
/* The shares by number, from 0 on; false: there are no more. */
bool crier_store_share(struct crier_store *store,
                       size_t i,
                       struct crier_store_share *ret_share);
/* The process that has the folder open for writing; 0: none has. Takes no lock. 0, -errno. */
int crier_store_holder(const char *dir, uint64_t *ret_process) CRIER_MUST_CHECK;

/* Reads every page and every entry, and compares the tables with each other. Each fault found
 * is a sentence for fn. 0: sound; -EUCLEAN: it is not; others: it could not be looked at. */
int crier_store_verify(struct crier_store *store,
                       void (*fn)(void *ctx, const char *fault),
                       void *ctx) CRIER_MUST_CHECK;
/* Writes a copy without free pages beside the file and puts it in its place. The store must
 * have been opened for writing; it is closed by this, whatever the result. */
int crier_store_compact(struct crier_store *store,
                        uint64_t *ret_before,
                        uint64_t *ret_after,
                        struct crier_buf *fault) CRIER_MUST_CHECK;

#endif
