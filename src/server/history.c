/* SPDX-License-Identifier: MIT */
/*
 * History as one JSON array (Accept: application/json), oldest first, and the end. A page ends
 * at `limit` events, or after the event that reaches --max-page-size; `Link: rel="next"` leads
 * on while there is more. Pages that their readers have not taken yet, and what has been read
 * of those that wait for the disk, may add up to --max-pages-size for a worker; then history
 * has to wait, and a page that has begun ends early.
 */
#include "event/render.h"
#include "http/target.h"
#include "server/follow.h"
#include <string.h>

enum { LIMIT_DEFAULT = 1000, LIMIT_MOST = 10000 };

/* A page in the making; it stays while the journal looks at the disk, before the place where it
 * starts is known and between two slices. */
struct page {
    struct crier_ask ask;
    struct crier_subscription *subscription;
    struct crier_since since;
    struct crier_start start; /* once `located` */
    struct crier_scan scan;
    bool located;
    struct crier_buf body;
    size_t held; /* bytes of it counted in the worker's page_bytes, while it waits */
    uint64_t count, limit, max_bytes;
    struct crier_id last;
    bool more;
};

static int add_record(void *ctx, const struct crier_record *record)
{
    struct page *page = ctx;
    struct crier_render_fields fields = {.id = record->id,
                                         .topic = record->topics[0],
                                         .type = record->type,
                                         .wall_ms = record->wall_ms,
                                         .sse = record->sse};

    if (page->count == page->limit || (page->count && page->body.len > page->max_bytes)) {
        page->more = true;
        return CRIER_SCAN_STOP;
    }
    if (page->count++)
        crier_buf_append(&page->body, CRIER_SLICE(",\n"));
    crier_render_json(&page->body, &fields);
    page->last = record->id;
    return page->body.failed ? CRIER_SCAN_STOP : 0;
}

/* Raw, as it came, but for what would end the link. */
static void write_raw(struct crier_buf *headers, struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '>' || text.data[i] == '<' || text.data[i] == '"')
            crier_buf_printf(headers, "%%%02X", (unsigned char)text.data[i]);
        else
            crier_buf_byte(headers, text.data[i]);
    }
}

/* The same target, but since=<the last id sent>. */
static void
write_next(struct crier_exchange *ex, const struct page *page, struct crier_buf *headers)
{
    struct crier_slice query = ex->request->query, name, value;
    char id[CRIER_ID_TEXT];
    size_t id_len = crier_id_format(page->last, id);

    crier_buf_append(headers, CRIER_SLICE("Link: <"));
    write_raw(headers, ex->request->path);
    crier_buf_append(headers, CRIER_SLICE("?since="));
    crier_buf_add(headers, id, id_len);
    while (crier_query_next(&query, &name, &value)) {
        if (!crier_slice_eq(name, CRIER_SLICE("topic")) &&
            !crier_slice_eq(name, CRIER_SLICE("event")) &&
            !crier_slice_eq(name, CRIER_SLICE("limit")))
            continue;
        crier_buf_byte(headers, '&');
        crier_buf_append(headers, name);
        crier_buf_byte(headers, '=');
        write_raw(headers, value);
    }
    crier_buf_append(headers, CRIER_SLICE(">; rel=\"next\"\r\n"));
}

static int locate(struct crier_exchange *ex, struct page *page)
{
    int r = crier_journal_locate(ex->outlet->journal, &page->subscription->filter, &page->since,
                                 ex->outlet->now, &page->ask.wait, &page->start);

    if (r != 0)
        return r;
    page->located = true;
    page->scan = (struct crier_scan){.filter = &page->subscription->filter,
                                     .position = page->start.position,
                                     .until = page->start.until,
                                     .now_boot_ms = ex->outlet->now.boot_ms,
                                     .picks = page->start.picks,
                                     .pick_count = page->start.pick_count,
                                     .losses = page->start.losses,
                                     .wait = &page->ask.wait};
    return 0;
}

/* Is there nothing more to scan? A journal may end a slice wherever it likes. */
static bool is_whole(const struct page *page)
{
    const struct crier_scan *scan = &page->scan;
    uint64_t end = scan->pick_count ? scan->picks[scan->pick_count - 1] : scan->until;

    return page->more || page->body.failed || scan->position >= end;
}

/* 0, CRIER_WAIT, < 0. */
static int read_page(struct crier_exchange *ex, struct page *page)
{
    struct crier_start gap;
    int r = page->located ? 0 : locate(ex, page), still = 0;

    /* One that comes upon a loss stops where it is, and the next one tells: only the second
     * without a move means that there is nothing more. */
    while (r == 0 && !is_whole(page) && still < 2) {
        uint64_t before = page->scan.position;

        r = crier_journal_scan(ex->outlet->journal, &page->scan, add_record, page, &gap);
        if (r == CRIER_SCAN_GAP) {
            page->scan.position = gap.position; /* an event left history between the calls */
            page->scan.losses = gap.losses;
            r = 0;
        }
        still = page->scan.position == before ? still + 1 : 0;
    }
    return r == 0 ? crier_buf_error(&page->body) : r;
}

