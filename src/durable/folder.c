/* SPDX-License-Identifier: MIT */
/*
 * The lock is on DIR/lock (an open file description lock: it goes when the process does,
 * however it ends, and no fork takes it along); the number in it is only for people.
 */
#include "durable/folder.h"
#include "durable/store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int crier_folder_path(char path[CRIER_FOLDER_PATH], const char *dir, const char *name)
{
    int len = snprintf(path, CRIER_FOLDER_PATH, "%s/%s", dir, name);

    return len < 0 || len >= CRIER_FOLDER_PATH ? -ENAMETOOLONG : 0;
}

int crier_folder_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int r = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return r;
}

/* So that a folder that was just made survives a power cut. */
static int sync_parent(const char *dir)
{
    char path[CRIER_FOLDER_PATH];

    return crier_folder_path(path, dir, "..") < 0 ? -ENAMETOOLONG : crier_folder_sync(path);
}

int crier_folder_make(const char *dir, struct crier_buf *fault)
{
    struct stat st;

    if (!dir[0]) {
        crier_buf_printf(fault, "The folder for the journal has an empty name: name one.");
        return -ENOENT;
    }
    if (mkdir(dir, 0750) == 0)
        return sync_parent(dir);
    int r = -errno;
    if (r == -EEXIST && stat(dir, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        crier_buf_printf(fault, "'%s' is a file: the journal needs a folder of its own.", dir);
        return -ENOTDIR;
    }
    if (r == -ENOENT)
        crier_buf_printf(fault,
                         "The folder '%s' cannot be made: the one it would lie in is not "
                         "there. Make that first.",
                         dir);
    else
        crier_buf_printf(fault, "The folder '%s' cannot be made: %s.", dir, strerror(-r));
    return r;
}

static int tell(struct crier_buf *fault, const char *dir, int r)
{
    if (r == -EACCES || r == -EROFS || r == -EPERM) {
        crier_buf_printf(fault,
                         "The folder '%s' may not be written: give this user the right to, or "
                         "name another folder.",
                         dir);
        return -EACCES;
    }
    crier_buf_printf(fault, "The folder '%s' cannot be opened: %s.", dir, strerror(-r));
    return r;
}

static long owner_of(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return strtol(text, NULL, 10);
}

/* 0; -EBUSY: another has it; others: this file system locks nothing, or not now. */
static int try_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

int crier_folder_lock(const char *dir, int *ret_fd, struct crier_buf *fault)
{
    char path[CRIER_FOLDER_PATH], text[32];

    if (crier_folder_path(path, dir, "lock") < 0)
        return tell(fault, dir, -ENAMETOOLONG);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return tell(fault, dir, -errno);
    int r = try_lock(fd);
    if (r < 0 && r != -EBUSY) {
        close(fd);
        return tell(fault, dir, r);
    }
    if (r < 0) {
        crier_buf_printf(
            fault,
            "The folder '%s' is in use by process %ld: stop that one first, or name "
            "another folder.",
            dir, owner_of(fd));
        close(fd);
        return -EBUSY;
    }
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len) {
        r = errno ? -errno : -EIO;
        close(fd);
        return tell(fault, dir, r);
    }
    *ret_fd = fd;
    return 0;
}

int crier_store_holder(const char *dir, uint64_t *ret_process)
{
    char path[CRIER_FOLDER_PATH];
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int fd = crier_folder_path(path, dir, "lock") < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    int r = 0;

    *ret_process = 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
        r = -errno;
    else if (lock.l_type != F_UNLCK)
        *ret_process = (uint64_t)owner_of(fd);
    close(fd);
    return r;
}
