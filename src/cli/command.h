/* SPDX-License-Identifier: MIT */
/* What the commands share: their tables, how they take their options, talk to people, and reach
 * a hub. */
#ifndef CRIER_CLI_COMMAND_H
#define CRIER_CLI_COMMAND_H

#include "cli/options.h"

enum { CRIER_EXIT_DONE = 0, CRIER_EXIT_FAILED = 1, CRIER_EXIT_USAGE = 2 };

extern const struct crier_command crier_serve_command;
extern const struct crier_command crier_pub_command;
extern const struct crier_command crier_sub_command;
extern const struct crier_command crier_journal_command;

/* argv: without the program's and the command's name. The exit status. */
int crier_serve_main(int argc, char **argv);
int crier_pub_main(int argc, char **argv);
int crier_sub_main(int argc, char **argv);
int crier_journal_main(int argc, char **argv);

/* Parses into target. -1: go on; otherwise everything has been said: the exit status. */
int crier_command_options(
    const struct crier_command *, int argc, char **argv, void *target, size_t *ret_operands);

/* One line on standard error: "crier sub: ...". */
void crier_command_say(const struct crier_command *, const char *fmt, ...) CRIER_PRINTF(2, 3);
/* The same, and how to get help; CRIER_EXIT_USAGE. */
int crier_command_usage(const struct crier_command *, const char *fmt, ...) CRIER_PRINTF(2, 3);
int crier_command_no_memory(const struct crier_command *); /* says so; CRIER_EXIT_FAILED */

/* Writes all of it. 0, or -errno (-EPIPE: nobody reads any more; SIGPIPE must be ignored). */
int crier_write_all(int fd, struct crier_slice bytes) CRIER_MUST_CHECK;

/* ---- the hub to talk to ---- */

/* What pub and sub have in common; filled by their option tables. */
struct crier_hub_flags {
    const char *url;        /* -u */
    const char *token_file; /* --token-file; NULL: CRIER_TOKEN */
    const char *ca_file;    /* --ca-file; NULL: the system's */
};

#define CRIER_HUB_URL_OPTION(type)                                                             \
    {                                                                                          \
        .name = "url", .letter = 'u', .kind = CRIER_OPTION_TEXT, .argument = "URL",            \
        CRIER_MEMBER(type, hub.url), .env = "CRIER_URL", .fallback = "http://localhost:8080",  \
        .help = "the hub's base URL"                                                           \
    }
#define CRIER_HUB_TOKEN_OPTION(type)                                                           \
    {                                                                                          \
        .name = "token-file", .kind = CRIER_OPTION_TEXT, .argument = "FILE",                   \
        CRIER_MEMBER(type, hub.token_file),                                                    \
        .help = "send the token that is this file's first line; without it, the one in the "   \
                "environment variable "                                                        \
                "CRIER_TOKEN, if any"                                                          \
    }
#define CRIER_HUB_CA_OPTION(type)                                                              \
    {                                                                                          \
        .name = "ca-file", .kind = CRIER_OPTION_TEXT, .argument = "FILE",                      \
        CRIER_MEMBER(type, hub.ca_file), .env = "CRIER_CA_FILE",                               \
        .help = "for https: trust the certificates in this file (PEM), instead of the "        \
                "system's"                                                                     \
    }

/* Appends the token to send, or nothing. -1: go on; otherwise everything has been said: the
 * exit status. */
int crier_hub_token(const struct crier_command *,
                    const struct crier_hub_flags *,
                    struct crier_buf *token);
/* Appends "<base>/events", after checking the base. -1: go on; otherwise ... as above. */
int crier_hub_events_url(const struct crier_command *,
                         const struct crier_hub_flags *,
                         struct crier_buf *url);
/* Appends "?name=value", or with '&' when url has a query already; value is percent-encoded. */
void crier_hub_add_parameter(struct crier_buf *url, const char *name, struct crier_slice value);

#endif
