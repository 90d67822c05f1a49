/* SPDX-License-Identifier: MIT */
/* Follows an event stream and prints what comes; reconnects and resumes by itself.
 *
 *     follow http://localhost:8080/events/news
 */
#include <crier/client.h>
#include <signal.h>
#include <stdio.h>

static struct crier_client *client;

static void on_signal(int number)
{
    crier_client_stop(client);
}

static void on_open(struct crier_client *self, void *ctx)
{
    fprintf(stderr, "connected\n");
}

static void on_event(struct crier_client *self, const struct crier_item *event, void *ctx)
{
    printf("%.*s: %.*s\n", CRIER_SLICE_ARG(event->type), CRIER_SLICE_ARG(event->data));
    fflush(stdout);
}

static int on_down(struct crier_client *self, const struct crier_down *down, void *ctx)
{
    fprintf(stderr, "%s", down->reason.data);
    if (down->will_retry)
        fprintf(stderr, "; again in %.1f s", (double)down->delay_ms / 1000);
    fprintf(stderr, "\n");
    return CRIER_DECIDE_DEFAULT;
}

int main(int argc, char **argv)
{
    int result;

    if (argc != 2) {
        fprintf(stderr, "usage: follow URL\n");
        return 2;
    }
    client = crier_client_new(.url = argv[1], .on_open = on_open, .on_event = on_event,
                              .on_down = on_down);
    if (!client)
        return 1;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    result = crier_client_run(client);
    crier_client_free(client);
    return result == CRIER_STOPPED ? 0 : 1;
}
