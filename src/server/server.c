/* SPDX-License-Identifier: MIT */
/*
 * A server from its making to its end (the states are drawn in server.h).
 *
 * Making it can only fail for want of memory. Whatever else is wrong, an option, a route, a
 * port in use, is noted as a sentence and a result, and reported when it is to run: a program
 * has one place to look.
 *
 * Running. Worker 0 works on the thread that calls run (or steps it); the others get threads of
 * their own, in which all signals are blocked.
 *
 * Stopping is a counter and an eventfd, so that a signal handler may do it. The eventfd stays
 * readable; each worker takes it out of its poller when it has seen it. The first stop begins
 * the drain (worker.c), a second one ends it.
 *
 * Ending. Workers first, then the channels (and with them the hubs), the sockets last.
 */
#include "server/worker.h"

#include "base/options.h"
#include "net/sys.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* ---- faults ----------------------------------------------------------------------------- */

int crier_server_fail(struct crier_server *server, int result, const char *format, ...)
{
    char text[256];
    va_list args;

    if (server->failed)
        return result;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    server->failed = result;
    crier_buf_append(&server->error, crier_slice_of(text));
    crier_buf_byte(&server->error, '\0');
    SERVER_LOG(server, CRIER_LOG_ERROR, "failed", CRIER_LOG_TEXT("what", crier_slice_of(text)));
    return result;
}

const char *crier_server_error(const struct crier_server *server)
{
    if (!server)
        return crier_strerror(CRIER_ENOMEM);
    if (!server->failed)
        return server->note ? server->note : "";
    return crier_buf_error(&server->error) == 0 ? server->error.data
                                                : crier_strerror(server->failed);
}

int crier_server_fail_errno(struct crier_server *server, const char *what, int error)
{
    return crier_server_fail(server, error, "%s: %s", what, crier_strerror(error));
}

/* ---- start ------------------------------------------------------------------------------ */

static int start_workers(struct crier_server *server)
{
    for (size_t i = 0; i < server->worker_count; i++) {
        uint64_t seed = i;
        int r = crier_sys_random(&seed, sizeof(seed));

        if (r == 0)
            r = crier_worker_init(&server->workers[i], server, (unsigned)i, seed);
        if (r == 0)
            r = crier_worker_listen(&server->workers[i]);
        if (r < 0)
            return crier_server_fail_errno(server, "cannot start a worker", r);
    }
    atomic_store(&server->workers_made, server->worker_count);
    return 0;
}

/* The signals it handles become readable; they stay blocked until the end. */
static int take_signals(struct crier_server *server)
{
    sigset_t signals;

    if (!server->config->stop_on_signals)
        return 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (server->config->reload_on_hup)
        sigaddset(&signals, SIGHUP);
    server->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (server->signals < 0)
        return crier_server_fail_errno(server, "cannot watch for signals", -errno);
    pthread_sigmask(SIG_BLOCK, &signals, &server->signals_before);
    return 0;
}

static void give_back_signals(struct crier_server *server)
{
    struct signalfd_siginfo info;

    if (server->signals < 0)
        return;
    /* One that came at the very end was meant for what has ended: it must not hit the program
     * as soon as it is no more blocked. */
    while (read(server->signals, &info, sizeof(info)) == sizeof(info)) {
    }
    close(server->signals);
    server->signals = -1;
    pthread_sigmask(SIG_SETMASK, &server->signals_before, NULL);
}

int crier_server_start(struct crier_server *server)
{
    int r;

    if (server->failed)
        return server->failed;
    if (server->started)
        return 0;
    server->started_ms = crier_server_now(server).boot_ms;
    server->started = true;
    r = take_signals(server);
    if (r == 0)
        r = start_workers(server);
    if (r == 0)
        crier_server_log_listeners(server);
    else
        give_back_signals(server);
    return r;
}

static int begin(struct crier_server *server)
{
    int r = server->started ? 0 : crier_server_listen(server);

    return r == 0 ? crier_server_start(server) : r;
}

/* ---- stopping --------------------------------------------------------------------------- */

int crier_server_stop(struct crier_server *server)
{
    if (!server)
        return CRIER_ENOMEM;
    atomic_fetch_add(&server->stops, 1);
    crier_wake_signal(&server->stop);
    return 0;
}

