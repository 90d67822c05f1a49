/* SPDX-License-Identifier: MIT */
/*
 * An exchange: one request and its answer. Made when a head is complete, routed and admitted
 * before any byte of the body is looked at, freed when it is answered.
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
    CRIER_ROUTE_SITE,    /* a program's: a handler, constant bytes */
};

/* A question of an exchange to its outlet's journal, which may have to wait: the first member
 * of what its route keeps meanwhile. */
struct crier_ask {
    struct crier_wait wait; /* for the journal's calls */
    struct crier_news news;
    struct crier_exchange *ex;
    void (*go_on)(struct crier_ask *); /* asks once more */
    void (*free)(struct crier_ask *);  /* with all that is around it */
};

struct crier_exchange {
    struct crier_conn *conn;
    /* Borrowed from the reader until the request's end; NULL afterwards. */
    const struct crier_http_request *request;
    enum crier_method method;
    enum crier_route_kind route;
    const struct crier_site *site; /* what is served there; NULL: nothing, or OPTIONS * */
    struct crier_outlet *outlet;   /* the mount's hub, as this worker reads it; NULL: none */
    struct crier_request *call;    /* a handler's side of it; NULL: there is none */
    unsigned minor;
    struct crier_slice rest; /* of the path, decoded: the topic, selector or slug; in text */
    struct crier_buf
        text; /* what was decoded or copied; its room was reserved, it never moves */
    struct crier_admission admission; /* allow_origin points into text */
    struct crier_ip client;
    bool answered;
    bool close;                       /* Connection: close */
    bool body_done;                   /* the whole body was read */
    bool bad_path;                    /* it could not be decoded */
    bool has_nul;                     /* decoded, it has a NUL in it */
    bool known;                       /* the path is there for another method */
    bool later;                       /* it waits: nothing is read on its connection */
    bool publishing;                  /* counted in server->publishing */
    bool streaming_body;              /* an open-ended publish: pauses are long */
    size_t discarded;                 /* body bytes of a request that has none to speak of */
    struct crier_publishing *publish; /* publish.c */
    void (*free_publish)(struct crier_exchange *);
    /* `later` because of what its connection has published, and is not answered yet: then it
     * goes on here. NULL: it waits for something else (a program, or the journal: `ask`). */
    void (*go_on)(struct crier_exchange *);
    struct crier_put_off *put_off; /* an answer whose turn has not come */
    struct crier_ask *ask;         /* it waits, or waited, for the journal */
};

int crier_exchange_new(struct crier_conn *,
                       const struct crier_http_request *,
                       struct crier_exchange **ret) CRIER_MUST_CHECK;
void crier_exchange_free(struct crier_exchange *);

static inline struct crier_hub *crier_exchange_hub(const struct crier_exchange *ex)
{
    return ex->outlet->channel->hub;
}

/* ---- parameters ------------------------------------------------------------------------- */

/* The n-th value of a query parameter, percent-decoded into text; NULL data: there is none. 0,
 * -EINVAL: a bad '%', -ENOMEM. */
int crier_exchange_parameter(struct crier_exchange *,
                             const char *name,
                             size_t n,
                             struct crier_slice *ret_value) CRIER_MUST_CHECK;
/* The same, but what is wrong has been refused (and the exchange may be gone). */
int crier_exchange_text(struct crier_exchange *,
                        const char *name,
                        size_t n,
                        struct crier_slice *ret_value) CRIER_MUST_CHECK;
/* A number from 1 to most; absent or empty: *number stays. What is wrong has been refused. */
int crier_exchange_number(struct crier_exchange *,
                          const char *name,
                          uint64_t most,
                          uint64_t *number) CRIER_MUST_CHECK;
/* Copies into text: for the path, the query, the origin and the metadata headers there is
 * room. */
struct crier_slice crier_exchange_keep(struct crier_exchange *, struct crier_slice);

/* ---- its turn --------------------------------------------------------------------------- */

/* Calls fn when everything that was published on the connection before is answered: at once, or
 * later; until then nothing is read on it. */
void crier_exchange_when_landed(struct crier_exchange *, void (*fn)(struct crier_exchange *));

/* ---- waiting for the journal ------------------------------------------------------------ */

/* The exchange owns it from now on: go_on and free are set. */
void crier_ask_init(struct crier_exchange *, struct crier_ask *);
/* The journal answered CRIER_WAIT: nothing is read on the connection until go_on is called. The
 * request's views stay good. */
void crier_ask_wait(struct crier_ask *);

/* ---- answers: one for each exchange; a HEAD gets the head alone ------------------------- */

struct crier_answer {
    unsigned status;
    struct crier_slice type; /* Content-Type; empty: no body at all */
    struct crier_slice body;
    struct crier_slice headers; /* further header lines, each with CRLF */
    bool own_cache_control;     /* there is one among these */
};
/* In its turn: after the answers to what the connection published before. */
void crier_exchange_answer(struct crier_exchange *, const struct crier_answer *);
/* A problem document. detail empty: its own. extra: further members. headers: further header
 * lines (none, and a 503: Retry-After). */
void crier_exchange_refuse(struct crier_exchange *,
                           enum crier_problem,
                           struct crier_slice detail,
                           struct crier_slice extra,
                           struct crier_slice headers);
/* A question to the journal failed: out of memory, or its disk cannot be read. */
void crier_exchange_refuse_read(struct crier_exchange *, int result);
static inline void crier_exchange_refuse_for(struct crier_exchange *ex,
                                             enum crier_problem problem,
                                             const char *detail)
{
    crier_exchange_refuse(ex, problem, crier_slice_of(detail), CRIER_SLICE(""),
                          CRIER_SLICE(""));
}
/* Starts a head in conn->out with all that every answer has: status, Date, CORS, Vary,
 * Connection: close. Whoever uses it says when all is written, and knows that it is its turn.
 */
void crier_exchange_head(struct crier_exchange *, unsigned status);
void crier_exchange_answered(struct crier_exchange *);
/* 100 Continue, in its turn. */
void crier_exchange_continue(struct crier_exchange *);
/* A refusal before there is an exchange: what the reader found wrong, a timeout. Closes. */
void crier_conn_refuse(struct crier_conn *, enum crier_problem, const char *detail);
void crier_conn_log_refusal(struct crier_conn *,
                            enum crier_problem,
                            const struct crier_ip *client);

/* ---- what several routes say ------------------------------------------------------------ */

/* Crier-Last-Event-ID and Crier-Resumed. */
void crier_exchange_start_headers(struct crier_buf *, const struct crier_start *, bool resume);
/* ,"name":"id" or ,"name":null. */
void crier_exchange_id_member(struct crier_buf *, const char *name, const struct crier_id *);

#endif
