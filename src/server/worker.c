/* SPDX-License-Identifier: MIT */
/*
 * A worker's loop. One tick:
 *
 *   1. epoll_wait; not at all if work is left over
 *   2. connections: accept, parse, gather publishes, append them under the journal's mutex
 *      once (publisher.c)
 *   3. the journal, from the cursor to its end, into the feeds; then newcomers join, right here
 *   4. and 5. a round of bounded slices over feeds and lagging streams (hub/fanout.c)
 *   6. timers: heartbeats and everybody's patience; the drain; the doomed are freed
 *
 * Between two steps the doomed are freed, so that no step meets a connection whose socket is
 * closed.
 *
 * Sleeping. Before epoll_wait the worker tells the journal that it sleeps and looks once more
 * (crier_cursor_sleep): a publish by another worker either is seen by that look or wakes it.
 *
 * Drain. Everything that is idle goes at once. Once no publish is in progress, each stream ends
 * when it has got everything; at half the drain time, at the end of the event that was begun.
 * The loop ends when no connection has business any more, or when the time is up.
 */
#include "server/worker.h"
#include "net/sys.h"
#include "server/stream.h"
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    EVENTS = 256,              /* of one epoll_wait */
    ACCEPTS = 64,              /* of one listener in a tick */
    ACCEPT_PAUSE_MS = 250,     /* after accept failed for want of descriptors */
    SPENT_MS = 2,              /* of a tick, on answers: who asks more waits for the next */
    BURST_BYTES = 1024 * 1024, /* of windows: worth giving back */
    TRIM_MS = 100,             /* after a burst */
    THROTTLE_MS = 2, /* how soon a publisher that waits for the journal is looked at again */
};

uint32_t crier_worker_jitter(struct crier_worker *worker, uint32_t low, uint32_t high)
{
    return (uint32_t)crier_rng_between(&worker->rng, low, high);
}

void crier_worker_spent(struct crier_worker *worker)
{
    uint64_t now = crier_sys_now().boot_ms;

    worker->spent = worker->spent || now >= worker->now.boot_ms + SPENT_MS;
}

void crier_worker_wake(struct crier_worker *worker)
{
    crier_wake_signal(&worker->wake);
}

static void wake_from_journal(void *ctx)
{
    crier_worker_wake(ctx);
}

/* ---- making it -------------------------------------------------------------------------- */

static int listener_fd(const struct crier_worker *worker, const struct crier_listener *l)
{
    return l->inherited ? l->fds[0] : l->fds[worker->index];
}

static int start_accepting(struct crier_worker *worker)
{
    struct crier_shared *hub = worker->hub;

    for (size_t i = 0; i < hub->listener_count; i++) {
        struct crier_listener *l = &hub->listeners[i];
        int r = crier_poller_add_level(&worker->poller, listener_fd(worker, l), l,
                                       l->inherited && hub->worker_count > 1);

        if (r < 0)
            return r;
    }
    worker->accepting = true;
    return 0;
}

static void stop_accepting(struct crier_worker *worker)
{
    struct crier_shared *hub = worker->hub;

    if (!worker->accepting)
        return;
    for (size_t i = 0; i < hub->listener_count; i++)
        crier_poller_remove(&worker->poller, listener_fd(worker, &hub->listeners[i]));
    worker->accepting = false;
}

