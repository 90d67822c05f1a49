/* SPDX-License-Identifier: MIT */
/*
 * A server from its start to its end. The main thread starts the workers and then waits for
 * signals; once a second it lets history age, and it runs the demo publisher if there is one.
 * Signals are blocked everywhere and taken by sigtimedwait here, so that no handler runs in the
 * middle of anything.
 *
 *   SIGTERM, SIGINT  drain (worker.c); a second one ends at once, with status 1
 *   SIGHUP           the token file is read again
 *   SIGUSR1          from a worker: it has drained
 *   SIGPIPE          ignored: sends say MSG_NOSIGNAL, and standard error may be a closed pipe
 */
#include "server/server.h"
#include "net/sys.h"
#include "server/demo.h"
#include "server/worker.h"
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVER_LOG(server, level, event, ...)                                                  \
    crier_log((server)->hub.log, level, CRIER_LOG_KIND_SERVER, crier_sys_now(), event,         \
              __VA_ARGS__)

struct server {
    struct crier_shared hub;
    struct crier_config config;
    struct crier_hash_key hash_key;
    struct crier_demo demo;
    sigset_t signals;
};

static struct crier_slice text_of(const char *text)
{
    return crier_slice_of(text);
}

static int fail(struct server *server, const char *what, int error)
{
    SERVER_LOG(server, CRIER_LOG_ERROR, "failed", CRIER_LOG_TEXT("what", text_of(what)),
               CRIER_LOG_TEXT("error", text_of(strerror(-error))));
    return error;
}

/* ---- listeners -------------------------------------------------------------------------- */

static int listen_failed(struct server *server, const struct crier_address *address, int r)
{
    char text[CRIER_ADDRESS_TEXT];

    crier_address_format(address, text);
    SERVER_LOG(
        server, CRIER_LOG_ERROR, "failed", CRIER_LOG_TEXT("what", CRIER_SLICE("cannot listen")),
        CRIER_LOG_TEXT("address", text_of(text)),
        CRIER_LOG_TEXT("error", text_of(strerror(-r))),
        CRIER_LOG_TEXT(
            "hint",
            r == -EADDRINUSE
                ? CRIER_SLICE(
                      "another program has this port: stop it, or choose one with --listen")
                : CRIER_SLICE("choose an address with --listen")));
    return r;
}

/* "localhost:0" is two addresses that share whatever free port the first one got. */
static struct crier_address wanted_address(const struct server *server, size_t i)
{
    const struct crier_shared *hub = &server->hub;
    struct crier_address address = server->config.listens[i];

    if (address.port == 0 && address.ip.family == 6 && i > 0 && hub->listener_count > 0 &&
        server->config.listens[i - 1].port == 0 && server->config.listens[i - 1].ip.family == 4)
        address.port = hub->listeners[hub->listener_count - 1].address.port;
    return address;
}

/* `serve` refuses a public --listen without a word about publishing; a socket handed in has not
 * passed by there. */
static int check_handed_in(struct server *server, const struct crier_listener *l)
{
    bool open = l->address.ip.family != 0 && !crier_ip_is_loopback(&l->address.ip);
    char text[CRIER_ADDRESS_TEXT];

    if (!open || server->config.anonymous_publish ||
        crier_tokens_configured(server->hub.tokens))
        return 0;
    crier_address_format(&l->address, text);
    SERVER_LOG(
        server, CRIER_LOG_ERROR, "failed",
        CRIER_LOG_TEXT("what", CRIER_SLICE("a public socket was handed in by LISTEN_FDS")),
        CRIER_LOG_TEXT("address", text_of(text)),
        CRIER_LOG_TEXT("hint", CRIER_SLICE("say who may publish: --publish-token-file FILE "
                                           "or --anonymous-publish")));
    return -EPERM;
}

