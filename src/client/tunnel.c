/* SPDX-License-Identifier: MIT */
#include "client/tunnel.h"

enum { IN_BYTES = 2048 };

void crier_tunnel_init(struct crier_tunnel *tunnel, const struct crier_mem *mem)
{
    *tunnel = (struct crier_tunnel){.sent = 0};
    crier_buf_init(&tunnel->out, mem);
}

void crier_tunnel_deinit(struct crier_tunnel *tunnel)
{
    crier_buf_deinit(&tunnel->out);
    tunnel->reader = crier_reply_reader_free(tunnel->reader);
}

/* The port is always named (RFC 9110 7.2, authority-form). */
static void append_authority(struct crier_buf *buf, const struct crier_url *url)
{
    crier_buf_printf(buf, url->is_ipv6 ? "[%.*s]:%u" : "%.*s:%u", CRIER_SLICE_ARG(url->host),
                     (unsigned)url->port);
}

int crier_tunnel_start(struct crier_tunnel *tunnel,
                       const struct crier_proxy *proxy,
                       const struct crier_url *url)
{
    struct crier_buf *out = &tunnel->out;

    crier_buf_append(out, CRIER_SLICE("CONNECT "));
    append_authority(out, url);
    crier_buf_append(out, CRIER_SLICE(" HTTP/1.1\r\nHost: "));
    append_authority(out, url);
    crier_buf_append(out, CRIER_SLICE("\r\n"));
    if (proxy->authorization.len > 0) {
        crier_buf_append(out, CRIER_SLICE("Proxy-Authorization: "));
        crier_buf_append(out, crier_buf_slice(&proxy->authorization));
        crier_buf_append(out, CRIER_SLICE("\r\n"));
    }
    crier_buf_append(out, CRIER_SLICE("\r\n"));
    if (crier_buf_error(out) < 0)
        return -ENOMEM;
    return crier_reply_reader_new(out->mem, &tunnel->reader);
}

/* 0, -errno. */
static int flush(struct crier_tunnel *tunnel, struct crier_transport *transport)
{
    while (tunnel->sent < tunnel->out.len) {
        ssize_t n = crier_transport_send(transport, tunnel->out.data + tunnel->sent,
                                         tunnel->out.len - tunnel->sent);

        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        tunnel->sent += (size_t)n;
    }
    return 0;
}

static int fail(struct crier_tunnel *tunnel, int error, const char *fault)
{
    tunnel->fault = fault;
    return error;
}

/* As crier_tunnel_step. */
static int use(struct crier_tunnel *tunnel, struct crier_slice input)
{
    struct crier_reply_item item;
    int r = crier_reply_next(tunnel->reader, &input, &item);

    if (r < 0)
        return fail(tunnel, r, crier_reply_fault(tunnel->reader));
    if (r == CRIER_REPLY_MORE)
        return CRIER_TUNNEL_WAIT;
    /* The head comes first. */
    tunnel->answer = item.reply;
    tunnel->status = item.reply->status;
    if (tunnel->status > 299)
        return -ECONNABORTED;
    /* With TLS it is the client that speaks first. */
    return input.len > 0 ? fail(tunnel, -EPROTO, "the proxy speaks in the server's place") : 0;
}

int crier_tunnel_step(struct crier_tunnel *tunnel, struct crier_transport *transport)
{
    char bytes[IN_BYTES];
    int r = flush(tunnel, transport);

    while (r == 0) {
        ssize_t n = crier_transport_recv(transport, bytes, sizeof(bytes));

        if (n == -EAGAIN)
            return CRIER_TUNNEL_WAIT;
        if (n < 0)
            return (int)n;
        if (n == 0)
            return fail(tunnel, -ECONNRESET, "the proxy closed the connection");
        r = use(tunnel, (struct crier_slice){bytes, (size_t)n});
        if (r == 0)
            return 0;
        if (r == CRIER_TUNNEL_WAIT)
            r = 0;
    }
    return r;
}

struct crier_slice crier_tunnel_retry_after(const struct crier_tunnel *tunnel)
{
    if (!tunnel->answer)
        return (struct crier_slice){NULL, 0};
    return crier_reply_header(tunnel->answer, CRIER_SLICE("retry-after"));
}

bool crier_tunnel_unsent(const struct crier_tunnel *tunnel)
{
    return tunnel->sent < tunnel->out.len;
}
