/* SPDX-License-Identifier: MIT */
/*
 * The format of LMDB 0.9, as far as it takes to know that LMDB can read a file. Numbers are the
 * machine's own (little-endian; 64 bits).
 *
 *   file      pages of psize bytes, numbered from 0. Pages 0 and 1 are metas; the one with the
 *             larger transaction number counts. The other is of the commit before.
 *   page      number:8 pad:2 flags:2 lower:2 upper:2, then offsets of nodes (2 each, up to
 *             `lower`), room, and from `upper` the nodes. In a LEAF2 page the keys, `pad` bytes
 *             each, follow the head directly. In an overflow page a count of pages is in the
 *             place of lower and upper.
 *   node      lo:2 hi:2 flags:2 ksize:2 key data. In a branch lo, hi and flags are the number
 *             of the page below; in a leaf lo and hi are the size of data, which is, by its
 *             flags,
 *               0          the value
 *               BIG        the number of the first of its overflow pages
 *               SUB        a tree: a named table
 *               DUP        a small page inside this one: the values of a key
 *               DUP+SUB    a tree: the many values of a key
 *   tree      pad:4 flags:2 depth:2 branches:8 leaves:8 overflows:8 entries:8 root:8
 *   meta      a page whose head is followed by magic:4 version:4 address:8 mapsize:8, the tree
 *             of free pages, the main tree (of named tables), last_page:8 txn:8. psize is the
 *             pad of the first tree.
 *   free      key: a transaction; value: a count and so many page numbers, descending
 *
 * Checked: that each page is where it may be, is what it should be, is reached once, and is not
 * free at the same time; that nodes lie within their page and fill it; that keys ascend within
 * and between pages; that the trees' own counters are right. Not checked: what values mean
 * (verify.c), nor pages that neither a tree nor the list of free pages knows.
 *
 * Depth is bounded (LMDB's own bound, of each of three trees inside each other), and so is
 * memory: a page for each level, and a bit for each page of the file.
 */
#include "durable/pages.h"
#include "base/buf.h"
#include "base/mem.h"
#include "durable/page.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEAD = CRIER_PAGE_HEAD,
    TREE = CRIER_PAGE_TREE,
    META_AT = HEAD,
    META_BYTES = 136,
    DEPTH_MAX = 32,
    PAGE_MIN = 512,
    PAGE_MAX = 32768,
    ROOT_LEVELS = 2,
    SMALL_TREE = 4096, /* pages: looked at wholly even where only roots are */
    FAULTS_MAX = 50,
};
enum { NOSUBDIR = 0x4000 }; /* a flag of environments that is kept in metas */
#define MAGIC UINT32_C(0xBEEFC0DE)

struct check {
    const struct crier_mem *mem;
    int fd;
    uint32_t page_size;
    uint64_t pages; /* in the file */
    uint64_t last_page;
    unsigned char *seen; /* a bit each */
    bool roots;          /* of large trees only the first levels */
    crier_pages_fn *fn;
    void *ctx;
    unsigned faults;
};

/* ---- numbers and faults ------------------------------------------------------------------ */

CRIER_PRINTF(2, 3) static int fault(struct check *check, const char *fmt, ...)
{
    struct crier_buf text;
    va_list args;

    crier_buf_init(&text, check->mem);
    va_start(args, fmt);
    crier_buf_vprintf(&text, fmt, args);
    va_end(args);
    if (crier_buf_error(&text) == 0)
        crier_page_plain(text.data, text.len);
    crier_buf_byte(&text, '\0');
    if (check->faults++ < FAULTS_MAX)
        check->fn(check->ctx, crier_buf_error(&text) < 0 ? "Out of memory." : text.data);
    crier_buf_deinit(&text);
    return 0;
}

static int page_fault(struct check *check, const struct crier_page *page, const char *what)
{
    static const char *const kinds[] = {"the free pages", "the list of tables", "table ",
                                        "a list in table "};
    return fault(check, "Page %llu of %s%.*s is damaged: %s.", (unsigned long long)page->number,
                 kinds[page->tree->kind], CRIER_SLICE_ARG(page->tree->name), what);
}

/* ---- reading ----------------------------------------------------------------------------- */

