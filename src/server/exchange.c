/* SPDX-License-Identifier: MIT */
/*
 * From a request's head to its route, and the answers all routes share.
 *
 *   begin   what is refused is refused here, before any byte of the body is looked at, in this order: a method
 *           nobody has; who is over a limit, or comes while the server drains; who may not (admission.h); what
 *           there is not (404, 405). A refusal with a body still to come closes the connection.
 *   body    goes to a publish; that of any other request is read away, up to a bound
 *   end     the request is complete: the route answers
 *
 * A publish is answered when its event is in the journal: its exchange outlives the request for that long and then owns
 * everything it needs (`text`).
 */
#include "server/exchange.h"
#include "http/response.h"
#include "http/target.h"
#include "hub/topic.h"
#include "server/stream.h"

enum { DISCARD_BYTES = 64 * 1024 }; /* of a body that nobody asked for */

/* ---- routing ------------------------------------------------------------------------------ */

static const struct {
    const char *methods; /* for Allow */
    unsigned mask;
} route_methods[] = {
#define M(m) (1u << CRIER_METHOD_##m)
    [CRIER_ROUTE_NONE] = {"", 0},
    [CRIER_ROUTE_PAGE] = {"GET, HEAD, OPTIONS", M(GET) | M(HEAD) | M(OPTIONS)},
    [CRIER_ROUTE_EVENTS] = {"GET, HEAD, POST, PUT, OPTIONS",
                            M(GET) | M(HEAD) | M(POST) | M(PUT) | M(OPTIONS)},
    [CRIER_ROUTE_TOPIC] = {"GET, HEAD, POST, PUT, DELETE, OPTIONS",
                           M(GET) | M(HEAD) | M(POST) | M(PUT) | M(DELETE) | M(OPTIONS)},
    [CRIER_ROUTE_HEALTH] = {"GET, HEAD, OPTIONS", M(GET) | M(HEAD) | M(OPTIONS)},
    [CRIER_ROUTE_TOPICS] = {"GET, HEAD, OPTIONS", M(GET) | M(HEAD) | M(OPTIONS)},
    [CRIER_ROUTE_TOPIC_INFO] = {"GET, HEAD, OPTIONS", M(GET) | M(HEAD) | M(OPTIONS)},
    [CRIER_ROUTE_STATS] = {"GET, HEAD, OPTIONS", M(GET) | M(HEAD) | M(OPTIONS)},
    [CRIER_ROUTE_PROBLEM] = {"GET, HEAD, OPTIONS", M(GET) | M(HEAD) | M(OPTIONS)},
    [CRIER_ROUTE_ANY] = {"GET, HEAD, POST, PUT, DELETE, OPTIONS", M(OPTIONS)},
#undef M
};

/* Paths that end in '/' take what follows as their rest. */
static const struct {
    struct crier_slice path;
    enum crier_route_kind route;
} routes[] = {
    {{"/", 1}, CRIER_ROUTE_PAGE},
    {{"*", 1}, CRIER_ROUTE_ANY},
    {{"/events", 7}, CRIER_ROUTE_EVENTS},
    {{"/events/", 8}, CRIER_ROUTE_TOPIC},
    {{"/-/health", 9}, CRIER_ROUTE_HEALTH},
    {{"/-/topics", 9}, CRIER_ROUTE_TOPICS},
    {{"/-/topics/", 10}, CRIER_ROUTE_TOPIC_INFO},
    {{"/-/stats", 8}, CRIER_ROUTE_STATS},
    {{"/-/problems/", 12}, CRIER_ROUTE_PROBLEM},
};

static enum crier_route_kind route_of(struct crier_slice path, struct crier_slice *ret_rest)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        struct crier_slice p = routes[i].path;
        bool open = p.len > 1 && p.data[p.len - 1] == '/';

        if (open ? crier_slice_starts(path, p) : crier_slice_eq(path, p)) {
            *ret_rest = crier_slice_sub(path, p.len, path.len - p.len);
            return routes[i].route;
        }
    }
    return CRIER_ROUTE_NONE;
}

/* Does the request follow everything, or everything below something unnamed? Looked at as it came: one walk,
 * nothing is decoded. */
