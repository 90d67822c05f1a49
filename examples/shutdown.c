/* SPDX-License-Identifier: MIT */
/*
 * A server that leaves in good order: it logs who comes and goes, sends something every two
 * seconds, and at SIGINT or SIGTERM tells every client, waits for five seconds at most, and
 * exits 0. A second signal cuts off who is still there.
 */
#include <crier/server.h>
#include <stdlib.h>

static int beat(struct crier_stream *stream, void *ctx)
{
    return crier_stream_sendf(stream, NULL, "still here");
}

static void leave(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    int *clients = ctx;

    *clients -= 1;
    printf("disconnect: %s, %d here\n", crier_close_name(why), *clients);
}

static void enter(struct crier_request *request, void *ctx)
{
    int *clients = ctx;

    *clients += 1;
    printf("connect: %s, %d here\n", crier_request_peer(request).data, *clients);
    crier_stream_every(crier_stream_open(request, .on_close = leave, .ctx = ctx), 2000, beat,
                       NULL);
}

int main(int argc, char **argv)
{
    const struct crier_event bye = {.type = CRIER_SLICE("bye"),
                                    .data = CRIER_SLICE("the server is going down")};
    int clients = 0;
    struct crier_server *server =
        crier_server_new(.port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080,
                         .stop_on_signals = true, .bye = &bye, .grace_ms = 5000);

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line of the log at once, into files too */
    crier_server_route(server, "GET", "/events", enter, &clients);
    if (crier_server_listen(server) == 0)
        printf("listening on http://127.0.0.1:%d/\n", crier_server_port(server));
    int r = crier_server_run(server);
    if (r < 0)
        fprintf(stderr, "%s\n", crier_server_error(server));
    else
        printf("stopped: %s\n", r == CRIER_CUT ? "some were cut off" : "everybody was told");
    crier_server_free(server);
    return r < 0;
}
