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

static void over(struct crier_source *source)
{
    crier_call_close(&source->call);
    source->state = OVER;
}

static void over_because(struct crier_source *source, struct crier_slice reason)
{
    crier_buf_clear(&source->reason);
    crier_buf_append(&source->reason, reason);
    over(source);
}

/* The connection, or the attempt at one, is gone: source->reason says why. */
static void come_back(struct crier_source *source, enum crier_down_kind kind, uint64_t now_ms)
{
    struct crier_source_down down = {.kind = kind, .reason = crier_buf_slice(&source->reason)};

    (void)crier_parser_end(&source->parser);
    crier_call_close(&source->call);
    down.delay_ms = crier_backoff_down(&source->backoff, now_ms);
    source->due_ms = now_ms + down.delay_ms;
    source->state = WAITING;
    if (source->options.handlers->down)
        source->options.handlers->down(source->options.ctx, &down);
}

static void come_back_because(struct crier_source *source,
                              enum crier_down_kind kind,
                              const char *reason,
                              uint64_t now_ms)
{
    crier_buf_clear(&source->reason);
    crier_buf_append(&source->reason, crier_slice_of(reason));
    come_back(source, kind, now_ms);
}

/* ---- asking ---- */

static void write_request(struct crier_source *source)
{
    struct crier_call *call = &source->call;
    struct crier_slice last_id = crier_parser_last_id(&source->parser);

    crier_call_request(call, "GET", &source->hop);
    crier_call_header(call, "Accept", CRIER_SLICE("text/event-stream"));
    crier_call_header(call, "Cache-Control", CRIER_SLICE("no-cache"));
    if (last_id.len > 0)
        crier_call_header(call, "Last-Event-ID", last_id);
    if (source->carry_token)
        crier_call_bearer(call, crier_buf_slice(&source->token));
    crier_buf_append(&call->out, CRIER_SLICE("\r\n"));
}

static void ask(struct crier_source *source, uint64_t now_ms)
{
    source->state = ASKING;
    if (crier_call_start(&source->call, &source->hop, source->options.connect_ms) < 0)
        come_back_because(source, CRIER_DOWN_UNREACHABLE, source->call.fault, now_ms);
    else
        write_request(source);
}

static void begin(struct crier_source *source, uint64_t now_ms)
{
    source->hop = source->origin;
    source->redirects = 0;
    source->carry_token = true;
    ask(source, now_ms);
}

static void redirect(struct crier_source *source, struct crier_slice location, uint64_t now_ms)
{
    struct crier_buf next;
    const char *fault;

    if (++source->redirects > MAX_REDIRECTS) {
        over_because(source, CRIER_SLICE("more than 20 redirects in a row"));
        return;
    }
    crier_buf_init(&next, source->mem);
    crier_url_resolve(&next, &source->hop, location);
    if (crier_buf_error(&next) < 0) {
        crier_buf_deinit(&next);
        over_because(source, CRIER_SLICE("out of memory"));
        return;
    }
    crier_buf_deinit(&source->hop_text);
    source->hop_text = next;
    fault = crier_url_parse(crier_buf_slice(&source->hop_text), &source->hop);
    if (fault) {
        crier_buf_clear(&source->reason);
        crier_buf_append(&source->reason, CRIER_SLICE("redirected to "));
        crier_plain_text(&source->reason, crier_buf_slice(&source->hop_text));
        crier_buf_printf(&source->reason, ": %s", fault);
        over(source);
        return;
    }
    if (!crier_url_same_origin(&source->origin, &source->hop))
        source->carry_token = false;
    ask(source, now_ms);
}

/* ---- answers ---- */

static void refuse(struct crier_source *source,
                   const struct crier_reply *answer,
                   bool retry,
                   struct crier_now now)
{
    struct crier_slice type = crier_reply_header(answer, CRIER_SLICE("content-type"));

    source->status = answer->status;
    source->retry = retry;
    source->after_ms =
        crier_retry_after(crier_reply_header(answer, CRIER_SLICE("retry-after")), now.wall_ms);
    crier_buf_clear(&source->type);
    crier_buf_append(&source->type, type);
    crier_buf_clear(&source->refusal);
    source->due_ms = now.boot_ms + REFUSAL_MS;
    source->state = REFUSED;
}

