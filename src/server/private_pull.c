/* SPDX-License-Identifier: MIT */
/* Streams that are asked for more only when their peer takes more. */
#include "server/private.h"

enum {
    PULL_IDLE_MS = 10,           /* it sent nothing and did not say when to ask again */
    PULL_MOST_MS = 24 * 3600000, /* the longest it may ask to be left alone */
    PULL_TICK_BYTES = 64 * 1024, /* pulled from one stream in a tick */
    PULL_SWAPS = 16,             /* how often another is set in a tick, with nothing sent */
};

int crier_stream_pull(struct crier_stream *s,
                      int (*fn)(struct crier_stream *stream, void *ctx),
                      void *ctx)
{
    int r = crier_private_check(s);

    if (r != 0)
        return r;
    s->private->pulls++;
    s->private->pull = fn;
    s->private->pull_ctx = ctx;
    crier_agenda_clear(&crier_stream_worker(s)->agenda, &s->private->pull_alarm.appointment);
    crier_private_touch(s);
    return 0;
}

static bool may_pull(const struct crier_stream *s)
{
    const struct crier_private *p = s->private;

    return p->pull && !p->finishing && !p->pull_alarm.appointment.place &&
           crier_private_can_send(s) && !s->conn->blocked && p->queue.len == 0 &&
           crier_conn_sent(s->conn);
}

static void pull_after(struct crier_stream *s, int ms)
{
    uint64_t wait = ms > PULL_MOST_MS ? PULL_MOST_MS : (uint64_t)ms;

    if (crier_agenda_set(&crier_stream_worker(s)->agenda, &s->private->pull_alarm.appointment,
                         crier_stream_worker(s)->now.boot_ms + wait) < 0)
        crier_conn_doom(s->conn, CRIER_END_MEMORY);
}

/* true: it has set another, or itself anew, and sent nothing. */
static bool pull_once(struct crier_stream *s)
{
    struct crier_private *p = s->private;
    uint64_t before = p->pulls;
    int r;

    p->sent_any = false;
    r = p->pull(s, p->pull_ctx);
    if (p->finishing || p->pulls != before)
        return p->pulls != before && !p->sent_any;
    if (r == CRIER_DONE)
        p->pull = NULL;
    else if (r < 0)
        crier_conn_doom(s->conn, CRIER_END_FAILED);
    else if (r > 0 || !p->sent_any)
        pull_after(s, r > 0 ? r : PULL_IDLE_MS);
    return false;
}

static uint64_t sent_bytes(const struct crier_stream *s)
{
    return atomic_load_explicit(&crier_stream_worker(s)->stats.sent_bytes,
                                memory_order_relaxed);
}

bool crier_private_pull(struct crier_stream *s)
{
    uint64_t before = sent_bytes(s);
    int swaps = 0;

    while (may_pull(s)) {
        if (sent_bytes(s) - before >= PULL_TICK_BYTES)
            return true;
        /* Two that set each other for ever do not hold up the others. */
        if (pull_once(s) && ++swaps == PULL_SWAPS)
            pull_after(s, PULL_IDLE_MS);
        crier_private_flush(s);
    }
    return false;
}
