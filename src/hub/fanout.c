/* SPDX-License-Identifier: MIT */
/*
 * The fan-out of one worker: what holds feeds and followers together. One tick is
 *
 *     read   journal ──router──▶ feeds, appended at once: a feed's end always means "everything
 *            up to `position`" (feed.c)
 *     join   newcomers, at `position` and nowhere else
 *     pump   a slice of the touched feeds, in turn (pass.c),
 *            then slices of the lagging followers, in turn (lag.c)
 *
 * Every follower is in exactly one place: a member of its feed (LIVE, BEHIND), or LAGGING, and
 * then in `round`, or in `parked` if it is blocked, broken, at its end or waits for the disk.
 *
 * Ownership: a feed owns its subscription; followers are the caller's. One thread, no re-entry
 * from the sink.
 *
 * What can fail: memory. A join fails; anything else makes members lag, and lagging followers
 * wait.
 */
#include "hub/fanout.h"
#include "base/mem.h"
#include "hub/feed.h"
#include <assert.h>

static_assert(sizeof(struct crier_follower) <= 104,
              "one for each stream: a stream is to cost a few hundred bytes");

enum {
    INTEREST_AT_ONCE = 64, /* with fewer feeds the cursor's interest is rebuilt when one goes */
};

/* ---- life ------------------------------------------------------------------------------- */

const struct crier_fanout_limits crier_fanout_defaults = {
    .window_bytes = 1024 * 1024,
    .windows_bytes = 32 * 1024 * 1024,
    .pin_bytes = 2 * 1024 * 1024,
    .window_from = 8,
    .pass_slice = 256,
    .lag_bytes = 64 * 1024,
    .lag_looks = 4096,
    .tick_lag_bytes = 1024 * 1024,
    .read_bytes = 1024 * 1024,
};

static void set_limits(struct crier_fanout_limits *to, const struct crier_fanout_limits *from)
{
    *to = crier_fanout_defaults;
    if (!from)
        return;
    to->window_bytes = from->window_bytes ? from->window_bytes : to->window_bytes;
    to->windows_bytes = from->windows_bytes ? from->windows_bytes : to->windows_bytes;
    to->pin_bytes = from->pin_bytes ? from->pin_bytes : to->pin_bytes;
    to->window_from = from->window_from ? from->window_from : to->window_from;
    to->pass_slice = from->pass_slice ? from->pass_slice : to->pass_slice;
    to->lag_bytes = from->lag_bytes ? from->lag_bytes : to->lag_bytes;
    to->lag_looks = from->lag_looks ? from->lag_looks : to->lag_looks;
    to->tick_lag_bytes = from->tick_lag_bytes ? from->tick_lag_bytes : to->tick_lag_bytes;
    to->read_bytes = from->read_bytes ? from->read_bytes : to->read_bytes;
}

int crier_fanout_new(const struct crier_mem *mem,
                     struct crier_journal *journal,
                     struct crier_cursor *cursor,
                     const struct crier_sink *sink,
                     const struct crier_fanout_limits *limits,
                     struct crier_fanout **ret)
{
    struct crier_fanout *fan = crier_mem_zalloc(mem, sizeof(*fan));
    if (!fan)
        return -ENOMEM;
    fan->mem = mem;
    fan->journal = journal;
    fan->cursor = cursor;
    fan->sink = *sink;
    fan->position = atomic_load(&cursor->position);
    set_limits(&fan->limits, limits);
    crier_map_init(&fan->feeds, mem);
    crier_list_init(&fan->touched);
    crier_list_init(&fan->standing);
    crier_list_init(&fan->round);
    crier_list_init(&fan->parked);
    crier_window_pool_init(&fan->pool, mem);
    crier_window_init(&fan->scratch, mem);
    crier_buf_init(&fan->notice, mem);
    int r = crier_bell_init(&fan->bell, cursor->wake, cursor->wake_ctx);
    if (r < 0) {
        crier_mem_free(mem, fan);
        return r;
    }
    r = crier_router_new(mem, journal, &fan->router);
    if (r < 0) {
        crier_fanout_free(fan);
        return r;
    }
    *ret = fan;
    return 0;
}

struct crier_fanout *crier_fanout_free(struct crier_fanout *fan)
{
    if (!fan)
        return NULL;
    assert(fan->feeds.count == 0);
    crier_map_deinit(&fan->feeds);
    crier_router_free(fan->router);
    crier_window_pool_deinit(&fan->pool);
    crier_window_deinit(&fan->scratch);
    crier_buf_deinit(&fan->notice);
    crier_lag_free_spare(fan);
    crier_bell_deinit(&fan->bell);
    return crier_mem_free(fan->mem, fan);
}

/* ---- reading ---------------------------------------------------------------------------- */

