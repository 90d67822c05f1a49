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
#include "server/private.h"
#include "server/request.h"
#include "server/stream.h"
#include <malloc.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    EVENTS = 256,              /* of one epoll_wait */
    ACCEPTS = 64,              /* of one listener in a tick */
    ACCEPT_PAUSE_MS = 250,     /* after accept failed for want of descriptors */
    SPENT_MS = 2,              /* of a tick, on answers: who asks more waits for the next */
    BURST_BYTES = 1024 * 1024, /* of windows: worth giving back */
    TRIM_MS = 100,             /* after a burst */
    LAG_MS = 250,              /* between two looks at how far streams lag */
    HUBS_MS = 1000,            /* between two looks for what is too old */
    DRAIN_MS = 50,             /* between two looks at how far the drain is */
    THROTTLE_MS = 2, /* how soon a publisher that waits for the journal is looked at again */
};

uint32_t crier_worker_jitter(struct crier_worker *worker, uint32_t low, uint32_t high)
{
    return (uint32_t)crier_rng_between(&worker->rng, low, high);
}

void crier_worker_spent(struct crier_worker *worker)
{
    uint64_t now = crier_server_now(worker->server).boot_ms;

    worker->spent = worker->spent || now >= worker->now.boot_ms + SPENT_MS;
}

void crier_worker_wake(struct crier_worker *worker)
{
    crier_wake_signal(&worker->wake);
}

static void wake_for_news(void *ctx)
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
    struct crier_server *server = worker->server;

    for (size_t i = 0; i < server->listener_count; i++) {
        struct crier_listener *l = &server->listeners[i];
        int r = crier_poller_add_level(&worker->poller, listener_fd(worker, l), l,
                                       l->inherited && server->worker_count > 1);

        if (r < 0)
            return r;
    }
    worker->accepting = true;
    return 0;
}

static void stop_accepting(struct crier_worker *worker)
{
    struct crier_server *server = worker->server;

    if (!worker->accepting)
        return;
    for (size_t i = 0; i < server->listener_count; i++)
        crier_poller_remove(&worker->poller, listener_fd(worker, &server->listeners[i]));
    worker->accepting = false;
}

static void init_lists(struct crier_worker *worker)
{
    crier_list_init(&worker->outlets);
    crier_list_init(&worker->conns);
    crier_list_init(&worker->ready);
    crier_list_init(&worker->held);
    crier_list_init(&worker->doomed);
    crier_list_init(&worker->touched);
}

static int init_poller(struct crier_worker *worker)
{
    struct crier_server *server = worker->server;
    int r = crier_poller_init(&worker->poller);

    if (r == 0)
        r = crier_wake_init(&worker->wake);
    if (r == 0)
        r = crier_poller_add_level(&worker->poller, worker->wake.fd, &worker->wake, false);
    if (r == 0)
        r = crier_poller_add_level(&worker->poller, server->stop.fd, &server->stop, false);
    if (r == 0 && worker->index == 0 && server->signals >= 0)
        r = crier_poller_add_level(&worker->poller, server->signals, &server->signals, false);
    return r;
}

/* Each hub that is mounted: a publish over HTTP comes at any time. */
static int open_outlets(struct crier_worker *worker)
{
    crier_list_for_each (node, &worker->server->channels) {
        struct crier_outlet *outlet;
        int r =
            crier_outlet_of(worker, CRIER_CONTAINER(node, struct crier_channel, node), &outlet);

        if (r < 0)
            return r;
    }
    return 0;
}

int crier_worker_init(struct crier_worker *worker,
                      struct crier_server *server,
                      unsigned index,
                      uint64_t seed)
{
    int r;

    r = crier_bell_init(&worker->bell, wake_for_news, worker);
    if (r < 0)
        return r;
    worker->bell_ready = true;
    worker->index = index;
    worker->rng.state = seed;
    worker->now = crier_server_now(server);
    worker->poller.fd = -1;
    crier_wheel_init(&worker->wheel, worker->now.boot_ms);
    crier_agenda_init(&worker->agenda, server->mem);
    crier_timer_init(&worker->accept_timer);
    crier_timer_init(&worker->age_timer);
    init_lists(worker);
    worker->input = crier_mem_alloc(server->mem, CRIER_READ_BYTES);
    if (!worker->input)
        return -ENOMEM;
    r = init_poller(worker);
    return r < 0 ? r : open_outlets(worker);
}

