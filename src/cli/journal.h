/* SPDX-License-Identifier: MIT */
/* crier journal: what its verbs share. */
#ifndef CRIER_CLI_JOURNAL_H
#define CRIER_CLI_JOURNAL_H

#include "cli/command.h"
#include "durable/store.h"

enum { CRIER_JOURNAL_SELECTORS = 100 };

/* The command line. */
struct crier_journal_flags {
    const char *data;
    bool json;
    struct crier_slice selectors[CRIER_JOURNAL_SELECTORS];
    size_t selector_count;
    const char *since;
    uint64_t limit;
    uint64_t data_bytes;
};

/* Each is the verb's whole run; the exit status. */
int crier_journal_info(const struct crier_journal_flags *flags);
int crier_journal_verify(const struct crier_journal_flags *flags);
int crier_journal_compact(const struct crier_journal_flags *flags);
int crier_journal_dump(const struct crier_journal_flags *flags);
int crier_journal_export(const struct crier_journal_flags *flags);
int crier_journal_import(const struct crier_journal_flags *flags);

/* ---- shared ------------------------------------------------------------------------------ */

enum crier_journal_for { CRIER_JOURNAL_LOOK, CRIER_JOURNAL_CHANGE };

/* Opens the folder that exists, to look (also while a hub has it), or to change. -1: it is
 * open; otherwise why not has been said: the exit status. */
int crier_journal_open(const struct crier_journal_flags *flags,
                       enum crier_journal_for what,
                       struct crier_store **ret_store);
/* The same for a folder that may be new: the epoch of its ids and the time it begins at. */
int crier_journal_open_new(const struct crier_journal_flags *flags,
                           unsigned epoch,
                           struct crier_now now,
                           struct crier_store **ret_store);
/* Is there a journal in the folder? */
bool crier_journal_exists(const struct crier_journal_flags *flags);
/* "crier journal: <what>: <the error in words>"; CRIER_EXIT_FAILED. */
int crier_journal_failed(const char *what, int error);
/* Writes to standard output. -1: it is written; otherwise the exit status (nobody reading any
 * more is no failure). */
int crier_journal_print(const struct crier_buf *text);
/* "12.3 MiB". */
void crier_journal_size(struct crier_buf *buf, uint64_t bytes);

#endif
