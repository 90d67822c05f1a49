/* SPDX-License-Identifier: MIT */
/*
 * Publishing for those who must not wait. One allocation is all of it:
 *
 *     submission: parcel, draft | topic, type, key | the event, encoded
 *
 *     caller ──▶ journal: the parcel is its own ──▶ written ──▶ done(), on the journal's thread
 *           └──▶ answered at once (a journal in memory): done(), right here
 *
 * Exactly once: either this call fails and done is never called, or it is called once. The
 * submission is freed before, so that done may free the hub. The hub outlives it without being
 * counted: closing the journal waits until all that was submitted is done (hub.c).
 */
#include "base/mem.h"
#include "base/options.h"
#include "local/publish.h"

typedef void done_fn(int result, const struct crier_receipt *receipt, void *ctx);

struct submission {
    struct crier_parcel parcel;
    struct crier_draft draft;
    const struct crier_mem *mem;
    done_fn *done;
    void *ctx;
    char bytes[];
};

/* Takes it, and tells. */
static void finish(struct submission *submission)
{
    int result = crier_hub_result(submission->draft.result);
    struct crier_receipt receipt = crier_receipt_of(&submission->draft);
    done_fn *done = submission->done;
    void *ctx = submission->ctx;

    crier_mem_free(submission->mem, submission);
    if (done)
        done(result, result == 0 ? &receipt : NULL, ctx);
}

/* On a thread that everybody's publishes wait for. */
static void written(struct crier_parcel *parcel)
{
    crier_stepping++;
    finish(CRIER_CONTAINER(parcel, struct submission, parcel));
    crier_stepping--;
}

static struct crier_slice copy(char **at, struct crier_slice text)
{
    struct crier_slice copied = {*at, text.len};

    if (text.len)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return copied;
}

static struct submission *submission_new(struct crier_hub *hub, struct crier_pressing *pressing)
{
    struct crier_draft *draft = &pressing->draft;
    size_t len = draft->topics[0].len + draft->type.len + draft->key.len + pressing->size;
    struct submission *submission = crier_mem_alloc(hub->mem, sizeof(*submission) + len);

    if (!submission)
        return NULL;

    char *at = submission->bytes;
    draft->topics[0] = copy(&at, draft->topics[0]);
    draft->type = copy(&at, draft->type);
    draft->key = copy(&at, draft->key);
    crier_pressing_write(pressing, at);
    submission->draft = *draft;
    submission->mem = hub->mem;
    submission->parcel =
        (struct crier_parcel){.drafts = &submission->draft, .count = 1, .done = written};
    return submission;
}

int crier_hub_submit(struct crier_hub *hub,
                     const struct crier_publication *publication,
                     void (*done)(int result, const struct crier_receipt *receipt, void *ctx),
                     void *ctx)
{
    struct crier_publication p;
    struct crier_pressing pressing;
    struct submission *submission;
    int r = crier_hub_check(hub);

    if (r < 0)
        return r;
    crier_options_read(&p, sizeof(p), publication);
    r = crier_pressing_begin(&pressing, hub, &p);
    if (r < 0)
        return r;
    submission = submission_new(hub, &pressing);
    if (!submission)
        return CRIER_ENOMEM;
    submission->done = done;
    submission->ctx = ctx;
    if (!crier_journal_submit(hub->journal, &submission->parcel, crier_hub_now(hub)))
        return 0;
    /* What has failed by now fails here. */
    r = crier_hub_result(submission->draft.result);
    if (r < 0)
        crier_mem_free(hub->mem, submission);
    else
        finish(submission);
    return r;
}
