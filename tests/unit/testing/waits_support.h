/* SPDX-License-Identifier: MIT */
/* A server whose hub has a slow journal (slow_journal.h), and peers that speak HTTP to it. */
#ifndef CRIER_TESTS_UNIT_WAITS_SUPPORT_H
#define CRIER_TESTS_UNIT_WAITS_SUPPORT_H

#include "server_support.h"
#include "slow_journal.h"

#include "base/buf.h"
#include "local/hub.h"
#include "server/conn.h"

struct waits {
    struct test_server t;
    struct slow_journal *slow;
    struct crier_hub *hub;
};

static inline void waits_init(struct waits *w)
{
    const struct crier_clock *clock;

    *w = (struct waits){.slow = NULL};
    test_server_init(
        &w->t, (struct crier_server_options){.retry_ms = CRIER_OFF, .heartbeat_ms = CRIER_OFF});
    clock = crier_test_clock_of(w->t.clock);
    w->slow = slow_journal_new(NULL, clock->read(clock->ctx));
    w->hub = crier_hub_new_on(&w->slow->journal, clock, NULL);
    assert_non_null(w->hub);
    assert_int_equal(
        crier_server_mount(w->t.server, "/events", w->hub, .may_publish = CRIER_ANYONE), 0);
    assert_int_equal(crier_server_mount_admin(w->t.server, "/-", w->hub), 0);
}

static inline void waits_deinit(struct waits *w)
{
    assert_null(crier_server_free(w->t.server));
    assert_null(crier_hub_free(w->hub));
    assert_null(crier_test_clock_free(w->t.clock));
}

static inline void waits_settle(struct waits *w)
{
    assert_int_equal(crier_test_settle(w->t.server), 0);
}

/* The oldest parcel comes back, and what follows from that happens. */
static inline void waits_release(struct waits *w, int result)
{
    assert_true(slow_release(w->slow, result));
    waits_settle(w);
}

static inline void waits_release_all(struct waits *w)
{
    while (slow_held(w->slow))
        waits_release(w, 0);
}

/* All questions that wait may be asked again; as often as that takes. */
static inline void waits_wake_all(struct waits *w)
{
    while (slow_wake(w->slow))
        waits_settle(w);
}

static inline void send_text(struct crier_test_peer *peer, const char *text)
{
    assert_int_equal(crier_test_send(peer, crier_slice_of(text)), 0);
}

/* "POST /events/a" and its like, with a body. */
static inline void send_request(struct crier_test_peer *peer,
                                const char *what,
                                const char *headers,
                                const char *body)
{
    struct crier_buf text;

    crier_buf_init(&text, &crier_mem_libc);
    crier_buf_printf(&text, "%s HTTP/1.1\r\nHost: localhost\r\n%s", what, headers);
    if (body)
        crier_buf_printf(&text, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    else
        crier_buf_printf(&text, "\r\n");
    assert_int_equal(crier_test_send(peer, crier_buf_slice(&text)), 0);
    crier_buf_deinit(&text);
}

/* These texts are there, in this order, and each only once. */
static inline void
expect_order(struct crier_test_peer *peer, const char *const *texts, const char *file, int line)
{
    const char *at = crier_test_received(peer).data, *from = at;

    for (; *texts; texts++) {
        at = strstr(at, *texts);
        if (!at) {
            print_error("no (or too early) \"%s\" in:\n%s\n", *texts, from);
            _fail(file, line);
            return;
        }
        at += strlen(*texts);
    }
}
#define assert_order(peer, ...)                                                                \
    expect_order((peer), (const char *const[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)

/* How many events does history hold? */
static inline uint64_t waits_events(struct waits *w)
{
    struct crier_journal_stats stats = {0};

    crier_journal_get_stats(&w->slow->journal, &stats);
    return stats.events;
}

#endif
