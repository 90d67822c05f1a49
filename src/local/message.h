/* SPDX-License-Identifier: MIT */
/* Events copied out of the journal, one behind the other in one buffer, as messages. */
#ifndef CRIER_LOCAL_MESSAGE_H
#define CRIER_LOCAL_MESSAGE_H

#include "base/buf.h"
#include "crier/hub.h"
#include "journal/journal.h"

struct crier_messages {
    struct crier_buf buf;
    size_t at; /* of the next one to take */
};

void crier_messages_init(struct crier_messages *messages, const struct crier_mem *mem);
void crier_messages_deinit(struct crier_messages *messages);
/* Copies the event, as one of that topic. 0; -ENOMEM: those before stay. */
int crier_messages_add(struct crier_messages *messages,
                       const struct crier_record *record,
                       struct crier_slice topic) CRIER_MUST_CHECK;
/* The next one, in order; it borrows until add or clear. false: there is none. */
bool crier_messages_take(struct crier_messages *messages, struct crier_message *ret_message);
bool crier_messages_empty(const struct crier_messages *messages);
/* Forgets all; memory beyond `keep` bytes is given back. */
void crier_messages_clear(struct crier_messages *messages, size_t keep);

#endif
