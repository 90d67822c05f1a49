/* SPDX-License-Identifier: MIT */
/* Private streams by reference, from any thread: letters, and what becomes of them. */
#include "server/private.h"

struct crier_ref crier_stream_ref(struct crier_stream *s)
{
    struct crier_ref nothing = {0, 0};

    if (!s || s->private->closed)
        return nothing;
    if (s->private->ref.generation)
        return s->private->ref;
    if (crier_mail_register(&crier_stream_worker(s)->mail, CRIER_TO_STREAM, s,
                            s->private->queue_bytes, &s->private->ref) < 0)
        return nothing;
    crier_private_tell(s);
    if (s->private->finishing)
        crier_mail_close(&crier_stream_worker(s)->mail, s->private->ref);
    return s->private->ref;
}

int crier_server_post_encoded(struct crier_server *server,
                              struct crier_ref ref,
                              struct crier_encoded *encoded)
{
    const struct crier_slice no_text = {NULL, 0};
    struct crier_mail *mail = crier_server_mail(server, ref);
    struct crier_letter *letter;

    if (!server || !encoded)
        return CRIER_ENOMEM;
    if (!mail)
        return CRIER_GONE;
    letter = crier_letter_new(mail, CRIER_LETTER_EVENT, ref, no_text, no_text);
    if (!letter)
        return CRIER_ENOMEM;
    letter->encoded = crier_encoded_ref(encoded);
    return crier_mail_send(mail, letter);
}

int crier_server_post(struct crier_server *server,
                      struct crier_ref ref,
                      const struct crier_event *event)
{
    struct crier_encoded *encoded;
    int r;

    if (!server)
        return CRIER_ENOMEM;
    r = crier_encoded_new(event, server->mem, &encoded);
    if (r < 0)
        return r;
    r = crier_server_post_encoded(server, ref, encoded);
    crier_encoded_unref(encoded);
    return r;
}

int crier_server_finish(struct crier_server *server, struct crier_ref ref)
{
    const struct crier_slice no_text = {NULL, 0};
    struct crier_mail *mail = crier_server_mail(server, ref);
    struct crier_letter *letter;

    if (!server)
        return CRIER_ENOMEM;
    if (!mail)
        return CRIER_GONE;
    letter = crier_letter_new(mail, CRIER_LETTER_FINISH, ref, no_text, no_text);
    return letter ? crier_mail_send(mail, letter) : CRIER_ENOMEM;
}

void crier_private_deliver(struct crier_stream *s, struct crier_letter *letter)
{
    if (letter->kind == CRIER_LETTER_FINISH) {
        (void)crier_stream_finish(s);
        return;
    }
    /* It was let in when it was posted: it fits, and is sent although finish came since. */
    if (s->ending || s->conn->state == CRIER_CONN_DOOMED)
        return;
    if (crier_private_enqueue(s, crier_encoded_bytes(letter->encoded)) < 0)
        crier_conn_doom(s->conn, CRIER_END_MEMORY);
    crier_private_tell(s);
}
