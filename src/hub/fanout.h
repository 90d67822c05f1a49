/* SPDX-License-Identifier: MIT */
/*
 * Fan-out: one worker's feeds and followers. It reads the journal at the worker's cursor,
 * routes each event to feeds, and hands bytes to a sink; it makes no system call and reads no
 * clock, so that a test can be the sink. One thread.
 *
 * A follower is the hub's side of a stream (the server embeds it in its stream).
 *
 *     OUT ──join──▶ LAGGING or, at the fan-out's position, LIVE
 *
 *             ┌──────────────── caught up ────────────────┐
 *             ▼                                           │
 *           LIVE ──short write, small feed───────────▶ LAGGING
 *            │ ▲                                        │   ▲
 *            │ └──sent to the end── BEHIND ◀─in window──┘   │
 *            │                       ▲  └──out of window────┘
 *            └──short write──────────┘
 *
 *   LIVE     it has all its feed's bytes, or its turn comes in the pass that is under way
 *   BEHIND   it stands at `offset` in its feed's window, which large feeds keep
 *   LAGGING  it stands at `position` (+ `offset` bytes of the next event) and reads the journal
 *
 * A follower that could not take all is `blocked`: it is not tried again until
 * crier_fanout_writable. One that lags may have to wait for the disk (`wait`): it is tried
 * again when the journal, in whatever thread, has called; the cursor's wake tells the worker.
 */
#ifndef CRIER_HUB_FANOUT_H
#define CRIER_HUB_FANOUT_H

#include "base/buf.h"
#include "base/list.h"
#include "hub/notice.h"
#include "hub/router.h"
#include "hub/subscription.h"
#include <sys/types.h>

struct crier_feed;
struct crier_fanout;
struct crier_lag_wait;

enum crier_follower_state {
    CRIER_FOLLOWER_OUT = 0, /* in no feed */
    CRIER_FOLLOWER_LIVE = 1,
    CRIER_FOLLOWER_BEHIND = 2,
    CRIER_FOLLOWER_LAGGING = 3,
};

struct crier_follower {
    struct crier_feed *feed;
    /* LIVE, BEHIND: reached in the feed. LAGGING: bytes already sent of `pinned` or, when
     * nothing is pinned, of event number position + 1 (0: it stands between events). */
    uint64_t offset;
    /* LAGGING: everything up to this number was sent, is pinned or does not match. */
    uint64_t position;
    struct crier_list node;      /* LAGGING: in the fan-out's round, or in parked */
    struct crier_lag_wait *wait; /* LAGGING: it waits for the disk (lag.c); NULL: it does not */
    char *pinned;                /* LAGGING: the unsent rest of a cut event or notice (lag.c) */
    uint64_t *picks;             /* since=latest: numbers to send first */
    uint64_t until;              /* where it goes on after picks */
    uint64_t losses;             /* the journal's, at its start or last gap: later ones count */
    uint32_t pinned_len;
    uint32_t pick_count;
    uint32_t cut_hash; /* of the bytes sent of a rendered event that is to be read again */
    uint32_t slot;     /* LIVE, BEHIND: index in the feed's members */
    uint8_t state;     /* enum crier_follower_state */
    bool blocked;
    bool broken;       /* a cut event cannot be completed: the server ends it, not cleanly */
    bool pinned_event; /* what is pinned is an event (else a gap notice) */
    bool unreadable;   /* broken, because the journal could not be read */
    bool finishing;    /* it gets the rest of what was begun, and no more */
};

/* How bytes leave. */
struct crier_sink {
    /* Takes 0..len bytes; fewer than len: nothing more until crier_fanout_writable. A follower
     * whose peer is gone answers 0 (the server removes it outside of the fan-out's calls). Must
     * not call back into the fan-out. */
    size_t (*send)(void *ctx, struct crier_follower *follower, const char *bytes, size_t len);
    /* The follower was told a gap of this kind / is broken. May be NULL. */
    void (*gap)(void *ctx, struct crier_follower *follower);
    void (*broken)(void *ctx, struct crier_follower *follower);
    void *ctx;
};

/* Three bound memory, for each worker, and are the server's to set. The others only cut the
 * work of a tick into slices and decide who keeps a window: constants of tuning, behind which
 * nothing that an outsider can use up piles up; they have no flags. */
