/* SPDX-License-Identifier: MIT */
/*
 * An exchange's life and its answer: what all routes share (the routes themselves are chosen in
 * route.c).
 *
 * Whatever of the request is still needed when the answer is written is decoded or copied into
 * `text`, whose room is reserved at the beginning, so that slices of it stay good: a publish is
 * answered when its event is in the journal, and by then the reader has forgotten the request.
 *
 * Answers go into the connection's `out`, in the order of the requests. What was published
 * before on this connection, and is not appended yet, is appended first; and when the journal
 * takes its time with that, the answer is put off. Only publishes are answered while others
 * wait: by the publisher, in their order.
 */
#include "server/exchange.h"
#include "http/response.h"
#include "http/target.h"
#include "server/request.h"
#include <stdio.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------- */

/* The path, the query, and the headers that are kept, once each. */
static size_t text_room(const struct crier_http_request *request)
{
    static const struct crier_slice kept[] = {
        {"Origin", 6}, {"Crier-Event", 11}, {"Crier-Retry", 11}, {"Idempotency-Key", 15}};
    size_t room = request->path.len + request->query.len + 1;

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        room += crier_http_request_header(request, kept[i]).len;
    return room;
}

int crier_exchange_new(struct crier_conn *conn,
                       const struct crier_http_request *request,
                       struct crier_exchange **ret)
{
    const struct crier_mem *mem = conn->worker->server->mem;
    struct crier_exchange *ex = crier_mem_zalloc(mem, sizeof(*ex));

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
    if (crier_buf_reserve(&ex->text, text_room(request)) < 0) {
        crier_mem_free(mem, ex);
        return -ENOMEM;
    }
    *ret = ex;
    return 0;
}

static void ask_free(struct crier_exchange *ex)
{
    struct crier_ask *ask = ex->ask;

    if (!ask)
        return;
    crier_journal_unwait(ex->outlet->journal, &ask->wait);
    crier_bell_forget(&ex->conn->worker->bell, &ask->news);
    ex->ask = NULL;
    ask->free(ask);
}

void crier_exchange_free(struct crier_exchange *ex)
{
    const struct crier_mem *mem = ex->conn->worker->server->mem;

    ask_free(ex);
    if (ex->free_publish)
        ex->free_publish(ex);
    if (ex->call)
        crier_request_free(ex->call);
    crier_buf_deinit(&ex->text);
    crier_mem_free(mem, ex->put_off);
    crier_mem_free(mem, ex);
}

/* ---- parameters ------------------------------------------------------------------------- */

int crier_exchange_parameter(struct crier_exchange *ex,
                             const char *name,
                             size_t n,
                             struct crier_slice *ret_value)
{
    struct crier_slice query = ex->request->query, raw_name, raw_value;

