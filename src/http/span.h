/* SPDX-License-Identifier: MIT */
/* The own characters of an object's values, in JSON that has been read already. Internal to
 * src/http. */
#ifndef CRIER_HTTP_SPAN_H
#define CRIER_HTTP_SPAN_H

#include "base/slice.h"

/* How many members the object has as it is written, one that is there twice counted twice. The
 * values of the first `room` of them go to ret_values, without the white space around them.
 * The object must be valid JSON: nothing is checked here. */
size_t
crier_span_members(struct crier_slice object, struct crier_slice *ret_values, size_t room);

#endif
