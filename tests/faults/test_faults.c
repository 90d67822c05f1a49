// SPDX-License-Identifier: MIT
/*
 * The preloaded layer by itself: what it records of each call, and how each rule breaks them. The
 * program starts itself anew with the layer (its argument) preloaded and a folder of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX]; /* FAULTS_DIR; beside it FAULTS_LOG and FAULTS_CONTROL */
static size_t log_at;         /* what has been looked at of the log */

static const char *path(const char *name)
{
    static char buffer[2 * PATH_MAX];

    snprintf(buffer, sizeof(buffer), "%s/%s", folder, name);
    return buffer;
}

static int open_new(const char *name, int flags)
{
    int fd = open(path(name), O_RDWR | O_CREAT | flags, 0600);

    assert_true(fd >= 0);
    return fd;
}

static void rule(const char *text)
{
    const char *control = getenv("FAULTS_CONTROL");
    FILE *file = fopen(control, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The log's next record is this one. */
static void
logged(enum faults_kind kind, unsigned flags, uint64_t offset, const char *bytes, size_t length)
{
    char buffer[8192];
    struct faults_header header;
    int fd = open(getenv("FAULTS_LOG"), O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &header, sizeof(header), (off_t)log_at), sizeof(header));
    assert_int_equal(header.magic, FAULTS_MAGIC);
    assert_int_equal(header.kind, kind);
    assert_int_equal(header.flags, flags);
    assert_int_equal(header.offset, offset);
    assert_int_equal(header.length, length);
    assert_true(length <= sizeof(buffer));
    assert_int_equal(pread(fd, buffer, length, (off_t)(log_at + sizeof(header))), length);
    if (length)
        assert_memory_equal(buffer, bytes, length);
    log_at += sizeof(header) + length;
    close(fd);
}

static void logged_no_more(void)
{
    struct stat status;

    assert_int_equal(stat(getenv("FAULTS_LOG"), &status), 0);
    assert_int_equal(status.st_size, log_at);
}

static void test_records_what_took_effect(void **state)
{
    struct iovec parts[] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "cde", 3}};
    int fd = open_new("a", 0), synced;

    logged(FAULTS_OPEN, FAULTS_CREATED, 0, "a", 1);
    assert_int_equal(write(fd, "one", 3), 3);
    logged(FAULTS_WRITE, 0, 0, "one", 3);
    assert_int_equal(writev(fd, parts, 2), 5);
    logged(FAULTS_WRITE, 0, 3, "abcde", 5);
    assert_int_equal(pwrite(fd, "two", 3, 100), 3);
    logged(FAULTS_WRITE, 0, 100, "two", 3);
    assert_int_equal(pwritev(fd, parts, 2, 50), 5);
    logged(FAULTS_WRITE, 0, 50, "abcde", 5);
    assert_int_equal(fdatasync(fd), 0);
    logged(FAULTS_SYNC, 0, 0, "", 0);
    assert_int_equal(ftruncate(fd, 10), 0);
    logged(FAULTS_TRUNCATE, 0, 10, "", 0);
    synced = open_new("a", O_DSYNC);
    assert_int_equal(pwrite(synced, "three", 5, 1), 5);
    logged(FAULTS_WRITE, FAULTS_DURABLE, 1, "three", 5);
    close(synced);
    close(fd);
    fd = open_new("a", O_APPEND | O_TRUNC);
    logged(FAULTS_OPEN, FAULTS_EMPTIED, 0, "a", 1);
    assert_int_equal(write(fd, "x", 1), 1);
    logged(FAULTS_WRITE, 0, 0, "x", 1);
    close(fd);
    logged_no_more();
}

