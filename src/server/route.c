/* SPDX-License-Identifier: MIT */
/*
 * From a request's head to its route.
 *
 *   begin   what is refused is refused here, before any byte of the body is looked at, in
 *           this order: a method nobody has; who is over a limit, or comes while the server
 *           drains; who may not (admission.h); what there is not (404, 405). A refusal with a
 *           body still to come closes the connection.
 *   body    goes to a publish; that of any other request is read away, up to a bound
 *   end     the request is complete: the route answers
 */
#include "server/route.h"
#include "http/response.h"
#include "http/target.h"
#include "server/follow.h"
#include "server/pages.h"
#include "server/publish.h"
#include "server/status.h"

enum { DISCARD_BYTES = 64 * 1024 }; /* of a body that nobody asked for */

/* ---- routing ---------------------------------------------------------------------------- */

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

/* Does the request follow everything, or everything below something unnamed? Looked at as it
 * came: one walk, nothing is decoded. */
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

/* ---- the kind refusals ------------------------------------------------------------------ */

/* Too many, or going away. A browser's EventSource gives up for good on any status but 200, so
 * whoever follows is told with a 200 when to come back; everybody else gets the plain
 * status. */
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
        crier_conn_log_refusal(ex->conn, problem, &ex->client);
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
    struct crier_shared *hub = conn->worker->hub;

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

/* ---- the request ------------------------------------------------------------------------ */

/* Who is it, behind a proxy that is trusted? */
static void find_client(struct crier_exchange *ex)
{
    struct crier_conn *conn = ex->conn;
    struct crier_shared *hub = conn->worker->hub;

    ex->client = crier_admission_client(hub->config, ex->request, &conn->visitor);
    /* A proxy carries many people's requests over one kept connection: each counts where it
     * belongs. */
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
        crier_http_request_header(ex->request, CRIER_SLICE("Access-Control-Request-Method"))
            .data) {
        struct crier_admission preflight = ex->admission;

        crier_admission_cors(&headers, &preflight, true);
        ex->admission.allow_origin.len = 0; /* said once */
    } else {
        crier_http_header(&headers, CRIER_SLICE("Allow"),
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
        crier_http_header(&headers, CRIER_SLICE("Allow"),
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

void crier_route_begin(struct crier_conn *conn, const struct crier_http_request *request)
{
    struct crier_shared *hub = conn->worker->hub;
    struct crier_exchange *ex;

    if (crier_exchange_new(conn, request, &ex) < 0) {
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
    ex->admission.allow_origin = crier_exchange_keep(ex, ex->admission.allow_origin);
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

void crier_route_abort(struct crier_exchange *ex,
                       enum crier_problem problem,
                       const char *detail)
{
    if (ex->publish)
        crier_publish_abort(ex, problem, detail);
    else
        crier_exchange_refuse_for(ex, problem, detail);
}

void crier_route_body(struct crier_exchange *ex, struct crier_slice bytes)
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

void crier_route_end(struct crier_exchange *ex)
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
