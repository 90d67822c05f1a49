/* SPDX-License-Identifier: MIT */
/*
 * The progress of a job. It goes on while its client is there: GET /events sends a message for
 * each step, then the event "status" with "Done", and ends the stream. Streams tell proxies not
 * to collect them (X-Accel-Buffering: no) without being asked to.
 */
#include <crier/server.h>
#include <stdlib.h>

struct job {
    int percent;
};

/* Called when the client can take more: a slow one slows its job down and fills no queue. */
static int work(struct crier_stream *stream, void *ctx)
{
    struct job *job = ctx;

    if (job->percent < 100) {
        job->percent += 10;
        crier_stream_sendf(stream, NULL, "{\"percent\":%d}", job->percent);
        return 200; /* milliseconds until the next call */
    }
    crier_stream_sendf(stream, "status", "Done");
    crier_stream_finish(stream);
    return CRIER_DONE;
}

/* Once for every job, however its stream ends. */
static void end_job(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    fprintf(stderr, "job ended: %s\n", crier_close_name(why));
    free(ctx);
}

static void begin_job(struct crier_request *request, void *ctx)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        crier_replyf(request, 503, "text/plain", "too many jobs\n");
        return;
    }
    crier_stream_pull(crier_stream_open(request, .on_close = end_job, .ctx = job), work, job);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    struct crier_server *server = crier_server_new(.port = port, .stop_on_signals = true);

    crier_server_route(server, "GET", "/events", begin_job, NULL);
    crier_server_file(server, "/", "progress.html");
    return crier_server_main(server);
}
