/* SPDX-License-Identifier: MIT */
/*
 * One page of an LMDB file. pages.c draws how it lies; here it is taken apart, and nothing is
 * trusted: every offset is compared with the size of the page before it is followed.
 */
#include "durable/page.h"
#include "base/utf8.h"

void crier_page_plain(char *text, size_t len)
{
    bool utf8 = crier_utf8_valid((struct crier_slice){text, len});

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == 0x7f || (c >= 0x80 && !utf8))
            text[i] = '?';
    }
}

uint64_t crier_page_get(const unsigned char *at, size_t size)
{
    uint64_t value = 0;
    while (size-- > 0)
        value = value << 8 | at[size];
    return value;
}

struct crier_page_tree crier_page_tree_read(const unsigned char *at,
                                            enum crier_page_kind kind,
                                            struct crier_slice name)
{
    return (struct crier_page_tree){
        .kind = kind,
        .name = name,
        .pad = (uint32_t)crier_page_get(at, 4),
        .flags = (unsigned)crier_page_get(at + 4, 2),
        .depth = (unsigned)crier_page_get(at + 6, 2),
        .branches = crier_page_get(at + 8, 8),
        .leaves = crier_page_get(at + 16, 8),
        .overflows = crier_page_get(at + 24, 8),
        .entries = crier_page_get(at + 32, 8),
        .root = crier_page_get(at + 40, 8),
    };
}

bool crier_page_head(struct crier_page *page, unsigned want)
{
    page->flags = (unsigned)crier_page_get(page->bytes + 10, 2);
    if (want & CRIER_PAGE_SUB)
        page->flags &= ~(unsigned)CRIER_PAGE_DIRTY;
    page->lower = (unsigned)crier_page_get(page->bytes + 12, 2);
    page->upper = (unsigned)crier_page_get(page->bytes + 14, 2);
    if (page->flags != want || page->lower < CRIER_PAGE_HEAD || page->lower % 2 ||
        page->lower > page->upper || page->upper > page->size)
        return false;
    page->count = (page->lower - CRIER_PAGE_HEAD) / 2;
    return page->count > 0;
}

/* ---- keys -------------------------------------------------------------------------------- */

static int
compare_keys(const struct crier_page_tree *tree, struct crier_slice a, struct crier_slice b)
{
    if (tree->kind != CRIER_PAGE_OF_FREE)
        return crier_slice_cmp(a, b);
    uint64_t one = crier_page_get((const unsigned char *)a.data, 8);
    uint64_t two = crier_page_get((const unsigned char *)b.data, 8);
    return (one > two) - (one < two);
}

/* Does the key come after the one before it, and lie within the page's bounds? */
static bool
in_order(const struct crier_page *page, struct crier_slice before, struct crier_slice key)
{
    if (page->tree->kind == CRIER_PAGE_OF_FREE && key.len != 8)
        return false;
    if (before.data && compare_keys(page->tree, before, key) >= 0)
        return false;
    if (page->low.data && compare_keys(page->tree, page->low, key) > 0)
        return false;
    return !page->high.data || compare_keys(page->tree, key, page->high) < 0;
}

const char *crier_page_fixed(const struct crier_page *page)
{
    const char *at = (const char *)page->bytes + CRIER_PAGE_HEAD;
    size_t size = page->tree->pad;
    struct crier_slice before = {NULL, 0};

    if (crier_page_get(page->bytes + 8, 2) != size || size == 0 || size > CRIER_PAGE_KEY)
        return "its keys are not as long as they should be";
    /* Each took 2 bytes off the front and the rest off the back. */
    if (page->count * size !=
        (size_t)(page->lower - CRIER_PAGE_HEAD) + (page->size - page->upper))
        return "its keys do not fill it";
    for (size_t i = 0; i < page->count; i++, at += size) {
        struct crier_slice key = {at, size};
        if (!in_order(page, before, key))
            return "its keys are not in order";
        before = key;
    }
    return NULL;
}

/* ---- nodes ------------------------------------------------------------------------------- */

bool crier_page_node(const struct crier_page *page, size_t i, struct crier_page_node *ret_node)
{
    size_t at = (size_t)crier_page_get(page->bytes + CRIER_PAGE_HEAD + i * 2, 2);
    const unsigned char *bytes = page->bytes + at;
    struct crier_page_node node = {0};
    bool leaf = page->flags & CRIER_PAGE_LEAF;

    if (at < page->upper || at % 2 || at + CRIER_PAGE_NODE > page->size)
        return false;
    size_t room = page->size - at - CRIER_PAGE_NODE, data_len = 0;
    size_t key_len = (size_t)crier_page_get(bytes + 6, 2);
    if (key_len > CRIER_PAGE_KEY || key_len > room || (key_len == 0 && (leaf || i > 0)))
        return false;
    if (leaf) {
        node.flags = (unsigned)crier_page_get(bytes + 4, 2);
        node.len = (size_t)crier_page_get(bytes, 4);
        data_len = node.flags & CRIER_NODE_BIG ? 8 : node.len;
    } else {
        node.below = crier_page_get(bytes, 6);
    }
    if (data_len > room - key_len)
        return false;
    node.key = (struct crier_slice){(const char *)bytes + CRIER_PAGE_NODE, key_len};
    node.data = (struct crier_slice){node.key.data + key_len, data_len};
    node.taken = (CRIER_PAGE_NODE + key_len + data_len + 1) & ~(size_t)1;
    *ret_node = node;
    return true;
}

const char *crier_page_nodes(const struct crier_page *page)
{
    struct crier_slice before = {NULL, 0};
    struct crier_page_node node;
    size_t taken = 0;

    for (size_t i = 0; i < page->count; i++) {
        if (!crier_page_node(page, i, &node))
            return "an entry is not within it";
        taken += node.taken;
        if (page->flags & CRIER_PAGE_BRANCH && i == 0)
            continue; /* its key is never looked at */
        if (!in_order(page, before, node.key))
            return "its keys are not in order";
        before = node.key;
    }
    return taken == page->size - page->upper ? NULL : "its entries do not fill it";
}