static int add_listener(struct server *server, size_t i, bool handed_in)
{
    struct crier_shared *hub = &server->hub;
    struct crier_listener *l = &hub->listeners[hub->listener_count];
    struct crier_address address;
    int r;

    if (handed_in) {
        r = crier_listener_inherit(hub->mem, 3 + (int)i, l);
        if (r < 0)
            return fail(server, "a descriptor handed in by LISTEN_FDS is no listening socket",
                        r);
        hub->listener_count++;
        return check_handed_in(server, l);
    }
    address = wanted_address(server, i);
    r = crier_listener_open(hub->mem, &address, server->config.workers,
                            server->config.congestion, l);
    /* A machine without IPv6 still serves `localhost`: the IPv4 address is there. */
    if ((r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && address.ip.family == 6 &&
        hub->listener_count > 0)
        return 0;
    if (r < 0)
        return listen_failed(server, &address, r);
    hub->listener_count++;
    return 0;
}

static int open_listeners(struct server *server, size_t handed_in)
{
    struct crier_shared *hub = &server->hub;
    size_t count = handed_in ? handed_in : server->config.listen_count;

    hub->listeners = crier_mem_zalloc(hub->mem, count * sizeof(*hub->listeners));
    if (!hub->listeners)
        return fail(server, "start", -ENOMEM);
    for (size_t i = 0; i < count; i++) {
        int r = add_listener(server, i, handed_in > 0);

        if (r < 0)
            return r;
    }
    return 0;
}

static void log_listeners(struct server *server)
{
    for (size_t i = 0; i < server->hub.listener_count; i++) {
        char text[CRIER_ADDRESS_TEXT];

        crier_address_format(&server->hub.listeners[i].address, text);
        SERVER_LOG(server, CRIER_LOG_INFO, "listening",
                   CRIER_LOG_TEXT("address", text_of(text)),
                   CRIER_LOG_NUMBER("workers", server->hub.worker_count));
    }
}

/* ---- start ------------------------------------------------------------------------------ */

static int start_shared(struct server *server)
{
    struct crier_shared *hub = &server->hub;
    struct crier_buf fault;
    uint32_t epoch;
    int r;

    if (crier_sys_random(&server->hash_key, sizeof(server->hash_key)) < 0 ||
        crier_sys_random(&epoch, sizeof(epoch)) < 0)
        return fail(server, "no randomness", -EIO);

    crier_buf_init(&fault, hub->mem);
    r = crier_tokens_new(hub->mem, server->config.token_file, server->config.token_text, &fault,
                         &hub->tokens);
    if (r < 0)
        SERVER_LOG(server, CRIER_LOG_ERROR, "failed",
                   CRIER_LOG_TEXT("what", CRIER_SLICE("publish token")),
                   CRIER_LOG_TEXT("error", crier_buf_slice(&fault)));
    crier_buf_deinit(&fault);
    if (r < 0)
        return r;

    r = crier_journal_new_memory(hub->mem, &server->hash_key, &server->config.journal,
                                 1 + epoch % 999, crier_sys_now(), &hub->journal);
    if (r == 0)
        r = crier_presence_new(hub->mem, hub->journal, &hub->presence);
    if (r == 0)
        r = crier_limits_new(hub->mem, &server->hash_key, server->config.max_connections,
                             server->config.max_per_address, &hub->limits);
    return r < 0 ? fail(server, "start", r) : 0;
}

static int start_workers(struct server *server)
{
    struct crier_shared *hub = &server->hub;
    size_t wanted = server->config.workers;

    hub->workers = crier_mem_zalloc(hub->mem, wanted * sizeof(*hub->workers));
    if (!hub->workers)
        return fail(server, "start", -ENOMEM);
    hub->worker_count = wanted;
    for (size_t i = 0; i < wanted; i++)
        hub->workers[i].hub = hub;
    for (size_t i = 0; i < wanted; i++) {
        uint64_t seed = i;
        int r = crier_sys_random(&seed, sizeof(seed));

        if (r == 0)
            r = crier_worker_init(&hub->workers[i], hub, (unsigned)i, seed);
        if (r < 0)
            return fail(server, "start a worker", r);
    }
    for (size_t i = 0; i < wanted; i++) {
        int r =
            pthread_create(&hub->workers[i].thread, NULL, crier_worker_run, &hub->workers[i]);

        if (r != 0)
            return fail(server, "start a thread", -r);
        hub->workers[i].running = true;
    }
    return 0;
}

/* ---- the main thread -------------------------------------------------------------------- */

static int demo_publish(void *ctx,
                        struct crier_slice topic,
                        struct crier_slice type,
                        struct crier_slice data)
{
    struct server *server = ctx;
    const struct crier_event event = {.data = data, .type = type, .flags = CRIER_DATA};
    struct crier_draft draft = {.topics = {topic}, .topic_count = 1, .type = type};
    struct crier_buf sse;
    int r;

    crier_buf_init(&sse, server->hub.mem);
    r = crier_event_append(&sse, &event, &draft.id_at);
    if (r == 0) {
        draft.sse = crier_buf_slice(&sse);
        crier_journal_append(server->hub.journal, &draft, 1, crier_sys_now());
        r = draft.result;
    }
    crier_buf_deinit(&sse);
    return r;
}

static void reload_tokens(struct server *server)
{
    struct crier_buf fault;

    crier_buf_init(&fault, server->hub.mem);
    if (crier_tokens_reload(server->hub.tokens, &fault) < 0)
        SERVER_LOG(server, CRIER_LOG_ERROR, "reload-failed",
                   CRIER_LOG_TEXT("error", crier_buf_slice(&fault)),
                   CRIER_LOG_TEXT("hint", CRIER_SLICE("the old tokens stay")));
    else
        SERVER_LOG(server, CRIER_LOG_INFO, "reloaded",
                   CRIER_LOG_TEXT("what", CRIER_SLICE("publish tokens")));
    crier_buf_deinit(&fault);
}

/* Waits for SIGTERM or SIGINT, and does what has to be done now and then. */
static int wait_for_end(struct server *server)
{
    uint64_t trim_at = 0;

    for (;;) {
        struct crier_now now = crier_sys_now();
        uint64_t wait_ms = 1000;
        struct timespec wait;
        int signal;

        if (now.boot_ms >= trim_at) {
            crier_journal_trim(server->hub.journal, now);
            trim_at = now.boot_ms + 1000;
        }
        if (server->config.demo) {
            uint64_t due = crier_demo_step(&server->demo, now, demo_publish, server);

            wait_ms = due < wait_ms ? due : wait_ms;
        }
        wait = (struct timespec){.tv_sec = (time_t)(wait_ms / 1000),
                                 .tv_nsec = (long)(wait_ms % 1000) * 1000000};
        signal = sigtimedwait(&server->signals, NULL, &wait);
        if (signal == SIGHUP)
            reload_tokens(server);
        else if (signal == SIGTERM || signal == SIGINT)
            return signal;
    }
}

static void start_drain(struct server *server, int signal)
{
    struct crier_shared *hub = &server->hub;
    uint64_t now = crier_sys_now().boot_ms;

    atomic_store(&hub->drain_until, now + server->config.drain_ms);
    atomic_store(&hub->draining, true);
    /* Said when it holds: who waits for this line meets draining answers only. */
    SERVER_LOG(server, CRIER_LOG_INFO, "draining",
               CRIER_LOG_TEXT("signal", signal == SIGTERM ? CRIER_SLICE("SIGTERM")
                                                          : CRIER_SLICE("SIGINT")),
               CRIER_LOG_NUMBER("most_ms", server->config.drain_ms));
    for (size_t i = 0; i < hub->worker_count; i++)
        crier_worker_wake(&hub->workers[i]);
}

static void join_workers(struct server *server)
{
    for (size_t i = 0; i < server->hub.worker_count; i++) {
        if (server->hub.workers[i].running)
            pthread_join(server->hub.workers[i].thread, NULL);
        server->hub.workers[i].running = false;
    }
}

static bool all_drained(const struct server *server)
{
    for (size_t i = 0; i < server->hub.worker_count; i++) {
        if (!atomic_load(&server->hub.workers[i].drained))
            return false;
    }
    return true;
}

/* While the workers drain: a second signal ends at once. A worker that has drained says so by
 * SIGUSR1. */
static void wait_for_workers(struct server *server)
{
    while (!all_drained(server)) {
        const struct timespec wait = {.tv_nsec = 100 * 1000000};
        int signal = sigtimedwait(&server->signals, NULL, &wait);

        if (signal != SIGTERM && signal != SIGINT)
            continue;
        SERVER_LOG(server, CRIER_LOG_WARNING, "ended",
                   CRIER_LOG_TEXT("reason", CRIER_SLICE("second signal")));
        _exit(1);
    }
}

static void run(struct server *server)
{
    start_drain(server, wait_for_end(server));
    wait_for_workers(server);
    join_workers(server);
    SERVER_LOG(server, CRIER_LOG_INFO, "ended",
               CRIER_LOG_TEXT("reason", CRIER_SLICE("drained")));
}

/* ---- from start to end ------------------------------------------------------------------ */

/* Also after a start that failed half way. Workers first; the sockets last. */
static void server_deinit(struct server *server)
{
    struct crier_shared *hub = &server->hub;

    if (hub->worker_count) {
        atomic_store(&hub->draining,
                     true); /* for workers that run although a later one could not start */
        for (size_t i = 0; i < hub->worker_count; i++) {
            if (hub->workers[i].running)
                crier_worker_wake(&hub->workers[i]);
        }
        join_workers(server);
        for (size_t i = 0; i < hub->worker_count; i++)
            crier_worker_deinit(&hub->workers[i]);
        crier_mem_free(hub->mem, hub->workers);
    }
    crier_limits_free(hub->limits);
    crier_presence_free(hub->presence);
    crier_journal_free(hub->journal);
    crier_tokens_free(hub->tokens);
    for (size_t i = 0; i < hub->listener_count; i++)
        crier_listener_close(hub->mem, &hub->listeners[i]);
    crier_mem_free(hub->mem, hub->listeners);
}

static int server_start(struct server *server)
{
    size_t handed_in;

    if (crier_listen_fds(&handed_in) < 0)
        return fail(server, "LISTEN_FDS", -EINVAL);
    server->hub.started_ms = crier_sys_now().boot_ms;
    if (start_shared(server) < 0 || open_listeners(server, handed_in) < 0 ||
        start_workers(server) < 0)
        return -1;
    log_listeners(server);
    return 0;
}

/* Large blocks (history's segments, windows of a burst) each get pages of their own, which go
 * back to the system when they are freed. By default glibc raises this threshold at the first
 * such free, and from then on they lie in the heap, held in place by whatever small thing was
 * allocated behind them. */
static void tune_allocator(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
#endif
}

int crier_server_main(const struct crier_config *config)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    struct server *server = crier_mem_zalloc(&crier_mem_libc, sizeof(*server));
    int status = 1;

    if (!server)
        return 1;
    tune_allocator();
    server->config = *config;
    server->hub.mem = &crier_mem_libc;
    server->hub.config = &server->config;
    server->hub.main = pthread_self();
    sigemptyset(&server->signals);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
        sigaddset(&server->signals, handled[i]);
    pthread_sigmask(SIG_BLOCK, &server->signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    if (crier_log_new(server->hub.mem, config->log_level, STDERR_FILENO, &server->hub.log) ==
        0) {
        crier_demo_init(&server->demo, crier_sys_now().wall_ms, crier_sys_now());
        if (server_start(server) == 0) {
            run(server);
            status = 0;
        }
        server_deinit(server);
        crier_log_free(server->hub.log);
    }
    crier_mem_free(&crier_mem_libc, server);
    return status;
}
