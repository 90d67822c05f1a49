/* SPDX-License-Identifier: MIT */
/* The parts of a batch that its files share. Internal to src/http. */
#ifndef CRIER_HTTP_BATCH_PARTS_H
#define CRIER_HTTP_BATCH_PARTS_H

#include "http/batch.h"

/* ndjson.c: reads one line, with no document held. 0; -EINVAL and -ENOMEM with the batch's
 * fault. *ret borrows from line and batch->document. */
int crier_ndjson_line(struct crier_batch *batch,
                      struct crier_slice line,
                      struct crier_batch_item *ret);
void crier_ndjson_forget(struct crier_batch *batch); /* releases the document; NULL is fine */

/* batch.c: notes the fault; -EINVAL, -ENOMEM. */
int crier_batch_fail(struct crier_batch *batch, enum crier_problem fault, const char *detail);
int crier_batch_no_memory(struct crier_batch *batch);

#endif
