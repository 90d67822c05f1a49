/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The hub: topics, history, positions; no HTTP; threads of its own only for a disk.
 *
 * Everything is a log, and every reader is a position in it: publishing appends, a reader reads
 * on from where it stands, at its own pace. A reader that is slow, or comes back with the last
 * id it saw, misses nothing while history holds it, and is told when something is gone.
 *
 * A topic is a slash-separated path: 1 to 256 bytes of UTF-8, at most 16 segments, none empty,
 * "." or ".."; no control characters, no '*'. A selector is a topic or a pattern, in which "*"
 * stands for one whole segment, and "**" at the end for one or more.
 */
#ifndef CRIER_HUB_H
#define CRIER_HUB_H

#include "crier/event.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the hub ----------------------------------------------------------------------------- */

struct crier_hub;

/** None of the limits can be CRIER_OFF. */
struct crier_hub_options {
    size_t size;                     /**< of this struct */
    const struct crier_mem *mem;     /**< *borrowed*; NULL: the C library's */
    const struct crier_clock *clock; /**< *borrowed*; NULL: the system's */
    /** History, whichever is reached first: 100,000 events, 256 MiB, 24 h. */
    int64_t history_events, history_bytes, history_age_ms;
    int64_t keep_bytes;   /**< newest events of topics gone quiet, kept beyond that: 32 MiB */
    int64_t unread_bytes; /**< over the limits for servers that have not read: 64 MiB */
    int64_t lap_ms;       /**< a worker that stands still so long is left behind: 2,000 */
    int64_t max_event_bytes;      /**< one event, encoded: 1 MiB */
    int64_t max_keys, key_age_ms; /**< idempotency keys known: 100,000, for 10 min */
    int64_t max_floors;           /**< topics whose losses are known exactly: 100,000 */
    /**
     * Since 0.3: a folder to keep history in, made if it is not there; NULL: in memory only.
     * What follows is for a hub on disk.
     */
    const char *dir;
    /**
     * When an event is safe from a power cut: "always" (NULL): before its publisher hears of
     * it; "interval" (every 100 ms), "interval=250ms": so much may be lost; "none": what the
     * system has not written yet. A crash of the program alone loses nothing.
     */
    const char *sync;
    /**
     * Limits by topic, "SELECTOR=LIMIT,…": with "news=10000,1GiB,7d" all topics that
     * the selector matches hold together at most so many events and bytes, none older, instead of history's limits.
     * The first rule that matches a topic counts; at most 64.
     */
    const char *const *retain;
    size_t retain_count;
    int64_t file_bytes;    /**< the file does not grow beyond: 64 GiB */
    int64_t window_bytes;  /**< the newest events, in memory too: 32 MiB */
    int64_t replay_bytes;  /**< memory for what readers far behind are given: 16 MiB */
    int64_t pending_bytes; /**< submitted, not on disk yet: 32 MiB */
};

/**
 * Makes a hub. The caller has it until crier_hub_free(). Any thread.
 *
 * With .dir (or an option that needs it) NULL is only want of memory. Whatever else is wrong (the
 * folder cannot be used, another process has it, the file is damaged, an option is not valid)
 * makes a hub that only knows why: every call answers the error, crier_hub_error() the sentence,
 * and a server that mounts it tells it. CRIER_EINVAL: an option; CRIER_ENOENT, CRIER_ENOTDIR,
 * CRIER_EACCES, CRIER_ENOSPC, CRIER_EIO: the folder (or the one it lies in); CRIER_EBUSY:
 * another process (or hub) has it; CRIER_EPROTO: a file of something else, or of a version that
 * is not known; CRIER_EUCLEAN: damaged; CRIER_ENOTSUP: this library was built without.
 * @return NULL: out of memory, no randomness, or (without .dir) an option is not valid
 */
