/* SPDX-License-Identifier: MIT */
/* The small grammar that header fields share (RFC 9110 5.6): tokens and comma-separated lists.
 */
#ifndef CRIER_HTTP_FIELD_H
#define CRIER_HTTP_FIELD_H

#include "base/slice.h"

bool crier_token_char(char c);
bool crier_token_valid(struct crier_slice text); /* one or more token characters */

/* field-value (RFC 9110, 5.5): no control characters but HTAB. */
bool crier_field_value_valid(struct crier_slice value);

/* Cuts the next element, outer space off, at the next sep outside a quoted string. Elements may
 * be empty. false: the list (then with NULL data) is over. */
bool crier_list_next(struct crier_slice *list, char sep, struct crier_slice *ret_element);

#endif
