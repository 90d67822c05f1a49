/* SPDX-License-Identifier: MIT */
/*
 * One request, one answer, one connection.
 *
 *             dialed            a proxy leads to https
 *     DIALING ──────┬──────────────▶ TUNNELING ───┐
 *                   ├── https ────────────────────┴──▶ SHAKING ──┐
 *                   └── http ─────────────────────────────────▶ OPEN
 *
 *     OPEN: out ─▶ send   and   recv ─▶ in ─▶ reader ─▶ items
 *     anything that fails: fault, why, in words
 *
 * A failed send is no fault by itself: a server that refuses early answers and closes while we
 * still send, and its answer is what people need to see. So `deaf` only stops sending; reading
 * goes on and tells what it was.
 *
 * The connection is never used twice. That costs a connect for each request, and spares the
 * question whether a request on a connection that the server was just closing had been taken.
 */
#include "client/call.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "http/response.h"
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { IN_BYTES = 64 * 1024, HOST_SHOWN = 100 };

int crier_call_init(struct crier_call *call, const struct crier_mem *mem)
{
    *call = (struct crier_call){.mem = mem};
    crier_dial_init(&call->dial);
    crier_transport_init(&call->transport);
    crier_tunnel_init(&call->tunnel, mem);
    crier_buf_init(&call->out, mem);
    call->in = crier_mem_alloc(mem, IN_BYTES);
    if (!call->in || crier_reply_reader_new(mem, &call->reader) < 0) {
        crier_call_deinit(call);
        return -ENOMEM;
    }
    return 0;
}

static void forget(struct crier_call *call)
{
    if (call->forget)
        call->forget(call->ctx);
}

void crier_call_close(struct crier_call *call)
{
    forget(call);
    crier_dial_deinit(&call->dial);
    crier_transport_close(&call->transport);
    crier_tunnel_deinit(&call->tunnel);
    crier_tunnel_init(&call->tunnel, call->mem);
    call->phase = CRIER_CALL_CLOSED;
    call->deaf = call->eof = call->reached = call->begun = call->hopeless = false;
    call->proxy_status = 0;
    call->sent = 0;
    call->input = (struct crier_slice){NULL, 0};
    call->fault[0] = '\0';
    crier_buf_clear(&call->out);
    if (call->reader)
        crier_reply_reset(call->reader);
}

void crier_call_deinit(struct crier_call *call)
{
    if (!call->mem)
        return;
    crier_call_close(call);
    crier_buf_deinit(&call->out);
    call->in = crier_mem_free(call->mem, call->in);
    call->reader = crier_reply_reader_free(call->reader);
}

/* ---- faults ---- */

static int fail(struct crier_call *call, int error, const char *fault)
{
    (void)snprintf(call->fault, sizeof(call->fault), "%s", fault);
    return error;
}

/* What could not be done, and why. */
static int fail_to(struct crier_call *call, int error, const char *what, const char *why)
{
    (void)snprintf(call->fault, sizeof(call->fault), "%s: %s", what, why);
    return error;
}

/* "Connection refused" is how strerror begins a sentence; ours is under way. */
static int fail_errno(struct crier_call *call, int error)
{
    (void)fail(call, error,
               error == -ETIMEDOUT ? "no answer to the connection attempt" : strerror(-error));
    /* Not of an abbreviation. */
    if (crier_lower(call->fault[1]) == call->fault[1] && crier_is_alpha(call->fault[1]))
        call->fault[0] = crier_lower(call->fault[0]);
    return error;
}

static int fail_transport(struct crier_call *call, int error)
{
    const char *fault = crier_transport_fault(&call->transport);

    call->hopeless = error == -EKEYREJECTED;
    return fault[0] ? fail(call, error, fault) : fail_errno(call, error);
}

static struct crier_slice dialed_host(const struct crier_call *call)
{
    return call->proxy ? call->proxy->url.host : call->url.host;
}

static int fail_dial(struct crier_call *call, int error)
{
    char what[HOST_SHOWN + 64], why[128];
    const char *fault = call->dial.fault;

    if (error == -ENOMEM || (!fault && !call->proxy))
        return fail_errno(call, error);
    (void)snprintf(what, sizeof(what), "%s%s%.*s",
                   fault ? "cannot look up the " : "cannot connect to the ",
                   call->proxy ? "proxy " : "host ",
                   CRIER_SLICE_ARG(crier_slice_sub(dialed_host(call), 0, HOST_SHOWN)));
    if (!fault) {
        (void)fail_errno(call, error);
        fault = call->fault;
    }
    (void)snprintf(why, sizeof(why), "%.120s", fault);
    return fail_to(call, error, what, why);
}

