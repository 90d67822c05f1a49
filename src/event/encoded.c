/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "base/mem.h"
#include <stdatomic.h>

/* One allocation. Only `refs` changes after it was made. */
struct crier_encoded {
    const struct crier_mem *mem;
    _Atomic size_t refs;
    size_t len;
    char bytes[]; /* a NUL behind them */
};

int crier_encoded_new(const struct crier_event *event,
                      const struct crier_mem *mem,
                      struct crier_encoded **ret_encoded)
{
    size_t size = crier_event_size(event);

    if (!mem)
        mem = &crier_mem_libc;
    struct crier_encoded *encoded = crier_mem_alloc(mem, sizeof(*encoded) + size + 1);
    if (!encoded)
        return CRIER_ENOMEM;
    int r = crier_event_encode(event, encoded->bytes, size, &encoded->len);
    if (r < 0) {
        crier_mem_free(mem, encoded);
        return r;
    }
    encoded->bytes[size] = '\0';
    encoded->mem = mem;
    atomic_init(&encoded->refs, 1);
    *ret_encoded = encoded;
    return 0;
}

struct crier_encoded *crier_encoded_ref(struct crier_encoded *encoded)
{
    if (encoded)
        atomic_fetch_add_explicit(&encoded->refs, 1, memory_order_relaxed);
    return encoded;
}

struct crier_encoded *crier_encoded_unref(struct crier_encoded *encoded)
{
    if (encoded && atomic_fetch_sub_explicit(&encoded->refs, 1, memory_order_acq_rel) == 1)
        crier_mem_free(encoded->mem, encoded);
    return NULL;
}

struct crier_slice crier_encoded_bytes(const struct crier_encoded *encoded)
{
    if (!encoded)
        return (struct crier_slice){NULL, 0};
    return (struct crier_slice){encoded->bytes, encoded->len};
}
