/* SPDX-License-Identifier: MIT */
/*
 * From a request's head to its route.
 *
 *   begin   what is refused is refused here, before any byte of the body is looked at, in
 *           this order: a method that no route has; who is over a limit, or comes while the
 *           server drains; who may not (admission.h); what there is not (404, 405). A refusal
 *           with a body still to come closes the connection.
 *   body    goes to a publish; that of any other request is read away, up to a bound
 *   end     the request is complete: the route answers
 */
#include "server/route.h"
#include "http/field.h"
#include "http/response.h"
#include "http/target.h"
#include "server/follow.h"
#include "server/pages.h"
#include "server/publish.h"
#include "server/request.h"
#include "server/status.h"

enum { DISCARD_BYTES = 64 * 1024 }; /* of a body that nobody asked for */

/* ---- routing ---------------------------------------------------------------------------- */

/* What lies below a mount, and at "*". */
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
    [CRIER_ROUTE_SITE] = {"", 0}, /* the sites know */
#undef M
};

/* Below an admin mount. Paths that end in '/' take what follows as their rest. */
static const struct {
    struct crier_slice path;
    enum crier_route_kind route;
} admin_routes[] = {
    {{"/health", 7}, CRIER_ROUTE_HEALTH},      {{"/topics", 7}, CRIER_ROUTE_TOPICS},
    {{"/topics/", 8}, CRIER_ROUTE_TOPIC_INFO}, {{"/stats", 6}, CRIER_ROUTE_STATS},
    {{"/problems/", 10}, CRIER_ROUTE_PROBLEM},
};

static enum crier_route_kind admin_route(struct crier_slice path, struct crier_slice *ret_rest)
{
    for (size_t i = 0; i < sizeof(admin_routes) / sizeof(admin_routes[0]); i++) {
        struct crier_slice p = admin_routes[i].path;
        bool open = p.data[p.len - 1] == '/';

        if (open ? crier_slice_starts(path, p) : crier_slice_eq(path, p)) {
            *ret_rest = crier_slice_sub(path, p.len, path.len - p.len);
            return admin_routes[i].route;
        }
    }
    return CRIER_ROUTE_NONE;
}

static enum crier_route_kind events_route(struct crier_slice path, struct crier_slice *ret_rest)
{
    if (!path.len)
        return CRIER_ROUTE_EVENTS;
    *ret_rest = crier_slice_sub(path, 1, path.len);
    return CRIER_ROUTE_TOPIC;
}

/* What of a raw path lies below a mount, its slash included. */
static struct crier_slice below(struct crier_slice path, struct crier_slice mount)
{
    size_t slashes = 0, at;

    for (size_t i = 0; i < mount.len; i++)
        slashes += mount.data[i] == '/';
    for (at = 0; at < path.len; at++) {
        if (path.data[at] == '/' && slashes-- == 0)
            break;
    }
    return crier_slice_sub(path, at, path.len);
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

/* The same for any pattern: a '*' is in no topic. */
static bool follows_pattern(struct crier_exchange *ex)
{
    struct crier_slice query = ex->request->query, name, value;

    if (ex->route == CRIER_ROUTE_TOPIC)
        return crier_slice_find(ex->rest, '*') < ex->rest.len;
    while (crier_query_next(&query, &name, &value)) {
        while (crier_slice_eq(name, CRIER_SLICE("topic")) && value.len) {
            if (crier_percent_next(&value) == '*')
                return true;
        }
    }
    return false;
}

static bool publishes(const struct crier_exchange *ex)
{
    return ex->method == CRIER_METHOD_POST || ex->method == CRIER_METHOD_PUT ||
           ex->method == CRIER_METHOD_DELETE;
}

/* What is decided by the configuration; what permissions decide comes later. */
static enum crier_act act_of(struct crier_exchange *ex)
{
    bool by_config = ex->site && ex->site->by_config;

