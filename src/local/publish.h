/* SPDX-License-Identifier: MIT */
/* A publication on its way into the journal: checked, measured, encoded. */
#ifndef CRIER_LOCAL_PUBLISH_H
#define CRIER_LOCAL_PUBLISH_H

#include "local/hub.h"

struct crier_pressing {
    struct crier_event event;
    struct crier_draft draft; /* borrows from the publication, then from `out` */
    size_t size;              /* bytes that crier_pressing_write writes */
};

/* Checks and measures. 0, or what crier_hub_publish() answers. */
int crier_pressing_begin(struct crier_pressing *pressing,
                         struct crier_hub *hub,
                         const struct crier_publication *publication) CRIER_MUST_CHECK;
/* Encodes; the draft is complete then. */
void crier_pressing_write(struct crier_pressing *pressing, char *out);
/* Of a draft whose result is 0 or CRIER_APPEND_DUPLICATE. */
struct crier_receipt crier_receipt_of(const struct crier_draft *draft);

#endif
