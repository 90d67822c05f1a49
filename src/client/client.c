/* SPDX-License-Identifier: MIT */
/*
 * The EventSource client, as programs see it: its life, its loop, and how it fits into others.
 *
 *                 begin                  judge: FOLLOW
 *     ┌─ WAITING ───────▶ ASKING ─────────────────────────▶ STREAMING ─┐
 *     │     ▲               │ └─ REDIRECT: ask at the other URL        │
 *     │     │               │                                          │ the stream ended,
 *     │     │               ├── judge: RETRY, STOP ─▶ REFUSED          │ an event is too
 *     │     │               │                            │ conclude    │ large
 *     │     └─── crier_down: it will come back ◀─────────┴─────────────┤
 *     └──────────────────▶ OVER ◀── crier_down: it will not ───────────┘
 *          crier_client_stop, from every state ──▶ OVER
 *
 * Stepping (attempt.c) does what can be done at once and returns; ends (down.c) are told there.
 *
 * The descriptor is an epoll instance, which is readable when something in it is: the wake-up
 * of crier_client_stop, always, and the call's descriptor (a look-up's, then a socket's) as
 * long as there is one. It is looked at level-triggered and never read by step, so that a
 * program may step as often or as rarely as it likes.
 *
 * Threads. One at a time, but for stop: it writes to an eventfd and sets an atomic flag, which
 * also signal handlers may do. The flag is looked at before each step and after each callback.
 *
 * What can fail: memory (step answers CRIER_ENOMEM); everything else is a reason in words.
 */
#include "client/client.h"

#include "base/mem.h"
#include "net/sys.h"
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 128 /* what is said without memory fits */ };

/* ---- callbacks and ends ---- */

bool crier_client_connected(const struct crier_client *client)
{
    return client->state == CRIER_CLIENT_ASKING || client->state == CRIER_CLIENT_STREAMING ||
           client->state == CRIER_CLIENT_REFUSED;
}

static void obey_stop(struct crier_client *client)
{
    if (!atomic_load(&client->stopped))
        return;
    if (client->state != CRIER_CLIENT_OVER)
        crier_down_over(client, CRIER_STOPPED);
    /* It has been seen: a loop that polls on must not spin. */
    crier_wake_drain(&client->wake);
}

void crier_client_call(struct crier_client *client)
{
    client->calling = true;
}

void crier_client_called(struct crier_client *client)
{
    client->calling = false;
    obey_stop(client);
}

int crier_client_stop(struct crier_client *client)
{
    if (!client)
        return CRIER_ENOMEM;
    crier_wake_signal(&client->wake);
    /* Last: whoever sees the flag may free the client. */
    atomic_store(&client->stopped, true);
    return 0;
}

/* ---- stepping ---- */

static struct crier_now read_clock(const struct crier_client *client)
{
    const struct crier_clock *clock = client->settings.options.clock;

    return clock ? clock->read(clock->ctx) : crier_sys_now();
}

/* Before it is closed: epoll keeps a closed descriptor as long as another process has it open,
 * after a fork, and it could then not be removed any more. */
static void unwatch(void *ctx)
{
    struct crier_client *client = ctx;

    if (client->watched >= 0)
        crier_poller_remove(&client->poller, client->watched);
    client->watched = -1;
}

/* Has the descriptor look at what the client waits for now. */
static int watch(struct crier_client *client)
{
    int fd = crier_client_connected(client) ? crier_call_fd(&client->call) : -1;
    short events = crier_call_events(&client->call);
    unsigned ready = (events & POLLIN ? (unsigned)CRIER_READY_IN : 0) |
                     (events & POLLOUT ? (unsigned)CRIER_READY_OUT : 0);
    int r;

    if (fd < 0 || (fd == client->watched && events == client->watched_events))
        return 0;
    r = crier_poller_watch(&client->poller, fd, &client->call, ready);
    if (r < 0)
        return r;
    client->watched = fd;
    client->watched_events = events;
    return 0;
}

int crier_client_step(struct crier_client *client)
{
    struct crier_now now;

    if (!client)
        return CRIER_ENOMEM;
    if (client->calling)
        return CRIER_EBUSY;
    now = read_clock(client);
    obey_stop(client);
    if (client->state == CRIER_CLIENT_WAITING && now.boot_ms >= client->due_ms)
        crier_attempt_begin(client, now);
    if (crier_client_connected(client))
        crier_attempt_step(client, now);
    if (watch(client) < 0)
        crier_down_no_memory(client, now);
    return client->state == CRIER_CLIENT_OVER ? client->result : 0;
}

int crier_client_fd(struct crier_client *client)
{
    return client ? client->poller.fd : CRIER_ENOMEM;
}

