/* SPDX-License-Identifier: MIT */
/*
 * POST and PUT: one event (the body is its data, byte for byte), or a batch (NDJSON, or an
 * event stream, published while it is read). DELETE.
 *
 * A single publish is gathered (publisher.h) when its body is complete and answered once it is
 * in the journal; meanwhile the connection may read on. A batch is read on while what it has
 * published is on its way, and waits at its end (`over`) until all of that is in.
 *
 * The first bad line of a batch ends it: what came before is published, what comes after is
 * not, and the answer says both. So does the first line that could not be appended.
 */
#include "server/publish.h"
#include "base/utf8.h"
#include "http/target.h"
#include "hub/publication.h"
#include "hub/topic.h"
#include <string.h>

struct crier_publishing {
    bool is_batch;
    _Atomic bool cancelled; /* the journal's: a draft of this batch has failed */
    bool failed;            /* an append of this batch failed: `problem` */
    bool over; /* nothing more is read: it is answered when nothing of it is on its way */
    enum crier_problem problem; /* NONE: there is none */
    const char *detail;         /* of it; NULL: its own */
    uint64_t line;              /* that is to blame; 0: none is */
    struct crier_slice topic;   /* the path's; in the exchange's text, as the next two */
    struct crier_slice type, key;
    uint64_t ttl_ms;
    bool has_retry;
    uint32_t retry_ms;
    struct crier_buf body; /* single */
    struct crier_batch batch;
    uint64_t published, duplicates;
    struct crier_id first, last;
};

static void refuse(struct crier_exchange *ex, enum crier_problem problem, const char *detail)
{
    crier_exchange_refuse_for(ex, problem, detail);
}

/* ---- what is asked for ------------------------------------------------------------------ */

static int
take_retry(struct crier_publishing *p, struct crier_slice value, const char **ret_fault)
{
    *ret_fault = crier_publish_retry_fault(value, &p->retry_ms);
    p->has_retry = true;
    return *ret_fault ? -EINVAL : 0;
}

static int
take_type(struct crier_publishing *p, struct crier_slice value, const char **ret_fault)
{
    *ret_fault = crier_publish_type_fault(value);
    p->type = value;
    return *ret_fault ? -EINVAL : 0;
}

static int
take_key(struct crier_publishing *p, struct crier_slice value, const char **ret_fault)
{
    *ret_fault = crier_publish_key_fault(value);
    p->key = value;
    return *ret_fault ? -EINVAL : 0;
}

static int
take_ttl(struct crier_publishing *p, struct crier_slice value, const char **ret_fault)
{
    *ret_fault = crier_publish_ttl_fault(value, &p->ttl_ms);
    return *ret_fault ? -EINVAL : 0;
}

static const struct {
    struct crier_slice parameter, header;
    int (*take)(struct crier_publishing *, struct crier_slice, const char **);
} metadata[] = {
    {{"event", 5}, {"Crier-Event", 11}, take_type},
    {{"retry", 5}, {"Crier-Retry", 11}, take_retry},
    {{"key", 3}, {"Idempotency-Key", 15}, take_key},
    {{"ttl", 3}, {NULL, 0}, take_ttl},
};
enum { METADATA = sizeof(metadata) / sizeof(metadata[0]) };

static int known_parameter(struct crier_slice name)
{
    for (int i = 0; i < METADATA; i++) {
        if (crier_slice_eq(name, metadata[i].parameter))
            return i;
    }
    return -1;
}

static int bad_name(struct crier_exchange *ex, struct crier_slice name, const char *what)
{
    struct crier_buf detail;

    crier_buf_init(&detail, ex->conn->worker->server->mem);
    crier_buf_printf(
        &detail, "'%.*s' %s. A publish has event, retry, ttl and key; the hub gives the id.",
        CRIER_SLICE_ARG(crier_slice_sub(name, 0, 64)), what);
    crier_exchange_refuse(ex, CRIER_PROBLEM_BAD_PARAMETER, crier_buf_slice(&detail),
                          CRIER_SLICE(""), CRIER_SLICE(""));
    crier_buf_deinit(&detail);
    return -EINVAL;
}

static int check_names(struct crier_exchange *ex, bool is_batch)
{
    struct crier_slice query = ex->request->query, name, value;
    unsigned seen = 0;

    while (crier_query_next(&query, &name, &value)) {
        int i = known_parameter(name);

        if (i < 0)
            return bad_name(ex, name, "is no parameter of a publish");
        if (is_batch)
            return bad_name(
                ex, name,
                "cannot stand in the query of a batch: each line or block has its own");
        if (seen & (1u << i))
            return bad_name(ex, name, "is there twice");
        seen |= 1u << i;
    }
    return 0;
}

