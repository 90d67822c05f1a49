/* SPDX-License-Identifier: MIT */
/*
 * crier sub: follows topics and prints what comes.
 *
 *     client (crier/client.h) ─▶ on_event ─▶ out ─▶ standard output, once per step
 *                             ─▶ on_down  ─▶ standard error
 *
 * The loop polls three things: the client's descriptor, the signals, and standard output, so
 * that `crier sub x | head -1` ends when head does, and not with the next event. Writing waits
 * for the signals and the deadline too: a reader that has stopped does not keep it.
 *
 * What is printed: the data of each event and a line end. With --json the hub's own envelope,
 * one object a line. The hub's own events ("crier:...") are not printed, but for a gap, which
 * is told on standard error and with --json also as an object.
 *
 * What is told on standard error: an outage once, when it begins (the hub cannot be reached, or
 * refuses for now); every end and return only with -v; why it is over, always.
 */
#include "cli/command.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/verdict.h"
#include "crier/client.h"
#include "http/target.h"
#include "hub/topic.h"
#include "net/sys.h"
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { MAX_TYPES = 100, POLLED = 3 };

struct sub_options {
    struct crier_hub_flags hub;
    const char *since;
    struct crier_slice types[MAX_TYPES];
    size_t type_count;
    bool json, verbose;
    uint64_t count, timeout_ms, idle_ms;
    uint64_t backoff_min_ms, backoff_max_ms;
};

struct sub {
    struct sub_options options;
    struct crier_buf url, token, out;
    struct crier_client *client;
    uint64_t printed;
    uint64_t deadline_ms;
    bool outage_told;
    int signals;
};

/* ---- the command line ---- */

static const char *add_type(void *target, struct crier_slice value)
{
    struct sub_options *options = target;

    if (options->type_count == MAX_TYPES)
        return "at most 100 types can be given";
    if (value.len == 0 || crier_slice_find_eol(value) < value.len)
        return "a type must not be empty or hold a line end; events without one have the type "
               "message";
    options->types[options->type_count++] = value;
    return NULL;
}

static const char *set_backoff(void *target, struct crier_slice value)
{
    struct sub_options *options = target;
    const char *fault =
        crier_duration_range_parse(value, &options->backoff_min_ms, &options->backoff_max_ms);

    if (!fault && options->backoff_min_ms == 0)
        fault = "the first delay must be at least 1ms";
    return fault;
}

static const struct crier_option sub_options[] = {
    CRIER_HUB_URL_OPTION(struct sub_options),
    CRIER_HUB_TOKEN_OPTION(struct sub_options),
    CRIER_HUB_CA_OPTION(struct sub_options),
    {.name = "since",
     .kind = CRIER_OPTION_TEXT,
     .argument = "WHEN",
     CRIER_MEMBER(struct sub_options, since),
     .fallback = "now",
     .help = "where to start: now, earliest, last:N (the newest N events), latest (the newest "
             "of each topic), a duration back (30s, 10m, 2h, 7d), an RFC 3339 time, or the id "
             "of the last event seen"},
    {.name = "event",
     .letter = 'e',
     .kind = CRIER_OPTION_CALL,
     .argument = "TYPE",
     .call = add_type,
     .repeat = true,
     .fallback = "all",
     .help = "only events of this type; message is the type of those without one"},
    {.name = "json",
     .kind = CRIER_OPTION_FLAG,
     CRIER_MEMBER(struct sub_options, json),
     .help = "print one JSON object a line: id, topic, event, data, time"},
    {.name = "count",
     .letter = 'n',
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     CRIER_MEMBER(struct sub_options, count),
     .min = 1,
     .help = "end after N events"},
    {.name = "timeout",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     CRIER_MEMBER(struct sub_options, timeout_ms),
     .min = 1,
     .help =
         "end after this long; the exit status is 1 when --count was given and not reached"},
    {.name = "idle-timeout",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     CRIER_MEMBER(struct sub_options, idle_ms),
     .min = 1,
     .fallback = "45s",
     .help = "give a connection up when nothing came for this long, not even a heartbeat, and "
             "connect again"},
    {.name = "backoff",
     .kind = CRIER_OPTION_CALL,
     .argument = "MIN..MAX",
     .call = set_backoff,
     .fallback = "1s..30s",
     .help = "wait a random time before connecting again, at most MIN after the first failure, "
             "twice that after the next, up to MAX. What the hub asks for (retry, Retry-After) "
             "goes before MIN"},
    {.name = "verbose",
     .letter = 'v',
     .kind = CRIER_OPTION_FLAG,
     CRIER_MEMBER(struct sub_options, verbose),
     .help = "tell on standard error when a connection is made and lost"},
};

