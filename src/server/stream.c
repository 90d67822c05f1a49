/* SPDX-License-Identifier: MIT */
/*
 * A stream's life beside the fan-out.
 *
 *   opened    its request is understood; it waits in its outlet's `joining` (its exchange and
 *             wish stand in `opening`), or out of it while its start is looked up on disk
 *   joined    in step 3 of a tick, right after the worker has read the journal: its start is
 *             located once (a private one's already when it begins to follow, so that it gets
 *             what its own callback publishes next), and as soon as the worker has read up to
 *             it, head and opening leave in one write and the fan-out takes it. No event can
 *             fall between "replayed" and "live": both are read at the worker's cursor
 *   running   the fan-out sends; heartbeats go out when nothing else did
 *   finished  the farewell, as soon as no event is half sent; the connection closes
 *
 * Everything happens on the worker's thread. A stream is freed with its connection, outside of
 * the fan-out's calls.
 */
#include "server/stream.h"
#include "http/response.h"
#include "server/private.h"
#include <string.h>

/* ---- opening ---------------------------------------------------------------------------- */

/* Any thread. */
static void opening_wake(struct crier_wait *wait)
{
    struct crier_opening *o = CRIER_CONTAINER(wait, struct crier_opening, wait);

    crier_bell_ring(&crier_stream_worker(o->stream)->bell, &o->news);
}

static void opening_told(struct crier_news *news)
{
    struct crier_opening *o = CRIER_CONTAINER(news, struct crier_opening, news);

    o->asks = false;
    crier_list_push_back(&o->stream->outlet->joining, &o->node);
}

static struct crier_opening *opening_new(const struct crier_mem *mem,
                                         const struct crier_opening *wish)
{
    struct crier_opening *o = crier_mem_alloc(mem, sizeof(*o) + wish->requested.len);
    char *text;

    if (!o)
        return NULL;
    *o = *wish;
    crier_list_init(&o->node);
    o->wait.wake = opening_wake;
    crier_news_init(&o->news, opening_told);
    text = (char *)(o + 1);
    if (wish->requested.len)
        memcpy(text, wish->requested.data, wish->requested.len);
    o->requested.data = wish->requested.data ? text : NULL;
    return o;
}

void crier_opening_resumes(struct crier_opening *o)
{
    o->resume = o->since.kind == CRIER_SINCE_ID || o->since.kind == CRIER_SINCE_UNKNOWN;
    if (o->since.kind == CRIER_SINCE_ID && o->since.id.ms == 0 && o->since.id.seq == 0) {
        o->since = (struct crier_since){.kind = CRIER_SINCE_EARLIEST};
        o->resume = false;
    }
    if (!o->resume)
        o->requested = (struct crier_slice){NULL, 0};
}

static void opening_free(struct crier_stream *s)
{
    const struct crier_mem *mem = crier_stream_worker(s)->server->mem;

    if (!s->opening)
        return;
    crier_list_remove(&s->opening->node);
    crier_journal_unwait(s->outlet->journal, &s->opening->wait);
    crier_bell_forget(&crier_stream_worker(s)->bell, &s->opening->news);
    crier_subscription_free(s->opening->subscription);
    crier_mem_free(mem, s->opening->start.picks);
    if (s->opening->exchange)
        crier_exchange_free(s->opening->exchange);
    s->opening = crier_mem_free(mem, s->opening);
}

struct crier_stream *crier_stream_new(struct crier_conn *conn, struct crier_dress dress)
{
    struct crier_worker *worker = conn->worker;
    const struct crier_config *config = worker->server->config;
    struct crier_stream *s = crier_mem_zalloc(worker->server->mem, sizeof(*s));

    if (!s)
        return NULL;
    s->conn = conn;
    s->form = (uint8_t)dress.form;
    s->chunked = dress.chunked;
    s->heartbeat_ms = (uint32_t)config->heartbeat_ms;
    /* Up to a tenth sooner: what came together does not go together. */
    if (config->max_age_ms)
        s->expires_ms = worker->now.boot_ms + config->max_age_ms -
                        crier_rng_between(&worker->rng, 0, config->max_age_ms / 10);
    crier_list_init(&s->follower.node);
    crier_list_push_back(&conn->streams, &s->conn_node);
    crier_stat_add(&worker->stats.streams_opened, 1);
    crier_stat_add(&worker->stats.streams, 1);
    return s;
}