/* A header's value as a parameter's; kept, because the request is forgotten before the event is
 * appended. NULL data: there is none. Only an empty key is a fault of its own: an empty type or
 * retry is none. */
static struct crier_slice header_value(struct crier_exchange *ex, int i)
{
    struct crier_slice header = {NULL, 0};

    if (metadata[i].header.data)
        header = crier_http_request_header(ex->request, metadata[i].header);
    if (header.len)
        return crier_exchange_keep(ex, header);
    return metadata[i].take == take_key ? header : (struct crier_slice){NULL, 0};
}

/* The query says it, else the header. */
static int read_metadata(struct crier_exchange *ex, struct crier_publishing *p)
{
    for (int i = 0; i < METADATA; i++) {
        struct crier_slice value;
        const char *fault;

        if (crier_exchange_text(ex, metadata[i].parameter.data, 0, &value) < 0)
            return -EINVAL;
        if (!value.data)
            value = header_value(ex, i);
        if (!value.data)
            continue;
        if (metadata[i].take(p, value, &fault) < 0) {
            refuse(ex, CRIER_PROBLEM_BAD_PARAMETER, fault);
            return -EINVAL;
        }
    }
    return 0;
}

static int batch_kind(const struct crier_http_request *request)
{
    struct crier_slice type = crier_content_type_essence(
        crier_http_request_header(request, CRIER_SLICE("Content-Type")));

    if (crier_slice_eq_nocase(type, CRIER_SLICE("application/x-ndjson")))
        return CRIER_BATCH_NDJSON;
    if (crier_slice_eq_nocase(type, CRIER_SLICE("text/event-stream")))
        return CRIER_BATCH_EVENT_STREAM;
    return 0;
}

bool crier_publish_names_topics(const struct crier_http_request *request)
{
    return batch_kind(request) == CRIER_BATCH_NDJSON;
}

bool crier_publish_is_batch(const struct crier_http_request *request)
{
    return batch_kind(request) != 0;
}

/* 0: it may go on. Otherwise it has been refused. */
static int check_request(struct crier_exchange *ex, int kind)
{
    const struct crier_http_request *request = ex->request;
    struct crier_slice coding =
        crier_http_request_header(request, CRIER_SLICE("Content-Encoding"));
    uint64_t most = crier_exchange_hub(ex)->limits.max_event_bytes;
    const char *fault;

    if (crier_accept_names(request, CRIER_MEDIA_EVENT_STREAM) &&
        !crier_accept_covers(request, CRIER_MEDIA_JSON)) {
        refuse(ex, CRIER_PROBLEM_NOT_ACCEPTABLE,
               "A publish is answered with one JSON object, never with a stream. Accept "
               "application/json, and follow the topic "
               "with a GET.");
        return -EINVAL;
    }
    if (coding.len && !crier_slice_eq_nocase(coding, CRIER_SLICE("identity"))) {
        refuse(ex, CRIER_PROBLEM_UNSUPPORTED_TYPE, NULL);
        return -EINVAL;
    }
    if (ex->route == CRIER_ROUTE_EVENTS || !ex->rest.len) {
        if (kind != CRIER_BATCH_NDJSON || ex->route != CRIER_ROUTE_EVENTS) {
            refuse(ex, CRIER_PROBLEM_NO_TOPIC, NULL);
            return -EINVAL;
        }
    } else if ((fault = crier_topic_fault(ex->rest)) != NULL) {
        refuse(ex, CRIER_PROBLEM_BAD_TOPIC, fault);
        return -EINVAL;
    }
    if (check_names(ex, kind != 0) < 0)
        return -EINVAL;
    for (int i = 0; kind && i < METADATA; i++) {
        if (metadata[i].header.data &&
            crier_http_request_header(request, metadata[i].header).data)
            return bad_name(
                ex, metadata[i].header,
                "cannot stand in the head of a batch: each line or block has its own");
    }
    if (!kind && request->has_length && request->length > most) {
        refuse(ex, CRIER_PROBLEM_TOO_LARGE, NULL);
        return -EINVAL;
    }
    return 0;
}

static void publishing_free(struct crier_exchange *ex)
{
    struct crier_server *server = ex->conn->worker->server;
    struct crier_publishing *p = ex->publish;

    if (ex->publishing)
        atomic_fetch_sub_explicit(&server->publishing, 1, memory_order_relaxed);
    if (p->is_batch)
        crier_batch_deinit(&p->batch);
    crier_buf_deinit(&p->body);
    ex->publish = crier_mem_free(server->mem, p);
}

