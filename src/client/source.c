/* SPDX-License-Identifier: MIT */
/*
 * The event source (WHATWG HTML 9.2.2 and 9.2.3, with the rules of a program instead of a
 * browser's).
 *
 *                 begin                  judge: FOLLOW
 *     ┌─ WAITING ───────▶ ASKING ─────────────────────────▶ STREAMING ─┐
 *     │     ▲               │ │ └─ REDIRECT: begin at the other URL    │
 *     │     │ come_back     │ │                                        │
 *     │     ├───────────────┘ └─ RETRY, STOP ─▶ REFUSED ─┐             │ event() said
 *     │     ├────────────────────────────────── conclude ┤             │ enough, event
 *     │     └────────────────────────────────────────────│─────────────┤ too large
 *     └──────────────────▶ OVER ◀────────────────────────┘◀────────────┘
 *
 *   WAITING    nothing is open until due_ms
 *   ASKING     connecting, or the head of the answer has not come
 *   STREAMING  events come
 *   REFUSED    the rest of a refusal is read for its words, for a short while
 *
 * Resuming. The parser lives as long as the source: it keeps the last event id over
 * connections, and its end() drops an event that was cut, together with the id in it. So the id
 * sent is always the one of the last event handed to the caller, wherever the connection broke.
 *
 * Each attempt starts at the URL that was given, redirects are followed anew. The token goes
 * only to that URL's origin, and once a redirect has left it, not even back there within the
 * same attempt.
 *
 * Time. `life_ms` of the call moves with every byte, so comments count as life.
 *
 * What can fail: memory (the source is over, and says so); everything else is a reason in
 * words.
 */
#include "client/source.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/verdict.h"
#include <limits.h>

enum {
    CONNECT_MS = 10 * 1000,
    IDLE_MS = 45 * 1000,
    REFUSAL_MS = 3 * 1000,
    REFUSAL_BYTES = 64 * 1024,
    MAX_EVENT_BYTES = 32 * 1024 * 1024,
    MAX_REDIRECTS = 20,
};

enum source_state { WAITING, ASKING, STREAMING, REFUSED, OVER };

struct crier_source {
    const struct crier_mem *mem;
    struct crier_source_options options; /* its slices point into the buffers below */
    struct crier_buf url, token;
    enum source_state state;
    uint64_t due_ms; /* WAITING: when to begin; REFUSED: when to stop listening */
    struct crier_backoff backoff;
    struct crier_parser parser;
    struct crier_call call;

    struct crier_buf hop_text; /* the URL asked now */
    struct crier_url origin, hop;
    unsigned redirects;
    bool carry_token;

    unsigned status; /* REFUSED */
    bool retry;
    uint64_t after_ms;
    struct crier_buf type, refusal;
    struct crier_buf reason;
};

/* ---- ends ---- */

static void over(struct crier_source *f)
{
    crier_call_close(&f->call);
    f->state = OVER;
}

static void over_because(struct crier_source *f, struct crier_slice reason)
{
    crier_buf_clear(&f->reason);
    crier_buf_append(&f->reason, reason);
    over(f);
}

/* The connection, or the attempt at one, is gone: f->reason says why. */
static void come_back(struct crier_source *f, enum crier_down_kind kind, uint64_t now_ms)
{
    struct crier_source_down down = {.kind = kind, .reason = crier_buf_slice(&f->reason)};

    (void)crier_parser_end(&f->parser);
    crier_call_close(&f->call);
    down.delay_ms = crier_backoff_down(&f->backoff, now_ms);
    f->due_ms = now_ms + down.delay_ms;
    f->state = WAITING;
    if (f->options.handlers->down)
        f->options.handlers->down(f->options.ctx, &down);
}

static void come_back_because(struct crier_source *f,
                              enum crier_down_kind kind,
                              const char *reason,
                              uint64_t now_ms)
{
    crier_buf_clear(&f->reason);
    crier_buf_append(&f->reason, crier_slice_of(reason));
    come_back(f, kind, now_ms);
}

