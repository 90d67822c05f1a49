/* SPDX-License-Identifier: MIT */
/*
 * A connection's life (the states are drawn in conn.h).
 *
 * Reading. The socket is edge-triggered: `readable` stays set until a read says EAGAIN. Input
 * is read into the worker's one buffer and parsed there; only what a pause leaves over is
 * copied into `in`. A connection is not read while it has too many unsent answers, has had its
 * share of this tick, or publishes faster than the workers read the journal; then it stands in
 * the worker's `ready` list, or waits for the socket.
 *
 * Writing. Answers are appended to `out` and sent when the worker comes by. A short write sets
 * `blocked` until the socket says that it takes more.
 *
 * Ending. A connection that is closed with unread input would reset, and the reset could
 * overtake the answer (RFC 9112, 9.6). So it shuts down its sending side first and reads on for
 * a while (LINGERING).
 *
 * Freeing happens only in the worker, between the steps of a tick: anyone may doom a connection
 * at any time, and the pointer stays good until then.
 */
#include "server/conn.h"
#include "server/publish.h"
#include "server/route.h"
#include "server/stream.h"
#include <sys/socket.h>
#include <unistd.h>

enum { NEW_MS = 200 }; /* how long one that has said nothing holds up an end */

static struct crier_now conn_now(const struct crier_conn *conn)
{
    return conn->worker->now;
}

static void conn_log_end(struct crier_conn *conn)
{
    static const char *const reasons[] = {
        [CRIER_END_CLOSED] = "closed",
        [CRIER_END_PEER] = "peer closed",
        [CRIER_END_LOST] = "peer gone",
        [CRIER_END_STALLED] = "stalled",
        [CRIER_END_LAGGED] = "lagged",
        [CRIER_END_MEMORY] = "out of memory",
        [CRIER_END_SERVER] = "end",
        [CRIER_END_FAILED] = "failed",
        [CRIER_END_UNREAD] = "journal cannot be read",
    };
    struct crier_log *log = conn->worker->server->log;
    char text[CRIER_ADDRESS_TEXT];

    if (!crier_log_enabled(log, CRIER_LOG_DEBUG))
        return;
    crier_ip_format(&conn->visitor.peer, text);
    crier_log(log, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, conn_now(conn), "disconnected",
              CRIER_LOG_TEXT("peer", crier_slice_of(text)),
              CRIER_LOG_NUMBER("port", conn->peer_port),
              CRIER_LOG_TEXT("reason", crier_slice_of(reasons[conn->end])));
}

void crier_conn_open(struct crier_worker *worker,
                     int fd,
                     const struct crier_address *peer,
                     bool loopback)
{
    struct crier_server *server = worker->server;
    struct crier_conn *conn = crier_mem_zalloc(server->mem, sizeof(*conn));
    int over;

    if (!conn) {
        crier_stat_add(&worker->stats.accept_failed, 1);
        close(fd);
        return;
    }

    conn->worker = worker;
    conn->fd = fd;
    conn->visitor = (struct crier_visitor){.peer = peer->ip, .loopback = loopback};
    conn->peer_port = peer->port;
    conn->since_ms = conn->progress_ms = worker->now.boot_ms;
    crier_list_init(&conn->node);
    crier_list_init(&conn->ready_node);
    crier_list_init(&conn->streams);
    crier_timer_init(&conn->timer);
    crier_buf_init(&conn->in, server->mem);
    crier_buf_init(&conn->out, server->mem);

    over = crier_limits_enter(server->limits, &peer->ip, &conn->ticket);
    if (over < 0 || (over == CRIER_LIMIT_ALL && !conn->ticket.counted) ||
        crier_poller_add(&worker->poller, fd, conn) < 0) {
        /* Not even a kind refusal fits: the bound on refusals is reached, or memory is out. */
        crier_stat_add(over == CRIER_LIMIT_ALL ? &worker->stats.over_connection_limit
                                               : &worker->stats.accept_failed,
                       1);
        crier_limits_leave(server->limits, &conn->ticket);
        close(fd);
        crier_mem_free(server->mem, conn);
        return;
    }

    conn->over = (uint8_t)over;
    crier_socket_setup(fd, &server->config->socket);
    crier_list_push_back(&worker->conns, &conn->node);
    worker->conn_count++;
    crier_stat_set(&worker->stats.connections, worker->conn_count);
    crier_stat_add(&worker->stats.accepted, 1);
    crier_conn_arm(conn);

    if (crier_log_enabled(server->log, CRIER_LOG_DEBUG)) {
        char text[CRIER_ADDRESS_TEXT];

        crier_ip_format(&peer->ip, text);
        crier_log(server->log, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, worker->now,
                  "connected", CRIER_LOG_TEXT("peer", crier_slice_of(text)),
                  CRIER_LOG_NUMBER("port", peer->port));
    }
}

