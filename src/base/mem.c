/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *libc_resize(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    /* realloc(ptr, 0) is not portable: it may free or not. */
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

const struct crier_mem crier_mem_libc = {.resize = libc_resize};

void *crier_mem_alloc(const struct crier_mem *mem, size_t size)
{
    /* Nothing is allocated as one byte: NULL always means out of memory. */
    return mem->resize(mem->ctx, NULL, size ? size : 1);
}

void *crier_mem_zalloc(const struct crier_mem *mem, size_t size)
{
    void *ptr = crier_mem_alloc(mem, size);

    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void *crier_mem_resize(const struct crier_mem *mem, void *ptr, size_t size)
{
    assert(size > 0);
    return mem->resize(mem->ctx, ptr, size);
}

void *crier_mem_free(const struct crier_mem *mem, void *ptr)
{
    if (ptr)
        mem->resize(mem->ctx, ptr, 0);
    return NULL;
}
