/* SPDX-License-Identifier: MIT */
/*
 * How long a server waits for whom, how many it takes in, and what it says about all that: log
 * lines and counters.
 */
#include "request_support.h"

#define S(literal) CRIER_SLICE(literal)

static void say(struct crier_request *request, void *ctx)
{
    crier_reply(request, 200, "text/plain", S("hello"));
}

static struct crier_server_stats stats_of(struct test_server *t)
{
    struct crier_server_stats stats;

    assert_int_equal(crier_server_stats(t->server, &stats), 0);
    return stats;
}

/* ---- time ------------------------------------------------------------------------------- */

/* The head within head_timeout_ms of its first byte, or of the connection. */
static void heads(void **state)
{
    struct crier_test_peer *silent, *slow;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.head_timeout_ms = 2000});
    test_route(&t, "*", "/", say, NULL);
    silent = test_peer(&t);
    slow = test_peer(&t);
    test_send(slow, "GET / HT");
    test_advance(&t, 1900);
    test_send(slow, "TP/1.1\r\nHost: local"); /* progress does not help */
    assert_false(crier_test_ended(silent));
    assert_false(crier_test_ended(slow));
    test_advance(&t, 200);
    assert_int_equal(test_status(silent), 408);
    assert_int_equal(test_status(slow), 408);
    assert_true(crier_test_ended(silent));
    assert_true(crier_test_ended(slow));
    crier_test_peer_free(silent);
    crier_test_peer_free(slow);
    test_server_deinit(&t);
}

/* A body may take its time as long as some of it comes. */
static void bodies(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.body_timeout_ms = 3000});
    test_route(&t, "*", "/", say, NULL);
    peer = test_asked(&t, "POST /", "Content-Length: 20\r\n");
    for (int i = 0; i < 10; i++) {
        test_advance(&t, 2900);
        test_send(peer, "x");
    }
    assert_int_equal(crier_test_received(peer).len, 0);
    test_advance(&t, 2900);
    assert_false(crier_test_ended(peer));
    test_advance(&t, 200);
    assert_int_equal(test_status(peer), 408);
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

static void idling(void **state)
{
    struct crier_test_peer *peer;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.idle_timeout_ms = 20000});
    test_route(&t, "*", "/", say, NULL);
    peer = test_asked(&t, "GET /", "");
    test_advance(&t, 19000);
    test_ask(peer, "GET /", "");
    assert_int_equal(test_status(peer), 200);
    crier_test_forget(peer);
    test_advance(&t, 19900);
    assert_false(crier_test_ended(peer));
    test_advance(&t, 200);
    assert_true(crier_test_ended(peer));
    assert_int_equal(crier_test_received(peer).len, 0); /* without a word */
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* Times beyond all clocks: never. */
static void for_ever(void **state)
{
    struct crier_test_peer *peer, *idle, *stream;
    struct test_calls calls = {0};
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.head_timeout_ms = INT64_MAX,
                                                       .body_timeout_ms = INT64_MAX,
                                                       .idle_timeout_ms = INT64_MAX,
                                                       .stall_timeout_ms = INT64_MAX,
                                                       .max_age_ms = INT64_MAX,
                                                       .heartbeat_ms = INT64_MAX});
    test_route(&t, "*", "/", say, NULL);
    test_route(&t, "GET", "/stream", test_open, &calls);
    peer = test_asked(&t, "POST /", "Content-Length: 20\r\n");
    idle = test_asked(&t, "GET /", "");
    stream = test_get(&t, "/stream");
    crier_test_forget(stream);
    test_advance(&t, 86400000);
    assert_false(crier_test_ended(peer));
    assert_false(crier_test_ended(idle));
    assert_false(crier_test_ended(stream));
    assert_int_equal(crier_test_received(stream).len, 0);
    crier_test_peer_free(peer);
    crier_test_peer_free(idle);
    crier_test_peer_free(stream);
    test_server_deinit(&t);
}

/* ---- how many --------------------------------------------------------------------------- */

struct lines {
    int count[4];
    char last[400], all[4000];
};