struct crier_fanout_limits {
    size_t window_bytes;   /* of one feed: 1 MiB */
    size_t windows_bytes;  /* of all: 32 MiB */
    size_t pin_bytes;      /* rests of cut events beyond 2 KiB each, of all: 2 MiB */
    uint32_t window_from;  /* feeds of this many followers keep a window: 8 */
    uint32_t pass_slice;   /* members visited before the tick starts over: 256 */
    size_t lag_bytes;      /* of one slice: 64 KiB */
    uint32_t lag_looks;    /* of one slice: 4,096 */
    size_t tick_lag_bytes; /* of all slices of a tick: 1 MiB */
    size_t read_bytes;     /* taken from the journal in one tick: 1 MiB */
};

extern const struct crier_fanout_limits crier_fanout_defaults;

struct crier_fanout_stats {
    uint64_t delivered, bytes, replayed, sends;
    uint64_t feeds, followers, behind, lagging; /* now */
    uint64_t window_bytes, pinned_bytes;        /* now */
    uint64_t waiting;                           /* of those lagging, for the disk, now */
    uint64_t unreadable;                        /* broken: the journal could not be read */
    uint64_t windows_dropped;                   /* by window_bytes, windows_bytes or a lap */
    uint64_t pins_refused;                      /* by pin_bytes: read again instead */
    uint64_t passes;                            /* for tests */
};

/* limits NULL, or any 0 in it: the defaults. The cursor is attached already; fan-out keeps its
 * interest. Everything is borrowed for the fan-out's life. */
int crier_fanout_new(const struct crier_mem *mem,
                     struct crier_journal *journal,
                     struct crier_cursor *cursor,
                     const struct crier_sink *sink,
                     const struct crier_fanout_limits *limits,
                     struct crier_fanout **ret) CRIER_MUST_CHECK;
/* All followers must have left. NULL is fine; returns NULL. */
struct crier_fanout *crier_fanout_free(struct crier_fanout *);

/* Step 3: reads the journal from the cursor to its end into the feeds: at most read_bytes, and
 * no further than the passes under way can bear (pass.c), so that a stream never lags only
 * because it was not its turn yet. true: there is more (pump first, then read again). */
bool crier_fanout_read(struct crier_fanout *);

/* Has this worker read up to where the start begins (its picks: up to `until`)? If not, joining
 * would answer CRIER_FANOUT_LATER. */
bool crier_fanout_reaches(const struct crier_fanout *, const struct crier_start *start);
/* Takes the subscription and start->picks, on success only. The follower (zeroed) starts at
 * start->position: live at once when that is where the fan-out stands, else lagging.
 * CRIER_FANOUT_LATER: start->position is ahead of what this worker has read (another worker
 * served it): read on and join again; nothing was taken. blocked: its opening bytes are not all
 * sent yet. 0, -ENOMEM. */
enum { CRIER_FANOUT_LATER = 1 };
int crier_fanout_join(struct crier_fanout *,
                      struct crier_follower *,
                      struct crier_subscription *,
                      struct crier_start *start,
                      bool blocked) CRIER_MUST_CHECK;
/* Not from inside a sink call. A follower that is OUT is fine. */
void crier_fanout_leave(struct crier_fanout *, struct crier_follower *);
/* The peer takes bytes again: goes on sending what can be sent now, in bounded slices. */
void crier_fanout_writable(struct crier_fanout *,
                           struct crier_follower *,
                           struct crier_now now);

/* Steps 4 and 5: one round of bounded slices over touched feeds and lagging followers. true:
 * work is left (do not sleep). */
bool crier_fanout_pump(struct crier_fanout *, struct crier_now now);

/* The end is near: it gets the rest of the event that was begun, if one was, and nothing after
 * it. Not from inside a sink call. */
void crier_fanout_finish(struct crier_fanout *, struct crier_follower *);
/* Not the end after all: it goes on with what follows. */
void crier_fanout_resume(struct crier_fanout *, struct crier_follower *);
/* Has it got everything this fan-out has read? */
bool crier_follower_done(const struct crier_follower *);
/* Is everything sent that was begun (private bytes may go out)? */
bool crier_follower_between_events(const struct crier_follower *);
const struct crier_subscription *crier_follower_subscription(const struct crier_follower *);

/* The most bytes all windows had since the last call: after a burst the allocator may hold on
 * to what was given back. */
size_t crier_fanout_take_peak(struct crier_fanout *);
void crier_fanout_get_stats(const struct crier_fanout *, struct crier_fanout_stats *ret);
/* How many events is the one that lags most behind what was read? Looks at all that lag. */
uint64_t crier_fanout_distance(const struct crier_fanout *);
void crier_fanout_check(struct crier_fanout *); /* asserts the invariants */

#endif