void crier_conn_doom(struct crier_conn *conn, enum crier_conn_end end)
{
    if (conn->state == CRIER_CONN_DOOMED)
        return;
    conn->state = CRIER_CONN_DOOMED;
    conn->end = (uint8_t)end;
    crier_list_remove(&conn->ready_node);
    crier_list_remove(&conn->node);
    crier_list_push_back(&conn->worker->doomed, &conn->node);
    crier_wheel_clear(&conn->worker->wheel, &conn->timer);
    conn_log_end(conn);
}

/* All that they had to say was sent; the connection only waits for the peer. */
static void conn_free_streams(struct crier_conn *conn)
{
    crier_list_for_each_safe (node, &conn->streams)
        crier_stream_free(CRIER_CONTAINER(node, struct crier_stream, conn_node));
}

/* Its publishes are back: nobody knows it any more. */
static void conn_forget(struct crier_conn *conn)
{
    const struct crier_mem *mem = conn->worker->server->mem;

    if (conn->exchange)
        crier_exchange_free(conn->exchange);
    crier_http_reader_free(conn->reader);
    crier_mem_free(mem, conn);
}

void crier_conn_free(struct crier_conn *conn)
{
    struct crier_worker *worker = conn->worker;
    struct crier_server *server = worker->server;

    /* Publishes that are gathered but not appended stand: they were complete. */
    if (conn->waiting)
        crier_publishers_flush(worker);
    conn_free_streams(conn);

    worker->page_bytes -= conn->page_bytes;
    crier_list_remove(&conn->node);
    close(conn->fd); /* leaves the poller with it */
    conn->fd = -1;
    crier_limits_leave(server->limits, &conn->ticket);
    crier_buf_deinit(&conn->in);
    crier_buf_deinit(&conn->out);
    worker->conn_count--;
    crier_stat_set(&worker->stats.connections, worker->conn_count);
    if (!conn->waiting)
        conn_forget(conn); /* else crier_conn_landed does */
}

/* Has a part of a request come that is not complete? */
static bool conn_in_request(const struct crier_conn *conn)
{
    return conn->reader && crier_http_in_request(conn->reader);
}

/* Accepted just now: its request is on its way, and has to be told that we are going. */
static bool conn_is_new(const struct crier_conn *conn)
{
    return !conn->first_done && conn->since_ms + NEW_MS > conn_now(conn).boot_ms;
}

bool crier_conn_has_business(const struct crier_conn *conn)
{
    return conn->state != CRIER_CONN_READING || conn_is_new(conn) || conn->exchange ||
           conn->waiting || conn->in.len || !crier_conn_sent(conn) || conn_in_request(conn);
}

/* ---- timers ----------------------------------------------------------------------------- */

/* The request waits, and with it all that follows. */
static bool conn_awaits(const struct crier_conn *conn)
{
    return conn->refusal || (conn->exchange && conn->exchange->later);
}

/* The request is complete, and a program answers it when it likes. */
static bool conn_awaits_program(const struct crier_conn *conn)
{
    return conn->exchange && conn->exchange->later && conn->exchange->call;
}

/* It asked the journal, which has to look at the disk. */
static bool conn_awaits_journal(const struct crier_conn *conn)
{
    return conn->exchange && conn->exchange->later && conn->exchange->ask;
}

static uint64_t conn_stall_due(const struct crier_conn *conn)
{
    return conn->blocked ? conn->progress_ms + conn->worker->server->config->stall_timeout_ms
                         : UINT64_MAX;
}

