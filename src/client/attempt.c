/* SPDX-License-Identifier: MIT */
/*
 * One attempt: from the URL that was given, over redirects, to a stream or a refusal, and to
 * its end (WHATWG HTML 9.2.3, with the rules of a program instead of a browser's).
 *
 *     begin ─▶ ask ─▶ answer ─▶ judge ─┬─ FOLLOW ───▶ STREAMING ─▶ items ─▶ callbacks
 *               ▲                      ├─ REDIRECT ─┐
 *               └──────────────────────┼────────────┘
 *                                      └─ RETRY, STOP ─▶ REFUSED ─▶ conclude
 *
 * Each attempt starts at the URL that was given, redirects are followed anew. Credentials go
 * only to that URL's origin, and once a redirect has left it, not even back there within the
 * same attempt.
 *
 * Resuming. The parser lives as long as the client: it keeps the last event id over
 * connections, and its end() drops an event that was cut, together with the id in it. So the id
 * sent is always the one of the last event handed to the program, wherever the connection
 * broke.
 *
 * Time. `life_ms` of the call moves with every byte, so comments count as life. Not so before
 * the head of the answer is there: its bytes may drip without end, so time runs from `sent_ms`.
 *
 * Any callback may stop the client: after each the state is looked at again before anything of
 * the attempt is touched.
 */
#include "client/client.h"
#include "client/verdict.h"

enum {
    REFUSAL_MS = 3 * 1000, /* words that take longer than this are not waited for */
    REFUSAL_BYTES = 64 * 1024,
    MAX_REDIRECTS = 20, /* as browsers (WHATWG Fetch 4.4) */
};

/* ---- asking ---- */

static void unreachable(struct crier_client *client, int error, struct crier_now now)
{
    const struct crier_call *call = &client->call;
    bool retry = !call->hopeless;

    if (error == -ENOMEM) {
        crier_down_no_memory(client, now);
        return;
    }
    if (call->proxy_status) {
        client->status = call->proxy_status;
        retry = crier_verdict_of(client->status, CRIER_SLICE(""), CRIER_SLICE("")) ==
                CRIER_VERDICT_RETRY;
        crier_backoff_after(
            &client->backoff,
            crier_retry_after(crier_tunnel_retry_after(&call->tunnel), now.wall_ms));
    }
    crier_down_reason(client, "%s", call->fault);
    crier_down(client, call->hopeless ? CRIER_DOWN_INVALID : CRIER_DOWN_UNREACHABLE, retry,
               now);
}

static void ask(struct crier_client *client, struct crier_now now)
{
    int r = crier_call_start(&client->call, &client->access, &client->hop.url);

    client->status = 0;
    client->state = CRIER_CLIENT_ASKING;
    if (r < 0)
        unreachable(client, r, now);
    else
        crier_ask(&client->call, &client->settings, &client->hop,
                  crier_parser_last_id(&client->parser));
}

void crier_attempt_begin(struct crier_client *client, struct crier_now now)
{
    client->hop = (struct crier_hop){.url = client->origin, .trusted = true};
    client->redirects = 0;
    client->begun = false;
    client->status = 0;
    if (client->settings.fault[0]) {
        crier_down_reason(client, "%s", client->settings.fault);
        crier_down(client, CRIER_DOWN_INVALID, false, now);
        return;
    }
    ask(client, now);
}

/* ---- redirects ---- */

static void
refuse_redirect(struct crier_client *client, const char *fault, struct crier_now now)
{
    crier_buf_clear(&client->reason);
    crier_buf_append(&client->reason, CRIER_SLICE("redirected to "));
    crier_plain_text(&client->reason, crier_buf_slice(&client->hop_text));
    crier_buf_printf(&client->reason, ": %s", fault);
    crier_buf_byte(&client->reason, '\0');
    crier_down(client, CRIER_DOWN_REFUSED, false, now);
}

static void
redirect(struct crier_client *client, struct crier_slice location, struct crier_now now)
{
    struct crier_buf next;
    struct crier_url url;
    const char *fault;

    if (++client->redirects > MAX_REDIRECTS) {
        crier_down_reason(client, "more than %d redirects in a row", MAX_REDIRECTS);
        crier_down(client, CRIER_DOWN_REFUSED, false, now);
        return;
    }
    crier_buf_init(&next, client->mem);
    crier_url_resolve(&next, &client->hop.url, location);
    if (crier_buf_error(&next) < 0) {
        crier_buf_deinit(&next);
        crier_down_no_memory(client, now);
        return;
    }
    fault = crier_url_parse(crier_buf_slice(&next), &url);
    if (!fault)
        crier_hop_redirect(&client->hop, &client->settings, &url, client->status);
    crier_buf_deinit(&client->hop_text);
    client->hop_text = next;
    if (fault)
        refuse_redirect(client, fault, now);
    else
        ask(client, now);
}

