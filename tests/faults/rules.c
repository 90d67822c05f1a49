// SPDX-License-Identifier: MIT
/*
 * What breaks. The control file holds words, looked at again on each call, so that a running
 * program can be broken and mended:
 *
 *     fail=writes|syncs|both   these calls fail. A write to a descriptor opened with O_DSYNC is
 *                              also a sync: with fail=syncs it is done and then fails
 *     with=EIO|ENOSPC|short    how (EIO). short: half of a write is done and counted as success;
 *                              syncs then fail with EIO
 *     from=N                   beginning with the Nth such call since the file was changed (1)
 *     times=N                  so many of them (all)
 *     file=NAME                only this file, by its name in the folder (all)
 *     limit=BYTES              the disk: what all files of the folder may be together. A write
 *                              that would make them larger is done as far as it fits, in whole
 *                              sectors, as a kernel does; not at all: ENOSPC
 *
 * Sizes count, not blocks: a hole is as dear as data. Write the file anew by renaming over it,
 * so that it is never seen half. A word it does not know ends the program: a test must not pass
 * because of a slip.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512, TEXT = 512 };

struct rules {
    bool writes, syncs, cut_short;
    int error;
    uint64_t from, times, limit;
    char file[FAULTS_NAME];
};

static struct rules rules;
static uint64_t seen; /* calls that `rules` are about, since they were read */

static void give_up(const char *word)
{
    fprintf(stderr, "faults: unknown rule: %s\n", word);
    abort();
}

static void take_fail(const char *value, const char *word)
{
    rules.writes = !strcmp(value, "writes") || !strcmp(value, "both");
    rules.syncs = !strcmp(value, "syncs") || !strcmp(value, "both");
    if (!rules.writes && !rules.syncs)
        give_up(word);
}

static void take_with(const char *value, const char *word)
{
    rules.cut_short = !strcmp(value, "short");
    rules.error = !strcmp(value, "ENOSPC") ? ENOSPC : EIO;
    if (!rules.cut_short && strcmp(value, "ENOSPC") != 0 && strcmp(value, "EIO") != 0)
        give_up(word);
}

static uint64_t number(const char *value, const char *word)
{
    char *end;
    uint64_t result = strtoull(value, &end, 10);

    if (end == value || *end)
        give_up(word);
    return result;
}

static void take_word(const char *word)
{
    size_t key = strcspn(word, "=");
    const char *value = word[key] ? word + key + 1 : "";

    if (!strncmp(word, "fail=", 5))
        take_fail(value, word);
    else if (!strncmp(word, "with=", 5))
        take_with(value, word);
    else if (!strncmp(word, "from=", 5))
        rules.from = number(value, word);
    else if (!strncmp(word, "times=", 6))
        rules.times = number(value, word);
    else if (!strncmp(word, "limit=", 6))
        rules.limit = number(value, word);
    else if (!strncmp(word, "file=", 5) && strlen(value) < sizeof(rules.file))
        memcpy(rules.file, value, strlen(value) + 1);
    else
        give_up(word);
}

/* Reads the control file; what has not changed goes on counting. */
static void refresh(void)
{
    static char before[TEXT];
    char text[TEXT] = "", *rest = text, *word;
    const char *path = getenv("FAULTS_CONTROL");
    int fd = path ? faults_real_open(path, O_RDONLY | O_CLOEXEC, 0) : -1;

    if (fd >= 0) {
        ssize_t length = read(fd, text, sizeof(text) - 1);
        text[length > 0 ? length : 0] = '\0';
        close(fd);
    }
    if (!strcmp(text, before))
        return;
    memcpy(before, text, sizeof(before));
    seen = 0;
    rules = (struct rules){.error = EIO, .from = 1, .times = UINT64_MAX};
    while ((word = strsep(&rest, " \n")))
        if (*word)
            take_word(word);
}

/* Whether this call, one of those that are to fail, is to fail now. */
static bool due(const struct faults_file *file)
{
    if (rules.file[0] && strcmp(rules.file, file->name) != 0)
        return false;
    seen++;
    return seen >= rules.from && seen - rules.from < rules.times;
}

/* How many of the bytes fit on the disk. */
static size_t fitting(uint64_t offset, size_t length, uint64_t size)
{
    uint64_t used, end;

    if (!rules.limit || offset + length <= size)
        return length;
    used = faults_used();
    end = size + (rules.limit > used ? rules.limit - used : 0); /* so large it may become */
    if (offset + length <= end)
        return length;
    end -= end % SECTOR;
    return end > offset ? (size_t)(end - offset) : 0;
}

struct faults_verdict faults_may_write(
    const struct faults_file *file, uint64_t offset, size_t length, uint64_t size, bool durable)
{
    struct faults_verdict verdict = {.allowed = length};

    refresh();
    if ((rules.writes || (rules.syncs && durable)) && due(file)) {
        if (rules.writes && rules.cut_short && length > 1)
            verdict.allowed = length / 2;
        else if (rules.writes)
            return (struct faults_verdict){.error = rules.error};
        else
            verdict = (struct faults_verdict){length, rules.error, true};
    }
    length = fitting(offset, verdict.allowed, size);
    if (length == 0 && verdict.allowed > 0)
        return (struct faults_verdict){.error = ENOSPC};
    verdict.allowed = length;
    return verdict;
}

struct faults_verdict faults_may_sync(const struct faults_file *file)
{
    struct faults_verdict verdict = {0};

    refresh();
    if (rules.syncs && due(file))
        verdict.error = rules.error;
    return verdict;
}

struct faults_verdict
faults_may_truncate(const struct faults_file *file, uint64_t size, uint64_t wanted)
{
    struct faults_verdict verdict = {0};

    refresh();
    if (rules.writes && due(file))
        verdict.error = rules.error;
    else if (wanted > size && fitting(size, (size_t)(wanted - size), size) < wanted - size)
        verdict.error = ENOSPC;
    return verdict;
}