const struct crier_command crier_sub_command = {
    .name = "sub",
    .synopsis = "crier sub [options] SELECTOR...",
    .summary = "follow topics and print what is published",
    .about = "Follows topics and prints the data of each event on a line of its own. "
             "Reconnects by itself and goes\n"
             "on after the last event it saw; what history no longer holds is told as a gap. A "
             "selector is a topic,\n"
             "or a pattern: * stands for one segment, ** at the end for the rest (quote them "
             "for the shell).",
    .options = sub_options,
    .option_count = sizeof(sub_options) / sizeof(sub_options[0]),
    .min_operands = 1,
    .max_operands = 100,
    .operands = "name 1 to 100 topics or patterns, as in crier sub news 'orders/*'",
    .epilogue = "Exit status: 0 ended as asked (--count, --timeout, a signal, or nobody reads "
                "the output any more),\n"
                "1 it failed, 2 the command line was wrong.",
};

/* ---- printing ---- */

static void print_gap_json(struct sub *s, json_t *gap)
{
    json_t *object = json_object();
    json_t *event = json_string("crier:gap");
    char *text = NULL;

    if (object && event && json_object_set(object, "event", event) == 0 &&
        (!gap || json_object_update_missing(object, gap) == 0))
        text = json_dumps(object, JSON_COMPACT);
    crier_buf_append(&s->out, crier_slice_of(text));
    crier_buf_byte(&s->out, '\n');
    free(text);
    json_decref(event);
    json_decref(object);
}

static void append_gap_text(struct crier_buf *line, const json_t *gap)
{
    const char *requested = json_string_value(json_object_get(gap, "requested"));
    const char *oldest = json_string_value(json_object_get(gap, "oldest"));
    const char *reason = json_string_value(json_object_get(gap, "reason"));

    crier_buf_append(line, CRIER_SLICE("gap: events after "));
    crier_plain_text(line, crier_slice_of(requested ? requested : "the last one"));
    crier_buf_append(line, CRIER_SLICE(" may be missing ("));
    crier_plain_text(line, crier_slice_of(reason ? reason : "no reason given"));
    crier_buf_append(line, CRIER_SLICE("), it goes on "));
    crier_buf_append(line, oldest ? CRIER_SLICE("at ") : CRIER_SLICE("with what comes now"));
    crier_plain_text(line, crier_slice_of(oldest));
}

static void print_gap(struct sub *s, struct crier_slice data)
{
    json_t *gap = json_loadb(data.data, data.len, 0, NULL);
    struct crier_buf line;

    if (gap && !json_is_object(gap)) {
        json_decref(gap);
        gap = NULL;
    }
    crier_buf_init(&line, &crier_mem_libc);
    append_gap_text(&line, gap);
    crier_command_say(&crier_sub_command, "%.*s", CRIER_SLICE_ARG(crier_buf_slice(&line)));
    crier_buf_deinit(&line);
    if (s->options.json)
        print_gap_json(s, gap);
    json_decref(gap);
}

/* A hub answers envelope=1 with its own object on one line; of any other server's event one is
 * made. */
static void print_json(struct sub *s, const struct crier_item *event)
{
    if (crier_slice_starts(event->data, CRIER_SLICE("{")) &&
        crier_slice_find_eol(event->data) == event->data.len) {
        crier_buf_append(&s->out, event->data);
    } else {
        crier_buf_append(&s->out, CRIER_SLICE("{\"id\":"));
        crier_buf_json_string(&s->out, event->id);
        crier_buf_append(&s->out, CRIER_SLICE(",\"event\":"));
        crier_buf_json_string(&s->out, event->type);
        crier_buf_append(&s->out, CRIER_SLICE(",\"data\":"));
        crier_buf_json_string(&s->out, event->data);
        crier_buf_byte(&s->out, '}');
    }
    crier_buf_byte(&s->out, '\n');
}

static void on_event(struct crier_client *client, const struct crier_item *event, void *ctx)
{
    struct sub *s = ctx;

    if (crier_slice_eq(event->type, CRIER_SLICE("crier:gap")))
        print_gap(s, event->data);
    if (crier_slice_starts(event->type, CRIER_SLICE("crier:")))
        return;
    if (s->options.json) {
        print_json(s, event);
    } else {
        crier_buf_append(&s->out, event->data);
        crier_buf_byte(&s->out, '\n');
    }
    s->printed++;
    if (s->printed == s->options.count)
        (void)crier_client_stop(client);
}

/* ---- telling ---- */

