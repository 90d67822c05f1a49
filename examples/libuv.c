/* SPDX-License-Identifier: MIT */
/*
 * The clock in libuv's loop: a poll handle for the server's descriptor, a timer for its timeout.
 * Both step it, and each step says how long the timer may sleep.
 */
#include <crier/server.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

static int tick(struct crier_stream *stream, void *ctx)
{
    return crier_stream_sendf(stream, NULL, "%lld", (long long)time(NULL));
}

static void events(struct crier_request *request, void *ctx)
{
    crier_stream_every(crier_stream_open(request), 1000, tick, NULL);
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    uv_close(handle, NULL);
}

static void step(uv_timer_t *timer)
{
    struct crier_server *server = timer->data;
    int r = crier_server_step(server);
    int timeout = crier_server_timeout(server);

    if (r != 0) /* it has ended: so does the loop, which has nothing else to do */
        uv_walk(timer->loop, close_handle, NULL);
    else if (timeout >= 0)
        uv_timer_start(timer, step, (uint64_t)timeout, 0);
    else
        uv_timer_stop(timer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    step(poll->data);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    struct crier_server *server = crier_server_new(.port = port, .stop_on_signals = true);
    uv_timer_t timer = {.data = server};
    uv_poll_t poll = {.data = &timer};

    crier_server_route(server, "GET", "/events", events, NULL);
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, step, 0, 0);
    if (crier_server_listen(server) == 0) {
        fprintf(stderr, "listening on http://127.0.0.1:%d/\n", crier_server_port(server));
        uv_poll_init(uv_default_loop(), &poll, crier_server_fd(server));
        uv_poll_start(&poll, UV_READABLE, on_readable);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_loop_close(uv_default_loop());
    int failed = *crier_server_error(server) != '\0';
    if (failed)
        fprintf(stderr, "%s\n", crier_server_error(server));
    crier_server_free(server);
    return failed;
}
