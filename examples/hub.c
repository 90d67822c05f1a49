/* SPDX-License-Identifier: MIT */
/*
 * A room over a hub: GET /events subscribes, POST /events?event=NAME broadcasts its body as an
 * event of that name. Everybody gets "connected" first, then what is broadcast, each event with
 * its id. Who comes back with the last id gets what was missed; who is slow loses nothing.
 */
#include <crier/server.h>
#include <stdlib.h>

struct room {
    struct crier_hub *hub;
    int members;
};

static void count(struct room *room, int change)
{
    room->members += change;
    crier_hub_publishf(room->hub, "lobby", "members", "{\"members\":%d}", room->members);
}

static void unsubscribe(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    count(ctx, -1);
}

static void subscribe(struct crier_request *request, void *ctx)
{
    struct room *room = ctx;
    struct crier_stream *stream =
        crier_stream_open(request, .on_close = unsubscribe, .ctx = room);

    crier_stream_sendf(stream, "connected", "{\"room\":\"lobby\"}");
    crier_stream_follow(stream, room->hub, "lobby");
    count(room, +1);
}

static void broadcast(struct crier_request *request, void *ctx)
{
    struct room *room = ctx;
    const struct crier_event event = {.type = crier_request_query(request, "event"),
                                      .data = crier_request_body(request),
                                      .retry_ms = 3000,
                                      .flags = CRIER_DATA | CRIER_RETRY};
    int r = crier_hub_publish(room->hub, "lobby", &event, NULL);

    crier_replyf(request, r < 0 ? 400 : 202, "text/plain", "%s\n", crier_strerror(r));
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    int heartbeat_ms = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 30000;
    struct room room = {.hub = crier_hub_new(.history_events = 10000)};
    struct crier_server *server =
        crier_server_new(.port = port, .heartbeat_ms = heartbeat_ms, .stop_on_signals = true);

    crier_server_route(server, "GET", "/events", subscribe, &room);
    crier_server_route(server, "POST", "/events", broadcast, &room);
    crier_server_file(server, "/", "hub.html");
    int status = crier_server_main(server);
    crier_hub_free(room.hub);
    return status;
}
