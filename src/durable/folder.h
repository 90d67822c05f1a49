/* SPDX-License-Identifier: MIT */
/* The folder of a store: made, locked, and looked at before LMDB is let near it. Faults are
 * sentences, appended. */
#ifndef CRIER_DURABLE_FOLDER_H
#define CRIER_DURABLE_FOLDER_H

#include "base/buf.h"

enum { CRIER_FOLDER_PATH = 4096 };

/* DIR/name. 0, -ENAMETOOLONG. */
int crier_folder_path(char path[CRIER_FOLDER_PATH], const char *dir, const char *name);
/* Makes the folder if it is not there (its parent must be). 0, -ENOTDIR, -EACCES, ... */
int crier_folder_make(const char *dir, struct crier_buf *fault) CRIER_MUST_CHECK;
/* Locks the folder for this process: *ret_fd holds it. -EBUSY: another has it. */
int crier_folder_lock(const char *dir, int *ret_fd, struct crier_buf *fault) CRIER_MUST_CHECK;
int crier_folder_sync(const char *dir);

#endif