/* The refusal's words are here, or will not come. */
static void conclude(struct crier_source *source, uint64_t now_ms)
{
    crier_buf_clear(&source->reason);
    crier_refusal_describe(&source->reason, source->status, crier_buf_slice(&source->type),
                           crier_buf_slice(&source->refusal));
    if (source->retry) {
        crier_backoff_after(&source->backoff, source->after_ms);
        come_back(source, CRIER_DOWN_REFUSED, now_ms);
    } else {
        over(source);
    }
}

static void
judge(struct crier_source *source, const struct crier_reply *answer, struct crier_now now)
{
    struct crier_slice type = crier_reply_header(answer, CRIER_SLICE("content-type"));
    struct crier_slice location = crier_reply_header(answer, CRIER_SLICE("location"));

    switch (crier_verdict_of(answer->status, type, location)) {
    case CRIER_VERDICT_FOLLOW:
        source->state = STREAMING;
        crier_backoff_up(&source->backoff, now.boot_ms);
        if (source->options.handlers->open)
            source->options.handlers->open(source->options.ctx);
        return;
    case CRIER_VERDICT_REDIRECT:
        redirect(source, location, now.boot_ms);
        return;
    case CRIER_VERDICT_RETRY:
        refuse(source, answer, true, now);
        return;
    case CRIER_VERDICT_STOP:
        refuse(source, answer, false, now);
        return;
    }
}

/* ---- the stream ---- */

static void use_item(struct crier_source *source, const struct crier_item *item)
{
    switch (item->kind) {
    case CRIER_ITEM_EVENT:
        if (!source->options.handlers->event(source->options.ctx, item))
            over_because(source, CRIER_SLICE(""));
        return;
    case CRIER_ITEM_RETRY:
        crier_backoff_retry(&source->backoff, item->retry_ms);
        return;
    case CRIER_ITEM_ID:
    case CRIER_ITEM_COMMENT:
        return;
    }
}

static void parse(struct crier_source *source, struct crier_slice bytes)
{
    struct crier_item item;
    int r;

    crier_parser_feed(&source->parser, bytes);
    while ((r = crier_parser_next(&source->parser, &item)) == 0) {
        use_item(source, &item);
        if (source->state != STREAMING)
            return;
    }
    if (r == -EMSGSIZE) {
        crier_buf_clear(&source->reason);
        crier_buf_printf(&source->reason, "an event is larger than %zu bytes",
                         source->options.max_event_bytes);
        over(source);
    } else if (r < 0) {
        over_because(source, CRIER_SLICE("out of memory"));
    }
}

static void use_body(struct crier_source *source, struct crier_slice bytes)
{
    if (source->state == STREAMING)
        parse(source, bytes);
    else
        crier_buf_append(&source->refusal,
                         crier_slice_sub(bytes, 0, REFUSAL_BYTES - source->refusal.len));
}

static void use_answer(struct crier_source *source,
                       const struct crier_reply_item *item,
                       struct crier_now now)
{
    switch (item->kind) {
    case CRIER_REPLY_HEAD:
        judge(source, item->reply, now);
        return;
    case CRIER_REPLY_BODY:
        use_body(source, item->body);
        return;
    case CRIER_REPLY_END:
        if (source->state == STREAMING)
            come_back_because(source, CRIER_DOWN_ENDED, "the server ended the stream",
                              now.boot_ms);
        else
            conclude(source, now.boot_ms);
        return;
    }
}

/* ---- stepping ---- */

static bool is_connected_state(enum source_state state)
{
    return state == ASKING || state == STREAMING || state == REFUSED;
}

static void lost(struct crier_source *source, uint64_t now_ms)
{
    if (source->state == STREAMING)
        come_back_because(source, CRIER_DOWN_ENDED, source->call.fault, now_ms);
    else if (source->state == REFUSED)
        conclude(source, now_ms);
    else
        come_back_because(source, CRIER_DOWN_UNREACHABLE, source->call.fault, now_ms);
}

