/* SPDX-License-Identifier: MIT */
/*
 * crier pub: publishes.
 *
 *     DATA, or --raw with standard input    one request with the data as its body
 *     standard input                        one event a line, in batches of NDJSON:
 *
 *         line ──▶ chunk of the running request, at once
 *         no line for PAUSE_MS, or BATCH_MS since the batch began, or the end of input
 *              ──▶ the request ends, its answer is read and checked
 *                  ──▶ the next line begins another
 *
 * So every line leaves when it is there, and whoever types or pipes learns soon that a line was
 * refused, also when the input never ends. Of a batch whose connection was lost nobody knows
 * how much was published: that is said, and nothing is sent again.
 */
#include "cli/command.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cli/lines.h"
#include "client/post.h"
#include "client/verdict.h"
#include "http/negotiate.h"
#include "http/target.h"
#include "hub/publication.h"
#include "hub/topic.h"
#include "net/sys.h"
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_MS = 10 * 1000,
    PAUSE_MS = 1000,
    BATCH_MS = 5000,
    READ_BYTES = 64 * 1024,
    UNSENT_BYTES = 256 * 1024, /* input is not read while more than this waits to be sent */
    RAW_BYTES = 64 * 1024 * 1024,
};

struct pub_options {
    struct crier_hub_flags hub;
    const char *type, *key, *ttl;
    uint32_t retry_ms;
    bool raw, verbose;
};

struct pub {
    struct pub_options options;
    const char *topic, *data; /* data NULL: standard input */
    struct crier_buf url, token;
    struct crier_access access;
    struct crier_post post;
};

/* ---- the command line ---- */

static const struct crier_option pub_options[] = {
    CRIER_HUB_URL_OPTION(struct pub_options),
    CRIER_HUB_TOKEN_OPTION(struct pub_options),
    CRIER_HUB_CA_OPTION(struct pub_options),
    {.name = "event",
     .letter = 'e',
     .kind = CRIER_OPTION_TEXT,
     .argument = "TYPE",
     CRIER_MEMBER(struct pub_options, type),
     .fallback = "message",
     .help = "the event's type, what addEventListener is given"},
    {.name = "key",
     .letter = 'k',
     .kind = CRIER_OPTION_TEXT,
     .argument = "KEY",
     CRIER_MEMBER(struct pub_options, key),
     .help = "idempotency key: the same key again on the same topic publishes nothing"},
    {.name = "ttl",
     .kind = CRIER_OPTION_TEXT,
     .argument = "T",
     CRIER_MEMBER(struct pub_options, ttl),
     .help = "how long history keeps the event, at least 1s"},
    {.name = "retry",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "MS",
     CRIER_MEMBER(struct pub_options, retry_ms),
     .min = 500,
     .max = 3600000,
     .help = "tell followers to wait so many milliseconds before they connect again"},
    {.name = "raw",
     .kind = CRIER_OPTION_FLAG,
     CRIER_MEMBER(struct pub_options, raw),
     .help = "all of standard input is one event, byte for byte, instead of one event a line"},
    {.name = "verbose",
     .letter = 'v',
     .kind = CRIER_OPTION_FLAG,
     CRIER_MEMBER(struct pub_options, verbose),
     .help = "print the hub's answers: ids and counts, as JSON"},
};

const struct crier_command crier_pub_command = {
    .name = "pub",
    .synopsis = "crier pub [options] TOPIC [DATA]",
    .summary = "publish to a topic",
    .about = "Publishes DATA to TOPIC. Without DATA each line of standard input is an event, "
             "published as it comes.",
    .options = pub_options,
    .option_count = sizeof(pub_options) / sizeof(pub_options[0]),
    .min_operands = 1,
    .max_operands = 2,
    .operands =
        "name one topic and at most one piece of data, as in crier pub news 'hello, world'",
    .epilogue =
        "Examples:\n"
        "  crier pub news 'hello'\n"
        "  crier pub -e reload pages ''\n"
        "  tail -f access.log | crier pub logs/access\n"
        "  crier pub --raw notes < notes.txt\n\n"
        "Exit status: 0 all of it is published, 1 it failed, 2 the command line was wrong.",
};

