/* SPDX-License-Identifier: MIT */
/*
 * One publish request.
 *
 *     start ─▶ head ─▶ add, add, ... ─▶ end ─▶ answer
 *                         │                      ▲
 *                         └──── early answer ────┘
 *
 * The server answers early when it refuses (a bad line, no token): the rest is not sent then.
 * Waiting is bounded only while it is the server's turn: bytes of ours are unsent, or the body
 * has ended. A caller that takes its time with the next piece is not timed.
 *
 * An answer need not end: it is taken as it is once what is kept of it is full, ANSWER_MS after
 * its head, and at once when it is an event stream.
 */
#include "client/post.h"

#include "http/negotiate.h"
#include <limits.h>
#include <stdio.h>

enum {
    PROGRESS_MS = 60 * 1000,
    ANSWER_MS = 30 * 1000,
    BODY_BYTES = 64 * 1024,
};

int crier_post_init(struct crier_post *p, const struct crier_mem *mem)
{
    *p = (struct crier_post){.open = false};
    crier_buf_init(&p->type, mem);
    crier_buf_init(&p->body, mem);
    return crier_call_init(&p->call, mem);
}

void crier_post_deinit(struct crier_post *p)
{
    crier_call_deinit(&p->call);
    crier_buf_deinit(&p->type);
    crier_buf_deinit(&p->body);
    p->open = false;
}

static void write_head(struct crier_post *p, const struct crier_post_request *request)
{
    struct crier_call *call = &p->call;

    crier_call_request(call, "POST");
    crier_call_agent(call);
    crier_call_header(call, "Accept", CRIER_SLICE("application/json"));
    crier_call_header(call, "Content-Type", request->content_type);
    if (request->key.len > 0)
        crier_call_header(call, "Idempotency-Key", request->key);
    crier_call_bearer(call, request->token);
    crier_call_header(call, "Connection", CRIER_SLICE("close"));
    if (request->has_length)
        crier_buf_printf(&call->out, "Content-Length: %llu\r\n\r\n",
                         (unsigned long long)request->length);
    else
        crier_buf_append(&call->out, CRIER_SLICE("Transfer-Encoding: chunked\r\n\r\n"));
}

int crier_post_start(struct crier_post *p,
                     const struct crier_post_request *request,
                     uint64_t now_ms)
{
    int r = crier_call_start(&p->call, request->access, &request->url);

    p->open = false;
    if (r < 0)
        return r;
    write_head(p, request);
    p->open = true;
    p->chunked = !request->has_length;
    p->ended = false;
    p->unsent = 0;
    p->progress_ms = now_ms;
    p->status = 0;
    p->early = false;
    crier_buf_clear(&p->type);
    crier_buf_clear(&p->body);
    return 0;
}

void crier_post_add(struct crier_post *p, struct crier_slice bytes)
{
    struct crier_buf *out = &p->call.out;

    if (bytes.len == 0) /* an empty chunk would be the last one */
        return;
    if (p->chunked)
        crier_buf_printf(out, "%zx\r\n", bytes.len);
    crier_buf_append(out, bytes);
    if (p->chunked)
        crier_buf_append(out, CRIER_SLICE("\r\n"));
}

void crier_post_end(struct crier_post *p)
{
    if (p->chunked && !p->ended)
        crier_buf_append(&p->call.out, CRIER_SLICE("0\r\n\r\n"));
    p->ended = true;
}

/* ---- stepping ---- */

static void use_head(struct crier_post *p, const struct crier_reply *answer, uint64_t now_ms)
{
    p->status = answer->status;
    p->answered_ms = now_ms;
    p->early = !p->ended || crier_call_unsent(&p->call) > 0;
    crier_buf_append(&p->type, crier_reply_header(answer, CRIER_SLICE("content-type")));
    /* Whatever it says, it says it before we are through: what is left is not wanted. */
    if (!p->ended)
        p->call.deaf = true;
}

static bool has_enough(const struct crier_post *p)
{
    struct crier_slice essence = crier_content_type_essence(crier_buf_slice(&p->type));

    return p->body.len >= BODY_BYTES ||
           crier_slice_eq_nocase(essence, CRIER_SLICE("text/event-stream"));
}

/* 0, CRIER_POST_ANSWERED, < 0. */
static int use_answers(struct crier_post *p, uint64_t now_ms)
{
    struct crier_reply_item item;
    int r;

    while ((r = crier_call_next(&p->call, &item)) == 0) {
        switch (item.kind) {
        case CRIER_REPLY_HEAD:
            use_head(p, item.reply, now_ms);
            break;
        case CRIER_REPLY_BODY:
            crier_buf_append(&p->body, crier_slice_sub(item.body, 0, BODY_BYTES - p->body.len));
            break;
        case CRIER_REPLY_END:
            return CRIER_POST_ANSWERED;
        }
        if (has_enough(p))
            return CRIER_POST_ANSWERED;
    }
    return r == CRIER_CALL_MORE ? 0 : r;
}

static bool is_waiting(const struct crier_post *p)
{
    return !crier_call_connecting(&p->call) &&
           (p->ended || p->status || crier_call_unsent(&p->call) > 0);
}

static uint64_t due_at(const struct crier_post *p)
{
    return p->status ? p->answered_ms + ANSWER_MS : p->progress_ms + PROGRESS_MS;
}

/* As crier_post_step. */
static int check_progress(struct crier_post *p, uint64_t now_ms)
{
    size_t unsent = crier_call_unsent(&p->call);

    if (unsent != p->unsent || p->call.sent_ms > p->progress_ms || !is_waiting(p))
        p->progress_ms = now_ms;
    p->unsent = unsent;
    if (now_ms < due_at(p))
        return 0;
    if (p->status)
        return CRIER_POST_ANSWERED;
    (void)snprintf(p->call.fault, sizeof(p->call.fault), "no answer in %d seconds",
                   PROGRESS_MS / 1000);
    return -ETIMEDOUT;
}

int crier_post_step(struct crier_post *p, uint64_t now_ms)
{
    int r = crier_call_io(&p->call, now_ms);

    if (r == 0)
        r = use_answers(p, now_ms);
    /* The words of an answer that is cut off after its head are lost, its status is not. */
    if (r < 0 && p->status)
        r = CRIER_POST_ANSWERED;
    if (r == 0)
        r = check_progress(p, now_ms);
    if (r != 0)
        p->open = false;
    return r;
}

int crier_post_fd(const struct crier_post *p)
{
    return p->open ? crier_call_fd(&p->call) : -1;
}

short crier_post_events(const struct crier_post *p)
{
    return crier_call_events(&p->call);
}

int crier_post_timeout(const struct crier_post *p, uint64_t now_ms)
{
    uint64_t due = due_at(p);

    if (!p->open)
        return -1;
    if (crier_call_pending(&p->call))
        return 0;
    if (crier_call_connecting(&p->call))
        due = crier_call_deadline(&p->call);
    else if (!is_waiting(p))
        return -1;
    if (due <= now_ms)
        return 0;
    return due - now_ms < INT_MAX ? (int)(due - now_ms) : INT_MAX;
}

const char *crier_post_fault(const struct crier_post *p)
{
    return p->call.fault;
}

bool crier_post_reached(const struct crier_post *p)
{
    return p->call.reached;
}

size_t crier_post_unsent(const struct crier_post *p)
{
    return crier_call_unsent(&p->call);
}