static bool is_wanted(void *ctx, uint64_t topic_hash)
{
    return crier_router_wanted(ctx, topic_hash);
}

/* Without memory for the router's answer every feed is asked. */
static void route_to_all(struct crier_fanout *fan, const struct crier_record *record)
{
    for (struct crier_map_node *n = crier_map_walk(&fan->feeds, NULL); n;
         n = crier_map_walk(&fan->feeds, n)) {
        struct crier_feed *feed = CRIER_CONTAINER(n, struct crier_feed, node);
        if (crier_filter_match(&feed->subscription->filter, record))
            crier_feed_append(fan, feed, record);
    }
}

static void route(struct crier_fanout *fan, const struct crier_record *record)
{
    for (size_t t = 0; t < record->topic_count; t++) {
        struct crier_route *const *routes;
        size_t count;

        if (crier_router_match(fan->router, record->topics[t], record->topic_hashes[t], &routes,
                               &count) < 0) {
            route_to_all(fan, record);
            return;
        }
        for (size_t i = 0; i < count; i++)
            crier_feed_append(fan, routes[i]->owner, record);
    }
}

/* History went on without this worker: everybody reads on from where it stood. */
static void lapped(struct crier_fanout *fan)
{
    uint64_t position = atomic_load(&fan->cursor->position);

    if (fan->cursor->lapped_at > fan->position)
        fan->position = fan->cursor->lapped_at;
    for (struct crier_map_node *n = crier_map_walk(&fan->feeds, NULL); n;
         n = crier_map_walk(&fan->feeds, n))
        crier_feed_forsake(fan, CRIER_CONTAINER(n, struct crier_feed, node), position);
    if (position > fan->position)
        fan->position = position;
}

/* Would more reading make windows outgrow what a pass under way still needs? */
static bool is_outrun(const struct crier_fanout *fan)
{
    return fan->crowded > 0 || (!crier_list_empty(&fan->touched) &&
                                fan->window_bytes > fan->limits.windows_bytes / 2);
}

bool crier_fanout_read(struct crier_fanout *fan)
{
    struct crier_record record;
    size_t taken = 0;

    while (taken < fan->limits.read_bytes && !is_outrun(fan)) {
        int r = crier_cursor_next(fan->cursor, &record, is_wanted, fan->router);
        if (r == CRIER_CURSOR_LAPPED) {
            lapped(fan);
            continue;
        }
        if (r != 0) {
            uint64_t position = atomic_load(&fan->cursor->position);
            if (r == CRIER_CURSOR_END && position > fan->position)
                fan->position = position;
            return r < 0;
        }
        assert(record.number > fan->position);
        route(fan, &record);
        fan->position = record.number;
        taken += record.frame.len;
    }
    return true;
}

/* ---- interest --------------------------------------------------------------------------- */

static void add_interest(struct crier_fanout *fan,
                         const struct crier_subscription *subscription)
{
    if (subscription->pattern_count > 0)
        crier_cursor_interest_all(fan->cursor);
    for (size_t i = 0; i < subscription->filter.topic_count; i++)
        crier_cursor_interest_add(fan->cursor, subscription->filter.topic_hashes[i]);
}

/* A Bloom filter forgets nothing: it is rebuilt now and then. This thread is awake meanwhile,
 * so no wake-up can be missed. */
static void feed_is_gone(struct crier_fanout *fan)
{
    fan->removed++;
    if (fan->feeds.count >= INTEREST_AT_ONCE &&
        fan->removed <= fan->feeds.count / 2 + INTEREST_AT_ONCE)
        return;
    fan->removed = 0;
    crier_cursor_interest_clear(fan->cursor);
    for (struct crier_map_node *n = crier_map_walk(&fan->feeds, NULL); n;
         n = crier_map_walk(&fan->feeds, n))
        add_interest(fan, CRIER_CONTAINER(n, struct crier_feed, node)->subscription);
}

/* ---- joining and leaving ---------------------------------------------------------------- */

/* A feed with room for one follower more; takes the subscription, on success only. */
static int feed_for(struct crier_fanout *fan,
                    struct crier_subscription *subscription,
                    struct crier_feed **ret)
{
    struct crier_feed *feed = crier_feed_find(fan, subscription);
    bool is_new = feed == NULL;
    int r;

    if (is_new) {
        r = crier_feed_new(fan, subscription, &feed);
        if (r < 0)
            return r;
    }
    r = crier_feed_reserve(fan, feed);
    if (r < 0) {
        if (is_new)
            crier_feed_free(fan, feed, true);
        return r;
    }
    if (is_new)
        add_interest(fan, subscription);
    else
        crier_subscription_free(subscription);
    *ret = feed;
    return 0;
}

bool crier_fanout_reaches(const struct crier_fanout *fan, const struct crier_start *start)
{
    return (start->pick_count > 0 ? start->until : start->position) <= fan->position;
}

