/* SPDX-License-Identifier: MIT */
/*
 * Lagging followers read the journal themselves, a slice at a time.
 *
 *     position                 everything up to this event is done
 *     offset, nothing pinned   so many bytes of event position + 1 are sent; read again
 *     offset, pinned           so many bytes of `pinned` are sent; position counts the event
 *
 * One slice: the pinned rest, if any; then either it has caught up (it stands at the end of
 * what the fan-out has read, or inside its feed's window) and becomes a member again, or the
 * next matching events are put together and leave in one send. A short write is turned into
 * (position, offset) by the marks.
 *
 * Why pin? An event that was cut must be completed byte for byte, or the stream ends. History
 * may lose the event in the meantime, so its rest is copied if it is small, or if the budget
 * for large rests allows. Otherwise it is read again, and checked to be the same event by its
 * number and, where it is rendered, by a hash of what was sent; if it is gone the follower is
 * broken. A cut gap notice is always pinned: it is nowhere else.
 *
 * A large plain event is sent straight from the journal's memory, without a copy.
 *
 * A journal on disk may not have the next slice in memory: then the follower waits. It is
 * parked, with its question, until the journal rings; it holds no place in the tick, and the
 * worker sleeps if there is nothing else. Only who waits has a crier_lag_wait: the next
 * question is asked with the fan-out's spare one.
 *
 *     round ──slice: CRIER_WAIT──▶ parked ──wake (any thread) ──▶ bell ──pump──▶ round
 *
 * What can fail: memory, and the disk. Without memory the follower stays where it is and is
 * tried again with the next event or tick; nothing is lost. Only a gap notice that is cut and
 * cannot be pinned breaks it, and a disk that cannot be read.
 */
#include "base/mem.h"
#include "hub/feed.h"
#include <assert.h>
#include <string.h>

enum {
    PIN_FREE = 2048,           /* a rest of up to this does not count against the budget */
    LOOK_COST = 16,            /* bytes of the index */
    SLICE_COST = 64,           /* at least: so that a tick's slices are bounded in number */
    SCRATCH_KEEP = 256 * 1024, /* memory kept between slices */
};

/* ---- pins ------------------------------------------------------------------------------- */

static bool is_large(uint32_t len)
{
    return len > PIN_FREE;
}

static void unpin(struct crier_fanout *fan, struct crier_follower *f)
{
    fan->pinned_bytes -= f->pinned_len;
    fan->pinned_large -= is_large(f->pinned_len) ? f->pinned_len : 0;
    f->pinned = crier_mem_free(fan->mem, f->pinned);
    f->pinned_len = 0;
    f->offset = 0;
}

/* Copies the rest; false: over the budget, or out of memory. */
static bool
pin(struct crier_fanout *fan, struct crier_follower *f, struct crier_slice rest, bool event)
{
    assert(!f->pinned && rest.len > 0);
    if (rest.len > UINT32_MAX)
        return false;
    uint32_t len = (uint32_t)rest.len;
    if (is_large(len) && fan->pinned_large + len > fan->limits.pin_bytes) {
        fan->stats.pins_refused++;
        return false;
    }
    f->pinned = crier_mem_alloc(fan->mem, len);
    if (!f->pinned)
        return false;
    memcpy(f->pinned, rest.data, len);
    f->pinned_len = len;
    f->pinned_event = event;
    f->offset = 0;
    fan->pinned_bytes += len;
    fan->pinned_large += is_large(len) ? len : 0;
    return true;
}

static void break_follower(struct crier_fanout *fan, struct crier_follower *f)
{
    f->broken = true;
    if (fan->sink.broken)
        fan->sink.broken(fan->sink.ctx, f);
}

/* ---- waiting ---------------------------------------------------------------------------- */

struct crier_lag_wait {
    struct crier_wait wait;
    struct crier_news news;
    struct crier_fanout *fan;
    struct crier_follower *follower;
};

static void park(struct crier_fanout *fan, struct crier_follower *f)
{
    crier_list_remove(&f->node);
    crier_list_push_back(&fan->parked, &f->node);
}

static void to_round(struct crier_fanout *fan, struct crier_follower *f)
{
    crier_list_remove(&f->node);
    crier_list_push_back(&fan->round, &f->node);
}

/* Any thread. */
static void wake(struct crier_wait *wait)
{
    struct crier_lag_wait *w = CRIER_CONTAINER(wait, struct crier_lag_wait, wait);

    crier_bell_ring(&w->fan->bell, &w->news);
}

