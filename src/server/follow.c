/* SPDX-License-Identifier: MIT */
/*
 * GET and HEAD on /events and /events/{selector}: what is wanted, in which form, from where on.
 * Every parameter of http-api.md's chapter "Following" is read here; the answer is a stream
 * (stream.c), history as JSON (history.c), or the live page (pages.c).
 */
#include "server/follow.h"
#include "hub/since.h"
#include "hub/topic.h"
#include "server/pages.h"
#include "server/stream.h"
#include <string.h>

enum { HEARTBEAT_MOST_S = 300 };

/* What the parameters say. Slices point into the exchange's text. */
struct wish {
    struct crier_slice selectors[CRIER_SUBSCRIPTION_SELECTORS + 1];
    size_t selector_count;
    struct crier_slice types[CRIER_SUBSCRIPTION_TYPES + 1];
    size_t type_count;
    struct crier_opening start; /* since, requested, resume, connected */
    bool placed;                /* a last id or a since was given */
    bool envelope;
    uint32_t heartbeat_ms;
};

static int bad(struct crier_exchange *ex, enum crier_problem problem, const char *detail)
{
    crier_exchange_refuse_for(ex, problem, detail);
    return -EINVAL;
}

static int add_selector(struct crier_exchange *ex, struct wish *w, struct crier_slice selector)
{
    const char *fault = crier_selector_fault(selector);

    if (fault)
        return bad(ex, CRIER_PROBLEM_BAD_SELECTOR, fault);
    if (w->selector_count == CRIER_SUBSCRIPTION_SELECTORS)
        return bad(
            ex, CRIER_PROBLEM_BAD_SELECTOR,
            "One stream can follow at most 100 selectors. Use a pattern, or a second stream.");
    w->selectors[w->selector_count++] = selector;
    return 0;
}

static int read_selectors(struct crier_exchange *ex, struct wish *w)
{
    struct crier_slice value;
    int r;

    if (ex->route == CRIER_ROUTE_TOPIC) {
        if (!ex->rest.len)
            return bad(ex, CRIER_PROBLEM_NO_TOPIC, NULL);
        return add_selector(ex, w, ex->rest);
    }
    for (size_t n = 0;; n++) {
        r = crier_exchange_text(ex, "topic", n, &value);
        if (r < 0)
            return r;
        if (!value.data)
            break;
        r = add_selector(ex, w, value);
        if (r < 0)
            return r;
    }
    return w->selector_count ? 0 : bad(ex, CRIER_PROBLEM_NO_TOPIC, NULL);
}

static int read_types(struct crier_exchange *ex, struct wish *w)
{
    for (size_t n = 0;; n++) {
        struct crier_slice value;
        int r = crier_exchange_text(ex, "event", n, &value);

        if (r < 0)
            return r;
        if (!value.data)
            return 0;
        if (w->type_count == CRIER_SUBSCRIPTION_TYPES)
            return bad(ex, CRIER_PROBLEM_BAD_PARAMETER,
                       "One stream can name at most 100 event types.");
        for (size_t i = 0; i < value.len; i++) {
            if (value.data[i] == '\r' || value.data[i] == '\n' || value.data[i] == '\0')
                return bad(ex, CRIER_PROBLEM_BAD_PARAMETER,
                           "An event type cannot hold a line end or a NUL, so no event will "
                           "ever have this one.");
        }
        w->types[w->type_count++] = value.len ? value : CRIER_SLICE("message");
    }
}

static int read_flag(struct crier_exchange *ex, const char *name, bool *flag)
{
    struct crier_slice value;
    int r = crier_exchange_text(ex, name, 0, &value);

    if (r < 0 || !value.len)
        return r;
    if (crier_slice_eq(value, CRIER_SLICE("1")) || crier_slice_eq(value, CRIER_SLICE("true")))
        *flag = true;
    else if (crier_slice_eq(value, CRIER_SLICE("0")) ||
             crier_slice_eq(value, CRIER_SLICE("false")))
        *flag = false;
    else
        return bad(ex, CRIER_PROBLEM_BAD_PARAMETER, "'envelope' and 'connected' are 1 or 0.");
    return 0;
}

