// SPDX-License-Identifier: MIT
/*
 * The calls that stand between the program and its folder (faults.h shows the picture). A call on
 * any other descriptor passes through: one look at a table, no lock.
 *
 *     descriptor ──▶ fds[descriptor] ──▶ files[number]: which file it is (device and inode)
 *
 * A descriptor is put into the table when it is opened and taken out before it is closed; both
 * under the lock. Two descriptors of one file (LMDB has one with O_DSYNC for its meta pages) are
 * the same number.
 *
 * The 64-bit names are defined beside the plain ones, so meson.build builds this only where both
 * are the same function, and these two macros, which would make one of them the other, are off.
 */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#undef _FORTIFY_SOURCE
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* The real function of this name, looked up once. */
#define REAL(name) (__extension__(__typeof__(&name)) find(&real_##name, #name))

static void *real_openat, *real_close, *real_writev, *real_pwritev, *real_fsync,
    *real_fdatasync, *real_sync_file_range, *real_msync, *real_ftruncate, *real_renameat,
    *real_unlinkat;

enum { DESCRIPTORS = 1 << 16, PARTS = 1024, FOLDER = 1, DURABLE = 0x80 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct faults_file files[FAULTS_FILES]; /* [0]: the folder */
static unsigned file_count = 1;
/* 0: not ours. Else a file's number + 1; DURABLE: opened with O_DSYNC or O_SYNC. */
static unsigned char fds[DESCRIPTORS];

static void *find(void **slot, const char *name)
{
    void *function = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

    if (function)
        return function;
    function = dlsym(RTLD_NEXT, name);
    if (!function) {
        fprintf(stderr, "faults: there is no %s\n", name);
        abort();
    }
    __atomic_store_n(slot, function, __ATOMIC_RELEASE);
    return function;
}

/* ---- which file -------------------------------------------------------------------------- */

static bool ours(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS && __atomic_load_n(&fds[fd], __ATOMIC_RELAXED) != 0;
}

static uint32_t number_of(int fd)
{
    return (uint32_t)(fds[fd] & ~DURABLE) - 1;
}

/* The name in the folder of a path as the system knows it; "" the folder itself; NULL: outside. */
static const char *inside(const char *path)
{
    const char *folder = getenv("FAULTS_DIR");
    size_t length = folder ? strlen(folder) : 0;

    if (length == 0 || strncmp(path, folder, length) != 0)
        return NULL;
    path += length;
    return *path == '/' ? path + 1 : *path ? NULL : path;
}

/* The same of what a caller names; the name stays in `buffer`. Only its folder need exist. */
static const char *inside_at(int at, const char *path, char buffer[PATH_MAX])
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    size_t used;
    int fd;

    snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path + 1) : 1,
             slash ? path : ".");
    fd = REAL(openat)(at, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    snprintf(parent, sizeof(parent), "/proc/self/fd/%d", fd);
    used = (size_t)readlink(parent, buffer, PATH_MAX - 1);
    REAL(close)(fd);
    if (used >= PATH_MAX - 1 || strlen(last) + used + 2 > PATH_MAX)
        return NULL;
    buffer[used] = '/';
    memcpy(buffer + used + 1, last, strlen(last) + 1);
    return inside(buffer);
}

/* The file's number; a file not seen before gets one. */
static uint32_t number_for(const struct stat *status, const char *name, bool *ret_new)
{
    unsigned i;

    *ret_new = false;
    for (i = 1; i < file_count; i++)
        if (!files[i].gone && files[i].device == status->st_dev &&
            files[i].inode == status->st_ino)
            return i;
    if (file_count == FAULTS_FILES || strlen(name) >= FAULTS_NAME) {
        fprintf(stderr, "faults: too many files, or too long a name\n");
        abort();
    }
    files[i].device = status->st_dev;
    files[i].inode = status->st_ino;
    memcpy(files[i].name, name, strlen(name) + 1);
    file_count++;
    *ret_new = true;
    return i;
}

static void record_name(enum faults_kind kind, unsigned flags, uint32_t file, const char *name)
{
    struct iovec part = {(void *)(uintptr_t)name, strlen(name)};

    faults_record(kind, flags, file, 0, &part, 1, part.iov_len);
}

