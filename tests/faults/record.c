// SPDX-License-Identifier: MIT
/*
 * The log. A record is written after its call took effect and before the call returns to the
 * program, with one writev to a file opened for appending. Two things follow.
 *
 *   - The log's size is a clock. Whoever has been told something by the program (an answer over
 *     a socket, a line on a pipe) and then looks at the log's size knows that everything the
 *     program did before it said so lies below that size. So a cut at that size or later must
 *     keep what was promised. A cut below it need not: the size may be larger than what the
 *     promise rested on, never smaller. Tests that use it so can miss a fault by a hair, and
 *     never accuse in vain.
 *   - A program that is killed may leave its last record unfinished, or leave it out: replay.mjs
 *     takes an unfinished record for a call that was under way.
 *
 * A log that cannot be written ends the program: a test must not go on with half of it.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 1025 }; /* IOV_MAX and the header */

static void give_up(const char *what)
{
    fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
    abort();
}

static int log_fd(void)
{
    static int fd = -2;
    const char *path;

    if (fd != -2)
        return fd;
    path = getenv("FAULTS_LOG");
    fd = -1;
    if (path && *path) {
        fd = faults_real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
            give_up("the log cannot be opened");
    }
    return fd;
}

/* Forgets `done` bytes of the parts' front. */
static void skip(struct iovec **parts, int *count, size_t done)
{
    while (*count && done >= (*parts)->iov_len) {
        done -= (*parts)->iov_len;
        (*parts)++;
        (*count)--;
    }
    if (*count) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + done;
        (*parts)->iov_len -= done;
    }
}

void faults_record(enum faults_kind kind,
                   unsigned flags,
                   uint32_t file,
                   uint64_t offset,
                   const struct iovec *parts,
                   int part_count,
                   size_t length)
{
    static struct iovec all[PARTS]; /* under the lock */
    struct iovec *rest = all;
    struct faults_header header = {.magic = FAULTS_MAGIC,
                                   .kind = (uint8_t)kind,
                                   .flags = (uint8_t)flags,
                                   .file = file,
                                   .offset = offset,
                                   .length = length};
    int fd = log_fd(), count = 0;
    ssize_t done;

    if (fd < 0)
        return;
    all[count++] = (struct iovec){&header, sizeof(header)};
    for (int i = 0; i < part_count && length; i++) {
        size_t take = parts[i].iov_len < length ? parts[i].iov_len : length;
        all[count++] = (struct iovec){parts[i].iov_base, take};
        length -= take;
    }
    while (count) {
        /* What writev takes at most is IOV_MAX, one less than there may be. */
        done = faults_real_writev(fd, rest, count > PARTS - 1 ? PARTS - 1 : count);
        if (done < 0 && errno != EINTR)
            give_up("the log cannot be written");
        if (done > 0)
            skip(&rest, &count, (size_t)done);
    }
}
