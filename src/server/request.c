/* SPDX-License-Identifier: MIT */
/*
 * What a handler may ask of a request, and how it answers. Texts that are handed out are copied
 * and followed by a NUL; they are kept with the request, so that asking for the same thing
 * again and again costs memory, but never more than the request's own size a time.
 */
#include "server/request.h"

#include "http/field.h"
#include "http/response.h"
#include "http/target.h"
#include "server/private.h"
#include <stdio.h>
#include <string.h>

static const struct crier_slice none = {NULL, 0};

static struct crier_server *request_server(const struct crier_request *request)
{
    return request->ex->conn->worker->server;
}

/* ---- texts ------------------------------------------------------------------------------ */

struct crier_text {
    struct crier_text *next;
    char bytes[];
};

/* A copy with a NUL behind it. No data in, or no memory: none. */
static struct crier_slice hand_out(struct crier_request *request, struct crier_slice s)
{
    struct crier_text *text;

    if (!s.data)
        return none;
    text = crier_mem_alloc(request_server(request)->mem, sizeof(*text) + s.len + 1);
    if (!text)
        return none;
    if (s.len)
        memcpy(text->bytes, s.data, s.len);
    text->bytes[s.len] = '\0';
    text->next = request->texts;
    request->texts = text;
    return (struct crier_slice){text->bytes, s.len};
}

/* The next byte of a query, which is a form's: '+' is a space. */
static char next_of_form(struct crier_slice *raw)
{
    bool plus = raw->data[0] == '+';
    char c = crier_percent_next(raw);

    return plus ? ' ' : c;
}

static struct crier_slice
hand_out_decoded(struct crier_request *request, struct crier_slice raw, bool form)
{
    struct crier_slice text = none;
    struct crier_buf buf;

    if (!raw.data)
        return none;
    crier_buf_init(&buf, request_server(request)->mem);
    while (raw.len)
        crier_buf_byte(&buf, form ? next_of_form(&raw) : crier_percent_next(&raw));
    if (crier_buf_error(&buf) == 0)
        text = hand_out(request, buf.len ? crier_buf_slice(&buf) : CRIER_SLICE(""));
    crier_buf_deinit(&buf);
    return text;
}

static bool form_is(struct crier_slice raw, struct crier_slice text)
{
    size_t at = 0;

    while (raw.len) {
        if (at == text.len || next_of_form(&raw) != text.data[at++])
            return false;
    }
    return at == text.len;
}

/* Accessors change nothing that the caller could see. */
static struct crier_request *own(const struct crier_request *request)
{
    return (struct crier_request *)(uintptr_t)request;
}

/* ---- asking ----------------------------------------------------------------------------- */

struct crier_slice crier_request_method(const struct crier_request *request)
{
    return request ? hand_out(own(request), request->ex->request->method_name) : none;
}

struct crier_slice crier_request_path(const struct crier_request *request)
{
    return request ? hand_out(own(request), request->ex->request->path) : none;
}

struct crier_slice crier_request_param(const struct crier_request *request, const char *name)
{
    struct crier_slice raw;

    if (!request || !name || !request->ex->site)
        return none;
    raw = crier_site_param(request->ex->site, request->ex->request->path, crier_slice_of(name));
    return hand_out_decoded(own(request), raw, false);
}

struct crier_slice crier_request_query(const struct crier_request *request, const char *name)
{
    struct crier_slice query, raw_name, raw_value;

    if (!request || !name)
        return none;
    query = request->ex->request->query;
    while (crier_query_next(&query, &raw_name, &raw_value)) {
        if (form_is(raw_name, crier_slice_of(name)))
            return hand_out_decoded(own(request), raw_value, true);
    }
    return none;
}

struct crier_slice crier_request_header(const struct crier_request *request, const char *name)
{
    if (!request || !name)
        return none;
    return hand_out(own(request),
                    crier_http_request_header(request->ex->request, crier_slice_of(name)));
}

struct crier_slice crier_request_body(const struct crier_request *request)
{
    if (!request)
        return none;
    /* Gathered with a NUL behind it; one without a body has none. */
    return request->body.len
               ? crier_slice_sub(crier_buf_slice(&request->body), 0, request->body.len - 1)
               : CRIER_SLICE("");
}

struct crier_slice crier_request_peer(const struct crier_request *request)
{
    char text[CRIER_ADDRESS_TEXT];