static void on_open(struct crier_client *client, void *ctx)
{
    struct sub *s = ctx;

    s->outage_told = false;
    if (s->options.verbose)
        crier_command_say(&crier_sub_command, "connected to %.*s",
                          CRIER_SLICE_ARG(crier_buf_slice(&s->url)));
}

static void tell(const struct sub *s, const char *verb, const struct crier_down *down)
{
    unsigned long long delay_ms = (unsigned long long)down->delay_ms;
    char when[64] = "";

    if (s->options.verbose)
        (void)snprintf(when, sizeof(when), " in %llu.%llu s", delay_ms / 1000,
                       delay_ms % 1000 / 100);
    crier_command_say(&crier_sub_command, "%s %.*s: %.*s; trying again%s", verb,
                      CRIER_SLICE_ARG(crier_buf_slice(&s->url)), CRIER_SLICE_ARG(down->reason),
                      when);
}

/* What is final is told by finish. */
static int on_down(struct crier_client *client, const struct crier_down *down, void *ctx)
{
    struct sub *s = ctx;
    bool is_outage = down->kind != CRIER_DOWN_ENDED;
    const char *verb = "lost";

    if (down->kind == CRIER_DOWN_UNREACHABLE)
        verb = "cannot reach";
    if (down->kind == CRIER_DOWN_REFUSED)
        verb = "refused for now by";
    if (down->will_retry && (s->options.verbose || (is_outage && !s->outage_told)))
        tell(s, verb, down);
    s->outage_told = s->outage_told || is_outage;
    return CRIER_DECIDE_DEFAULT;
}

/* ---- setting up ---- */

/* One selector is named in the path, several in the query. */
static int build_url(struct sub *s, char **selectors, size_t count)
{
    int r = crier_hub_events_url(&crier_sub_command, &s->options.hub, &s->url);

    if (r >= 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        const char *fault = crier_selector_fault(crier_slice_of(selectors[i]));

        if (fault)
            return crier_command_usage(&crier_sub_command, "%s: %s", selectors[i], fault);
    }
    if (count == 1) {
        crier_buf_byte(&s->url, '/');
        crier_percent_encode(&s->url, crier_slice_of(selectors[0]));
    }
    for (size_t i = 0; count > 1 && i < count; i++)
        crier_hub_add_parameter(&s->url, "topic", crier_slice_of(selectors[i]));
    if (s->options.since)
        crier_hub_add_parameter(&s->url, "since", crier_slice_of(s->options.since));
    for (size_t i = 0; i < s->options.type_count; i++)
        crier_hub_add_parameter(&s->url, "event", s->options.types[i]);
    if (s->options.json)
        crier_hub_add_parameter(&s->url, "envelope", CRIER_SLICE("1"));
    return crier_buf_error(&s->url) < 0 ? crier_command_no_memory(&crier_sub_command) : -1;
}

static int open_signals(struct sub *s)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? -errno : 0;
}

static int open_client(struct sub *s)
{
    const struct sub_options *options = &s->options;

    crier_buf_byte(&s->url, '\0');
    crier_buf_byte(&s->token, '\0');
    if (crier_buf_error(&s->url) < 0 || crier_buf_error(&s->token) < 0)
        return -ENOMEM;
    s->url.len--;
    s->token.len--;
    s->client =
        crier_client_new(.url = s->url.data, .bearer = s->token.data,
                         .ca_file = options->hub.ca_file,
                         .idle_timeout_ms = (int64_t)options->idle_ms,
                         .first_delay_ms = (int64_t)options->backoff_min_ms,
                         .max_delay_ms = (int64_t)options->backoff_max_ms, .on_open = on_open,
                         .on_event = on_event, .on_down = on_down, .ctx = s);
    return s->client ? 0 : -ENOMEM;
}

/* ---- following ---- */

static int poll_ms(uint64_t ms)
{
    return (int)(ms < 1000000 ? ms : 1000000);
}

static bool is_late(const struct sub *s)
{
    return s->deadline_ms && crier_sys_now().boot_ms >= s->deadline_ms;
}

static int late_status(const struct sub *s)
{
    return s->options.count ? CRIER_EXIT_FAILED : CRIER_EXIT_DONE;
}