static void told(struct crier_news *news)
{
    struct crier_lag_wait *w = CRIER_CONTAINER(news, struct crier_lag_wait, news);

    to_round(w->fan, w->follower);
}

/* The follower's, or the spare one. NULL: out of memory. */
static struct crier_lag_wait *wait_for(struct crier_fanout *fan, struct crier_follower *f)
{
    struct crier_lag_wait *w = f->wait ? f->wait : fan->spare;

    if (w)
        return w;
    w = crier_mem_zalloc(fan->mem, sizeof(*w));
    if (!w)
        return NULL;
    w->wait.wake = wake;
    w->fan = fan;
    crier_news_init(&w->news, told);
    fan->spare = w;
    return w;
}

static void wait_begins(struct crier_fanout *fan, struct crier_follower *f)
{
    if (!f->wait) {
        f->wait = fan->spare;
        fan->spare = NULL;
        fan->stats.waiting++;
    }
    f->wait->follower = f;
}

/* It was answered, or is given up. */
static void wait_ends(struct crier_fanout *fan, struct crier_follower *f)
{
    struct crier_lag_wait *w = f->wait;

    if (!w)
        return;
    crier_journal_unwait(fan->journal, &w->wait);
    crier_bell_forget(&fan->bell, &w->news);
    f->wait = NULL;
    fan->stats.waiting--;
    if (fan->spare)
        crier_mem_free(fan->mem, w);
    else
        fan->spare = w;
}

void crier_lag_free_spare(struct crier_fanout *fan)
{
    fan->spare = crier_mem_free(fan->mem, fan->spare);
}

/* ---- position --------------------------------------------------------------------------- */

static void drop_picks(struct crier_fanout *fan, struct crier_follower *f)
{
    f->picks = crier_mem_free(fan->journal->mem, f->picks);
    f->pick_count = 0;
}

/* Everything up to here is done. */
static void move_to(struct crier_fanout *fan, struct crier_follower *f, uint64_t position)
{
    f->position = position;
    f->offset = 0;
    if (f->picks && position >= f->picks[f->pick_count - 1]) {
        drop_picks(fan, f);
        f->position = f->until;
    }
}

static uint32_t
hash_sent(const struct crier_fanout *fan, struct crier_slice event, uint64_t into)
{
    return (uint32_t)crier_hash(&fan->journal->hash_key,
                                crier_slice_sub(event, 0, (size_t)into));
}

/* It stands at a place: what is left of an event that has begun is pinned, or read again. */
static void
cut_at(struct crier_fanout *fan, struct crier_follower *f, const struct crier_place *at)
{
    struct crier_slice rest = crier_slice_sub(at->event, (size_t)at->into, at->event.len);

    if (at->into > 0 && pin(fan, f, rest, true)) {
        move_to(fan, f, at->position + 1);
        return;
    }
    f->position = at->position;
    f->offset = at->into;
    if (at->into > 0 && crier_feed_dress(f->feed).form != CRIER_FORM_SSE)
        f->cut_hash = hash_sent(fan, at->event, at->into);
}

void crier_lag_begin(struct crier_fanout *fan,
                     struct crier_follower *f,
                     const struct crier_place *at)
{
    f->state = CRIER_FOLLOWER_LAGGING;
    fan->stats.lagging++;
    crier_list_init(&f->node);
    cut_at(fan, f, at);
    crier_list_push_back(f->blocked ? &fan->parked : &fan->round, &f->node);
}

void crier_lag_end(struct crier_fanout *fan, struct crier_follower *f)
{
    wait_ends(fan, f);
    if (f->pinned)
        unpin(fan, f);
    if (f->picks)
        drop_picks(fan, f);
    crier_list_remove(&f->node);
    f->state = CRIER_FOLLOWER_OUT;
    fan->stats.lagging--;
}

void crier_lag_finish(struct crier_fanout *fan, struct crier_follower *f)
{
    if (f->offset == 0 && !f->pinned)
        wait_ends(fan, f);
}

/* ---- sending ---------------------------------------------------------------------------- */

/* Returns how many were taken; blocked if not all. */
static size_t
send_bytes(struct crier_fanout *fan, struct crier_follower *f, struct crier_slice bytes)
{
    size_t taken = fan->sink.send(fan->sink.ctx, f, bytes.data, bytes.len);

    assert(taken <= bytes.len);
    fan->stats.sends++;
    fan->stats.bytes += taken;
    f->blocked = taken < bytes.len;
    return taken;
}

static void count_delivered(struct crier_fanout *fan, size_t events)
{
    fan->stats.delivered += events;
    fan->stats.replayed += events;
}