static struct crier_slice stop_reason(const struct crier_server *server)
{
    int signal = atomic_load(&server->stop_signal);

    return signal == SIGTERM  ? CRIER_SLICE("SIGTERM")
           : signal == SIGINT ? CRIER_SLICE("SIGINT")
                              : CRIER_SLICE("none");
}

void crier_server_begin_drain(struct crier_server *server)
{
    uint64_t now = crier_server_now(server).boot_ms, none = 0;

    /* Before anybody can see the drain: to a worker that did not find it, time would be up. */
    (void)atomic_compare_exchange_strong(&server->drain_until, &none,
                                         now + server->config->drain_ms);
    if (atomic_exchange(&server->draining, true))
        return;
    /* Said when it holds: who waits for this line meets draining answers only. */
    SERVER_LOG(server, CRIER_LOG_INFO, "draining",
               CRIER_LOG_TEXT("signal", stop_reason(server)),
               CRIER_LOG_NUMBER("most_ms", server->config->drain_ms));
    for (size_t i = 0; i < server->worker_count; i++)
        crier_worker_wake(&server->workers[i]);
}

static void reload_tokens(struct crier_server *server)
{
    struct crier_buf fault;

    crier_buf_init(&fault, server->mem);
    if (crier_tokens_reload(server->tokens, &fault) < 0)
        SERVER_LOG(server, CRIER_LOG_ERROR, "reload-failed",
                   CRIER_LOG_TEXT("error", crier_buf_slice(&fault)),
                   CRIER_LOG_TEXT("hint", CRIER_SLICE("the old tokens stay")));
    else
        SERVER_LOG(server, CRIER_LOG_INFO, "reloaded",
                   CRIER_LOG_TEXT("what", CRIER_SLICE("publish tokens")));
    crier_buf_deinit(&fault);
}

void crier_server_signal(struct crier_server *server, int signal)
{
    if (signal == SIGHUP) {
        reload_tokens(server);
        return;
    }
    atomic_store(&server->stop_signal, signal);
    (void)crier_server_stop(server);
}

struct crier_mail *crier_server_mail(struct crier_server *server, struct crier_ref ref)
{
    uint32_t worker = crier_ref_worker(ref);

    return server && ref.generation && worker < atomic_load(&server->workers_made)
               ? &server->workers[worker].mail
               : NULL;
}

/* ---- running ---------------------------------------------------------------------------- */

/* false: inside a callback. A line of the log may be handed out while nothing runs. */
static bool enter(struct crier_server *server)
{
    return !crier_log_is_handing(server->log) && !atomic_exchange(&server->busy, true);
}

static void leave(struct crier_server *server)
{
    atomic_store(&server->busy, false);
}

