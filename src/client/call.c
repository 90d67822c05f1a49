/* SPDX-License-Identifier: MIT */
/*
 * One request, one answer, one connection.
 *
 *     start ─▶ dialing ─▶ connected ─▶ (out ─▶ send)  and  (recv ─▶ in ─▶ reader ─▶ items)
 *                 │           │
 *                 └───────────┴─▶ fault: why, in words
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
#include "net/socket.h"
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IN_BYTES = 64 * 1024 };

int crier_call_init(struct crier_call *call, const struct crier_mem *mem)
{
    *call = (struct crier_call){.mem = mem, .fd = -1};
    crier_dial_init(&call->dial);
    crier_buf_init(&call->out, mem);
    call->in = crier_mem_alloc(mem, IN_BYTES);
    if (!call->in || crier_reply_reader_new(mem, &call->reader) < 0) {
        crier_call_deinit(call);
        return -ENOMEM;
    }
    return 0;
}

void crier_call_close(struct crier_call *call)
{
    crier_dial_deinit(&call->dial);
    if (call->fd >= 0)
        (void)close(call->fd);
    call->fd = -1;
    call->dialing = call->deaf = call->eof = call->reached = false;
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

static int fail(struct crier_call *call, int error, const char *fault)
{
    (void)snprintf(call->fault, sizeof(call->fault), "%s", fault);
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

/* ---- the request ---- */

int crier_call_start(struct crier_call *call, const struct crier_url *url, uint64_t connect_ms)
{
    const char *fault = "";
    int r;

    crier_call_close(call);
    r = crier_dial_start(&call->dial, url, connect_ms, &fault);
    if (r == -ENOMEM)
        return fail_errno(call, r);
    if (r < 0) {
        (void)snprintf(call->fault, sizeof(call->fault), "cannot look up the host %.*s: %s",
                       CRIER_SLICE_ARG(crier_slice_sub(url->host, 0, 100)), fault);
        return r;
    }
    call->dialing = true;
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

void crier_call_request(struct crier_call *call,
                        const char *method,
                        const struct crier_url *url)
{
    crier_buf_append(&call->out, crier_slice_of(method));
    crier_buf_byte(&call->out, ' ');
    crier_url_target(&call->out, url);
    crier_buf_append(&call->out, CRIER_SLICE(" HTTP/1.1\r\nHost: "));
    crier_url_host(&call->out, url);
    crier_buf_append(&call->out, CRIER_SLICE("\r\n"));
    crier_call_header(call, "User-Agent", CRIER_SLICE("crier/" CRIER_VERSION));
}

/* ---- moving bytes ---- */

static int dial(struct crier_call *call, uint64_t now_ms)
{
    int r = crier_dial_step(&call->dial, now_ms, &call->fd);

    if (r == CRIER_DIAL_WAIT)
        return 0;
    if (r < 0)
        return fail_errno(call, r);
    crier_dial_deinit(&call->dial);
    call->dialing = false;
    call->reached = true;
    call->life_ms = now_ms;
    return 0;
}

static void flush(struct crier_call *call)
{
    while (!call->deaf && call->sent < call->out.len) {
        ssize_t n = crier_socket_send(call->fd, call->out.data + call->sent,
                                      call->out.len - call->sent);

        if (n == -EINTR)
            continue;
        if (n == -EAGAIN)
            return;
        if (n < 0) {
            call->deaf = true;
            return;
        }
        call->sent += (size_t)n;
    }
    crier_buf_clear(&call->out);
    call->sent = 0;
}

static int receive(struct crier_call *call, uint64_t now_ms)
{
    ssize_t n;

    if (call->eof || call->input.len > 0)
        return 0;
    n = crier_socket_recv(call->fd, call->in, IN_BYTES);
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (n < 0)
        return fail_errno(call, (int)n);
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
    if (call->dialing) {
        r = dial(call, now_ms);
        if (r < 0 || call->dialing)
            return r;
    }
    if (call->fd < 0)
        return 0;
    flush(call);
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

int crier_call_fd(const struct crier_call *call)
{
    return call->dialing ? call->dial.fd : call->fd;
}

size_t crier_call_unsent(const struct crier_call *call)
{
    return call->out.len - call->sent;
}

short crier_call_events(const struct crier_call *call)
{
    if (call->dialing)
        return POLLOUT;
    return (short)(POLLIN | (!call->deaf && crier_call_unsent(call) > 0 ? POLLOUT : 0));
}