static uint64_t conn_due_streaming(const struct crier_conn *conn)
{
    uint64_t due = conn_stall_due(conn);

    crier_list_for_each (node, &conn->streams) {
        const struct crier_stream *s = CRIER_CONTAINER(node, struct crier_stream, conn_node);
        uint64_t heartbeat = conn->progress_ms + s->heartbeat_ms;

        if (!conn->blocked && s->heartbeat_ms && heartbeat < due)
            due = heartbeat;
        /* One that was told to end is told again only when its peer goes on. */
        if (s->expires_ms && s->expires_ms < due && !(conn->blocked && s->why))
            due = s->expires_ms;
    }
    return due;
}

/* When is this connection's patience over, in the state it is in? */
static uint64_t conn_due(const struct crier_conn *conn)
{
    const struct crier_config *config = conn->worker->server->config;
    /* With publishes on their way it is not the peer who stands still. */
    uint64_t since = conn->waiting ? conn_now(conn).boot_ms : conn->since_ms;
    uint64_t progress = conn->waiting ? conn_now(conn).boot_ms : conn->progress_ms;

    switch ((enum crier_conn_state)conn->state) {
    case CRIER_CONN_READING:
        if (conn->blocked)
            return conn->progress_ms + config->stall_timeout_ms;
        if (conn_awaits(conn))
            return UINT64_MAX;
        if (conn->exchange)
            return progress + (conn->exchange->streaming_body ? config->stream_body_timeout_ms
                                                              : config->body_timeout_ms);
        if (conn->first_done && !conn_in_request(conn))
            return since + config->idle_timeout_ms;
        return since + config->head_timeout_ms;
    case CRIER_CONN_STREAMING:
        return conn_due_streaming(conn);
    case CRIER_CONN_CLOSING:
        return conn->progress_ms + config->stall_timeout_ms;
    case CRIER_CONN_LINGERING:
        return conn->since_ms + config->linger_ms;
    case CRIER_CONN_DOOMED:
        break;
    }
    return UINT64_MAX;
}

void crier_conn_arm(struct crier_conn *conn)
{
    uint64_t due = conn_due(conn);

    if (due == UINT64_MAX)
        crier_wheel_clear(&conn->worker->wheel, &conn->timer);
    else
        crier_wheel_set(&conn->worker->wheel, &conn->timer, due ? due : 1);
}

static void conn_timeout_reading(struct crier_conn *conn)
{
    struct crier_worker_stats *stats = &conn->worker->stats;

    if (conn->blocked) {
        crier_stat_add(&stats->stalled, 1);
        crier_conn_doom(conn, CRIER_END_STALLED);
    } else if (conn->exchange) {
        crier_stat_add(&stats->body_timeouts, 1);
        conn->dirty = true;
        crier_route_abort(
            conn->exchange, CRIER_PROBLEM_TIMEOUT,
            "The body of the request came to a standstill. Send it faster, or in several "
            "requests.");
    } else if (conn->first_done && !conn_in_request(conn)) {
        crier_stat_add(&stats->idle_timeouts, 1);
        crier_conn_finish(conn);
    } else {
        crier_stat_add(&stats->head_timeouts, 1);
        crier_conn_refuse(conn, CRIER_PROBLEM_TIMEOUT,
                          "The head of the request was not complete in time. Send it at once.");
    }
}

void crier_conn_timeout(struct crier_conn *conn)
{
    if (conn->state == CRIER_CONN_DOOMED)
        return;
    /* The timer is not moved at every byte; it looks again here. */
    if (conn_due(conn) > conn_now(conn).boot_ms) {
        crier_conn_arm(conn);
        return;
    }

    switch ((enum crier_conn_state)conn->state) {
    case CRIER_CONN_READING:
        conn_timeout_reading(conn);
        break;
    case CRIER_CONN_STREAMING:
        if (conn_stall_due(conn) <= conn_now(conn).boot_ms) {
            crier_stat_add(&conn->worker->stats.stalled, 1);
            crier_conn_doom(conn, CRIER_END_STALLED);
            break;
        }
        crier_list_for_each_safe (node, &conn->streams)
            crier_stream_tick(CRIER_CONTAINER(node, struct crier_stream, conn_node));
        break;
    case CRIER_CONN_CLOSING:
        crier_stat_add(&conn->worker->stats.stalled, 1);
        crier_conn_doom(conn, CRIER_END_STALLED);
        break;
    case CRIER_CONN_LINGERING:
        crier_conn_doom(conn, CRIER_END_CLOSED);
        break;
    case CRIER_CONN_DOOMED:
        break;
    }
    if (conn->state != CRIER_CONN_DOOMED)
        crier_conn_arm(conn);
}

