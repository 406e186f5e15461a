/* What the parts of the load client share: its options, its figures, connections and streams.
 *
 * A connection has one stream, or over a WebSocket `runs` of them. A stream asks for one response
 * after the other. What comes is read in place where it can be; only the part of a head, a line or
 * a frame that is cut off is held until the rest is there.
 */
#ifndef LOAD_H
#define LOAD_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { BUFFER = 256 * 1024, MAX_HEAD = 64 * 1024, MAX_SAMPLES = 1 << 20, MAX_CONNECTING = 128 };

enum phase { FRESH, CONNECTING, READY, HEAD, BODY, STALLED, DONE };
enum state { RESTING, ASKED, OPEN, OVER };

struct stream {
    struct conn *conn;
    enum state state;
    int64_t sent_at;     /* when the current request was sent */
    int64_t due_at;      /* when the next one is */
    uint64_t events;     /* of the current response */
    int64_t number;      /* that the next event must have, or -1; over a WebSocket */
    uint32_t id;         /* of the current request */
    uint32_t read;       /* bytes since the last credit */
    bool was_open;
};

struct http {
    enum { UNTIL_CLOSE, LENGTH, CHUNKED } framing;
    enum { SIZE, EXTENSION, DATA, AFTER_DATA, TRAILER } chunk;
    int64_t left;        /* of the body, or of the chunk */
    uint32_t trailer;    /* bytes of the trailer's current line */
    bool has_data, has_match;
};

struct websocket {
    uint8_t head[14], control[125];
    uint8_t head_size, control_size;
    uint8_t opcode;      /* of the frame */
    bool is_last;        /* frame of its message */
    bool in_frame, in_message, is_joined, is_head_read, is_end, is_ignored;
    uint64_t left;       /* of the frame */
    struct stream *stream; /* that the message belongs to */
};

struct conn {
    int fd;
    enum phase phase;
    struct stream *streams;
    int over;            /* how many of them need nothing more */
    char *held;          /* the head so far, or a line without its end */
    uint32_t held_size, held_room;
    bool closes, is_again;
    union {
        struct http http;
        struct websocket ws;
    };
};

struct samples {
    uint32_t *us10;      /* tenths of a microsecond */
    uint32_t count;
};

struct options {
    int port, connections, runs, pause_ms, ramp_ms;
    double seconds, timeout;
    uint64_t responses, stall;
    bool repeat, websocket, numbered;
    const char *match, *stamp, *header;
    char *request;
    size_t request_size, match_size;
    /* What is said over a WebSocket. */
    const char *joins, *joined, *asks, *lead, *opened, *ended, *failed, *ping, *pong, *grants;
    uint32_t credit;
};

struct figures {
    uint64_t events, frames, bytes, responses, begun, errors, reconnects, open, stalled;
    int status;          /* the first that was not expected */
    char error[128], header[256];
};

extern struct options opt;
extern struct figures sum;
extern struct samples first_event, stamped;
extern int64_t now, began;

/* report.c */
int64_t clock_ns(void);
void sample(struct samples *to, int64_t ns);
void report(const char *state, const char *why);
_Noreturn void end(const char *why);

/* main.c */
void finish(struct conn *c, const char *error);
void on_open(struct stream *s);
void on_response_end(struct stream *s);
void stall(struct conn *c);
void hold(struct conn *c, const char *bytes, size_t size);
bool say(struct conn *c, const void *bytes, size_t size);

/* http.c */
const char *header(const char *head, const char *name);
size_t on_head_bytes(struct conn *c, const char *bytes, size_t size, void (*on_head)(struct conn *, const char *));
void http_bytes(struct conn *c, const char *bytes, size_t size);
void on_stamp(const char *event, size_t size);

/* websocket.c */
void websocket_bytes(struct conn *c, const char *bytes, size_t size);
void websocket_ask(struct stream *s);
void websocket_leave(struct conn *c);

static inline void on_event(struct stream *s) {
    sum.events++;
    if (s->events++ == 0) sample(&first_event, now - s->sent_at);
}

#endif