/* ---- asking ---- */

static void write_request(struct crier_source *f)
{
    struct crier_call *x = &f->call;
    struct crier_slice last_id = crier_parser_last_id(&f->parser);

    crier_call_request(x, "GET", &f->hop);
    crier_call_header(x, "Accept", CRIER_SLICE("text/event-stream"));
    crier_call_header(x, "Cache-Control", CRIER_SLICE("no-cache"));
    if (last_id.len > 0)
        crier_call_header(x, "Last-Event-ID", last_id);
    if (f->carry_token && f->token.len > 0) {
        crier_buf_append(&x->out, CRIER_SLICE("Authorization: Bearer "));
        crier_buf_append(&x->out, crier_buf_slice(&f->token));
        crier_buf_append(&x->out, CRIER_SLICE("\r\n"));
    }
    crier_buf_append(&x->out, CRIER_SLICE("\r\n"));
}

static void ask(struct crier_source *f, uint64_t now_ms)
{
    f->state = ASKING;
    if (crier_call_start(&f->call, &f->hop, f->options.connect_ms) < 0)
        come_back_because(f, CRIER_DOWN_UNREACHABLE, f->call.fault, now_ms);
    else
        write_request(f);
}

static void begin(struct crier_source *f, uint64_t now_ms)
{
    f->hop = f->origin;
    f->redirects = 0;
    f->carry_token = true;
    ask(f, now_ms);
}

static void redirect(struct crier_source *f, struct crier_slice location, uint64_t now_ms)
{
    struct crier_buf next;
    const char *fault;

    if (++f->redirects > MAX_REDIRECTS) {
        over_because(f, CRIER_SLICE("more than 20 redirects in a row"));
        return;
    }
    crier_buf_init(&next, f->mem);
    crier_url_resolve(&next, &f->hop, location);
    if (crier_buf_error(&next) < 0) {
        crier_buf_deinit(&next);
        over_because(f, CRIER_SLICE("out of memory"));
        return;
    }
    crier_buf_deinit(&f->hop_text);
    f->hop_text = next;
    fault = crier_url_parse(crier_buf_slice(&f->hop_text), &f->hop);
    if (fault) {
        crier_buf_clear(&f->reason);
        crier_buf_append(&f->reason, CRIER_SLICE("redirected to "));
        crier_plain_text(&f->reason, crier_buf_slice(&f->hop_text));
        crier_buf_printf(&f->reason, ": %s", fault);
        over(f);
        return;
    }
    if (!crier_url_same_origin(&f->origin, &f->hop))
        f->carry_token = false;
    ask(f, now_ms);
}

/* ---- answers ---- */

static void refuse(struct crier_source *f,
                   const struct crier_reply *answer,
                   bool retry,
                   struct crier_now now)
{
    struct crier_slice type = crier_reply_header(answer, CRIER_SLICE("content-type"));

    f->status = answer->status;
    f->retry = retry;
    f->after_ms =
        crier_retry_after(crier_reply_header(answer, CRIER_SLICE("retry-after")), now.wall_ms);
    crier_buf_clear(&f->type);
    crier_buf_append(&f->type, type);
    crier_buf_clear(&f->refusal);
    f->due_ms = now.boot_ms + REFUSAL_MS;
    f->state = REFUSED;
}

/* The refusal's words are here, or will not come. */
static void conclude(struct crier_source *f, uint64_t now_ms)
{
    crier_buf_clear(&f->reason);
    crier_refusal_describe(&f->reason, f->status, crier_buf_slice(&f->type),
                           crier_buf_slice(&f->refusal));
    if (f->retry) {
        crier_backoff_after(&f->backoff, f->after_ms);
        come_back(f, CRIER_DOWN_REFUSED, now_ms);
    } else {
        over(f);
    }
}