int crier_worker_init(struct crier_worker *worker,
                      struct crier_shared *hub,
                      unsigned index,
                      uint64_t seed)
{
    const struct crier_sink sink = {.send = crier_stream_send,
                                    .gap = crier_stream_gap,
                                    .broken = crier_stream_broken,
                                    .ctx = worker};
    int r;

    memset(worker, 0, sizeof(*worker));
    worker->hub = hub;
    worker->index = index;
    worker->rng.state = seed;
    worker->now = crier_sys_now();
    worker->poller.fd = worker->wake.fd = -1;
    crier_wheel_init(&worker->wheel, worker->now.boot_ms);
    crier_timer_init(&worker->accept_timer);
    crier_list_init(&worker->conns);
    crier_list_init(&worker->ready);
    crier_list_init(&worker->held);
    crier_list_init(&worker->joining);
    crier_list_init(&worker->doomed);
    crier_publisher_init(&worker->publisher, hub->mem);

    worker->input = crier_mem_alloc(hub->mem, CRIER_READ_BYTES);
    if (!worker->input)
        return -ENOMEM;
    r = crier_poller_init(&worker->poller);
    if (r == 0)
        r = crier_wake_init(&worker->wake);
    if (r == 0)
        r = crier_poller_add_level(&worker->poller, worker->wake.fd, &worker->wake, false);
    if (r < 0)
        return r;
    worker->cursor.wake = wake_from_journal;
    worker->cursor.wake_ctx = worker;
    r = crier_journal_attach(hub->journal, &worker->cursor);
    if (r < 0)
        return r;
    r = crier_fanout_new(hub->mem, hub->journal, &worker->cursor, &sink, &hub->config->fanout,
                         &worker->fanout);
    if (r < 0)
        return r;
    return start_accepting(worker);
}

static void free_doomed(struct crier_worker *worker)
{
    while (!crier_list_empty(&worker->doomed))
        crier_conn_free(CRIER_CONTAINER(worker->doomed.next, struct crier_conn, node));
}

void crier_worker_deinit(struct crier_worker *worker)
{
    const struct crier_mem *mem = worker->hub->mem;

    if (!worker->conns.next)
        return; /* it was never initialised */
    while (!crier_list_empty(&worker->conns))
        crier_conn_doom(CRIER_CONTAINER(worker->conns.next, struct crier_conn, node), "end");
    free_doomed(worker);
    crier_fanout_free(worker->fanout);
    if (worker->cursor.journal)
        crier_journal_detach(&worker->cursor);
    crier_publisher_deinit(&worker->publisher);
    crier_wake_deinit(&worker->wake);
    crier_poller_deinit(&worker->poller);
    worker->input = crier_mem_free(mem, worker->input);
}

/* ---- step 2 ----------------------------------------------------------------------------- */

/* No descriptor or no memory for one more: the queue keeps those who wait, and the loop must
 * not spin on it. */
static void pause_accepting(struct crier_worker *worker, int error)
{
    crier_stat_add(&worker->stats.accept_failed, 1);
    crier_log(
        worker->hub->log, CRIER_LOG_WARNING, CRIER_LOG_KIND_ACCEPT, worker->now,
        "accept-failed", CRIER_LOG_TEXT("error", crier_slice_of(strerror(-error))),
        CRIER_LOG_TEXT(
            "hint", CRIER_SLICE("raise the limit of open files, or lower --max-connections")));
    stop_accepting(worker);
    crier_wheel_set(&worker->wheel, &worker->accept_timer,
                    worker->now.boot_ms + ACCEPT_PAUSE_MS);
}

static void accept_from(struct crier_worker *worker, const struct crier_listener *l)
{
    for (unsigned i = 0; i < ACCEPTS && worker->accepting; i++) {
        struct crier_address peer;
        bool loopback = false;
        int fd = crier_socket_accept(listener_fd(worker, l), &peer, &loopback);

        if (fd >= 0)
            crier_conn_open(worker, fd, &peer, loopback);
        else if (fd == -EAGAIN)
            return;
        else if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM)
            pause_accepting(worker, fd);
        /* else: that one connection failed (ECONNABORTED and its like); go on */
    }
}

static bool is_listener(const struct crier_worker *worker, const void *owner)
{
    const struct crier_listener *l = owner;

    return l >= worker->hub->listeners &&
           l < worker->hub->listeners + worker->hub->listener_count;
}

