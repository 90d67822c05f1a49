/* SPDX-License-Identifier: MIT */
/*
 * /-/health, /-/topics, /-/stats: the hub about itself, as JSON. Topics are asked of the
 * journal, which may have to look at the disk: then the exchange waits.
 */
#include "server/status.h"
#include "hub/topic.h"
#include <string.h>

enum { TOPICS_DEFAULT = 100, TOPICS_MOST = 1000 };

static void answer_json(struct crier_exchange *ex, unsigned status, struct crier_buf *body)
{
    crier_buf_byte(body, '\n');
    if (crier_buf_error(body) < 0)
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
    else
        crier_exchange_answer(ex,
                              &(struct crier_answer){.status = status,
                                                     .type = CRIER_SLICE("application/json"),
                                                     .body = crier_buf_slice(body)});
}

/* What is in the journal can be read whatever its state is: whoever balances load is not to
 * take the hub away for that. */
static void write_health(struct crier_buf *body, enum crier_journal_state state)
{
    if (state == CRIER_JOURNAL_OK)
        crier_buf_append(body, CRIER_SLICE("{\"status\":\"ok\"}"));
    else
        crier_buf_printf(body, "{\"status\":\"degraded\",\"reason\":\"%s\"}",
                         state == CRIER_JOURNAL_FULL ? "journal-full" : "journal-failed");
}

void crier_status_health(struct crier_exchange *ex)
{
    bool draining =
        atomic_load_explicit(&ex->conn->worker->server->draining, memory_order_relaxed);
    struct crier_buf body;

    crier_buf_init(&body, ex->conn->worker->server->mem);
    if (draining)
        crier_buf_append(&body, CRIER_SLICE("{\"status\":\"draining\"}"));
    else
        write_health(&body,
                     ex->outlet ? crier_journal_state(ex->outlet->journal) : CRIER_JOURNAL_OK);
    answer_json(ex, draining ? 503 : 200, &body);
    crier_buf_deinit(&body);
}

/* ---- topics ----------------------------------------------------------------------------- */

static bool is_first(void *ctx, struct crier_slice topic)
{
    struct crier_slice *name = ctx;

    if (crier_slice_eq(*name, topic))
        name->data = NULL;
    return false;
}

/* Does somebody follow it by name? A pattern that would cover it names nothing. */
static bool is_followed(struct crier_channel *channel, struct crier_slice name)
{
    struct crier_slice look = name;

    /* In order, the name itself comes before all that begin with it. */
    crier_presence_topics(channel->presence, name, CRIER_SLICE(""), is_first, &look);
    return !look.data;
}

/* info NULL: it holds no events. */
static void write_topic(struct crier_channel *channel,
                        struct crier_buf *body,
                        struct crier_slice name,
                        const struct crier_topic_info *info)
{
    crier_buf_append(body, CRIER_SLICE("{\"topic\":"));
    crier_buf_json_string(body, name);
    crier_buf_printf(body, ",\"subscribers\":%llu,\"events\":%llu,\"bytes\":%llu",
                     (unsigned long long)crier_presence_count(channel->presence, name),
                     (unsigned long long)(info ? info->events : 0),
                     (unsigned long long)(info ? info->bytes : 0));
    crier_exchange_id_member(body, "first", info ? &info->first : NULL);
    crier_exchange_id_member(body, "last", info ? &info->last : NULL);
    crier_buf_byte(body, '}');
}

static void topic_free(struct crier_ask *ask)
{
    crier_mem_free(ask->ex->conn->worker->server->mem, ask);
}

