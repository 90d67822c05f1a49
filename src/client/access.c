/* SPDX-License-Identifier: MIT */
#include "client/access.h"

#include <stdlib.h>

static const char *get_environment(void *ctx, const char *name)
{
    return getenv(name);
}

int crier_access_init(struct crier_access *access,
                      const struct crier_mem *mem,
                      const struct crier_access_options *options)
{
    int r;

    *access = (struct crier_access){
        .mem = mem, .insecure = options->insecure, .connect_ms = options->connect_ms};
    crier_proxies_init(&access->proxies, mem);
    crier_buf_init(&access->ca_file, mem);
    if (options->ca_file) {
        crier_buf_append(&access->ca_file, crier_slice_of(options->ca_file));
        crier_buf_byte(&access->ca_file, '\0');
    }
    r = crier_proxies_set(&access->proxies, options->proxy, get_environment, NULL);
    if (r == 0)
        r = crier_buf_error(&access->ca_file);
    if (r < 0)
        crier_access_deinit(access);
    return r;
}

void crier_access_deinit(struct crier_access *access)
{
    if (!access->mem)
        return;
    crier_proxies_deinit(&access->proxies);
    crier_buf_deinit(&access->ca_file);
    access->tls = crier_tls_free(access->tls);
}

int crier_access_tls(struct crier_access *access,
                     char fault[CRIER_TLS_FAULT],
                     struct crier_tls **ret_tls)
{
    const struct crier_tls_options options = {
        .ca_file = access->ca_file.len > 0 ? access->ca_file.data : NULL,
        .insecure = access->insecure,
    };
    int r = access->tls ? 0 : crier_tls_new(access->mem, &options, fault, &access->tls);

    if (r == 0)
        *ret_tls = access->tls;
    return r;
}