static bool follows_many(struct crier_exchange *ex)
{
    struct crier_slice query = ex->request->query, name, value;

    if (ex->route == CRIER_ROUTE_TOPIC)
        return crier_slice_starts(ex->rest, CRIER_SLICE("*"));
    while (crier_query_next(&query, &name, &value)) {
        if (crier_slice_eq(name, CRIER_SLICE("topic")) &&
            (crier_slice_starts(value, CRIER_SLICE("*")) ||
             crier_slice_eq_nocase(crier_slice_sub(value, 0, 3), CRIER_SLICE("%2A"))))
            return true;
    }
    return false;
}

static enum crier_act act_of(struct crier_exchange *ex)
{
    if (ex->method == CRIER_METHOD_OPTIONS)
        return CRIER_ACT_PREFLIGHT;
    switch (ex->route) {
    case CRIER_ROUTE_HEALTH:
        return CRIER_ACT_HEALTH;
    case CRIER_ROUTE_TOPICS:
    case CRIER_ROUTE_TOPIC_INFO:
    case CRIER_ROUTE_STATS:
        return CRIER_ACT_READ_MANY;
    case CRIER_ROUTE_EVENTS:
    case CRIER_ROUTE_TOPIC:
        if (ex->method == CRIER_METHOD_POST || ex->method == CRIER_METHOD_PUT ||
            ex->method == CRIER_METHOD_DELETE)
            return CRIER_ACT_PUBLISH;
        return follows_many(ex) ? CRIER_ACT_READ_MANY : CRIER_ACT_READ;
    case CRIER_ROUTE_NONE:
    case CRIER_ROUTE_PAGE:
    case CRIER_ROUTE_PROBLEM:
    case CRIER_ROUTE_ANY:
        break;
    }
    return CRIER_ACT_READ;
}

/* ---- parameters --------------------------------------------------------------------------- */

int crier_exchange_parameter(struct crier_exchange *ex,
                             struct crier_slice name,
                             size_t n,
                             struct crier_slice *ret_value)
{
    struct crier_slice query = ex->request->query, raw_name, raw_value;

    while (crier_query_next(&query, &raw_name, &raw_value)) {
        size_t at = ex->text.len;
        int r;

        if (!crier_slice_eq(raw_name, name) || n-- > 0)
            continue;
        /* Decoded text is never longer than its source, and the room for the whole query was reserved at
         * the beginning: what was handed out before does not move, as long as each value is asked for
         * a bounded number of times. */
        if (ex->text.cap - ex->text.len < raw_value.len)
            return -ENOMEM;
        r = crier_percent_decode(&ex->text, raw_value, true);
        if (r < 0)
            return r;
        *ret_value = (struct crier_slice){ex->text.data + at, ex->text.len - at};
        return 0;
    }
    *ret_value = (struct crier_slice){NULL, 0};
    return 0;
}

/* Copies into text, which has room. */
static struct crier_slice keep(struct crier_exchange *ex, struct crier_slice s)
{
    size_t at = ex->text.len;

    if (!s.len || ex->text.cap - ex->text.len < s.len)
        return (struct crier_slice){NULL, 0};
    crier_buf_append(&ex->text, s);
    return (struct crier_slice){ex->text.data + at, s.len};
}

/* ---- answering ---------------------------------------------------------------------------- */

/* What was published before on this connection is answered before. */
static void flush_earlier(struct crier_exchange *ex)
{
    if (ex->conn->waiting && !ex->conn->worker->publisher.flushing)
        crier_publisher_flush(ex->conn->worker);
}

void crier_exchange_head(struct crier_exchange *ex, unsigned status)
{
    struct crier_buf *out = &ex->conn->out;

    flush_earlier(ex);
    if (!ex->body_done || ex->conn->ended)
        ex->close = true;
    crier_response_start(out, status, ex->conn->worker->now.wall_ms);
    if (ex->close)
        crier_response_header(out, CRIER_SLICE("Connection"), CRIER_SLICE("close"));
    else if (ex->minor == 0)
        crier_response_header(out, CRIER_SLICE("Connection"), CRIER_SLICE("keep-alive"));
    if (ex->route == CRIER_ROUTE_EVENTS || ex->route == CRIER_ROUTE_TOPIC)
        crier_response_header(out, CRIER_SLICE("Vary"), CRIER_SLICE("Accept, Origin"));
    else
        crier_response_header(out, CRIER_SLICE("Vary"), CRIER_SLICE("Origin"));
    crier_response_header(out, CRIER_SLICE("X-Content-Type-Options"), CRIER_SLICE("nosniff"));
    crier_admission_cors(out, &ex->admission, false);
}