static size_t send_pinned(struct crier_fanout *fan, struct crier_follower *f)
{
    struct crier_slice rest = {f->pinned + f->offset, (size_t)(f->pinned_len - f->offset)};
    size_t taken = send_bytes(fan, f, rest);

    f->offset += taken;
    if (f->blocked)
        return taken;
    if (f->pinned_event)
        count_delivered(fan, 1);
    unpin(fan, f);
    return taken;
}

static size_t send_gap(struct crier_fanout *fan,
                       struct crier_follower *f,
                       const struct crier_start *gap,
                       struct crier_now now)
{
    crier_buf_clear(&fan->notice);
    crier_notice_gap(&fan->notice, crier_feed_dress(f->feed), gap, (struct crier_slice){0},
                     now.wall_ms);
    if (crier_buf_error(&fan->notice) < 0) {
        fan->starved = true;
        return 0;
    }

    struct crier_slice bytes = crier_buf_slice(&fan->notice);
    size_t taken = send_bytes(fan, f, bytes);
    /* Nothing was told yet: the next scan comes upon the gap again. */
    if (taken == 0)
        return 0;
    f->losses = gap->losses;
    move_to(fan, f, gap->position);
    if (fan->sink.gap)
        fan->sink.gap(fan->sink.ctx, f);
    if (f->blocked && !pin(fan, f, crier_slice_sub(bytes, taken, bytes.len), false))
        break_follower(fan, f);
    return taken;
}

/* ---- reading ---------------------------------------------------------------------------- */

struct gather {
    struct crier_fanout *fan;
    struct crier_follower *follower;
    struct crier_dress dress;
    size_t cost; /* sent directly */
    bool direct; /* an event was sent straight from the journal, the follower is up to date */
    bool starved;
};

/* Sends the record's own bytes. */
static void send_direct(struct gather *g, const struct crier_record *record)
{
    struct crier_follower *f = g->follower;
    struct crier_slice bytes = g->dress.chunked ? record->frame : record->sse;
    struct crier_slice rest = crier_slice_sub(bytes, (size_t)f->offset, bytes.len);
    size_t taken = send_bytes(g->fan, f, rest);

    g->direct = true;
    g->cost = taken;
    if (!f->blocked) {
        count_delivered(g->fan, 1);
        move_to(g->fan, f, record->number);
        return;
    }
    struct crier_place at = {
        .position = record->number - 1, .into = f->offset + taken, .event = bytes};
    cut_at(g->fan, f, &at);
}

static int gather_event(void *ctx, const struct crier_record *record)
{
    struct gather *g = ctx;
    struct crier_window *scratch = &g->fan->scratch;
    size_t limit = g->fan->limits.lag_bytes;
    bool first = scratch->mark_count == 0, plain = g->dress.form == CRIER_FORM_SSE;

    assert(g->follower->offset == 0 || record->number == g->follower->position + 1);
    if (first && plain && record->frame.len >= limit) {
        send_direct(g, record);
        return CRIER_SCAN_STOP;
    }
    if (crier_window_append(scratch, g->dress, record) == 0)
        return scratch->bytes.len >= limit ? CRIER_SCAN_TAKEN : 0;
    /* Out of memory: what there is goes first. */
    if (first && plain)
        send_direct(g, record);
    else if (first)
        g->starved = true;
    return CRIER_SCAN_STOP;
}

/* Sends what was gathered; up_to: where the scan ended. */
static size_t send_scratch(struct crier_fanout *fan, struct crier_follower *f, uint64_t up_to)
{
    const struct crier_window *scratch = &fan->scratch;
    uint64_t from = f->offset;
    struct crier_slice bytes = crier_window_from(scratch, from);
    size_t taken = send_bytes(fan, f, bytes);
    uint64_t to = from + taken;

    count_delivered(fan, crier_window_count(scratch, from, to));
    if (!f->blocked) {
        move_to(fan, f, up_to);
        return taken;
    }
    struct crier_place at = crier_window_place(scratch, to);
    cut_at(fan, f, &at);
    return taken;
}

/* Is what was read again the event that was begun? A rendered one names the topic it is held
 * under, and that can change by a DELETE. */
static bool is_same(const struct crier_fanout *fan, const struct crier_follower *f)
{
    struct crier_slice event = crier_window_from(&fan->scratch, 0);

    if (f->offset == 0 || crier_feed_dress(f->feed).form == CRIER_FORM_SSE)
        return true;
    return f->offset < event.len && hash_sent(fan, event, f->offset) == f->cut_hash;
}