/* Waits until standard output takes a piece. 0; otherwise it is over: 1 + the exit status. */
static int wait_for_output(const struct sub *s)
{
    for (;;) {
        struct pollfd polled[2] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                                   {.fd = s->signals, .events = POLLIN}};
        uint64_t now_ms = crier_sys_now().boot_ms;
        int ms = -1;

        if (s->deadline_ms)
            ms = s->deadline_ms > now_ms ? poll_ms(s->deadline_ms - now_ms) : 0;
        if (poll(polled, 2, ms) < 0)
            continue;
        /* What can be written at once is. */
        if (polled[0].revents)
            return 0;
        if (polled[1].revents)
            return 1 + CRIER_EXIT_DONE;
        if (is_late(s))
            return 1 + late_status(s);
    }
}

/* A pipe that is ready takes PIPE_BUF bytes without blocking. */
static int write_piece(struct crier_slice *bytes)
{
    ssize_t n =
        write(STDOUT_FILENO, bytes->data, bytes->len < PIPE_BUF ? bytes->len : PIPE_BUF);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    *bytes = crier_slice_sub(*bytes, (size_t)n, bytes->len);
    return 0;
}

static int flush_failed(int error)
{
    if (error == -EPIPE)
        return 1 + CRIER_EXIT_DONE;
    crier_command_say(&crier_sub_command, "cannot write to standard output: %s",
                      strerror(-error));
    return 1 + CRIER_EXIT_FAILED;
}

/* 0; otherwise it is over: 1 + the exit status. */
static int flush(struct sub *s)
{
    struct crier_slice bytes = crier_buf_slice(&s->out);
    int r = crier_buf_error(&s->out);

    while (r == 0 && bytes.len > 0) {
        int over = wait_for_output(s);

        if (over)
            return over;
        r = write_piece(&bytes);
    }
    crier_buf_clear(&s->out);
    return r < 0 ? flush_failed(r) : 0;
}

static int finish(const struct sub *s, int result)
{
    if (result == CRIER_STOPPED)
        return CRIER_EXIT_DONE;
    crier_command_say(&crier_sub_command, "%.*s: %s", CRIER_SLICE_ARG(crier_buf_slice(&s->url)),
                      crier_client_reason(s->client));
    return CRIER_EXIT_FAILED;
}

static int timeout(const struct sub *s, struct crier_now now)
{
    int ms = crier_client_timeout(s->client);
    uint64_t left;

    if (!s->deadline_ms)
        return ms;
    left = s->deadline_ms > now.boot_ms ? s->deadline_ms - now.boot_ms : 0;
    return ms < 0 || left < (uint64_t)ms ? poll_ms(left) : ms;
}

static void wait_for(struct sub *s, struct crier_now now, struct pollfd polled[POLLED])
{
    polled[0] = (struct pollfd){.fd = crier_client_fd(s->client), .events = POLLIN};
    polled[1] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    polled[2] = (struct pollfd){.fd = STDOUT_FILENO};
    if (poll(polled, POLLED, timeout(s, now)) < 0)
        memset(polled, 0, POLLED * sizeof(*polled));
}

static int follow(struct sub *s)
{
    struct pollfd polled[POLLED];

    if (s->options.timeout_ms)
        s->deadline_ms = crier_sys_now().boot_ms + s->options.timeout_ms;
    for (;;) {
        int over = crier_client_step(s->client);
        int flushed = flush(s);

        if (flushed)
            return flushed - 1;
        if (over)
            return finish(s, over);
        wait_for(s, crier_sys_now(), polled);
        if (polled[1].revents || polled[2].revents & (POLLERR | POLLHUP | POLLNVAL))
            return CRIER_EXIT_DONE;
        if (is_late(s))
            return late_status(s);
    }
}

static int run(struct sub *s, int argc, char **argv)
{
    size_t selectors;
    int r = crier_command_options(&crier_sub_command, argc, argv, &s->options, &selectors);

    if (r < 0)
        r = build_url(s, argv, selectors);
    if (r < 0)
        r = crier_hub_token(&crier_sub_command, &s->options.hub, &s->token);
    if (r >= 0)
        return r;
    r = open_signals(s);
    if (r == 0)
        r = open_client(s);
    if (r == 0)
        return follow(s);
    crier_command_say(&crier_sub_command, "cannot start: %s", strerror(-r));
    return CRIER_EXIT_FAILED;
}

int crier_sub_main(int argc, char **argv)
{
    struct sub s = {.signals = -1};
    int status;

    crier_buf_init(&s.url, &crier_mem_libc);
    crier_buf_init(&s.token, &crier_mem_libc);
    crier_buf_init(&s.out, &crier_mem_libc);
    status = run(&s, argc, argv);
    (void)crier_client_free(s.client);
    crier_buf_deinit(&s.url);
    crier_buf_deinit(&s.token);
    crier_buf_deinit(&s.out);
    if (s.signals >= 0)
        (void)close(s.signals);
    return status;
}