static int read_heartbeat(struct crier_exchange *ex, struct wish *w)
{
    uint64_t seconds = 0;
    int r = crier_exchange_number(ex, "heartbeat", HEARTBEAT_MOST_S, &seconds);

    if (r == 0 && seconds)
        w->heartbeat_ms = (uint32_t)seconds * 1000;
    return r;
}

/* The header wins, then lastEventId and its spellings, then since; what is empty counts as
 * absent. A last id that is none is never an error: that would stop an EventSource for good. It
 * is a gap. */
static int read_last_id(struct crier_exchange *ex, struct wish *w)
{
    static const char *const names[] = {"lastEventId", "last-event-id", "last_event_id",
                                        "lastEventID", "Last-Event-ID"};
    struct crier_slice value =
        crier_slice_trim(crier_http_request_header(ex->request, CRIER_SLICE("Last-Event-ID")));

    for (size_t i = 0; !value.len && i < sizeof(names) / sizeof(names[0]); i++) {
        int r = crier_exchange_parameter(ex, names[i], 0, &value);

        if (r == -EINVAL)
            value = CRIER_SLICE("%"); /* there was one, and it is no id */
        else if (r < 0)
            return bad(ex, CRIER_PROBLEM_INTERNAL, NULL);
        value = crier_slice_trim(value);
    }
    if (!value.len)
        return 0;
    w->placed = true;
    w->start.requested = value;
    w->start.since = crier_since_last_id(value);
    return 0;
}

static int read_since(struct crier_exchange *ex, struct wish *w)
{
    struct crier_slice value;
    struct crier_since since;
    const char *fault;
    int r = crier_exchange_text(ex, "since", 0, &value);

    if (r < 0 || !value.len)
        return r;
    fault = crier_since_fault(value, ex->outlet->now, &since);
    if (fault)
        return bad(ex, CRIER_PROBLEM_BAD_PARAMETER, fault);
    if (w->placed)
        return 0; /* a last id wins */
    w->placed = true;
    w->start.since = since;
    w->start.requested = value;
    return 0;
}

static int read_wish(struct crier_exchange *ex, struct wish *w)
{
    memset(w, 0, sizeof(*w));
    w->start.connected = true;
    w->heartbeat_ms = (uint32_t)ex->conn->worker->server->config->heartbeat_ms;
    if (read_selectors(ex, w) < 0 || read_types(ex, w) < 0 || read_last_id(ex, w) < 0 ||
        read_since(ex, w) < 0 || read_heartbeat(ex, w) < 0 ||
        read_flag(ex, "envelope", &w->envelope) < 0 ||
        read_flag(ex, "connected", &w->start.connected) < 0)
        return -EINVAL;
    crier_opening_resumes(&w->start);
    return 0;
}

static int subscribe(struct crier_exchange *ex,
                     const struct wish *w,
                     enum crier_media media,
                     struct crier_subscription **ret)
{
    struct crier_server *server = ex->conn->worker->server;
    struct crier_wish wish = {
        .selectors = w->selectors,
        .selector_count = w->selector_count,
        .types = w->types,
        .type_count = w->type_count,
        .form = media == CRIER_MEDIA_NDJSON
                    ? CRIER_FORM_NDJSON
                    : (w->envelope ? CRIER_FORM_ENVELOPE : CRIER_FORM_SSE),
        .chunked = ex->minor > 0,
    };
    int r = crier_subscription_new(server->mem, ex->outlet->journal, &wish, ret);

    if (r == -E2BIG)
        return bad(ex, CRIER_PROBLEM_BAD_SELECTOR,
                   "One stream can follow at most 100 selectors, 10 of them patterns. Use "
                   "wider patterns, or a second "
                   "stream.");
    if (r < 0)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
    return r;
}

