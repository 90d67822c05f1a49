/* SPDX-License-Identifier: MIT */
/*
 * A stream's life beside the fan-out.
 *
 *   opened    its request is understood; it waits in `joining` (its exchange and wish stand
 *             in `opening`)
 *   joined    in step 3 of a tick, right after the worker has read the journal: its start is
 *             located once, and as soon as the worker has read up to it, head and opening
 *             leave in one write and the fan-out takes it. No event can fall between
 *             "replayed" and "live": both are read at the worker's cursor
 *   running   the fan-out sends; heartbeats go out when nothing else did
 *   finished  the farewell, as soon as no event is half sent; the connection closes
 *
 * Everything happens on the worker's thread. A stream is freed with its connection, outside of
 * the fan-out's calls.
 */
#include "server/stream.h"
#include "http/response.h"
#include <string.h>

static struct crier_worker *stream_worker(const struct crier_stream *s)
{
    return s->conn->worker;
}

/* ---- opening ---------------------------------------------------------------------------- */

static struct crier_opening *opening_new(const struct crier_mem *mem,
                                         const struct crier_opening *wish)
{
    struct crier_opening *o = crier_mem_alloc(mem, sizeof(*o) + wish->requested.len);
    char *text;

    if (!o)
        return NULL;
    *o = *wish;
    text = (char *)(o + 1);
    if (wish->requested.len)
        memcpy(text, wish->requested.data, wish->requested.len);
    o->requested.data = wish->requested.data ? text : NULL;
    return o;
}

static void opening_free(struct crier_stream *s)
{
    const struct crier_mem *mem = stream_worker(s)->hub->mem;

    if (!s->opening)
        return;
    crier_subscription_free(s->opening->subscription);
    crier_mem_free(mem, s->opening->start.picks);
    if (s->opening->exchange)
        crier_exchange_free(s->opening->exchange);
    s->opening = crier_mem_free(mem, s->opening);
}

