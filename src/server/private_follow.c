/* SPDX-License-Identifier: MIT */
/* A private stream that carries a hub's events too: from the options to its outlet's queue. */
#include "server/private.h"

#include "base/options.h"
#include "hub/since.h"
#include "hub/topic.h"

static int make_wish(struct crier_stream *s,
                     const struct crier_follow_options *o,
                     struct crier_now now,
                     struct crier_opening *ret)
{
    struct crier_slice last_id =
        o->last_id ? crier_slice_of(o->last_id) : crier_buf_slice(&s->private->last_id);

    *ret = (struct crier_opening){.connected = !o->quiet};
    last_id = crier_slice_trim(last_id);
    if (last_id.len)
        ret->since = crier_since_last_id(last_id);
    else if (o->since && crier_since_fault(crier_slice_of(o->since), now, &ret->since))
        return CRIER_EINVAL;
    ret->requested = last_id.len ? last_id : crier_slice_of(o->since);
    crier_opening_resumes(ret);
    return 0;
}

static int subscribe(struct crier_stream *s,
                     struct crier_hub *hub,
                     const struct crier_follow_options *o,
                     struct crier_subscription **ret)
{
    struct crier_slice selectors[CRIER_SUBSCRIPTION_SELECTORS];
    struct crier_slice types[CRIER_SUBSCRIPTION_TYPES];
    struct crier_wish wish = {.selectors = selectors,
                              .selector_count = o->selector_count,
                              .types = types,
                              .type_count = o->type_count,
                              .form = o->envelope ? CRIER_FORM_ENVELOPE : CRIER_FORM_SSE,
                              .chunked = s->chunked};

    if (!o->selector_count)
        return CRIER_EINVAL;
    if (o->selector_count > CRIER_SUBSCRIPTION_SELECTORS ||
        o->type_count > CRIER_SUBSCRIPTION_TYPES)
        return CRIER_E2BIG;
    for (size_t i = 0; i < o->selector_count; i++) {
        selectors[i] = crier_slice_of(o->selectors[i]);
        if (crier_selector_fault(selectors[i]))
            return CRIER_EINVAL;
    }
    for (size_t i = 0; i < o->type_count; i++)
        types[i] = crier_slice_of(o->types[i]);
    return crier_subscription_new(crier_stream_mem(s), hub->journal, &wish, ret);
}

static int start_following(struct crier_stream *s,
                           struct crier_hub *hub,
                           const struct crier_follow_options *o)
{
    struct crier_channel *channel;
    struct crier_outlet *outlet;
    struct crier_opening wish;
    int r = make_wish(s, o, crier_hub_now(hub), &wish);

    if (r == 0)
        r = subscribe(s, hub, o, &wish.subscription);
    if (r != 0)
        return r;
    r = crier_channel_of(crier_stream_worker(s)->server, hub, &channel);
    if (r == 0)
        r = crier_outlet_of(crier_stream_worker(s), channel, &outlet);
    if (r == 0)
        r = crier_stream_follow_outlet(s, outlet, &wish);
    if (r < 0) {
        crier_subscription_free(wish.subscription);
        return r;
    }
    /* It joins in the next step 3, but follows from now on: what this callback publishes next
     * is its, too. */
    (void)crier_stream_locate(s);
    crier_stream_worker(s)->work_left = true;
    return 0;
}

int crier_stream_follow_with(struct crier_stream *s,
                             struct crier_hub *hub,
                             const struct crier_follow_options *options)
{
    struct crier_follow_options o;
    int r = crier_private_check(s);

    if (r != 0)
        return r;
    if (!hub || !options)
        return CRIER_ENOMEM;
    r = crier_hub_check(hub);
    if (r < 0)
        return r;
    if (s->outlet)
        return CRIER_EBUSY;
    crier_options_read(&o, sizeof(o), options);
    return s->private->dry ? 0 : start_following(s, hub, &o);
}

int crier_stream_follow(struct crier_stream *s, struct crier_hub *hub, const char *selector)
{
    return crier_stream_follow_with(
        s, hub,
        &(const struct crier_follow_options){.selectors = &selector, .selector_count = 1});
}