/* HEAD: the head a GET would get now, and nothing is registered. Kept while the journal looks
 * for the place where it would start. */
struct head {
    struct crier_ask ask;
    struct crier_subscription *subscription;
    struct crier_since since;
    bool resume;
};

static void head_free(struct crier_ask *ask)
{
    struct head *head = CRIER_CONTAINER(ask, struct head, ask);

    const struct crier_mem *mem = head->subscription->mem;

    crier_subscription_free(head->subscription);
    crier_mem_free(mem, head);
}

static void answer_head(struct crier_ask *ask)
{
    struct head *head = CRIER_CONTAINER(ask, struct head, ask);
    struct crier_exchange *ex = ask->ex;
    struct crier_start start;
    int r;

    memset(&start, 0, sizeof(start));
    r = crier_journal_locate(ex->outlet->journal, &head->subscription->filter, &head->since,
                             ex->outlet->now, &ask->wait, &start);
    if (r == CRIER_WAIT) {
        crier_ask_wait(ask);
        return;
    }
    if (r < 0) {
        crier_exchange_refuse_read(ex, r);
        return;
    }
    crier_mem_free(ex->conn->worker->server->mem, start.picks);
    crier_stream_write_head(
        ex, &(struct crier_stream_head){.status = 200,
                                        .dress = crier_subscription_dress(head->subscription),
                                        .start = &start,
                                        .resume = head->resume});
    crier_exchange_answered(ex);
}

static void begin_head(struct crier_exchange *ex,
                       const struct wish *w,
                       struct crier_subscription *subscription)
{
    struct head *head = crier_mem_zalloc(ex->conn->worker->server->mem, sizeof(*head));

    if (!head) {
        crier_subscription_free(subscription);
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    *head = (struct head){.ask = {.go_on = answer_head, .free = head_free},
                          .subscription = subscription,
                          .since = w->start.since,
                          .resume = w->start.resume};
    crier_ask_init(ex, &head->ask);
    answer_head(&head->ask);
}

static void open_stream(struct crier_exchange *ex,
                        const struct wish *w,
                        struct crier_subscription *subscription)
{
    uint32_t heartbeat = w->heartbeat_ms;

    /* Up to a tenth earlier: many streams that became quiet together do not all stir at once.
     * */
    crier_stream_begin(ex, subscription, &w->start,
                       heartbeat - crier_worker_jitter(ex->conn->worker, 0, heartbeat / 10));
}

void crier_follow(struct crier_exchange *ex)
{
    /* The page knows where crier serve has its resources; a program has pages of its own. */
    unsigned page = ex->site->by_config ? 1u << CRIER_MEDIA_HTML : 0;
    enum crier_media media =
        crier_negotiate(ex->request, 1u << CRIER_MEDIA_EVENT_STREAM | 1u << CRIER_MEDIA_NDJSON |
                                         1u << CRIER_MEDIA_JSON | page);
    struct crier_subscription *subscription;
    struct wish w;

    if (media == CRIER_MEDIA_NONE) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_NOT_ACCEPTABLE,
                                  "Followed events come as text/event-stream, "
                                  "application/x-ndjson, application/json or "
                                  "text/html. Name one of them in Accept.");
        return;
    }
    if (read_wish(ex, &w) < 0)
        return;
    if (media == CRIER_MEDIA_HTML) {
        crier_page_live(ex);
        return;
    }
    if (subscribe(ex, &w, media, &subscription) < 0)
        return;
    if (media == CRIER_MEDIA_JSON) {
        if (!w.placed)
            w.start.since = (struct crier_since){.kind = CRIER_SINCE_LAST, .count = 100};
        crier_history(ex, subscription, &w.start.since);
    } else if (ex->method == CRIER_METHOD_HEAD) {
        begin_head(ex, &w, subscription);
    } else {
        open_stream(ex, &w, subscription);
    }
}
