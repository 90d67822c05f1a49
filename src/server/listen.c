/* SPDX-License-Identifier: MIT */
/* The sockets a server listens on: its own, or handed in. */
#include "server/server.h"

#include <stdio.h>

static int
listen_failed(struct crier_server *server, const struct crier_address *address, int error)
{
    char text[CRIER_ADDRESS_TEXT];

    crier_address_format(address, text);
    /* A program has its own words for what to do; whoever typed a command is told. */
    if (!server->config->library)
        SERVER_LOG(
            server, CRIER_LOG_ERROR, "hint",
            CRIER_LOG_TEXT("hint", error == -EADDRINUSE
                                       ? CRIER_SLICE("another program has this port: stop it, "
                                                     "or choose one with --listen")
                                       : CRIER_SLICE("choose an address with --listen")));
    return crier_server_fail(server, error, "cannot listen on %s: %s", text,
                             crier_strerror(error));
}

/* "localhost:0" is two addresses that share whatever free port the first one got. */
static struct crier_address wanted_address(const struct crier_server *server, size_t i)
{
    struct crier_address address = server->config->listens[i];

    if (address.port == 0 && address.ip.family == 6 && i > 0 && server->listener_count > 0 &&
        server->config->listens[i - 1].port == 0 &&
        server->config->listens[i - 1].ip.family == 4)
        address.port = server->listeners[server->listener_count - 1].address.port;
    return address;
}

/* `serve` refuses a public --listen without a word about publishing; a socket handed in has not
 * passed by there. */
static int check_handed_in(struct crier_server *server, const struct crier_listener *l)
{
    bool open = l->address.ip.family != 0 && !crier_ip_is_loopback(&l->address.ip);
    char text[CRIER_ADDRESS_TEXT];

    if (!open || server->config->anonymous_publish || crier_tokens_configured(server->tokens))
        return 0;
    crier_address_format(&l->address, text);
    return crier_server_fail(
        server, -EPERM,
        "a public socket (%s) was handed in by LISTEN_FDS: say who may publish, with "
        "--publish-token-file FILE or --anonymous-publish",
        text);
}

static int add_handed_in(struct crier_server *server, size_t i)
{
    struct crier_listener *l = &server->listeners[server->listener_count];
    int r = crier_listener_inherit(server->mem, 3 + (int)i, l);

    if (r < 0)
        return crier_server_fail_errno(
            server, "a descriptor handed in by LISTEN_FDS is no listening socket", r);
    server->listener_count++;
    return check_handed_in(server, l);
}

static int add_listener(struct crier_server *server, size_t i)
{
    struct crier_listener *l = &server->listeners[server->listener_count];
    struct crier_address address = wanted_address(server, i);
    int r = crier_listener_open(server->mem, &address, server->config->workers,
                                server->config->congestion, l);

    /* A machine without IPv6 still serves `localhost`: the IPv4 address is there. */
    if ((r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && address.ip.family == 6 &&
        server->listener_count > 0)
        return 0;
    if (r < 0)
        return listen_failed(server, &address, r);
    server->listener_count++;
    return 0;
}

static int open_listeners(struct crier_server *server)
{
    size_t handed_in = 0, count;

    if (server->config->inherit && crier_listen_fds(&handed_in) < 0)
        return crier_server_fail(server, -EINVAL, "LISTEN_FDS is not a number");
    count = handed_in ? handed_in : server->config->listen_count;
    server->listeners = crier_mem_zalloc(server->mem, count * sizeof(*server->listeners));
    if (!server->listeners)
        return crier_server_fail(server, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        int r = handed_in ? add_handed_in(server, i) : add_listener(server, i);

        if (r < 0)
            return r;
    }
    return 0;
}

void crier_server_close_listeners(struct crier_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        crier_listener_close(server->mem, &server->listeners[i]);
    server->listener_count = 0;
    server->listeners = crier_mem_free(server->mem, server->listeners);
}

/* For a browser on this machine: one that listens everywhere is found at localhost. */
static void note_url(struct crier_server *server)
{
    const struct crier_address *address = &server->listeners[0].address;
    char text[CRIER_ADDRESS_TEXT];
    bool any = true;

    for (size_t i = 0; i < (address->ip.family == 6 ? 16 : 4); i++)
        any = any && address->ip.bytes[i] == 0;
    crier_address_format(address, text);
    if (any)
        (void)snprintf(server->url, sizeof(server->url), "http://localhost:%u/", address->port);
    else
        (void)snprintf(server->url, sizeof(server->url), "http://%s/", text);
}

int crier_server_listen(struct crier_server *server)
{
    int r;

    if (!server)
        return CRIER_ENOMEM;
    if (server->failed)
        return server->failed;
    if (server->listening || server->started)
        return 0;
    r = open_listeners(server);
    if (r < 0)
        crier_server_close_listeners(server);
    server->listening = r == 0;
    if (r == 0 && server->listener_count)
        note_url(server);
    return r;
}

const char *crier_server_url(const struct crier_server *server)
{
    return server ? server->url : "";
}

int crier_server_port(const struct crier_server *server)
{
    return server && server->listener_count ? server->listeners[0].address.port : 0;
}

void crier_server_log_listeners(struct crier_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        char text[CRIER_ADDRESS_TEXT];

        crier_address_format(&server->listeners[i].address, text);
        SERVER_LOG(server, CRIER_LOG_INFO, "listening",
                   CRIER_LOG_TEXT("address", crier_slice_of(text)),
                   CRIER_LOG_NUMBER("workers", server->worker_count));
    }
}
