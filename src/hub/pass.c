/* SPDX-License-Identifier: MIT */
/*
 * A pass: every member that can take bytes gets what lies between its offset and the feed's
 * end, in the order the members came, one send each.
 *
 * It is cut into slices, between which members come and go and the feed may grow: each member
 * carries its own offset, so nobody misses or repeats anything. What comes after a member was
 * visited is left for the next pass, which begins where this one ends if there is anything.
 * Reading stops while a pass is `crowded` (feed.c): a worker must not outrun itself.
 *
 * Cost: a send is CRIER_PASS_SEND, a look at a member that needs nothing is 1; a slice of
 * pass_slice x CRIER_PASS_SEND is a few hundred sends.
 */
#include "hub/feed.h"
#include <assert.h>

enum {
    AHEAD = 6, /* members to prefetch: each is a cache miss of its own */
};

static void begin_pass(struct crier_fanout *fan, struct crier_feed *feed)
{
    feed->passing = true;
    feed->pass_floor = feed->pass_end;
    feed->pass_end = feed->end;
    feed->pass_at = 0;
    fan->crowded -= (size_t)feed->crowded;
    feed->crowded = false;
    fan->stats.passes++;
}

void crier_pass_send(struct crier_fanout *fan,
                     struct crier_feed *feed,
                     struct crier_follower *follower)
{
    struct crier_slice bytes = crier_window_from(feed->window, follower->offset);
    uint64_t from = follower->offset;

    size_t taken = fan->sink.send(fan->sink.ctx, follower, bytes.data, bytes.len);
    assert(taken <= bytes.len);
    follower->offset += taken;
    fan->stats.sends++;
    fan->stats.bytes += taken;
    fan->stats.delivered += crier_window_count(feed->window, from, follower->offset);
    if (taken < bytes.len) {
        follower->blocked = true;
        crier_feed_fall_behind(fan, feed, follower);
    } else if (follower->state == CRIER_FOLLOWER_BEHIND) {
        follower->state = CRIER_FOLLOWER_LIVE;
        feed->behind--;
        fan->stats.behind--;
    }
}

/* Returns what it cost. */
static uint32_t
visit(struct crier_fanout *fan, struct crier_feed *feed, struct crier_follower *member)
{
    if (member->offset == feed->end)
        return 1;
    if (member->blocked) {
        crier_feed_fall_behind(fan, feed, member);
        return 1;
    }
    crier_pass_send(fan, feed, member);
    return CRIER_PASS_SEND;
}

static void walk(struct crier_fanout *fan, struct crier_feed *feed, uint32_t *budget)
{
    while (feed->pass_at<feed->len && * budget> 0) {
        uint32_t at = feed->pass_at++;
        if (at + AHEAD < feed->len)
            __builtin_prefetch(feed->members[at + AHEAD]);

        struct crier_follower *member = feed->members[at];
        uint32_t cost = member ? visit(fan, feed, member) : 1;
        *budget -= cost < *budget ? cost : *budget;
    }
}

bool crier_pass_slice(struct crier_fanout *fan, struct crier_feed *feed, uint32_t *budget)
{
    assert(feed->touched && feed->window);
    if (!feed->passing)
        begin_pass(fan, feed);
    walk(fan, feed, budget);

    if (feed->pass_at < feed->len) {
        crier_feed_tidy(fan, feed);
        return false;
    }
    feed->passing = false;
    if (feed->end > feed->pass_end) {
        crier_feed_tidy(fan, feed);
        return false;
    }
    crier_feed_settle(fan, feed);
    return true;
}
