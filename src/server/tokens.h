/* SPDX-License-Identifier: MIT */
/* Publish tokens: from a file (one a line, at least 16 bytes, '#' comments and blank lines
 * passed over) and the environment. Reread on SIGHUP. Any thread may check while another
 * rereads. Compared in constant time (of each token, whatever its length). */
#ifndef CRIER_SERVER_TOKENS_H
#define CRIER_SERVER_TOKENS_H

#include "base/buf.h"

struct crier_tokens;

/* file, text: may be NULL. 0; -errno, and *ret_fault (a buffer for a sentence: which file,
 * which line, why) is filled. */
int crier_tokens_new(const struct crier_mem *,
                     const char *file,
                     const char *text,
                     struct crier_buf *fault,
                     struct crier_tokens **ret) CRIER_MUST_CHECK;
struct crier_tokens *crier_tokens_free(struct crier_tokens *);
/* Reads the file again; on failure the old ones stay. */
int crier_tokens_reload(struct crier_tokens *, struct crier_buf *fault) CRIER_MUST_CHECK;
bool crier_tokens_configured(const struct crier_tokens *);
bool crier_tokens_check(const struct crier_tokens *, struct crier_slice token);

#endif