int crier_worker_listen(struct crier_worker *worker)
{
    worker->listening = worker->server->listener_count > 0;
    return worker->listening ? start_accepting(worker) : 0;
}

void crier_worker_free_doomed(struct crier_worker *worker)
{
    while (!crier_list_empty(&worker->doomed))
        crier_conn_free(CRIER_CONTAINER(worker->doomed.next, struct crier_conn, node));
}

void crier_worker_close(struct crier_worker *worker)
{
    if (!worker->conns.next)
        return; /* it was never initialised */
    while (!crier_list_empty(&worker->conns))
        crier_conn_doom(CRIER_CONTAINER(worker->conns.next, struct crier_conn, node),
                        CRIER_END_SERVER);
    crier_worker_free_doomed(worker);
    crier_list_for_each_safe (node, &worker->outlets)
        crier_outlet_free(CRIER_CONTAINER(node, struct crier_outlet, node));
    crier_poller_deinit(&worker->poller);
}

void crier_worker_deinit(struct crier_worker *worker)
{
    crier_worker_close(worker);
    crier_mail_deinit(&worker->mail);
    if (!worker->conns.next)
        return;
    if (worker->bell_ready)
        crier_bell_deinit(&worker->bell);
    worker->bell_ready = false;
    crier_agenda_deinit(&worker->agenda);
    crier_wake_deinit(&worker->wake);
    worker->input = crier_mem_free(worker->server->mem, worker->input);
}

/* ---- step 2 ----------------------------------------------------------------------------- */

/* No descriptor or no memory for one more: the queue keeps those who wait, and the loop must
 * not spin on it. */
static void pause_accepting(struct crier_worker *worker, int error)
{
    crier_stat_add(&worker->stats.accept_failed, 1);
    crier_log(
        worker->server->log, CRIER_LOG_WARNING, CRIER_LOG_KIND_ACCEPT, worker->now,
        "accept-failed", CRIER_LOG_TEXT("error", crier_slice_of(strerror(-error))),
        CRIER_LOG_TEXT(
            "hint",
            worker->server->config->library
                ? CRIER_SLICE("raise the limit of open files, or lower the option "
                              ".max_connections")
                : CRIER_SLICE("raise the limit of open files, or lower --max-connections")));
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
    for (size_t i = 0; i < worker->server->listener_count; i++) {
        if (owner == &worker->server->listeners[i])
            return true;
    }
    return false;
}

static void read_signals(struct crier_worker *worker)
{
    struct signalfd_siginfo info;

    while (read(worker->server->signals, &info, sizeof(info)) == sizeof(info))
        crier_server_signal(worker->server, (int)info.ssi_signo);
}

static void see_stop(struct crier_worker *worker)
{
    crier_poller_remove(&worker->poller, worker->server->stop.fd);
    worker->stop_seen = true;
}

static void see(struct crier_worker *worker, const struct crier_ready_event *event)
{
    if (event->owner == &worker->wake)
        crier_wake_drain(&worker->wake);
    else if (event->owner == &worker->server->stop)
        see_stop(worker);
    else if (event->owner == &worker->server->signals)
        read_signals(worker);
    else if (!is_listener(worker, event->owner))
        crier_conn_ready(event->owner, event->ready);
    else if (worker->accepting)
        accept_from(worker, event->owner);
}

