/* SPDX-License-Identifier: MIT */
/* The clock in C++17: handlers are lambdas without captures. */
#include <crier/server.h>
#include <cstdlib>
#include <ctime>

static void events(crier_request *request, void *)
{
    auto tick = [](crier_stream *stream, void *) {
        return crier_stream_sendf(stream, nullptr, "%lld", (long long)std::time(nullptr));
    };
    crier_stream_every(crier_stream_open(request), 1000, tick, nullptr);
}

int main(int argc, char **argv)
{
    crier_server_options options = {};
    options.port = argc > 1 ? std::atoi(argv[1]) : 8080;
    options.cors = "*";
    options.stop_on_signals = true;

    crier_server *server = crier_server_new(options);
    crier_server_route(server, "GET", "/events", events, nullptr);
    crier_server_file(server, "/", "clock.html");
    return crier_server_main(server);
}