static const char *ttl_fault(const char *ttl)
{
    uint64_t ms;

    return ttl ? crier_publish_ttl_fault(crier_slice_of(ttl), &ms) : NULL;
}

static int check_options(const struct pub *p)
{
    const struct crier_command *command = &crier_pub_command;
    const char *fault = crier_topic_fault(crier_slice_of(p->topic));

    if (fault)
        return crier_command_usage(command, "%s: %s", p->topic, fault);
    if (p->options.type && (fault = crier_publish_type_fault(crier_slice_of(p->options.type))))
        return crier_command_usage(command, "--event %s: %s", p->options.type, fault);
    if (p->options.key && (fault = crier_publish_key_fault(crier_slice_of(p->options.key))))
        return crier_command_usage(command, "--key %s: %s", p->options.key, fault);
    fault = ttl_fault(p->options.ttl);
    if (fault)
        return crier_command_usage(command, "--ttl %s: %s", p->options.ttl, fault);
    if (p->data && p->options.raw)
        return crier_command_usage(
            command, "--raw is for standard input: leave the data away, or --raw");
    if (p->options.key && !p->data && !p->options.raw)
        return crier_command_usage(command, "--key is for one event: give the data, or --raw");
    return -1;
}

/* ---- answers ---- */

static int failed_to_reach(const struct pub *p, const char *more)
{
    crier_command_say(&crier_pub_command, "%s %.*s: %s%s",
                      crier_post_reached(&p->post) ? "lost" : "cannot reach",
                      CRIER_SLICE_ARG(crier_buf_slice(&p->url)), crier_post_fault(&p->post),
                      more);
    return CRIER_EXIT_FAILED;
}

/* The member `line` of a problem document, or 0. */
static uint64_t refused_line(const struct pub *p)
{
    json_t *problem = json_loadb(p->post.body.data, p->post.body.len, 0, NULL);
    json_int_t line = json_integer_value(json_object_get(problem, "line"));

    json_decref(problem);
    return line > 0 ? (uint64_t)line : 0;
}

/* before: lines of the batches before this one. */
static int refused(const struct pub *p, uint64_t before)
{
    uint64_t line = refused_line(p);
    struct crier_buf text;

    crier_buf_init(&text, &crier_mem_libc);
    if (line > 0)
        crier_buf_printf(&text, "line %llu: ", (unsigned long long)(before + line));
    if (p->post.status >= 300 && p->post.status < 400)
        crier_buf_append(
            &text, CRIER_SLICE("a publish is not redirected, give the right URL with -u: "));
    if (p->post.status >= 200 && p->post.status < 300) {
        crier_buf_append(&text, CRIER_SLICE("the answer is "));
        crier_plain_text(&text, p->post.type.len > 0 ? crier_buf_slice(&p->post.type)
                                                     : CRIER_SLICE("empty"));
        crier_buf_append(&text,
                         CRIER_SLICE(" instead of application/json: is this a Crier hub?"));
    } else {
        crier_refusal_describe(&text, p->post.status, crier_buf_slice(&p->post.type),
                               crier_buf_slice(&p->post.body));
    }
    if (line > 0)
        crier_buf_append(
            &text,
            CRIER_SLICE(
                " The lines before it are published, this one and those after it are not."));
    crier_command_say(&crier_pub_command, "%.*s", CRIER_SLICE_ARG(crier_buf_slice(&text)));
    crier_buf_deinit(&text);
    return CRIER_EXIT_FAILED;
}

static int answered_early(const struct pub *p)
{
    crier_command_say(&crier_pub_command,
                      "%.*s answered %u before the end of what was published; how much of it "
                      "is published is not known",
                      CRIER_SLICE_ARG(crier_buf_slice(&p->url)), p->post.status);
    return CRIER_EXIT_FAILED;
}