/* ---- answers ---- */

static void refuse(struct crier_client *client,
                   const struct crier_reply *answer,
                   bool may_pass,
                   struct crier_now now)
{
    struct crier_slice after = crier_reply_header(answer, CRIER_SLICE("retry-after"));

    client->may_pass = may_pass;
    client->after_ms = crier_retry_after(after, now.wall_ms);
    crier_buf_clear(&client->type);
    crier_buf_append(&client->type, crier_reply_header(answer, CRIER_SLICE("content-type")));
    crier_buf_clear(&client->refusal);
    client->due_ms = now.boot_ms + REFUSAL_MS;
    client->state = CRIER_CLIENT_REFUSED;
}

/* The refusal's words are here, or will not come. */
static void conclude(struct crier_client *client, struct crier_now now)
{
    if (crier_buf_error(&client->type) < 0 || crier_buf_error(&client->refusal) < 0) {
        crier_down_no_memory(client, now);
        return;
    }
    crier_buf_clear(&client->reason);
    crier_refusal_describe(&client->reason, client->status, crier_buf_slice(&client->type),
                           crier_buf_slice(&client->refusal));
    crier_buf_byte(&client->reason, '\0');
    crier_backoff_after(&client->backoff, client->after_ms);
    crier_down(client, CRIER_DOWN_REFUSED, client->may_pass, now);
}

/* The first line of a header that says more than what is harmless; data NULL: none. */
static struct crier_slice
coding_of(const struct crier_reply *answer, const char *name, const char *harmless)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        const struct crier_header *header = &answer->headers[i];

        if (crier_slice_eq_nocase(header->name, crier_slice_of(name)) &&
            header->value.len > 0 &&
            !crier_slice_eq_nocase(header->value, crier_slice_of(harmless)))
            return header->value;
    }
    return (struct crier_slice){NULL, 0};
}

/* No coding was asked for; but who encodes all the same must not be followed in silence. */
static bool refuse_coded(struct crier_client *client,
                         const struct crier_reply *answer,
                         struct crier_now now)
{
    struct crier_slice coding = coding_of(answer, "content-encoding", "identity");
    const char *what = "the stream is compressed (", *more = ")";

    if (!coding.data) {
        coding = coding_of(answer, "transfer-encoding", "chunked");
        what = "the stream is transferred as ";
        more = "";
    }
    if (!coding.data)
        return false;
    crier_buf_clear(&client->reason);
    crier_buf_append(&client->reason, crier_slice_of(what));
    crier_plain_text(&client->reason, coding);
    crier_buf_printf(&client->reason, "%s, which was not asked for", more);
    crier_buf_byte(&client->reason, '\0');
    crier_down(client, CRIER_DOWN_REFUSED, false, now);
    return true;
}

static void
open_stream(struct crier_client *client, const struct crier_reply *answer, struct crier_now now)
{
    const struct crier_client_options *options = &client->settings.options;

    client->state = CRIER_CLIENT_STREAMING;
    crier_buf_clear(&client->reason);
    crier_backoff_up(&client->backoff, now.boot_ms);
    if (!options->on_open)
        return;
    client->answer = answer;
    crier_client_call(client);
    options->on_open(client, options->ctx);
    client->answer = NULL;
    crier_client_called(client);
}

static void
judge(struct crier_client *client, const struct crier_reply *answer, struct crier_now now)
{
    struct crier_slice type = crier_reply_header(answer, CRIER_SLICE("content-type"));
    struct crier_slice location = crier_reply_header(answer, CRIER_SLICE("location"));

    client->status = answer->status;
    switch (crier_verdict_of(answer->status, type, location)) {
    case CRIER_VERDICT_FOLLOW:
        if (!refuse_coded(client, answer, now))
            open_stream(client, answer, now);
        return;
    case CRIER_VERDICT_REDIRECT:
        redirect(client, location, now);
        return;
    case CRIER_VERDICT_RETRY:
        refuse(client, answer, true, now);
        return;
    case CRIER_VERDICT_STOP:
        refuse(client, answer, false, now);
        return;
    }
}

/* ---- the stream ---- */

static void use_item(struct crier_client *client, const struct crier_item *item)
{
    const struct crier_client_options *options = &client->settings.options;

    crier_client_call(client);
    switch (item->kind) {
    case CRIER_ITEM_EVENT:
        if (options->on_event)
            options->on_event(client, item, options->ctx);
        break;
    case CRIER_ITEM_RETRY:
        crier_backoff_retry(&client->backoff, item->retry_ms);
        if (options->on_retry)
            options->on_retry(client, item->retry_ms, options->ctx);
        break;
    case CRIER_ITEM_COMMENT:
        if (options->on_comment)
            options->on_comment(client, item->comment, options->ctx);
        break;
    case CRIER_ITEM_ID:
        break;
    }
    crier_client_called(client);
}

