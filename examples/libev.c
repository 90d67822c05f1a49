/* SPDX-License-Identifier: MIT */
/*
 * The clock in libev's loop: an io watcher for the server's descriptor, a timer for its timeout.
 * Both step it, and each step says how long the timer may sleep.
 */
#include <crier/server.h>
#include <ev.h>
#include <stdlib.h>
#include <time.h>

static ev_timer timer;
static ev_io readable;

static int tick(struct crier_stream *stream, void *ctx)
{
    return crier_stream_sendf(stream, NULL, "%lld", (long long)time(NULL));
}

static void events(struct crier_request *request, void *ctx)
{
    crier_stream_every(crier_stream_open(request), 1000, tick, NULL);
}

static void step(struct ev_loop *loop, struct crier_server *server)
{
    int r = crier_server_step(server);
    int timeout = crier_server_timeout(server);

    ev_timer_stop(loop, &timer);
    if (r != 0) {
        ev_break(loop, EVBREAK_ALL);
    } else if (timeout >= 0) {
        ev_timer_set(&timer, timeout / 1000.0, 0);
        ev_timer_start(loop, &timer);
    }
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    step(loop, watcher->data);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    step(loop, watcher->data);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    struct crier_server *server = crier_server_new(.port = port, .stop_on_signals = true);
    struct ev_loop *loop = ev_default_loop(0);

    crier_server_route(server, "GET", "/events", events, NULL);
    ev_timer_init(&timer, on_timer, 0, 0);
    ev_io_init(&readable, on_readable, crier_server_fd(server), EV_READ);
    timer.data = readable.data = server;
    ev_timer_start(loop, &timer);
    if (crier_server_listen(server) == 0) {
        fprintf(stderr, "listening on http://127.0.0.1:%d/\n", crier_server_port(server));
        ev_io_start(loop, &readable);
    }
    ev_run(loop, 0);
    ev_loop_destroy(loop);
    int failed = *crier_server_error(server) != '\0';
    if (failed)
        fprintf(stderr, "%s\n", crier_server_error(server));
    crier_server_free(server);
    return failed;
}