/* -1: published. Otherwise the exit status. */
static int check_answer(const struct pub *p, uint64_t before)
{
    struct crier_slice essence = crier_content_type_essence(crier_buf_slice(&p->post.type));
    int r;

    if (p->post.status < 200 || p->post.status >= 300 ||
        !crier_slice_eq_nocase(essence, CRIER_SLICE("application/json")))
        return refused(p, before);
    if (p->post.early)
        return answered_early(p);
    r = p->options.verbose ? crier_write_all(STDOUT_FILENO, crier_buf_slice(&p->post.body)) : 0;
    if (r == 0)
        return -1;
    crier_command_say(&crier_pub_command, "published, but cannot write to standard output: %s",
                      strerror(-r));
    return CRIER_EXIT_FAILED;
}

/* ---- requests ---- */

static int start(struct pub *p, struct crier_slice content_type, const struct crier_slice *body)
{
    struct crier_post_request request = {
        .access = &p->access,
        .content_type = content_type,
        .token = crier_buf_slice(&p->token),
        .key = crier_slice_of(p->options.key),
        .has_length = body != NULL,
        .length = body ? body->len : 0,
    };

    if (crier_url_parse(crier_buf_slice(&p->url), &request.url))
        return -EINVAL;
    return crier_post_start(&p->post, &request, crier_sys_now().boot_ms);
}

static int publish_one(struct pub *p, struct crier_slice data)
{
    struct pollfd polled;
    int r;

    if (!crier_utf8_valid(data)) {
        crier_command_say(&crier_pub_command,
                          "the data is not UTF-8 text: encode it, for instance with base64");
        return CRIER_EXIT_FAILED;
    }
    r = start(p, CRIER_SLICE("text/plain; charset=utf-8"), &data);
    if (r == 0) {
        crier_post_add(&p->post, data);
        crier_post_end(&p->post);
    }
    while (r == 0) {
        r = crier_post_step(&p->post, crier_sys_now().boot_ms);
        if (r != 0)
            break;
        polled = (struct pollfd){.fd = crier_post_fd(&p->post),
                                 .events = crier_post_events(&p->post)};
        (void)poll(&polled, 1, crier_post_timeout(&p->post, crier_sys_now().boot_ms));
    }
    if (r < 0)
        return failed_to_reach(p, crier_post_reached(&p->post)
                                      ? "; it is not known whether it was published"
                                      : "");
    r = check_answer(p, 0);
    return r < 0 ? CRIER_EXIT_DONE : r;
}

static int publish_raw(struct pub *p)
{
    struct crier_buf data;
    ssize_t n = 0;
    int r;

    crier_buf_init(&data, &crier_mem_libc);
    do {
        if (crier_buf_reserve(&data, READ_BYTES) < 0)
            break;
        n = read(STDIN_FILENO, data.data + data.len, READ_BYTES);
        if (n > 0)
            data.len += (size_t)n;
    } while ((n > 0 || (n < 0 && errno == EINTR)) && data.len <= RAW_BYTES);
    if (n < 0)
        crier_command_say(&crier_pub_command, "cannot read standard input: %s",
                          strerror(errno));
    else if (crier_buf_error(&data) < 0)
        (void)crier_command_no_memory(&crier_pub_command);
    else if (data.len > RAW_BYTES)
        crier_command_say(
            &crier_pub_command,
            "standard input is longer than 64 MiB, which no hub takes as one event");
    r = n < 0 || data.len > RAW_BYTES || crier_buf_error(&data) < 0
            ? CRIER_EXIT_FAILED
            : publish_one(p, crier_buf_slice(&data));
    crier_buf_deinit(&data);
    return r;
}

/* ---- lines ---- */

/* A batch is open from its first line until its answer has been checked. */
struct feed {
    struct crier_lines lines;
    struct crier_buf objects;
    bool input_over;
    int status; /* -1, or what is to be the exit status once the batch that is open is answered
                 */
    bool open;
    uint64_t before;              /* lines of the batches before it */
    uint64_t begun_ms, latest_ms; /* its first and its latest line */
};