static void ask_topic(struct crier_ask *ask)
{
    struct crier_exchange *ex = ask->ex;
    struct crier_channel *channel = ex->outlet->channel;
    struct crier_topic_info info;
    struct crier_buf body;
    int r = crier_journal_topic(ex->outlet->journal, ex->rest, &ask->wait, &info);

    if (r == CRIER_WAIT) {
        crier_ask_wait(ask);
        return;
    }
    if (r < 0 && r != -ENOENT) {
        crier_exchange_refuse_read(ex, r);
        return;
    }
    if (r < 0 && !is_followed(channel, ex->rest)) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_UNKNOWN_TOPIC, NULL);
        return;
    }
    crier_buf_init(&body, ex->conn->worker->server->mem);
    write_topic(channel, &body, ex->rest, r < 0 ? NULL : &info);
    answer_json(ex, 200, &body);
    crier_buf_deinit(&body);
}

void crier_status_topic(struct crier_exchange *ex)
{
    const char *fault = crier_topic_fault(ex->rest);
    struct crier_ask *ask;

    if (fault) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_BAD_TOPIC, fault);
        return;
    }
    ask = crier_mem_zalloc(ex->conn->worker->server->mem, sizeof(*ask));
    if (!ask) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    ask->go_on = ask_topic;
    ask->free = topic_free;
    crier_ask_init(ex, ask);
    ask_topic(ask);
}

/* Names, copied one after another, as they come in order from one source. */
struct names {
    struct crier_buf text;
    size_t ends[TOPICS_MOST + 1];
    struct crier_topic_info infos[TOPICS_MOST + 1]; /* of those that hold events */
    size_t count;
    uint64_t most;
};

static bool names_add(struct names *names, struct crier_slice name)
{
    if (names->count == names->most)
        return false;
    crier_buf_append(&names->text, name);
    names->ends[names->count++] = names->text.len;
    return !names->text.failed;
}

static bool names_add_info(void *ctx, const struct crier_topic_info *info)
{
    struct names *names = ctx;

    if (names->count < names->most)
        names->infos[names->count] = *info; /* but for its name */
    return names_add(names, info->name);
}

static bool names_add_topic(void *ctx, struct crier_slice topic)
{
    return names_add(ctx, topic);
}

static struct crier_slice names_get(const struct names *names, size_t i)
{
    size_t from = i ? names->ends[i - 1] : 0;

    return crier_slice_sub(crier_buf_slice(&names->text), from, names->ends[i] - from);
}

static int read_topics_wish(struct crier_exchange *ex,
                            struct crier_slice *prefix,
                            struct crier_slice *after,
                            uint64_t *limit)
{
    *limit = TOPICS_DEFAULT;
    if (crier_exchange_text(ex, "prefix", 0, prefix) < 0 ||
        crier_exchange_text(ex, "after", 0, after) < 0)
        return -EINVAL;
    return crier_exchange_number(ex, "limit", TOPICS_MOST, limit);
}

/* Merges the topics that hold events with those that are followed by name; both come in
 * order. */
static void write_topics(struct crier_channel *channel,
                         struct crier_buf *body,
                         const struct names *held,
                         const struct names *followed,
                         uint64_t limit)
{
    struct crier_slice last = {NULL, 0};
    size_t a = 0, b = 0, written = 0;

    crier_buf_append(body, CRIER_SLICE("{\"topics\":["));
    while ((a < held->count || b < followed->count) && written < limit) {
        const struct crier_topic_info *info = NULL;
        int order = a == held->count ? 1
                    : b == followed->count
                        ? -1
                        : crier_slice_cmp(names_get(held, a), names_get(followed, b));

        last = order <= 0 ? names_get(held, a) : names_get(followed, b);
        if (order <= 0)
            info = &held->infos[a];
        a += order <= 0;
        b += order >= 0;
        if (written++)
            crier_buf_append(body, CRIER_SLICE(",\n"));
        write_topic(channel, body, last, info);
    }
    crier_buf_append(body, CRIER_SLICE("],\"next\":"));
    if (a < held->count || b < followed->count)
        crier_buf_json_string(body, last);
    else
        crier_buf_append(body, CRIER_SLICE("null"));
    crier_buf_byte(body, '}');
}