static void
serve(struct crier_worker *worker, const struct crier_ready_event *events, int count)
{
    struct crier_list ready;

    for (int i = 0; i < count; i++) {
        if (events[i].owner == &worker->wake)
            crier_wake_drain(&worker->wake);
        else if (!is_listener(worker, events[i].owner))
            crier_conn_ready(events[i].owner, events[i].ready);
        else if (worker->accepting)
            accept_from(worker, events[i].owner);
    }

    /* Those who were paused; who pauses again stands in the list for the next tick. */
    crier_list_init(&ready);
    crier_list_splice(&ready, &worker->ready);
    crier_list_splice(&ready, &worker->held);
    while (!crier_list_empty(&ready)) {
        struct crier_conn *conn = CRIER_CONTAINER(ready.next, struct crier_conn, ready_node);

        crier_list_remove(&conn->ready_node);
        if (conn->state != CRIER_CONN_DOOMED)
            crier_conn_work(conn);
    }
    crier_publisher_flush(worker);
}

/* ---- steps 3 to 5 ----------------------------------------------------------------------- */

/* true: work is left. */
static bool fan_out(struct crier_worker *worker)
{
    bool more = crier_fanout_read(worker->fanout);

    worker->caught_up = !more;
    /* Newcomers start at the worker's cursor, right after it has moved, and nowhere else. */
    crier_list_for_each_safe (node, &worker->joining) {
        if (!crier_stream_join(CRIER_CONTAINER(node, struct crier_stream, join_node)))
            more = true;
    }
    free_doomed(worker);
    return crier_fanout_pump(worker->fanout, worker->now) || more;
}

/* ---- step 6 ----------------------------------------------------------------------------- */

static void expire(struct crier_worker *worker)
{
    struct crier_timer *timer;

    while ((timer = crier_wheel_expire(&worker->wheel, worker->now.boot_ms)) != NULL) {
        if (timer != &worker->accept_timer)
            crier_conn_timeout(CRIER_CONTAINER(timer, struct crier_conn, timer));
        else if (start_accepting(worker) < 0)
            pause_accepting(worker, -ENOMEM);
    }
}

static void publish_stats(struct crier_worker *worker)
{
    struct crier_worker_stats *stats = &worker->stats;
    struct crier_fanout_stats f;

    crier_fanout_get_stats(worker->fanout, &f);
    crier_stat_set(&stats->delivered, f.delivered);
    crier_stat_set(&stats->delivered_bytes, f.bytes);
    crier_stat_set(&stats->replayed, f.replayed);
    crier_stat_set(&stats->sends, f.sends);
    crier_stat_set(&stats->streams, f.followers);
    crier_stat_set(&stats->behind, f.behind);
    crier_stat_set(&stats->lagging, f.lagging);
    crier_stat_set(&stats->feeds, f.feeds);
    crier_stat_set(&stats->window_bytes, f.window_bytes);
    crier_stat_set(&stats->pinned_bytes, f.pinned_bytes);
    crier_stat_set(&stats->windows_dropped, f.windows_dropped);
    crier_stat_set(&stats->pins_refused, f.pins_refused);
}

/* A burst to many feeds at once needs megabytes for a moment. The allocator would keep them,
 * broken up by what stays (a stalled stream's rest of an event); it is asked to give them back,
 * now and then and only after a burst. */