/* 0; -EIO, ...; 1: the file ends before. */
static int read_at(struct check *check, uint64_t offset, unsigned char *to, size_t size)
{
    while (size > 0) {
        ssize_t n = pread(check->fd, to, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 1;
        to += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* Marks pages as in use. false: one is out of range, or was marked already. */
static bool mark(struct check *check, uint64_t number, uint64_t count)
{
    if (number < 2 || number > check->last_page || count > check->last_page - number + 1)
        return false;
    for (uint64_t n = number; n < number + count; n++) {
        if (n >= check->pages)
            return true; /* free, and never written */
        unsigned char bit = (unsigned char)(1u << (n & 7));
        if (check->seen[n >> 3] & bit)
            return false;
        check->seen[n >> 3] |= bit;
    }
    return true;
}

/* ---- nodes ------------------------------------------------------------------------------- */

static int check_tree(struct check *check, struct crier_page_tree *tree);

static int check_fixed(struct check *check, const struct crier_page *page)
{
    const char *what = crier_page_fixed(page);

    page->tree->counted.entries += page->count;
    return what ? page_fault(check, page, what) : 0;
}

/* The values of a key, in a page inside the page. */
static int
check_subpage(struct check *check, const struct crier_page *page, struct crier_slice data)
{
    struct crier_page_tree tree = {
        .kind = CRIER_PAGE_OF_DUPS, .name = page->tree->name, .pad = 8};
    struct crier_page sub = {.tree = &tree,
                             .number = page->number,
                             .bytes = (const unsigned char *)data.data,
                             .size = data.len};

    if (data.len < HEAD ||
        !crier_page_head(&sub, CRIER_PAGE_LEAF | CRIER_PAGE_LEAF2 | CRIER_PAGE_SUB))
        return page_fault(check, &sub, "a page inside it is not one");
    int r = check_fixed(check, &sub);
    page->tree->counted.entries += tree.counted.entries;
    return r;
}

static int
check_dup_tree(struct check *check, const struct crier_page *page, struct crier_slice data)
{
    struct crier_page_tree tree = crier_page_tree_read((const unsigned char *)data.data,
                                                       CRIER_PAGE_OF_DUPS, page->tree->name);

    if (tree.root == CRIER_PAGE_NONE || tree.pad != 8 || tree.flags != CRIER_TREE_DUPFIXED)
        return page_fault(check, page, "a list in it is empty");
    page->tree->counted.entries += tree.entries;
    return check_tree(check, &tree);
}

static int check_table(struct check *check,
                       const struct crier_page *page,
                       struct crier_slice name,
                       struct crier_slice data)
{
    struct crier_page_tree tree =
        crier_page_tree_read((const unsigned char *)data.data, CRIER_PAGE_OF_TABLE, name);

    if (tree.pad || (tree.flags && tree.flags != (CRIER_TREE_DUPSORT | CRIER_TREE_DUPFIXED)))
        return page_fault(check, page, "a table in it is of no known kind");
    page->tree->counted.entries++;
    return check_tree(check, &tree);
}

/* Numbers of free pages. */
static int
check_free(struct check *check, const struct crier_page *page, struct crier_slice data)
{
    const unsigned char *at = (const unsigned char *)data.data;
    uint64_t count = data.len >= 8 ? crier_page_get(at, 8) : UINT64_MAX, before = UINT64_MAX;

    if (data.len % 8 || count > data.len / 8 - 1)
        return page_fault(check, page, "a list in it is longer than it is");
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t number = crier_page_get(at + i * 8, 8);
        if (number >= before)
            return page_fault(check, page, "a list in it is not in order");
        if (!mark(check, number, 1))
            return page_fault(check, page, "it names a page that is not free");
        before = number;
    }
    return 0;
}

/* A value on pages of its own. */
static int
check_overflow(struct check *check, const struct crier_page *page, uint64_t at, size_t len)
{
    unsigned char head[HEAD];
    uint64_t need = (HEAD - 1 + (uint64_t)len) / check->page_size + 1;
    int r = 0;

    if (at >= check->pages || need > check->pages - at)
        return page_fault(check, page, "a value is said to be outside the file");
    r = read_at(check, at * check->page_size, head, HEAD);
    if (r != 0)
        return r < 0 ? r : page_fault(check, page, "the file ends within a value");
    uint64_t pages = crier_page_get(head + 12, 4);
    if (crier_page_get(head, 8) != at || crier_page_get(head + 10, 2) != CRIER_PAGE_OVERFLOW ||
        pages < need || !mark(check, at, pages))
        return page_fault(check, page, "a value is not where it is said to be");
    page->tree->counted.overflows += pages;
    if (page->tree->kind != CRIER_PAGE_OF_FREE)
        return 0;
    unsigned char *list = crier_mem_alloc(check->mem, len ? len : 1);
    if (!list)
        return -ENOMEM;
    r = read_at(check, at * check->page_size + HEAD, list, len);
    if (r == 0)
        r = check_free(check, page, (struct crier_slice){(const char *)list, len});
    crier_mem_free(check->mem, list);
    return r < 0 ? r : 0;
}

/* A node of a leaf: `data` is what lies in the page, `len` the size of the value. */
static int check_value(struct check *check,
                       const struct crier_page *page,
                       unsigned flags,
                       struct crier_slice key,
                       struct crier_slice data,
                       size_t len)
{
    struct crier_page_tree *tree = page->tree;
    bool dups = tree->flags & CRIER_TREE_DUPSORT;

    if (tree->kind == CRIER_PAGE_OF_MAIN && flags == CRIER_NODE_SUB && len == TREE)
        return check_table(check, page, key, data);
    if (tree->kind == CRIER_PAGE_OF_TABLE && dups && flags == CRIER_NODE_DUP)
        return check_subpage(check, page, data);
    if (tree->kind == CRIER_PAGE_OF_TABLE && dups &&
        flags == (CRIER_NODE_DUP | CRIER_NODE_SUB) && len == TREE)
        return check_dup_tree(check, page, data);
    if (tree->kind == CRIER_PAGE_OF_MAIN || tree->kind == CRIER_PAGE_OF_DUPS ||
        (flags & ~(unsigned)CRIER_NODE_BIG) || (dups && (flags || len != 8)))
        return page_fault(check, page, "a value is of no known kind");
    tree->counted.entries++;
    if (flags == CRIER_NODE_BIG)
        return check_overflow(check, page, crier_page_get((const unsigned char *)data.data, 8),
                              len);
    return tree->kind == CRIER_PAGE_OF_FREE ? check_free(check, page, data) : 0;
}

/* ---- pages of nodes ---------------------------------------------------------------------- */

static int check_page(struct check *check,
                      const struct crier_page *parent,
                      uint64_t number,
                      struct crier_page page);

static int check_branch(struct check *check, const struct crier_page *page)
{
    struct crier_page_node node, next;
    int r = 0;

    page->tree->counted.branches++;
    if (page->tree->levels && page->level >= page->tree->levels)
        return 0;
    for (size_t i = 0; r == 0 && i < page->count; i++) {
        if (!crier_page_node(page, i, &node))
            return 0;
        struct crier_page below = {.tree = page->tree, .low = page->low, .high = page->high};
        if (i > 0)
            below.low = node.key;
        if (i + 1 < page->count && crier_page_node(page, i + 1, &next))
            below.high = next.key;
        r = check_page(check, page, node.below, below);
    }
    return r;
}

static int check_leaf(struct check *check, const struct crier_page *page)
{
    struct crier_page_node node;
    int r = 0;

    page->tree->counted.leaves++;
    if (page->flags & CRIER_PAGE_LEAF2)
        return check_fixed(check, page);
    for (size_t i = 0; r == 0 && i < page->count; i++) {
        if (crier_page_node(page, i, &node))
            r = check_value(check, page, node.flags, node.key, node.data, node.len);
    }
    return r;
}

static int check_bytes(struct check *check, struct crier_page *page)
{
    bool leaf = page->level == page->tree->depth;
    unsigned want = !leaf ? CRIER_PAGE_BRANCH
                    : page->tree->kind == CRIER_PAGE_OF_DUPS
                        ? CRIER_PAGE_LEAF | CRIER_PAGE_LEAF2
                        : CRIER_PAGE_LEAF;

    int r = read_at(check, page->number * check->page_size,
                    (unsigned char *)(uintptr_t)page->bytes, page->size);
    if (r != 0)
        return r < 0 ? r : page_fault(check, page, "the file ends within it");
    if (crier_page_get(page->bytes, 8) != page->number)
        return page_fault(check, page, "it bears the number of another");
    if (!crier_page_head(page, want))
        return page_fault(check, page, "its head makes no sense");
    if (!leaf && page->count < 2 && page->tree->kind != CRIER_PAGE_OF_FREE)
        return page_fault(check, page, "it leads nowhere");
    const char *what = page->flags & CRIER_PAGE_LEAF2 ? NULL : crier_page_nodes(page);
    if (what)
        return page_fault(check, page, what);
    return leaf ? check_leaf(check, page) : check_branch(check, page);
}

/* `page` has its tree and its bounds; parent NULL: it is the root. */
static int check_page(struct check *check,
                      const struct crier_page *parent,
                      uint64_t number,
                      struct crier_page page)
{
    page.number = number;
    page.level = parent ? parent->level + 1 : 1;
    page.size = check->page_size;
    if (number >= check->pages || !mark(check, number, 1))
        return page_fault(check, &page, "it is outside the file, or reached twice");
    unsigned char *bytes = crier_mem_alloc(check->mem, page.size);
    if (!bytes)
        return -ENOMEM;
    page.bytes = bytes;
    int r = check_bytes(check, &page);
    crier_mem_free(check->mem, bytes);
    return r;
}

static int check_tree(struct check *check, struct crier_page_tree *tree)
{
    struct crier_page root = {.tree = tree, .number = tree->root};
    unsigned faults = check->faults;

    if (tree->root == CRIER_PAGE_NONE && tree->depth == 0)
        return tree->entries ? page_fault(check, &root, "it is missing") : 0;
    if (tree->depth == 0 || tree->depth > DEPTH_MAX)
        return page_fault(check, &root, "the depth of its tree makes no sense");
    if (check->roots && tree->branches + tree->leaves > SMALL_TREE)
        tree->levels = ROOT_LEVELS;
    int r = check_page(check, NULL, tree->root, root);
    if (r < 0 || tree->levels || check->faults != faults)
        return r;
    if (tree->branches != tree->counted.branches || tree->leaves != tree->counted.leaves ||
        tree->overflows != tree->counted.overflows || tree->entries != tree->counted.entries)
        return page_fault(check, &root, "the counters of its tree are wrong");
    return 0;
}

/* ---- metas ------------------------------------------------------------------------------- */

struct meta {
    unsigned char bytes[HEAD + META_BYTES];
    uint64_t map_size, last_page, txn;
};

/* 0; -EUCLEAN: told. */
static int read_meta(struct check *check, unsigned which, struct meta *meta)
{
    const unsigned char *at = meta->bytes + META_AT;

    int r =
        read_at(check, (uint64_t)which * check->page_size, meta->bytes, sizeof(meta->bytes));
    if (r < 0)
        return r;
    if (r > 0 || (crier_page_get(meta->bytes + 10, 2) & CRIER_PAGE_META) == 0 ||
        crier_page_get(at, 4) != MAGIC || crier_page_get(at + 4, 4) != 1) {
        fault(check, "Page %u is not the head of an LMDB file.", which);
        return -EUCLEAN;
    }
    uint32_t page_size = (uint32_t)crier_page_get(at + 24, 4);
    if (page_size < PAGE_MIN || page_size > PAGE_MAX || (page_size & (page_size - 1)) ||
        (which && page_size != check->page_size)) {
        fault(check, "Page %u is damaged: the size of pages makes no sense.", which);
        return -EUCLEAN;
    }
    check->page_size = page_size;
    meta->map_size = crier_page_get(at + 16, 8);
    meta->last_page = crier_page_get(at + 120, 8);
    meta->txn = crier_page_get(at + 128, 8);
    if (crier_page_get(meta->bytes, 8) != which || (meta->txn && (meta->txn & 1) != which) ||
        (crier_page_get(at + 28, 2) & ~(uint64_t)NOSUBDIR) != CRIER_TREE_INTEGERKEY ||
        meta->last_page < 1 || crier_page_get(at + 76, 2) != 0 ||
        meta->last_page >= meta->map_size / page_size) {
        fault(check, "Page %u is damaged: what it says of the file makes no sense.", which);
        return -EUCLEAN;
    }
    return 0;
}

static int check_snapshot(struct check *check, const struct meta *meta)
{
    static const struct crier_slice none;
    const unsigned char *at = meta->bytes + META_AT + 24;
    struct crier_page_tree trees[2] = {
        crier_page_tree_read(at, CRIER_PAGE_OF_FREE, none),
        crier_page_tree_read(at + TREE, CRIER_PAGE_OF_MAIN, none)};

    check->last_page = meta->last_page;
    check->seen = crier_mem_zalloc(check->mem, (size_t)(check->pages / 8 + 1));
    if (!check->seen)
        return -ENOMEM;
    int r = check_tree(check, &trees[1]);
    if (r == 0)
        r = check_tree(check, &trees[0]);
    crier_mem_free(check->mem, check->seen);
    return r;
}

static int check_file(struct check *check, uint64_t txn)
{
    struct meta metas[2];
    struct stat st;

    if (fstat(check->fd, &st) < 0)
        return -errno;
    for (unsigned i = 0; i < 2; i++) {
        int r = read_meta(check, i, &metas[i]);
        if (r < 0)
            return r;
    }
    check->pages = (uint64_t)st.st_size / check->page_size;
    unsigned which = metas[1].txn > metas[0].txn;
    if (txn && metas[which].txn != txn)
        which = !which;
    if (txn && metas[which].txn != txn)
        return -ESTALE;
    int r = check_snapshot(check, &metas[which]);
    return r == 0 && check->faults ? -EUCLEAN : r;
}

static int open_and_check(struct check *check, const char *file, uint64_t txn)
{
    check->fd = open(file, O_RDONLY | O_CLOEXEC);
    if (check->fd < 0)
        return -errno;
    int r = check_file(check, txn);
    close(check->fd);
    return r;
}

int crier_pages_check(
    const struct crier_mem *mem, const char *file, uint64_t txn, crier_pages_fn *fn, void *ctx)
{
    struct check check = {.mem = mem, .fn = fn, .ctx = ctx};
    return open_and_check(&check, file, txn);
}

int crier_pages_check_roots(const struct crier_mem *mem,
                            const char *file,
                            crier_pages_fn *fn,
                            void *ctx)
{
    struct check check = {.mem = mem, .roots = true, .fn = fn, .ctx = ctx};
    return open_and_check(&check, file, 0);
}