int crier_fanout_join(struct crier_fanout *fan,
                      struct crier_follower *follower,
                      struct crier_subscription *subscription,
                      struct crier_start *start,
                      bool blocked)
{
    bool picking = start->pick_count > 0;
    struct crier_feed *feed;

    assert(follower->state == CRIER_FOLLOWER_OUT);
    if (!crier_fanout_reaches(fan, start))
        return CRIER_FANOUT_LATER;
    int r = feed_for(fan, subscription, &feed);
    if (r < 0)
        return r;

    *follower = (struct crier_follower){.feed = feed, .blocked = blocked};
    crier_list_init(&follower->node);
    follower->until = start->until;
    follower->losses = start->losses;
    feed->followers++;
    fan->stats.followers++;
    if (!picking &&
        (start->position >= fan->position || start->position >= feed->last_number)) {
        crier_feed_enter(feed, follower, feed->end);
        return 0;
    }
    struct crier_place at = {.position = picking ? start->picks[0] - 1 : start->position};
    crier_lag_begin(fan, follower, &at);
    if (picking) {
        follower->picks = start->picks;
        follower->pick_count = (uint32_t)start->pick_count;
        start->picks = NULL;
        start->pick_count = 0;
    }
    return 0;
}

/* The feed has become too small to keep a window for those behind. */
static void shrink(struct crier_fanout *fan, struct crier_feed *feed)
{
    if (feed->followers >= fan->limits.window_from || feed->behind == 0)
        return;
    for (uint32_t i = 0; i < feed->len; i++) {
        struct crier_follower *member = feed->members[i];
        if (member && member->state == CRIER_FOLLOWER_BEHIND)
            crier_feed_member_lags(fan, feed, member);
    }
}

void crier_fanout_leave(struct crier_fanout *fan, struct crier_follower *follower)
{
    struct crier_feed *feed = follower->feed;

    if (follower->state == CRIER_FOLLOWER_OUT)
        return;
    if (follower->state == CRIER_FOLLOWER_LAGGING)
        crier_lag_end(fan, follower);
    else
        crier_feed_exit(fan, feed, follower);
    follower->feed = NULL;
    fan->stats.followers--;
    if (--feed->followers == 0) {
        crier_feed_free(fan, feed, false);
        feed_is_gone(fan);
        return;
    }
    shrink(fan, feed);
    crier_feed_tidy(fan, feed);
}

/* ---- sending ---------------------------------------------------------------------------- */

void crier_fanout_writable(struct crier_fanout *fan,
                           struct crier_follower *follower,
                           struct crier_now now)
{
    struct crier_feed *feed = follower->feed;

    if (follower->state == CRIER_FOLLOWER_OUT || !follower->blocked || follower->broken)
        return;
    follower->blocked = false;
    if (follower->state == CRIER_FOLLOWER_LAGGING)
        crier_lag_slice(fan, follower, now);
    else if (follower->offset < feed->end)
        crier_pass_send(fan, feed, follower);
    crier_feed_tidy(fan, feed);
}

static void pump_passes(struct crier_fanout *fan)
{
    uint32_t budget = fan->limits.pass_slice * CRIER_PASS_SEND;

    while (budget > 0 && !crier_list_empty(&fan->touched)) {
        struct crier_feed *feed = CRIER_CONTAINER(fan->touched.next, struct crier_feed, place);
        if (crier_pass_slice(fan, feed, &budget))
            continue;
        crier_list_remove(&feed->place);
        crier_list_push_back(&fan->touched, &feed->place);
    }
}

static void pump_lagging(struct crier_fanout *fan, struct crier_now now)
{
    size_t cost = 0;

    fan->starved = false;
    while (cost < fan->limits.tick_lag_bytes && !fan->starved &&
           !crier_list_empty(&fan->round)) {
        struct crier_follower *f =
            CRIER_CONTAINER(fan->round.next, struct crier_follower, node);
        struct crier_feed *feed = f->feed;
        cost += crier_lag_slice(fan, f, now);
        crier_feed_tidy(fan, feed);
    }
}

bool crier_fanout_pump(struct crier_fanout *fan, struct crier_now now)
{
    crier_bell_answer(&fan->bell); /* who waited for the disk is in the round again */
    pump_passes(fan);
    pump_lagging(fan, now);
    return !crier_list_empty(&fan->touched) ||
           (!crier_list_empty(&fan->round) && !fan->starved);
}

/* ---- answers ---------------------------------------------------------------------------- */

void crier_fanout_finish(struct crier_fanout *fan, struct crier_follower *follower)
{
    if (follower->state == CRIER_FOLLOWER_OUT || follower->finishing)
        return;
    /* As a laggard it is fed event by event. */
    if (follower->state != CRIER_FOLLOWER_LAGGING) {
        crier_feed_member_lags(fan, follower->feed, follower);
        crier_feed_tidy(fan, follower->feed);
    }
    follower->finishing = true;
    crier_lag_finish(fan, follower);
}