static int start_threads(struct crier_server *server)
{
    sigset_t all, before;
    int r = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (size_t i = 1; i < server->worker_count && r == 0; i++) {
        r = pthread_create(&server->workers[i].thread, NULL, crier_worker_run,
                           &server->workers[i]);
        server->workers[i].running = r == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0 ? 0 : crier_server_fail_errno(server, "cannot start a thread", -r);
}

static void join_threads(struct crier_server *server)
{
    for (size_t i = 1; i < server->worker_count; i++) {
        if (server->workers[i].running)
            pthread_join(server->workers[i].thread, NULL);
        server->workers[i].running = false;
    }
}

/* The workers have ended: what is left of connections is cut, and the port let go. */
static int end(struct crier_server *server)
{
    for (size_t i = 0; i < server->worker_count; i++)
        crier_worker_close(&server->workers[i]);
    crier_server_close_listeners(server);
    give_back_signals(server);
    server->ended = true;
    SERVER_LOG(server, CRIER_LOG_INFO, "ended",
               CRIER_LOG_TEXT("reason", atomic_load(&server->stops) > 1
                                            ? CRIER_SLICE("second signal")
                                            : CRIER_SLICE("drained")));
    return atomic_load(&server->cut) ? CRIER_CUT : 0;
}

static int run(struct crier_server *server)
{
    int r;

    server->note = NULL;
    r = begin(server);
    if (r == 0)
        r = start_threads(server);
    if (r == 0) {
        (void)crier_worker_run(&server->workers[0]);
    } else {
        (void)crier_server_stop(server); /* for those that run although another cannot */
        (void)crier_server_stop(server);
    }
    join_threads(server);
    return r == 0 ? end(server) : r;
}

int crier_server_run(struct crier_server *server)
{
    int r;

    if (!server)
        return CRIER_ENOMEM;
    if (!enter(server))
        return CRIER_EBUSY;
    if (server->ended)
        r = atomic_load(&server->cut) ? CRIER_CUT : 0;
    else
        r = run(server);
    if (r < 0)
        give_back_signals(server);
    leave(server);
    return r;
}

/* ---- stepping --------------------------------------------------------------------------- */

/* No fault of the server's: it can still be run. */
static int not_stepped(struct crier_server *server)
{
    server->note = "a server with several workers can only be run, not stepped";
    return CRIER_EINVAL;
}

static int begin_steps(struct crier_server *server)
{
    if (server->config->workers > 1)
        return not_stepped(server);
    return begin(server);
}

static int step(struct crier_server *server)
{
    struct crier_worker *worker;
    int r = begin_steps(server);

    if (r < 0)
        return r;
    worker = &server->workers[0];
    if (crier_worker_tick(worker, 0))
        return end(server) == CRIER_CUT ? CRIER_CUT : CRIER_STOPPED;
    /* What the tick left over makes the descriptor readable: a loop need not ask for the
     * timeout to come back at once. */
    if (crier_worker_sleep_time(worker) == 0)
        crier_worker_wake(worker);
    return 0;
}

int crier_server_step(struct crier_server *server)
{
    int r;

    if (!server)
        return CRIER_ENOMEM;
    if (!enter(server))
        return CRIER_EBUSY;
    if (server->ended)
        r = atomic_load(&server->cut) ? CRIER_CUT : CRIER_STOPPED;
    else
        r = step(server);
    leave(server);
    return r;
}

int crier_server_fd(struct crier_server *server)
{
    int r;

    if (!server)
        return CRIER_ENOMEM;
    if (server->ended)
        return CRIER_EINVAL;
    r = begin_steps(server);
    return r < 0 ? r : server->workers[0].poller.fd;
}

int crier_server_timeout(struct crier_server *server)
{
    if (!server || server->ended || server->failed || !server->started ||
        server->config->workers > 1)
        return 0; /* step has something to say */
    return crier_worker_sleep_time(&server->workers[0]);
}

/* ---- counters --------------------------------------------------------------------------- */

static uint64_t count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_worker(struct crier_server_stats *all, const struct crier_worker_stats *one)
{
    all->connections += count(&one->connections);
    all->streams += count(&one->streams);
    all->accepted += count(&one->accepted);
    all->requests += count(&one->requests);
    for (size_t i = 0; i < CRIER_PROBLEM_COUNT; i++)
        all->refused += count(&one->refused[i]);
    all->streams_opened += count(&one->streams_opened);
    all->streams_closed += count(&one->streams_closed);
    all->sent_events += count(&one->delivered) + count(&one->sent);
    all->sent_bytes += count(&one->delivered_bytes) + count(&one->sent_bytes);
    all->full += count(&one->full);
    all->stalled += count(&one->stalled);
}

int crier_server_stats_with(struct crier_server *server,
                            size_t size,
                            struct crier_server_stats *ret_stats)
{
    struct crier_server_stats all = {0};

    if (!server)
        return CRIER_ENOMEM;
    for (size_t i = 0, made = atomic_load(&server->workers_made); i < made; i++)
        add_worker(&all, &server->workers[i].stats);
    memset(ret_stats, 0, size);
    memcpy(ret_stats, &all, size < sizeof(all) ? size : sizeof(all));
    return 0;
}

/* ---- life ------------------------------------------------------------------------------- */

struct crier_now crier_server_now(const struct crier_server *server)
{
    return server->clock->read(server->clock->ctx);
}

/* They are there from the beginning, though idle: whoever asks for counters or posts from
 * another thread finds them, whatever the state. */
static int make_workers(struct crier_server *server)
{
    size_t wanted = server->config->workers;

    server->workers = crier_mem_zalloc(server->mem, wanted * sizeof(*server->workers));
    if (!server->workers)
        return -ENOMEM;
    server->worker_count = wanted;
    for (size_t i = 0; i < wanted; i++) {
        struct crier_worker *worker = &server->workers[i];
        uint64_t generation;

        /* Without randomness it will not run, and there is nothing to refer to. */
        if (crier_sys_random(&generation, sizeof(generation)) < 0)
            generation = 1;
        worker->server = server;
        worker->wake.fd = -1;
        if (crier_mail_init(&worker->mail, server->mem, &worker->wake, (unsigned)i,
                            generation) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int make_parts(struct crier_server *server)
{
    struct crier_buf fault;
    int r;

    if (make_workers(server) < 0 || crier_wake_init(&server->stop) < 0)
        return -ENOMEM;
    r = crier_log_new(server->mem, server->config->log_level, server->config->log_fd,
                      &server->log);
    if (r < 0)
        return r;
    if (server->config->on_log)
        crier_log_hand(server->log, server->config->on_log, server->config->log_ctx);
    if (crier_sys_random(&server->hash_key, sizeof(server->hash_key)) < 0)
        (void)crier_server_fail(server, -EIO, "there is no randomness");
    r = crier_limits_new(server->mem, &server->hash_key, server->config->max_connections,
                         server->config->max_per_address, &server->limits);
    if (r < 0)
        return r;
    crier_buf_init(&fault, server->mem);
    r = crier_tokens_new(server->mem, server->config->token_file, server->config->token_text,
                         &fault, &server->tokens);
    if (r < 0 && r != -ENOMEM) {
        (void)crier_server_fail(server, r, "publish token: %.*s",
                                CRIER_SLICE_ARG(crier_buf_slice(&fault)));
        r = 0;
    }
    crier_buf_deinit(&fault);
    return r;
}

static void server_deinit(struct crier_server *server)
{
    const struct crier_mem *mem = server->mem;

    for (size_t i = 0; i < server->worker_count; i++)
        crier_worker_deinit(&server->workers[i]);
    crier_mem_free(mem, server->workers);
    crier_channels_free(server);
    crier_sites_deinit(&server->sites);
    crier_limits_free(server->limits);
    crier_tokens_free(server->tokens);
    crier_server_close_listeners(server);
    give_back_signals(server);
    crier_wake_deinit(&server->stop);
    crier_log_free(server->log);
    crier_config_release(mem, &server->settings);
    pthread_mutex_destroy(&server->channels_mutex);
    crier_buf_deinit(&server->error);
    crier_mem_free(mem, server);
}

struct crier_server *crier_server_new_from(const struct crier_config *config,
                                           const struct crier_mem *mem,
                                           const struct crier_clock *clock)
{
    struct crier_server *server = crier_mem_zalloc(mem, sizeof(*server));

    if (!server)
        return NULL;
    server->mem = mem;
    server->clock = clock;
    server->settings = *config;
    server->config = &server->settings;
    server->signals = server->stop.fd = -1;
    crier_buf_init(&server->error, mem);
    crier_list_init(&server->channels);
    crier_sites_init(&server->sites, mem);
    if (pthread_mutex_init(&server->channels_mutex, NULL) != 0) {
        crier_mem_free(mem, server);
        return NULL;
    }
    if (make_parts(server) < 0) {
        /* What the configuration holds is still its maker's. */
        server->settings = (struct crier_config){0};
        server_deinit(server);
        return NULL;
    }
    return server;
}

struct crier_server *crier_server_new_with(const struct crier_server_options *options)
{
    struct crier_server_options o;
    struct crier_config config;
    struct crier_server *server;
    const char *fault;
    const struct crier_mem *mem;
    int r;

    crier_options_read(&o, sizeof(o), options);
    mem = o.mem ? o.mem : &crier_mem_libc;
    r = crier_config_from_options(&o, mem, &config, &fault);
    server = r == -ENOMEM
                 ? NULL
                 : crier_server_new_from(&config, mem, o.clock ? o.clock : &crier_sys_clock);
    if (!server)
        crier_config_release(mem, &config);
    else if (r < 0)
        (void)crier_server_fail(server, r, "%s", fault);
    return server;
}

struct crier_server *crier_server_free(struct crier_server *server)
{
    if (!server)
        return NULL;
    if (!enter(server))
        return server;
    server_deinit(server);
    return NULL;
}