    if (ex->method == CRIER_METHOD_OPTIONS)
        return CRIER_ACT_PREFLIGHT;
    switch (ex->route) {
    case CRIER_ROUTE_HEALTH:
        return CRIER_ACT_HEALTH;
    case CRIER_ROUTE_TOPICS:
    case CRIER_ROUTE_TOPIC_INFO:
    case CRIER_ROUTE_STATS:
        return by_config ? CRIER_ACT_READ_MANY : CRIER_ACT_READ;
    case CRIER_ROUTE_EVENTS:
    case CRIER_ROUTE_TOPIC:
        if (publishes(ex))
            return by_config ? CRIER_ACT_PUBLISH : CRIER_ACT_PUBLISH_IF_PERMITTED;
        return by_config && follows_many(ex) ? CRIER_ACT_READ_MANY : CRIER_ACT_READ;
    case CRIER_ROUTE_SITE:
        return ex->method == CRIER_METHOD_GET || ex->method == CRIER_METHOD_HEAD
                   ? CRIER_ACT_PROGRAM
                   : CRIER_ACT_PUBLISH_IF_PERMITTED;
    case CRIER_ROUTE_NONE:
    case CRIER_ROUTE_PAGE:
    case CRIER_ROUTE_PROBLEM:
    case CRIER_ROUTE_ANY:
        break;
    }
    return CRIER_ACT_READ;
}

/* ---- permissions ------------------------------------------------------------------------ */

bool crier_permit_anyone(void *ctx, const struct crier_visit *visit)
{
    return true;
}

bool crier_permit_local(void *ctx, const struct crier_visit *visit)
{
    return visit->local;
}

static bool ask(struct crier_exchange *ex, crier_permission *permission)
{
    bool many = publishes(ex) && crier_publish_names_topics(ex->request);
    struct crier_request request;
    bool yes;

    crier_request_visit(&request, ex);
    yes = permission(ex->site->ctx,
                     &(struct crier_visit){.request = &request,
                                           .topic = many ? CRIER_SLICE("") : ex->rest,
                                           .local = ex->admission.local});
    crier_request_leave(&request);
    return yes;
}

/* May it, where the program says who may? true: it may not, and was refused. */
static bool refuse_permission(struct crier_exchange *ex)
{
    const struct crier_site *site = ex->site;
    const char *detail = "The program that serves this does not allow it.";
    bool allowed = true;

    if (!site || !site->channel || site->by_config || ex->method == CRIER_METHOD_OPTIONS)
        return false;
    if (site->kind == CRIER_SITE_EVENTS && publishes(ex)) {
        allowed = site->may_publish && ask(ex, site->may_publish);
        if (!site->may_publish)
            detail = "Nobody may publish here over HTTP: the program that serves this does.";
    } else if (ex->route != CRIER_ROUTE_HEALTH && ex->route != CRIER_ROUTE_PROBLEM) {
        if (site->may_subscribe)
            allowed = ask(ex, site->may_subscribe);
        else if (site->kind == CRIER_SITE_ADMIN || follows_pattern(ex))
            allowed = ex->admission.local;
    }
    if (!allowed)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_NOT_ALLOWED, detail);
    return !allowed;
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
    crier_buf_init(&text, worker->server->mem);
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

/* name: of what sets the limit, a flag or an option. */
static void
warn_limit(struct crier_exchange *ex, const char *what, const char *name, uint64_t limit)
{
    struct crier_worker *worker = ex->conn->worker;
    const char *kind = worker->server->config->library ? "option" : "flag";
    char text[CRIER_ADDRESS_TEXT];

    crier_ip_format(&ex->client, text);
    crier_log(worker->server->log, CRIER_LOG_WARNING, CRIER_LOG_KIND_LIMIT, worker->now,
              "limit-reached", CRIER_LOG_TEXT("limit", crier_slice_of(what)),
              CRIER_LOG_NUMBER("allowed", limit), CRIER_LOG_TEXT("peer", crier_slice_of(text)),
              CRIER_LOG_TEXT(kind, crier_slice_of(name)));
}

/* true: it was sent away. */
static bool over_limits(struct crier_exchange *ex)
{
    struct crier_conn *conn = ex->conn;
    struct crier_server *server = conn->worker->server;
    bool library = server->config->library;

    if (conn->over == CRIER_LIMIT_ADDRESS) {
        crier_stat_add(&conn->worker->stats.over_address_limit, 1);
        if (crier_limits_warn_once(server->limits, &conn->ticket))
            warn_limit(ex, "connections-per-address",
                       library ? ".max_per_address" : "--max-connections-per-address",
                       server->config->max_per_address);
        send_away(ex, CRIER_PROBLEM_TOO_MANY_CONNECTIONS, 30000, 60000);
        return true;
    }
    if (conn->over == CRIER_LIMIT_ALL) {
        crier_stat_add(&conn->worker->stats.over_connection_limit, 1);
        warn_limit(ex, "connections", library ? ".max_connections" : "--max-connections",
                   server->config->max_connections);
        send_away(ex, CRIER_PROBLEM_BUSY, 5000, 15000);
        return true;
    }
    if (atomic_load_explicit(&server->draining, memory_order_relaxed)) {
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
    struct crier_server *server = conn->worker->server;

    ex->client = crier_admission_client(server->config, ex->request, &conn->visitor);
    /* A proxy carries many people's requests over one kept connection: each counts where it
     * belongs. */
    if (server->config->proxy_count) {
        int over = crier_limits_move(server->limits, &ex->client, &conn->ticket);

        conn->over = over > 0 ? (uint8_t)over : 0;
    }
}

/* What the path is known for. */
static void list_methods(struct crier_exchange *ex, struct crier_buf *methods)
{
    if (ex->route == CRIER_ROUTE_SITE)
        crier_sites_methods(&ex->conn->worker->server->sites, ex->request->path, methods);
    else
        crier_buf_append(methods, crier_slice_of(route_methods[ex->route].methods));
}

/* Is it for a handler of every method? */
static bool takes_all(const struct crier_exchange *ex)
{
    return ex->site && ex->site->kind == CRIER_SITE_HANDLER &&
           crier_slice_eq(ex->site->method, CRIER_SLICE("*"));
}

static bool is_preflight(const struct crier_exchange *ex)
{
    return ex->admission.allow_origin.len &&
           crier_http_request_header(ex->request, CRIER_SLICE("Access-Control-Request-Method"))
               .data;
}

/* Of a preflight. Anything but a method: none. */
static struct crier_slice method_asked_for(const struct crier_exchange *ex)
{
    struct crier_slice method =
        crier_http_request_header(ex->request, CRIER_SLICE("Access-Control-Request-Method"));

    return crier_token_valid(method) ? method : CRIER_SLICE("");
}

static void answer_options(struct crier_exchange *ex)
{
    struct crier_server *server = ex->conn->worker->server;
    struct crier_buf headers, methods;

    crier_buf_init(&headers, server->mem);
    crier_buf_init(&methods, server->mem);
    if (takes_all(ex))
        crier_buf_append(&methods, method_asked_for(ex));
    else
        list_methods(ex, &methods);
    if (is_preflight(ex)) {
        crier_admission_preflight(&headers, &ex->admission, ex->request,
                                  ex->route == CRIER_ROUTE_SITE ? crier_buf_slice(&methods)
                                                                : (struct crier_slice){0});
        ex->admission.allow_origin.len = 0; /* said once */
    } else {
        crier_http_header(&headers, CRIER_SLICE("Allow"), crier_buf_slice(&methods));
    }
    crier_exchange_answer(
        ex, &(struct crier_answer){.status = 204, .headers = crier_buf_slice(&headers)});
    crier_buf_deinit(&headers);
    crier_buf_deinit(&methods);
}

static void refuse_method(struct crier_exchange *ex)
{
    const struct crier_mem *mem = ex->conn->worker->server->mem;
    struct crier_buf headers, methods;

    crier_buf_init(&headers, mem);
    crier_buf_init(&methods, mem);
    list_methods(ex, &methods);
    crier_http_header(&headers, CRIER_SLICE("Allow"), crier_buf_slice(&methods));
    crier_exchange_refuse(ex, CRIER_PROBLEM_METHOD_NOT_ALLOWED, CRIER_SLICE(""),
                          CRIER_SLICE(""), crier_buf_slice(&headers));
    crier_buf_deinit(&headers);
    crier_buf_deinit(&methods);
}

static bool knows_method(const struct crier_exchange *ex)
{
    if (ex->route == CRIER_ROUTE_SITE)
        return ex->site || ex->method == CRIER_METHOD_OPTIONS;
    return (route_methods[ex->route].mask & (1u << ex->method)) != 0;
}

/* What is wrong with the request as such; true: it was refused. */
static bool refuse_unknown(struct crier_exchange *ex)
{
    /* Its usual words are about a hub's resources. */
    const char *detail =
        ex->conn->worker->server->config->library ? "There is nothing at this path." : NULL;

    if (ex->route == CRIER_ROUTE_NONE)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_NOT_FOUND, detail);
    else if (!knows_method(ex))
        refuse_method(ex);
    else
        return false;
    return true;
}

/* Below a mount: decoded as a whole; with a bad '%', which is refused soon, as it is. */
static void find_below(struct crier_exchange *ex)
{
    struct crier_slice rest = below(ex->request->path, ex->site->pattern);

    if (!ex->bad_path && crier_percent_decode(&ex->text, rest, false) == 0)
        rest = crier_buf_slice(&ex->text);
    if (ex->site->kind == CRIER_SITE_ADMIN)
        ex->route = admin_route(rest, &ex->rest);
    else if (!ex->site->pattern.len && crier_slice_eq(rest, CRIER_SLICE("/")))
        ex->route = CRIER_ROUTE_EVENTS; /* mounted at the very top */
    else
        ex->route = events_route(rest, &ex->rest);
}

/* 0, -ENOMEM. */
static int find_route(struct crier_exchange *ex)
{
    struct crier_worker *worker = ex->conn->worker;
    struct crier_slice path = ex->request->path;

    if (crier_slice_eq(path, CRIER_SLICE("*"))) {
        ex->route = CRIER_ROUTE_ANY;
        return 0;
    }
    /* A NUL: programs take decoded parameters for C strings, too. A hub refuses it in words. */
    ex->bad_path = crier_percent_decode(&ex->text, path, false) < 0;
    ex->has_nul = crier_slice_find(crier_buf_slice(&ex->text), '\0') < ex->text.len;
    crier_buf_clear(&ex->text);
    ex->site =
        crier_sites_find(&worker->server->sites, ex->request->method_name, path, &ex->known);
    if (!ex->site) {
        ex->route = ex->known ? CRIER_ROUTE_SITE : CRIER_ROUTE_NONE;
        return 0;
    }
    switch (ex->site->kind) {
    case CRIER_SITE_HANDLER:
    case CRIER_SITE_STATIC:
        ex->route = CRIER_ROUTE_SITE;
        return 0;
    case CRIER_SITE_PAGE:
        ex->route = CRIER_ROUTE_PAGE;
        return 0;
    case CRIER_SITE_EVENTS:
    case CRIER_SITE_ADMIN:
        break;
    }
    find_below(ex);
    return crier_outlet_of(worker, ex->site->channel, &ex->outlet);
}

static void refuse_bad_path(struct crier_exchange *ex)
{
    bool reads = ex->method == CRIER_METHOD_GET || ex->method == CRIER_METHOD_HEAD;

    if (!ex->bad_path) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_BAD_REQUEST,
                                  "The path has a NUL (%00) in it. Leave it out.");
        return;
    }
    crier_exchange_refuse_for(
        ex,
        ex->route != CRIER_ROUTE_TOPIC ? CRIER_PROBLEM_BAD_REQUEST
        : reads                        ? CRIER_PROBLEM_BAD_SELECTOR
                                       : CRIER_PROBLEM_BAD_TOPIC,
        "The path has a '%' that is not followed by two hexadecimal digits. Write a "
        "percent sign as %25.");
}