    if (!request)
        return none;
    return hand_out(own(request),
                    (struct crier_slice){text, crier_ip_format(&request->ex->client, text)});
}

struct crier_slice crier_request_last_event_id(const struct crier_request *request)
{
    struct crier_slice id = none;
    struct crier_buf buf;

    if (!request)
        return none;
    crier_buf_init(&buf, request_server(request)->mem);
    crier_request_read_last_id(request, &buf);
    if (buf.len && crier_buf_error(&buf) == 0)
        id = hand_out(own(request), crier_buf_slice(&buf));
    crier_buf_deinit(&buf);
    return id;
}

void crier_request_read_last_id(const struct crier_request *request, struct crier_buf *buf)
{
    const struct crier_http_request *http = request->ex->request;
    struct crier_slice query = http->query, name, value, id;

    id = crier_slice_trim(crier_http_request_header(http, CRIER_SLICE("Last-Event-ID")));
    crier_buf_append(buf, id);
    while (!id.len && crier_query_next(&query, &name, &value)) {
        if (!crier_slice_eq(name, CRIER_SLICE("lastEventId")))
            continue;
        /* With a bad '%' it is one all the same, and no id: a gap, never silence. */
        if (crier_percent_decode(buf, value, true) == -EINVAL)
            crier_buf_append(buf, value);
        return;
    }
}

bool crier_request_is_local(const struct crier_request *request)
{
    return request && request->ex->admission.local;
}

struct crier_server *crier_request_server(struct crier_request *request)
{
    return request ? request_server(request) : NULL;
}

/* ---- answering -------------------------------------------------------------------------- */

static bool is_framing(struct crier_slice name)
{
    static const struct crier_slice names[] = {
        {"Content-Length", 14}, {"Transfer-Encoding", 17},
        {"Connection", 10},     {"Keep-Alive", 10},
        {"Upgrade", 7},         {"Trailer", 7}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (crier_slice_eq_nocase(name, names[i]))
            return true;
    }
    return false;
}

static void note_own(struct crier_request *request, struct crier_slice name)
{
    if (crier_slice_eq_nocase(name, CRIER_SLICE("Cache-Control")))
        request->own |= CRIER_OWN_CACHE_CONTROL;
    else if (crier_slice_eq_nocase(name, CRIER_SLICE("X-Accel-Buffering")))
        request->own |= CRIER_OWN_BUFFERING;
}

static bool is_answered(const struct crier_request *request)
{
    return request->answer != CRIER_ANSWER_NONE;
}

int crier_response_header(struct crier_request *request, const char *name, const char *value)
{
    struct crier_slice n = crier_slice_of(name), v = crier_slice_of(value);
    struct crier_buf *headers;
    size_t before;

    if (!request)
        return CRIER_ENOMEM;
    if (is_answered(request))
        return CRIER_EBUSY;
    if (!crier_token_valid(n) || !crier_field_value_valid(v) || is_framing(n) ||
        crier_slice_eq_nocase(n, CRIER_SLICE("Content-Type")))
        return CRIER_EINVAL;
    headers = &request->headers;
    before = headers->len;
    crier_http_header(headers, n, crier_slice_trim(v));
    if (crier_buf_error(headers) < 0) {
        headers->len = before;
        headers->failed = false;
        return CRIER_ENOMEM;
    }
    note_own(request, n);
    return 0;
}

static bool has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 205 || status == 304;
}

int crier_response_status(struct crier_request *request, unsigned status)
{
    if (!request)
        return CRIER_ENOMEM;
    if (is_answered(request))
        return CRIER_EBUSY;
    if (status > 599 || has_no_body(status))
        return CRIER_EINVAL;
    request->stream_status = status;
    return 0;
}

static bool reply_is_valid(unsigned status, struct crier_slice type, struct crier_slice body)
{
    if (status < 200 || status > 599 || !crier_field_value_valid(type) ||
        (type.data && !type.len))
        return false;
    return type.data ? !has_no_body(status) : body.len == 0;
}

int crier_reply(struct crier_request *request,
                unsigned status,
                const char *content_type,
                struct crier_slice body)
{
    struct crier_slice type = crier_slice_of(content_type);