static int send_objects(struct pub *p, struct feed *f, uint64_t now_ms)
{
    if (f->objects.len == 0)
        return 0;
    if (!f->open) {
        int r = start(p, CRIER_SLICE("application/x-ndjson"), NULL);

        if (r < 0)
            return r;
        f->open = true;
        f->begun_ms = now_ms;
    }
    f->latest_ms = now_ms;
    crier_post_add(&p->post, crier_buf_slice(&f->objects));
    crier_buf_clear(&f->objects);
    return 0;
}

static void input_fault(struct feed *f, int error)
{
    if (error == -ENOMEM)
        (void)crier_command_no_memory(&crier_pub_command);
    else
        crier_command_say(
            &crier_pub_command,
            "line %llu of standard input: %s. It and those after it are not published.",
            (unsigned long long)f->lines.count + 1, f->lines.fault);
    f->status = CRIER_EXIT_FAILED;
    f->input_over = true;
}

static void read_lines(struct feed *f)
{
    char bytes[READ_BYTES];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
    int r;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0) {
        crier_command_say(&crier_pub_command, "cannot read standard input: %s",
                          strerror(errno));
        f->status = CRIER_EXIT_FAILED;
        f->input_over = true;
        return;
    }
    if (n > 0) {
        r = crier_lines_feed(&f->lines, (struct crier_slice){bytes, (size_t)n}, &f->objects);
    } else {
        f->input_over = true;
        r = crier_lines_end(&f->lines, &f->objects);
    }
    if (r < 0)
        input_fault(f, r);
}

static bool batch_is_due(const struct feed *f, uint64_t now_ms)
{
    return f->input_over || now_ms - f->latest_ms >= PAUSE_MS ||
           now_ms - f->begun_ms >= BATCH_MS;
}

static bool wants_input(const struct pub *p, const struct feed *f)
{
    return !f->input_over &&
           (!f->open || (!p->post.ended && crier_post_unsent(&p->post) < UNSENT_BYTES));
}

static int wait_ms(const struct pub *p, const struct feed *f, uint64_t now_ms)
{
    int ms = f->open ? crier_post_timeout(&p->post, now_ms) : -1;
    uint64_t pause = f->latest_ms + PAUSE_MS, batch = f->begun_ms + BATCH_MS;
    uint64_t due = pause < batch ? pause : batch;

    if (!f->open || p->post.ended)
        return ms;
    due = due > now_ms ? due - now_ms : 0;
    return ms < 0 || due < (uint64_t)ms ? (int)due : ms;
}

/* Waits until something can be done, and reads input if there is some. */
static void wait_for_input(struct pub *p, struct feed *f)
{
    struct pollfd polled[2] = {
        {.fd = wants_input(p, f) ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = f->open ? crier_post_fd(&p->post) : -1, .events = crier_post_events(&p->post)},
    };

    if (poll(polled, 2, wait_ms(p, f, crier_sys_now().boot_ms)) > 0 && polled[0].revents)
        read_lines(f);
}

/* 0: go on; otherwise the batch, or the attempt at one, failed: 1 + the exit status. */
static int step_batch(struct pub *p, struct feed *f, uint64_t now_ms)
{
    int r = send_objects(p, f, now_ms);

    if (r == 0 && f->open) {
        if (!p->post.ended && batch_is_due(f, now_ms))
            crier_post_end(&p->post);
        r = crier_post_step(&p->post, now_ms);
    }
    if (r < 0)
        return 1 + failed_to_reach(
                       p, crier_post_reached(&p->post)
                              ? "; it is not known which of the last lines were published"
                              : "");
    if (r != CRIER_POST_ANSWERED)
        return 0;
    r = check_answer(p, f->before);
    f->open = false;
    f->before = f->lines.count;
    return r + 1;
}