void crier_fanout_resume(struct crier_fanout *fan, struct crier_follower *follower)
{
    if (!follower->finishing)
        return;
    follower->finishing = false;
    if (follower->state != CRIER_FOLLOWER_LAGGING || follower->blocked || follower->broken ||
        follower->wait)
        return;
    crier_list_remove(&follower->node);
    crier_list_push_back(&fan->round, &follower->node);
}

bool crier_follower_done(const struct crier_follower *follower)
{
    return follower->state == CRIER_FOLLOWER_LIVE && !follower->blocked &&
           follower->offset == follower->feed->end;
}

bool crier_follower_between_events(const struct crier_follower *follower)
{
    const struct crier_feed *feed = follower->feed;

    if (follower->state == CRIER_FOLLOWER_OUT)
        return true;
    if (follower->state == CRIER_FOLLOWER_LAGGING)
        return !follower->broken && !follower->pinned && follower->offset == 0;
    return follower->offset == feed->end ||
           crier_window_place(feed->window, follower->offset).into == 0;
}

const struct crier_subscription *
crier_follower_subscription(const struct crier_follower *follower)
{
    return follower->feed ? follower->feed->subscription : NULL;
}

size_t crier_fanout_take_peak(struct crier_fanout *fan)
{
    size_t peak = fan->window_peak;

    fan->window_peak = fan->window_bytes;
    return peak;
}

void crier_fanout_get_stats(const struct crier_fanout *fan, struct crier_fanout_stats *ret)
{
    *ret = fan->stats;
    ret->feeds = fan->feeds.count;
    ret->window_bytes = fan->window_bytes;
    ret->pinned_bytes = fan->pinned_bytes;
}

static uint64_t distance_in(const struct crier_fanout *fan, const struct crier_list *list)
{
    uint64_t most = 0;

    crier_list_for_each (node, list) {
        const struct crier_follower *f = CRIER_CONTAINER(node, struct crier_follower, node);
        /* After its picks it goes on at `until`. */
        uint64_t position = f->picks ? f->until : f->position;
        if (position < fan->position && fan->position - position > most)
            most = fan->position - position;
    }
    return most;
}

uint64_t crier_fanout_distance(const struct crier_fanout *fan)
{
    uint64_t round = distance_in(fan, &fan->round), parked = distance_in(fan, &fan->parked);

    return round > parked ? round : parked;
}

/* ---- check ------------------------------------------------------------------------------ */

static void check_round(const struct crier_fanout *fan)
{
    size_t lagging = 0;

    crier_list_for_each (node, &fan->round) {
        const struct crier_follower *f = CRIER_CONTAINER(node, struct crier_follower, node);
        assert(f->state == CRIER_FOLLOWER_LAGGING && !f->blocked && !f->broken);
        assert(f->position <= fan->position || f->pinned);
        assert(!f->pinned || f->offset < f->pinned_len);
        assert(!f->wait || !f->blocked);
        (void)f;
        lagging++;
    }
    crier_list_for_each (node, &fan->parked) {
        const struct crier_follower *f = CRIER_CONTAINER(node, struct crier_follower, node);
        assert(f->state == CRIER_FOLLOWER_LAGGING);
        assert(f->blocked || f->broken || f->wait || (f->finishing && f->offset == 0));
        (void)f;
        lagging++;
    }
    assert(lagging == fan->stats.lagging);
    (void)lagging;
}

void crier_fanout_check(struct crier_fanout *fan)
{
    size_t followers = 0, members = 0, behind = 0, bytes = 0, crowded = 0;

    for (struct crier_map_node *n = crier_map_walk(&fan->feeds, NULL); n;
         n = crier_map_walk(&fan->feeds, n)) {
        const struct crier_feed *feed = CRIER_CONTAINER(n, struct crier_feed, node);
        crier_feed_check(fan, feed);
        followers += feed->followers;
        members += crier_feed_members(feed);
        behind += feed->behind;
        bytes += feed->window ? feed->window->bytes.len : 0;
        crowded += feed->crowded;
    }
    assert(followers == fan->stats.followers && behind == fan->stats.behind);
    assert(members + fan->stats.lagging == followers);
    assert(bytes == fan->window_bytes && bytes <= fan->limits.windows_bytes);
    assert(crowded == fan->crowded);
    assert(fan->pinned_large <= fan->pinned_bytes &&
           fan->pinned_large <= fan->limits.pin_bytes);
    check_round(fan);
    crier_router_check(fan->router);
    (void)followers;
    (void)members;
    (void)behind;
    (void)bytes;
    (void)crowded;
}
