/* SPDX-License-Identifier: MIT */
/*
 * A feed: one distinct subscription, the members that are fed from it, and while somebody needs
 * it, the window with its newest bytes.
 *
 *     members  [ s1 | s2 | -- | s4 | s5 | s6 ]    in the order they came; a hole: one left
 *                             ^ pass_at
 *     bytes    .....|===============================|
 *                   ^ window begin   ^ pass_floor   ^ end
 *
 *     s1 and s2 are at the end, s4 is behind at some offset, s5 and s6 are not visited yet
 *
 *     idle ──append──▶ touched ──settle──▶ idle      nobody is behind: the window goes back
 *                       ▲  └─────settle──▶ standing  somebody is: it is kept, up to its limit
 *                       └───append────────────┘
 *
 * Invariants
 *   (1) a member is LIVE or BEHIND, its slot is its index; BEHIND is blocked and below the end
 *   (2) cap >= followers: becoming a member never needs memory
 *   (3) there is a window exactly while the feed is touched or has a member behind
 *   (4) every member's offset lies in the window, or is the end
 *   (5) touched: a LIVE member has at least pass_floor; not touched: it is at the end
 *   (6) a window has no holes: every matching event after its begin_number, up to the fan-out's
 *       position, is in it; and who has everything up to last_number is at the end
 *
 * A window over its limit drops its older half, but nothing above pass_floor: a member does not
 * lag because its turn has not come. All windows together: standing ones give way, the largest
 * first; if there are none, the feed that grew does. To give way means that members lag;
 * nothing is lost.
 */
#include "hub/feed.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

struct crier_feed *crier_feed_find(const struct crier_fanout *fan,
                                   const struct crier_subscription *subscription)
{
    for (struct crier_map_node *n = crier_map_first(&fan->feeds, subscription->hash); n;
         n = crier_map_next(n)) {
        struct crier_feed *feed = CRIER_CONTAINER(n, struct crier_feed, node);
        if (crier_slice_eq(feed->subscription->key, subscription->key))
            return feed;
    }
    return NULL;
}

int crier_feed_new(struct crier_fanout *fan,
                   struct crier_subscription *subscription,
                   struct crier_feed **ret)
{
    struct crier_feed *feed = crier_mem_zalloc(fan->mem, sizeof(*feed));
    if (!feed)
        return -ENOMEM;
    feed->subscription = subscription;
    feed->route = (struct crier_route){.subscription = subscription, .owner = feed};
    feed->last_number = fan->position;
    crier_list_init(&feed->place);
    int r = crier_router_add(fan->router, &feed->route);
    if (r == 0) {
        r = crier_map_insert(&fan->feeds, &feed->node, subscription->hash);
        if (r < 0)
            crier_router_remove(fan->router, &feed->route);
    }
    if (r < 0) {
        crier_mem_free(fan->mem, feed);
        return r;
    }
    *ret = feed;
    return 0;
}

/* ---- the window's memory ---------------------------------------------------------------- */

static void give_window(struct crier_fanout *fan, struct crier_feed *feed)
{
    fan->window_bytes -= feed->window->bytes.len;
    crier_window_give(&fan->pool, feed->window);
    feed->window = NULL;
    crier_list_remove(&feed->place);
}

static void set_crowded(struct crier_fanout *fan, struct crier_feed *feed, bool crowded)
{
    fan->crowded += (size_t)crowded;
    fan->crowded -= (size_t)feed->crowded;
    feed->crowded = crowded;
}

static void untouch(struct crier_fanout *fan, struct crier_feed *feed)
{
    feed->touched = feed->passing = false;
    set_crowded(fan, feed, false);
    crier_list_remove(&feed->place);
}

void crier_feed_free(struct crier_fanout *fan, struct crier_feed *feed, bool keep)
{
    assert(feed->followers == 0 && crier_feed_members(feed) == 0);
    untouch(fan, feed);
    if (feed->window)
        give_window(fan, feed);
    crier_router_remove(fan->router, &feed->route);
    crier_map_remove(&fan->feeds, &feed->node);
    if (!keep)
        crier_subscription_free(feed->subscription);
    crier_mem_free(fan->mem, feed->members);
    crier_mem_free(fan->mem, feed);
}

/* ---- members ---------------------------------------------------------------------------- */

int crier_feed_reserve(struct crier_fanout *fan, struct crier_feed *feed)
{
    if (feed->followers < feed->cap)
        return 0;
    uint32_t cap = feed->cap < 2 ? 2 : feed->cap + feed->cap / 2;
    void *members = crier_mem_resize(fan->mem, feed->members, cap * sizeof(feed->members[0]));
    if (!members)
        return -ENOMEM;
    feed->members = members;
    feed->cap = cap;
    return 0;
}