/* Pages that their readers do not take are bounded: see page_bytes in conn.c. */
static void answer_counted(struct crier_exchange *ex, const struct crier_answer *answer)
{
    struct crier_conn *conn = ex->conn;

    if (ex->method != CRIER_METHOD_HEAD) {
        conn->page_bytes += answer->body.len;
        conn->worker->page_bytes += answer->body.len;
    }
    crier_exchange_answer(ex, answer);
}

static void answer_page(struct crier_exchange *ex, struct page *page)
{
    const struct crier_start *start = &page->start;
    bool resume = page->since.kind == CRIER_SINCE_ID || page->since.kind == CRIER_SINCE_UNKNOWN;
    struct crier_buf headers;

    crier_buf_append(&page->body, CRIER_SLICE("]\n"));
    crier_buf_init(&headers, ex->conn->worker->server->mem);
    crier_exchange_start_headers(&headers, start, resume);
    if (page->more && page->count < page->limit)
        crier_stat_add(&ex->conn->worker->stats.pages_cut, 1);
    /* The newest of each topic are no row that could be read on from their last. */
    if (page->more && !start->pick_count)
        write_next(ex, page, &headers);
    if (crier_buf_error(&headers) < 0 || crier_buf_error(&page->body) < 0)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
    else
        answer_counted(ex, &(struct crier_answer){.status = 200,
                                                  .type = CRIER_SLICE("application/json"),
                                                  .body = crier_buf_slice(&page->body),
                                                  .headers = crier_buf_slice(&headers)});
    crier_buf_deinit(&headers);
}

static void page_free(struct crier_ask *ask)
{
    struct page *page = CRIER_CONTAINER(ask, struct page, ask);
    const struct crier_mem *mem = page->subscription->mem;

    ask->ex->conn->worker->page_bytes -= page->held;
    crier_mem_free(mem, page->start.picks);
    crier_buf_deinit(&page->body);
    crier_subscription_free(page->subscription);
    crier_mem_free(mem, page);
}

static void refuse_busy(struct crier_exchange *ex)
{
    crier_exchange_refuse(
        ex, CRIER_PROBLEM_BUSY,
        CRIER_SLICE("Too much history waits for readers that do not take it. Try again later."),
        CRIER_SLICE(""), CRIER_SLICE("Retry-After: 5\r\n"));
}

static bool are_too_large(const struct crier_worker *worker)
{
    return worker->page_bytes > worker->server->config->max_pages_bytes;
}

/* It has to wait for more, and holds what it has so far. */
static void wait_for_more(struct crier_exchange *ex, struct page *page)
{
    ex->conn->worker->page_bytes += page->body.len - page->held;
    page->held = page->body.len;
    page->more = page->count && are_too_large(ex->conn->worker);
    if (!page->more)
        crier_ask_wait(&page->ask);
    else if (page->start.pick_count) /* it could not be read on from its last */
        refuse_busy(ex);
    else
        answer_page(ex, page);
}

static void go_on(struct crier_ask *ask)
{
    struct page *page = CRIER_CONTAINER(ask, struct page, ask);
    struct crier_exchange *ex = ask->ex;
    int r = read_page(ex, page);

    if (r == CRIER_WAIT)
        wait_for_more(ex, page);
    else if (r < 0)
        crier_exchange_refuse_read(ex, r);
    else
        answer_page(ex, page);
}

/* Of the exchange, which frees it. Takes the subscription. */
static struct page *page_new(struct crier_exchange *ex,
                             struct crier_subscription *subscription,
                             const struct crier_since *since)
{
    struct crier_worker *worker = ex->conn->worker;
    struct page *page = crier_mem_zalloc(worker->server->mem, sizeof(*page));

    if (!page) {
        crier_subscription_free(subscription);
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return NULL;
    }
    page->ask.go_on = go_on;
    page->ask.free = page_free;
    page->subscription = subscription;
    page->since = *since;
    page->limit = LIMIT_DEFAULT;
    page->max_bytes = worker->server->config->max_page_bytes;
    crier_buf_init(&page->body, worker->server->mem);
    crier_buf_byte(&page->body, '[');
    crier_ask_init(ex, &page->ask);
    return page;
}

void crier_history(struct crier_exchange *ex,
                   struct crier_subscription *subscription,
                   const struct crier_since *since)
{
    struct page *page;

    if (are_too_large(ex->conn->worker)) {
        crier_subscription_free(subscription);
        refuse_busy(ex);
        return;
    }
    page = page_new(ex, subscription, since);
    if (page && crier_exchange_number(ex, "limit", LIMIT_MOST, &page->limit) == 0)
        go_on(&page->ask);
}
