/* SPDX-License-Identifier: MIT */
/* A server, a hub, and a handler whose streams follow it: for the tests of following. */
#ifndef CRIER_TESTS_UNIT_FOLLOW_SUPPORT_H
#define CRIER_TESTS_UNIT_FOLLOW_SUPPORT_H

#include "stream_support.h"

struct world {
    struct test_server t;
    struct crier_hub *hub;
    struct test_calls calls;
    struct crier_follow_options wish; /* what the handler follows; no selectors: nothing */
    const char *before;               /* sent before it follows */
};

static const char *const a_only[] = {"a"};

static inline void open_follow(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    test_open(request, &w->calls);
    if (w->before)
        assert_int_equal(crier_stream_sendf(w->calls.stream, NULL, "%s", w->before), 0);
    if (w->wish.selector_count)
        assert_int_equal(crier_stream_follow_with(w->calls.stream, w->hub, &w->wish), 0);
}

static inline void world_init(struct world *w, struct crier_server_options options)
{
    *w = (struct world){.wish = {.selectors = a_only, .selector_count = 1}};
    options.retry_ms = CRIER_OFF;
    options.heartbeat_ms = CRIER_OFF;
    test_server_init(&w->t, options);
    w->hub = crier_hub_new(.clock = crier_test_clock_of(w->t.clock));
    assert_non_null(w->hub);
    test_route(&w->t, "GET", "/", open_follow, w);
}

static inline void world_deinit(struct world *w)
{
    assert_null(crier_server_free(w->t.server));
    crier_hub_free(w->hub);
    assert_null(crier_test_clock_free(w->t.clock));
}

static inline struct crier_id
publish(struct world *w, const char *topic, const char *type, const char *data)
{
    struct crier_receipt receipt;
    const struct crier_event event = {.data = crier_slice_of(data),
                                      .type = crier_slice_of(type)};

    assert_int_equal(crier_hub_publish(w->hub, topic, &event, &receipt), 0);
    return receipt.id;
}

static inline void settle(struct world *w)
{
    assert_int_equal(crier_test_settle(w->t.server), 0);
}

static inline void expect_in(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part))
        return;
    print_error("no \"%s\" in:\n%s\n", part, text);
    _fail(file, line);
}

#define assert_in(text, part) expect_in(text, part, __FILE__, __LINE__)
#define assert_not_in(text, part) assert_null(strstr(text, part))

/* Compares a peer's text without its lines of ids. */
static inline void expect_events(struct crier_test_peer *peer, const char *expected)
{
    char *text = test_text(peer, NULL), *to = text;

    for (char *at = text; *at;) {
        size_t len = strcspn(at, "\n") + (strchr(at, '\n') != NULL);

        if (strncmp(at, "id: ", 4) != 0) {
            memmove(to, at, len);
            to += len;
        }
        at += len;
    }
    *to = '\0';
    assert_string_equal(text, expected);
    free(text);
}

#define CONNECTED "event: crier:connected\ndata: {\"status\":\"ok\",\"resumed\":\"none\"}\n\n"
#define RESUMED "event: crier:connected\ndata: {\"status\":\"ok\",\"resumed\":\"exact\"}\n\n"

#endif