static void test_records_names(void **state)
{
    char old[PATH_MAX + 2];
    int fd = open_new("b", 0);

    snprintf(old, sizeof(old), "%s/b", folder);
    logged(FAULTS_OPEN, FAULTS_CREATED, 0, "b", 1);
    assert_int_equal(rename(old, path("c")), 0);
    logged(FAULTS_RENAME, 0, 0, "b\0c", 3);
    assert_int_equal(fsync(fd), 0);
    logged(FAULTS_SYNC, 0, 0, "", 0);
    close(fd);
    assert_int_equal(unlink(path("c")), 0);
    logged(FAULTS_UNLINK, 0, 0, "c", 1);
    fd = open(folder, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    logged(FAULTS_SYNC, 0, 0, "", 0);
    close(fd);
    fd = open("/dev/null", O_WRONLY);
    assert_int_equal(write(fd, "not ours", 8), 8);
    close(fd);
    logged_no_more();
}

static void test_fails_writes(void **state)
{
    int fd = open_new("d", 0), other = open_new("e", 0);

    logged(FAULTS_OPEN, FAULTS_CREATED, 0, "d", 1);
    logged(FAULTS_OPEN, FAULTS_CREATED, 0, "e", 1);
    rule("fail=writes with=ENOSPC from=2 times=1 file=d");
    assert_int_equal(pwrite(fd, "1", 1, 0), 1);
    assert_int_equal(pwrite(other, "1", 1, 0), 1);
    assert_int_equal(pwrite(fd, "2", 1, 0), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(pwrite(fd, "3", 1, 1), 1);
    logged(FAULTS_WRITE, 0, 0, "1", 1);
    logged(FAULTS_WRITE, 0, 0, "1", 1);
    logged(FAULTS_WRITE, 0, 1, "3", 1);
    rule("fail=writes with=short");
    assert_int_equal(pwrite(fd, "12345678", 8, 0), 4);
    logged(FAULTS_WRITE, 0, 0, "1234", 4);
    assert_int_equal(fsync(fd), 0);
    logged(FAULTS_SYNC, 0, 0, "", 0);
    rule("fail=writes");
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EIO);
    rule("");
    assert_int_equal(pwrite(fd, "5", 1, 0), 1);
    logged(FAULTS_WRITE, 0, 0, "5", 1);
    close(fd);
    close(other);
    logged_no_more();
}

static void test_fails_syncs(void **state)
{
    int fd = open_new("f", 0), synced;
    char byte = 0;

    logged(FAULTS_OPEN, FAULTS_CREATED, 0, "f", 1);
    synced = open_new("f", O_DSYNC);
    rule("fail=syncs");
    assert_int_equal(pwrite(fd, "1", 1, 0), 1);
    logged(FAULTS_WRITE, 0, 0, "1", 1);
    assert_int_equal(fdatasync(fd), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(fsync(fd), -1);
    /* It has been done, and is not safe. */
    assert_int_equal(pwrite(synced, "2", 1, 0), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(pread(fd, &byte, 1, 0), 1);
    assert_int_equal(byte, '2');
    logged(FAULTS_WRITE, 0, 0, "2", 1);
    rule("");
    assert_int_equal(fdatasync(fd), 0);
    logged(FAULTS_SYNC, 0, 0, "", 0);
    close(synced);
    close(fd);
    logged_no_more();
}

static void test_limits_the_disk(void **state)
{
    static char block[4096];
    char text[64];
    int fd = open_new("g", 0);
    struct stat status;

    logged(FAULTS_OPEN, FAULTS_CREATED, 0, "g", 1);
    rule("limit=1");
    assert_int_equal(pwrite(fd, block, sizeof(block), 0), -1);
    assert_int_equal(errno, ENOSPC);
    /* The other tests' files are on the disk too: a few bytes. */
    snprintf(text, sizeof(text), "limit=%d", 4096 + 1024 + 512);
    rule(text);
    assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
    logged(FAULTS_WRITE, 0, 0, block, sizeof(block));
    assert_int_equal(pwrite(fd, block, sizeof(block), 4096), 1024);
    logged(FAULTS_WRITE, 0, 4096, block, 1024);
    assert_int_equal(pwrite(fd, block, sizeof(block), 5120), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(ftruncate(fd, 1 << 20), -1);
    assert_int_equal(errno, ENOSPC);
    /* What lies within the file can be written. */
    assert_int_equal(pwrite(fd, block, sizeof(block), 1024), sizeof(block));
    logged(FAULTS_WRITE, 0, 1024, block, sizeof(block));
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 5120);
    rule("");
    close(fd);
    logged_no_more();
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_what_took_effect),
        cmocka_unit_test(test_records_names),
        cmocka_unit_test(test_fails_writes),
        cmocka_unit_test(test_fails_syncs),
        cmocka_unit_test(test_limits_the_disk),
    };

    snprintf(folder, sizeof(folder), "%s", getenv("FAULTS_DIR"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static void tidy(const char *top)
{
    static const char *const names[] = {"d/a", "d/d", "d/e",     "d/f", "d/g",
                                        "d",   "log", "control", ""};
    char name[PATH_MAX + 16];

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(name, sizeof(name), "%s/%s", top, names[i]);
        remove(name);
    }
}

int main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    char pattern[PATH_MAX], top[PATH_MAX], name[PATH_MAX + 16];
    int code;

    if (getenv("FAULTS_DIR")) {
        code = run();
        snprintf(name, sizeof(name), "%s/..", getenv("FAULTS_DIR"));
        if (realpath(name, top))
            tidy(top);
        return code;
    }
    snprintf(pattern, sizeof(pattern), "%s/faults-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (argc != 2 || !mkdtemp(pattern) || !realpath(pattern, top))
        return 2;
    snprintf(name, sizeof(name), "%s/log", top);
    setenv("FAULTS_LOG", name, 1);
    snprintf(name, sizeof(name), "%s/control", top);
    setenv("FAULTS_CONTROL", name, 1);
    snprintf(name, sizeof(name), "%s/d", top);
    setenv("FAULTS_DIR", name, 1);
    setenv("LD_PRELOAD", argv[1], 1);
    if (mkdir(name, 0700))
        return 2;
    execv("/proc/self/exe", argv);
    return 2;
}
