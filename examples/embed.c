/* SPDX-License-Identifier: MIT */
/*
 * The server inside a loop that does something else as well: this one waits for standard input,
 * and what is typed goes to everybody who follows /events. One thread, nothing blocks.
 */
#include <crier/server.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static void events(struct crier_request *request, void *hub)
{
    crier_stream_follow(crier_stream_open(request), hub, "typed");
}

/* Returns the descriptor to go on with: -1 after the end of the input. */
static int take_input(struct crier_hub *hub)
{
    char text[4096];
    ssize_t len = read(STDIN_FILENO, text, sizeof(text));

    if (len <= 0)
        return -1;
    const struct crier_event event = {.data = {text, (size_t)len - (text[len - 1] == '\n')}};
    int r = crier_hub_publish(hub, "typed", &event, NULL);
    if (r < 0)
        fprintf(stderr, "not published: %s\n", crier_strerror(r));
    return STDIN_FILENO;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    struct crier_hub *hub = crier_hub_new();
    struct crier_server *server = crier_server_new(.port = port, .stop_on_signals = true);
    crier_server_route(server, "GET", "/events", events, hub);

    struct pollfd fds[] = {{.fd = crier_server_fd(server), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    if (fds[0].fd >= 0)
        fprintf(stderr, "listening on http://127.0.0.1:%d/\n", crier_server_port(server));
    int r;
    while ((r = crier_server_step(server)) == 0) {
        poll(fds, 2, crier_server_timeout(server));
        if (fds[1].revents != 0)
            fds[1].fd = take_input(hub);
    }
    if (r < 0)
        fprintf(stderr, "%s\n", crier_server_error(server));
    crier_server_free(server);
    crier_hub_free(hub);
    return r < 0;
}