/* A descriptor was opened: is it below the folder? */
static void opened(int fd, int flags, bool was_there)
{
    char link[64], path[PATH_MAX];
    struct stat status;
    const char *name;
    uint32_t number = 0;
    bool is_new = false;
    ssize_t length;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof(path) - 1);
    if (length <= 0 || fd >= DESCRIPTORS || fstat(fd, &status) || (flags & O_PATH) == O_PATH)
        return;
    path[length] = '\0';
    name = inside(path);
    if (!name || (*name && !S_ISREG(status.st_mode)))
        return;
    if (*name) {
        number = number_for(&status, name, &is_new);
        if (is_new || (flags & O_TRUNC))
            record_name(FAULTS_OPEN,
                        (was_there ? 0 : FAULTS_CREATED) |
                            (flags & O_TRUNC ? FAULTS_EMPTIED : 0),
                        number, name);
    }
    fds[fd] = (unsigned char)((number + FOLDER) | (flags & O_DSYNC ? DURABLE : 0));
}

uint64_t faults_used(void)
{
    char path[PATH_MAX + FAULTS_NAME];
    struct stat status;
    uint64_t used = 0;

    for (unsigned i = 1; i < file_count; i++) {
        snprintf(path, sizeof(path), "%s/%s", getenv("FAULTS_DIR"), files[i].name);
        if (!files[i].gone && !stat(path, &status))
            used += (uint64_t)status.st_size;
    }
    return used;
}

/* ---- open and close ---------------------------------------------------------------------- */

int faults_real_open(const char *path, int flags, unsigned mode)
{
    return REAL(openat)(AT_FDCWD, path, flags, mode);
}