/* ---- writing ---------------------------------------------------------------------------- */

bool crier_conn_sent(const struct crier_conn *conn)
{
    return conn->out_at == conn->out.len;
}

/* CLOSING, and everything is sent: goodbye, without a reset that could overtake the answer. */
static void conn_closed(struct crier_conn *conn)
{
    if (!conn->dirty || conn->ended) {
        crier_conn_doom(conn, CRIER_END_CLOSED);
        return;
    }
    (void)shutdown(conn->fd, SHUT_WR);
    conn->state = CRIER_CONN_LINGERING;
    conn->since_ms = conn_now(conn).boot_ms;
    crier_buf_deinit(&conn->in);
    crier_conn_enqueue(conn);
    crier_conn_arm(conn);
}

void crier_conn_flush(struct crier_conn *conn)
{
    if (conn->state == CRIER_CONN_DOOMED)
        return;
    while (!conn->blocked && conn->out_at < conn->out.len) {
        size_t len = conn->out.len - conn->out_at;
        ssize_t n = crier_socket_send(conn->fd, conn->out.data + conn->out_at, len);

        if (n < 0 && n != -EAGAIN) {
            crier_conn_doom(conn, CRIER_END_LOST);
            return;
        }
        if (n > 0) {
            conn->out_at += (size_t)n;
            conn->progress_ms = conn_now(conn).boot_ms;
        }
        if (n < (ssize_t)len) {
            conn->blocked = true;
            crier_conn_arm(conn);
        }
    }
    if (!crier_conn_sent(conn)) {
        /* A peer that takes bytes as fast as more are appended never has all of them: what went
         * is dropped when it is the larger part, so that each byte is moved at most once. */
        if (conn->out_at > conn->out.len - conn->out_at) {
            crier_buf_consume(&conn->out, conn->out_at);
            conn->out_at = 0;
        }
        return;
    }

    /* An idle connection holds no buffer. */
    conn->out_at = 0;
    conn->worker->page_bytes -= conn->page_bytes;
    conn->page_bytes = 0;
    if (conn->out.cap > CRIER_OUT_BYTES || conn->state != CRIER_CONN_READING)
        crier_buf_deinit(&conn->out);
    else
        crier_buf_clear(&conn->out);
    if (conn->state == CRIER_CONN_CLOSING)
        conn_closed(conn);
}

void crier_conn_streaming(struct crier_conn *conn)
{
    if (conn->state == CRIER_CONN_DOOMED)
        return;
    conn->state = CRIER_CONN_STREAMING;
    conn->reader = crier_http_reader_free(conn->reader);
    conn->dirty = conn->dirty || conn->in.len > 0;
    crier_buf_deinit(&conn->in);
    crier_list_remove(&conn->ready_node);
    crier_wheel_clear(&conn->worker->wheel, &conn->timer); /* until it has joined */
}

void crier_conn_finish(struct crier_conn *conn)
{
    if (conn->state == CRIER_CONN_DOOMED || conn->state == CRIER_CONN_LINGERING)
        return;
    /* `readable` only says that it may have more. */
    conn->dirty = conn->dirty || conn->in.len > 0 ||
                  (conn->readable && !conn->ended && crier_socket_has_input(conn->fd));
    conn->state = CRIER_CONN_CLOSING;
    crier_conn_arm(conn);
    crier_conn_flush(conn);
    if (conn->state == CRIER_CONN_CLOSING && crier_conn_sent(conn))
        conn_closed(conn);
}

/* ---- reading ---------------------------------------------------------------------------- */

void crier_conn_enqueue(struct crier_conn *conn)
{
    if (conn->state != CRIER_CONN_DOOMED && crier_list_empty(&conn->ready_node))
        crier_list_push_back(&conn->worker->ready, &conn->ready_node);
}