/* What was asked for, and what was found. */
struct listing {
    struct crier_ask ask;
    struct crier_slice prefix, after; /* in the exchange's text */
    uint64_t limit;
    struct names held, followed;
};

static void listing_free(struct crier_ask *ask)
{
    struct listing *listing = CRIER_CONTAINER(ask, struct listing, ask);
    const struct crier_mem *mem = ask->ex->conn->worker->server->mem;

    crier_buf_deinit(&listing->held.text);
    crier_buf_deinit(&listing->followed.text);
    crier_mem_free(mem, listing);
}

static void answer_topics(struct crier_exchange *ex, const struct listing *listing)
{
    struct crier_buf body;

    crier_buf_init(&body, ex->conn->worker->server->mem);
    if (listing->held.text.failed || listing->followed.text.failed)
        body.failed = true;
    else
        write_topics(ex->outlet->channel, &body, &listing->held, &listing->followed,
                     listing->limit);
    answer_json(ex, 200, &body);
    crier_buf_deinit(&body);
}

static void ask_topics(struct crier_ask *ask)
{
    struct listing *listing = CRIER_CONTAINER(ask, struct listing, ask);
    struct crier_exchange *ex = ask->ex;
    int r = crier_journal_topics(ex->outlet->journal, listing->prefix, listing->after,
                                 (size_t)listing->limit + 1, &ask->wait, names_add_info,
                                 &listing->held);

    if (r == CRIER_WAIT) {
        crier_ask_wait(ask);
        return;
    }
    if (r < 0) {
        crier_exchange_refuse_read(ex, r);
        return;
    }
    crier_presence_topics(ex->outlet->channel->presence, listing->prefix, listing->after,
                          names_add_topic, &listing->followed);
    answer_topics(ex, listing);
}

void crier_status_topics(struct crier_exchange *ex)
{
    const struct crier_mem *mem = ex->conn->worker->server->mem;
    struct crier_slice prefix, after;
    struct listing *listing;
    uint64_t limit;

    if (read_topics_wish(ex, &prefix, &after, &limit) < 0)
        return;
    listing = crier_mem_zalloc(mem, sizeof(*listing));
    if (!listing) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_INTERNAL, NULL);
        return;
    }
    listing->ask.go_on = ask_topics;
    listing->ask.free = listing_free;
    listing->prefix = prefix;
    listing->after = after;
    listing->limit = limit;
    listing->held.most = listing->followed.most = limit + 1;
    crier_buf_init(&listing->held.text, mem);
    crier_buf_init(&listing->followed.text, mem);
    crier_ask_init(ex, &listing->ask);
    ask_topics(&listing->ask);
}

/* ---- stats ------------------------------------------------------------------------------ */

static void write_number(struct crier_buf *body, const char *name, uint64_t value)
{
    char before = body->len ? body->data[body->len - 1] : '{';

    crier_buf_printf(body, "%s\"%s\":%llu", before == '{' ? "" : ",", name,
                     (unsigned long long)value);
}

/* Adds up one counter, by its place in struct crier_worker_stats. */
static uint64_t sum(const struct crier_server *server, size_t offset)
{
    uint64_t total = 0;

    for (size_t i = 0; i < server->worker_count; i++) {
        const char *stats = (const char *)&server->workers[i].stats;

        total += atomic_load_explicit((_Atomic uint64_t *)(void *)(uintptr_t)(stats + offset),
                                      memory_order_relaxed);
    }
    return total;
}

/* The largest of one counter. */
static uint64_t most(const struct crier_server *server, size_t offset)
{
    uint64_t found = 0;

    for (size_t i = 0; i < server->worker_count; i++) {
        const char *stats = (const char *)&server->workers[i].stats;
        uint64_t n = atomic_load_explicit(
            (_Atomic uint64_t *)(void *)(uintptr_t)(stats + offset), memory_order_relaxed);

        found = n > found ? n : found;
    }
    return found;
}

