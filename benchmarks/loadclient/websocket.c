/* Streams over a WebSocket, RFC 6455, as a client: many at a time, if the messages say whose they are.
 *
 * What is said is told by the options, so that this knows frames, but no peer's protocol. A line of
 * a message is an event if it holds --match; with --numbered none of a stream may be missing.
 */
#include "load.h"

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, MAX_MESSAGE = 8192 };

/* RFC 6455 1.3: what a server answers to the key that the harness always sends. */
static const char ACCEPTED[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static bool say_frame(struct conn *c, uint8_t opcode, const char *payload, size_t size) {
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t frame[MAX_MESSAGE + 8], *at = frame;
    *at++ = 0x80 | opcode;
    if (size < 126) {
        *at++ = 0x80 | (uint8_t)size;
    } else {
        *at++ = 0x80 | 126;
        *at++ = (uint8_t)(size >> 8);
        *at++ = (uint8_t)size;
    }
    memcpy(at, mask, 4);
    at += 4;
    for (size_t i = 0; i < size; i++) *at++ = (uint8_t)payload[i] ^ mask[i & 3];
    return say(c, frame, (size_t)(at - frame));
}

/* Says a text, in which {id} and {credit} are replaced. */
static bool say_text(struct conn *c, const char *text, uint32_t id, uint32_t credit) {
    char message[MAX_MESSAGE];
    size_t size = 0;
    while (*text && size < MAX_MESSAGE - 16) {
        bool is_id = strncmp(text, "{id}", 4) == 0, is_credit = strncmp(text, "{credit}", 8) == 0;
        if (is_id || is_credit) {
            size += (size_t)sprintf(message + size, "%u", is_id ? id : credit);
            text += is_id ? 4 : 8;
        } else {
            message[size++] = *text++;
        }
    }
    return say_frame(c, TEXT, message, size);
}

void websocket_leave(struct conn *c) {
    static const char normally[] = {0x03, (char)0xe8}; /* 1000 */
    if (c->phase == BODY && !c->closes) (void)say_frame(c, CLOSE, normally, 2);
}

/* Asks for a stream's next response, if the socket is ready for that. */
void websocket_ask(struct stream *s) {
    struct conn *c = s->conn;
    if (c->phase == READY) {
        c->ws = (struct websocket){.stream = NULL};
        c->phase = HEAD;
        (void)say(c, opt.request, opt.request_size);
    } else if (c->phase == BODY && c->ws.is_joined) {
        s->number = -1;
        s->read = 0;
        if (*opt.asks && !say_text(c, opt.asks, s->id, opt.credit)) return;
        if (!*opt.opened) on_open(s);
    }
}

static void on_joined(struct conn *c) {
    c->ws.is_joined = true;
    for (int i = 0; i < opt.runs && c->phase == BODY; i++)
        if (c->streams[i].state == ASKED) websocket_ask(&c->streams[i]);
}

static void on_head(struct conn *c, const char *head) {
    const char *accepted = header(head, "sec-websocket-accept");
    int status = atoi(head + 9);
    if (status != 101) {
        sum.status = status;
        finish(c, NULL);
        sum.errors++;
    } else if (accepted == NULL || strncmp(accepted, ACCEPTED, sizeof ACCEPTED - 1) != 0) {
        finish(c, "the server has not read the handshake");
    } else if (header(head, "sec-websocket-extensions") != NULL) {
        finish(c, "the server uses an extension that was not offered");
    } else {
        c->phase = BODY;
        if (*opt.joins && !say_text(c, opt.joins, 0, 0)) return;
        if (!*opt.joined) on_joined(c);
    }
}

static bool starts(const char *line, size_t size, const char *with) {
    size_t length = strlen(with);
    return length > 0 && size >= length && memcmp(line, with, length) == 0;
}

static bool has(const char *line, size_t size, const char *text) {
    return *text && memmem(line, size, text, strlen(text)) != NULL;
}

static void fail(struct conn *c, const char *what, const char *line, size_t size) {
    char error[128];
    snprintf(error, sizeof error, "%s: %.*s", what, (int)(size < 90 ? size : 90), line);
    finish(c, error);
}

/* The first line of a message that says which stream it belongs to, and what becomes of that. */
static void on_message_head(struct conn *c, const char *line, size_t size) {
    uint32_t id = (uint32_t)strtoul(line + strlen(opt.lead), NULL, 10);
    struct stream *s = &c->streams[(id + (uint32_t)opt.runs - 1) % (uint32_t)opt.runs];
    c->ws.stream = s;
    c->ws.is_ignored = s->id != id || s->state == RESTING || s->state == OVER;
    if (c->ws.is_ignored) return;
    if (has(line, size, opt.failed)) {
        fail(c, "the answer was broken off", line, size);
    } else if (s->state == ASKED && *opt.opened) {
        if (has(line, size, opt.opened)) on_open(s);
        else fail(c, "not what opens a stream", line, size);
    }
    c->ws.is_end = has(line, size, opt.ended);
}

static void on_numbered(struct conn *c, struct stream *s, const char *at, const char *line, size_t size) {
    int64_t number = strtoll(at + opt.match_size, NULL, 10);
    if (opt.numbered && s->number >= 0 && number != s->number) {
        fail(c, "not the next event", line, size);
        return;
    }
    s->number = number + 1;
    if (*opt.stamp) on_stamp(line, size);
    on_event(s);
}

static void on_line(struct conn *c, const char *line, size_t size) {
    struct stream *s = c->ws.stream;
    bool is_first = !c->ws.is_head_read;
    c->ws.is_head_read = true;
    if (is_first && starts(line, size, opt.lead)) {
        on_message_head(c, line, size);
        return;
    }
    s->read += (uint32_t)size + 1;
    const char *at = memmem(line, size, opt.match, opt.match_size);
    if (at != NULL && !c->ws.is_ignored) {
        if (s->state == OPEN) on_numbered(c, s, at, line, size);
        else fail(c, "an event that nobody asked for", line, size);
    } else if (is_first && !c->ws.is_joined && starts(line, size, opt.joined)) {
        on_joined(c);
    } else if (is_first && !*opt.lead && starts(line, size, opt.ended)) {
        c->ws.is_end = true;
    } else if (is_first && size == strlen(opt.ping) && starts(line, size, opt.ping)) {
        (void)say_text(c, opt.pong, 0, 0);
    }
}

static void on_message_end(struct conn *c) {
    struct stream *s = c->ws.stream;
    sum.frames++;
    c->ws.in_message = c->ws.is_head_read = false;
    if (c->ws.is_ignored) {
        c->ws.is_ignored = false;
    } else if (c->ws.is_end) {
        c->ws.is_end = false;
        if (s->state == OPEN) on_response_end(s);
    } else if (*opt.grants && s->read >= opt.credit / 2) {
        (void)say_text(c, opt.grants, s->id, s->read);
        s->read = 0;
    }
}

/* Takes a piece of a message. */
static void on_text(struct conn *c, const char *bytes, size_t size, bool is_last) {
    const char *last = bytes + size;
    while (c->phase == BODY && (bytes < last || is_last)) {
        const char *line_end = bytes < last ? memchr(bytes, '\n', (size_t)(last - bytes)) : NULL;
        if (line_end == NULL) {
            if (!is_last) {
                hold(c, bytes, (size_t)(last - bytes));
                return;
            }
            line_end = last;
        }
        size_t part = (size_t)(line_end - bytes);
        if (c->held_size > 0) {
            hold(c, bytes, part);
            part = c->held_size;
            c->held_size = 0;
            on_line(c, c->held, part);
        } else if (part > 0) {
            on_line(c, bytes, part);
        }
        bytes = line_end + 1;
        if (line_end == last) break;
    }
    if (is_last && c->phase == BODY) on_message_end(c);
}

static void on_close(struct conn *c) {
    uint8_t *code = c->ws.control;
    int number = c->ws.control_size >= 2 ? code[0] << 8 | code[1] : 1000;
    if (*opt.ended || number != 1000 || c->streams->state != OPEN) {
        char error[64];
        snprintf(error, sizeof error, "the server closed the socket with code %d", number);
        finish(c, error);
        return;
    }
    (void)say_frame(c, CLOSE, (const char *)code, c->ws.control_size);
    c->closes = true;
    on_response_end(c->streams);
}

static void on_control(struct conn *c) {
    if (c->ws.opcode == CLOSE) on_close(c);
    else if (c->ws.opcode == PING) (void)say_frame(c, PONG, (const char *)c->ws.control, c->ws.control_size);
}

/* Reads the head of a frame from what has come of it; returns whether it is whole. */
static bool on_frame_head(struct conn *c) {
    struct websocket *w = &c->ws;
    const char *error = NULL;
    if (w->head_size < 2) return false;
    uint8_t length = w->head[1] & 0x7f;
    uint8_t needed = length == 127 ? 10 : length == 126 ? 4 : 2;
    if (w->head_size < needed) return false;
    w->opcode = w->head[0] & 0x0f;
    bool is_control = w->opcode >= CLOSE, is_last = w->head[0] & 0x80;
    w->left = needed == 2 ? length : 0;
    for (uint8_t i = 2; i < needed; i++) w->left = w->left << 8 | w->head[i];
    if (w->head[0] & 0x70) error = "a frame with a reserved bit";
    else if (w->head[1] & 0x80) error = "a masked frame";
    else if (w->opcode > PONG || (w->opcode > BINARY && !is_control)) error = "a frame of no known kind";
    else if (is_control && (!is_last || w->left > sizeof w->control)) error = "a control frame that is too long";
    else if (!is_control && (w->opcode == CONTINUATION) != w->in_message) error = "a frame that continues nothing";
    if (error != NULL) {
        finish(c, error);
        return false;
    }
    if (!is_control) {
        if (!w->in_message) w->stream = c->streams;
        w->in_message = true;
        w->is_last = is_last;
    }
    w->control_size = 0;
    w->in_frame = true;
    return true;
}

static void on_frames(struct conn *c, const char *bytes, size_t size) {
    struct websocket *w = &c->ws;
    while (c->phase == BODY) {
        if (!w->in_frame) {
            /* A byte at a time, because its length is in it. */
            do {
                if (size == 0) return;
                w->head[w->head_size++] = (uint8_t)*bytes++;
                size--;
            } while (!on_frame_head(c) && c->phase == BODY);
            if (c->phase != BODY) return;
            w->head_size = 0;
        }
        size_t part = size < w->left ? size : (size_t)w->left;
        w->left -= part;
        w->in_frame = w->left > 0;
        if (w->opcode >= CLOSE) {
            memcpy(w->control + w->control_size, bytes, part);
            w->control_size += (uint8_t)part;
            if (w->left == 0) on_control(c);
        } else {
            on_text(c, bytes, part, w->left == 0 && w->is_last);
        }
        bytes += part;
        size -= part;
        if (w->left > 0) return;
    }
}

void websocket_bytes(struct conn *c, const char *bytes, size_t size) {
    if (c->phase == HEAD) {
        size_t rest = on_head_bytes(c, bytes, size, on_head);
        bytes += size - rest;
        size = rest;
    }
    if (c->phase == BODY) on_frames(c, bytes, size);
}
