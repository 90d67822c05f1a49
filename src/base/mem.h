/* SPDX-License-Identifier: MIT */
/*
 * The injected allocator. Everything that owns memory is given a `const struct crier_mem *`
 * when it is made and keeps it; no layer calls malloc itself. Memory may be out at any time:
 * every function that allocates can return -ENOMEM.
 */
#ifndef CRIER_BASE_MEM_H
#define CRIER_BASE_MEM_H

#include <stddef.h>

struct crier_mem {
    /* size 0 frees and returns NULL; ptr NULL allocates; NULL otherwise means out of memory. */
    void *(*resize)(void *ctx, void *ptr, size_t size);
    void *ctx;
};

/* The C library's allocator. Any thread. */
extern const struct crier_mem crier_mem_libc;

/* NULL: out of memory (never for size 0). The bytes are not zeroed, or zeroed. */
void *crier_mem_alloc(const struct crier_mem *mem, size_t size);
void *crier_mem_zalloc(const struct crier_mem *mem, size_t size);
/* size > 0. NULL: out of memory, and ptr is as it was. */
void *crier_mem_resize(const struct crier_mem *mem, void *ptr, size_t size);
/* Takes ptr; NULL is fine. Returns NULL. */
void *crier_mem_free(const struct crier_mem *mem, void *ptr);

#endif