/* What a browser asks first is answered by a route for OPTIONS, or by the server: one for every
 * method would have to know what that is. */
static bool is_handled(const struct crier_exchange *ex)
{
    return ex->site && ex->site->kind == CRIER_SITE_HANDLER &&
           !(is_preflight(ex) && ex->method == CRIER_METHOD_OPTIONS && takes_all(ex));
}

/* Who comes in, and whether: true, or it was refused. */
static bool admit(struct crier_exchange *ex)
{
    struct crier_conn *conn = ex->conn;
    struct crier_server *server = conn->worker->server;

    find_client(ex);
    /* Decided first, so that every refusal carries the CORS headers it is due. */
    crier_admission_decide(server->config, server->tokens, ex->request, &conn->visitor,
                           act_of(ex), &ex->admission);
    ex->admission.allow_origin = crier_exchange_keep(ex, ex->admission.allow_origin);
    if (ex->route != CRIER_ROUTE_HEALTH && over_limits(ex))
        return false;
    if (ex->admission.problem)
        refuse_admission(ex);
    else if (ex->bad_path || (ex->has_nul && ex->route == CRIER_ROUTE_SITE))
        refuse_bad_path(ex);
    else
        return !refuse_unknown(ex) && !refuse_permission(ex);
    return false;
}

