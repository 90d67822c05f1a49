/* SPDX-License-Identifier: MIT */
/*
 * Before LMDB sees data.mdb: is it there, is it ours, is it whole?
 *
 *     no file, or only zeros ──▶ to be made
 *     pages make sense (pages.h) ──▶ LMDB may have it, and store.c asks what it holds
 *     they make none, and the name of our format is nowhere in it ──▶ somebody else's
 *     they make none ──▶ damaged
 *
 * Nothing is written, but that a file of zeros is emptied.
 */
#include "durable/file.h"
#include "durable/folder.h"
#include "durable/pages.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLANK_MOST = 1 << 20,
    NAME_MOST = 64 << 20, /* searched for the name; a larger file is taken for ours */
    PIECE = 16384,
    NAME = sizeof(CRIER_FORMAT_NAME),
};

/* Only zeros: the power went while it was made. It is emptied, so that it is made again. */
static bool is_blank(const struct crier_store *store, const char *path, off_t size)
{
    unsigned char bytes[4096];
    int fd = store->read_only || size > BLANK_MOST ? -1 : open(path, O_RDWR | O_CLOEXEC);
    bool blank = fd >= 0;
    ssize_t n;

    while (blank && (n = read(fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            blank = blank && bytes[i] == 0;
    }
    blank = blank && ftruncate(fd, 0) == 0;
    if (fd >= 0)
        close(fd);
    return blank;
}

/* Is the name of our format anywhere in it? Where that cannot be told, it may be. */
static bool may_be_ours(const char *path, off_t size)
{
    unsigned char bytes[NAME + PIECE];
    size_t kept = 0;
    int fd = size > NAME_MOST ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return true;
    while ((n = read(fd, bytes + kept, PIECE)) > 0) {
        size_t len = kept + (size_t)n;
        if (memmem(bytes, len, CRIER_FORMAT_NAME, NAME))
            break;
        /* It may lie across two pieces. */
        kept = len < NAME - 1 ? len : NAME - 1;
        memmove(bytes, bytes + len - kept, kept);
    }
    close(fd);
    return n != 0;
}

static void ignore(void *ctx, const char *fault)
{
    (void)ctx;
    (void)fault;
}

int crier_file_look(const struct crier_store *store)
{
    char path[CRIER_FOLDER_PATH];
    struct stat st;
    int r = crier_folder_path(path, store->dir, "data.mdb");

    if (r < 0)
        return r;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 1 : -errno;
    if (!S_ISREG(st.st_mode))
        return -EILSEQ;
    if (st.st_size == 0 || is_blank(store, path, st.st_size))
        return 1;
    if (access(path, store->read_only ? R_OK : R_OK | W_OK) < 0)
        return -errno;
    r = crier_pages_check_roots(store->mem, path, ignore, NULL);
    return r == -EUCLEAN && !may_be_ours(path, st.st_size) ? -EILSEQ : r;
}