CRIER_API struct crier_hub *
crier_hub_new_with(const struct crier_hub_options *options) CRIER_MUST_CHECK;
/**
 * *Takes*; NULL is fine. Returns NULL. The hub itself lives on while a server, a stream or a
 * reader uses it. Any thread.
 *
 * The last one out closes a hub on disk: what was submitted is written and done first (in there,
 * calls with this hub answer CRIER_ECANCELED), and the folder is free when this returns. In a
 * callback nobody can wait for that: then it is closed a moment later.
 */
CRIER_API struct crier_hub *crier_hub_free(struct crier_hub *hub);
/**
 * Why it cannot be used, a sentence ("cannot … /var/lib/news: …"); "" if it can. *Borrowed* for
 * its life. Any thread.
 */
CRIER_API const char *crier_hub_error(const struct crier_hub *hub);

/* ---- publishing -------------------------------------------------------------------------- */

/** What became of a publish. */
struct crier_receipt {
    struct crier_id id; /**< the hub's id of the event; a duplicate's: the first one's */
    bool duplicate;     /**< the key was known: nothing was published */
};

struct crier_publication {
    size_t size; /**< of this struct; 0: that of release 0.2 */
    struct crier_slice topic;
    /** Its id is the hub's to give: an own one is CRIER_EINVAL. Without data it is empty. */
    struct crier_event event;
    int64_t ttl_ms;         /**< in history, at least 1,000; 0: as long as history */
    struct crier_slice key; /**< idempotency key, 1 to 128 printable ASCII; none: no key */
};

/**
 * Publishes an event: returns when it is in history, never waits for readers. *Copies*. Any
 * thread, every callback.
 *
 * A hub on disk: returns when it is there. As that has to be waited for, in a callback of a server
 * (or in a done of crier_hub_submit()) it is CRIER_EWOULDBLOCK, and nothing was published: there
 * crier_hub_submit() is the call.
 *
 * @param topic a C string
 * @param ret_receipt may be NULL
 * @return 0; CRIER_EINVAL: a bad topic, type (CR, LF, NUL, "crier:…"), retry (500 to 3,600,000
 *         ms), comment or id in it; CRIER_EILSEQ: topic, data or type is not UTF-8;
 *         CRIER_EMSGSIZE: over max_event_bytes; CRIER_EWOULDBLOCK: the servers of this hub are
 *         too far behind, or its disk is, try again; CRIER_ENOMEM, also for hub NULL. A hub on
 *         disk also: CRIER_ENOSPC: it is full, until there is room; CRIER_EIO: it has failed,
 *         nothing can be published until the hub is made anew; CRIER_EUNKNOWN: it failed while
 *         this was written: it is in history, or it is not; CRIER_EBUSY and others: as
 *         crier_hub_error() says
 */
CRIER_API int crier_hub_publish(struct crier_hub *hub,
                                const char *topic,
                                const struct crier_event *event,
                                struct crier_receipt *ret_receipt) CRIER_MUST_CHECK;
/**
 * The same for text made as by printf; an event of that type ("" or NULL: none). Any thread.
 */
CRIER_API int crier_hub_publishf(struct crier_hub *hub,
                                 const char *topic,
                                 const char *type,
                                 const char *format,
                                 ...) CRIER_PRINTF(4, 5);
/**
 * The same with a ttl and an idempotency key. The same key again on the same topic publishes
 * nothing and gives the first one's receipt. Any thread.
 * @return as crier_hub_publish(); CRIER_EINVAL also for a bad key or ttl
 */
CRIER_API int crier_hub_publish_with(struct crier_hub *hub,
                                     const struct crier_publication *publication,
                                     struct crier_receipt *ret_receipt) CRIER_MUST_CHECK;
/**
 * The same without ever waiting, for hubs on disk: *copies*, and calls done(result, receipt or
 * NULL, ctx) exactly once, perhaps before it returns, on any thread: a hub on disk does on one of
 * its own, which serves all, so that it must not wait. Events are published in the order they
 * were submitted, and done in that order. done may be NULL, and may call the hub.
 * @return 0: done is or will be called; < 0 as crier_hub_publish(): it will not
 */
