/* SPDX-License-Identifier: MIT */
/*
 * A complete request head: split into its parts by llhttp. Internal to src/http.
 */
#ifndef CRIER_HTTP_HEAD_H
#define CRIER_HTTP_HEAD_H

#include "http/scan.h"

struct crier_head {
    const struct crier_mem *mem;
    struct crier_buf raw; /* the bytes of the head, as they came */
    struct crier_header *headers;
    size_t header_cap;
    bool chunked;
    struct crier_http_request request; /* views into raw and headers */
};

void crier_head_init(struct crier_head *head, const struct crier_mem *mem);
void crier_head_deinit(struct crier_head *head);
/* Forgets the request; gives back the memory of a large one. */
void crier_head_reset(struct crier_head *head);
/* raw is exactly what scan has accepted: fills in method, target, minor and headers of the
 * request, the rest is for crier_head_check (check.h). 0, -EPROTO, -ENOMEM. */
int crier_head_parse(struct crier_head *head,
                     const struct crier_scan *scan,
                     struct crier_refusal *refusal);

#endif