/* The exchange is over: the connection goes on to the next request, or closes. */
static void exchange_over(struct crier_exchange *ex)
{
    struct crier_conn *conn = ex->conn;
    bool close = ex->close;

    if (conn->exchange == ex)
        conn->exchange = NULL;
    conn->dirty = conn->dirty || !ex->body_done;
    crier_exchange_free(ex);
    conn->first_done = true;
    conn->since_ms = conn->worker->now.boot_ms;
    if (crier_buf_error(&conn->out) < 0)
        crier_conn_doom(conn, "out of memory");
    else if (close)
        crier_conn_finish(conn);
}

void crier_exchange_answered(struct crier_exchange *ex)
{
    ex->answered = true;
    exchange_over(ex);
}

void crier_exchange_answer(struct crier_exchange *ex, const struct crier_answer *answer)
{
    struct crier_buf *out = &ex->conn->out;

    crier_exchange_head(ex, answer->status);
    crier_buf_append(out, answer->headers);
    if (answer->type.len) {
        crier_response_header(out, CRIER_SLICE("Content-Type"), answer->type);
        crier_response_header(out, CRIER_SLICE("Cache-Control"), CRIER_SLICE("no-store"));
    }
    if (answer->status != 204)
        crier_response_header_u64(out, CRIER_SLICE("Content-Length"), answer->body.len);
    crier_response_end_head(out);
    if (ex->method != CRIER_METHOD_HEAD && answer->status != 204)
        crier_buf_append(out, answer->body);
    crier_exchange_answered(ex);
}

static void
log_refusal(struct crier_conn *conn, enum crier_problem problem, const struct crier_ip *client)
{
    struct crier_worker *worker = conn->worker;
    char text[CRIER_ADDRESS_TEXT];

    crier_stat_add(&worker->stats.refused[problem], 1);
    if (!crier_log_enabled(worker->hub->log, CRIER_LOG_INFO))
        return;
    crier_ip_format(client, text);
    crier_log(worker->hub->log, CRIER_LOG_INFO, CRIER_LOG_KIND_REFUSED, worker->now, "refused",
              CRIER_LOG_TEXT("reason", crier_problem_slug(problem)),
              CRIER_LOG_NUMBER("status", crier_problem_status(problem)),
              CRIER_LOG_TEXT("peer", crier_slice_of(text)));
}

static struct crier_slice problem_type(void)
{
    return CRIER_SLICE("application/problem+json");
}

void crier_exchange_refuse(struct crier_exchange *ex,
                           enum crier_problem problem,
                           struct crier_slice detail,
                           struct crier_slice extra,
                           struct crier_slice headers)
{
    struct crier_buf body;

    log_refusal(ex->conn, problem, &ex->client);
    crier_buf_init(&body, ex->conn->worker->hub->mem);
    crier_problem_json(&body, problem, detail, extra);
    crier_exchange_answer(ex, &(struct crier_answer){.status = crier_problem_status(problem),
                                                     .type = problem_type(),
                                                     .body = crier_buf_slice(&body),
                                                     .headers = headers});
    crier_buf_deinit(&body);
}

void crier_conn_refuse(struct crier_conn *conn, enum crier_problem problem, const char *detail)
{
    struct crier_buf body;

    if (conn->state != CRIER_CONN_READING)
        return;
    if (conn->waiting)
        crier_publisher_flush(conn->worker);
    log_refusal(conn, problem, &conn->visitor.peer);
    crier_buf_init(&body, conn->worker->hub->mem);
    crier_problem_json(&body, problem, crier_slice_of(detail), CRIER_SLICE(""));
    crier_response_start(&conn->out, crier_problem_status(problem), conn->worker->now.wall_ms);
    crier_response_header(&conn->out, CRIER_SLICE("Connection"), CRIER_SLICE("close"));
    crier_response_header(&conn->out, CRIER_SLICE("Content-Type"), problem_type());
    crier_response_header_u64(&conn->out, CRIER_SLICE("Content-Length"), body.len);
    crier_response_end_head(&conn->out);
    crier_buf_append(&conn->out, crier_buf_slice(&body));
    crier_buf_deinit(&body);
    conn->dirty = true;
    if (crier_buf_error(&conn->out) < 0)
        crier_conn_doom(conn, "out of memory");
    else
        crier_conn_finish(conn);
}

