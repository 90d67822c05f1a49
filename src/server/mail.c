/* SPDX-License-Identifier: MIT */
/*
 *   slots    [1][2][3] ... : generation, owner, what is on its way to it; free ones are a list
 *   letters  ──▶ ──▶ ──▶     in the order they were posted, whomever they are for
 *
 * A letter is accepted or refused when it is posted, under the mutex, by what its place says
 * then: who posts is told at once, and what was accepted is counted until the worker has read
 * it. The wake-up is sent for the first letter only; the worker takes all that are there.
 */
#include "server/mail.h"

#include "base/mem.h"
#include <string.h>

int crier_mail_init(struct crier_mail *mail,
                    const struct crier_mem *mem,
                    struct crier_wake *wake,
                    unsigned worker,
                    uint64_t generation)
{
    *mail = (struct crier_mail){
        .mem = mem, .wake = wake, .worker = worker, .generation = generation ? generation : 1};
    crier_list_init(&mail->letters);
    if (pthread_mutex_init(&mail->mutex, NULL) != 0)
        return -ENOMEM;
    mail->ready = true;
    return 0;
}

void crier_mail_deinit(struct crier_mail *mail)
{
    if (!mail->ready)
        return;
    crier_list_for_each_safe (node, &mail->letters) {
        crier_list_remove(node);
        crier_letter_free(mail, CRIER_CONTAINER(node, struct crier_letter, node));
    }
    mail->slots = crier_mem_free(mail->mem, mail->slots);
    pthread_mutex_destroy(&mail->mutex);
    mail->ready = false;
}

/* ---- the table -------------------------------------------------------------------------- */

/* Under the mutex. NULL: what the reference meant is gone. */
static struct crier_slot *find(const struct crier_mail *mail, struct crier_ref ref)
{
    uint32_t place = (uint32_t)ref.slot;
    struct crier_slot *slot;

    if (crier_ref_worker(ref) != mail->worker || place == 0 || place > mail->count)
        return NULL;
    slot = &mail->slots[place];
    return slot->kind != CRIER_TO_NOBODY && slot->generation == ref.generation ? slot : NULL;
}

static int make_room(struct crier_mail *mail)
{
    uint32_t room = mail->room ? mail->room * 2 : 16;
    void *slots;

    if (mail->free || mail->count + 1 < mail->room)
        return 0;
    slots = crier_mem_resize(mail->mem, mail->slots, room * sizeof(*mail->slots));
    if (!slots)
        return -ENOMEM;
    mail->slots = slots;
    mail->room = room;
    return 0;
}

int crier_mail_register(struct crier_mail *mail,
                        enum crier_addressee kind,
                        void *owner,
                        size_t limit,
                        struct crier_ref *ret)
{
    uint32_t place;
    int r;

    pthread_mutex_lock(&mail->mutex);
    r = make_room(mail);
    if (r == 0) {
        place = mail->free ? mail->free : ++mail->count;
        if (mail->free)
            mail->free = mail->slots[place].next;
        mail->slots[place] = (struct crier_slot){
            .generation = mail->generation, .owner = owner, .kind = kind, .limit = limit};
        *ret = (struct crier_ref){(uint64_t)mail->worker << 32 | place, mail->generation};
        if (++mail->generation == 0)
            mail->generation = 1;
    }
    pthread_mutex_unlock(&mail->mutex);
    return r;
}

void crier_mail_unregister(struct crier_mail *mail, struct crier_ref ref)
{
    struct crier_slot *slot;

    if (!ref.generation)
        return;
    pthread_mutex_lock(&mail->mutex);
    slot = find(mail, ref);
    if (slot) {
        *slot = (struct crier_slot){.next = mail->free};
        mail->free = (uint32_t)ref.slot;
    }
    pthread_mutex_unlock(&mail->mutex);
}

void crier_mail_waiting(struct crier_mail *mail, struct crier_ref ref, size_t bytes)
{
    struct crier_slot *slot;

    if (!ref.generation)
        return;
    pthread_mutex_lock(&mail->mutex);
    slot = find(mail, ref);
    if (slot)
        slot->waiting = bytes;
    pthread_mutex_unlock(&mail->mutex);
}

