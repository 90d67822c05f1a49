/* SPDX-License-Identifier: MIT */
/*
 * What the commands share. Everything said to people goes to standard error as one line that
 * begins with the command's name; standard output is for events and answers alone.
 *
 * A token is never taken from the command line, where every user of the machine could read it.
 */
#include "cli/command.h"

#include "base/mem.h"
#include "client/url.h"
#include "http/target.h"
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_FILE_BYTES = 64 * 1024 };

static const char default_url[] = "http://localhost:8080";

/* ---- talking ---- */

static void CRIER_PRINTF(2, 0)
    say(const struct crier_command *command, const char *fmt, va_list args)
{
    char line[2048];

    /* One write, so that lines of several processes do not mix. */
    (void)vsnprintf(line, sizeof(line), fmt, args);
    (void)dprintf(STDERR_FILENO, "crier %s: %s\n", command->name, line);
}

void crier_command_say(const struct crier_command *command, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(command, fmt, args);
    va_end(args);
}

int crier_command_usage(const struct crier_command *command, const char *fmt, ...)
{
    char line[2048];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    crier_command_say(command, "%s (crier %s --help tells more)", line, command->name);
    return CRIER_EXIT_USAGE;
}

int crier_command_no_memory(const struct crier_command *command)
{
    crier_command_say(command, "out of memory");
    return CRIER_EXIT_FAILED;
}

int crier_write_all(int fd, struct crier_slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);

        if (n < 0 && errno == EAGAIN) { /* someone else's terminal setting */
            struct pollfd p = {.fd = fd, .events = POLLOUT};

            (void)poll(&p, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return -errno;
        } else if (n > 0) {
            bytes = crier_slice_sub(bytes, (size_t)n, bytes.len);
        }
    }
    return 0;
}

/* ---- options ---- */

static const char *get_environment(void *ctx, const char *name)
{
    return getenv(name);
}

static int show_help(const struct crier_command *command)
{
    struct crier_buf text;
    int r;

    crier_buf_init(&text, &crier_mem_libc);
    crier_options_help(&text, command);
    r = crier_buf_error(&text);
    if (r == 0)
        r = crier_write_all(STDOUT_FILENO, crier_buf_slice(&text));
    crier_buf_deinit(&text);
    return r < 0 && r != -EPIPE ? CRIER_EXIT_FAILED : CRIER_EXIT_DONE;
}

int crier_command_options(const struct crier_command *command,
                          int argc,
                          char **argv,
                          void *target,
                          size_t *ret_operands)
{
    struct crier_buf fault;
    int r;

    crier_buf_init(&fault, &crier_mem_libc);
    r = crier_options_parse(command, argc, argv, get_environment, NULL, target, &fault,
                            ret_operands);
    if (r == 0)
        r = -1;
    else if (r == CRIER_OPTIONS_HELP)
        r = show_help(command);
    else if (r == -ENOMEM)
        r = crier_command_no_memory(command);
    else
        r = crier_command_usage(command, "%.*s", CRIER_SLICE_ARG(crier_buf_slice(&fault)));
    crier_buf_deinit(&fault);
    return r;
}

/* ---- the token ---- */

/* What may stand in a header after "Bearer ": visible ASCII. */
static bool is_token(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return text.len > 0;
}

static ssize_t read_file(const char *path, char *bytes, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    do {
        n = read(fd, bytes + len, size - len);
        if (n > 0)
            len += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    n = n < 0 ? -errno : (ssize_t)len;
    (void)close(fd);
    return n;
}

static int
token_of_file(const struct crier_command *command, const char *path, struct crier_buf *token)
{
    ssize_t n;

    if (crier_buf_reserve(token, TOKEN_FILE_BYTES) < 0)
        return crier_command_no_memory(command);
    n = read_file(path, token->data, TOKEN_FILE_BYTES);
    if (n < 0) {
        crier_command_say(command, "cannot read the token file %s: %s", path,
                          strerror((int)-n));
        return CRIER_EXIT_FAILED;
    }
    token->len = crier_slice_find_eol((struct crier_slice){token->data, (size_t)n});
    token->len = crier_slice_trim(crier_buf_slice(token)).len;
    if (is_token(crier_buf_slice(token)))
        return -1;
    crier_command_say(
        command, "the first line of %s is no token: it must be printable ASCII without spaces",
        path);
    return CRIER_EXIT_FAILED;
}

int crier_hub_token(const struct crier_command *command,
                    const struct crier_hub_flags *hub,
                    struct crier_buf *token)
{
    struct crier_slice text = crier_slice_of(getenv("CRIER_TOKEN"));

    if (hub->token_file)
        return token_of_file(command, hub->token_file, token);
    if (text.len == 0)
        return -1;
    if (!is_token(text))
        return crier_command_usage(
            command, "CRIER_TOKEN is no token: it must be printable ASCII without spaces");
    crier_buf_append(token, text);
    return crier_buf_error(token) < 0 ? crier_command_no_memory(command) : -1;
}

/* ---- URLs ---- */

int crier_hub_events_url(const struct crier_command *command,
                         const struct crier_hub_flags *hub,
                         struct crier_buf *url)
{
    struct crier_slice base = crier_slice_of(hub->url ? hub->url : default_url);
    struct crier_url parsed;
    const char *fault = crier_url_parse(base, &parsed);

    if (!fault && parsed.query.data)
        fault = "the hub's base URL must have no query";
    if (fault)
        return crier_command_usage(command, "--url %.*s: %s", CRIER_SLICE_ARG(base), fault);
    base.len = crier_slice_find(base, '#');
    while (crier_slice_ends(base, CRIER_SLICE("/")))
        base.len--;
    crier_buf_append(url, base);
    crier_buf_append(url, CRIER_SLICE("/events"));
    return crier_buf_error(url) < 0 ? crier_command_no_memory(command) : -1;
}

void crier_hub_add_parameter(struct crier_buf *url, const char *name, struct crier_slice value)
{
    bool has_query = crier_slice_find(crier_buf_slice(url), '?') < url->len;

    crier_buf_byte(url, has_query ? '&' : '?');
    crier_buf_append(url, crier_slice_of(name));
    crier_buf_byte(url, '=');
    crier_percent_encode(url, value);
}
