/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the fan-out share: the feed and its members (feed.c), the pass over them
 * (pass.c), the lagging followers (lag.c). Nothing outside of the fan-out includes this.
 */
#ifndef CRIER_HUB_FEED_H
#define CRIER_HUB_FEED_H

#include "base/map.h"
#include "hub/bell.h"
#include "hub/fanout.h"
#include "hub/window.h"

struct crier_feed {
    struct crier_map_node node; /* in the fan-out's feeds, by the subscription's hash */
    struct crier_subscription *subscription;
    struct crier_route route;
    struct crier_list place; /* in the fan-out's touched or standing, or alone */
    struct crier_window *window;
    uint64_t end;         /* bytes ever produced */
    uint64_t last_number; /* the newest event that was for this feed; where it was made, before
                             one came */
    uint64_t pass_floor;  /* touched: live members have at least this */
    uint64_t pass_end;    /* touched: `end` when the pass began */
    struct crier_follower **members; /* live and behind, in the order they came; NULL: a hole */
    uint32_t len, cap, holes;
    uint32_t pass_at;   /* passing: the next member to visit */
    uint32_t followers; /* of this feed, lagging ones included */
    uint32_t behind;
    bool touched; /* a pass is due or under way */
    bool passing; /* under way */
    bool crowded; /* touched: so much has come since the pass began that reading waits for it */
};

struct crier_fanout {
    const struct crier_mem *mem;
    struct crier_journal *journal;
    struct crier_cursor *cursor;
    struct crier_sink sink;
    struct crier_fanout_limits limits;
    uint64_t position; /* read up to here */
    struct crier_router *router;
    struct crier_map feeds;
    struct crier_list touched;  /* feeds with a pass to do, in turn */
    struct crier_list standing; /* feeds without, whose window is kept for members behind */
    struct crier_list round;    /* followers that lag and can be given a slice, in turn */
    struct crier_list parked;   /* those that lag and cannot: blocked, waiting, at their end */
    struct crier_bell bell;     /* rung when one can read on */
    struct crier_lag_wait *spare; /* for the next question */
    struct crier_window_pool pool;
    struct crier_window scratch;       /* a lagging follower's slice */
    struct crier_buf notice;           /* a gap notice */
    size_t window_bytes;               /* in all windows */
    size_t window_peak;                /* the most there were since it was last asked for */
    size_t pinned_bytes, pinned_large; /* in all pins; in those that count against the budget */
    size_t crowded;                    /* feeds that are */
    size_t removed;                    /* feeds since the cursor's interest was rebuilt */
    bool starved;                      /* a lagging follower found no memory: do not spin */
    struct crier_fanout_stats stats;   /* the counters; sizes are filled in when asked for */
};

static inline struct crier_dress crier_feed_dress(const struct crier_feed *feed)
{
    return crier_subscription_dress(feed->subscription);
}

static inline uint32_t crier_feed_members(const struct crier_feed *feed)
{
    return feed->len - feed->holes;
}

/* ---- feed.c ----------------------------------------------------------------------------- */

struct crier_feed *crier_feed_find(const struct crier_fanout *,
                                   const struct crier_subscription *);
/* Takes the subscription, on success only. 0, -ENOMEM. */
int crier_feed_new(struct crier_fanout *,
                   struct crier_subscription *,
                   struct crier_feed **ret) CRIER_MUST_CHECK;
/* No followers; leaves the subscription alone if keep. */
void crier_feed_free(struct crier_fanout *, struct crier_feed *, bool keep);
/* Room for one more follower, so that becoming a member never needs memory. 0, -ENOMEM. */
int crier_feed_reserve(struct crier_fanout *, struct crier_feed *) CRIER_MUST_CHECK;
/* Makes the follower a LIVE member at this offset. */
void crier_feed_enter(struct crier_feed *, struct crier_follower *, uint64_t offset);
/* Takes a member out; leaves a hole (crier_feed_tidy). Its offset stays. */
void crier_feed_exit(struct crier_fanout *, struct crier_feed *, struct crier_follower *);
/* Closes holes when there are many, and gives the window back when nobody needs it. Not in a
 * pass. */
void crier_feed_tidy(struct crier_fanout *, struct crier_feed *);
/* Adds an event's bytes (if its type is wanted), or, without memory or room, makes all members
 * lag. */
void crier_feed_append(struct crier_fanout *, struct crier_feed *, const struct crier_record *);
/* A member could not be served up to the end: BEHIND if the feed keeps a window, else LAGGING.
 */
void crier_feed_fall_behind(struct crier_fanout *,
                            struct crier_feed *,
                            struct crier_follower *);
/* A member becomes LAGGING where it stands. */
void crier_feed_member_lags(struct crier_fanout *,
                            struct crier_feed *,
                            struct crier_follower *);
/* All members lag: the feed will not see what comes before `position`. */
void crier_feed_forsake(struct crier_fanout *, struct crier_feed *, uint64_t position);
/* The pass is over: the feed leaves `touched`. */
void crier_feed_settle(struct crier_fanout *, struct crier_feed *);
void crier_feed_check(const struct crier_fanout *, const struct crier_feed *);

/* ---- pass.c ----------------------------------------------------------------------------- */

enum { CRIER_PASS_SEND = 8 }; /* what a send costs; a mere look at a member costs 1 */

/* Visits members, at most `budget` in cost; true: the pass is over. */
bool crier_pass_slice(struct crier_fanout *, struct crier_feed *, uint32_t *budget);
/* Sends one unblocked member what it does not have. */
void crier_pass_send(struct crier_fanout *, struct crier_feed *, struct crier_follower *);

/* ---- lag.c ------------------------------------------------------------------------------ */

/* The follower, in no list and no member, lags from this place. */
void crier_lag_begin(struct crier_fanout *,
                     struct crier_follower *,
                     const struct crier_place *at);
/* One slice for a follower that is not blocked; it is in the round afterwards if there is more
 * for it. Returns what it cost, in bytes. */
size_t crier_lag_slice(struct crier_fanout *, struct crier_follower *, struct crier_now now);
/* Frees what it holds and takes it out of the round. */
void crier_lag_end(struct crier_fanout *, struct crier_follower *);
/* It is to finish: if it stands between events there is nothing to wait for. */
void crier_lag_finish(struct crier_fanout *, struct crier_follower *);
/* For the end of the fan-out. */
void crier_lag_free_spare(struct crier_fanout *);

#endif
