/* SPDX-License-Identifier: MIT */
/* A whole server: what `crier serve` runs. */
#ifndef CRIER_SERVER_SERVER_H
#define CRIER_SERVER_SERVER_H

#include "server/config.h"

/* Serves until SIGTERM or SIGINT (http-api.md, "The command line"). Blocks. Logs to standard
 * error. The exit status: 0 ended as asked, 1 it failed (and the log says why). Call it once,
 * from the main thread, while there are no others: it blocks the signals it handles in all
 * threads. */
int crier_server_main(const struct crier_config *config);

#endif