static void check_time(struct crier_source *source, uint64_t now_ms)
{
    const struct crier_call *call = &source->call;

    if (source->state == REFUSED && now_ms >= source->due_ms)
        conclude(source, now_ms);
    if ((source->state == STREAMING || source->state == ASKING) && !call->dialing &&
        now_ms - call->life_ms >= source->options.idle_ms)
        come_back_because(
            source, source->state == STREAMING ? CRIER_DOWN_ENDED : CRIER_DOWN_UNREACHABLE,
            source->state == STREAMING ? "nothing came for too long, not even a heartbeat"
                                       : "the server accepts connections but does not answer",
            now_ms);
}

static void converse(struct crier_source *source, struct crier_now now)
{
    struct crier_reply_item item;
    int r = crier_call_io(&source->call, now.boot_ms);

    /* A redirect replaces the connection: the loop then finds the new one with nothing to read.
     */
    while (r == 0 && is_connected_state(source->state)) {
        r = crier_call_next(&source->call, &item);
        if (r == 0)
            use_answer(source, &item, now);
    }
    if (r < 0 && is_connected_state(source->state))
        lost(source, now.boot_ms);
}

int crier_source_step(struct crier_source *source, struct crier_now now)
{
    if (source->state == WAITING && now.boot_ms >= source->due_ms)
        begin(source, now.boot_ms);
    if (is_connected_state(source->state))
        converse(source, now);
    check_time(source, now.boot_ms);
    return source->state == OVER ? CRIER_SOURCE_OVER : 0;
}

int crier_source_fd(const struct crier_source *source)
{
    return is_connected_state(source->state) ? crier_call_fd(&source->call) : -1;
}

short crier_source_events(const struct crier_source *source)
{
    return crier_call_events(&source->call);
}

int crier_source_timeout(const struct crier_source *source, struct crier_now now)
{
    uint64_t due = source->due_ms;

    if (source->state == ASKING || source->state == STREAMING)
        due = source->call.dialing ? source->call.dial.deadline_ms
                                   : source->call.life_ms + source->options.idle_ms;
    if (source->state == OVER || due <= now.boot_ms)
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

static int init(struct crier_source *source, const struct crier_source_options *options)
{
    int r;

    source->options = *options;
    set_defaults(&source->options);
    crier_buf_init(&source->url, source->mem);
    crier_buf_init(&source->token, source->mem);
    crier_buf_init(&source->hop_text, source->mem);
    crier_buf_init(&source->type, source->mem);
    crier_buf_init(&source->refusal, source->mem);
    crier_buf_init(&source->reason, source->mem);
    crier_backoff_init(&source->backoff, &options->backoff, options->seed);
    crier_buf_append(&source->url, options->url);
    crier_buf_append(&source->token, options->token);
    if (crier_buf_error(&source->url) < 0 || crier_buf_error(&source->token) < 0)
        return -ENOMEM;
    if (crier_url_parse(crier_buf_slice(&source->url), &source->origin))
        return -EINVAL;
    r = crier_parser_init(&source->parser, source->mem, source->options.max_event_bytes, 0,
                          options->last_id);
    return r < 0 ? r : crier_call_init(&source->call, source->mem);
}

int crier_source_new(const struct crier_mem *mem,
                     const struct crier_source_options *options,
                     struct crier_source **ret)
{
    struct crier_source *source = crier_mem_zalloc(mem, sizeof(*source));
    int r;

    if (!source)
        return -ENOMEM;
    source->mem = mem;
    r = init(source, options);
    if (r < 0) {
        crier_source_free(source);
        return r;
    }
    *ret = source;
    return 0;
}

struct crier_source *crier_source_free(struct crier_source *source)
{
    if (!source)
        return NULL;
    crier_call_deinit(&source->call);
    if (source->parser.mem)
        crier_parser_deinit(&source->parser);
    crier_buf_deinit(&source->url);
    crier_buf_deinit(&source->token);
    crier_buf_deinit(&source->hop_text);
    crier_buf_deinit(&source->type);
    crier_buf_deinit(&source->refusal);
    crier_buf_deinit(&source->reason);
    return crier_mem_free(source->mem, source);
}

struct crier_slice crier_source_reason(const struct crier_source *source)
{
    return crier_buf_slice(&source->reason);
}
