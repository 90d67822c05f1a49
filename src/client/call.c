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

#include "base/mem.h"
#include "net/socket.h"
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IN_BYTES = 64 * 1024 };

int crier_call_init(struct crier_call *x, const struct crier_mem *mem)
{
    *x = (struct crier_call){.mem = mem, .fd = -1};
    crier_dial_init(&x->dial);
    crier_buf_init(&x->out, mem);
    x->in = crier_mem_alloc(mem, IN_BYTES);
    if (!x->in || crier_reply_reader_new(mem, &x->reader) < 0) {
        crier_call_deinit(x);
        return -ENOMEM;
    }
    return 0;
}

void crier_call_close(struct crier_call *x)
{
    crier_dial_deinit(&x->dial);
    if (x->fd >= 0)
        (void)close(x->fd);
    x->fd = -1;
    x->dialing = x->deaf = x->eof = x->reached = false;
    x->sent = 0;
    x->input = (struct crier_slice){NULL, 0};
    x->fault[0] = '\0';
    crier_buf_clear(&x->out);
    if (x->reader)
        crier_reply_reset(x->reader);
}

void crier_call_deinit(struct crier_call *x)
{
    if (!x->mem)
        return;
    crier_call_close(x);
    crier_buf_deinit(&x->out);
    x->in = crier_mem_free(x->mem, x->in);
    x->reader = crier_reply_reader_free(x->reader);
}

static int fail(struct crier_call *x, int error, const char *fault)
{
    (void)snprintf(x->fault, sizeof(x->fault), "%s", fault);
    return error;
}

/* "Connection refused" is how strerror begins a sentence; ours is under way. */
static int fail_errno(struct crier_call *x, int error)
{
    (void)fail(x, error,
               error == -ETIMEDOUT ? "no answer to the connection attempt" : strerror(-error));
    if (x->fault[0] >= 'A' && x->fault[0] <= 'Z' && x->fault[1] >= 'a' && x->fault[1] <= 'z')
        x->fault[0] = (char)(x->fault[0] - 'A' + 'a');
    return error;
}

/* ---- the request ---- */

int crier_call_start(struct crier_call *x, const struct crier_url *url, uint64_t connect_ms)
{
    const char *fault = "";
    int r;

    crier_call_close(x);
    r = crier_dial_start(&x->dial, url, connect_ms, &fault);
    if (r == -ENOMEM)
        return fail_errno(x, r);
    if (r < 0) {
        (void)snprintf(x->fault, sizeof(x->fault), "cannot look up the host %.*s: %s",
                       CRIER_SLICE_ARG(crier_slice_sub(url->host, 0, 100)), fault);
        return r;
    }
    x->dialing = true;
    return 0;
}

void crier_call_header(struct crier_call *x, const char *name, struct crier_slice value)
{
    assert(crier_slice_find_eol(value) == value.len &&
           crier_slice_find(value, '\0') == value.len);
    crier_buf_append(&x->out, crier_slice_of(name));
    crier_buf_append(&x->out, CRIER_SLICE(": "));
    crier_buf_append(&x->out, value);
    crier_buf_append(&x->out, CRIER_SLICE("\r\n"));
}

void crier_call_request(struct crier_call *x, const char *method, const struct crier_url *url)
{
    crier_buf_append(&x->out, crier_slice_of(method));
    crier_buf_byte(&x->out, ' ');
    crier_url_target(&x->out, url);
    crier_buf_append(&x->out, CRIER_SLICE(" HTTP/1.1\r\nHost: "));
    crier_url_host(&x->out, url);
    crier_buf_append(&x->out, CRIER_SLICE("\r\n"));
    crier_call_header(x, "User-Agent", CRIER_SLICE("crier/" CRIER_VERSION));
}

/* ---- moving bytes ---- */

static int dial(struct crier_call *x, uint64_t now_ms)
{
    int r = crier_dial_step(&x->dial, now_ms, &x->fd);

    if (r == CRIER_DIAL_WAIT)
        return 0;
    if (r < 0)
        return fail_errno(x, r);
    crier_dial_deinit(&x->dial);
    x->dialing = false;
    x->reached = true;
    x->life_ms = now_ms;
    return 0;
}

static void flush(struct crier_call *x)
{
    while (!x->deaf && x->sent < x->out.len) {
        ssize_t n = crier_socket_send(x->fd, x->out.data + x->sent, x->out.len - x->sent);

        if (n == -EINTR)
            continue;
        if (n == -EAGAIN)
            return;
        if (n < 0) {
            x->deaf = true;
            return;
        }
        x->sent += (size_t)n;
    }
    crier_buf_clear(&x->out);
    x->sent = 0;
}

static int receive(struct crier_call *x, uint64_t now_ms)
{
    ssize_t n;

    if (x->eof || x->input.len > 0)
        return 0;
    n = crier_socket_recv(x->fd, x->in, IN_BYTES);
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (n < 0)
        return fail_errno(x, (int)n);
    x->eof = n == 0;
    x->input = (struct crier_slice){x->in, (size_t)n};
    x->life_ms = now_ms;
    return 0;
}

int crier_call_io(struct crier_call *x, uint64_t now_ms)
{
    int r;

    if (crier_buf_error(&x->out) < 0)
        return fail_errno(x, -ENOMEM);
    if (x->dialing) {
        r = dial(x, now_ms);
        if (r < 0 || x->dialing)
            return r;
    }
    if (x->fd < 0)
        return 0;
    flush(x);
    return receive(x, now_ms);
}

int crier_call_next(struct crier_call *x, struct crier_reply_item *ret_item)
{
    int r = crier_reply_next(x->reader, &x->input, ret_item);

    if (r < 0)
        return fail(x, r, crier_reply_fault(x->reader));
    if (r == 0)
        return 0;
    if (!x->eof)
        return CRIER_CALL_MORE;
    if (crier_reply_finish(x->reader) == CRIER_REPLY_CUT)
        return fail(x, -ECONNRESET,
                    "the server closed the connection before its answer was complete");
    *ret_item = (struct crier_reply_item){.kind = CRIER_REPLY_END};
    return 0;
}

int crier_call_fd(const struct crier_call *x)
{
    return x->dialing ? x->dial.fd : x->fd;
}

size_t crier_call_unsent(const struct crier_call *x)
{
    return x->out.len - x->sent;
}

short crier_call_events(const struct crier_call *x)
{
    if (x->dialing)
        return POLLOUT;
    return (short)(POLLIN | (!x->deaf && crier_call_unsent(x) > 0 ? POLLOUT : 0));
}
