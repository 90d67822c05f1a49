/* SPDX-License-Identifier: MIT */
/* A build without LMDB (-Ddurable=disabled): hubs remember in memory only, and say so when they
 * are asked for more. */
#include "durable/durable.h"

int crier_durable_open(const struct crier_mem *mem,
                       const struct crier_hash_key *hash_key,
                       unsigned epoch,
                       const struct crier_durable_options *options,
                       struct crier_now now,
                       struct crier_journal **ret_journal,
                       struct crier_buf *fault)
{
    (void)mem;
    (void)hash_key;
    (void)epoch;
    (void)now;
    (void)ret_journal;
    crier_buf_printf(fault,
                     "cannot keep history in %s: this libcrier was built without journals on "
                     "disk (-Ddurable=disabled)",
                     options->dir);
    return -ENOTSUP;
}
