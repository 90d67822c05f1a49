/* SPDX-License-Identifier: MIT */
/*
 * A client to be driven from outside: takes its options on the command line, prints one JSON
 * object a line for each callback, and one for the end:
 *
 *     {"open": "text/event-stream"}
 *     {"event": "type", "data": "...", "id": "..."}
 *     {"comment": "..."}   {"retry": 20}
 *     {"down": "ended", "status": 200, "again": true, "delay": 17, "reason": "..."}
 *     {"over": "CRIER_OVER", "reason": "...", "last": "..."}
 *
 * It stops after so many events or ends, inside a callback, at SIGTERM, or from another thread
 * when its standard input ends.
 */
#include "crier/client.h"

#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_HEADERS = 16 };

struct program {
    struct crier_client_options options;
    struct crier_client_header headers[MAX_HEADERS];
    long events, downs; /* after how many it stops; 0: never */
    bool by_step;       /* in a loop of its own, instead of run */
    bool on_input;      /* another thread stops it when standard input ends */
    bool inside;        /* calls everything inside each callback */
    const char *stop_in;
    int decision;
};

/* A signal handler has no other way to it. */
static struct crier_client *the_client;

static void on_signal(int number)
{
    (void)crier_client_stop(the_client);
}

static void print(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    (void)puts(text ? text : "{}");
    (void)fflush(stdout);
    free(text);
    json_decref(object);
}

static json_t *text_of(struct crier_slice text)
{
    return json_stringn(text.data ? text.data : "", text.len);
}

static void complain(const char *what)
{
    print(json_pack("{s:s}", "wrong", what));
}

/* What may be called here, and what may not. */
static void called(struct program *p, struct crier_client *client, const char *name)
{
    if (p->inside) {
        if (crier_client_run(client) != CRIER_EBUSY || crier_client_step(client) != CRIER_EBUSY)
            complain("run or step inside a callback");
        if (crier_client_free(client) != client)
            complain("free inside a callback");
        if (crier_client_fd(client) < 0 || crier_client_timeout(client) < -1)
            complain("fd or timeout inside a callback");
        if (!crier_client_reason(client))
            complain("reason inside a callback");
        (void)crier_client_last_event_id(client);
        (void)crier_client_header(client, "content-type");
    }
    if (p->stop_in && strcmp(p->stop_in, name) == 0)
        (void)crier_client_stop(client);
}

static void on_open(struct crier_client *client, void *ctx)
{
    print(json_pack("{s:o}", "open", text_of(crier_client_header(client, "content-type"))));
    called(ctx, client, "open");
}

static void on_event(struct crier_client *client, const struct crier_item *item, void *ctx)
{
    struct program *p = ctx;

    print(json_pack("{s:o, s:o, s:o}", "event", text_of(item->type), "data",
                    text_of(item->data), "id", text_of(item->id)));
    called(p, client, "event");
    if (p->events && --p->events == 0)
        (void)crier_client_stop(client);
}

static void on_comment(struct crier_client *client, struct crier_slice comment, void *ctx)
{
    print(json_pack("{s:o}", "comment", text_of(comment)));
    called(ctx, client, "comment");
}

static void on_retry(struct crier_client *client, uint32_t retry_ms, void *ctx)
{
    print(json_pack("{s:I}", "retry", (json_int_t)retry_ms));
    called(ctx, client, "retry");
}

static int on_down(struct crier_client *client, const struct crier_down *down, void *ctx)
{
    static const char *const kinds[] = {"?", "unreachable", "refused", "ended", "invalid"};
    struct program *p = ctx;

    print(json_pack("{s:s, s:i, s:b, s:I, s:o}", "down", kinds[down->kind], "status",
                    (int)down->status, "again", (int)down->will_retry, "delay",
                    (json_int_t)down->delay_ms, "reason", text_of(down->reason)));
    called(p, client, "down");
    if (p->downs && --p->downs == 0)
        (void)crier_client_stop(client);
    return p->decision;
}

/* ---- the command line ---- */

enum choice {
    URL = 1,
    METHOD,
    HEADER,
    SECRET,
    BODY,
    TYPE,
    REPEAT,
    BEARER,
    LAST,
    PROXY,
    CA_FILE,
    INSECURE,
    CONNECT,
    IDLE,
    MAX_EVENT,
    FIRST,
    MAX,
    HEALTHY,
    EVENTS,
    DOWNS,
    STEP,
    INPUT,
    INSIDE,
    STOP_IN,
    DECIDE,
};