static int fail_tunnel(struct crier_call *call, int error)
{
    unsigned status = error == -ECONNABORTED ? call->tunnel.status : 0;
    const char *reason = crier_status_reason(status);

    call->proxy_status = status;
    if (status)
        (void)snprintf(call->fault, sizeof(call->fault),
                       "the proxy does not connect to the server: %u%s%s", status,
                       reason[0] ? " " : "", reason);
    else if (call->tunnel.fault)
        (void)fail_to(call, error, "the proxy failed", call->tunnel.fault);
    else
        (void)fail_errno(call, error);
    return error;
}

/* ---- the request ---- */

static int choose_way(struct crier_call *call)
{
    char fault[CRIER_TLS_FAULT];
    int r;

    call->proxy = crier_proxies_for(&call->access->proxies, &call->url);
    if (call->proxy && call->proxy->fault) {
        call->hopeless = true;
        return fail_to(call, -EINVAL, "the proxy cannot be used", call->proxy->fault);
    }
    if (!call->url.is_secure)
        return 0;
    r = crier_access_tls(call->access, fault, &call->tls);
    call->hopeless = r < 0 && r != -ENOMEM;
    return r < 0 ? fail(call, r, fault) : 0;
}

int crier_call_start(struct crier_call *call,
                     struct crier_access *access,
                     const struct crier_url *url)
{
    uint16_t port;
    int r;

    crier_call_close(call);
    call->access = access;
    call->url = *url;
    r = choose_way(call);
    if (r < 0)
        return r;
    port = call->proxy ? call->proxy->url.port : url->port;
    r = crier_dial_start(&call->dial, dialed_host(call), port, access->connect_ms);
    if (r < 0)
        return fail_dial(call, r);
    call->phase = CRIER_CALL_DIALING;
    return 0;
}

void crier_call_header(struct crier_call *call, const char *name, struct crier_slice value)
{
    assert(crier_slice_find_eol(value) == value.len &&
           crier_slice_find(value, '\0') == value.len);
    crier_buf_append(&call->out, crier_slice_of(name));
    crier_buf_append(&call->out, CRIER_SLICE(": "));
    crier_buf_append(&call->out, value);
    crier_buf_append(&call->out, CRIER_SLICE("\r\n"));
}

void crier_call_bearer(struct crier_call *call, struct crier_slice token)
{
    if (token.len == 0)
        return;
    crier_buf_append(&call->out, CRIER_SLICE("Authorization: Bearer "));
    crier_buf_append(&call->out, token);
    crier_buf_append(&call->out, CRIER_SLICE("\r\n"));
}

void crier_call_agent(struct crier_call *call)
{
    crier_call_header(call, "User-Agent", CRIER_SLICE("crier/" CRIER_VERSION));
}

/* A proxy is told the whole URL (RFC 9112 3.2.2), unless it only passes TLS through. */
void crier_call_request(struct crier_call *call, const char *method)
{
    bool by_proxy = call->proxy && !call->url.is_secure;

    crier_buf_append(&call->out, crier_slice_of(method));
    crier_buf_byte(&call->out, ' ');
    if (by_proxy)
        crier_url_origin(&call->out, &call->url);
    crier_url_target(&call->out, &call->url);
    crier_buf_append(&call->out, CRIER_SLICE(" HTTP/1.1\r\nHost: "));
    crier_url_host(&call->out, &call->url);
    crier_buf_append(&call->out, CRIER_SLICE("\r\n"));
    if (by_proxy && call->proxy->authorization.len > 0)
        crier_call_header(call, "Proxy-Authorization",
                          crier_buf_slice(&call->proxy->authorization));
}

/* ---- connecting ---- */

static int enter(struct crier_call *call, enum crier_call_phase phase, uint64_t now_ms)
{
    int r = 0;

    call->phase = phase;
    call->reached = phase == CRIER_CALL_OPEN;
    call->life_ms = call->sent_ms = now_ms;
    if (phase == CRIER_CALL_TUNNELING)
        r = crier_tunnel_start(&call->tunnel, call->proxy, &call->url);
    else if (phase == CRIER_CALL_SHAKING)
        r = crier_transport_secure(&call->transport, call->tls, call->url.host);
    if (r == -EINVAL)
        return fail(call, r, "the host's name cannot be asked for over TLS");
    return r < 0 ? fail_errno(call, r) : 0;
}

static int dial(struct crier_call *call, uint64_t now_ms)
{
    int r;

    /* It goes from look-up to address to address. */
    forget(call);
    r = crier_dial_step(&call->dial, now_ms, &call->transport.fd);
    if (r == CRIER_DIAL_WAIT)
        return 0;
    if (r < 0)
        return fail_dial(call, r);
    crier_dial_deinit(&call->dial);
    call->deadline_ms = crier_dial_deadline(now_ms, call->access->connect_ms);
    if (call->url.is_secure)
        return enter(call, call->proxy ? CRIER_CALL_TUNNELING : CRIER_CALL_SHAKING, now_ms);
    return enter(call, CRIER_CALL_OPEN, now_ms);
}

