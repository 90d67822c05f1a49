/* SPDX-License-Identifier: MIT */
/*
 * History as one JSON array (Accept: application/json), oldest first, and the end. A page ends
 * at `limit` events, or after the event that reaches --max-page-size; `Link: rel="next"` leads
 * on while there is more. Pages that their readers have not taken yet may add up to
 * --max-pages-size for a worker; then history has to wait.
 */
#include "event/render.h"
#include "http/target.h"
#include "server/follow.h"
#include <string.h>

enum { LIMIT_DEFAULT = 1000, LIMIT_MOST = 10000 };

struct page {
    struct crier_buf body;
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

static int read_page(struct crier_exchange *ex,
                     const struct crier_filter *filter,
                     const struct crier_start *start,
                     struct page *page)
{
    struct crier_journal *journal = ex->outlet->journal;
    struct crier_scan scan = {.filter = filter,
                              .position = start->position,
                              .until = start->until,
                              .now_boot_ms = ex->outlet->now.boot_ms,
                              .picks = start->picks,
                              .pick_count = start->pick_count,
                              .losses = start->losses};
    struct crier_start gap;

    for (;;) {
        int r = crier_journal_scan(journal, &scan, add_record, page, &gap);

        if (r != CRIER_SCAN_GAP)
            return r < 0 ? r : crier_buf_error(&page->body);
        scan.position = gap.position; /* an event left history between the two calls */
        scan.losses = gap.losses;
        if (scan.position >= scan.until)
            return 0;
    }
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

static void answer_page(struct crier_exchange *ex,
                        struct page *page,
                        const struct crier_start *start,
                        bool resume)
{
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

void crier_history(struct crier_exchange *ex,
                   struct crier_subscription *subscription,
                   const struct crier_since *since)
{
    struct crier_worker *worker = ex->conn->worker;
    struct crier_start start;
    struct page page;
    bool resume = since->kind == CRIER_SINCE_ID || since->kind == CRIER_SINCE_UNKNOWN;

    memset(&start, 0, sizeof(start));
    memset(&page, 0, sizeof(page));
    if (worker->page_bytes > worker->server->config->max_pages_bytes) {
        crier_exchange_refuse(
            ex, CRIER_PROBLEM_BUSY,
            CRIER_SLICE(
                "Too much history waits for readers that do not take it. Try again later."),
            CRIER_SLICE(""), CRIER_SLICE("Retry-After: 5\r\n"));
        crier_subscription_free(subscription);
        return;
    }
    page.limit = LIMIT_DEFAULT;
    page.max_bytes = worker->server->config->max_page_bytes;
    if (crier_exchange_number(ex, "limit", LIMIT_MOST, &page.limit) < 0) {
        crier_subscription_free(subscription);
        return;
    }
    crier_buf_init(&page.body, worker->server->mem);
    crier_buf_byte(&page.body, '[');
    /* What this very connection published comes before what it asks now. */
    crier_publisher_flush(ex->outlet);
    if (crier_journal_locate(ex->outlet->journal, &subscription->filter, since, ex->outlet->now,
                             NULL, &start) < 0 ||
        read_page(ex, &subscription->filter, &start, &page) < 0) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
    } else {
        answer_page(ex, &page, &start, resume);
    }
    crier_mem_free(worker->server->mem, start.picks);
    crier_buf_deinit(&page.body);
    crier_subscription_free(subscription);
}
