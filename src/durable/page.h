/* SPDX-License-Identifier: MIT */
/*
 * One page of an LMDB file, as bytes. Pure; part of pages.c, which says how all of it lies.
 */
#ifndef CRIER_DURABLE_PAGE_H
#define CRIER_DURABLE_PAGE_H

#include "base/slice.h"
#include <stdint.h>

enum {
    CRIER_PAGE_HEAD = 16,
    CRIER_PAGE_NODE = 8,
    CRIER_PAGE_TREE = 48,
    CRIER_PAGE_KEY = 511, /* a key is no longer */
};
#define CRIER_PAGE_NONE UINT64_MAX

/* Flags of pages, of nodes, of trees. */
enum {
    CRIER_PAGE_BRANCH = 1,
    CRIER_PAGE_LEAF = 2,
    CRIER_PAGE_OVERFLOW = 4,
    CRIER_PAGE_META = 8,
    CRIER_PAGE_DIRTY = 16, /* in a file: only of pages inside pages, where it means nothing */
    CRIER_PAGE_LEAF2 = 32,
    CRIER_PAGE_SUB = 64,
};
enum { CRIER_NODE_BIG = 1, CRIER_NODE_SUB = 2, CRIER_NODE_DUP = 4 };
enum { CRIER_TREE_DUPSORT = 4, CRIER_TREE_INTEGERKEY = 8, CRIER_TREE_DUPFIXED = 16 };

struct crier_page_tree {
    enum crier_page_kind {
        CRIER_PAGE_OF_FREE, /* keys are integers */
        CRIER_PAGE_OF_MAIN,
        CRIER_PAGE_OF_TABLE,
        CRIER_PAGE_OF_DUPS,
    } kind;
    struct crier_slice name; /* of the table */
    uint32_t pad;
    unsigned flags, depth;
    uint64_t branches, leaves, overflows, entries, root;
    unsigned levels; /* to be looked at; 0: all */
    struct {
        uint64_t branches, leaves, overflows, entries;
    } counted;
};

struct crier_page {
    struct crier_page_tree *tree;
    uint64_t number;
    unsigned level; /* from 1 */
    const unsigned char *bytes;
    size_t size; /* of a page inside a page less */
    unsigned flags, lower, upper;
    size_t count;
    /* Its keys are at least low and less than high; data NULL: unbounded. */
    struct crier_slice low, high;
};

struct crier_page_node {
    unsigned flags;
    struct crier_slice key, data; /* data: as it lies in the page */
    size_t len;                   /* of the value */
    uint64_t below;               /* of a branch: the page */
    size_t taken;
};

/* What is damaged is told to people: whatever is no plain text in it becomes '?'. */
void crier_page_plain(char *text, size_t len);
/* A little-endian number. */
uint64_t crier_page_get(const unsigned char *at, size_t size);
struct crier_page_tree crier_page_tree_read(const unsigned char *at,
                                            enum crier_page_kind kind,
                                            struct crier_slice name);
/* Fills flags, lower, upper and count. false: they make no sense, or flags are not `want`. */
bool crier_page_head(struct crier_page *page, unsigned want);
/* false: it is not within its page. */
bool crier_page_node(const struct crier_page *page, size_t i, struct crier_page_node *ret_node);
/* All nodes lie within the page and fill it, their keys in order. NULL, or what is wrong. */
const char *crier_page_nodes(const struct crier_page *page);
/* The same of a page of keys that lie side by side (LEAF2). */
const char *crier_page_fixed(const struct crier_page *page);

#endif
