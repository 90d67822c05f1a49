/* SPDX-License-Identifier: MIT */
/*
 * An exchange: one request and its answer. Made when a head is complete, routed and admitted before any byte
 * of the body is looked at, freed when it is answered.
 */
#ifndef CRIER_SERVER_EXCHANGE_H
#define CRIER_SERVER_EXCHANGE_H

#include "http/batch.h"
#include "http/negotiate.h"
#include "server/conn.h"

enum crier_route_kind {
    CRIER_ROUTE_NONE = 0,
    CRIER_ROUTE_PAGE,   /* / */
    CRIER_ROUTE_EVENTS, /* /events */
    CRIER_ROUTE_TOPIC,  /* /events/{...} */
    CRIER_ROUTE_HEALTH,
    CRIER_ROUTE_TOPICS,
    CRIER_ROUTE_TOPIC_INFO, /* /-/topics/{topic} */
    CRIER_ROUTE_STATS,
    CRIER_ROUTE_PROBLEM, /* /-/problems/{slug} */
    CRIER_ROUTE_ANY,     /* OPTIONS * */
};

struct crier_exchange {
    struct crier_conn *conn;
    const struct crier_request
        *request; /* borrowed from the reader until the request's end; NULL afterwards */
    enum crier_method method;
    enum crier_route_kind route;
    unsigned minor;
    struct crier_slice
        rest; /* of the path, percent-decoded: the topic, selector or slug; in text */
    struct crier_buf text;            /* what was decoded or copied for this exchange */
    struct crier_admission admission; /* allow_origin points into text */
    struct crier_ip client;
    bool answered;
    bool close;                       /* Connection: close */
    bool body_done;                   /* the whole body was read */
    bool bad_path;                    /* it could not be decoded */
    bool publishing;                  /* counted in hub->publishing */
    bool streaming_body;              /* an open-ended publish: pauses are long */
    size_t discarded;                 /* body bytes of a request that has none to speak of */
    struct crier_publishing *publish; /* publish.c */
};

/* For the connection. */
void crier_exchange_begin(
    struct crier_conn *,
    const struct crier_request *); /* sets conn->exchange, or has refused */
void crier_exchange_body(struct crier_exchange *, struct crier_slice);
void crier_exchange_end(
    struct crier_exchange *); /* the request is complete: answers now, or later (publishes) */
void crier_exchange_free(struct crier_exchange *);

/* Answers, for the routes. Once for each exchange; a HEAD gets the head alone. */
struct crier_answer {
    unsigned status;
    struct crier_slice type; /* Content-Type; empty: no body at all */
    struct crier_slice body;
    struct crier_slice headers; /* further header lines, each with CRLF */
};
void crier_exchange_answer(struct crier_exchange *, const struct crier_answer *);
/* A problem document. detail empty: its own. extra: further members. headers: further header lines. */
void crier_exchange_refuse(struct crier_exchange *,
                           enum crier_problem,
                           struct crier_slice detail,
                           struct crier_slice extra,
                           struct crier_slice headers);
static inline void crier_exchange_refuse_for(struct crier_exchange *ex,
                                             enum crier_problem problem,
                                             const char *detail)
{
    crier_exchange_refuse(ex, problem, crier_slice_of(detail), CRIER_SLICE(""),
                          CRIER_SLICE(""));
}
/* The request cannot come to its end (bad framing, a timeout): says what of it was published already. */
void crier_exchange_abort(struct crier_exchange *, enum crier_problem, const char *detail);
/* A refusal before there is an exchange: what the reader found wrong, a timeout. Closes. */
void crier_conn_refuse(struct crier_conn *, enum crier_problem, const char *detail);
/* Starts a head in conn->out with all that every answer has: status, Date, CORS, Vary, Connection: close. */
void crier_exchange_head(struct crier_exchange *, unsigned status);
void crier_exchange_answered(
    struct crier_exchange *); /* whoever used crier_exchange_head says so */
void crier_exchange_continue(struct crier_exchange *); /* 100 Continue, in its turn */
/* The n-th value of a query parameter, percent-decoded into text; NULL data: there is none. *ret_bad: bad encoding. */
int crier_exchange_parameter(struct crier_exchange *,
                             struct crier_slice name,
                             size_t n,
                             struct crier_slice *ret_value);

/* The routes. */
void crier_follow(struct crier_exchange *); /* follow.c: GET and HEAD on events */
void crier_history(struct crier_exchange *,
                   struct crier_subscription *,
                   const struct crier_since *);    /* history.c; takes the subscription */
void crier_publish_begin(struct crier_exchange *); /* publish.c: POST, PUT */
void crier_publish_body(struct crier_exchange *, struct crier_slice);
void crier_publish_end(struct crier_exchange *);
void crier_publish_done(struct crier_exchange *, const struct crier_draft *);
void crier_publish_drain(struct crier_exchange *); /* ends an open-ended one */
void crier_publish_abort(struct crier_exchange *, enum crier_problem, const char *detail);
void crier_publish_free(struct crier_exchange *);
void crier_forget(struct crier_exchange *);        /* DELETE */
void crier_status_health(struct crier_exchange *); /* status.c */
void crier_status_topics(struct crier_exchange *);
void crier_status_topic(struct crier_exchange *);
void crier_status_stats(struct crier_exchange *);
void crier_page_live(struct crier_exchange *); /* pages.c */
void crier_page_problem(struct crier_exchange *);

#endif