static void close_holes(struct crier_feed *feed)
{
    uint32_t kept = 0, pass_at = feed->pass_at;

    for (uint32_t i = 0; i < feed->len; i++) {
        struct crier_follower *member = feed->members[i];
        if (!member) {
            pass_at -= i < feed->pass_at;
            continue;
        }
        member->slot = kept;
        feed->members[kept++] = member;
    }
    feed->len = kept;
    feed->holes = 0;
    feed->pass_at = pass_at;
}

void crier_feed_enter(struct crier_feed *feed, struct crier_follower *follower, uint64_t offset)
{
    if (feed->len == feed->cap)
        close_holes(feed);
    assert(feed->len < feed->cap);
    follower->state = CRIER_FOLLOWER_LIVE;
    follower->offset = offset;
    follower->slot = feed->len;
    feed->members[feed->len++] = follower;
}

void crier_feed_exit(struct crier_fanout *fan,
                     struct crier_feed *feed,
                     struct crier_follower *follower)
{
    assert(feed->members[follower->slot] == follower);
    feed->members[follower->slot] = NULL;
    feed->holes++;
    if (follower->state == CRIER_FOLLOWER_BEHIND) {
        feed->behind--;
        fan->stats.behind--;
    }
    follower->state = CRIER_FOLLOWER_OUT;
}

void crier_feed_tidy(struct crier_fanout *fan, struct crier_feed *feed)
{
    if (feed->holes > 0 && feed->holes >= feed->len / 4)
        close_holes(feed);
    if (feed->window && !feed->touched && feed->behind == 0)
        give_window(fan, feed);
}

/* ---- falling back ----------------------------------------------------------------------- */

/* At the end it has everything the fan-out has read. */
void crier_feed_member_lags(struct crier_fanout *fan,
                            struct crier_feed *feed,
                            struct crier_follower *member)
{
    struct crier_place at = {.position = fan->position};

    if (member->offset < feed->end)
        at = crier_window_place(feed->window, member->offset);
    crier_feed_exit(fan, feed, member);
    crier_lag_begin(fan, member, &at);
}

void crier_feed_fall_behind(struct crier_fanout *fan,
                            struct crier_feed *feed,
                            struct crier_follower *member)
{
    if (member->state == CRIER_FOLLOWER_BEHIND)
        return;
    if (feed->followers < fan->limits.window_from) {
        crier_feed_member_lags(fan, feed, member);
        return;
    }
    member->state = CRIER_FOLLOWER_BEHIND;
    feed->behind++;
    fan->stats.behind++;
}

/* Members that have less than `offset` lag. */
static void lag_below(struct crier_fanout *fan, struct crier_feed *feed, uint64_t offset)
{
    for (uint32_t i = 0; i < feed->len; i++)
        if (feed->members[i] && feed->members[i]->offset < offset)
            crier_feed_member_lags(fan, feed, feed->members[i]);
}

/* All that do not stand at the end (everybody: all) lag, and the window goes back. */
static void give_way(struct crier_fanout *fan, struct crier_feed *feed, bool everybody)
{
    lag_below(fan, feed, everybody ? UINT64_MAX : feed->end);
    fan->stats.windows_dropped++;
    untouch(fan, feed);
    crier_feed_tidy(fan, feed);
}

void crier_feed_forsake(struct crier_fanout *fan, struct crier_feed *feed, uint64_t position)
{
    if (crier_feed_members(feed) > 0)
        give_way(fan, feed, true);
    if (position > feed->last_number)
        feed->last_number = position;
}

/* ---- appending -------------------------------------------------------------------------- */

static void touch(struct crier_fanout *fan, struct crier_feed *feed, uint64_t end_before)
{
    if (feed->touched)
        return;
    feed->touched = true;
    feed->pass_floor = feed->pass_end = end_before;
    feed->pass_at = 0;
    crier_list_remove(&feed->place);
    crier_list_push_back(&fan->touched, &feed->place);
}

/* How many events to drop from a window that is over its limit. */
static size_t excess(const struct crier_fanout *fan, const struct crier_feed *feed)
{
    const struct crier_window *window = feed->window;
    size_t limit = fan->limits.window_bytes, events = 0;

    if (window->bytes.len <= limit)
        return 0;
    uint64_t floor = feed->touched ? feed->pass_floor : feed->end;
    while (events < window->mark_count && window->marks[events].end <= floor &&
           (window->marks[events].end <= feed->end - limit / 2 ||
            (events == 0 ? window->begin : window->marks[events - 1].end) < feed->end - limit))
        events++;
    return events;
}

static void trim(struct crier_fanout *fan, struct crier_feed *feed)
{
    size_t events = excess(fan, feed), bytes = feed->window->bytes.len;
    if (events == 0)
        return;

    uint64_t begin = feed->window->marks[events - 1].end;
    uint64_t lagging = fan->stats.lagging;
    lag_below(fan, feed, begin);
    crier_window_drop(feed->window, events);
    fan->window_bytes -= bytes - feed->window->bytes.len;
    fan->stats.windows_dropped += fan->stats.lagging > lagging;
}

