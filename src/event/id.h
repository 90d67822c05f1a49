/* SPDX-License-Identifier: MIT */
/* Event ids (crier/event.h), written into buffers. */
#ifndef CRIER_EVENT_ID_H
#define CRIER_EVENT_ID_H

#include "base/slice.h"
#include "crier/event.h"

struct crier_buf;

void crier_id_append(struct crier_buf *buf, struct crier_id id);

#endif