/* A batch has many lines, any other request is one publish. When not, it goes on when some of
 * these are answered (crier_conn_landed). */
static bool conn_may_publish(struct crier_conn *conn)
{
    uint32_t most =
        conn->exchange && conn->exchange->publishing ? CRIER_CONN_LINES : CRIER_CONN_PIPELINE;

    if (conn->waiting >= most)
        crier_publishers_flush(conn->worker);
    return conn->waiting < most && conn->state == CRIER_CONN_READING;
}

/* May more input be looked at now? When not, someone will come back to it: the socket, the
 * publisher, or the next tick. */
static bool conn_may_read(struct crier_conn *conn)
{
    struct crier_worker *worker = conn->worker;

    if (conn->state != CRIER_CONN_READING || conn->close_after || conn_awaits(conn))
        return false;
    if (!conn_may_publish(conn))
        return false;
    if (conn->out.len - conn->out_at > CRIER_OUT_BYTES) {
        crier_conn_flush(conn);
        if (conn->state != CRIER_CONN_READING || conn->out.len - conn->out_at > CRIER_OUT_BYTES)
            return false;
    }
    if (conn->tick != worker->tick) {
        conn->tick = worker->tick;
        conn->tick_bytes = 0;
    }
    if (worker->spent || conn->tick_bytes >= CRIER_CONN_TICK_BYTES ||
        worker->tick_bytes >= CRIER_WORKER_TICK_BYTES) {
        crier_conn_enqueue(conn);
        return false;
    }
    if (conn->exchange && conn->exchange->publishing &&
        (worker->waiting >= CRIER_WORKER_WAITING ||
         !crier_journal_writable(conn->exchange->outlet->journal))) {
        if (crier_list_empty(&worker->held))
            crier_stat_add(&worker->stats.throttled, 1);
        conn->progress_ms = worker->now.boot_ms; /* it is not the peer who stands still */
        crier_list_remove(&conn->ready_node);
        crier_list_push_back(&worker->held, &conn->ready_node);
        return false;
    }
    return true;
}

static void conn_item(struct crier_conn *conn, const struct crier_http_item *item)
{
    switch (item->kind) {
    case CRIER_HTTP_HEAD:
        crier_stat_add(&conn->worker->stats.requests, 1);
        crier_route_begin(conn, item->request);
        if (conn->exchange)
            crier_conn_arm(conn);
        break;
    case CRIER_HTTP_BODY:
        if (conn->exchange)
            crier_route_body(conn->exchange, item->body);
        break;
    case CRIER_HTTP_END:
        conn->since_ms = conn_now(conn).boot_ms;
        if (conn->exchange)
            crier_route_end(conn->exchange);
        if (conn->reader && !conn->exchange)
            crier_http_reset(conn->reader); /* an idle connection holds no large head */
        if (conn->state == CRIER_CONN_READING)
            crier_conn_arm(conn);
        break;
    }
}

/* Parses as much of the input as may be looked at; returns what is left. Items may follow
 * without any further input (the end of a request that has no body): only the reader knows when
 * it needs more. */
static struct crier_slice conn_parse(struct crier_conn *conn, struct crier_slice input)
{
    conn->stopped = true;
    while (conn_may_read(conn)) {
        struct crier_http_item item;
        size_t before = input.len;
        bool idle = !crier_http_in_request(conn->reader) && !conn->exchange;
        int r = crier_http_next(conn->reader, &input, &item);

        conn->tick_bytes += (uint32_t)(before - input.len);
        if (conn->exchange && conn->exchange->publishing)
            conn->worker->tick_bytes += before - input.len;
        if (idle && crier_http_in_request(conn->reader)) {
            /* The first byte of a request: its head has head_timeout from here. */
            conn->since_ms = conn_now(conn).boot_ms;
            crier_conn_arm(conn);
        }
        if (r == CRIER_HTTP_MORE) {
            conn->stopped = false;
            break;
        }
        if (r == -ENOMEM) {
            crier_conn_refuse(conn, CRIER_PROBLEM_INTERNAL, NULL);
            break;
        }
        if (r < 0) {
            conn->dirty = true;
            if (conn->exchange)
                crier_route_abort(conn->exchange, crier_http_fault(conn->reader),
                                  crier_http_fault_detail(conn->reader));
            else
                crier_conn_refuse(conn, crier_http_fault(conn->reader),
                                  crier_http_fault_detail(conn->reader));
            break;
        }
        conn_item(conn, &item);
    }
    return input;
}