int crier_client_timeout(struct crier_client *client)
{
    uint64_t due, now_ms;

    if (!client)
        return CRIER_ENOMEM;
    if (client->state == CRIER_CLIENT_OVER)
        return -1;
    due = crier_client_connected(client) ? crier_attempt_due(client) : client->due_ms;
    now_ms = read_clock(client).boot_ms;
    if (due == UINT64_MAX)
        return -1;
    if (due <= now_ms)
        return 0;
    return due - now_ms < INT_MAX ? (int)(due - now_ms) : INT_MAX;
}

int crier_client_run(struct crier_client *client)
{
    struct crier_ready_event events[2];
    int r;

    while ((r = crier_client_step(client)) == 0) {
        r = crier_poller_wait(&client->poller, events, 2, crier_client_timeout(client));
        if (r < 0)
            return r;
    }
    return r;
}

/* ---- what there is to know ---- */

struct crier_slice crier_client_last_event_id(const struct crier_client *client)
{
    return crier_parser_last_id(client ? &client->parser : NULL);
}

struct crier_slice crier_client_header(const struct crier_client *client, const char *name)
{
    if (!client || !client->answer || !name)
        return (struct crier_slice){NULL, 0};
    return crier_reply_header(client->answer, crier_slice_of(name));
}

const char *crier_client_reason(const struct crier_client *client)
{
    return client && client->reason.len > 0 ? client->reason.data : "";
}

/* ---- life ---- */

static void seed_backoff(struct crier_client *client)
{
    uint64_t seed;

    /* Without randomness clients still must not come back together: each lies elsewhere. */
    if (crier_sys_random(&seed, sizeof(seed)) < 0)
        seed = read_clock(client).boot_ms ^ (uint64_t)(uintptr_t)client;
    crier_backoff_init(&client->backoff, &client->settings.backoff, seed);
}

static int open_descriptors(struct crier_client *client)
{
    int r = crier_poller_init(&client->poller);

    if (r == 0)
        r = crier_wake_init(&client->wake);
    if (r == 0)
        r = crier_poller_add_level(&client->poller, client->wake.fd, &client->wake, false);
    /* Told by the first step, as everything but memory. */
    if (r < 0 && r != -ENOMEM)
        (void)snprintf(client->settings.fault, sizeof(client->settings.fault),
                       "cannot make a descriptor to wait with: %s", strerror(-r));
    return r == -ENOMEM ? r : 0;
}

static int init(struct crier_client *client, const struct crier_client_options *options)
{
    const struct crier_access_options access = {.proxy = options->proxy,
                                                .ca_file = options->ca_file,
                                                .insecure = options->insecure,
                                                .connect_ms = client->settings.connect_ms};
    uint64_t max = client->settings.max_event_bytes;
    int r;

    seed_backoff(client);
    if (!client->settings.fault[0])
        (void)crier_url_parse(client->settings.url, &client->origin);
    r = open_descriptors(client);
    if (r == 0)
        r = crier_access_init(&client->access, client->mem, &access);
    if (r == 0)
        r = crier_parser_init(&client->parser, client->mem,
                              max < SIZE_MAX / 2 ? (size_t)max : SIZE_MAX / 2,
                              options->on_comment ? CRIER_PARSER_COMMENTS : 0,
                              crier_slice_of(options->last_event_id));
    if (r == 0)
        r = crier_call_init(&client->call, client->mem);
    client->call.forget = unwatch;
    client->call.ctx = client;
    if (r == 0)
        r = crier_buf_reserve(&client->reason, REASON_BYTES);
    return r;
}

struct crier_client *crier_client_new_with(const struct crier_client_options *given)
{
    const struct crier_client_options options = crier_settings_read(given);
    const struct crier_mem *mem = options.mem ? options.mem : &crier_mem_libc;
    struct crier_client *client = crier_mem_zalloc(mem, sizeof(*client));

    if (!client)
        return NULL;
    client->mem = mem;
    client->poller.fd = client->wake.fd = client->watched = -1;
    client->result = CRIER_OVER;
    atomic_init(&client->stopped, false);
    crier_buf_init(&client->hop_text, mem);
    crier_buf_init(&client->type, mem);
    crier_buf_init(&client->refusal, mem);
    crier_buf_init(&client->reason, mem);
    if (crier_settings_init(&client->settings, mem, &options) < 0 || init(client, &options) < 0)
        return crier_client_free(client);
    return client;
}

struct crier_client *crier_client_free(struct crier_client *client)
{
    if (!client)
        return NULL;
    if (client->calling)
        return client;
    crier_call_deinit(&client->call);
    if (client->parser.mem)
        crier_parser_deinit(&client->parser);
    crier_access_deinit(&client->access);
    crier_settings_deinit(&client->settings);
    crier_wake_deinit(&client->wake);
    crier_poller_deinit(&client->poller);
    crier_buf_deinit(&client->hop_text);
    crier_buf_deinit(&client->type);
    crier_buf_deinit(&client->refusal);
    crier_buf_deinit(&client->reason);
    return crier_mem_free(client->mem, client);
}