static void give_back_memory(struct crier_worker *worker)
{
    size_t peak = crier_fanout_take_peak(worker->fanout);

    if (peak > BURST_BYTES && !worker->trim_at)
        worker->trim_at = worker->now.boot_ms + TRIM_MS;
    if (!worker->trim_at || worker->now.boot_ms < worker->trim_at)
        return;
    worker->trim_at = 0;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* ---- drain ------------------------------------------------------------------------------ */

static void begin_drain(struct crier_worker *worker)
{
    struct crier_shared *hub = worker->hub;
    bool inherited = false;

    worker->drain_begun = true;
    for (size_t i = 0; i < hub->listener_count; i++)
        inherited = inherited || hub->listeners[i].inherited;
    /* Handed-in sockets live on without us: whoever holds them next answers what waits in their
     * queue. Our own stay, and give the draining answers, so that the port is never unbound. */
    if (inherited)
        stop_accepting(worker);
}

/* A worker that has nothing to do stays while another has: the kernel spreads new connections
 * over the sockets of all, and each has to be told that we are draining. */
static bool all_idle(struct crier_worker *worker, bool idle)
{
    struct crier_shared *hub = worker->hub;
    bool all = idle;

    atomic_store(&worker->idle, idle);
    for (size_t i = 0; i < hub->worker_count; i++)
        all = all && atomic_load(&hub->workers[i].idle);
    if (all && !atomic_exchange(&hub->drained, true)) {
        for (size_t i = 0; i < hub->worker_count; i++)
            crier_worker_wake(&hub->workers[i]);
    }
    return atomic_load(&hub->drained);
}

/* true: it is over. */
static bool drain(struct crier_worker *worker)
{
    struct crier_shared *hub = worker->hub;
    uint64_t until = atomic_load_explicit(&hub->drain_until, memory_order_relaxed);
    uint64_t now = worker->now.boot_ms;
    bool business = false, farewell, hurry = now + hub->config->drain_ms / 2 >= until;

    if (!worker->drain_begun)
        begin_drain(worker);
    farewell = worker->farewell && worker->caught_up;
    /* Seen here, it counts from the next tick on: the journal is read once more in between. */
    if (atomic_load(&hub->publishing) == 0)
        worker->farewell = true;
    crier_list_for_each_safe (node, &worker->conns) {
        struct crier_conn *conn = CRIER_CONTAINER(node, struct crier_conn, node);

        crier_conn_drain(conn);
        if ((farewell || hurry) && conn->state == CRIER_CONN_STREAMING) {
            crier_list_for_each_safe (stream_node, &conn->streams)
                crier_stream_finish(
                    CRIER_CONTAINER(stream_node, struct crier_stream, conn_node), hurry);
        }
        business =
            business || (conn->state != CRIER_CONN_DOOMED && crier_conn_has_business(conn));
    }
    return now >= until || all_idle(worker, !business);
}

/* ---- the loop --------------------------------------------------------------------------- */

static int sleep_time(struct crier_worker *worker, bool work_left)
{
    int timeout;

    if (work_left || !crier_cursor_sleep(&worker->cursor))
        return 0;
    if (!crier_list_empty(&worker->ready))
        return 0;
    timeout = crier_wheel_timeout(&worker->wheel, worker->now.boot_ms);
    if (!crier_list_empty(&worker->held) && (timeout < 0 || timeout > THROTTLE_MS))
        timeout = THROTTLE_MS;
    if (worker->trim_at && (timeout < 0 || timeout > TRIM_MS))
        timeout = TRIM_MS;
    if (worker->drain_begun && (timeout < 0 || timeout > 50))
        timeout = 50;
    return timeout;
}

void *crier_worker_run(void *arg)
{
    struct crier_worker *worker = arg;
    struct crier_ready_event events[EVENTS];
    bool work_left = false;

    for (;;) {
        int timeout = sleep_time(worker, work_left);
        int count = crier_poller_wait(&worker->poller, events, EVENTS, timeout);

        worker->now = crier_sys_now();
        worker->tick++;
        worker->tick_bytes = 0;
        worker->spent = false;
        crier_cursor_awake(&worker->cursor, worker->now);

        serve(worker, events, count > 0 ? count : 0);
        free_doomed(worker);
        work_left = fan_out(worker);
        expire(worker);
        crier_publisher_flush(worker);
        free_doomed(worker);
        publish_stats(worker);
        give_back_memory(worker);
        if (atomic_load_explicit(&worker->hub->draining, memory_order_relaxed) && drain(worker))
            break;
        free_doomed(worker);
    }
    atomic_store(&worker->drained, true);
    pthread_kill(worker->hub->main, SIGUSR1);
    return NULL;
}