static void write_workers(struct crier_buf *body, struct crier_server *server)
{
#define STAT(name)                                                                             \
    write_number(body, #name, sum(server, offsetof(struct crier_worker_stats, name)));
    CRIER_GAUGES(STAT)
    CRIER_COUNTERS(STAT)
#undef STAT
    crier_buf_append(body, CRIER_SLICE(",\"refused\":{"));
    for (unsigned i = 1; i < CRIER_PROBLEM_COUNT; i++) {
        uint64_t n = sum(server, offsetof(struct crier_worker_stats, refused) +
                                     i * sizeof(_Atomic uint64_t));

        if (n) {
            struct crier_slice slug = crier_problem_slug((enum crier_problem)i);

            crier_buf_printf(body, "%s\"%.*s\":%llu",
                             body->data && body->data[body->len - 1] == '{' ? "" : ",",
                             CRIER_SLICE_ARG(slug), (unsigned long long)n);
        }
    }
    crier_buf_byte(body, '}');
}

static void write_disk(struct crier_buf *body,
                       const struct crier_disk_stats *d,
                       enum crier_journal_state state)
{
    crier_buf_printf(body, ",\"disk\":{\"state\":\"%s\"",
                     state == CRIER_JOURNAL_FULL     ? "full"
                     : state == CRIER_JOURNAL_FAILED ? "failed"
                                                     : "ok");
    write_number(body, "file_bytes", d->file_bytes);
    write_number(body, "free_bytes", d->free_bytes);
    write_number(body, "window_events", d->window_events);
    write_number(body, "window_bytes", d->window_bytes);
    write_number(body, "commits", d->commits);
    write_number(body, "committed", d->committed);
    write_number(body, "largest_commit", d->largest_commit);
    write_number(body, "commit_us", d->commit_us);
    write_number(body, "slowest_commit_us", d->slowest_commit_us);
    write_number(body, "last_commit_us", d->last_commit_us);
    write_number(body, "refused_full", d->refused_full);
    write_number(body, "refused_failed", d->refused_failed);
    write_number(body, "outcome_unknown", d->unknown);
    write_number(body, "pending_bytes", d->pending_bytes);
    write_number(body, "reads", d->reads);
    write_number(body, "shared_reads", d->shared_reads);
    write_number(body, "read_waits", d->read_waits);
    write_number(body, "replay_bytes", d->replay_bytes);
    crier_buf_byte(body, '}');
}

static void write_history(struct crier_buf *body, struct crier_channel *channel)
{
    struct crier_journal_stats s;

    memset(&s, 0, sizeof(s));
    crier_journal_get_stats(channel->hub->journal, &s);
    crier_buf_append(body, CRIER_SLICE(",\"history\":{"));
    write_number(body, "events", s.events);
    write_number(body, "bytes", s.bytes);
    write_number(body, "topics", s.topics);
    write_number(body, "kept_events", s.kept_events);
    write_number(body, "kept_bytes", s.kept_bytes);
    write_number(body, "held_bytes", s.held_bytes);
    write_number(body, "appended", s.appended);
    write_number(body, "duplicates", s.duplicates);
    write_number(body, "evicted", s.evicted);
    write_number(body, "expired", s.expired);
    write_number(body, "forgotten", s.forgotten);
    write_number(body, "full", s.full);
    write_number(body, "lapped", s.lapped);
    write_number(body, "kept_dropped", s.kept_dropped);
    write_number(body, "keys", s.keys);
    write_number(body, "keys_dropped", s.keys_dropped);
    write_number(body, "keys_expired", s.keys_expired);
    write_number(body, "floors", s.floors);
    write_number(body, "floors_dropped", s.floors_dropped);
    crier_exchange_id_member(body, "first", s.events ? &s.first : NULL);
    crier_exchange_id_member(body, "last", s.events ? &s.last : NULL);
    if (s.disk.durable)
        write_disk(body, &s.disk, crier_journal_state(channel->hub->journal));
    crier_buf_byte(body, '}');
}

static void write_size_limits(struct crier_buf *body,
                              const struct crier_config *c,
                              const struct crier_journal_limits *j)
{
    write_number(body, "connections", c->max_connections);
    write_number(body, "connections_per_address", c->max_per_address);
    write_number(body, "target_bytes", c->http.target_bytes);
    write_number(body, "head_bytes", c->http.head_bytes);
    write_number(body, "headers", c->http.headers);
    write_number(body, "chunk_extension_bytes", c->http.chunk_extension_bytes);
    write_number(body, "trailer_bytes", c->http.trailer_bytes);
    write_number(body, "event_bytes", j->max_event_bytes);
    write_number(body, "history_events", j->max_events);
    write_number(body, "history_bytes", j->max_bytes);
    write_number(body, "keep_bytes", j->kept_bytes);
    write_number(body, "unread_bytes", j->unread_bytes);
    write_number(body, "keys", j->max_keys);
    write_number(body, "floors", j->max_floors);
    write_number(body, "memory_bytes", j->window_bytes);
    write_number(body, "replay_bytes", j->replay_bytes);
    write_number(body, "pending_bytes", j->pending_bytes);
    write_number(body, "window_bytes", c->fanout.window_bytes);
    write_number(body, "windows_bytes", c->fanout.windows_bytes);
    write_number(body, "pin_bytes", c->fanout.pin_bytes);
    write_number(body, "page_bytes", c->max_page_bytes);
    write_number(body, "pages_bytes", c->max_pages_bytes);
    write_number(body, "unsent_bytes", c->socket.notsent_lowat);
}

static void write_time_limits(struct crier_buf *body,
                              const struct crier_config *c,
                              const struct crier_journal_limits *j)
{
    write_number(body, "history_age_ms", j->max_age_ms);
    write_number(body, "key_age_ms", j->key_age_ms);
    write_number(body, "lap_time_ms", j->lap_ms);
    write_number(body, "head_timeout_ms", c->head_timeout_ms);
    write_number(body, "body_timeout_ms", c->body_timeout_ms);
    write_number(body, "publish_pause_ms", c->stream_body_timeout_ms);
    write_number(body, "idle_timeout_ms", c->idle_timeout_ms);
    write_number(body, "stall_timeout_ms", c->stall_timeout_ms);
    write_number(body, "peer_timeout_ms", c->socket.user_timeout_ms);
    write_number(body, "keepalive_ms", (uint64_t)c->socket.keepalive_s * 1000);
    write_number(body, "heartbeat_ms", c->heartbeat_ms);
    write_number(body, "linger_ms", c->linger_ms);
    write_number(body, "drain_ms", c->drain_ms);
}

/* Every limit with its value, beside the counters that say when it was reached. */
static void write_limits(struct crier_buf *body,
                         const struct crier_config *c,
                         const struct crier_journal_limits *j)
{
    crier_buf_append(body, CRIER_SLICE(",\"limits\":{"));
    write_size_limits(body, c, j);
    write_time_limits(body, c, j);
    crier_buf_byte(body, '}');
}

void crier_status_stats(struct crier_exchange *ex)
{
    struct crier_worker *worker = ex->conn->worker;
    struct crier_server *server = worker->server;
    struct crier_buf body;

    crier_buf_init(&body, server->mem);
    crier_buf_byte(&body, '{');
    write_number(&body, "uptime_ms", worker->now.boot_ms - server->started_ms);
    write_number(&body, "workers", server->worker_count);
    write_workers(&body, server);
    write_number(&body, "lag_events", most(server, offsetof(struct crier_worker_stats, lag)));
    write_history(&body, ex->outlet->channel);
    write_limits(&body, server->config, &crier_exchange_hub(ex)->limits);
    crier_buf_byte(&body, '}');
    answer_json(ex, 200, &body);
    crier_buf_deinit(&body);
}