CRIER_API int
crier_hub_submit(struct crier_hub *hub,
                 const struct crier_publication *publication,
                 void (*done)(int result, const struct crier_receipt *receipt, void *ctx),
                 void *ctx) CRIER_MUST_CHECK;

/* ---- topics ------------------------------------------------------------------------------ */

/**
 * What is wrong with a topic, a sentence that says what to do; NULL: it is one. For names that
 * come from outside: what is a topic is no pattern. Static text. Any thread.
 */
CRIER_API const char *crier_topic_fault(struct crier_slice topic);
/** The same for a selector: a topic or a pattern. Static text. Any thread. */
CRIER_API const char *crier_selector_fault(struct crier_slice selector);

/**
 * Forgets a topic's history; one that is not known is fine. Who resumes from before is told a
 * gap; who follows stays. Any thread.
 * @return 0; CRIER_EINVAL: no topic; CRIER_ENOMEM: hub is NULL; a hub on disk also what
 *         crier_hub_publish() has for it: CRIER_EWOULDBLOCK in a callback, …
 */
CRIER_API int crier_hub_forget(struct crier_hub *hub, struct crier_slice topic);

struct crier_topic_info {
    struct crier_slice name; /**< *borrowed* for the callback */
    uint64_t events, bytes;  /**< in history */
    struct crier_id first, last;
};

/**
 * Calls fn for topics that have history, by name: those that begin with prefix (bytes), after
 * `after` (exclusive; empty: from the start), at most limit (0: 100). fn returns true to go on;
 * it may call the hub: what it publishes or forgets may be listed or not. Any thread.
 * @return how many it was called for; CRIER_ENOMEM: hub is NULL; a hub on disk also:
 *         CRIER_EWOULDBLOCK: this is a callback, where nobody waits for a disk; CRIER_EIO: it
 *         cannot be read
 */
CRIER_API int crier_hub_topics(struct crier_hub *hub,
                               struct crier_slice prefix,
                               struct crier_slice after,
                               size_t limit,
                               bool (*fn)(void *ctx, const struct crier_topic_info *info),
                               void *ctx);

/** How a hub's disk is. */
enum crier_disk {
    CRIER_DISK_NONE = 0,   /**< there is none: it remembers in memory */
    CRIER_DISK_OK = 1,     /**< fine */
    CRIER_DISK_FULL = 2,   /**< publishing is refused until there is room: CRIER_ENOSPC */
    CRIER_DISK_FAILED = 3, /**< publishing is refused until the hub is made anew: CRIER_EIO */
};

struct crier_hub_stats {
    uint64_t events, bytes, topics; /**< history, now */
    uint64_t published, duplicates; /**< since it was made, by anybody */
    uint64_t evicted, expired, forgotten;
    struct crier_id first, last; /**< of history */
    /* Since 0.3: */
    enum crier_disk disk;
    uint64_t disk_bytes, disk_free_bytes; /**< of the file; of these, to be used again */
    uint64_t pending_bytes;               /**< submitted, not on disk yet */
    uint64_t commits;                     /**< times that it was written to */
    uint64_t disk_refused; /**< publishes it refused, or whose outcome it lost: full, failed */
};

/**
 * Counters. size: of the struct that the caller was compiled with. Any thread.
 * @return 0; CRIER_ENOMEM: hub is NULL
 */
CRIER_API int
crier_hub_stats_with(struct crier_hub *hub, size_t size, struct crier_hub_stats *ret_stats);
#define crier_hub_stats(hub, ret_stats)                                                        \
    crier_hub_stats_with((hub), sizeof(struct crier_hub_stats), (ret_stats))

/* ---- readers ----------------------------------------------------------------------------- */

/**
 * A position in the hub, for some selectors: no queue, nothing of history is held for it. One
 * thread at a time. It keeps its hub alive.
 */
struct crier_reader;

