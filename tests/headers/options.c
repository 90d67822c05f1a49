/* SPDX-License-Identifier: MIT */
/* Each macro that takes options by name, with options and, where it may, without. Compiled, never run. */
#include <crier/crier.h>
#include <crier/testing.h>

static void handler(struct crier_request *request, void *ctx)
{
    struct crier_stream *plain = crier_stream_open(request);
    struct crier_stream *with = crier_stream_open(request, .ctx = ctx, .queue_bytes = 4096);
    struct crier_event event = {.data = CRIER_SLICE("tick"), .flags = CRIER_RETRY};

    (void)crier_stream_send(plain, &event);
    (void)crier_stream_sendf(with, "time", "%d", 1);
    (void)crier_stream_follow_with(
        with, NULL,
        &(struct crier_follow_options){.size = sizeof(struct crier_follow_options)});
}

static int print(struct crier_client *client, const struct crier_down *down, void *ctx)
{
    (void)client;
    (void)ctx;
    return down->will_retry ? CRIER_DECIDE_DEFAULT : CRIER_DECIDE_STOP;
}

int main(void)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_hub *small = crier_hub_new(.history_events = 10, .history_age_ms = CRIER_OFF);
    struct crier_hub *kept = crier_hub_new(.dir = "/var/lib/news", .sync = "interval");
    struct crier_server *bare = crier_server_new();
    struct crier_server *server = crier_server_new(.port = 8080, .cors = "*");
    struct crier_client *client =
        crier_client_new(.url = "http://localhost/", .on_down = print);
    struct crier_parser *parser = crier_parser_new();
    struct crier_parser *strict = crier_parser_new(.flags = CRIER_PARSER_STRICT);
    struct crier_reader *reader = crier_reader_new(hub, .selector = "news", .since = "last:10");
    struct crier_hub_stats hub_stats;
    struct crier_server_stats server_stats;
    int r = 0;

    r |= crier_server_route(server, "GET", "/events", handler, NULL);
    r |= crier_server_mount(server, "/hub", hub);
    r |= crier_server_mount(server, "/open", hub, .may_publish = CRIER_ANYONE);
    r |= crier_server_mount_admin(server, "/-", hub);
    r |= crier_server_mount_admin(server, "/ops", hub, .may_subscribe = CRIER_LOCAL);
    r |= crier_hub_stats(hub, &hub_stats);
    r |= crier_server_stats(server, &server_stats);
    r |=
        crier_hub_publish(small, "news", &(struct crier_event){.data = CRIER_SLICE("x")}, NULL);
    r |= crier_hub_publish_with(small, &(struct crier_publication){.ttl_ms = 1000}, NULL);
    crier_reader_free(reader);
    crier_parser_free(strict);
    crier_parser_free(parser);
    crier_client_free(client);
    crier_server_free(bare);
    crier_server_free(server);
    r |= *crier_hub_error(kept) != 0;
    crier_hub_free(kept);
    crier_hub_free(small);
    crier_hub_free(hub);
    return r < 0;
}