static void conn_input(struct crier_conn *conn, struct crier_slice input)
{
    if (!conn->reader &&
        crier_http_reader_new(conn->worker->server->mem, &conn->worker->server->config->http,
                              &conn->reader) < 0) {
        crier_conn_doom(conn, CRIER_END_MEMORY);
        return;
    }
    input = conn_parse(conn, input);
    if (!input.len || conn->state != CRIER_CONN_READING) {
        conn->dirty = conn->dirty || input.len > 0;
        return;
    }
    crier_buf_append(&conn->in, input);
    if (crier_buf_error(&conn->in) < 0)
        crier_conn_doom(conn, CRIER_END_MEMORY);
}

/* The input that an earlier pause left over. */
static void conn_leftover(struct crier_conn *conn)
{
    struct crier_buf kept = conn->in;

    crier_buf_init(&conn->in, conn->worker->server->mem);
    conn_input(conn, crier_buf_slice(&kept));
    crier_buf_deinit(&kept);
}

/* The peer has ended its side: what was complete is still answered, what was not is dropped. */
static void conn_end_of_input(struct crier_conn *conn)
{
    conn->ended = true;
    conn->readable = false;
    if (conn->waiting)
        crier_publishers_flush(conn->worker);
    if (!conn->waiting && conn->state == CRIER_CONN_READING)
        crier_conn_finish(conn);
}

/* ---- what was put off ------------------------------------------------------------------- */

/* What its reader found wrong, behind the publishes that are answered now. */
static void conn_say_refusal(struct crier_conn *conn)
{
    enum crier_problem problem = (enum crier_problem)conn->refusal;
    bool found = conn->reader && crier_http_fault(conn->reader) == problem;

    conn->refusal = CRIER_PROBLEM_NONE;
    crier_conn_refuse(conn, problem, found ? crier_http_fault_detail(conn->reader) : NULL);
}

static void conn_go_on_exchange(struct crier_conn *conn)
{
    void (*go_on)(struct crier_exchange *) = conn->exchange->go_on;

    conn->exchange->go_on = NULL;
    conn->exchange->later = false;
    go_on(conn->exchange);
    if (conn->state == CRIER_CONN_READING && conn->reader && !conn->exchange &&
        !crier_http_in_request(conn->reader))
        crier_http_reset(conn->reader);
}

/* All that it had published is answered: what waited for that has its turn. */
static void conn_go_on(struct crier_conn *conn)
{
    if (conn->exchange && conn->exchange->publish && !conn->exchange->later)
        crier_publish_check(conn->exchange);
    if (conn->waiting || conn->state != CRIER_CONN_READING)
        return;
    if (conn->refusal)
        conn_say_refusal(conn);
    else if (conn->exchange && conn->exchange->go_on)
        conn_go_on_exchange(conn);
    else if (conn->ended)
        crier_conn_finish(conn);
    if (conn->state == CRIER_CONN_READING)
        crier_conn_arm(conn);
}

void crier_conn_landed(struct crier_conn *conn)
{
    if (conn->fd < 0) {
        if (!conn->waiting)
            conn_forget(conn);
        return;
    }
    if (!conn->blocked)
        conn->progress_ms = conn_now(conn).boot_ms; /* it was not the peer who stood still */
    conn->landed = true;
    crier_conn_flush(conn);
    crier_conn_enqueue(conn);
}

static void conn_linger(struct crier_conn *conn)
{
    conn_free_streams(conn);
    /* Bounded in a tick by the read size, in all by linger_ms. */
    while (conn->readable && conn->state == CRIER_CONN_LINGERING) {
        ssize_t n = crier_socket_recv(conn->fd, conn->worker->input, CRIER_READ_BYTES);

        if (n == -EAGAIN)
            conn->readable = false;
        else if (n <= 0)
            crier_conn_doom(conn, CRIER_END_CLOSED);
        else if (n == CRIER_READ_BYTES) {
            crier_conn_enqueue(conn);
            return;
        }
    }
}

