/* SPDX-License-Identifier: MIT */
/*
 * An answer word by word, as the APIs of language models stream it: POST /answer with the
 * question as its body; a JSON object for each word, then "data: [DONE]" and the end. A client
 * that leaves ends the work for it.
 */
#include <crier/server.h>
#include <stdlib.h>

static const char *const words[] = {
    "A",      " stream", " is",   " a",    " list",  " that", " is", " never", " in",    " a",
    " hurry", ":",       " each", " word", " comes", " when", " it", " is",    " ready."};

static int send_word(struct crier_stream *stream, void *ctx)
{
    size_t *next = ctx;

    if (*next < sizeof(words) / sizeof(words[0])) {
        crier_stream_sendf(stream, NULL, "{\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}",
                           words[*next]);
        *next += 1;
        return 50; /* milliseconds: so long the next word is thought about */
    }
    crier_stream_sendf(stream, NULL, "[DONE]");
    crier_stream_finish(stream);
    return CRIER_DONE;
}

static void forget(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    free(ctx);
}

static void answer(struct crier_request *request, void *ctx)
{
    size_t *next = crier_request_body(request).len > 0 ? calloc(1, sizeof(*next)) : NULL;

    if (next == NULL) {
        crier_replyf(request, 400, "text/plain", "what is the question?\n");
        return;
    }
    struct crier_stream *stream =
        crier_stream_open(request, .on_close = forget, .ctx = next, .retry_ms = CRIER_OFF);
    crier_stream_pull(stream, send_word, next);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    struct crier_server *server = crier_server_new(.port = port, .stop_on_signals = true);

    crier_server_route(server, "POST", "/answer", answer, NULL);
    crier_server_file(server, "/", "tokens.html");
    return crier_server_main(server);
}
