/* SPDX-License-Identifier: MIT */
/*
 *   add ──▶ arena: topic, type, key, event │ topic, …     entries: where each lies, and whose
 *   flush ──▶ drafts that point into the arena ──▶ the journal, once ──▶ each is answered
 *
 * The arena moves while it grows, so entries hold offsets, and drafts are made at the flush.
 * Answering may publish again (the next request of a connection): not before this flush is over
 * (`flushing`).
 *
 * A journal in memory is done when submit returns, and the same load is filled again. One on
 * disk keeps the load for a while: it flies, the next publishes fill another one, and loads are
 * answered in the order in which they were handed in. An exchange stays until its entry is
 * back, also when its connection is gone by then (crier_conn_free): a draft's `batch`, which is
 * its address, means one exchange only.
 *
 * Once a batch has failed nothing more of it is handed in; of what flies, the journal cancels
 * what was to come later.
 */
#include "server/publisher.h"
#include "base/mem.h"
#include "server/publish.h"

enum {
    ROOM_FIRST = 16,
    SPARES = 8,                /* kept for the next flights */
    SPARE_BYTES = 1024 * 1024, /* of one with a larger arena the arena is given back */
};

static const struct crier_mem *outlet_mem(const struct crier_outlet *outlet)
{
    return outlet->worker->server->mem;
}

/* ---- loads ------------------------------------------------------------------------------ */

static void load_free(const struct crier_mem *mem, struct crier_load *load)
{
    if (!load)
        return;
    crier_buf_deinit(&load->arena);
    crier_mem_free(mem, load->entries);
    crier_mem_free(mem, load->drafts);
    crier_mem_free(mem, load);
}

static void load_back(struct crier_news *news);

/* Any thread. */
static void load_done(struct crier_parcel *parcel)
{
    struct crier_load *load = CRIER_CONTAINER(parcel, struct crier_load, parcel);

    crier_bell_ring(&load->outlet->worker->bell, &load->news);
}

static struct crier_load *load_new(struct crier_outlet *outlet)
{
    struct crier_load *load = crier_mem_zalloc(outlet_mem(outlet), sizeof(*load));

    if (!load)
        return NULL;
    load->outlet = outlet;
    crier_list_init(&load->node);
    crier_news_init(&load->news, load_back);
    crier_buf_init(&load->arena, outlet_mem(outlet));
    return load;
}

static int load_grow(struct crier_load *load)
{
    const struct crier_mem *mem = outlet_mem(load->outlet);
    size_t room = load->room ? load->room * 2 : ROOM_FIRST;
    void *entries, *drafts;

    if (load->count < load->room)
        return 0;
    entries = crier_mem_resize(mem, load->entries, room * sizeof(*load->entries));
    if (!entries)
        return -ENOMEM;
    load->entries = entries;
    drafts = crier_mem_resize(mem, load->drafts, room * sizeof(*load->drafts));
    if (!drafts)
        return -ENOMEM;
    load->drafts = drafts;
    load->room = room;
    return 0;
}

static void load_empty(struct crier_load *load)
{
    load->count = 0;
    load->done = false;
    crier_buf_clear(&load->arena);
}

/* It has flown, and is answered. */
static void load_retire(struct crier_publisher *p, struct crier_load *load)
{
    load_empty(load);
    if (load->arena.cap > SPARE_BYTES)
        crier_buf_deinit(&load->arena);
    if (p->spares == SPARES) {
        load_free(outlet_mem(load->outlet), load);
        return;
    }
    p->spares++;
    crier_list_push_back(&p->spare, &load->node);
}

/* The load that is being filled, with room for one entry more. NULL: out of memory. */
static struct crier_load *load_for(struct crier_outlet *outlet)
{
    struct crier_publisher *p = &outlet->publisher;

    if (p->gathering && (p->gathering->count == CRIER_LOAD_ENTRIES ||
                         p->gathering->arena.len > CRIER_WORKER_TICK_BYTES))
        crier_publisher_flush(outlet);
    if (!p->gathering && !crier_list_empty(&p->spare)) {
        p->gathering = CRIER_CONTAINER(p->spare.next, struct crier_load, node);
        crier_list_remove(&p->gathering->node);
        p->spares--;
    }
    if (!p->gathering)
        p->gathering = load_new(outlet);
    return p->gathering && load_grow(p->gathering) == 0 ? p->gathering : NULL;
}

