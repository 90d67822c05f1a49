/* SPDX-License-Identifier: MIT */
/*
 *     slot  "crier synced\0\0\0\1"  boot id (36)  page size (8)  seq (8)  2 pages  checksum (8)
 *
 * Numbers are big-endian; the checksum (SipHash with a key of zeros) is over page size, seq and
 * pages. Both slots are as long as the larger page size allows, so that they lie at fixed
 * places.
 *
 * A file that was synced since the system was booted needs nothing: what a process wrote is in
 * the system's memory, whatever became of the process.
 *
 * What can fail: the disk. A slot that cannot be written leaves the other one, and the anchor,
 * where they were.
 */
#include "durable/anchor.h"
#include "base/hash.h"
#include "durable/file.h"
#include "durable/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAGIC = 16,
    BOOT = 36,
    PAGE_MOST = 65536,
    HEAD = MAGIC + BOOT + 16,
    SLOT = HEAD + 2 * PAGE_MOST + 8,
    META = 16,                             /* behind the head of a page */
    META_TXN = META + 8 + 16 + 2 * 48 + 8, /* LMDB of 64 bits; elsewhere no file is another's */
};

static const char magic[MAGIC] = "crier synced\0\0\0\1";

struct slot {
    char boot[BOOT];
    uint64_t page_size, seq;
    const unsigned char *pages;
};

/* Which boot is this? Where the system does not say, every start counts as one. */
static void read_boot(char boot[BOOT])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(boot, '?', BOOT);
    if (fd < 0)
        return;
    if (read(fd, boot, BOOT) != BOOT)
        memset(boot, '?', BOOT);
    close(fd);
}