void crier_stream_open(struct crier_exchange *ex,
                       struct crier_subscription *subscription,
                       const struct crier_opening *wish,
                       uint32_t heartbeat_ms)
{
    struct crier_conn *conn = ex->conn;
    struct crier_worker *worker = conn->worker;
    const struct crier_mem *mem = worker->hub->mem;
    struct crier_stream *s = crier_mem_zalloc(mem, sizeof(*s));

    if (s)
        s->opening = opening_new(mem, wish);
    if (!s || !s->opening) {
        crier_mem_free(mem, s);
        crier_subscription_free(subscription);
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    s->conn = conn;
    s->heartbeat_ms = heartbeat_ms;
    s->opening->subscription = subscription;
    s->opening->exchange = ex;
    crier_list_init(&s->follower.node);
    crier_list_push_back(&conn->streams, &s->conn_node);
    crier_list_push_back(&worker->joining, &s->join_node);

    if (conn->waiting)
        crier_publisher_flush(worker); /* their answers come first */
    conn->exchange = NULL;
    ex->request = NULL;
    crier_conn_streaming(conn);
    crier_stat_add(&worker->stats.streams_opened, 1);
}

void crier_stream_head(struct crier_exchange *ex,
                       const struct crier_dress *dress,
                       const struct crier_start *start,
                       bool resume)
{
    struct crier_buf *out = &ex->conn->out;

    /* A stream is the last thing its connection carries; its head has its own words about that.
     * A HEAD is not. */
    if (ex->method != CRIER_METHOD_HEAD)
        ex->close = ex->minor == 0;
    crier_exchange_head(ex, 200);
    crier_http_header(out, CRIER_SLICE("Content-Type"),
                      dress->form == CRIER_FORM_NDJSON ? CRIER_SLICE("application/x-ndjson")
                                                       : CRIER_SLICE("text/event-stream"));
    crier_http_header(out, CRIER_SLICE("Cache-Control"),
                      CRIER_SLICE("no-cache, no-store, no-transform"));
    crier_http_header(out, CRIER_SLICE("X-Accel-Buffering"), CRIER_SLICE("no"));
    crier_exchange_start_headers(out, start, resume);
    if (dress->chunked) {
        crier_http_header(out, CRIER_SLICE("Transfer-Encoding"), CRIER_SLICE("chunked"));
        if (!ex->close)
            crier_http_header(out, CRIER_SLICE("Connection"), CRIER_SLICE("keep-alive"));
    }
    crier_http_end_head(out);
}

static void write_opening(struct crier_stream *s, const struct crier_start *start)
{
    struct crier_worker *worker = stream_worker(s);
    const struct crier_config *config = worker->hub->config;
    struct crier_opening *o = s->opening;
    struct crier_dress dress = crier_subscription_dress(o->subscription);
    uint32_t retry = crier_worker_jitter(worker, config->retry_min_ms, config->retry_max_ms);

    crier_stream_head(o->exchange, &dress, start, o->resume);
    crier_notice_opening(&s->conn->out, dress, retry, o->connected, start, o->requested,
                         o->resume, worker->now.wall_ms);
    if (start->gap)
        crier_stat_add(&worker->stats.gaps, 1);
}

/* The fan-out has it; its subscription is the feed's now. */
static void joined(struct crier_stream *s)
{
    struct crier_worker *worker = stream_worker(s);
    struct crier_shared *hub = worker->hub;

    s->opening->subscription = NULL;
    opening_free(s);
    if (crier_presence_join(hub->presence, crier_follower_subscription(&s->follower),
                            &s->presence) < 0)
        s->presence = NULL; /* out of memory: it is only not counted */
    s->conn->progress_ms = worker->now.boot_ms;
    crier_conn_arm(s->conn);
}

/* Where it starts is asked once: under steady load the journal's end is always a little ahead
 * of the worker. */
static int locate(struct crier_stream *s)
{
    struct crier_worker *worker = stream_worker(s);
    struct crier_opening *o = s->opening;
    int r;

    if (o->located)
        return 0;
    r = crier_journal_locate(worker->hub->journal, &o->subscription->filter, &o->since,
                             worker->now, &o->start);
    o->located = r == 0;
    return r;
}

static int join_fanout(struct crier_stream *s)
{
    struct crier_worker *worker = stream_worker(s);
    struct crier_opening *o = s->opening;
    int r;

    write_opening(s, &o->start);
    if (crier_buf_error(&s->conn->out) < 0)
        return -ENOMEM;
    crier_conn_flush(s->conn);
    if (s->conn->state != CRIER_CONN_STREAMING)
        return 0; /* the peer is gone already */
    r = crier_fanout_join(worker->fanout, &s->follower, o->subscription, &o->start,
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
        if (locate(s) < 0) {
            crier_conn_doom(s->conn, "out of memory");
        } else {
            /* Another worker may have served it an event that this one has not read yet. */
            if (!crier_fanout_reaches(stream_worker(s)->fanout, &s->opening->start))
                return false;
            if (join_fanout(s) < 0)
                crier_conn_doom(s->conn, "out of memory");
        }
    }
    crier_list_remove(&s->join_node);
    return true;
}

/* ---- running ---------------------------------------------------------------------------- */

size_t
crier_stream_send(void *ctx, struct crier_follower *follower, const char *bytes, size_t len)
{
    struct crier_stream *s = CRIER_CONTAINER(follower, struct crier_stream, follower);
    struct crier_conn *conn = s->conn;
    struct crier_worker *worker = ctx;
    ssize_t n;

    if (conn->state != CRIER_CONN_STREAMING || conn->blocked || s->ending)
        return 0;
    n = crier_socket_send(conn->fd, bytes, len);
    if (n < 0 && n != -EAGAIN) {
        crier_conn_doom(conn, "peer gone");
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
     * answer: the client drops the half event, comes back, and is told the gap. */
    crier_stat_add(&worker->stats.broken, 1);
    crier_conn_doom(s->conn, "lagged");
}

static void write_farewell(struct crier_stream *s)
{
    struct crier_worker *worker = stream_worker(s);
    const struct crier_config *config = worker->hub->config;

    crier_notice_end(&s->conn->out,
                     crier_subscription_dress(crier_follower_subscription(&s->follower)),
                     crier_worker_jitter(worker, config->retry_min_ms, config->retry_max_ms));
    crier_conn_finish(s->conn);
}

void crier_stream_finish(struct crier_stream *s, bool hurry)
{
    if (s->opening || s->ending || s->conn->state != CRIER_CONN_STREAMING)
        return;
    if (hurry)
        crier_fanout_finish(stream_worker(s)->fanout, &s->follower);
    else if (!crier_follower_done(&s->follower))
        return;
    if (!crier_follower_between_events(&s->follower) || !crier_conn_sent(s->conn))
        return;
    s->ending = true;
    write_farewell(s);
}

void crier_stream_writable(struct crier_stream *s)
{
    if (!s->opening && !s->ending)
        crier_fanout_writable(stream_worker(s)->fanout, &s->follower, stream_worker(s)->now);
}

void crier_stream_tick(struct crier_stream *s)
{
    struct crier_worker *worker = stream_worker(s);
    struct crier_conn *conn = s->conn;

    if (s->opening || s->ending || conn->state != CRIER_CONN_STREAMING || conn->blocked)
        return;
    if (conn->progress_ms + s->heartbeat_ms > worker->now.boot_ms)
        return;
    if (!crier_follower_between_events(&s->follower) || !crier_conn_sent(conn))
        return;
    crier_notice_heartbeat(&conn->out,
                           crier_subscription_dress(crier_follower_subscription(&s->follower)));
    crier_stat_add(&worker->stats.heartbeats, 1);
    crier_conn_flush(conn);
}

void crier_stream_free(struct crier_stream *s)
{
    struct crier_worker *worker = stream_worker(s);

    crier_list_remove(&s->conn_node);
    crier_list_remove(&s->join_node);
    crier_presence_leave(worker->hub->presence, s->presence);
    crier_fanout_leave(worker->fanout, &s->follower);
    opening_free(s);
    crier_stat_add(&worker->stats.streams_closed, 1);
    crier_mem_free(worker->hub->mem, s);
}