static void on_log(void *ctx, enum crier_log_level level, struct crier_slice line)
{
    struct lines *lines = ctx;

    assert_in_range(level, CRIER_LOG_ERROR, CRIER_LOG_DEBUG);
    assert_true(line.len > 0 && line.data[line.len - 1] != '\n');
    assert_null(memchr(line.data, '\n', line.len));
    lines->count[level]++;
    snprintf(lines->last, sizeof(lines->last), "%.*s", CRIER_SLICE_ARG(line));
    if (strlen(lines->all) + line.len + 2 < sizeof(lines->all)) {
        strncat(lines->all, line.data, line.len);
        strncat(lines->all, "\n", 2);
    }
}

static bool logged(const struct lines *lines, const char *text)
{
    return strstr(lines->all, text) != NULL;
}

static void connections(void **state)
{
    struct crier_test_peer *peers[3], *other;
    struct lines lines = {0};
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.max_connections = 3,
                                                       .on_log = on_log,
                                                       .log_ctx = &lines,
                                                       .log_level = CRIER_LOG_WARNING});
    test_route(&t, "GET", "/", say, NULL);
    for (int i = 0; i < 3; i++) {
        peers[i] = test_asked(&t, "GET /", "");
        assert_int_equal(test_status(peers[i]), 200);
    }
    other = test_asked(&t, "GET /", "");
    assert_int_equal(test_status(other), 503);
    assert_received(other, "\"code\":\"busy\"");
    assert_received(other, "Retry-After: ");
    assert_true(crier_test_ended(other));
    crier_test_peer_free(other);
    other = test_get(&t, "/"); /* who asks for a stream is told to come back */
    assert_int_equal(test_status(other), 200);
    assert_received(other, "\r\n\r\nretry: ");
    assert_true(crier_test_ended(other));
    crier_test_peer_free(other);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_true(logged(&lines, "limit-reached"));
    assert_true(logged(&lines, ".max_connections"));
    assert_false(logged(&lines, "--"));
    assert_int_equal(lines.count[CRIER_LOG_INFO] + lines.count[CRIER_LOG_DEBUG], 0);
    /* One leaves, one may come. */
    crier_test_peer_free(peers[0]);
    assert_int_equal(crier_test_settle(t.server), 0);
    peers[0] = test_asked(&t, "GET /", "");
    assert_int_equal(test_status(peers[0]), 200);
    for (int i = 0; i < 3; i++)
        crier_test_peer_free(peers[i]);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_int_equal(stats_of(&t).connections, 0);
    assert_int_equal(stats_of(&t).refused, 2);
    test_server_deinit(&t);
}

static void connections_of_one_address(void **state)
{
    struct crier_test_peer *peer, *other;
    struct lines lines = {0};
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){
                             .max_per_address = 1, .on_log = on_log, .log_ctx = &lines});
    test_route(&t, "GET", "/", say, NULL);
    peer = test_asked(&t, "GET /", "");
    other = test_asked(&t, "GET /", "");
    assert_int_equal(test_status(other), 429);
    assert_received(other, "\"code\":\"too-many-connections\"");
    assert_int_equal(lines.count[CRIER_LOG_WARNING], 0); /* errors only, unless asked */
    crier_test_peer_free(other);
    crier_test_peer_free(peer);
    assert_int_equal(crier_test_settle(t.server), 0);
    peer = test_asked(&t, "GET /", "");
    assert_int_equal(test_status(peer), 200);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

/* ---- what is said ------------------------------------------------------------------------ */

