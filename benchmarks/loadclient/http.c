/* Responses over HTTP/1.1, and the events of an event stream in them. */
#include "load.h"

/* Returns the value of a header in `head`, which ends with a zero, or NULL; it ends at the line's end. */
const char *header(const char *head, const char *name) {
    size_t size = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') return line + size + 1 + strspn(line + size + 1, " ");
    }
    return NULL;
}

/* Takes bytes of a head, hands it on once it is whole, and returns how many bytes follow it. */
size_t on_head_bytes(struct conn *c, const char *bytes, size_t size, void (*on_head)(struct conn *, const char *)) {
    hold(c, bytes, size);
    char *blank = memmem(c->held, c->held_size, "\r\n\r\n", 4);
    if (blank == NULL) {
        if (c->held_size > MAX_HEAD) finish(c, "the head has no end");
        return 0;
    }
    size_t rest = (size_t)(c->held + c->held_size - (blank + 4));
    blank[2] = 0;
    on_head(c, c->held);
    c->held_size = 0;
    return rest;
}

void on_stamp(const char *event, size_t size) {
    size_t length = strlen(opt.stamp);
    const char *at = memmem(event, size, opt.stamp, length);
    if (at != NULL) sample(&stamped, now - strtoll(at + length, NULL, 10));
}

static void on_line(struct conn *c, const char *line, size_t size) {
    struct http *h = &c->http;
    if (size > 0 && line[size - 1] == '\r') size--;
    if (size == 0) {
        if (h->has_data) {
            sum.frames++;
            if (h->has_match) on_event(c->streams);
        }
        h->has_data = h->has_match = false;
    } else if (size >= 5 && memcmp(line, "data:", 5) == 0) {
        h->has_data = true;
        if (!h->has_match && memmem(line + 5, size - 5, opt.match, opt.match_size)) {
            h->has_match = true;
            if (*opt.stamp) on_stamp(line, size);
        }
    }
}

static void on_text(struct conn *c, const char *bytes, size_t size) {
    const char *last = bytes + size;
    while (bytes < last) {
        const char *line_end = memchr(bytes, '\n', (size_t)(last - bytes));
        if (line_end == NULL) {
            hold(c, bytes, (size_t)(last - bytes));
            return;
        }
        if (c->held_size > 0) {
            hold(c, bytes, (size_t)(line_end - bytes));
            on_line(c, c->held, c->held_size);
            c->held_size = 0;
        } else {
            on_line(c, bytes, (size_t)(line_end - bytes));
        }
        bytes = line_end + 1;
    }
}

static void on_head(struct conn *c, const char *head) {
    struct http *h = &c->http;
    const char *value;
    int status = atoi(head + 9);
    if (status != 200) {
        sum.errors++;
        if (sum.status == 0) sum.status = status;
    }
    *h = (struct http){.framing = UNTIL_CLOSE};
    c->closes = strncmp(head, "HTTP/1.0", 8) == 0;
    if ((value = header(head, "content-length")) != NULL) {
        h->framing = LENGTH;
        h->left = atoll(value);
    } else if ((value = header(head, "transfer-encoding")) != NULL && strncasecmp(value, "chunked", 7) == 0) {
        h->framing = CHUNKED;
    } else if (status == 204 || status == 304) {
        h->framing = LENGTH;
    }
    if ((value = header(head, "connection")) != NULL && strncasecmp(value, "close", 5) == 0) c->closes = true;
    if (*opt.header && !*sum.header && (value = header(head, opt.header)) != NULL)
        snprintf(sum.header, sizeof sum.header, "%.*s", (int)strcspn(value, "\r\n"), value);
    c->phase = BODY;
    on_open(c->streams);
}

static int hex(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Takes chunked bytes; returns whether the body has ended. */
static bool on_chunked(struct conn *c, const char *bytes, size_t size) {
    struct http *h = &c->http;
    for (size_t i = 0; i < size;) {
        if (h->chunk == DATA) {
            size_t part = size - i < (size_t)h->left ? size - i : (size_t)h->left;
            on_text(c, bytes + i, part);
            i += part;
            if ((h->left -= (int64_t)part) == 0) h->chunk = AFTER_DATA;
            continue;
        }
        char byte = bytes[i++];
        if (h->chunk == AFTER_DATA) {
            if (byte == '\n') h->chunk = SIZE;
        } else if (h->chunk == TRAILER) {
            if (byte == '\n' && h->trailer == 0) return true;
            if (byte == '\n') h->trailer = 0;
            else if (byte != '\r') h->trailer++;
        } else if (byte == '\n') {
            h->chunk = h->left > 0 ? DATA : TRAILER;
            h->trailer = 0;
        } else if (h->chunk == SIZE) {
            if (hex(byte) >= 0) h->left = h->left * 16 + hex(byte);
            else h->chunk = EXTENSION;
        }
    }
    return false;
}

static bool on_body(struct conn *c, const char *bytes, size_t size) {
    struct http *h = &c->http;
    if (h->framing == CHUNKED) return on_chunked(c, bytes, size);
    if (h->framing == UNTIL_CLOSE) {
        on_text(c, bytes, size);
        return false;
    }
    size_t part = size < (size_t)h->left ? size : (size_t)h->left;
    on_text(c, bytes, part);
    return (h->left -= (int64_t)part) == 0;
}

void http_bytes(struct conn *c, const char *bytes, size_t size) {
    if (c->phase == HEAD) {
        size_t rest = on_head_bytes(c, bytes, size, on_head);
        if (c->phase == HEAD || c->phase == DONE) return;
        bytes += size - rest;
        size = rest;
    }
    if (c->phase != BODY) finish(c, "bytes that nobody asked for");
    else if (on_body(c, bytes, size)) on_response_end(c->streams);
    else if (opt.stall > 0 && c->streams->events >= opt.stall) stall(c);
}