static uint64_t checksum(const unsigned char *slot, uint64_t page_size)
{
    static const struct crier_hash_key zero;
    size_t from = MAGIC + BOOT, len = 16 + 2 * (size_t)page_size;

    return crier_hash(&zero, (struct crier_slice){(const char *)slot + from, len});
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool read_slot(int fd, int number, unsigned char *buf, struct slot *ret_slot)
{
    struct slot slot;
    ssize_t n = pread(fd, buf, SLOT, (off_t)number * SLOT);

    if (n < HEAD || memcmp(buf, magic, MAGIC) != 0)
        return false;
    memcpy(slot.boot, buf + MAGIC, BOOT);
    slot.page_size = crier_get_u64(buf + MAGIC + BOOT);
    slot.seq = crier_get_u64(buf + MAGIC + BOOT + 8);
    slot.pages = buf + HEAD;
    if (slot.page_size < 512 || slot.page_size > PAGE_MOST ||
        (size_t)n < HEAD + 2 * slot.page_size + 8 ||
        crier_get_u64(buf + HEAD + 2 * slot.page_size) != checksum(buf, slot.page_size))
        return false;
    *ret_slot = slot;
    return true;
}

/* The newer of the two that are whole. bufs: two of SLOT bytes. */
static bool read_newest(int fd, unsigned char *bufs, struct slot *ret_slot)
{
    struct slot slots[2];
    bool whole[2];

    for (int i = 0; i < 2; i++)
        whole[i] = read_slot(fd, i, bufs + (size_t)i * SLOT, &slots[i]);
    if (!whole[0] && !whole[1])
        return false;
    *ret_slot = whole[0] && (!whole[1] || slots[0].seq > slots[1].seq) ? slots[0] : slots[1];
    return true;
}

/* The newest transaction of a meta page, as LMDB lays it out; 0: it is none. */
static uint64_t txn_of(const unsigned char *page)
{
    static const uint32_t word = UINT32_C(0xBEEFC0DE);
    uint64_t txn;

    if (sizeof(size_t) != 8 || memcmp(page + META, &word, sizeof(word)) != 0)
        return 0;
    memcpy(&txn, page + META_TXN, sizeof(txn));
    return txn;
}

static uint64_t newest_txn(const unsigned char *pages, size_t page_size)
{
    uint64_t one = txn_of(pages), two = txn_of(pages + page_size);

    return one > two ? one : two;
}

/* Is data.mdb the file that the slot was taken from? It goes on from there, so its newest
 * transaction is no older; a copy or an import that was put in its place is. One whose meta
 * pages cannot be read is taken for it. */
static bool is_of_file(const char *dir, const struct slot *slot)
{
    char path[CRIER_FOLDER_PATH];
    size_t len = 2 * (size_t)slot->page_size;
    int fd =
        crier_folder_path(path, dir, "data.mdb") < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    unsigned char *pages = fd < 0 ? NULL : malloc(len);
    bool other = fd < 0 && errno == ENOENT;

    if (pages && pread(fd, pages, len, 0) == (ssize_t)len) {
        uint64_t txn = newest_txn(pages, slot->page_size);
        other = txn && txn < newest_txn(slot->pages, slot->page_size);
    }
    free(pages);
    if (fd >= 0)
        close(fd);
    return !other;
}

static int put_back(const char *dir, const struct slot *slot)
{
    char path[CRIER_FOLDER_PATH];
    int r = crier_folder_path(path, dir, "data.mdb");
    int fd = r < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return r < 0 ? r : errno == ENOENT ? 0 : -errno;
    ssize_t len = (ssize_t)(2 * slot->page_size);
    r = pwrite(fd, slot->pages, (size_t)len, 0) == len && fdatasync(fd) == 0 ? 0 : -EIO;
    close(fd);
    return r;
}

/* Calls fn with the last synced state, if the system has been booted since. */
static int if_booted(const char *dir,
                     int (*fn)(const char *dir, const struct slot *slot),
                     bool *ret_booted)
{
    char path[CRIER_FOLDER_PATH], boot[BOOT];
    struct slot slot;
    int r = crier_folder_path(path, dir, "synced");
    int fd = r < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return r < 0 ? r : errno == ENOENT ? 0 : -errno;
    unsigned char *bufs = malloc(2 * (size_t)SLOT);
    read_boot(boot);
    r = bufs ? 0 : -ENOMEM;
    if (r == 0 && read_newest(fd, bufs, &slot) &&
        (boot[0] == '?' || memcmp(boot, slot.boot, BOOT) != 0) && is_of_file(dir, &slot)) {
        *ret_booted = true;
        r = fn(dir, &slot);
    }
    free(bufs);
    close(fd);
    return r;
}

int crier_anchor_restore(const char *dir, bool *ret_restored)
{
    *ret_restored = false;
    return if_booted(dir, put_back, ret_restored);
}

static int leave_it(const char *dir, const struct slot *slot)
{
    return 0;
}

int crier_anchor_is_needed(const char *dir)
{
    bool needed = false;
    int r = if_booted(dir, leave_it, &needed);

    return r < 0 ? r : needed;
}

int crier_anchor_remove(const char *dir)
{
    char path[CRIER_FOLDER_PATH];
    int r = crier_folder_path(path, dir, "synced");

    if (r < 0)
        return r;
    if (unlink(path) < 0)
        return errno == ENOENT ? 0 : -errno;
    return crier_folder_sync(dir);
}

/* ---- writing ----------------------------------------------------------------------------- */

int crier_anchor_open(struct crier_anchor *anchor, const char *dir)
{
    char path[CRIER_FOLDER_PATH];
    struct slot slot;
    int r = crier_folder_path(path, dir, "synced");

    *anchor = (struct crier_anchor){.fd = -1};
    if (r < 0)
        return r;
    anchor->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (anchor->fd < 0)
        return -errno;
    unsigned char *bufs = malloc(2 * (size_t)SLOT);
    if (!bufs)
        return -ENOMEM;
    if (read_newest(anchor->fd, bufs, &slot))
        anchor->seq = slot.seq;
    free(bufs);
    return crier_folder_sync(dir);
}

void crier_anchor_close(struct crier_anchor *anchor)
{
    if (anchor->txn)
        mdb_txn_abort(anchor->txn);
    if (anchor->fd >= 0)
        close(anchor->fd);
    *anchor = (struct crier_anchor){.fd = -1};
}

static int write_slot(struct crier_anchor *anchor, int data, size_t page_size)
{
    size_t len = HEAD + 2 * page_size + 8;
    unsigned char *buf = page_size <= PAGE_MOST ? malloc(len) : NULL;
    int r = 0;

    if (!buf)
        return -ENOMEM;
    memcpy(buf, magic, MAGIC);
    read_boot((char *)buf + MAGIC);
    crier_put_u64(buf + MAGIC + BOOT, page_size);
    crier_put_u64(buf + MAGIC + BOOT + 8, anchor->seq + 1);
    if (pread(data, buf + HEAD, 2 * page_size, 0) != (ssize_t)(2 * page_size))
        r = -EIO;
    crier_put_u64(buf + HEAD + 2 * page_size, checksum(buf, page_size));
    off_t at = (off_t)((anchor->seq + 1) % 2) * SLOT;
    errno = ENOSPC; /* what it means when a write is cut short */
    if (r == 0 &&
        (pwrite(anchor->fd, buf, len, at) != (ssize_t)len || fdatasync(anchor->fd) < 0))
        r = errno == ENOSPC ? -ENOSPC : -EIO;
    free(buf);
    if (r == 0)
        anchor->seq++;
    return r;
}

static int stand(struct crier_anchor *anchor, MDB_env *env)
{
    if (!anchor->txn)
        return crier_file_error(mdb_txn_begin(env, NULL, MDB_RDONLY, &anchor->txn));
    mdb_txn_reset(anchor->txn);
    return crier_file_error(mdb_txn_renew(anchor->txn));
}

int crier_anchor_move(struct crier_anchor *anchor, MDB_env *env)
{
    mdb_filehandle_t data;
    MDB_stat stat;

    /* Whatever is wrong: what was written may be gone, and would not be missed next time. */
    if (mdb_env_sync(env, 1) != 0)
        return -EIO;
    int r = crier_file_error(mdb_env_get_fd(env, &data));
    if (r == 0)
        r = crier_file_error(mdb_env_stat(env, &stat));
    if (r == 0)
        r = write_slot(anchor, data, stat.ms_psize);
    return r < 0 ? r : stand(anchor, env);
}