int crier_stream_follow_outlet(struct crier_stream *s,
                               struct crier_outlet *outlet,
                               const struct crier_opening *wish)
{
    s->opening = opening_new(crier_stream_worker(s)->server->mem, wish);
    if (!s->opening)
        return -ENOMEM;
    s->outlet = outlet;
    s->opening->stream = s;
    crier_list_push_back(&outlet->joining, &s->opening->node);
    return 0;
}

void crier_stream_begin(struct crier_exchange *ex,
                        struct crier_subscription *subscription,
                        const struct crier_opening *wish,
                        uint32_t heartbeat_ms)
{
    struct crier_conn *conn = ex->conn;
    struct crier_stream *s = crier_stream_new(conn, crier_subscription_dress(subscription));
    struct crier_opening opening = *wish;

    opening.subscription = subscription;
    opening.exchange = ex;
    if (!s || crier_stream_follow_outlet(s, ex->outlet, &opening) < 0) {
        if (s)
            crier_stream_free(s);
        crier_subscription_free(subscription);
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    s->heartbeat_ms = heartbeat_ms;
    conn->exchange = NULL;
    ex->request = NULL;
    crier_conn_streaming(conn);
}

void crier_stream_write_head(struct crier_exchange *ex, const struct crier_stream_head *head)
{
    struct crier_buf *out = &ex->conn->out;

    /* A stream is the last thing its connection carries; its head has its own words about that.
     * A HEAD is not. */
    if (ex->method != CRIER_METHOD_HEAD)
        ex->close = ex->minor == 0;
    crier_exchange_head(ex, head->status);
    crier_http_header(out, CRIER_SLICE("Content-Type"),
                      head->dress.form == CRIER_FORM_NDJSON
                          ? CRIER_SLICE("application/x-ndjson")
                          : CRIER_SLICE("text/event-stream"));
    if (!head->own_cache_control)
        crier_http_header(out, CRIER_SLICE("Cache-Control"),
                          CRIER_SLICE("no-cache, no-store, no-transform"));
    if (!head->own_buffering)
        crier_http_header(out, CRIER_SLICE("X-Accel-Buffering"), CRIER_SLICE("no"));
    crier_buf_append(out, head->headers);
    if (head->start)
        crier_exchange_start_headers(out, head->start, head->resume);
    if (head->dress.chunked) {
        crier_http_header(out, CRIER_SLICE("Transfer-Encoding"), CRIER_SLICE("chunked"));
        if (!ex->close)
            crier_http_header(out, CRIER_SLICE("Connection"), CRIER_SLICE("keep-alive"));
    }
    crier_http_end_head(out);
}

static uint32_t draw_retry(struct crier_stream *s)
{
    struct crier_worker *worker = crier_stream_worker(s);
    const struct crier_config *config = worker->server->config;

    return crier_worker_jitter(worker, config->retry_min_ms, config->retry_max_ms);
}

static void write_opening(struct crier_stream *s, const struct crier_start *start)
{
    struct crier_worker *worker = crier_stream_worker(s);
    struct crier_opening *o = s->opening;

    if (o->exchange)
        crier_stream_write_head(o->exchange,
                                &(struct crier_stream_head){.status = 200,
                                                            .dress = crier_stream_dress(s),
                                                            .start = start,
                                                            .resume = o->resume});
    crier_notice_opening(&s->conn->out, crier_stream_dress(s), o->exchange ? draw_retry(s) : 0,
                         o->connected, start, o->requested, o->resume, worker->now.wall_ms);
    if (start->gap)
        crier_stat_add(&worker->stats.gaps, 1);
}

/* The fan-out has it; its subscription is the feed's now. */
static void joined(struct crier_stream *s)
{
    struct crier_worker *worker = crier_stream_worker(s);

    s->opening->subscription = NULL;
    opening_free(s);
    if (crier_presence_join(s->outlet->channel->presence,
                            crier_follower_subscription(&s->follower), &s->presence) < 0)
        s->presence = NULL; /* out of memory: it is only not counted */
    s->conn->progress_ms = worker->now.boot_ms;
    crier_conn_arm(s->conn);
}

/* Where it starts is asked once: under steady load the journal's end is always a little ahead
 * of the worker. */
int crier_stream_locate(struct crier_stream *s)
{
    struct crier_opening *o = s->opening;
    int r;

    if (o->located || o->asks)
        return o->located ? 0 : CRIER_WAIT;
    r = crier_journal_locate(s->outlet->journal, &o->subscription->filter, &o->since,
                             s->outlet->now, &o->wait, &o->start);
    o->located = r == 0;
    o->asks = r == CRIER_WAIT;
    if (o->asks)
        crier_list_remove(&o->node);
    return r;
}

/* Where it starts cannot be found. */
static void join_fails(struct crier_stream *s, int result)
{
    struct crier_exchange *ex = s->opening->exchange;

    if (result == -ENOMEM || !ex) {
        crier_conn_doom(s->conn, result == -ENOMEM ? CRIER_END_MEMORY : CRIER_END_UNREAD);
        return;
    }
    s->opening->exchange = NULL;
    ex->close = true;
    crier_exchange_refuse_read(ex, result);
}

static int join_fanout(struct crier_stream *s)
{
    struct crier_opening *o = s->opening;
    int r;

    if (s->private)
        crier_private_flush(s); /* what was sent before comes before */
    write_opening(s, &o->start);
    if (crier_buf_error(&s->conn->out) < 0)
        return -ENOMEM;
    crier_conn_flush(s->conn);
    if (s->conn->state != CRIER_CONN_STREAMING)
        return 0; /* the peer is gone already */
    r = crier_fanout_join(s->outlet->fanout, &s->follower, o->subscription, &o->start,
                          !crier_conn_sent(s->conn));
    if (r < 0)
        return r;
    o->start.picks = NULL; /* the follower's now */
    joined(s);
    return 0;
}

bool crier_stream_join(struct crier_stream *s)
{
    if (s->conn->state == CRIER_CONN_STREAMING) {
        int r = crier_stream_locate(s);

        if (r == CRIER_WAIT)
            return true;
        if (r < 0) {
            join_fails(s, r);
        } else {
            /* Another worker may have served it an event that this one has not read yet. */
            if (!crier_fanout_reaches(s->outlet->fanout, &s->opening->start))
                return false;
            if (join_fanout(s) < 0)
                crier_conn_doom(s->conn, CRIER_END_MEMORY);
        }
    }
    if (s->opening)
        crier_list_remove(&s->opening->node); /* it could not */
    return true;
}

/* ---- running ---------------------------------------------------------------------------- */

size_t
crier_stream_take(void *ctx, struct crier_follower *follower, const char *bytes, size_t len)
{
    struct crier_stream *s = CRIER_CONTAINER(follower, struct crier_stream, follower);
    struct crier_conn *conn = s->conn;
    struct crier_worker *worker = ctx;
    ssize_t n;

    if (conn->state != CRIER_CONN_STREAMING || conn->blocked || s->ending)
        return 0;
    n = crier_socket_send(conn->fd, bytes, len);
    if (n < 0 && n != -EAGAIN) {
        crier_conn_doom(conn, CRIER_END_LOST);
        return 0;
    }
    if (n > 0)
        conn->progress_ms = worker->now.boot_ms;
    if (n < (ssize_t)len) {
        conn->blocked = true;
        crier_conn_arm(conn);
        return n > 0 ? (size_t)n : 0;
    }
    return len;
}

void crier_stream_gap(void *ctx, struct crier_follower *follower)
{
    struct crier_worker *worker = ctx;

    crier_stat_add(&worker->stats.gaps, 1);
}

void crier_stream_broken(void *ctx, struct crier_follower *follower)
{
    struct crier_stream *s = CRIER_CONTAINER(follower, struct crier_stream, follower);
    struct crier_worker *worker = ctx;

    /* An event was half sent when history lost it. A cut without a clean end is the one honest
     * answer: the client drops the half event, comes back, and is told the gap. The same when
     * the disk fails: it comes back, and is told so. */
    if (follower->unreadable) {
        crier_conn_doom(s->conn, CRIER_END_UNREAD);
        return;
    }
    crier_stat_add(&worker->stats.broken, 1);
    crier_conn_doom(s->conn, CRIER_END_LAGGED);
}

/* ---- the end ---------------------------------------------------------------------------- */

bool crier_stream_between(const struct crier_stream *s)
{
    return crier_follower_between_events(&s->follower) && crier_conn_sent(s->conn);
}

/* A client that is to come back is told when; one whose stream was finished is not. */
static void write_farewell(struct crier_stream *s)
{
    const struct crier_config *config = crier_stream_worker(s)->server->config;
    bool finished = s->why == CRIER_CLOSE_FINISHED;

    if (s->why == CRIER_CLOSE_STOPPED && config->bye && s->form != CRIER_FORM_NDJSON)
        crier_notice_frame(&s->conn->out, crier_stream_dress(s),
                           crier_encoded_bytes(config->bye));
    crier_notice_end(&s->conn->out, crier_stream_dress(s),
                     finished     ? 0
                     : s->private ? s->private->retry_ms
                                  : draw_retry(s));
    if (crier_buf_error(&s->conn->out) < 0)
        crier_conn_doom(s->conn, CRIER_END_MEMORY);
    else
        crier_conn_finish(s->conn);
}

/* Nothing of the hub any more, but for an event that was begun. false: not yet. */
static bool end_following(struct crier_stream *s, bool hurry)
{
    if (!s->outlet)
        return true;
    if (s->opening && !s->private)
        return false;
    if (s->opening) {
        opening_free(s);
    }
    if (s->follower.state == CRIER_FOLLOWER_OUT)
        return true; /* it has not joined, and will not */
    if (hurry)
        crier_fanout_finish(s->outlet->fanout, &s->follower);
    return hurry || crier_follower_done(&s->follower);
}

void crier_stream_end(struct crier_stream *s, enum crier_close why, bool hurry)
{
    if (s->ending || s->conn->state != CRIER_CONN_STREAMING)
        return;
    if (s->private) {
        crier_private_finish(s, why);
        s->private->hurry = s->private->hurry || hurry;
        crier_private_flush(s);
    }
    if (!s->why)
        s->why = (uint8_t)why;
    if (!end_following(s, hurry) || !crier_stream_between(s))
        return;
    if (s->private && !crier_private_drained(s))
        return;
    s->ending = true;
    write_farewell(s);
}

void crier_stream_writable(struct crier_stream *s)
{
    if (s->ending)
        return;
    if (s->outlet && !s->opening && crier_conn_sent(s->conn))
        crier_fanout_writable(s->outlet->fanout, &s->follower, s->outlet->now);
    if (s->private)
        crier_private_touch(s);
}

static bool tick_expired(struct crier_stream *s)
{
    if (!s->expires_ms || s->expires_ms > crier_stream_worker(s)->now.boot_ms)
        return false;
    if (!s->why)
        crier_stat_add(&crier_stream_worker(s)->stats.expired, 1);
    crier_stream_end(s, CRIER_CLOSE_EXPIRED, true);
    return true;
}

void crier_stream_tick(struct crier_stream *s)
{
    struct crier_worker *worker = crier_stream_worker(s);
    struct crier_conn *conn = s->conn;

    if (s->opening || s->ending || conn->state != CRIER_CONN_STREAMING)
        return;
    if (tick_expired(s) || conn->blocked || !s->heartbeat_ms)
        return;
    if (conn->progress_ms + s->heartbeat_ms > worker->now.boot_ms || !crier_stream_between(s))
        return;
    crier_notice_heartbeat(&conn->out, crier_stream_dress(s));
    crier_stat_add(&worker->stats.heartbeats, 1);
    crier_conn_flush(conn);
}

static enum crier_close why_ended(const struct crier_stream *s)
{
    switch ((enum crier_conn_end)s->conn->end) {
    case CRIER_END_NONE:
    case CRIER_END_CLOSED:
        return s->why ? (enum crier_close)s->why : CRIER_CLOSE_FINISHED;
    case CRIER_END_PEER:
    case CRIER_END_LOST:
        return CRIER_CLOSE_PEER;
    case CRIER_END_STALLED:
        return CRIER_CLOSE_STALLED;
    case CRIER_END_SERVER:
        return CRIER_CLOSE_STOPPED;
    case CRIER_END_LAGGED:
    case CRIER_END_MEMORY:
    case CRIER_END_FAILED:
    case CRIER_END_UNREAD:
        break;
    }
    return CRIER_CLOSE_ERROR;
}

void crier_stream_free(struct crier_stream *s)
{
    struct crier_worker *worker = crier_stream_worker(s);

    crier_list_remove(&s->conn_node);
    if (s->outlet) {
        crier_presence_leave(s->outlet->channel->presence, s->presence);
        crier_fanout_leave(s->outlet->fanout, &s->follower);
    }
    opening_free(s);
    crier_stat_add(&worker->stats.streams_closed, 1);
    crier_stat_sub(&worker->stats.streams, 1);
    if (s->private)
        crier_private_free(s, why_ended(s));
    crier_mem_free(worker->server->mem, s);
}