/* After a scan without a gap. */
static size_t send_gathered(struct gather *g, const struct crier_scan *scan)
{
    struct crier_fanout *fan = g->fan;
    struct crier_follower *f = g->follower;

    if (g->direct)
        return g->cost;
    if (fan->scratch.mark_count > 0 && is_same(fan, f))
        return send_scratch(fan, f, scan->position);
    if (g->starved) {
        fan->starved = true;
        return 0;
    }
    /* If there should have been the rest of an event, it is gone. */
    if (f->offset > 0)
        break_follower(fan, f);
    else
        move_to(fan, f, scan->position);
    return 0;
}

/* The disk cannot be read: a cut without a clean end, so that it comes back. */
static void break_unreadable(struct crier_fanout *fan, struct crier_follower *f)
{
    fan->stats.unreadable++;
    f->unreadable = true;
    break_follower(fan, f);
}

/* What the scan answered, when it was not to wait; returns what it cost beyond the looks. */
static size_t take_slice(struct gather *g,
                         int r,
                         const struct crier_scan *scan,
                         const struct crier_start *gap,
                         struct crier_now now)
{
    wait_ends(g->fan, g->follower);
    if (r == CRIER_SCAN_GAP)
        return send_gap(g->fan, g->follower, gap, now);
    if (r == 0)
        return send_gathered(g, scan);
    if (r == -ENOMEM)
        g->fan->starved = true;
    else
        break_unreadable(g->fan, g->follower);
    return 0;
}

/* Reads on from the follower's position, or begins to wait; returns what it cost. */
static size_t
read_slice(struct crier_fanout *fan, struct crier_follower *f, struct crier_now now)
{
    struct gather g = {.fan = fan, .follower = f, .dress = crier_feed_dress(f->feed)};
    struct crier_start gap;
    struct crier_scan scan = {
        .filter = &f->feed->subscription->filter,
        .position = f->position,
        .until = f->picks ? f->until : fan->position,
        .max_looks = fan->limits.lag_looks,
        .now_boot_ms = now.boot_ms,
        .picks = f->picks,
        .pick_count = f->pick_count,
        .losses = f->losses,
    };
    struct crier_lag_wait *w = NULL;
    size_t cost = SLICE_COST;

    if (fan->journal->ops->unwait) { /* else it never has to */
        w = wait_for(fan, f);
        if (!w) {
            fan->starved = true;
            return cost;
        }
        scan.wait = &w->wait;
    }
    /* An event that has begun is completed, whatever its ttl and whatever else is lost. */
    if (f->offset > 0) {
        scan.until = f->position + 1;
        scan.now_boot_ms = 0;
        scan.losses = UINT64_MAX;
    }
    crier_window_reset(&fan->scratch, 0, f->position);
    int r = crier_journal_scan(fan->journal, &scan, gather_event, &g, &gap);
    if (r == CRIER_WAIT) {
        wait_begins(fan, f);
        return cost;
    }
    cost += (size_t)scan.looks * LOOK_COST;
    cost += take_slice(&g, r, &scan, &gap, now);

    crier_window_reset(&fan->scratch, 0, 0);
    crier_window_shrink(&fan->scratch, SCRATCH_KEEP);
    return cost;
}

/* ---- catching up ------------------------------------------------------------------------ */

/* Does it stand where its feed can take it over? Then it is a member again, and has got what
 * the feed's window holds for it. */
static bool catch_up(struct crier_fanout *fan, struct crier_follower *f)
{
    struct crier_feed *feed = f->feed;
    uint64_t offset = feed->end;

    if (f->pinned || f->picks || f->offset > 0 || f->finishing)
        return false;
    if (f->position < fan->position && f->position < feed->last_number &&
        (!feed->window || !crier_window_find(feed->window, f->position, &offset)))
        return false;

    crier_lag_end(fan, f);
    crier_feed_enter(feed, f, offset);
    if (offset < feed->end)
        crier_pass_send(fan, feed, f);
    return true;
}

size_t crier_lag_slice(struct crier_fanout *fan, struct crier_follower *f, struct crier_now now)
{
    size_t cost = SLICE_COST;

    assert(f->state == CRIER_FOLLOWER_LAGGING && !f->blocked && !f->broken);
    park(fan, f);
    if (f->pinned)
        cost += send_pinned(fan, f);
    if (f->blocked || catch_up(fan, f) || (f->finishing && f->offset == 0))
        return cost;
    cost += read_slice(fan, f, now);
    if (f->wait || f->blocked || f->broken || catch_up(fan, f))
        return cost;
    to_round(fan, f);
    return cost;
}