/* ---- the kind refusals -------------------------------------------------------------------- */

/* Too many, or going away. A browser's EventSource gives up for good on any status but 200, so whoever follows is
 * told with a 200 when to come back; everybody else gets the plain status. */
static void send_away(struct crier_exchange *ex,
                      enum crier_problem problem,
                      uint32_t low_ms,
                      uint32_t high_ms)
{
    struct crier_worker *worker = ex->conn->worker;
    uint32_t wait = crier_worker_jitter(worker, low_ms, high_ms);
    struct crier_buf text;

    ex->close = true;
    crier_buf_init(&text, worker->hub->mem);
    if (ex->method == CRIER_METHOD_GET &&
        crier_accept_names(ex->request, CRIER_MEDIA_EVENT_STREAM)) {
        log_refusal(ex->conn, problem, &ex->client);
        crier_buf_printf(&text, "retry: %u\n", wait);
        crier_exchange_answer(
            ex, &(struct crier_answer){.status = 200,
                                       .type = CRIER_SLICE("text/event-stream"),
                                       .body = crier_buf_slice(&text),
                                       .headers = CRIER_SLICE("X-Accel-Buffering: no\r\n")});
    } else {
        crier_buf_printf(&text, "Retry-After: %u\r\n", (wait + 999) / 1000);
        crier_exchange_refuse(ex, problem, CRIER_SLICE(""), CRIER_SLICE(""),
                              crier_buf_slice(&text));
    }
    crier_buf_deinit(&text);
}

static void
warn_limit(struct crier_exchange *ex, const char *what, const char *flag, uint64_t limit)
{
    struct crier_worker *worker = ex->conn->worker;
    char text[CRIER_ADDRESS_TEXT];

    crier_ip_format(&ex->client, text);
    crier_log(worker->hub->log, CRIER_LOG_WARNING, CRIER_LOG_KIND_LIMIT, worker->now,
              "limit-reached", CRIER_LOG_TEXT("limit", crier_slice_of(what)),
              CRIER_LOG_NUMBER("allowed", limit), CRIER_LOG_TEXT("peer", crier_slice_of(text)),
              CRIER_LOG_TEXT("flag", crier_slice_of(flag)));
}

/* true: it was sent away. */
static bool over_limits(struct crier_exchange *ex)
{
    struct crier_conn *conn = ex->conn;
    struct crier_hub *hub = conn->worker->hub;

    if (conn->over == CRIER_LIMIT_ADDRESS) {
        crier_stat_add(&conn->worker->stats.over_address_limit, 1);
        if (crier_limits_warn_once(hub->limits, &conn->ticket))
            warn_limit(ex, "connections-per-address", "--max-connections-per-address",
                       hub->config->max_per_address);
        send_away(ex, CRIER_PROBLEM_TOO_MANY_CONNECTIONS, 30000, 60000);
        return true;
    }
    if (conn->over == CRIER_LIMIT_ALL) {
        crier_stat_add(&conn->worker->stats.over_connection_limit, 1);
        warn_limit(ex, "connections", "--max-connections", hub->config->max_connections);
        send_away(ex, CRIER_PROBLEM_BUSY, 5000, 15000);
        return true;
    }
    if (atomic_load_explicit(&hub->draining, memory_order_relaxed)) {
        send_away(ex, CRIER_PROBLEM_DRAINING, 5000, 15000);
        return true;
    }
    return false;
}