struct crier_reader_options {
    size_t size;                  /**< of this struct */
    const char *selector;         /**< one topic or pattern … */
    const char *const *selectors; /**< … or several (at most 100, 10 of them patterns) */
    size_t selector_count;
    const char *const *types; /**< only events of these types ("message": untyped); 0: all */
    size_t type_count;
    /**
     * Where to start: "now" (NULL), "earliest", "last:N" (1 to 1,000), "latest" (the newest
     * event of each topic), a duration back ("30s", "10m"), an RFC 3339 time, or an id.
     */
    const char *since;
    const char *last_id; /**< the last id seen: resumes after it, and tells gaps; wins */
};

/** An event as a reader gives it. Valid until the reader's next call. */
struct crier_message {
    struct crier_slice topic;
    struct crier_id id;
    uint64_t time_ms;         /**< when it was published, since 1970 */
    struct crier_event event; /**< data, type ("message": untyped), id as text, retry */
    struct crier_slice bytes; /**< the event as it goes over the wire, its id included */
    /**
     * With CRIER_GAP: a matching event was missed for good. Reading goes on behind it.
     * reason: "evicted", "unknown" (the last id is none of this hub), "lagged".
     */
    struct {
        const char *reason;
        bool has_oldest; /**< is there a matching event to go on with? */
        struct crier_id oldest;
    } gap;
};

/**
 * Makes a reader; it starts where the hub is now. *Copies* the options. Any thread.
 * @return NULL: out of memory. Everything else (a bad selector, `since`) is reported by
 *         crier_reader_next() and crier_reader_error()
 */
CRIER_API struct crier_reader *
crier_reader_new_with(struct crier_hub *hub,
                      const struct crier_reader_options *options) CRIER_MUST_CHECK;
/** *Takes*; NULL is fine. Returns NULL. */
CRIER_API struct crier_reader *crier_reader_free(struct crier_reader *reader);
/**
 * The next event. Never waits.
 * @param ret_message filled for 0 and CRIER_GAP; *borrowed* until the reader's next call
 * @return 0; CRIER_EMPTY: nothing yet; CRIER_GAP: something is missing before the next one;
 *         CRIER_EINVAL: the options were not valid; CRIER_E2BIG: too many selectors;
 *         CRIER_ENOMEM (the position stays), also for reader NULL; a hub on disk also CRIER_EIO:
 *         it cannot be read (the position stays), and as crier_hub_error() says. What has to be
 *         read from disk first is CRIER_EMPTY until it is there
 */
CRIER_API int crier_reader_next(struct crier_reader *reader, struct crier_message *ret_message);
/**
 * A descriptor for any event loop: readable, level-triggered, from the moment
 * crier_reader_next() would no longer answer CRIER_EMPTY (it may be readable in vain). The
 * reader's: only poll it.
 * @return a descriptor; CRIER_EMFILE; CRIER_ENOMEM
 */
CRIER_API int crier_reader_fd(struct crier_reader *reader);
/** The id after which it stands: what to give as last_id to go on later. */
CRIER_API struct crier_id crier_reader_position(const struct crier_reader *reader);
/** What is wrong with the options or the hub, a sentence; "" if nothing is. *Borrowed* for its
 *  life. */
CRIER_API const char *crier_reader_error(const struct crier_reader *reader);

#ifdef __cplusplus
}
inline struct crier_hub *crier_hub_new(crier_hub_options options = {})
{
    options.size = sizeof(options);
    return crier_hub_new_with(&options);
}
inline struct crier_reader *crier_reader_new(crier_hub *hub, crier_reader_options options)
{
    options.size = sizeof(options);
    return crier_reader_new_with(hub, &options);
}
#else
/** crier_hub_new(.history_events = 1000): options by name. */
#define crier_hub_new(...)                                                                     \
    crier_hub_new_with(&(const struct crier_hub_options){                                      \
        .size = sizeof(struct crier_hub_options), __VA_ARGS__})
/** crier_reader_new(hub, .selector = "news", .since = "last:10"): options by name. */
#define crier_reader_new(hub, ...)                                                             \
    crier_reader_new_with((hub),                                                               \
                          &(const struct crier_reader_options){                                \
                              .size = sizeof(struct crier_reader_options), __VA_ARGS__})
#endif

#endif