void crier_publisher_init(struct crier_publisher *p)
{
    *p = (struct crier_publisher){.gathering = NULL};
    crier_list_init(&p->flying);
    crier_list_init(&p->spare);
}

void crier_publisher_deinit(struct crier_outlet *outlet)
{
    struct crier_publisher *p = &outlet->publisher;

    load_free(outlet_mem(outlet), p->gathering);
    crier_list_for_each_safe (node, &p->spare)
        load_free(outlet_mem(outlet), CRIER_CONTAINER(node, struct crier_load, node));
    crier_publisher_init(p);
}

/* ---- gathering -------------------------------------------------------------------------- */

static size_t arena_add(struct crier_load *load, struct crier_slice s)
{
    size_t at = load->arena.len;

    crier_buf_append(&load->arena, s);
    return at;
}

/* The entry is whole, or the arena is as it was. */
static int load_add(struct crier_load *load, size_t before, struct crier_exchange *ex, int r)
{
    struct crier_conn *conn = ex->conn;

    if (r == 0)
        r = crier_buf_error(&load->arena);
    if (r < 0) {
        load->arena.len = before;
        load->arena.failed = false;
        return r;
    }
    load->count++;
    if (!conn->waiting)
        conn->publishes_to = load->outlet->index;
    conn->waiting++;
    conn->worker->waiting++;
    return 0;
}

int crier_publisher_add(struct crier_outlet *outlet,
                        struct crier_exchange *ex,
                        const struct crier_publish *publish)
{
    const struct crier_event event = {.data = publish->data,
                                      .type = publish->type,
                                      .retry_ms = publish->retry_ms,
                                      .flags =
                                          CRIER_DATA | (publish->has_retry ? CRIER_RETRY : 0)};
    struct crier_load_entry *entry;
    struct crier_load *load;
    size_t before;
    int r;

    /* The id is written when the event is appended: its line counts too. */
    if (crier_event_size(&event) + sizeof("id: \n") + CRIER_ID_TEXT >
        outlet->channel->hub->limits.max_event_bytes)
        return -EMSGSIZE;
    load = load_for(outlet);
    if (!load)
        return -ENOMEM;

    before = load->arena.len;
    entry = &load->entries[load->count];
    *entry = (struct crier_load_entry){.exchange = ex,
                                       .topic_at = arena_add(load, publish->topic),
                                       .topic_len = publish->topic.len,
                                       .type_at = arena_add(load, publish->type),
                                       .type_len = publish->type.len,
                                       .key_at = arena_add(load, publish->key),
                                       .key_len = publish->key.len,
                                       .ttl_ms = publish->ttl_ms};
    entry->sse_at = load->arena.len;
    r = crier_event_append(&load->arena, &event, &entry->id_at);
    entry->sse_len = load->arena.len - entry->sse_at;
    return load_add(load, before, ex, r);
}

int crier_publisher_forget(struct crier_outlet *outlet,
                           struct crier_exchange *ex,
                           struct crier_slice topic)
{
    struct crier_load *load = load_for(outlet);
    size_t before;

    if (!load)
        return -ENOMEM;
    before = load->arena.len;
    load->entries[load->count] = (struct crier_load_entry){.exchange = ex,
                                                           .topic_at = arena_add(load, topic),
                                                           .topic_len = topic.len,
                                                           .forget = true};
    return load_add(load, before, ex, 0);
}

/* ---- answering -------------------------------------------------------------------------- */

static void count_result(struct crier_worker *worker, const struct crier_draft *draft)
{
    if (draft->forget)
        return;
    if (draft->result == 0)
        crier_stat_add(&worker->stats.published, 1);
    else if (draft->result == CRIER_APPEND_DUPLICATE)
        crier_stat_add(&worker->stats.duplicates, 1);
}