/* Makes all windows fit in their limit again. */
static void make_room(struct crier_fanout *fan, struct crier_feed *grown)
{
    while (fan->window_bytes > fan->limits.windows_bytes) {
        struct crier_feed *largest = NULL;
        crier_list_for_each (node, &fan->standing) {
            struct crier_feed *feed = CRIER_CONTAINER(node, struct crier_feed, place);
            if (!largest || feed->window->bytes.len > largest->window->bytes.len)
                largest = feed;
        }
        give_way(fan, largest ? largest : grown, false);
        if (!largest)
            return;
    }
}

/* 0, -ENOMEM: nothing has changed, but that there may be an empty window. */
static int append_bytes(struct crier_fanout *fan,
                        struct crier_feed *feed,
                        const struct crier_record *record)
{
    if (!feed->window)
        feed->window = crier_window_take(&fan->pool, feed->end, feed->last_number);
    if (!feed->window)
        return -ENOMEM;
    int r = crier_window_append(feed->window, crier_feed_dress(feed), record);
    if (r < 0)
        return r;
    fan->window_bytes += (size_t)(crier_window_end(feed->window) - feed->end);
    if (fan->window_bytes > fan->window_peak)
        fan->window_peak = fan->window_bytes;
    return 0;
}

void crier_feed_append(struct crier_fanout *fan,
                       struct crier_feed *feed,
                       const struct crier_record *record)
{
    uint64_t end_before = feed->end;

    if (feed->last_number == record->number ||
        !crier_filter_type(&feed->subscription->filter, record->type))
        return;
    /* A window has no holes: also one whose last member has just gone is continued. */
    bool needed = feed->window || crier_feed_members(feed) > 0;
    int r = needed ? append_bytes(fan, feed, record) : 0;
    feed->last_number = record->number;
    if (r < 0) {
        give_way(fan, feed, true);
        return;
    }
    if (!feed->window)
        return;

    feed->end = crier_window_end(feed->window);
    touch(fan, feed, end_before);
    set_crowded(fan, feed, feed->end - feed->pass_end > fan->limits.window_bytes / 4);
    trim(fan, feed);
    make_room(fan, feed);
}

void crier_feed_settle(struct crier_fanout *fan, struct crier_feed *feed)
{
    untouch(fan, feed);
    trim(fan, feed);
    if (feed->behind > 0)
        crier_list_push_back(&fan->standing, &feed->place);
    crier_feed_tidy(fan, feed);
}

/* ---- check ------------------------------------------------------------------------------ */

static void check_member(const struct crier_feed *feed, uint32_t slot)
{
    const struct crier_follower *member = feed->members[slot];

    assert(member->feed == feed && member->slot == slot);
    assert(member->state == CRIER_FOLLOWER_LIVE || member->state == CRIER_FOLLOWER_BEHIND);
    assert(!member->pinned && !member->picks && !member->broken);
    assert(member->offset <= feed->end);
    if (member->offset < feed->end)
        assert(feed->window && member->offset >= feed->window->begin);
    if (member->state == CRIER_FOLLOWER_BEHIND)
        assert(member->blocked && member->offset < feed->end);
    else
        assert(member->offset >= (feed->touched ? feed->pass_floor : feed->end));
}

void crier_feed_check(const struct crier_fanout *fan, const struct crier_feed *feed)
{
    uint32_t behind = 0, holes = 0;

    assert(feed->followers > 0 && feed->followers <= feed->cap && feed->len <= feed->cap);
    for (uint32_t i = 0; i < feed->len; i++) {
        if (!feed->members[i]) {
            holes++;
            continue;
        }
        check_member(feed, i);
        behind += feed->members[i]->state == CRIER_FOLLOWER_BEHIND;
    }
    assert(holes == feed->holes && behind == feed->behind);
    assert(crier_feed_members(feed) <= feed->followers);
    assert(behind == 0 || feed->followers >= fan->limits.window_from);
    assert((feed->window != NULL) == (feed->touched || behind > 0));
    assert((feed->window == NULL) == crier_list_empty(&feed->place));
    assert(feed->last_number <= fan->position);
    if (feed->window) {
        crier_window_check(feed->window);
        assert(crier_window_end(feed->window) == feed->end);
        assert(feed->touched || feed->window->bytes.len <= fan->limits.window_bytes);
    }
    assert(!feed->passing || feed->touched);
    assert(!feed->crowded || feed->touched);
    assert(!feed->passing || feed->pass_at <= feed->len);
    (void)fan;
    (void)behind;
    (void)holes;
}