static void log_lines(void **state)
{
    struct crier_test_peer *peer;
    struct lines lines = {0};
    struct crier_server *server;
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.on_log = on_log,
                                                       .log_ctx = &lines,
                                                       .log_level = CRIER_LOG_DEBUG});
    test_route(&t, "GET", "/", say, NULL);
    peer = test_asked(&t, "GET /none", "");
    assert_true(logged(&lines, "connected"));
    assert_true(logged(&lines, "refused reason=not-found") || logged(&lines, "not-found"));
    crier_test_peer_free(peer);
    assert_int_equal(crier_test_settle(t.server), 0);
    assert_true(logged(&lines, "disconnected"));
    assert_true(lines.count[CRIER_LOG_DEBUG] >= 2);
    assert_true(lines.count[CRIER_LOG_INFO] >= 1);
    assert_int_equal(crier_server_stop(t.server), 0);
    assert_int_equal(crier_test_settle(t.server), CRIER_STOPPED);
    assert_true(logged(&lines, "draining"));
    assert_true(logged(&lines, "ended"));
    test_server_deinit(&t);

    /* What is wrong with the options and the routes is said there as well. */
    lines = (struct lines){0};
    server = crier_server_new(.on_log = on_log, .log_ctx = &lines, .port = -1);
    assert_int_equal(lines.count[CRIER_LOG_ERROR], 1);
    assert_non_null(strstr(lines.last, ".port"));
    crier_server_free(server);
    lines = (struct lines){0};
    server = crier_server_new(.on_log = on_log, .log_ctx = &lines);
    assert_int_equal(crier_server_route(server, "GET", "nowhere", say, NULL), CRIER_EINVAL);
    assert_int_equal(lines.count[CRIER_LOG_ERROR], 1);
    assert_non_null(strstr(lines.last, "nowhere"));
    crier_server_free(server);
}

static void counters(void **state)
{
    struct crier_server_stats stats, part;
    struct crier_test_peer *peer, *stream;
    struct test_calls calls = {0};
    struct test_server t;

    test_server_init(&t, (struct crier_server_options){.queue_bytes = 100});
    test_route(&t, "GET", "/", say, NULL);
    test_route(&t, "GET", "/stream", test_open, &calls);
    assert_int_equal(stats_of(&t).accepted, 0); /* before it runs */
    peer = test_asked(&t, "GET /", "");
    test_ask(peer, "GET /", "");
    test_ask(peer, "GET /none", "");
    stream = test_get(&t, "/stream");
    assert_int_equal(crier_stream_sendf(calls.stream, NULL, "%s", "0123456789"), 0);
    while (crier_stream_sendf(calls.stream, NULL, "%s", "0123456789") == 0) {
    }
    stats = stats_of(&t);
    assert_int_equal(stats.connections, 2);
    assert_int_equal(stats.streams, 1);
    assert_int_equal(stats.accepted, 2);
    assert_int_equal(stats.requests, 4);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.streams_opened, 1);
    assert_int_equal(stats.streams_closed, 0);
    assert_true(stats.sent_events >= 2);
    assert_int_equal(stats.sent_bytes, stats.sent_events * strlen("data: 0123456789\n\n"));
    assert_int_equal(stats.full, 1);
    assert_int_equal(stats.stalled, 0);
    crier_test_close(stream);
    crier_test_close(peer);
    stats = stats_of(&t);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.streams, 0);
    assert_int_equal(stats.streams_closed, 1);

    /* Of an older release: no more than it has room for. A newer one's further counters are 0. */
    memset(&part, 0xee, sizeof(part));
    assert_int_equal(
        crier_server_stats_with(t.server, offsetof(struct crier_server_stats, accepted), &part),
        0);
    assert_int_equal(part.streams, 0);
    assert_int_equal(part.accepted, UINT64_C(0xeeeeeeeeeeeeeeee));
    struct {
        struct crier_server_stats known;
        uint64_t further;
    } newer = {.further = 7};
    assert_int_equal(crier_server_stats_with(t.server, sizeof(newer), &newer.known), 0);
    assert_int_equal(newer.known.accepted, 2);
    assert_int_equal(newer.further, 0);

    /* They are still there when it has ended. */
    assert_int_equal(crier_server_stop(t.server), 0);
    assert_int_equal(crier_test_settle(t.server), CRIER_STOPPED);
    assert_int_equal(stats_of(&t).accepted, 2);
    assert_int_equal(stats_of(&t).connections, 0);
    crier_test_peer_free(stream);
    crier_test_peer_free(peer);
    test_server_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),       cmocka_unit_test(bodies),
        cmocka_unit_test(idling),      cmocka_unit_test(for_ever),
        cmocka_unit_test(connections), cmocka_unit_test(connections_of_one_address),
        cmocka_unit_test(log_lines),   cmocka_unit_test(counters),
    };
    return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
