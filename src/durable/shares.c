/* SPDX-License-Identifier: MIT */
/* The rules a file was last written with, and what each share of history holds. */
#include "durable/file.h"

int crier_store_rules(struct crier_store *store, struct crier_rules *ret_rules)
{
    MDB_val key = crier_val("rules", 5), value;
    MDB_txn *txn;
    int r = crier_file_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));

    if (r < 0)
        return r;
    ret_rules->count = 0;
    r = crier_file_error(mdb_get(txn, store->tables[CRIER_TABLE_META], &key, &value));
    if (r == 0)
        crier_rules_read(ret_rules, (struct crier_slice){value.mv_data, value.mv_size});
    mdb_txn_abort(txn);
    return r == -ENOENT ? 0 : r;
}

struct crier_store_share crier_store_share(const struct crier_store *store, size_t rule)
{
    const struct crier_class *c = &store->classes[rule];

    return (struct crier_store_share){c->events, c->bytes, c->kept_events, c->kept_bytes};
}
