/* SPDX-License-Identifier: MIT */
/*
 * Compacting: LMDB never gives pages back, so a file stays as large as it ever was. A copy has
 * only the pages that are in use.
 *
 *     data.mdb --copy--> compact.mdb --sync--> --rename--> data.mdb --sync the folder-->
 *
 * A crash on the way leaves data.mdb as it was, or the copy in its place, which is the same
 * history; and perhaps compact.mdb, which the next one removes. The lock of the folder is held
 * until the end: nobody opens the old file to write to it while it is being replaced. A process
 * that only reads goes on with the file it has open.
 *
 * lock.mdb goes with the old file: it says which commit is the newest, and LMDB trusts it as
 * long as any process, be it a reader of the old file, has it open. Commits of the copy are
 * counted anew.
 *
 * So does DIR/synced, and before: it holds meta pages, which after a power cut would be put
 * into the copy, where they mean nothing.
 *
 * What can fail: the disk is full (both files are there at once), reading, writing. data.mdb is
 * then as it was.
 */
#include "durable/file.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char copy_name[] = "compact.mdb", data_name[] = "data.mdb",
                  readers_name[] = "lock.mdb";

static int size_of(int dir, const char *name, uint64_t *ret_size)
{
    struct stat st;

    if (fstatat(dir, name, &st, 0) < 0)
        return -errno;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

/* So that whoever could open the file can open the copy, whoever compacts: root, perhaps. */
static int give_owner(struct crier_store *store, int fd)
{
    mdb_filehandle_t data;
    struct stat old, copy;

    int r = crier_file_error(mdb_env_get_fd(store->env, &data));
    if (r == 0 && (fstat(data, &old) < 0 || fstat(fd, &copy) < 0))
        r = -errno;
    if (r == 0 && (old.st_uid != copy.st_uid || old.st_gid != copy.st_gid) &&
        fchown(fd, old.st_uid, old.st_gid) < 0)
        r = -errno;
    if (r == 0 && fchmod(fd, old.st_mode & 0777) < 0)
        r = -errno;
    return r;
}

static int copy_to(struct crier_store *store, int fd)
{
    int r = crier_file_error(mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT));

    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    return r;
}

static int write_copy(struct crier_store *store, int dir)
{
    if (unlinkat(dir, copy_name, 0) < 0 && errno != ENOENT)
        return -errno;
    int fd = openat(dir, copy_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = give_owner(store, fd);
    if (r == 0)
        r = copy_to(store, fd);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    return r;
}

/* The old file is safe as it is, and nothing is left to be put back into it. */
static int leave_anchor(struct crier_store *store)
{
    if (store->anchor.fd < 0)
        return 0;
    int r = crier_store_sync(store);
    if (r < 0)
        return r;
    crier_anchor_close(&store->anchor);
    return crier_anchor_remove(store->dir);
}

static int put_in_place(int dir, uint64_t *ret_before, uint64_t *ret_after)
{
    uint64_t before, after;

    int r = size_of(dir, data_name, &before);
    if (r == 0)
        r = size_of(dir, copy_name, &after);
    if (r == 0 && renameat(dir, copy_name, dir, data_name) < 0)
        r = -errno;
    if (r < 0)
        return r;
    if (unlinkat(dir, readers_name, 0) < 0 && errno != ENOENT)
        return -errno;
    *ret_before = before;
    *ret_after = after;
    return fsync(dir) < 0 ? -errno : 0;
}

static int
replace(struct crier_store *store, int dir, uint64_t *ret_before, uint64_t *ret_after)
{
    int r = write_copy(store, dir);

    if (r == 0)
        r = leave_anchor(store);
    if (r == 0)
        r = put_in_place(dir, ret_before, ret_after);
    if (r < 0)
        (void)unlinkat(dir, copy_name, 0);
    return r;
}

static void tell(struct crier_buf *fault, const char *dir, int error)
{
    if (error == -ENOSPC)
        crier_buf_printf(fault,
                         "There is no room to compact %s: the disk must hold history twice "
                         "meanwhile. Nothing was changed; make room and try again.",
                         dir);
    else
        crier_buf_printf(fault, "%s could not be compacted: %s. Nothing was changed.", dir,
                         strerror(-error));
}

int crier_store_compact(struct crier_store *store,
                        uint64_t *ret_before,
                        uint64_t *ret_after,
                        struct crier_buf *fault)
{
    int r = store->read_only ? -EROFS : 0;
    int dir = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (r == 0 && dir < 0)
        r = -errno;
    if (r == 0)
        r = replace(store, dir, ret_before, ret_after);
    if (r < 0)
        tell(fault, store->dir, r);
    if (dir >= 0)
        close(dir);
    crier_store_close(store);
    return r;
}