static int open_at(int at, const char *path, int flags, unsigned mode)
{
    bool was_there = true;
    int fd;

    if (!getenv("FAULTS_DIR"))
        return REAL(openat)(at, path, flags, mode);
    pthread_mutex_lock(&lock);
    if (flags & O_CREAT)
        was_there = faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    fd = REAL(openat)(at, path, flags, mode);
    if (fd >= 0) {
        int error = errno;
        opened(fd, flags, was_there);
        errno = error;
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static unsigned mode_of(int flags, va_list list)
{
    return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? va_arg(list, unsigned) : 0;
}

#define DEFINE_OPEN(name)                                                                      \
    EXPORT int name(const char *path, int flags, ...)                                          \
    {                                                                                          \
        va_list list;                                                                          \
        unsigned mode;                                                                         \
        va_start(list, flags);                                                                 \
        mode = mode_of(flags, list);                                                           \
        va_end(list);                                                                          \
        return open_at(AT_FDCWD, path, flags, mode);                                           \
    }
#define DEFINE_OPENAT(name)                                                                    \
    EXPORT int name(int at, const char *path, int flags, ...)                                  \
    {                                                                                          \
        va_list list;                                                                          \
        unsigned mode;                                                                         \
        va_start(list, flags);                                                                 \
        mode = mode_of(flags, list);                                                           \
        va_end(list);                                                                          \
        return open_at(at, path, flags, mode);                                                 \
    }
/* What calls with constant flags become where the headers check them. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags);

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

EXPORT int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int at, const char *path, int flags)
{
    return open_at(at, path, flags, 0);
}

EXPORT int __openat64_2(int at, const char *path, int flags)
{
    return open_at(at, path, flags, 0);
}

EXPORT int creat(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int creat64(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int close(int fd)
{
    int result;

    if (!ours(fd))
        return REAL(close)(fd);
    pthread_mutex_lock(&lock);
    __atomic_store_n(&fds[fd], 0, __ATOMIC_RELAXED);
    result = REAL(close)(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

/* ---- writes ------------------------------------------------------------------------------ */

ssize_t faults_real_writev(int fd, const struct iovec *parts, int count)
{
    return REAL(writev)(fd, parts, count);
}

/* The front of the parts: `length` bytes of them. */
static int front(const struct iovec *parts, int count, size_t length, struct iovec out[PARTS])
{
    int used = 0;

    for (; used < count && length; used++) {
        out[used] = parts[used];
        if (out[used].iov_len > length)
            out[used].iov_len = length;
        length -= out[used].iov_len;
    }
    return used;
}

static off_t position(int fd, const struct stat *status)
{
    return fcntl(fd, F_GETFL) & O_APPEND ? status->st_size : lseek(fd, 0, SEEK_CUR);
}

/* offset < 0: where the descriptor stands. */
static ssize_t write_locked(int fd, const struct iovec *parts, int count, off_t offset)
{
    static struct iovec taken[PARTS]; /* under the lock */
    const struct faults_file *file = &files[number_of(fd)];
    bool durable = fds[fd] & DURABLE;
    struct faults_verdict verdict;
    struct stat status;
    size_t length = 0;
    ssize_t done;
    off_t at;

    if (fstat(fd, &status))
        return -1;
    at = offset < 0 ? position(fd, &status) : offset;
    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    verdict = faults_may_write(file, (uint64_t)at, length, (uint64_t)status.st_size, durable);
    if (verdict.error && !verdict.after) {
        errno = verdict.error;
        return -1;
    }
    count = front(parts, count, verdict.allowed, taken);
    done =
        offset < 0 ? REAL(writev)(fd, taken, count) : REAL(pwritev)(fd, taken, count, offset);
    if (done > 0)
        faults_record(FAULTS_WRITE, durable && !verdict.error ? FAULTS_DURABLE : 0,
                      number_of(fd), (uint64_t)at, taken, count, (size_t)done);
    if (done < 0 || !verdict.error)
        return done;
    errno = verdict.error;
    return -1;
}

static ssize_t write_at(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t done;

    if (!ours(fd) || count < 0 || count > PARTS)
        return offset < 0 ? REAL(writev)(fd, parts, count)
                          : REAL(pwritev)(fd, parts, count, offset);
    pthread_mutex_lock(&lock);
    done = write_locked(fd, parts, count, offset);
    pthread_mutex_unlock(&lock);
    return done;
}

static ssize_t write_one(int fd, const void *bytes, size_t length, off_t offset)
{
    struct iovec part = {(void *)(uintptr_t)bytes, length};

    return write_at(fd, &part, 1, offset);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t length)
{
    return write_one(fd, bytes, length, -1);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_at(fd, parts, count, -1);
}

#define DEFINE_PWRITE(name)                                                                    \
    EXPORT ssize_t name(int fd, const void *bytes, size_t length, off_t offset)                \
    {                                                                                          \
        if (offset >= 0)                                                                       \
            return write_one(fd, bytes, length, offset);                                       \
        errno = EINVAL;                                                                        \
        return -1;                                                                             \
    }
#define DEFINE_PWRITEV(name)                                                                   \
    EXPORT ssize_t name(int fd, const struct iovec *parts, int count, off_t offset)            \
    {                                                                                          \
        if (offset >= 0)                                                                       \
            return write_at(fd, parts, count, offset);                                         \
        errno = EINVAL;                                                                        \
        return -1;                                                                             \
    }
DEFINE_PWRITE(pwrite)
DEFINE_PWRITE(pwrite64)
DEFINE_PWRITEV(pwritev)
DEFINE_PWRITEV(pwritev64)

static int truncate_locked(int fd, off_t size)
{
    struct faults_verdict verdict;
    struct stat status;
    int result;

    if (fstat(fd, &status))
        return -1;
    verdict =
        faults_may_truncate(&files[number_of(fd)], (uint64_t)status.st_size, (uint64_t)size);
    if (verdict.error) {
        errno = verdict.error;
        return -1;
    }
    result = REAL(ftruncate)(fd, size);
    if (result == 0)
        faults_record(FAULTS_TRUNCATE, 0, number_of(fd), (uint64_t)size, NULL, 0, 0);
    return result;
}

static int truncate_to(int fd, off_t size)
{
    int result;

    if (!ours(fd))
        return REAL(ftruncate)(fd, size);
    pthread_mutex_lock(&lock);
    result = truncate_locked(fd, size);
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int ftruncate(int fd, off_t size)
{
    return truncate_to(fd, size);
}

EXPORT int ftruncate64(int fd, off_t size)
{
    return truncate_to(fd, size);
}

/* ---- syncs ------------------------------------------------------------------------------- */

static int sync_now(int fd, int (*call)(int fd))
{
    struct faults_verdict verdict;
    int result = -1;

    if (!ours(fd))
        return call(fd);
    pthread_mutex_lock(&lock);
    verdict = faults_may_sync(&files[number_of(fd)]);
    if (!verdict.error)
        result = call(fd);
    if (result == 0)
        faults_record(FAULTS_SYNC, 0, number_of(fd), 0, NULL, 0, 0);
    else if (verdict.error)
        errno = verdict.error;
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int fsync(int fd)
{
    return sync_now(fd, REAL(fsync));
}

EXPORT int fdatasync(int fd)
{
    return sync_now(fd, REAL(fdatasync));
}

/* The kernel promises nothing about metadata or the disk's cache: it is no sync, but may fail. */
EXPORT int sync_file_range(int fd, off_t offset, off_t length, unsigned flags)
{
    int error = 0;

    if (ours(fd)) {
        pthread_mutex_lock(&lock);
        error = faults_may_sync(&files[number_of(fd)]).error;
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return error ? -1 : REAL(sync_file_range)(fd, offset, length, flags);
}

/* Nothing here is written through mmap (faults.h), so there is nothing to note; it may fail. */
EXPORT int msync(void *start, size_t length, int flags)
{
    int error = 0;

    if (getenv("FAULTS_DIR")) {
        pthread_mutex_lock(&lock);
        error = faults_may_sync(&files[0]).error;
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return error ? -1 : REAL(msync)(start, length, flags);
}

/* ---- names ------------------------------------------------------------------------------- */

/* Forgets which file has this name, but for `but`; the one that had `from` has it now. */
static void named(const char *name, const char *from)
{
    for (unsigned i = 1; i < file_count; i++)
        if (!files[i].gone && !strcmp(files[i].name, name))
            files[i].gone = true;
    for (unsigned i = 1; from && i < file_count; i++)
        if (!files[i].gone && !strcmp(files[i].name, from))
            memcpy(files[i].name, name, strlen(name) + 1);
}

static int rename_at(int from_at, const char *from, int to_at, const char *to)
{
    char from_buffer[PATH_MAX], to_buffer[PATH_MAX];
    const char *old, *fresh;
    int result;

    if (!getenv("FAULTS_DIR"))
        return REAL(renameat)(from_at, from, to_at, to);
    pthread_mutex_lock(&lock);
    old = inside_at(from_at, from, from_buffer);
    fresh = inside_at(to_at, to, to_buffer);
    result = REAL(renameat)(from_at, from, to_at, to);
    if (result == 0 && old && fresh && strlen(fresh) < FAULTS_NAME) {
        struct iovec parts[] = {{(void *)(uintptr_t)old, strlen(old) + 1},
                                {(void *)(uintptr_t)fresh, strlen(fresh)}};
        named(fresh, old);
        faults_record(FAULTS_RENAME, 0, 0, 0, parts, 2, parts[0].iov_len + parts[1].iov_len);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int renameat(int from_at, const char *from, int to_at, const char *to)
{
    return rename_at(from_at, from, to_at, to);
}

EXPORT int rename(const char *from, const char *to)
{
    return rename_at(AT_FDCWD, from, AT_FDCWD, to);
}

static int unlink_at(int at, const char *path, int flags)
{
    char buffer[PATH_MAX];
    const char *name;
    int result;

    if (!getenv("FAULTS_DIR"))
        return REAL(unlinkat)(at, path, flags);
    pthread_mutex_lock(&lock);
    name = inside_at(at, path, buffer);
    result = REAL(unlinkat)(at, path, flags);
    if (result == 0 && name && !(flags & AT_REMOVEDIR)) {
        named(name, NULL);
        record_name(FAULTS_UNLINK, 0, 0, name);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int unlinkat(int at, const char *path, int flags)
{
    return unlink_at(at, path, flags);
}

EXPORT int unlink(const char *path)
{
    return unlink_at(AT_FDCWD, path, 0);
}
