/* SPDX-License-Identifier: MIT */
/*
 * Publishing into the hub: checked as the HTTP interface checks (hub/publication.h), encoded,
 * appended. Whatever thread calls, the journal's mutex puts it in order; readers are told from
 * in there. A journal on disk lets the caller stand still until the event is there (submit.c is
 * for those who must not).
 *
 * What is small is encoded on the stack. Nothing is kept of what fails.
 */
#include "local/publish.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/utf8.h"
#include "event/event.h"
#include "hub/publication.h"
#include "hub/topic.h"
#include <stdarg.h>
#include <stdio.h>

enum { SMALL = 1024 };

/* ---- checks ------------------------------------------------------------------------------ */

static int check_event(const struct crier_event *event)
{
    if (!crier_utf8_valid(event->data) || !crier_utf8_valid(event->type))
        return CRIER_EILSEQ;
    if (crier_publish_type_fault(event->type))
        return CRIER_EINVAL;
    if ((event->flags & CRIER_RETRY) && crier_publish_retry_ms_fault(event->retry_ms))
        return CRIER_EINVAL;
    /* The id is the hub's to give. A comment would only reach those who follow this moment. */
    if (event->id.data || (event->flags & CRIER_ID) || event->comment.len)
        return CRIER_EINVAL;
    return 0;
}

static int check(const struct crier_publication *p)
{
    if (!crier_utf8_valid(p->topic))
        return CRIER_EILSEQ;
    if (crier_topic_fault(p->topic))
        return CRIER_EINVAL;
    if (p->key.data && crier_publish_key_fault(p->key))
        return CRIER_EINVAL;
    if (crier_publish_ttl_ms_fault(p->ttl_ms))
        return CRIER_EINVAL;
    return check_event(&p->event);
}

/* ---- encoding ---------------------------------------------------------------------------- */

int crier_pressing_begin(struct crier_pressing *pressing,
                         struct crier_hub *hub,
                         const struct crier_publication *publication)
{
    const struct crier_publication *p = publication;
    int r = check(p);

    if (r < 0)
        return r;
    pressing->event = p->event;
    /* Without data there would be no event. */
    pressing->event.flags |= CRIER_DATA;
    pressing->draft = (struct crier_draft){
        .topics = {p->topic}, .topic_count = 1, .ttl_ms = (uint64_t)p->ttl_ms, .key = p->key};
    if (!crier_slice_eq(p->event.type, CRIER_SLICE("message")))
        pressing->draft.type = p->event.type;
    pressing->size = crier_event_size(&pressing->event);
    /* The id is written when the event is appended: its line counts too. */
    if (pressing->size + sizeof("id: \n") + CRIER_ID_TEXT > hub->limits.max_event_bytes)
        return CRIER_EMSGSIZE;
    return 0;
}

void crier_pressing_write(struct crier_pressing *pressing, char *out)
{
    pressing->draft.id_at = crier_event_write(&pressing->event, out);
    pressing->draft.sse = (struct crier_slice){out, pressing->size};
}

/* ---- appending --------------------------------------------------------------------------- */

static int
append(struct crier_hub *hub, struct crier_draft *draft, struct crier_receipt *ret_receipt)
{
    crier_journal_append(hub->journal, draft, 1, crier_hub_now(hub));

    int r = crier_hub_result(draft->result);
    if (r == 0 && ret_receipt)
        *ret_receipt = crier_receipt_of(draft);
    return r;
}

struct crier_receipt crier_receipt_of(const struct crier_draft *draft)
{
    return (struct crier_receipt){.id = draft->ret_id,
                                  .duplicate = draft->result == CRIER_APPEND_DUPLICATE};
}

/* What has passed the checks. */
static int publish(struct crier_hub *hub,
                   struct crier_pressing *pressing,
                   struct crier_receipt *ret_receipt)
{
    char small[SMALL], *sse = small;
    int r;

    if (pressing->size > SMALL)
        sse = crier_mem_alloc(hub->mem, pressing->size);
    if (!sse)
        return CRIER_ENOMEM;
    crier_pressing_write(pressing, sse);
    r = append(hub, &pressing->draft, ret_receipt);
    if (sse != small)
        crier_mem_free(hub->mem, sse);
    return r;
}

/* ---- public ------------------------------------------------------------------------------ */

int crier_hub_publish_with(struct crier_hub *hub,
                           const struct crier_publication *publication,
                           struct crier_receipt *ret_receipt)
{
    struct crier_publication p;
    struct crier_pressing pressing;
    int r = crier_hub_check(hub);

    if (r < 0)
        return r;
    crier_options_read(&p, sizeof(p), publication);
    r = crier_pressing_begin(&pressing, hub, &p);
    if (r == 0 && crier_hub_would_block(hub))
        r = CRIER_EWOULDBLOCK;
    return r < 0 ? r : publish(hub, &pressing, ret_receipt);
}

int crier_hub_publish(struct crier_hub *hub,
                      const char *topic,
                      const struct crier_event *event,
                      struct crier_receipt *ret_receipt)
{
    struct crier_publication p = {.topic = crier_slice_of(topic)};

    if (event)
        p.event = *event;
    return crier_hub_publish_with(hub, event ? &p : NULL, ret_receipt);
}

int crier_hub_publishf(
    struct crier_hub *hub, const char *topic, const char *type, const char *format, ...)
{
    struct crier_event event = {.type = crier_slice_of(type)};
    char small[SMALL], *text = small;
    va_list args;
    int len, r = crier_hub_check(hub);

    if (r < 0)
        return r;
    va_start(args, format);
    len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (len < 0)
        return errno == EILSEQ ? CRIER_EILSEQ : CRIER_EINVAL;
    if ((size_t)len >= sizeof(small)) {
        text = crier_mem_alloc(hub->mem, (size_t)len + 1);
        if (!text)
            return CRIER_ENOMEM;
        va_start(args, format);
        vsnprintf(text, (size_t)len + 1, format, args);
        va_end(args);
    }
    event.data = (struct crier_slice){text, (size_t)len};
    r = crier_hub_publish(hub, topic, &event, NULL);
    if (text != small)
        crier_mem_free(hub->mem, text);
    return r;
}