static void refuse_admission(struct crier_exchange *ex)
{
    struct crier_slice headers = CRIER_SLICE("");

    if (ex->admission.problem == CRIER_PROBLEM_TOKEN_MISSING)
        headers = CRIER_SLICE("WWW-Authenticate: Bearer\r\n");
    else if (ex->admission.problem == CRIER_PROBLEM_TOKEN_WRONG)
        headers = CRIER_SLICE("WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
    crier_exchange_refuse(ex, ex->admission.problem, crier_slice_of(ex->admission.detail),
                          CRIER_SLICE(""), headers);
}

/* ---- the request -------------------------------------------------------------------------- */

static int exchange_new(struct crier_conn *conn,
                        const struct crier_request *request,
                        struct crier_exchange **ret)
{
    const struct crier_mem *mem = conn->worker->hub->mem;
    struct crier_exchange *ex = crier_mem_zalloc(mem, sizeof(*ex));
    struct crier_slice origin = crier_request_header(request, CRIER_SLICE("Origin"));

    if (!ex)
        return -ENOMEM;
    ex->conn = conn;
    ex->request = request;
    ex->method = request->method;
    ex->minor = request->minor;
    ex->client = conn->visitor.peer;
    ex->close = !request->keep_alive;
    ex->body_done = !request->has_body;
    crier_buf_init(&ex->text, mem);
    /* The path, the query and the origin once each: everything that is decoded into text fits, so that slices of
     * it stay good. */
    if (crier_buf_reserve(&ex->text, request->path.len + request->query.len + origin.len + 1) <
        0) {
        crier_mem_free(mem, ex);
        return -ENOMEM;
    }
    *ret = ex;
    return 0;
}

void crier_exchange_free(struct crier_exchange *ex)
{
    const struct crier_mem *mem = ex->conn->worker->hub->mem;

    if (ex->publishing)
        atomic_fetch_sub_explicit(&ex->conn->worker->hub->publishing, 1, memory_order_relaxed);
    crier_publish_free(ex);
    crier_buf_deinit(&ex->text);
    crier_mem_free(mem, ex);
}

/* Who is it, behind a proxy that is trusted? */
static void find_client(struct crier_exchange *ex)
{
    struct crier_conn *conn = ex->conn;
    struct crier_hub *hub = conn->worker->hub;

    ex->client = crier_admission_client(hub->config, ex->request, &conn->visitor);
    /* A proxy carries many people's requests over one kept connection: each counts where it belongs. */
    if (hub->config->proxy_count) {
        int over = crier_limits_move(hub->limits, &ex->client, &conn->ticket);

        conn->over = over > 0 ? (uint8_t)over : 0;
    }
}

static void answer_options(struct crier_exchange *ex)
{
    struct crier_buf headers;

    crier_buf_init(&headers, ex->conn->worker->hub->mem);
    if (ex->admission.allow_origin.len &&
        crier_request_header(ex->request, CRIER_SLICE("Access-Control-Request-Method")).data) {
        struct crier_admission preflight = ex->admission;

        crier_admission_cors(&headers, &preflight, true);
        ex->admission.allow_origin.len = 0; /* said once */
    } else {
        crier_response_header(&headers, CRIER_SLICE("Allow"),
                              crier_slice_of(route_methods[ex->route].methods));
    }
    crier_exchange_answer(
        ex, &(struct crier_answer){.status = 204, .headers = crier_buf_slice(&headers)});
    crier_buf_deinit(&headers);
}

/* What is wrong with the request as such; NONE: nothing. */
static bool refuse_unknown(struct crier_exchange *ex)
{
    if (ex->route == CRIER_ROUTE_NONE) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_NOT_FOUND, NULL);
        return true;
    }
    if (!(route_methods[ex->route].mask & (1u << ex->method))) {
        struct crier_buf headers;

        crier_buf_init(&headers, ex->conn->worker->hub->mem);
        crier_response_header(&headers, CRIER_SLICE("Allow"),
                              crier_slice_of(route_methods[ex->route].methods));
        crier_exchange_refuse(ex, CRIER_PROBLEM_METHOD_NOT_ALLOWED, CRIER_SLICE(""),
                              CRIER_SLICE(""), crier_buf_slice(&headers));
        crier_buf_deinit(&headers);
        return true;
    }
    return false;
}

static void find_route(struct crier_exchange *ex)
{
    struct crier_slice path = ex->request->path;

    ex->bad_path = crier_percent_decode(&ex->text, path, false) < 0;
    if (!ex->bad_path)
        path = crier_buf_slice(&ex->text);
    ex->route = route_of(path, &ex->rest);
}

