/* SPDX-License-Identifier: MIT */
/*
 * A whole hub: topics, publishing, replay after the last event id, heartbeats, slow readers that
 * lose nothing. GET /events/news follows, POST /events/news publishes (from this machine only).
 */
#include <crier/server.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    struct crier_hub *hub = crier_hub_new(.history_events = 10000);
    struct crier_server *server =
        crier_server_new(.port = port, .heartbeat_ms = 30000, .stop_on_signals = true);

    crier_server_mount(server, "/events", hub, .may_publish = CRIER_LOCAL);
    crier_hub_publishf(hub, "news", "headline", "{\"text\":\"%s\"}", "we are open");
    int status = crier_server_main(server);
    crier_hub_free(hub);
    return status;
}