void crier_mail_close(struct crier_mail *mail, struct crier_ref ref)
{
    struct crier_slot *slot;

    if (!ref.generation)
        return;
    pthread_mutex_lock(&mail->mutex);
    slot = find(mail, ref);
    if (slot)
        slot->over = true;
    pthread_mutex_unlock(&mail->mutex);
}

bool crier_mail_expects(struct crier_mail *mail, struct crier_ref ref)
{
    struct crier_slot *slot;
    bool expects;

    if (!ref.generation)
        return false;
    pthread_mutex_lock(&mail->mutex);
    slot = find(mail, ref);
    expects = slot && slot->letters > 0;
    pthread_mutex_unlock(&mail->mutex);
    return expects;
}

void crier_mail_take(struct crier_mail *mail, struct crier_list *ret_letters)
{
    crier_list_init(ret_letters);
    pthread_mutex_lock(&mail->mutex);
    crier_list_splice(ret_letters, &mail->letters);
    pthread_mutex_unlock(&mail->mutex);
}

static size_t letter_bytes(const struct crier_letter *letter)
{
    return letter->encoded ? crier_encoded_bytes(letter->encoded).len : 0;
}

void *crier_mail_owner(struct crier_mail *mail, const struct crier_letter *letter)
{
    void *owner = NULL;
    struct crier_slot *slot;

    pthread_mutex_lock(&mail->mutex);
    slot = find(mail, letter->ref);
    if (slot) {
        slot->letters--;
        slot->posted -= letter_bytes(letter);
        owner = slot->owner;
    }
    pthread_mutex_unlock(&mail->mutex);
    return owner;
}

/* ---- letters ---------------------------------------------------------------------------- */

struct crier_letter *crier_letter_new(struct crier_mail *mail,
                                      enum crier_letter_kind kind,
                                      struct crier_ref ref,
                                      struct crier_slice type,
                                      struct crier_slice body)
{
    struct crier_letter *letter =
        crier_mem_alloc(mail->mem, sizeof(*letter) + type.len + body.len);
    char *text;

    if (!letter)
        return NULL;
    text = (char *)(letter + 1);
    *letter = (struct crier_letter){.kind = kind,
                                    .ref = ref,
                                    .has_type = type.data != NULL,
                                    .type = {text, type.len},
                                    .body = {text + type.len, body.len}};
    crier_list_init(&letter->node);
    if (type.len)
        memcpy(text, type.data, type.len);
    if (body.len)
        memcpy(text + type.len, body.data, body.len);
    return letter;
}

void crier_letter_free(struct crier_mail *mail, struct crier_letter *letter)
{
    if (!letter)
        return;
    crier_encoded_unref(letter->encoded);
    crier_mem_free(mail->mem, letter);
}

/* Under the mutex. */
static int accept(struct crier_slot *slot, const struct crier_letter *letter)
{
    enum crier_addressee kind =
        letter->kind == CRIER_LETTER_REPLY ? CRIER_TO_REQUEST : CRIER_TO_STREAM;
    size_t bytes = letter_bytes(letter);

    if (!slot || slot->kind != kind || (slot->over && letter->kind != CRIER_LETTER_FINISH))
        return CRIER_GONE;
    /* One event alone always fits, as on the stream itself. */
    if (bytes && slot->posted + slot->waiting > 0 &&
        slot->posted + slot->waiting + bytes > slot->limit)
        return CRIER_FULL;
    slot->letters++;
    slot->posted += bytes;
    slot->over = slot->over || letter->kind != CRIER_LETTER_EVENT;
    return 0;
}

int crier_mail_send(struct crier_mail *mail, struct crier_letter *letter)
{
    bool first = false;
    int r;

    pthread_mutex_lock(&mail->mutex);
    r = accept(find(mail, letter->ref), letter);
    if (r == 0) {
        first = crier_list_empty(&mail->letters);
        crier_list_push_back(&mail->letters, &letter->node);
    }
    pthread_mutex_unlock(&mail->mutex);
    if (r != 0)
        crier_letter_free(mail, letter);
    else if (first)
        crier_wake_signal(mail->wake);
    return r;
}