    while (crier_query_next(&query, &raw_name, &raw_value)) {
        size_t at = ex->text.len;
        int r;

        if (!crier_slice_eq(raw_name, crier_slice_of(name)) || n-- > 0)
            continue;
        /* Decoded text is never longer than its source, so that asking for each value once
         * fits. */
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

struct crier_slice crier_exchange_keep(struct crier_exchange *ex, struct crier_slice s)
{
    size_t at = ex->text.len;

    if (!s.len || ex->text.cap - ex->text.len < s.len)
        return (struct crier_slice){NULL, 0};
    crier_buf_append(&ex->text, s);
    return (struct crier_slice){ex->text.data + at, s.len};
}

int crier_exchange_text(struct crier_exchange *ex,
                        const char *name,
                        size_t n,
                        struct crier_slice *ret_value)
{
    int r = crier_exchange_parameter(ex, name, n, ret_value);

    if (r == -EINVAL)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_BAD_PARAMETER,
                                  "A query parameter has a '%' that is not followed by two "
                                  "hexadecimal digits. Write a percent sign as %25.");
    else if (r < 0)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
    return r;
}

int crier_exchange_number(struct crier_exchange *ex,
                          const char *name,
                          uint64_t most,
                          uint64_t *number)
{
    struct crier_slice value;
    char detail[96];
    uint64_t n;
    int r = crier_exchange_text(ex, name, 0, &value);

    if (r < 0 || !value.len)
        return r;
    if (crier_slice_to_u64(value, &n) == 0 && n >= 1 && n <= most) {
        *number = n;
        return 0;
    }
    (void)snprintf(detail, sizeof(detail), "'%s' is a number from 1 to %llu.", name,
                   (unsigned long long)most);
    crier_exchange_refuse_for(ex, CRIER_PROBLEM_BAD_PARAMETER, detail);
    return -EINVAL;
}

/* ---- its turn --------------------------------------------------------------------------- */

/* Is something on its way that was published on this connection before? While publishes are
 * being answered, it is the turn of the one that is. */
static bool must_wait(struct crier_conn *conn)
{
    if (conn->waiting && !conn->worker->flushing)
        crier_publishers_flush(conn->worker);
    return conn->waiting && !conn->worker->flushing;
}

static void wait_for_turn(struct crier_exchange *ex, void (*fn)(struct crier_exchange *))
{
    ex->later = true;
    ex->go_on = fn;
    crier_conn_arm(ex->conn);
}

void crier_exchange_when_landed(struct crier_exchange *ex, void (*fn)(struct crier_exchange *))
{
    if (must_wait(ex->conn))
        wait_for_turn(ex, fn);
    else
        fn(ex);
}

struct crier_put_off {
    struct crier_answer answer; /* its texts follow this struct */
};

static void answer_put_off(struct crier_exchange *ex)
{
    struct crier_put_off *put_off = ex->put_off;
    const struct crier_mem *mem = ex->conn->worker->server->mem;

    ex->put_off = NULL;
    crier_exchange_answer(ex, &put_off->answer);
    crier_mem_free(mem, put_off);
}

static struct crier_slice put_text(char **at, struct crier_slice text)
{
    struct crier_slice copy = {*at, text.len};

