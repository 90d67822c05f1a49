/* SPDX-License-Identifier: MIT */
/*
 * The one error convention of the whole code base.
 *
 *   0     it worked
 *   < 0   a negative errno value (-ENOMEM, -EINVAL, ...; crier/error.h has names for those
 *         that users of the library see): it failed, nothing was changed;
 *         the caller mends it or passes it on unchanged
 *   > 0   an outcome that the function documents and every caller must handle
 *
 * Out-parameters come last, are named ret_..., and are untouched on failure.
 */
#ifndef CRIER_BASE_ERR_H
#define CRIER_BASE_ERR_H

#include "crier/error.h"

#endif
