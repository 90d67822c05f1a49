/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The one table of errors and outcomes.
 *
 *   0     it worked
 *   < 0   an error of this table: it failed, and nothing was changed (but for CRIER_EUNKNOWN)
 *   > 0   an outcome, documented by the function that has it
 *
 * Errors are negative errno values, so that those of the system pass through unchanged.
 */
#ifndef CRIER_ERROR_H
#define CRIER_ERROR_H

#include "crier/types.h"

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/** X(name, errno, text): every error a function of the library names. */
#define CRIER_ERRORS(X)                                                                        \
    X(CRIER_ENOMEM, ENOMEM, "out of memory, or a handle that is NULL")                         \
    X(CRIER_EINVAL, EINVAL, "an argument is not valid")                                        \
    X(CRIER_EBUSY, EBUSY, "not now: it is in use, or this is its own callback")                \
    X(CRIER_EWOULDBLOCK, EWOULDBLOCK, "it would have to wait: try again later")                \
    X(CRIER_EMSGSIZE, EMSGSIZE, "too large for the limit or the buffer")                       \
    X(CRIER_EILSEQ, EILSEQ, "not valid UTF-8")                                                 \
    X(CRIER_E2BIG, E2BIG, "too many of them")                                                  \
    X(CRIER_ENOENT, ENOENT, "there is no such thing")                                          \
    X(CRIER_EEXIST, EEXIST, "it is there already")                                             \
    X(CRIER_EPROTO, EPROTO, "the peer does not speak the protocol, or a file the format")      \
    X(CRIER_ECANCELED, ECANCELED, "canceled by what came before")                              \
    X(CRIER_EADDRINUSE, EADDRINUSE, "address in use")                                          \
    X(CRIER_EACCES, EACCES, "permission denied")                                               \
    X(CRIER_EPERM, EPERM, "not allowed")                                                       \
    X(CRIER_ECONNREFUSED, ECONNREFUSED, "connection refused")                                  \
    X(CRIER_ECONNRESET, ECONNRESET, "the connection was cut")                                  \
    X(CRIER_ETIMEDOUT, ETIMEDOUT, "no answer in time")                                         \
    X(CRIER_EMFILE, EMFILE, "too many open files")                                             \
    X(CRIER_ENOTSUP, ENOTSUP, "this build of the library cannot do that")                      \
    X(CRIER_ENOTDIR, ENOTDIR, "a file, where a folder is needed")                              \
    X(CRIER_ENOSPC, ENOSPC, "the disk is full")                                                \
    X(CRIER_EIO, EIO, "the disk has failed")                                                   \
    X(CRIER_EUCLEAN, EUCLEAN, "a file is damaged")                                             \
    X(CRIER_EUNKNOWN, ENOTRECOVERABLE, "it was done or it was not: that cannot be known")

enum crier_error {
#define CRIER_X(name, number, text) name = -(number),
    CRIER_ERRORS(CRIER_X)
#undef CRIER_X
};

/** X(name, number, text): every outcome. Which function has which, its own page says. */
#define CRIER_OUTCOMES(X)                                                                      \
    X(CRIER_EMPTY, 1, "nothing there now")                                                     \
    X(CRIER_GAP, 2, "events were missed for good")                                             \
    X(CRIER_MORE, 3, "all input is used up: more is needed")                                   \
    X(CRIER_PARTIAL, 4, "something unfinished was dropped")                                    \
    X(CRIER_FULL, 5, "full: nothing was taken")                                                \
    X(CRIER_GONE, 6, "what the reference meant is gone")                                       \
    X(CRIER_STOPPED, 7, "it has ended as asked")                                               \
    X(CRIER_CUT, 8, "it has ended, and some were cut off")                                     \
    X(CRIER_OVER, 9, "it is over for good")                                                    \
    X(CRIER_DONE, 1 << 30, "no more calls are wanted")

enum crier_outcome {
#define CRIER_X(name, number, text) name = (number),
    CRIER_OUTCOMES(CRIER_X)
#undef CRIER_X
};

/**
 * A result in words: of the table, of errno if it is none of the table's, else "unknown".
 * 0 is "success". Static text, never NULL. Any thread.
 */
CRIER_API const char *crier_strerror(int result);

/**
 * The name of a result: "CRIER_EINVAL", "CRIER_GAP"; "0"; NULL if the table has none. Static
 * text. Any thread.
 */
CRIER_API const char *crier_errname(int result);

#ifdef __cplusplus
}
#endif

#endif