void crier_conn_work(struct crier_conn *conn)
{
    crier_conn_flush(conn);
    if (conn->landed) {
        conn->landed = false;
        conn_go_on(conn);
    }
    while (conn_may_read(conn)) {
        ssize_t n;

        if (conn->in.len || conn->stopped) {
            conn_leftover(conn);
            continue;
        }
        if (!conn->readable)
            break;
        n = crier_socket_recv(conn->fd, conn->worker->input, CRIER_READ_BYTES);
        if (n == -EAGAIN) {
            conn->readable = false;
        } else if (n < 0) {
            crier_conn_doom(conn, CRIER_END_LOST);
        } else if (n == 0) {
            conn_end_of_input(conn);
        } else {
            conn->progress_ms = conn_now(conn).boot_ms;
            conn_input(conn, (struct crier_slice){conn->worker->input, (size_t)n});
        }
    }
    if (conn->state == CRIER_CONN_LINGERING)
        conn_linger(conn);
    if (conn->out_at < conn->out.len && conn->state != CRIER_CONN_STREAMING)
        crier_conn_flush(conn);
    /* The end came together with the request for a stream, or for what a program puts off: it
     * will not be announced again. */
    if ((conn->state == CRIER_CONN_STREAMING || conn_awaits_program(conn)) && conn->leaving)
        crier_conn_doom(conn, CRIER_END_PEER);
}

/* A stream's connection is not read any more: what a client sends behind a stream request stays
 * in the kernel's buffer, which is bounded. Its end is seen as RDHUP (a half-close counts as
 * leaving) or HUP. */
static void conn_ready_streaming(struct crier_conn *conn, unsigned ready)
{
    if (ready & (CRIER_READY_HUP | CRIER_READY_RDHUP)) {
        crier_conn_doom(conn, CRIER_END_PEER);
        return;
    }
    if (ready & CRIER_READY_IN)
        conn->dirty = true;
    if (!(ready & CRIER_READY_OUT) || !conn->blocked)
        return;
    conn->blocked = false;
    crier_conn_flush(conn);
    crier_list_for_each_safe (node, &conn->streams) {
        if (conn->state == CRIER_CONN_STREAMING)
            crier_stream_writable(CRIER_CONTAINER(node, struct crier_stream, conn_node));
    }
    if (conn->state == CRIER_CONN_STREAMING)
        crier_conn_arm(conn);
}

void crier_conn_ready(struct crier_conn *conn, unsigned ready)
{
    if (conn->state == CRIER_CONN_DOOMED)
        return;
    if (conn->state == CRIER_CONN_STREAMING) {
        conn_ready_streaming(conn, ready);
        return;
    }
    if (ready & (CRIER_READY_IN | CRIER_READY_RDHUP | CRIER_READY_HUP))
        conn->readable = true; /* errors and ends are learnt by reading */
    if (ready & CRIER_READY_OUT)
        conn->blocked = false;
    conn->leaving = conn->leaving || (ready & (CRIER_READY_RDHUP | CRIER_READY_HUP)) != 0;
    /* Nobody waits for that answer any more (as on a stream, a half-close is leaving; but not
     * where the answer only takes so long because of the disk). */
    if ((conn_awaits_program(conn) && conn->leaving) ||
        (conn_awaits_journal(conn) && (ready & CRIER_READY_HUP))) {
        crier_conn_doom(conn, CRIER_END_PEER);
        return;
    }
    crier_conn_work(conn);
    if (conn->state != CRIER_CONN_DOOMED && (ready & CRIER_READY_HUP) && conn->close_after)
        crier_conn_doom(conn, CRIER_END_LOST);
}

void crier_conn_drain(struct crier_conn *conn)
{
    bool idle = conn->state == CRIER_CONN_READING && !conn->exchange && !conn->waiting &&
                !conn->in.len && !conn->readable &&
                !(conn->reader && crier_http_in_request(conn->reader)) && conn->first_done;

    if (idle)
        crier_conn_finish(conn);
    else if (conn->exchange && conn->exchange->publishing)
        crier_publish_drain(conn->exchange);
}