static int publishing_new(struct crier_exchange *ex, int kind)
{
    const struct crier_mem *mem = ex->conn->worker->server->mem;
    struct crier_publishing *p = crier_mem_zalloc(mem, sizeof(*p));

    if (!p)
        return -ENOMEM;
    p->is_batch = kind != 0;
    p->topic = ex->rest;
    crier_buf_init(&p->body, mem);
    if (kind && crier_batch_init(&p->batch, mem, (enum crier_batch_kind)kind,
                                 (size_t)crier_exchange_hub(ex)->limits.max_event_bytes,
                                 ex->rest.len > 0) < 0) {
        crier_mem_free(mem, p);
        return -ENOMEM;
    }
    ex->publish = p;
    ex->free_publish = publishing_free;
    return 0;
}

void crier_publish_begin(struct crier_exchange *ex)
{
    struct crier_server *server = ex->conn->worker->server;
    int kind = batch_kind(ex->request);

    if (check_request(ex, kind) < 0)
        return;
    if (publishing_new(ex, kind) < 0) {
        refuse(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    if (!kind && read_metadata(ex, ex->publish) < 0)
        return;
    ex->publishing = true;
    ex->streaming_body = kind == CRIER_BATCH_EVENT_STREAM;
    atomic_fetch_add_explicit(&server->publishing, 1, memory_order_relaxed);
    if (ex->request->expect_continue && ex->request->has_body)
        crier_exchange_continue(ex);
}

/* ---- answers ---------------------------------------------------------------------------- */

static void write_counts(struct crier_buf *buf, const struct crier_publishing *p)
{
    bool any = p->published > 0;

    crier_buf_printf(buf, "\"published\":%llu,\"duplicates\":%llu",
                     (unsigned long long)p->published, (unsigned long long)p->duplicates);
    crier_exchange_id_member(buf, "first", any ? &p->first : NULL);
    crier_exchange_id_member(buf, "last", any ? &p->last : NULL);
}

static void answer_created(struct crier_exchange *ex, const struct crier_buf *body)
{
    crier_exchange_answer(ex, &(struct crier_answer){.status = 201,
                                                     .type = CRIER_SLICE("application/json"),
                                                     .body = crier_buf_slice(body)});
}

static void answer_single(struct crier_exchange *ex, const struct crier_draft *draft)
{
    struct crier_buf body;
    char id[CRIER_ID_TEXT];

    crier_buf_init(&body, ex->conn->worker->server->mem);
    crier_buf_append(&body, CRIER_SLICE("{\"id\":\""));
    crier_buf_add(&body, id, crier_id_format(draft->ret_id, id));
    crier_buf_append(&body, CRIER_SLICE("\",\"topic\":"));
    crier_buf_json_string(&body, draft->topics[0]);
    if (draft->result == CRIER_APPEND_DUPLICATE)
        crier_buf_append(&body, CRIER_SLICE(",\"duplicate\":true"));
    crier_buf_append(&body, CRIER_SLICE("}\n"));
    answer_created(ex, &body);
    crier_buf_deinit(&body);
}

static void answer_batch(struct crier_exchange *ex)
{
    struct crier_buf body;

    crier_buf_init(&body, ex->conn->worker->server->mem);
    crier_buf_byte(&body, '{');
    write_counts(&body, ex->publish);
    if (ex->publish->batch.incomplete)
        crier_buf_append(&body, CRIER_SLICE(",\"incomplete\":true"));
    crier_buf_append(&body, CRIER_SLICE("}\n"));
    answer_created(ex, &body);
    crier_buf_deinit(&body);
}

static void refuse_batch(struct crier_exchange *ex)
{
    const struct crier_publishing *p = ex->publish;
    struct crier_buf extra;

    crier_buf_init(&extra, ex->conn->worker->server->mem);
    write_counts(&extra, p);
    if (p->line)
        crier_buf_printf(&extra, ",\"line\":%llu", (unsigned long long)p->line);
    if (p->batch.incomplete)
        crier_buf_append(&extra, CRIER_SLICE(",\"incomplete\":true"));
    crier_exchange_refuse(ex, p->problem, crier_slice_of(p->detail), crier_buf_slice(&extra),
                          CRIER_SLICE(""));
    crier_buf_deinit(&extra);
}

/* Nothing of it is on its way any more: the counts are true. */
static void answer_over(struct crier_exchange *ex)
{
    if (ex->publish->problem)
        refuse_batch(ex);
    else
        answer_batch(ex);
}

/* The batch is over, for this reason unless one before it has failed it. line 0: no line is to
 * blame. Answers, and frees the exchange, now or later. */
static void end_batch(struct crier_exchange *ex,
                      enum crier_problem problem,
                      const char *detail,
                      uint64_t line)
{
    struct crier_publishing *p = ex->publish;

    if (p->over)
        return;
    p->over = true;
    if (!p->failed) {
        p->problem = problem;
        p->detail = detail;
        p->line = line;
    }
    crier_exchange_when_landed(ex, answer_over);
}

/* ---- what the journal says -------------------------------------------------------------- */

static enum crier_problem problem_of(int result)
{
    switch (result) {
    case -EMSGSIZE:
        return CRIER_PROBLEM_TOO_LARGE;
    case CRIER_APPEND_FULL:
    case -ENOMEM: /* history has no memory for it now: that is full, and it may pass */
    case -ENOSPC:
        return CRIER_PROBLEM_JOURNAL_FULL;
    case CRIER_APPEND_UNKNOWN:
        return CRIER_PROBLEM_OUTCOME_UNKNOWN;
    case -EIO:
        return CRIER_PROBLEM_JOURNAL_FAILED;
    default:
        return CRIER_PROBLEM_INTERNAL;
    }
}

/* NULL: the problem's own says it. */
static const char *detail_of(int result)
{
    if (result == -ENOSPC)
        return "The event was not published: the disk is full. Publishing goes on by itself as "
               "soon as there is room; try again after the time in Retry-After.";
    return NULL;
}

static void batch_done(struct crier_publishing *p, const struct crier_draft *draft)
{
    switch (draft->result) {
    case 0:
        if (!p->published++)
            p->first = draft->ret_id;
        p->last = draft->ret_id;
        break;
    case CRIER_APPEND_DUPLICATE:
        p->duplicates++;
        break;
    default:
        if (!p->failed) { /* those after it were not tried */
            p->problem = problem_of(draft->result);
            p->detail = detail_of(draft->result);
            p->line = 0;
        }
        p->failed = true;
        break;
    }
}

static void refuse_forget(struct crier_exchange *ex, int result)
{
    enum crier_problem problem = problem_of(result);

    if (problem == CRIER_PROBLEM_JOURNAL_FULL)
        refuse(ex, problem,
               result == -ENOSPC
                   ? "The topic's history was not forgotten: the disk is full. Try again later."
                   : "The topic's history was not forgotten: the journal cannot take that now. "
                     "Try again after the time in Retry-After.");
    else if (problem == CRIER_PROBLEM_JOURNAL_FAILED)
        refuse(ex, problem,
               "The topic's history was not forgotten: the journal's disk has failed. The "
               "operator should look at the disk and restart the hub.");
    else if (problem == CRIER_PROBLEM_OUTCOME_UNKNOWN)
        refuse(ex, problem,
               "It is not known whether the topic's history was forgotten. Send the request "
               "again.");
    else
        refuse(ex, problem, NULL);
}

void crier_publish_done(struct crier_exchange *ex, const struct crier_draft *draft)
{
    if (ex->publish && ex->publish->is_batch)
        batch_done(ex->publish, draft);
    else if (ex->conn->state == CRIER_CONN_DOOMED)
        crier_exchange_free(ex); /* nobody is there to be answered */
    else if (draft->forget && draft->result == 0)
        crier_exchange_answer(ex, &(struct crier_answer){.status = 204});
    else if (draft->forget)
        refuse_forget(ex, draft->result);
    else if (draft->result == 0 || draft->result == CRIER_APPEND_DUPLICATE)
        answer_single(ex, draft);
    else
        refuse(ex, problem_of(draft->result), detail_of(draft->result));
}

_Atomic bool *crier_publish_flag(const struct crier_exchange *ex)
{
    return ex->publish ? &ex->publish->cancelled : NULL;
}

bool crier_publish_failed(const struct crier_exchange *ex)
{
    return ex->publish && ex->publish->failed;
}

/* ---- the body --------------------------------------------------------------------------- */

/* Publishes what is complete. -EINVAL: the batch is over (and the exchange may be gone). */
static int pump_batch(struct crier_exchange *ex)
{
    struct crier_publishing *p = ex->publish;
    struct crier_batch_item pub;
    int r = CRIER_BATCH_MORE;

    while (!p->failed && (r = crier_batch_next(&p->batch, &pub)) == 0) {
        struct crier_publish publish = {.topic = pub.has_topic ? pub.topic : p->topic,
                                        .type = pub.type,
                                        .key = pub.key,
                                        .data = pub.data,
                                        .ttl_ms = pub.ttl_ms,
                                        .has_retry = pub.has_retry,
                                        .retry_ms = pub.retry_ms};
        const char *fault = crier_topic_fault(publish.topic);

        if (fault) {
            end_batch(ex, CRIER_PROBLEM_BAD_TOPIC, fault, pub.line);
            return -EINVAL;
        }
        r = crier_publisher_add(ex->outlet, ex, &publish);
        if (r < 0) {
            end_batch(ex, problem_of(r), NULL, pub.line);
            return -EINVAL;
        }
    }
    if (p->failed) {
        end_batch(ex, p->problem, p->detail, 0);
        return -EINVAL;
    }
    if (r < 0) {
        end_batch(ex, p->batch.fault, p->batch.fault_detail, p->batch.fault_line);
        return -EINVAL;
    }
    return 0;
}

void crier_publish_body(struct crier_exchange *ex, struct crier_slice bytes)
{
    struct crier_publishing *p = ex->publish;

    if (p->is_batch) {
        if (p->over)
            return;
        crier_batch_feed(&p->batch, bytes);
        (void)pump_batch(ex);
        return;
    }
    if (p->body.len + bytes.len > crier_exchange_hub(ex)->limits.max_event_bytes) {
        refuse(ex, CRIER_PROBLEM_TOO_LARGE, NULL);
        return;
    }
    crier_buf_append(&p->body, bytes);
    if (crier_buf_error(&p->body) < 0)
        refuse(ex, CRIER_PROBLEM_INTERNAL, NULL);
}

/* It is answered when it is in the journal; meanwhile the next request may be read. */
static void let_go(struct crier_exchange *ex)
{
    ex->conn->exchange = NULL;
    ex->request = NULL;
    if (ex->close)
        ex->conn->close_after = true;
}

static void end_single(struct crier_exchange *ex)
{
    struct crier_publishing *p = ex->publish;
    struct crier_publish publish = {.topic = p->topic,
                                    .type = p->type,
                                    .key = p->key,
                                    .data = crier_buf_slice(&p->body),
                                    .ttl_ms = p->ttl_ms,
                                    .has_retry = p->has_retry,
                                    .retry_ms = p->retry_ms};
    int r;

    if (!crier_utf8_valid(publish.data)) {
        refuse(ex, CRIER_PROBLEM_BAD_BODY,
               "The body is not valid UTF-8. Events are text: encode binary data, for example "
               "as base64.");
        return;
    }
    r = crier_publisher_add(ex->outlet, ex, &publish);
    if (r < 0) {
        refuse(ex, problem_of(r), NULL);
        return;
    }
    crier_buf_deinit(&p->body);
    let_go(ex);
}

void crier_publish_end(struct crier_exchange *ex)
{
    struct crier_publishing *p = ex->publish;

    if (!p->is_batch) {
        end_single(ex);
        return;
    }
    if (p->over)
        return;
    crier_batch_end(&p->batch);
    if (pump_batch(ex) == 0)
        end_batch(ex, CRIER_PROBLEM_NONE, NULL, 0);
}

void crier_publish_abort(struct crier_exchange *ex,
                         enum crier_problem problem,
                         const char *detail)
{
    if (ex->publish->is_batch)
        end_batch(ex, problem, detail, 0);
    else
        refuse(ex, problem, detail);
}

void crier_publish_check(struct crier_exchange *ex)
{
    if (ex->publish->failed)
        end_batch(ex, ex->publish->problem, ex->publish->detail, 0);
}

void crier_publish_drain(struct crier_exchange *ex)
{
    if (!ex->streaming_body || !ex->publish || ex->publish->over)
        return;
    crier_batch_end(&ex->publish->batch); /* a half block is dropped, and told */
    if (pump_batch(ex) == 0)
        end_batch(ex, CRIER_PROBLEM_DRAINING, NULL, 0);
}

void crier_forget(struct crier_exchange *ex)
{
    const char *fault;

    if (!ex->rest.len) {
        refuse(ex, CRIER_PROBLEM_NO_TOPIC, NULL);
        return;
    }
    fault = crier_topic_fault(ex->rest);
    if (fault) {
        refuse(ex, CRIER_PROBLEM_BAD_TOPIC, fault);
        return;
    }
    if (crier_publisher_forget(ex->outlet, ex, ex->rest) < 0)
        refuse(ex, CRIER_PROBLEM_INTERNAL, NULL);
    else
        let_go(ex);
}
