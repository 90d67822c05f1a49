/* SPDX-License-Identifier: MIT */
/*
 * The option parser: one table for a command says what its options are called, what they take,
 * where the value goes, which environment variable stands in for them, and what the help says.
 * Pure: the environment is given as a function.
 *
 *     --name=value, --name value, -u value, -uvalue, flags together (-vj); `--` ends the
 * options; options and operands may be mixed. A flag on the command line wins over the
 * environment.
 */
#ifndef CRIER_CLI_OPTIONS_H
#define CRIER_CLI_OPTIONS_H

#include "base/buf.h"

enum crier_option_kind {
    CRIER_OPTION_HEADING = 0, /* only a line of the help */
    CRIER_OPTION_FLAG,     /* bool; in the environment 1, true, yes, on, or 0, false, no, off */
    CRIER_OPTION_NUMBER,   /* uint32_t or uint64_t, by `size` */
    CRIER_OPTION_BYTES,    /* the same, with K, M or G (1,024 each) behind it */
    CRIER_OPTION_DURATION, /* milliseconds: "250ms", "30s", "10m", "2h", "7d" */
    CRIER_OPTION_TEXT,     /* const char *, borrowed from argv or the environment */
    CRIER_OPTION_CALL,     /* `call` does it */
};

struct crier_option {
    const char *name; /* without the dashes. NULL: only from the environment */
    char letter;      /* 0: none */
    enum crier_option_kind kind;
    const char *argument; /* what the help calls the value; NULL for flags */
    size_t offset, size;  /* of the member of the target it is stored in; CRIER_MEMBER */
    uint64_t min,
        max; /* of numbers, bytes and durations (ms); max 0: no bound but the member's */
    /* Stores value, a C string too, in target. NULL: fine; else a sentence that says how to
     * write it. Borrows value for the program's life. */
    const char *(*call)(void *target, struct crier_slice value);
    bool repeat;     /* may be given more than once; in the environment separated by commas or
                        spaces */
    bool has_commas; /* with repeat: its values have commas; spaces separate them */
    const char *env; /* NULL: none */
    const char *fallback; /* the default as the help says it; NULL: not said */
    const char *help;
};
#define CRIER_MEMBER(type, member)                                                             \
    .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

struct crier_command {
    const char *name;     /* "sub" */
    const char *synopsis; /* "crier sub [options] SELECTOR..." */
    const char *summary;  /* a line, for crier --help */
    const char
        *about; /* what follows the usage line in its own help; lines broken as they shall be */
    const struct crier_option *options;
    size_t option_count;
    size_t min_operands, max_operands;
    const char
        *operands; /* how a command line with too few or too many is told: "it needs a topic" */
    const char *epilogue; /* at the end of the help; NULL: none */
};

enum { CRIER_OPTIONS_HELP = 1 }; /* --help or -h was there */

typedef const char *crier_getenv_fn(void *ctx, const char *name);

/* argv: without the command's name. 0: the values are stored, argv[0..*ret_operands) are the
 * operands. CRIER_OPTIONS_HELP. -EINVAL: fault is filled with one line, without its end.
 * -ENOMEM. */
int crier_options_parse(const struct crier_command *,
                        int argc,
                        char **argv,
                        crier_getenv_fn *,
                        void *getenv_ctx,
                        void *target,
                        struct crier_buf *fault,
                        size_t *ret_operands) CRIER_MUST_CHECK;
void crier_options_help(struct crier_buf *buf, const struct crier_command *);
/* The one of names that text was probably meant to be, or NULL. */
const char *crier_options_near(struct crier_slice text, const char *const *names, size_t count);

/* A number with K, M or G behind it. 0, -EINVAL, -ERANGE. */
int crier_bytes_parse(struct crier_slice text, uint64_t *ret_bytes);
/* "1s..30s", or one duration for both. NULL, or a sentence. */
const char *
crier_duration_range_parse(struct crier_slice text, uint64_t *ret_min_ms, uint64_t *ret_max_ms);

#endif