static void
judge(struct crier_source *f, const struct crier_reply *answer, struct crier_now now)
{
    struct crier_slice type = crier_reply_header(answer, CRIER_SLICE("content-type"));
    struct crier_slice location = crier_reply_header(answer, CRIER_SLICE("location"));

    switch (crier_verdict_of(answer->status, type, location)) {
    case CRIER_VERDICT_FOLLOW:
        f->state = STREAMING;
        crier_backoff_up(&f->backoff, now.boot_ms);
        if (f->options.handlers->open)
            f->options.handlers->open(f->options.ctx);
        return;
    case CRIER_VERDICT_REDIRECT:
        redirect(f, location, now.boot_ms);
        return;
    case CRIER_VERDICT_RETRY:
        refuse(f, answer, true, now);
        return;
    case CRIER_VERDICT_STOP:
        refuse(f, answer, false, now);
        return;
    }
}

/* ---- the stream ---- */

static void use_item(struct crier_source *f, const struct crier_item *item)
{
    switch (item->kind) {
    case CRIER_ITEM_EVENT:
        if (!f->options.handlers->event(f->options.ctx, item))
            over_because(f, CRIER_SLICE(""));
        return;
    case CRIER_ITEM_RETRY:
        crier_backoff_retry(&f->backoff, item->retry_ms);
        return;
    case CRIER_ITEM_ID:
    case CRIER_ITEM_COMMENT:
        return;
    }
}

static void parse(struct crier_source *f, struct crier_slice bytes)
{
    struct crier_item item;
    int r;

    crier_parser_feed(&f->parser, bytes);
    while ((r = crier_parser_next(&f->parser, &item)) == 0) {
        use_item(f, &item);
        if (f->state != STREAMING)
            return;
    }
    if (r == -EMSGSIZE) {
        crier_buf_clear(&f->reason);
        crier_buf_printf(&f->reason, "an event is larger than %zu bytes",
                         f->options.max_event_bytes);
        over(f);
    } else if (r < 0) {
        over_because(f, CRIER_SLICE("out of memory"));
    }
}

static void use_body(struct crier_source *f, struct crier_slice bytes)
{
    if (f->state == STREAMING)
        parse(f, bytes);
    else
        crier_buf_append(&f->refusal,
                         crier_slice_sub(bytes, 0, REFUSAL_BYTES - f->refusal.len));
}

static void
use_answer(struct crier_source *f, const struct crier_reply_item *item, struct crier_now now)
{
    switch (item->kind) {
    case CRIER_REPLY_HEAD:
        judge(f, item->reply, now);
        return;
    case CRIER_REPLY_BODY:
        use_body(f, item->body);
        return;
    case CRIER_REPLY_END:
        if (f->state == STREAMING)
            come_back_because(f, CRIER_DOWN_ENDED, "the server ended the stream", now.boot_ms);
        else
            conclude(f, now.boot_ms);
        return;
    }
}

/* ---- stepping ---- */

static bool is_connected_state(enum source_state state)
{
    return state == ASKING || state == STREAMING || state == REFUSED;
}

static void lost(struct crier_source *f, uint64_t now_ms)
{
    if (f->state == STREAMING)
        come_back_because(f, CRIER_DOWN_ENDED, f->call.fault, now_ms);
    else if (f->state == REFUSED)
        conclude(f, now_ms);
    else
        come_back_because(f, CRIER_DOWN_UNREACHABLE, f->call.fault, now_ms);
}

static void check_time(struct crier_source *f, uint64_t now_ms)
{
    const struct crier_call *x = &f->call;

    if (f->state == REFUSED && now_ms >= f->due_ms)
        conclude(f, now_ms);
    if ((f->state == STREAMING || f->state == ASKING) && !x->dialing &&
        now_ms - x->life_ms >= f->options.idle_ms)
        come_back_because(f, f->state == STREAMING ? CRIER_DOWN_ENDED : CRIER_DOWN_UNREACHABLE,
                          f->state == STREAMING
                              ? "nothing came for too long, not even a heartbeat"
                              : "the server accepts connections but does not answer",
                          now_ms);
}