    if (text.len)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return copy;
}

static void put_off(struct crier_exchange *ex, const struct crier_answer *answer)
{
    struct crier_put_off *copy = crier_mem_alloc(ex->conn->worker->server->mem,
                                                 sizeof(*copy) + answer->type.len +
                                                     answer->body.len + answer->headers.len);
    char *at;

    if (!copy) {
        crier_conn_doom(ex->conn, CRIER_END_MEMORY);
        return;
    }
    at = (char *)(copy + 1);
    copy->answer = *answer;
    copy->answer.type = put_text(&at, answer->type);
    copy->answer.body = put_text(&at, answer->body);
    copy->answer.headers = put_text(&at, answer->headers);
    ex->put_off = copy;
    wait_for_turn(ex, answer_put_off);
}

/* ---- waiting for the journal ------------------------------------------------------------ */

/* Any thread. */
static void ask_wake(struct crier_wait *wait)
{
    struct crier_ask *ask = CRIER_CONTAINER(wait, struct crier_ask, wait);

    crier_bell_ring(&ask->ex->conn->worker->bell, &ask->news);
}

static void ask_told(struct crier_news *news)
{
    struct crier_ask *ask = CRIER_CONTAINER(news, struct crier_ask, news);
    struct crier_conn *conn = ask->ex->conn;

    if (conn->state != CRIER_CONN_READING)
        return; /* it is doomed, and freed in a moment */
    ask->ex->later = false;
    ask->go_on(ask); /* may free it */
    if (conn->exchange || conn->state == CRIER_CONN_DOOMED)
        return;
    if (conn->reader)
        crier_http_reset(conn->reader);
    crier_conn_flush(conn);
    crier_conn_arm(conn);
    crier_conn_enqueue(conn); /* the next request may be there already */
}

void crier_ask_init(struct crier_exchange *ex, struct crier_ask *ask)
{
    ask->wait = (struct crier_wait){.wake = ask_wake};
    crier_news_init(&ask->news, ask_told);
    ask->ex = ex;
    ex->ask = ask;
}

void crier_ask_wait(struct crier_ask *ask)
{
    ask->ex->later = true;
    crier_conn_arm(ask->ex->conn);
}

/* ---- answering -------------------------------------------------------------------------- */

void crier_exchange_head(struct crier_exchange *ex, unsigned status)
{
    struct crier_buf *out = &ex->conn->out;

    if (!ex->body_done || (ex->conn->ended && !ex->conn->waiting))
        ex->close = true; /* it is the last answer */
    crier_http_start_head(out, status, ex->conn->worker->now.wall_ms);
    if (ex->close)
        crier_http_header(out, CRIER_SLICE("Connection"), CRIER_SLICE("close"));
    else if (ex->minor == 0)
        crier_http_header(out, CRIER_SLICE("Connection"), CRIER_SLICE("keep-alive"));
    if (ex->route == CRIER_ROUTE_EVENTS || ex->route == CRIER_ROUTE_TOPIC)
        crier_http_header(out, CRIER_SLICE("Vary"), CRIER_SLICE("Accept, Origin"));
    else
        crier_http_header(out, CRIER_SLICE("Vary"), CRIER_SLICE("Origin"));
    crier_http_header(out, CRIER_SLICE("X-Content-Type-Options"), CRIER_SLICE("nosniff"));
    crier_admission_cors(out, &ex->admission);
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
        crier_conn_doom(conn, CRIER_END_MEMORY);
    else if (close)
        crier_conn_finish(conn);
}

void crier_exchange_answered(struct crier_exchange *ex)
{
    ex->answered = true;
    exchange_over(ex);
}

/* No body, and so no length of it (RFC 9110, 8.6). */
static bool has_length(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

void crier_exchange_answer(struct crier_exchange *ex, const struct crier_answer *answer)
{
    struct crier_buf *out = &ex->conn->out;

    if (must_wait(ex->conn)) {
        put_off(ex, answer);
        return;
    }
    crier_exchange_head(ex, answer->status);
    crier_buf_append(out, answer->headers);
    if (answer->type.len) {
        crier_http_header(out, CRIER_SLICE("Content-Type"), answer->type);
        if (!answer->own_cache_control)
            crier_http_header(out, CRIER_SLICE("Cache-Control"), CRIER_SLICE("no-store"));
    }
    if (has_length(answer->status))
        crier_http_header_u64(out, CRIER_SLICE("Content-Length"), answer->body.len);
    crier_http_end_head(out);
    if (ex->method != CRIER_METHOD_HEAD && has_length(answer->status))
        crier_buf_append(out, answer->body);
    crier_exchange_answered(ex);
}

void crier_conn_log_refusal(struct crier_conn *conn,
                            enum crier_problem problem,
                            const struct crier_ip *client)
{
    struct crier_worker *worker = conn->worker;
    char text[CRIER_ADDRESS_TEXT];

    crier_stat_add(&worker->stats.refused[problem], 1);
    if (!crier_log_enabled(worker->server->log, CRIER_LOG_INFO))
        return;
    crier_ip_format(client, text);
    crier_log(worker->server->log, CRIER_LOG_INFO, CRIER_LOG_KIND_REFUSED, worker->now,
              "refused", CRIER_LOG_TEXT("reason", crier_problem_slug(problem)),
              CRIER_LOG_NUMBER("status", crier_problem_status(problem)),
              CRIER_LOG_TEXT("peer", crier_slice_of(text)));
}

/* What is said where nothing better is known: a program has other paths than `crier serve`, and
 * options instead of flags. */
static struct crier_slice plain_detail(const struct crier_config *config,
                                       enum crier_problem problem)
{
    if (!config->library)
        return CRIER_SLICE("");
    if (problem == CRIER_PROBLEM_NOT_FOUND)
        return CRIER_SLICE("There is nothing at this path.");
    if (problem == CRIER_PROBLEM_NO_TOPIC)
        return CRIER_SLICE("Name a topic: behind this path, as in …/news, or when following as "
                           "?topic=news.");
    if (problem == CRIER_PROBLEM_TOO_LARGE)
        return CRIER_SLICE("The event is over the hub's limit. Send less data; the program "
                           "raises it with the hub's option .max_event_bytes.");
    if (problem == CRIER_PROBLEM_INTERNAL)
        return CRIER_SLICE("Something went wrong in the program that serves this. Try again.");
    return CRIER_SLICE("");
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

    if (crier_problem_status(problem) == 503 && !headers.len)
        headers = CRIER_SLICE("Retry-After: 5\r\n");
    crier_conn_log_refusal(ex->conn, problem, &ex->client);
    crier_buf_init(&body, ex->conn->worker->server->mem);
    if (!detail.len)
        detail = plain_detail(ex->conn->worker->server->config, problem);
    crier_problem_json(&body, problem, detail, extra);
    crier_exchange_answer(ex, &(struct crier_answer){.status = crier_problem_status(problem),
                                                     .type = problem_type(),
                                                     .body = crier_buf_slice(&body),
                                                     .headers = headers});
    crier_buf_deinit(&body);
}

void crier_exchange_refuse_read(struct crier_exchange *ex, int result)
{
    if (result == -ENOMEM)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
    else
        crier_exchange_refuse_for(
            ex, CRIER_PROBLEM_JOURNAL_FAILED,
            "The journal cannot be read: its disk has failed. The operator "
            "should look at the disk and at the hub's log.");
}

void crier_conn_refuse(struct crier_conn *conn, enum crier_problem problem, const char *detail)
{
    struct crier_buf body;

    if (conn->state != CRIER_CONN_READING)
        return;
    if (must_wait(conn)) {
        conn->refusal = (uint8_t)problem; /* and nothing is read until then */
        return;
    }
    crier_conn_log_refusal(conn, problem, &conn->visitor.peer);
    crier_buf_init(&body, conn->worker->server->mem);
    crier_problem_json(&body, problem, crier_slice_of(detail), CRIER_SLICE(""));
    crier_http_start_head(&conn->out, crier_problem_status(problem), conn->worker->now.wall_ms);
    crier_http_header(&conn->out, CRIER_SLICE("Connection"), CRIER_SLICE("close"));
    crier_http_header(&conn->out, CRIER_SLICE("Content-Type"), problem_type());
    crier_http_header_u64(&conn->out, CRIER_SLICE("Content-Length"), body.len);
    crier_http_end_head(&conn->out);
    crier_buf_append(&conn->out, crier_buf_slice(&body));
    crier_buf_deinit(&body);
    conn->dirty = true;
    if (crier_buf_error(&conn->out) < 0)
        crier_conn_doom(conn, CRIER_END_MEMORY);
    else
        crier_conn_finish(conn);
}

void crier_exchange_continue(struct crier_exchange *ex)
{
    crier_buf_append(&ex->conn->out, CRIER_SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    crier_conn_flush(ex->conn);
}

/* ---- what several routes say ------------------------------------------------------------ */

void crier_exchange_start_headers(struct crier_buf *buf,
                                  const struct crier_start *start,
                                  bool resume)
{
    char id[CRIER_ID_TEXT];
    size_t len = crier_id_format(start->id, id);

    crier_http_header(buf, CRIER_SLICE("Crier-Last-Event-ID"), (struct crier_slice){id, len});
    crier_http_header(buf, CRIER_SLICE("Crier-Resumed"),
                      start->gap ? CRIER_SLICE("gap")
                      : resume   ? CRIER_SLICE("exact")
                                 : CRIER_SLICE("none"));
}

void crier_exchange_id_member(struct crier_buf *buf,
                              const char *name,
                              const struct crier_id *id)
{
    char text[CRIER_ID_TEXT];

    if (id)
        crier_buf_printf(buf, ",\"%s\":\"%.*s\"", name, (int)crier_id_format(*id, text), text);
    else
        crier_buf_printf(buf, ",\"%s\":null", name);
}