/* May it begin while publishes of its connection are on their way? Another one to the same hub
 * may: answers come in the order in which the journal takes them. All else sees what was
 * published before, and is answered after it. */
static bool joins_publishes(const struct crier_exchange *ex)
{
    bool publish = ex->method == CRIER_METHOD_POST || ex->method == CRIER_METHOD_PUT;

    if (!ex->outlet || ex->outlet->index != ex->conn->publishes_to || is_handled(ex) ||
        (ex->route != CRIER_ROUTE_EVENTS && ex->route != CRIER_ROUTE_TOPIC))
        return false;
    if (ex->request->expect_continue)
        return false; /* the interim answer too comes after those before it */
    return (publish && !crier_publish_is_batch(ex->request)) ||
           ex->method == CRIER_METHOD_DELETE;
}

static void begin(struct crier_exchange *ex)
{
    const struct crier_http_request *request = ex->request;

    if (request->method == CRIER_METHOD_OTHER &&
        !crier_sites_take(&ex->conn->worker->server->sites, request->method_name)) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_NOT_IMPLEMENTED, NULL);
        return;
    }
    if (!admit(ex))
        return;
    if (is_handled(ex))
        crier_request_begin(ex);
    else if (ex->method == CRIER_METHOD_POST || ex->method == CRIER_METHOD_PUT)
        crier_publish_begin(ex);
    else if (request->expect_continue && request->has_body)
        crier_exchange_continue(ex);
}

void crier_route_begin(struct crier_conn *conn, const struct crier_http_request *request)
{
    struct crier_exchange *ex;

    if (crier_exchange_new(conn, request, &ex) < 0) {
        crier_conn_refuse(conn, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    conn->exchange = ex;
    conn->progress_ms = conn->worker->now.boot_ms;
    if (find_route(ex) < 0)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
    else if (joins_publishes(ex))
        begin(ex);
    else
        crier_exchange_when_landed(ex, begin);
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
    if (ex->publish || ex->call) {
        if (ex->call)
            crier_request_take(ex, bytes);
        else
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
    case CRIER_ROUTE_SITE:
        crier_site_answer(ex);
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
    if (ex->call) {
        crier_request_end(ex);
        return;
    }
    if (ex->method == CRIER_METHOD_OPTIONS) {
        answer_options(ex);
        return;
    }
    answer_read(ex);
    crier_worker_spent(worker); /* a look into history may be dear */
}