    if (!request)
        return CRIER_ENOMEM;
    if (is_answered(request))
        return CRIER_EBUSY;
    if (!reply_is_valid(status, type, body))
        return CRIER_EINVAL;
    crier_buf_clear(&request->type);
    crier_buf_clear(&request->reply);
    crier_buf_append(&request->type, type);
    crier_buf_append(&request->reply, body);
    if (crier_buf_error(&request->type) < 0 || crier_buf_error(&request->reply) < 0)
        return CRIER_ENOMEM;
    request->status = status;
    request->has_type = type.data != NULL;
    request->answer = CRIER_ANSWER_REPLY;
    return 0;
}

int crier_replyf(struct crier_request *request,
                 unsigned status,
                 const char *content_type,
                 const char *format,
                 ...)
{
    struct crier_buf text;
    va_list args;
    int r;

    if (!request)
        return CRIER_ENOMEM;
    crier_buf_init(&text, request_server(request)->mem);
    va_start(args, format);
    crier_buf_vprintf(&text, format, args);
    va_end(args);
    r = crier_buf_error(&text);
    if (r == 0)
        r = crier_reply(request, status, content_type, crier_buf_slice(&text));
    crier_buf_deinit(&text);
    return r;
}

struct crier_ref crier_request_later(struct crier_request *request)
{
    const struct crier_ref nothing = {0, 0};

    if (!request || is_answered(request))
        return nothing;
    if (crier_mail_register(&request->ex->conn->worker->mail, CRIER_TO_REQUEST, request, 0,
                            &request->ref) < 0)
        return nothing;
    request->answer = CRIER_ANSWER_LATER;
    return request->ref;
}

/* ---- from any thread -------------------------------------------------------------------- */

int crier_server_reply(struct crier_server *server,
                       struct crier_ref ref,
                       unsigned status,
                       const char *content_type,
                       struct crier_slice body)
{
    struct crier_slice type = crier_slice_of(content_type);
    struct crier_mail *mail = crier_server_mail(server, ref);
    struct crier_letter *letter;

    if (!server)
        return CRIER_ENOMEM;
    if (!reply_is_valid(status, type, body))
        return CRIER_EINVAL;
    if (!mail)
        return CRIER_GONE;
    letter = crier_letter_new(mail, CRIER_LETTER_REPLY, ref, type, body);
    if (!letter)
        return CRIER_ENOMEM;
    letter->status = status;
    return crier_mail_send(mail, letter);
}

/* ---- its life --------------------------------------------------------------------------- */

static void request_init(struct crier_request *request, struct crier_exchange *ex)
{
    const struct crier_mem *mem = ex->conn->worker->server->mem;

    *request = (struct crier_request){.ex = ex, .stream_status = 200};
    crier_buf_init(&request->body, mem);
    crier_buf_init(&request->headers, mem);
    crier_buf_init(&request->type, mem);
    crier_buf_init(&request->reply, mem);
}

static void request_deinit(struct crier_request *request)
{
    struct crier_worker *worker = request->ex->conn->worker;

    crier_mail_unregister(&worker->mail, request->ref);
    while (request->texts) {
        struct crier_text *text = request->texts;

        request->texts = text->next;
        crier_mem_free(worker->server->mem, text);
    }
    crier_buf_deinit(&request->body);
    crier_buf_deinit(&request->headers);
    crier_buf_deinit(&request->type);
    crier_buf_deinit(&request->reply);
}

void crier_request_visit(struct crier_request *request, struct crier_exchange *ex)
{
    request_init(request, ex);
    request->answer = CRIER_ANSWER_FAILED; /* it is not the permission's to answer */
}

void crier_request_leave(struct crier_request *request)
{
    request_deinit(request);
}

void crier_request_free(struct crier_request *request)
{
    const struct crier_mem *mem = request_server(request)->mem;

    request->ex->call = NULL;
    request_deinit(request);
    crier_mem_free(mem, request);
}

void crier_request_begin(struct crier_exchange *ex)
{
    struct crier_server *server = ex->conn->worker->server;
    struct crier_request *request;

    if (ex->request->has_length && ex->request->length > server->config->max_body) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_TOO_LARGE,
                                  "The body of the request is too large.");
        return;
    }
    request = crier_mem_alloc(server->mem, sizeof(*request));
    if (!request) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    request_init(request, ex);
    ex->call = request;
    if (ex->request->expect_continue && ex->request->has_body)
        crier_exchange_continue(ex);
}

