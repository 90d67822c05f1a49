/* SPDX-License-Identifier: MIT */
/*
 * The injected allocator (struct crier_mem, crier_mem_libc: crier/types.h). Everything that
 * owns memory is given a `const struct crier_mem *` when it is made and keeps it; no layer
 * calls malloc itself. Memory may be out at any time: every function that allocates can return
 * -ENOMEM.
 */
#ifndef CRIER_BASE_MEM_H
#define CRIER_BASE_MEM_H

#include "crier/types.h"

/* NULL: out of memory (never for size 0). The bytes are not zeroed, or zeroed. */
void *crier_mem_alloc(const struct crier_mem *mem, size_t size);
void *crier_mem_zalloc(const struct crier_mem *mem, size_t size);
/* size > 0. NULL: out of memory, and ptr is as it was. */
void *crier_mem_resize(const struct crier_mem *mem, void *ptr, size_t size);
/* Takes ptr; NULL is fine. Returns NULL. */
void *crier_mem_free(const struct crier_mem *mem, void *ptr);

#endif