static void parse(struct crier_client *client, struct crier_slice bytes, struct crier_now now)
{
    struct crier_item item;
    int r = crier_parser_feed(&client->parser, bytes);

    while (r == 0 && (r = crier_parser_next(&client->parser, &item)) == 0) {
        use_item(client, &item);
        if (client->state != CRIER_CLIENT_STREAMING)
            return;
    }
    if (r == -EMSGSIZE) {
        crier_down_reason(client, "an event is larger than %llu bytes",
                          (unsigned long long)client->settings.max_event_bytes);
        crier_down(client, CRIER_DOWN_INVALID, false, now);
    } else if (r < 0) {
        crier_down_no_memory(client, now);
    }
}

static void
use_body(struct crier_client *client, struct crier_slice bytes, struct crier_now now)
{
    if (client->state == CRIER_CLIENT_STREAMING)
        parse(client, bytes, now);
    else
        crier_buf_append(&client->refusal,
                         crier_slice_sub(bytes, 0, REFUSAL_BYTES - client->refusal.len));
}

static void use_end(struct crier_client *client, struct crier_now now)
{
    if (client->state == CRIER_CLIENT_REFUSED) {
        conclude(client, now);
        return;
    }
    crier_down_reason(client, "the server ended the stream");
    crier_down(client, CRIER_DOWN_ENDED, true, now);
}

static void use_answer(struct crier_client *client,
                       const struct crier_reply_item *item,
                       struct crier_now now)
{
    switch (item->kind) {
    case CRIER_REPLY_HEAD:
        judge(client, item->reply, now);
        return;
    case CRIER_REPLY_BODY:
        use_body(client, item->body, now);
        return;
    case CRIER_REPLY_END:
        use_end(client, now);
        return;
    }
}

/* ---- stepping ---- */

static void lost(struct crier_client *client, int error, struct crier_now now)
{
    if (error == -ENOMEM) {
        crier_down_no_memory(client, now);
    } else if (client->state == CRIER_CLIENT_STREAMING) {
        crier_down_reason(client, "%s", client->call.fault);
        crier_down(client, CRIER_DOWN_ENDED, true, now);
    } else if (client->state == CRIER_CLIENT_REFUSED) {
        conclude(client, now);
    } else {
        unreachable(client, error, now);
    }
}

static uint64_t idle_since(const struct crier_client *client)
{
    return client->state == CRIER_CLIENT_ASKING ? client->call.sent_ms : client->call.life_ms;
}

static bool is_idle(const struct crier_client *client, uint64_t now_ms)
{
    return client->settings.idle_ms != CRIER_SETTINGS_NO_LIMIT &&
           !crier_call_connecting(&client->call) &&
           now_ms - idle_since(client) >= client->settings.idle_ms;
}

static void check_time(struct crier_client *client, struct crier_now now)
{
    if (client->state == CRIER_CLIENT_REFUSED && now.boot_ms >= client->due_ms) {
        conclude(client, now);
    } else if (client->state == CRIER_CLIENT_STREAMING && is_idle(client, now.boot_ms)) {
        crier_down_reason(client, "nothing came for too long, not even a heartbeat");
        crier_down(client, CRIER_DOWN_ENDED, true, now);
    } else if (client->state == CRIER_CLIENT_ASKING && is_idle(client, now.boot_ms)) {
        crier_down_reason(client, "the server accepts connections but does not answer");
        crier_down(client, CRIER_DOWN_UNREACHABLE, true, now);
    }
}

void crier_attempt_step(struct crier_client *client, struct crier_now now)
{
    struct crier_reply_item item;
    int r = crier_call_io(&client->call, now.boot_ms);

    client->begun = client->begun || client->call.begun;
    /* A redirect replaces the connection: the loop then finds the new one with nothing to read.
     */
    while (r == 0 && crier_client_connected(client)) {
        r = crier_call_next(&client->call, &item);
        if (r == 0)
            use_answer(client, &item, now);
    }
    if (r < 0 && crier_client_connected(client))
        lost(client, r, now);
    check_time(client, now);
}

uint64_t crier_attempt_due(const struct crier_client *client)
{
    if (client->state == CRIER_CLIENT_REFUSED)
        return client->due_ms;
    if (crier_call_pending(&client->call))
        return 0;
    if (crier_call_connecting(&client->call))
        return crier_call_deadline(&client->call);
    return crier_dial_deadline(idle_since(client), client->settings.idle_ms);
}