/* What other threads had to say. */
static void read_mail(struct crier_worker *worker)
{
    struct crier_list letters;

    crier_mail_take(&worker->mail, &letters);
    crier_list_for_each_safe (node, &letters) {
        struct crier_letter *letter = CRIER_CONTAINER(node, struct crier_letter, node);
        void *owner = crier_mail_owner(&worker->mail, letter);

        crier_list_remove(node);
        if (owner && letter->kind == CRIER_LETTER_REPLY)
            crier_request_deliver(owner, letter);
        else if (owner)
            crier_private_deliver(owner, letter);
        crier_letter_free(&worker->mail, letter);
    }
}

static void
serve(struct crier_worker *worker, const struct crier_ready_event *events, int count)
{
    struct crier_list ready;

    for (int i = 0; i < count; i++)
        see(worker, &events[i]);
    read_mail(worker);
    crier_bell_answer(&worker->bell);

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
    crier_publishers_flush(worker);
}

/* ---- steps 3 to 5 ----------------------------------------------------------------------- */

/* true: work is left. */
static bool fan_out(struct crier_worker *worker)
{
    bool more = false;

    worker->caught_up = true;
    crier_list_for_each (node, &worker->outlets) {
        struct crier_outlet *outlet = CRIER_CONTAINER(node, struct crier_outlet, node);

        more = crier_outlet_fan_out(outlet) || more;
        worker->caught_up = worker->caught_up && outlet->caught_up;
    }
    return more;
}

/* ---- step 6 ----------------------------------------------------------------------------- */

/* Retention by age; the first worker that comes does it for all. */
static void age_hubs(struct crier_worker *worker)
{
    crier_list_for_each (node, &worker->outlets) {
        struct crier_outlet *outlet = CRIER_CONTAINER(node, struct crier_outlet, node);

        crier_hub_age(outlet->channel->hub, outlet->now);
    }
}

static void set_aging(struct crier_worker *worker)
{
    if (!crier_list_empty(&worker->outlets) && !worker->age_timer.due_ms)
        crier_wheel_set(&worker->wheel, &worker->age_timer, worker->now.boot_ms + HUBS_MS);
}

static void expire(struct crier_worker *worker)
{
    struct crier_timer *timer;

    while ((timer = crier_wheel_expire(&worker->wheel, worker->now.boot_ms)) != NULL) {
        if (timer == &worker->age_timer)
            age_hubs(worker);
        else if (timer != &worker->accept_timer)
            crier_conn_timeout(CRIER_CONTAINER(timer, struct crier_conn, timer));
        else if (start_accepting(worker) < 0)
            pause_accepting(worker, -ENOMEM);
    }
    set_aging(worker);
    crier_private_expire(worker);
}

/* Looks at all that lag, and so not in each tick. */
static void publish_lag(struct crier_worker *worker, bool lagging)
{
    uint64_t most = 0;

    if (lagging && worker->now.boot_ms < worker->lag_at)
        return;
    worker->lag_at = worker->now.boot_ms + LAG_MS;
    crier_list_for_each (node, &worker->outlets) {
        uint64_t distance = lagging
                                ? crier_fanout_distance(
                                      CRIER_CONTAINER(node, struct crier_outlet, node)->fanout)
                                : 0;

        most = distance > most ? distance : most;
    }
    crier_stat_set(&worker->stats.lag, most);
}

