/* SPDX-License-Identifier: MIT */
/*
 *   add ──▶ arena: topic, type, key, event │ topic, …     entries: where each lies, and whose
 *   flush ──▶ drafts that point into the arena ──▶ the journal, once ──▶ each is answered
 *
 * The arena moves while it grows, so entries hold offsets, and drafts are made at the flush.
 * Answering may publish again (the next request of a connection): not before this flush is over
 * (`flushing`).
 */
#include "server/publisher.h"
#include "server/publish.h"

void crier_publisher_init(struct crier_publisher *p, const struct crier_mem *mem)
{
    crier_buf_init(&p->arena, mem);
    p->count = 0;
}

void crier_publisher_deinit(struct crier_publisher *p)
{
    crier_buf_deinit(&p->arena);
}

static size_t arena_add(struct crier_publisher *p, struct crier_slice s)
{
    size_t at = p->arena.len;

    crier_buf_append(&p->arena, s);
    return at;
}

int crier_publisher_add(struct crier_outlet *outlet,
                        struct crier_exchange *ex,
                        const struct crier_publish *publish)
{
    struct crier_publisher *p = &outlet->publisher;
    const struct crier_event event = {.data = publish->data,
                                      .type = publish->type,
                                      .retry_ms = publish->retry_ms,
                                      .flags =
                                          CRIER_DATA | (publish->has_retry ? CRIER_RETRY : 0)};
    struct crier_publisher_entry *entry;
    size_t before;
    int r;

    /* The id is written when the event is appended: its line counts too. */
    if (crier_event_size(&event) + sizeof("id: \n") + CRIER_ID_TEXT >
        outlet->channel->hub->limits.max_event_bytes)
        return -EMSGSIZE;
    if (p->count == CRIER_PUBLISHER_ENTRIES || p->arena.len > CRIER_WORKER_TICK_BYTES)
        crier_publisher_flush(outlet);
    /* What a connection published to another hub was sent before: it is answered before. */
    if (outlet->worker->gathering != outlet)
        crier_publishers_flush(outlet->worker);
    outlet->worker->gathering = outlet;

    before = p->arena.len;
    entry = &p->entries[p->count];
    *entry = (struct crier_publisher_entry){.exchange = ex,
                                            .topic_at = arena_add(p, publish->topic),
                                            .topic_len = publish->topic.len,
                                            .type_at = arena_add(p, publish->type),
                                            .type_len = publish->type.len,
                                            .key_at = arena_add(p, publish->key),
                                            .key_len = publish->key.len,
                                            .ttl_ms = publish->ttl_ms};
    entry->sse_at = p->arena.len;
    r = crier_event_append(&p->arena, &event, &entry->id_at);
    if (r == 0)
        r = crier_buf_error(&p->arena);
    if (r < 0) {
        p->arena.len = before;
        p->arena.failed = false;
        return r;
    }
    entry->sse_len = p->arena.len - entry->sse_at;
    p->count++;
    ex->conn->waiting++;
    return 0;
}

void crier_publisher_flush(struct crier_outlet *outlet)
{
    struct crier_publisher *p = &outlet->publisher;
    struct crier_worker *worker = outlet->worker;
    const char *base = p->arena.data;
    size_t count = p->count;

    if (!count || worker->flushing)
        return;
    worker->flushing = true;
    for (size_t i = 0; i < count; i++) {
        const struct crier_publisher_entry *e = &p->entries[i];

        p->drafts[i] = (struct crier_draft){.topics = {{base + e->topic_at, e->topic_len}},
                                            .topic_count = 1,
                                            .batch = e->exchange,
                                            .type = {base + e->type_at, e->type_len},
                                            .sse = {base + e->sse_at, e->sse_len},
                                            .id_at = e->id_at,
                                            .ttl_ms = e->ttl_ms,
                                            .key = {base + e->key_at, e->key_len}};
    }
    crier_journal_append(outlet->journal, p->drafts, count, outlet->now);
    for (size_t i = 0; i < count; i++) {
        struct crier_exchange *ex = p->entries[i].exchange;
        struct crier_conn *conn = ex->conn;

        if (p->drafts[i].result == 0)
            crier_stat_add(&worker->stats.published, 1);
        else if (p->drafts[i].result == CRIER_APPEND_DUPLICATE)
            crier_stat_add(&worker->stats.duplicates, 1);
        conn->waiting--;
        crier_publish_done(ex, &p->drafts[i]); /* may free ex */
        /* The answers to what came over one connection in a row leave in one write. */
        if (i + 1 == count || p->entries[i + 1].exchange->conn != conn)
            crier_conn_flush(conn);
    }
    p->count = 0;
    crier_buf_clear(&p->arena);
    worker->flushing = false;
}

void crier_publishers_flush(struct crier_worker *worker)
{
    crier_list_for_each (node, &worker->outlets)
        crier_publisher_flush(CRIER_CONTAINER(node, struct crier_outlet, node));
}