/* One less is on its way. */
static void landed(struct crier_conn *conn)
{
    conn->waiting--;
    conn->worker->waiting--;
}

/* flown: nobody stands by who would go on with the connections. */
static void answer(struct crier_load *load, bool flown)
{
    struct crier_worker *worker = load->outlet->worker;

    worker->flushing = true;
    for (size_t i = 0; i < load->count; i++) {
        struct crier_exchange *ex = load->entries[i].exchange;
        struct crier_conn *conn = ex->conn;

        count_result(worker, &load->drafts[i]);
        landed(conn);
        crier_publish_done(ex, &load->drafts[i]); /* may free ex */
        /* The answers to what came over one connection in a row leave in one write. */
        if (i + 1 < load->count && load->entries[i + 1].exchange->conn == conn)
            continue;
        if (flown)
            crier_conn_landed(conn); /* may free conn */
        else
            crier_conn_flush(conn);
    }
    worker->flushing = false;
}

/* In the order they were handed in, whatever comes back first. */
static void answer_flown(struct crier_publisher *p)
{
    while (!crier_list_empty(&p->flying)) {
        struct crier_load *load = CRIER_CONTAINER(p->flying.next, struct crier_load, node);

        if (!load->done)
            return;
        crier_list_remove(&load->node);
        answer(load, true);
        load_retire(p, load);
    }
}

static void load_back(struct crier_news *news)
{
    struct crier_load *load = CRIER_CONTAINER(news, struct crier_load, news);

    load->done = true;
    answer_flown(&load->outlet->publisher);
}

/* ---- flushing --------------------------------------------------------------------------- */

/* Makes the drafts; without those of batches that have failed meanwhile. */
static void make_drafts(struct crier_load *load)
{
    const char *base = load->arena.data;
    size_t count = 0;

    for (size_t i = 0; i < load->count; i++) {
        const struct crier_load_entry *e = &load->entries[i];

        if (crier_publish_failed(e->exchange)) {
            landed(e->exchange->conn);
            crier_conn_landed(e->exchange->conn);
            continue;
        }
        load->entries[count] = *e;
        e = &load->entries[count];
        load->drafts[count++] =
            (struct crier_draft){.topics = {{base + e->topic_at, e->topic_len}},
                                 .topic_count = 1,
                                 .batch = e->exchange,
                                 .failed = crier_publish_flag(e->exchange),
                                 .forget = e->forget,
                                 .type = {base + e->type_at, e->type_len},
                                 .sse = {base + e->sse_at, e->sse_len},
                                 .id_at = e->id_at,
                                 .ttl_ms = e->ttl_ms,
                                 .key = {base + e->key_at, e->key_len}};
    }
    load->count = count;
}

void crier_publisher_flush(struct crier_outlet *outlet)
{
    struct crier_publisher *p = &outlet->publisher;
    struct crier_load *load = p->gathering;
    bool done;

    if (!load || !load->count || outlet->worker->flushing)
        return;
    make_drafts(load);
    if (!load->count) {
        load_empty(load);
        return;
    }
    load->parcel =
        (struct crier_parcel){.drafts = load->drafts, .count = load->count, .done = load_done};
    p->gathering = NULL;
    crier_list_push_back(&p->flying, &load->node);
    done = crier_journal_submit(outlet->journal, &load->parcel, outlet->now);
    if (!done)
        return;
    /* At once. Not before those that were handed in before it. */
    load->done = true;
    if (p->flying.next != &load->node) {
        answer_flown(p);
        return;
    }
    crier_list_remove(&load->node);
    answer(load, false);
    load_empty(load);
    p->gathering = load;
}

void crier_publishers_flush(struct crier_worker *worker)
{
    crier_list_for_each (node, &worker->outlets)
        crier_publisher_flush(CRIER_CONTAINER(node, struct crier_outlet, node));
}

void crier_publisher_await(struct crier_outlet *outlet)
{
    struct crier_worker *worker = outlet->worker;

    crier_publisher_flush(outlet);
    while (!crier_list_empty(&outlet->publisher.flying)) {
        crier_bell_await(&worker->bell);
        crier_bell_answer(&worker->bell);
    }
}
