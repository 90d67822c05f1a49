/* SPDX-License-Identifier: MIT */
/*
 * A file layer that remembers and that breaks: what its files share. It is preloaded
 * (LD_PRELOAD) into a program that keeps its data in one folder, and stands between that program
 * and the files below the folder.
 *
 *     program, LMDB ──pwrite, fdatasync …──▶ calls.c ──▶ the real call
 *                                              │ │
 *                                   may it? ───┘ └──▶ what took effect, in order
 *                                   rules.c           record.c
 *
 * Told by the environment:
 *     FAULTS_DIR      the folder, by its real, absolute name; not set: nothing is touched
 *     FAULTS_LOG      record into this file (outside the folder); not set: nothing is recorded
 *     FAULTS_CONTROL  a file with the rules in force, looked at on each call; not there: none
 *
 * One mutex (faults_lock) is held over the question, the real call and the record: the log's
 * order is the order in which calls took effect. Everything below is called under it.
 *
 * What it does not see: writes through mmap, io_uring, fallocate, copy_file_range, stdio and
 * dprintf, descriptors made by dup. A store that used one of them would look worse in a replay
 * than it is (its bytes would be missing), never better.
 */
#ifndef CRIER_TESTS_FAULTS_H
#define CRIER_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { FAULTS_FILES = 64, FAULTS_NAME = 256 };

/* A file below the folder, for as long as it is the same file: renamed it stays, removed and
 * made again it is another. Number 0 is the folder. */
struct faults_file {
    uint64_t device, inode;
    bool gone;
    char name[FAULTS_NAME]; /* relative to the folder */
};

/* ---- rules.c: may it? ---------------------------------------------------------------------- */

struct faults_verdict {
    size_t allowed; /* so many bytes of a write are done */
    int error;      /* then, if none was, or `after`, this errno is the answer; 0: none */
    bool after;     /* it fails after it has been done: an O_DSYNC write whose sync fails */
};

/* `size`: the file's now. `durable`: through a descriptor with O_DSYNC. */
struct faults_verdict faults_may_write(const struct faults_file *file,
                                       uint64_t offset,
                                       size_t length,
                                       uint64_t size,
                                       bool durable);
struct faults_verdict faults_may_sync(const struct faults_file *file);
struct faults_verdict
faults_may_truncate(const struct faults_file *file, uint64_t size, uint64_t wanted);
/* Bytes of all files of the folder: calls.c knows them. */
uint64_t faults_used(void);

/* ---- record.c: what took effect ------------------------------------------------------------ */

/* The log is a row of records: this header, in the machine's (little-endian) order, and `length`
 * bytes. replay.mjs reads it. */
enum faults_kind {
    FAULTS_OPEN =
        1, /* bytes: the name; the first time a file is seen, or when it was truncated */
    FAULTS_WRITE,
    FAULTS_TRUNCATE, /* offset: the new size */
    FAULTS_SYNC,     /* file 0: of the folder */
    FAULTS_RENAME,   /* bytes: old name, NUL, new name */
    FAULTS_UNLINK,   /* bytes: the name */
};
enum { FAULTS_CREATED = 1, FAULTS_EMPTIED = 2, FAULTS_DURABLE = 4 }; /* flags */

struct faults_header {
    uint32_t magic;
    uint8_t kind, flags;
    uint16_t unused;
    uint32_t file, unused2;
    uint64_t offset, length;
};
#define FAULTS_MAGIC UINT32_C(0x31544c46) /* "FLT1" */

void faults_record(enum faults_kind kind,
                   unsigned flags,
                   uint32_t file,
                   uint64_t offset,
                   const struct iovec *parts,
                   int part_count,
                   size_t length);

/* ---- calls.c: the real calls, for the other files ------------------------------------------ */

int faults_real_open(const char *path, int flags, unsigned mode);
ssize_t faults_real_writev(int fd, const struct iovec *parts, int count);

#endif
