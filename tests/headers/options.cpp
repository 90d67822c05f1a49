// SPDX-License-Identifier: MIT
// Each overload that takes a struct of options: by name where the language has it (C++20), member by member
// before. Compiled, never run.
#include <crier/crier.h>
#include <crier/testing.h>

static int down(crier_client *, const crier_down *why, void *)
{
    return why->will_retry ? CRIER_DECIDE_DEFAULT : CRIER_DECIDE_STOP;
}

static void handler(crier_request *request, void *ctx)
{
    crier_stream_options options = {};
    options.ctx = ctx;
    options.queue_bytes = 4096;
    crier_stream *plain = crier_stream_open(request);
    crier_stream *with = crier_stream_open(request, options);
    crier_event event = {};
    event.data = CRIER_SLICE("tick");
    crier_stream_send(plain, &event);
    crier_stream_sendf(with, "time", "%d", 1);
}

#if __cplusplus >= 202002L
// Members that are not named are zero, which is the default of each: that is what options are for. g++ warns
// of them with -Wextra in C++ (in C it does not; clang in neither).
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static void by_name(crier_hub *hub)
{
    crier_server *server = crier_server_new({.port = 8080});
    crier_server_mount(server, "/events", hub, {.may_publish = CRIER_LOCAL});
    crier_reader_free(crier_reader_new(hub, {.selector = "news", .since = "last:10"}));
    crier_client_free(crier_client_new({.url = "http://localhost/", .on_down = down}));
    crier_hub_free(crier_hub_new({.history_events = 10}));
    crier_parser_free(crier_parser_new({.flags = CRIER_PARSER_STRICT}));
    crier_server_free(server);
}
#else
static void by_name(crier_hub *)
{
}
#endif

int main()
{
    crier_hub *hub = crier_hub_new();
    crier_server_options options = {};
    options.port = 8080;
    crier_server *server = crier_server_new(options);
    crier_server *bare = crier_server_new();
    crier_reader_options from = {};
    from.selector = "news";
    crier_reader *reader = crier_reader_new(hub, from);
    crier_client_options client_options = {};
    client_options.url = "http://localhost/";
    client_options.on_down = down;
    crier_client *client = crier_client_new(client_options);
    crier_parser *parser = crier_parser_new();
    crier_hub_stats stats;
    crier_mount_options mount = {};
    mount.may_publish = CRIER_ANYONE;

    by_name(hub);
    crier_server_route(server, "GET", "/events", handler, nullptr);
    crier_server_mount(server, "/hub", hub);
    crier_server_mount(server, "/open", hub, mount);
    crier_server_mount_admin(server, "/-", hub);
    int r = crier_hub_stats(hub, &stats);
    crier_parser_free(parser);
    crier_client_free(client);
    crier_reader_free(reader);
    crier_server_free(bare);
    crier_server_free(server);
    crier_hub_free(hub);
    return r < 0;
}
