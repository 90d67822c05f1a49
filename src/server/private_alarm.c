/* SPDX-License-Identifier: MIT */
/*
 * Timers of private streams. A timer's function may do anything to the stream; alarms are only
 * freed when it has returned, or with the stream, which is never freed while a callback runs.
 */
#include "server/private.h"

int crier_stream_every(struct crier_stream *s,
                       int64_t ms,
                       int (*fn)(struct crier_stream *stream, void *ctx),
                       void *ctx)
{
    struct crier_alarm *alarm;
    int r = crier_private_check(s);

    if (r != 0)
        return r;
    if (ms <= 0 || !fn)
        return CRIER_EINVAL;
    if (s->private->dry)
        return 0;
    alarm = crier_mem_alloc(crier_stream_mem(s), sizeof(*alarm));
    if (!alarm)
        return CRIER_ENOMEM;
    *alarm = (struct crier_alarm){
        .stream = s, .kind = CRIER_ALARM_EVERY, .every_ms = (uint64_t)ms, .fn = fn, .ctx = ctx};
    r = crier_agenda_set(&crier_stream_worker(s)->agenda, &alarm->appointment,
                         crier_stream_worker(s)->now.boot_ms + (uint64_t)ms);
    if (r < 0) {
        crier_mem_free(crier_stream_mem(s), alarm);
        return r;
    }
    crier_list_push_back(&s->private->timers, &alarm->node);
    return 0;
}

static void alarm_free(struct crier_alarm *alarm)
{
    struct crier_stream *s = alarm->stream;

    crier_agenda_clear(&crier_stream_worker(s)->agenda, &alarm->appointment);
    crier_list_remove(&alarm->node);
    crier_mem_free(crier_stream_mem(s), alarm);
}

void crier_private_free_alarms(struct crier_stream *s)
{
    crier_list_for_each_safe (node, &s->private->timers)
        alarm_free(CRIER_CONTAINER(node, struct crier_alarm, node));
    crier_agenda_clear(&crier_stream_worker(s)->agenda, &s->private->pull_alarm.appointment);
}

/* What was missed is not made up for: the next is the next that lies ahead. */
static uint64_t next_due(const struct crier_alarm *alarm, uint64_t now)
{
    uint64_t due = alarm->appointment.due_ms + alarm->every_ms;

    return due > now ? due : now + alarm->every_ms - (now - due) % alarm->every_ms;
}

static void ring(struct crier_alarm *alarm)
{
    struct crier_stream *s = alarm->stream;
    struct crier_worker *worker = crier_stream_worker(s);
    int r;

    if (s->private->finishing || s->conn->state == CRIER_CONN_DOOMED) {
        alarm_free(alarm);
        return;
    }
    r = alarm->fn(s, alarm->ctx);
    /* There is room: this one's was given back when it was taken out. But a timer that fn set
     * may have taken it, and memory be out. */
    if (r == CRIER_DONE || s->private->finishing ||
        crier_agenda_set(&worker->agenda, &alarm->appointment,
                         next_due(alarm, worker->now.boot_ms)) < 0)
        alarm_free(alarm);
}

void crier_private_expire(struct crier_worker *worker)
{
    struct crier_appointment *a;

    while ((a = crier_agenda_next(&worker->agenda, worker->now.boot_ms)) != NULL) {
        struct crier_alarm *alarm = CRIER_CONTAINER(a, struct crier_alarm, appointment);

        if (alarm->kind == CRIER_ALARM_EVERY)
            ring(alarm);
        else
            crier_private_touch(alarm->stream);
    }
}
