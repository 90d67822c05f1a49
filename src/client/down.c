/* SPDX-License-Identifier: MIT */
/*
 * Ends. Whatever has ended a stream or an attempt, it comes through here, is told once, with
 * its reason, and then the client either waits or is over:
 *
 *     crier_down ─▶ may it be sent again? ─▶ on_down: otherwise? ─▶ WAITING, or OVER
 */
#include "client/client.h"

#include <stdio.h>

/* The words were reserved room for when the client was made: they never fail. */
static void say_no_memory(struct crier_client *client)
{
    crier_buf_clear(&client->reason);
    crier_buf_add(&client->reason, "out of memory", sizeof("out of memory"));
}

void crier_down_reason(struct crier_client *client, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    crier_buf_clear(&client->reason);
    crier_buf_append(&client->reason, crier_slice_of(text));
    crier_buf_byte(&client->reason, '\0');
}

void crier_down_over(struct crier_client *client, int result)
{
    crier_call_close(&client->call);
    client->state = CRIER_CLIENT_OVER;
    client->result = result;
}

/* What the program says to it. */
static bool decide(struct crier_client *client, const struct crier_down *down)
{
    const struct crier_client_options *options = &client->settings.options;
    int decision = CRIER_DECIDE_DEFAULT;

    if (options->on_down) {
        crier_client_call(client);
        decision = options->on_down(client, down, options->ctx);
        crier_client_called(client);
    }
    /* What is wrong with the options stays wrong. */
    if (decision == CRIER_DECIDE_STOP || client->settings.fault[0])
        return false;
    return decision == CRIER_DECIDE_RETRY || down->will_retry;
}

/* What has been sent is not sent again, unless that was wished for. */
static bool may_send_again(struct crier_client *client)
{
    if (client->settings.may_repeat || !client->begun)
        return true;
    if (client->reason.len > 0)
        client->reason.len--; /* the NUL */
    crier_buf_printf(&client->reason, "; a %.*s request is not sent again by itself",
                     CRIER_SLICE_ARG(client->settings.method));
    crier_buf_byte(&client->reason, '\0');
    return false;
}

void crier_down(struct crier_client *client,
                enum crier_down_kind kind,
                bool retry,
                struct crier_now now)
{
    struct crier_down down = {.kind = kind, .status = client->status};

    crier_call_close(&client->call);
    (void)crier_parser_end(&client->parser);
    down.will_retry = retry && may_send_again(client);
    if (crier_buf_error(&client->reason) < 0) {
        say_no_memory(client);
        client->result = CRIER_ENOMEM;
        down.will_retry = false;
    }
    down.reason = crier_slice_sub(crier_buf_slice(&client->reason), 0, client->reason.len - 1);
    down.delay_ms = (int64_t)crier_backoff_down(&client->backoff, now.boot_ms);
    /* Who comes back although it is hopeless does not hammer. */
    if (!down.will_retry && (uint64_t)down.delay_ms < client->backoff.options.first_ms)
        down.delay_ms = (int64_t)client->backoff.options.first_ms;

    client->state = CRIER_CLIENT_WAITING;
    client->due_ms = crier_dial_deadline(now.boot_ms, (uint64_t)down.delay_ms);
    if (!decide(client, &down) && client->state != CRIER_CLIENT_OVER)
        crier_down_over(client, client->result);
    else if (client->state != CRIER_CLIENT_OVER)
        client->result = CRIER_OVER;
}

void crier_down_no_memory(struct crier_client *client, struct crier_now now)
{
    bool streaming = client->state == CRIER_CLIENT_STREAMING;

    say_no_memory(client);
    client->result = CRIER_ENOMEM;
    crier_down(client, streaming ? CRIER_DOWN_ENDED : CRIER_DOWN_UNREACHABLE, false, now);
}
