/* SPDX-License-Identifier: MIT */
/*
 * Routes with methods and path parameters. What is known by other methods only is answered 405
 * with Allow, what is not known 404; nothing has to be written for that.
 *
 *     curl -N http://127.0.0.1:8080/rooms/kitchen/events      (or follow it with follow.c)
 *     curl -d 'dinner is ready' http://127.0.0.1:8080/rooms/kitchen
 */
#include <crier/server.h>
#include <stdlib.h>

/* Slices of the library are followed by a NUL: .data is a C string, too. */
static void follow_room(struct crier_request *request, void *hub)
{
    struct crier_slice room = crier_request_param(request, "room");
    const char *fault = crier_topic_fault(room);

    if (fault)
        crier_replyf(request, 400, "text/plain", "%s\n", fault);
    else
        crier_stream_follow(crier_stream_open(request), hub, room.data);
}

static void say(struct crier_request *request, void *hub)
{
    struct crier_slice room = crier_request_param(request, "room");
    const struct crier_event event = {.data = crier_request_body(request)};
    int r = crier_hub_publish(hub, room.data, &event, NULL);

    if (r < 0)
        crier_replyf(request, 400, "text/plain", "%s: %s\n", room.data, crier_strerror(r));
    else
        crier_replyf(request, 201, "text/plain", "said in %s\n", room.data);
}

static void clear(struct crier_request *request, void *hub)
{
    crier_hub_forget(hub, crier_request_param(request, "room"));
    crier_reply(request, 204, NULL, (struct crier_slice){0});
}

static void find(struct crier_request *request, void *hub)
{
    struct crier_slice path = crier_request_param(request, "path");

    crier_replyf(request, 404, "text/plain", "there is no file %.*s\n", CRIER_SLICE_ARG(path));
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    struct crier_hub *hub = crier_hub_new();
    struct crier_server *server = crier_server_new(.port = port, .stop_on_signals = true);

    crier_server_route(server, "GET", "/rooms/{room}/events", follow_room, hub);
    crier_server_route(server, "POST", "/rooms/{room}", say, hub);
    crier_server_route(server, "DELETE", "/rooms/{room}", clear, hub);
    crier_server_route(server, "GET", "/files/{path...}", find, NULL);
    int status = crier_server_main(server);
    crier_hub_free(hub);
    return status;
}
