/* SPDX-License-Identifier: MIT */
/*
 * A hub that keeps its history in a folder: what was published is there after a restart, and after
 * a crash. Each start is an event too; it says how many there were.
 *
 *     keep 8080 /var/lib/news
 */
#include <crier/server.h>
#include <poll.h>
#include <stdlib.h>

/* Reads on until that event. What has to come from disk is not there at once: poll. */
static int count_starts(struct crier_hub *hub, struct crier_id last)
{
    struct crier_reader *reader =
        crier_reader_new(hub, .selector = "starts", .since = "earliest");
    struct pollfd fd = {.fd = crier_reader_fd(reader), .events = POLLIN};
    struct crier_message message = {.time_ms = 0};
    int count = 0, r = 0;

    while (r >= 0 && crier_id_cmp(message.id, last) < 0) {
        r = crier_reader_next(reader, &message);
        count += r == 0;
        if (r == CRIER_EMPTY)
            poll(&fd, 1, -1);
    }
    crier_reader_free(reader);
    return count;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    const struct crier_event event = {.data = CRIER_SLICE("started")};
    struct crier_receipt receipt;
    struct crier_hub *hub = crier_hub_new(.dir = argc > 2 ? argv[2] : "keep.data");
    struct crier_server *server = crier_server_new(.port = port, .stop_on_signals = true);

    crier_server_mount(server, "/events", hub, .may_publish = CRIER_LOCAL);
    if (crier_hub_publish(hub, "starts", &event, &receipt) == 0)
        fprintf(stderr, "start %d\n", count_starts(hub, receipt.id));
    int status = crier_server_main(server);
    crier_hub_free(hub);
    return status;
}
