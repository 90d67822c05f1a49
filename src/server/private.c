/* SPDX-License-Identifier: MIT */
/*
 * A private stream's life:
 *
 *   open ──(handler returns)──▶ begin: the head, the first byte ──▶ sends, timers, pull …
 *     └─ HEAD: dry, ended when the handler returns                       │
 *                                          finish, stop, age ──▶ finishing: the queue empties
 *                                                                        │
 *                                          peer gone, stalled, … ──▶ on_close ──▶ freed
 *
 * It may follow a hub as well (follow): then it has two sources, and each gives whole events.
 * What the program sends waits in the queue while an event of the hub is half sent; the
 * follower is held at the end of that event until the queue has gone out.
 */
#include "server/private.h"

#include "base/options.h"
#include "event/event.h"
#include "server/request.h"
#include <stdio.h>
#include <string.h>

int crier_private_check(const struct crier_stream *s)
{
    if (!s)
        return CRIER_ENOMEM;
    return s->private->closed || s->private->finishing || s->conn->state == CRIER_CONN_DOOMED
               ? CRIER_GONE
               : 0;
}

bool crier_private_can_send(const struct crier_stream *s)
{
    return s->private->opened && !s->ending && s->conn->state == CRIER_CONN_STREAMING;
}

/* ---- opening ---------------------------------------------------------------------------- */