void crier_request_take(struct crier_exchange *ex, struct crier_slice bytes)
{
    struct crier_request *request = ex->call;

    if (request->body.len + bytes.len > request_server(request)->config->max_body) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_TOO_LARGE,
                                  "The body of the request is too large.");
        return;
    }
    crier_buf_append(&request->body, bytes);
    if (crier_buf_error(&request->body) < 0)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
}

static void answer_reply(struct crier_request *request)
{
    struct crier_answer answer = {.status = request->status,
                                  .type = crier_buf_slice(&request->type),
                                  .body = crier_buf_slice(&request->reply),
                                  .headers = crier_buf_slice(&request->headers),
                                  .own_cache_control =
                                      (request->own & CRIER_OWN_CACHE_CONTROL) != 0};

    crier_exchange_answer(request->ex, &answer);
}

/* What the request's views point into is the reader's, which goes on to the next one only when
 * this is answered: nothing to do but to wait. */
static void put_off(struct crier_request *request)
{
    request->ex->later = true;
    crier_conn_arm(request->ex->conn);
}

static void finish(struct crier_request *request)
{
    switch (request->answer) {
    case CRIER_ANSWER_REPLY:
        answer_reply(request);
        break;
    case CRIER_ANSWER_STREAM:
        crier_private_begin(request->stream, request->ex);
        break;
    case CRIER_ANSWER_LATER:
        put_off(request);
        break;
    case CRIER_ANSWER_NONE:
    case CRIER_ANSWER_FAILED:
        crier_exchange_refuse_for(request->ex, CRIER_PROBLEM_INTERNAL, NULL);
        break;
    }
}

void crier_request_end(struct crier_exchange *ex)
{
    struct crier_request *request = ex->call;

    if (request->body.len)
        crier_buf_byte(&request->body, '\0');
    if (crier_buf_error(&request->body) < 0) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    ex->site->handler(request, ex->site->ctx);
    finish(request);
}

void crier_request_deliver(struct crier_request *request, const struct crier_letter *letter)
{
    struct crier_conn *conn = request->ex->conn;
    struct crier_answer answer = {.status = letter->status,
                                  .type = letter->has_type ? letter->type : none,
                                  .body = letter->body,
                                  .headers = crier_buf_slice(&request->headers),
                                  .own_cache_control =
                                      (request->own & CRIER_OWN_CACHE_CONTROL) != 0};

    if (conn->state != CRIER_CONN_READING)
        return; /* it is doomed, and freed in a moment */
    request->ex->later = false;
    crier_exchange_answer(request->ex, &answer);
    if (conn->state == CRIER_CONN_DOOMED)
        return;
    if (conn->reader)
        crier_http_reset(conn->reader);
    crier_conn_flush(conn);
    crier_conn_arm(conn);
    crier_conn_enqueue(conn); /* the next request may be there already */
}

/* ---- constant bytes --------------------------------------------------------------------- */

static bool names(struct crier_slice tags, struct crier_slice etag)
{
    while (tags.data) {
        struct crier_slice tag = crier_slice_trim(crier_slice_cut(&tags, ','));

        if (crier_slice_starts(tag, CRIER_SLICE("W/")))
            tag = crier_slice_sub(tag, 2, tag.len);
        if (crier_slice_eq(tag, etag) || crier_slice_eq(tag, CRIER_SLICE("*")))
            return true;
    }
    return false;
}

/* If-None-Match (RFC 9110, 13.1.2): a list of entity tags, in one line or several, or "*". */
static bool has_it(const struct crier_http_request *request, struct crier_slice etag)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (crier_slice_eq_nocase(request->headers[i].name, CRIER_SLICE("If-None-Match")) &&
            names(request->headers[i].value, etag))
            return true;
    }
    return false;
}

void crier_site_answer(struct crier_exchange *ex)
{
    const struct crier_site *site = ex->site;
    bool same = has_it(ex->request, site->etag);
    struct crier_buf headers;

    crier_buf_init(&headers, ex->conn->worker->server->mem);
    crier_http_header(&headers, CRIER_SLICE("ETag"), site->etag);
    crier_http_header(&headers, CRIER_SLICE("Cache-Control"), CRIER_SLICE("no-cache"));
    if (crier_buf_error(&headers) < 0)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
    else
        crier_exchange_answer(ex, &(struct crier_answer){.status = same ? 304 : 200,
                                                         .type = same ? none : site->type,
                                                         .body = same ? none : site->body,
                                                         .headers = crier_buf_slice(&headers),
                                                         .own_cache_control = true});
    crier_buf_deinit(&headers);
}