static void refuse_bad_path(struct crier_exchange *ex)
{
    bool reads = ex->method == CRIER_METHOD_GET || ex->method == CRIER_METHOD_HEAD;

    crier_exchange_refuse_for(
        ex,
        ex->route != CRIER_ROUTE_TOPIC ? CRIER_PROBLEM_BAD_REQUEST
        : reads                        ? CRIER_PROBLEM_BAD_SELECTOR
                                       : CRIER_PROBLEM_BAD_TOPIC,
        "The path has a '%' that is not followed by two hexadecimal digits. Write a "
        "percent sign as %25.");
}

void crier_exchange_begin(struct crier_conn *conn, const struct crier_request *request)
{
    struct crier_hub *hub = conn->worker->hub;
    struct crier_exchange *ex;

    if (exchange_new(conn, request, &ex) < 0) {
        crier_conn_refuse(conn, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    conn->exchange = ex;
    conn->progress_ms = conn->worker->now.boot_ms;

    if (request->method == CRIER_METHOD_OTHER) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_NOT_IMPLEMENTED, NULL);
        return;
    }
    find_route(ex);
    find_client(ex);
    /* Decided first, so that every refusal carries the CORS headers it is due. */
    crier_admission_decide(hub->config, hub->tokens, request, &conn->visitor, act_of(ex),
                           &ex->admission);
    ex->admission.allow_origin = keep(ex, ex->admission.allow_origin);
    if (ex->route != CRIER_ROUTE_HEALTH && over_limits(ex))
        return;
    if (ex->admission.problem) {
        refuse_admission(ex);
        return;
    }
    if (ex->bad_path) {
        refuse_bad_path(ex);
        return;
    }
    if (refuse_unknown(ex))
        return;
    if (ex->method == CRIER_METHOD_POST || ex->method == CRIER_METHOD_PUT)
        crier_publish_begin(ex);
    else if (request->expect_continue && request->has_body)
        crier_exchange_continue(ex);
}

void crier_exchange_continue(struct crier_exchange *ex)
{
    flush_earlier(ex);
    crier_buf_append(&ex->conn->out, CRIER_SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    crier_conn_flush(ex->conn);
}

void crier_exchange_abort(struct crier_exchange *ex,
                          enum crier_problem problem,
                          const char *detail)
{
    if (ex->publish)
        crier_publish_abort(ex, problem, detail);
    else
        crier_exchange_refuse_for(ex, problem, detail);
}

void crier_exchange_body(struct crier_exchange *ex, struct crier_slice bytes)
{
    if (ex->publish) {
        crier_publish_body(ex, bytes);
        return;
    }
    ex->discarded += bytes.len;
    if (ex->discarded > DISCARD_BYTES)
        crier_exchange_refuse_for(
            ex, CRIER_PROBLEM_TOO_LARGE,
            "This request needs no body, and its body is too long to be passed over.");
}

static void answer_events(struct crier_exchange *ex)
{
    if (ex->method == CRIER_METHOD_DELETE)
        crier_forget(ex);
    else
        crier_follow(ex);
}

static void answer_read(struct crier_exchange *ex)
{
    switch (ex->route) {
    case CRIER_ROUTE_PAGE:
        crier_page_live(ex);
        break;
    case CRIER_ROUTE_EVENTS:
    case CRIER_ROUTE_TOPIC:
        answer_events(ex);
        break;
    case CRIER_ROUTE_HEALTH:
        crier_status_health(ex);
        break;
    case CRIER_ROUTE_TOPICS:
        crier_status_topics(ex);
        break;
    case CRIER_ROUTE_TOPIC_INFO:
        crier_status_topic(ex);
        break;
    case CRIER_ROUTE_STATS:
        crier_status_stats(ex);
        break;
    case CRIER_ROUTE_PROBLEM:
        crier_page_problem(ex);
        break;
    case CRIER_ROUTE_NONE:
    case CRIER_ROUTE_ANY:
        break; /* refused or answered before */
    }
}

void crier_exchange_end(struct crier_exchange *ex)
{
    struct crier_worker *worker = ex->conn->worker;

    ex->body_done = true;
    if (ex->publish) {
        crier_publish_end(ex);
        return;
    }
    if (ex->method == CRIER_METHOD_OPTIONS) {
        answer_options(ex);
        return;
    }
    answer_read(ex);
    crier_worker_spent(worker); /* a look into history may be dear */
}