static int tunnel(struct crier_call *call, uint64_t now_ms)
{
    int r = crier_tunnel_step(&call->tunnel, &call->transport);

    if (r < 0)
        return fail_tunnel(call, r);
    if (r == 0)
        return enter(call, CRIER_CALL_SHAKING, now_ms);
    return now_ms < call->deadline_ms ? 0 : fail(call, -ETIMEDOUT, "the proxy does not answer");
}

static int shake(struct crier_call *call, uint64_t now_ms)
{
    int r = crier_transport_handshake(&call->transport);

    if (r < 0)
        return fail_transport(call, r);
    if (r == 0)
        return enter(call, CRIER_CALL_OPEN, now_ms);
    return now_ms < call->deadline_ms
               ? 0
               : fail(call, -ETIMEDOUT, "the server does not answer the TLS handshake");
}

/* As far as it goes without waiting. */
static int connect_on(struct crier_call *call, uint64_t now_ms)
{
    enum crier_call_phase before;
    int r = 0;

    do {
        before = call->phase;
        switch (before) {
        case CRIER_CALL_DIALING:
            r = dial(call, now_ms);
            break;
        case CRIER_CALL_TUNNELING:
            r = tunnel(call, now_ms);
            break;
        case CRIER_CALL_SHAKING:
            r = shake(call, now_ms);
            break;
        case CRIER_CALL_CLOSED:
        case CRIER_CALL_OPEN:
            return 0;
        }
    } while (r == 0 && call->phase != before);
    return r;
}

/* ---- moving bytes ---- */

static void flush(struct crier_call *call, uint64_t now_ms)
{
    while (!call->deaf && call->sent < call->out.len) {
        ssize_t n = crier_transport_send(&call->transport, call->out.data + call->sent,
                                         call->out.len - call->sent);

        if (n == -EAGAIN)
            return;
        if (n < 0) {
            call->deaf = true;
            return;
        }
        call->begun = true;
        call->sent += (size_t)n;
        call->life_ms = call->sent_ms = now_ms;
    }
    crier_buf_clear(&call->out);
    call->sent = 0;
}

static int receive(struct crier_call *call, uint64_t now_ms)
{
    ssize_t n;

    if (call->eof || call->input.len > 0)
        return 0;
    n = crier_transport_recv(&call->transport, call->in, IN_BYTES);
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return fail_transport(call, (int)n);
    call->eof = n == 0;
    call->input = (struct crier_slice){call->in, (size_t)n};
    call->life_ms = now_ms;
    return 0;
}

int crier_call_io(struct crier_call *call, uint64_t now_ms)
{
    int r;

    if (crier_buf_error(&call->out) < 0)
        return fail_errno(call, -ENOMEM);
    r = connect_on(call, now_ms);
    if (r < 0 || call->phase != CRIER_CALL_OPEN)
        return r;
    flush(call, now_ms);
    return receive(call, now_ms);
}

int crier_call_next(struct crier_call *call, struct crier_reply_item *ret_item)
{
    int r = crier_reply_next(call->reader, &call->input, ret_item);

    if (r < 0)
        return fail(call, r, crier_reply_fault(call->reader));
    if (r == 0)
        return 0;
    if (!call->eof)
        return CRIER_CALL_MORE;
    if (crier_reply_finish(call->reader) == CRIER_REPLY_CUT)
        return fail(call, -ECONNRESET,
                    "the server closed the connection before its answer was complete");
    *ret_item = (struct crier_reply_item){.kind = CRIER_REPLY_END};
    return 0;
}

/* ---- waiting ---- */

bool crier_call_connecting(const struct crier_call *call)
{
    return call->phase == CRIER_CALL_DIALING || call->phase == CRIER_CALL_TUNNELING ||
           call->phase == CRIER_CALL_SHAKING;
}

uint64_t crier_call_deadline(const struct crier_call *call)
{
    return call->phase == CRIER_CALL_DIALING ? call->dial.deadline_ms : call->deadline_ms;
}

int crier_call_fd(const struct crier_call *call)
{
    return call->phase == CRIER_CALL_DIALING ? crier_dial_fd(&call->dial) : call->transport.fd;
}

size_t crier_call_unsent(const struct crier_call *call)
{
    return call->out.len - call->sent;
}

bool crier_call_pending(const struct crier_call *call)
{
    return call->phase == CRIER_CALL_OPEN && crier_transport_pending(&call->transport);
}

short crier_call_events(const struct crier_call *call)
{
    bool out = crier_transport_wants_out(&call->transport);

    switch (call->phase) {
    case CRIER_CALL_CLOSED:
        return 0;
    case CRIER_CALL_DIALING:
        return crier_dial_events(&call->dial);
    case CRIER_CALL_TUNNELING:
        out = crier_tunnel_unsent(&call->tunnel);
        break;
    case CRIER_CALL_SHAKING:
        break;
    case CRIER_CALL_OPEN:
        out = out || (!call->deaf && crier_call_unsent(call) > 0);
        break;
    }
    return (short)(POLLIN | (out ? POLLOUT : 0));
}