static uint32_t heartbeat_of(const struct crier_stream *s, int64_t wish)
{
    uint64_t ms =
        wish > 0 ? (uint64_t)wish : crier_stream_worker(s)->server->config->heartbeat_ms;

    if (wish < 0)
        return 0;
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static uint32_t retry_of(const struct crier_stream *s, int64_t wish)
{
    const struct crier_config *config = crier_stream_worker(s)->server->config;

    if (wish < 0)
        return 0;
    if (wish > 0)
        return wish > UINT32_MAX ? UINT32_MAX : (uint32_t)wish;
    return crier_worker_jitter(crier_stream_worker(s), config->retry_min_ms,
                               config->retry_max_ms);
}

static struct crier_private *private_new(struct crier_stream *s,
                                         struct crier_request *request,
                                         const struct crier_stream_options *o)
{
    struct crier_private *p = crier_mem_zalloc(crier_stream_mem(s), sizeof(*p));

    if (!p)
        return NULL;
    p->on_close = o->on_close;
    p->ctx = o->ctx;
    p->queue_bytes = o->queue_bytes > 0
                         ? (size_t)o->queue_bytes
                         : (size_t)crier_stream_worker(s)->server->config->queue_bytes;
    p->retry_ms = retry_of(s, o->retry_ms);
    p->dry = request->ex->method == CRIER_METHOD_HEAD;
    p->pull_alarm = (struct crier_alarm){.kind = CRIER_ALARM_PULL, .stream = s};
    crier_list_init(&p->touched_node);
    crier_list_init(&p->timers);
    crier_buf_init(&p->queue, crier_stream_mem(s));
    crier_buf_init(&p->last_id, crier_stream_mem(s));
    crier_request_read_last_id(request, &p->last_id);
    if (crier_buf_error(&p->last_id) < 0)
        return crier_mem_free(crier_stream_mem(s), p);
    s->heartbeat_ms = heartbeat_of(s, o->heartbeat_ms);
    return p;
}

struct crier_stream *crier_stream_open_with(struct crier_request *request,
                                            const struct crier_stream_options *options)
{
    struct crier_stream_options o;
    struct crier_stream *s;

    crier_options_read(&o, sizeof(o), options);
    if (request && request->answer == CRIER_ANSWER_NONE) {
        request->answer = CRIER_ANSWER_FAILED;
        s = crier_stream_new(request->ex->conn,
                             (struct crier_dress){CRIER_FORM_SSE, request->ex->minor > 0});
        if (s)
            s->private = private_new(s, request, &o);
        if (s && s->private) {
            request->answer = CRIER_ANSWER_STREAM;
            request->stream = s;
            return s;
        }
        if (s)
            crier_stream_free(s);
    }
    if (o.on_close)
        o.on_close(NULL, CRIER_CLOSE_ERROR, o.ctx);
    return NULL;
}

/* The first bytes of the body leave with the head: browsers and proxies wait for one. */
static void write_prelude(struct crier_stream *s)
{
    struct crier_buf *out = &s->conn->out;

    if (s->private->retry_ms) {
        char text[32];
        int len = snprintf(text, sizeof(text), "retry: %u\n", s->private->retry_ms);

        crier_notice_frame(out, crier_stream_dress(s), (struct crier_slice){text, (size_t)len});
    } else {
        crier_notice_heartbeat(out, crier_stream_dress(s));
    }
}

/* A HEAD: the head is all there is. */
static void end_dry(struct crier_stream *s, struct crier_exchange *ex)
{
    s->why = CRIER_CLOSE_FINISHED;
    crier_private_finish(s, CRIER_CLOSE_FINISHED);
    crier_stream_free(s);
    crier_exchange_answered(ex);
}

void crier_private_begin(struct crier_stream *s, struct crier_exchange *ex)
{
    struct crier_request *request = ex->call;
    struct crier_conn *conn = s->conn;

    crier_stream_write_head(
        ex, &(struct crier_stream_head){
                .status = request->stream_status,
                .dress = crier_stream_dress(s),
                .headers = crier_buf_slice(&request->headers),
                .own_cache_control = (request->own & CRIER_OWN_CACHE_CONTROL) != 0,
                .own_buffering = (request->own & CRIER_OWN_BUFFERING) != 0});
    if (s->private->dry) {
        end_dry(s, ex);
        return;
    }
    write_prelude(s);
    conn->exchange = NULL;
    crier_exchange_free(ex);
    crier_conn_streaming(conn);
    if (crier_buf_error(&conn->out) < 0) {
        crier_conn_doom(conn, CRIER_END_MEMORY);
        return;
    }
    s->private->opened = true;
    crier_private_touch(s);
    crier_conn_arm(conn);
}

/* ---- the queue -------------------------------------------------------------------------- */

void crier_private_touch(struct crier_stream *s)
{
    struct crier_private *p = s->private;

    if (crier_list_empty(&p->touched_node))
        crier_list_push_back(&crier_stream_worker(s)->touched, &p->touched_node);
}

size_t crier_stream_queued(const struct crier_stream *s)
{
    if (!s || s->private->closed)
        return 0;
    return s->private->queue.len +
           (s->private->opened ? s->conn->out.len - s->conn->out_at : 0);
}

/* Room for one more? An event alone in the queue always fits. */
static int check_room(struct crier_stream *s, size_t bytes)
{
    size_t queued = crier_stream_queued(s);
    size_t frame = crier_stream_dress(s).chunked ? CRIER_FRAME_HEAD + CRIER_FRAME_TAIL : 0;

    if (queued == 0 || bytes == 0 || queued + bytes + frame <= s->private->queue_bytes)
        return 0;
    crier_stat_add(&crier_stream_worker(s)->stats.full, 1);
    return CRIER_FULL;
}

/* Beside a hub's events the reader's last id is the hub's, and the next event is not to find a
 * type that another has left: without data a block has no end (crier/event.h). */
static void append_beside(struct crier_buf *to, struct crier_slice bytes)
{
    bool whole = crier_slice_ends(bytes, CRIER_SLICE("\n\n"));

    while (bytes.len > 0) {
        size_t end = crier_slice_find(bytes, '\n') + 1;
        struct crier_slice line = crier_slice_sub(bytes, 0, end);

        if (!crier_slice_starts(line, CRIER_SLICE("id:")) &&
            (whole || !crier_slice_starts(line, CRIER_SLICE("event:"))))
            crier_buf_append(to, line);
        bytes = crier_slice_sub(bytes, end, bytes.len);
    }
}

static void append(struct crier_stream *s, struct crier_slice bytes)
{
    struct crier_buf *queue = &s->private->queue, beside;

    if (!s->outlet) {
        crier_notice_frame(queue, crier_stream_dress(s), bytes);
        return;
    }
    crier_buf_init(&beside, crier_stream_mem(s));
    append_beside(&beside, bytes);
    crier_notice_frame(queue, crier_stream_dress(s), crier_buf_slice(&beside));
    queue->failed = queue->failed || crier_buf_error(&beside) < 0;
    crier_buf_deinit(&beside);
}

int crier_private_enqueue(struct crier_stream *s, struct crier_slice bytes)
{
    struct crier_buf *queue = &s->private->queue;
    size_t before = queue->len;

    if (s->private->dry || bytes.len == 0)
        return 0;
    append(s, bytes);
    if (crier_buf_error(queue) < 0) {
        queue->len = before;
        queue->failed = false;
        return CRIER_ENOMEM;
    }
    if (queue->len == before)
        return 0;
    s->private->sent_any = true;
    crier_stat_add(&crier_stream_worker(s)->stats.sent, 1);
    crier_stat_add(&crier_stream_worker(s)->stats.sent_bytes, bytes.len);
    crier_private_touch(s);
    return 0;
}

int crier_stream_send(struct crier_stream *s, const struct crier_event *event)
{
    struct crier_buf sse;
    int r = crier_private_check(s);

    if (r == 0)
        r = check_room(s, crier_event_size(event));
    if (r != 0)
        return r;
    crier_buf_init(&sse, crier_stream_mem(s));
    r = crier_event_append(&sse, event, NULL);
    if (r == 0)
        r = crier_private_enqueue(s, crier_buf_slice(&sse));
    crier_buf_deinit(&sse);
    return r;
}

int crier_stream_send_encoded(struct crier_stream *s, const struct crier_encoded *encoded)
{
    struct crier_slice bytes = crier_encoded_bytes(encoded);
    int r = crier_private_check(s);

    if (r == 0 && !encoded)
        r = CRIER_ENOMEM;
    if (r == 0)
        r = check_room(s, bytes.len);
    return r == 0 ? crier_private_enqueue(s, bytes) : r;
}

int crier_stream_sendf(struct crier_stream *s, const char *type, const char *format, ...)
{
    struct crier_event event = {.type = crier_slice_of(type), .flags = CRIER_DATA};
    struct crier_buf text;
    va_list args;
    int r = crier_private_check(s);

    if (r != 0)
        return r;
    crier_buf_init(&text, crier_stream_mem(s));
    va_start(args, format);
    crier_buf_vprintf(&text, format, args);
    va_end(args);
    event.data = crier_buf_slice(&text);
    r = crier_buf_error(&text);
    if (r == 0)
        r = crier_stream_send(s, &event);
    crier_buf_deinit(&text);
    return r;
}

/* The follower gives way at the end of the event it is in, and goes on behind the queue. */
static bool may_flush(struct crier_stream *s)
{
    if (!s->outlet || s->opening || crier_follower_between_events(&s->follower))
        return true;
    crier_fanout_finish(s->outlet->fanout, &s->follower);
    return crier_follower_between_events(&s->follower);
}

/* While the peer does not take what went before, the queue stays where it is: the connection
 * gives nothing of its memory back until all of it is sent. But for the last time before it
 * joins a hub, whose opening is written there. */
static void move_queue(struct crier_stream *s)
{
    struct crier_buf *out = &s->conn->out, *queue = &s->private->queue;

    if (s->conn->blocked && !s->opening)
        return;
    if (crier_conn_sent(s->conn) && out->len == 0) {
        struct crier_buf empty = *out;

        *out = *queue;
        *queue = empty;
        return;
    }
    crier_buf_append(out, crier_buf_slice(queue));
    crier_buf_deinit(queue);
}

/* Also while the peer does not take what was moved: then the hub's is next, however much the
 * program sends. */
static void go_on_following(struct crier_stream *s)
{
    if (!s->outlet || s->opening || s->private->hurry || s->private->queue.len > 0 ||
        !s->follower.finishing)
        return;
    crier_fanout_resume(s->outlet->fanout, &s->follower);
    crier_stream_worker(s)->work_left = true; /* steps 3 to 5 of this tick are over */
}

void crier_private_tell(struct crier_stream *s)
{
    crier_mail_waiting(&crier_stream_worker(s)->mail, s->private->ref, crier_stream_queued(s));
}

bool crier_private_drained(const struct crier_stream *s)
{
    return s->private->queue.len == 0 &&
           !crier_mail_expects(&crier_stream_worker(s)->mail, s->private->ref);
}

void crier_private_flush(struct crier_stream *s)
{
    struct crier_private *p = s->private;

    crier_private_tell(s);
    if (!crier_private_can_send(s) || (p->queue.len > 0 && !may_flush(s)))
        return;
    if (p->queue.len > 0)
        move_queue(s);
    if (crier_buf_error(&s->conn->out) < 0) {
        crier_conn_doom(s->conn, CRIER_END_MEMORY);
        return;
    }
    crier_conn_flush(s->conn);
    if (s->conn->state != CRIER_CONN_STREAMING)
        return;
    crier_private_tell(s);
    go_on_following(s);
}

/* ---- the pump --------------------------------------------------------------------------- */

/* true: it has to be looked at again, although nothing will announce it. */
static bool pump(struct crier_stream *s)
{
    struct crier_private *p = s->private;

    if (!crier_private_can_send(s))
        return false;
    crier_private_flush(s);
    if (s->conn->state != CRIER_CONN_STREAMING)
        return false;
    if (p->finishing)
        crier_stream_end(s, (enum crier_close)s->why, p->hurry);
    else if (crier_private_pull(s))
        return true;
    if (!crier_private_can_send(s) || s->conn->blocked)
        return false;
    return p->finishing || p->queue.len > 0;
}

bool crier_private_pump(struct crier_worker *worker)
{
    struct crier_list touched;
    bool more = false;

    crier_list_init(&touched);
    crier_list_splice(&touched, &worker->touched);
    while (!crier_list_empty(&touched)) {
        struct crier_private *p =
            CRIER_CONTAINER(touched.next, struct crier_private, touched_node);
        struct crier_stream *s = p->pull_alarm.stream;

        crier_list_remove(&p->touched_node);
        if (pump(s)) {
            crier_private_touch(s);
            more = true;
        }
    }
    return more || !crier_list_empty(&worker->touched);
}

/* ---- the end ---------------------------------------------------------------------------- */

void crier_private_finish(struct crier_stream *s, enum crier_close why)
{
    struct crier_private *p = s->private;

    if (p->finishing)
        return;
    p->finishing = true;
    p->hurry = why != CRIER_CLOSE_STOPPED;
    p->pull = NULL;
    s->why = (uint8_t)why;
    crier_agenda_clear(&crier_stream_worker(s)->agenda, &p->pull_alarm.appointment);
    crier_mail_close(&crier_stream_worker(s)->mail, p->ref);
    crier_private_touch(s);
}

int crier_stream_finish(struct crier_stream *s)
{
    if (!s)
        return CRIER_ENOMEM;
    if (s->private->closed || s->conn->state == CRIER_CONN_DOOMED)
        return CRIER_GONE;
    crier_private_finish(s, CRIER_CLOSE_FINISHED);
    return 0;
}

void crier_private_free(struct crier_stream *s, enum crier_close why)
{
    struct crier_private *p = s->private;

    p->closed = true;
    crier_list_remove(&p->touched_node);
    crier_private_free_alarms(s);
    crier_mail_unregister(&crier_stream_worker(s)->mail, p->ref);
    if (p->on_close)
        p->on_close(s, why, p->ctx);
    crier_buf_deinit(&p->queue);
    crier_buf_deinit(&p->last_id);
    s->private = crier_mem_free(crier_stream_mem(s), p);
}

const char *crier_close_name(enum crier_close why)
{
    switch (why) {
    case CRIER_CLOSE_FINISHED:
        return "finished";
    case CRIER_CLOSE_PEER:
        return "peer";
    case CRIER_CLOSE_STALLED:
        return "stalled";
    case CRIER_CLOSE_STOPPED:
        return "stopped";
    case CRIER_CLOSE_EXPIRED:
        return "expired";
    case CRIER_CLOSE_ERROR:
        return "error";
    }
    return "unknown";
}
