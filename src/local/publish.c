/* SPDX-License-Identifier: MIT */
/*
 * Publishing into the hub: checked as the HTTP interface checks (hub/publication.h), encoded,
 * appended. Whatever thread calls, the journal's mutex puts it in order; readers are told from
 * in there.
 *
 * What is small is encoded on the stack. Nothing is kept of what fails.
 */
#include "base/mem.h"
#include "base/options.h"
#include "base/utf8.h"
#include "event/event.h"
#include "hub/publication.h"
#include "hub/topic.h"
#include "local/hub.h"
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

/* ---- appending --------------------------------------------------------------------------- */

static int
append(struct crier_hub *hub, struct crier_draft *draft, struct crier_receipt *ret_receipt)
{
    crier_journal_append(hub->journal, draft, 1, crier_hub_now(hub));
    if (draft->result == CRIER_APPEND_FULL)
        return CRIER_EWOULDBLOCK;
    if (draft->result < 0)
        return draft->result;
    if (ret_receipt)
        *ret_receipt = (struct crier_receipt){
            .id = draft->ret_id, .duplicate = draft->result == CRIER_APPEND_DUPLICATE};
    return 0;
}

/* What has passed the checks. */
static int publish(struct crier_hub *hub,
                   const struct crier_publication *p,
                   struct crier_receipt *ret_receipt)
{
    struct crier_event event = p->event;
    struct crier_draft draft = {
        .topics = {p->topic}, .topic_count = 1, .ttl_ms = (uint64_t)p->ttl_ms, .key = p->key};
    char small[SMALL], *sse = small;
    int r;

    /* Without data there would be no event. */
    event.flags |= CRIER_DATA;
    if (!crier_slice_eq(event.type, CRIER_SLICE("message")))
        draft.type = event.type;
    draft.sse.len = crier_event_size(&event);
    /* The id is written when the event is appended: its line counts too. */
    if (draft.sse.len + sizeof("id: \n") + CRIER_ID_TEXT > hub->limits.max_event_bytes)
        return CRIER_EMSGSIZE;
    if (draft.sse.len > SMALL)
        sse = crier_mem_alloc(hub->mem, draft.sse.len);
    if (!sse)
        return CRIER_ENOMEM;
    draft.id_at = crier_event_write(&event, sse);
    draft.sse.data = sse;
    r = append(hub, &draft, ret_receipt);
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
    int r;

    if (!hub)
        return CRIER_ENOMEM;
    crier_options_read(&p, sizeof(p), publication);
    r = check(&p);
    return r < 0 ? r : publish(hub, &p, ret_receipt);
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
    int len, r;

    if (!hub)
        return CRIER_ENOMEM;
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

/* Memory is never slow: it is done before this returns, and what fails fails here. */
int crier_hub_submit(struct crier_hub *hub,
                     const struct crier_publication *publication,
                     void (*done)(int result, const struct crier_receipt *receipt, void *ctx),
                     void *ctx)
{
    struct crier_receipt receipt;
    int r = crier_hub_publish_with(hub, publication, &receipt);

    if (r == 0 && done)
        done(0, &receipt, ctx);
    return r;
}