static void converse(struct crier_source *f, struct crier_now now)
{
    struct crier_reply_item item;
    int r = crier_call_io(&f->call, now.boot_ms);

    /* A redirect replaces the connection: the loop then finds the new one with nothing to read.
     */
    while (r == 0 && is_connected_state(f->state)) {
        r = crier_call_next(&f->call, &item);
        if (r == 0)
            use_answer(f, &item, now);
    }
    if (r < 0 && is_connected_state(f->state))
        lost(f, now.boot_ms);
}

int crier_source_step(struct crier_source *f, struct crier_now now)
{
    if (f->state == WAITING && now.boot_ms >= f->due_ms)
        begin(f, now.boot_ms);
    if (is_connected_state(f->state))
        converse(f, now);
    check_time(f, now.boot_ms);
    return f->state == OVER ? CRIER_SOURCE_OVER : 0;
}

int crier_source_fd(const struct crier_source *f)
{
    return is_connected_state(f->state) ? crier_call_fd(&f->call) : -1;
}

short crier_source_events(const struct crier_source *f)
{
    return crier_call_events(&f->call);
}

int crier_source_timeout(const struct crier_source *f, struct crier_now now)
{
    uint64_t due = f->due_ms;

    if (f->state == ASKING || f->state == STREAMING)
        due = f->call.dialing ? f->call.dial.deadline_ms : f->call.life_ms + f->options.idle_ms;
    if (f->state == OVER || due <= now.boot_ms)
        return 0;
    return due - now.boot_ms < INT_MAX ? (int)(due - now.boot_ms) : INT_MAX;
}

/* ---- life ---- */

static void set_defaults(struct crier_source_options *options)
{
    if (options->connect_ms == 0)
        options->connect_ms = CONNECT_MS;
    if (options->idle_ms == 0)
        options->idle_ms = IDLE_MS;
    if (options->max_event_bytes == 0)
        options->max_event_bytes = MAX_EVENT_BYTES;
}

static int init(struct crier_source *f, const struct crier_source_options *options)
{
    int r;

    f->options = *options;
    set_defaults(&f->options);
    crier_buf_init(&f->url, f->mem);
    crier_buf_init(&f->token, f->mem);
    crier_buf_init(&f->hop_text, f->mem);
    crier_buf_init(&f->type, f->mem);
    crier_buf_init(&f->refusal, f->mem);
    crier_buf_init(&f->reason, f->mem);
    crier_backoff_init(&f->backoff, &options->backoff, options->seed);
    crier_buf_append(&f->url, options->url);
    crier_buf_append(&f->token, options->token);
    if (crier_buf_error(&f->url) < 0 || crier_buf_error(&f->token) < 0)
        return -ENOMEM;
    if (crier_url_parse(crier_buf_slice(&f->url), &f->origin))
        return -EINVAL;
    r = crier_parser_init(&f->parser, f->mem, f->options.max_event_bytes, 0, options->last_id);
    return r < 0 ? r : crier_call_init(&f->call, f->mem);
}

int crier_source_new(const struct crier_mem *mem,
                     const struct crier_source_options *options,
                     struct crier_source **ret)
{
    struct crier_source *f = crier_mem_zalloc(mem, sizeof(*f));
    int r;

    if (!f)
        return -ENOMEM;
    f->mem = mem;
    r = init(f, options);
    if (r < 0) {
        crier_source_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

struct crier_source *crier_source_free(struct crier_source *f)
{
    if (!f)
        return NULL;
    crier_call_deinit(&f->call);
    if (f->parser.mem)
        crier_parser_deinit(&f->parser);
    crier_buf_deinit(&f->url);
    crier_buf_deinit(&f->token);
    crier_buf_deinit(&f->hop_text);
    crier_buf_deinit(&f->type);
    crier_buf_deinit(&f->refusal);
    crier_buf_deinit(&f->reason);
    return crier_mem_free(f->mem, f);
}

struct crier_slice crier_source_reason(const struct crier_source *f)
{
    return crier_buf_slice(&f->reason);
}

struct crier_slice crier_source_last_id(const struct crier_source *f)
{
    return crier_parser_last_id(&f->parser);
}