static const struct option options[] = {
    {"url", 1, NULL, URL},
    {"method", 1, NULL, METHOD},
    {"header", 1, NULL, HEADER},
    {"secret", 1, NULL, SECRET},
    {"body", 1, NULL, BODY},
    {"content-type", 1, NULL, TYPE},
    {"repeat", 0, NULL, REPEAT},
    {"bearer", 1, NULL, BEARER},
    {"last-id", 1, NULL, LAST},
    {"proxy", 1, NULL, PROXY},
    {"ca-file", 1, NULL, CA_FILE},
    {"insecure", 0, NULL, INSECURE},
    {"connect", 1, NULL, CONNECT},
    {"idle", 1, NULL, IDLE},
    {"max-event", 1, NULL, MAX_EVENT},
    {"first", 1, NULL, FIRST},
    {"max", 1, NULL, MAX},
    {"healthy", 1, NULL, HEALTHY},
    {"events", 1, NULL, EVENTS},
    {"downs", 1, NULL, DOWNS},
    {"step", 0, NULL, STEP},
    {"on-input", 0, NULL, INPUT},
    {"inside", 0, NULL, INSIDE},
    {"stop-in", 1, NULL, STOP_IN},
    {"decide", 1, NULL, DECIDE},
    {NULL, 0, NULL, 0},
};

/* "Name: value" */
static void add_header(struct program *p, char *text, bool secret)
{
    char *colon = strchr(text, ':');

    if (p->options.header_count == MAX_HEADERS || !colon)
        exit(2);
    *colon = '\0';
    p->headers[p->options.header_count++] = (struct crier_client_header){
        .name = text, .value = colon + 1 + strspn(colon + 1, " "), .secret = secret};
}

static void set_number(struct program *p, int name, long value)
{
    switch (name) {
    case CONNECT:
        p->options.connect_timeout_ms = value;
        return;
    case IDLE:
        p->options.idle_timeout_ms = value;
        return;
    case MAX_EVENT:
        p->options.max_event_bytes = value;
        return;
    case FIRST:
        p->options.first_delay_ms = value;
        return;
    case MAX:
        p->options.max_delay_ms = value;
        return;
    case HEALTHY:
        p->options.healthy_ms = value;
        return;
    case EVENTS:
        p->events = value;
        return;
    case DOWNS:
        p->downs = value;
        return;
    default:
        exit(2);
    }
}

static void set(struct program *p, int name, char *value)
{
    switch (name) {
    case URL:
        p->options.url = value;
        return;
    case METHOD:
        p->options.method = value;
        return;
    case HEADER:
    case SECRET:
        add_header(p, value, name == SECRET);
        return;
    case BODY:
        p->options.body = crier_slice_of(value);
        return;
    case TYPE:
        p->options.content_type = value;
        return;
    case REPEAT:
        p->options.repeat = true;
        return;
    case BEARER:
        p->options.bearer = value;
        return;
    case LAST:
        p->options.last_event_id = value;
        return;
    case PROXY:
        p->options.proxy = value;
        return;
    case CA_FILE:
        p->options.ca_file = value;
        return;
    case INSECURE:
        p->options.insecure = true;
        return;
    case STEP:
        p->by_step = true;
        return;
    case INPUT:
        p->on_input = true;
        return;
    case INSIDE:
        p->inside = true;
        return;
    case STOP_IN:
        p->stop_in = value;
        return;
    case DECIDE:
        p->decision = strcmp(value, "retry") == 0 ? CRIER_DECIDE_RETRY : CRIER_DECIDE_STOP;
        return;
    default:
        set_number(p, name, strtol(value, NULL, 10));
        return;
    }
}

/* ---- following ---- */

static void *stop_at_end_of_input(void *client)
{
    char byte;

    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    (void)crier_client_stop(client);
    return NULL;
}

/* As a program with a loop of its own. */
static int step_to_end(struct crier_client *client)
{
    int r;

    while ((r = crier_client_step(client)) == 0) {
        struct pollfd p = {.fd = crier_client_fd(client), .events = POLLIN};

        (void)poll(&p, 1, crier_client_timeout(client));
    }
    return r;
}

static void follow(struct program *p, struct crier_client *client)
{
    pthread_t thread;
    int r;

    if (p->on_input && pthread_create(&thread, NULL, stop_at_end_of_input, client) != 0)
        exit(2);
    r = p->by_step ? step_to_end(client) : crier_client_run(client);
    if (r == 0 || crier_client_step(client) != r)
        complain("it is not over for good");
    print(json_pack("{s:s, s:s, s:o}", "over", crier_errname(r), "reason",
                    crier_client_reason(client), "last",
                    text_of(crier_client_last_event_id(client))));
    if (p->on_input)
        (void)pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    struct program p = {.options = {.size = sizeof(p.options)}};
    int name;

    p.options.headers = p.headers;
    while ((name = getopt_long(argc, argv, "", options, NULL)) > 0) {
        if (name == '?')
            return 2;
        set(&p, name, optarg);
    }
    p.options.on_open = on_open;
    p.options.on_event = on_event;
    p.options.on_comment = on_comment;
    p.options.on_retry = on_retry;
    p.options.on_down = on_down;
    p.options.ctx = &p;
    the_client = crier_client_new_with(&p.options);
    if (!the_client)
        return 1;
    (void)signal(SIGTERM, on_signal);
    follow(&p, the_client);
    return crier_client_free(the_client) == NULL ? 0 : 1;
}