static void publish_stats(struct crier_worker *worker)
{
    struct crier_worker_stats *stats = &worker->stats;
    struct crier_fanout_stats all = {0};

    crier_list_for_each (node, &worker->outlets) {
        struct crier_fanout_stats f;

        crier_fanout_get_stats(CRIER_CONTAINER(node, struct crier_outlet, node)->fanout, &f);
        all.delivered += f.delivered;
        all.bytes += f.bytes;
        all.replayed += f.replayed;
        all.sends += f.sends;
        all.behind += f.behind;
        all.lagging += f.lagging;
        all.feeds += f.feeds;
        all.window_bytes += f.window_bytes;
        all.pinned_bytes += f.pinned_bytes;
        all.windows_dropped += f.windows_dropped;
        all.pins_refused += f.pins_refused;
        all.waiting += f.waiting;
        all.unreadable += f.unreadable;
    }
    crier_stat_set(&stats->delivered, all.delivered);
    crier_stat_set(&stats->delivered_bytes, all.bytes);
    crier_stat_set(&stats->replayed, all.replayed);
    crier_stat_set(&stats->sends, all.sends);
    crier_stat_set(&stats->behind, all.behind);
    crier_stat_set(&stats->lagging, all.lagging);
    crier_stat_set(&stats->feeds, all.feeds);
    crier_stat_set(&stats->window_bytes, all.window_bytes);
    crier_stat_set(&stats->pinned_bytes, all.pinned_bytes);
    crier_stat_set(&stats->windows_dropped, all.windows_dropped);
    crier_stat_set(&stats->pins_refused, all.pins_refused);
    crier_stat_set(&stats->disk_waits, all.waiting);
    crier_stat_set(&stats->unreadable, all.unreadable);
    publish_lag(worker, all.lagging > 0);
}

static size_t take_peaks(struct crier_worker *worker)
{
    size_t peak = 0;

    crier_list_for_each (node, &worker->outlets)
        peak +=
            crier_fanout_take_peak(CRIER_CONTAINER(node, struct crier_outlet, node)->fanout);
    return peak;
}

/* A burst to many feeds at once needs megabytes for a moment. The allocator would keep them,
 * broken up by what stays (a stalled stream's rest of an event); it is asked to give them back,
 * now and then and only after a burst. */
static void give_back_memory(struct crier_worker *worker)
{
    size_t peak = take_peaks(worker);

    if (peak > BURST_BYTES && !worker->trim_at)
        worker->trim_at = worker->now.boot_ms + TRIM_MS;
    if (!worker->trim_at || worker->now.boot_ms < worker->trim_at)
        return;
    worker->trim_at = 0;
#ifdef __GLIBC__
    if (worker->server->mem == &crier_mem_libc)
        malloc_trim(0);
#endif
}

/* ---- drain ------------------------------------------------------------------------------ */

static void begin_drain(struct crier_worker *worker)
{
    struct crier_server *server = worker->server;
    bool inherited = false;

    worker->drain_begun = true;
    for (size_t i = 0; i < server->listener_count; i++)
        inherited = inherited || server->listeners[i].inherited;
    /* Handed-in sockets live on without us: whoever holds them next answers what waits in their
     * queue. Our own stay, and give the draining answers, so that the port is never unbound. */
    if (inherited)
        stop_accepting(worker);
}

/* A worker that has nothing to do stays while another has: the kernel spreads new connections
 * over the sockets of all, and each has to be told that we are draining. */
static bool all_idle(struct crier_worker *worker, bool idle)
{
    struct crier_server *server = worker->server;
    bool all = idle;

    atomic_store(&worker->idle, idle);
    for (size_t i = 0; i < server->worker_count; i++)
        all = all && atomic_load(&server->workers[i].idle);
    if (all && !atomic_exchange(&server->drained, true)) {
        for (size_t i = 0; i < server->worker_count; i++)
            crier_worker_wake(&server->workers[i]);
    }
    return atomic_load(&server->drained);
}

/* true: it is over. */
static bool drain(struct crier_worker *worker)
{
    struct crier_server *server = worker->server;
    uint64_t until = atomic_load_explicit(&server->drain_until, memory_order_relaxed);
    uint64_t now = worker->now.boot_ms;
    bool business = false, farewell, hurry = now + server->config->drain_ms / 2 >= until;

    if (!worker->drain_begun)
        begin_drain(worker);
    farewell = worker->farewell && worker->caught_up;
    /* Seen here, it counts from the next tick on: the journal is read once more in between. */
    if (atomic_load(&server->publishing) == 0)
        worker->farewell = true;
    crier_list_for_each_safe (node, &worker->conns) {
        struct crier_conn *conn = CRIER_CONTAINER(node, struct crier_conn, node);

        crier_conn_drain(conn);
        if ((farewell || hurry) && conn->state == CRIER_CONN_STREAMING) {
            crier_list_for_each_safe (stream_node, &conn->streams)
                crier_stream_end(CRIER_CONTAINER(stream_node, struct crier_stream, conn_node),
                                 CRIER_CLOSE_STOPPED, hurry);
        }
        business =
            business || (conn->state != CRIER_CONN_DOOMED && crier_conn_has_business(conn));
    }
    /* Time is up, or it was told twice: who is still there is cut off. */
    if (now >= until || atomic_load(&server->stops) > 1) {
        if (business)
            atomic_store(&server->cut, true);
        return true;
    }
    return all_idle(worker, !business);
}