static int publish_lines(struct pub *p, struct feed *f)
{
    int r;

    while (!f->input_over || f->open || f->objects.len > 0) {
        r = step_batch(p, f, crier_sys_now().boot_ms);
        if (r != 0)
            return r - 1;
        if (!f->input_over || f->open)
            wait_for_input(p, f);
    }
    return f->status < 0 ? CRIER_EXIT_DONE : f->status;
}

static int publish_input(struct pub *p)
{
    struct feed f = {.status = -1};
    struct crier_buf retry;
    int r;

    crier_lines_init(&f.lines, &crier_mem_libc);
    crier_buf_init(&f.objects, &crier_mem_libc);
    crier_buf_init(&retry, &crier_mem_libc);
    crier_buf_u64(&retry, p->options.retry_ms);
    if (p->options.type)
        crier_lines_member(&f.lines, "event", crier_slice_of(p->options.type), true);
    if (p->options.ttl)
        crier_lines_member(&f.lines, "ttl", crier_slice_of(p->options.ttl), true);
    if (p->options.retry_ms)
        crier_lines_member(&f.lines, "retry", crier_buf_slice(&retry), false);
    r = publish_lines(p, &f);
    crier_buf_deinit(&retry);
    crier_buf_deinit(&f.objects);
    crier_lines_deinit(&f.lines);
    return r;
}

/* ---- setting up ---- */

/* One event's metadata stands in the query; that of lines in each line. */
static int build_url(struct pub *p)
{
    bool one = p->data || p->options.raw;
    int r = crier_hub_events_url(&crier_pub_command, &p->options.hub, &p->url);
    char retry[16];

    if (r >= 0)
        return r;
    crier_buf_byte(&p->url, '/');
    crier_percent_encode(&p->url, crier_slice_of(p->topic));
    if (one && p->options.type)
        crier_hub_add_parameter(&p->url, "event", crier_slice_of(p->options.type));
    if (one && p->options.ttl)
        crier_hub_add_parameter(&p->url, "ttl", crier_slice_of(p->options.ttl));
    (void)snprintf(retry, sizeof(retry), "%u", p->options.retry_ms);
    if (one && p->options.retry_ms)
        crier_hub_add_parameter(&p->url, "retry", crier_slice_of(retry));
    return crier_buf_error(&p->url) < 0 ? crier_command_no_memory(&crier_pub_command) : -1;
}

static int init_post(struct pub *p)
{
    const struct crier_access_options options = {.ca_file = p->options.hub.ca_file,
                                                 .connect_ms = CONNECT_MS};
    int r = crier_access_init(&p->access, &crier_mem_libc, &options);

    return r < 0 ? r : crier_post_init(&p->post, &crier_mem_libc);
}

static int run(struct pub *p, int argc, char **argv)
{
    size_t operands;
    int r = crier_command_options(&crier_pub_command, argc, argv, &p->options, &operands);

    if (r >= 0)
        return r;
    p->topic = argv[0];
    p->data = operands > 1 ? argv[1] : NULL;
    r = check_options(p);
    if (r < 0)
        r = build_url(p);
    if (r < 0)
        r = crier_hub_token(&crier_pub_command, &p->options.hub, &p->token);
    if (r >= 0)
        return r;
    if (init_post(p) < 0)
        return crier_command_no_memory(&crier_pub_command);
    if (p->data)
        return publish_one(p, crier_slice_of(p->data));
    return p->options.raw ? publish_raw(p) : publish_input(p);
}

int crier_pub_main(int argc, char **argv)
{
    struct pub p = {.topic = NULL};
    int status;

    crier_buf_init(&p.url, &crier_mem_libc);
    crier_buf_init(&p.token, &crier_mem_libc);
    status = run(&p, argc, argv);
    crier_post_deinit(&p.post);
    crier_access_deinit(&p.access);
    crier_buf_deinit(&p.url);
    crier_buf_deinit(&p.token);
    return status;
}
