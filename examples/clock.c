/* SPDX-License-Identifier: MIT */
/* A clock: GET /events sends the time every second, to pages of every origin. */
#include <crier/server.h>
#include <stdlib.h>
#include <time.h>

static int tick(struct crier_stream *stream, void *ctx)
{
    return crier_stream_sendf(stream, NULL, "%lld", (long long)time(NULL));
}

static void events(struct crier_request *request, void *ctx)
{
    crier_stream_every(crier_stream_open(request), 1000, tick, NULL);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    struct crier_server *server =
        crier_server_new(.port = port, .cors = "*", .stop_on_signals = true);

    crier_server_route(server, "GET", "/events", events, NULL);
    crier_server_file(server, "/", "clock.html");
    return crier_server_main(server);
}