/* ---- the loop --------------------------------------------------------------------------- */

/* true: a hub has news. All are told that we sleep, up to the first that has. */
static bool announce_sleep(struct crier_worker *worker)
{
    crier_list_for_each (node, &worker->outlets) {
        if (!crier_cursor_sleep(&CRIER_CONTAINER(node, struct crier_outlet, node)->cursor))
            return true;
    }
    return false;
}

static void sooner(int *timeout, int ms)
{
    if (*timeout < 0 || *timeout > ms)
        *timeout = ms;
}

int crier_worker_sleep_time(struct crier_worker *worker)
{
    /* Not the tick's: a foreign loop, or a slow callback, may have taken its time since. */
    uint64_t now = crier_server_now(worker->server).boot_ms;
    int timeout, private_timeout;

    if (worker->work_left || !crier_list_empty(&worker->ready) ||
        !crier_list_empty(&worker->touched) || announce_sleep(worker))
        return 0;
    timeout = crier_wheel_timeout(&worker->wheel, now);
    private_timeout = crier_agenda_timeout(&worker->agenda, now);
    if (private_timeout >= 0)
        sooner(&timeout, private_timeout);
    if (!crier_list_empty(&worker->held))
        sooner(&timeout, THROTTLE_MS);
    if (worker->trim_at)
        sooner(&timeout, TRIM_MS);
    if (worker->drain_begun)
        sooner(&timeout, DRAIN_MS);
    return timeout;
}

static void wake_up(struct crier_worker *worker)
{
    worker->now = crier_server_now(worker->server);
    worker->tick++;
    worker->tick_bytes = 0;
    worker->spent = false;
    worker->work_left = false;
    crier_list_for_each (node, &worker->outlets) {
        struct crier_outlet *outlet = CRIER_CONTAINER(node, struct crier_outlet, node);

        outlet->now = crier_hub_now(outlet->channel->hub);
        crier_cursor_awake(&outlet->cursor, outlet->now);
    }
}

static bool tick(struct crier_worker *worker, int timeout_ms)
{
    struct crier_ready_event events[EVENTS];
    int count = crier_poller_wait(&worker->poller, events, EVENTS, timeout_ms);
    bool ended;

    wake_up(worker);
    serve(worker, events, count > 0 ? count : 0);
    crier_worker_free_doomed(worker);
    if (fan_out(worker))
        worker->work_left = true;
    expire(worker);
    crier_publishers_flush(worker);
    if (crier_private_pump(worker))
        worker->work_left = true;
    crier_worker_free_doomed(worker);
    publish_stats(worker);
    give_back_memory(worker);
    if (worker->stop_seen)
        crier_server_begin_drain(worker->server);
    ended =
        atomic_load_explicit(&worker->server->draining, memory_order_relaxed) && drain(worker);
    crier_worker_free_doomed(worker);
    return ended;
}

/* While its callbacks run, this thread does not stand still for a disk: crier_stepping. */
bool crier_worker_tick(struct crier_worker *worker, int timeout_ms)
{
    bool ended;

    crier_stepping++;
    ended = tick(worker, timeout_ms);
    crier_stepping--;
    return ended;
}

void *crier_worker_run(void *arg)
{
    struct crier_worker *worker = arg;

    while (!crier_worker_tick(worker, crier_worker_sleep_time(worker))) {
    }
    return NULL;
}
